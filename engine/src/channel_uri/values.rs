//! The structured parameter values, and their formats.

use super::ChannelUriError;
use super::form::{Form, decimal, forms, integer, integer32};
use crate::quantity::parse_size;
use crate::types::{Mtu, SessionId, StreamId, TermId, TermLength};

/// The alignment of frames and of an initial term offset.
const FRAME_ALIGNMENT: i64 = 32;
/// The length of a timestamp in bytes. Two timestamps must not overlap.
pub(super) const TIMESTAMP_LENGTH: i64 = 8;

/// How the destinations of a publication or subscription are determined.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ControlMode {
    /// The application adds and removes destinations.
    Manual,
    /// Receivers register at the publication's control address.
    Dynamic,
    /// A request determines them: responses go to its publisher.
    Response,
    /// An unknown word. It has no effect.
    Other(String),
}

/// The tags with which channels and publications refer to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags {
    /// The channel tag: uses the endpoint of the channel with this tag. Never -1.
    pub channel: Option<i64>,
    /// The entity tag: identifies this publication. Never -1.
    pub entity: Option<i64>,
}

/// The session id of a publication. For a subscription, the only session id that it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionSelector {
    /// This session id.
    Id(SessionId),
    /// The session id, MTU and term length of the network publication with this entity tag. For publications only.
    Tag(i64),
}

/// Whether receivers assume that other receivers report the same loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Depends on the channel's address.
    Infer,
    /// They do.
    ForceTrue,
    /// They do not.
    ForceFalse,
}

/// The congestion control of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CongestionControl {
    /// A fixed window, as configured.
    Static,
    /// The CUBIC algorithm.
    Cubic,
}

/// The place of a timestamp in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampOffset {
    /// The reserved value in the header.
    Reserved,
    /// An offset in the payload, in bytes. Not negative.
    Payload(i32),
}

/// The subscription or image to which a publication responds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseCorrelation {
    /// The registration id or correlation id. -1 for none.
    Id(i64),
    /// None: the publication is a placeholder for those that will respond.
    Prototype,
}

impl TimestampOffset {
    /// The offset from the start of the payload. Negative for the reserved value, which ends where the payload starts.
    pub(super) const fn in_payload(self) -> i64 {
        match self {
            Self::Reserved => -TIMESTAMP_LENGTH,
            Self::Payload(offset) => offset as i64,
        }
    }
}

/// The format of `control-mode`: any word.
pub(super) enum ControlModeForm {}

impl Form for ControlModeForm {
    type Value = ControlMode;
    const EXPECTED: &'static str = "manual, dynamic or response";

    fn read(text: &str) -> Option<ControlMode> {
        Some(match text {
            "manual" => ControlMode::Manual,
            "dynamic" => ControlMode::Dynamic,
            "response" => ControlMode::Response,
            _ => ControlMode::Other(text.to_owned()),
        })
    }
}

/// The format of `tags`: a channel tag, an entity tag, or both, separated by a comma.
pub(super) enum TagsForm {}

impl TagsForm {
    fn channel_tag(text: &str) -> Option<Option<i64>> {
        let channel = text.split_once(',').map_or(text, |(channel, _)| channel);
        if channel.is_empty() { Some(None) } else { decimal(channel).filter(|&tag| tag != -1).map(Some) }
    }
}

impl Form for TagsForm {
    type Value = Tags;
    const EXPECTED: &'static str = "channel[,entity], both whole numbers";

    fn read(text: &str) -> Option<Tags> {
        let channel = Self::channel_tag(text)?;
        let entity = match text.split_once(',') {
            None | Some((_, "")) => None,
            Some((_, entity)) => Some(decimal(entity)?).filter(|&tag| tag != -1),
        };
        Some(Tags { channel, entity })
    }

    fn refusal(key: &'static str, text: &str) -> ChannelUriError {
        // The channel tag selects the endpoint, so an invalid one makes the channel invalid. An invalid entity tag is
        // just an invalid value.
        match Self::channel_tag(text) {
            None => ChannelUriError::ChannelTag { found: text.to_owned() },
            Some(_) => ChannelUriError::Value { key, found: text.to_owned(), expected: Self::EXPECTED },
        }
    }
}

forms! {
    /// The format of `mtu`.
    MtuForm -> Mtu, "a multiple of 32 from 64 to 65504, in bytes or as a size such as 8k",
        |text| Mtu::new(i64::try_from(parse_size(text).ok()?).ok()?).ok();
    /// The format of `term-length`.
    TermLengthForm -> TermLength, "a power of two from 64k to 1g",
        |text| TermLength::new(i64::try_from(parse_size(text).ok()?).ok()?).ok();
    /// The format of `init-term-id` and `term-id`.
    TermIdForm -> TermId, "a whole number of 32 bits", |text| integer32(text).map(TermId::new);
    /// The format of `term-offset`.
    TermOffsetForm -> i32, "a multiple of 32 from 0 to 1073741824", |text| {
        let is_offset = |offset: &i64| (0..=TermLength::MAX.get().into()).contains(offset) && offset % FRAME_ALIGNMENT == 0;
        integer(text).filter(is_offset).map(|offset| offset as i32)
    };
    /// The format of `session-id`.
    SessionForm -> SessionSelector, "a whole number of 32 bits, or tag: and an entity tag",
        |text: &str| match text.strip_prefix("tag:") {
            Some(tag) => integer(tag).map(SessionSelector::Tag),
            None => integer32(text).map(|id| SessionSelector::Id(SessionId::new(id))),
        };
    /// The format of `stream-id`.
    StreamIdForm -> StreamId, "a whole number of 32 bits", |text| integer32(text).map(StreamId::new);
    /// The format of `group`.
    GroupForm -> Group, "true, false or infer", |text| match text {
        "true" => Some(Group::ForceTrue),
        "false" => Some(Group::ForceFalse),
        "infer" => Some(Group::Infer),
        _ => None,
    };
    /// The format of `cc`.
    CongestionControlForm -> CongestionControl, "static or cubic", |text| match text {
        "static" => Some(CongestionControl::Static),
        "cubic" => Some(CongestionControl::Cubic),
        _ => None,
    };
    /// The format of `ats`.
    AtsForm -> bool, "false: transport security is not available", |text| (text == "false").then_some(false);
    /// The format of the three timestamp offsets.
    TimestampForm -> TimestampOffset, "reserved, or a number of bytes into the payload", |text| match text {
        "reserved" => Some(TimestampOffset::Reserved),
        text => integer32(text).filter(|&offset| offset >= 0).map(TimestampOffset::Payload),
    };
    /// The format of `response-correlation-id`.
    ResponseForm -> ResponseCorrelation, "a whole number from -1 up, or prototype", |text| match text {
        "prototype" => Some(ResponseCorrelation::Prototype),
        text => integer(text).filter(|&id| id >= -1).map(ResponseCorrelation::Id),
    };
    /// The format of `so-sndbuf` and `so-rcvbuf`: what a system can be asked for.
    SocketBufferForm -> u64, "a size from 0 to 2147483647", |text| {
        parse_size(text).ok().filter(|bytes| i32::try_from(*bytes).is_ok())
    };
    /// The format of `max-resend`.
    MaxResendForm -> u16, "a whole number from 1 to 256", |text| {
        parse_size(text).ok().filter(|number| (1..=256).contains(number)).map(|number| number as u16)
    };
}
