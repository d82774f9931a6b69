//! The age of a segment: when its newest message was appended. Pruning asks for it if limits of time are set.
//!
//! An index has the latest time of all messages before an entry. If that time rises within a segment, and is not in the
//! future, it is the time of the segment's newest message. One message with a wrong time, from a wrong clock or a
//! caller's stamp, hides all later ones. Then the messages themselves are read, the last ones first. In a segment that
//! stays, one of the first to be read is new enough. The messages of a recorded stream have their times in a sidecar.

use crate::memory::{FileAccess, Frames};
use crate::time::EpochNanos;
use crate::types::Position;

use super::error::JournalError;
use super::options::Stamps;
use super::recording::Recording;
use super::segment::{At, segment_name};
use super::sidecar::{Begins, IndexEntry, Sidecar};
use super::stream::newest_time;

/// A question about a segment's age.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Age {
    /// Messages with a later stamp do not count.
    pub(crate) now: EpochNanos,
    /// The search may stop at a message that is not older than this, because such a message keeps the segment. `None`
    /// if the age does not matter; then no message is read.
    pub(crate) kept_from: Option<EpochNanos>,
}

impl Age {
    /// When the newest message of the segment at `base` was appended, or a message that is new enough to keep the
    /// segment. For a recorded stream, when that was recorded. `None` if unknown. If there are no times, this is when the
    /// segment's file was last written. `next` is the base of the next segment.
    pub(crate) fn newest(
        &self,
        recording: &Recording,
        base: Position,
        next: Position,
    ) -> Result<Option<EpochNanos>, JournalError> {
        if recording.stamps() != Stamps::None {
            let begin = base.max(recording.start_position());
            let before = entry(recording, base, begin)?.map(|entry| entry.time_before);
            let after = entry(recording, next, next)?.map(|entry| entry.time_before);
            let has_come = |time: &i64| (1..=self.now.get()).contains(time);
            if let Some(after) = after.filter(has_come)
                && before.is_some_and(|before| before < after)
            {
                return Ok(Some(EpochNanos::new(after)));
            }
            // 0 means that no message has been stamped yet.
            if let (Some(kept_from), true) = (self.kept_from, after != Some(0))
                && let Some(newest) = self.ask(recording, begin, next, kept_from)?
            {
                return Ok(Some(newest));
            }
        } else if let Some(newest) = newest_time(recording, base, self.now)? {
            return Ok(Some(newest));
        }
        let info = recording.storage.info(&segment_name(recording.descriptor().recording_id, base))?;
        Ok(info.and_then(|info| info.modified).filter(|modified| *modified <= self.now))
    }

    /// Reads the messages from `begin` on, block by block, the last block first. `None` if no message has a time that
    /// counts, or if the messages cannot be read.
    fn ask(
        &self,
        recording: &Recording,
        begin: Position,
        next: Position,
        kept_from: EpochNanos,
    ) -> Result<Option<EpochNanos>, JournalError> {
        let descriptor = recording.descriptor();
        let base = descriptor.layout().base(begin);
        let length = descriptor.segment_length.get() as usize;
        let name = segment_name(descriptor.recording_id, base);
        let Some(stored) = recording.storage.find_whole(&name, length as u64, FileAccess::ReadOnly)? else {
            return Ok(None);
        };
        let stored = stored.first(length);
        let frames = Frames::new(stored.view());
        let sidecar = Sidecar::open(&*recording.storage, descriptor, base, FileAccess::ReadOnly)?;
        let blocks =
            sidecar.iter().flat_map(|sidecar| (1..sidecar.slots()).rev().filter_map(|slot| sidecar.entry(slot)));
        let mut newest = None;
        let mut end = next;
        for from in blocks.map(|entry| entry.position).filter(|&from| from > begin).chain([begin]) {
            if from >= end {
                continue;
            }
            let Some(found) = self.newest_of_block(recording, &frames, base, from..end) else { return Ok(None) };
            newest = newest.max(found);
            if newest >= Some(kept_from) {
                break;
            }
            end = from;
        }
        Ok(newest.filter(|_| stored.is_intact()))
    }

    /// The time of the newest frame between two positions, among those that are not in the future. `None` if there is
    /// none, or if some of the frames are missing.
    fn newest_of_block(
        &self,
        recording: &Recording,
        frames: &Frames,
        base: Position,
        range: core::ops::Range<Position>,
    ) -> Option<Option<EpochNanos>> {
        let identity = recording.descriptor().identity();
        let mut cursor = frames.cursor((range.start.get() - base.get()) as usize)?;
        let mut position = range.start;
        let mut newest = None;
        while position < range.end {
            let At::Frame(found) = identity.look(&mut cursor, position) else { return None };
            let time = Begins::of(&found.frame).time;
            if (1..=self.now.get()).contains(&time) {
                newest = newest.max(Some(EpochNanos::new(time)));
            }
            position = Position::new(position.get() + found.occupied as i64);
        }
        Some(newest)
    }
}

/// The index entry for the position where the frames of the segment at `base` begin.
fn entry(recording: &Recording, base: Position, begin: Position) -> Result<Option<IndexEntry>, JournalError> {
    let sidecar = Sidecar::open(&*recording.storage, recording.descriptor(), base, FileAccess::ReadOnly)?;
    Ok(sidecar.and_then(|sidecar| sidecar.entry(0)).filter(|entry| entry.position == begin))
}
