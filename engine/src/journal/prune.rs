//! Pruning: removes whole segments from the start of a recording, as an archive's purge does, while the recording is
//! written and read. Applications and commands call it, and the helper thread if a policy is set. An appender never
//! does, and no lock that appenders take is held.
//!
//! ```text
//!  start                         new start
//!  ▼                             ▼
//!  ├── segment ──┤├── segment ──┤├── segment ──┤├── being written ─ ...
//!   1. the new start is described                 (ID.retention)
//!   2. the catalog gets the new start             from here on the recording begins there
//!   3. the files below are removed, the first one first
//! ```
//!
//! If pruning is killed before step 2, nothing has happened. If it is killed after that, the files left below the start
//! are not part of the recording any more. The next pruning, repair or recovery removes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::memory::FileAccess;
use crate::time::{Clock, EpochNanos, SystemClock};
use crate::types::{Position, RecordingId};

use super::age::Age;
use super::catalog::Catalog;
use super::control::Control;
use super::cursor::sync_cursors;
use super::descriptor::RecordingDescriptor;
use super::error::JournalError;
use super::locks::{cursors_lock_name, lock_opening, open_lock_name, prune_lock_name, wait_for_lock};
use super::making::being_made;
use super::mark::{Mark, refuse_archive};
use super::options::SyncPolicy;
use super::pruned::{HeldBack, KeepReason, KeptSegment, PruneReason, Pruned, PrunedSegment};
use super::recording::Recording;
use super::retention::{Retention, RetentionFile};
use super::segment::{SegmentKind, SegmentLayout, ahead_name, parse_number, parse_segment_name, segment_name};
use super::sidecar::{IndexEntry, Sidecar};
use super::storage::{Share, Storage};
use super::tailer::Start;

/// What to prune.
///
/// ```
/// use gannet::journal::{Journal, JournalOptions, Prune, Retention};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let options = JournalOptions::new().segment_length(64 << 10).term_length(64 << 10);
/// let journal = Journal::create(dir, &options)?;
/// let mut appender = journal.appender()?;
/// for _ in 0..1_000 {
///     appender.append(&[7; 500])?;
/// }
/// # let end = journal.recorded()?;
/// # // The next segment counts as well.
/// # while journal.indexed() < end || journal.prepared().get() - end.get() <= 64 << 10 { std::thread::yield_now(); }
/// let keep = Prune::by(&Retention::new().max_bytes(200_000));
/// let would = journal.prune(&keep.dry_run())?;
/// let done = journal.prune(&keep)?;
/// assert_eq!((done.start, done.segments.len()), (would.start, would.segments.len()));
/// assert!(done.start.get() > 0 && journal.recording()?.start_position() == done.start);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Prune {
    retention: Retention,
    before_position: Option<Position>,
    before_time: Option<EpochNanos>,
    force: bool,
    dry_run: bool,
    at_most: Option<usize>,
}

impl Prune {
    /// Prunes what a retention policy does not keep.
    pub fn by(retention: &Retention) -> Self {
        Self { retention: *retention, ..Self::default() }
    }

    /// Prunes segments that end at or before a position.
    #[must_use]
    pub fn before_position(mut self, position: Position) -> Self {
        self.before_position = Some(position);
        self
    }

    /// Prunes segments whose messages were all appended before a time.
    #[must_use]
    pub fn before_time(mut self, time: EpochNanos) -> Self {
        self.before_time = Some(time);
        self
    }

    /// Also prunes messages that named cursors have not read. Their consumers get [`JournalError::Pruned`].
    #[must_use]
    pub fn force(mut self) -> Self {
        self.force = true;
        self
    }

    /// Changes nothing, and reports what would be pruned.
    #[must_use]
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Prunes at most this many segments, the oldest first.
    #[must_use]
    pub fn at_most(mut self, segments: usize) -> Self {
        self.at_most = Some(segments);
        self
    }
}

