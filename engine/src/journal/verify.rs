//! Verifying: reads a whole recording and compares it with its checksums. It changes nothing, and is safe on a journal
//! in use; messages that are appended meanwhile are left for the next time.

use crate::memory::FileAccess;
use crate::types::Position;

use super::error::{Damage, Fault, JournalError};
use super::indexer::file_checksum;
use super::recording::Recording;
use super::segment::segment_name;
use super::sidecar::Sidecar;
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
        Ok(found)
    }

    /// Compares the checksums of full segments, which also cover bytes that are in no frame, such as the body of
    /// padding.
    fn verify_segments(&self, found: &mut Verified) -> Result<(), JournalError> {
        let layout = self.descriptor().layout();
        found.checked = self.start_position();
        let unproven = self.unproven_from();
        for base in self.segment_bases()? {
            let Some(sidecar) = Sidecar::open(&*self.storage, self.descriptor(), base, FileAccess::ReadOnly)? else {
                continue;
            };
            found.checked = found.checked.max(sidecar.covered());
            let name = segment_name(self.descriptor().recording_id, base);
            let Some(expected) = sidecar.segment_checksum() else { continue };
            if unproven.is_some_and(|from| layout.next_base(base) > from) {
                // Recovery looks at its frames one by one, as was done above.
                continue;
            }
            let length = layout.segment_length.get() as usize;
            let Ok(stored) = self.storage.open(&name, length as u64, FileAccess::ReadOnly) else {
                // Reported already, because its frames were missing.
                continue;
            };
            let checksum = file_checksum(&stored, length);
            let is_known = found.damages.iter().any(|damage| layout.base(damage.position) == base);
            if checksum != expected && !is_known {
                let fault = Fault::Checksum { found: checksum, expected };
                found.note(Damage { path: self.storage.path(&name), position: base, offset: 0, fault });
            }
        }
        Ok(())
    }
}

impl Verified {
    /// Whether everything is as it was written.
    pub fn is_whole(&self) -> bool {
        self.damaged == 0 && self.lost.is_none()
    }

    fn note(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damages.len() < MOST_DAMAGES {
            self.damages.push(damage);
        }
    }
}
