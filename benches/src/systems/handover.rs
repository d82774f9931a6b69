//! The floor of passing messages between cores: a bare ring in which a message is a length and its bytes, in cache
//! lines of its own, which the reader zeroes behind itself. It has no headers, terms, counters, driver or clients. It
//! runs through as much memory as the logs it is compared with, in the same batches, between the same two cores. What
//! it costs is the transfer of cache lines from one core to the other and back.

use std::sync::Arc;

use gannet::memory::{AtomicBuffer, CACHE_LINE_LENGTH, Field};

use super::System;
use crate::raw_access::RAW;
use crate::rig::RigError;
use crate::rig::echo::{self, EchoOutcome, EchoPlan};
use crate::rig::throughput::{self, ThroughputOutcome, ThroughputPlan};
use crate::rig::transceiver::Transceiver;

/// The system's name in results.
pub const HANDOVER: &str = "handover";

const LINE: usize = CACHE_LINE_LENGTH;
/// A message begins with its length in bytes. Zero means no message yet, and this value that the next one is at the
/// ring's start.
const LENGTH: Field<i64> = Field::at(0);
const ONWARD: i64 = -1;
const PAYLOAD: usize = LENGTH.end();
/// How much of a message the reader reads: the part in its first line.
const LOOKED_AT: usize = LINE - PAYLOAD;
/// A reader zeroes after this many bytes, and sooner in a short ring.
const BYTES_PER_CLEANING: u64 = 128 * 1024;
/// Rings of at least this length in bytes are zeroed past the caches, as are logs with terms of a third of it.
const RING_BEYOND_CACHE: usize = 48 << 20;

/// The bare rings as a system, one for each direction.
#[derive(Debug)]
pub struct Handover {
    near: End,
    far: End,
}

impl Handover {
    /// Creates two rings of about `length` bytes each. A writer gets at most a sixth of a ring ahead of its reader, as
    /// a publisher's window is half a term. A message must be shorter than that.
    pub fn new(length: usize) -> Self {
        let (out, back) = (Arc::new(Ring::new(length)), Arc::new(Ring::new(length)));
        Self { near: End::new(&out, &back), far: End::new(&back, &out) }
    }
}

impl System for Handover {
    fn name(&self) -> &str {
        HANDOVER
    }

    fn describe(&self) -> String {
        format!(
            "a bare ring of {} bytes each way, a message in cache lines of its own, zeroed by its reader",
            self.near.outbound.memory.len()
        )
    }

    fn echo(&mut self, plan: &EchoPlan) -> Result<EchoOutcome, RigError> {
        echo::run(HANDOVER, &mut self.near, &mut self.far, plan)
    }

    fn throughput(&mut self, plan: &ThroughputPlan) -> Result<ThroughputOutcome, RigError> {
        throughput::run(HANDOVER, &mut self.near, &mut self.far, plan)
    }
}

#[derive(Debug)]
struct Ring {
    memory: AtomicBuffer,
    /// The position up to which the writer may write, in cache lines of its own.
    limit: AtomicBuffer,
    window: u64,
}

impl Ring {
    fn new(length: usize) -> Self {
        let length = length.next_multiple_of(LINE).max(64 * LINE);
        let (memory, limit) = (AtomicBuffer::zeroed(length, RAW), AtomicBuffer::zeroed(2 * LINE, RAW));
        // So that every page is mapped before the clock starts.
        memory.zero(0, length);
        let window = length as u64 / 6;
        limit.word(LENGTH).store_relaxed(window as i64);
        Self { memory, limit, window }
    }
}

/// A place in a ring.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The position in bytes since the start.
    position: u64,
    /// The offset in the ring.
    at: usize,
}

impl Place {
    /// The distance to the ring's end in bytes.
    #[inline]
    fn rest(self, ring: &Ring) -> usize {
        ring.memory.len() - self.at
    }

    /// Advances by `length` bytes, at most to the ring's end.
    #[inline]
    fn advance(&mut self, length: usize, ring: &Ring) {
        self.position += length as u64;
        self.at = if length < self.rest(ring) { self.at + length } else { 0 };
    }
}

/// One end: the writer of one ring and the reader of the other.
#[derive(Debug)]
struct End {
    outbound: Arc<Ring>,
    inbound: Arc<Ring>,
    written: Place,
    /// The limit when it was last read.
    limit: u64,
    read: Place,
    clean: Place,
    bytes_per_cleaning: u64,
}

