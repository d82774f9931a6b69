//! An appender: one thread's handle to append to a journal, beside other appenders or alone. The application calls it.
//! `append` has the work of an append, and `seat` the rules for who may have an appender.

use std::io::IoSlice;
use std::sync::Arc;

use crate::logbuffer::frame::occupied;
use crate::logbuffer::message::{Claimed, Gather};
use crate::logbuffer::{BatchClaim, Claim, framed_length};
use crate::memory::OwnedWord;
use crate::time::SystemClock;
use crate::types::Position;

use super::append::{Append, ClaimError, Unusual};
use super::claim::{JournalBatch, JournalClaim, Landing};
use super::clock::CoarseStamps;
use super::control::waits_for_sync;
use super::durable::{done, sync_appended};
use super::error::{AppendError, JournalError};
use super::options::Stamps;
use super::seat::Seat;
use super::storage::Share;
use super::tail::{Claimant, Claims, SoleClaimant};
use super::writer::{Shared, Writer};

/// Appends to a journal. Each thread needs its own appender. A recording can have 64 appenders at a time, in any number
/// of processes.
///
/// Appenders do not wait for each other. When an appender dies, the helper threads of the others fill its space with
/// padding within milliseconds. When an appender is merely slow, tailers wait for it, and its messages are never lost.
///
/// ```
/// use std::io::IoSlice;
///
/// use gannet::journal::{Journal, JournalOptions, Start};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let journal = Journal::create(dir, &JournalOptions::new().segment_length(1 << 20).term_length(1 << 20))?;
/// let mut appender = journal.appender()?;
/// appender.append(b"one")?;
/// appender.append_vectored(&[IoSlice::new(b"tw"), IoSlice::new(b"o")])?;
/// // Written where it is to lie.
/// let mut claim = appender.claim(5)?;
/// claim.payload_mut().copy_from_slice(b"three");
/// let end = claim.commit()?;
///
/// assert_eq!(journal.sync()?, end); // what has been appended by now survives a loss of power
/// let mut messages = Vec::new();
/// journal.recording()?.tailer(Start::Begin)?.poll(|record| messages.push(record.payload().to_vec()), 10)?;
/// assert_eq!(messages, [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Appender(Handle<Claimant>);

/// The only appender of a journal. While it exists, no process gets another appender. It is faster than an [`Appender`]
/// because it does not share the tail. If its process is killed, another appender can be created at once.
///
/// Its messages survive and read like those of an [`Appender`].
#[derive(Debug)]
pub struct ExclusiveAppender {
    handle: Handle<SoleClaimant>,
    /// The cycle that is due, and the last cycle that this appender knows to have begun. Normally the helper thread
    /// begins cycles, but it cannot append beside an exclusive appender.
    due: OwnedWord<i64>,
    begun: i64,
}

impl Appender {
    pub(crate) fn new(writer: &Arc<Writer>) -> Result<Self, JournalError> {
        Ok(Self::with(writer, Seat::take(writer, Share::Shared)?))
    }

    /// As [`Self::new`]. `None` while there is an exclusive appender.
    pub(crate) fn try_new(writer: &Arc<Writer>) -> Result<Option<Self>, JournalError> {
        Ok(Seat::try_take(writer, Share::Shared)?.map(|seat| Self::with(writer, seat)))
    }

    fn with(writer: &Arc<Writer>, seat: Seat) -> Self {
        let claimant = Claimant::new(writer.control.tail(), seat.slot().clone(), writer.control.recorded_position());
        Self(Handle::new(writer, claimant, seat))
    }

    /// Appends a message. Returns the position after it. From then on the message survives the death of every process.
    /// The journal's [`SyncPolicy`](super::SyncPolicy) decides whether it survives a loss of power.
    ///
    /// # Errors
    ///
    /// [`AppendError`]. Nothing was appended, except with [`AppendError::NotDurable`].
    #[inline]
    pub fn append(&mut self, message: &[u8]) -> Result<Position, AppendError> {
        self.0.append(message)
    }

