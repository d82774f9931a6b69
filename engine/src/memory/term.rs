//! The memory of a log's three terms, as frames. The bounds of a frame are checked once, when an append claims it or a
//! scan meets it, and not again for each word.
//!
//! The types here keep every access within its frame and every frame within its term, whatever a length or an offset in
//! shared memory says. The log buffer's protocol determines which frame may be read or written when. Only `logbuffer`
//! calls this, and it must never hand a frame to a reader that has not seen its commit.
#![allow(unsafe_code, reason = "UNSAFE FENCE: reads and writes frames within ranges that were checked once")]
#![allow(clippy::clone_on_copy, reason = "a span is a pointer here and a handle in model builds")]

use core::fmt;
use core::marker::PhantomData;

use super::backing::Span;
use super::{AtomicBuffer, Field, Lent, SharedWord, Word};
use crate::types::TermLength;

/// The alignment of frames, and the length of a frame header.
const ALIGNMENT: usize = 32;
/// The distance in bytes at which an exclusive publisher prefetches the lines that it will write. Without prefetching,
/// each line of a long term is fetched from memory while a store to it waits, and only as many fetches overlap as fit
/// into the processor's store buffer. At 32 bytes per message, seven paired runs showed from 2 % less to 11 % more
/// throughput.
const WRITTEN_AHEAD: usize = 2048;

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
        // SAFETY: the range was just found to lie within the term, and the buffer is three terms long.
        let span = unsafe { self.start_of(partition).advance(offset) };
        Some(FrameSpace { span, length })
    }

    /// A cursor over the frames from `offset` to the end of the term. `None` if no frame can start at `offset`.
    #[inline]
    pub(crate) fn cursor(&self, partition: Partition, offset: usize) -> Option<FrameCursor<'_>> {
        let term = self.bytes;
        if !offset.is_multiple_of(ALIGNMENT) || offset > term {
            return None;
        }
        // SAFETY: the offset is within the term or at its end, and the buffer is three terms long.
        let at = unsafe { self.start_of(partition).advance(offset) };
        Some(FrameCursor { at, remaining: term - offset, _frames: PhantomData })
    }

    /// The rest of a term from `offset` on, for its only publisher. `None` if no frame can start at `offset`, unless it
    /// is the term's end.
    pub(crate) fn rest(&self, partition: Partition, offset: usize) -> Option<TermRest> {
        let remaining = self.cursor(partition, offset)?.remaining();
        Some(TermRest { buffer: self.buffer.clone(), end: (partition.index() + 1) * self.bytes, remaining })
    }

    #[inline]
    fn start_of(&self, partition: Partition) -> Span<'_> {
        let start = partition.index() << self.length.position_bits();
        // SAFETY: the partition is below three, and the buffer is three terms long: `new` made it so.
        unsafe { self.buffer.whole_span().advance(start) }
    }
}

/// Memory that is filled with frames from its start, term after term: a segment of a journal.
#[cfg(feature = "journal")]
#[derive(Clone, Debug)]
pub(crate) struct Frames {
    buffer: AtomicBuffer,
    /// The length of the part that frames can occupy: a multiple of the alignment.
    length: usize,
}

#[cfg(feature = "journal")]
impl Frames {
    /// The frames of `buffer`. If its length is not a multiple of the alignment, the rest at its end contains none.
    ///
    /// # Panics
    ///
    /// If the buffer is not aligned for frames.
    pub(crate) fn new(buffer: &AtomicBuffer) -> Self {
        assert!(buffer.is_aligned_to(ALIGNMENT), "memory that frames can be aligned in");
        Self { buffer: buffer.clone(), length: buffer.len() & !(ALIGNMENT - 1) }
    }

    /// The length of the part that frames can occupy, in bytes.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Whether the mapping still shows its file. See [`AtomicBuffer::is_intact`].
    #[cfg(not(engine_loom))]
    pub(crate) fn is_intact(&self) -> bool {
        self.buffer.is_intact()
    }

