//! The control page: a sidecar file through which the writers of a recording share its tail, and from which anybody
//! reads how far it is recorded and durable. Any process that opens a journal for writing makes and checks it. A reader
//! can do without it.
//!
//! ```text
//!     0  version | length | recording id | start position | term length | segment length | initial term id | stamps
//!    40  boot id | sync policy | how often cycles begin | CRC-32C of all before; see `page_guard`
//!   256  tail                           claimed by appenders
//!   384  recorded | indexed             written by the keeper
//!   512  durable | assured | tried      written by the keeper, and by appenders that sync
//!   640  first                          written when pruning
//!   768  cycle | due                    written by the keeper; `cycle` by an exclusive appender, too
//!  4096  64 slots of 128 bytes: what an appender claims or claimed last: position | length | process
//! ```
//!
//! As long as the machine has not been restarted, the page contains all that was stored in it, and is trusted as far as
//! the frames do not contradict it. After a loss of power only `durable` counts, which is stored after the sync of the
//! data below it; the other words may come from other moments. `assured` follows `durable` once the page itself is on
//! stable storage, and nobody is told that data is durable before that.

use core::time::Duration;

use crate::memory::{AtomicBuffer, Field, FileAccess, OwnedWord, Reserve};
use crate::types::{Position, RecordingId, SemanticVersion, TermId, TermLength};

use super::catalog::{Catalog, CatalogEntry};
use super::descriptor::RecordingDescriptor;
use super::error::{Fault, JournalError};
use super::options::{Stamps, SyncPolicy};
use super::page_guard::{self, GUARD_END};
use super::preamble::{self, PREAMBLE_LENGTH, Preamble};
use super::roll_cycle::RollCycle;
use super::segment::{SegmentLayout, SegmentLength};
use super::storage::{Storage, Stored};
use super::tail::{NO_CLAIM, Slot, Slots};

/// The number of appenders that a recording can have at a time.
pub const MAX_APPENDERS: usize = 64;

/// The version of the control page's layout.
pub const CONTROL_VERSION: SemanticVersion = SemanticVersion::new(1, 4, 0);

/// The minor version that introduced `assured`.
const ASSURED_SINCE: i32 = 2;

/// The stored sync policy with which appends wait for syncs.
const EVERY_APPEND: i64 = 3;

const LENGTH_BYTES: usize = SLOTS + MAX_APPENDERS * SLOT_LENGTH;
const PREAMBLE: Preamble = Preamble::new(CONTROL_VERSION, LENGTH_BYTES);
const SLOTS: usize = 4096;
/// Two cache lines, since processors fetch them in pairs.
const SLOT_LENGTH: usize = 128;

const START_POSITION: Field<i64> = Field::at(16);
const TERM_LENGTH: Field<i32> = Field::at(24);
const SEGMENT_LENGTH: Field<i32> = Field::at(28);
const INITIAL_TERM_ID: Field<i32> = Field::at(32);
const STAMPS: Field<i32> = Field::at(36);
const BOOT_ID: Field<[i64; 2]> = Field::at(40);
const SYNC_KIND: Field<i64> = Field::at(56);
const SYNC_VALUE: Field<i64> = Field::at(64);
const ROLL_PERIOD: Field<i64> = Field::at(72);
const ROLL_OFFSET: Field<i64> = Field::at(80);
const TAIL: Field<i64> = Field::at(256);
const RECORDED: Field<i64> = Field::at(384);
const INDEXED: Field<i64> = Field::at(392);
const DURABLE: Field<i64> = Field::at(512);
const ASSURED: Field<i64> = Field::at(520);
const TRIED: Field<i64> = Field::at(528);
const FIRST: Field<i64> = Field::at(640);
const CYCLE: Field<i64> = Field::at(768);
const DUE: Field<i64> = Field::at(776);

const _: () = {
    assert!(
        PREAMBLE_LENGTH == START_POSITION.start()
            && START_POSITION.end() == TERM_LENGTH.start()
            && SEGMENT_LENGTH.end() == INITIAL_TERM_ID.start()
    );
    assert!(STAMPS.end() == BOOT_ID.start() && BOOT_ID.end() == SYNC_KIND.start());
    assert!(DURABLE.end() == ASSURED.start() && ASSURED.end() == TRIED.start() && TRIED.end() <= FIRST.start());
    assert!(FIRST.end() <= CYCLE.start() && CYCLE.end() == DUE.start() && DUE.end() <= SLOTS);
    assert!(SYNC_VALUE.end() == ROLL_PERIOD.start() && ROLL_OFFSET.end() < GUARD_END && GUARD_END <= TAIL.start());
};

