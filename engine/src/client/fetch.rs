//! Fetching the pages of a log before they are first used. A mapped page is fetched from the kernel when it is first
//! touched. That takes microseconds in the middle of an offer or a poll, and a sixteenth of a second over a log of 192
//! MiB. Pages for which the driver has reserved space can be fetched earlier, many at a time.
//!
//! The conductor's turns do this one step at a time, outside the client's lock, so nobody waits longer than for one
//! step. A sparse log is left alone, because reading one of its pages would allocate it.

use crate::logbuffer::{LogBuffers, PARTITION_COUNT};

/// The number of bytes per step. Linux maps this many around a faulting page, unless configured otherwise.
const STEP: usize = 64 << 10;

/// The part of a log that is still to be fetched.
#[derive(Debug)]
pub(super) struct Fetch {
    /// The offset of the next step in the log's file.
    at: usize,
    left: usize,
}

/// The pages of one step.
pub(super) struct Pages {
    log: LogBuffers,
    at: usize,
}

impl Fetch {
    /// All terms of the log, from the publisher's position on. Nothing if the log is sparse.
    pub(super) fn of(log: &LogBuffers) -> Self {
        let position = log.metadata().producer_position(log.term_length(), log.initial_term_id()).get();
        let length = length(log);
        let at = position.rem_euclid(length as i64) as usize / STEP * STEP;
        Self { at, left: if log.metadata().is_sparse() { 0 } else { length } }
    }

    /// Nothing to fetch.
    pub(super) fn nothing() -> Self {
        Self { at: 0, left: 0 }
    }

    /// The next step, if there is one.
    pub(super) fn next(&mut self, log: &LogBuffers) -> Option<Pages> {
        self.left = self.left.checked_sub(STEP)?;
        let at = self.at;
        self.at = (at + STEP) % length(log);
        Some(Pages { log: log.clone(), at })
    }
}

impl Pages {
    /// Fetches the pages, if the operating system supports that.
    pub(super) fn fetch(self) {
        let term_length = self.log.term_length().get() as usize;
        self.log.term(self.at / term_length).fetch(self.at % term_length, STEP);
    }
}

/// The length of all terms together. A multiple of a step, because each term is.
fn length(log: &LogBuffers) -> usize {
    PARTITION_COUNT * log.term_length().get() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logbuffer::{LogKind, LogParameters};
    use crate::memory::RawAccess;
    use crate::types::{SessionId, StreamId, TermId, TermLength};

    const TERM: usize = 2 * STEP;

    fn log(start_position: usize, sparse: bool) -> LogBuffers {
        let term_length = TermLength::new(TERM as i64).unwrap();
        let (session_id, stream_id) = (SessionId::new(1), StreamId::new(2));
        let parameters = LogParameters::ipc(LogKind::Exclusive, term_length, session_id, stream_id, TermId::new(3));
        let start_position = (start_position as i64).into();
        LogBuffers::heap(&LogParameters { start_position, sparse, ..parameters }, RawAccess::ENGINE)
    }

    fn steps(log: &LogBuffers) -> Vec<usize> {
        let mut fetch = Fetch::of(log);
        std::iter::from_fn(|| fetch.next(log)).map(|pages| pages.at / STEP).collect()
    }

    #[test]
    fn a_log_is_fetched_all_around_from_where_its_publisher_is() {
        assert_eq!(steps(&log(0, false)), [0, 1, 2, 3, 4, 5]);
        assert_eq!(steps(&log(TERM + STEP + 96, false)), [3, 4, 5, 0, 1, 2]);
        assert_eq!(steps(&log(7 * TERM, false)), [2, 3, 4, 5, 0, 1], "the second term's memory is the eighth's");
    }

    #[test]
    fn a_log_with_holes_keeps_them() {
        assert_eq!(steps(&log(0, true)), []);
    }

    /// What a tail says comes from a file that others write.
    #[test]
    fn no_tail_leads_out_of_the_log() {
        let log = log(0, false);
        for tail in [i64::MIN, i64::MAX, -1, 1 << 62, 0x7FFF_FFFF] {
            log.metadata().raw_tail(crate::memory::Partition::of_term_count(0)).store_relaxed(tail);
            let mut fetch = Fetch::of(&log);
            let mut steps: Vec<_> = std::iter::from_fn(|| fetch.next(&log)).collect();
            steps.sort_by_key(|pages| pages.at);
            assert!(steps.iter().map(|pages| pages.at).eq((0..6).map(|step| step * STEP)), "{tail}");
            steps.into_iter().for_each(Pages::fetch);
        }
    }
}
