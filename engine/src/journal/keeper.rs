//! The helper thread of an open journal. In every process it makes segments ahead of the appenders and releases old
//! ones. In the process that holds the keeper's lock, it also advances the recorded position, pads the claims of dead
//! appenders, writes sidecars, and syncs. If that process dies, the helper of another one takes over.

use std::sync::Arc;

use crate::agent::{Agent, Finished};
use crate::memory::{FileAccess, Frames, MapError};
use crate::time::{Clock, EpochNanos, MonotonicNanos, SystemClock};
use crate::types::Position;

use super::appender::Appender;
use super::error::{AppendError, JournalError};
use super::first_entry::first_entry;
use super::indexer::{Indexer, file_checksum};
use super::locks::keeper_lock_name;
use super::making::remove_left_by_makers;
use super::mark::Pulse;
use super::options::{Stamps, SyncPolicy};
use super::pages::PagesAhead;
use super::prune::{Prune, try_prune_open};
use super::pruned::HeldBack;
use super::recording::Recording;
use super::retention::{Retention, RetentionFile};
use super::segment::SegmentLayout;
use super::sidecar::Sidecar;
use super::storage::{Lock, Share};
use super::writer::Writer;

/// The pause before a failed operation is retried, and the interval between attempts to get the keeper's lock, in
/// nanoseconds.
const RETRY_NS: i64 = 200_000_000;
const LOCK_INTERVAL_NS: i64 = 20_000_000;
/// The interval between two checks for segments to prune, in nanoseconds.
const PRUNE_INTERVAL_NS: i64 = 1_000_000_000;
/// After a check that found nothing to prune, the pause is at least this many times as long as the check took.
const PRUNE_PAUSE: i64 = 50;
/// The clock tolerance in nanoseconds. If the clock steps back by more than this, cycles follow it. After a smaller
/// step, cycles continue as if there was none.
const CLOCK_TOLERANCE_NS: i64 = 10_000_000_000;
/// The delay between naming a segment and looking for files that killed makers of the next one left, in nanoseconds.
const TIDY_DELAY_NS: i64 = 1_000_000_000;
/// How often the mark file's activity is updated, in nanoseconds.
const PULSE_INTERVAL_NS: i64 = 1_000_000_000;
/// How long a full segment stays unsynced if the policy does not ask for syncs, in nanoseconds: about as long as
/// operating systems delay writes. And the number of segments that may be unsynced.
const LEFT_ALONE_NS: i64 = 30_000_000_000;
const MOST_LEFT: i64 = 4;
/// The number of bytes that are synced before the other duties get their turn.
const SYNC_BATCH: i64 = 1 << 20;
/// The interval between two looks at new appends, unless there are many of them. Reading a cache line takes it away
/// from the appender, which may still be writing to it.
const LOOK_INTERVAL_NS: i64 = 500_000;
const MUCH: i64 = 1 << 20;
/// The number of bytes that are indexed before the other duties get their turn.
const INDEX_BATCH: usize = 4 << 20;

/// The helper thread's duties.
#[derive(Debug)]
pub(crate) struct Keeper {
    writer: Arc<Writer>,
    mark: Pulse,
    next_pulse: MonotonicNanos,
    lock: Option<Lock>,
    next_lock: MonotonicNanos,
    next_look: MonotonicNanos,
    next_prune: MonotonicNanos,
    /// The cursor that was last reported as holding back pruning.
    held_by: Option<String>,
    /// After a failure, nothing that may fail is retried before this time.
    retry: MonotonicNanos,
    last_sync: MonotonicNanos,
    /// Since when a full segment has been unsynced without a policy that asks for syncs.
    left_since: Option<MonotonicNanos>,
    /// Whether the journal is being closed. Work that another process can do later is then skipped.
    is_closing: bool,
    /// Segments below this position have their final name, which archives know.
    named: Position,
    /// When to look for files that killed makers left. `None` until the next segment is named.
    next_tidy: Option<MonotonicNanos>,
    index: Option<Index>,
    pages: PagesAhead,
}

/// The state of indexing.
#[derive(Debug)]
struct Index {
    indexer: Indexer,
    sidecar: Option<(Position, Sidecar)>,
}

