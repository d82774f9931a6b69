//! Reads and unblocks a command ring whose every byte, trailer included, was written by another process. Both must
//! terminate and stay within the ring.
#![no_main]

#[path = "../../tests/support/raw_access.rs"]
mod raw_access;

use gannet::memory::AtomicBuffer;
use gannet::ringbuffer::{RING_TRAILER_LENGTH, RingConsumer};
use libfuzzer_sys::fuzz_target;
use raw_access::RAW;

const CAPACITY: usize = 1024;

fuzz_target!(|bytes: &[u8]| {
    let buffer = AtomicBuffer::zeroed(CAPACITY + RING_TRAILER_LENGTH, RAW);
    let (records, trailer) = bytes.split_at(bytes.len().min(CAPACITY));
    buffer.put_bytes(0, records);
    buffer.put_bytes(CAPACITY, &trailer[..trailer.len().min(RING_TRAILER_LENGTH)]);
    let mut consumer = RingConsumer::new(&buffer).expect("a capacity that is a power of two");
    for _ in 0..4 {
        consumer.read(usize::MAX, |_, message| assert!(message.len() <= CAPACITY));
        consumer.unblock();
    }
    let _ = consumer.ring().write(1, b"still usable, or full");
});
