//! Models of the command ring: producers against the consumer, space that is consumed and claimed again, and producers
//! against the unblocking of a dead one.
#![cfg(engine_loom)]

use gannet::memory::AtomicBuffer;
use gannet::ringbuffer::{ManyToOneRingBuffer, RING_TRAILER_LENGTH, RingConsumer, RingWriteError};
use gannet_loom_tests::{Bounds, check, must_fail};
use loom::thread;

// Loom forgets that a word was read when the reading thread stores to it first, as producers do with the tail. So
// producers come first: Loom then explores what the other threads find before and after each of their stores.

/// Room for four records of 8 bytes of payload, which is the greatest length for such a ring.
const CAPACITY: usize = 64;
const TAIL: usize = CAPACITY + 128;

fn ring() -> (AtomicBuffer, ManyToOneRingBuffer, RingConsumer) {
    let buffer =
        AtomicBuffer::model(CAPACITY + RING_TRAILER_LENGTH, &[128, 256, 384, 512, 640].map(|at| CAPACITY + at));
    let ring = ManyToOneRingBuffer::new(&buffer).unwrap();
    let consumer = RingConsumer::new(&buffer).unwrap();
    (buffer, ring, consumer)
}

/// Reads messages and returns their types. The payload of a message is its type, eight times.
fn read(consumer: &mut RingConsumer, limit: usize) -> Vec<i32> {
    let mut types = Vec::new();
    consumer.read(limit, |type_id, message| {
        assert_eq!(message, [type_id as u8; 8]);
        types.push(type_id);
    });
    assert_eq!(consumer.repairs(), 0);
    types
}

