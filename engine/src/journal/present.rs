//! What the catalog and the control page say of a recording now, for readers. Both files are mapped, so most changes
//! show by themselves. But repair, recovery and an archive's tool also replace the files, and an archive moves entries
//! within its catalog. A reader that relied on what it opened first would wait at an old end for ever. So every 10 ms at
//! most, readers look whether their files are still the directory's, and open the new ones if not.

use std::sync::{Arc, OnceLock};

use crate::memory::FileAccess;
use crate::sync::{AtomicI64, Ordering};
use crate::time::SystemClock;
use crate::types::{Position, RecordingId};

use super::catalog::{CATALOG_NAME, Catalog, CatalogEntry};
use super::control::{Control, durable_stop};
use super::descriptor::RecordingDescriptor;
use super::error::JournalError;
use super::storage::Storage;

/// How long to rely on the files that are open, in nanoseconds.
const LOOK_EVERY_NS: u64 = 10_000_000;

/// The files of a recording that were found at some time, and a link to those that replaced them.
#[derive(Debug)]
pub(crate) struct Present {
    pub(crate) catalog: Catalog,
    pub(crate) entry: CatalogEntry,
    pub(crate) control: Option<Control>,
    /// Which files these are. `None` for a file that does not exist, or was replaced while it was opened.
    identities: [Option<[u64; 2]>; 2],
    boot_id: [i64; 2],
    /// When the directory was last looked at, by the coarse wall clock.
    looked_ns: AtomicI64,
    next: OnceLock<Arc<Self>>,
}

impl Present {
    /// Opens the files of a recording, or of the last one.
    pub(crate) fn open(storage: &dyn Storage, recording_id: Option<RecordingId>) -> Result<Self, JournalError> {
        let catalog_before = identity(storage, CATALOG_NAME)?;
        let (catalog, entry) = Catalog::open_entry(storage, FileAccess::ReadOnly, recording_id)?;
        let page_name = Control::name(entry.descriptor.recording_id);
        let page_before = identity(storage, &page_name)?;
        let control = Control::open(storage, &entry.descriptor, FileAccess::ReadOnly)?;
        let after = [identity(storage, CATALOG_NAME)?, identity(storage, &page_name)?];
        let [catalog_after, page_after] = after;
        let identities = [
            catalog_before.filter(|_| catalog_before == catalog_after),
            page_before.filter(|_| page_before == page_after),
        ];
        let looked_ns = AtomicI64::new(SystemClock.epoch_nanos_coarse().get());
        let boot_id = storage.boot_id();
        Ok(Self { catalog, entry, control, identities, boot_id, looked_ns, next: OnceLock::new() })
    }

    /// The position from which frames may have been lost when the machine was restarted, as long as nobody has recovered
    /// the recording since. `None` if nothing was lost. Also `None` if the machine's boots cannot be told apart, because
    /// its writers may be alive.
    pub(crate) fn unproven_from(&self) -> Option<Position> {
        if self.boot_id == [0, 0] { None } else { self.recoverable_from() }
    }

    /// The position from which recovery would keep only what the present checksums prove. `None` if it would keep
    /// everything. If the machine's boots cannot be told apart, recovery takes them for different ones, too.
    pub(crate) fn recoverable_from(&self) -> Option<Position> {
        let stop_position = self.stop_position();
        let start_position = self.catalog.start_position(&self.entry);
        let descriptor = RecordingDescriptor { stop_position, start_position, ..self.entry.descriptor.clone() };
        let known = self.control.as_ref()?.known(&descriptor, self.boot_id).filter(|known| !known.same_boot)?;
        durable_stop(stop_position, Some(known)).is_none().then_some(known.durable)
    }

    /// See [`Recording::stop_position`](super::Recording::stop_position).
    pub(crate) fn stop_position(&self) -> Option<Position> {
        self.catalog.stop_position(&self.entry)
    }

    /// See [`Recording::recorded_hint`](super::Recording::recorded_hint).
    pub(crate) fn recorded_hint(&self) -> Option<Position> {
        self.stop_position().or_else(|| self.control.as_ref().map(Control::recorded_position))
    }

    /// Checks that the mapped catalog and control page still show their files.
    pub(crate) fn check_intact(&self, storage: &dyn Storage) -> Result<(), JournalError> {
        self.catalog.check_intact()?;
        self.control.as_ref().map_or(Ok(()), |control| control.check_intact(storage))
    }

    /// The files that were found last.
    pub(crate) fn last(&self) -> &Self {
        let mut last = self;
        while let Some(next) = last.next.get() {
            last = next;
        }
        last
    }

    /// The files as of now, or of 10 ms ago.
    pub(crate) fn recent(&self, storage: &dyn Storage) -> Result<&Self, JournalError> {
        let last = self.last();
        let now = SystemClock.epoch_nanos_coarse().get();
        // The clock may have been set.
        if now.abs_diff(last.looked_ns.load(Ordering::Relaxed)) < LOOK_EVERY_NS {
            return Ok(last);
        }
        self.look(storage)
    }

    /// The files as of now.
    ///
    /// # Errors
    ///
    /// [`JournalError::Replaced`] if the directory has another recording of this id now.
    pub(crate) fn look(&self, storage: &dyn Storage) -> Result<&Self, JournalError> {
        let last = self.last();
        let now = SystemClock.epoch_nanos_coarse().get();
        let recording_id = last.entry.descriptor.recording_id;
        let found = [identity(storage, CATALOG_NAME)?, identity(storage, &Control::name(recording_id))?];
        // A missing catalog tells nothing. It is made again, or the directory was removed.
        let is_same =
            found[0].is_none() || (found == last.identities && last.catalog.descriptor_at(&last.entry).is_some());
        if !is_same {
            let next = match Self::open(storage, Some(recording_id)) {
                Ok(next) => next,
                // Until somebody repairs it, the old one is all that there is.
                Err(
                    JournalError::Catalog { .. }
                    | JournalError::Malformed { .. }
                    | JournalError::NotAJournal { .. }
                    | JournalError::Unlisted { .. },
                ) => {
                    last.looked_ns.store(now, Ordering::Relaxed);
                    return Ok(last);
                }
                Err(error) => return Err(error),
            };
            if !is_same_recording(&last.entry.descriptor, &next.entry.descriptor) {
                return Err(JournalError::Replaced { path: storage.path(""), recording_id });
            }
            // If another thread has found them meanwhile, these are dropped.
            let _ = last.next.set(Arc::new(next));
            return Ok(self.last());
        }
        last.looked_ns.store(now, Ordering::Relaxed);
        Ok(last)
    }
}

/// Which file has a name. `None` if none has.
fn identity(storage: &dyn Storage, name: &str) -> Result<Option<[u64; 2]>, JournalError> {
    Ok(storage.info(name)?.map(|info| info.identity))
}

/// Whether positions and frames mean the same in both. The rest may have been corrected, and a start timestamp of 0 is
/// that of an entry without a copy.
fn is_same_recording(one: &RecordingDescriptor, other: &RecordingDescriptor) -> bool {
    let times = [one.start_timestamp, other.start_timestamp];
    one.term_length == other.term_length
        && one.segment_length == other.segment_length
        && one.initial_term_id == other.initial_term_id
        && one.stream_id == other.stream_id
        && (times[0] == times[1] || times.iter().any(|time| time.get() == 0))
}
