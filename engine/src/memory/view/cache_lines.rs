//! Words on cache lines of their own, by which threads of one process tell each other positions, limits and counts.

use super::{AtomicBuffer, OwnedWord};
use crate::memory::{CACHE_LINE_LENGTH, Field};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
