//! The same views on loom's cells, for models that explore every interleaving of the shipped algorithms.
//!
//! A buffer is a run of eight-byte slots. Each slot is either one 64-bit word or two 32-bit words. This is set when the
//! buffer is made, and an access of the other width fails the model ("one word, one width"). Beside each 32-bit word is
//! a cell through which loom sees plain accesses. A bulk copy that meets another access to the same word, without an
//! ordering between them, fails the model as a data race. Word accesses are atomic and may meet.
#![allow(unsafe_code, reason = "UNSAFE FENCE: lends copies of model memory with the signatures of the real views")]

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::{Arc, Mutex};

use loom::cell::UnsafeCell;

use super::Field;
use crate::sync::{AtomicI32, AtomicI64, Ordering};
use crate::weaken::{Operation, is_weakened};

struct Slot {
    words: Words,
    plain: [UnsafeCell<()>; 2],
}

enum Words {
    Wide(AtomicI64),
    Narrow([AtomicI32; 2]),
}

struct Region {
    slots: Vec<Slot>,
    /// The copies returned by `bytes`, kept as long as the region.
    lent: Mutex<Vec<Arc<[u8]>>>,
}

// SAFETY: loom runs one thread at a time and checks every access to its cells itself.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

/// A view of model memory. See the production type of this name.
#[derive(Clone)]
pub struct AtomicBuffer {
    region: Arc<Region>,
    start: usize,
    len: usize,
}

impl fmt::Debug for AtomicBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicBuffer").field("len", &self.len).finish_non_exhaustive()
    }
}

impl AtomicBuffer {
    /// Zeroed model memory of `length` bytes. `wide` has the offsets of 64-bit words; all other words have 32 bits.
    /// Must be called within a model.
    pub fn model(length: usize, wide: &[usize]) -> Self {
        assert!(length.is_multiple_of(8) && wide.iter().all(|offset| offset.is_multiple_of(8)));
        let slots = (0..length / 8)
            .map(|slot| Slot {
                words: if wide.contains(&(slot * 8)) {
                    Words::Wide(AtomicI64::new(0))
                } else {
                    Words::Narrow([AtomicI32::new(0), AtomicI32::new(0)])
                },
                plain: [UnsafeCell::new(()), UnsafeCell::new(())],
            })
            .collect();
        Self { region: Arc::new(Region { slots, lent: Mutex::default() }), start: 0, len: length }
    }

