//! A recording opened for reading. It may belong to a journal that is being written, to one that nobody has open, or to
//! an archive. Reading needs no permission to write, no writer, and no driver.

use std::sync::Arc;

use crate::memory::FileAccess;
use crate::types::{Position, RecordingId, SessionId};

use super::catalog::CatalogEntry;
use super::control::Control;
use super::descriptor::RecordingDescriptor;
use super::error::JournalError;
use super::locks::{lock_opening, open_lock_name, try_lock_opening, unless_forbidden};
use super::mark::refuse_archive;
use super::options::Stamps;
use super::present::Present;
use super::retention::{PruneTotals, Retention, RetentionFile};
use super::segment::{SegmentKind, SegmentLayout, parse_segment_name, segment_name};
use super::sidecar::Sidecar;
use super::storage::{Directory, Share, Storage};

/// A segment of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The position at which the segment begins.
    pub base: Position,
    /// The name of the segment's file.
    pub name: String,
    /// The position up to which the segment's sidecar is complete. `None` if it has no sidecar.
    pub indexed: Option<Position>,
    /// The CRC-32C of the whole file. `None` until the segment is full.
    pub checksum: Option<u32>,
}

/// A recording that is open for reading. It is cheap to clone. Each [`Tailer`](super::Tailer) reads independently.
///
/// What it tells of the recording is as of now. If another process replaces the catalog, as a repair does, that shows
/// within some 10 ms.
#[derive(Clone, Debug)]
pub struct Recording {
    pub(crate) storage: Arc<dyn Storage>,
    /// The files as they were when it was opened, which lead to those of now.
    opened: Arc<Present>,
}

impl Recording {
    /// Opens the last recording of a directory.
    ///
    /// # Errors
    ///
    /// [`JournalError::NotAJournal`], or what is wrong with the catalog.
    pub fn open(dir: impl Into<std::path::PathBuf>) -> Result<Self, JournalError> {
        Self::open_in(Arc::new(Directory::at(dir)), None)
    }

    /// Opens a recording of any storage: the one with this id, or the last one.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], and [`JournalError::UnknownRecording`].
    pub fn open_in(storage: Arc<dyn Storage>, recording_id: Option<RecordingId>) -> Result<Self, JournalError> {
        let opened = Arc::new(Present::open(&*storage, recording_id)?);
        Ok(Self { storage, opened })
    }

    /// The catalog and the control page of now.
    fn present(&self) -> &Present {
        // A tailer reports an error when it comes to the end of what it knows; see `check_present`.
        self.opened.recent(&*self.storage).unwrap_or_else(|_| self.opened.last())
    }

    /// The catalog and the control page that were found last.
    pub(crate) fn known_present(&self) -> &Present {
        self.opened.last()
    }

    /// Finds out now whether files were replaced.
    pub(crate) fn look_again(&self) -> Result<(), JournalError> {
        self.opened.look(&*self.storage).map(drop)
    }

    /// The catalog and the control page of now. Fails if the directory has another recording in its place.
    pub(crate) fn check_present(&self) -> Result<&Present, JournalError> {
        self.opened.recent(&*self.storage)
    }

    /// See [`Present::unproven_from`].
    pub(crate) fn unproven_from(&self) -> Option<Position> {
        self.present().unproven_from()
    }

    /// Checks that recovery would not have to prove any frame by the checksums that there are now.
    pub(crate) fn check_recovered(&self) -> Result<(), JournalError> {
        self.look_again()?;
        let recording_id = self.descriptor().recording_id;
        let from = self.known_present().recoverable_from();
        from.map_or(Ok(()), |from| Err(JournalError::NotRecovered { recording_id, from }))
    }

    /// The recording's control page, if there is one.
    pub(crate) fn control(&self) -> Option<&Control> {
        self.present().control.as_ref()
    }

    /// The recording's entry in the catalog.
    pub(crate) fn entry(&self) -> &CatalogEntry {
        &self.present().entry
    }

    /// The recording's descriptor as it was when the recording was opened.
    pub fn descriptor(&self) -> &RecordingDescriptor {
        &self.opened.entry.descriptor
    }

    /// The current start position. It moves forward when the recording is pruned.
    pub fn start_position(&self) -> Position {
        let present = self.present();
        present.catalog.start_position(&present.entry)
    }

    /// The current session id. It changes when another session continues the recording. Whoever has read a frame of that
    /// session finds its id here.
    pub(crate) fn session_id(&self) -> SessionId {
        let present = self.present();
        present.catalog.session_id(&present.entry)
    }

    /// The recording's retention policy. It has no limits unless some were set.
    ///
    /// # Errors
    ///
    /// [`JournalError::Malformed`] if the policy is damaged; nothing is pruned by it then. Otherwise an error of the
    /// operating system.
    pub fn retention(&self) -> Result<Retention, JournalError> {
        let id = self.descriptor().recording_id;
        let file = RetentionFile::open(&*self.storage, id, FileAccess::ReadOnly)?;
        file.map_or(Ok(Retention::new()), |file| file.policy(&*self.storage))
    }

