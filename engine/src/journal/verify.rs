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

/// So many places of damage are told one by one.
const MOST_DAMAGES: usize = 1_000;

/// What verifying found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Messages that are whole.
    pub messages: u64,
    /// Their bytes, without headers.
    pub payload_bytes: u64,
    /// The position up to which the recording was read.
    pub end: Position,
    /// The position up to which there were checksums to compare with.
    pub checked: Position,
    /// What is damaged: the first thousand places.
    pub damages: Vec<Damage>,
    /// How many places are damaged.
    pub damaged: u64,
    /// Bytes that were skipped to get to the next frame.
    pub skipped_bytes: u64,
}

impl Recording {
    /// Reads everything up to where the recording goes now, and compares it with the checksums that there are. `progress` is told
    /// where it has got to, a few times per segment.
    ///
    /// # Errors
    ///
    /// What the operating system says. Damage is no error: it is in what is returned.
    pub fn verify(&self, mut progress: impl FnMut(Position)) -> Result<Verified, JournalError> {
        const PROGRESS_STEP: i64 = 16 << 20;
        let mut found = Verified::default();
        let mut tailer = self.tailer(Start::Begin)?.verifying();
        let mut told = tailer.position().get();
        // What is appended while this reads would keep it reading.
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
                // Pruned while this reads: there is nothing to compare any more.
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

    /// Compares full segments as a whole: what frames do not cover, as the body of padding, is compared, too.
    fn verify_segments(&self, found: &mut Verified) -> Result<(), JournalError> {
        let layout = self.descriptor().layout();
        found.checked = self.start_position();
        for base in self.segment_bases()? {
            let Some(sidecar) = Sidecar::open(&*self.storage, self.descriptor(), base, FileAccess::ReadOnly)? else {
                continue;
            };
            found.checked = found.checked.max(sidecar.covered());
            let name = segment_name(self.descriptor().recording_id, base);
            let Some(expected) = sidecar.segment_checksum() else { continue };
            let length = layout.segment_length.get() as usize;
            let Ok(stored) = self.storage.open(&name, length as u64, FileAccess::ReadOnly) else {
                // Its frames were missed already.
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
    /// Whether all that was read is as it was written.
    pub fn is_whole(&self) -> bool {
        self.damaged == 0
    }

    fn note(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damages.len() < MOST_DAMAGES {
            self.damages.push(damage);
        }
    }
}
