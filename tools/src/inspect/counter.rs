//! A counter as it is shown: its record, with the key decoded where the type has one.

use gannet::ChannelStatus;
use gannet::counters::{ChannelKey, CounterRecord, SockaddrKey, StreamKey, type_id};
use serde::Serialize;

/// One counter. The keys of its JSON form are a contract. Keys that do not apply are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CounterLine {
    /// The counter id: the index of its record.
    pub(crate) id: i32,
    /// The type id of the counter.
    pub(crate) type_id: i32,
    /// The label that the driver or the application gave it.
    pub(crate) label: String,
    /// Its current value.
    pub(crate) value: i64,
    /// Registration id of the publication, subscription or image that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) registration_id: Option<i64>,
    /// The session id of the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_id: Option<i32>,
    /// The stream id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream_id: Option<i32>,
    /// The channel, in full if the label has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    /// The client that the heartbeat belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<i64>,
    /// The channel status counter that a socket address belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel_status_id: Option<i32>,
    /// The meaning of the value of a channel or socket status counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<String>,
    /// The socket address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
}

impl CounterLine {
    /// Decodes a record. A key that contradicts its type is left out and is not an error, since any process may write
    /// it.
    pub(crate) fn new(record: &CounterRecord) -> Self {
        let mut line = Self {
            id: record.id.get(),
            type_id: record.type_id,
            label: text(record.label.as_bytes()),
            value: record.value,
            registration_id: None,
            session_id: None,
            stream_id: None,
            channel: None,
            client_id: None,
            channel_status_id: None,
            status: status(record).map(|status| status.to_string()),
            address: None,
        };
        match record.type_id {
            kind if has_stream_key(kind) => {
                if let Some(key) = StreamKey::read(&record.key) {
                    line.registration_id = Some(key.registration_id.get());
                    line.session_id = Some(key.session_id.get());
                    line.stream_id = Some(key.stream_id.get());
                    // That one has a receiver in place of the channel, and in the key not the present one.
                    line.channel = (record.type_id != type_id::SENDER_HELD_BY).then(|| channel(&key, record));
                }
            }
            type_id::SEND_CHANNEL_STATUS | type_id::RECEIVE_CHANNEL_STATUS | type_id::MDC_DESTINATIONS => {
                line.channel = ChannelKey::read(&record.key).map(|key| text(key.channel));
            }
            type_id::CLIENT_HEARTBEAT => line.client_id = record.key.get_i64(0),
            type_id::LOCAL_SOCKADDR => {
                if let Some(key) = SockaddrKey::read(&record.key) {
                    line.channel_status_id = Some(key.channel_status_id.get());
                    line.address = Some(text(key.address));
                }
            }
            _ => {}
        }
        line
    }
}

/// The meaning of the value, for a counter that is a status.
fn status(record: &CounterRecord) -> Option<ChannelStatus> {
    let is_status = matches!(
        record.type_id,
        type_id::SEND_CHANNEL_STATUS | type_id::RECEIVE_CHANNEL_STATUS | type_id::LOCAL_SOCKADDR
    );
    is_status.then(|| ChannelStatus::from_value(record.value))
}

/// Whether counters of this type have the key of a stream.
pub(super) fn has_stream_key(kind: i32) -> bool {
    matches!(
        kind,
        type_id::PUBLISHER_LIMIT
            | type_id::SENDER_POSITION
            | type_id::RECEIVER_HWM
            | type_id::SUBSCRIBER_POSITION
            | type_id::RECEIVER_POSITION
            | type_id::SENDER_LIMIT
            | type_id::PER_IMAGE
            | type_id::PUBLISHER_POSITION
            | type_id::SENDER_BPE
            | type_id::FLOW_CONTROL_RECEIVERS
            | type_id::SENDER_NAKS_RECEIVED
            | type_id::RECEIVER_NAKS_SENT
            | type_id::SENDER_HELD_BY
    )
}

