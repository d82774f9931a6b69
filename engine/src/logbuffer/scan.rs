//! Walks the committed frames of a term. Every reader is built on this.

use crate::memory::{CommittedFrame, FrameCursor, OwnedWord, Partition};
use crate::types::Position;

use super::LogBuffers;

/// The committed frames from a position to the end of its term.
///
/// Nothing in the log is trusted. A frame with an invalid length (shorter than a header, or crossing the end of the
/// term) ends the scan like one that is not committed yet. There are no frames at a position where no frame can start.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    cursor: FrameCursor<'a>,
    /// The position of the term's end.
    term_end: i64,
}

impl<'a> Scan<'a> {
    #[inline]
    pub(super) fn new(log: &'a LogBuffers, position: i64) -> Option<Self> {
        let term_length = log.term_length();
        let at = Position::new(position);
        let partition = Partition::of_term_count(term_length.term_count(at));
        let cursor = log.terms().cursor(partition, term_length.offset(at) as usize)?;
        // A counter may have any value, so this may wrap. Such a position is invalid anyway.
        let term_end = position.wrapping_add(cursor.remaining() as i64);
        Some(Self { cursor, term_end })
    }

    /// The position of the next frame.
    #[inline]
    pub(super) fn position(&self) -> i64 {
        self.term_end.wrapping_sub(self.cursor.remaining() as i64)
    }

    /// The distance to the end of the term in bytes.
    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.cursor.remaining()
    }

    /// The value of [`Self::remaining`] at `bound`, limited to the range from the start of the scan to the end of the
    /// term.
    #[inline]
    pub(super) fn remaining_at(&self, bound: i64) -> usize {
        let to_bound = bound.saturating_sub(self.position()).max(0) as usize;
        self.remaining().saturating_sub(to_bound)
    }

    /// The next frame, if it is committed.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<CommittedFrame<'a>> {
        let word = self.cursor.length_word()?;
        // ORDERING(log.frame-committed): Acquire. Pairs with the Release store of `commit` in `frame`; the header words and the
        // payload are visible from here on.
        let length = word.load_acquire();
        self.cursor.take(length)
    }

    /// The present length word of the next frame. 0 at the end of the term.
    pub(super) fn peek_length(&self) -> i32 {
        self.cursor.length_word().map_or(0, |word| word.load_relaxed())
    }

    /// The cursor at the next frame.
    #[inline]
    pub(super) fn cursor(&self) -> &FrameCursor<'a> {
        &self.cursor
    }
}

/// Whether a reader still owns its position counter. The driver may take the counter away while a handler runs.
pub(crate) trait Tenure {
    /// Whether the reader may still store to the counter.
    fn holds(&self) -> bool;
    /// Notes that the reader has consumed everything below this position, whether or not it may store to the counter.
    fn has_read_to(&self, position: i64);
}

/// The tenure of a reader whose counter is never taken away.
pub(super) struct ForEver;

impl Tenure for ForEver {
    #[inline(always)]
    fn holds(&self) -> bool {
        true
    }

    #[inline(always)]
    fn has_read_to(&self, _: i64) {}
}

/// A scan that moves a subscriber's position over the consumed frames, once, when it ends.
pub(super) struct Consume<'a, T: Tenure> {
    pub(super) scan: Scan<'a>,
    word: &'a OwnedWord<i64>,
    tenure: T,
    published: i64,
}

impl<'a, T: Tenure> Consume<'a, T> {
    #[inline]
    pub(super) fn new(log: &'a LogBuffers, word: &'a OwnedWord<i64>, tenure: T) -> Option<Self> {
        let position = word.load_relaxed();
        Some(Self { scan: Scan::new(log, position)?, word, tenure, published: position })
    }

    /// Publishes the position of the scan, if the reader still owns the counter.
    #[inline]
    pub(super) fn publish(&mut self) {
        let position = self.scan.position();
        if position != self.published {
            self.published = position;
            self.tenure.has_read_to(position);
            // Checked after the handler, which may have taken so long that the driver has reused the counter.
            if self.tenure.holds() {
                // ORDERING(pos.subscriber): Release. Pairs with the conductor's Acquire load; the bytes below are
                // consumed.
                self.word.store_release(position);
            }
        }
    }
}

impl<T: Tenure> Drop for Consume<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.publish();
    }
}
