//! The pages in front of the tail: the helper thread of each process sees that appenders find them at hand. The first store to a page
//! of a file waits for the kernel, a hundred times as long as an append takes: to make the page, and to note that it has to be
//! written out; and again once it was. Appenders never call this; it stores nothing.
//!
//! ```text
//!      tail      tail + AGAIN            tail + FAR
//!       ▼             ▼                      ▼
//!  ─────┼─────────────┼──────────────────────┼───── segments, made ahead ─────
//!       │ seen to each│ seen to once, a      │ nothing yet
//!       │ time the    │ step at a time       │
//!       │ tail moved  │                      │
//! ```

use crate::types::Position;

use super::error::JournalError;
use super::writer::Writer;

/// How far ahead of the tail pages are at hand while a journal is appended to, in bytes: what the fastest appender takes some ten
/// milliseconds for, as long as the helper thread may be away. Pages that are not reached before the kernel writes them out are
/// written twice; an appender that slow does not miss the disk's time.
const FAR: i64 = 64 << 20;
/// The same before anything was appended: a journal that is merely opened costs no more.
const NEAR: i64 = 1 << 20;
/// How much of it is seen to again when the tail has moved, in bytes, at the least: what the kernel wrote out meanwhile.
const AGAIN: i64 = 512 << 10;
/// How much is seen to before the helper thread has its other duties, in bytes.
const STEP: i64 = 4 << 20;

/// Which pages are at hand in this process.
#[derive(Debug)]
pub(super) struct PagesAhead {
    /// The tail as it was the last time.
    tail: Position,
    /// Up to where pages were seen to.
    end: Position,
    has_moved: bool,
}

impl PagesAhead {
    /// None yet, in front of this tail.
    pub(super) fn new(tail: Position) -> Self {
        Self { tail, end: tail, has_moved: false }
    }

    /// Sees to pages that are next, not for long. Returns 1 if there are more to see to.
    pub(super) fn advance(&mut self, writer: &Writer) -> Result<usize, JournalError> {
        let (_, tail) = writer.ends()?;
        let moved = (tail.get() - self.tail.get()).max(0);
        self.has_moved |= moved > 0;
        self.tail = tail;
        if moved > 0 {
            let again = tail.get().saturating_add(AGAIN.max(2 * moved.min(STEP)));
            writer.expect_appends(tail, Position::new(again).min(self.end));
        }
        let goal = Position::new(tail.get() + if self.has_moved { FAR } else { NEAR }).min(writer.prepared());
        let from = self.end.max(tail);
        if from >= goal {
            return Ok(0);
        }
        self.end = goal.min(Position::new(from.get() + STEP));
        writer.expect_appends(from, self.end);
        Ok(usize::from(self.end < goal))
    }
}
