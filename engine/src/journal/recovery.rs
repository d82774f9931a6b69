//! Recovery: finds the end of a recording that was not closed. Called under the journal's lock when nobody has it open.
//!
//! - If the machine has not been restarted, all stored data is there, and the control page has the tail. Ranges of
//!   killed appenders become padding; no message for which `append` returned is touched.
//! - If the machine has been restarted, everything up to `durable` is there. Later frames count as long as each is a
//!   complete frame of the recording and matches its checksum. The first that does not ends the recording, at a frame's
//!   boundary. The same is done with a recording that was closed, up to an end that is not durable.
//! - If there is no control page, somebody else made the recording. It ends where the catalog says. If the catalog does
//!   not say, it ends with the last frame of its last segment, as for an archive.
//!
//! Bytes that are cut off are kept in a file beside the segment. Recovery may be killed at any point and done again.

use std::ops::Range;

use crate::logbuffer::FRAME_ALIGNMENT;
use crate::memory::{FileAccess, Frames, Reserve, faults};
use crate::types::Position;

use super::catalog::Catalog;
use super::control::{Control, Known, durable_stop};
use super::cursor::RewoundCursor;
use super::descriptor::RecordingDescriptor;
use super::error::{Damage, Fault, JournalError};
use super::segment::{At, SegmentKind, parse_segment_name, segment_name};
use super::sidecar::{Sidecar, frame_checksum};
use super::storage::{Storage, Stored};
use super::writer::Writer;

/// The state in which a recording was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftBy {
    /// The recording was closed.
    Close,
    /// The recording's writers were killed, and the machine has not been restarted since.
    Kill,
    /// The machine has been restarted since.
    PowerLoss,
    /// The writer keeps no control page, or the page is lost.
    Stranger,
}

/// What recovery found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The state in which the recording was left.
    pub left_by: LeftBy,
    /// The position at which the recording ends.
    pub end: Position,
    /// Ranges of appenders that died, which became padding: the start position and the length in bytes of each.
    pub padded: Vec<(Position, usize)>,
    /// What was cut off at the end.
    pub cut: Option<Cut>,
    /// Cursors beyond the end, which were moved back to it. Messages appended from there on are new to their consumers.
    pub rewound: Vec<RewoundCursor>,
}

/// The end of a recording, which could not be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// What is wrong with the first frame that was cut off.
    pub damage: Damage,
    /// The number of bytes cut off, up to the last byte that was not zero.
    pub bytes: u64,
    /// The files that hold these bytes now.
    pub kept_in: Vec<String>,
}

/// The positions of a control page that nobody has open, corrected where the frames contradict them. `None` if there is no
/// page, or if nothing in it can be believed.
///
/// If the machine has not been restarted, no frame crosses the recorded position or the tail, no claim begins behind the
/// tail, and none is open before the recorded position. After a restart, no frame crosses the durable position.
pub(crate) fn known_positions(
    storage: &dyn Storage,
    descriptor: &RecordingDescriptor,
    control: Option<&Control>,
) -> Result<Option<Known>, JournalError> {
    let recovery = Recovery { storage, descriptor, dry_run: true };
    let Some(control) = control else { return Ok(None) };
    match control.known(descriptor, storage.boot_id()) {
        Some(known) if !known.same_boot => recovery.after_restart(known),
        Some(known) if descriptor.stop_position.is_none() => recovery.after_kill(known, &control.claims()).map(Some),
        known => Ok(known),
    }
}

/// Finds the end of the recording and makes it end there. `known` is from [`known_positions`]. With `dry_run`, changes
/// nothing.
pub(crate) fn recover(
    storage: &dyn Storage,
    descriptor: &RecordingDescriptor,
    known: Option<Known>,
    dry_run: bool,
) -> Result<(LeftBy, Position, Option<Cut>), JournalError> {
    let recovery = Recovery { storage, descriptor, dry_run };
    let ended = recovery.stop(known)?;
    let stop = durable_stop(ended, known);
    if stop != descriptor.stop_position && !dry_run {
        // If recovery is killed, the recording still has no end in the catalog.
        let catalog = Catalog::open(storage, FileAccess::ReadWrite)?;
        catalog.set_stop(&catalog.find(descriptor.recording_id)?, None)?;
    }
    match (stop, known) {
        (Some(stop), Some(known)) if known.recorded == stop && known.tail == stop => Ok((LeftBy::Close, stop, None)),
        (Some(stop), _) => {
            recovery.check_end(stop)?;
            Ok((LeftBy::Stranger, stop, None))
        }
        (None, Some(known)) if known.same_boot => Ok((LeftBy::Kill, known.tail, None)),
        (None, Some(known)) => {
            let (end, cut) = recovery.cut_off(known.durable, true)?;
            let is_whole = ended == Some(end) && cut.is_none();
            Ok((if is_whole { LeftBy::Close } else { LeftBy::PowerLoss }, end, cut))
        }
        (None, None) => {
            let last = recovery.last_segment()?;
            let from = last.unwrap_or(descriptor.start_position).max(descriptor.start_position);
            let (end, cut) = recovery.cut_off(from, false)?;
            Ok((LeftBy::Stranger, end, cut))
        }
    }
}

