//! Why a text is not a valid channel, and the error code with which a driver responds.

use crate::command::ErrorCode;

/// Why a channel URI is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelUriError {
    /// The bytes are not text.
    #[error("the channel is not UTF-8 from byte {valid_up_to} on")]
    NotUtf8 {
        /// The length of the valid prefix, in bytes.
        valid_up_to: usize,
    },
    /// The text is too long.
    #[error("the channel has {found} bytes, and may have {}", super::MAX_LENGTH)]
    TooLong {
        /// Its length in bytes, without the prefix of a spy.
        found: usize,
    },
    /// A NUL byte, which would end the text for a driver or client written in C.
    #[error("the channel has a NUL at byte {offset}")]
    Nul {
        /// The offset of the NUL byte.
        offset: usize,
    },
    /// The text does not start like a channel.
    #[error("{found:?} is no channel: it must start with \"aeron:ipc\" or \"aeron:udp?\", or \"aeron-spy:aeron:udp?\"")]
    UnknownScheme {
        /// The text, or its start.
        found: String,
    },
    /// A spy on a channel that is not UDP.
    #[error("\"aeron-spy:\" is for UDP channels: subscribe to \"aeron:ipc\" itself")]
    SpyOnIpc,
    /// A `=` without a key before it.
    #[error("the channel has a parameter without a key: \"={value}\"")]
    EmptyKey {
        /// The text after the `=`.
        value: String,
    },
    /// A key without a `=`.
    #[error("the channel has {key:?} where a key and a value with \"=\" between them must be")]
    NoValue {
        /// The key, which may be empty.
        key: String,
    },
    /// A key without a value after its `=`.
    #[error("the channel's parameter {key:?} has no value")]
    EmptyValue {
        /// The key.
        key: String,
    },
    /// A key or value given to the builder contains a separator.
    #[error("\"{key}={value}\" cannot be a parameter: a key has no \"|\" or \"=\" in it, and a value no \"|\"")]
    Separator {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A UDP channel without an address.
    #[error(
        "a UDP channel must state endpoint, control or tags, or control-mode=manual or control-mode=response{}",
        after_semicolon(.unknown.as_deref())
    )]
    NoAddress {
        /// A note about the first unknown key or control mode, if there is one.
        unknown: Option<String>,
    },
    /// `control-mode=dynamic` without a control address.
    #[error(
        "control-mode=dynamic must state control, the address that receivers register with{}",
        after_semicolon(.unknown.as_deref())
    )]
    DynamicWithoutControl {
        /// A note about the first unknown key or control mode, if there is one.
        unknown: Option<String>,
    },
    /// The channel tag is not a number.
    #[error("tags={found}: the channel tag must be a whole number other than -1")]
    ChannelTag {
        /// The value of `tags`.
        found: String,
    },
    /// A parameter has an invalid value.
    #[error("{key}={found}: expected {expected}")]
    Value {
        /// The parameter.
        key: &'static str,
        /// The value.
        found: String,
        /// The expected form.
        expected: &'static str,
    },
    /// Only part of the initial position is given.
    #[error("init-term-id, term-id and term-offset go together: {missing} is missing")]
    IncompletePosition {
        /// The first missing parameter.
        missing: &'static str,
    },
    /// Two values conflict.
    #[error("{key}={found} {problem}")]
    Conflict {
        /// The invalid parameter.
        key: &'static str,
        /// Its value.
        found: i64,
        /// How it conflicts with the others.
        problem: String,
    },
}

impl ChannelUriError {
    /// The error code with which a driver responds: [`InvalidChannel`](ErrorCode::InvalidChannel) for a text that is
    /// not a usable channel, [`Generic`](ErrorCode::Generic) for a well-formed channel with an invalid value.
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::NotUtf8 { .. }
            | Self::TooLong { .. }
            | Self::Nul { .. }
            | Self::UnknownScheme { .. }
            | Self::SpyOnIpc
            | Self::EmptyKey { .. }
            | Self::NoValue { .. }
            | Self::EmptyValue { .. }
            | Self::Separator { .. }
            | Self::NoAddress { .. }
            | Self::DynamicWithoutControl { .. }
            | Self::ChannelTag { .. } => ErrorCode::InvalidChannel,
            Self::Value { .. } | Self::IncompletePosition { .. } | Self::Conflict { .. } => ErrorCode::Generic,
        }
    }
}

/// Appends further information to a message, if there is any.
fn after_semicolon(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!("; {text}"))
}
