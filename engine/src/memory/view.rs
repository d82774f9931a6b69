//! Views of shared memory. Each access is checked once, its ordering is in the method's name, and no reference to the
//! bytes is handed out by a safe method.
#![allow(unsafe_code, reason = "UNSAFE FENCE: turns checked offsets into accesses to shared memory")]

use core::marker::PhantomData;
use core::ptr::NonNull;
use std::fmt;
use std::sync::Arc;

use super::{CACHE_LINE_LENGTH, Field, RawAccess, Region};
use crate::sync::{AtomicI32, AtomicI64, Ordering};

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
    pub(super) fn whole(region: Arc<Region>) -> Self {
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
        Word { at: self.aligned::<T>(offset), _view: PhantomData }
    }

    /// The word of `field`, as a value that keeps the memory alive.
    pub fn own<T: SharedWord>(&self, field: Field<T>) -> OwnedWord<T> {
        OwnedWord { at: self.aligned::<T>(field.start()), _region: Arc::clone(&self.region) }
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
    pub(super) fn is_aligned_to(&self, alignment: usize) -> bool {
        self.start.addr().get().is_multiple_of(alignment)
    }

    /// The whole view, for accesses that are checked elsewhere.
    #[inline]
    pub(super) fn whole_span(&self) -> Span<'_> {
        Span { start: self.start, _view: PhantomData }
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

    /// Whether the view's region still shows its file. See [`MappedFile::guarded`](super::MappedFile::guarded).
    #[cfg(feature = "journal")]
    pub fn is_intact(&self) -> bool {
        self.region.is_intact()
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

/// An address in a view. Its methods check nothing. The types of `term.rs` keep every access within the range that was
/// checked when the span was created, so a frame needs one check instead of one per word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    start: NonNull<u8>,
    _view: PhantomData<&'a AtomicBuffer>,
}

// SAFETY: a span is a borrowed view.
unsafe impl Send for Span<'_> {}
// SAFETY: as above.
unsafe impl Sync for Span<'_> {}

/// A claimed range, lent for writing until it is returned.
#[derive(Debug)]
pub(crate) struct Lent<'a>(&'a mut [u8]);

impl<'a> Span<'a> {
    /// The span that starts `by` bytes later.
    ///
    /// # Safety
    ///
    /// The checked range must reach that far.
    #[inline]
    pub(super) unsafe fn advance(self, by: usize) -> Self {
        // SAFETY: within the checked range, or at its end.
        Self { start: unsafe { self.start.add(by) }, _view: PhantomData }
    }

    /// The word at `offset`.
    ///
    /// # Safety
    ///
    /// The word must be aligned and within the checked range.
    #[inline]
    pub(super) unsafe fn word<T: SharedWord>(self, offset: usize) -> Word<'a, T> {
        // SAFETY: as the caller says.
        Word { at: unsafe { self.start.add(offset) }.cast(), _view: PhantomData }
    }

    /// Copies `bytes` to `offset`. Short copies are inline, because a call costs more than the copy.
    ///
    /// # Safety
    ///
    /// The bytes must fit into the checked range, and the caller must own that part of it.
    #[inline(always)]
    pub(super) unsafe fn put(self, offset: usize, bytes: &[u8]) {
        // SAFETY: as the caller says; a slice of this process cannot overlap memory that is only reached by view.
        unsafe { copy_forward(bytes.as_ptr(), self.start.as_ptr().add(offset), bytes.len()) };
    }

    /// Prefetches the line for reading.
    #[inline(always)]
    pub(super) fn expect(self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint, which no address can make fault; every x86-64 processor has it.
        unsafe {
            use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.start.as_ptr().cast());
        }
    }

    /// Prefetches the line for writing, so that this core owns it by then. Changes nothing.
    #[inline(always)]
    pub(super) fn expect_write(self) {
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
    pub(super) unsafe fn bytes(self, offset: usize, len: usize) -> &'a [u8] {
        // SAFETY: as the caller says.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr().add(offset), len) }
    }

    /// Lends a claimed range for writing.
    ///
    /// # Safety
    ///
    /// The range must be within the checked range. Otherwise as [`AtomicBuffer::bytes_mut`].
    #[inline]
    pub(super) unsafe fn lend(self, offset: usize, len: usize) -> Lent<'a> {
        // SAFETY: as the caller says.
        Lent(unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr().add(offset), len) })
    }
}

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