    /// Appends a message with a reserved value: eight bytes in the header of each of its frames, for the application's
    /// use. In a journal with [`Stamps`], the reserved value replaces the time of the append and should be a time in
    /// nanoseconds since 1970. No clock is read then.
    ///
    /// # Errors
    ///
    /// As [`Self::append`].
    #[inline]
    pub fn append_with(&mut self, message: &[u8], reserved: i64) -> Result<Position, AppendError> {
        self.0.append_with(message, reserved)
    }

    /// Appends a message that is gathered from several slices.
    ///
    /// # Errors
    ///
    /// As [`Self::append`].
    pub fn append_vectored(&mut self, parts: &[IoSlice<'_>]) -> Result<Position, AppendError> {
        self.0.append_vectored(parts)
    }

    /// Claims space for a message of `length` bytes, at most [`Self::max_payload_length`]. Write the message there,
    /// directly in the segment. Tailers cannot read past an open claim, so keep it short. Dropping the claim without
    /// [`JournalClaim::commit`] aborts it.
    ///
    /// Nothing after a claim becomes durable before the claim ends. With
    /// [`SyncPolicy::EveryAppend`](super::SyncPolicy::EveryAppend) all appends wait for the claim, including appends of
    /// the same thread with another appender, and fail with [`AppendError::NotDurable`] after 30 seconds. A leaked
    /// claim ([`core::mem::forget`]) blocks everything until its appender claims again or is dropped.
    ///
    /// # Errors
    ///
    /// As [`Self::append`].
    #[inline]
    pub fn claim(&mut self, length: usize) -> Result<JournalClaim<'_>, AppendError> {
        self.0.claim(length)
    }

    /// Claims space for messages of the given lengths, each at most [`Self::max_payload_length`], with a single update
    /// of the tail. Write the messages there, then commit them together: all of them are appended, or none. They have
    /// the same time. Everything else is as for [`Self::claim`].
    ///
    /// With their headers, the messages may occupy as many bytes as the longest message has:
    /// [`Self::max_message_length`].
    ///
    /// # Errors
    ///
    /// As [`Self::append`]. [`AppendError::EmptyBatch`] if there are no lengths, [`AppendError::BatchTooLong`] if the
    /// messages do not fit.
    pub fn claim_batch<'a>(&'a mut self, lengths: &'a [usize]) -> Result<JournalBatch<'a>, AppendError> {
        self.0.claim_batch(lengths)
    }

    /// The length in bytes of the longest message that [`Self::claim`] accepts: the payload of one frame.
    pub fn max_payload_length(&self) -> usize {
        self.0.max_payload
    }

    /// The length in bytes of the longest message that [`Self::append`] accepts: an eighth of a term, at most 16 MiB.
    pub fn max_message_length(&self) -> usize {
        self.0.max_message
    }

    /// Waits until everything up to `position`, which was appended, is on stable storage.
    pub(crate) fn sync_to(&self, position: Position) -> Result<(), JournalError> {
        sync_appended(&self.0.writer, position).map(drop)
    }

    /// Fills up the segment that contains the tail, unless it is empty. The next append starts a new segment.
    pub(crate) fn fill_segment(&mut self) -> Result<Position, AppendError> {
        self.0.fill_segment()
    }
}

impl ExclusiveAppender {
    pub(crate) fn new(writer: &Arc<Writer>) -> Result<Self, JournalError> {
        let seat = Seat::take(writer, Share::Exclusive)?;
        let claimant =
            SoleClaimant::new(writer.control.tail(), seat.slot().clone(), writer.control.recorded_position());
        Ok(Self { handle: Handle::new(writer, claimant, seat), due: writer.control.due_cycle(), begun: 0 })
    }

