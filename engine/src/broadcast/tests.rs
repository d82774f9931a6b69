//! Tests of the broadcast buffer against its traps, against damage, and against a plain list of events.

use proptest::prelude::*;

use super::*;
use crate::memory::AtomicBuffer;
use crate::record::{HEADER_LENGTH, PADDING_TYPE};

const CAPACITY: usize = 1024;
const INTENT: usize = CAPACITY;
const TAIL: usize = CAPACITY + 8;
const LATEST: usize = CAPACITY + 16;

fn buffer() -> (AtomicBuffer, Transmitter) {
    let buffer = AtomicBuffer::heap(CAPACITY + BROADCAST_TRAILER_LENGTH);
    let transmitter = Transmitter::new(&buffer).unwrap();
    (buffer, transmitter)
}

fn receive(receiver: &mut Receiver) -> Result<Option<(i32, Vec<u8>)>, ReceiveError> {
    let mut event = None;
    let received = receiver.receive(|type_id, bytes| event = Some((type_id, bytes.to_vec())))?;
    assert_eq!(received, usize::from(event.is_some()));
    Ok(event)
}

fn words(buffer: &AtomicBuffer) -> [i64; 3] {
    [INTENT, TAIL, LATEST].map(|at| buffer.word_at::<i64>(at).load_acquire())
}

/// After damage, a receiver may be wrong about where it is by a record; then it is with the transmitter again.
fn assert_goes_on(transmitter: &mut Transmitter, receiver: &mut Receiver) {
    for _ in 0..10 {
        transmitter.transmit(4, b"lost, perhaps").unwrap();
        for _ in 0..3 {
            let _ = receiver.receive(|_, _| ());
        }
    }
    transmitter.transmit(4, b"seen").unwrap();
    assert_eq!(receive(receiver), Ok(Some((4, b"seen".to_vec()))));
}

#[test]
fn buffers_of_other_lengths_are_refused() {
    for length in [1, 128, 128 + 32, 1024, 1000 + 128] {
        assert_eq!(Receiver::new(&AtomicBuffer::heap(length)).unwrap_err(), BroadcastBufferError { length });
        assert_eq!(Transmitter::new(&AtomicBuffer::heap(length)).unwrap_err(), BroadcastBufferError { length });
    }
}

/// Where the default buffer has its words, in the file.
#[test]
fn the_words_of_the_default_buffer_are_where_the_reference_has_them() {
    let file = AtomicBuffer::heap(2_098_176);
    let region = file.slice(1_049_472, (1 << 20) + BROADCAST_TRAILER_LENGTH);
    let mut transmitter = Transmitter::new(&region).unwrap();
    assert_eq!(transmitter.max_message_length(), 128 << 10);
    transmitter.transmit(1, b"abc").unwrap();
    transmitter.transmit(1, b"abc").unwrap();
    assert_eq!(file.word_at::<i64>(2_098_048).load_acquire(), 32, "tail intent");
    assert_eq!(file.word_at::<i64>(2_098_056).load_acquire(), 32, "tail");
    assert_eq!(file.word_at::<i64>(2_098_064).load_acquire(), 16, "latest");
}

#[test]
fn trap_15_intent_covers_padding_and_record_and_latest_names_the_record() {
    let (buffer, mut transmitter) = buffer();
    for _ in 0..7 {
        transmitter.transmit(1, &[1; 128]).unwrap();
    }
    transmitter.transmit(1, &[1; 40]).unwrap();
    assert_eq!(words(&buffer), [1000, 1000, 952]);
    transmitter.transmit(1, &[1; 100]).unwrap();
    let end = 1024 + 112;
    assert_eq!(words(&buffer), [end, end, 1024], "the order of the stores is the model's business");
    assert_eq!(buffer.word_at::<i32>(1000).load_acquire(), 24);
    assert_eq!(buffer.word_at::<i32>(1004).load_acquire(), PADDING_TYPE);
}

