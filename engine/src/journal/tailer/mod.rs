//! Tailers: reading a recording message by message, forwards and backwards, from anywhere, while it is written. The
//! application calls this. It reads frames in place; a message of several frames is reassembled in a buffer of the
//! tailer.
//!
//! | Step | File |
//! | --- | --- |
//! | go to the start position | `seek` |
//! | the frame at the tailer's position | `frames` |
//! | the message that begins with it, and the record that is lent | `messages`, `record` |
//! | the messages before it | `backwards` |
//! | skip damage | `damage` |
//! | runs of whole frames, for replays | `blocks` |

mod backwards;
mod blocks;
mod damage;
mod frames;
mod messages;
mod record;
mod seek;

use std::collections::BTreeMap;

use crate::agent::IdleStrategy;
use crate::logbuffer::Fragment;
use crate::memory::faults;
use crate::time::{Clock, SystemClock};
use crate::types::Position;

use super::error::JournalError;
use super::options::Stamps;
use super::recording::Recording;
use super::segment::Identity;
use super::sidecar::{IndexEntry, Sidecar};

use self::damage::DamagedBehind;
use self::frames::Current;
pub use self::record::Record;
pub use self::seek::Start;

/// How far ahead of the read position to prefetch, in bytes. The processor by itself prefetches only up to the end of a
/// page.
const READ_AHEAD: usize = 1024;

/// Reads the messages of a recording. A tailer belongs to one thread, and is independent of other tailers.
///
/// ```
/// use gannet::journal::{Journal, JournalOptions, Recording, Start};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let journal = Journal::create(dir, &JournalOptions::new().segment_length(1 << 20).term_length(1 << 20))?;
/// let mut appender = journal.appender()?;
/// for message in [b"one", b"two", b"six"] {
///     appender.append(message)?;
/// }
///
/// // Anybody who may read the directory can do so, while it is written.
/// let mut tailer = Recording::open(dir)?.tailer(Start::Sequence(1))?;
/// let mut read = Vec::new();
/// tailer.poll(|record| read.push((record.sequence(), record.payload().to_vec())), 10)?;
/// assert_eq!(read, [(Some(1), b"two".to_vec()), (Some(2), b"six".to_vec())]);
///
/// // Backwards, and elsewhere.
/// assert_eq!(tailer.previous()?.map(|record| record.payload().to_vec()), Some(b"six".to_vec()));
/// tailer.seek(Start::Begin)?;
/// assert!(tailer.next()?.is_some_and(|record| record.time().is_some()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tailer {
    recording: Recording,
    identity: Identity,
    stamped: bool,
    verify: bool,
    /// Whether the end of the recording may have been lost with the power. Frames that were not durable are then read
    /// only if their checksums prove them.
    unproven: bool,
    position: Position,
    /// The number of the next message, if known.
    sequence: Option<i64>,
    current: Option<Current>,
    /// The value of [`faults`] at the last check of the segment.
    faults: i64,
    /// Where there was no frame at the last look.
    vain_at: Option<Position>,
    /// The index entry of the recording's start, as last read.
    first: Option<IndexEntry>,
    /// The header and the payload of a message of several frames.
    assembly: Vec<u8>,
    /// The positions of messages before `position`, for reading backwards. The last one is the nearest.
    behind: Vec<(Position, Option<i64>)>,
    /// The damage that [`Self::previous`] has reported, as long as the tailer has not moved.
    damaged_behind: Option<DamagedBehind>,
    sidecars: BTreeMap<Position, Sidecar>,
    /// The bases of the segments that existed at the last listing, in order.
    bases: Vec<Position>,
}

impl Recording {
    /// Creates a tailer that starts there.
    ///
    /// # Errors
    ///
    /// [`JournalError::Pruned`] for a place before the recording's start, with the start position.
    /// [`JournalError::Position`] for a position that is not in the recording, or at which no frame begins.
    /// [`JournalError::NoCycles`] for a cycle of a recording that does not roll by time. Otherwise what is wrong with
    /// the files.
    pub fn tailer(&self, start: Start) -> Result<Tailer, JournalError> {
        Tailer::new(self.clone(), start)
    }
}

