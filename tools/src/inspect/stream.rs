//! The streams of a driver, assembled from its counters: publications, subscribers, and the position of each.
//!
//! ```text
//! pub-pos, pub-lmt        registration id P                       a publication
//! sub-pos                 reference id P: a subscriber of it      (IPC, and spies)
//! snd-pos, snd-lmt        registration id P                       its sender
//! rcv-hwm, rcv-pos        registration id I                       an image from another host
//! sub-pos                 reference id I: a subscriber of that
//! snd-held-by             registration id P                       the receiver that holds it
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;

use gannet::channel_uri::ChannelUri;
use gannet::counters::{CounterRecord, StreamKey, type_id};
use gannet::types::Mtu;
use serde::Serialize;

use super::counter::{channel, text};

/// All streams in the counters, by registration id.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Streams {
    pub(crate) publications: BTreeMap<i64, Publication>,
    pub(crate) images: BTreeMap<i64, Image>,
}

/// A publication and its subscribers on this host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Publication {
    pub(crate) registration_id: i64,
    pub(crate) session_id: i32,
    pub(crate) stream_id: i32,
    pub(crate) channel: String,
    /// `exclusive` or `concurrent`.
    pub(crate) mode: &'static str,
    /// The client that added it first.
    pub(crate) client_id: i64,
    pub(crate) client_name: Option<String>,
    /// The publishers' position.
    pub(crate) position: i64,
    /// The publisher limit.
    pub(crate) limit: i64,
    /// The sender's position and limit. Network publications only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender_position: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender_limit: Option<i64>,
    /// How often the receivers' windows have stopped the sender. Network publications only, as the following fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender_back_pressure: Option<i64>,
    /// The number of NAKs received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) naks_received: Option<i64>,
    /// The number of receivers in the flow control group, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receivers: Option<i64>,
    /// The receiver whose window holds the publication back, as the driver reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held_by: Option<HeldBy>,
    pub(crate) subscribers: Vec<Subscriber>,
}

/// A receiver that holds a publication back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct HeldBy {
    /// The source address of its status messages.
    pub(crate) address: String,
    pub(crate) receiver_id: i64,
    /// Since when it holds the publication back, in milliseconds since 1970.
    pub(crate) since_ms: i64,
}

/// An image of a stream from another host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Image {
    pub(crate) image_id: i64,
    pub(crate) session_id: i32,
    pub(crate) stream_id: i32,
    pub(crate) channel: String,
    /// The highest position received.
    pub(crate) received: i64,
    /// The position up to which the stream is complete.
    pub(crate) position: i64,
    /// The number of NAKs sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) naks_sent: Option<i64>,
    pub(crate) subscribers: Vec<Subscriber>,
}

/// A subscription's progress in one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Subscriber {
    /// The subscription's registration id.
    pub(crate) registration_id: i64,
    pub(crate) client_id: i64,
    pub(crate) client_name: Option<String>,
    /// The counter with its position.
    pub(crate) counter_id: i32,
    pub(crate) channel: String,
    /// The position up to which it has consumed the stream.
    pub(crate) position: i64,
    /// Bytes between that position and the end of what was published or received.
    pub(crate) behind: i64,
}

impl Streams {
    /// Assembles the streams.
    pub(crate) fn new(records: &[CounterRecord]) -> Self {
        let mut streams = Self::default();
        let names = client_names(records);
        for record in records.iter().filter(|record| super::counter::has_stream_key(record.type_id)) {
            if let Some(key) = StreamKey::read(&record.key) {
                streams.add(record, &key, &names);
            }
        }
        // One without a position was being added or removed while the counters were read.
        streams.publications.retain(|_, publication| !publication.mode.is_empty());
        // A subscriber can be assigned only once all publications and images are known.
        for record in records.iter().filter(|record| record.type_id == type_id::SUBSCRIBER_POSITION) {
            if let Some(key) = StreamKey::read(&record.key) {
                streams.add_subscriber(record, &key, &names);
            }
        }
        for record in records.iter().filter(|record| record.type_id == type_id::SENDER_HELD_BY) {
            if let Some(publication) = streams.publications.get_mut(&record.registration_id.get()) {
                publication.held_by = HeldBy::read(record);
            }
        }
        streams
    }

