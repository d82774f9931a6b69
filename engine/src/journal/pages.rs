//! Preparing the pages in front of the tail, so that appenders do not wait for them; the helper thread of each process
//! does this. The first store to a page of a file waits for the kernel a hundred times as long as an append takes. The
//! kernel makes the page, and notes that it must be written out; after it has written the page out, it does so again.
//! Appenders never call this, and it stores nothing.
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

/// How far ahead of the tail pages are prepared once the journal is appended to, in bytes. The fastest appender takes
/// about ten milliseconds for this many, which is how long the helper thread may be away. Pages that the kernel writes
/// out before they are reached are written twice; an appender that slow does not miss the disk's time.
const FAR: i64 = 64 << 20;
/// How far ahead pages are prepared before the first append, in bytes, so that a journal that is merely opened costs
/// little.
const NEAR: i64 = 1 << 20;
/// How much of the prepared range is prepared again when the tail has moved, in bytes, at least. The kernel may have
/// written these pages out meanwhile.
const AGAIN: i64 = 512 << 10;
/// How much is prepared before the helper thread's other duties get their turn, in bytes. Four times as much while less
/// than half of the goal is prepared.
const STEP: i64 = 4 << 20;

/// The pages that are prepared in this process.
#[derive(Debug)]
pub(super) struct PagesAhead {
    /// The tail at the last call.
    tail: Position,
    /// The position up to which pages are prepared.
    end: Position,
    has_moved: bool,
}

impl PagesAhead {
    /// No prepared pages, from this tail on.
    pub(super) fn new(tail: Position) -> Self {
        Self { tail, end: tail, has_moved: false }
    }

    /// Prepares the next pages, for a short time. Returns 1 if there are more to prepare.
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
        let is_near = from.get() - tail.get() < FAR / 2;
        self.end = goal.min(Position::new(from.get() + if is_near { 4 * STEP } else { STEP }));
        writer.expect_appends(from, self.end);
        Ok(usize::from(self.end < goal))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::control::Control;
    use crate::journal::storage::{Directory, Storage};
    use crate::journal::{Journal, JournalOptions};
    use crate::memory::FileAccess;

    #[test]
    fn pages_are_seen_to_as_far_as_there_are_segments_once_the_tail_moves() {
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions::new().term_length(4 << 20).segment_length(4 << 20);
        let journal = Journal::create(dir.path(), &options).unwrap();
        let storage: Arc<dyn Storage> = Arc::new(Directory::at(dir.path()));
        let control = Control::open(&*storage, journal.descriptor(), FileAccess::ReadWrite).unwrap().unwrap();
        let writer = Writer::new(storage, journal.descriptor().clone(), control);
        writer.prepare().unwrap();
        let mut pages = PagesAhead::new(Position::new(0));
        assert_eq!((pages.advance(&writer).unwrap(), pages.end.get()), (0, NEAR));
        assert_eq!((pages.advance(&writer).unwrap(), pages.end.get()), (0, NEAR), "nothing was appended");
        let mut appender = journal.appender().unwrap();
        let position = appender.append(b"message").unwrap();
        while pages.advance(&writer).unwrap() > 0 {}
        assert_eq!((pages.tail, pages.end.get()), (position, 8 << 20));
        // What was seen to holds what it held.
        let mut tailer = journal.recording().unwrap().tailer(crate::journal::Start::Begin).unwrap();
        assert_eq!(tailer.next().unwrap().unwrap().payload(), b"message");
        assert!(tailer.next().unwrap().is_none());
    }
}
