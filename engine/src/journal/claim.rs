//! Claims of a journal: one message or several that the application writes directly into the segment. Appenders lend them.

use crate::logbuffer::{BatchClaim, Claim, ClaimLost};
use crate::memory::{Frames, OwnedWord, faults};
use crate::types::Position;

use super::durable::done;
use super::error::{AppendError, JournalError};
use super::writer::Writer;

/// What is left to do for an appender when a claim was committed.
#[derive(Debug)]
pub(super) struct Landing<'a> {
    pub(super) writer: &'a Writer,
    /// The sync policy.
    pub(super) sync: &'a OwnedWord<i64>,
    /// The segment.
    pub(super) frames: &'a Frames,
    /// The value of [`faults`] at the last check of the files.
    pub(super) faults: i64,
}

/// The payload of one message, which the application writes directly into the segment.
#[derive(Debug)]
#[must_use = "a claim that is dropped is aborted"]
pub struct JournalClaim<'a> {
    claim: Claim<'a>,
    landing: Landing<'a>,
}

/// The payloads of several messages, which the application writes directly into the segment.
/// [`commit`](Self::commit) appends all of them by one store: no tailer sees some of them without the others, and if
/// the process dies, all of them are there or none. Only a loss of power can take the last ones alone, as long as they
/// are not durable.
///
/// ```
/// use gannet::journal::{Journal, JournalOptions, Start};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let journal = Journal::create(dir, &JournalOptions::new().segment_length(1 << 20).term_length(1 << 20))?;
/// let mut appender = journal.appender()?;
/// let mut batch = appender.claim_batch(&[3, 5])?;
/// batch.for_each(|number, payload| payload.fill(b'a' + number as u8));
/// batch.commit()?;
///
/// let mut messages = Vec::new();
/// journal.recording()?.tailer(Start::Begin)?.poll(|record| messages.push(record.payload().to_vec()), 10)?;
/// assert_eq!(messages, [b"aaa".to_vec(), b"bbbbb".to_vec()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a batch that is dropped is aborted"]
pub struct JournalBatch<'a> {
    batch: BatchClaim<'a>,
    landing: Landing<'a>,
}

impl Landing<'_> {
    /// Finishes the append of what was committed up to `end`.
    #[inline]
    fn land(self, end: Position, committed: Result<Position, ClaimLost>) -> Result<Position, AppendError> {
        let Self { writer, sync, frames, faults: known } = self;
        if faults() != known {
            let base = writer.identity.layout.base(Position::new(end.get() - 1));
            let outcome = writer.check_intact(frames, base, end);
            outcome.map_err(|error| AppendError::Segment(Box::new(error)))?;
        }
        // The claim of a living appender is never taken from it.
        done(writer, sync, committed.map_err(claim_lost)?)
    }
}

impl<'a> JournalClaim<'a> {
    #[inline]
    pub(super) fn new(claim: Claim<'a>, landing: Landing<'a>) -> Self {
        Self { claim, landing }
    }

    /// The payload. Its initial contents are unspecified.
    #[inline]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.claim.payload_mut()
    }

    /// Sets the reserved value. See [`Appender::append_with`](super::Appender::append_with).
    #[inline]
    pub fn set_reserved_value(&mut self, value: i64) {
        self.claim.set_reserved_value(value);
    }

    /// Commits the message. Returns the position after it.
    ///
    /// # Errors
    ///
    /// [`AppendError::NotDurable`]; the message was appended nevertheless. [`AppendError::Segment`] if the file was
    /// truncated in the meantime.
    #[inline]
    pub fn commit(self) -> Result<Position, AppendError> {
        let end = self.claim.end();
        self.landing.land(end, self.claim.commit())
    }

    /// Aborts the claim. Its space becomes padding, which tailers skip.
    #[inline]
    pub fn abort(self) {}
}

impl<'a> JournalBatch<'a> {
    #[inline]
    pub(super) fn new(batch: BatchClaim<'a>, landing: Landing<'a>) -> Self {
        Self { batch, landing }
    }

    /// Calls `write` with the number (from 0) and the payload of each message. A payload has the requested length. Its
    /// initial contents are unspecified.
    #[inline]
    pub fn for_each(&mut self, write: impl FnMut(usize, &mut [u8])) {
        self.batch.for_each(write);
    }

    /// Commits all messages. Returns the position after the last one.
    ///
    /// # Errors
    ///
    /// As [`JournalClaim::commit`].
    #[inline]
    pub fn commit(self) -> Result<Position, AppendError> {
        let end = self.batch.end();
        self.landing.land(end, self.batch.commit())
    }

    /// Aborts the batch. Its space becomes padding, which tailers skip.
    #[inline]
    pub fn abort(self) {}
}

#[cold]
fn claim_lost(_: ClaimLost) -> AppendError {
    let expected = "nobody but its appender to touch it";
    let error = JournalError::Options { what: "a claim that was taken away".to_owned(), expected };
    AppendError::Segment(Box::new(error))
}
