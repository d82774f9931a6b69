//! Determines from the counters at one moment what holds a publication back.

use serde::Serialize;

use crate::cli::{counted, seconds_since, times, with_separators};
use crate::inspect::Publication;

/// What determines the limit of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Holder {
    /// A subscriber on this host.
    Subscriber {
        registration_id: i64,
        client_id: i64,
        client_name: Option<String>,
        counter_id: i32,
        position: i64,
        behind: i64,
    },
    /// The receivers on other hosts, through flow control: the sender has reached the limit that they set.
    Receivers {
        /// The address of the receiver whose window is the limit: as the driver reports it, or the only address of the
        /// channel.
        address: Option<String>,
        /// Its receiver id, and since when it is the limit, in milliseconds since 1970, as the driver reports them.
        receiver_id: Option<i64>,
        since_ms: Option<i64>,
        /// The number of receivers in the flow control group, if there is one.
        receivers: Option<i64>,
        position: i64,
        behind: i64,
        /// How often the receivers' windows have stopped the sender since the publication was added.
        stops: Option<i64>,
    },
    /// The driver's sender, which could send more than it has sent.
    Sender { position: i64, behind: i64 },
}

impl Holder {
    /// What determines the limit of this publication. `None` when it has no subscribers.
    pub(super) fn of(publication: &Publication) -> Option<Self> {
        let slowest = publication.slowest();
        let subscriber = slowest.map(|subscriber| Self::Subscriber {
            registration_id: subscriber.registration_id,
            client_id: subscriber.client_id,
            client_name: subscriber.client_name.clone(),
            counter_id: subscriber.counter_id,
            position: subscriber.position,
            behind: subscriber.behind,
        });
        let Some(position) = publication.sender_position else { return subscriber };
        // A spy holds a network publication back only if it is behind the sender.
        if slowest.is_some_and(|slowest| slowest.position < position) {
            return subscriber;
        }
        if publication.is_without_receivers() {
            return None;
        }
        let behind = publication.position.saturating_sub(position).max(0);
        let held_by = publication.held_by.as_ref();
        // A frame is sent as a whole, so a window with less room than the longest frame may stop the sender.
        match publication.sender_limit {
            Some(limit) if limit.saturating_sub(position) >= publication.longest_frame() => {
                Some(Self::Sender { position, behind })
            }
            _ => Some(Self::Receivers {
                address: held_by.map(|held| held.address.clone()).or_else(|| publication.only_receiver()),
                receiver_id: held_by.map(|held| held.receiver_id),
                since_ms: held_by.map(|held| held.since_ms),
                receivers: publication.receivers,
                position,
                behind,
                stops: publication.sender_back_pressure,
            }),
        }
    }

    /// The position up to which it has come, and how many bytes it is behind the publishers.
    pub(super) fn progress(&self) -> (i64, i64) {
        match *self {
            Self::Subscriber { position, behind, .. }
            | Self::Receivers { position, behind, .. }
            | Self::Sender { position, behind } => (position, behind),
        }
    }

    /// Identity and position of the holder: equal in two samples when the holder has not moved.
    pub(super) fn place(&self) -> (i64, i64) {
        match self {
            Self::Subscriber { registration_id, position, .. } => (*registration_id, *position),
            Self::Receivers { position, .. } => (-1, *position),
            Self::Sender { position, .. } => (-2, *position),
        }
    }

