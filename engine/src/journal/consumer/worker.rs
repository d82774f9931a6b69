//! A consumer: reads on from a named cursor, and moves the cursor when a message is handled. If it is killed, it gets
//! the message that it was handling again.

use core::fmt::Display;
use core::hash::Hash;
use core::time::Duration;

use crate::agent::IdleStrategy;
use crate::journal::cursor::Cursor;
use crate::journal::error::{AppendError, JournalError};
use crate::journal::recording::Recording;
use crate::journal::tailer::{Record, Start, Tailer};
use crate::types::Position;

use super::dead_letter::DeadLetters;
use super::window::Window;

/// Consumes a recording message by message. Each message is processed at least once.
///
/// ```
/// use gannet::journal::consumer::{Consumer, DeadLetter, DeadLetters, Processed, Window};
/// use gannet::journal::{Journal, JournalOptions, Start};
///
/// # let dir = tempfile::tempdir()?;
/// # let options = JournalOptions::new().segment_length(64 << 10).term_length(64 << 10);
/// let orders = Journal::create(dir.path().join("orders"), &options)?;
/// let dead = Journal::create(dir.path().join("dead"), &options)?;
/// let mut appender = orders.appender()?;
/// for order in ["1 buy", "2 sell", "1 buy", "3 explode"] {
///     appender.append(order.as_bytes())?;
/// }
///
/// let recording = orders.recording()?;
/// let mut consumer = Consumer::open(&recording, "billing")?.attempts(3).dead_letters(DeadLetters::to(&dead)?);
/// let key = |record: &gannet::journal::Record<'_>| record.payload().first().copied();
/// let mut seen = Window::restore(&recording, consumer.position(), 1_000, key)?;
/// let mut billed = Vec::new();
/// loop {
///     let done = consumer.process_once(&mut seen, key, |record| {
///         let order = String::from_utf8_lossy(record.payload()).into_owned();
///         if order.ends_with("explode") { return Err("no such order") }
///         billed.push(order);
///         Ok(())
///     })?;
///     if done == Processed::Nothing { break }
/// }
/// assert_eq!(billed, ["1 buy", "2 sell"], "the third was a duplicate");
///
/// let mut letters = dead.recording()?.tailer(Start::Begin)?;
/// let letter = letters.next()?.expect("the fourth");
/// let letter = DeadLetter::read(letter.payload()).expect("a dead letter");
/// assert_eq!((letter.reason, letter.attempts, letter.payload), ("no such order", 3, Some(&b"3 explode"[..])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Consumer {
    tailer: Tailer,
    cursor: Cursor,
    attempts: u32,
    pause: Duration,
    dead_letters: Option<DeadLetters>,
    /// The cursor's position, if it had been pruned when the consumer was opened, until [`Self::skip_pruned`] accepts
    /// the loss.
    lost: Option<Position>,
    /// The position of the message that was passed to a handler and is not known to be processed.
    unsettled: Option<Position>,
}

/// The result of processing a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processed {
    /// There is no next message yet.
    Nothing,
    /// The message was handled.
    Handled {
        /// The attempt that succeeded, from 1.
        attempts: u32,
    },
    /// A message in the window has the same key: this one was handled before, or was tried.
    Duplicate,
    /// All attempts failed, and the message is in the dead letters' journal.
    Dead {
        /// The number of attempts.
        attempts: u32,
    },
}

/// Why a consumer cannot continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerError {
    /// The journal could not be read, or the cursor could not be moved.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The message could not be appended to the dead letters' journal. It will be processed again.
    #[error("the message at {position} could not be handled, and not be put aside either: {source}")]
    DeadLetter {
        /// The message's position.
        position: Position,
        /// Why it could not be appended.
        source: AppendError,
    },
    /// All attempts failed, and there is no dead letters' journal. The message will be processed again.
    #[error("the message at {position} could not be handled in {attempts} attempts: {reason}")]
    Failed {
        /// The message's position.
        position: Position,
        /// The number of attempts.
        attempts: u32,
        /// The handler's last error.
        reason: String,
    },
}

