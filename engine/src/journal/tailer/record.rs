//! The record that a tailer lends: a message and its metadata.

use crate::logbuffer::Fragment;
use crate::time::EpochNanos;
use crate::types::Position;

use super::super::stream::SegmentTimes;

/// A message of a recording, borrowed until the tailer is used again.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(super) fragment: Fragment<'a>,
    pub(super) start: Position,
    pub(super) sequence: Option<i64>,
    /// `None` if the frame has its time.
    pub(super) times: Option<&'a SegmentTimes>,
}

impl<'a> Record<'a> {
    /// The position at which the message begins.
    #[inline]
    pub fn position(&self) -> Position {
        self.start
    }

    /// The position at which the next message begins. A consumer stores it when it has processed this message.
    #[inline]
    pub fn next_position(&self) -> Position {
        self.fragment.position()
    }

    /// The message's sequence number in the recording, from 0. `None` if the recording has no index and the tailer did
    /// not start at the beginning.
    #[inline]
    pub fn sequence(&self) -> Option<i64> {
        self.sequence
    }

    /// When the message was appended, if the journal stamps messages. For a recorded stream, when it was recorded,
    /// accurate to a tenth of a millisecond. The time is looked up on each call.
    #[inline]
    pub fn time(&self) -> Option<EpochNanos> {
        match self.times {
            None => Some(self.fragment.reserved_value()).filter(|&time| time > 0).map(EpochNanos::new),
            Some(times) => times.at(self.start),
        }
    }

    /// The message's bytes.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.fragment.payload()
    }

    /// The message as a fragment, with its header and typed reads through SBE.
    #[inline]
    pub fn fragment(&self) -> Fragment<'a> {
        self.fragment
    }
}
