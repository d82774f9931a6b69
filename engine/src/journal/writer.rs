//! The state that all appenders of an open journal share with its helper thread: the mapped segments, those made ahead,
//! and how far the recording goes. Everything here is off the path of an append, except at a roll.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::memory::{FileAccess, Frames, MapError, Reserve};
use crate::types::Position;

use super::append::SegmentSource;
use super::clock::CoarseClock;
use super::control::{Control, MAX_APPENDERS};
use super::descriptor::RecordingDescriptor;
use super::error::{Damage, Fault, JournalError};
use super::locks::{appender_lock_name, makers_lock_name};
use super::making::{find_segment, making_name};
use super::mark::Mark;
use super::seat::Seats;
use super::segment::{At, Identity, ahead_name, segment_name};
use super::storage::{Lock, Share, Storage, Stored};
use super::tail::{Gap, Slots};

/// The number of segments that appenders can leave without an allocation, before the helper thread unmaps them.
const LEFT_CAPACITY: usize = 2 * MAX_APPENDERS;

/// The length in bytes of the longest block of frames that a recorder writes at a time.
pub(crate) const MOST_BLOCK: usize = 256 << 10;

/// A segment, mapped for writing.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) stored: Stored,
    pub(crate) frames: Frames,
}

/// The shared state of an open journal.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) descriptor: RecordingDescriptor,
    pub(crate) identity: Identity,
    pub(crate) control: Control,
    slots: Slots,
    /// The seats of the appenders that share this state.
    pub(crate) seats: Seats,
    pool: Mutex<Pool>,
    /// Held while a segment is created. Otherwise a second maker of this process would remove the first one's file.
    making: Mutex<()>,
    /// The last failure that could not be returned from a call.
    trouble: Mutex<Option<JournalError>>,
    /// Held during a sync, so that callers that wait for it find the sync done. The names of the segments below this position
    /// are on stable storage: whoever made a segment may have been killed before it synced its name.
    syncing: Mutex<Position>,
    /// The locks that keep others out, until this process can no longer write. See [`Held`].
    held: Mutex<Option<Held>>,
    /// Created with the first appender that uses coarse stamps.
    coarse_clock: OnceLock<Arc<CoarseClock>>,
}

/// Marks the journal as open. Appenders may outlive the [`Journal`](super::Journal) that created them. As long as one
/// exists, no other process may recover the recording.
#[derive(Debug)]
pub(crate) struct Held {
    /// The lock on the recording: shared by journals, exclusive for a recorder.
    pub(crate) open: Lock,
    /// Keeps archives out of the directory.
    pub(crate) mark: Mark,
}

#[derive(Debug)]
struct Pool {
    segments: BTreeMap<i64, Segment>,
    /// Segments that appenders have left. The helper thread unmaps them, because unmapping takes time.
    left: Vec<Frames>,
}

impl Default for Pool {
    fn default() -> Self {
        // Allocated at the start, because an appender may roll before the helper thread runs.
        Self { segments: BTreeMap::new(), left: Vec::with_capacity(LEFT_CAPACITY) }
    }
}

impl Writer {
    pub(crate) fn new(storage: Arc<dyn Storage>, descriptor: RecordingDescriptor, control: Control) -> Self {
        let identity = descriptor.identity();
        let slots = control.slots();
        Self {
            storage,
            descriptor,
            identity,
            control,
            slots,
            seats: Seats::default(),
            pool: Mutex::default(),
            making: Mutex::default(),
            syncing: Mutex::new(Position::new(0)),
            trouble: Mutex::default(),
            held: Mutex::default(),
            coarse_clock: OnceLock::new(),
        }
    }

    /// The clock for coarse stamps.
    pub(crate) fn coarse_clock(&self) -> Arc<CoarseClock> {
        Arc::clone(self.coarse_clock.get_or_init(CoarseClock::of_process))
    }

    /// The current start of the recording.
    pub(crate) fn start(&self) -> Position {
        self.descriptor.start_position.max(self.control.first_position())
    }