/// Prunes a recording: the one with this id, or the last of the storage. Processes may be using it. Calls `progress` with
/// the position after each segment that was examined, and again when the files of a segment are removed.
///
/// # Errors
///
/// [`JournalError::Recover`] for a recording whose writers were killed, and [`JournalError::NotRecovered`] for one whose
/// end may have been lost with the power: open or repair it first. Otherwise an error of the operating system. Segments
/// pruned before the error stay pruned, and the journal can be read.
pub fn prune(
    storage: Arc<dyn Storage>,
    recording_id: Option<RecordingId>,
    request: &Prune,
    mut progress: impl FnMut(Position),
) -> Result<Pruned, JournalError> {
    let recording = Recording::open_in(Arc::clone(&storage), recording_id)?;
    let mut pruning = Pruning { storage: &*storage, recording: &recording, progress: &mut progress };
    if request.dry_run {
        return pruning.plan(request);
    }
    refuse_archive(&*storage)?;
    let id = recording.descriptor().recording_id;
    // If nobody has the recording open, nobody may open it now, because recovery may need what is pruned. If somebody
    // has it open, it is recovered already.
    let opening = lock_opening(&*storage)?;
    let alone = storage.try_lock(&open_lock_name(id), Share::Exclusive)?;
    let opening = alone.is_some().then_some(opening);
    // It may have been repaired or recovered before it was locked.
    recording.look_again()?;
    if opening.is_some() {
        if recording.stop_position().is_none() {
            return Err(JournalError::Recover { recording_id: id });
        }
        recording.check_recovered()?;
    }
    // If others have it open, they hold the mark.
    let mark = opening.as_ref().map(|opening| Mark::claim(&*storage, opening)).transpose()?;
    // Only one process prunes at a time.
    let lock = wait_for_lock(&*storage, &prune_lock_name(id))?;
    let done = pruning.run(request, true);
    let released = mark.zip(opening.as_ref()).map_or(Ok(()), |(mark, opening)| mark.release(&*storage, opening));
    drop((lock, alone, opening));
    // Whoever waits for the lock has a result.
    released.and(done).map(Option::unwrap_or_default)
}

/// As [`prune`], for a journal that is open. It cannot be recovered meanwhile.
pub(crate) fn prune_open(recording: &Recording, request: &Prune) -> Result<Pruned, JournalError> {
    let mut pruning = Pruning { storage: &*recording.storage, recording, progress: &mut |_| {} };
    if request.dry_run {
        return pruning.plan(request);
    }
    let _lock = wait_for_lock(pruning.storage, &prune_lock_name(recording.descriptor().recording_id))?;
    pruning.run(request, true).map(Option::unwrap_or_default)
}

/// As [`prune_open`], for the helper thread, which does not wait. `None` if another process is pruning, or makes a cursor.
pub(crate) fn try_prune_open(recording: &Recording, request: &Prune) -> Result<Option<Pruned>, JournalError> {
    let mut pruning = Pruning { storage: &*recording.storage, recording, progress: &mut |_| {} };
    let name = prune_lock_name(recording.descriptor().recording_id);
    let Some(_lock) = pruning.storage.try_lock(&name, Share::Exclusive)? else { return Ok(None) };
    pruning.run(request, false)
}

/// Removes the files that a killed pruning left. The caller has the recording open alone.
pub(crate) fn finish(storage: &dyn Storage, descriptor: &RecordingDescriptor) -> Result<Vec<String>, JournalError> {
    let left = left_over(storage, descriptor.recording_id, &descriptor.layout())?;
    assure_start(storage, descriptor.recording_id, &left)?;
    let names: Vec<String> = left.into_iter().map(|(_, name)| name).collect();
    for name in &names {
        storage.remove(name)?;
    }
    Ok(names)
}

/// Ensures that the start of a recording is on stable storage, before the files below are removed. Whoever moved it may
/// have been killed before that, or the sync may have failed.
pub(crate) fn assure_start(
    storage: &dyn Storage,
    id: RecordingId,
    below: &[(Position, String)],
) -> Result<(), JournalError> {
    if below.is_empty() {
        return Ok(());
    }
    let catalog = Catalog::open(storage, FileAccess::ReadWrite)?;
    catalog.assure(&catalog.find(id)?)
}

/// The files of segments before the start, in order, if pruning moved the start there. An archive that detached
/// segments means to keep them.
pub(crate) fn left_over(
    storage: &dyn Storage,
    id: RecordingId,
    layout: &SegmentLayout,
) -> Result<Vec<(Position, String)>, JournalError> {
    let start = layout.start_position;
    let file = match RetentionFile::open(storage, id, FileAccess::ReadOnly) {
        // It does not keep anybody from opening the recording.
        Err(JournalError::Malformed { .. }) => None,
        file => file?,
    };
    if file.is_none_or(|file| file.first(start).is_none()) {
        return Ok(Vec::new());
    }
    let prefix = format!("{id}-");
    let parse = |name: String| {
        let base = match parse_segment_name(&name) {
            Some((found, base, _)) => (found == id).then_some(base),
            None => {
                let (base, kind) = name.strip_prefix(&prefix)?.split_once('.')?;
                let is_sidecar = kind == "index" || kind == "times" || kind.starts_with("times.");
                is_sidecar.then(|| parse_number(base))?.map(Position::new)
            }
        }?;
        (base.get() <= start.get() - i64::from(layout.segment_length.get())).then_some((base, name))
    };
    let mut left: Vec<_> = storage.names()?.into_iter().filter_map(parse).collect();
    // The sidecar of a segment is removed last, so that an existing segment has its index.
    left.sort_by(|(base, name), (other, other_name)| base.cmp(other).then(other_name.cmp(name)));
    Ok(left)
}

