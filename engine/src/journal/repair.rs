//! Repair: what recovery does, and changes that recovery does not risk by itself. It is done on request, while nobody
//! has the journal open.
//!
//! - A catalog that is lost or damaged is rebuilt: see `catalog_repair`.
//! - Unfinished work of pruning, opening or an appender is finished, and a torn end is cut off, as in recovery.
//! - Damage in the middle is quarantined: the bytes are kept in a file of their own, and their place becomes padding,
//!   up to the next frame. Then the recording can be read from start to end, also by an archive's replay, which cannot
//!   skip a hole.
//! - Sidecars that are missing, outdated or damaged are rebuilt. Before that, every frame is compared with its checksum, so a
//!   damaged frame does not get a new, matching one.
//!
//! If repair is killed at any point, it is done again and comes to the same end.

use std::sync::Arc;

use crate::logbuffer::FRAME_ALIGNMENT;
use crate::logbuffer::message::{Claimed, write_padding};
use crate::memory::{FileAccess, Frames, MapError, Reserve};
use crate::types::{Position, RecordingId};

use super::catalog::{Catalog, CatalogEntry, RecordingState};
use super::catalog_repair::{RepairedCatalog, repair_catalog};
use super::control::{Control, Known, durable_stop};
use super::cursor::RewoundCursor;
use super::error::{Damage, Fault, JournalError};
use super::indexer::file_checksum;
use super::journal::{Journal, unfinished_files};
use super::locks::{lock_writing, open_lock_name, prune_lock_name, unless_forbidden, wait_for_lock};
use super::mark::Mark;
use super::options::Stamps;
use super::prune::{assure_start, left_over};
use super::recording::Recording;
use super::recovery::{Cut, LeftBy, cut_behind, known_positions, last_byte, last_recorded, recover};
use super::reindex::reindex_in;
use super::segment::{At, Identity, ahead_name, segment_name};
use super::sidecar::Sidecar;
use super::sidecar_check::{Segment, SidecarCheck};
use super::storage::{Share, Storage, Stored};

/// What was repaired, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The recording's id.
    pub recording_id: RecordingId,
    /// What was done about the catalog. This may concern other recordings, too.
    pub catalog: Option<RepairedCatalog>,
    /// The state in which the recording was left.
    pub left_by: LeftBy,
    /// The position at which the recording ends.
    pub end: Position,
    /// Ranges of appenders that died, which became padding: the start position and the length in bytes of each. Unknown
    /// in a dry run.
    pub padded: Vec<(Position, usize)>,
    /// What was cut off at the end.
    pub cut: Option<Cut>,
    /// Cursors beyond the end, which were moved back to it. Unknown in a dry run.
    pub rewound: Vec<RewoundCursor>,
    /// Unfinished files of killed processes, which nothing needs.
    pub removed: Vec<String>,
    /// Damage in the middle.
    pub quarantined: Vec<Quarantined>,
    /// What was wrong with the sidecars of intact segments, and where. They were rebuilt.
    pub sidecars: Vec<Damage>,
    /// The number of segments without a complete and intact sidecar.
    pub unindexed: u64,
    /// Whether the files were read without a lock, because the storage is read-only. If a process has the journal open,
    /// the result may be out of date. Only possible in a dry run.
    pub unlocked: bool,
}

/// Damage that was replaced by padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// What was wrong, in which file, and where.
    pub damage: Damage,
    /// The position at which the recording continues.
    pub until: Position,
    /// The file that holds the damaged bytes now. `None` if they were all zero.
    pub kept_in: Option<String>,
}

impl Repaired {
    /// Whether there was nothing to repair.
    pub fn was_whole(&self) -> bool {
        let changed = !self.padded.is_empty() || self.cut.is_some() || !self.removed.is_empty();
        let was_left = matches!(self.left_by, LeftBy::Kill | LeftBy::PowerLoss);
        !changed && !was_left && self.catalog.is_none() && self.quarantined.is_empty() && self.unindexed == 0
    }
}