impl Keeper {
    pub(crate) fn new(writer: Arc<Writer>, mark: Pulse) -> Self {
        let named = writer.control.recorded_position();
        let now = MonotonicNanos::new(i64::MIN);
        let pages = PagesAhead::new(Position::new(writer.control.tail().load_relaxed()));
        Self {
            writer,
            mark,
            next_pulse: now,
            lock: None,
            next_lock: now,
            next_look: now,
            next_prune: now,
            held_by: None,
            retry: now,
            last_sync: now,
            left_since: None,
            is_closing: false,
            named,
            next_tidy: None,
            index: None,
            pages,
        }
    }

    fn keep(&mut self, now: MonotonicNanos) -> Result<usize, JournalError> {
        if self.lock.is_none() {
            if now < self.next_lock {
                return Ok(0);
            }
            self.next_lock = now.saturating_add_ns(LOCK_INTERVAL_NS);
            let name = keeper_lock_name(self.writer.descriptor.recording_id);
            self.lock = self.writer.storage.try_lock(&name, Share::Exclusive)?;
            if self.lock.is_none() {
                return Ok(0);
            }
            self.named = self.writer.control.indexed_position().min(self.writer.control.recorded_position());
            self.index = None;
            self.next_tidy = Some(now);
        }
        let named = self.writer.name_segments(self.named)?;
        if named > self.named {
            // By then the other makers have reached the next segment as well and are finished.
            self.next_tidy.get_or_insert(now.saturating_add_ns(TIDY_DELAY_NS));
        }
        self.named = named;
        let before = self.writer.control.recorded_position();
        let mut recorded = before;
        let mut indexed = Ok(0);
        if self.is_due(now, recorded) {
            self.next_look = now.saturating_add_ns(LOOK_INTERVAL_NS);
            recorded = self.writer.advance()?;
            // A failure is returned below: while a full disk has no room for an index, pruning makes some.
            indexed = self.index_named(recorded);
        }
        let mut work = usize::from(recorded > before);
        work += self.sync(now, recorded)?;
        self.tidy(now)?;
        // The others do not wait for it. It is tried again when it is due.
        work += self.prune(now).unwrap_or_else(|error| {
            self.writer.note_trouble(error);
            0
        });
        // Last: it needs an appender's slot, which may not be available, and the other duties must not fail with it. The
        // next process that opens the journal rolls if it is due by then.
        if !self.is_closing {
            work += usize::from(roll_if_due(&self.writer)?);
        }
        Ok(work + indexed?)
    }

    /// Whether it is time to look at new appends.
    fn is_due(&self, now: MonotonicNanos, recorded: Position) -> bool {
        let control = &self.writer.control;
        let behind = control.tail().load_relaxed().saturating_sub(control.indexed_position().min(recorded).get());
        now >= self.next_look || behind >= MUCH || self.is_closing
    }

    /// Removes the files of makers that were killed.
    fn tidy(&mut self, now: MonotonicNanos) -> Result<(), JournalError> {
        if self.next_tidy.is_none_or(|next| now < next) {
            return Ok(());
        }
        // A failure is reported once, and retried with the next segment.
        self.next_tidy = None;
        let is_done = remove_left_by_makers(&*self.writer.storage, self.writer.descriptor.recording_id)?;
        if !is_done {
            self.next_tidy = Some(now.saturating_add_ns(TIDY_DELAY_NS));
        }
        Ok(())
    }

    /// Updates the mark file, which keeps archives out of the directory.
    fn pulse(&mut self, now: MonotonicNanos) {
        if now < self.next_pulse {
            return;
        }
        self.next_pulse = now.saturating_add_ns(PULSE_INTERVAL_NS);
        if self.mark.is_ours() {
            self.mark.refresh(SystemClock.epoch());
        } else {
            self.writer.note_trouble(self.mark.taken(&*self.writer.storage));
        }
    }

    /// Prunes according to the retention policy, if there is one: one segment at a time, so that the next segment is
    /// still created in time.
    fn prune(&mut self, now: MonotonicNanos) -> Result<usize, JournalError> {
        if now < self.next_prune {
            return Ok(0);
        }
        self.next_prune = now.saturating_add_ns(PRUNE_INTERVAL_NS);
        let id = self.writer.descriptor.recording_id;
        let file = RetentionFile::open(&*self.writer.storage, id, FileAccess::ReadOnly)?;
        let policy = file.map_or(Ok(Some(Retention::new())), |file| file.policy_at_once(&*self.writer.storage))?;
        let Some(policy) = policy else { return Ok(0) };
        if policy.keeps_everything() {
            return Ok(0);
        }
        let recording = Recording::open_in(Arc::clone(&self.writer.storage), Some(id))?;
        let began = SystemClock.monotonic();
        let pruned = try_prune_open(&recording, &Prune::by(&policy).at_most(1))?;
        let took_ns = SystemClock.monotonic().get().saturating_sub(began.get());
        let Some(pruned) = pruned else { return Ok(0) };
        if pruned.segments.is_empty() {
            // If messages had to be read for their times, the next check comes later.
            let pause_ns = took_ns.saturating_mul(PRUNE_PAUSE).max(PRUNE_INTERVAL_NS);
            self.next_prune = now.saturating_add_ns(pause_ns);
        } else {
            self.next_prune = now;
        }
        self.tell_held(pruned.held);
        Ok(pruned.segments.len())
    }