/// The stream's whole channel. A key has room only for its start; the label, `name: reg session stream channel`, has
/// all of it.
pub(super) fn channel(key: &StreamKey<'_>, record: &CounterRecord) -> String {
    let start = text(key.channel);
    if key.channel.len() < StreamKey::MAX_CHANNEL_LENGTH {
        return start;
    }
    let label = text(record.label.as_bytes());
    let Some(at) = label.find(&start) else { return start };
    let whole = &label[at..];
    let whole = if record.type_id == type_id::SUBSCRIBER_POSITION {
        whole.rsplit_once(" @").map_or(whole, |(channel, _)| channel)
    } else {
        whole
    };
    whole.to_owned()
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use gannet::counters::{CounterKey, CounterLabel};
    use gannet::types::{ClientId, CounterId, RegistrationId, SessionId, StreamId};

    /// A counter of stream 1001 on `channel`.
    pub(crate) fn stream_counter(
        kind: i32,
        registration_id: i64,
        reference_id: i64,
        value: i64,
        channel: &str,
    ) -> CounterRecord {
        let key = StreamKey {
            registration_id: RegistrationId::new(registration_id),
            session_id: SessionId::new(-7),
            stream_id: StreamId::new(1001),
            channel: channel.as_bytes(),
        };
        let name = match kind {
            type_id::PUBLISHER_POSITION => "pub-pos (exclusive)",
            type_id::SUBSCRIBER_POSITION => "sub-pos",
            _ => "other",
        };
        let suffix = if kind == type_id::SUBSCRIBER_POSITION { " @128" } else { "" };
        CounterRecord {
            id: CounterId::new(50 + kind),
            type_id: kind,
            key: key.key(),
            label: CounterLabel::new(format!("{name}: {registration_id} -7 1001 {channel}{suffix}").as_bytes()),
            registration_id: RegistrationId::new(registration_id),
            owner_id: ClientId::new(3),
            reference_id,
            value,
        }
    }

    #[test]
    fn a_stream_counter_has_the_whole_key() {
        let line = CounterLine::new(&stream_counter(type_id::PUBLISHER_POSITION, 5, 0, 640, "aeron:ipc"));
        let json = serde_json::to_value(&line).expect("plain data");
        assert_eq!(
            json,
            serde_json::json!({
                "id": 62, "type_id": 12, "label": "pub-pos (exclusive): 5 -7 1001 aeron:ipc", "value": 640,
                "registration_id": 5, "session_id": -7, "stream_id": 1001, "channel": "aeron:ipc",
            })
        );
    }

    #[test]
    fn a_status_is_shown_in_words() {
        for (kind, value, expected) in [
            (type_id::SEND_CHANNEL_STATUS, 1, Some("active")),
            (type_id::RECEIVE_CHANNEL_STATUS, -1, Some("errored")),
            (type_id::LOCAL_SOCKADDR, 2, Some("closing")),
            (type_id::PUBLISHER_LIMIT, 1, None),
        ] {
            let line = CounterLine::new(&stream_counter(kind, 5, 0, value, "aeron:ipc"));
            assert_eq!((line.status.as_deref(), line.value), (expected, value));
        }
    }

    #[test]
    fn a_long_channel_is_completed_from_the_label() {
        let channel = format!("aeron:ipc?alias={}", "x".repeat(100));
        for kind in [type_id::PUBLISHER_POSITION, type_id::SUBSCRIBER_POSITION] {
            let line = CounterLine::new(&stream_counter(kind, 5, 0, 0, &channel));
            assert_eq!(line.channel.as_deref(), Some(&channel[..]));
        }
    }

    /// The driver replaces the label when another receiver holds the publication back, and leaves the key.
    #[test]
    fn a_receiver_is_not_shown_as_a_channel() {
        let mut record = stream_counter(type_id::SENDER_HELD_BY, 5, 0, 0, "10.0.0.2:40456 receiver 9");
        record.label = CounterLabel::new(b"snd-held-by: 5 -7 1001 -");
        let line = CounterLine::new(&record);
        assert_eq!((line.channel, line.stream_id, line.registration_id), (None, Some(1001), Some(5)));
    }

    #[test]
    fn a_key_that_contradicts_its_type_is_left_out() {
        let mut record = stream_counter(type_id::PUBLISHER_LIMIT, 5, 0, 0, "aeron:ipc");
        record.key = CounterKey::new(&[0xff; 112]);
        let line = CounterLine::new(&record);
        assert_eq!((line.channel, line.registration_id), (None, None));
    }
}
