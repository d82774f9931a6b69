//! Tests of the ring against its traps, against damage, and against a plain queue.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::memory::AtomicBuffer;
use crate::record::{HEADER_LENGTH, PADDING_TYPE, occupied};
use crate::time::EpochMillis;

const CAPACITY: usize = 1024;
const TAIL: usize = CAPACITY + 128;
const HEAD_CACHE: usize = CAPACITY + 256;
const HEAD: usize = CAPACITY + 384;

struct Fixture {
    buffer: AtomicBuffer,
    ring: ManyToOneRingBuffer,
    consumer: RingConsumer,
}

fn fixture() -> Fixture {
    let buffer = AtomicBuffer::heap(CAPACITY + RING_TRAILER_LENGTH);
    let ring = ManyToOneRingBuffer::new(&buffer).unwrap();
    let consumer = RingConsumer::new(&buffer).unwrap();
    Fixture { buffer, ring, consumer }
}

impl Fixture {
    fn drain(&mut self) -> Vec<(i32, Vec<u8>)> {
        let mut read = Vec::new();
        loop {
            let before = self.consumer.position();
            self.consumer.read(100, |type_id, message| read.push((type_id, message.to_vec())));
            if self.consumer.position() == before {
                return read;
            }
        }
    }

    /// Moves head and tail forward to `position` by messages that are consumed.
    fn advance_to(&mut self, position: usize) {
        while (self.consumer.position() as usize) < position {
            let left = position - self.consumer.position() as usize;
            self.ring.write(1, &vec![0xEE; left.min(136) - HEADER_LENGTH]).unwrap();
            self.drain();
        }
        assert_eq!(self.consumer.position(), position as i64);
    }

    fn word(&self, offset: usize) -> i32 {
        self.buffer.word_at::<i32>(offset).load_acquire()
    }

    fn data(&self) -> Vec<u8> {
        let mut data = vec![0; CAPACITY];
        self.buffer.get_bytes(0, &mut data);
        data
    }

    /// A producer that moved the tail and died before it stored anything.
    fn die_after_claim(&self, length: usize) {
        let tail = self.buffer.word_at::<i64>(TAIL);
        tail.store_release(tail.load_acquire() + length as i64);
    }

    /// A record that a process without manners wrote: this length, that much space.
    fn write_damaged(&self, length: i32, space: usize) {
        let index = self.ring.producer_position() as usize % CAPACITY;
        self.die_after_claim(space);
        self.buffer.word_at::<i32>(index + 4).store_relaxed(3);
        self.buffer.word_at::<i32>(index).store_release(length);
    }
}

#[test]
fn buffers_of_other_lengths_are_refused() {
    for length in [1, 768, 800, 832 + 8, 767, 1023 + 768] {
        let error = ManyToOneRingBuffer::new(&AtomicBuffer::heap(length)).unwrap_err();
        assert_eq!(error, RingBufferError { length });
    }
}

/// Where the default ring has its words, in the file.
#[test]
fn the_words_of_the_default_ring_are_where_the_reference_has_them() {
    let file = AtomicBuffer::heap(128 + (1 << 20) + RING_TRAILER_LENGTH);
    let ring = ManyToOneRingBuffer::new(&file.slice(128, (1 << 20) + RING_TRAILER_LENGTH)).unwrap();
    assert_eq!(ring.max_message_length(), 128 << 10);
    ring.next_correlation_id();
    ring.set_consumer_heartbeat(EpochMillis::new(77));
    ring.write(5, b"abc").unwrap();
    assert_eq!(file.word_at::<i64>(1_049_216).load_acquire(), 1, "correlation counter");
    assert_eq!(file.word_at::<i64>(1_049_344).load_acquire(), 77, "consumer heartbeat");
    assert_eq!(file.word_at::<i64>(128 + (1 << 20) + 128).load_acquire(), 16, "tail");
    assert_eq!(
        file.word_at::<i64>(128 + (1 << 20) + 256).load_acquire(),
        0,
        "head cache, until the ring is first full"
    );
    let mut consumer = RingConsumer::new(&file.slice(128, (1 << 20) + RING_TRAILER_LENGTH)).unwrap();
    consumer.read(1, |_, _| ());
    assert_eq!(file.word_at::<i64>(128 + (1 << 20) + 384).load_acquire(), 16, "head");
}

