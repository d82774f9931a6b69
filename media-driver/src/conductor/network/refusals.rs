//! Reports of sessions that get no image. Strangers choose ids, ports and lengths, and may name a new session in every
//! datagram, while the error log keeps every distinct text. So for each endpoint, each reason is reported with its
//! first session as an example, and later ones are counted, once a second at most.

use std::mem::{Discriminant, discriminant};

use gannet::time::MonotonicNanos;
use gannet::types::TermLength;

use crate::conductor::error::CommandError;
use crate::mailbox::EndpointId;

/// The minimum interval between two reports of a reason at an endpoint, and the time for which an image is not tried
/// again after there was no space for a log of its length, in nanoseconds.
const INTERVAL_NS: i64 = 1_000_000_000;

/// The reported refusals.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    told: Vec<Told>,
    no_room: Option<NoRoom>,
}

/// A reason that occurred at an endpoint.
#[derive(Debug)]
struct Told {
    endpoint: EndpointId,
    reason: Discriminant<CommandError>,
    /// The report of the first session with this reason.
    text: String,
    /// When the reason may be reported again.
    due: MonotonicNanos,
}

/// A log for which there was no space.
#[derive(Clone, Copy, Debug)]
struct NoRoom {
    /// The term length, which determines the length of the log.
    term_length: TermLength,
    until: MonotonicNanos,
}

impl Refusals {
    /// The report for a refused session of an endpoint, which `describe` describes. `None` if the reason was reported a
    /// moment ago.
    pub(super) fn tell(
        &mut self,
        now: MonotonicNanos,
        endpoint: EndpointId,
        error: &CommandError,
        describe: impl FnOnce() -> String,
    ) -> Option<&str> {
        let reason = discriminant(error);
        let index = match self.told.iter().position(|told| told.endpoint == endpoint && told.reason == reason) {
            Some(index) => index,
            None => {
                let text = format!("({}) {}: {error}; others like it are counted here", error.code().get(), describe());
                self.told.push(Told { endpoint, reason, text, due: now });
                self.told.len() - 1
            }
        };
        let told = &mut self.told[index];
        let is_due = now >= told.due;
        if is_due {
            told.due = now.saturating_add_ns(INTERVAL_NS);
        }
        is_due.then_some(&told.text)
    }

    /// Drops the reports of a closed endpoint.
    pub(super) fn forget(&mut self, endpoint: EndpointId) {
        self.told.retain(|told| told.endpoint != endpoint);
    }

    /// Records that a log with this term length could not be created.
    pub(super) fn on_no_log(&mut self, now: MonotonicNanos, term_length: TermLength) {
        self.no_room = Some(NoRoom { term_length, until: now.saturating_add_ns(INTERVAL_NS) });
    }

    /// Whether to try a log with this term length. Not directly after a failure with the same or a shorter length,
    /// because sessions send setups ten times a second.
    pub(super) fn may_try(&self, now: MonotonicNanos, term_length: TermLength) -> bool {
        self.no_room.is_none_or(|no_room| now >= no_room.until || term_length.get() < no_room.term_length.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(capacity: usize) -> CommandError {
        CommandError::Full { what: "things", capacity }
    }

    #[test]
    fn a_reason_is_told_once_a_second_with_its_first_example() {
        let (mut refusals, at) = (Refusals::default(), MonotonicNanos::new);
        let [one, other] = [1, 2].map(EndpointId::new);
        let first = refusals.tell(at(0), one, &full(7), || "no image of session 1".to_owned()).unwrap().to_owned();
        assert!(first.contains("session 1") && first.contains('7'), "{first}");
        for session in 2..20_000 {
            assert_eq!(refusals.tell(at(session), one, &full(8), || format!("no image of session {session}")), None);
        }
        assert_eq!(refusals.tell(at(INTERVAL_NS), one, &full(9), || "another".to_owned()), Some(&*first));
        // Of another endpoint, for another reason, and after the endpoint was closed it is news.
        assert!(refusals.tell(at(0), other, &full(7), || "elsewhere".to_owned()).is_some());
        assert!(refusals.tell(at(0), one, &CommandError::UnwantedImage, || "unwanted".to_owned()).is_some());
        refusals.forget(one);
        assert!(refusals.tell(at(0), one, &full(7), || "again".to_owned()).unwrap().contains("again"));
    }

    #[test]
    fn what_there_is_no_room_for_is_not_tried_again_at_once() {
        let (mut refusals, at) = (Refusals::default(), MonotonicNanos::new);
        let [short, long] = [1 << 16, 1 << 26].map(|length| TermLength::new(length).unwrap());
        assert!(refusals.may_try(at(0), long));
        refusals.on_no_log(at(0), long);
        assert!(!refusals.may_try(at(INTERVAL_NS - 1), long) && refusals.may_try(at(INTERVAL_NS), long));
        assert!(refusals.may_try(at(1), short), "there may be room for that");
    }
}