/// Repairs a recording: the one with this id, or the last of the storage. With `dry_run` it changes nothing, and
/// reports what it would do. Calls `progress` with the position after each segment.
///
/// ```
/// use std::sync::Arc;
/// use gannet::journal::storage::Directory;
/// use gannet::journal::{Journal, JournalError, JournalOptions, repair};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let journal = Journal::create(dir, &JournalOptions::new().segment_length(64 << 10).term_length(64 << 10))?;
/// journal.appender()?.append(b"hello")?;
/// let storage = Arc::new(Directory::at(dir));
/// let refused = repair(storage.clone(), None, false, |_| {}).unwrap_err();
/// assert!(matches!(refused, JournalError::InUse { .. }));
/// journal.close()?;
/// assert!(repair(storage, None, false, |_| {})?.was_whole());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`JournalError::InUse`] while a process has the journal open, or an error of the operating system. A dry run does
/// not require write permission.
pub fn repair(
    storage: Arc<dyn Storage>,
    recording_id: Option<RecordingId>,
    dry_run: bool,
    mut progress: impl FnMut(Position),
) -> Result<Repaired, JournalError> {
    let access = if dry_run { FileAccess::ReadOnly } else { FileAccess::ReadWrite };
    let (repaired, entry) = match repair_catalog(&*storage, dry_run)? {
        // A dry run changed nothing, so the files that would be examined next do not exist.
        Some((repaired, entries)) if dry_run => {
            let chosen = entries.into_iter().rev().find(|entry| {
                entry.state == RecordingState::Valid
                    && recording_id.is_none_or(|wanted| entry.descriptor.recording_id == wanted)
            });
            let recording_id = recording_id.unwrap_or(RecordingId::new(0));
            let unknown = || JournalError::UnknownRecording { path: storage.path(""), recording_id };
            (Some(repaired), chosen.ok_or_else(unknown)?)
        }
        repaired => {
            let (_, entry) = Catalog::open_entry(&*storage, access, recording_id)?;
            (repaired.map(|(repaired, _)| repaired), entry)
        }
    };
    let id = entry.descriptor.recording_id;
    let (mut done, entry) = {
        let opening = unless_forbidden(lock_writing(&*storage), dry_run)?;
        let alone = unless_forbidden(storage.try_lock(&open_lock_name(id), Share::Exclusive), dry_run)?;
        if let Some(None) = alone {
            return Err(JournalError::InUse { recording_id: id, path: storage.path("") });
        }
        // Nothing is pruned meanwhile.
        let _pruning = unless_forbidden(wait_for_lock(&*storage, &prune_lock_name(id)), dry_run)?;
        // The recording may have been opened, closed and pruned before it was locked.
        let entry = match &repaired {
            Some(_) if dry_run => entry,
            _ => Catalog::open_entry(&*storage, access, Some(id))?.1,
        };
        let writes = opening.as_ref().filter(|_| !dry_run);
        let mark = writes.map(|opening| Mark::claim(&*storage, opening)).transpose()?;
        let repair = Repair { storage: &*storage, entry: &entry, dry_run };
        let done = repair.run(&mut progress);
        let released = mark.zip(writes).map_or(Ok(()), |(mark, opening)| mark.release(&*storage, opening));
        let done = released.and(done)?;
        (Repaired { unlocked: opening.is_none() || alone.is_none(), ..done }, entry)
    };
    done.catalog = repaired;
    if dry_run {
        return Ok(done);
    }
    let is_unproven =
        || Recording::open_in(Arc::clone(&storage), Some(id)).map(|recording| recording.check_recovered());
    if done.left_by == LeftBy::PowerLoss
        || (done.left_by != LeftBy::Close && entry.descriptor.stop_position.is_none())
        || (done.unindexed > 0 && is_unproven()?.is_err())
    {
        // Also rebuilds the sidecars from where they end.
        let report = Journal::recover_in(Arc::clone(&storage), id)?;
        done.padded = report.padded;
        done.end = report.end;
        done.cut = report.cut;
        done.rewound = report.rewound;
    }
    if done.unindexed > 0 {
        reindex_in(&storage, Some(id), &mut progress)?;
    }
    Ok(done)
}

struct Repair<'a> {
    storage: &'a dyn Storage,
    entry: &'a CatalogEntry,
    dry_run: bool,
}