/// The control page, a mapped file.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    stored: Stored,
    name: String,
}

/// The positions in a control page, and whether they are from the current boot of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) tail: Position,
    pub(crate) recorded: Position,
    pub(crate) indexed: Position,
    pub(crate) durable: Position,
    /// At most `durable`, unless one of them is wrong.
    pub(crate) assured: Position,
    /// Whether the machine has not been restarted since the page was written.
    pub(crate) same_boot: bool,
}

/// The settings of a recording in its control page, without its positions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chosen {
    pub(crate) stamps: Stamps,
    pub(crate) sync: SyncPolicy,
    pub(crate) roll: Option<RollCycle>,
    /// The cycle that began last. 0 if none did.
    pub(crate) cycle: i64,
}

impl Chosen {
    /// The settings of a recording for which none were chosen.
    pub(crate) const NOTHING: Self = Self { stamps: Stamps::None, sync: SyncPolicy::None, roll: None, cycle: 0 };
}

/// A recording's stop position, unless a loss of power may have removed what is before it; then the recording counts as not
/// closed. A stop position without a control page is another writer's, whose frames have no checksums.
pub(crate) fn durable_stop(stop: Option<Position>, known: Option<Known>) -> Option<Position> {
    let is_lost = |stop: Position| {
        known.is_some_and(|known| {
            let is_durable = known.durable >= stop || known.assured == stop;
            !known.same_boot && !is_durable && known.recorded == stop && known.tail == stop
        })
    };
    stop.filter(|stop| !is_lost(*stop))
}

impl Control {
    /// The name of a recording's control page.
    pub(crate) fn name(recording_id: RecordingId) -> String {
        format!("{recording_id}.control")
    }

    /// The recording whose control page has this file name, if it is a control page's.
    pub(crate) fn parse_name(name: &str) -> Option<RecordingId> {
        let id = RecordingId::new(name.strip_suffix(".control")?.parse().ok()?);
        (Self::name(id) == name).then_some(id)
    }

    /// Whether the recording has no control page, or one that shows that nothing was appended.
    pub(crate) fn is_unused(storage: &dyn Storage, recording_id: RecordingId) -> Result<bool, JournalError> {
        let Some(stored) = storage.find(&Self::name(recording_id), 1, FileAccess::ReadOnly)? else { return Ok(true) };
        let view = stored.view();
        if view.len() < LENGTH_BYTES {
            return Ok(false);
        }
        let start = view.word(START_POSITION).load_relaxed();
        let is_page = PREAMBLE.is_in(view, recording_id);
        Ok(is_page && [TAIL, RECORDED].iter().all(|&field| view.word(field).load_relaxed() == start))
    }

    /// The layout of a recording's segments according to its control page, with the start position after the last
    /// pruning. `None` if there is no page, or no plausible one.
    pub(crate) fn layout_of(
        storage: &dyn Storage,
        recording_id: RecordingId,
    ) -> Result<Option<SegmentLayout>, JournalError> {
        let name = Self::name(recording_id);
        let stored = storage.find_whole(&name, LENGTH_BYTES as u64, FileAccess::ReadOnly)?;
        let Some(stored) = stored else { return Ok(None) };
        let view = stored.view();
        let int = |field: Field<i32>| view.word(field).load_relaxed();
        let is_page = PREAMBLE.is_in(view, recording_id);
        let Some(term_length) = TermLength::new(int(TERM_LENGTH).into()).ok().filter(|_| is_page) else {
            return Ok(None);
        };
        let segment_length = SegmentLength::new(int(SEGMENT_LENGTH).into(), term_length).ok();
        let start = view.word(START_POSITION).load_relaxed().max(view.word(FIRST).load_relaxed());
        let can_be = start >= 0 && start % 32 == 0 && start <= term_length.max_position().get();
        Ok(segment_length.filter(|_| can_be).map(|segment_length| SegmentLayout {
            term_length,
            segment_length,
            start_position: Position::new(start),
            initial_term_id: TermId::new(int(INITIAL_TERM_ID)),
        }))
    }

