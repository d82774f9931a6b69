//! A log with the counters that a driver would give it, for the tests of this folder.

use crate::memory::{AtomicBuffer, Field, OwnedWord, RawAccess};
use crate::types::{Position, SessionId, StreamId, TermId, TermLength};

use super::{ConcurrentAppender, ExclusiveAppender, ImageReader, LogBuffers, LogKind, LogParameters};

/// A log of 64 KiB terms, its limit and one subscriber's position.
pub(super) struct TestLog {
    pub(super) log: LogBuffers,
    pub(super) limit: OwnedWord<i64>,
    pub(super) subscriber: OwnedWord<i64>,
}

pub(super) const TERM_LENGTH: TermLength = TermLength::MIN;

pub(super) fn parameters(kind: LogKind) -> LogParameters {
    LogParameters::ipc(kind, TERM_LENGTH, SessionId::new(-7), StreamId::new(1001), TermId::new(i32::MAX))
}

impl TestLog {
    pub(super) fn new(kind: LogKind) -> Self {
        Self::with(&parameters(kind))
    }

    /// The limit and the subscriber are where publishing starts.
    pub(super) fn with(parameters: &LogParameters) -> Self {
        let counters = AtomicBuffer::heap(256);
        let this = Self {
            log: LogBuffers::heap(parameters, RawAccess::ENGINE),
            limit: counters.own(Field::at(0)),
            subscriber: counters.own(Field::at(128)),
        };
        this.set_limit(parameters.start_position.get());
        this.subscriber.store_relaxed(parameters.start_position.get());
        this
    }

    pub(super) fn concurrent(&self) -> ConcurrentAppender {
        ConcurrentAppender::new(&self.log, self.limit.clone()).unwrap()
    }

    pub(super) fn exclusive(&self) -> ExclusiveAppender {
        ExclusiveAppender::new(&self.log, self.limit.clone()).unwrap()
    }

    pub(super) fn reader(&self) -> ImageReader {
        ImageReader::new(self.log.clone(), self.subscriber.clone())
    }

    pub(super) fn set_limit(&self, limit: i64) {
        self.limit.store_release(limit);
    }

    /// Everything that one poll finds: payloads and the positions after them.
    pub(super) fn drain(&self) -> Vec<(Vec<u8>, Position)> {
        let mut found = Vec::new();
        self.reader().poll(|fragment| found.push((fragment.payload().to_vec(), fragment.position())), usize::MAX);
        found
    }
}
