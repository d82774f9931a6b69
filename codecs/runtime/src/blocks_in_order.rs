//! A group whose entries are only blocks, read once from front to back: the flat counterpart of
//! [`EntriesInOrder`](crate::EntriesInOrder). Entries are checked when they are reached, or all at once beforehand.

use core::fmt;
use core::marker::PhantomData;

use crate::entries::{Entries, Entry};
use crate::error::DecodeError;
use crate::in_order::Front;
use crate::reader::{Reader, unusual};

/// Block length in bytes from which blocks are checked one by one. For shorter blocks the check is a large part of the
/// work per entry, and is done once for all of them. For longer blocks that form is slower, because its loop addresses
/// entries by index instead of by pointer.
const LARGE: usize = 16;

/// A group whose entries have no groups or data of their own, read in order. `D` is the decoder for what follows the
/// group.
///
/// ```text
/// let levels = book.levels()?;
/// let mut room = [Level::default(); 16];
/// let count = levels.len().min(room.len());
/// let book = levels.fill(&mut room[..count], |level| Level { price: level.price(), size: level.size() })?;
/// ```
#[must_use = "what comes after a group is got by its `end`"]
pub struct BlocksInOrder<'a, E, D> {
    /// The decoder that continues behind the group.
    after: D,
    left: usize,
    block_length: usize,
    version: u32,
    entry: PhantomData<(E, &'a ())>,
}

impl<'a, E: Entry<'a>, D: Front<'a>> BlocksInOrder<'a, E, D> {
    /// Creates a group of `count` entries. `after` is positioned at the first of them.
    #[doc(hidden)]
    #[inline(always)]
    pub fn new(after: D, count: usize, block_length: usize, version: u32) -> Self {
        Self { after, left: count, block_length, version, entry: PhantomData }
    }

    /// How many entries are left according to the group's header. Whether they are present is checked when they are
    /// reached.
    #[must_use]
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether no entries are left.
    #[must_use]
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The next entry, or `None` after the last.
    ///
    /// # Errors
    ///
    /// The bytes end inside the entry.
    #[inline]
    pub fn next_entry(&mut self) -> Result<Option<E>, DecodeError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        let reader = self.after.reader();
        if self.block_length == 0 {
            reader.take_empty(1, E::NAME)?;
        }
        let entry = E::read(reader, self.block_length, self.version)?;
        self.left = left;
        Ok(Some(entry))
    }

    /// Sets each element of `room` to what `of` returns for the next entry, and returns the decoder behind the group.
    /// Entries beyond the end of `room` are skipped. Elements of `room` beyond the last entry stay unchanged: compare
    /// with [`len`](Self::len) before.
    ///
    /// # Errors
    ///
    /// The bytes end before the entries do. Part of `room` may have been set by then.
    #[inline(always)]
    pub fn fill<T>(mut self, room: &mut [T], mut of: impl FnMut(E) -> T) -> Result<D, DecodeError> {
        let count = room.len().min(self.left);
        self.read(&mut room[..count], count, |to, entry| *to = of(entry))?;
        self.end()
    }

    /// Calls `each` with every entry that is left, and returns the decoder behind the group.
    ///
    /// # Errors
    ///
    /// The bytes end before the entries do. `each` was called with every complete entry before that.
    #[inline(always)]
    pub fn for_each(mut self, mut each: impl FnMut(E)) -> Result<D, DecodeError> {
        let count = self.left;
        self.read(0..count, count, |_, entry| each(entry))?;
        self.end()
    }

    /// Returns the decoder behind the group. Entries that are left are skipped.
    ///
    /// # Errors
    ///
    /// The bytes end before the entries do.
    #[inline(always)]
    pub fn end(self) -> Result<D, DecodeError> {
        if self.left == 0 {
            return Ok(self.after);
        }
        Ok(self.checked()?.1)
    }

    /// Returns all entries that are left, to be read in any order and any number of times, and the decoder behind the
    /// group.
    ///
    /// # Errors
    ///
    /// The bytes end before the entries do.
    #[inline]
    pub fn checked(mut self) -> Result<(Entries<'a, E>, D), DecodeError> {
        let entries = Entries::read(self.after.reader(), self.left, self.block_length, self.version)?;
        Ok((entries, self.after))
    }

    /// Calls `each` with the next entries, one for each item of `places`. `count` is the number of items, which is at
    /// most the number of entries left.
    #[inline(always)]
    fn read<P>(
        &mut self,
        places: impl IntoIterator<Item = P>,
        count: usize,
        mut each: impl FnMut(P, E),
    ) -> Result<(), DecodeError> {
        // A local copy, so that the reader stays in registers.
        let mut reader = *self.after.reader();
        // Most writers have this version of the schema. With a branch of its own for that case, the compiler generates
        // a loop in which the distance between entries is a constant.
        let usual = E::BLOCK > 0 && self.block_length == E::BLOCK;
        if usual && E::BLOCK >= LARGE {
            for place in places {
                each(place, E::read(&mut reader, E::BLOCK, self.version)?);
            }
        } else if usual && let Some(blocks) = reader.take_if_there(count.saturating_mul(E::BLOCK)) {
            for (place, block) in places.into_iter().zip(blocks.chunks_exact(E::BLOCK)) {
                each(place, E::read(&mut Reader::new(block), E::BLOCK, self.version)?);
            }
        } else {
            unusual();
            if self.block_length == 0 {
                reader.take_empty(count, E::NAME)?;
            }
            for place in places {
                each(place, E::read(&mut reader, self.block_length, self.version)?);
            }
        }
        *self.after.reader() = reader;
        self.left -= count;
        Ok(())
    }
}