impl End {
    fn new(outbound: &Arc<Ring>, inbound: &Arc<Ring>) -> Self {
        Self {
            written: Place::default(),
            limit: 0,
            read: Place::default(),
            clean: Place::default(),
            bytes_per_cleaning: BYTES_PER_CLEANING.min(inbound.window / 4),
            outbound: Arc::clone(outbound),
            inbound: Arc::clone(inbound),
        }
    }

    /// Zeroes what was read, and returns the space to the writer.
    fn clean(&mut self) {
        let ring @ Ring { memory, limit, window } = &*self.inbound;
        while self.clean.position < self.read.position {
            let length = self.clean.rest(ring).min((self.read.position - self.clean.position) as usize);
            if memory.len() >= RING_BEYOND_CACHE {
                memory.zero_past_cache(self.clean.at, length);
            } else {
                memory.zero(self.clean.at, length);
            }
            self.clean.advance(length, ring);
        }
        // Release: pairs with the writer's acquire load in `try_send`, which finds zeroes below.
        limit.word(LENGTH).store_release((self.clean.position + window) as i64);
    }
}

#[inline]
fn occupied(payload: usize) -> usize {
    (PAYLOAD + payload).next_multiple_of(LINE)
}

impl Transceiver for End {
    #[inline]
    fn try_send(&mut self, message: &[u8]) -> bool {
        let ring = &*self.outbound;
        let (occupied, rest) = (occupied(message.len()), self.written.rest(ring));
        let skipped = if occupied > rest { rest } else { 0 };
        let end = self.written.position + (skipped + occupied) as u64;
        if end > self.limit {
            // Acquire: pairs with the reader's release store in `clean`.
            self.limit = ring.limit.word(LENGTH).load_acquire() as u64;
            if end > self.limit {
                return false;
            }
        }
        if skipped > 0 {
            ring.memory.word_at::<i64>(self.written.at).store_release(ONWARD);
            self.written.advance(skipped, ring);
        }
        ring.memory.put_bytes(self.written.at + PAYLOAD, message);
        // Release: pairs with the acquire load in `poll`; publishes the bytes above.
        ring.memory.word_at::<i64>(self.written.at).store_release(message.len() as i64);
        self.written.advance(occupied, ring);
        true
    }

    #[inline]
    fn poll(&mut self, limit: usize, mut on_message: impl FnMut(&[u8])) -> usize {
        let ring = &*self.inbound;
        let mut messages = 0;
        while messages < limit {
            // Acquire: pairs with the release stores in `try_send`.
            match ring.memory.word_at::<i64>(self.read.at).load_acquire() {
                0 => break,
                ONWARD => self.read.advance(self.read.rest(ring), ring),
                length => {
                    let mut payload = [0; LOOKED_AT];
                    ring.memory.get_bytes(self.read.at + PAYLOAD, &mut payload);
                    on_message(&payload[..LOOKED_AT.min(length as usize)]);
                    self.read.advance(occupied(length as usize), ring);
                    messages += 1;
                }
            }
        }
        if self.read.position - self.clean.position >= self.bytes_per_cleaning {
            self.clean();
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::cores::Cores;

    #[test]
    fn every_message_comes_back_and_every_message_arrives() {
        let cores = Cores { near: None, far: None };
        // No whole number of messages of either size.
        let mut handover = Handover::new(192 * 1024 + 64);
        for _ in 0..2 {
            let echo = EchoPlan { size: 32, rate_per_s: 10_000, warm_up: 10, messages: 100, cores };
            let outcome = handover.echo(&echo).expect("nothing can fail");
            assert_eq!((outcome.latencies.samples(), outcome.lost), (100, 0));
            for size in [32, 1024] {
                let plan = ThroughputPlan { size, duration_ms: 5, streams: 1, cores };
                let outcome = handover.throughput(&plan).expect("each message has the number that it should have");
                assert!(outcome.received > 0 && outcome.lost == 0);
            }
        }
    }

    /// Around the ring's end several times, by one thread: the writer stops at the window, and goes on when all was read.
    #[test]
    fn a_writer_stays_within_its_window() {
        let mut handover = Handover::new(64 * LINE);
        let Handover { near, far } = &mut handover;
        let mut number = 0_u64;
        for _ in 0..100 {
            let first = number;
            while near.try_send(&[&number.to_le_bytes()[..], &[7; 152]].concat()) {
                number += 1;
            }
            // Three lines each, in a window of ten and two thirds; fewer around the end, or where less than a cleaning's is left.
            assert!((1..=3).contains(&(number - first)), "{}", number - first);
            let mut due = first;
            far.poll(usize::MAX, |message| {
                assert_eq!(message.first_chunk(), Some(&due.to_le_bytes()));
                due += 1;
            });
            assert_eq!(due, number);
        }
    }
}
