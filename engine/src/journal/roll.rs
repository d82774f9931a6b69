//! Rolling by time of day: the segments that begin a cycle. The helper thread rolls; readers ask here for the cycles.
//!
//! ```text
//!  Monday                                  Tuesday
//!  ├── segment ──┤├── segment ──┤├─ seg ─░░░░░░┤├── segment ── ...
//!                                        padding up to the segment's end
//! ```
//!
//! A cycle begins with a segment. It is not a recording of its own: positions, numbers and cursors run on through all
//! cycles, and any archive can read the files.

use crate::memory::FileAccess;
use crate::time::EpochNanos;
use crate::types::Position;

use super::control::Control;
use super::error::JournalError;
use super::recording::Recording;
use super::roll_cycle::RollCycle;
use super::tailer::Start;

/// A cycle of a recording that has messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleInfo {
    /// The cycle's number. See [`RollCycle::number`].
    pub number: i64,
    /// The time at which the cycle begins. [`Start::Cycle`] goes to the first message with this time or a later one.
    pub start: EpochNanos,
    /// The position at which the cycle's first segment begins.
    pub position: Position,
    /// The number of segments that begin with a message of the cycle.
    pub segments: usize,
}

impl Recording {
    /// How often a new cycle begins. `None` if the recording does not roll by time.
    ///
    /// # Errors
    ///
    /// An error of the operating system, from reading the control page.
    pub fn roll_cycle(&self) -> Result<Option<RollCycle>, JournalError> {
        let control = Control::open(&*self.storage, self.descriptor(), FileAccess::ReadOnly)?;
        Ok(control.and_then(|control| control.roll_cycle()))
    }

    /// The cycles that the existing segments belong to, each segment by its first message, in order. Empty if the
    /// recording does not roll by time. Cycles without messages are missing. If a segment begins in a later cycle than
    /// one after it, because a clock was ahead, it counts for the cycle before.
    ///
    /// # Errors
    ///
    /// As [`Recording::tailer`].
    pub fn cycles(&self) -> Result<Vec<CycleInfo>, JournalError> {
        let Some(roll) = self.roll_cycle()? else { return Ok(Vec::new()) };
        let layout = self.descriptor().layout();
        let mut cycles: Vec<CycleInfo> = Vec::new();
        let mut tailer = self.tailer(Start::Begin)?;
        for base in self.segment_bases()? {
            let position = base.max(self.start_position());
            match tailer.seek(Start::Position(position)) {
                Ok(()) => {}
                // Nothing has been recorded there yet, or it was pruned.
                Err(JournalError::Position { .. } | JournalError::Pruned { .. }) => continue,
                Err(error) => return Err(error),
            }
            let Some(record) = tailer.next()? else { break };
            let Some(time) = record.time().filter(|_| record.position() < layout.next_base(base)) else { continue };
            add(
                &mut cycles,
                CycleInfo { start: roll.start_of(roll.number(time)), number: roll.number(time), position, segments: 1 },
            );
        }
        Ok(cycles)
    }
}

/// Adds a segment to the cycle that it begins in.
fn add(cycles: &mut Vec<CycleInfo>, mut segment: CycleInfo) {
    // Without a wrong clock, times go back by one cycle at most, since appenders do not begin a cycle all at once.
    while let Some(ahead) = cycles.pop_if(|last| last.number > segment.number.saturating_add(1)) {
        segment = CycleInfo { position: ahead.position, segments: ahead.segments + segment.segments, ..segment };
    }
    match cycles.last_mut() {
        Some(last) if last.number >= segment.number => last.segments += segment.segments,
        _ => cycles.push(segment),
    }
}