#[test]
fn messages_that_can_never_be_written_are_refused() {
    let f = fixture();
    assert_eq!(f.ring.write(1, &[0; 129]), Err(RingWriteError::TooLong { length: 129, max: 128 }));
    assert_eq!(f.ring.write(0, &[]), Err(RingWriteError::InvalidType { found: 0 }));
    assert_eq!(f.ring.write(-1, &[]), Err(RingWriteError::InvalidType { found: -1 }));
    assert_eq!(f.ring.producer_position(), 0);
    f.ring.write(1, &[0; 128]).unwrap();
}

/// After consumption the whole ring reads zero, padding included.
#[test]
fn trap_07_everything_consumed_is_zeroed_before_the_head_moves() {
    let mut f = fixture();
    f.advance_to(CAPACITY - 24);
    f.ring.write(3, &[0xFF; 100]).unwrap();
    assert_eq!(f.word(CAPACITY - 20), PADDING_TYPE);
    assert_eq!(f.drain(), [(3, vec![0xFF; 100])]);
    assert_eq!(f.data(), vec![0; CAPACITY]);
    assert_eq!(f.ring.consumer_position(), f.ring.producer_position());
}

#[test]
fn trap_08_room_at_the_front_is_measured_to_the_head_index() {
    let mut f = fixture();
    f.advance_to(32);
    for _ in 0..6 {
        f.ring.write(2, &[7; 128]).unwrap();
    }
    // Head at 32, tail at 848: 176 bytes to the end, 208 free in all, but 32 of them in front of the head.
    f.ring.write(2, &[7; 104]).unwrap();
    assert_eq!(f.ring.producer_position(), 960);
    assert_eq!(f.ring.write(2, &[8; 80]), Err(RingWriteError::Full), "88 bytes neither fit in 64 nor in 32");
    assert_eq!(f.ring.producer_position(), 960, "and nothing was claimed");
    f.ring.write(2, &[8; 56]).unwrap();
    assert_eq!(f.drain().len(), 8);
}

#[test]
fn trap_09_the_head_cache_is_a_word_of_the_ring() {
    let mut f = fixture();
    f.advance_to(CAPACITY - 136);
    assert_eq!(f.buffer.word_at::<i64>(HEAD_CACHE).load_acquire(), 0, "nobody needed it yet");
    f.ring.write(1, &[0; 128]).unwrap();
    f.ring.write(1, &[0; 8]).unwrap();
    let cached = f.buffer.word_at::<i64>(HEAD_CACHE).load_acquire();
    assert_eq!(cached, CAPACITY as i64 - 136, "found full against 0, so the real head was looked up and shared");
    // Another producer, with a view of its own, relies on it without looking at the head.
    f.buffer.word_at::<i64>(HEAD).store_release(0);
    ManyToOneRingBuffer::new(&f.buffer).unwrap().write(1, &[0; 8]).unwrap();
}

#[test]
fn trap_10_a_claim_shows_a_negative_length_and_its_type_before_it_is_committed() {
    let mut f = fixture();
    let ring = f.ring.clone();
    let mut claim = ring.try_claim(9, 21).unwrap();
    assert_eq!((f.word(0), f.word(4)), (-29, 9));
    claim.put_bytes(0, &[1; 20]);
    claim.put_bytes(20, &[2]);
    assert_eq!(f.drain(), [], "not committed");
    claim.commit();
    assert_eq!(f.word(0), 29);
    let mut expected = vec![1; 20];
    expected.push(2);
    assert_eq!(f.drain(), [(9, expected)]);
}

#[test]
fn trap_11_padding_is_written_by_the_producer_that_wraps_with_its_own_type() {
    let mut f = fixture();
    f.advance_to(CAPACITY - 8);
    f.ring.write(4, b"abc").unwrap();
    assert_eq!((f.word(CAPACITY - 8), f.word(CAPACITY - 4)), (8, PADDING_TYPE));
    assert_eq!((f.word(0), f.word(4)), (11, 4));
    assert_eq!(f.consumer.read(10, |_, _| panic!("padding is not delivered")), 0);
    assert_eq!(f.drain(), [(4, b"abc".to_vec())]);
}

