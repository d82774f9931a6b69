//! Takes blocks, groups and data from the front of a message's bytes. Used by generated decoders. A reader never takes
//! bytes that are not there.

use crate::block::{Order, Primitive};
use crate::error::DecodeError;

/// How many entries of zero bytes one message may have: as many as a 16-bit count can express. Claiming such entries
/// costs the writer nothing and the reader time.
const MOST_EMPTY: usize = u16::MAX as usize;

/// The remaining bytes of a message.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// How many more entries may be empty.
    empty: usize,
}

impl<'a> Reader<'a> {
    /// Creates a reader of `bytes`.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, empty: MOST_EMPTY }
    }

    /// Takes header and block of a message, `N` bytes in all, if the header equals `header`. Most headers are the one
    /// that this version of the schema writes; one comparison then replaces a check of each field.
    #[must_use]
    #[inline]
    pub fn behind<const N: usize, const HEADER: usize>(
        bytes: &'a [u8],
        header: &[u8; HEADER],
    ) -> Option<(&'a [u8; N], Self)> {
        let (message, rest) = bytes.split_first_chunk()?;
        (message.first_chunk() == Some(header)).then_some((message, Self::new(rest)))
    }

    /// The bytes that were not taken yet.
    #[must_use]
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes `length` bytes.
    ///
    /// # Errors
    ///
    /// Fewer bytes are left.
    #[inline]
    pub fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => {
                unusual();
                Err(DecodeError::Truncated { what, needed: length, found: self.rest.len() })
            }
        }
    }

    /// Takes `length` bytes if they are left.
    #[inline]
    pub(crate) fn take_if_there(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// Takes `N` bytes.
    ///
    /// # Errors
    ///
    /// Fewer bytes are left.
    #[inline]
    pub fn take_array<const N: usize>(&mut self, what: &'static str) -> Result<&'a [u8; N], DecodeError> {
        match self.rest.split_first_chunk() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => {
                unusual();
                Err(DecodeError::Truncated { what, needed: N, found: self.rest.len() })
            }
        }
    }

    /// Takes a block of the length that the writer gave. Also returns the first `N` bytes of it, which every version
    /// has.
    ///
    /// # Errors
    ///
    /// Fewer bytes are left, or the block is shorter than `N`.
    #[inline]
    pub fn take_block<const N: usize>(
        &mut self,
        length: usize,
        what: &'static str,
    ) -> Result<(&'a [u8; N], &'a [u8]), DecodeError> {
        let block = self.take(length, what)?;
        match block.first_chunk() {
            Some(oldest) => Ok((oldest, block)),
            None => Err(DecodeError::ShortBlock { what, needed: N, found: length }),
        }
    }

    /// Counts entries that take no bytes.
    #[inline]
    pub(crate) fn take_empty(&mut self, count: usize, what: &'static str) -> Result<(), DecodeError> {
        match self.empty.checked_sub(count) {
            Some(left) => {
                self.empty = left;
                Ok(())
            }
            None => Err(DecodeError::TooManyEntries { what, count }),
        }
    }

    /// Takes variable-length data. Its length is a `T` in front of it.
    ///
    /// # Errors
    ///
    /// Fewer bytes are left than the data takes.
    #[inline]
    pub fn take_data<T: Primitive, O: Order>(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        // The error is made in one place: with two, the compiler stores their common values even on the path where no
        // error is made.
        let (mut needed, mut found) = (T::SIZE, self.rest.len());
        if let Some((length, rest)) = self.rest.split_at_checked(needed) {
            (needed, found) = (T::read::<O>(length).to_length(), rest.len());
            if let Some((data, rest)) = rest.split_at_checked(needed) {
                self.rest = rest;
                return Ok(data);
            }
        }
        unusual();
        Err(DecodeError::Truncated { what, needed, found })
    }
}

/// Tells the compiler that its caller's branch is rarely taken.
#[cold]
pub(crate) fn unusual() {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::LittleEndian;

    #[test]
    fn a_message_behind_its_usual_header_is_taken_whole_or_not_at_all() {
        let behind =
            |bytes: &'static [u8]| Reader::behind::<3, 2>(bytes, &[1, 2]).map(|(start, reader)| (start, reader.rest));
        assert_eq!(behind(&[1, 2, 3, 4]), Some((&[1, 2, 3], &[4][..])));
        assert_eq!(behind(&[1, 2, 3]), Some((&[1, 2, 3], &[][..])));
        assert_eq!(behind(&[1, 2]), None);
        assert_eq!(behind(&[1, 3, 3, 4]), None);
        assert_eq!(behind(&[]), None);
    }

    #[test]
    fn data_is_taken_whole_or_the_error_says_what_is_missing() {
        let take = |bytes: &'static [u8]| {
            let mut reader = Reader::new(bytes);
            reader.take_data::<u16, LittleEndian>("data").map(|data| (data, reader.rest()))
        };
        assert_eq!(take(&[2, 0, 7, 8, 9]), Ok((&[7, 8][..], &[9][..])));
        assert_eq!(take(&[0, 0]), Ok((&[][..], &[][..])));
        assert_eq!(take(&[2]), Err(DecodeError::Truncated { what: "data", needed: 2, found: 1 }));
        assert_eq!(take(&[3, 0, 7, 8]), Err(DecodeError::Truncated { what: "data", needed: 3, found: 2 }));
    }
}