    /// The range of `length` bytes at `offset`, for a frame that the caller has claimed. `None` if it does not fit, or
    /// is not valid for a frame: aligned, and long enough for a header.
    #[inline]
    pub(crate) fn space(&self, offset: usize, length: usize) -> Option<FrameSpace<'_>> {
        // Subtracting one makes a length of zero wrap around.
        if offset >= self.length
            || length.wrapping_sub(1) >= self.length - offset
            || !offset.is_multiple_of(ALIGNMENT)
            || !length.is_multiple_of(ALIGNMENT)
        {
            return None;
        }
        // SAFETY: the range was just found to lie within the buffer.
        let span = unsafe { self.buffer.whole_span().advance(offset) };
        Some(FrameSpace { span, length })
    }

    /// As [`Self::space`], for a frame with this payload.
    #[inline(always)]
    pub(crate) fn space_for<'p>(&self, offset: usize, payload: &'p [u8]) -> Option<FittedSpace<'_, 'p>> {
        let length = aligned(ALIGNMENT + payload.len());
        let last = self.length.checked_sub(length)?;
        // One comparison checks both: the rotation turns an unaligned offset into a number beyond any limit.
        if offset.rotate_right(ALIGNMENT.trailing_zeros()) > last / ALIGNMENT {
            return None;
        }
        // SAFETY: the range was just found to lie within the buffer.
        let span = unsafe { self.buffer.whole_span().advance(offset) };
        Some(FittedSpace { space: FrameSpace { span, length }, payload })
    }

    /// The frames in `length` bytes from `offset` on, if the range is within this one and aligned.
    pub(crate) fn part(&self, offset: usize, length: usize) -> Option<Self> {
        if !offset.is_multiple_of(ALIGNMENT) || offset > self.length || length > self.length - offset {
            return None;
        }
        Some(Self::new(&self.buffer.slice(offset, length)))
    }

    /// A cursor over the frames from `offset` to the end. `None` if no frame can start at `offset`, unless it is the
    /// end.
    #[inline]
    pub(crate) fn cursor(&self, offset: usize) -> Option<FrameCursor<'_>> {
        if !offset.is_multiple_of(ALIGNMENT) || offset > self.length {
            return None;
        }
        // SAFETY: the offset is within the buffer or at its end.
        let at = unsafe { self.buffer.whole_span().advance(offset) };
        Some(FrameCursor { at, remaining: self.length - offset, _frames: PhantomData })
    }
}

/// The rest of a term. Its only publisher splits frames off its front, each with a single comparison.
#[derive(Debug)]
pub(crate) struct TermRest {
    /// The three terms.
    buffer: AtomicBuffer,
    /// The end of the term in the buffer, and the distance to it: within the buffer, and a multiple of the alignment.
    end: usize,
    remaining: usize,
}

impl TermRest {
    /// The remaining length in bytes.
    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        self.remaining
    }

    /// Splits off the next `length` bytes, for a frame. `None`, without a change, if the length is zero, not aligned,
    /// or more than the rest.
    #[inline]
    pub(crate) fn split_off(&mut self, length: usize) -> Option<FrameSpace<'_>> {
        // Subtracting one makes a length of zero wrap around.
        if length.wrapping_sub(1) >= self.remaining || !length.is_multiple_of(ALIGNMENT) {
            return None;
        }
        let offset = self.end - self.remaining;
        self.remaining -= length;
        // SAFETY: what remained, of which this is the front, lies within the buffer.
        let span = unsafe { self.buffer.whole_span().advance(offset) };
        if WRITTEN_AHEAD < self.remaining {
            // SAFETY: within what remains behind the front, as just checked.
            unsafe { span.clone().advance(length + WRITTEN_AHEAD) }.expect_write();
        }
        Some(FrameSpace { span, length })
    }
}

/// A claimed range of a term that is not published yet: space for a header and a payload.
pub(crate) struct FrameSpace<'a> {
    span: Span<'a>,
    /// A multiple of the alignment, at least one header.
    length: usize,
}

impl fmt::Debug for FrameSpace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSpace").field("length", &self.length).finish_non_exhaustive()
    }
}

impl<'a> FrameSpace<'a> {
    /// The length of the range in bytes, header included.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// A word of the header.
    #[inline]
    pub(crate) fn word<T: SharedWord>(&self, field: Field<T>) -> Word<'a, T> {
        check_header_field(field);
        // SAFETY: the field lies within the header and is aligned, as is the frame.
        unsafe { self.span.word(field.start()) }
    }

    /// Copies `bytes` into the payload at `offset`.
    ///
    /// # Panics
    ///
    /// When they do not fit.
    #[inline]
    pub(crate) fn put_payload(&self, offset: usize, bytes: &[u8]) {
        let room = self.length - ALIGNMENT;
        assert!(bytes.len() <= room && offset <= room - bytes.len(), "a payload that was made room for");
        // SAFETY: just checked to lie within the frame, which the holder has claimed.
        unsafe { self.span.put(ALIGNMENT + offset, bytes) };
    }

    /// Copies formatted frames into the range, except the first frame's first eight bytes, which commit it.
    ///
    /// # Panics
    ///
    /// When they do not fit.
    #[inline]
    pub(crate) fn put_frames(&self, frames: &[u8]) {
        assert!((8..=self.length).contains(&frames.len()), "frames that were made room for");
        // SAFETY: just checked to lie within the range, which the holder has claimed.
        unsafe { self.span.put(8, &frames[8..]) };
    }

    /// Lends the first `length` bytes of the payload. Must be called at most once for a claim.
    ///
    /// # Panics
    ///
    /// If the payload is shorter.
    #[inline]
    pub(crate) fn lend_payload(&mut self, length: usize) -> Lent<'a> {
        assert!(length <= self.length - ALIGNMENT, "a payload that was made room for");
        // SAFETY: just checked to lie within the frame, which the holder has claimed and lends once.
        unsafe { self.span.lend(ALIGNMENT, length) }
    }

    /// Borrows the range.
    #[inline]
    pub(crate) fn reborrow(&mut self) -> FrameSpace<'_> {
        FrameSpace { span: self.span.clone(), length: self.length }
    }

    /// Splits off the first `length` bytes.
    ///
    /// # Errors
    ///
    /// The whole range, if the parts are not both valid for frames.
    #[inline]
    pub(crate) fn split(self, length: usize) -> Result<(Self, Self), Self> {
        if !length.is_multiple_of(ALIGNMENT) || length == 0 || length >= self.length {
            return Err(self);
        }
        let rest = self.length - length;
        // SAFETY: within the range that was claimed.
        let next = unsafe { self.span.clone().advance(length) };
        Ok((Self { span: self.span, length }, Self { span: next, length: rest }))
    }
}