    /// The segment at `base`. Opens it, or creates it if no process has done so.
    pub(crate) fn segment(&self, base: Position) -> Result<Segment, JournalError> {
        {
            let mut pool = self.pool();
            match pool.segments.get(&base.get()) {
                Some(segment) if segment.stored.is_intact() => return Ok(segment.clone()),
                // Others do not see what is stored in this mapping, so the segment is mapped again.
                Some(_) => drop(pool.segments.remove(&base.get())),
                None => {}
            }
        }
        // Without the lock, because this takes time and appenders may need another segment.
        let segment = self.open_or_make(base)?;
        Ok(self.pool().segments.entry(base.get()).or_insert(segment).clone())
    }

    /// Ensures that the segment of the tail and the next one exist and are mapped.
    pub(crate) fn prepare(&self) -> Result<(), JournalError> {
        let layout = self.identity.layout;
        let (_, tail) = self.ends()?;
        if tail >= layout.end() {
            return Ok(());
        }
        let base = layout.base(tail);
        self.segment(base)?;
        let next = layout.next_base(base);
        if next < layout.end() {
            self.segment(next)?;
        }
        Ok(())
    }

    /// Prepares the pages between two positions for appends, as far as their segments are mapped.
    pub(crate) fn expect_appends(&self, mut from: Position, to: Position) {
        let layout = self.identity.layout;
        while from < to {
            let base = layout.base(from);
            let end = layout.next_base(base).min(to);
            // Without the lock, because this takes time.
            let Some(segment) = self.pool().segments.get(&base.get()).cloned() else { return };
            let (offset, length) = ((from.get() - base.get()) as usize, (end.get() - from.get()) as usize);
            segment.stored.view().expect_stores(offset, length);
            from = end;
        }
    }

    /// The recorded position and the tail, if they are plausible.
    pub(crate) fn ends(&self) -> Result<(Position, Position), JournalError> {
        self.control.ends(&*self.storage, &self.identity.layout)
    }

    /// As [`Self::ends`], if there is a segment in which the tail can have been claimed. Whoever goes on up to the tail
    /// asks for it like this. A tail that another process wrote over would make them go on through segments that they
    /// would have to make.
    fn reached_ends(&self) -> Result<(Position, Position), JournalError> {
        let (recorded, tail) = self.ends()?;
        if tail > recorded {
            self.segment(self.identity.layout.base(Position::new(tail.get() - 1)))?;
        }
        Ok((recorded, tail))
    }

    /// Checks that the control page, and these frames of the segment at `base`, are backed by their files. Call it
    /// after they were read or stored to. `position` is for the error.
    pub(crate) fn check_intact(&self, frames: &Frames, base: Position, position: Position) -> Result<(), JournalError> {
        if !self.control.is_intact() {
            self.ends()?;
        }
        if frames.is_intact() { Ok(()) } else { Err(self.damage(base, position, Fault::CUT_SHORT).into()) }
    }

    /// The position up to which segments are mapped.
    pub(crate) fn prepared(&self) -> Position {
        let layout = self.identity.layout;
        let last = self.pool().segments.last_key_value().map(|(&base, _)| Position::new(base));
        last.map_or(layout.start_position, |base| layout.next_base(base).min(layout.end()))
    }

    /// Unmaps what is not needed any more: the segments that appenders left, and those below `position`.
    pub(crate) fn let_go(&self, position: Position) {
        let base = self.identity.layout.base(position);
        let mut pool = self.pool();
        let kept = pool.segments.split_off(&base.get());
        let left = std::mem::replace(&mut pool.left, Vec::with_capacity(LEFT_CAPACITY));
        let gone = (std::mem::replace(&mut pool.segments, kept), left);
        drop(pool);
        // Unmapped without the lock.
        drop(gone);
    }

    /// Gives the segments that the tail has reached their final name, which archives know.
    pub(crate) fn name_segments(&self, from: Position) -> Result<Position, JournalError> {
        let layout = self.identity.layout;
        let (_, tail) = self.reached_ends()?;
        let mut base = layout.base(from);
        // Not the next segment as well: an archive would take it for the last one with frames.
        while base < tail || base == layout.base(layout.start_position) {
            self.segment(base)?;
            let id = self.descriptor.recording_id;
            self.storage.publish(&ahead_name(id, base), &segment_name(id, base))?;
            base = layout.next_base(base);
        }
        Ok(base)
    }

