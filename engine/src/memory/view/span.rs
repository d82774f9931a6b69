//! An address in a view, for accesses that `memory/term` has checked as a whole. Nothing else may use it.
#![allow(unsafe_code, reason = "UNSAFE FENCE: accesses memory that was checked when a frame was claimed or met")]

use core::marker::PhantomData;
use core::ptr::NonNull;

use super::copy::copy_forward;
use super::{AtomicBuffer, SharedWord, Word};

/// An address in a view. Its methods check nothing. The types of `memory/term` keep every access within the range that was
/// checked when the span was created, so a frame needs one check instead of one per word.
#[derive(Clone, Copy, Debug)]
pub(in crate::memory) struct Span<'a> {
    start: NonNull<u8>,
    _view: PhantomData<&'a AtomicBuffer>,
}

// SAFETY: a span is a borrowed view.
unsafe impl Send for Span<'_> {}
// SAFETY: as above.
unsafe impl Sync for Span<'_> {}

impl<'a> Span<'a> {
    /// The span of a whole view.
    #[inline]
    pub(super) fn new(view: &'a AtomicBuffer) -> Self {
        Self { start: view.start(), _view: PhantomData }
    }

    /// The span that starts `by` bytes later.
    ///
    /// # Safety
    ///
    /// The checked range must reach that far.
    #[inline]
    pub(in crate::memory) unsafe fn advance(self, by: usize) -> Self {
        // SAFETY: within the checked range, or at its end.
        Self { start: unsafe { self.start.add(by) }, _view: PhantomData }
    }

    /// The word at `offset`.
    ///
    /// # Safety
    ///
    /// The word must be aligned and within the checked range.
    #[inline]
    pub(in crate::memory) unsafe fn word<T: SharedWord>(self, offset: usize) -> Word<'a, T> {
        // SAFETY: as the caller says; the view outlives the word, which borrows it.
        unsafe { Word::new(self.start.add(offset).cast()) }
    }

    /// Copies `bytes` to `offset`. Short copies are inline, because a call costs more than the copy.
    ///
    /// # Safety
    ///
    /// The bytes must fit into the checked range, and the caller must own that part of it.
    #[inline(always)]
    pub(in crate::memory) unsafe fn put(self, offset: usize, bytes: &[u8]) {
        // SAFETY: as the caller says; a slice of this process cannot overlap memory that is only reached by view.
        unsafe { copy_forward(bytes.as_ptr(), self.start.as_ptr().add(offset), bytes.len()) };
    }

    /// Prefetches the line for reading.
    #[inline(always)]
    pub(in crate::memory) fn expect(self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint, which no address can make fault; every x86-64 processor has it.
        unsafe {
            use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.start.as_ptr().cast());
        }
    }

    /// Prefetches the line for writing, so that this core owns it by then. Changes nothing.
    #[inline(always)]
    pub(in crate::memory) fn expect_write(self) {
        // SAFETY: a hint, which no address can make fault; a processor that does not have it takes it for an instruction that does
        // nothing.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            core::arch::asm!("prefetchw [{}]", in(reg) self.start.as_ptr(), options(nostack, preserves_flags, readonly));
        }
        // SAFETY: a hint, which no address can make fault.
        #[cfg(target_arch = "aarch64")]
        unsafe {
            core::arch::asm!("prfm pstl1keep, [{}]", in(reg) self.start.as_ptr(), options(nostack, preserves_flags, readonly));
        }
    }

    /// Borrows a published range.
    ///
    /// # Safety
    ///
    /// The range must be within the checked range. Otherwise as [`AtomicBuffer::bytes`].
    #[inline]
    pub(in crate::memory) unsafe fn bytes(self, offset: usize, len: usize) -> &'a [u8] {
        // SAFETY: as the caller says.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr().add(offset), len) }
    }

    /// Lends a claimed range for writing.
    ///
    /// # Safety
    ///
    /// The range must be within the checked range. Otherwise as [`AtomicBuffer::bytes_mut`].
    #[inline]
    pub(in crate::memory) unsafe fn lend(self, offset: usize, len: usize) -> Lent<'a> {
        // SAFETY: as the caller says.
        Lent(unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr().add(offset), len) })
    }
}

/// A claimed range, lent for writing until it is returned.
#[derive(Debug)]
pub(crate) struct Lent<'a>(&'a mut [u8]);

impl Lent<'_> {
    /// The bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0
    }

    /// The bytes, for writing.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.0
    }

    /// Ends the loan. What was written is in place and can be published.
    #[inline]
    pub(crate) fn give_back(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_copies_move_each_byte_once_and_none_beside() {
        let source: Vec<u8> = (1..=200).collect();
        for len in 0..=source.len() {
            let buffer = AtomicBuffer::heap(256);
            // SAFETY: the span is 256 bytes long, and nobody else knows the buffer.
            unsafe { buffer.whole_span().put(3, &source[..len]) };
            let mut bytes = [0; 256];
            buffer.get_bytes(0, &mut bytes);
            assert_eq!(bytes[3..3 + len], source[..len]);
            assert!(bytes[..3].iter().chain(&bytes[3 + len..]).all(|&byte| byte == 0), "{len}");
        }
    }
}