/// A range for a frame whose payload is known and fits.
#[cfg(feature = "journal")]
pub(crate) struct FittedSpace<'a, 'p> {
    /// Exactly as long as the frame.
    space: FrameSpace<'a>,
    payload: &'p [u8],
}

#[cfg(feature = "journal")]
impl<'a> FittedSpace<'a, '_> {
    /// The range.
    #[inline(always)]
    pub(crate) fn space(&self) -> &FrameSpace<'a> {
        &self.space
    }

    /// The length of the range in bytes, header included.
    #[inline(always)]
    pub(crate) fn length(&self) -> usize {
        self.space.length
    }

    /// The length of the payload in bytes.
    #[inline(always)]
    pub(crate) fn payload_length(&self) -> usize {
        self.payload.len()
    }

    /// Copies the payload into the range.
    #[inline(always)]
    pub(crate) fn put_payload(&self) {
        // SAFETY: the range is as long as a header and this payload, and the holder has claimed it.
        unsafe { self.space.span.put(ALIGNMENT, self.payload) };
    }
}

/// A place in a term at which a frame can start, or the term's end.
#[derive(Clone, Debug)]
pub(crate) struct FrameCursor<'a> {
    at: Span<'a>,
    /// The distance to the term's end: a multiple of the alignment.
    remaining: usize,
    _frames: PhantomData<&'a AtomicBuffer>,
}

impl<'a> FrameCursor<'a> {
    /// The distance to the term's end in bytes.
    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        self.remaining
    }

    /// The length word of the frame that starts here. `None` at the end of the term.
    #[inline]
    pub(crate) fn length_word(&self) -> Option<Word<'a, i32>> {
        if self.remaining == 0 {
            return None;
        }
        // SAFETY: at least one header lies before the term's end, and frames are aligned.
        Some(unsafe { self.at.word(0) })
    }

    /// Steps over the frame of `length` bytes that starts here. `None`, without a step, if the length is invalid: zero,
    /// negative, shorter than a header, or beyond the end of the term.
    ///
    /// The caller must have loaded the length with acquire ordering from the frame's length word.
    #[inline]
    pub(crate) fn take(&mut self, length: i32) -> Option<CommittedFrame<'a>> {
        let length = length as u32 as usize;
        // One comparison for all four cases: a length below a header's wraps around and is too large as well.
        // `remaining` is a multiple of the alignment, so a length that is within it is still within it after alignment.
        if length.wrapping_sub(ALIGNMENT) > self.remaining.wrapping_sub(ALIGNMENT) || self.remaining == 0 {
            return None;
        }
        let frame = CommittedFrame { span: self.at.clone(), length };
        let aligned = aligned(length);
        // SAFETY: within the term or at its end, as just checked.
        self.at = unsafe { self.at.clone().advance(aligned) };
        self.remaining -= aligned;
        Some(frame)
    }

    /// Prefetches the line `ahead` bytes later in the term for reading.
    #[inline(always)]
    pub(crate) fn expect(&self, ahead: usize) {
        if ahead < self.remaining {
            // SAFETY: within the term, as just checked.
            unsafe { self.at.clone().advance(ahead) }.expect();
        }
    }

    /// Borrows the `length` bytes from here on: whole frames over which a clone of this cursor has stepped.
    ///
    /// # Panics
    ///
    /// If the range leaves the term.
    #[inline]
    pub(crate) fn block(&self, length: usize) -> &'a [u8] {
        assert!(length <= self.remaining, "frames within the term");
        // SAFETY: just checked to lie within the term, and committed, as the caller has seen.
        unsafe { self.at.bytes(0, length) }
    }
}

