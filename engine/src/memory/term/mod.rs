//! The memory of a log's three terms, as frames. The bounds of a frame are checked once, when an append claims it or a
//! scan meets it, and not again for each word.
//!
//! The types here keep every access within its frame and every frame within its term, whatever a length or an offset in
//! shared memory says. The log buffer's protocol determines which frame may be read or written when. Only `logbuffer`
//! calls this, and it must never hand a frame to a reader that has not seen its commit.
#![allow(unsafe_code, reason = "UNSAFE FENCE: reads and writes frames within ranges that were checked once")]

mod cursor;
#[cfg(feature = "journal")]
mod frames;
mod space;

pub(crate) use cursor::{CommittedFrame, FrameCursor};
#[cfg(feature = "journal")]
pub(crate) use frames::Frames;
#[cfg(feature = "journal")]
pub(crate) use space::FittedSpace;
pub(crate) use space::{FrameSpace, TermRest};

use super::backing::Span;
use super::{AtomicBuffer, Field, SharedWord};
use crate::types::TermLength;

/// The alignment of frames, and the length of a frame header.
const ALIGNMENT: usize = 32;

/// One of the three terms of a log. An enum, so that the compiler knows that there are three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partition {
    First,
    Second,
    Third,
}

impl Partition {
    /// The partition of the term with this count, from the initial one. An invalid count yields any partition.
    #[inline]
    pub(crate) const fn of_term_count(count: i32) -> Self {
        match count as u32 % 3 {
            0 => Self::First,
            1 => Self::Second,
            _ => Self::Third,
        }
    }

    /// The partition of the next term.
    #[inline]
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::Third,
            Self::Third => Self::First,
        }
    }

    /// 0, 1 or 2.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// The memory of the three terms.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Exactly three terms long.
    buffer: AtomicBuffer,
    length: TermLength,
    /// The length of the buffer in bytes.
    bytes: usize,
}

impl Terms {
    /// The terms at the start of `buffer`.
    ///
    /// # Panics
    ///
    /// If the buffer is too short, or not aligned for frames.
    pub(crate) fn new(buffer: &AtomicBuffer, length: TermLength) -> Self {
        let bytes = length.get() as usize;
        assert!(buffer.is_aligned_to(ALIGNMENT), "terms that frames can be aligned in");
        Self { buffer: buffer.slice(0, 3 * bytes), length, bytes }
    }

    /// The length of each term.
    #[inline]
    pub(crate) fn length(&self) -> TermLength {
        self.length
    }

    /// The range of `length` bytes at `offset`, for a frame that the caller has claimed. `None` if it does not fit into
    /// the term, or is not valid for a frame: aligned, and long enough for a header.
    #[inline]
    pub(crate) fn space(&self, partition: Partition, offset: usize, length: usize) -> Option<FrameSpace<'_>> {
        let term = self.bytes;
        // Subtracting one makes a length of zero wrap around.
        if offset >= term
            || length.wrapping_sub(1) >= term - offset
            || !offset.is_multiple_of(ALIGNMENT)
            || !length.is_multiple_of(ALIGNMENT)
        {
            return None;
        }
        // SAFETY: the range was just found to lie within the term and to be aligned, and the buffer is three terms long.
        Some(unsafe { FrameSpace::new(self.start_of(partition).advance(offset), length) })
    }

    /// A cursor over the frames from `offset` to the end of the term. `None` if no frame can start at `offset`.
    #[inline]
    pub(crate) fn cursor(&self, partition: Partition, offset: usize) -> Option<FrameCursor<'_>> {
        let term = self.bytes;
        if !offset.is_multiple_of(ALIGNMENT) || offset > term {
            return None;
        }
        // SAFETY: the offset is aligned, and within the term or at its end, and the buffer is three terms long.
        Some(unsafe { FrameCursor::new(self.start_of(partition).advance(offset), term - offset) })
    }

    /// The rest of a term from `offset` on, for its only publisher. `None` if no frame can start at `offset`, unless it
    /// is the term's end.
    pub(crate) fn rest(&self, partition: Partition, offset: usize) -> Option<TermRest> {
        let remaining = self.cursor(partition, offset)?.remaining();
        // SAFETY: the partition is below three and the buffer is three terms long, so the term ends within it, and what
        // remained to a cursor is within the term.
        Some(unsafe { TermRest::new(self.buffer.clone(), (partition.index() + 1) * self.bytes, remaining) })
    }

    #[inline]
    fn start_of(&self, partition: Partition) -> Span<'_> {
        let start = partition.index() << self.length.position_bits();
        // SAFETY: the partition is below three, and the buffer is three terms long: `new` made it so.
        unsafe { self.buffer.whole_span().advance(start) }
    }
}

/// Evaluated at compile time for constant fields.
#[inline(always)]
fn check_header_field<T: SharedWord>(field: Field<T>) {
    assert!(
        field.end() <= ALIGNMENT && field.start().is_multiple_of(size_of::<T>()),
        "an aligned field of a frame header"
    );
}

/// The number of bytes that a frame of this length occupies.
const fn aligned(length: usize) -> usize {
    (length + ALIGNMENT - 1) & !(ALIGNMENT - 1)
}