impl Consumer {
    /// A consumer that continues at its cursor, or at the start of the recording if there is no cursor of that name. It
    /// makes one attempt per message and has no dead letters.
    ///
    /// If the cursor's position was pruned by force, the first read reports it; see [`Self::skip_pruned`]. A cursor
    /// beyond the end, possible after a loss of power, moves back to the end, because messages appended from there on
    /// are new.
    ///
    /// # Errors
    ///
    /// [`JournalError::Recover`] if the machine was restarted while the journal was open, and the journal has not been
    /// opened since. Until then it is unknown which of its messages are left. Otherwise as [`Recording::cursor`] and
    /// [`Recording::tailer`].
    pub fn open(recording: &Recording, name: &str) -> Result<Self, JournalError> {
        if recording.awaits_recovery()? {
            return Err(JournalError::Recover { recording_id: recording.descriptor().recording_id });
        }
        let mut cursor = recording.cursor(name)?;
        let position = cursor.position();
        let is_beyond = recording.recorded_hint().is_some_and(|recorded| recorded < position);
        let (tailer, lost) = match recording.tailer(Start::Position(position)) {
            Ok(tailer) => (tailer, None),
            Err(JournalError::Pruned { .. }) => (recording.tailer(Start::Begin)?, Some(position)),
            Err(JournalError::Position { .. }) if is_beyond => {
                let tailer = recording.tailer(Start::End)?;
                cursor.move_to(tailer.position())?;
                (tailer, None)
            }
            Err(error) => return Err(error),
        };
        Ok(Self { tailer, cursor, attempts: 1, pause: Duration::ZERO, dead_letters: None, lost, unsettled: None })
    }

    /// How often a message is tried, at least once.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The pause between two attempts. Default: none.
    #[must_use]
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The journal for messages that cannot be processed. Without one, the first such message stops the consumer.
    #[must_use]
    pub fn dead_letters(mut self, letters: DeadLetters) -> Self {
        self.dead_letters = Some(letters);
        self
    }

    /// The position up to which the consumer has read. The next message begins there or after it.
    pub fn position(&self) -> Position {
        self.unsettled.unwrap_or(self.tailer.position())
    }

    /// The position up to which messages are committed. After a restart, the consumer continues there.
    pub fn committed(&self) -> Position {
        self.cursor.position()
    }

    /// The tailer, for waiting for messages and for skipping damage.
    pub fn tailer(&mut self) -> &mut Tailer {
        // If this fails, the next message reports it.
        let _ = self.resettle();
        &mut self.tailer
    }

