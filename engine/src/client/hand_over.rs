//! Hands changes from the conductor to the one thread that owns the changed object.
//!
//! The conductor locks and adds. The owner reads one word per poll, and locks only if that word has changed. So polling
//! costs one load that hits the cache, and neither locks nor allocates while nothing changes. This file does not know
//! what a change is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sync::{AtomicI32, Ordering};

/// A list of changes with one consumer.
#[derive(Debug)]
pub(super) struct HandOver<C> {
    /// Incremented, wrapping, with every edit.
    version: AtomicI32,
    changes: Mutex<Vec<C>>,
}

impl<C> HandOver<C> {
    /// An empty list, at version 0.
    pub(super) fn new() -> Self {
        Self { version: AtomicI32::new(0), changes: Mutex::new(Vec::new()) }
    }

    /// Lets the conductor add changes, or remove ones that were not picked up.
    pub(super) fn edit(&self, edit: impl FnOnce(&mut Vec<C>)) {
        let mut changes = self.lock();
        edit(&mut changes);
        // Only the conductor edits, under the lock, so no read-modify-write is needed. Relaxed is sufficient, because a
        // reader that sees the new version takes the lock before it reads the changes.
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
    }

    /// The version to compare with the last result of [`Self::take`]. If it differs, there are changes. Relaxed: see
    /// `edit`.
    #[inline]
    pub(super) fn version(&self) -> i32 {
        self.version.load(Ordering::Relaxed)
    }

    /// Moves all changes to the end of `into`. Returns the version after them.
    pub(super) fn take(&self, into: &mut Vec<C>) -> i32 {
        let mut changes = self.lock();
        into.append(&mut changes);
        self.version.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<C>> {
        // A panic cannot leave the list half edited.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_arrive_in_order_and_once() {
        let hand_over = HandOver::new();
        let mut owned = Vec::new();
        let seen = hand_over.version();
        hand_over.edit(|changes| changes.push(1));
        hand_over.edit(|changes| changes.extend([2, 3]));
        assert_ne!(hand_over.version(), seen);
        let seen = hand_over.take(&mut owned);
        assert_eq!((owned.as_slice(), hand_over.version()), ([1, 2, 3].as_slice(), seen));
        hand_over.edit(|changes| changes.push(4));
        hand_over.edit(|changes| changes.clear());
        assert_ne!(hand_over.version(), seen, "an edit that is taken back still shows: the owner merely looks in vain");
        hand_over.take(&mut owned);
        assert_eq!(owned, [1, 2, 3]);
    }
}
