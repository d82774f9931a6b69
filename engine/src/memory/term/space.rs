//! Space for frames that a publisher has claimed and nobody reads yet.
#![allow(unsafe_code, reason = "UNSAFE FENCE: reads and writes frames within ranges that were checked once")]
#![allow(clippy::clone_on_copy, reason = "a span is a pointer here and a handle in model builds")]

use core::fmt;

use super::{ALIGNMENT, check_header_field};
use crate::memory::backing::Span;
use crate::memory::{AtomicBuffer, Field, Lent, SharedWord, Word};

/// The distance in bytes at which an exclusive publisher prefetches the lines that it will write. Without prefetching,
/// each line of a long term is fetched from memory while a store to it waits, and only as many fetches overlap as fit
/// into the processor's store buffer. At 32 bytes per message, seven paired runs showed from 2 % less to 11 % more
/// throughput.
const WRITTEN_AHEAD: usize = 2048;

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
    /// The `remaining` bytes before `end`.
    ///
    /// # Safety
    ///
    /// The range must be within the buffer. `end` and `remaining` must be multiples of the alignment.
    pub(super) unsafe fn new(buffer: AtomicBuffer, end: usize, remaining: usize) -> Self {
        Self { buffer, end, remaining }
    }

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
        // SAFETY: the range was just found to lie within the rest, and is aligned as the rest's end is.
        Some(unsafe { FrameSpace::new(span, length) })
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
    /// The `length` bytes at `span`.
    ///
    /// # Safety
    ///
    /// The range must be within the memory of the span. Its start must be aligned for a frame, and its length must be a
    /// multiple of the alignment that is not zero.
    #[inline(always)]
    pub(super) unsafe fn new(span: Span<'a>, length: usize) -> Self {
        Self { span, length }
    }

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
impl<'a, 'p> FittedSpace<'a, 'p> {
    /// A range for a frame with this payload.
    ///
    /// # Safety
    ///
    /// The range must be exactly as long as the frame.
    #[inline(always)]
    pub(super) unsafe fn new(space: FrameSpace<'a>, payload: &'p [u8]) -> Self {
        Self { space, payload }
    }

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
