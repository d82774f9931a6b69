//! The parameter values that are more than a number: their meaning, and how each is written.

use super::ChannelUriError;
use super::form::{Form, decimal, forms, integer, integer32};
use crate::quantity::parse_size;
use crate::types::{Mtu, SessionId, StreamId, TermId, TermLength};

/// Frames are aligned to this many bytes, and so is a starting offset.
const FRAME_ALIGNMENT: i64 = 32;
/// Two timestamps closer than their size would overwrite each other.
pub(super) const TIMESTAMP_LENGTH: i64 = 8;

/// Who says where a publication sends to, or what a subscription receives from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ControlMode {
    /// The application, with destination commands.
    Manual,
    /// The receivers, by registering with the publication's control address.
    Dynamic,
    /// A request, whose publisher is to be answered.
    Response,
    /// A word that no driver knows. It acts as if nothing were stated.
    Other(String),
}

/// Names by which channels and publications refer to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags {
    /// Shares the endpoint of the channel with this tag. Never -1.
    pub channel: Option<i64>,
    /// Names this publication. Never -1.
    pub entity: Option<i64>,
}

/// A publication's session, or the one session that a subscription takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionSelector {
    /// This one.
    Id(SessionId),
    /// That of the network publication with this entity tag, and its MTU and term length. For publications only.
    Tag(i64),
}

/// Whether receivers reckon with others when they report loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// As the channel's address suggests.
    Infer,
    /// Yes.
    ForceTrue,
    /// No.
    ForceFalse,
}

/// How a receiver sizes its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CongestionControl {
    /// As configured, always.
    Static,
    /// By the CUBIC rule.
    Cubic,
}

/// Where in a frame a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampOffset {
    /// Into the header's reserved value.
    Reserved,
    /// This many bytes into the payload; never negative.
    Payload(i32),
}

/// The subscription or image that a publication answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseCorrelation {
    /// The one with this registration or correlation id; -1 is none.
    Id(i64),
    /// None yet: the publication only holds the place of those that will answer.
    Prototype,
}

impl TimestampOffset {
    /// Where it is, counted from the start of the payload: the reserved value ends where the payload starts.
    pub(super) const fn in_payload(self) -> i64 {
        match self {
            Self::Reserved => -TIMESTAMP_LENGTH,
            Self::Payload(offset) => offset as i64,
        }
    }
}

/// The form of `control-mode`: any word.
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

/// The form of `tags`: a channel tag, an entity tag, or both with a comma between them.
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
        // The channel tag decides which endpoint is meant, so without it there is no usable channel. A bad entity tag is
        // only a bad value.
        match Self::channel_tag(text) {
            None => ChannelUriError::ChannelTag { found: text.to_owned() },
            Some(_) => ChannelUriError::Value { key, found: text.to_owned(), expected: Self::EXPECTED },
        }
    }
}

forms! {
    /// The form of `mtu`.
    MtuForm -> Mtu, "a multiple of 32 from 64 to 65504, in bytes or as a size such as 8k",
        |text| Mtu::new(i64::try_from(parse_size(text).ok()?).ok()?).ok();
    /// The form of `term-length`.
    TermLengthForm -> TermLength, "a power of two from 64k to 1g",
        |text| TermLength::new(i64::try_from(parse_size(text).ok()?).ok()?).ok();
    /// The form of `init-term-id` and `term-id`.
    TermIdForm -> TermId, "a whole number of 32 bits", |text| integer32(text).map(TermId::new);
    /// The form of `term-offset`.
    TermOffsetForm -> i32, "a multiple of 32 from 0 to 1073741824", |text| {
        let is_offset = |offset: &i64| (0..=TermLength::MAX.get().into()).contains(offset) && offset % FRAME_ALIGNMENT == 0;
        integer(text).filter(is_offset).map(|offset| offset as i32)
    };
    /// The form of `session-id`.
    SessionForm -> SessionSelector, "a whole number of 32 bits, or tag: and an entity tag",
        |text: &str| match text.strip_prefix("tag:") {
            Some(tag) => integer(tag).map(SessionSelector::Tag),
            None => integer32(text).map(|id| SessionSelector::Id(SessionId::new(id))),
        };
    /// The form of `stream-id`.
    StreamIdForm -> StreamId, "a whole number of 32 bits", |text| integer32(text).map(StreamId::new);
    /// The form of `group`.
    GroupForm -> Group, "true, false or infer", |text| match text {
        "true" => Some(Group::ForceTrue),
        "false" => Some(Group::ForceFalse),
        "infer" => Some(Group::Infer),
        _ => None,
    };
    /// The form of `cc`.
    CongestionControlForm -> CongestionControl, "static or cubic", |text| match text {
        "static" => Some(CongestionControl::Static),
        "cubic" => Some(CongestionControl::Cubic),
        _ => None,
    };
    /// The form of `ats`.
    AtsForm -> bool, "false: transport security is not available", |text| (text == "false").then_some(false);
    /// The form of the three timestamp offsets.
    TimestampForm -> TimestampOffset, "reserved, or a number of bytes into the payload", |text| match text {
        "reserved" => Some(TimestampOffset::Reserved),
        text => integer32(text).filter(|&offset| offset >= 0).map(TimestampOffset::Payload),
    };
    /// The form of `response-correlation-id`.
    ResponseForm -> ResponseCorrelation, "a whole number from -1 up, or prototype", |text| match text {
        "prototype" => Some(ResponseCorrelation::Prototype),
        text => integer(text).filter(|&id| id >= -1).map(ResponseCorrelation::Id),
    };
    /// The form of `max-resend`.
    MaxResendForm -> u16, "a whole number from 1 to 256", |text| {
        parse_size(text).ok().filter(|number| (1..=256).contains(number)).map(|number| number as u16)
    };
}
