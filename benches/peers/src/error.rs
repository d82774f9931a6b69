//! Errors of calls to the C code.

use std::time::Duration;

/// A failed call of Aeron's C client or C driver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The C code refused the call, with a code and a text of its own.
    #[error("{attempted}: error {code}: {message}")]
    Refused {
        /// The attempted operation and its object.
        attempted: String,
        /// The C code's error code. Negative for Aeron's own codes (so -1 is `INVALID_CHANNEL`), positive for `errno`.
        code: i32,
        /// The C code's text, usually of several lines.
        message: String,
    },
    /// There was no answer within the caller's timeout.
    #[error("{attempted}: no answer within {waited_ms} ms")]
    NoAnswer {
        /// The attempted operation and its object.
        attempted: String,
        /// How long the caller waited, in milliseconds.
        waited_ms: u128,
    },
    /// A string for the C code holds a NUL byte.
    #[error("{attempted}: the text holds a NUL byte")]
    NulInText {
        /// The purpose of the text.
        attempted: String,
    },
}

impl PeerError {
    /// The error for an operation that was not answered within `waited`.
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
