//! Skipping damage. A frame contains its own position and identity, so a frame that is found behind damage can be
//! recognised.

use crate::logbuffer::FRAME_ALIGNMENT;
use crate::types::Position;

use super::super::error::JournalError;
use super::super::segment::At;
use super::Tailer;

/// The damage before the tailer's position that was last reported, and where it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct DamagedBehind {
    pub(super) here: Position,
    pub(super) begins: Position,
    pub(super) sequence: Option<i64>,
}

impl Tailer {
    /// Moves the tailer to the next frame after damage. Returns the number of skipped bytes, or `None` if no frame
    /// follows, and after [`JournalError::NotDurable`]. Message numbers are unknown from there on.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn skip_damage(&mut self) -> Result<Option<u64>, JournalError> {
        // What follows the end that a loss of power has left does not belong to the recording any more.
        if self.unproven_from().is_some_and(|from| self.position >= from) {
            return Ok(None);
        }
        let end = self.files_end()?;
        let from = self.position;
        let Some(found) = self.find_frame(end)? else { return Ok(None) };
        self.position = found;
        self.sequence = None;
        self.behind.clear();
        Ok(Some((found.get() - from.get()).unsigned_abs()))
    }

    /// Moves the tailer to the beginning of the damage that [`Self::previous`] has just reported. Returns the number of
    /// skipped bytes, or `None` if no damage was reported.
    ///
    /// ```
    /// use gannet::journal::{Journal, JournalError, JournalOptions, Recording, Start};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// let journal = Journal::create(dir, &JournalOptions::new().segment_length(1 << 20).term_length(1 << 20))?;
    /// for message in [b"one", b"two", b"six"] {
    ///     journal.appender()?.append(message)?;
    /// }
    /// journal.close()?;
    /// // Somebody overwrites the second message: each takes up 64 bytes.
    /// let file = dir.join("0-0.rec");
    /// let mut bytes = std::fs::read(&file)?;
    /// bytes[64..96].fill(0xFF);
    /// std::fs::write(&file, bytes)?;
    ///
    /// let mut tailer = Recording::open(dir)?.tailer(Start::End)?;
    /// assert_eq!(tailer.previous()?.map(|record| record.payload().to_vec()), Some(b"six".to_vec()));
    /// let error = tailer.previous().unwrap_err();
    /// assert!(matches!(error, JournalError::Damaged(damage) if damage.position.get() == 64));
    /// assert_eq!(tailer.skip_damage_back(), Some(64));
    /// assert_eq!(tailer.previous()?.map(|record| record.payload().to_vec()), Some(b"one".to_vec()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn skip_damage_back(&mut self) -> Option<u64> {
        let damaged = self.damaged_behind.take().filter(|damaged| damaged.here == self.position)?;
        (self.position, self.sequence) = (damaged.begins, damaged.sequence);
        self.behind.clear();
        Some((damaged.here.get() - damaged.begins.get()).unsigned_abs())
    }

    /// The end of the last segment file. The recording cannot be longer, whatever the control page says.
    pub(super) fn files_end(&self) -> Result<Position, JournalError> {
        let layout = self.identity.layout;
        // Also a segment that has no final name yet: it may hold frames.
        let last = self.recording.last_base()?.map(|base| layout.next_base(base));
        Ok(last.unwrap_or(self.position).min(self.recording.recorded_hint().unwrap_or(layout.end())))
    }

    /// The first frame after the tailer's position, before `end`. The tailer does not move.
    pub(super) fn find_frame(&mut self, end: Position) -> Result<Option<Position>, JournalError> {
        let layout = self.identity.layout;
        let mut position = Position::new(self.position.get() + FRAME_ALIGNMENT as i64);
        while position < end {
            let base = layout.base(position);
            let found = match self.enter(position) {
                Ok(true) => self.current.as_ref().and_then(|current| {
                    let places = position.get()..layout.next_base(base).min(end).get();
                    // A frame contains its position and its stream, so a match is a frame.
                    places.step_by(FRAME_ALIGNMENT).map(Position::new).find(|&place| {
                        let cursor = current.cursor_at(place);
                        cursor.is_some_and(|mut cursor| matches!(self.identity.look(&mut cursor, place), At::Frame(_)))
                    })
                }),
                Ok(false) | Err(JournalError::Damaged(_) | JournalError::Pruned { .. }) => None,
                Err(error) => return Err(error),
            };
            if found.is_some() {
                return Ok(found);
            }
            position = layout.next_base(base);
        }
        Ok(None)
    }
}