/// Zeroes `len` bytes with stores that bypass the caches.
///
/// # Safety
///
/// The range must be valid for `len` bytes.
#[cfg(target_arch = "x86_64")]
unsafe fn stream_zeroes(to: *mut u8, len: usize) {
    use core::arch::x86_64::{__m128i, _mm_setzero_si128, _mm_sfence, _mm_stream_si128};
    const LANE: usize = size_of::<__m128i>();
    let head = to.align_offset(LANE).min(len);
    let streamed = (len - head) / LANE * LANE;
    // SAFETY: the three parts make up the range; the middle one starts aligned and is whole lanes long. Every x86-64 processor
    // has SSE2. These stores are not ordered with those that follow, as ordinary ones are: the fence sees to that.
    unsafe {
        core::ptr::write_bytes(to, 0, head);
        for at in (head..head + streamed).step_by(LANE) {
            _mm_stream_si128(to.add(at).cast(), _mm_setzero_si128());
        }
        core::ptr::write_bytes(to.add(head + streamed), 0, len - head - streamed);
        _mm_sfence();
    }
}

/// As above, for processors on which the C library's `memset` is best.
///
/// # Safety
///
/// The range must be valid for `len` bytes.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn stream_zeroes(to: *mut u8, len: usize) {
    // SAFETY: as the caller says.
    unsafe { core::ptr::write_bytes(to, 0, len) };
}

/// Copies `len` bytes between ranges that do not overlap. Up to 128 bytes are copied with a few moves that overlap each
/// other.
///
/// # Safety
///
/// Both ranges must be valid for `len` bytes.
#[inline(always)]
unsafe fn copy_forward(from: *const u8, to: *mut u8, len: usize) {
    type Vector = [u8; 16];
    /// Copies the first and the last `T` of the range, which together cover it.
    ///
    /// # Safety
    ///
    /// Both ranges must be valid for `len` bytes, and `len` must be one to two times the size of `T`.
    #[inline(always)]
    unsafe fn ends<T: Copy>(from: *const u8, to: *mut u8, len: usize) {
        let last = len - size_of::<T>();
        // SAFETY: as the caller says; both are read before either is written.
        unsafe {
            let (first, second) = (from.cast::<T>().read_unaligned(), from.add(last).cast::<T>().read_unaligned());
            to.cast::<T>().write_unaligned(first);
            to.add(last).cast::<T>().write_unaligned(second);
        }
    }
    // The lengths that messages mostly have come first.
    // SAFETY: each arm is for the lengths that it can move.
    unsafe {
        if len >= 16 {
            if len <= 32 {
                ends::<Vector>(from, to, len);
            } else if len <= 64 {
                ends::<[Vector; 2]>(from, to, len);
            } else if len <= 128 {
                ends::<[Vector; 4]>(from, to, len);
            } else {
                core::ptr::copy_nonoverlapping(from, to, len);
            }
        } else if len >= 8 {
            ends::<u64>(from, to, len);
        } else if len >= 4 {
            ends::<u32>(from, to, len);
        } else if len >= 2 {
            ends::<u16>(from, to, len);
        } else if len == 1 {
            *to = *from;
        }
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

mod sealed {
    pub trait Sealed: Copy {
        type Atomic;
    }
    impl Sealed for i32 {
        type Atomic = super::AtomicI32;
    }
    impl Sealed for i64 {
        type Atomic = super::AtomicI64;
    }
}

/// The types of shared words: `i32` and `i64`, the two widths in all layouts.
pub trait SharedWord: sealed::Sealed {}
impl SharedWord for i32 {}
impl SharedWord for i64 {}

/// A word of a view, borrowed from it. The method names contain the memory ordering.
#[derive(Debug)]
pub struct Word<'a, T: SharedWord> {
    at: NonNull<T::Atomic>,
    _view: PhantomData<&'a AtomicBuffer>,
}

/// A word of a view that keeps its memory alive: for example a position or a limit that a handle loads on every call.
#[derive(Debug)]
pub struct OwnedWord<T: SharedWord> {
    at: NonNull<T::Atomic>,
    _region: Arc<Region>,
}

impl<T: SharedWord> Clone for OwnedWord<T> {
    fn clone(&self) -> Self {
        Self { at: self.at, _region: Arc::clone(&self._region) }
    }
}

// SAFETY: the word is an atomic in memory that the value keeps alive.
unsafe impl<T: SharedWord> Send for OwnedWord<T> {}
// SAFETY: as above.
unsafe impl<T: SharedWord> Sync for OwnedWord<T> {}

macro_rules! word_methods {
    ($type:ty) => {
        /// Loads the word with relaxed ordering.
        #[inline]
        pub fn load_relaxed(&self) -> $type {
            self.atomic().load(Ordering::Relaxed)
        }

        /// Loads the word with acquire ordering. Everything stored before the release store that it sees is visible
        /// afterwards.
        #[inline]
        pub fn load_acquire(&self) -> $type {
            self.atomic().load(Ordering::Acquire)
        }

        /// Stores the word with relaxed ordering.
        #[inline]
        pub fn store_relaxed(&self, value: $type) {
            self.atomic().store(value, Ordering::Relaxed);
        }

        /// Stores the word with release ordering, which publishes everything stored before it.
        #[inline]
        pub fn store_release(&self, value: $type) {
            self.atomic().store(value, Ordering::Release);
        }

        /// Adds to the word, wrapping, with acquire-release ordering. Returns the previous value.
        #[inline]
        pub fn fetch_add(&self, delta: $type) -> $type {
            self.atomic().fetch_add(delta, Ordering::AcqRel)
        }

        /// Replaces `current` with `new`, with acquire-release ordering.
        ///
        /// # Errors
        ///
        /// The value found instead of `current`, loaded with acquire ordering.
        #[inline]
        pub fn compare_exchange(&self, current: $type, new: $type) -> Result<$type, $type> {
            self.atomic().compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire)
        }
    };
}

