//! An appender: one thread's way to append to a journal. The application calls it; see `append` for what it does.

use std::io::IoSlice;
use std::sync::Arc;

use crate::logbuffer::frame::occupied;
use crate::logbuffer::message::Gather;
use crate::logbuffer::{Claim, ClaimLost};
use crate::memory::{Frames, faults};
use crate::time::SystemClock;
use crate::types::Position;

use super::append::{Append, ClaimError};
use super::control::{MAX_APPENDERS, NO_CLAIM};
use super::error::{AppendError, JournalError};
use super::options::{Stamps, SyncPolicy};
use super::storage::{Lock, Share};
use super::tail::{Claimant, Slot};
use super::writer::{Shared, Writer, slot_lock_name};

/// Appends to a journal. Each thread has its own; there may be 64 of them for one recording, in any number of processes.
///
/// Appenders do not wait for each other. One that dies, however that happens, is got past by the others' helper threads within
/// milliseconds; one that is merely slow is waited for by tailers, and never loses what it appends.
#[derive(Debug)]
pub struct Appender {
    append: Append<Shared>,
    writer: Arc<Writer>,
    stamps: Stamps,
    slot: Slot,
    max_payload: usize,
    max_message: usize,
    /// Held for as long as the appender lives: how others know that it does.
    _alive: Lock,
}

impl Appender {
    pub(crate) fn new(writer: &Arc<Writer>) -> Result<Self, JournalError> {
        let descriptor = &writer.descriptor;
        for index in 0..MAX_APPENDERS {
            let lock = writer.storage.try_lock(&slot_lock_name(descriptor, index), Share::Exclusive)?;
            let Some(alive) = lock else { continue };
            let slot = writer.control.slot(index);
            // Whoever had it is dead, and so is what it claimed: nobody claims that any more.
            slot.position.store_relaxed(NO_CLAIM);
            let max_message = descriptor.term_length.max_message_length();
            let max_payload = descriptor.mtu.max_payload_length().min(max_message);
            let claimant = Claimant::new(writer.control.tail(), slot.clone());
            let least = writer.control.recorded_position();
            let append = Append::new(Shared(Arc::clone(writer)), claimant, writer.identity, max_payload, least);
            let stamps = writer.control.stamps();
            let writer = Arc::clone(writer);
            return Ok(Self { append, writer, stamps, slot, max_payload, max_message, _alive: alive });
        }
        Err(JournalError::TooManyAppenders { recording_id: descriptor.recording_id, limit: MAX_APPENDERS })
    }

    /// Appends a message and returns the position after it. From then on it survives the death of every process; and a loss
    /// of power as the journal's [`SyncPolicy`] says.
    ///
    /// # Errors
    ///
    /// [`AppendError`]. But for [`AppendError::NotDurable`], nothing was appended.
    #[inline]
    pub fn append(&mut self, message: &[u8]) -> Result<Position, AppendError> {
        let stamp = self.stamp();
        self.append_with(message, stamp)
    }