fn write(ring: &ManyToOneRingBuffer, type_id: u8) -> bool {
    match ring.write(type_id.into(), &[type_id; 8]) {
        Ok(()) => true,
        Err(RingWriteError::Full) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Two producers write while the consumer reads. The consumer finds complete messages in the order of the claims, and
/// finds the rest later.
#[test]
fn producers_against_the_consumer() {
    producers_against_the_consumer_model();
    must_fail("rb.record-committed:store", producers_against_the_consumer_model);
    must_fail("rb.record-committed:load", producers_against_the_consumer_model);
}

fn producers_against_the_consumer_model() {
    let allowed: [(&[i32], &[i32]); 6] =
        [(&[], &[1, 2]), (&[], &[2, 1]), (&[1], &[2]), (&[2], &[1]), (&[1, 2], &[]), (&[2, 1], &[])];
    let allowed = allowed.map(|(now, later)| (now.to_vec(), later.to_vec()));
    // Bounded, since the interleavings of three threads with some twenty steps each are too many.
    check(Bounds::preemptions(3), &allowed, || {
        let (_, ring, mut consumer) = ring();
        let other = ring.clone();
        let producer = thread::spawn(move || assert!(write(&other, 2)));
        let driver = thread::spawn(move || {
            let now = read(&mut consumer, 10);
            (consumer, now)
        });
        assert!(write(&ring, 1));
        producer.join().unwrap();
        let (mut consumer, now) = driver.join().unwrap();
        (now, read(&mut consumer, 10))
    });
}

/// The ring is full, and two producers need space while the consumer frees some. The one that gets it finds it zeroed;
/// the other learns of that from the head cache, or is told that the ring is full.
#[test]
fn consumed_space_is_claimed_again() {
    consumed_space_is_claimed_again_model();
    must_fail("rb.head:store", consumed_space_is_claimed_again_model);
    must_fail("rb.head:load", consumed_space_is_claimed_again_model);
    must_fail("rb.head-cache:store", consumed_space_is_claimed_again_model);
    must_fail("rb.head-cache:load", consumed_space_is_claimed_again_model);
}

fn consumed_space_is_claimed_again_model() {
    let allowed = [[false, false], [false, true], [true, false], [true, true]];
    check(Bounds::preemptions(2), &allowed, || {
        let (_, ring, mut consumer) = ring();
        (1..=4).for_each(|type_id| assert!(write(&ring, type_id)));
        let other = ring.clone();
        let producer = thread::spawn(move || write(&other, 6));
        let driver = thread::spawn(move || {
            assert_eq!(read(&mut consumer, 2), [1, 2]);
            consumer
        });
        let written = write(&ring, 5);
        let written = [written, producer.join().unwrap()];
        let mut consumer = driver.join().unwrap();
        assert_eq!(read(&mut consumer, 2), [3, 4]);
        let mut found = read(&mut consumer, 10);
        found.sort_unstable();
        let expected = [5, 6].into_iter().zip(written).filter_map(|(type_id, written)| written.then_some(type_id));
        assert_eq!(found, expected.collect::<Vec<_>>());
        written
    });
}

/// A producer wraps: it pads the end of the ring and writes at its start, while the consumer reads up to the end or
/// past it.
#[test]
fn a_producer_that_wraps() {
    a_producer_that_wraps_model();
    must_fail("rb.record-committed:store", a_producer_that_wraps_model);
    must_fail("rb.record-committed:load", a_producer_that_wraps_model);
}

fn a_producer_that_wraps_model() {
    // A read ends at the end of the ring, so the second read finds what is at the start, if the first one found the
    // padding.
    let allowed = [(56, false), (64, false), (64, true)];
    check(Bounds::NONE, &allowed, || {
        let (_, ring, mut consumer) = ring();
        (1..=3).for_each(|type_id| assert!(write(&ring, type_id)));
        ring.write(4, &[]).unwrap();
        assert_eq!(consumer.read(10, |_, _| ()), 4);
        let driver = thread::spawn(move || {
            let found = read(&mut consumer, 10);
            let reached = consumer.position();
            assert_eq!(found, []);
            let read = read(&mut consumer, 10) == [5];
            (consumer, reached, read)
        });
        assert!(write(&ring, 5));
        let (mut consumer, reached, early) = driver.join().unwrap();
        let mut late = read(&mut consumer, 10);
        late.extend(read(&mut consumer, 10));
        assert_eq!(late, if early { vec![] } else { vec![5] });
        (reached, early)
    });
}

/// A producer died before it began its record, and another writes behind it while the driver unblocks. The driver finds
/// that record not begun, begun or committed; it pads what is before it, or waits.
#[test]
fn a_producer_against_unblock() {
    a_producer_against_unblock_model();
    must_fail("rb.record-started:fence", a_producer_against_unblock_model);
    must_fail("rb.record-started:load", a_producer_against_unblock_model);
}

/// Whether the driver unblocked the ring, and whether it read the message, while its producer was active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Early {
    unblocked: bool,
    read: bool,
}

fn a_producer_against_unblock_model() {
    let allowed = [(false, false), (true, false), (true, true)].map(|(unblocked, read)| Early { unblocked, read });
    check(Bounds::NONE, &allowed, || {
        let (buffer, ring, mut consumer) = ring();
        assert_eq!(buffer.word_at::<i64>(TAIL).compare_exchange(0, 16), Ok(0), "the dead one's claim");
        let driver = thread::spawn(move || {
            let unblocked = consumer.unblock();
            let found = read(&mut consumer, 10);
            (consumer, unblocked, found)
        });
        assert!(write(&ring, 7));
        let (mut consumer, unblocked, mut found) = driver.join().unwrap();
        let early = Early { unblocked, read: !found.is_empty() };
        if !unblocked {
            assert!(consumer.unblock());
        }
        found.extend(read(&mut consumer, 10));
        assert_eq!(found, [7]);
        assert_eq!(consumer.position(), 32);
        early
    });
}

/// A producer was taken for dead, and commits while the driver unblocks the ring. Its message is read or lost; the one
/// behind it is read, and nothing counts as damage.
#[test]
fn a_slow_producer_against_unblock() {
    let allowed = [vec![8], vec![7, 8]];
    check(Bounds::NONE, &allowed, || {
        let (_, ring, mut consumer) = ring();
        let mut claim = ring.try_claim(7, 8).unwrap();
        claim.put_bytes(0, &[7; 8]);
        assert!(write(&ring, 8));
        let driver = thread::spawn(move || {
            consumer.unblock();
            consumer
        });
        claim.commit();
        let mut consumer = driver.join().unwrap();
        read(&mut consumer, 10)
    });
}

/// A producer that had to wrap died before its padding, and another writes behind it, at the front of the ring, while the
/// driver unblocks. The driver pads the end of the ring and the dead one's space at its front, or waits.
#[test]
fn a_producer_against_unblock_at_the_end() {
    a_producer_against_unblock_at_the_end_model();
    must_fail("rb.record-started:fence", a_producer_against_unblock_at_the_end_model);
    must_fail("rb.record-started:load", a_producer_against_unblock_at_the_end_model);
}

fn a_producer_against_unblock_at_the_end_model() {
    let allowed = [(false, false), (true, false), (true, true)].map(|(unblocked, read)| Early { unblocked, read });
    check(Bounds::NONE, &allowed, || {
        let (buffer, ring, mut consumer) = ring();
        (1..=3).for_each(|type_id| assert!(write(&ring, type_id)));
        ring.write(4, &[]).unwrap();
        assert_eq!(consumer.read(10, |_, _| ()), 4);
        assert_eq!(buffer.word_at::<i64>(TAIL).compare_exchange(56, 80), Ok(56), "the dead one's padding and claim");
        let driver = thread::spawn(move || {
            let unblocked = consumer.unblock();
            let mut found = read(&mut consumer, 10);
            found.extend(read(&mut consumer, 10));
            (consumer, unblocked, found)
        });
        assert!(write(&ring, 7));
        let (mut consumer, unblocked, mut found) = driver.join().unwrap();
        let early = Early { unblocked, read: !found.is_empty() };
        if !unblocked {
            assert!(consumer.unblock());
        }
        // A read ends at the end of the ring.
        found.extend(read(&mut consumer, 10));
        found.extend(read(&mut consumer, 10));
        assert_eq!(found, [7]);
        assert_eq!(consumer.position(), 96);
        early
    });
}
