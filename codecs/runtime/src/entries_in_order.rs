//! A group whose entries have groups or data of their own, read once from front to back. An entry is lent to the
//! caller; if the caller drops it before its end, the rest of it is skipped. Its flat counterpart is
//! [`BlocksInOrder`](crate::BlocksInOrder). Used by generated decoders.

use core::fmt;
use core::marker::PhantomData;

use crate::entries::{Entries, Entry};
use crate::error::DecodeError;
use crate::in_order::{Front, InEntry, Place};
use crate::reader::Reader;

/// An entry that has groups or data of its own.
pub trait Nested<'a>: Entry<'a> {
    /// The decoder of an entry that is read in order. `R` is the state of reading.
    type At<R>;

    /// Reads the entry's block.
    #[doc(hidden)]
    fn start<R: Front<'a>>(rest: R, block_length: usize, version: u32) -> Result<Self::At<R>, DecodeError>;
}

/// A group whose entries have groups or data of their own, read in order. `D` is the decoder for what follows the
/// group.
///
/// ```text
/// let mut legs = order.legs()?;
/// while let Some(leg) = legs.next_entry()? {
///     let (venues, leg) = leg.venues()?;
///     leg.end();
/// }
/// let order = legs.end()?;
/// ```
#[must_use = "what comes after a group is got by its `end`"]
pub struct EntriesInOrder<'a, E, D> {
    place: Place<'a>,
    left: usize,
    block_length: usize,
    version: u32,
    after: D,
    entry: PhantomData<E>,
}

impl<'a, E: Nested<'a>, D: Front<'a>> EntriesInOrder<'a, E, D> {
    /// Creates a group of `count` entries. `after` is positioned at the first of them.
    #[doc(hidden)]
    #[inline(always)]
    pub fn new(mut after: D, count: usize, block_length: usize, version: u32) -> Result<Self, DecodeError> {
        let block_length = E::checked_block_length(count, block_length)?;
        let place = Place { reader: *after.reader(), handed_out: false, may_be_empty: block_length == 0 };
        Ok(Self { place, left: count, block_length, version, after, entry: PhantomData })
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

    /// The next entry, or `None` after the last. If the entry before it was not read to its end, the rest of that entry
    /// is skipped.
    ///
    /// # Errors
    ///
    /// The bytes end inside the entry, or inside the skipped rest of the entry before it.
    #[inline(always)]
    pub fn next_entry(&mut self) -> Result<Option<E::At<InEntry<'a, '_>>>, DecodeError> {
        self.leave_entry()?;
        match self.left.checked_sub(1) {
            None => return Ok(None),
            Some(left) => self.left = left,
        }
        hand_out::<E>(&mut self.place, self.block_length, self.version).map(Some)
    }

    /// Calls `each` with each element of `room` and the next entry, and returns the decoder behind the group. Entries
    /// beyond the end of `room` are skipped, and so are the parts of an entry that `each` does not read. Elements of
    /// `room` beyond the last entry stay unchanged: compare with [`len`](Self::len) before.
    ///
    /// # Errors
    ///
    /// The bytes end before the entries do, or `each` fails.
    #[inline(always)]
    pub fn fill<T, X: From<DecodeError>>(
        mut self,
        room: &mut [T],
        mut each: impl FnMut(&mut T, E::At<InEntry<'a, '_>>) -> Result<(), X>,
    ) -> Result<D, X> {
        self.leave_entry()?;
        let count = room.len().min(self.left);
        // Local copies, so that they stay in registers.
        let (mut place, block_length, version) = (self.place, self.block_length, self.version);
        for to in &mut room[..count] {
            each(to, hand_out::<E>(&mut place, block_length, version)?)?;
            leave::<E>(&mut place, block_length, version)?;
        }
        self.place = place;
        self.left -= count;
        Ok(self.end()?)
    }

    /// Returns the decoder behind the group. Entries that are left are skipped.
    ///
    /// # Errors
    ///
    /// The bytes end before the entries do.
    #[inline(always)]
    pub fn end(mut self) -> Result<D, DecodeError> {
        self.leave_entry()?;
        if self.left > 0 {
            self.place.reader = step_over::<E>(self.place.reader, self.left, self.block_length, self.version)?;
        }
        *self.after.reader() = self.place.reader;
        Ok(self.after)
    }

    /// Returns all entries that are left, to be read in any order, and the decoder behind the group. Checking the
    /// entries takes one pass over them in addition to reading them.
    ///
    /// # Errors
    ///
    /// The bytes end before the entries do.
    #[inline(always)]
    pub fn checked(mut self) -> Result<(Entries<'a, E>, D), DecodeError> {
        self.leave_entry()?;
        let entries = Entries::read(&mut self.place.reader, self.left, self.block_length, self.version)?;
        *self.after.reader() = self.place.reader;
        Ok((entries, self.after))
    }

    /// Skips the rest of the entry that was handed out, unless the caller read it to its end.
    #[inline(always)]
    fn leave_entry(&mut self) -> Result<(), DecodeError> {
        leave::<E>(&mut self.place, self.block_length, self.version)
    }
}

/// Hands out the next entry of a group that has one.
#[inline(always)]
fn hand_out<'a, 'g, E: Nested<'a>>(
    place: &'g mut Place<'a>,
    block_length: usize,
    version: u32,
) -> Result<E::At<InEntry<'a, 'g>>, DecodeError> {
    place.handed_out = true;
    E::start(InEntry { reader: place.reader, version, place }, block_length, version)
}

