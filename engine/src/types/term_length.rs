//! The length of a term, and the position arithmetic that depends on it.

use core::fmt;

use super::{Position, TermId};

/// The length of each of a log's three terms, in bytes: a power of two from 64 KiB to 1 GiB.
///
/// Because it is a power of two, position arithmetic uses shifts and masks. That arithmetic is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TermLength {
    shift: u32,
}

/// A number that is not a valid term length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("term length {found} is not a power of two from {} to {}", TermLength::MIN, TermLength::MAX)]
pub struct TermLengthError {
    /// The number found.
    pub found: i64,
}

impl TermLength {
    /// The minimum term length of a log that is shared with other processes: 64 KiB.
    pub const MIN: Self = Self { shift: 16 };
    /// The maximum term length: 1 GiB.
    pub const MAX: Self = Self { shift: 30 };

    /// Checks a length in bytes.
    ///
    /// # Errors
    ///
    /// [`TermLengthError`] unless it is a power of two from 64 KiB to 1 GiB.
    pub const fn new(bytes: i64) -> Result<Self, TermLengthError> {
        if bytes < Self::MIN.get() as i64 || bytes > Self::MAX.get() as i64 || bytes.count_ones() != 1 {
            return Err(TermLengthError { found: bytes });
        }
        Ok(Self { shift: bytes.trailing_zeros() })
    }

    /// A term of a few frames, for models that explore every interleaving. Never found in a file.
    #[cfg(engine_loom)]
    pub const fn tiny(bytes: i32) -> Self {
        assert!(bytes.count_ones() == 1 && bytes >= 64);
        Self { shift: bytes.trailing_zeros() }
    }

    /// The length in bytes.
    #[inline]
    pub const fn get(self) -> i32 {
        1 << self.shift
    }

    /// The number of bits of a position that are the offset within a term.
    #[inline]
    pub const fn position_bits(self) -> u32 {
        self.shift
    }

    /// The maximum position: the end of the stream's last term. A message may end there, but none may start there.
    #[inline]
    pub const fn max_position(self) -> Position {
        Position::new((1 << 31) << self.shift)
    }

    /// The maximum length of a message of a publication with this term length: an eighth of a term, at most 16 MiB.
    #[inline]
    pub const fn max_message_length(self) -> usize {
        let eighth = 1_usize << (self.shift - 3);
        if eighth < 16 << 20 { eighth } else { 16 << 20 }
    }

    /// The position of `offset` in the term with this count, from the initial one.
    #[inline]
    pub const fn position(self, term_count: i32, offset: i32) -> Position {
        Position::new(((term_count as i64) << self.shift) + offset as i64)
    }

    /// As above, of a frame that states a position and has no data there: term `term_id` of a stream with initial term
    /// id `initial`. The stream's last position is the beginning of a term that no stream has: 2^31 terms after the
    /// initial one, which wraps to the lowest count. Negative if the frame does not belong to the stream.
    #[inline]
    pub const fn stated_position(self, term_id: TermId, initial: TermId, offset: i32) -> Position {
        match (term_id.wrapping_count_since(initial), offset) {
            (i32::MIN, 0) => self.max_position(),
            (term_count, _) => self.position(term_count, offset),
        }
    }

    /// The number of terms between the initial term and the position's.
    #[inline]
    pub const fn term_count(self, position: Position) -> i32 {
        (position.get() >> self.shift) as i32
    }

    /// The position's offset in its term. The end of a term has offset 0 of the next term.
    #[inline]
    pub const fn offset(self, position: Position) -> i32 {
        (position.get() & ((1 << self.shift) - 1)) as i32
    }

    /// The id of the term that contains the position.
    #[inline]
    pub const fn term_id(self, position: Position, initial: TermId) -> TermId {
        initial.wrapping_add(self.term_count(position))
    }
}

impl fmt::Display for TermLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.get(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_powers_of_two_in_range_only() {
        for bytes in [0, -65_536, 32_768, 65_537, 98_304, 1 << 31, i64::MIN, i64::MAX] {
            assert_eq!(TermLength::new(bytes), Err(TermLengthError { found: bytes }));
        }
        assert_eq!(TermLength::new(65_536).unwrap(), TermLength::MIN);
        assert_eq!(TermLength::new(1 << 30).unwrap(), TermLength::MAX);
    }

    #[test]
    fn positions_split_and_join() {
        let length = TermLength::MIN;
        let initial = TermId::new(i32::MAX);
        let position = length.position(2, 128);
        assert_eq!(position.get(), 131_200);
        assert_eq!((length.term_count(position), length.offset(position)), (2, 128));
        assert_eq!(length.term_id(position, initial), initial.wrapping_add(2));
        assert_eq!(length.max_position().get(), 140_737_488_355_328, "2^31 terms of 64 KiB");
    }

    /// What is said of the last position comes back as that, and nothing else beyond the last term does.
    #[test]
    fn the_last_position_can_be_stated() {
        for length in [TermLength::MIN, TermLength::MAX] {
            for initial in [TermId::new(7), TermId::new(i32::MAX), TermId::new(i32::MIN)] {
                let end = length.max_position().get();
                for position in [0, 32, end - 32, end] {
                    let at = Position::new(position);
                    let (term_id, offset) = (length.term_id(at, initial), length.offset(at));
                    assert_eq!(length.stated_position(term_id, initial, offset), at);
                }
                for (terms, offset) in [(i32::MIN, 32), (i32::MIN + 1, 0), (-1, 0)] {
                    assert!(length.stated_position(initial.wrapping_add(terms), initial, offset).get() < 0);
                }
            }
        }
    }

    /// Trap 54: the longest message is an eighth of a term, and never more than 16 MiB.
    #[test]
    fn trap_54_message_length_limit() {
        assert_eq!(TermLength::MIN.max_message_length(), 8 << 10);
        assert_eq!(TermLength::new(64 << 20).unwrap().max_message_length(), 8 << 20);
        assert_eq!(TermLength::MAX.max_message_length(), 16 << 20);
    }
}