    /// Mends a flipped bit in what the page says besides positions; see `page_guard`. The caller has the recording alone.
    pub(crate) fn mend(storage: &dyn Storage, recording_id: RecordingId) -> Result<(), JournalError> {
        let name = Self::name(recording_id);
        let stored = storage.find_whole(&name, LENGTH_BYTES as u64, FileAccess::ReadWrite)?;
        stored.iter().for_each(|stored| page_guard::mend(stored.view()));
        Ok(())
    }

    /// Creates the page of a recording that is at `position`, and replaces an existing one.
    pub(crate) fn create(
        storage: &dyn Storage,
        descriptor: &RecordingDescriptor,
        chosen: &Chosen,
        position: Position,
    ) -> Result<Self, JournalError> {
        let name = Self::name(descriptor.recording_id);
        let stamps = match chosen.stamps {
            Stamps::None => 0,
            Stamps::Coarse => 1,
            Stamps::Precise => 2,
        };
        let stored = storage.make(&name, LENGTH_BYTES as u64, Reserve::SpaceAndPages, |stored| {
            let view = stored.view();
            view.word(START_POSITION).store_relaxed(descriptor.start_position.get());
            view.word(TERM_LENGTH).store_relaxed(descriptor.term_length.get());
            view.word(SEGMENT_LENGTH).store_relaxed(descriptor.segment_length.get());
            view.word(INITIAL_TERM_ID).store_relaxed(descriptor.initial_term_id.get());
            view.word(STAMPS).store_relaxed(stamps);
            PREAMBLE.write(view, descriptor.recording_id);
            let control = Self { stored: stored.clone(), name: name.clone() };
            control.set_sync_policy(chosen.sync);
            control.set_roll_cycle(chosen.roll);
            control.set_cycle(chosen.cycle);
            control.reset(storage.boot_id(), position);
            control.indexed().store_relaxed(descriptor.start_position.get());
            control.sync(storage)
        })?;
        storage.sync_names()?;
        Ok(Self { stored, name })
    }

    /// Creates the page of a recording that is at `position` anew, with the same settings.
    pub(crate) fn create_again(
        &self,
        storage: &dyn Storage,
        descriptor: &RecordingDescriptor,
        position: Position,
    ) -> Result<Self, JournalError> {
        let (stamps, sync, roll, cycle) = (self.stamps(), self.sync_policy(), self.roll_cycle(), self.cycle());
        Self::create(storage, descriptor, &Chosen { stamps, sync, roll, cycle }, position)
    }

    /// Maps the page of a recording. `None` if there is no page, or if it does not match the recording's entry in the
    /// catalog.
    pub(crate) fn open(
        storage: &dyn Storage,
        descriptor: &RecordingDescriptor,
        access: FileAccess,
    ) -> Result<Option<Self>, JournalError> {
        let name = Self::name(descriptor.recording_id);
        let stored = storage.find_whole(&name, LENGTH_BYTES as u64, access)?;
        Ok(stored.and_then(|stored| Self::of(stored, name, descriptor)))
    }

    /// As [`Self::open`] after [`Self::mend`], but what is mended is a copy.
    pub(crate) fn open_mended_copy(
        storage: &dyn Storage,
        descriptor: &RecordingDescriptor,
    ) -> Result<Option<Self>, JournalError> {
        let name = Self::name(descriptor.recording_id);
        let stored = storage.find_whole(&name, LENGTH_BYTES as u64, FileAccess::ReadOnly)?;
        Ok(stored.and_then(|stored| {
            let copy = stored.copy(LENGTH_BYTES);
            page_guard::mend(copy.view());
            Self::of(copy, name, descriptor)
        }))
    }

    fn of(stored: Stored, name: String, descriptor: &RecordingDescriptor) -> Option<Self> {
        let view = stored.view();
        let speaks_of_it = PREAMBLE.is_in(view, descriptor.recording_id)
            && has_started(view.word(START_POSITION).load_relaxed(), descriptor)
            && view.word(TERM_LENGTH).load_relaxed() == descriptor.term_length.get()
            && view.word(SEGMENT_LENGTH).load_relaxed() == descriptor.segment_length.get()
            && view.word(INITIAL_TERM_ID).load_relaxed() == descriptor.initial_term_id.get();
        speaks_of_it.then_some(Self { stored, name })
    }