    pub(super) fn describe(&self) -> String {
        let (who, position, behind) = match self {
            Self::Subscriber { registration_id, client_id, client_name, position, behind, .. } => {
                let name = client_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
                (format!("subscriber {registration_id} of client {client_id}{name}"), position, behind)
            }
            Self::Receivers { address, receivers, since_ms, position, behind, stops, .. } => {
                let stops =
                    stops.map_or_else(String::new, |stops| format!(" (which has stopped the sender {})", times(stops)));
                let since = since_ms.map_or_else(String::new, |since_ms| format!(" for {}", seconds_since(since_ms)));
                let who = match (address, receivers) {
                    (Some(address), Some(receivers @ 2..)) => {
                        format!("the window of the receiver at {address}, one of {receivers},{since}{stops}")
                    }
                    (Some(address), _) => format!("the window of the receiver at {address}{since}{stops}"),
                    (None, Some(receivers)) => {
                        format!("the window of the slowest of {}{stops}", counted(*receivers, "receiver"))
                    }
                    (None, None) => format!("the receivers' window{stops}"),
                };
                (who, position, behind)
            }
            Self::Sender { position, behind } => ("the driver's sender".to_owned(), position, behind),
        };
        format!("{who} at {}, {} behind", with_separators(*position), counted(*behind, "byte"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::stream_tests::records;
    use crate::inspect::{HeldBy, Streams};

    #[test]
    fn a_network_publication_without_receivers_is_held_by_nobody() {
        let mut streams = Streams::new(&records(1000, 1000, &[]));
        let publication = streams.publications.get_mut(&5).expect("it is there");
        (publication.sender_position, publication.sender_limit) = (Some(1000), Some(1000));
        assert_eq!(Holder::of(publication), None);
        publication.limit = 3000;
        assert!(Holder::of(publication).is_some(), "a window is open");
    }

    #[test]
    fn a_sender_holds_a_network_publication_or_its_receivers_do() {
        let mut streams = Streams::new(&records(1000, 1000, &[]));
        let publication = streams.publications.get_mut(&5).expect("it is there");
        publication.sender_position = Some(600);
        publication.sender_limit = Some(600);
        let receivers = |address: Option<&str>, receivers| Holder::Receivers {
            address: address.map(str::to_owned),
            receiver_id: None,
            since_ms: None,
            receivers,
            position: 600,
            behind: 400,
            stops: Some(3),
        };
        publication.sender_back_pressure = Some(3);
        publication.channel = "aeron:udp?endpoint=10.0.0.7:40123".to_owned();
        let found = Holder::of(publication).expect("somebody holds it");
        assert_eq!(found, receivers(Some("10.0.0.7:40123"), None));
        assert_eq!(
            found.describe(),
            "the window of the receiver at 10.0.0.7:40123 (which has stopped the sender 3 times) at 600, 400 bytes behind"
        );
        publication.channel = "aeron:udp?endpoint=224.0.1.1:40123|fc=min".to_owned();
        publication.receivers = Some(2);
        let found = Holder::of(publication).expect("somebody holds it");
        assert_eq!(found, receivers(None, Some(2)));
        assert!(found.describe().starts_with("the window of the slowest of 2 receivers"), "{}", found.describe());
        let held_by = HeldBy { address: "10.0.0.8:40123".to_owned(), receiver_id: 77, since_ms: 1_700_000_000_000 };
        publication.held_by = Some(held_by);
        let found = Holder::of(publication).expect("somebody holds it");
        let words = found.describe();
        assert!(words.starts_with("the window of the receiver at 10.0.0.8:40123, one of 2, for "), "{words}");
        let json = serde_json::to_value(found).expect("plain data");
        assert_eq!((&json["receiver_id"], &json["since_ms"]), (&77.into(), &1_700_000_000_000_i64.into()));
        // As much room as the longest frame has. The driver's word is older than that, or its frames are longer than is known here.
        publication.sender_limit = Some(600 + 1408);
        assert!(matches!(Holder::of(publication), Some(Holder::Receivers { receiver_id: Some(77), .. })));
        publication.sender_limit = Some(600 + 65_504);
        assert_eq!(Holder::of(publication), Some(Holder::Sender { position: 600, behind: 400 }));
        publication.held_by = None;
        publication.sender_limit = Some(600 + 1408);
        assert_eq!(Holder::of(publication), Some(Holder::Sender { position: 600, behind: 400 }));
    }

    /// Messages of 6,000 bytes in a window of 32 KiB: five fit, and of the sixth not all.
    #[test]
    fn a_window_without_room_for_the_next_frame_holds_whatever_is_left_of_it() {
        let mut streams = Streams::new(&records(60_480, 60_480, &[]));
        let publication = streams.publications.get_mut(&5).expect("it is there");
        (publication.sender_position, publication.sender_limit) = (Some(30_240), Some(32_768));
        publication.channel = "aeron:udp?endpoint=10.0.0.7:40123|mtu=8k".to_owned();
        assert!(matches!(Holder::of(publication), Some(Holder::Receivers { behind: 30_240, .. })));
        publication.channel = "aeron:udp?endpoint=10.0.0.7:40123".to_owned();
        assert!(matches!(Holder::of(publication), Some(Holder::Sender { .. })), "frames have 1,408 bytes at most");
    }
}