impl Tailer {
    pub(crate) fn new(recording: Recording, start: Start) -> Result<Self, JournalError> {
        let descriptor = recording.descriptor();
        let mut tailer = Self {
            identity: descriptor.identity(),
            stamped: recording.stamps() != Stamps::None,
            verify: false,
            unproven: recording.unproven_from().is_some(),
            position: descriptor.start_position,
            sequence: None,
            first: None,
            current: None,
            faults: faults(),
            vain_at: None,
            assembly: Vec::new(),
            behind: Vec::new(),
            damaged_behind: None,
            sidecars: BTreeMap::new(),
            bases: Vec::new(),
            recording,
        };
        tailer.seek(start)?;
        Ok(tailer)
    }

    /// Compares each frame with its checksum, if it has one already. Every byte is then read twice.
    #[must_use]
    pub fn verifying(self) -> Self {
        self.verify(true)
    }

    /// Sets whether to compare frames with their checksums. See [`Self::verifying`].
    pub(crate) fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Whether each frame is compared with its checksum.
    #[inline(always)]
    fn checks(&self) -> bool {
        self.verify | self.unproven
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The tailer's position: before the message that [`Self::next`] returns, and after the one that [`Self::previous`]
    /// returns.
    #[inline]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The sequence number of the message that [`Self::next`] returns, if known.
    pub fn sequence(&self) -> Option<i64> {
        self.sequence
    }

    /// The next message. `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] with the file and the position. [`Self::skip_damage`] skips the damage.
    /// [`JournalError::Pruned`] if the recording was pruned beyond the tailer's position, with the new start position.
    /// [`Start::Begin`] goes there. [`JournalError::NotDurable`] at the end that a loss of power has left. After an error
    /// the tailer has not moved.
    #[allow(clippy::should_implement_trait, reason = "a record borrows the tailer, which no iterator can say")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, JournalError> {
        let message = match self.find_whole() {
            Some(message) => message,
            None => match self.find_next()? {
                Some(message) => message,
                None => return Ok(None),
            },
        };
        self.position = message.end;
        self.sequence = message.sequence.map(|sequence| sequence + 1);
        Ok(self.record(message))
    }

    /// Passes at most `limit` messages to `handler`. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`Self::next`]. The messages before the error have been passed to `handler`.
    #[inline]
    pub fn poll(&mut self, mut handler: impl FnMut(Record<'_>), limit: usize) -> Result<usize, JournalError> {
        let mut count = self.poll_whole(&mut handler, limit);
        while count < limit {
            // Not a message of one frame, or the end of a segment or of the recording.
            let Some(record) = self.next()? else { break };
            handler(record);
            count += 1;
            count += self.poll_whole(&mut handler, limit - count);
        }
        Ok(count)
    }

    /// The fast path of [`Self::poll`]: messages of one frame, up to the end of the segment or the first other frame.
    #[inline(always)]
    fn poll_whole(&mut self, handler: &mut impl FnMut(Record<'_>), limit: usize) -> usize {
        let Some(current) = self.current.as_ref().filter(|_| !self.checks()) else { return 0 };
        let Some(mut cursor) = current.cursor_at(self.position) else { return 0 };
        let mut count = 0;
        while count < limit {
            let start = self.position;
            let Some(frame) = self.identity.look_for_whole(&mut cursor, start) else { break };
            frame.touch();
            // [`Self::next`] determines what is wrong.
            if faults() != self.faults {
                break;
            }
            cursor.expect(READ_AHEAD);
            let end = Position::new(start.get() + frame.occupied() as i64);
            let sequence = self.sequence;
            // Before the handler is called, because the handler may panic.
            self.position = end;
            self.sequence = sequence.map(|sequence| sequence + 1);
            count += 1;
            let fragment = Fragment::new(frame.header(), frame.payload(), end);
            handler(Record { fragment, start, sequence, times: current.times.as_ref() });
        }
        if count > 0 {
            self.behind.clear();
        }
        count
    }

    /// Waits for the next message, for at most `longest`, with an idle strategy. Returns false if there is still none.
    ///
    /// # Errors
    ///
    /// As [`Self::next`].
    pub fn wait(
        &mut self,
        idle_strategy: &mut IdleStrategy,
        longest: core::time::Duration,
    ) -> Result<bool, JournalError> {
        let longest_ns = i64::try_from(longest.as_nanos()).unwrap_or(i64::MAX);
        let deadline = SystemClock.monotonic().saturating_add_ns(longest_ns);
        idle_strategy.reset();
        loop {
            if self.find_next()?.is_some() {
                return Ok(true);
            }
            if SystemClock.monotonic() >= deadline {
                return Ok(false);
            }
            idle_strategy.idle_once();
        }
    }
}