/// A frame whose commit was seen. Its publisher has finished it, and nobody stores to it until its readers have
/// consumed it.
#[derive(Clone, Debug)]
pub(crate) struct CommittedFrame<'a> {
    span: Span<'a>,
    /// Header included, not aligned. At least a header, and within the term.
    length: usize,
}

impl<'a> CommittedFrame<'a> {
    /// A word of the header.
    #[inline]
    pub(crate) fn word<T: SharedWord>(&self, field: Field<T>) -> Word<'a, T> {
        check_header_field(field);
        // SAFETY: the field lies within the header and is aligned, as is the frame.
        unsafe { self.span.word(field.start()) }
    }

    /// The header.
    #[inline]
    pub(crate) fn header(&self) -> &'a [u8; ALIGNMENT] {
        // SAFETY: every frame has a header, and nobody stores to a committed one until its reader is done.
        let header = unsafe { self.span.bytes(0, ALIGNMENT) };
        header.try_into().expect("as long as a header")
    }

    /// The number of bytes that the frame occupies.
    #[cfg(all(feature = "journal", not(engine_loom)))]
    #[inline(always)]
    pub(crate) fn occupied(&self) -> usize {
        aligned(self.length)
    }

    /// Reads each page of the frame, so that a fault occurs here.
    #[cfg(all(feature = "journal", not(engine_loom)))]
    #[inline]
    pub(crate) fn touch(&self) {
        const PAGE: usize = 4096;
        let header = self.header();
        let within = header.as_ptr().addr() % PAGE;
        if within + self.length > PAGE {
            let payload = self.payload();
            for offset in (PAGE - within..self.length).step_by(PAGE) {
                core::hint::black_box(payload[offset - ALIGNMENT]);
            }
        }
    }

    /// The whole frame, header and payload.
    #[cfg(all(feature = "journal", not(engine_loom)))]
    #[inline]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        // SAFETY: the length was checked against the term; the rest as for `header`.
        unsafe { self.span.bytes(0, self.length) }
    }

    /// The payload.
    #[inline]
    pub(crate) fn payload(&self) -> &'a [u8] {
        // SAFETY: the length was checked against the term; the rest as for `header`.
        unsafe { self.span.bytes(ALIGNMENT, self.length - ALIGNMENT) }
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

#[cfg(all(test, feature = "journal", not(engine_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_frame_for_a_payload_is_where_one_of_its_length_is() {
        const LENGTH: usize = 8 * ALIGNMENT;
        let frames = Frames::new(&AtomicBuffer::heap(LENGTH + ALIGNMENT)).part(ALIGNMENT, LENGTH).unwrap();
        let near_the_end_of_numbers = (0..=LENGTH).map(|before| usize::MAX - before);
        for offset in (0..=LENGTH + ALIGNMENT).chain(near_the_end_of_numbers) {
            for payload in 0..=LENGTH + 1 {
                let payload = vec![0xA5; payload];
                let length = aligned(ALIGNMENT + payload.len());
                let (fitted, space) = (frames.space_for(offset, &payload), frames.space(offset, length));
                assert_eq!(fitted.is_some(), space.is_some(), "{} bytes at {offset}", payload.len());
                if let Some(fitted) = fitted {
                    assert_eq!((fitted.length(), fitted.payload_length()), (length, payload.len()));
                    frames.buffer.zero(0, LENGTH);
                    fitted.put_payload();
                    let mut bytes = [0; LENGTH];
                    frames.buffer.get_bytes(0, &mut bytes);
                    let from = offset + ALIGNMENT;
                    let written = |at| (from..from + payload.len()).contains(&at);
                    assert!(bytes.iter().enumerate().all(|(at, &byte)| (byte == 0xA5) == written(at)));
                }
            }
        }
    }

    #[test]
    fn a_part_of_frames_is_within_them_and_begins_where_a_frame_may() {
        let frames = Frames::new(&AtomicBuffer::heap(8 * ALIGNMENT));
        let length = |offset, length| frames.part(offset, length).map(|part| part.length());
        assert_eq!(length(0, 8 * ALIGNMENT), Some(8 * ALIGNMENT));
        assert_eq!(length(7 * ALIGNMENT, ALIGNMENT), Some(ALIGNMENT));
        for (offset, bytes) in [(7 * ALIGNMENT, 2 * ALIGNMENT), (9 * ALIGNMENT, 0), (1, ALIGNMENT), (32, usize::MAX)] {
            assert_eq!(length(offset, bytes), None, "{bytes} bytes at {offset}");
        }
    }
}