#[test]
fn trap_16_a_copy_is_judged_by_where_its_record_started() {
    let (buffer, mut transmitter) = buffer();
    let mut receiver = Receiver::new(&buffer).unwrap();
    transmitter.transmit(5, &[9; 128]).unwrap();
    // The transmitter is about to overwrite the first bytes of the record, not yet those of the next.
    buffer.word_at::<i64>(INTENT).store_release(CAPACITY as i64 + 8);
    assert_eq!(receive(&mut receiver), Err(ReceiveError::Lapped));
    let mut receiver = Receiver::new(&buffer).unwrap();
    buffer.word_at::<i64>(INTENT).store_release(CAPACITY as i64 - 8);
    assert_eq!(receive(&mut receiver), Ok(Some((5, vec![9; 128]))));
}

#[test]
fn trap_17_a_new_receiver_starts_at_the_latest_event() {
    let (buffer, mut transmitter) = buffer();
    assert_eq!(receive(&mut Receiver::new(&buffer).unwrap()), Ok(None));
    for type_id in 1..=3 {
        transmitter.transmit(type_id, b"event").unwrap();
    }
    let mut receiver = Receiver::new(&buffer).unwrap();
    assert_eq!(receive(&mut receiver), Ok(Some((3, b"event".to_vec()))));
    assert_eq!(receive(&mut receiver), Ok(None));
}

/// The transmitter has stored where the newest event starts, but not yet that it is there.
#[test]
fn a_receiver_that_joins_before_the_newest_event_is_there_waits_for_it() {
    for (before, length) in [(1, 0), (1, 128), (7, 128)] {
        let (buffer, mut transmitter) = buffer();
        (0..before).for_each(|_| transmitter.transmit(1, &[1; 120]).unwrap());
        transmitter.transmit(2, &vec![2; length]).unwrap();
        let tail = buffer.word_at::<i64>(TAIL);
        let with_it = tail.load_acquire();
        tail.store_release(before * 128);
        let mut receiver = Receiver::new(&buffer).unwrap();
        assert_eq!(receive(&mut receiver), Ok(None));
        tail.store_release(with_it);
        assert_eq!(receive(&mut receiver), Ok(Some((2, vec![2; length]))));
    }
}

#[test]
fn trap_18_the_record_behind_the_padding_is_at_the_front() {
    let (buffer, mut transmitter) = buffer();
    for _ in 0..7 {
        transmitter.transmit(1, &[1; 128]).unwrap();
    }
    transmitter.transmit(1, &[1; 40]).unwrap();
    let mut receiver = Receiver::new(&buffer).unwrap();
    assert_eq!(receive(&mut receiver), Ok(Some((1, vec![1; 40]))));
    transmitter.transmit(2, &[2; 100]).unwrap();
    assert_eq!(receive(&mut receiver), Ok(Some((2, vec![2; 100]))), "in one call, without a word about the padding");
    assert_eq!(receive(&mut receiver), Ok(None));
}

#[test]
fn trap_19_events_longer_than_an_eighth_are_refused() {
    let (buffer, mut transmitter) = buffer();
    assert_eq!(transmitter.transmit(1, &[0; 129]), Err(TransmitError::TooLong { length: 129, max: 128 }));
    assert_eq!(transmitter.transmit(0, &[]), Err(TransmitError::InvalidType { found: 0 }));
    assert_eq!(words(&buffer), [0; 3]);
    transmitter.transmit(1, &[0; 128]).unwrap();
}

/// A receiver a full lap behind resumes at the latest event and sees that one again.
#[test]
fn a_lapped_receiver_is_told_and_resumes_at_the_latest_event() {
    let (buffer, mut transmitter) = buffer();
    let mut receiver = Receiver::new(&buffer).unwrap();
    for serial in 0..100 {
        transmitter.transmit(1, &[serial; 24]).unwrap();
    }
    assert_eq!(receive(&mut receiver), Err(ReceiveError::Lapped));
    assert_eq!(receive(&mut receiver), Ok(Some((1, vec![99; 24]))));
    assert_eq!(receive(&mut receiver), Ok(None));
}