impl<E, D> fmt::Debug for BlocksInOrder<'_, E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlocksInOrder").field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use crate::entries::tests::Flat;
    use crate::in_order::InOrder;

    type Group<'a, const N: usize> = BlocksInOrder<'a, Flat<N>, InOrder<'a>>;

    fn group<const N: usize>(bytes: &[u8], count: usize, block_length: usize) -> Group<'_, N> {
        BlocksInOrder::new(InOrder::new(Reader::new(bytes), 0), count, block_length, 0)
    }

    const THREE: [Flat<1>; 3] = [Flat(Some(1)), Flat(Some(2)), Flat(Some(3))];

    #[test]
    fn every_way_reads_the_same_entries_of_this_and_of_longer_blocks() -> Result<(), DecodeError> {
        for (block_length, bytes) in [(1, &[1, 2, 3, 9][..]), (2, &[1, 0, 2, 0, 3, 0, 9])] {
            let group = || group::<1>(bytes, 3, block_length);
            let mut room = [Flat(None); 3];
            assert_eq!(group().fill(&mut room, |entry| entry)?.rest(), [9]);
            assert_eq!(room, THREE);
            let mut seen = Vec::new();
            assert_eq!(group().for_each(|entry| seen.push(entry))?.rest(), [9]);
            assert_eq!(seen, THREE);
            let (entries, after) = group().checked()?;
            assert!(entries.into_iter().eq(THREE));
            assert_eq!(after.rest(), [9]);
            let mut one_by_one = group();
            for expected in THREE {
                assert_eq!(one_by_one.next_entry()?, Some(expected));
            }
            assert!(one_by_one.next_entry()?.is_none() && one_by_one.is_empty());
            assert_eq!(one_by_one.end()?.rest(), [9]);
        }
        Ok(())
    }

    #[test]
    fn entries_and_places_without_a_partner_are_passed_over() -> Result<(), DecodeError> {
        let mut less = [Flat(None); 2];
        assert_eq!(group::<1>(&[1, 2, 3, 9], 3, 1).fill(&mut less, |entry| entry)?.rest(), [9]);
        assert_eq!(less, THREE[..2]);
        let mut more = [Flat(Some(7)); 4];
        assert_eq!(group::<1>(&[1, 2, 3, 9], 3, 1).fill(&mut more, |entry| entry)?.rest(), [9]);
        assert_eq!((&more[..3], more[3]), (&THREE[..], Flat(Some(7))));
        let mut begun = group::<1>(&[1, 2, 3, 9], 3, 1);
        assert_eq!((begun.next_entry()?, begun.len()), (Some(THREE[0]), 2));
        assert_eq!(begun.end()?.rest(), [9]);
        Ok(())
    }

    #[test]
    fn small_and_large_blocks_are_read_alike_whole_or_cut() {
        fn check<const N: usize>() {
            let mut bytes = std::vec![0; 3 * N];
            bytes.iter_mut().step_by(N).zip(1..).for_each(|(first, number)| *first = number);
            for length in 0..=bytes.len() {
                let mut room = [Flat(None); 3];
                let filled = group::<N>(&bytes[..length], 3, N).fill(&mut room, |entry| entry);
                assert_eq!(filled.is_ok(), length == bytes.len(), "{N} {length}");
                let whole = length / N;
                let expected = [Flat(Some(1)), Flat(Some(2)), Flat(Some(3))];
                assert_eq!((&room[..whole], &room[whole..]), (&expected[..whole], &[Flat(None); 3][whole..]));
            }
        }
        check::<1>();
        check::<{ LARGE - 1 }>();
        check::<LARGE>();
        check::<{ 2 * LARGE }>();
    }

    #[test]
    fn what_is_cut_or_too_short_is_refused_when_it_is_reached() {
        for length in 0..6 {
            let bytes = &[1, 0, 2, 0, 3, 0][..length];
            let group = || group::<1>(bytes, 3, 2);
            assert!(group().end().is_err() && group().checked().is_err(), "{length}");
            let mut whole = 0;
            assert!(group().for_each(|_| whole += 1).is_err(), "{length}");
            assert_eq!(whole, length / 2);
            assert!(group().fill(&mut [Flat(None); 3], |entry| entry).is_err(), "{length}");
        }
        let short = group::<2>(&[1, 2, 3], 1, 1).for_each(|_| ());
        assert_eq!(short.err(), Some(DecodeError::ShortBlock { what: "flat", needed: 2, found: 1 }));
        // Blocks that are too short matter only where there are any.
        assert!(group::<2>(&[], 0, 1).for_each(|_| ()).is_ok() && group::<2>(&[], 0, 1).end().is_ok());
    }

    #[test]
    fn entries_without_a_byte_are_not_any_number() {
        let refused = |error: Option<DecodeError>| {
            assert!(matches!(error, Some(DecodeError::TooManyEntries { what: "flat", .. })), "{error:?}");
        };
        refused(group::<0>(&[], usize::MAX, 0).for_each(|_| ()).err());
        refused(group::<0>(&[], usize::MAX, 0).end().err());
        let mut one_by_one = group::<0>(&[], usize::MAX, 0);
        let mut seen = 0_u32;
        let error = loop {
            match one_by_one.next_entry() {
                Ok(Some(_)) => seen += 1,
                Ok(None) => panic!("there is no end of them"),
                Err(error) => break error,
            }
        };
        refused(Some(error));
        assert_eq!(seen, 65_535);
    }
}
