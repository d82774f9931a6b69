//! What went wrong in a call of the C code.

use std::time::Duration;

/// A failed call of Aeron's C client or C driver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The C code refused: its own code and text.
    #[error("{attempted}: error {code}: {message}")]
    Refused {
        /// What was attempted, on what.
        attempted: String,
        /// The C code's error code. Negative for Aeron's own codes (so -1 is `INVALID_CHANNEL`), positive for `errno`.
        code: i32,
        /// The C code's text, several lines as a rule.
        message: String,
    },
    /// No answer in the time allowed by the caller.
    #[error("{attempted}: no answer within {waited_ms} ms")]
    NoAnswer {
        /// What was attempted, on what.
        attempted: String,
        /// How long the caller waited, in milliseconds.
        waited_ms: u128,
    },
    /// A string for the C code holds a NUL byte.
    #[error("{attempted}: the text holds a NUL byte")]
    NulInText {
        /// What the text was for.
        attempted: String,
    },
}

impl PeerError {
    /// Nothing came of what was attempted, in the time that was allowed for it.
    pub fn no_answer(attempted: impl Into<String>, waited: Duration) -> Self {
        Self::NoAnswer { attempted: attempted.into(), waited_ms: waited.as_millis() }
    }

    /// The C code's error code, if it gave one.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}
