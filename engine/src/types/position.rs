//! A byte position in a stream.

use core::fmt;

/// A position in a stream: the number of bytes since the start of its first term, frame headers and padding included.
///
/// Positions only grow. The position that `offer` returns is the one *after* the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Position(i64);

impl Position {
    /// Wraps the value of a position counter.
    #[inline]
    pub const fn new(value: i64) -> Self {
        Self(value)
    }

    /// The value of a position counter.
    #[inline]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl From<i64> for Position {
    #[inline]
    fn from(value: i64) -> Self {
        Self(value)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