    /// The recording's positions, if they are plausible. See `recovery`, which compares them with the frames.
    pub(crate) fn known(&self, descriptor: &RecordingDescriptor, boot_id: [i64; 2]) -> Option<Known> {
        let view = self.stored.view();
        // A pruned range is no longer indexed or durable, and need not be.
        let start = descriptor.start_position;
        let within = start..=descriptor.term_length.max_position();
        let is_position = |position: &Position| within.contains(position) && position.get() % 32 == 0;
        let (durable, assured) = (Position::new(self.durable().load_acquire()), self.durable_position());
        let was_stored = |position: Position| position.get() >= 0 && is_position(&position.max(start));
        // Never behind a position that was reported as durable.
        let durable = if was_stored(durable) { durable.max(start) } else { assured.max(start) };
        let assured = if was_stored(assured) { assured.max(start) } else { durable };
        let mut known = Known {
            tail: Position::new(self.tail().load_acquire()),
            recorded: self.recorded_position(),
            indexed: self.indexed_position().max(start),
            durable,
            assured,
            same_boot: boot_id != [0, 0]
                && [0, 1].map(|half| view.word(BOOT_ID.element(half)).load_relaxed()) == boot_id,
        };
        if known.same_boot {
            // Nothing was lost, so neither of these matters for where the recording ends; see
            // `known_positions` and `doubts_durable`.
            if !is_position(&known.recorded) {
                known.recorded = known.indexed;
            }
            if !is_position(&known.tail) {
                known.tail = known.recorded;
            }
            known.durable = known.durable.min(known.recorded);
        } else {
            // A disk may hold the words of a page from different moments. A durable position was recorded, whatever the
            // other words say.
            let or_durable = |position| if is_position(&position) { position.max(durable) } else { durable };
            known.recorded = or_durable(known.recorded);
            known.tail = or_durable(known.tail).max(known.recorded);
        }
        known.indexed = known.indexed.min(known.recorded);
        [known.tail, known.recorded, known.durable].iter().all(is_position).then_some(known)
    }

    /// Resets the positions to `position`: everything below is recorded, and nothing is claimed.
    pub(crate) fn reset(&self, boot_id: [i64; 2], position: Position) {
        let view = self.stored.view();
        for slot in 0..MAX_APPENDERS {
            self.slot(slot).position.store_relaxed(NO_CLAIM);
        }
        for (half, id) in boot_id.into_iter().enumerate() {
            view.word(BOOT_ID.element(half)).store_relaxed(id);
        }
        let durable = self.durable().load_relaxed().clamp(0, position.get());
        self.durable().store_relaxed(durable);
        // The old value until the page is on stable storage; see `assure`. A page before version 1.2 does not have this
        // word.
        self.assured().store_relaxed(self.durable_position().get().clamp(0, durable));
        let tried = self.own(TRIED);
        tried.store_relaxed(tried.load_relaxed().clamp(0, position.get()));
        if preamble::version(view).minor() < CONTROL_VERSION.minor() {
            PREAMBLE.write_version(view);
        }
        page_guard::write(view);
        self.indexed().store_relaxed(self.indexed().load_relaxed().min(position.get()));
        self.recorded().store_relaxed(position.get());
        self.tail().store_release(position.get());
    }

    /// The meaning of reserved values.
    pub(crate) fn stamps(&self) -> Stamps {
        match self.stored.view().word(STAMPS).load_relaxed() {
            1 => Stamps::Coarse,
            2 => Stamps::Precise,
            _ => Stamps::None,
        }
    }