    /// If the recording ends at the end of a segment, gives the next segment its final name, too. An archive has that
    /// segment, and rejects an end after the last segment.
    pub(crate) fn name_last(&self, end: Position) -> Result<(), JournalError> {
        let layout = self.identity.layout;
        if layout.base(end) != end || end >= layout.end() {
            return Ok(());
        }
        self.segment(end)?;
        let id = self.descriptor.recording_id;
        self.storage.publish(&ahead_name(id, end), &segment_name(id, end)).map(drop)
    }

    /// Advances the recorded position, past the ranges of dead appenders, and publishes it.
    pub(crate) fn advance(&self) -> Result<Position, JournalError> {
        self.advance_noting(&mut |_, _| {})
    }

    /// As [`Self::advance`]. Calls `note` with the position and the length in bytes of each range that became padding.
    pub(crate) fn advance_noting(&self, note: &mut dyn FnMut(Position, usize)) -> Result<Position, JournalError> {
        let layout = self.identity.layout;
        let (mut position, mut tail) = self.reached_ends()?;
        while position < layout.end() && position < tail {
            let base = layout.base(position);
            let segment = self.segment(base)?;
            let reached = self.advance_within(&segment, base, position..tail, note)?;
            self.check_intact(&segment.frames, base, reached)?;
            // A recorder commits a block and then moves the tail. A recorded position beyond the tail would look like
            // damage.
            tail = self.reached_ends()?.1;
            let reached = reached.min(tail);
            self.control.advance_recorded(reached);
            if reached == position || reached < layout.next_base(base) {
                return Ok(reached);
            }
            position = reached;
        }
        Ok(position)
    }

    fn advance_within(
        &self,
        segment: &Segment,
        base: Position,
        Range { start: mut position, end: tail }: Range<Position>,
        note: &mut dyn FnMut(Position, usize),
    ) -> Result<Position, JournalError> {
        loop {
            let offset = (position.get() - base.get()) as usize;
            let Some(mut cursor) = segment.frames.cursor(offset) else { return Ok(position) };
            let fault = loop {
                match self.identity.look(&mut cursor, position) {
                    At::Frame(found) => {
                        let next = Position::new(position.get() + found.occupied as i64);
                        if position < tail && tail < next {
                            self.check_tail_beside(position..next)?;
                        }
                        position = next;
                    }
                    At::Nothing { .. } => break None,
                    At::Fault(fault) => break Some(fault),
                }
            };
            let offset = (position.get() - base.get()) as usize;
            if let Some(fault) = fault {
                return Err(self.damage(base, position, fault).into());
            }
            if offset >= segment.frames.length() {
                return Ok(position);
            }
            let lives = |slot| self.is_alive(slot);
            match self.slots.release_dead(&segment.frames, offset, position..tail, &self.identity, lives) {
                Gap::Released(length) => note(position, length),
                Gap::Changed => {}
                Gap::Unclaimed | Gap::InUse => return Ok(position),
            }
        }
    }

    /// Checks that the tail is not inside this frame. It can have been once: padding takes several claims of dead
    /// appenders together.
    #[cold]
    fn check_tail_beside(&self, frame: Range<Position>) -> Result<(), JournalError> {
        let (_, tail) = self.ends()?;
        let is_inside = frame.start < tail && tail < frame.end;
        if is_inside { Err(self.control.bad_tail(&*self.storage, tail)) } else { Ok(()) }
    }

    /// Syncs everything that is recorded to stable storage, and publishes the durable position.
    pub(crate) fn sync(&self) -> Result<Position, JournalError> {
        let recorded = self.advance()?;
        self.sync_to(recorded)
    }

    /// Waits until everything up to `position`, which must be recorded, is on stable storage.
    pub(crate) fn sync_to(&self, position: Position) -> Result<Position, JournalError> {
        self.sync_until(position, true)
    }

