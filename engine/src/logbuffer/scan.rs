//! Walking the committed frames of a term. Every reader is built on this.

use crate::memory::{CommittedFrame, FrameCursor, OwnedWord, Partition};
use crate::types::Position;

use super::LogBuffers;

/// The committed frames from a position to the end of its term.
///
/// Nothing in the log is trusted: a frame whose length is impossible (shorter than a header, or leading out of the term) ends
/// the scan like one that is not committed yet, and a position where no frame can start has no frames.
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
        // A counter may hold any number, so this may wrap; such a position is as wrong as it was.
        let term_end = position.wrapping_add(cursor.remaining() as i64);
        Some(Self { cursor, term_end })
    }

    /// The position of the next frame.
    #[inline]
    pub(super) fn position(&self) -> i64 {
        self.term_end.wrapping_sub(self.cursor.remaining() as i64)
    }

    /// How far the end of the term is, in bytes.
    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.cursor.remaining()
    }

    /// What [`Self::remaining`] is where the scan has come to `bound`: where it starts, at the earliest, and at the end of the term,
    /// at the latest.
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

    /// The length word of the next frame as it is now; 0 at the end of the term.
    pub(super) fn peek_length(&self) -> i32 {
        self.cursor.length_word().map_or(0, |word| word.load_relaxed())
    }

    /// Where the scan is.
    #[inline]
    pub(super) fn cursor(&self) -> &FrameCursor<'a> {
        &self.cursor
    }
}

/// A scan that moves a subscriber's position over the frames that it has handed over: once, when it ends, however it ends.
pub(super) struct Consume<'a> {
    pub(super) scan: Scan<'a>,
    word: &'a OwnedWord<i64>,
    published: i64,
}

impl<'a> Consume<'a> {
    #[inline]
    pub(super) fn new(log: &'a LogBuffers, word: &'a OwnedWord<i64>) -> Option<Self> {
        let position = word.load_relaxed();
        Some(Self { scan: Scan::new(log, position)?, word, published: position })
    }

    /// Publishes the position that the scan has reached.
    #[inline]
    pub(super) fn publish(&mut self) {
        let position = self.scan.position();
        if position != self.published {
            // ORDERING(pos.subscriber): Release. Pairs with the conductor's Acquire load; the bytes below are done with.
            self.word.store_release(position);
            self.published = position;
        }
    }
}

impl Drop for Consume<'_> {
    #[inline]
    fn drop(&mut self) {
        self.publish();
    }
}