    fn add(&mut self, record: &CounterRecord, key: &StreamKey<'_>, names: &BTreeMap<i64, String>) {
        let id = record.registration_id.get();
        let value = record.value;
        match record.type_id {
            type_id::PUBLISHER_POSITION
            | type_id::PUBLISHER_LIMIT
            | type_id::SENDER_POSITION
            | type_id::SENDER_LIMIT
            | type_id::SENDER_BPE
            | type_id::SENDER_NAKS_RECEIVED
            | type_id::FLOW_CONTROL_RECEIVERS => {
                let publication = self.publications.entry(id).or_default();
                match record.type_id {
                    type_id::PUBLISHER_POSITION => {
                        publication.position = value;
                        publication.mode =
                            if text(record.label.name()).contains("exclusive") { "exclusive" } else { "concurrent" };
                    }
                    type_id::PUBLISHER_LIMIT => publication.limit = value,
                    type_id::SENDER_POSITION => publication.sender_position = Some(value),
                    type_id::SENDER_LIMIT => publication.sender_limit = Some(value),
                    type_id::SENDER_BPE => publication.sender_back_pressure = Some(value),
                    type_id::SENDER_NAKS_RECEIVED => publication.naks_received = Some(value),
                    _ => publication.receivers = Some(value),
                }
                publication.registration_id = id;
                publication.session_id = key.session_id.get();
                publication.stream_id = key.stream_id.get();
                publication.channel = channel(key, record);
                publication.client_id = record.owner_id.get();
                publication.client_name = names.get(&publication.client_id).cloned();
            }
            type_id::RECEIVER_HWM | type_id::RECEIVER_POSITION | type_id::RECEIVER_NAKS_SENT => {
                let image = self.images.entry(id).or_default();
                match record.type_id {
                    type_id::RECEIVER_HWM => image.received = value,
                    type_id::RECEIVER_POSITION => image.position = value,
                    _ => image.naks_sent = Some(value),
                }
                image.image_id = id;
                image.session_id = key.session_id.get();
                image.stream_id = key.stream_id.get();
                image.channel = channel(key, record);
            }
            _ => {}
        }
    }

    fn add_subscriber(&mut self, record: &CounterRecord, key: &StreamKey<'_>, names: &BTreeMap<i64, String>) {
        let (subscribers, head) = if let Some(publication) = self.publications.get_mut(&record.reference_id) {
            (&mut publication.subscribers, publication.position)
        } else if let Some(image) = self.images.get_mut(&record.reference_id) {
            (&mut image.subscribers, image.position)
        } else {
            // Its publication or image was removed while the counters were read.
            return;
        };
        subscribers.push(Subscriber {
            registration_id: record.registration_id.get(),
            client_id: record.owner_id.get(),
            client_name: names.get(&record.owner_id.get()).cloned(),
            counter_id: record.id.get(),
            channel: channel(key, record),
            position: record.value,
            // Counters are read one after another, so a subscriber may have moved past a position that was read
            // earlier.
            behind: head.saturating_sub(record.value).max(0),
        });
    }
}

impl Publication {
    /// The subscriber with the lowest position.
    pub(crate) fn slowest(&self) -> Option<&Subscriber> {
        self.subscribers.iter().min_by_key(|subscriber| subscriber.position)
    }

    /// Whether no receiver takes a network publication, nor a spy in place of one: the driver then sets its limit to where the
    /// sender is. A receiver's window extends beyond that.
    pub(crate) fn is_without_receivers(&self) -> bool {
        let is_behind = |sent| self.slowest().is_some_and(|slowest| slowest.position < sent);
        self.sender_position.is_some_and(|sent| self.position >= self.limit && self.limit <= sent && !is_behind(sent))
    }

