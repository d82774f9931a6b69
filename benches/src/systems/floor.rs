//! The physical floor. For round trips it is a bare ping-pong: a message in a cache line of its own, announced by a
//! word in the same line. For throughput it is a copy of each message into memory that is already mapped.
//!
//! Messages are in atomic words, since two threads access them. On the relevant machines, a relaxed store of a word is
//! a plain store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{FLOOR, System};
use crate::rig::RigError;
use crate::rig::cores::pin;
use crate::rig::echo::{self, EchoOutcome, EchoPlan};
use crate::rig::schedule::now_ns;
use crate::rig::throughput::{ThroughputOutcome, ThroughputPlan};
use crate::rig::transceiver::Transceiver;

/// Words of payload that fit into a line beside its counter.
const PAYLOAD_WORDS: usize = 7;
/// The floor as a system.
#[derive(Debug)]
pub struct Floor {
    near: End,
    far: End,
    copy_length: usize,
}

impl Floor {
    /// Creates two ends over two cache lines, one for each direction. The copy runs through `copy_length` bytes of
    /// memory over and over, which should be the length of the logs of the systems compared with it.
    pub fn new(copy_length: usize) -> Self {
        let (out, back) = (Arc::new(Line::default()), Arc::new(Line::default()));
        let end = |outbound: &Arc<Line>, inbound: &Arc<Line>, starts| End {
            outbound: Arc::clone(outbound),
            inbound: Arc::clone(inbound),
            sent: 0,
            received: 0,
            starts,
            words: PAYLOAD_WORDS,
            message: [0; PAYLOAD_WORDS * 8],
        };
        Self { near: end(&out, &back, true), far: end(&back, &out, false), copy_length }
    }
}

impl System for Floor {
    fn name(&self) -> &str {
        FLOOR
    }

    fn describe(&self) -> String {
        "round trip: one cache line each way between the same two cores; throughput: a copy into mapped memory by one core"
            .to_owned()
    }

    fn echo(&mut self, plan: &EchoPlan) -> Result<EchoOutcome, RigError> {
        // The rest of a larger message is left out, so the floor of larger messages is too low rather than too high.
        let words = plan.size.div_ceil(8).min(PAYLOAD_WORDS);
        (self.near.words, self.far.words) = (words, words);
        echo::run(FLOOR, &mut self.near, &mut self.far, plan)
    }

    fn throughput(&mut self, plan: &ThroughputPlan) -> Result<ThroughputOutcome, RigError> {
        std::thread::scope(|scope| {
            let copier = scope.spawn(|| {
                pin(plan.cores.near);
                copy(plan, self.copy_length)
            });
            Ok(copier.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }
}

/// Copies messages through a piece of memory until the time is over.
fn copy(plan: &ThroughputPlan, length: usize) -> ThroughputOutcome {
    let source = vec![0xa5_u8; plan.size];
    // Written once before the clock starts, so that every page is mapped.
    let mut target = vec![1_u8; length.max(plan.size)];
    let (mut at, mut received) = (0, 0);
    let start_ns = now_ns();
    let deadline_ns = start_ns + plan.duration_ms as i64 * 1_000_000;
    loop {
        for _ in 0..256 {
            if at + plan.size > target.len() {
                at = 0;
            }
            std::hint::black_box(&mut target[at..at + plan.size]).copy_from_slice(std::hint::black_box(&source));
            at += plan.size;
        }
        received += 256;
        let now = now_ns();
        if now >= deadline_ns {
            return ThroughputOutcome { received, lost: 0, duration_ns: (now - start_ns).unsigned_abs() };
        }
    }
}

/// A message in a cache line. It is two lines long, since processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line {
    /// The number of the message in the line, from 1.
    count: AtomicU64,
    payload: [AtomicU64; PAYLOAD_WORDS],
}

/// One end of the ping-pong. A line holds one message, so an end sends only after it has received the answer to its
/// last.
#[derive(Debug)]
struct End {
    outbound: Arc<Line>,
    inbound: Arc<Line>,
    sent: u64,
    received: u64,
    /// Whether this end sends first.
    starts: bool,
    /// Words of payload in use.
    words: usize,
    message: [u8; PAYLOAD_WORDS * 8],
}

impl Transceiver for End {
    #[inline]
    fn try_send(&mut self, message: &[u8]) -> bool {
        let is_free = if self.starts { self.sent == self.received } else { self.sent < self.received };
        if !is_free {
            return false;
        }
        for (slot, word) in self.outbound.payload[..self.words].iter().zip(message.chunks_exact(8)) {
            slot.store(u64::from_le_bytes(word.try_into().expect("eight bytes")), Ordering::Relaxed);
        }
        self.sent += 1;
        // Release: pairs with the acquire load in `poll`; publishes the words above.
        self.outbound.count.store(self.sent, Ordering::Release);
        true
    }

    #[inline]
    fn poll(&mut self, _limit: usize, mut on_message: impl FnMut(&[u8])) -> usize {
        // Acquire: pairs with the release store in `try_send`.
        let count = self.inbound.count.load(Ordering::Acquire);
        if count == self.received {
            return 0;
        }
        self.received = count;
        let message = &mut self.message[..self.words * 8];
        for (chunk, word) in message.chunks_exact_mut(8).zip(&self.inbound.payload) {
            chunk.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
        on_message(message);
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::cores::Cores;

    const UNPINNED: Cores = Cores { near: None, far: None };

    #[test]
    fn every_message_comes_back() {
        let plan = EchoPlan { size: 32, rate_per_s: 10_000, warm_up: 10, messages: 100, cores: UNPINNED };
        let outcome = Floor::new(4096).echo(&plan).expect("nothing can fail");
        assert_eq!((outcome.latencies.samples(), outcome.lost), (100, 0));
    }

    #[test]
    fn the_copy_counts_what_it_copied() {
        let plan = ThroughputPlan { size: 1024, duration_ms: 5, streams: 1, cores: UNPINNED };
        let outcome = Floor::new(100).throughput(&plan).expect("nothing can fail");
        assert!(outcome.received >= 256 && outcome.rate_per_s() > 0.0);
    }
}
