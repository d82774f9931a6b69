//! Channels of recordings and replays: the parameters that identify a stream, and those that a replay needs so that its
//! positions are those of the recording.

use crate::channel_uri::{ChannelUri, ChannelUriBuilder, ChannelUriError, InitialPosition};
use crate::types::Position;

use super::super::descriptor::RecordingDescriptor;

/// The channel parameters that a recording keeps, as an archive does.
const KEPT: [&str; 23] = [
    "endpoint",
    "interface",
    "control",
    "control-mode",
    "tags",
    "rejoin",
    "group",
    "tether",
    "fc",
    "gtag",
    "cc",
    "so-rcvbuf",
    "so-sndbuf",
    "rcv-wnd",
    "channel-snd-ts-offset",
    "channel-rcv-ts-offset",
    "media-rcv-ts-offset",
    "session-id",
    "alias",
    "response-correlation-id",
    "response-endpoint",
    "ttl",
    "stream-id",
];
/// The parameters that a replay's channel can have in addition.
const KEPT_BY_REPLAYS: [&str; 3] = ["linger", "eos", "sparse"];

fn keeping(uri: &ChannelUri, is_kept: impl Fn(&str) -> bool) -> ChannelUriBuilder {
    let dropped = uri.pairs().map(|(key, _)| key).filter(|key| !is_kept(key));
    dropped.fold(ChannelUriBuilder::from(uri), ChannelUriBuilder::without)
}

/// The channel with only the parameters that identify its stream.
pub(super) fn stripped(channel: &str) -> Result<String, ChannelUriError> {
    let uri = ChannelUri::parse(channel)?;
    Ok(keeping(&uri, |key| KEPT.contains(&key)).build()?.text().to_owned())
}

/// The channel for a replay whose publication begins at `position`.
pub(super) fn for_replay(
    channel: &str,
    descriptor: &RecordingDescriptor,
    position: Position,
) -> Result<String, ChannelUriError> {
    let uri = ChannelUri::parse(channel)?;
    let length = descriptor.term_length;
    let start = InitialPosition {
        initial_term_id: descriptor.initial_term_id,
        term_id: length.term_id(position, descriptor.initial_term_id),
        term_offset: length.offset(position),
    };
    let built = keeping(&uri, |key| KEPT.contains(&key) || KEPT_BY_REPLAYS.contains(&key))
        .initial_position(start)
        .param("term-length", length.get())
        .param("mtu", descriptor.mtu.get())
        .build()?;
    Ok(built.text().to_owned())
}

/// The channel of one session of a stream.
pub(super) fn of_session(channel: &str, session_id: i32) -> Result<String, ChannelUriError> {
    let uri = ChannelUri::parse(channel)?;
    Ok(ChannelUriBuilder::from(&uri).param("session-id", session_id).build()?.text().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_streams_apart_is_kept() {
        let channel = "aeron:udp?endpoint=localhost:4040|term-length=64k|mtu=1408|alias=quotes|linger=5s";
        assert_eq!(stripped(channel).unwrap(), "aeron:udp?endpoint=localhost:4040|alias=quotes");
        assert_eq!(stripped("aeron:ipc?term-length=64k").unwrap(), "aeron:ipc");
        assert_eq!(of_session("aeron:ipc", -5).unwrap(), "aeron:ipc?session-id=-5");
        assert!(stripped("quotes").is_err());
    }
}
