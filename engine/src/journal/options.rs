//! The options with which a journal is made and kept. They are checked here, once, before a file is touched.

use core::time::Duration;

use crate::types::{Mtu, Position, SessionId, StreamId, TermId, TermLength};

use super::error::JournalError;
use super::retention::Retention;
use super::roll_cycle::RollCycle;
use super::segment::SegmentLength;

/// When appended messages are synced to stable storage. With any policy they survive the death of every process that
/// uses the journal. The policy decides what survives a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// When the operating system writes them, when [`Journal::sync`](super::Journal::sync) is called, and when the
    /// journal is closed. Full segments are synced some time after the next one was started, so that recovery need not
    /// check all of a long journal.
    None,
    /// About this long after they were appended.
    Every(Duration),
    /// About each time that this many bytes have been appended.
    EveryBytes(u64),
    /// Before `append` returns. Appenders that wait at the same time share one sync.
    EveryAppend,
}

/// What the reserved value, eight bytes in each frame's header, holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamps {
    /// The application's own value. Messages cannot be found by time.
    None,
    /// The wall-clock time of the append in nanoseconds since 1970, accurate to 1 to 5 ms. It is the time of the
    /// kernel's last tick, as a thread of this process read it up to a millisecond ago, and costs almost nothing. If
    /// that thread gets no processor, up to 63 messages of an appender carry an older time before the appender reads
    /// the clock itself.
    Coarse,
    /// The wall-clock time of the append, accurate to the nanosecond. Each append reads the clock.
    Precise,
}

/// The settings of a journal.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    pub(crate) segment_length: i64,
    pub(crate) term_length: i64,
    pub(crate) mtu: i64,
    pub(crate) stream_id: StreamId,
    pub(crate) session_id: SessionId,
    pub(crate) initial_term_id: TermId,
    pub(crate) start_position: Position,
    pub(crate) channel: String,
    pub(crate) stamps: Stamps,
    pub(crate) sync: SyncPolicy,
    pub(crate) retention: Retention,
    pub(crate) roll: Option<RollCycle>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_length: 64 << 20,
            term_length: 16 << 20,
            mtu: Mtu::MAX.get().into(),
            stream_id: StreamId::new(1),
            session_id: SessionId::new(1),
            initial_term_id: TermId::new(0),
            start_position: Position::new(0),
            channel: "aeron:ipc".to_owned(),
            stamps: Stamps::Coarse,
            sync: SyncPolicy::None,
            retention: Retention::new(),
            roll: None,
        }
    }
}

impl JournalOptions {
    /// The default settings: segments of 64 MiB, terms of 16 MiB, coarse times, no syncs.
    pub fn new() -> Self {
        Self::default()
    }

    /// The length of a segment file in bytes: a power of two from the term length to 1 GiB. Space for two segments is
    /// always reserved. Default 64 MiB. Fixed once the journal is created.
    #[must_use]
    pub fn segment_length(mut self, bytes: i64) -> Self {
        self.segment_length = bytes;
        self
    }

    /// The length of a term in bytes: a power of two from 64 KiB to 1 GiB. The longest message is an eighth of a term,
    /// at most 16 MiB. Default 16 MiB. Fixed once the journal is created.
    #[must_use]
    pub fn term_length(mut self, bytes: i64) -> Self {
        self.term_length = bytes;
        self
    }

    /// The length of the longest frame in bytes, header included: a multiple of 32 from 64 to 65 504. A longer message
    /// is split into several frames. A replay over the network needs the same MTU. Default 65 504. Fixed once the
    /// journal is created.
    #[must_use]
    pub fn mtu(mut self, bytes: i64) -> Self {
        self.mtu = bytes;
        self
    }

    /// The stream id in the frames. Default 1.
    #[must_use]
    pub fn stream_id(mut self, stream_id: StreamId) -> Self {
        self.stream_id = stream_id;
        self
    }

    /// The session id in the frames. Default 1.
    #[must_use]
    pub fn session_id(mut self, session_id: SessionId) -> Self {
        self.session_id = session_id;
        self
    }

    /// The id of the first term. Default 0.
    #[must_use]
    pub fn initial_term_id(mut self, term_id: TermId) -> Self {
        self.initial_term_id = term_id;
        self
    }