    /// The address of the receiver, for a channel with a single one. `None` for a multicast group or several
    /// destinations.
    pub(crate) fn only_receiver(&self) -> Option<String> {
        let uri: ChannelUri = self.channel.parse().ok()?;
        let params = uri.params();
        let endpoint = params.endpoint.as_ref().filter(|_| params.control_mode.is_none())?.to_string();
        let host = endpoint.rsplit_once(':').map_or(endpoint.as_str(), |(host, _)| host);
        let is_group = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_multicast());
        (!is_group).then_some(endpoint)
    }

    /// The greatest frame length in bytes, header included.
    pub(crate) fn longest_frame(&self) -> i64 {
        let stated = || self.channel.parse::<ChannelUri>().ok()?.params().mtu;
        // The driver's default MTU is not published. If the driver reports that frames found no room, they may be of
        // any length.
        let unstated = if self.held_by.is_some() { Mtu::MAX } else { Mtu::DEFAULT };
        i64::from(stated().unwrap_or(unstated).get())
    }

    /// Describes it, such as `publication 5 (exclusive), session -7, stream 1001, aeron:ipc`.
    pub(crate) fn describe(&self) -> String {
        format!(
            "publication {} ({}), session {}, stream {}, {}",
            self.registration_id, self.mode, self.session_id, self.stream_id, self.channel
        )
    }
}

impl HeldBy {
    /// Parses the counter's label, such as `snd-held-by: 5 -7 1001 10.0.0.2:40456 receiver 9`. `None` if it names no
    /// receiver.
    fn read(record: &CounterRecord) -> Option<Self> {
        let label = text(record.label.as_bytes());
        let mut words = label.rsplit(' ');
        let receiver_id = words.next()?.parse().ok()?;
        let address = words.nth(1)?.to_owned();
        (record.value > 0).then_some(Self { address, receiver_id, since_ms: record.value })
    }
}

impl Subscriber {
    /// Describes it, such as `subscriber 8 of client 3 (name)`.
    pub(crate) fn describe(&self) -> String {
        let name = self.client_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!("subscriber {} of client {}{name}", self.registration_id, self.client_id)
    }
}

