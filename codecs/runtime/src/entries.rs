//! Groups of a message that is checked when it is decoded: all entries are walked once, and can then be read any number
//! of times. Used by generated decoders. Groups that are read in order are in [`EntriesInOrder`](crate::EntriesInOrder)
//! and [`BlocksInOrder`](crate::BlocksInOrder).

use core::fmt;
use core::marker::PhantomData;

use crate::error::DecodeError;
use crate::json::{Json, List};
use crate::reader::{Reader, unusual};

/// An entry of a group.
pub trait Entry<'a>: Copy {
    /// The group's name in the schema.
    const NAME: &'static str;
    /// Length in bytes of the part of the block that every version has.
    const OLDEST: usize;
    /// Length in bytes of the block in this version.
    const BLOCK: usize;
    /// Whether an entry is only a block: no groups or data follow it.
    const FLAT: bool;

    /// Reads the next entry.
    ///
    /// # Errors
    ///
    /// The bytes end before the entry does.
    fn read(reader: &mut Reader<'a>, block_length: usize, version: u32) -> Result<Self, DecodeError>;

    /// Returns the block length to use for `count` entries: no less than [`OLDEST`](Self::OLDEST).
    ///
    /// # Errors
    ///
    /// The block length is less than that, and there are entries.
    #[doc(hidden)]
    #[inline]
    fn checked_block_length(count: usize, block_length: usize) -> Result<usize, DecodeError> {
        if block_length >= Self::OLDEST {
            return Ok(block_length);
        }
        // Blocks that are too short matter only in a group that has entries.
        unusual();
        if count > 0 {
            return Err(DecodeError::ShortBlock { what: Self::NAME, needed: Self::OLDEST, found: block_length });
        }
        Ok(Self::OLDEST)
    }
}

/// A repeating group. All of its entries were checked to be complete.
pub struct Entries<'a, E> {
    bytes: &'a [u8],
    count: usize,
    block_length: usize,
    version: u32,
    entry: PhantomData<E>,
}

impl<E> Clone for Entries<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Entries<'_, E> {}

impl<'a, E: Entry<'a>> Entries<'a, E> {
    /// Reads and checks `count` entries.
    ///
    /// # Errors
    ///
    /// The bytes end before the entries do.
    #[inline]
    pub fn read(reader: &mut Reader<'a>, count: usize, block_length: usize, version: u32) -> Result<Self, DecodeError> {
        let block_length = E::checked_block_length(count, block_length)?;
        if E::FLAT {
            if block_length == 0 {
                reader.take_empty(count, E::NAME)?;
            }
            let bytes = reader.take(count.saturating_mul(block_length), E::NAME)?;
            return Ok(Self { bytes, count, block_length, version, entry: PhantomData });
        }
        let all = reader.rest();
        for _ in 0..count {
            let before = reader.rest().len();
            E::read(reader, block_length, version)?;
            if reader.rest().len() == before {
                reader.take_empty(1, E::NAME)?;
            }
        }
        let bytes = &all[..all.len() - reader.rest().len()];
        Ok(Self { bytes, count, block_length, version, entry: PhantomData })
    }

    /// Creates a group without entries.
    #[must_use]
    #[inline]
    pub fn none() -> Self {
        Self { bytes: &[], count: 0, block_length: 0, version: 0, entry: PhantomData }
    }

    /// The number of entries.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether the group has no entries.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Iterates over the entries in order.
    #[must_use]
    #[inline]
    pub fn iter(&self) -> EntriesIter<'a, E> {
        EntriesIter {
            reader: Reader::new(self.bytes),
            left: self.count,
            block_length: self.block_length,
            version: self.version,
            entry: PhantomData,
        }
    }
}

impl<'a, E: Entry<'a>> IntoIterator for Entries<'a, E> {
    type Item = E;
    type IntoIter = EntriesIter<'a, E>;

    #[inline]
    fn into_iter(self) -> EntriesIter<'a, E> {
        self.iter()
    }
}

impl<'a, E: Entry<'a>> IntoIterator for &Entries<'a, E> {
    type Item = E;
    type IntoIter = EntriesIter<'a, E>;

    #[inline]
    fn into_iter(self) -> EntriesIter<'a, E> {
        self.iter()
    }
}

impl<'a, E: Entry<'a> + fmt::Debug> fmt::Debug for Entries<'a, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, E: Entry<'a> + Json> Json for Entries<'a, E> {
    fn json(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = List::new(f)?;
        for entry in self {
            list.item(&entry)?;
        }
        list.end()
    }
}

/// Iterator over the entries of a group.
pub struct EntriesIter<'a, E> {
    reader: Reader<'a>,
    /// How many entries are left. Needed only where the remaining bytes do not tell.
    left: usize,
    block_length: usize,
    version: u32,
    entry: PhantomData<E>,
}

impl<E> Clone for EntriesIter<'_, E> {
    fn clone(&self) -> Self {
        Self { entry: PhantomData, ..*self }
    }
}

impl<E> fmt::Debug for EntriesIter<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntriesIter").field("bytes", &self.reader.rest().len()).finish_non_exhaustive()
    }
}