#[test]
fn trap_12_the_stored_length_is_exact_and_the_space_is_aligned() {
    let f = fixture();
    f.ring.write(4, &[1; 5]).unwrap();
    assert_eq!(f.word(0), 13);
    assert_eq!(f.ring.producer_position(), 16);
}

#[test]
fn trap_13_a_read_stops_at_the_end_of_the_ring() {
    let mut f = fixture();
    f.advance_to(CAPACITY - 32);
    f.ring.write(1, b"at the end").unwrap();
    f.ring.write(2, b"front").unwrap();
    f.ring.write(3, b"next").unwrap();
    let mut types = Vec::new();
    assert_eq!(f.consumer.read(10, |type_id, _| types.push(type_id)), 1);
    assert_eq!(f.consumer.position() as usize % CAPACITY, 0);
    assert_eq!(f.consumer.read(10, |type_id, _| types.push(type_id)), 2);
    assert_eq!(types, [1, 2, 3]);
}

#[test]
fn trap_14_correlation_ids_are_drawn_by_everyone_from_one_word() {
    let f = fixture();
    let driver = ManyToOneRingBuffer::new(&f.buffer).unwrap();
    let drawn = [&f.ring, &driver, &driver, &f.ring].map(|ring| ring.next_correlation_id().get());
    assert_eq!(drawn, [0, 1, 2, 3]);
}

#[test]
fn an_aborted_claim_is_skipped() {
    let mut f = fixture();
    f.ring.try_claim(1, 8).unwrap().abort();
    drop(f.ring.try_claim(1, 8).unwrap());
    f.ring.write(2, b"after").unwrap();
    assert_eq!(f.drain(), [(2, b"after".to_vec())]);
    assert_eq!(f.data(), vec![0; CAPACITY]);
}

#[test]
fn actions_decide_what_is_consumed() {
    let mut f = fixture();
    for type_id in 1..=4 {
        f.ring.write(type_id, &[]).unwrap();
    }
    let mut seen = Vec::new();
    let positions = f.ring.clone();
    let read = f.consumer.controlled_read(10, |type_id, _| {
        seen.push((type_id, positions.consumer_position()));
        match type_id {
            1 => ReadAction::Continue,
            2 => ReadAction::Commit,
            _ => ReadAction::Abort,
        }
    });
    assert_eq!((read, f.ring.consumer_position()), (2, 16), "the third stays");
    assert_eq!(seen, [(1, 0), (2, 0), (3, 16)]);
    let read = f.consumer.controlled_read(10, |type_id, _| {
        assert_eq!(type_id, 3);
        ReadAction::Break
    });
    assert_eq!((read, f.ring.consumer_position()), (1, 24));
    assert_eq!(f.drain(), [(4, vec![])]);
}

/// A claim of a dead producer.
#[test]
fn a_record_whose_writer_died_becomes_padding() {
    let mut f = fixture();
    core::mem::forget(f.ring.try_claim(1, 20).unwrap());
    f.ring.write(2, b"alive").unwrap();
    assert_eq!(f.drain(), []);
    assert!(f.consumer.unblock());
    assert_eq!((f.word(0), f.word(4)), (28, PADDING_TYPE));
    assert!(!f.consumer.unblock(), "nothing blocks any more");
    assert_eq!(f.drain(), [(2, b"alive".to_vec())]);
    assert!(!f.consumer.unblock());
    assert_eq!(f.consumer.repairs(), 0, "a death is no damage");
}

/// A claim of zero length at the very tail is only cleared once a record follows it.
#[test]
fn a_claim_that_was_never_started_is_padded_once_a_record_follows() {
    let mut f = fixture();
    f.advance_to(CAPACITY - 104);
    f.die_after_claim(96);
    assert!(!f.consumer.unblock());
    f.ring.write(2, b"alive").unwrap();
    assert!(f.consumer.unblock());
    assert_eq!((f.word(CAPACITY - 104), f.word(CAPACITY - 100)), (96, PADDING_TYPE));
    assert_eq!(f.drain(), [(2, b"alive".to_vec())]);
}

