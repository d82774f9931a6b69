//! The parts of a conductor in the memory of this process instead of the driver's shared files, for simulations and for
//! tests that drive a conductor by hand.

use std::time::Duration;

use gannet::broadcast::Transmitter;
use gannet::counters::{CounterSpec, CountersManager, CountersReader, SystemCounter, SystemLabels};
use gannet::memory::{AtomicBuffer, RawAccess};
use gannet::reports::{ErrorLog, LossReport};
use gannet::ringbuffer::{ManyToOneRingBuffer, RingConsumer};
use gannet::time::EpochMillis;

use crate::conductor::ConductorParts;

/// The capacity of the ring and of the broadcast buffer in bytes.
const CAPACITY: usize = 1 << 16;

/// The other ends of a conductor's parts, which clients and tools use.
#[derive(Debug)]
pub struct SimMemory {
    /// The ring for clients' commands.
    pub ring: ManyToOneRingBuffer,
    /// The broadcast buffer with events for clients.
    pub events: AtomicBuffer,
    /// The counters.
    pub counters: CountersReader,
    /// The error log.
    pub errors: AtomicBuffer,
    /// The loss report.
    pub losses: AtomicBuffer,
}

/// Parts with space for `capacity` counters, system counters included, and their other ends.
///
/// # Panics
///
/// If there is no space for the system counters.
pub fn parts(capacity: usize, now: EpochMillis, raw: RawAccess) -> (ConductorParts, SimMemory) {
    let zeroed = |length| AtomicBuffer::zeroed(length, raw);
    let commands = zeroed(CAPACITY + 768);
    let events = zeroed(CAPACITY + 128);
    let (metadata, values) = (zeroed(512 * capacity), zeroed(128 * capacity));
    let errors = zeroed(1 << 20);
    let losses = zeroed(1 << 16);
    let mut manager =
        CountersManager::new(metadata, values, Duration::from_secs(1)).expect("regions of sizes that fit");
    let labels = SystemLabels {
        version: "0",
        commit: "0",
        threading_mode: "INVOKER",
        resolver_name: "",
        conductor_threshold: "1s",
        sender_threshold: "1s",
        receiver_threshold: "1s",
        resolver_threshold: "5s",
    };
    for counter in SystemCounter::ALL {
        manager.allocate(now, &CounterSpec::system(counter, &labels)).expect("room for all");
    }
    let memory = SimMemory {
        ring: ManyToOneRingBuffer::new(&commands).expect("a ring of a size that fits"),
        events: events.clone(),
        counters: manager.reader(),
        errors: errors.clone(),
        losses: losses.clone(),
    };
    // As when a driver starts: 0 is no client's id.
    memory.ring.next_correlation_id();
    let parts = ConductorParts {
        commands: RingConsumer::new(&commands).expect("a ring of a size that fits"),
        events: Transmitter::new(&events).expect("a broadcast of a size that fits"),
        counters: manager,
        errors: ErrorLog::new(errors),
        losses: LossReport::new(losses),
    };
    (parts, memory)
}
