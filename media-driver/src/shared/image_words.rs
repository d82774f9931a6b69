//! Words that the conductor and the receiver share about one image, in the driver's own memory, where no client can
//! store. Each word has one writer. Those of the receiver are on one cache line, those of the conductor on another.
//!
//! The conductor cleans before it publishes the consumed position. So one word tells the receiver what it may announce,
//! and no pair of position and window needs to be published together.

use gannet::memory::{CacheLines, OwnedWord};

/// The words of an image. Clones share the words.
#[derive(Clone, Debug)]
pub struct ImageWords {
    rebuilt: OwnedWord<i64>,
    highest: OwnedWord<i64>,
    condition: OwnedWord<i64>,
    end: OwnedWord<i64>,
    window: OwnedWord<i64>,
    consumed: OwnedWord<i64>,
}

/// The condition of an image, as seen by the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Its sender is alive.
    Live,
    /// Its sender has ended the stream, and everything was received.
    Ended {
        /// The end-of-stream position.
        position: i64,
        /// Whether the publication was revoked.
        revoked: bool,
    },
    /// Nothing was received for too long.
    Silent,
}

const LIVE: i64 = 0;
const ENDED: i64 = 1;
const REVOKED: i64 = 2;
const SILENT: i64 = 3;

impl ImageWords {
    /// The words of an image with this join position.
    pub fn new(join: i64) -> Self {
        let lines = CacheLines::new(2);
        let this = Self {
            rebuilt: lines.word(0, 0),
            highest: lines.word(0, 1),
            condition: lines.word(0, 2),
            end: lines.word(0, 3),
            window: lines.word(0, 4),
            consumed: lines.word(1, 0),
        };
        this.rebuilt.store_release(join);
        this.highest.store_release(join);
        this.consumed.store_release(join);
        this
    }

    /// Sets the rebuilt position, below which everything was received. For the receiver.
    pub fn set_rebuilt(&self, position: i64) {
        self.rebuilt.store_release(position);
    }

    /// The rebuilt position. For the conductor.
    pub fn rebuilt(&self) -> i64 {
        self.rebuilt.load_acquire()
    }

    /// Sets the length of the window. For the receiver.
    pub fn set_window(&self, window: i32) {
        self.window.store_relaxed(window.into());
    }

    /// The length of the window; `None` until the receiver has the image. For the conductor.
    pub fn window(&self) -> Option<i64> {
        Some(self.window.load_relaxed()).filter(|window| *window > 0)
    }

    /// Sets the highest position that the stream is known to reach. For the receiver.
    pub fn set_highest(&self, position: i64) {
        // ORDERING(pos.receiver-hwm): Release. Pairs with the Acquire load in `highest`; data may exist up to here.
        self.highest.store_release(position);
    }

    /// The highest position that the stream is known to reach. For the conductor.
    pub fn highest(&self) -> i64 {
        // ORDERING(pos.receiver-hwm): Acquire. Pairs with the Release store in `set_highest`.
        self.highest.load_acquire()
    }

    /// Sets the condition of the image. For the receiver.
    pub fn set_condition(&self, condition: Condition) {
        let code = match condition {
            Condition::Live => LIVE,
            Condition::Silent => SILENT,
            Condition::Ended { position, revoked } => {
                self.end.store_relaxed(position);
                if revoked { REVOKED } else { ENDED }
            }
        };
        // Release: publishes the end-of-stream position.
        self.condition.store_release(code);
    }

    /// The condition of the image. For the conductor.
    pub fn condition(&self) -> Condition {
        match self.condition.load_acquire() {
            ENDED => Condition::Ended { position: self.end.load_relaxed(), revoked: false },
            REVOKED => Condition::Ended { position: self.end.load_relaxed(), revoked: true },
            SILENT => Condition::Silent,
            _ => Condition::Live,
        }
    }

    /// Sets the consumed position: all subscribers are there or further, and the log is clean for a term and a half
    /// from there. For the conductor.
    pub fn set_consumed(&self, position: i64) {
        // ORDERING(img.status-message): Release. Pairs with the Acquire load in `consumed`; what was consumed is cleaned.
        self.consumed.store_release(position);
    }

    /// The consumed position. For the receiver.
    pub fn consumed(&self) -> i64 {
        // ORDERING(img.status-message): Acquire. Pairs with the Release store in `set_consumed`.
        self.consumed.load_acquire()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_what_the_other_stores() {
        let words = ImageWords::new(4096);
        let other = words.clone();
        assert_eq!((other.rebuilt(), other.highest(), other.consumed()), (4096, 4096, 4096));
        words.set_rebuilt(5000);
        words.set_highest(6000);
        words.set_consumed(4500);
        assert_eq!(other.window(), None);
        words.set_window(9000);
        assert_eq!(other.window(), Some(9000));
        assert_eq!((other.rebuilt(), other.highest(), other.consumed()), (5000, 6000, 4500));
        for condition in [
            Condition::Ended { position: 7, revoked: false },
            Condition::Ended { position: 8, revoked: true },
            Condition::Silent,
            Condition::Live,
        ] {
            words.set_condition(condition);
            assert_eq!(other.condition(), condition);
        }
    }
}