    /// As [`Appender::append`].
    ///
    /// # Errors
    ///
    /// As [`Appender::append`].
    #[inline]
    pub fn append(&mut self, message: &[u8]) -> Result<Position, AppendError> {
        if self.is_cycle_due() { self.append_to_cycle(message, None) } else { self.handle.append(message) }
    }

    /// As [`Appender::append_with`].
    ///
    /// # Errors
    ///
    /// As [`Appender::append`].
    #[inline]
    pub fn append_with(&mut self, message: &[u8], reserved: i64) -> Result<Position, AppendError> {
        if self.is_cycle_due() {
            self.append_to_cycle(message, Some(reserved))
        } else {
            self.handle.append_with(message, reserved)
        }
    }

    /// As [`Appender::append_vectored`].
    ///
    /// # Errors
    ///
    /// As [`Appender::append`].
    pub fn append_vectored(&mut self, parts: &[IoSlice<'_>]) -> Result<Position, AppendError> {
        self.begin_cycle()?;
        self.handle.append_vectored(parts)
    }

    /// As [`Appender::claim`]. A leaked claim blocks everything until this method is called again or the appender is
    /// dropped.
    ///
    /// # Errors
    ///
    /// As [`Appender::append`].
    #[inline]
    pub fn claim(&mut self, length: usize) -> Result<JournalClaim<'_>, AppendError> {
        self.begin_cycle()?;
        self.handle.claim(length)
    }

    /// As [`Appender::claim_batch`].
    ///
    /// # Errors
    ///
    /// As [`Appender::claim_batch`].
    pub fn claim_batch<'a>(&'a mut self, lengths: &'a [usize]) -> Result<JournalBatch<'a>, AppendError> {
        self.begin_cycle()?;
        self.handle.claim_batch(lengths)
    }

    /// As [`Appender::max_payload_length`].
    pub fn max_payload_length(&self) -> usize {
        self.handle.max_payload
    }

    /// As [`Appender::max_message_length`].
    pub fn max_message_length(&self) -> usize {
        self.handle.max_message
    }

    /// Whether the helper thread has announced a new cycle.
    #[inline(always)]
    fn is_cycle_due(&self) -> bool {
        self.due.load_relaxed() != self.begun
    }

    /// Begins a cycle with this message.
    #[cold]
    #[inline(never)]
    fn append_to_cycle(&mut self, message: &[u8], reserved: Option<i64>) -> Result<Position, AppendError> {
        self.begin_cycle()?;
        self.handle.append_in_any_case(message, reserved)
    }

    /// Begins a cycle if one is due.
    fn begin_cycle(&mut self) -> Result<(), AppendError> {
        let due = self.due.load_relaxed();
        if due == self.begun { Ok(()) } else { self.begin_cycle_of(due) }
    }

    #[cold]
    fn begin_cycle_of(&mut self, due: i64) -> Result<(), AppendError> {
        // A cycle that was due before this appender was created has already begun.
        if due > self.handle.writer.control.cycle() {
            self.handle.fill_segment()?;
            self.handle.writer.control.set_cycle(due);
        }
        self.begun = due;
        Ok(())
    }
}

/// The source of the stamps of frames.
#[derive(Debug)]
enum Stamper {
    None,
    Coarse(CoarseStamps),
    Precise,
}

/// The length in bytes up to which a message is copied inline, without a call.
const SHORT: usize = 128;

/// What both kinds of appenders have in common.
#[derive(Debug)]
struct Handle<C> {
    append: Append<Shared, C>,
    writer: Arc<Writer>,
    stamper: Stamper,
    /// The sync policy.
    sync: OwnedWord<i64>,
    max_payload: usize,
    max_message: usize,
    _seat: Seat,
}