#[test]
fn a_claim_up_to_the_end_that_was_never_started_is_padded_once_the_front_is_used() {
    let mut f = fixture();
    f.advance_to(CAPACITY - 96);
    f.die_after_claim(96);
    assert!(!f.consumer.unblock());
    f.ring.write(2, b"alive").unwrap();
    assert!(f.consumer.unblock());
    assert_eq!(f.drain(), [(2, b"alive".to_vec())]);
}

/// A producer that had to wrap died before its padding, so nothing is at the end of the ring, and nothing at its front.
#[test]
fn a_claim_around_the_end_that_was_never_started_is_padded_once_a_record_follows() {
    for wrapped in [8, 96, 136] {
        let mut f = fixture();
        f.advance_to(CAPACITY - 96);
        f.die_after_claim(96 + wrapped);
        assert!(!f.consumer.unblock());
        f.ring.write(2, b"alive").unwrap();
        assert_eq!(f.drain(), []);
        assert!(f.consumer.unblock(), "{wrapped} bytes at the front");
        assert!(!f.consumer.unblock(), "nothing blocks any more");
        assert_eq!(f.drain(), [(2, b"alive".to_vec())]);
        assert_eq!(f.data(), vec![0; CAPACITY]);
        assert_eq!(f.consumer.repairs(), 0, "a death is no damage");
    }
}

#[test]
fn damaged_lengths_do_not_cost_others_their_commands() {
    for length in [1, 7, 137, CAPACITY as i32, CAPACITY as i32 + 1, i32::MAX] {
        let mut f = fixture();
        f.ring.write(1, b"before").unwrap();
        f.write_damaged(length, 64);
        f.ring.write(2, b"behind").unwrap();
        f.ring.write(3, b"and another").unwrap();
        assert_eq!(
            f.drain(),
            [(1, b"before".to_vec()), (2, b"behind".to_vec()), (3, b"and another".to_vec())],
            "length {length}"
        );
        assert_eq!(f.consumer.repairs(), 1);
        assert_eq!(f.data(), vec![0; CAPACITY]);
    }
}

#[test]
fn a_damaged_record_at_the_end_of_the_ring_is_skipped_to_the_front() {
    let mut f = fixture();
    f.advance_to(CAPACITY - 64);
    f.write_damaged(4, 64);
    f.ring.write(2, b"front").unwrap();
    assert_eq!(f.drain(), [(2, b"front".to_vec())]);
}

#[test]
fn a_damaged_record_without_successor_waits_for_one_or_for_the_timeout() {
    let mut f = fixture();
    f.write_damaged(5, 64);
    assert_eq!(f.drain(), []);
    assert_eq!(f.consumer.position(), 0);
    let mut other = fixture();
    other.write_damaged(5, 64);
    assert_eq!(other.drain(), []);
    assert!(other.consumer.unblock());
    assert_eq!((other.consumer.position(), other.consumer.repairs()), (64, 1));
    f.ring.write(2, b"successor").unwrap();
    assert_eq!(f.drain(), [(2, b"successor".to_vec())]);
}

/// The record behind the damaged one was still being written when the consumer searched.
#[test]
fn a_command_that_was_committed_after_the_search_survives_the_timeout() {
    let mut f = fixture();
    f.write_damaged(5, 64);
    let ring = f.ring.clone();
    let mut claim = ring.try_claim(2, 6).unwrap();
    assert_eq!(f.drain(), []);
    claim.put_bytes(0, b"behind");
    claim.commit();
    assert_eq!(f.drain(), [], "the tail has not moved since the search");
    assert!(f.consumer.unblock());
    assert_eq!(f.drain(), [(2, b"behind".to_vec())]);
    assert_eq!(f.consumer.repairs(), 1);
}