    /// Reports the cursor that holds back pruning, once.
    fn tell_held(&mut self, held: Option<HeldBack>) {
        let Some(HeldBack { cursor, position, .. }) = held else {
            self.held_by = None;
            return;
        };
        if self.held_by.as_ref() == Some(&cursor) {
            return;
        }
        let recording_id = self.writer.descriptor.recording_id;
        let hint = JournalError::HeldBack { recording_id, cursor: cursor.clone(), position };
        // If unread trouble is in the way, this is reported later.
        if self.writer.note_hint(hint) {
            self.held_by = Some(cursor);
        }
    }

    /// Indexes what is recorded, in segments with their final names. The tail may have reached further ones since they
    /// were named.
    fn index_named(&mut self, recorded: Position) -> Result<usize, JournalError> {
        self.index(recorded.min(self.named))
    }

    fn index(&mut self, recorded: Position) -> Result<usize, JournalError> {
        let index = match &mut self.index {
            Some(index) => index,
            None => self.index.insert(Index { indexer: resume(&self.writer)?, sidecar: None }),
        };
        let before = index.indexer.position;
        match index.advance(&self.writer, recorded) {
            Ok(()) => Ok(usize::from(index.indexer.position > before)),
            // Starts again where the sidecars end, or at the recording's start if it was pruned meanwhile.
            Err(error) => {
                self.index = None;
                if matches!(error, JournalError::Pruned { .. }) { Ok(1) } else { Err(error) }
            }
        }
    }

    fn sync(&mut self, now: MonotonicNanos, recorded: Position) -> Result<usize, JournalError> {
        let durable = self.writer.control.durable_position();
        let behind = recorded.get().saturating_sub(durable.get());
        let due = match self.writer.control.sync_policy() {
            SyncPolicy::None => return self.sync_left(now, recorded),
            SyncPolicy::Every(interval) => {
                let interval_ns = i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX);
                now >= self.last_sync.saturating_add_ns(interval_ns)
            }
            SyncPolicy::EveryBytes(bytes) => behind.cast_unsigned() >= bytes,
            // Appenders wait for their own syncs. This one is for frames that a dead appender left.
            SyncPolicy::EveryAppend => true,
        };
        if behind <= 0 || !due {
            return Ok(0);
        }
        self.last_sync = now;
        self.writer.sync_to(recorded)?;
        Ok(1)
    }

    /// Syncs full segments although the policy does not ask for syncs, a part at a time: some time after the last
    /// append to them, when the operating system has written most of them, or when several have accumulated. This
    /// limits how much a recovery after a loss of power has to check, however long the recording is.
    fn sync_left(&mut self, now: MonotonicNanos, recorded: Position) -> Result<usize, JournalError> {
        let (control, layout) = (&self.writer.control, &self.writer.identity.layout);
        let full = layout.base(control.indexed_position().min(recorded));
        let durable = control.durable_position().max(self.writer.start());
        if durable >= full || self.is_closing {
            self.left_since = None;
            return Ok(0);
        }
        let since = *self.left_since.get_or_insert(now);
        let most = MOST_LEFT * i64::from(layout.segment_length.get());
        if full.get() - durable.get() <= most && now < since.saturating_add_ns(LEFT_ALONE_NS) {
            return Ok(0);
        }
        let part = Position::new(durable.get() + SYNC_BATCH).min(layout.next_base(layout.base(durable)));
        self.writer.sync_until(part, false)?;
        Ok(1)
    }

    /// Works until it has reached the current tail, and no further, because other processes may keep appending.
    fn catch_up(&mut self, mut now: impl FnMut() -> MonotonicNanos) {
        let tail = self.writer.control.tail().load_acquire();
        loop {
            let before = self.writer.control.indexed_position();
            let done = self.keep(now());
            let indexed = self.writer.control.indexed_position();
            // The index goes on although another duty fails, as pruning does by a damaged policy.
            let goes_on = indexed > before || matches!(done, Ok(1..));
            if let Err(error) = done {
                self.writer.note_trouble(error);
            }
            if !goes_on || indexed.get() >= tail {
                return;
            }
        }
    }

    /// The lowest position whose segment is still needed by anything other than appenders.
    fn needed_from(&self) -> Position {
        let control = &self.writer.control;
        let mut needed = control.recorded_position();
        if self.lock.is_some() {
            needed = needed.min(control.indexed_position());
            if control.sync_policy() != SyncPolicy::None {
                needed = needed.min(control.durable_position());
            }
        }
        needed
    }
}

