//! Tailers: reading a recording message by message, forwards and backwards, from anywhere, while it is written. The application
//! calls this. It reads frames where they lie; a message of several frames is put together in a buffer of the tailer's own.

mod blocks;

use std::collections::BTreeMap;

use crate::agent::IdleStrategy;
use crate::logbuffer::{FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, Fragment, flags, frame, frame_type};
use crate::memory::{FileAccess, FrameCursor, Frames, MapError, faults};
use crate::time::{Clock, EpochNanos, SystemClock};
use crate::types::Position;

use super::error::{Damage, Fault, JournalError};
use super::making::find_segment;
use super::options::Stamps;
use super::prune::first_entry;
use super::recording::Recording;
use super::segment::{At, Identity, segment_name};
use super::sidecar::{Begins, IndexEntry, Sidecar};
use super::stream::{Found, SegmentTimes, find_time};

/// Where a tailer begins, or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// In front of the first message.
    Begin,
    /// Behind the last message that there is now.
    End,
    /// In front of the message that begins at this position, or first behind it. It must be where a frame begins, as each position
    /// is that a record or an append has returned.
    Position(Position),
    /// In front of the message of this number; the first is 0.
    Sequence(i64),
    /// In front of the first message of this time, or of a later one: by the messages' stamps or, of a recorded stream, by when it was
    /// recorded.
    Time(EpochNanos),
    /// In front of the first message of the cycle of this number, or of a later one: of a journal that rolls by time of day, see
    /// [`RollCycle`](super::RollCycle).
    Cycle(i64),
}

/// Reads a recording. Each is for one thread, and independent of all others.
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
    position: Position,
    /// The number of the next message, if it is known.
    sequence: Option<i64>,
    current: Option<Current>,
    /// How many pages had been replaced in this process when the segment was looked at last; see [`faults`].
    faults: i64,
    /// What is known of where the recording begins, or began a moment ago.
    first: Option<IndexEntry>,
    /// The header and the payload of a message that came in several frames.
    assembly: Vec<u8>,
    /// The positions of messages in front of `position`, for reading backwards: the last is the nearest.
    behind: Vec<(Position, Option<i64>)>,
    /// The damage that [`Self::previous`] has told of, if the tailer is still where it was then.
    damaged_behind: Option<DamagedBehind>,
    sidecars: BTreeMap<Position, Sidecar>,
    /// Where the segments begin that there were when somebody looked, in order.
    bases: Vec<Position>,
}

/// The segment that is being read.
#[derive(Debug)]
struct Current {
    base: Position,
    frames: Frames,
    /// When what of it was recorded, if its frames do not say.
    times: Option<SegmentTimes>,
}

impl Current {
    /// At the frame that begins at this position. None if the segment has no place for it.
    #[inline(always)]
    fn cursor_at(&self, position: Position) -> Option<FrameCursor<'_>> {
        // What lies before the segment wraps around, and is beyond its end.
        self.frames.cursor(position.get().wrapping_sub(self.base.get()) as usize)
    }
}

/// A message of a recording, lent until the tailer is used again.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    fragment: Fragment<'a>,
    start: Position,
    sequence: Option<i64>,
    /// None where its frame says.
    times: Option<&'a SegmentTimes>,
}

impl<'a> Record<'a> {
    /// Where the message begins.
    #[inline]
    pub fn position(&self) -> Position {
        self.start
    }

    /// Where the next one begins: what a consumer keeps of a message that it is done with.
    #[inline]
    pub fn next_position(&self) -> Position {
        self.fragment.position()
    }

    /// Its number in the recording, from 0. Unknown where the recording has no index and the tailer did not begin at its start.
    #[inline]
    pub fn sequence(&self) -> Option<i64> {
        self.sequence
    }

    /// When it was appended, if the journal keeps that; of a recorded stream, when it was recorded, to a tenth of a millisecond. That
    /// is looked up when it is asked for.
    #[inline]
    pub fn time(&self) -> Option<EpochNanos> {
        match self.times {
            None => Some(self.fragment.reserved_value()).filter(|&time| time > 0).map(EpochNanos::new),
            Some(times) => times.at(self.start),
        }
    }

