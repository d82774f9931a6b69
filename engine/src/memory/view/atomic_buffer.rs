//! A view of a range of a region. Every access is checked against the view.
#![allow(unsafe_code, reason = "UNSAFE FENCE: turns checked offsets into accesses to shared memory")]

use core::ptr::NonNull;
use std::fmt;
use std::sync::Arc;

use super::copy::stream_zeroes;
use super::{OwnedWord, SharedWord, Span, Word};
use crate::memory::{Field, RawAccess, Region};

/// A view of a range of a region of memory. A clone shares the region, which exists until its last view is dropped.
///
/// Every access panics if it leaves the view or is misaligned. Callers check numbers from shared memory before they use
/// them as offsets, and treat such a panic as a bug of their own.
///
/// The protocol of the memory determines which thread may access which bytes at which time, because bytes that are not
/// words are copied with plain accesses. So code outside this crate cannot get a view without [`RawAccess`].
#[derive(Clone)]
pub struct AtomicBuffer {
    start: NonNull<u8>,
    len: usize,
    region: Arc<Region>,
}

// SAFETY: a view is a range of a region that it keeps alive. Words are atomics; bulk copies and the two methods that form
// references are ordered by the protocols of the callers, as their contracts say.
unsafe impl Send for AtomicBuffer {}
// SAFETY: as above.
unsafe impl Sync for AtomicBuffer {}

impl fmt::Debug for AtomicBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicBuffer").field("len", &self.len).finish_non_exhaustive()
    }
}

impl AtomicBuffer {
    pub(in crate::memory) fn whole(region: Arc<Region>) -> Self {
        Self { start: region.start(), len: region.len(), region }
    }

    /// A zeroed view of memory of this process, with the alignment of a mapping.
    ///
    /// # Panics
    ///
    /// If `length` is zero or more than half the address space.
    pub fn zeroed(length: usize, _: RawAccess) -> Self {
        Self::heap(length)
    }

    /// As [`Self::zeroed`], for this crate.
    pub(crate) fn heap(length: usize) -> Self {
        Region::heap(length).view()
    }