    /// The view's length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the view is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A view of `len` bytes from `offset`.
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        self.check(offset, len);
        Self { region: Arc::clone(&self.region), start: self.start + offset, len }
    }

    /// The word of `field`.
    pub fn word<T: SharedWord>(&self, field: Field<T>) -> Word<'_, T> {
        self.word_at(field.start())
    }

    /// The word at `offset`.
    pub fn word_at<T: SharedWord>(&self, offset: usize) -> Word<'_, T> {
        Word { word: self.own(Field::at(offset)), _view: PhantomData }
    }

    /// The word of `field`, as a value that keeps the memory alive.
    pub fn own<T: SharedWord>(&self, field: Field<T>) -> OwnedWord<T> {
        self.check(field.start(), size_of::<T>());
        let at = self.start + field.start();
        assert!(at.is_multiple_of(size_of::<T>()), "a word at {at} is misaligned");
        OwnedWord { region: Arc::clone(&self.region), at, _word: PhantomData }
    }

    /// Copies `bytes` into the view.
    pub fn put_bytes(&self, offset: usize, bytes: &[u8]) {
        self.store_plain(offset, bytes.len(), |index| bytes[index]);
    }

    /// Copies bytes out of the view.
    pub fn get_bytes(&self, offset: usize, bytes: &mut [u8]) {
        self.check(offset, bytes.len());
        for (index, byte) in bytes.iter_mut().enumerate() {
            let at = self.start + offset + index;
            let slot = &self.region.slots[at / 8];
            slot.plain[at % 8 / 4].with(|_| ());
            *byte = slot.byte(at % 8);
        }
    }

    /// Stores `bytes` word by word with relaxed ordering.
    pub fn store_words_relaxed(&self, offset: usize, bytes: &[u8]) {
        for (index, chunk) in bytes.chunks(4).enumerate() {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word_at::<i32>(offset + index * 4).store_relaxed(i32::from_le_bytes(word));
        }
    }

    /// Loads bytes word by word with relaxed ordering.
    pub fn load_words_relaxed(&self, offset: usize, bytes: &mut [u8]) {
        for (index, chunk) in bytes.chunks_mut(4).enumerate() {
            let word = self.word_at::<i32>(offset + index * 4).load_relaxed().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    /// Loads with acquire ordering where a bulk copy may race. The race detector does not see this access.
    #[track_caller]
    pub fn probe_acquire(&self, offset: usize) -> i32 {
        self.check(offset, 4);
        let at = self.start + offset;
        match &self.region.slots[at / 8].words {
            Words::Narrow(words) => {
                words[at % 8 / 4].load(ordering(Operation::Load, Ordering::Acquire, Location::caller()))
            }
            Words::Wide(_) => panic!("the word at {at} has another width: one word, one width"),
        }
    }

    /// Copies from another view, or within this one.
    pub fn copy_from(&self, offset: usize, source: &Self, source_offset: usize, len: usize) {
        let mut bytes = vec![0; len];
        source.get_bytes(source_offset, &mut bytes);
        self.put_bytes(offset, &bytes);
    }

    /// Zeroes a range.
    pub fn zero(&self, offset: usize, len: usize) {
        self.store_plain(offset, len, |_| 0);
    }

    /// Zeroes a range. A model has no caches.
    pub fn zero_past_cache(&self, offset: usize, len: usize) {
        self.zero(offset, len);
    }

    /// Returns a copy of a published range.
    ///
    /// # Safety
    ///
    /// As for the production type.
    pub unsafe fn bytes(&self, offset: usize, len: usize) -> &[u8] {
        let mut copy = vec![0; len];
        self.get_bytes(offset, &mut copy);
        let copy: Arc<[u8]> = copy.into();
        let lent = core::ptr::from_ref::<[u8]>(&copy);
        self.region.lent.lock().expect("no panic while it is held").push(copy);
        // SAFETY: the region holds the copy until it is dropped itself, and the view keeps the region.
        unsafe { &*lent }
    }

    /// Whether the address of the view is a multiple of `alignment`.
    pub(super) fn is_aligned_to(&self, alignment: usize) -> bool {
        self.start.is_multiple_of(alignment)
    }

    /// The whole view, for accesses that are checked elsewhere.
    pub(super) fn whole_span(&self) -> Span<'_> {
        Span { view: self.clone(), _view: PhantomData }
    }

    fn check(&self, offset: usize, len: usize) {
        assert!(offset <= self.len && len <= self.len - offset, "{len} bytes at {offset} leave a view of {}", self.len);
    }

    fn store_plain(&self, offset: usize, len: usize, byte: impl Fn(usize) -> u8) {
        self.check(offset, len);
        let (begin, end) = (self.start + offset, self.start + offset + len);
        let mut at = begin;
        while at < end {
            let slot = &self.region.slots[at / 8];
            let word = slot.word_of(at % 8);
            let next = end.min(at / 8 * 8 + word.end);
            (at / 4..next.div_ceil(4)).for_each(|half| slot.plain[half % 2].with_mut(|_| ()));
            // Stores the whole word at once, and without loading the old one if nothing of it remains. Loom only
            // detects a conflict of two accesses if no other access of the same thread is between them.
            let mut bytes = if next - at == word.len() { [0; 8] } else { slot.bytes(word.start) };
            for index in at..next {
                bytes[index % 8 - word.start] = byte(index - begin);
            }
            slot.set_bytes(word.start, bytes);
            at = next;
        }
    }
}

/// A range of a view. See the production type of this name. Here every access is checked.
#[derive(Clone, Debug)]
pub(super) struct Span<'a> {
    view: AtomicBuffer,
    _view: PhantomData<&'a AtomicBuffer>,
}