/// The end that the catalog should have for a recording that was ended. That is what it has, unless one of these shows that
/// it is wrong:
///
/// - The control page names another end, and the frames end exactly there. An archive that had truncated the recording would
///   have taken some of them away, and one that had extended it would have added some.
/// - No control page names this end, and more segments are missing before it than are there. Then the end is not known.
pub(crate) fn stop_by_frames(
    storage: &dyn Storage,
    descriptor: &RecordingDescriptor,
) -> Result<Option<Position>, JournalError> {
    let control = Control::open(storage, descriptor, FileAccess::ReadOnly)?;
    let known = control.and_then(|control| control.known(descriptor, storage.boot_id()));
    Recovery { storage, descriptor, dry_run: true }.stop(known)
}

/// Turns the claims of dead appenders into padding, up to the tail, and returns them.
///
/// No other process has the recording open, so all owners of claims are dead.
pub(crate) fn pad_claims(writer: &Writer) -> Result<Vec<(Position, usize)>, JournalError> {
    let mut padded = Vec::new();
    loop {
        let reached = writer.advance_noting(&mut |position, length| padded.push((position, length)))?;
        if reached.get() >= writer.control.tail().load_acquire() {
            return Ok(padded);
        }
        // No appender is alive. So a range that is in use can only have been padded in the previous round.
        if writer.advance_noting(&mut |_, _| {})? == reached {
            let base = writer.identity.layout.base(reached);
            return Err(writer.damage(base, reached, Fault::Hole).into());
        }
    }
}

/// Ensures that nothing follows the end of a recording.
pub(crate) fn cut_behind(
    storage: &dyn Storage,
    descriptor: &RecordingDescriptor,
    end: Position,
    dry_run: bool,
) -> Result<Option<Cut>, JournalError> {
    Recovery { storage, descriptor, dry_run }.cut_at(end, Fault::File("goes on behind the end of the recording"))
}

/// The base of the last segment with recorded frames.
pub(crate) fn last_recorded(
    storage: &dyn Storage,
    descriptor: &RecordingDescriptor,
) -> Result<Option<Position>, JournalError> {
    Recovery { storage, descriptor, dry_run: true }.last_segment()
}

/// The frames that were found from a position on.
struct Walk {
    from: Position,
    /// The end of those without a gap.
    reached: Position,
    /// The end of the last one.
    end: Position,
    places: [Position; 2],
    /// Whether a frame crosses each of the places.
    crosses: [bool; 2],
}

impl Walk {
    fn pass(&mut self, frame: Range<Position>) {
        for (crosses, place) in self.crosses.iter_mut().zip(self.places) {
            *crosses |= frame.start < place && place < frame.end;
        }
        self.end = frame.end;
    }
}

struct Recovery<'a> {
    storage: &'a dyn Storage,
    descriptor: &'a RecordingDescriptor,
    dry_run: bool,
}

