//! Duplicates: whether a message has the key of one of the messages before it, within the window. The window bounds the
//! memory, and is read again from the journal after a restart.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::journal::error::JournalError;
use crate::journal::recording::Recording;
use crate::journal::tailer::{Record, Start};
use crate::types::Position;

/// The keys of the last messages. A message without a key takes a place in the window, but is never a duplicate.
#[derive(Clone, Debug)]
pub struct Window<K> {
    width: usize,
    keys: VecDeque<Option<K>>,
    counts: HashMap<K, usize>,
}

impl<K: Clone + Eq + Hash> Window<K> {
    /// An empty window over the last `width` messages.
    pub fn new(width: usize) -> Self {
        Self { width, keys: VecDeque::new(), counts: HashMap::new() }
    }

    /// A window over the last messages before `position`, for a consumer that was restarted.
    ///
    /// # Errors
    ///
    /// As [`Recording::tailer`] and [`Tailer::previous`](crate::journal::Tailer::previous).
    pub fn restore(
        recording: &Recording,
        position: Position,
        width: usize,
        mut key: impl FnMut(&Record<'_>) -> Option<K>,
    ) -> Result<Self, JournalError> {
        let mut window = Self::new(width);
        let mut tailer = recording.tailer(Start::Position(position))?;
        while window.keys.len() < width {
            let Some(record) = tailer.previous()? else { break };
            let key = key(&record);
            window.count(key.as_ref());
            window.keys.push_front(key);
        }
        Ok(window)
    }

    /// Whether a message in the window has this key.
    pub fn contains(&self, key: &K) -> bool {
        self.counts.contains_key(key)
    }

    /// Adds the next message. Returns whether it is new, which means that no message in the window has its key.
    pub fn insert(&mut self, key: Option<K>) -> bool {
        let is_new = key.as_ref().is_none_or(|key| !self.contains(key));
        self.count(key.as_ref());
        self.keys.push_back(key);
        while self.keys.len() > self.width {
            self.forget_oldest();
        }
        is_new
    }

    /// The number of messages in the window, at most its width.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether the window is empty.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn count(&mut self, key: Option<&K>) {
        if let Some(key) = key {
            *self.counts.entry(key.clone()).or_insert(0) += 1;
        }
    }

    fn forget_oldest(&mut self) {
        let Some(Some(key)) = self.keys.pop_front() else { return };
        if let Some(count) = self.counts.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_is_new_unless_it_is_among_the_last_ones(
            keys in proptest::collection::vec(proptest::option::of(0_u8..6), 0..200),
            width in 0_usize..12,
        ) {
            let mut window = Window::new(width);
            for (at, &key) in keys.iter().enumerate() {
                let before = &keys[at.saturating_sub(width)..at];
                prop_assert_eq!(window.insert(key), key.is_none() || !before.contains(&key));
                prop_assert!(window.len() <= width && window.counts.len() <= width);
            }
        }
    }
}