impl<C: Claims> Handle<C> {
    fn new(writer: &Arc<Writer>, claimant: C, seat: Seat) -> Self {
        let descriptor = &writer.descriptor;
        let max_message = descriptor.term_length.max_message_length();
        let max_payload = descriptor.mtu.max_payload_length().min(max_message);
        let append = Append::new(Shared(Arc::clone(writer)), claimant, writer.identity, max_payload);
        let stamper = match writer.control.stamps() {
            Stamps::None => Stamper::None,
            Stamps::Coarse => Stamper::Coarse(writer.coarse_clock().stamps()),
            Stamps::Precise => Stamper::Precise,
        };
        let sync = writer.control.sync_kind();
        Self { append, writer: Arc::clone(writer), stamper, sync, max_payload, max_message, _seat: seat }
    }

    #[inline(always)]
    fn append(&mut self, message: &[u8]) -> Result<Position, AppendError> {
        match self.stamper.at_hand() {
            Some(stamp) => self.append_with(message, stamp),
            None => self.append_in_any_case(message, None),
        }
    }

    /// The fast path for short messages makes no calls. All other calls are tail calls, so no registers need to be
    /// saved.
    #[inline(always)]
    fn append_with(&mut self, message: &[u8], reserved: i64) -> Result<Position, AppendError> {
        if message.len() <= SHORT && !waits_for_sync(self.sync.load_relaxed()) {
            match self.append.append_as_usual(message, reserved) {
                Ok(position) => return Ok(position),
                Err(Unusual::Page(position)) => return self.see_to_page(position),
                Err(Unusual::Case) => {}
            }
        }
        self.append_in_any_case(message, Some(reserved))
    }