/// A claimed range, lent for writing: a copy, which is stored as one plain write when it is returned.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    view: AtomicBuffer,
    bytes: Vec<u8>,
    _view: PhantomData<&'a AtomicBuffer>,
}

impl<'a> Span<'a> {
    /// The span that starts `by` bytes later.
    pub(super) unsafe fn advance(self, by: usize) -> Self {
        Self { view: self.view.slice(by, self.view.len - by), _view: PhantomData }
    }

    /// A model has no caches.
    pub(super) fn expect(self) {}

    /// A model has no caches.
    pub(super) fn expect_write(self) {}

    /// The word at `offset`.
    pub(super) unsafe fn word<T: SharedWord>(&self, offset: usize) -> Word<'a, T> {
        Word { word: self.view.own(Field::at(offset)), _view: PhantomData }
    }

    /// Copies `bytes` to `offset`.
    pub(super) unsafe fn put(&self, offset: usize, bytes: &[u8]) {
        self.view.put_bytes(offset, bytes);
    }

    /// Returns a copy of a published range.
    pub(super) unsafe fn bytes(&self, offset: usize, len: usize) -> &'a [u8] {
        // SAFETY: the copy lives as long as the region, which the view that this span borrows keeps.
        unsafe { &*core::ptr::from_ref(self.view.bytes(offset, len)) }
    }

    /// Lends a claimed range for writing.
    pub(super) unsafe fn lend(&self, offset: usize, len: usize) -> Lent<'a> {
        let view = self.view.slice(offset, len);
        let mut bytes = vec![0; len];
        view.get_bytes(0, &mut bytes);
        Lent { view, bytes, _view: PhantomData }
    }
}

impl Lent<'_> {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, for writing.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Ends the loan: stores what was written, so that it can be published.
    pub(crate) fn give_back(&mut self) {
        self.view.put_bytes(0, &self.bytes);
    }
}

/// Model memory is never truncated. See the production function of this name.
#[cfg(feature = "journal")]
pub(crate) fn faults() -> i64 {
    0
}

impl Slot {
    /// The range of the word that contains the byte at `index`.
    fn word_of(&self, index: usize) -> core::ops::Range<usize> {
        match &self.words {
            Words::Wide(_) => 0..8,
            Words::Narrow(_) => index / 4 * 4..index / 4 * 4 + 4,
        }
    }

    fn byte(&self, index: usize) -> u8 {
        let start = self.word_of(index).start;
        self.bytes(start)[index - start]
    }

    /// The bytes of the word at `start`. A 32-bit word uses the first four.
    fn bytes(&self, start: usize) -> [u8; 8] {
        match &self.words {
            Words::Wide(word) => word.load(Ordering::Relaxed).to_le_bytes(),
            Words::Narrow(words) => i64::from(words[start / 4].load(Ordering::Relaxed)).to_le_bytes(),
        }
    }

    fn set_bytes(&self, start: usize, bytes: [u8; 8]) {
        match &self.words {
            Words::Wide(word) => word.store(i64::from_le_bytes(bytes), Ordering::Relaxed),
            Words::Narrow(words) => words[start / 4].store(i64::from_le_bytes(bytes) as i32, Ordering::Relaxed),
        }
    }
}

mod sealed {
    pub trait Sealed: Copy {}
    impl Sealed for i32 {}
    impl Sealed for i64 {}
}

/// The types of shared words: `i32` and `i64`.
pub trait SharedWord: sealed::Sealed {}
impl SharedWord for i32 {}
impl SharedWord for i64 {}

/// A word of a view. See the production type of this name.
pub struct Word<'a, T: SharedWord> {
    word: OwnedWord<T>,
    _view: PhantomData<&'a AtomicBuffer>,
}

/// A word that keeps its memory alive. See the production type of this name.
pub struct OwnedWord<T: SharedWord> {
    region: Arc<Region>,
    at: usize,
    _word: PhantomData<T>,
}

