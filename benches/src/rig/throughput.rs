//! Measures throughput. One end sends numbered messages without a pause; the other consumes them and checks the
//! numbers. Each end has a thread on a core of its own. Called by the systems.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::RigError;
use super::cores::{Cores, pin, relax};
use super::over::Over;
use super::schedule::now_ns;
use super::transceiver::Transceiver;

/// Length in bytes of the number at the start of each message. Numbers begin at 0.
pub const NUMBER_LENGTH: usize = 8;
/// Messages per reading of the clock, and the limit of a poll.
const BATCH: u64 = 64;
/// Most bytes of a producer's batch of several messages, so that the batch stays in the first-level cache.
const LONGEST_BATCH: usize = 16 * 1024;
/// After this many empty polls, the consumer gives its client a turn.
const LOOKS_PER_TURN: u64 = 64;
/// How long the consumer waits for a message before it fails, in milliseconds.
const PATIENCE_MS: u64 = 30_000;

/// One round of a throughput measurement.
#[derive(Clone, Copy, Debug)]
pub struct ThroughputPlan {
    /// Bytes per message, at least [`NUMBER_LENGTH`].
    pub size: usize,
    /// How long the producer sends, in milliseconds.
    pub duration_ms: u64,
    /// The number of streams, at least 1. Messages are spread over them in turn, and each stream keeps its own order.
    pub streams: usize,
    /// The cores of the ends. The producer is the near end.
    pub cores: Cores,
}

/// The result of a round of a throughput measurement.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThroughputOutcome {
    /// Messages consumed.
    pub received: u64,
    /// Messages that were sent but did not arrive.
    pub lost: u64,
    /// Time from the first send to the last receipt, in nanoseconds.
    pub duration_ns: u64,
}

impl ThroughputOutcome {
    /// Messages per second.
    pub fn rate_per_s(&self) -> f64 {
        self.received as f64 * 1e9 / self.duration_ns.max(1) as f64
    }
}

/// The rounds of one system. Their median is used, so that a disturbance of one round, on a shared machine, does not
/// change the result.
#[derive(Clone, Debug, Default)]
pub struct ThroughputRounds(Vec<ThroughputOutcome>);

impl ThroughputRounds {
    /// Adds a round.
    pub fn add(&mut self, round: ThroughputOutcome) {
        self.0.push(round);
    }

    /// Messages consumed in all rounds.
    pub fn received(&self) -> u64 {
        self.0.iter().map(|round| round.received).sum()
    }

    /// Messages of any round that were sent but did not arrive.
    pub fn lost(&self) -> u64 {
        self.0.iter().map(|round| round.lost).sum()
    }

    /// Messages per second of the median round. For an even number of rounds, the slower of the two in the middle; 0
    /// without rounds.
    pub fn median_rate_per_s(&self) -> f64 {
        let mut rates: Vec<_> = self.0.iter().map(ThroughputOutcome::rate_per_s).collect();
        rates.sort_unstable_by(f64::total_cmp);
        rates.len().checked_sub(1).map_or(0.0, |last| rates[last / 2])
    }
}

/// Runs one round from `producer` to `consumer`.
///
/// # Errors
///
/// [`RigError::OutOfOrder`] when a message has the wrong number, [`RigError::Stalled`] when nothing arrives for half a
/// minute.
pub fn run<P, C>(
    system: &str,
    producer: &mut P,
    consumer: &mut C,
    plan: &ThroughputPlan,
) -> Result<ThroughputOutcome, RigError>
where
    P: Transceiver + Send,
    C: Transceiver + Send,
{
    between(system, producer, consumer, plan, produce)
}

/// Runs one round in which the producer sends all messages of a source, one after another. Each has `plan.size` bytes
/// and a number, from 0 on. The duration of the plan is ignored.
///
/// # Errors
///
/// As [`run`].
pub fn run_from<P, C>(
    system: &str,
    producer: &mut P,
    consumer: &mut C,
    plan: &ThroughputPlan,
    source: &[u8],
) -> Result<ThroughputOutcome, RigError>
where
    P: Transceiver + Send,
    C: Transceiver + Send,
{
    between(system, producer, consumer, plan, |producer, plan, total, is_over| {
        let mut sent = 0;
        for message in source.chunks_exact(plan.size.max(NUMBER_LENGTH)) {
            if !send(producer, message, plan, is_over) {
                return;
            }
            sent += 1;
        }
        finish(producer, sent, plan, total, is_over);
    })
}

fn between<P, C>(
    system: &str,
    producer: &mut P,
    consumer: &mut C,
    plan: &ThroughputPlan,
    produce: impl FnOnce(&mut P, &ThroughputPlan, &AtomicU64, &AtomicBool) + Send,
) -> Result<ThroughputOutcome, RigError>
where
    P: Transceiver + Send,
    C: Transceiver + Send,
{
    // `u64::MAX` until the producer knows how many messages it has sent.
    let total = AtomicU64::new(u64::MAX);
    let is_over = AtomicBool::new(false);
    let start_ns = now_ns();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(plan.cores.near);
            produce(producer, plan, &total, &is_over);
        });
        let consumer = scope.spawn(|| {
            pin(plan.cores.far);

            let _over = Over(&is_over);
            consume(system, consumer, plan, &total, start_ns)
        });
        consumer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Sends a message. Returns false if the round is over.