#[test]
fn a_search_does_not_pass_over_a_record_that_is_being_written() {
    let mut f = fixture();
    f.write_damaged(5, 64);
    let ring = f.ring.clone();
    let mut claim = ring.try_claim(2, 3).unwrap();
    f.ring.write(3, b"committed").unwrap();
    assert_eq!(f.drain(), [], "its producer is alive until the timeout says otherwise");
    claim.put_bytes(0, b"own");
    claim.commit();
    f.ring.write(4, b"more").unwrap();
    assert_eq!(f.drain(), [(2, b"own".to_vec()), (3, b"committed".to_vec()), (4, b"more".to_vec())]);

    let mut f = fixture();
    f.write_damaged(5, 64);
    core::mem::forget(f.ring.try_claim(2, 3).unwrap());
    f.ring.write(3, b"committed").unwrap();
    assert_eq!(f.drain(), []);
    assert!(f.consumer.unblock());
    assert_eq!(f.drain(), [(3, b"committed".to_vec())]);
}

#[test]
fn negative_lengths_that_no_writer_stores_do_not_cost_others_their_commands() {
    for length in [i32::MIN, -4, -2000] {
        let mut f = fixture();
        f.write_damaged(length, 32);
        f.ring.write(2, b"behind").unwrap();
        assert_eq!(f.drain(), []);
        assert!(f.consumer.unblock(), "{length}");
        assert_eq!(f.drain(), [(2, b"behind".to_vec())], "{length}");
        assert_eq!(f.consumer.repairs(), 1);
    }
}

#[test]
fn a_tail_that_no_producer_stores_is_repaired() {
    for tail in [-8, 3, i64::MIN, i64::MAX, 1 << 40, i64::MAX - 7] {
        let mut f = fixture();
        f.advance_to(64);
        f.buffer.word_at::<i64>(TAIL).store_release(tail);
        let _ = f.ring.write(1, b"into nowhere");
        assert_eq!(f.drain(), []);
        assert!(f.consumer.unblock(), "tail {tail}");
        f.ring.write(2, b"well again").unwrap();
        assert_eq!(f.drain(), [(2, b"well again".to_vec())]);
    }
}

#[test]
fn a_head_that_the_consumer_did_not_store_is_overwritten() {
    let mut f = fixture();
    f.ring.write(1, b"one").unwrap();
    f.buffer.word_at::<i64>(HEAD).store_release(i64::MAX);
    assert_eq!(f.drain(), [(1, b"one".to_vec())]);
    assert_eq!(f.ring.consumer_position(), 16);
    f.buffer.word_at::<i64>(HEAD).store_release(-5000);
    f.buffer.word_at::<i64>(HEAD_CACHE).store_release(-5000);
    assert_eq!(f.ring.write(1, b"one"), Err(RingWriteError::Full));
    f.consumer.unblock();
    f.ring.write(1, b"one").unwrap();
}

#[test]
fn a_head_cache_beyond_the_tail_costs_nobody_a_command() {
    for found in [CAPACITY as i64 * 3, i64::MAX / 16 * 8, i64::MAX] {
        let mut f = fixture();
        let mut expected: Vec<_> = (1..=8).map(|type_id| (type_id, vec![0xEE; 120])).collect();
        f.buffer.word_at::<i64>(HEAD_CACHE).store_release(found);
        for (type_id, message) in &expected {
            f.ring.write(*type_id, message).unwrap();
        }
        assert_eq!(f.ring.write(9, &[]), Err(RingWriteError::Full), "{found}");
        assert_eq!(f.drain(), expected);
        f.ring.write(9, &[]).unwrap();
        expected = vec![(9, vec![])];
        assert_eq!(f.drain(), expected);
        assert_eq!(f.consumer.repairs(), 0);
        assert_eq!(f.buffer.word_at::<i64>(HEAD_CACHE).load_acquire(), CAPACITY as i64, "it is right again");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Abort(usize),
    /// A producer dies: with its length stored, or before.
    Die(usize, bool),
    Read(usize),
    Unblock,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..=128_usize).prop_map(Step::Write),
        1 => (0..=128_usize).prop_map(Step::Abort),
        1 => ((0..=128_usize), any::<bool>()).prop_map(|(length, started)| Step::Die(length, started)),
        5 => (0..6_usize).prop_map(Step::Read),
        2 => Just(Step::Unblock),
    ]
}

