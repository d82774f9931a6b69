//! The id of a term, and its wrapping arithmetic.

use core::fmt;

/// The id of a term of a stream. Ids start at any number and wrap, so they are not ordered by size but by the *term
/// count* since the initial term id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct TermId(i32);

impl TermId {
    /// Wraps the number in a frame header.
    #[inline]
    pub const fn new(value: i32) -> Self {
        Self(value)
    }

    /// The number in a frame header.
    #[inline]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The id `terms` terms later, wrapping. A negative number goes back.
    #[inline]
    #[must_use]
    pub const fn wrapping_add(self, terms: i32) -> Self {
        Self(self.0.wrapping_add(terms))
    }

    /// The number of terms since `initial`, wrapping. Negative if this id does not belong to that stream.
    #[inline]
    pub const fn wrapping_count_since(self, initial: Self) -> i32 {
        self.0.wrapping_sub(initial.0)
    }
}

impl From<i32> for TermId {
    #[inline]
    fn from(value: i32) -> Self {
        Self(value)
    }
}

impl fmt::Display for TermId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_wrap_past_the_largest_id() {
        let initial = TermId::new(i32::MAX);
        assert_eq!(initial.wrapping_add(1), TermId::new(i32::MIN));
        assert_eq!(initial.wrapping_add(3).wrapping_count_since(initial), 3);
    }
}