    /// Its bytes.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.fragment.payload()
    }

    /// The message as subscribers see theirs: with its header, and typed reads through SBE.
    #[inline]
    pub fn fragment(&self) -> Fragment<'a> {
        self.fragment
    }
}

/// A message that was found, in numbers.
#[derive(Clone, Copy)]
struct Message {
    start: Position,
    end: Position,
    sequence: Option<i64>,
    /// Whether it is in the assembly, rather than where it lies.
    assembled: bool,
}

/// A frame that was found, in numbers.
#[derive(Clone, Copy)]
struct Step {
    occupied: usize,
    frame_length: usize,
    is_data: bool,
    flags: u8,
    begins: Begins,
}

/// How far ahead of what is handed over lines are asked for, in bytes: by itself, the processor does so up to the end of a page only.
const READ_AHEAD: usize = 1024;

impl Tailer {
    pub(crate) fn new(recording: Recording, start: Start) -> Result<Self, JournalError> {
        let descriptor = recording.descriptor();
        let mut tailer = Self {
            identity: descriptor.identity(),
            stamped: recording.stamps() != Stamps::None,
            verify: false,
            position: descriptor.start_position,
            sequence: None,
            first: None,
            current: None,
            faults: faults(),
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

    /// Has the checksum of each frame compared that has one by now. Costs reading every byte twice.
    #[must_use]
    pub fn verifying(mut self) -> Self {
        self.verify = true;
        self
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Where it is: in front of the message that [`Self::next`] returns, and behind that of [`Self::previous`].
    #[inline]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The number of the message that [`Self::next`] returns.
    pub fn sequence(&self) -> Option<i64> {
        self.sequence
    }

    /// The next message; none if there is none yet.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] names the file and the position; [`Self::skip_damage`] gets past it. [`JournalError::Pruned`] says that
    /// the recording has been pruned past the tailer, and where it begins now: [`Start::Begin`] goes there. The tailer stays where
    /// it is.
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

    /// The message in front of where the tailer is; none at the start. The tailer goes there: [`Self::next`] would return the
    /// same again.
    ///
    /// # Errors
    ///
    /// As [`Self::next`], but that [`Self::skip_damage_back`] gets past damage. What is behind the damage has been returned by then.
    pub fn previous(&mut self) -> Result<Option<Record<'_>>, JournalError> {
        let (here, forward) = (self.position, self.sequence);
        loop {
            if self.behind.is_empty() {
                self.look_behind()?;
            }
            let Some((start, sequence)) = self.behind.pop() else { return Ok(None) };
            (self.position, self.sequence) = (start, sequence);
            match self.find_here() {
                Ok(Some(message)) => return Ok(self.record(message)),
                // It was begun, and never completed, or not yet.
                Ok(None) => {}
                // Its end is damaged, and the tailer has been there.
                Err(JournalError::Damaged(damage)) if damage.position >= here => {}
                Err(error) => {
                    if matches!(error, JournalError::Damaged(_)) {
                        self.damaged_behind = Some(DamagedBehind { here, begins: start, sequence });
                    }
                    (self.position, self.sequence) = (here, forward);
                    self.behind.clear();
                    return Err(error);
                }
            }
            (self.position, self.sequence) = (start, sequence);
        }
    }

    /// Hands messages to `handler`, `limit` at the most, and returns how many there were.
    ///
    /// # Errors
    ///
    /// As [`Self::next`], with whatever was read before handed over.
    #[inline]
    pub fn poll(&mut self, mut handler: impl FnMut(Record<'_>), limit: usize) -> Result<usize, JournalError> {
        let mut count = self.poll_whole(&mut handler, limit);
        while count < limit {
            // What is no message of one frame, or the end of a segment, or of all there is.
            let Some(record) = self.next()? else { break };
            handler(record);
            count += 1;
            count += self.poll_whole(&mut handler, limit - count);
        }
        Ok(count)
    }

    /// Hands over messages of one frame for as long as others do not come in between, all of one segment.
    #[inline(always)]
    fn poll_whole(&mut self, handler: &mut impl FnMut(Record<'_>), limit: usize) -> usize {
        let Some(current) = self.current.as_ref().filter(|_| !self.verify) else { return 0 };
        let Some(mut cursor) = current.cursor_at(self.position) else { return 0 };
        let mut count = 0;
        while count < limit {
            let start = self.position;
            let Some(frame) = self.identity.look_for_whole(&mut cursor, start) else { break };
            frame.touch();
            // Whatever it is, it is found out by whoever reads what comes next one by one.
            if faults() != self.faults {
                break;
            }
            cursor.expect(READ_AHEAD);
            let end = Position::new(start.get() + frame.occupied() as i64);
            let sequence = self.sequence;
            // Before the handler is called, which may panic.
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

    /// Waits until there is a next message, idling in between, for `longest` at the most. False if there is none yet.
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

    /// Goes elsewhere. Behind the last message for a number or a time that is not there yet.
    ///
    /// # Errors
    ///
    /// As [`Recording::tailer`]. The tailer stays where it is.
    pub fn seek(&mut self, to: Start) -> Result<(), JournalError> {
        let (position, sequence) = (self.position, self.sequence);
        let outcome = self.seek_to(to);
        self.behind.clear();
        if outcome.is_err() {
            (self.position, self.sequence) = (position, sequence);
        }
        outcome
    }

    /// Goes to the next frame of the recording behind damage, and returns how many bytes that skips; none if there is no frame
    /// behind it. The numbers of messages are unknown from there on.
    ///
    /// # Errors
    ///
    /// What the operating system says of the files.
    pub fn skip_damage(&mut self) -> Result<Option<u64>, JournalError> {
        let end = self.files_end()?;
        let from = self.position;
        let Some(found) = self.find_frame(end)? else { return Ok(None) };
        self.position = found;
        self.sequence = None;
        self.behind.clear();
        Ok(Some((found.get() - from.get()).unsigned_abs()))
    }

    /// Goes to where the damage begins that [`Self::previous`] has just told of, and returns how many bytes that skips; none if it has
    /// told of none.
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

    /// Where the recording ends at the latest: no further than there are files, whatever a control page says.
    fn files_end(&self) -> Result<Position, JournalError> {
        let layout = self.identity.layout;
        let last = self.recording.segment_bases()?.last().map(|&base| layout.next_base(base));
        Ok(last.unwrap_or(self.position).min(self.recording.recorded_hint().unwrap_or(layout.end())))
    }

    /// The first frame behind where the tailer is, that begins in front of `end`. The tailer stays where it is.
    fn find_frame(&mut self, end: Position) -> Result<Option<Position>, JournalError> {
        let layout = self.identity.layout;
        let mut position = Position::new(self.position.get() + FRAME_ALIGNMENT as i64);
        while position < end {
            let base = layout.base(position);
            let found = match self.enter(position) {
                Ok(true) => self.current.as_ref().and_then(|current| {
                    let places = position.get()..layout.next_base(base).min(end).get();
                    // A frame says where it is and whose it is, so one that is found is one.
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

    fn seek_to(&mut self, to: Start) -> Result<(), JournalError> {
        let first = self.first()?;
        let start = first.position;
        match to {
            Start::Begin => {
                self.set(first);
                Ok(())
            }
            Start::End => {
                let hint = self.recording.indexed().unwrap_or(start);
                let anchor = self.anchor(|entry| entry.position <= hint)?;
                self.set(anchor);
                if !self.walk(OverDamage::Yes, |_, _, _| false)? {
                    // What comes next comes behind the damage.
                    let end = self.recording.recorded_hint().unwrap_or(start).min(self.files_end()?);
                    if self.position < end && end.get() % 32 == 0 {
                        (self.position, self.sequence) = (end, None);
                    }
                }
                Ok(())
            }
            Start::Position(position) => {
                if position < start && position.get() >= 0 && position.get() % 32 == 0 {
                    return Err(self.pruned("position", position.get(), start));
                }
                if position < start || position > self.identity.layout.end() || position.get() % 32 != 0 {
                    return Err(self.no_position(position, "the recording does not have it"));
                }
                let anchor = self.anchor(|entry| entry.position <= position)?;
                self.set(anchor);
                self.walk(OverDamage::Yes, |at, _, step| at.get() + step.occupied as i64 > position.get())?;
                if self.position == position {
                    return Ok(());
                }
                let reason =
                    if self.position < position { "nothing is recorded there" } else { "no frame begins there" };
                // The walk stops in front of the frame that leads past the position, if there is one.
                let reason = if self.peek()?.is_some() { "no frame begins there" } else { reason };
                Err(self.no_position(position, reason))
            }
            Start::Sequence(sequence) => {
                if (0..first.sequence).contains(&sequence) {
                    return Err(self.pruned("message number", sequence, start));
                }
                let anchor = self.anchor(|entry| entry.sequence <= sequence)?;
                self.set(anchor);
                // The number of what is behind damage is unknown.
                let reached = |number: Option<i64>| number.is_some_and(|number| number >= sequence);
                self.walk(OverDamage::No, |_, number, step| step.begins.message && reached(number)).map(drop)
            }
            Start::Time(time) if self.stamped => {
                let anchor = self.anchor(|entry| entry.time_before < time.get())?;
                self.set(anchor);
                let is_late = |step: Step| step.begins.message && step.begins.time >= time.get();
                self.walk(OverDamage::Yes, |_, _, step| is_late(step)).map(drop)
            }
            Start::Time(time) => match find_time(&self.recording, time)? {
                Found::At(position) => {
                    let anchor = self.anchor(|entry| entry.position <= position)?;
                    self.set(anchor);
                    self.walk(OverDamage::Yes, |at, _, step| step.begins.message && at >= position).map(drop)
                }
                Found::Behind => self.seek_to(Start::End),
                Found::Nothing => {
                    self.set(first);
                    let recording_id = self.recording.descriptor().recording_id;
                    self.peek()?.map_or(Ok(()), |_| Err(JournalError::NoTimes { recording_id }))
                }
            },
            Start::Cycle(number) => {
                let recording_id = self.recording.descriptor().recording_id;
                let roll = self.recording.roll_cycle()?.ok_or(JournalError::NoCycles { recording_id })?;
                self.seek_to(Start::Time(roll.start_of(number)))
            }
        }
    }

    fn no_position(&self, position: Position, reason: &'static str) -> JournalError {
        JournalError::Position { recording_id: self.recording.descriptor().recording_id, position, reason }
    }

    fn pruned(&self, what: &'static str, asked: i64, earliest: Position) -> JournalError {
        JournalError::Pruned { recording_id: self.recording.descriptor().recording_id, what, asked, earliest }
    }

    /// What is known of where the recording begins now.
    fn first(&mut self) -> Result<IndexEntry, JournalError> {
        let start = self.recording.start_position();
        match self.first {
            Some(first) if first.position == start => Ok(first),
            _ => {
                let first = first_entry(&*self.recording.storage, self.recording.descriptor(), start)?;
                Ok(*self.first.insert(first))
            }
        }
    }

    fn set(&mut self, entry: IndexEntry) {
        self.position = entry.position;
        self.sequence = Some(entry.sequence);
        self.behind.clear();
    }

    /// Goes on until `stop` says so of the frame that is next, which begins at that position and with that number, or until there is none.
    /// Where that is said, damage is passed over: frames say where they are, but how many messages there were is unknown from there on.
    /// Returns false if it is damaged to the end.
    fn walk(
        &mut self,
        over_damage: OverDamage,
        stop: impl Fn(Position, Option<i64>, Step) -> bool,
    ) -> Result<bool, JournalError> {
        loop {
            match self.peek() {
                Ok(Some(step)) if stop(self.position, self.sequence, step) => return Ok(true),
                Ok(Some(step)) => {
                    self.sequence = self.sequence.map(|sequence| sequence + i64::from(step.begins.message));
                    self.position = Position::new(self.position.get() + step.occupied as i64);
                }
                Ok(None) => return Ok(true),
                Err(JournalError::Damaged(_)) if over_damage == OverDamage::Yes => {
                    let end = self.files_end()?;
                    let Some(found) = self.find_frame(end)? else { return Ok(false) };
                    (self.position, self.sequence) = (found, None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The last entry of the index for which `holds`, which it does for the first and for none behind one for which it does not;
    /// the start of the recording if there is none.
    fn anchor(&mut self, holds: impl Fn(&IndexEntry) -> bool) -> Result<IndexEntry, JournalError> {
        let first = self.first()?;
        let start = first.position;
        self.refresh_bases(start)?;
        let (mut below, mut above) = (0, self.bases.len());
        let mut found = None;
        while below < above {
            let middle = below + (above - below) / 2;
            match self.sidecar(self.bases[middle])?.and_then(|sidecar| sidecar.last_entry(&holds)) {
                Some(entry) => {
                    found = Some(entry);
                    below = middle + 1;
                }
                None => above = middle,
            }
        }
        Ok(found.filter(|entry| entry.position >= start).unwrap_or(first))
    }

    /// Lists the segments anew if there may be others than were there the last time: to list a directory takes longer than all else
    /// that it takes to find something.
    fn refresh_bases(&mut self, start: Position) -> Result<(), JournalError> {
        let layout = self.identity.layout;
        let begins = self.bases.first().is_some_and(|&first| first == layout.base(start));
        let last = self.bases.last().map(|&last| layout.next_base(last));
        let ends = last.zip(self.recording.recorded_hint()).is_some_and(|(end, recorded)| recorded <= end);
        if !begins || !ends {
            self.bases = self.recording.segment_bases()?;
        }
        Ok(())
    }

    fn sidecar(&mut self, base: Position) -> Result<Option<Sidecar>, JournalError> {
        /// So many are kept mapped.
        const MOST: usize = 4096;
        if let Some(sidecar) = self.sidecars.get(&base) {
            return Ok(Some(sidecar.clone()));
        }
        let storage = &*self.recording.storage;
        let opened = Sidecar::open(storage, self.recording.descriptor(), base, FileAccess::ReadOnly)?;
        if let Some(sidecar) = &opened {
            if self.sidecars.len() >= MOST {
                self.sidecars.clear();
            }
            self.sidecars.insert(base, sidecar.clone());
        }
        Ok(opened)
    }

    /// Finds the messages in front of where the tailer is, some of them at least if there are any. Damage is told if there is none
    /// behind it.
    fn look_behind(&mut self) -> Result<(), JournalError> {
        let here = self.position;
        let start = self.recording.start_position();
        let mut until = here;
        let mut damaged = None;
        while self.behind.is_empty() && until > start {
            let term = self.term_start(Position::new(until.get() - 1));
            let indexed = self.anchor(|entry| entry.position < until)?;
            let anchor = if indexed.position >= term || term == start {
                Anchor { position: indexed.position, sequence: Some(indexed.sequence) }
            } else {
                Anchor { position: term, sequence: None }
            };
            let outcome = self.collect(anchor, until);
            self.position = here;
            match outcome? {
                Some(Damaged { damage, sequence }) => {
                    until = damage.position;
                    damaged = Some((damage, sequence));
                    // Where it begins is known once there is something in front of it.
                    if until > anchor.position {
                        break;
                    }
                }
                None if damaged.is_some() => break,
                None => until = anchor.position,
            }
        }
        if let Some((damage, sequence)) = damaged {
            self.behind.clear();
            self.damaged_behind = Some(DamagedBehind { here, begins: until, sequence });
            return Err(damage.into());
        }
        // Numbers that are not known by the index are known by that of the message behind them.
        if let Some(sequence) = self.sequence {
            let count = self.behind.len() as i64;
            for (index, (_, known)) in self.behind.iter_mut().enumerate() {
                *known = known.or(Some(sequence - count + index as i64)).filter(|&known| known >= 0);
            }
        }
        Ok(())
    }

    /// Keeps where messages begin between two frames: behind the last damage there, if there is any. That is returned if nothing is
    /// behind it.
    fn collect(&mut self, from: Anchor, until: Position) -> Result<Option<Damaged>, JournalError> {
        self.position = from.position;
        let mut sequence = from.sequence;
        let mut damaged = None;
        while self.position < until {
            let damage = match self.peek() {
                Ok(Some(step)) => {
                    if step.begins.message {
                        self.behind.push((self.position, sequence));
                        sequence = sequence.map(|sequence| sequence + 1);
                    }
                    self.position = Position::new(self.position.get() + step.occupied as i64);
                    continue;
                }
                // There was something, or nobody could be behind it.
                Ok(None) => self.damage(Fault::Hole),
                Err(JournalError::Damaged(damage)) => damage,
                Err(error) => return Err(error),
            };
            self.behind.clear();
            damaged = Some(Damaged { damage, sequence: sequence.take() });
            self.position = self.find_frame(until)?.unwrap_or(until);
        }
        Ok(damaged.filter(|_| self.behind.is_empty()))
    }

    /// Where the term of a position begins, or the recording if that is later: a frame begins there in any case.
    fn term_start(&self, position: Position) -> Position {
        let layout = self.identity.layout;
        let begin = position.get() - i64::from(layout.term_length.offset(position));
        Position::new(begin).max(self.recording.start_position())
    }

    #[inline]
    fn record(&self, message: Message) -> Option<Record<'_>> {
        let Message { start, end, sequence, assembled } = message;
        let current = self.current.as_ref()?;
        let fragment = if assembled {
            let (header, payload) = self.assembly.split_first_chunk::<FRAME_HEADER_LENGTH>()?;
            Fragment::new(header, payload, end)
        } else {
            let mut cursor = current.cursor_at(start)?;
            let length = cursor.length_word()?.load_relaxed();
            let frame = cursor.take(length)?;
            Fragment::new(frame.header(), frame.payload(), end)
        };
        Some(Record { fragment, start, sequence, times: current.times.as_ref() })
    }

    /// The next message if it is one frame, and nothing is the matter; [`Self::find_next`] finds all others.
    #[inline(always)]
    fn find_whole(&self) -> Option<Message> {
        let current = self.current.as_ref().filter(|_| !self.verify && self.behind.is_empty())?;
        let start = self.position;
        let mut cursor = current.cursor_at(start)?;
        let frame = self.identity.look_for_whole(&mut cursor, start)?;
        cursor.expect(READ_AHEAD);
        frame.touch();
        if faults() != self.faults {
            return None;
        }
        let end = Position::new(start.get() + frame.occupied() as i64);
        Some(Message { start, end, sequence: self.sequence, assembled: false })
    }

    /// Finds the next message, and what follows it. The tailer moves over padding and fragments without a beginning, not over
    /// the message.
    fn find_next(&mut self) -> Result<Option<Message>, JournalError> {
        if !self.behind.is_empty() {
            self.behind.clear();
        }
        loop {
            let Some(step) = self.peek()? else { return Ok(None) };
            let start = self.position;
            let end = Position::new(start.get() + step.occupied as i64);
            if step.is_data && step.flags & flags::UNFRAGMENTED == flags::UNFRAGMENTED {
                return Ok(Some(Message { start, end, sequence: self.sequence, assembled: false }));
            }
            if !step.begins.message {
                self.position = end;
                continue;
            }
            match self.assemble(step)? {
                Assembled::Whole(message) => return Ok(Some(message)),
                Assembled::NotYet => return Ok(None),
                Assembled::Never => self.sequence = self.sequence.map(|sequence| sequence + 1),
            }
        }
    }

    /// The message that begins where the tailer is, if all of it is there.
    fn find_here(&mut self) -> Result<Option<Message>, JournalError> {
        let Some(step) = self.peek()? else { return Ok(None) };
        if step.flags & flags::UNFRAGMENTED == flags::UNFRAGMENTED {
            let (start, end) = (self.position, Position::new(self.position.get() + step.occupied as i64));
            return Ok(Some(Message { start, end, sequence: self.sequence, assembled: false }));
        }
        Ok(match self.assemble(step)? {
            Assembled::Whole(message) => Some(message),
            Assembled::NotYet | Assembled::Never => None,
        })
    }

    /// Puts together the message that begins with the frame `first`, if all of it is there.
    #[cold]
    fn assemble(&mut self, first: Step) -> Result<Assembled, JournalError> {
        let start = self.position;
        let most = FRAME_HEADER_LENGTH + self.identity.layout.term_length.max_message_length();
        self.assembly.clear();
        let mut step = first;
        loop {
            let length = step.frame_length;
            let taken = self.current.as_ref().and_then(|current| {
                let mut cursor = current.cursor_at(self.position)?;
                cursor.take(i32::try_from(length).ok()?)
            });
            // It was there a moment ago.
            let Some(frame) = taken else { return Ok(Assembled::NotYet) };
            if self.assembly.is_empty() {
                self.assembly.extend_from_slice(frame.header());
            }
            self.position = Position::new(self.position.get() + step.occupied as i64);
            // No publisher has such a message: one that goes on for as long as somebody likes takes no more memory than others.
            if self.assembly.len() + frame.payload().len() > most {
                return Ok(Assembled::Never);
            }
            self.assembly.extend_from_slice(frame.payload());
            if step.flags & flags::END != 0 {
                break;
            }
            let next = self.peek();
            match next {
                Ok(Some(next)) if next.is_data && !next.begins.message => step = next,
                // A message that was never completed: what follows is another one, or padding.
                Ok(Some(_)) => return Ok(Assembled::Never),
                outcome => {
                    self.position = start;
                    return outcome.map(|_| Assembled::NotYet);
                }
            }
        }
        let end = self.position;
        self.position = start;
        // The header is that of the first frame, with the length and the flags of the whole.
        let whole = i32::try_from(self.assembly.len()).unwrap_or(i32::MAX);
        self.assembly[..4].copy_from_slice(&whole.to_le_bytes());
        self.assembly[5] |= flags::UNFRAGMENTED;
        Ok(Assembled::Whole(Message { start, end, sequence: self.sequence, assembled: true }))
    }

    /// The frame where the tailer is, in numbers; none if there is none yet.
    #[inline]
    fn peek(&mut self) -> Result<Option<Step>, JournalError> {
        if !self.is_within() && !self.enter(self.position)? {
            return Ok(None);
        }
        let Some(current) = &self.current else { return Ok(None) };
        let offset = (self.position.get() - current.base.get()) as usize;
        let Some(mut cursor) = current.frames.cursor(offset) else { return Ok(None) };
        match self.identity.look(&mut cursor, self.position) {
            At::Frame(found) => {
                found.frame.touch();
                let kind = found.frame.word(frame::VERSION_FLAGS_TYPE).load_relaxed();
                let step = Step {
                    occupied: found.occupied,
                    frame_length: FRAME_HEADER_LENGTH + found.frame.payload().len(),
                    is_data: (kind >> 16) as u16 == frame_type::DATA,
                    flags: (kind >> 8) as u8,
                    begins: Begins::of(&found.frame),
                };
                if faults() != self.faults {
                    self.look_at_segment()?;
                }
                if self.verify {
                    self.check(offset)?;
                }
                Ok(Some(step))
            }
            At::Nothing { .. } => {
                self.look_at_segment()?;
                self.nothing()
            }
            At::Fault(fault) => {
                self.look_at_segment()?;
                Err(self.damage(fault).into())
            }
        }
    }

    /// A page of some file of this process had to be replaced, or what was read is no frame: sees whether the segment is still what the
    /// file is. If not, it is opened anew by whoever goes on.
    #[cold]
    fn look_at_segment(&mut self) -> Result<(), JournalError> {
        let now = faults();
        if self.current.as_ref().is_some_and(|current| !current.frames.is_intact()) {
            self.current = None;
            return Err(self.damage(Fault::CUT_SHORT).into());
        }
        self.faults = now;
        Ok(())
    }

    /// No frame is there: because there is none yet, or because it is gone.
    #[cold]
    fn nothing(&self) -> Result<Option<Step>, JournalError> {
        let known = self.recording.recorded_hint().unwrap_or(self.position);
        if known <= self.position {
            self.recording.check_intact()?;
            return Ok(None);
        }
        // Committed since, perhaps: what is recorded has frames.
        let is_there = self.current.as_ref().is_some_and(|current| {
            let cursor = current.cursor_at(self.position);
            cursor
                .is_some_and(|mut cursor| !matches!(self.identity.look(&mut cursor, self.position), At::Nothing { .. }))
        });
        if is_there { Ok(None) } else { Err(self.damage(Fault::Hole).into()) }
    }

    /// Compares the checksum of the frame where the tailer is.
    fn check(&mut self, offset: usize) -> Result<(), JournalError> {
        let base = self.identity.layout.base(self.position);
        let Some(sidecar) = self.sidecar(base)? else { return Ok(()) };
        let fault = self.current.as_ref().and_then(|current| {
            let mut cursor = current.frames.cursor(offset)?;
            let length = cursor.length_word()?.load_relaxed();
            let frame = cursor.take(length)?;
            // What is not indexed yet may have had another frame's checksum, before it was cut off.
            if self.position < sidecar.covered() { sidecar.fault(offset, &frame, false) } else { None }
        });
        fault.map_or(Ok(()), |fault| Err(self.damage(fault).into()))
    }

    fn damage(&self, fault: Fault) -> Damage {
        let base = self.identity.layout.base(self.position);
        Damage {
            path: self.recording.storage.path(&segment_name(self.recording.descriptor().recording_id, base)),
            position: self.position,
            offset: (self.position.get() - base.get()).unsigned_abs(),
            fault,
        }
    }

    #[inline]
    fn is_within(&self) -> bool {
        self.current.as_ref().is_some_and(|current| {
            let within = self.position.get().wrapping_sub(current.base.get());
            (0..current.frames.length() as i64).contains(&within)
        })
    }

    /// Maps the segment of a position. False if it is not there yet.
    #[cold]
    fn enter(&mut self, position: Position) -> Result<bool, JournalError> {
        let layout = self.identity.layout;
        if position >= layout.end() || self.recording.stop_position().is_some_and(|stop| position >= stop) {
            self.recording.check_intact()?;
            return Ok(false);
        }
        let id = self.recording.descriptor().recording_id;
        let base = layout.base(position);
        let is_behind = self.recording.recorded_hint().is_some_and(|recorded| position < recorded);
        match find_segment(&*self.recording.storage, id, base, 1, FileAccess::ReadOnly) {
            Ok(Some(stored)) => {
                let length = stored.view().len().min(layout.segment_length.get() as usize);
                let frames = Frames::new(&stored.view().slice(0, length));
                if position.get() - base.get() < frames.length() as i64 {
                    let times = (!self.stamped).then(|| SegmentTimes::new(&self.recording, base));
                    self.current = Some(Current { base, frames, times });
                    return Ok(true);
                }
            }
            Ok(None) | Err(JournalError::Map(MapError::TooShort { .. })) => {}
            Err(error) => return Err(error),
        }
        let earliest = self.recording.start_position();
        if position < earliest {
            return Err(self.pruned("position", position.get(), earliest));
        }
        if is_behind {
            let fault = Fault::File("is missing, or shorter than it must be");
            let position = std::mem::replace(&mut self.position, position);
            let damage = self.damage(fault);
            self.position = position;
            return Err(damage.into());
        }
        Ok(false)
    }
}

/// What came of putting a message together.
enum Assembled {
    Whole(Message),
    /// Its end is not there yet.
    NotYet,
    /// It was never completed, or is longer than any message: the tailer is where something else may begin, or behind what of it was
    /// looked at.
    Never,
}

/// Whether a walk goes on behind damage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OverDamage {
    Yes,
    No,
}

/// Damage, and the number of the message that it begins with, if that is known.
struct Damaged {
    damage: Damage,
    sequence: Option<i64>,
}

/// Damage between where the tailer is and what is in front of that damage.
#[derive(Clone, Copy, Debug)]
struct DamagedBehind {
    here: Position,
    begins: Position,
    sequence: Option<i64>,
}

/// Where looking backwards starts to read forwards.
#[derive(Clone, Copy)]
struct Anchor {
    position: Position,
    sequence: Option<i64>,
}