impl Recovery<'_> {
    /// The end of the last segment, used or not, or of one that reaches `wanted`. What has been indexed was there, even if
    /// the file is missing now.
    fn reach(&self, wanted: Position) -> Result<Position, JournalError> {
        let layout = self.descriptor.layout();
        let last = self.segments()?.last().map(|(base, ..)| layout.next_base(*base));
        let mut reach = last.unwrap_or(layout.start_position);
        while reach < wanted.min(layout.end()) {
            let base = layout.base(reach);
            let sidecar = Sidecar::open(self.storage, self.descriptor, base, FileAccess::ReadOnly)?;
            if sidecar.is_none_or(|sidecar| sidecar.covered() <= reach) {
                break;
            }
            reach = layout.next_base(base);
        }
        Ok(reach)
    }

    /// The base of the last segment with recorded frames.
    fn last_segment(&self) -> Result<Option<Position>, JournalError> {
        Ok(self
            .segments()?
            .into_iter()
            .filter(|(_, kind, _)| *kind == SegmentKind::Recorded)
            .map(|(base, ..)| base)
            .max())
    }

    /// The segments of the recording, in order.
    fn segments(&self) -> Result<Vec<(Position, SegmentKind, String)>, JournalError> {
        let layout = self.descriptor.layout();
        let parsed = self.storage.names()?.into_iter().filter_map(|name| {
            let (id, base, kind) = parse_segment_name(&name)?;
            (id == self.descriptor.recording_id && layout.is_base(base)).then_some((base, kind, name))
        });
        let mut segments: Vec<_> = parsed.collect();
        segments.sort();
        Ok(segments)
    }

    /// See [`stop_by_frames`].
    fn stop(&self, known: Option<Known>) -> Result<Option<Position>, JournalError> {
        let Some(stop) = self.descriptor.stop_position else { return Ok(None) };
        let told = known.filter(|known| known.recorded == known.tail).map(|known| known.tail);
        match told {
            Some(told) if told == stop => return Ok(Some(stop)),
            Some(told) if self.end_at(told)? => return Ok(Some(told)),
            _ => {}
        }
        let (start, reach) = (self.descriptor.start_position, self.reach(stop)?);
        let is_far = stop.get() - reach.get() > reach.max(start).get() - start.get();
        Ok(Some(stop).filter(|_| !is_far))
    }

    /// Whether the last frame ends there.
    fn end_at(&self, end: Position) -> Result<bool, JournalError> {
        // In front of the end, because an index entry may be at the end.
        let before = Position::new(end.get() - FRAME_ALIGNMENT as i64).max(self.descriptor.start_position);
        Ok(self.walk(before, [end; 2])?.reached == end)
    }

    /// Checks that a recording that another writer ended can be continued at its end.
    fn check_end(&self, stop: Position) -> Result<(), JournalError> {
        let base = self.descriptor.layout().base(stop);
        if base == stop {
            return Ok(());
        }
        let file = self.open(base)?;
        let frames = Frames::new(file.view());
        let offset = (stop.get() - base.get()) as usize;
        let length = frames.cursor(offset).and_then(|cursor| Some(cursor.length_word()?.load_relaxed()));
        match length {
            Some(0) => Ok(()),
            Some(length) => Err(self.damage(base, stop, Fault::Length { length }).into()),
            None => Err(self.damage(base, stop, Fault::File("is shorter than a segment")).into()),
        }
    }

    /// See [`known_positions`].
    fn after_kill(&self, known: Known, claims: &[Position]) -> Result<Known, JournalError> {
        let reach = self.reach(known.recorded.max(known.tail))?;
        let mut walk = self.walk(known.recorded.min(known.indexed), [known.recorded, known.tail])?;
        // Behind the claims of dead appenders, there may be more frames.
        let last = claims.iter().fold(known.tail, |last, claim| last.max(*claim)).min(reach);
        while let Some(next) = self.next_frame(walk.end, last)? {
            self.walk_on(&mut walk, next)?;
        }
        let is_possible = |at: Position, is_crossed: bool| !is_crossed && (walk.from..=reach).contains(&at);
        let is_tail = is_possible(known.tail, walk.crosses[1]) && claims.iter().all(|&claim| claim <= known.tail);
        let tail = if is_tail { known.tail } else { walk.end };
        // A dead appender's claim, and not damage.
        let is_open = walk.reached < known.recorded && claims.contains(&walk.reached);
        let is_recorded = is_possible(known.recorded, walk.crosses[0]) && known.recorded <= tail && !is_open;
        let recorded = if is_recorded { known.recorded } else { walk.from };
        Ok(Known { recorded, tail, ..known })
    }

    /// See [`known_positions`].
    fn after_restart(&self, known: Known) -> Result<Option<Known>, JournalError> {
        let reach = self.reach(known.durable)?;
        // A frame that is not there is damage, because what is durable was there.
        if known.durable <= reach && !self.walk(known.durable, [known.durable; 2])?.crosses[0] {
            return Ok(Some(known));
        }
        let is_lower = known.assured < known.durable;
        Ok(is_lower.then_some(Known { durable: known.assured, ..known }))
    }

    /// Walks the frames that are there, from the last entry of the index that is not beyond `near`.
    fn walk(&self, near: Position, places: [Position; 2]) -> Result<Walk, JournalError> {
        let base = self.descriptor.layout().base(near);
        let sidecar = Sidecar::open(self.storage, self.descriptor, base, FileAccess::ReadOnly)?;
        let entry = sidecar.and_then(|sidecar| sidecar.last_entry(|entry| entry.position <= near));
        let from = entry.map_or(base, |entry| entry.position).max(self.descriptor.start_position);
        let mut walk = Walk { from, reached: from, end: from, places, crosses: [false; 2] };
        walk.reached = self.walk_on(&mut walk, from)?;
        Ok(walk)
    }

    /// Returns the end of the frames. Then passes the range of an appender that died after it had begun it, because in the
    /// range of a batch there are frames.
    fn walk_on(&self, walk: &mut Walk, from: Position) -> Result<Position, JournalError> {
        walk.end = from;
        let (_, fault) = self.scan(from, false, &mut |frame| walk.pass(frame))?;
        let reached = walk.end;
        if let Fault::Length { length: length @ ..0 } = fault {
            let begun = (length.unsigned_abs() as usize).next_multiple_of(FRAME_ALIGNMENT) as i64;
            let term_length = self.descriptor.term_length;
            if begun <= i64::from(term_length.get() - term_length.offset(reached)) {
                walk.pass(reached..Position::new(reached.get() + begun));
            }
        }
        Ok(reached)
    }

    /// The first place from `from` to `last` where there is a frame.
    fn next_frame(&self, mut from: Position, last: Position) -> Result<Option<Position>, JournalError> {
        let identity = self.descriptor.identity();
        while from <= last {
            let base = identity.layout.base(from);
            if from >= identity.layout.end() || !self.exists(base)? {
                break;
            }
            let file = self.open(base)?;
            let frames = Frames::new(file.view());
            let next = identity.layout.next_base(base);
            while from <= last && from < next {
                let cursor = frames.cursor((from.get() - base.get()) as usize);
                if cursor.is_some_and(|mut cursor| matches!(identity.look(&mut cursor, from), At::Frame(_))) {
                    return Ok(Some(from));
                }
                from = Position::new(from.get() + FRAME_ALIGNMENT as i64);
            }
        }
        Ok(None)
    }

    /// Cuts the recording off after the last valid frame from `from` on, and returns that position.
    fn cut_off(&self, from: Position, prove: bool) -> Result<(Position, Option<Cut>), JournalError> {
        let (end, fault) = loop {
            let before = faults();
            let found = self.scan(from, prove, &mut |_| {})?;
            // If the file was truncated meanwhile, the next open reports it.
            if faults() == before {
                break found;
            }
        };
        let cut = self.cut_at(end, fault)?;
        Ok((end, cut))
    }

    /// Walks the frames from `from`, and calls `each` with the range of each. Returns the end of the last valid frame, and
    /// the fault after it.
    fn scan(
        &self,
        from: Position,
        prove: bool,
        each: &mut dyn FnMut(Range<Position>),
    ) -> Result<(Position, Fault), JournalError> {
        let identity = self.descriptor.identity();
        let layout = identity.layout;
        let mut position = from;
        // The start of the message that is not complete yet.
        let mut begun: Option<Position> = None;
        let fault = 'segments: loop {
            let base = layout.base(position);
            if position >= layout.end() || !self.exists(base)? {
                break Fault::Hole;
            }
            let file = self.open(base)?;
            let sidecar = Sidecar::open(self.storage, self.descriptor, base, FileAccess::ReadOnly)?;
            let frames = Frames::new(file.view());
            let Some(mut cursor) = frames.cursor((position.get() - base.get()) as usize) else {
                break Fault::File("is shorter than a segment");
            };
            loop {
                let offset = (position.get() - base.get()) as usize;
                if cursor.remaining() == 0 {
                    if offset < layout.segment_length.get() as usize {
                        break 'segments Fault::File("is shorter than a segment");
                    }
                    break;
                }
                match identity.look(&mut cursor, position) {
                    At::Nothing { length: 0 } => break 'segments Fault::Hole,
                    At::Nothing { length } => break 'segments Fault::Length { length },
                    At::Fault(fault) => break 'segments fault,
                    At::Frame(found) => {
                        let unproven = Some(Fault::Checksum { found: frame_checksum(&found.frame), expected: 0 });
                        let fault = |sidecar: &Sidecar| sidecar.fault(offset, &found.frame, true);
                        if prove && let Some(fault) = sidecar.as_ref().map_or(unproven, fault) {
                            break 'segments fault;
                        }
                        begun = found.begun_message(begun, position);
                        let next = Position::new(position.get() + found.occupied as i64);
                        each(position..next);
                        position = next;
                    }
                }
            }
        };
        Ok((begun.unwrap_or(position), fault))
    }

    /// Ensures that nothing follows `end`. Bytes that are not zero are copied to other files and zeroed.
    fn cut_at(&self, end: Position, fault: Fault) -> Result<Option<Cut>, JournalError> {
        let layout = self.descriptor.layout();
        let base = layout.base(end);
        let mut cut = Cut { damage: self.damage(base, end, fault), bytes: 0, kept_in: Vec::new() };
        // From the last segment to the first. If this is killed in between, the next recovery finds the same end.
        for (segment_base, kind, name) in self.segments()?.into_iter().rev() {
            let next = layout.next_base(segment_base);
            if next <= end {
                continue;
            }
            let from = (end.get() - segment_base.get()).max(0) as usize;
            let file = self.storage.open(&name, 1, self.access())?;
            let last = last_byte(&file, from);
            if self.dry_run {
                cut.bytes += last.map_or(0, |last| (last + 1 - from) as u64);
                continue;
            }
            let place = format!("{}-{}.cut", self.descriptor.recording_id, segment_base.get() + from as i64);
            if let Some(last) = last {
                let length = last + 1 - from;
                cut.kept_in.push(self.keep(&file, from, last + 1, place.clone())?);
                cut.bytes += length as u64;
                file.view().zero(from, length);
            }
            // Also what a recovery has zeroed that was killed before the sync, or whose sync failed.
            let kept = self.storage.find_whole(&place, 1, FileAccess::ReadOnly)?;
            if let Some(kept) = kept {
                let length = kept.view().len().min(file.view().len().saturating_sub(from));
                file.store_again(from, length);
                let failed = |source| JournalError::Io { action: "sync", path: self.storage.path(&name), source };
                file.sync(from, length).map_err(failed)?;
            }
            // An archive takes the end of the last segment for the end of the recording.
            if from == 0 && segment_base > base && kind == SegmentKind::Recorded {
                self.storage.remove(&name)?;
            }
        }
        if !self.dry_run {
            self.storage.sync_names()?;
        }
        Ok((cut.bytes > 0).then_some(cut))
    }

    /// Copies a part of a file to a file of its own, and returns the name of that. It replaces no earlier one, from which the
    /// bytes may be missing here, because a recovery was killed before it was done.
    fn keep(&self, file: &Stored, from: usize, to: usize, name: String) -> Result<String, JournalError> {
        let name = self.storage.free_name(name)?;
        self.storage.make(&name, (to - from) as u64, Reserve::Space, |kept| {
            kept.view().copy_from(0, file.view(), from, to - from);
            let failed = |source| JournalError::Io { action: "sync", path: self.storage.path(&name), source };
            kept.sync(0, to - from).map_err(failed)
        })?;
        // Before they are gone from the segment.
        self.storage.sync_names()?;
        Ok(name)
    }

    fn access(&self) -> FileAccess {
        if self.dry_run { FileAccess::ReadOnly } else { FileAccess::ReadWrite }
    }

    fn exists(&self, base: Position) -> Result<bool, JournalError> {
        Ok(self.segments()?.iter().any(|(found, ..)| *found == base))
    }

    fn open(&self, base: Position) -> Result<Stored, JournalError> {
        let id = self.descriptor.recording_id;
        let name = self.segments()?.into_iter().filter(|(found, ..)| *found == base).map(|(.., name)| name).next_back();
        let name = name.unwrap_or_else(|| segment_name(id, base));
        let length = self.descriptor.segment_length.get() as usize;
        let stored = self.storage.open(&name, 1, self.access())?;
        Ok(if stored.view().len() > length { stored.first(length) } else { stored })
    }

    fn damage(&self, base: Position, position: Position, fault: Fault) -> Damage {
        let path = self.storage.path(&segment_name(self.descriptor.recording_id, base));
        Damage::in_segment(path, base, position, fault)
    }
}

