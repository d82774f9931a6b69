//! A word of shared memory: checked once, then read and written without further checks. The method names contain the
//! memory ordering.
#![allow(unsafe_code, reason = "UNSAFE FENCE: turns addresses that were checked into atomics")]

use core::marker::PhantomData;
use core::ptr::NonNull;
use std::sync::Arc;

use super::AtomicBuffer;
use crate::memory::Region;
use crate::sync::{AtomicI32, AtomicI64, Ordering};

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

impl<T: SharedWord> Word<'_, T> {
    /// The word at an address.
    ///
    /// # Safety
    ///
    /// The word must be aligned and within a view, and must not outlive that view.
    #[inline]
    pub(super) unsafe fn new(at: NonNull<T::Atomic>) -> Self {
        Self { at, _view: PhantomData }
    }
}

impl<T: SharedWord> OwnedWord<T> {
    /// The word at an address.
    ///
    /// # Safety
    ///
    /// The word must be aligned and within `region`.
    pub(super) unsafe fn new(at: NonNull<T::Atomic>, region: Arc<Region>) -> Self {
        Self { at, _region: region }
    }
}

impl OwnedWord<i32> {
    /// The address of the word, valid as long as `self` exists.
    pub(in crate::memory) fn address(&self) -> NonNull<AtomicI32> {
        self.at
    }
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