    /// How much has been pruned so far.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn prune_totals(&self) -> Result<PruneTotals, JournalError> {
        let id = self.descriptor().recording_id;
        let file = RetentionFile::open(&*self.storage, id, FileAccess::ReadOnly)?;
        Ok(file.map(|file| file.totals()).unwrap_or_default())
    }

    /// The position at which the recording stopped. `None` while it is active.
    pub fn stop_position(&self) -> Option<Position> {
        self.present().stop_position()
    }

    /// The position up to which the writers know it to be recorded. `None` if the writers do not store this, as for an
    /// archive's recording.
    pub fn recorded_hint(&self) -> Option<Position> {
        self.present().recorded_hint()
    }

    /// Whether the machine was restarted while the recording was open, and the recording has not been opened since. Its
    /// end may be lost.
    pub(crate) fn awaits_recovery(&self) -> Result<bool, JournalError> {
        let boot_id = self.storage.boot_id();
        let is_left = || {
            self.look_again()?;
            let known = self.control().and_then(|control| control.known(self.descriptor(), boot_id));
            Ok::<_, JournalError>(self.stop_position().is_none() && known.is_some_and(|known| !known.same_boot))
        };
        if !is_left()? {
            return Ok(false);
        }
        // If the machine's boots cannot be told apart, a process may have the recording open after all.
        let _opening = lock_opening(&*self.storage)?;
        let name = open_lock_name(self.descriptor().recording_id);
        Ok(self.storage.try_lock(&name, Share::Exclusive)?.is_some() && is_left()?)
    }

    /// Whether the recording has no end and no writers, because its writers were killed. False if that cannot be
    /// determined: for an archive's recording, without permission to lock, and while a process opens or closes the
    /// journal.
    pub(crate) fn was_left(&self) -> Result<bool, JournalError> {
        // An archive may extend any recording, and takes no locks.
        if self.control().is_none() || self.stop_position().is_some() || refuse_archive(&*self.storage).is_err() {
            return Ok(false);
        }
        let Some(Some(_opening)) = unless_forbidden(try_lock_opening(&*self.storage), true)? else { return Ok(false) };
        let name = open_lock_name(self.descriptor().recording_id);
        let alone = unless_forbidden(self.storage.try_lock(&name, Share::Exclusive), true)?;
        self.look_again()?;
        Ok(matches!(alone, Some(Some(_))) && self.stop_position().is_none())
    }

    /// The position up to which it is on stable storage, as far as its writers know. `None` if they do not store this.
    pub fn durable(&self) -> Option<Position> {
        self.control().map(|control| control.durable_position().max(self.start_position()))
    }

    /// The position up to which its sidecar files are complete. `None` if its writers do not store this.
    pub fn indexed(&self) -> Option<Position> {
        self.control().map(Control::indexed_position)
    }

    /// What the reserved values of its frames hold. [`Stamps::None`] for a recording that no journal wrote.
    pub fn stamps(&self) -> Stamps {
        self.control().map_or(Stamps::None, Control::stamps)
    }

    /// The existing segments, in order.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn segments(&self) -> Result<Vec<SegmentInfo>, JournalError> {
        let describe = |base| {
            let sidecar = Sidecar::open(&*self.storage, self.descriptor(), base, FileAccess::ReadOnly)?;
            Ok(SegmentInfo {
                base,
                name: segment_name(self.descriptor().recording_id, base),
                indexed: sidecar.as_ref().map(Sidecar::covered),
                checksum: sidecar.as_ref().and_then(Sidecar::segment_checksum),
            })
        };
        self.segment_bases()?.into_iter().map(describe).collect()
    }

    /// The bases of the existing segments, in order.
    pub(crate) fn segment_bases(&self) -> Result<Vec<Position>, JournalError> {
        let named = self.segment_files()?.into_iter().filter(|&(_, kind)| kind == SegmentKind::Recorded);
        let mut bases: Vec<Position> = named.map(|(base, _)| base).collect();
        bases.sort_unstable();
        Ok(bases)
    }

    /// As [`Self::segment_bases`], and of segments before `end` that have no final name yet, because their writers were
    /// killed as soon as they had reached them.
    pub(crate) fn segment_bases_to(&self, end: Position) -> Result<Vec<Position>, JournalError> {
        let counts = |&(base, kind): &(Position, SegmentKind)| kind == SegmentKind::Recorded || base < end;
        let mut bases: Vec<Position> = self.segment_files()?.into_iter().filter(counts).map(|(base, _)| base).collect();
        bases.sort_unstable();
        bases.dedup();
        Ok(bases)
    }

    /// The base of the last segment, even if it was only made ahead.
    pub(crate) fn last_base(&self) -> Result<Option<Position>, JournalError> {
        Ok(self.segment_files()?.into_iter().map(|(base, _)| base).max())
    }

    fn segment_files(&self) -> Result<Vec<(Position, SegmentKind)>, JournalError> {
        let id = self.descriptor().recording_id;
        let layout = SegmentLayout { start_position: self.start_position(), ..self.descriptor().layout() };
        let names = self.storage.names()?;
        let found = names.iter().filter_map(|name| parse_segment_name(name));
        let found = found.filter(|&(found, base, _)| found == id && layout.is_base(base));
        Ok(found.map(|(_, base, kind)| (base, kind)).collect())
    }
}
