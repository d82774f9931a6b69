//! Why a text is not a channel, and the error code with which a client is answered.

use crate::command::ErrorCode;

/// Why a channel URI was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelUriError {
    /// The bytes are not text.
    #[error("the channel is not UTF-8 after {valid_up_to} bytes")]
    NotUtf8 {
        /// How many bytes at its start are.
        valid_up_to: usize,
    },
    /// The text is too long.
    #[error("the channel has {found} characters, and may have {}", super::MAX_LENGTH)]
    TooLong {
        /// Its length in bytes, without the prefix of a spy.
        found: usize,
    },
    /// A NUL byte, which would end the text for a driver or client written in C.
    #[error("the channel has a NUL at byte {offset}")]
    Nul {
        /// Where it is.
        offset: usize,
    },
    /// The text does not start as a channel does.
    #[error("{found:?} is no channel: it must start with \"aeron:ipc\" or \"aeron:udp?\", or \"aeron-spy:aeron:udp?\"")]
    UnknownScheme {
        /// The text, or the start of it.
        found: String,
    },
    /// A spy of something that is not UDP.
    #[error("\"aeron-spy:\" is for UDP channels: subscribe to \"aeron:ipc\" itself")]
    SpyOnIpc,
    /// A `=` with no key in front of it.
    #[error("the channel has a parameter without a key: \"={value}\"")]
    EmptyKey {
        /// What follows the `=`.
        value: String,
    },
    /// A key that ends at a `|`.
    #[error("the channel has {key:?} where a key and a value with \"=\" between them must be")]
    NoValue {
        /// The key, which may be empty.
        key: String,
    },
    /// A key with nothing after its `=`.
    #[error("the channel's parameter {key:?} has no value")]
    EmptyValue {
        /// The key.
        key: String,
    },
    /// A channel that was to be built from a text with a separator in it.
    #[error("\"{key}={value}\" cannot be a parameter: a key has no \"|\" or \"=\" in it, and a value no \"|\"")]
    Separator {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// A UDP channel that says nothing of where to.
    #[error(
        "a UDP channel must state endpoint, control or tags, or control-mode=manual or control-mode=response{}",
        after_semicolon(.unknown_key.as_deref())
    )]
    NoAddress {
        /// What is said of the first key that nobody knows, if there is one.
        unknown_key: Option<String>,
    },
    /// A dynamic control mode without the address that it needs.
    #[error(
        "control-mode=dynamic must state control, the address that receivers register with{}",
        after_semicolon(.unknown_key.as_deref())
    )]
    DynamicWithoutControl {
        /// What is said of the first key that nobody knows, if there is one.
        unknown_key: Option<String>,
    },
    /// A channel tag that is no number.
    #[error("tags={found}: the channel tag must be a whole number other than -1")]
    ChannelTag {
        /// The value of `tags`.
        found: String,
    },
    /// A value that its parameter cannot have.
    #[error("{key}={found}: expected {expected}")]
    Value {
        /// The parameter.
        key: &'static str,
        /// The value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A starting position that is stated in part only.
    #[error("init-term-id, term-id and term-offset go together: {missing} is missing")]
    IncompletePosition {
        /// The first of the three that is not there.
        missing: &'static str,
    },
    /// Values that do not fit each other.
    #[error("{key}={found} {problem}")]
    Conflict {
        /// The parameter that is at fault.
        key: &'static str,
        /// Its value.
        found: i64,
        /// What is wrong with it beside what else is stated.
        problem: String,
    },
}

impl ChannelUriError {
    /// The code that a driver answers with: a text that is no usable channel at all is
    /// [`InvalidChannel`](ErrorCode::InvalidChannel), a well-formed one with a bad value is
    /// [`Generic`](ErrorCode::Generic).
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

/// What a message ends with, if there is more to say.
fn after_semicolon(text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!("; {text}"))
}