impl<T: SharedWord> fmt::Debug for OwnedWord<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedWord").field("at", &self.at).finish_non_exhaustive()
    }
}

impl<T: SharedWord> fmt::Debug for Word<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.word.fmt(f)
    }
}

impl<T: SharedWord> Clone for OwnedWord<T> {
    fn clone(&self) -> Self {
        Self { region: Arc::clone(&self.region), at: self.at, _word: PhantomData }
    }
}

impl<T: SharedWord> OwnedWord<T> {
    fn slot(&self) -> &Slot {
        &self.region.slots[self.at / 8]
    }

    /// Marks an atomic read. It may race with atomic accesses, but not with a plain store.
    fn reading(&self) {
        for word in self.at % 8 / 4..(self.at % 8 + size_of::<T>()) / 4 {
            self.slot().plain[word].with(|_| ());
        }
    }
}

/// The effective ordering of an operation at this line.
fn ordering(operation: Operation, ordering: Ordering, at: &'static Location<'static>) -> Ordering {
    if is_weakened(operation, at) { Ordering::Relaxed } else { ordering }
}

macro_rules! word {
    ($type:ty, $atomic:ty, $pick:expr) => {
        impl OwnedWord<$type> {
            fn atomic(&self) -> &$atomic {
                let pick: fn(&Words, usize) -> Option<&$atomic> = $pick;
                self.reading();
                pick(&self.slot().words, self.at)
                    .unwrap_or_else(|| panic!("the word at {} has another width: one word, one width", self.at))
            }

            /// Loads the word with relaxed ordering.
            pub fn load_relaxed(&self) -> $type {
                self.atomic().load(Ordering::Relaxed)
            }

            /// Loads the word with acquire ordering.
            #[track_caller]
            pub fn load_acquire(&self) -> $type {
                self.atomic().load(ordering(Operation::Load, Ordering::Acquire, Location::caller()))
            }

            /// Stores the word with relaxed ordering.
            pub fn store_relaxed(&self, value: $type) {
                self.atomic().store(value, Ordering::Relaxed);
            }

            /// Stores the word with release ordering.
            #[track_caller]
            pub fn store_release(&self, value: $type) {
                self.atomic().store(value, ordering(Operation::Store, Ordering::Release, Location::caller()));
            }

            /// Adds to the word. Returns the previous value.
            #[track_caller]
            pub fn fetch_add(&self, delta: $type) -> $type {
                let at = Location::caller();
                if is_weakened(Operation::Split, at) {
                    let found = self.atomic().load(Ordering::Acquire);
                    self.atomic().store(found.wrapping_add(delta), Ordering::Release);
                    return found;
                }
                self.atomic().fetch_add(delta, ordering(Operation::Update, Ordering::AcqRel, at))
            }

            /// Replaces `current` with `new`.
            ///
            /// # Errors
            ///
            /// The value found instead of `current`.
            #[track_caller]
            pub fn compare_exchange(&self, current: $type, new: $type) -> Result<$type, $type> {
                let at = Location::caller();
                if is_weakened(Operation::Split, at) {
                    let found = self.atomic().load(Ordering::Acquire);
                    if found != current {
                        return Err(found);
                    }
                    self.atomic().store(new, Ordering::Release);
                    return Ok(found);
                }
                let success = ordering(Operation::Update, Ordering::AcqRel, at);
                self.atomic().compare_exchange(
                    current,
                    new,
                    success,
                    ordering(Operation::Update, Ordering::Acquire, at),
                )
            }
        }

        impl core::ops::Deref for Word<'_, $type> {
            type Target = OwnedWord<$type>;

            fn deref(&self) -> &Self::Target {
                &self.word
            }
        }
    };
}

word!(i32, AtomicI32, |words, at| match words {
    Words::Narrow(words) => Some(&words[at % 8 / 4]),
    Words::Wide(_) => None,
});
word!(i64, AtomicI64, |words, _| match words {
    Words::Wide(word) => Some(word),
    Words::Narrow(_) => None,
});