impl Agent for Keeper {
    fn name(&self) -> &str {
        "journal-keeper"
    }

    fn do_work(&mut self) -> Result<usize, Finished> {
        let now = SystemClock.monotonic();
        self.pulse(now);
        if now < self.retry {
            return Ok(0);
        }
        let prepared = self.writer.prepare().and_then(|()| self.pages.advance(&self.writer));
        let done = match prepared {
            // Pruning makes room for the next segment.
            Err(error @ JournalError::Map(MapError::NoSpace { .. })) => self.keep(now).and(Err(error)),
            prepared => prepared.and_then(|work| Ok(work + self.keep(now)?)),
        };
        self.writer.let_go(self.needed_from());
        Ok(done.unwrap_or_else(|error| {
            self.retry = now.saturating_add_ns(RETRY_NS);
            self.writer.note_trouble(error);
            0
        }))
    }

    fn on_close(&mut self) {
        // Indexes the last appends if possible. Otherwise the next process that opens the journal does it. Runs even if
        // the thread is stopped before its first turn. Does nothing without the keeper's lock.
        self.is_closing = true;
        self.catch_up(|| SystemClock.monotonic());
    }
}

impl Index {
    /// Indexes the recorded range, at most one batch.
    fn advance(&mut self, writer: &Writer, recorded: Position) -> Result<(), JournalError> {
        let layout = writer.identity.layout;
        let from = self.indexer.position;
        if from >= recorded {
            return Ok(());
        }
        let base = layout.base(from);
        let segment = writer.segment(base)?;
        let sidecar = self.sidecar_of(writer, base)?;
        let end = layout.next_base(base);
        self.indexer
            .walk(&writer.identity, base, &segment.frames, Some(&sidecar), recorded.min(end), INDEX_BATCH)
            .map_err(|fault| writer.damage(base, self.indexer.position, fault))?;
        self.check_intact(writer, &segment.frames, base, &sidecar)?;
        if self.indexer.position == end {
            let length = layout.segment_length.get() as usize;
            sidecar.seal(file_checksum(&segment.stored, length));
            // Before this segment counts as indexed: see `recovery`.
            let path = writer.storage.path(&Sidecar::name(writer.descriptor.recording_id, base));
            let failed = |source| JournalError::Io { action: "sync", path, source };
            sidecar.sync(0, length).map_err(failed)?;
            self.check_intact(writer, &segment.frames, base, &sidecar)?;
        }
        writer.control.advance_indexed(self.indexer.position);
        Ok(())
    }

    /// Checks that the indexed bytes were in the segment's file, and that the entries are in the sidecar's file.
    fn check_intact(
        &mut self,
        writer: &Writer,
        frames: &Frames,
        base: Position,
        sidecar: &Sidecar,
    ) -> Result<(), JournalError> {
        writer.check_intact(frames, base, self.indexer.position)?;
        if sidecar.is_intact() {
            return Ok(());
        }
        // The sidecar is rebuilt from the beginning of its segment.
        self.sidecar = None;
        writer.control.rewind_indexed(base.max(writer.identity.layout.start_position));
        let path = writer.storage.path(&Sidecar::name(writer.descriptor.recording_id, base));
        let found = super::error::Fault::CUT_SHORT.to_string();
        Err(JournalError::Malformed { path, offset: 0, found })
    }

    fn sidecar_of(&mut self, writer: &Writer, base: Position) -> Result<Sidecar, JournalError> {
        if let Some((found, sidecar)) = &self.sidecar
            && *found == base
        {
            return Ok(sidecar.clone());
        }
        let sidecar = match Sidecar::open(&*writer.storage, &writer.descriptor, base, FileAccess::ReadWrite)? {
            Some(sidecar) => {
                sidecar.clear_from((self.indexer.position.get() - base.get()) as usize);
                sidecar
            }
            None => Sidecar::create(&*writer.storage, &writer.descriptor, base)?,
        };
        self.sidecar = Some((base, sidecar.clone()));
        Ok(sidecar)
    }
}