    /// As [`Self::sync_to`]. With `all`, also syncs what was recorded meanwhile.
    pub(crate) fn sync_until(&self, position: Position, all: bool) -> Result<Position, JournalError> {
        let durable = self.control.durable_position();
        if durable >= position {
            return Ok(durable);
        }
        let mut named = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        // The previous holder of the lock may have synced this range. If not, more may have been recorded meanwhile.
        let durable = self.control.durable_position();
        if durable >= position {
            return Ok(durable);
        }
        let position = if all { self.control.recorded_position().max(position) } else { position };
        // What was tried to be synced, and is not durable, may be taken for written; see `Stored::store_again`.
        let tried = self.control.tried_position();
        self.control.advance_tried(position);
        let layout = self.identity.layout;
        let mut from = durable.max(self.start());
        while from < position {
            let base = layout.base(from);
            let end = layout.next_base(base).min(position);
            let segment = match self.segment(base) {
                Ok(segment) => segment,
                // Pruned meanwhile.
                Err(JournalError::Pruned { .. }) => {
                    from = end;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (offset, length) = ((from.get() - base.get()) as usize, (end.get() - from.get()) as usize);
            let id = self.descriptor.recording_id;
            let failed =
                |source| JournalError::Io { action: "sync", path: self.storage.path(&segment_name(id, base)), source };
            if from < tried {
                segment.stored.store_again(offset, length);
            }
            segment.stored.sync(offset, length).map_err(failed)?;
            self.check_intact(&segment.frames, base, from)?;
            from = end;
        }
        if *named < position {
            self.storage.sync_names()?;
            *named = layout.next_base(layout.base(Position::new(position.get() - 1)));
        }
        self.control.advance_durable(&*self.storage, position)?;
        Ok(position)
    }

    /// Examines the range after the tail of a recording that no process has open. Counts the block that a recorder had
    /// committed when it was killed before it could move the tail, and clears a partial block. Returns the end of the
    /// recording.
    pub(crate) fn settle(&self, tail: Position) -> Result<Position, JournalError> {
        let layout = self.identity.layout;
        let mut position = tail;
        // A wrong tail can be many segments behind the frames.
        let (segment, offset) = loop {
            let base = layout.base(position);
            let Some(segment) = self.open(base)?.filter(|_| position < layout.end()) else { return Ok(position) };
            let offset_of = |position: Position| (position.get() - base.get()) as usize;
            let Some(mut cursor) = segment.frames.cursor(offset_of(position)) else { return Ok(position) };
            while let At::Frame(found) = self.identity.look(&mut cursor, position) {
                position = Position::new(position.get() + found.occupied as i64);
            }
            if position < layout.next_base(base) {
                break (segment, offset_of(position));
            }
        };
        let view = segment.stored.view();
        let mut left = vec![0; MOST_BLOCK.min(segment.frames.length().saturating_sub(offset))];
        view.get_bytes(offset, &mut left);
        if let Some(last) = left.iter().rposition(|&byte| byte != 0) {
            view.zero(offset, last + 1);
        }
        Ok(position)
    }

    /// Keeps the journal open until [`Self::release`], or until the writer is dropped.
    pub(crate) fn hold(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    /// Takes the locks that keep the journal open, for its last user.
    pub(crate) fn release(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Stores a failure, for [`Self::take_trouble`].
    pub(crate) fn note_trouble(&self, error: JournalError) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Stores a hint, unless there is a failure that was not taken yet. Returns whether it was stored.
    pub(crate) fn note_hint(&self, hint: JournalError) -> bool {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = trouble.is_none();
        if is_free {
            *trouble = Some(hint);
        }
        is_free
    }

    /// Takes the last failure.
    pub(crate) fn take_trouble(&self) -> Option<JournalError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the owner of an appender's slot is alive.
    pub(crate) fn is_alive(&self, slot: usize) -> bool {
        if self.seats.has(slot) {
            return true;
        }
        // If that cannot be determined, the owner counts as alive, so nothing is taken from it.
        let lock = self.storage.try_lock(&appender_lock_name(self.descriptor.recording_id, slot), Share::Exclusive);
        !matches!(lock, Ok(Some(_)))
    }

    pub(crate) fn damage(&self, base: Position, position: Position, fault: Fault) -> Damage {
        let path = self.storage.path(&segment_name(self.descriptor.recording_id, base));
        Damage::in_segment(path, base, position, fault)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Self::pool`], for an appender, which should not sleep in a system call. The lock is only held for lookups.
    fn pool_soon(&self) -> MutexGuard<'_, Pool> {
        const SPINS: usize = 100_000;
        for _ in 0..SPINS {
            match self.pool.try_lock() {
                Ok(pool) => return pool,
                Err(_) => core::hint::spin_loop(),
            }
        }
        self.pool()
    }

    fn open_or_make(&self, base: Position) -> Result<Segment, JournalError> {
        if let Some(segment) = self.open(base)? {
            return Ok(segment);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        // The previous holder of the lock may have created it.
        if let Some(segment) = self.open(base)? {
            return Ok(segment);
        }
        if !self.may_make(base)? {
            return Err(self.control.bad_tail(&*self.storage, self.ends()?.1));
        }
        let id = self.descriptor.recording_id;
        let next = self.identity.layout.next_base(base);
        if next <= self.control.recorded_position() {
            // A segment below the recorded position existed. It is not created again, because a new one would be taken
            // for the original.
            let earliest = self.start();
            return Err(if next <= earliest {
                JournalError::Pruned { recording_id: id, what: "position", asked: base.get(), earliest }
            } else {
                self.damage(base, base, Fault::File("is missing")).into()
            });
        }
        let length = self.identity.layout.segment_length.get() as u64;
        // Under a temporary name until it is complete, because others look for the segment at any time.
        let making = making_name(id, base, std::ptr::from_ref(self).addr());
        loop {
            // Continues without this lock as well, because nobody waits for another process here.
            let _making = self.storage.try_lock(&makers_lock_name(id), Share::Shared)?;
            self.storage.remove(&making)?;
            // Its pages are prepared when the tail approaches them: see `pages`.
            let stored = self.storage.create(&making, length, Reserve::Space)?;
            if self.storage.publish(&making, &ahead_name(id, base))? {
                // Another maker may have created and named it already, or taken the name.
                if let Some(named) = self.storage.find(&segment_name(id, base), length, FileAccess::ReadWrite)? {
                    self.storage.remove(&ahead_name(id, base))?;
                    return Ok(Segment::new(named, length as usize));
                }
                self.storage.sync_names()?;
                return Ok(Segment::new(stored, length as usize));
            }
            if let Some(segment) = self.open(base)? {
                return Ok(segment);
            }
            // Neither file is there: it was removed as a dead maker's file.
        }
    }

    /// Whether the recording can have reached the segment at `base`, which does not exist: after an existing segment,
    /// or where the recording continues. This bounds the number of segments that are created, whatever the control page
    /// says.
    fn may_make(&self, base: Position) -> Result<bool, JournalError> {
        let layout = self.identity.layout;
        let (recorded, _) = self.ends()?;
        if base == layout.base(layout.start_position) || base == layout.base(recorded) {
            return Ok(true);
        }
        let before = Position::new(base.get() - i64::from(layout.segment_length.get()));
        Ok(self.pool().segments.contains_key(&before.get()) || self.open(before)?.is_some())
    }

    /// The segment at `base`, if it exists.
    fn open(&self, base: Position) -> Result<Option<Segment>, JournalError> {
        let id = self.descriptor.recording_id;
        let length = self.identity.layout.segment_length.get() as u64;
        match find_segment(&*self.storage, id, base, length, FileAccess::ReadWrite) {
            Ok(found) => Ok(found.map(|stored| Segment::new(stored, length as usize))),
            Err(JournalError::Map(MapError::TooShort { .. })) => {
                let fault = Fault::File("is shorter than a segment");
                Err(self.damage(base, base, fault).into())
            }
            Err(error) => Err(error),
        }
    }
}

impl Segment {
    fn new(stored: Stored, length: usize) -> Self {
        let frames = Frames::new(&stored.view().slice(0, length));
        Self { stored, frames }
    }
}

/// The segments of an open journal, for one of its appenders.
#[derive(Debug)]
pub(crate) struct Shared(pub(crate) Arc<Writer>);

impl SegmentSource for Shared {
    type Error = JournalError;

    fn enter(&mut self, base: Position, left: Option<(Position, Frames)>) -> Result<Frames, JournalError> {
        let mut is_full = false;
        {
            let mut pool = self.0.pool_soon();
            if let Some((_, left)) = left {
                pool.left.push(left);
                is_full = pool.left.len() >= LEFT_CAPACITY;
            }
            if let Some(segment) = pool.segments.get(&base.get()).filter(|_| !is_full)
                && segment.stored.is_intact()
            {
                return Ok(segment.frames.clone());
            }
        }
        if is_full {
            // Many segments were left and not unmapped, so the helper thread has ended.
            self.0.let_go(base);
        }
        Ok(self.0.segment(base)?.frames)
    }

    #[cold]
    fn check_intact(&mut self, frames: &Frames, base: Position, position: Position) -> Result<(), JournalError> {
        self.0.check_intact(frames, base, position)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::journal::appender::Appender;
    use crate::journal::catalog::Catalog;
    use crate::journal::making::left_by_makers;
    use crate::journal::segment::parse_segment_name;
    use crate::journal::storage::{Crash, Directory, MemoryStorage};
    use crate::journal::{Journal, JournalOptions, Start};
    use crate::memory::RawAccess;

    /// Also while somebody gives it its name as soon as it is there, and takes what is being made for what the dead have left.
    #[test]
    fn a_segment_is_made_once_however_many_come_to_it() {
        const MAKERS: usize = 4;
        let dir = tempfile::tempdir().unwrap();
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10).mtu(1408);
        let journal = Journal::create(dir.path(), &options).unwrap();
        let storage: Arc<dyn Storage> = Arc::new(Directory::at(dir.path()));
        let descriptor = journal.descriptor().clone();
        let control = Control::open(&*storage, &descriptor, FileAccess::ReadWrite).unwrap().unwrap();
        let writer = Writer::new(storage, descriptor, control);
        let barrier = Barrier::new(MAKERS + 2);
        let id = writer.descriptor.recording_id;
        // Each behind one that is there; the journal has made the first two by itself.
        for base in (2..52).map(|number| Position::new(number << 16)) {
            let segments: Vec<Segment> = std::thread::scope(|threads| {
                let make = || {
                    barrier.wait();
                    writer.open_or_make(base).unwrap()
                };
                let name = || {
                    barrier.wait();
                    while !writer.storage.publish(&ahead_name(id, base), &segment_name(id, base)).unwrap() {}
                };
                let remove = || {
                    barrier.wait();
                    for _ in 0..20 {
                        let names = writer.storage.names().unwrap();
                        for name in names.iter().filter(|name| name.contains(".making-")) {
                            writer.storage.remove(name).unwrap();
                        }
                    }
                };
                threads.spawn(name);
                threads.spawn(remove);
                let makers = [(); MAKERS].map(|()| threads.spawn(make));
                makers.map(|maker| maker.join().unwrap()).into()
            });
            for (index, segment) in segments.iter().enumerate() {
                segment.stored.view().word_at::<i32>(index * 4).store_relaxed(1);
            }
            let found = writer.open(base).unwrap().unwrap().stored;
            let marks = (0..MAKERS).map(|index| found.view().word_at::<i32>(index * 4).load_relaxed()).sum::<i32>();
            assert_eq!(marks, MAKERS as i32, "at {base}");
            let names = writer.storage.names().unwrap();
            let left = left_by_makers(&names, id);
            assert!(left.is_empty() && names.contains(&segment_name(id, base)), "{left:?}");
        }
    }

    /// An appender may outlive its journal, and with it the helper thread.
    #[test]
    fn who_appends_alone_keeps_no_more_segments_than_with_help() {
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10).mtu(1408);
        let journal = Journal::create_in(Arc::new(MemoryStorage::new(RawAccess::ENGINE)), &options).unwrap();
        let writer = Arc::clone(journal.writer());
        let mut appender = journal.appender().unwrap();
        drop(journal);
        while writer.control.tail().load_relaxed() < 3 * LEFT_CAPACITY as i64 * (64 << 10) {
            appender.append(&[7; 8000]).unwrap();
            let pool = writer.pool();
            assert!(pool.left.len() <= LEFT_CAPACITY && pool.segments.len() <= LEFT_CAPACITY + 3);
        }
    }

    /// A recorder may be interrupted between the two, for as long as it takes to be noticed.
    #[test]
    fn what_is_committed_behind_the_tail_is_not_recorded_yet() {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let journal = Journal::create_in(Arc::clone(&storage), &JournalOptions::new()).unwrap();
        let descriptor = journal.descriptor().clone();
        journal.close().unwrap();
        // Nobody looks how far it has come but this.
        let control = Control::open(&*storage, &descriptor, FileAccess::ReadWrite).unwrap().unwrap();
        let writer = Arc::new(Writer::new(storage, descriptor, control));
        let mut appender = Appender::new(&writer).unwrap();
        let (first, tail) = (appender.append(b"first").unwrap(), appender.append(b"second").unwrap());
        writer.control.tail().store_release(first.get());
        assert_eq!(writer.advance().unwrap(), first);
        assert_eq!(writer.ends().unwrap(), (first, first));
        writer.control.tail().store_release(tail.get());
        assert_eq!(writer.advance().unwrap(), tail);
    }

    /// Between two looks at the tail, as the helper thread takes them.
    #[test]
    fn a_tail_that_was_written_over_leads_nobody_through_segments_to_be_made() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
        let end = journal.appender().unwrap().append(b"message").unwrap();
        // Without a helper thread, and before it has done anything.
        let storage: Arc<dyn Storage> = Arc::new(storage.after_kill());
        let control = Control::open(&*storage, journal.descriptor(), FileAccess::ReadWrite).unwrap().unwrap();
        control.reset([0; 2], Position::new(0));
        control.tail().store_release(end.get());
        let writer = Writer::new(Arc::clone(&storage), journal.descriptor().clone(), control);
        writer.prepare().unwrap();
        let segments = || {
            let found = storage.names().unwrap().iter().filter_map(|name| parse_segment_name(name)).count();
            assert_eq!(found, 2, "this one and the next");
        };
        segments();
        for bad in [1 << 40, (3 << 16) + 32] {
            writer.control.tail().store_release(bad);
            for error in [writer.advance().unwrap_err(), writer.name_segments(Position::new(0)).unwrap_err()] {
                assert!(error.to_string().contains("somebody wrote over it"), "{bad}: {error}");
            }
            segments();
            writer.control.tail().store_release(end.get());
        }
        // Inside a frame.
        writer.control.tail().store_release(end.get() - 32);
        assert!(writer.advance().unwrap_err().to_string().contains("somebody wrote over it"));
        writer.control.tail().store_release(end.get());
        assert_eq!(writer.advance().unwrap(), end);
    }

    /// A journal that nobody keeps, as another process has it open, and the storage.
    fn opened() -> (MemoryStorage, Arc<Writer>) {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10).mtu(1408);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
        let descriptor = journal.descriptor().clone();
        journal.close().unwrap();
        let files: Arc<dyn Storage> = Arc::new(storage.clone());
        let catalog = Catalog::open(&*files, FileAccess::ReadWrite).unwrap();
        catalog.set_stop(&catalog.find(descriptor.recording_id).unwrap(), None).unwrap();
        let control = Control::open(&*files, &descriptor, FileAccess::ReadWrite).unwrap().unwrap();
        (storage, Arc::new(Writer::new(files, descriptor, control)))
    }

    /// The end of the messages that can be read after a loss of power that takes all that it can.
    fn left(storage: &MemoryStorage) -> Position {
        let storage = storage.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
        let journal = Journal::open_in(Arc::new(storage), None).unwrap();
        let mut tailer = journal.recording().unwrap().tailer(Start::Begin).unwrap();
        while let Ok(Some(_)) = tailer.next() {}
        tailer.position()
    }

    /// Linux reports a failed write once, and takes the pages for written from then on.
    #[test]
    fn what_a_failed_sync_has_not_written_is_not_durable_when_the_next_one_succeeds() {
        for another_process in [false, true] {
            let (storage, writer) = opened();
            let mut appender = Appender::new(&writer).unwrap();
            let mut end = Position::new(0);
            (0..20).for_each(|_| end = appender.append(&[7; 1000]).unwrap());
            storage.fail_syncs("0-0.rec", true);
            assert!(writer.sync().is_err() && writer.control.durable_position() < end);
            storage.fail_syncs("0-0.rec", false);
            let writer = if another_process {
                let control = Control::open(&storage, &writer.descriptor, FileAccess::ReadWrite).unwrap().unwrap();
                Arc::new(Writer::new(Arc::new(storage.clone()), writer.descriptor.clone(), control))
            } else {
                writer
            };
            assert_eq!(writer.sync().unwrap(), end);
            assert_eq!(left(&storage), end, "{another_process}");
        }
    }

    /// A journal that syncs nothing by itself can be large, and all of it would be written again.
    #[test]
    fn what_nobody_tried_to_sync_is_not_stored_again() {
        let (storage, writer) = opened();
        let mut appender = Appender::new(&writer).unwrap();
        let mut end = Position::new(0);
        (0..20).for_each(|_| end = appender.append(&[7; 1000]).unwrap());
        writer.advance().unwrap();
        let control = Control::open(&storage, &writer.descriptor, FileAccess::ReadWrite).unwrap().unwrap();
        let another = Writer::new(Arc::new(storage.clone()), writer.descriptor.clone(), control);
        assert_eq!(another.sync().unwrap(), end);
        assert_eq!((storage.stored_again("0-0.rec"), left(&storage)), (0, end));
        end = appender.append(&[7; 1000]).unwrap();
        storage.fail_syncs("0-0.rec", true);
        assert!(writer.sync().is_err());
        storage.fail_syncs("0-0.rec", false);
        assert_eq!(another.sync().unwrap(), end);
        assert_eq!((storage.stored_again("0-0.rec"), left(&storage)), (1, end));
    }

    /// Whoever made it may have been killed between the two.
    #[test]
    fn a_segment_is_not_durable_before_its_name_is() {
        let (storage, writer) = opened();
        let mut appender = Appender::new(&writer).unwrap();
        storage.sync_names().unwrap();
        for base in [1 << 16, 2 << 16] {
            if writer.open(Position::new(base)).unwrap().is_none() {
                storage
                    .create(&ahead_name(writer.descriptor.recording_id, Position::new(base)), 64 << 10, Reserve::Space)
                    .unwrap();
            }
        }
        let mut end = Position::new(0);
        while end.get() < 5 << 15 {
            end = appender.append(&[7; 1000]).unwrap();
        }
        assert_eq!(writer.sync().unwrap(), end);
        assert_eq!(left(&storage), end);
    }

    /// Whoever took the first for the end of the recording would say of what was appended behind it that it is not there yet.
    #[test]
    fn what_two_release_at_once_is_passed_by_both() {
        let storage = Arc::new(MemoryStorage::new(RawAccess::ENGINE));
        let journal = Journal::create_in(storage, &JournalOptions::new()).unwrap();
        let mut dead = journal.appender().unwrap();
        let position = dead.append(b"before").unwrap();
        core::mem::forget(dead.claim(5).unwrap());
        // Its slot says what it claimed, as that of a killed process does.
        core::mem::forget(dead);
        let writer = journal.writer();
        let frames = writer.segment(Position::new(0)).unwrap().frames;
        let release = |lives: &mut dyn FnMut(usize) -> bool| {
            writer.slots.release_dead(
                &frames,
                position.get() as usize,
                position..journal.tail(),
                &writer.identity,
                lives,
            )
        };
        assert_eq!(release(&mut |_| true), Gap::InUse);
        let mut first = None;
        let second = release(&mut |_| {
            first = Some(release(&mut |_| false));
            false
        });
        assert_eq!((first, second), (Some(Gap::Released(64)), Gap::Changed));
    }
}
