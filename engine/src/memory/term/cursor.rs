//! Frames as their readers meet them: a cursor steps from one to the next, and never beyond the memory that it was made
//! for.
#![allow(unsafe_code, reason = "UNSAFE FENCE: reads and writes frames within ranges that were checked once")]
#![allow(clippy::clone_on_copy, reason = "a span is a pointer here and a handle in model builds")]

use core::marker::PhantomData;

use super::{ALIGNMENT, aligned, check_header_field};
use crate::memory::backing::Span;
use crate::memory::{AtomicBuffer, Field, SharedWord, Word};

/// A place in a term at which a frame can start, or the term's end.
#[derive(Clone, Debug)]
pub(crate) struct FrameCursor<'a> {
    at: Span<'a>,
    /// The distance to the term's end: a multiple of the alignment.
    remaining: usize,
    _frames: PhantomData<&'a AtomicBuffer>,
}

impl<'a> FrameCursor<'a> {
    /// A cursor at `at`.
    ///
    /// # Safety
    ///
    /// `at` must be aligned for a frame. The `remaining` bytes from there on must be within the memory of the span, and a
    /// multiple of the alignment.
    #[inline(always)]
    pub(super) unsafe fn new(at: Span<'a>, remaining: usize) -> Self {
        Self { at, remaining, _frames: PhantomData }
    }

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

    /// Borrows the `length` bytes from here on: whole frames over which a clone of this cursor has stepped, or what the
    /// caller has written to a range of its own and not committed yet.
    ///
    /// # Panics
    ///
    /// If the range leaves the term.
    #[inline]
    pub(crate) fn block(&self, length: usize) -> &'a [u8] {
        assert!(length <= self.remaining, "frames within the term");
        // SAFETY: just checked to lie within the term; committed, as the caller has seen, or the caller's own.
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
