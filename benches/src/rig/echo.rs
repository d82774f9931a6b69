//! Measures round trips. The near end sends by schedule, the far end sends each message back, and the near end measures
//! from the moment when the message was due. Each end has a thread on a core of its own. Called by the systems.
//!
//! ```text
//! due 0      due 1      due 2
//!  ├──────────┼──────────┼────────── schedule
//!  │ send ... stall ...  │ send send send      what happened
//!  └──────── each message is charged from its own mark
//! ```

use std::sync::atomic::{AtomicBool, Ordering};

use super::RigError;
use super::cores::{Cores, pin, relax};
use super::histogram::LatencyHistogram;
use super::over::Over;
use super::schedule::{Schedule, now_ns};
use super::transceiver::Transceiver;

/// Length in bytes of the stamp at the start of each message: the time it was due, in nanoseconds of the monotonic
/// clock.
pub const STAMP_LENGTH: usize = 8;
/// Polls for an answer per reading of the clock. Reading the clock takes longer than a poll.
const LOOKS_PER_CLOCK_READING: usize = 4;
/// After this many empty polls, the far end gives its client a turn.
const LOOKS_PER_FAR_TURN: usize = 4096;
/// A system gets a turn between messages only if the next message is due later than this, so that the turn does not
/// delay it.
const TURN_NS: i64 = 3_000;
/// How long an end waits for a message before it fails, in milliseconds.
const PATIENCE_MS: u64 = 30_000;

/// One round of a round-trip measurement.
#[derive(Clone, Copy, Debug)]
pub struct EchoPlan {
    /// Bytes per message, at least [`STAMP_LENGTH`].
    pub size: usize,
    /// Messages per second.
    pub rate_per_s: u64,
    /// Messages sent before those that are measured.
    pub warm_up: u64,
    /// Messages that are measured.
    pub messages: u64,
    /// The cores of the ends.
    pub cores: Cores,
}

/// The result of a round of a round-trip measurement.
#[derive(Clone, Debug, Default)]
pub struct EchoOutcome {
    /// Latencies of the measured messages.
    pub latencies: LatencyHistogram,
    /// Messages that did not come back.
    pub lost: u64,
    /// Time from the first measured message to the last, in nanoseconds.
    pub duration_ns: u64,
}

/// Runs one round between the two ends.
///
/// # Errors
///
/// [`RigError::Stalled`] when nothing comes back for half a minute.
pub fn run<N, F>(system: &str, near: &mut N, far: &mut F, plan: &EchoPlan) -> Result<EchoOutcome, RigError>
where
    N: Transceiver + Send,
    F: Transceiver + Send,
{
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(plan.cores.far);
            reflect(far, plan.cores.far, &is_over);
        });
        // A new thread, so that its pinning ends with the round.
        let near = scope.spawn(|| {
            pin(plan.cores.near);
            let _over = Over(&is_over);
            measure(system, near, plan)
        });
        near.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The far end: sends back what arrives until the round is over.
fn reflect(far: &mut impl Transceiver, core: Option<usize>, is_over: &AtomicBool) {
    let mut pending = Vec::with_capacity(64 * 1024);
    let mut looks = 0;
    while !is_over.load(Ordering::Relaxed) {
        let arrived = far.poll(1, |message| {
            pending.clear();
            pending.extend_from_slice(message);
        });
        if arrived > 0 {
            while !far.try_send(&pending) && !is_over.load(Ordering::Relaxed) {
                far.between_messages();
            }
        } else {
            looks += 1;
            if looks % LOOKS_PER_FAR_TURN == 0 {
                far.between_messages();
            }
            relax(core);
        }
    }
}

/// The near end: sends by schedule, and measures what comes back.
fn measure(system: &str, near: &mut impl Transceiver, plan: &EchoPlan) -> Result<EchoOutcome, RigError> {
    let total = plan.warm_up + plan.messages;
    let mut message = vec![0x5a_u8; plan.size.max(STAMP_LENGTH)];
    let mut outcome = EchoOutcome::default();
    let (mut sent, mut received, mut first_ns, mut last_ns) = (0_u64, 0_u64, 0, 0);

    let start_ns = now_ns() + 1_000_000;
    let schedule = Schedule::new(start_ns, plan.rate_per_s);
    let mut last_sign_ns = start_ns;
    while received < total {
        let now = now_ns();
        if sent < total && now >= schedule.due_ns(sent) {
            message[..STAMP_LENGTH].copy_from_slice(&schedule.due_ns(sent).to_le_bytes());
            if near.try_send(&message) {
                sent += 1;
            } else {
                near.between_messages();
            }
        }
        if sent == received {
            last_sign_ns = now;
            if schedule.due_ns(sent) - now > TURN_NS {
                near.between_messages();
            }
            relax(plan.cores.near);
            continue;
        }
        let before = received;
        for _ in 0..LOOKS_PER_CLOCK_READING {
            near.poll(1, |answer| {
                let arrived_ns = now_ns();
                if received == plan.warm_up {
                    first_ns = arrived_ns;
                }
                if received >= plan.warm_up {
                    outcome.latencies.record(arrived_ns - stamp(answer));
                }
                last_ns = arrived_ns;
                received += 1;
            });
            if received != before {
                break;
            }
            relax(plan.cores.near);
        }
        if received != before {
            last_sign_ns = now;
        } else if now - last_sign_ns > PATIENCE_MS as i64 * 1_000_000 {
            if sent == total && received > plan.warm_up {
                break;
            }
            return Err(RigError::Stalled { system: system.to_owned(), sent, received, patience_ms: PATIENCE_MS });
        }
    }
    outcome.lost = total - received;
    outcome.duration_ns = (last_ns - first_ns).unsigned_abs();
    Ok(outcome)
}

/// The time a message was due. A message that is too short to carry a stamp gets a time that makes the error visible.
#[inline]
fn stamp(message: &[u8]) -> i64 {
    message.first_chunk::<STAMP_LENGTH>().map_or(0, |bytes| i64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::over::Broken;

    /// A far end that never has anything.
    struct Silent;

    impl Transceiver for Silent {
        fn try_send(&mut self, _message: &[u8]) -> bool {
            true
        }

        fn poll(&mut self, _limit: usize, _on_message: impl FnMut(&[u8])) -> usize {
            0
        }
    }

    /// It used to hang: the far end waited for a near end that was no more.
    #[test]
    fn a_near_end_that_panics_ends_the_round() {
        let cores = Cores { near: None, far: None };
        let plan = EchoPlan { size: 32, rate_per_s: 1_000_000, warm_up: 0, messages: 1, cores };
        let round = std::panic::catch_unwind(|| run("broken", &mut Broken, &mut Silent, &plan));
        let panic = round.expect_err("the panic comes through");
        assert_eq!(panic.downcast_ref(), Some(&"broken on purpose"));
    }
}
