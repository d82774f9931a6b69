//! A stream with both ends on one thread, which sends each message when it is due and receives it again. No other
//! thread has to run for a message to arrive, so the latencies show only what delays this thread. Called by the
//! scenarios.

use super::RigError;
use super::cores::{pin, relax};
use super::echo::{EchoOutcome, STAMP_LENGTH};
use super::schedule::{Schedule, now_ns};
use super::transceiver::Transceiver;

/// A placeholder for a stream: what is sent has arrived at once. Its latencies show only when the machine did not run
/// the thread.
#[derive(Debug, Default)]
pub struct NoStream {
    number: Option<u64>,
}

impl Transceiver for NoStream {
    #[inline]
    fn try_send(&mut self, message: &[u8]) -> bool {
        self.number = message.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        true
    }

    #[inline]
    fn poll(&mut self, _limit: usize, mut on_message: impl FnMut(&[u8])) -> usize {
        let Some(number) = self.number.take() else { return 0 };
        on_message(&number.to_le_bytes());
        1
    }
}

/// How long the thread waits for a message before it fails, in nanoseconds.
const PATIENCE_NS: i64 = 30_000_000_000;

/// One round of a measurement on one thread.
#[derive(Clone, Copy, Debug)]
pub struct OneThreadPlan {
    /// Bytes per message, at least [`STAMP_LENGTH`].
    pub size: usize,
    /// Messages per second.
    pub rate_per_s: u64,
    /// Messages sent before those that are measured.
    pub warm_up: u64,
    /// Messages that are measured.
    pub messages: u64,
    /// The core of the thread.
    pub core: Option<usize>,
}

/// Runs one round on the calling thread, which stays pinned afterwards.
///
/// # Errors
///
/// [`RigError::Stalled`] when a message does not arrive for half a minute, [`RigError::OutOfOrder`] when another
/// message arrives.
pub fn run(system: &str, stream: &mut impl Transceiver, plan: &OneThreadPlan) -> Result<EchoOutcome, RigError> {
    pin(plan.core);
    let mut message = vec![0x5a_u8; plan.size.max(STAMP_LENGTH)];
    let mut outcome = EchoOutcome::default();
    let start_ns = now_ns() + 1_000_000;
    let schedule = Schedule::new(start_ns, plan.rate_per_s);
    let mut arrived_ns = start_ns;
    for number in 0..plan.warm_up + plan.messages {
        let due_ns = schedule.due_ns(number);
        while now_ns() < due_ns {
            relax(plan.core);
        }
        let deadline_ns = now_ns() + PATIENCE_NS;
        let stalled = |received| RigError::Stalled {
            system: system.to_owned(),
            sent: number,
            received,
            patience_ms: PATIENCE_NS.unsigned_abs() / 1_000_000,
        };
        message[..STAMP_LENGTH].copy_from_slice(&number.to_le_bytes());
        while !stream.try_send(&message) {
            stream.between_messages();
            if now_ns() > deadline_ns {
                return Err(stalled(number));
            }
        }
        let mut found = None;
        while found.is_none() {
            stream.poll(1, |arrived| {
                found = Some(arrived.first_chunk().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes)));
            });
            arrived_ns = now_ns();
            if found.is_none() && arrived_ns > deadline_ns {
                return Err(stalled(number));
            }
        }
        if let Some(found) = found.filter(|found| *found != number) {
            return Err(RigError::OutOfOrder { system: system.to_owned(), expected: number, found });
        }
        if number >= plan.warm_up {
            outcome.latencies.record(arrived_ns - due_ns);
        }
    }
    outcome.duration_ns = (arrived_ns - start_ns).unsigned_abs();
    Ok(outcome)
}