macro_rules! word {
    ($type:ty) => {
        impl Word<'_, $type> {
            #[inline]
            fn atomic(&self) -> &<$type as sealed::Sealed>::Atomic {
                // SAFETY: the address was checked against its view when the word was made, and the view outlives the word.
                unsafe { self.at.as_ref() }
            }

            word_methods!($type);
        }

        impl OwnedWord<$type> {
            #[inline]
            fn atomic(&self) -> &<$type as sealed::Sealed>::Atomic {
                // SAFETY: the address was checked against its view when the word was made, and the region lives as long
                // as the word.
                unsafe { self.at.as_ref() }
            }

            word_methods!($type);
        }
    };
}

word!(i32);
word!(i64);

/// Cache lines in memory of this process with 64-bit words, initially 0, for communication between threads. Threads
/// that write to different lines do not slow each other down. A word keeps the memory alive.
#[derive(Debug)]
pub struct CacheLines(AtomicBuffer);

impl CacheLines {
    /// Creates this many lines.
    ///
    /// # Panics
    ///
    /// If `count` is 0, or too large for the memory.
    pub fn new(count: usize) -> Self {
        Self(AtomicBuffer::heap(count * CACHE_LINE_LENGTH))
    }

    /// The word `index` of a line.
    ///
    /// # Panics
    ///
    /// If there is no such line or word.
    pub fn word(&self, line: usize, index: usize) -> OwnedWord<i64> {
        assert!(index < CACHE_LINE_LENGTH / size_of::<i64>(), "a word of a line");
        self.0.own(Field::at(line * CACHE_LINE_LENGTH + index * size_of::<i64>()))
    }
}

impl OwnedWord<i32> {
    /// The address of the word, valid as long as `self` exists.
    pub(super) fn address(&self) -> NonNull<AtomicI32> {
        self.at
    }
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

    #[test]
    fn lines_outlive_what_they_came_from_and_share_no_word() {
        let lines = CacheLines::new(2);
        let words = [lines.word(0, 0), lines.word(0, 1), lines.word(1, 0)];
        drop(lines);
        (1..).zip(&words).for_each(|(value, word)| word.store_release(value));
        assert_eq!(words.map(|word| word.load_acquire()), [1, 2, 3]);
    }

    #[test]
    #[should_panic(expected = "leaves its view")]
    fn there_is_no_line_behind_the_last() {
        CacheLines::new(1).word(1, 0);
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