    /// Sets when messages are synced to stable storage.
    pub(crate) fn set_sync_policy(&self, policy: SyncPolicy) {
        let (kind, value) = match policy {
            SyncPolicy::None => (0, 0),
            SyncPolicy::Every(interval) => (1, i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX)),
            SyncPolicy::EveryBytes(bytes) => (2, i64::try_from(bytes).unwrap_or(i64::MAX)),
            SyncPolicy::EveryAppend => (EVERY_APPEND, 0),
        };
        self.stored.view().word(SYNC_VALUE).store_relaxed(value);
        self.stored.view().word(SYNC_KIND).store_relaxed(kind);
        page_guard::write(self.stored.view());
    }

    /// When messages are synced to stable storage.
    pub(crate) fn sync_policy(&self) -> SyncPolicy {
        let value = self.stored.view().word(SYNC_VALUE).load_relaxed().max(1).cast_unsigned();
        match self.stored.view().word(SYNC_KIND).load_relaxed() {
            1 => SyncPolicy::Every(Duration::from_nanos(value)),
            2 => SyncPolicy::EveryBytes(value),
            EVERY_APPEND => SyncPolicy::EveryAppend,
            _ => SyncPolicy::None,
        }
    }

    /// The word with the sync policy's kind; see [`waits_for_sync`].
    pub(crate) fn sync_kind(&self) -> OwnedWord<i64> {
        self.own(SYNC_KIND)
    }

    /// Checks that the mapping still shows the file; see [`Stored::is_intact`].
    pub(crate) fn check_intact(&self, storage: &dyn Storage) -> Result<(), JournalError> {
        if self.is_intact() {
            return Ok(());
        }
        let path = storage.path(&self.name);
        Err(JournalError::Malformed { path, offset: 0, found: Fault::CUT_SHORT.to_string() })
    }

    /// Whether the mapping still shows the file; see [`Stored::is_intact`].
    pub(crate) fn is_intact(&self) -> bool {
        self.stored.is_intact()
    }

    /// The recorded position and the tail.
    ///
    /// A tail is within an existing segment or at a segment's end, because appenders enter a segment before they move
    /// the tail there. So the tail does not imply that any segment beyond the next one exists; see `writer`.
    ///
    /// # Errors
    ///
    /// [`JournalError::Malformed`] if the words were overwritten, or the file was truncated.
    pub(crate) fn ends(
        &self,
        storage: &dyn Storage,
        layout: &SegmentLayout,
    ) -> Result<(Position, Position), JournalError> {
        let recorded = self.recorded_position();
        let tail = Position::new(self.tail().load_acquire());
        let bad = |offset: usize, found: String| {
            let path = storage.path(&self.name);
            Err(JournalError::Malformed { path, offset: offset as u64, found })
        };
        self.check_intact(storage)?;
        if recorded < layout.start_position || recorded > tail || recorded.get() % 32 != 0 {
            let start = layout.start_position;
            return bad(RECORDED.start(), format!("recorded up to {recorded}, from {start}, with the tail at {tail}"));
        }
        if tail > layout.end() || tail.get() % 32 != 0 {
            return bad(
                TAIL.start(),
                format!("the tail is {tail}; positions are multiples of 32 up to {}", layout.end()),
            );
        }
        Ok((recorded, tail))
    }

    /// The error for a tail at which no frame can be appended, because no segment leads up to it or frames are there
    /// already.
    pub(crate) fn bad_tail(&self, storage: &dyn Storage, tail: Position) -> JournalError {
        let found = format!(
            "the tail is {tail}, where no frame can be appended: somebody wrote over it; close the journal everywhere and open it \
             again"
        );
        JournalError::Malformed { path: storage.path(&self.name), offset: TAIL.start() as u64, found }
    }

    /// Sets how often a new cycle begins. `None` for never.
    pub(crate) fn set_roll_cycle(&self, roll: Option<RollCycle>) {
        let (period_s, offset_s) = roll.map_or((0, 0), |roll| roll.seconds());
        self.stored.view().word(ROLL_OFFSET).store_relaxed(offset_s);
        self.stored.view().word(ROLL_PERIOD).store_relaxed(period_s);
    }

    /// How often a new cycle begins. `None` for never.
    pub(crate) fn roll_cycle(&self) -> Option<RollCycle> {
        let word = |field: Field<i64>| self.stored.view().word(field).load_relaxed();
        RollCycle::of_seconds(word(ROLL_PERIOD), word(ROLL_OFFSET))
    }

    /// The current cycle. 0 if none has begun.
    pub(crate) fn cycle(&self) -> i64 {
        self.stored.view().word(CYCLE).load_relaxed()
    }

    /// Sets the current cycle. The caller holds the keeper's lock, has the journal alone, or is its exclusive appender.
    pub(crate) fn set_cycle(&self, number: i64) {
        self.stored.view().word(CYCLE).store_relaxed(number);
    }

    /// The word with the cycle that an exclusive appender must begin before its next message.
    pub(crate) fn due_cycle(&self) -> OwnedWord<i64> {
        self.own(DUE)
    }

    /// Waits until the page is on stable storage.
    pub(crate) fn sync(&self, storage: &dyn Storage) -> Result<(), JournalError> {
        let failed = |source| JournalError::Io { action: "sync", path: storage.path(&self.name), source };
        self.stored.sync(0, LENGTH_BYTES).map_err(failed)
    }

    /// The word with the tail, from which appenders claim.
    pub(crate) fn tail(&self) -> OwnedWord<i64> {
        self.own(TAIL)
    }

    /// An appender's slot with its claim.
    pub(crate) fn slot(&self, slot: usize) -> Slot {
        assert!(slot < MAX_APPENDERS, "a slot of the page");
        let start = SLOTS + slot * SLOT_LENGTH;
        Slot { position: self.own(Field::at(start)), length: self.own(Field::at(start + 8)) }
    }

    /// The word with the process id of a slot's owner. 0 if the slot is free.
    pub(crate) fn slot_pid(&self, slot: usize) -> OwnedWord<i64> {
        assert!(slot < MAX_APPENDERS, "a slot of the page");
        self.own(Field::at(SLOTS + slot * SLOT_LENGTH + 16))
    }

    /// All slots, and the tail.
    pub(crate) fn slots(&self) -> Slots {
        Slots { tail: self.tail(), slots: (0..MAX_APPENDERS).map(|slot| self.slot(slot)).collect() }
    }

    fn recorded(&self) -> OwnedWord<i64> {
        self.own(RECORDED)
    }

    fn indexed(&self) -> OwnedWord<i64> {
        self.own(INDEXED)
    }

    fn durable(&self) -> OwnedWord<i64> {
        self.own(DURABLE)
    }

    fn assured(&self) -> OwnedWord<i64> {
        self.own(ASSURED)
    }

    /// Whether the page has the word `assured`.
    fn tells_assured(&self) -> bool {
        preamble::version(self.stored.view()).minor() >= ASSURED_SINCE
    }

    /// The recorded position: everything below is known to be committed.
    pub(crate) fn recorded_position(&self) -> Position {
        // ORDERING(journal.recorded): Acquire. Pairs with `advance`; the frames below are committed.
        Position::new(self.recorded().load_acquire())
    }

    /// The indexed position: everything below has its checksums and index entries.
    pub(crate) fn indexed_position(&self) -> Position {
        // ORDERING(journal.recorded): Acquire. Pairs with `advance`; the sidecars below are complete.
        Position::new(self.indexed().load_acquire())
    }

    /// The durable position: everything below is on stable storage, and so is the page with this position.
    pub(crate) fn durable_position(&self) -> Position {
        // A page before version 1.2, which an older process may have open, has only `durable`.
        let word = if self.tells_assured() { self.assured() } else { self.durable() };
        // ORDERING(journal.recorded): Acquire. Pairs with `advance`; what is below was synced.
        Position::new(word.load_acquire())
    }

    /// The pruned position: everything below is pruned. 0 if nothing was pruned.
    pub(crate) fn first_position(&self) -> Position {
        // ORDERING(journal.recorded): Acquire. Pairs with `advance`; the catalog says so, too.
        Position::new(self.own(FIRST).load_acquire())
    }

    /// Corrects a pruned position beyond the start of the recording, by which nothing before it would be synced or indexed.
    /// Pruning, which may go on meanwhile, stores the start in the catalog before it stores this.
    pub(crate) fn correct_first(&self, catalog: &Catalog, entry: &CatalogEntry) {
        let first = self.first_position();
        let start = catalog.start_position(entry);
        if first > start {
            // If this fails, pruning has just stored the right one.
            let _ = self.own(FIRST).compare_exchange(first.get(), start.get());
        }
    }

    pub(crate) fn advance_first(&self, position: Position) {
        advance(&self.own(FIRST), position);
    }

    pub(crate) fn advance_recorded(&self, position: Position) {
        advance(&self.recorded(), position);
    }

    pub(crate) fn advance_indexed(&self, position: Position) {
        advance(&self.indexed(), position);
    }

    /// Stores that everything below `position` is on stable storage: first in `durable`, for recovery, then, after the
    /// page was synced, in `assured`, for everybody.
    pub(crate) fn advance_durable(&self, storage: &dyn Storage, position: Position) -> Result<(), JournalError> {
        advance(&self.durable(), position);
        // After a sync that failed, nothing was stored to the page just now.
        self.stored.store_again(DURABLE.start(), size_of::<i64>());
        self.sync(storage)?;
        self.check_intact(storage)?;
        advance(&self.assured(), position);
        Ok(())
    }

    /// The tried position: below this, syncs were begun. Those beyond the durable position failed, or were not finished by
    /// a process that was killed, or are not finished yet. 0 in a page before version 1.4.
    pub(crate) fn tried_position(&self) -> Position {
        Position::new(self.own(TRIED).load_relaxed())
    }

    /// Stores that everything below `position` is about to be synced. In shared memory it outlives a process that is killed
    /// during the sync, and nobody asks after a restart of the machine, so it needs no sync of its own.
    pub(crate) fn advance_tried(&self, position: Position) {
        advance(&self.own(TRIED), position);
    }

    /// Whether the two durable positions differ: one of them is wrong, or its writers were killed before they could store
    /// the second one. Then relies on the lower one, up to which everything is on stable storage. Only without a restart
    /// of the machine: what is above has to be synced again. The caller has the journal alone.
    pub(crate) fn doubts_durable(&self) -> bool {
        let (durable, assured) = (self.durable().load_relaxed(), self.durable_position().get());
        self.durable().store_relaxed(durable.min(assured));
        durable != assured
    }

    /// The positions of all last claims of appenders.
    pub(crate) fn claims(&self) -> Vec<Position> {
        let claims = (0..MAX_APPENDERS).map(|slot| self.slot(slot).position.load_acquire());
        claims.filter(|&claim| claim != NO_CLAIM).map(Position::new).collect()
    }

    /// Stores the ends of a recording whose writers were killed, as recovery found them. The caller has the journal alone.
    pub(crate) fn correct_ends(&self, known: &Known) {
        self.recorded().store_relaxed(known.recorded.get());
        self.tail().store_release(known.tail.get());
    }

    /// Syncs the page, and then publishes its durable position. The caller has the journal alone.
    pub(crate) fn assure(&self, storage: &dyn Storage) -> Result<(), JournalError> {
        self.advance_durable(storage, Position::new(self.durable().load_relaxed()))
    }

    /// Moves the indexed position back. The index beyond it is written again.
    pub(crate) fn rewind_indexed(&self, position: Position) {
        self.indexed().store_relaxed(position.get());
    }

    fn own(&self, field: Field<i64>) -> OwnedWord<i64> {
        let view: &AtomicBuffer = self.stored.view();
        view.own(field)
    }
}

/// Whether appends wait for syncs, given the value of [`Control::sync_kind`].
#[inline]
pub(crate) const fn waits_for_sync(kind: i64) -> bool {
    kind == EVERY_APPEND
}

/// Whether a recording may have begun at `start`, and then been pruned to its descriptor's start position.
fn has_started(start: i64, descriptor: &RecordingDescriptor) -> bool {
    let now = descriptor.start_position;
    if start == now.get() {
        return true;
    }
    let layout = SegmentLayout { start_position: Position::new(start), ..descriptor.layout() };
    (0..now.get()).contains(&start) && layout.is_base(now)
}

/// Moves a position forward, unless it is further already.
fn advance(word: &OwnedWord<i64>, position: Position) {
    let mut found = word.load_relaxed();
    while found < position.get() {
        // ORDERING(journal.recorded): AcqRel exchange. Pairs with the Acquire loads of the positions; publishes what
        // was done to the bytes below before the position is stored.
        match word.compare_exchange(found, position.get()) {
            Ok(_) => return,
            Err(other) => found = other,
        }
    }
}