#[inline]
fn send(producer: &mut impl Transceiver, message: &[u8], plan: &ThroughputPlan, is_over: &AtomicBool) -> bool {
    while !producer.try_send(message) {
        if is_over.load(Ordering::Relaxed) {
            return false;
        }
        producer.between_messages();
        relax(plan.cores.near);
    }
    true
}

/// Publishes the number of messages sent and waits for the end of the round, since the last messages may need the
/// driver that this end hosts.
fn finish(producer: &mut impl Transceiver, sent: u64, plan: &ThroughputPlan, total: &AtomicU64, is_over: &AtomicBool) {
    total.store(sent, Ordering::Release);
    while !is_over.load(Ordering::Relaxed) {
        producer.between_messages();
        relax(plan.cores.near);
    }
}

fn produce(producer: &mut impl Transceiver, plan: &ThroughputPlan, total: &AtomicU64, is_over: &AtomicBool) {
    // Messages are numbered a batch ahead. If each were numbered just before it is sent, copying it would wait for the
    // number to leave the processor's store buffer, a wait that does not belong to the system.
    let size = plan.size.max(NUMBER_LENGTH);
    let mut messages = vec![0xa5_u8; size * (LONGEST_BATCH / size).clamp(1, BATCH as usize)];
    let deadline_ns = now_ns() + plan.duration_ms as i64 * 1_000_000;
    let mut number = 0_u64;
    // Runs at least one batch, however late this thread starts.
    loop {
        for (message, number) in messages.chunks_exact_mut(size).zip(number..) {
            message[..NUMBER_LENGTH].copy_from_slice(&number.to_le_bytes());
        }
        for message in messages.chunks_exact(size) {
            if !send(producer, message, plan, is_over) {
                return;
            }
            number += 1;
        }
        if now_ns() >= deadline_ns {
            break;
        }
    }
    finish(producer, number, plan, total, is_over);
}

fn consume(
    system: &str,
    consumer: &mut impl Transceiver,
    plan: &ThroughputPlan,
    total: &AtomicU64,
    start_ns: i64,
) -> Result<ThroughputOutcome, RigError> {
    let (mut received, mut looks, mut last_sign_ns) = (0_u64, 0_u64, start_ns);
    // The number of the next message of each stream.
    let streams = plan.streams.max(1) as u64;
    let mut due: Vec<u64> = (0..streams).collect();
    loop {
        let mut wrong = None;
        let arrived = consumer.poll(BATCH as usize, |message| {
            let number = message.first_chunk::<NUMBER_LENGTH>().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes));
            let due = &mut due[if streams == 1 { 0 } else { (number % streams) as usize }];
            if number != *due && wrong.is_none() {
                wrong = Some((*due, number));
            }
            *due += streams;
            received += 1;
        });
        if let Some((expected, found)) = wrong {
            return Err(RigError::OutOfOrder { system: system.to_owned(), expected, found });
        }
        looks += 1;
        if arrived == 0 || looks % LOOKS_PER_TURN == 0 {
            consumer.between_messages();
        }
        if arrived > 0 && looks % LOOKS_PER_TURN != 0 {
            continue;
        }
        let now = now_ns();
        let sent = total.load(Ordering::Acquire);
        if arrived > 0 {
            last_sign_ns = now;
        }
        if received == sent {
            return Ok(ThroughputOutcome { received, lost: 0, duration_ns: (now - start_ns).unsigned_abs() });
        }
        if now - last_sign_ns > PATIENCE_MS as i64 * 1_000_000 {
            let sent = if sent == u64::MAX { received } else { sent };
            return Err(RigError::Stalled { system: system.to_owned(), sent, received, patience_ms: PATIENCE_MS });
        }
        relax(plan.cores.far);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::over::Broken;

    /// It used to hang: the producer waited for a consumer that was no more.
    #[test]
    fn a_consumer_that_panics_ends_the_round() {
        let plan = ThroughputPlan { size: 32, duration_ms: 1, streams: 1, cores: Cores { near: None, far: None } };
        let round = std::panic::catch_unwind(|| run("broken", &mut Broken, &mut Broken, &plan));
        let panic = round.expect_err("the panic comes through");
        assert_eq!(panic.downcast_ref(), Some(&"broken on purpose"));
    }

    #[test]
    fn one_disturbed_round_does_not_change_the_result() {
        let mut rounds = ThroughputRounds::default();
        assert_eq!(rounds.median_rate_per_s(), 0.0);
        for received in [10, 3, 11, 12, 0] {
            rounds.add(ThroughputOutcome { received, lost: 1, duration_ns: 1_000_000_000 });
        }
        assert_eq!((rounds.median_rate_per_s(), rounds.received(), rounds.lost()), (10.0, 36, 5));
    }
}