impl<'a, E: Entry<'a>> Iterator for EntriesIter<'a, E> {
    type Item = E;

    #[inline(always)]
    fn next(&mut self) -> Option<E> {
        // Entries that are only a block end where the bytes end, so nothing else has to be counted. Blocks may be
        // empty, though.
        if !E::FLAT || self.block_length == 0 {
            self.left = self.left.checked_sub(1)?;
        }
        // The group was walked when it was made, so either this entry is complete or there is none. Most writers have
        // this version of the schema: with a branch of its own for that case, the compiler generates a loop in which
        // the distance between entries is a constant.
        if E::FLAT && E::BLOCK > 0 && self.block_length == E::BLOCK {
            return E::read(&mut self.reader, E::BLOCK, self.version).ok();
        }
        E::read(&mut self.reader, self.block_length, self.version).ok()
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left =
            if E::FLAT && self.block_length > 0 { self.reader.rest().len() / self.block_length } else { self.left };
        (left, Some(left))
    }
}

impl<'a, E: Entry<'a>> ExactSizeIterator for EntriesIter<'a, E> {}

#[cfg(test)]
pub(crate) mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use crate::block::LittleEndian;

    /// An entry of one byte, or none.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub(crate) struct Flat<const N: usize>(pub(crate) Option<u8>);

    impl<'a, const N: usize> Entry<'a> for Flat<N> {
        const NAME: &'static str = "flat";
        const OLDEST: usize = N;
        const BLOCK: usize = N;
        const FLAT: bool = true;

        fn read(reader: &mut Reader<'a>, block_length: usize, _version: u32) -> Result<Self, DecodeError> {
            let (oldest, _) = reader.take_block::<N>(block_length, Self::NAME)?;
            Ok(Self(oldest.first().copied()))
        }
    }

    /// An entry of one byte with data behind it.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub(crate) struct Long<'a>(pub(crate) u8, pub(crate) &'a [u8]);

    impl<'a> Entry<'a> for Long<'a> {
        const NAME: &'static str = "long";
        const OLDEST: usize = 1;
        const BLOCK: usize = 1;
        const FLAT: bool = false;

        fn read(reader: &mut Reader<'a>, block_length: usize, _version: u32) -> Result<Self, DecodeError> {
            let (oldest, _) = reader.take_block::<1>(block_length, Self::NAME)?;
            Ok(Self(oldest[0], reader.take_data::<u8, LittleEndian>("data")?))
        }
    }

    #[test]
    fn entries_of_every_kind_come_as_often_as_they_are() {
        // Blocks of the writer's length, longer than is known here; what follows the group is not touched.
        let mut reader = Reader::new(&[1, 9, 2, 9, 3, 9, 7]);
        let entries = Entries::<Flat<1>>::read(&mut reader, 3, 2, 0).expect("they are whole");
        assert_eq!((entries.len(), entries.iter().len(), reader.rest()), (3, 3, &[7][..]));
        let mut iter = entries.iter();
        assert_eq!((iter.next(), iter.len()), (Some(Flat(Some(1))), 2));
        assert_eq!(iter.collect::<Vec<_>>(), [Flat(Some(2)), Flat(Some(3))]);

        // Empty blocks take no bytes, and are as many all the same.
        let mut reader = Reader::new(&[7]);
        let entries = Entries::<Flat<0>>::read(&mut reader, 5, 0, 0).expect("they are whole");
        assert_eq!((entries.len(), entries.iter().len(), entries.iter().count(), reader.rest()), (5, 5, 5, &[7][..]));

        let mut reader = Reader::new(&[1, 2, b'a', b'b', 2, 0, 7]);
        let entries = Entries::<Long<'_>>::read(&mut reader, 2, 1, 0).expect("they are whole");
        assert_eq!((entries.iter().len(), reader.rest()), (2, &[7][..]));
        assert_eq!(entries.iter().collect::<Vec<_>>(), [Long(1, b"ab"), Long(2, b"")]);
        assert_eq!(Entries::<Long<'_>>::none().iter().next(), None);
    }

    #[test]
    fn what_claims_more_than_there_is_is_refused() {
        let read =
            |count, block_length| Entries::<Flat<1>>::read(&mut Reader::new(&[1, 2, 3]), count, block_length, 0).err();
        assert_eq!(read(4, 1), Some(DecodeError::Truncated { what: "flat", needed: 4, found: 3 }));
        assert_eq!(read(1, 0), Some(DecodeError::ShortBlock { what: "flat", needed: 1, found: 0 }));
        let empty = Entries::<Flat<0>>::read(&mut Reader::new(&[1, 2, 3]), usize::MAX, 0, 0).err();
        assert!(matches!(empty, Some(DecodeError::TooManyEntries { what: "flat", .. })), "{empty:?}");
        assert!(read(usize::MAX, usize::MAX).is_some());
        assert_eq!(read(0, 0), None);
        let cut = Entries::<Long<'_>>::read(&mut Reader::new(&[1, 1, 9, 2]), 2, 1, 0).err();
        assert_eq!(cut, Some(DecodeError::Truncated { what: "data", needed: 1, found: 0 }));
    }
}