#[test]
fn a_damaged_record_is_an_error_and_the_receiver_goes_on_behind_it() {
    for (length, type_id) in
        [(0, 1), (7, 1), (-16, 1), (i32::MIN, 1), (i32::MAX, 1), (137, 1), (48, 1), (16, 0), (16, -1), (16, -7)]
    {
        let (buffer, mut transmitter) = buffer();
        let mut receiver = Receiver::new(&buffer).unwrap();
        transmitter.transmit(1, b"damaged").unwrap();
        transmitter.transmit(2, b"behind").unwrap();
        buffer.word_at::<i32>(0).store_release(length);
        buffer.word_at::<i32>(4).store_release(type_id);
        assert_eq!(receive(&mut receiver), Err(ReceiveError::Damaged), "{length} {type_id}");
        assert_eq!(receive(&mut receiver), Ok(None));
        transmitter.transmit(3, b"later").unwrap();
        assert_eq!(receive(&mut receiver), Ok(Some((3, b"later".to_vec()))));
    }
}

#[test]
fn what_others_store_in_the_trailer_does_not_move_the_transmitter() {
    let (buffer, mut transmitter) = buffer();
    let mut receiver = Receiver::new(&buffer).unwrap();
    for value in [i64::MIN, -8, 3, 1 << 62, i64::MAX] {
        for at in [INTENT, TAIL, LATEST] {
            buffer.word_at::<i64>(at).store_release(value);
        }
        for _ in 0..3 {
            let _ = receive(&mut receiver);
            let _ = receive(&mut Receiver::new(&buffer).unwrap());
        }
        assert_goes_on(&mut transmitter, &mut receiver);
    }
}

proptest! {
    /// A receiver sees a run of the events, whole and in order, and is told of every gap.
    #[test]
    fn behaves_as_a_list_with_gaps(steps in prop::collection::vec((0..=128_usize, 0..6_usize), 1..200)) {
        let (buffer, mut transmitter) = buffer();
        let mut receiver = Receiver::new(&buffer).unwrap();
        let mut sent = Vec::new();
        let mut seen = 0;
        for (length, receives) in steps {
            let event = vec![sent.len() as u8; length];
            transmitter.transmit(1 + sent.len() as i32, &event).unwrap();
            sent.push(event);
            for _ in 0..receives {
                match receive(&mut receiver) {
                    Ok(None) => prop_assert_eq!(seen, sent.len()),
                    Ok(Some((type_id, event))) => {
                        prop_assert_eq!(type_id as usize, seen + 1);
                        prop_assert_eq!(&event, &sent[seen]);
                        seen += 1;
                    }
                    Err(error) => {
                        prop_assert_eq!(error, ReceiveError::Lapped);
                        let unread: usize = sent[seen..].iter().map(|event| HEADER_LENGTH + event.len() + 7).sum();
                        prop_assert!(unread + 136 >= CAPACITY, "lapped with only {} bytes unread", unread);
                        seen = sent.len() - 1;
                    }
                }
            }
        }
    }

    /// Any bytes at all: it receives without a panic, and once the transmitter goes on so does it.
    #[test]
    fn survives_any_bytes(
        bytes in prop::collection::vec(prop_oneof![0..=255_u8, Just(0_u8), 0..=40_u8], CAPACITY),
        words in prop::array::uniform3(prop_oneof![any::<i64>(), (0..400_i64).prop_map(|unit| unit * 8)]),
    ) {
        let (buffer, mut transmitter) = buffer();
        let mut receiver = Receiver::new(&buffer).unwrap();
        buffer.put_bytes(0, &bytes);
        for (at, word) in [INTENT, TAIL, LATEST].into_iter().zip(words) {
            buffer.word_at::<i64>(at).store_release(word);
        }
        let mut other = Receiver::new(&buffer).unwrap();
        for receiver in [&mut receiver, &mut other] {
            for _ in 0..200 {
                let _ = receiver.receive(|_, event| assert!(event.len() <= 128));
            }
        }
        assert_goes_on(&mut transmitter, &mut receiver);
        assert_goes_on(&mut transmitter, &mut other);
    }
}