/// The offset of the last byte of a file, from `from` on, that is not zero.
pub(crate) fn last_byte(file: &Stored, from: usize) -> Option<usize> {
    const CHUNK: usize = 64 << 10;
    let view = file.view();
    let mut bytes = vec![0; CHUNK];
    let mut end = view.len();
    while end > from {
        let start = end.saturating_sub(CHUNK).max(from);
        let bytes = &mut bytes[..end - start];
        view.get_bytes(start, bytes);
        if let Some(last) = bytes.iter().rposition(|&byte| byte != 0) {
            return Some(start + last);
        }
        end = start;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::locks::lock_opening;
    use crate::journal::making::find_segment;
    use crate::journal::reindex::reindex_in;
    use crate::journal::repair::repair;
    use crate::journal::storage::{Crash, MemoryStorage};
    use crate::journal::{Journal, JournalOptions, Prune, Recording, Retention, Start, SyncPolicy, prune};
    use crate::memory::{Field, RawAccess};
    use crate::types::RecordingId;

    const SEGMENT: i64 = 64 << 10;
    const MESSAGE: [u8; 1000] = [7; 1000];
    /// What each takes up.
    const OCCUPIED: i64 = 1056;

    /// A recording of two segments and a half that was ended and not synced, after a loss of power that took these pages of its
    /// segments and nothing else; and where it ended.
    fn after_power_loss(is_lost: impl Fn(&str, usize) -> bool) -> (MemoryStorage, Position) {
        synced_before_power_loss(None, is_lost)
    }

    /// The same, but as soon as the recording had reached a position, it was synced up to there.
    fn synced_before_power_loss(
        sync_at: Option<i64>,
        is_lost: impl Fn(&str, usize) -> bool,
    ) -> (MemoryStorage, Position) {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let options = JournalOptions::new().term_length(SEGMENT).segment_length(SEGMENT).mtu(1408);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
        let mut appender = journal.appender().unwrap();
        while journal.tail().get() < 2 * SEGMENT + SEGMENT / 2 {
            appender.append(&MESSAGE).unwrap();
            if sync_at.is_some_and(|sync_at| (sync_at..=sync_at + OCCUPIED).contains(&journal.tail().get())) {
                journal.sync().unwrap();
            }
        }
        let tail = journal.tail();
        drop(appender);
        journal.close_under(lock_opening(&storage), false).unwrap();
        let choose = |name: &str, at| if is_lost(name, at) { Crash::Lost } else { Crash::Kept };
        (storage.after_power_loss(choose, Crash::Kept), tail)
    }

    fn messages(storage: &MemoryStorage) -> usize {
        let mut tailer = Recording::open_in(Arc::new(storage.clone()), None).unwrap().tailer(Start::Begin).unwrap();
        let mut count = 0;
        while let Some(record) = tailer.next().unwrap() {
            assert!(record.payload() == MESSAGE);
            count += 1;
        }
        count
    }

    /// The catalog names it before it is on stable storage, where a recorded stream ends.
    #[test]
    fn an_end_that_is_not_durable_is_proven() {
        for lost in [0_i64, 4096, 8192, SEGMENT, SEGMENT + (40 << 10), 2 * SEGMENT, 2 * SEGMENT + 12_288] {
            let (lost_of, lost_at) = (format!("0-{}.rec", lost / SEGMENT * SEGMENT), (lost % SEGMENT) as usize);
            let (storage, _) = after_power_loss(|name, at| (name == lost_of && at == lost_at) || name == "0.control");
            let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
            let report = journal.recovery();
            assert_eq!(report.left_by, LeftBy::PowerLoss);
            assert!((0..OCCUPIED).contains(&(lost - report.end.get())), "{report:?}");
            let before = messages(&storage);
            journal.appender().unwrap().append(&MESSAGE).unwrap();
            journal.close().unwrap();
            assert_eq!(messages(&storage), before + 1);
        }
    }

    /// What readers find before anybody has recovered the recording is what recovery leaves of it. They go on then.
    #[test]
    fn readers_tell_what_is_lost_from_what_is_damaged() {
        for lost in [0_i64, 4096, 8192, SEGMENT, SEGMENT + (40 << 10), 2 * SEGMENT, 2 * SEGMENT + 12_288] {
            let (lost_of, lost_at) = (format!("0-{}.rec", lost / SEGMENT * SEGMENT), (lost % SEGMENT) as usize);
            let (storage, tail) =
                after_power_loss(|name, at| (name == lost_of && at == lost_at) || name == "0.control");
            let files = storage.names().unwrap();
            let recording = Recording::open_in(Arc::new(storage.clone()), None).unwrap();
            let verified = recording.verify(|_| ()).unwrap();
            let mut tailer = recording.tailer(Start::Begin).unwrap();
            let mut count = 0;
            let found = loop {
                match tailer.next() {
                    Ok(Some(record)) => assert!(record.payload() == MESSAGE),
                    Ok(None) => panic!("{lost}: the end is lost, and nothing tells of it"),
                    Err(error) => break error,
                }
                count += 1;
            };
            let JournalError::NotDurable { lost: found, .. } = found else { panic!("{lost}: {found}") };
            assert_eq!((verified.messages, verified.damaged, verified.lost.as_ref()), (count, 0, Some(&found)));
            assert!(!verified.is_whole() && found.position == tailer.position());
            assert_eq!(tailer.skip_damage().unwrap(), None);
            for to in [Start::End, Start::Sequence(1_000), Start::Sequence(count as i64)] {
                let mut other = recording.tailer(to).unwrap();
                assert_eq!((other.position(), other.previous().unwrap().is_some()), (tailer.position(), count > 0));
            }
            let behind = recording.tailer(Start::Position(Position::new(tail.get() - OCCUPIED)));
            assert!(matches!(behind, Err(JournalError::NotDurable { .. })), "{behind:?}");
            let mut run_end = Position::new(0);
            let mut blocks = recording.tailer(Start::Begin).unwrap();
            while let Ok(Some(run)) = blocks.frames(1 << 20, tail, |_, _| true) {
                run_end = run.end;
                blocks.pass(run_end);
            }
            assert_eq!(run_end, tailer.position(), "as for a replay");
            assert_eq!(storage.names().unwrap(), files, "nothing is written");

            let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
            assert_eq!(journal.recovery().end, tailer.position());
            assert!(tailer.next().unwrap().is_none());
            journal.appender().unwrap().append(&MESSAGE).unwrap();
            assert!(tailer.next().unwrap().is_some_and(|record| record.payload() == MESSAGE));
            journal.sync().unwrap();
            let verified = recording.verify(|_| ()).unwrap();
            assert_eq!((verified.messages, verified.is_whole()), (count + 1, true));
        }
    }

    /// What is durable is damaged and not lost, and so is what other writers have written.
    #[test]
    fn damage_stays_damage_after_a_restart() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let options = JournalOptions::new().term_length(SEGMENT).segment_length(SEGMENT).mtu(1408);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options).unwrap();
        let mut appender = journal.appender().unwrap();
        (0..10).for_each(|_| _ = appender.append(&MESSAGE).unwrap());
        let durable = journal.sync().unwrap();
        (0..10).for_each(|_| _ = appender.append(&MESSAGE).unwrap());
        let storage = storage.after_power_loss(|_, _| Crash::Kept, Crash::Kept);
        let id = journal.descriptor().recording_id;
        let segment = find_segment(&storage, id, Position::new(0), 1, FileAccess::ReadWrite).unwrap().unwrap();
        let mut begin = [0; 8];
        segment.view().get_bytes(2 * OCCUPIED as usize, &mut begin);
        segment.view().zero(2 * OCCUPIED as usize, 8);
        let recording = Recording::open_in(Arc::new(storage.clone()), None).unwrap();
        let mut tailer = recording.tailer(Start::Begin).unwrap();
        (0..2).for_each(|_| assert!(tailer.next().unwrap().is_some()));
        assert!(matches!(tailer.next(), Err(JournalError::Damaged(damage)) if damage.position.get() == 2 * OCCUPIED));
        assert_eq!(tailer.skip_damage().unwrap(), Some(OCCUPIED as u64));
        (3..10).for_each(|_| assert!(tailer.next().unwrap().is_some()));
        assert_eq!(tailer.position(), durable);
        segment.view().put_bytes(2 * OCCUPIED as usize, &begin);
        storage.remove("0.control").unwrap();
        let recording = Recording::open_in(Arc::new(storage), None).unwrap();
        let mut tailer = recording.tailer(Start::Position(durable)).unwrap();
        (0..10).for_each(|_| assert!(tailer.next().unwrap().is_some()));
    }

    /// Syncs and the index begin behind what is pruned.
    #[test]
    fn a_flipped_bit_in_the_pruned_position_keeps_nothing_from_being_synced() {
        let storage = MemoryStorage::new(RawAccess::ENGINE);
        let options = JournalOptions::new().term_length(SEGMENT).segment_length(SEGMENT).mtu(1408);
        let journal = Journal::create_in(Arc::new(storage.clone()), &options.sync(SyncPolicy::EveryAppend)).unwrap();
        journal.appender().unwrap().append(&MESSAGE).unwrap();
        journal.close().unwrap();
        for bit in [5, 16, 17, 40, 62] {
            let damaged = storage.after_kill();
            let page = damaged.open("0.control", 1, FileAccess::ReadWrite).unwrap();
            page.view().word(Field::<i64>::at(640)).store_relaxed(1 << bit);
            let journal = Journal::open_in(Arc::new(damaged.clone()), None).unwrap();
            journal.appender().unwrap().append(&MESSAGE).unwrap();
            let after = damaged.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
            let journal = Journal::open_in(Arc::new(after.clone()), None).unwrap();
            assert_eq!(messages(&after), 2, "bit {bit}: {:?}", journal.recovery());
        }
    }

    #[test]
    fn repair_relies_on_no_more_of_it_than_recovery_does() {
        let (storage, tail) = after_power_loss(|name, at| name == "0-65536.rec" && at == 8192);
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let look = repair(Arc::clone(&storage), None, true, |_| ()).unwrap();
        let done = repair(Arc::clone(&storage), None, false, |_| ()).unwrap();
        assert_eq!((look.left_by, look.end), (LeftBy::PowerLoss, done.end));
        assert_eq!((done.left_by, done.quarantined.len(), done.end < tail), (LeftBy::PowerLoss, 0, true));
        let again = repair(Arc::clone(&storage), None, false, |_| ()).unwrap();
        assert_eq!((again.left_by, again.end), (LeftBy::Close, done.end));
    }

    /// They would prove frames of which a part is lost.
    #[test]
    fn nobody_replaces_the_checksums_that_recovery_needs() {
        let (storage, _) = after_power_loss(|name, at| name == "0-65536.rec" && at == 8192);
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let error = reindex_in(&storage, None, &mut |_| ()).unwrap_err();
        let id = RecordingId::new(0);
        assert!(matches!(error, JournalError::NotRecovered { recording_id, .. } if recording_id == id), "{error}");
        let end = repair(Arc::clone(&storage), None, false, |_| ()).unwrap().end;
        let done = reindex_in(&storage, None, &mut |_| ()).unwrap();
        assert_eq!((done.end, done.damages), (end, Vec::new()));
    }

    /// A recovery that is killed halfway leaves a part of them in the segment, and is done again.
    #[test]
    fn what_was_cut_off_before_is_not_replaced() {
        let lost = |name: &str, at: usize| (name == "0-131072.rec" && at == 8192) || name == "0.control";
        let (storage, _) = after_power_loss(lost);
        let again = storage.after_kill();
        let cut = |storage: &MemoryStorage| {
            let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
            let cut = journal.recovery().cut.clone().unwrap();
            let [name] = cut.kept_in.as_slice() else { panic!("{cut:?}") };
            let kept = storage.open(name, 1, FileAccess::ReadOnly).unwrap();
            let mut bytes = vec![0; kept.view().len()];
            kept.view().get_bytes(0, &mut bytes);
            (name.clone(), bytes)
        };
        let (name, whole) = cut(&storage);
        let kept = again.create(&name, whole.len() as u64, Reserve::Space).unwrap();
        kept.view().put_bytes(0, &whole);
        let segment = again.open("0-131072.rec", 1, FileAccess::ReadWrite).unwrap();
        let begin = name.trim_start_matches("0-").trim_end_matches(".cut").parse::<usize>().unwrap() - 131_072;
        segment.view().zero(begin, 2048);
        let (next, rest) = cut(&again);
        assert!(next == format!("{name}-2") && rest[2048..] == whole[2048..], "{next}");
        let mut found = vec![0; whole.len()];
        kept.view().get_bytes(0, &mut found);
        assert!(found == whole);
    }

    /// Otherwise it would be there again after the next loss of power, and be taken for what was appended behind the end.
    #[test]
    fn what_is_cut_off_is_gone_for_good_though_it_could_not_be_synced_at_first() {
        const NAME: &str = "0-131072.rec";
        let lost = |name: &str, at: usize| (name == NAME && at == 8192) || name == "0.control";
        let (storage, _) = after_power_loss(lost);
        storage.fail_syncs(NAME, true);
        let error = Journal::open_in(Arc::new(storage.clone()), None).unwrap_err();
        assert!(error.to_string().contains(NAME), "{error}");
        storage.fail_syncs(NAME, false);
        let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
        let from = (journal.recovery().end.get() - 2 * SEGMENT) as usize;
        let storage = storage.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
        let left = storage.open(NAME, 1, FileAccess::ReadOnly).unwrap();
        assert_eq!(last_byte(&left, from), None);
    }

    /// Pruning keeps the segment in which the recording ends, and that need not be the last one.
    #[test]
    fn nothing_is_pruned_before_the_end_is_known() {
        let lost = [("0-65536.rec", 40 << 10), ("0-131072.rec", 0)];
        let (storage, _) = after_power_loss(|name, at| lost.contains(&(name, at)));
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let all = Prune::by(&Retention::new().max_bytes(1));
        let error = prune(Arc::clone(&storage), None, &all, |_| ()).unwrap_err();
        assert!(matches!(error, JournalError::NotRecovered { .. }), "{error}");
        let end = repair(Arc::clone(&storage), None, false, |_| ()).unwrap().end;
        let pruned = prune(Arc::clone(&storage), None, &all, |_| ()).unwrap();
        assert!(pruned.start.get() == SEGMENT && end.get() > SEGMENT, "{pruned:?}, {end}");
    }

    /// The first of its segments is on stable storage and has no sidecar.
    #[test]
    fn repair_replaces_them_after_it_has_used_them() {
        for lost in [None, Some(8192)] {
            let (storage, tail) =
                synced_before_power_loss(Some(SEGMENT), |name, at| name == "0-65536.rec" && Some(at) == lost);
            storage.remove("0-0.index").unwrap();
            let storage: Arc<dyn Storage> = Arc::new(storage);
            let done = repair(Arc::clone(&storage), None, false, |_| ()).unwrap();
            assert_eq!((done.unindexed, done.quarantined.as_slice(), done.end == tail), (1, &[][..], lost.is_none()));
            let recording = Recording::open_in(storage, None).unwrap();
            let verified = recording.verify(|_| ()).unwrap();
            assert!(verified.is_whole() && verified.end == done.end, "{verified:?}");
        }
    }

    #[test]
    fn an_end_of_which_nothing_is_lost_stays() {
        let (storage, tail) = after_power_loss(|_, _| false);
        let report = Journal::open_in(Arc::new(storage.clone()), None).unwrap().recovery().clone();
        assert_eq!((report.left_by, report.end, report.cut), (LeftBy::Close, tail, None));
        assert!(messages(&storage) > 100);
    }
}
