//! Finds the parts of a channel that have no effect, for warnings: the driver's error log, and the tools' standard
//! error. They are never an error, because Aeron's drivers silently ignore them, too.

use core::fmt;

use super::form::Form as _;
use super::params::TABLE;
use super::parse;
use super::values::{ControlMode, ControlModeForm};
use crate::nearest::nearest;

/// A part of a channel that has no effect. Its display text is part of a sentence.
///
/// ```
/// # use gannet::channel_uri::ChannelUri;
/// let uri = ChannelUri::parse("aeron:ipc?term-lenght=64k")?;
/// let warnings: Vec<_> = uri.ignored().map(|ignored| ignored.to_string()).collect();
/// assert_eq!(warnings, ["the key term-lenght is not known; did you mean term-length?"]);
/// # Ok::<(), gannet::channel_uri::ChannelUriError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ignored<'a> {
    /// An unknown key.
    UnknownKey {
        /// The key.
        key: &'a str,
        /// The most similar known key, if there is one.
        nearest: Option<&'static str>,
    },
    /// A control mode that is none.
    UnknownControlMode {
        /// The value of `control-mode`.
        value: &'a str,
    },
    /// An incomplete pair at the end.
    Unfinished {
        /// The text.
        text: &'a str,
    },
}

impl fmt::Display for Ignored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { key, nearest: Some(nearest) } => {
                write!(f, "the key {key} is not known; did you mean {nearest}?")
            }
            Self::UnknownKey { key, nearest: None } => write!(f, "the key {key} is not known"),
            Self::UnknownControlMode { value } => {
                write!(f, "control-mode={value} is not known; expected {}", ControlModeForm::EXPECTED)
            }
            Self::Unfinished { text } => write!(f, "{text} at its end has no value"),
        }
    }
}

/// The parts of a valid channel that have no effect, in order.
pub(super) fn ignored(text: &str) -> impl Iterator<Item = Ignored<'_>> {
    parse::params(text).split('|').filter_map(|part| match part.split_once('=') {
        Some((key, value)) => unknown(key, value),
        // Everywhere else it would have been an error.
        None => (!part.is_empty()).then_some(Ignored::Unfinished { text: part }),
    })
}

/// The unknown key or control mode of a pair. `None` if both are known. No other key has values that are ignored.
pub(super) fn unknown<'a>(key: &'a str, value: &'a str) -> Option<Ignored<'a>> {
    let mut known = TABLE.iter().map(|(known, _)| *known);
    if known.clone().any(|known| known == key) {
        let is_no_mode = || matches!(ControlModeForm::read(value), Some(ControlMode::Other(_)));
        return (key == "control-mode" && is_no_mode()).then_some(Ignored::UnknownControlMode { value });
    }
    let nearest = nearest(key, &mut known).map(|(known, _)| known);
    Some(Ignored::UnknownKey { key, nearest })
}
