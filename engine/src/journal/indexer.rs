//! Indexing: walks recorded frames and writes what sidecars say of them. The keeper calls it behind the appenders, and whoever makes
//! sidecars again from segments.

use crate::memory::Frames;
use crate::types::Position;

use super::error::Fault;
use super::segment::{At, Identity};
use super::sidecar::{Begins, INDEX_SPACING, IndexEntry, Sidecar, frame_checksum};
use super::storage::Stored;

/// Where indexing has come to, and what is known there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Indexer {
    /// The next frame.
    pub(crate) position: Position,
    /// The number of the next message.
    pub(crate) sequence: i64,
    /// The latest time of a message so far.
    pub(crate) latest: i64,
    /// Whether the frames' reserved values are times.
    pub(crate) stamped: bool,
}

impl Indexer {
    /// At an entry of an index.
    pub(crate) fn at(entry: IndexEntry, stamped: bool) -> Self {
        Self { position: entry.position, sequence: entry.sequence, latest: entry.time_before, stamped }
    }

    /// What an index would say of the place.
    pub(crate) fn entry(&self) -> IndexEntry {
        IndexEntry { position: self.position, sequence: self.sequence, time_before: self.latest }
    }

    /// Walks the frames of a segment from where it is up to `end`, and `most` bytes at the most; writes what it learns to `sidecar`, if
    /// one is given. Stops where no frame is.
    pub(crate) fn walk(
        &mut self,
        identity: &Identity,
        base: Position,
        frames: &Frames,
        sidecar: Option<&Sidecar>,
        end: Position,
        most: usize,
    ) -> Result<(), Fault> {
        let from = self.position;
        let offset_of = |position: Position| (position.get() - base.get()) as usize;
        let Some(mut cursor) = frames.cursor(offset_of(from)) else {
            return Err(Fault::File("is shorter than a segment"));
        };
        let mut slot = if from <= identity.layout.start_position { 0 } else { offset_of(from).div_ceil(INDEX_SPACING) };
        while self.position < end && ((self.position.get() - from.get()) as usize) < most {
            let found = match identity.look(&mut cursor, self.position) {
                At::Frame(found) => found,
                At::Nothing { .. } => break,
                At::Fault(fault) => return Err(fault),
            };
            let offset = offset_of(self.position);
            let begins = Begins::of(&found.frame);
            if let Some(sidecar) = sidecar {
                while slot <= offset / INDEX_SPACING {
                    sidecar.set_entry(slot, self.entry());
                    slot += 1;
                }
                sidecar.set_checksum(offset, frame_checksum(&found.frame));
            }
            self.pass(begins);
            self.position = Position::new(self.position.get() + found.occupied as i64);
        }
        if let Some(sidecar) = sidecar {
            sidecar.set_covered(self.position);
        }
        Ok(())
    }

    /// Counts a frame.
    #[inline]
    pub(crate) fn pass(&mut self, begins: Begins) {
        if begins.message {
            self.sequence += 1;
            if self.stamped {
                self.latest = self.latest.max(begins.time);
            }
        }
    }
}

/// The CRC-32C of the first `length` bytes of a file.
pub(crate) fn file_checksum(stored: &Stored, length: usize) -> u32 {
    const CHUNK: usize = 64 << 10;
    let mut bytes = vec![0; CHUNK];
    let mut checksum = 0;
    for start in (0..length).step_by(CHUNK) {
        let bytes = &mut bytes[..CHUNK.min(length - start)];
        stored.view().get_bytes(start, bytes);
        checksum = crc32c::crc32c_append(checksum, bytes);
    }
    checksum
}