    /// The view's length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the view is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A view of `len` bytes from `offset`.
    ///
    /// # Panics
    ///
    /// If the range is not within this view.
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        Self { start: self.at(offset, len), len, region: Arc::clone(&self.region) }
    }

    /// The word of `field`.
    #[inline]
    pub fn word<T: SharedWord>(&self, field: Field<T>) -> Word<'_, T> {
        self.word_at(field.start())
    }

    /// The word at `offset`, for words at computed offsets: frame lengths, records, counters.
    ///
    /// # Panics
    ///
    /// If the word is misaligned or not within this view.
    #[inline]
    pub fn word_at<T: SharedWord>(&self, offset: usize) -> Word<'_, T> {
        // SAFETY: `aligned` checked the address, which lies in this view.
        unsafe { Word::new(self.aligned::<T>(offset)) }
    }

    /// The word of `field`, as a value that keeps the memory alive.
    pub fn own<T: SharedWord>(&self, field: Field<T>) -> OwnedWord<T> {
        // SAFETY: `aligned` checked the address, which lies in a view of this region.
        unsafe { OwnedWord::new(self.aligned::<T>(field.start()), Arc::clone(&self.region)) }
    }

    /// Copies `bytes` into the view. The caller must own the range until it publishes it.
    #[inline]
    pub fn put_bytes(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len());
        // SAFETY: `at` checked the range, and a slice of this process cannot overlap memory that is only reached by view.
        // The range is the caller's by protocol: it claimed it, and readers wait for the release store that commits it.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
    }

    /// Copies bytes out of the view. They must have been published to the caller, or be validated after the copy, as
    /// the broadcast receiver does.
    #[inline]
    pub fn get_bytes(&self, offset: usize, bytes: &mut [u8]) {
        let from = self.at(offset, bytes.len());
        // SAFETY: as in `put_bytes`.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Stores `bytes` word by word with relaxed ordering, for protocols whose readers copy first and validate later. If
    /// such a copy races with this store, both are atomic. The rest of a partly used last word is zeroed.
    ///
    /// # Panics
    ///
    /// If `offset` is not a multiple of 4 or the words leave the view.
    pub fn store_words_relaxed(&self, offset: usize, bytes: &[u8]) {
        for (index, chunk) in bytes.chunks(4).enumerate() {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word_at::<i32>(offset + index * 4).store_relaxed(i32::from_le_bytes(word));
        }
    }

    /// Loads `bytes.len()` bytes word by word with relaxed ordering. See [`Self::store_words_relaxed`].
    ///
    /// # Panics
    ///
    /// If `offset` is not a multiple of 4 or the words leave the view.
    pub fn load_words_relaxed(&self, offset: usize, bytes: &mut [u8]) {
        for (index, chunk) in bytes.chunks_mut(4).enumerate() {
            let word = self.word_at::<i32>(offset + index * 4).load_relaxed().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    /// Loads, with acquire ordering, what may be a length word, or part of a payload that a publisher thought dead is
    /// copying. Only whether it is zero may be used, and only to decide whether to look again. This is the only read
    /// that may race with a bulk copy: see `docs/decisions/0001-racing-reads.md`.
    #[inline]
    pub fn probe_acquire(&self, offset: usize) -> i32 {
        self.word_at::<i32>(offset).load_acquire()
    }

    /// Copies from another view, or within this one. The ranges may overlap.
    #[inline]
    pub fn copy_from(&self, offset: usize, source: &Self, source_offset: usize, len: usize) {
        let to = self.at(offset, len);
        let from = source.at(source_offset, len);
        // SAFETY: as in `put_bytes`; `copy` allows overlap.
        unsafe { core::ptr::copy(from.as_ptr(), to.as_ptr(), len) };
    }

    /// Zeroes a range that the caller owns.
    #[inline]
    pub fn zero(&self, offset: usize, len: usize) {
        let to = self.at(offset, len);
        // SAFETY: as in `put_bytes`.
        unsafe { core::ptr::write_bytes(to.as_ptr(), 0, len) };
    }

    /// Zeroes a range that the caller owns and that is not needed soon. If possible, the stores bypass the processor's
    /// caches, so the range is not fetched and displaces nothing. A later Release store publishes the zeroes as usual.
    #[inline]
    pub fn zero_past_cache(&self, offset: usize, len: usize) {
        let to = self.at(offset, len);
        // SAFETY: as in `put_bytes`.
        unsafe { stream_zeroes(to.as_ptr(), len) };
    }

    /// Borrows a published range: a committed fragment during one poll.
    ///
    /// # Safety
    ///
    /// No thread of this process may store to the range while the reference exists. Another *process* that breaks the
    /// protocol can change the bytes, so code that interprets them must not rely on loading the same value twice.
    #[inline]
    pub unsafe fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        // SAFETY: `at` checked the range, the view keeps it mapped, and the caller vouches for its writers.
        unsafe { core::slice::from_raw_parts(self.at(offset, len).as_ptr(), len) }
    }

    /// Lends a claimed range for writing.
    ///
    /// # Safety
    ///
    /// The caller must own the range: it has claimed it, has not committed it, and lends it only once.
    #[inline]
    #[allow(clippy::mut_from_ref, reason = "the claim is what is exclusive, not the view")]
    pub unsafe fn bytes_mut(&self, offset: usize, len: usize) -> &mut [u8] {
        // SAFETY: `at` checked the range, the view keeps it mapped, and the caller vouches for exclusive use.
        unsafe { core::slice::from_raw_parts_mut(self.at(offset, len).as_ptr(), len) }
    }

    /// Whether the address of the view is a multiple of `alignment`.
    pub(in crate::memory) fn is_aligned_to(&self, alignment: usize) -> bool {
        self.start.addr().get().is_multiple_of(alignment)
    }

    /// The whole view, for accesses that are checked elsewhere.
    #[inline]
    pub(in crate::memory) fn whole_span(&self) -> Span<'_> {
        Span::new(self)
    }

    /// Releases the file that the view's region maps, for all views of that region. From now on they show private
    /// memory of this process, initially zero. For memory that is not needed any more but whose views still exist.
    /// There must be no reference from [`Self::bytes`] into the region.
    #[cfg(feature = "client")]
    pub(crate) fn vacate(&self) {
        self.region.vacate();
    }

    /// Maps all pages of the region's file, so that no first use waits for the kernel. Changes no byte, even while
    /// others store. Returns false if that is not possible.
    #[cfg(feature = "client")]
    pub(crate) fn populate(&self) -> bool {
        self.region.populate()
    }

    /// Maps the pages of a range of the view's file that are in memory, so that their first use does not wait for the
    /// kernel. Changes no byte, even while others store. Makes a system call.
    ///
    /// # Panics
    ///
    /// If the range is not within this view.
    #[cfg(feature = "client")]
    pub(crate) fn fetch(&self, offset: usize, len: usize) {
        let start = self.at(offset, len).addr().get() - self.region.start().addr().get();
        self.region.fetch(start, len);
    }

    /// Waits until a range of the view's file is on stable storage. Does nothing for memory of this process.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    ///
    /// # Panics
    ///
    /// If the range is not within this view.
    #[cfg(feature = "journal")]
    pub fn sync(&self, offset: usize, len: usize) -> std::io::Result<()> {
        let start = self.at(offset, len).addr().get() - self.region.start().addr().get();
        self.region.sync(start, len)
    }

    /// Prepares the pages of a range of the view's file, so that the next stores do not wait for the kernel. Changes no
    /// byte. Makes a system call, so it is for threads that prepare memory for others.
    ///
    /// # Panics
    ///
    /// If the range is not within this view.
    #[cfg(feature = "journal")]
    pub fn expect_stores(&self, offset: usize, len: usize) {
        let start = self.at(offset, len).addr().get() - self.region.start().addr().get();
        self.region.expect_stores(start, len);
    }

    /// Whether the view's region still shows its file. See [`MappedFile::guarded`](crate::memory::MappedFile::guarded).
    #[cfg(feature = "journal")]
    pub fn is_intact(&self) -> bool {
        self.region.is_intact()
    }

    /// The address of the view's first byte, valid as long as `self` exists.
    #[inline]
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The address of a range of the view.
    #[inline]
    fn at(&self, offset: usize, len: usize) -> NonNull<u8> {
        if offset > self.len || len > self.len - offset {
            out_of_view(offset, len, self.len);
        }
        // SAFETY: the offset is within the view, which lies within one allocation.
        unsafe { self.start.add(offset) }
    }

    #[inline]
    fn aligned<T: SharedWord>(&self, offset: usize) -> NonNull<T::Atomic> {
        let at = self.at(offset, size_of::<T>()).cast::<T::Atomic>();
        if !at.is_aligned() {
            misaligned(offset);
        }
        at
    }
}

