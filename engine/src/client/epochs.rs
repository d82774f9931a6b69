//! The bindings of a handle that many threads use, one per session epoch.
//!
//! A concurrent publication and a counter are used through `&self`, so no thread may remove a binding while another is
//! in the middle of a call on it. Bindings are therefore only ever added. Each epoch links to the next, a reader walks
//! to the newest, and all are freed with the handle. A handle usually has one epoch, which costs its reader one load.
//! The conductor adds and closes bindings; readers never wait for it. This file must never free a binding that a reader
//! may hold, nor block a reader.

use std::sync::OnceLock;

use crate::sync::{AtomicI32, Ordering};

/// The chain of a handle's bindings.
#[derive(Debug)]
pub(super) struct Epochs<T> {
    first: Epoch<T>,
}

#[derive(Debug)]
struct Epoch<T> {
    open: AtomicI32,
    binding: T,
    next: OnceLock<Box<Epoch<T>>>,
}

const OPEN: i32 = 1;
const CLOSED: i32 = 0;

impl<T> Epoch<T> {
    fn new(binding: T) -> Self {
        Self { open: AtomicI32::new(OPEN), binding, next: OnceLock::new() }
    }

    #[inline]
    fn is_open(&self) -> bool {
        // ORDERING(client.epoch-open): Acquire. Pairs with the Release store in `close`, so that a reader that finds an
        // epoch closed also sees what led to it; an open epoch needs no more than the reference it was reached through.
        self.open.load(Ordering::Acquire) == OPEN
    }
}

impl<T> Epochs<T> {
    /// A chain with an open first binding.
    pub(super) fn new(binding: T) -> Self {
        Self { first: Epoch::new(binding) }
    }

    /// The current binding. `None` if the handle is closed or its client has no driver.
    #[inline]
    pub(super) fn current(&self) -> Option<&T> {
        if self.first.is_open() {
            return Some(&self.first.binding);
        }
        self.later()
    }

    /// The newest binding, open or closed. For properties that stay readable, such as ids.
    pub(super) fn newest(&self) -> &T {
        &self.last().binding
    }

    /// Closes the current epoch, if there is one. Calls that already hold its binding complete.
    pub(super) fn close(&self) {
        // ORDERING(client.epoch-open): Release. Pairs with the Acquire load in `is_open`.
        self.last().open.store(CLOSED, Ordering::Release);
    }

    /// Closes the current epoch and begins another. Only the conductor calls this, under its lock.
    pub(super) fn renew(&self, binding: T) {
        let last = self.last();
        last.open.store(CLOSED, Ordering::Release);
        let renewed = last.next.set(Box::new(Epoch::new(binding)));
        debug_assert!(renewed.is_ok(), "the conductor alone adds epochs");
    }

    fn later(&self) -> Option<&T> {
        let last = self.last();
        last.is_open().then_some(&last.binding)
    }

    fn last(&self) -> &Epoch<T> {
        let mut epoch = &self.first;
        while let Some(next) = epoch.next.get() {
            epoch = next;
        }
        epoch
    }
}

impl<T> Drop for Epochs<T> {
    /// Iterative, so that a long chain does not overflow the stack.
    fn drop(&mut self) {
        let mut next = self.first.next.take();
        while let Some(mut epoch) = next {
            next = epoch.next.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_open_binding_is_in_force() {
        let epochs = Epochs::new("first");
        assert_eq!(epochs.current(), Some(&"first"));
        epochs.close();
        assert_eq!(epochs.current(), None);
        assert_eq!(epochs.newest(), &"first", "what was bound stays readable");
        epochs.renew("second");
        assert_eq!(epochs.current(), Some(&"second"));
        epochs.renew("third");
        assert_eq!(epochs.current(), Some(&"third"));
        epochs.close();
        epochs.close();
        assert_eq!(epochs.current(), None);
    }

    #[test]
    fn a_reader_keeps_the_binding_it_took() {
        let epochs = Epochs::new(vec![1]);
        let held = epochs.current().unwrap();
        epochs.renew(vec![2]);
        assert_eq!((held, epochs.current().unwrap()), (&vec![1], &vec![2]));
    }
}