impl Recording {
    /// The cursor that keeps the helper threads from pruning according to the policy, if there is one.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn held_back(&self) -> Result<Option<HeldBack>, JournalError> {
        let policy = self.retention()?;
        if policy.keeps_everything() {
            return Ok(None);
        }
        match prune_open(self, &Prune::by(&policy).dry_run()) {
            Ok(would) => Ok(would.held),
            // The recording is recovered before anybody prunes it.
            Err(JournalError::Recover { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

struct Pruning<'a> {
    storage: &'a dyn Storage,
    recording: &'a Recording,
    /// Is told how far it is.
    progress: &'a mut dyn FnMut(Position),
}

/// What remains of the limits while segments are selected.
struct Limits {
    oldest_kept: Option<i64>,
    age: Age,
    bytes: u64,
    free: Option<u64>,
}

impl Pruning<'_> {
    /// Prunes. The caller holds the prune lock. `None` if somebody else holds the cursors' lock and `waits` is not set.
    fn run(&mut self, request: &Prune, waits: bool) -> Result<Option<Pruned>, JournalError> {
        let descriptor = self.recording.descriptor();
        let id = descriptor.recording_id;
        let plan = loop {
            // Without the cursors' lock, for which consumers wait: this may look at many files, and read messages.
            let plan = self.plan(request)?;
            if plan.start == plan.start_before {
                break plan;
            }
            let first = self.describe(plan.start)?;
            let name = cursors_lock_name(id);
            let cursors = match waits {
                true => Some(wait_for_lock(self.storage, &name)?),
                false => self.storage.try_lock(&name, Share::Exclusive)?,
            };
            let Some(_cursors) = cursors else { return Ok(None) };
            // As long as the lock is held, no cursor is created at the old start, or removed. One that came below the new
            // start meanwhile holds back a part of the plan.
            let cursor = self.slowest_cursor(plan.start_before)?;
            if request.force || cursor.as_ref().is_none_or(|(_, position)| *position >= plan.start) {
                if cursor.is_some() {
                    // Otherwise a loss of power would take them back to where messages are missing that were processed.
                    sync_cursors(self.storage, descriptor)?;
                }
                self.begin_at(&plan, first)?;
                break plan;
            }
        };
        let layout = SegmentLayout { start_position: plan.start, ..descriptor.layout() };
        let left = left_over(self.storage, id, &layout)?;
        if plan.start == plan.start_before {
            assure_start(self.storage, id, &left)?;
        }
        for (base, name) in &left {
            self.storage.remove(name)?;
            (self.progress)(layout.next_base(*base));
        }
        if !left.is_empty() {
            self.storage.sync_names()?;
        }
        Ok(Some(plan))
    }

    /// Moves the start of the recording, on stable storage. `first` describes the new start. The caller holds the cursors'
    /// lock.
    fn begin_at(&self, plan: &Pruned, first: IndexEntry) -> Result<(), JournalError> {
        let descriptor = self.recording.descriptor();
        let id = descriptor.recording_id;
        let file = RetentionFile::open_or_create(self.storage, id)?;
        file.set_first(self.storage, plan.start_before, first)?;
        let catalog = Catalog::open(self.storage, FileAccess::ReadWrite)?;
        let entry = catalog.find(id)?;
        catalog.set_start(&entry, plan.start)?;
        if let Some(control) = Control::open(self.storage, descriptor, FileAccess::ReadWrite)? {
            control.advance_first(plan.start);
        }
        let went = plan.segments.iter().filter(|segment| segment.reason != PruneReason::Unfinished);
        let (segments, bytes) = went.fold((0, 0), |(count, bytes), segment| (count + 1, bytes + segment.bytes));
        file.count(segments, bytes, SystemClock.epoch());
        Ok(())
    }

    fn plan(&mut self, request: &Prune) -> Result<Pruned, JournalError> {
        let descriptor = self.recording.descriptor();
        let start = self.recording.start_position();
        let layout = SegmentLayout { start_position: start, ..descriptor.layout() };
        let mut plan = Pruned { start_before: start, start, ..Pruned::default() };
        for (base, name) in left_over(self.storage, descriptor.recording_id, &layout)? {
            let bytes = self.bytes_of(&name)?;
            plan.bytes += bytes;
            if parse_segment_name(&name).is_some() {
                let reason = PruneReason::Unfinished;
                plan.segments.push(PrunedSegment { name, base, bytes, newest: None, reason });
            }
        }
        // Listed before the segments: one that gets its final name in between is in both lists, and counts once.
        let names = if request.retention.max_bytes.is_some() { self.storage.names()? } else { Vec::new() };
        let bases = self.recording.segment_bases()?;
        let end = self.prunable_end(&layout, &bases)?;
        let mut limits = self.limits(request, &layout, &bases, &names)?;
        limits.free = limits.free.map(|free| free.saturating_add(plan.bytes));
        let cursor = self.slowest_cursor(start)?;
        let mut held = 0;
        let at_most = request.at_most.unwrap_or(usize::MAX).saturating_sub(plan.segments.len());
        for (count, base) in bases.into_iter().enumerate() {
            let next = layout.next_base(base);
            let name = segment_name(descriptor.recording_id, base);
            let stays = |newest, reason| KeptSegment { name: name.clone(), base, newest, reason };
            if next > end || count >= at_most {
                let reason = if next > end { KeepReason::InUse } else { KeepReason::AtMost };
                plan.rest.get_or_insert_with(|| stays(None, reason));
                break;
            }
            let newest = limits.age.newest(self.recording, base, next)?;
            (self.progress)(next);
            let Some(reason) = limits.reason(request, next, newest) else {
                let is_undated = newest.is_none() && limits.age.kept_from.is_some();
                let reason = if is_undated { KeepReason::Undated } else { KeepReason::Limits };
                plan.rest.get_or_insert_with(|| stays(newest, reason));
                break;
            };
            let bytes = self.bytes_of(&name)? + self.bytes_of(&Sidecar::name(descriptor.recording_id, base))?;
            limits.bytes = limits.bytes.saturating_sub(bytes);
            limits.free = limits.free.map(|free| free.saturating_add(bytes));
            if held > 0 || (!request.force && cursor.as_ref().is_some_and(|(_, position)| *position < next)) {
                held += 1;
                plan.rest.get_or_insert_with(|| stays(newest, KeepReason::Cursor));
                continue;
            }
            plan.start = next;
            plan.bytes += bytes;
            plan.segments.push(PrunedSegment { name, base, bytes, newest, reason });
        }
        plan.held = cursor.filter(|_| held > 0).map(|(cursor, position)| HeldBack { cursor, position, segments: held });
        Ok(plan)
    }

    /// The position up to which segments may be pruned. Something may still need what is beyond.
    fn prunable_end(&self, layout: &SegmentLayout, bases: &[Position]) -> Result<Position, JournalError> {
        let recorded = self.recording.recorded_hint();
        let unknown = || JournalError::Recover { recording_id: self.recording.descriptor().recording_id };
        let mut end = recorded.ok_or_else(unknown)?;
        if let Some(control) = self.recording.control() {
            // The helper thread still has to index and sync what is beyond.
            end = end.min(control.indexed_position().max(layout.start_position));
            if control.sync_policy() != SyncPolicy::None {
                end = end.min(control.durable_position().max(layout.start_position));
            }
        }
        // The segment that contains the end stays, as with an archive. A segment that was only made ahead does not
        // count.
        Ok(bases.last().map_or(layout.start_position, |&last| last.min(layout.base(end))))
    }

    fn limits(
        &self,
        request: &Prune,
        layout: &SegmentLayout,
        bases: &[Position],
        names: &[String],
    ) -> Result<Limits, JournalError> {
        let now = SystemClock.epoch_nanos().get();
        let age = request.retention.max_age.map(|age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX));
        let mut bytes = 0;
        if request.retention.max_bytes.is_some() {
            let id = self.recording.descriptor().recording_id;
            for &base in bases {
                bytes += self.bytes_of(&segment_name(id, base))? + self.bytes_of(&Sidecar::name(id, base))?;
            }
            let mut there: BTreeSet<Position> = bases.iter().copied().collect();
            let ahead = |name: &String| match parse_segment_name(name) {
                Some((found, base, SegmentKind::Ahead)) if found == id => Some(base),
                _ => None,
            };
            // Several makers may be creating the same segment, also beside one that is there already. One file will stay, so
            // only one counts: nothing is pruned for the sake of the others.
            let made = names.iter().filter_map(|name| Some((ahead(name)?, name)));
            let being_made = names.iter().filter_map(|name| Some((being_made(name, id)?, name)));
            for (base, name) in made.chain(being_made) {
                if layout.is_base(base) && there.insert(base) {
                    bytes += self.bytes_ahead(id, base, name)?;
                }
            }
        }
        let free = if request.retention.min_free.is_some() { self.storage.free_space()? } else { None };
        let oldest_kept = age.map(|age| now.saturating_sub(age));
        let kept_from = oldest_kept.max(request.before_time.map(EpochNanos::get)).map(EpochNanos::new);
        Ok(Limits { oldest_kept, age: Age { now: EpochNanos::new(now), kept_from }, bytes, free })
    }

    /// The number of bytes of a segment that is not recorded yet. It may have another name than when it was listed.
    fn bytes_ahead(&self, id: RecordingId, base: Position, listed: &str) -> Result<u64, JournalError> {
        for name in [listed, &ahead_name(id, base), &segment_name(id, base)] {
            let bytes = self.bytes_of(name)?;
            if bytes > 0 {
                return Ok(bytes);
            }
        }
        Ok(0)
    }

    fn bytes_of(&self, name: &str) -> Result<u64, JournalError> {
        Ok(self.storage.info(name)?.map_or(0, |info| info.bytes))
    }

    /// The cursor with the lowest position, among those that have not lost messages already.
    fn slowest_cursor(&self, start: Position) -> Result<Option<(String, Position)>, JournalError> {
        let cursors = self.recording.cursors()?.into_iter().map(|cursor| (cursor.name, cursor.position));
        Ok(cursors.filter(|&(_, position)| position >= start).min_by_key(|&(_, position)| position))
    }

    /// The index entry for the beginning of a segment.
    fn describe(&self, position: Position) -> Result<IndexEntry, JournalError> {
        let sidecar = Sidecar::open(self.storage, self.recording.descriptor(), position, FileAccess::ReadOnly)?;
        let entry = sidecar.and_then(|sidecar| sidecar.entry(0)).filter(|entry| entry.position == position);
        if let Some(entry) = entry {
            return Ok(entry);
        }
        let tailer = self.recording.tailer(Start::Position(position));
        // Damage before it is no reason to keep the segment. Message numbers start again after damage.
        let sequence = tailer.ok().and_then(|tailer| tailer.sequence()).unwrap_or(0);
        Ok(IndexEntry { position, sequence, time_before: 0 })
    }
}

impl Limits {
    /// Why the segment that ends at `end` is pruned. `None` if it is kept.
    fn reason(&self, request: &Prune, end: Position, newest: Option<EpochNanos>) -> Option<PruneReason> {
        let is_before = |time: Option<i64>| time.is_some_and(|time| newest.is_some_and(|newest| newest.get() < time));
        if request.before_position.is_some_and(|position| end <= position) {
            Some(PruneReason::Position)
        } else if is_before(request.before_time.map(EpochNanos::get)) {
            Some(PruneReason::Time)
        } else if is_before(self.oldest_kept) {
            Some(PruneReason::Age)
        } else if request.retention.max_bytes.is_some_and(|most| self.bytes > most) {
            Some(PruneReason::Size)
        } else if request.retention.min_free.is_some_and(|least| self.free.is_some_and(|free| free < least)) {
            Some(PruneReason::FreeSpace)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::storage::MemoryStorage;
    use crate::journal::{Journal, JournalOptions};
    use crate::memory::RawAccess;

    /// A consumer's process may be stopped while it makes a cursor. Meanwhile others append, and the helper thread syncs
    /// and makes their segments.
    #[test]
    fn the_helper_thread_waits_for_nobody_who_makes_a_cursor() {
        const SEGMENT: i64 = 64 << 10;
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let options = JournalOptions::new().term_length(SEGMENT).segment_length(SEGMENT).mtu(1408);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
        let mut appender = journal.appender().unwrap();
        while journal.tail().get() < 3 * SEGMENT {
            appender.append(&[7; 1000]).unwrap();
        }
        drop(appender);
        let recording = journal.recording().unwrap();
        let id = journal.descriptor().recording_id;
        journal.close().unwrap();
        let request = Prune::default().before_position(Position::new(SEGMENT));
        let cursors = storage.try_lock(&cursors_lock_name(id), Share::Exclusive).unwrap().unwrap();
        assert_eq!(try_prune_open(&recording, &request).unwrap(), None);
        drop(cursors);
        assert_eq!(try_prune_open(&recording, &request).unwrap().unwrap().start.get(), SEGMENT);
    }
}