#[cold]
#[inline(never)]
fn out_of_view(offset: usize, len: usize, view: usize) -> ! {
    panic!("an access to {len} bytes at {offset} leaves its view of {view} bytes");
}

#[cold]
#[inline(never)]
fn misaligned(offset: usize) -> ! {
    panic!("a word at {offset} is misaligned");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_bytes_are_the_same_memory() {
        let buffer = AtomicBuffer::heap(64);
        buffer.word_at::<i64>(8).store_release(0x0102_0304_0506_0708);
        let mut bytes = [0; 8];
        buffer.get_bytes(8, &mut bytes);
        assert_eq!(bytes, [8, 7, 6, 5, 4, 3, 2, 1]);
        let tail = buffer.slice(8, 8);
        assert_eq!(tail.word_at::<i32>(4).load_acquire(), 0x0102_0304);
        assert_eq!(tail.word_at::<i64>(0).fetch_add(1), 0x0102_0304_0506_0708);
        assert_eq!(buffer.own(Field::<i64>::at(8)).load_relaxed(), 0x0102_0304_0506_0709);
    }

    #[test]
    fn a_view_outlives_the_value_it_came_from() {
        let word = AtomicBuffer::heap(4096).slice(128, 8).own(Field::<i32>::at(4));
        word.store_release(7);
        assert_eq!(word.load_acquire(), 7);
    }

    #[test]
    #[should_panic(expected = "leaves its view")]
    fn an_access_outside_panics() {
        AtomicBuffer::heap(64).slice(0, 16).word_at::<i64>(12);
    }

    #[test]
    #[should_panic(expected = "misaligned")]
    fn a_misaligned_word_panics() {
        AtomicBuffer::heap(64).word_at::<i64>(4);
    }

    #[test]
    #[should_panic(expected = "leaves its view")]
    fn an_offset_that_overflows_panics() {
        AtomicBuffer::heap(64).put_bytes(usize::MAX, &[1, 2]);
    }
}