impl Repair<'_> {
    fn run(&self, progress: &mut dyn FnMut(Position)) -> Result<Repaired, JournalError> {
        let descriptor = &self.entry.descriptor;
        let removed = self.remove_unfinished()?;
        let control = if self.dry_run {
            Control::open_mended_copy(self.storage, descriptor)?
        } else {
            Control::mend(self.storage, descriptor.recording_id)?;
            Control::open(self.storage, descriptor, FileAccess::ReadOnly)?
        };
        let known = known_positions(self.storage, descriptor, control.as_ref())?;
        // The middle first, up to the position that certainly belongs to the recording, so that recovery can rely on
        // it.
        let certain = self.certain_end(known)?;
        let mut quarantined = Vec::new();
        let (mut unindexed, mut sidecars) = (0, Vec::new());
        let layout = descriptor.layout();
        let mut position = layout.start_position;
        let stamped = control.as_ref().is_some_and(|control| control.stamps() != Stamps::None);
        let mut check = SidecarCheck::new(self.storage, descriptor, position, stamped)?;
        while position < certain {
            let base = layout.base(position);
            let end = layout.next_base(base).min(certain);
            let before = (quarantined.len(), sidecars.len());
            let covered = self.mend(base, position, end, known, &mut quarantined)?;
            if quarantined.len() == before.0 {
                sidecars.append(&mut self.sidecar_faults(&mut check, base, known)?);
            }
            unindexed += u64::from(covered < end || (quarantined.len(), sidecars.len()) != before);
            position = end;
            progress(position);
        }
        let (left_by, end, cut) = match durable_stop(descriptor.stop_position, known) {
            // Another writer ended the recording. Bytes after the end do not belong to it, and an archive might read
            // them.
            Some(stop) if known.is_none_or(|known| known.recorded != stop || known.tail != stop) => {
                (LeftBy::Stranger, stop, self.cut_behind(stop)?)
            }
            // Examines only. The journal is opened afterwards.
            _ => recover(self.storage, descriptor, known, true)?,
        };
        let recording_id = descriptor.recording_id;
        let (padded, rewound) = (Vec::new(), Vec::new());
        let (catalog, unlocked) = (None, false);
        Ok(Repaired {
            recording_id,
            catalog,
            left_by,
            end,
            padded,
            cut,
            rewound,
            removed,
            quarantined,
            sidecars,
            unindexed,
            unlocked,
        })
    }

    /// What is wrong with the sidecar of a segment whose frames are all there.
    fn sidecar_faults(
        &self,
        check: &mut SidecarCheck<'_>,
        base: Position,
        known: Option<Known>,
    ) -> Result<Vec<Damage>, JournalError> {
        // After a loss of power a sidecar may be older than the page says. Recovery has it rebuilt.
        let known = known.filter(|known| known.same_boot || known.durable == known.recorded);
        let (Some(stored), Some(known)) = (self.open_whole(base)?, known) else { return Ok(Vec::new()) };
        let is_sealed = self.is_sealed(base, &stored)?;
        let recorded = || Some(self.entry.descriptor.stop_position.unwrap_or(known.recorded));
        let indexed = || Some(known.indexed);
        check.faults(&Segment { base, stored: &stored, is_sealed, indexed: &indexed, recorded: &recorded })
    }

    /// Whether a segment matches its own checksum.
    fn is_sealed(&self, base: Position, stored: &Stored) -> Result<bool, JournalError> {
        let length = self.entry.descriptor.segment_length.get() as usize;
        let sidecar = Sidecar::open(self.storage, &self.entry.descriptor, base, FileAccess::ReadOnly)?;
        let expected = sidecar.as_ref().and_then(Sidecar::segment_checksum);
        Ok(stored.view().len() >= length && expected.is_some_and(|expected| file_checksum(stored, length) == expected))
    }

    fn remove_unfinished(&self) -> Result<Vec<String>, JournalError> {
        let descriptor = &self.entry.descriptor;
        let mut names = unfinished_files(self.storage, descriptor)?;
        let below = left_over(self.storage, descriptor.recording_id, &descriptor.layout())?;
        names.extend(below.iter().map(|(_, name)| name.clone()));
        if !self.dry_run {
            assure_start(self.storage, descriptor.recording_id, &below)?;
            for name in &names {
                self.storage.remove(name)?;
            }
            self.storage.sync_names()?;
        }
        Ok(names)
    }

    /// The position up to which the recording certainly reaches. Before it, a missing frame is damage and not the end.
    fn certain_end(&self, known: Option<Known>) -> Result<Position, JournalError> {
        let descriptor = &self.entry.descriptor;
        let layout = descriptor.layout();
        Ok(match (durable_stop(descriptor.stop_position, known), known) {
            (Some(stop), _) => stop,
            // The machine was not restarted, so everything that was stored is there.
            (None, Some(known)) if known.same_boot => known.recorded,
            (None, Some(known)) => known.durable,
            // As for an archive: everything except the last segment.
            (None, None) => {
                let last = last_recorded(self.storage, descriptor)?;
                last.map_or(layout.start_position, |last| last.max(layout.start_position))
            }
        })
    }

    /// Repairs a segment between two positions. Returns the position up to which its sidecar is valid.
    fn mend(
        &self,
        base: Position,
        from: Position,
        end: Position,
        known: Option<Known>,
        quarantined: &mut Vec<Quarantined>,
    ) -> Result<Position, JournalError> {
        let descriptor = &self.entry.descriptor;
        let identity = descriptor.identity();
        let Some(stored) = self.open_whole(base)? else {
            // The segment is missing, and a dry run does not create it. All of it would become padding.
            let damage = self.damage(base, from, Fault::MISSING);
            quarantined.push(Quarantined { damage, until: end, kept_in: None });
            return Ok(from);
        };
        let length = descriptor.segment_length.get() as usize;
        let frames = Frames::new(&stored.view().slice(0, stored.view().len().min(length)));
        let sidecar = Sidecar::open(self.storage, descriptor, base, FileAccess::ReadOnly)?;
        // After a loss of power a sidecar may cover more than was synced. Its checksums beyond that are not used here.
        let covered = sidecar.as_ref().map_or(base, Sidecar::covered);
        let checked = covered.min(known.map_or(covered, |known| if known.same_boot { covered } else { known.durable }));
        let before = quarantined.len();
        // Found out at the first frame that does not match its checksum.
        let mut is_sealed = None;
        let mut position = from;
        while position < end {
            let offset = (position.get() - base.get()) as usize;
            let fault = match frame_at(&identity, &frames, base, position) {
                Ok((occupied, frame)) => {
                    let fault = sidecar
                        .as_ref()
                        .filter(|_| position < checked)
                        .and_then(|sidecar| sidecar.fault(offset, &frame, false));
                    let next = Position::new(position.get() + occupied as i64);
                    let is_intact = match (&fault, is_sealed) {
                        (None, _) => true,
                        (Some(_), Some(is_sealed)) => is_sealed,
                        // Then the frame is as it was written, and its checksum is not.
                        (Some(_), None) => *is_sealed.insert(self.is_sealed(base, &stored)?),
                    };
                    match fault {
                        Some(fault) if !is_intact => (fault, next),
                        _ => {
                            position = next;
                            continue;
                        }
                    }
                }
                Err(fault) => {
                    let places = (position.get() + 1..end.get()).filter(|place| place % FRAME_ALIGNMENT as i64 == 0);
                    let next = places
                        .map(Position::new)
                        .find(|&place| frame_at(&identity, &frames, base, place).is_ok())
                        .unwrap_or(end);
                    (fault, next)
                }
            };
            let (fault, next) = fault;
            let damage = self.damage(base, position, fault);
            let kept_in = if self.dry_run { None } else { self.quarantine(&stored, &identity, base, position, next)? };
            quarantined.push(Quarantined { damage, until: next, kept_in });
            position = next;
        }
        // Compares the bytes that no frame covers: the bodies of padding. What is behind the certain end may be lost.
        let is_certain = end == descriptor.layout().next_base(base);
        let sealed = sidecar.as_ref().and_then(Sidecar::segment_checksum).filter(|_| is_certain);
        if let Some(expected) = sealed.filter(|_| quarantined.len() == before && stored.view().len() >= length) {
            let found = file_checksum(&stored, length);
            if found != expected {
                let damage = self.damage(base, base, Fault::Checksum { found, expected });
                quarantined.push(Quarantined { damage, until: base, kept_in: None });
            }
        }
        Ok(covered)
    }

    /// The complete file of a segment. Missing bytes are added as zeroes, except in a dry run. `None` if the file is
    /// missing and is not created.
    fn open_whole(&self, base: Position) -> Result<Option<Stored>, JournalError> {
        let id = self.entry.descriptor.recording_id;
        let length = self.entry.descriptor.segment_length.get() as u64;
        let access = if self.dry_run { FileAccess::ReadOnly } else { FileAccess::ReadWrite };
        let mut short = None;
        for name in [segment_name(id, base), ahead_name(id, base)] {
            match self.storage.find(&name, length, access) {
                Ok(Some(stored)) => return Ok(Some(stored)),
                Ok(None) => {}
                Err(JournalError::Map(MapError::TooShort { found, .. })) => short = Some((name, found)),
                Err(error) => return Err(error),
            }
        }
        let old = match &short {
            Some((name, found)) if *found > 0 => Some(self.storage.open(name, 1, access)?),
            _ => None,
        };
        if self.dry_run {
            return Ok(old);
        }
        let name = segment_name(id, base);
        let new_name = format!("{name}.new");
        self.storage.remove(&new_name)?;
        let stored = self.storage.create(&new_name, length, Reserve::Space)?;
        if let Some(old) = old {
            stored.view().copy_from(0, old.view(), 0, old.view().len());
        }
        self.sync(&stored, &new_name, 0, length as usize)?;
        self.storage.rename(&new_name, &name)?;
        if let Some((short, _)) = short.filter(|(short, _)| *short != name) {
            self.storage.remove(&short)?;
        }
        self.storage.sync_names()?;
        Ok(Some(stored))
    }

    /// Copies the bytes between two positions of a segment to a separate file, and replaces them by padding.
    fn quarantine(
        &self,
        stored: &Stored,
        identity: &Identity,
        base: Position,
        from: Position,
        until: Position,
    ) -> Result<Option<String>, JournalError> {
        let at = |position: Position| (position.get() - base.get()) as usize;
        let (start, end) = (at(from), at(until));
        let range = stored.first(end);
        let kept_in = match last_byte(&range, start) {
            Some(last) => Some(self.keep(stored, start, last + 1, from)?),
            None => None,
        };
        let segment = segment_name(self.entry.descriptor.recording_id, base);
        stored.view().zero(start, end - start);
        let frames = Frames::new(stored.view());
        let layout = identity.layout;
        let mut position = from;
        // No frame crosses the end of a term.
        while position < until {
            let rest = i64::from(layout.term_length.get() - layout.term_length.offset(position));
            let length = rest.min(until.get() - position.get());
            if let Some(space) = frames.space(at(position), length as usize) {
                write_padding(&Claimed { space, place: identity.place(position) }, length as i32);
            }
            position = Position::new(position.get() + length);
        }
        self.sync(stored, &segment, start, end - start)?;
        Ok(kept_in)
    }

    fn keep(&self, stored: &Stored, start: usize, end: usize, position: Position) -> Result<String, JournalError> {
        let id = self.entry.descriptor.recording_id;
        let name = self.storage.free_name(format!("{id}-{position}.quarantine"))?;
        let kept = self.storage.create(&name, (end - start) as u64, Reserve::Space)?;
        kept.view().copy_from(0, stored.view(), start, end - start);
        self.sync(&kept, &name, 0, end - start)?;
        self.storage.sync_names()?;
        Ok(name)
    }

    /// Cuts off what follows the end of a recording that another writer ended.
    fn cut_behind(&self, stop: Position) -> Result<Option<Cut>, JournalError> {
        cut_behind(self.storage, &self.entry.descriptor, stop, self.dry_run)
    }

    fn sync(&self, stored: &Stored, name: &str, offset: usize, length: usize) -> Result<(), JournalError> {
        let failed = |source| JournalError::Io { action: "sync", path: self.storage.path(name), source };
        stored.sync(offset, length).map_err(failed)
    }

    fn damage(&self, base: Position, position: Position, fault: Fault) -> Damage {
        let path = self.storage.path(&segment_name(self.entry.descriptor.recording_id, base));
        Damage::in_segment(path, base, position, fault)
    }
}

/// The frame at a position of the recording and the space it occupies, or the fault there.
fn frame_at<'a>(
    identity: &Identity,
    frames: &'a Frames,
    base: Position,
    position: Position,
) -> Result<(usize, crate::memory::CommittedFrame<'a>), Fault> {
    let Some(mut cursor) = frames.cursor((position.get() - base.get()) as usize) else {
        return Err(Fault::File("is shorter than a segment"));
    };
    match identity.look(&mut cursor, position) {
        At::Frame(found) => Ok((found.occupied, found.frame)),
        At::Nothing { length: 0 } => Err(Fault::Hole),
        At::Nothing { length } => Err(Fault::Length { length }),
        At::Fault(fault) => Err(fault),
    }
}
