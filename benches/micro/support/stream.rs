//! A log buffer without a driver: the measurement does the conductor's work when it suits.

use gannet::logbuffer::{LogBuffers, LogKind, LogParameters, clean_to};
use gannet::memory::{CacheLines, OwnedWord};
use gannet::types::{Position, SessionId, StreamId, TermId, TermLength};

use crate::raw_access::RAW;

/// A log, with the state that the driver keeps for it.
pub(crate) struct Stream {
    pub(crate) log: LogBuffers,
    pub(crate) limit: OwnedWord<i64>,
    pub(crate) subscriber: OwnedWord<i64>,
    clean: Position,
    window: i64,
}

impl Stream {
    /// Creates a log in this process's memory, with terms of 1 MiB and a window of a quarter of a term.
    pub(crate) fn new(kind: LogKind) -> Self {
        let term_length = TermLength::new(1 << 20).expect("a term length");
        let parameters = LogParameters::ipc(kind, term_length, SessionId::new(1), StreamId::new(2), TermId::new(3));
        let counters = CacheLines::new(3);
        let this = Self {
            log: LogBuffers::heap(&parameters, RAW),
            limit: counters.word(0, 0),
            subscriber: counters.word(2, 0),
            clean: Position::new(0),
            window: i64::from(term_length.get()) / 4,
        };
        this.limit.store_release(this.window);
        this
    }

    /// Does the conductor's work.
    pub(crate) fn turn_over(&mut self) {
        let consumed = Position::new(self.subscriber.load_acquire());
        while self.clean < consumed {
            self.clean = clean_to(&self.log, self.clean, consumed);
        }
        self.limit.store_release(consumed.get() + self.window);
    }
}
