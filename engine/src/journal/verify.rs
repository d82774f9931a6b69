//! Verifying: reads a whole recording and compares it with its checksums, and its sidecars with it. It changes nothing,
//! and is safe on a journal in use; messages that are appended meanwhile are left for the next time.

use crate::memory::FileAccess;
use crate::types::Position;

use super::catalog::{CATALOG_NAME, CatalogEntry};
use super::catalog_repair::contradicted;
use super::descriptor::RecordingDescriptor;
use super::error::{Damage, Fault, JournalError};
use super::indexer::file_checksum;
use super::options::Stamps;
use super::recording::Recording;
use super::segment::segment_name;
use super::sidecar::Sidecar;
use super::sidecar_check::{Segment, SidecarCheck};
use super::stream::times_faults;
use super::tailer::Start;

/// The maximum number of damages that are listed individually.
const MOST_DAMAGES: usize = 1_000;

/// The result of verifying a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The number of complete messages.
    pub messages: u64,
    /// The number of bytes in them, without headers.
    pub payload_bytes: u64,
    /// The position up to which the recording was read.
    pub end: Position,
    /// The position up to which there were checksums to compare.
    pub checked: Position,
    /// The first thousand damages.
    pub damages: Vec<Damage>,
    /// The number of damages.
    pub damaged: u64,
    /// The number of bytes that were skipped to find the next frames.
    pub skipped_bytes: u64,
    /// Where the recording ends because a loss of power took the rest, which was not on stable storage. It was not
    /// recovered since.
    pub lost: Option<Damage>,
}

impl Recording {
    /// Reads everything that is recorded now, and compares it with its checksums. Calls `progress` with the current
    /// position, a few times per segment.
    ///
    /// # Errors
    ///
    /// An error of the operating system. Damage is not an error but part of the result.
    pub fn verify(&self, mut progress: impl FnMut(Position)) -> Result<Verified, JournalError> {
        const PROGRESS_STEP: i64 = 16 << 20;
        let mut found = Verified::default();
        // First, because frames may seem to be damaged that are not as a damaged entry says.
        if self.is_contradicted()? {
            let (path, position) = (self.storage.path(CATALOG_NAME), self.start_position());
            found.note(Damage { path, position, offset: self.entry().offset as u64, fault: Fault::Entry });
        }
        let mut tailer = self.tailer(Start::Begin)?.verifying();
        let mut told = tailer.position().get();
        // Otherwise continuous appends would keep it reading.
        let end = self.recorded_hint();
        loop {
            let outcome = tailer.next().map(|record| record.map(|record| (record.payload().len(), record.position())));
            match outcome {
                Ok(Some((_, position))) if end.is_some_and(|end| position >= end) => break,
                Ok(Some((length, _))) => {
                    found.messages += 1;
                    found.payload_bytes += length as u64;
                    found.end = tailer.position();
                }
                Ok(None) => break,
                Err(JournalError::Damaged(damage)) => {
                    found.note(damage);
                    match tailer.skip_damage()? {
                        Some(skipped) => found.skipped_bytes += skipped,
                        None => break,
                    }
                }
                Err(JournalError::NotDurable { lost, .. }) => {
                    found.lost = Some(lost);
                    break;
                }
                // Pruned during the verification. There is nothing left to compare.
                Err(JournalError::Pruned { .. }) => tailer.seek(Start::Begin)?,
                Err(error) => return Err(error),
            }
            if tailer.position().get() - told >= PROGRESS_STEP {
                told = tailer.position().get();
                progress(tailer.position());
            }
        }
        self.verify_segments(&mut found)?;
        self.cursor_faults()?.into_iter().for_each(|damage| found.note(damage));
        if let Err(error) = self.retention() {
            let JournalError::Malformed { path, offset, found: what } = error else { return Err(error) };
            found.note(Damage { path, position: self.start_position(), offset, fault: Fault::Retention(what) });
        }
        Ok(found)
    }

    /// Whether the recording's entry is not as it should be.
    fn is_contradicted(&self) -> Result<bool, JournalError> {
        let (start_position, stop_position) = (self.start_position(), self.stop_position());
        let entry = self.entry();
        let descriptor = RecordingDescriptor { start_position, stop_position, ..entry.descriptor.clone() };
        let found = contradicted(&*self.storage, &CatalogEntry { descriptor, ..entry.clone() })?;
        // Whoever continues the recording takes its end out of the catalog before the first append.
        Ok(found.is_some() && self.stop_position() == stop_position)
    }

    /// Compares the checksums of full segments, which also cover bytes that are in no frame, such as the body of
    /// padding. Then compares sidecars with their segments, and looks at the recording times.
    fn verify_segments(&self, found: &mut Verified) -> Result<(), JournalError> {
        let layout = self.descriptor().layout();
        found.checked = self.start_position();
        let unproven = self.unproven_from();
        let start = self.start_position();
        let mut check = SidecarCheck::new(&*self.storage, self.descriptor(), start, self.stamps() != Stamps::None)?;
        let indexed = || {
            // A failure shows with the next read.
            let _ = self.look_again();
            self.indexed()
        };
        let recorded = || self.recorded_hint();
        for base in self.segment_bases()? {
            let sidecar = Sidecar::open(&*self.storage, self.descriptor(), base, FileAccess::ReadOnly)?;
            found.checked = found.checked.max(sidecar.as_ref().map_or(start, Sidecar::covered));
            let name = segment_name(self.descriptor().recording_id, base);
            if unproven.is_some_and(|from| layout.next_base(base) > from) {
                // Recovery looks at its frames one by one, as was done above.
                continue;
            }
            let length = layout.segment_length.get() as usize;
            let Ok(stored) = self.storage.open(&name, length as u64, FileAccess::ReadOnly) else {
                // Reported already, because its frames were missing.
                continue;
            };
            let expected = sidecar.as_ref().and_then(Sidecar::segment_checksum);
            let checksum = expected.map(|_| file_checksum(&stored, length));
            let is_sealed = expected.is_some() && checksum == expected;
            if is_sealed {
                // The frames that do not match their checksums are intact all the same.
                found.forget(|damage| {
                    matches!(damage.fault, Fault::Checksum { .. }) && layout.base(damage.position) == base
                });
            }
            let is_known = found.damages.iter().any(|damage| layout.base(damage.position) == base);
            if let (Some(checksum), Some(expected)) = (checksum, expected)
                && checksum != expected
                && !is_known
            {
                let position = check.written_behind(base, &stored).unwrap_or(base);
                let offset = (position.get() - base.get()).unsigned_abs();
                let fault = Fault::Checksum { found: checksum, expected };
                found.note(Damage { path: self.storage.path(&name), position, offset, fault });
            }
            let segment = Segment { base, stored: &stored, is_sealed, indexed: &indexed, recorded: &recorded };
            let faults = check.faults(&segment)?;
            let times = times_faults(self, base)?;
            faults.into_iter().chain(times).for_each(|damage| found.note(damage));
        }
        Ok(())
    }
}

impl Verified {
    /// Whether everything is as it was written.
    pub fn is_whole(&self) -> bool {
        self.damaged == 0 && self.lost.is_none()
    }

    fn forget(&mut self, is_no_damage: impl Fn(&Damage) -> bool) {
        let before = self.damages.len();
        self.damages.retain(|damage| !is_no_damage(damage));
        self.damaged -= (before - self.damages.len()) as u64;
    }

    fn note(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damages.len() < MOST_DAMAGES {
            self.damages.push(damage);
        }
    }
}