    /// Appends a message with a reserved value of the application's own: eight bytes in the header of each of its frames. In a
    /// journal with [`Stamps`] it takes the place of the time, and should be one: nanoseconds since 1970.
    ///
    /// # Errors
    ///
    /// As [`Self::append`].
    #[inline]
    pub fn append_with(&mut self, message: &[u8], reserved: i64) -> Result<Position, AppendError> {
        self.check(message.len(), self.max_message)?;
        match self.append.append(message, message.len(), reserved) {
            Ok(position) => self.done(position),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Appends a message that is gathered from several slices.
    ///
    /// # Errors
    ///
    /// As [`Self::append`].
    pub fn append_vectored(&mut self, parts: &[IoSlice<'_>]) -> Result<Position, AppendError> {
        let gather = Gather::new(parts);
        let length = gather.length();
        self.check(length, self.max_message)?;
        let stamp = self.stamp();
        match self.append.append(gather, length, stamp) {
            Ok(position) => self.done(position),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Claims a message of `length` bytes, at most [`Self::max_payload_length`], to be written in place in the segment. Tailers wait for
    /// it, so it should be short-lived. Dropped without [`JournalClaim::commit`], it is aborted.
    ///
    /// # Errors
    ///
    /// As [`Self::append`].
    #[inline]
    pub fn claim(&mut self, length: usize) -> Result<JournalClaim<'_>, AppendError> {
        self.check(length, self.max_payload)?;
        let stamp = self.stamp();
        let writer = &*self.writer;
        let faults = self.append.faults();
        match self.append.claim(occupied(length)) {
            Ok((claimed, end, frames)) => {
                let mut claim = Claim::begin(claimed, length, end);
                claim.set_reserved_value(stamp);
                Ok(JournalClaim { claim, writer, frames, faults })
            }
            Err(error) => Err(refused(error, writer, &self.slot)),
        }
    }

    /// The longest message that [`Self::claim`] takes, in bytes: one frame's payload.
    pub fn max_payload_length(&self) -> usize {
        self.max_payload
    }

    /// The longest message that [`Self::append`] takes, in bytes: an eighth of a term, and 16 MiB at most.
    pub fn max_message_length(&self) -> usize {
        self.max_message
    }

    /// Fills up the segment that the tail is in, unless nothing is in it yet: what comes next begins another.
    pub(crate) fn fill_segment(&mut self) -> Result<Position, AppendError> {
        self.append.fill_segment().map_err(|error| refused(error, &self.writer, &self.slot))
    }

    #[inline]
    fn stamp(&self) -> i64 {
        match self.stamps {
            Stamps::None => 0,
            Stamps::Coarse => SystemClock.epoch_nanos_coarse().get(),
            Stamps::Precise => SystemClock.epoch_nanos().get(),
        }
    }

    #[inline]
    fn check(&self, length: usize, max: usize) -> Result<(), AppendError> {
        if length > max { Err(AppendError::MessageTooLong { length, max }) } else { Ok(()) }
    }

    #[inline]
    fn done(&self, position: Position) -> Result<Position, AppendError> {
        done(&self.writer, position)
    }

    #[cold]
    fn refused(&self, error: ClaimError<JournalError>) -> AppendError {
        refused(error, &self.writer, &self.slot)
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.slot.position.store_relaxed(NO_CLAIM);
    }
}

/// The payload of one message, lent for writing in the segment itself.
#[derive(Debug)]
#[must_use = "a claim that is dropped is aborted"]
pub struct JournalClaim<'a> {
    claim: Claim<'a>,
    writer: &'a Writer,
    frames: &'a Frames,
    /// What [`faults`] said when the files were looked at last.
    faults: i64,
}

impl JournalClaim<'_> {
    /// The payload. What it holds at first is unspecified.
    #[inline]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.claim.payload_mut()
    }

    /// Sets the reserved value; see [`Appender::append_with`].
    #[inline]
    pub fn set_reserved_value(&mut self, value: i64) {
        self.claim.set_reserved_value(value);
    }

    /// Commits the message and returns the position after it.
    ///
    /// # Errors
    ///
    /// [`AppendError::NotDurable`]; the message was appended all the same. [`AppendError::Segment`] when somebody cut the file short
    /// meanwhile.
    #[inline]
    pub fn commit(self) -> Result<Position, AppendError> {
        let Self { claim, writer, frames, faults: known } = self;
        let end = claim.end();
        let committed = claim.commit();
        if faults() != known {
            let base = writer.identity.layout.base(Position::new(end.get() - 1));
            let outcome = writer.check_intact(frames, base, end);
            outcome.map_err(|error| AppendError::Segment(Box::new(error)))?;
        }
        // Nothing takes a claim from an appender that lives.
        done(writer, committed.map_err(claim_lost)?)
    }

    /// Gives the claim up: its space becomes padding, which tailers skip.
    #[inline]
    pub fn abort(self) {}
}

#[cold]
fn claim_lost(_: ClaimLost) -> AppendError {
    let expected = "nobody but its appender to touch it";
    let error = JournalError::Options { what: "a claim that was taken away".to_owned(), expected };
    AppendError::Segment(Box::new(error))
}

/// What there is to do when a message was appended.
#[inline]
fn done(writer: &Writer, position: Position) -> Result<Position, AppendError> {
    if writer.control.sync_policy() == SyncPolicy::EveryAppend { make_durable(writer, position) } else { Ok(position) }
}

#[cold]
fn make_durable(writer: &Writer, position: Position) -> Result<Position, AppendError> {
    let not_durable = |source| AppendError::NotDurable { position, source: Box::new(source) };
    let mut idle = super::keeper::idle_strategy();
    // Those that claimed before may still be writing; what is durable has no gaps.
    while writer.advance().map_err(not_durable)? < position {
        idle.idle_once();
    }
    writer.sync_to(position).map_err(not_durable)?;
    Ok(position)
}

#[cold]
fn refused(error: ClaimError<JournalError>, writer: &Writer, slot: &Slot) -> AppendError {
    // It may have said in its slot what it then did not get.
    slot.position.store_relaxed(NO_CLAIM);
    let recording_id = writer.descriptor.recording_id;
    AppendError::Segment(Box::new(match error {
        ClaimError::Segment(error) => error,
        ClaimError::MaxPosition => JournalError::MaxPosition { recording_id },
        ClaimError::Tail(position) => writer.control.bad_tail(&*writer.storage, position),
    }))
}