/// Skips the rest of the entry that was handed out, unless the caller read it to its end.
#[inline(always)]
fn leave<'a, E: Entry<'a>>(place: &mut Place<'a>, block_length: usize, version: u32) -> Result<(), DecodeError> {
    if place.handed_out {
        place.reader = step_over::<E>(place.reader, 1, block_length, version)?;
        place.handed_out = false;
    }
    Ok(())
}

/// Skips a number of entries. Arguments and result are values, so that those of the caller stay in registers.
#[cold]
#[inline(never)]
fn step_over<'a, E: Entry<'a>>(
    mut reader: Reader<'a>,
    count: usize,
    block_length: usize,
    version: u32,
) -> Result<Reader<'a>, DecodeError> {
    Entries::<E>::read(&mut reader, count, block_length, version)?;
    Ok(reader)
}

impl<E, D> fmt::Debug for EntriesInOrder<'_, E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntriesInOrder").field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::LittleEndian;
    use crate::entries::tests::Long;
    use crate::in_order::InOrder;

    /// An entry of one byte with data behind it, being read.
    pub(crate) struct Started<R>(u8, R);

    impl<'a> Nested<'a> for Long<'a> {
        type At<R> = Started<R>;

        fn start<R: Front<'a>>(mut rest: R, block_length: usize, _: u32) -> Result<Started<R>, DecodeError> {
            let (oldest, _) = rest.reader().take_block::<1>(block_length, Self::NAME)?;
            Ok(Started(oldest[0], rest))
        }
    }

    impl<'a> Started<InEntry<'a, '_>> {
        fn data(mut self) -> Result<&'a [u8], DecodeError> {
            let data = self.1.reader().take_data::<u8, LittleEndian>("data")?;
            self.1.at::<1>().end();
            Ok(data)
        }
    }

    type Group<'a> = EntriesInOrder<'a, Long<'a>, InOrder<'a, 1>>;

    fn group(bytes: &[u8], count: usize) -> Result<Group<'_>, DecodeError> {
        EntriesInOrder::new(InOrder::new(Reader::new(bytes), 0).at(), count, 1, 0)
    }

    const THREE: &[u8] = &[1, 2, b'a', b'b', 2, 0, 3, 1, b'c', 9];

    #[test]
    fn entries_come_in_order_and_what_is_behind_them_at_the_end() -> Result<(), DecodeError> {
        let mut entries = group(THREE, 3)?;
        for expected in [Long(1, b"ab"), Long(2, b""), Long(3, b"c")] {
            let entry = entries.next_entry()?.expect("there are three");
            assert_eq!(Long(entry.0, entry.data()?), expected);
        }
        assert!(entries.next_entry()?.is_none() && entries.is_empty());
        assert_eq!(entries.end()?.rest(), [9]);
        Ok(())
    }

    #[test]
    fn entries_that_are_left_early_are_stepped_over() -> Result<(), DecodeError> {
        // In front of any entry, and inside it before its data.
        for (taken, started) in [(0, false), (0, true), (1, false), (1, true), (2, true)] {
            let mut entries = group(THREE, 3)?;
            for _ in 0..taken {
                entries.next_entry()?.expect("there are three").data()?;
            }
            if started {
                assert_eq!(entries.next_entry()?.expect("there are three").0, taken + 1);
            }
            assert_eq!(entries.end()?.rest(), [9], "{taken} {started}");
        }
        let mut entries = group(THREE, 3)?;
        let _ = entries.next_entry()?;
        assert_eq!(entries.next_entry()?.expect("there are three").0, 2);
        let (rest, after) = entries.checked()?;
        assert!(rest.into_iter().eq([Long(3, b"c")]));
        assert_eq!(after.rest(), [9]);
        Ok(())
    }

    #[test]
    fn places_are_filled_from_the_entries_whose_turn_it_is() -> Result<(), DecodeError> {
        let entries = [Long(1, b"ab"), Long(2, b""), Long(3, b"c")];
        let none = Long(0, b"");
        for places in 0..5 {
            let mut room = [none; 5];
            let after = group(THREE, 3)?.fill(&mut room[..places], |to, entry| -> Result<(), DecodeError> {
                *to = Long(entry.0, entry.data()?);
                Ok(())
            })?;
            assert_eq!(after.rest(), [9], "{places}");
            let read = places.min(3);
            assert_eq!((&room[..read], &room[read..]), (&entries[..read], &[none; 5][read..]));
        }
        // After one by hand that was not read to its end, and without reading any of them so.
        let mut begun = group(THREE, 3)?;
        let _ = begun.next_entry()?;
        let mut room = [0; 2];
        let after = begun.fill(&mut room, |to, entry| -> Result<(), DecodeError> {
            *to = entry.0;
            Ok(())
        })?;
        assert_eq!((room, after.rest()), ([2, 3], &[9][..]));
        Ok(())
    }

    #[test]
    fn filling_ends_with_the_first_error() -> Result<(), DecodeError> {
        #[derive(Debug, PartialEq)]
        enum Why {
            Cut,
            Own,
        }

        impl From<DecodeError> for Why {
            fn from(_: DecodeError) -> Self {
                Self::Cut
            }
        }

        for length in 0..9 {
            let filled = group(&THREE[..length], 3)?.fill(&mut [0; 3], |to, entry| {
                *to = entry.0;
                entry.data()?;
                Ok(())
            });
            assert_eq!(filled.map(|_| ()), Err(Why::Cut), "{length}");
        }
        let mut room = [0; 3];
        let filled = group(THREE, 3)?.fill(&mut room, |to, entry| {
            *to = entry.0;
            if entry.0 == 2 { Err(Why::Own) } else { Ok(()) }
        });
        assert_eq!((filled.map(|_| ()), room), (Err(Why::Own), [1, 2, 0]));
        Ok(())
    }

    #[test]
    fn what_is_cut_is_refused_wherever_it_is_reached() {
        let cut = |length: usize| -> Result<(), DecodeError> {
            let mut entries = group(&THREE[..length], 3)?;
            while let Some(entry) = entries.next_entry()? {
                entry.data()?;
            }
            entries.end().map(|_| ())
        };
        let left = |length| group(&THREE[..length], 3)?.end();
        let half = |length| {
            let mut entries = group(&THREE[..length], 3)?;
            let _ = entries.next_entry()?;
            entries.end()
        };
        for length in 0..9 {
            assert!(cut(length).is_err() && left(length).is_err() && half(length).is_err(), "{length}");
        }
        assert!(cut(9).is_ok() && left(9).is_ok() && half(9).is_ok());
        assert!(EntriesInOrder::<Long<'_>, _>::new(InOrder::<0>::new(Reader::new(THREE), 0), 1, 0, 0).is_err());
    }

    /// An entry that may take no bytes at all: what was in it came with a later version.
    #[derive(Clone, Copy)]
    struct Nothing;

    impl<'a> Entry<'a> for Nothing {
        const NAME: &'static str = "nothing";
        const OLDEST: usize = 0;
        const BLOCK: usize = 0;
        const FLAT: bool = false;

        fn read(_: &mut Reader<'a>, _: usize, _: u32) -> Result<Self, DecodeError> {
            Ok(Self)
        }
    }

    impl<'a> Nested<'a> for Nothing {
        type At<R> = R;

        fn start<R: Front<'a>>(rest: R, _: usize, _: u32) -> Result<R, DecodeError> {
            Ok(rest)
        }
    }

    #[test]
    fn entries_without_a_byte_are_not_any_number() {
        let mut entries = EntriesInOrder::<Nothing, _>::new(InOrder::<0>::new(Reader::new(&[]), 0), usize::MAX, 0, 0)
            .expect("it has a count");
        let mut seen = 0_u32;
        let refused = loop {
            match entries.next_entry() {
                Ok(Some(entry)) => entry.end(),
                Ok(None) => panic!("there is no end of them"),
                Err(error) => break error,
            }
            seen += 1;
        };
        assert!(matches!(refused, DecodeError::TooManyEntries { what: "nothing", .. }), "{refused}");
        assert_eq!(seen, 65_536);
    }
}
