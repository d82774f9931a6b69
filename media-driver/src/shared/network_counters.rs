//! The driver's own counters for sender and receiver. Both store some of them, so all are updated by atomic addition.

use gannet::counters::SystemCounter;
use gannet::memory::{CacheLines, OwnedWord};

/// The words of the system counters, by id. Clones share the words.
#[derive(Clone, Debug)]
pub struct NetworkCounters {
    words: Box<[OwnedWord<i64>]>,
}

impl NetworkCounters {
    /// Built from the words of the system counters, as returned by `word`.
    pub fn new(word: impl FnMut(SystemCounter) -> OwnedWord<i64>) -> Self {
        Self { words: SystemCounter::ALL.into_iter().map(word).collect() }
    }

    /// In the memory of this process, for simulations and tests.
    pub fn heap() -> Self {
        let lines = CacheLines::new(SystemCounter::ALL.len());
        Self::new(|counter| lines.word(counter as usize, 0))
    }

    /// The word of a counter that has a single writer, for that writer.
    pub fn word(&self, counter: SystemCounter) -> OwnedWord<i64> {
        self.words[counter as usize].clone()
    }

    /// Increments a counter.
    pub fn count(&self, counter: SystemCounter) {
        self.add(counter, 1);
    }

    /// Adds to a counter.
    pub fn add(&self, counter: SystemCounter, amount: i64) {
        if let Some(word) = self.words.get(counter as usize) {
            word.fetch_add(amount);
        }
    }

    /// The value of a counter.
    pub fn get(&self, counter: SystemCounter) -> i64 {
        self.words.get(counter as usize).map_or(0, |word| word.load_acquire())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_is_its_own() {
        let counters = NetworkCounters::heap();
        counters.count(SystemCounter::InvalidPackets);
        counters.clone().add(SystemCounter::InvalidPackets, 2);
        assert_eq!(counters.get(SystemCounter::InvalidPackets), 3);
        assert_eq!(counters.get(SystemCounter::Errors), 0);
    }
}