/// Begins a new segment if a cycle has begun since the last call. The caller holds the keeper's lock or has the journal
/// alone.
pub(crate) fn roll_if_due(writer: &Arc<Writer>) -> Result<bool, JournalError> {
    roll_if_due_at(writer, SystemClock.epoch_nanos_coarse())
}

fn roll_if_due_at(writer: &Arc<Writer>, time: EpochNanos) -> Result<bool, JournalError> {
    let Some(roll) = writer.control.roll_cycle() else { return Ok(false) };
    let (known, now) = (writer.control.cycle(), roll.number(time));
    if now <= known {
        // A clock that was set back begins no cycle.
        if roll.start_of(known).get().saturating_sub(time.get()) > CLOCK_TOLERANCE_NS {
            // The clock was ahead when this cycle began. The next cycle must not wait until the clock is at that time
            // again.
            writer.control.set_cycle(now);
            let due = writer.control.due_cycle();
            due.store_relaxed(due.load_relaxed().min(now));
        }
        return Ok(false);
    }
    if known > 0 {
        let Some(mut appender) = Appender::try_new(writer)? else {
            // The exclusive appender rolls before its next message. If that appender is dropped, this function rolls
            // later.
            writer.control.due_cycle().store_relaxed(now);
            return Ok(false);
        };
        let filled = appender.fill_segment();
        filled.map_err(|error| match error {
            AppendError::Segment(error) => *error,
            error => {
                let expected = "room in its segment, which is there";
                JournalError::Options { what: format!("a roll that failed: {error}"), expected }
            }
        })?;
    }
    writer.control.set_cycle(now);
    Ok(known > 0)
}

/// An indexer at the position where the sidecars end, with their entries. At the recording's start if they cannot be
/// continued.
fn resume(writer: &Writer) -> Result<Indexer, JournalError> {
    let layout = writer.identity.layout;
    let stamped = writer.control.stamps() != Stamps::None;
    let indexed = writer.control.indexed_position();
    let begin = writer.start();
    let mut end = indexed;
    while end > begin {
        let base = layout.base(Position::new(end.get() - 1));
        let sidecar = Sidecar::open(&*writer.storage, &writer.descriptor, base, FileAccess::ReadOnly)?;
        // The sidecar is written first, so the page is wrong if it names a position that the sidecar does not cover.
        let covered = sidecar.as_ref().map_or(begin, Sidecar::covered);
        let entry = sidecar.and_then(|sidecar| sidecar.last_entry(|entry| entry.position < end));
        if let Some(entry) = entry.filter(|entry| entry.position >= begin) {
            end = end.min(covered).max(begin);
            if end < indexed {
                writer.control.rewind_indexed(end);
            }
            let mut indexer = Indexer::at(entry, stamped);
            walk_to(&mut indexer, writer, &layout, end)?;
            return Ok(indexer);
        }
        // This one is lost, and made again. Those before it need not be.
        end = base;
    }
    if indexed > begin {
        writer.control.rewind_indexed(begin);
    }
    Ok(Indexer::at(first_entry(&*writer.storage, &writer.descriptor, begin)?, stamped))
}