    /// Appends a message of any length, and waits until it is durable if the sync policy requires it.
    #[inline(never)]
    fn append_in_any_case(&mut self, message: &[u8], reserved: Option<i64>) -> Result<Position, AppendError> {
        self.check(message.len(), self.max_message)?;
        let reserved = reserved.unwrap_or_else(|| self.stamper.next());
        let appended = match self.append.append_as_usual(message, reserved) {
            Ok(position) => return self.done(position),
            Err(Unusual::Page(position)) => return self.see_to_page(position),
            Err(Unusual::Case) => self.append.append(message, message.len(), reserved),
        };
        match appended {
            Ok(position) => self.done(position),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Checks that a message that was written up to `position` is in the file.
    #[cold]
    #[inline(never)]
    fn see_to_page(&mut self, position: Position) -> Result<Position, AppendError> {
        match self.append.see_to_page(position) {
            Ok(position) => self.done(position),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn append_vectored(&mut self, parts: &[IoSlice<'_>]) -> Result<Position, AppendError> {
        let gather = Gather::new(parts);
        let length = gather.length();
        self.check(length, self.max_message)?;
        let stamp = self.stamper.next();
        match self.append.append(gather, length, stamp) {
            Ok(position) => self.done(position),
            Err(error) => Err(self.refused(error)),
        }
    }

    #[inline]
    fn claim(&mut self, length: usize) -> Result<JournalClaim<'_>, AppendError> {
        self.check(length, self.max_payload)?;
        let stamp = self.stamper.next();
        let (claimed, end, landing) = self.claim_space(occupied(length))?;
        let mut claim = Claim::begin(claimed, length, end);
        claim.set_reserved_value(stamp);
        Ok(JournalClaim::new(claim, landing))
    }

    fn claim_batch<'a>(&'a mut self, lengths: &'a [usize]) -> Result<JournalBatch<'a>, AppendError> {
        let required = self.batchable(lengths)?;
        let stamp = self.stamper.next();
        let (claimed, end, landing) = self.claim_space(required)?;
        Ok(JournalBatch::new(BatchClaim::begin(claimed, lengths, end, stamp), landing))
    }

    /// Claims so many bytes. Returns them, the position after them, and what is left to do once they are committed.
    #[inline]
    fn claim_space(&mut self, required: usize) -> Result<(Claimed<'_>, Position, Landing<'_>), AppendError> {
        let (writer, sync) = (&*self.writer, &self.sync);
        let faults = self.append.faults();
        match self.append.claim(required) {
            Ok((claimed, end, frames)) => Ok((claimed, end, Landing { writer, sync, frames, faults })),
            Err(error) => Err(refused(error, writer)),
        }
    }

    /// The number of bytes that a batch of messages of these lengths occupies.
    fn batchable(&self, lengths: &[usize]) -> Result<usize, AppendError> {
        if lengths.is_empty() {
            return Err(AppendError::EmptyBatch);
        }
        lengths.iter().try_for_each(|&length| self.check(length, self.max_payload))?;
        let (length, max) = (framed_length(lengths), self.max_message);
        if length > max { Err(AppendError::BatchTooLong { length, max }) } else { Ok(length) }
    }

    fn fill_segment(&mut self) -> Result<Position, AppendError> {
        self.append.fill_segment().map_err(|error| refused(error, &self.writer))
    }

    #[inline]
    fn check(&self, length: usize, max: usize) -> Result<(), AppendError> {
        if length > max { Err(AppendError::MessageTooLong { length, max }) } else { Ok(()) }
    }

    #[inline]
    fn done(&self, position: Position) -> Result<Position, AppendError> {
        done(&self.writer, &self.sync, position)
    }

    #[cold]
    fn refused(&self, error: ClaimError<JournalError>) -> AppendError {
        refused(error, &self.writer)
    }
}

impl Stamper {
    /// The next stamp, if it needs no reading of the clock.
    #[inline(always)]
    fn at_hand(&mut self) -> Option<i64> {
        match self {
            Self::None => Some(0),
            Self::Coarse(stamps) => stamps.at_hand(),
            Self::Precise => None,
        }
    }

    fn next(&mut self) -> i64 {
        match self {
            Self::None => 0,
            Self::Coarse(stamps) => stamps.next(),
            Self::Precise => SystemClock.epoch_nanos().get(),
        }
    }
}

#[cold]
fn refused(error: ClaimError<JournalError>, writer: &Writer) -> AppendError {
    let recording_id = writer.descriptor.recording_id;
    AppendError::Segment(Box::new(match error {
        ClaimError::Segment(error) => error,
        ClaimError::MaxPosition => JournalError::MaxPosition { recording_id },
        ClaimError::Tail(position) => writer.control.bad_tail(&*writer.storage, position),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::storage::MemoryStorage;
    use crate::journal::{Journal, JournalOptions};
    use crate::memory::RawAccess;

    #[test]
    fn a_slot_that_was_an_exclusive_appenders_is_nobodys_claim() {
        let journal =
            Journal::create_in(Arc::new(MemoryStorage::new(RawAccess::ENGINE)), &JournalOptions::new()).unwrap();
        let mut exclusive = journal.exclusive_appender().unwrap();
        exclusive.append(b"message").unwrap();
        drop(exclusive);
        // This one has that slot now, and claims nothing.
        let _idle = journal.appender().unwrap();
        let mut dead = journal.appender().unwrap();
        core::mem::forget(dead.claim(5).unwrap());
        drop(dead);
        assert_eq!(journal.writer().advance().unwrap(), journal.tail());
    }

    #[test]
    fn a_forgotten_claim_is_got_past_when_its_exclusive_appender_claims_again() {
        let journal =
            Journal::create_in(Arc::new(MemoryStorage::new(RawAccess::ENGINE)), &JournalOptions::new()).unwrap();
        let mut appender = journal.exclusive_appender().unwrap();
        let before = appender.append(b"before").unwrap();
        core::mem::forget(appender.claim(5).unwrap());
        appender.append(b"behind").unwrap();
        assert_eq!(journal.writer().advance().unwrap(), before, "it lives, and may still write");
        appender.claim(5).unwrap().abort();
        assert_eq!(journal.writer().advance().unwrap(), journal.tail());
    }
}