    /// The position at which the journal starts, a multiple of 32. Default 0.
    #[must_use]
    pub fn start_position(mut self, position: Position) -> Self {
        self.start_position = position;
        self
    }

    /// The channel in the catalog. Default `aeron:ipc`.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = channel.into();
        self
    }

    /// What reserved values hold. Default: coarse times. Fixed once the journal is created.
    #[must_use]
    pub fn stamps(mut self, stamps: Stamps) -> Self {
        self.stamps = stamps;
        self
    }

    /// When messages are synced to stable storage. Default [`SyncPolicy::None`]. The policy belongs to the journal and
    /// applies to all its appenders. It can be changed when the journal is opened again.
    #[must_use]
    pub fn sync(mut self, policy: SyncPolicy) -> Self {
        self.sync = policy;
        self
    }

    /// Starts a new segment with each cycle, such as a day, and when a segment is full. When a cycle begins, the helper
    /// thread fills the rest of the old segment with padding. For some milliseconds a message of the new cycle may
    /// still go to the old segment. It can be found by its time nevertheless. A cycle without messages has no segment,
    /// and a cycle with few messages occupies a whole one, so choose a suitable segment length. Default: the journal
    /// does not roll. Requires stamps. Fixed once the journal is created.
    #[must_use]
    pub fn roll(mut self, cycle: RollCycle) -> Self {
        self.roll = Some(cycle);
        self
    }

    /// How much is kept. Default: everything. The helper thread prunes the rest, except messages that a named cursor
    /// has not read. The policy belongs to the journal and applies to every process that opens it. Opening the journal
    /// with another policy changes it.
    #[must_use]
    pub fn retention(mut self, policy: Retention) -> Self {
        self.retention = policy;
        self
    }

    /// The checked lengths, as types of their own.
    pub(crate) fn lengths(&self) -> Result<(TermLength, SegmentLength, Mtu), JournalError> {
        let options = |what: String, expected| JournalError::Options { what, expected };
        let term = TermLength::new(self.term_length).map_err(|_| {
            options(format!("terms of {} bytes", self.term_length), "a power of two from 65536 to 1073741824")
        })?;
        let segment = SegmentLength::new(self.segment_length, term).map_err(|_| {
            let what = format!("segments of {} bytes with terms of {term}", self.segment_length);
            options(what, "a power of two from the term length to 1073741824")
        })?;
        let mtu = Mtu::new(self.mtu)
            .map_err(|_| options(format!("an MTU of {} bytes", self.mtu), "a multiple of 32 from 64 to 65504"))?;
        let start = self.start_position.get();
        if start < 0 || start % 32 != 0 || start >= term.max_position().get() {
            return Err(options(
                format!("a start position of {start}"),
                "a multiple of 32 within the stream's positions",
            ));
        }
        // The limit of frames and of texts in the catalog.
        if self.channel.len() > 4096 {
            return Err(options(format!("a channel of {} bytes", self.channel.len()), "4096 bytes at most"));
        }
        if self.sync == SyncPolicy::EveryBytes(0) || self.sync == SyncPolicy::Every(Duration::ZERO) {
            return Err(options(format!("{:?} as its sync policy", self.sync), "more than zero, or every append"));
        }
        if self.roll.is_some() && self.stamps == Stamps::None {
            return Err(options("cycles without stamps".to_owned(), "stamps, which tell what cycle a message is from"));
        }
        Ok((term, segment, mtu))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        assert!(JournalOptions::new().lengths().is_ok());
        let bad = [
            JournalOptions::new().term_length(1000),
            JournalOptions::new().segment_length(8 << 20),
            JournalOptions::new().segment_length(1 << 31),
            JournalOptions::new().mtu(100),
            JournalOptions::new().start_position(Position::new(33)),
            JournalOptions::new().start_position(Position::new(-32)),
            JournalOptions::new().start_position(Position::new(i64::MAX & !31)),
            JournalOptions::new().channel("x".repeat(5000)),
            JournalOptions::new().sync(SyncPolicy::EveryBytes(0)),
            JournalOptions::new().stamps(Stamps::None).roll(RollCycle::DAILY),
        ];
        for options in bad {
            let error = options.lengths().unwrap_err();
            assert!(error.to_string().starts_with("a journal cannot have "), "{error}");
        }
    }
}