fn walk_to(indexer: &mut Indexer, writer: &Writer, layout: &SegmentLayout, end: Position) -> Result<(), JournalError> {
    while indexer.position < end {
        let (from, base) = (indexer.position, layout.base(indexer.position));
        let segment = writer.segment(base)?;
        indexer
            .walk(&writer.identity, base, &segment.frames, None, end, usize::MAX)
            .map_err(|fault| writer.damage(base, indexer.position, fault))?;
        if indexer.position == from {
            return Err(writer.damage(base, from, super::error::Fault::Hole).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::appender::ExclusiveAppender;
    use crate::journal::control::Control;
    use crate::journal::locks::lock_opening;
    use crate::journal::mark::Mark;
    use crate::journal::storage::{Crash, MemoryStorage, Storage};
    use crate::journal::{Journal, JournalOptions, RollCycle, segment_name};
    use crate::memory::RawAccess;

    const SEGMENT: i64 = 64 << 10;

    /// A keeper of a journal with so many full segments that nobody synced, and nobody else who keeps it.
    fn keeper(segments: i64) -> (Keeper, Position) {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let options = JournalOptions::new().term_length(SEGMENT).segment_length(SEGMENT).mtu(1408);
        let journal = Journal::create_in(Arc::clone(&storage), &options).unwrap();
        let mut appender = journal.appender().unwrap();
        while journal.tail().get() <= segments * SEGMENT {
            appender.append(&[5; 1000]).unwrap();
        }
        let descriptor = journal.descriptor().clone();
        drop(appender);
        journal.close_under(lock_opening(&*storage), false).unwrap();
        let control = Control::open(&*storage, &descriptor, FileAccess::ReadWrite).unwrap().unwrap();
        let mark = Mark::claim(&*storage, &lock_opening(&*storage).unwrap()).unwrap();
        let writer = Arc::new(Writer::new(storage, descriptor, control));
        (Keeper::new(writer, mark.pulse()), Position::new(segments * SEGMENT))
    }

    /// Calls the keeper at a moment until it has nothing more to do, and says what is durable then.
    fn durable_at(keeper: &mut Keeper, now_ns: i64) -> Position {
        while keeper.keep(MonotonicNanos::new(now_ns)).unwrap() > 0 {}
        keeper.writer.control.durable_position()
    }

    #[test]
    fn full_segments_are_synced_half_a_minute_after_they_were_left() {
        let (mut keeper, full) = keeper(MOST_LEFT);
        let begin = 1_000_000_000_000;
        assert_eq!(durable_at(&mut keeper, begin).get(), 0);
        assert_eq!(durable_at(&mut keeper, begin + LEFT_ALONE_NS - 1).get(), 0, "not yet");
        assert_eq!(durable_at(&mut keeper, begin + LEFT_ALONE_NS), full, "but for the segment of the tail");
        assert_eq!(durable_at(&mut keeper, begin + 3 * LEFT_ALONE_NS), full);
    }

    #[test]
    fn more_full_segments_are_not_left_alone() {
        let (mut keeper, full) = keeper(MOST_LEFT + 2);
        let begin = 1_000_000_000_000;
        // One at a time, until so many are left.
        let left = Position::new(full.get() - MOST_LEFT * SEGMENT);
        assert_eq!(durable_at(&mut keeper, begin), left);
        assert_eq!(durable_at(&mut keeper, begin + LEFT_ALONE_NS), full);
    }

    /// Whoever waits for the index finds the segments under their final names. Appends reach the next segment after those
    /// before it were named, and before they are recorded.
    #[test]
    fn what_is_indexed_has_its_name() {
        let (mut keeper, _) = keeper(1);
        let writer = Arc::clone(&keeper.writer);
        let mut appender = Appender::new(&writer).unwrap();
        let full = appender.fill_segment().unwrap();
        let now = MonotonicNanos::new(1_000_000_000_000);
        while keeper.keep(now).unwrap() > 0 {}
        let recorded = writer.advance().unwrap();
        assert!((recorded, keeper.named, writer.control.indexed_position()) == (full, full, full));
        appender.append(&[5; 1000]).unwrap();
        let recorded = writer.advance().unwrap();
        keeper.index_named(recorded).unwrap();
        assert_eq!((recorded > full, writer.control.indexed_position()), (true, full));
        let name = segment_name(writer.descriptor.recording_id, full);
        assert!(!writer.storage.names().unwrap().contains(&name));
        while writer.control.indexed_position() < recorded {
            keeper.keep(now.saturating_add_ns(LOOK_INTERVAL_NS)).unwrap();
        }
        assert!(writer.storage.names().unwrap().contains(&name));
    }

    /// A wrong bit in its first bytes is enough, and all segments of a long recording would have to be read.
    #[test]
    fn if_the_last_index_is_lost_no_other_is_made_again() {
        let (keeper, _) = keeper(3);
        let writer = &keeper.writer;
        let (id, end) = (writer.descriptor.recording_id, writer.control.indexed_position());
        assert!(end.get() > 3 * SEGMENT);
        let whole = resume(writer).unwrap();
        assert_eq!((whole.position, writer.control.indexed_position()), (end, end));
        for (lost, left) in [(3, 3), (2, 2), (0, 2), (1, 0)] {
            let name = Sidecar::name(id, Position::new(lost * SEGMENT));
            writer.storage.open(&name, 1, FileAccess::ReadWrite).unwrap().view().put_bytes(8, &[0xFF]);
            let found = resume(writer).unwrap();
            assert_eq!(
                (found.position.get(), writer.control.indexed_position().get()),
                (left * SEGMENT, left * SEGMENT)
            );
            assert!(found.sequence == left * SEGMENT / 1056 && found.sequence < whole.sequence, "{found:?}");
        }
    }

    /// Whoever has a damaged cursor may take long to mend it, and messages are synced meanwhile as the policy says.
    #[test]
    fn a_pruning_that_fails_holds_up_no_other_duty() {
        let (mut keeper, _) = keeper(2);
        let (storage, id) = (Arc::clone(&keeper.writer.storage), keeper.writer.descriptor.recording_id);
        let policy = Retention::new().max_bytes(1);
        RetentionFile::open_or_create(&*storage, id).unwrap().set_policy(&*storage, &policy).unwrap();
        let recording = Recording::open_in(Arc::clone(&storage), None).unwrap();
        recording.cursor("billing").unwrap();
        let cursors = storage.open(&format!("{id}.cursors"), 1, FileAccess::ReadWrite).unwrap();
        // In its name.
        cursors.view().put_bytes(256 + 32, b"B");
        let now = MonotonicNanos::new(1_000_000_000_000);
        while keeper.keep(now).unwrap() > 0 {}
        let error = keeper.writer.take_trouble().unwrap();
        assert!(error.to_string().contains("the CRC-32C of the cursor"), "{error}");
        recording.remove_cursor("Billing").unwrap();
        let now = now.saturating_add_ns(PRUNE_INTERVAL_NS);
        while keeper.keep(now).unwrap() > 0 {}
        assert!(keeper.writer.take_trouble().is_none());
        assert_eq!(recording.start_position().get(), 2 * SEGMENT);
    }

    /// Linux reports a failed write once, and takes the pages for written from then on. What counts as indexed is proven by
    /// its checksums, and searched by its entries.
    #[test]
    fn an_index_that_could_not_be_synced_is_on_stable_storage_when_it_counts() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let options = JournalOptions::new().term_length(SEGMENT).segment_length(SEGMENT).mtu(1408);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
        let descriptor = journal.descriptor().clone();
        journal.close().unwrap();
        // Nobody else keeps it.
        let control = Control::open(&storage, &descriptor, FileAccess::ReadWrite).unwrap().unwrap();
        let mark = Mark::claim(&storage, &lock_opening(&storage).unwrap()).unwrap();
        let writer = Arc::new(Writer::new(Arc::new(storage.clone()), descriptor.clone(), control));
        let mut keeper = Keeper::new(Arc::clone(&writer), mark.pulse());
        let mut appender = Appender::new(&writer).unwrap();
        appender.append(&[5; 1000]).unwrap();
        let base = Position::new(0);
        let name = Sidecar::name(descriptor.recording_id, base);
        let mut now = MonotonicNanos::new(1_000_000_000_000);
        while writer.control.indexed_position().get() == 0 {
            now = now.saturating_add_ns(LOOK_INTERVAL_NS);
            keeper.keep(now).unwrap();
        }
        while writer.control.tail().load_relaxed() <= SEGMENT {
            appender.append(&[5; 1000]).unwrap();
        }
        storage.fail_syncs(&name, true);
        now = now.saturating_add_ns(LOOK_INTERVAL_NS);
        let error = keeper.keep(now).unwrap_err();
        assert!(error.to_string().contains(&name) && writer.control.indexed_position().get() < SEGMENT, "{error}");
        storage.fail_syncs(&name, false);
        while writer.control.indexed_position().get() < SEGMENT {
            now = now.saturating_add_ns(LOOK_INTERVAL_NS);
            keeper.keep(now).unwrap();
        }
        storage.sync_names().unwrap();
        let left = storage.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
        let bytes = |storage: &MemoryStorage| {
            let stored = storage.open(&name, 1, FileAccess::ReadOnly).unwrap();
            let mut bytes = vec![0; stored.view().len()];
            stored.view().get_bytes(0, &mut bytes);
            bytes
        };
        assert!(bytes(&left) == bytes(&storage));
    }

    /// A journal that rolls every minute, with one message, which nobody keeps.
    fn rolling() -> Arc<Writer> {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let options = JournalOptions::new().term_length(SEGMENT).segment_length(SEGMENT).mtu(1408);
        let journal = Journal::create_in(Arc::clone(&storage), &options.roll(RollCycle::MINUTELY)).unwrap();
        let descriptor = journal.descriptor().clone();
        journal.appender().unwrap().append(&[1; 100]).unwrap();
        journal.close_under(lock_opening(&*storage), false).unwrap();
        let control = Control::open(&*storage, &descriptor, FileAccess::ReadWrite).unwrap().unwrap();
        control.set_cycle(0);
        Arc::new(Writer::new(storage, descriptor, control))
    }

    const MINUTE: i64 = 60;
    /// Where a minute begins, in seconds.
    const BEGIN: i64 = 28_333_333 * MINUTE;
    const YEARS: i64 = 80 * 366 * 24 * 60 * MINUTE;

    fn is_rolled_at(writer: &Arc<Writer>, second: i64) -> bool {
        roll_if_due_at(writer, EpochNanos::new(second * 1_000_000_000)).unwrap()
    }

    /// A clock that was far ahead, and was set right.
    #[test]
    fn cycles_go_on_when_the_clock_steps_back() {
        let writer = rolling();
        assert!(!is_rolled_at(&writer, BEGIN), "the first is the one that it is");
        Appender::new(&writer).unwrap().append(&[2; 100]).unwrap();
        assert!(is_rolled_at(&writer, BEGIN + YEARS));
        for minute in 1..4 {
            Appender::new(&writer).unwrap().append(&[2; 100]).unwrap();
            assert!(!is_rolled_at(&writer, BEGIN + minute * MINUTE - 1), "{minute}");
            assert!(is_rolled_at(&writer, BEGIN + minute * MINUTE), "{minute}");
            assert!(!is_rolled_at(&writer, BEGIN + minute * MINUTE), "{minute}");
        }
        // One that is set a little begins no cycle twice.
        assert!(!is_rolled_at(&writer, BEGIN + 3 * MINUTE - 10));
        assert!(!is_rolled_at(&writer, BEGIN + 3 * MINUTE + 1));
        assert!(is_rolled_at(&writer, BEGIN + 4 * MINUTE));
    }

    #[test]
    fn an_exclusive_appender_s_cycles_go_on_when_the_clock_steps_back() {
        let writer = rolling();
        let mut appender = ExclusiveAppender::new(&writer).unwrap();
        let base = |end: Position| writer.identity.layout.base(Position::new(end.get() - 1));
        assert!(!is_rolled_at(&writer, BEGIN));
        let first = base(appender.append(&[2; 100]).unwrap());
        // Nothing is appended while it is ahead.
        assert!(!is_rolled_at(&writer, BEGIN + YEARS));
        assert!(!is_rolled_at(&writer, BEGIN));
        assert!(!is_rolled_at(&writer, BEGIN + MINUTE));
        let mut bases = vec![first];
        for minute in 1..4 {
            assert!(!is_rolled_at(&writer, BEGIN + minute * MINUTE), "that is up to the appender");
            bases.extend((0..3).map(|_| base(appender.append(&[2; 100]).unwrap())));
        }
        // It has begun a cycle by the time that the clock is set right.
        assert!(!is_rolled_at(&writer, BEGIN + YEARS));
        bases.push(base(appender.append(&[2; 100]).unwrap()));
        for minute in 4..6 {
            assert!(!is_rolled_at(&writer, BEGIN + minute * MINUTE - 1));
            assert!(!is_rolled_at(&writer, BEGIN + minute * MINUTE));
            bases.extend((0..3).map(|_| base(appender.append(&[2; 100]).unwrap())));
        }
        let cycles: Vec<_> = bases.iter().map(|base| (base.get() - first.get()) / SEGMENT).collect();
        assert_eq!(cycles, [0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 5, 5, 6, 6, 6]);
    }

    /// Whoever closes a journal that others append to all the while catches up with what was there, and goes.
    #[test]
    fn a_keeper_that_ends_does_not_wait_for_those_who_append() {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10).mtu(1408);
        let journal = Journal::create_in(Arc::clone(&storage), &options).unwrap();
        let descriptor = journal.descriptor().clone();
        journal.close().unwrap();
        // Nobody else keeps it.
        let control = Control::open(&*storage, &descriptor, FileAccess::ReadWrite).unwrap().unwrap();
        let mark = Mark::claim(&*storage, &lock_opening(&*storage).unwrap()).unwrap();
        let writer = Arc::new(Writer::new(storage, descriptor, control));
        let mut appender = Appender::new(&writer).unwrap();
        let mut keeper = Keeper::new(Arc::clone(&writer), mark.pulse());
        let before = appender.append(&[1; 1000]).unwrap();
        let mut looks = 0;
        keeper.catch_up(|| {
            looks += 1;
            assert!(looks < 100, "it follows the others for ever");
            appender.append(&[2; 1000]).unwrap();
            MonotonicNanos::new(looks)
        });
        assert!(writer.control.indexed_position() >= before);
    }
}