    /// The next message, without retries and dead letters. `None` if there is none yet. [`Self::commit`] marks it as
    /// processed.
    ///
    /// # Errors
    ///
    /// As [`Tailer::next`].
    #[allow(clippy::should_implement_trait, reason = "a record borrows the consumer, which no iterator can say")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, JournalError> {
        self.check_lost()?;
        self.resettle()?;
        self.tailer.next()
    }

    /// Commits all messages that were returned.
    ///
    /// # Errors
    ///
    /// As [`Cursor::move_to`].
    pub fn commit(&mut self) -> Result<(), JournalError> {
        self.check_lost()?;
        self.resettle()?;
        self.cursor.move_to(self.tailer.position())
    }

    /// Goes back to the first message that is not committed.
    ///
    /// # Errors
    ///
    /// As [`Tailer::seek`].
    pub fn rewind(&mut self) -> Result<(), JournalError> {
        self.tailer.seek(Start::Position(self.cursor.position()))?;
        self.unsettled = None;
        Ok(())
    }

    /// Accepts that unread messages were pruned: continues at the start of the recording, and returns that position.
    ///
    /// # Errors
    ///
    /// As [`Tailer::seek`].
    pub fn skip_pruned(&mut self) -> Result<Position, JournalError> {
        self.tailer.seek(Start::Begin)?;
        (self.lost, self.unsettled) = (None, None);
        self.cursor.move_to(self.tailer.position())?;
        Ok(self.tailer.position())
    }

    /// Waits until the committed position is on stable storage, and before it the dead letters, whatever the sync policy of
    /// their journal is. Otherwise a loss of power could take a letter whose message is not handed out again.
    ///
    /// # Errors
    ///
    /// As [`Cursor::sync`] and [`Journal::sync`](crate::journal::Journal::sync).
    pub fn sync(&self) -> Result<(), JournalError> {
        self.dead_letters.as_ref().map_or(Ok(()), DeadLetters::sync)?;
        self.cursor.sync()
    }

    /// Calls `handle` for the next message, up to the number of attempts, and commits the message. If all attempts
    /// fail, the message is first appended to the dead letters. `handle` may see a message again that it has handled,
    /// if the process died before the commit. If `handle` panics, nothing is committed, and the next call begins with
    /// the same message.
    ///
    /// # Errors
    ///
    /// [`ConsumerError`]. Nothing was committed, and the next call begins with the same message.
    pub fn process<E: Display>(
        &mut self,
        mut handle: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<Processed, ConsumerError> {
        self.process_unless(|_| false, |record| handle(record))
    }

    /// As [`Self::process`], but skips duplicates: a message whose key is in the window of previous messages is
    /// committed without being handled.
    ///
    /// # Errors
    ///
    /// As [`Self::process`].
    pub fn process_once<K: Clone + Eq + Hash, E: Display>(
        &mut self,
        seen: &mut Window<K>,
        mut key: impl FnMut(&Record<'_>) -> Option<K>,
        mut handle: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<Processed, ConsumerError> {
        let mut found = None;
        let is_duplicate = |record: &Record<'_>| {
            found = key(record);
            found.as_ref().is_some_and(|key| seen.contains(key))
        };
        let done = self.process_unless(is_duplicate, |record| handle(record))?;
        if done != Processed::Nothing {
            seen.insert(found);
        }
        Ok(done)
    }

    fn process_unless<E: Display>(
        &mut self,
        is_duplicate: impl FnOnce(&Record<'_>) -> bool,
        mut handle: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<Processed, ConsumerError> {
        self.check_lost()?;
        self.resettle()?;
        let Self { tailer, cursor, attempts: most, pause, dead_letters, unsettled, .. } = self;
        let recording_id = tailer.recording().descriptor().recording_id;
        let (outcome, next) = {
            let Some(record) = tailer.next()? else { return Ok(Processed::Nothing) };
            let position = record.position();
            *unsettled = Some(position);
            let outcome = if is_duplicate(&record) {
                Ok(Processed::Duplicate)
            } else {
                match attempt(*most, *pause, || handle(&record)) {
                    Ok(attempts) => Ok(Processed::Handled { attempts }),
                    Err(reason) => match dead_letters {
                        Some(letters) => letters
                            .append(recording_id, &record, *most, &reason)
                            .map(|_| Processed::Dead { attempts: *most })
                            .map_err(|source| ConsumerError::DeadLetter { position, source }),
                        None => Err(ConsumerError::Failed { position, attempts: *most, reason }),
                    },
                }
            };
            (outcome, record.next_position())
        };
        let done = outcome?;
        cursor.move_to(next)?;
        *unsettled = None;
        Ok(done)
    }

    /// Goes back to a message that was passed to a handler and is not known to be processed: the handler failed or
    /// panicked, or the cursor could not be moved.
    fn resettle(&mut self) -> Result<(), JournalError> {
        if let Some(start) = self.unsettled {
            self.tailer.seek(Start::Position(start))?;
            self.unsettled = None;
        }
        Ok(())
    }

    fn check_lost(&self) -> Result<(), JournalError> {
        let Some(position) = self.lost else { return Ok(()) };
        let recording = self.tailer.recording();
        Err(JournalError::Pruned {
            recording_id: recording.descriptor().recording_id,
            what: "position",
            asked: position.get(),
            earliest: recording.start_position(),
        })
    }
}

/// Calls `handle` up to `most` times. Returns the number of attempts, or the last error.
fn attempt<E: Display>(most: u32, pause: Duration, mut handle: impl FnMut() -> Result<(), E>) -> Result<u32, String> {
    let period_ns = i64::try_from(pause.as_nanos()).unwrap_or(i64::MAX);
    let mut attempts = 1;
    loop {
        match handle() {
            Ok(()) => return Ok(attempts),
            Err(reason) if attempts >= most => return Err(reason.to_string()),
            Err(_) if period_ns > 0 => IdleStrategy::Sleep { period_ns }.idle_once(),
            Err(_) => {}
        }
        attempts += 1;
    }
}
