//! The speed of a replay: as fast as its subscribers read, or as it was recorded, scaled. Replayers ask this for each
//! frame; it reads no clock.

use crate::time::{EpochNanos, MonotonicNanos};
use crate::types::Position;

use super::super::options::Stamps;
use super::super::recording::Recording;
use super::super::sidecar::Begins;
use super::times::Times;

/// The speed of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the subscribers read.
    Full,
    /// A multiple of the recorded pace, more than 0: 1 is the recorded pace, 2 takes half the time.
    Scaled(f64),
}

impl Speed {
    /// The recorded pace.
    pub const RECORDED: Self = Self::Scaled(1.0);
}

/// Decides when a frame is due.
#[derive(Debug)]
pub(super) struct Pace {
    scale: f64,
    source: Source,
    /// A recorded time, and the time at which the replay reached it.
    anchor: Option<(i64, MonotonicNanos)>,
    /// The frames up to this position are known to be due.
    due: Option<Position>,
}

/// The source of times.
#[derive(Debug)]
enum Source {
    /// The reserved values of the frames, for a journal that stamps its messages.
    Stamps,
    /// The times sidecar, for a recorded stream, with the last time read from it. All of these times come from one
    /// clock.
    Times(Box<Times>, Option<i64>),
}

impl Pace {
    /// The pace of a recording from a position on. `None` if the recording has no times.
    pub(super) fn new(recording: &Recording, from: Position, scale: f64) -> Option<Self> {
        let source = if recording.stamps() == Stamps::None {
            let times = Times::new(recording);
            times.has(from).then_some(Source::Times(Box::new(times), None))?
        } else {
            Source::Stamps
        };
        Some(Self { scale, source, anchor: None, due: None })
    }

    /// Whether the frame at a position is due. A frame without a time is due together with the frame before it.
    pub(super) fn is_due(&mut self, position: Position, begins: Begins, now: MonotonicNanos) -> bool {
        if self.due.is_some_and(|due| position <= due) {
            return true;
        }
        let time = match &mut self.source {
            Source::Stamps => Some(begins.time).filter(|&time| begins.message && time > 0),
            Source::Times(times, last) => {
                let time = times.at(position).map(EpochNanos::get);
                if let Some((last, time)) = last.zip(time).filter(|(last, time)| time < last)
                    && let Some((first, _)) = &mut self.anchor
                {
                    // The clock was set back. The replay continues without a pause.
                    *first = first.saturating_sub(last.saturating_sub(time));
                }
                *last = time.or(*last);
                time
            }
        };
        if let Some(time) = time {
            let (first, start) = *self.anchor.get_or_insert((time, now));
            let recorded_ns = time.saturating_sub(first);
            if recorded_ns as f64 > now.since(start) as f64 * self.scale {
                return false;
            }
        }
        self.due = Some(position);
        true
    }
}