proptest! {
    /// Whatever happens, what is read is what was written, in order; what was refused did not fit; nothing stays behind.
    #[test]
    fn behaves_as_a_queue(steps in prop::collection::vec(step(), 1..200)) {
        let mut f = fixture();
        let mut queue = VecDeque::new();
        let mut serial = 0_u8;
        for step in steps {
            match step {
                Step::Write(length) => {
                    serial = serial.wrapping_add(1);
                    let message = vec![serial; length];
                    let free = CAPACITY as i64 - (f.ring.producer_position() - f.ring.consumer_position());
                    match f.ring.write(7, &message) {
                        Ok(()) => queue.push_back(message),
                        // At worst the whole of the message, less one unit, is lost at the end of the ring.
                        Err(RingWriteError::Full) => prop_assert!(free < 2 * occupied(HEADER_LENGTH + length) as i64),
                        Err(other) => return Err(TestCaseError::fail(other.to_string())),
                    }
                }
                Step::Abort(length) => drop(f.ring.try_claim(7, length)),
                Step::Die(length, true) => core::mem::forget(f.ring.try_claim(7, length)),
                Step::Die(length, false) => {
                    let space = occupied(HEADER_LENGTH + length);
                    let tail = f.ring.producer_position();
                    let free = CAPACITY as i64 - (tail - f.ring.consumer_position());
                    let to_end = CAPACITY - tail as usize % CAPACITY;
                    let claimed = if space <= to_end { space } else { to_end + space };
                    if claimed as i64 <= free {
                        f.die_after_claim(claimed);
                    }
                }
                Step::Read(limit) => {
                    let mut wrong = None;
                    let read = f.consumer.read(limit, |type_id, message| {
                        let expected = queue.pop_front();
                        if type_id != 7 || expected.as_deref() != Some(message) {
                            wrong = Some((expected, message.to_vec()));
                        }
                    });
                    prop_assert_eq!(wrong, None);
                    prop_assert!(read <= limit);
                }
                Step::Unblock => {
                    f.consumer.unblock();
                }
            }
        }
        // Unblocking and reading alternate until both rest, with a last record behind any claim that was never started.
        let mut closing = Vec::new();
        for _ in 0..100 {
            f.consumer.unblock();
            f.consumer.read(1000, |type_id, message| if type_id == 7 { closing.push(message.to_vec()) });
            if f.ring.consumer_position() == f.ring.producer_position() {
                break;
            }
            let _ = f.ring.write(8, b"last");
        }
        prop_assert_eq!(closing, Vec::from(queue));
        prop_assert_eq!(f.ring.consumer_position(), f.ring.producer_position());
        prop_assert_eq!(f.data(), vec![0; CAPACITY]);
        prop_assert_eq!(f.consumer.repairs(), 0);
    }

    /// Any bytes at all: it reads, unblocks and writes without a panic, and works again once unblocked and drained.
    #[test]
    fn survives_any_bytes(
        bytes in prop::collection::vec(prop_oneof![3 => 0..=255_u8, 2 => Just(0_u8), 1 => 0..=40_u8], CAPACITY + 512),
        words in prop::collection::vec((0..CAPACITY / 4, -200..200_i32), 0..40),
        keep_trailer in any::<bool>(),
        tail in 0..=(CAPACITY / 8) as i64,
    ) {
        let mut f = fixture();
        f.buffer.put_bytes(0, &bytes[..if keep_trailer { CAPACITY } else { CAPACITY + 512 }]);
        for (word, value) in words {
            f.buffer.word_at::<i32>(word * 4).store_relaxed(value);
        }
        if keep_trailer {
            f.buffer.word_at::<i64>(TAIL).store_release(tail * 8);
        }
        let mut seen = false;
        for _ in 0..2 * CAPACITY / 8 {
            let _ = f.ring.write(1, b"some command");
            f.consumer.read(3, |_, message| assert!(message.len() <= 128));
            f.consumer.unblock();
        }
        for _ in 0..3 {
            let _ = f.ring.write(6, b"well again");
            f.consumer.read(1000, |type_id, message| seen |= (type_id, message) == (6, b"well again"));
            f.consumer.read(1000, |type_id, message| seen |= (type_id, message) == (6, b"well again"));
        }
        prop_assert!(seen);
    }
}
