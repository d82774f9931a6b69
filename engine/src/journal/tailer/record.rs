//! The record that a tailer lends: a message and its metadata.

use crate::logbuffer::Fragment;
use crate::time::EpochNanos;
use crate::types::Position;

use super::super::stream::SegmentTimes;

/// A message of a recording, lent until the tailer is used again.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(super) fragment: Fragment<'a>,
    pub(super) start: Position,
    pub(super) sequence: Option<i64>,
    /// None where its frame says.
    pub(super) times: Option<&'a SegmentTimes>,
}

impl<'a> Record<'a> {
    /// Where the message begins.
    #[inline]
    pub fn position(&self) -> Position {
        self.start
    }

    /// Where the next one begins: what a consumer keeps of a message that it is done with.
    #[inline]
    pub fn next_position(&self) -> Position {
        self.fragment.position()
    }

    /// Its number in the recording, from 0. Unknown where the recording has no index and the tailer did not begin at its start.
    #[inline]
    pub fn sequence(&self) -> Option<i64> {
        self.sequence
    }

    /// When it was appended, if the journal keeps that; of a recorded stream, when it was recorded, to a tenth of a millisecond. That
    /// is looked up when it is asked for.
    #[inline]
    pub fn time(&self) -> Option<EpochNanos> {
        match self.times {
            None => Some(self.fragment.reserved_value()).filter(|&time| time > 0).map(EpochNanos::new),
            Some(times) => times.at(self.start),
        }
    }

    /// Its bytes.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.fragment.payload()
    }

    /// The message as subscribers see theirs: with its header, and typed reads through SBE.
    #[inline]
    pub fn fragment(&self) -> Fragment<'a> {
        self.fragment
    }
}