/// The names that clients gave themselves, from the labels of their heartbeats:
/// `client-heartbeat: id=84 name=prices version=...`.
fn client_names(records: &[CounterRecord]) -> BTreeMap<i64, String> {
    let mut names = BTreeMap::new();
    for record in records.iter().filter(|record| record.type_id == type_id::CLIENT_HEARTBEAT) {
        let label = text(record.label.as_bytes());
        if let (Some(id), Some((_, rest))) = (record.key.get_i64(0), label.split_once(" name=")) {
            let name = rest.split_once(" version=").map_or(rest, |(name, _)| name);
            if !name.is_empty() {
                names.insert(id, name.to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::counter::tests::stream_counter;
    use super::*;
    use gannet::counters::{CounterKey, CounterLabel};
    use gannet::types::ClientId;

    /// A publication at `position` with `limit`, and a subscriber (ids from 20) at each of `subscribers`.
    pub(crate) fn records(position: i64, limit: i64, subscribers: &[i64]) -> Vec<CounterRecord> {
        let mut records = vec![
            stream_counter(type_id::PUBLISHER_POSITION, 5, 0, position, "aeron:ipc"),
            stream_counter(type_id::PUBLISHER_LIMIT, 5, 0, limit, "aeron:ipc"),
        ];
        records.extend(
            (20..)
                .zip(subscribers)
                .map(|(id, &at)| stream_counter(type_id::SUBSCRIBER_POSITION, id, 5, at, "aeron:ipc")),
        );
        records
    }

    #[test]
    fn a_publication_has_its_subscribers_whatever_the_order() {
        let mut records = records(640, 4096, &[320, 640]);
        records.reverse();
        let streams = Streams::new(&records);
        let publication = &streams.publications[&5];
        assert_eq!((publication.position, publication.limit, publication.mode), (640, 4096, "exclusive"));
        assert_eq!(publication.subscribers.len(), 2);
        let slowest = publication.slowest().expect("there are two");
        assert_eq!((slowest.registration_id, slowest.behind), (20, 320));
    }

    /// Its counters come and go one after another.
    #[test]
    fn a_publication_that_is_being_removed_is_not_shown_at_a_position_that_it_never_had() {
        let mut records = records(640, 4096, &[640]);
        records.remove(0);
        assert_eq!(Streams::new(&records), Streams::default());
    }

    #[test]
    fn clients_have_the_names_in_their_heartbeats() {
        let mut heartbeat = stream_counter(type_id::CLIENT_HEARTBEAT, 3, 0, 0, "");
        heartbeat.key = CounterKey::client(ClientId::new(3));
        heartbeat.label = CounterLabel::new(b"client-heartbeat: id=3 name=the prices version=1 commit=2");
        let mut records = records(0, 0, &[0]);
        records.push(heartbeat);
        let streams = Streams::new(&records);
        assert_eq!(streams.publications[&5].client_name.as_deref(), Some("the prices"));
        assert_eq!(streams.publications[&5].subscribers[0].describe(), "subscriber 20 of client 3 (the prices)");
    }

    #[test]
    fn a_channel_that_leads_to_one_receiver_says_where_it_is() {
        let only =
            |channel: &str| Publication { channel: channel.to_owned(), ..Publication::default() }.only_receiver();
        assert_eq!(only("aeron:udp?endpoint=localhost:40123|mtu=1408").as_deref(), Some("localhost:40123"));
        assert_eq!(only("aeron:udp?endpoint=[::1]:40123").as_deref(), Some("[::1]:40123"));
        for group in [
            "aeron:udp?endpoint=224.0.1.1:40123",
            "aeron:udp?endpoint=[ff02::1]:40123",
            "aeron:udp?control=localhost:40123|control-mode=dynamic",
            "aeron:udp?control-mode=manual",
            "aeron:ipc",
            "nonsense",
        ] {
            assert_eq!(only(group), None, "{group}");
        }
    }

    #[test]
    fn the_receiver_that_holds_a_publication_is_in_a_label() {
        let mut records = records(640, 640, &[]);
        let mut held_by = stream_counter(type_id::SENDER_HELD_BY, 5, 0, 1_700_000_000_000, "");
        held_by.label = CounterLabel::new(b"snd-held-by: 5 -7 1001 [fd00::2]:40456 receiver -9");
        records.insert(0, held_by.clone());
        let expected = HeldBy { address: "[fd00::2]:40456".into(), receiver_id: -9, since_ms: 1_700_000_000_000 };
        assert_eq!(Streams::new(&records).publications[&5].held_by, Some(expected));
        for (label, value) in [("snd-held-by: 5 -7 1001 -", 0), ("snd-held-by: 5 -7 1001 -", 9), ("", 9), ("4", 9)] {
            (held_by.label, held_by.value) = (CounterLabel::new(label.as_bytes()), value);
            records[0] = held_by.clone();
            assert_eq!(Streams::new(&records).publications[&5].held_by, None, "{label}");
        }
    }

    #[test]
    fn an_image_from_elsewhere_has_subscribers_of_its_own() {
        let channel = "aeron:udp?endpoint=localhost:40123";
        let streams = Streams::new(&[
            stream_counter(type_id::RECEIVER_HWM, 9, 0, 960, channel),
            stream_counter(type_id::RECEIVER_POSITION, 9, 0, 800, channel),
            stream_counter(type_id::SUBSCRIBER_POSITION, 30, 9, 700, channel),
            stream_counter(type_id::SUBSCRIBER_POSITION, 31, 77, 0, channel),
        ]);
        assert!(streams.publications.is_empty());
        assert_eq!(streams.images[&9].subscribers.len(), 1, "the other one's image is gone");
        assert_eq!(streams.images[&9].subscribers[0].behind, 100);
    }
}
