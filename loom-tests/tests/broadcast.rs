//! Models of the event broadcast: a receiver that keeps up, one that is lapped, and one that joins late.
#![cfg(engine_loom)]

use gannet::broadcast::{BROADCAST_TRAILER_LENGTH, ReceiveError, Receiver, Transmitter};
use gannet::memory::AtomicBuffer;
use gannet_loom_tests::{Bounds, check, must_fail};
use loom::thread;

/// Room for four records of 8 bytes of payload, which is the greatest length for such a buffer.
const CAPACITY: usize = 64;

fn broadcast() -> (Transmitter, Receiver) {
    let buffer = AtomicBuffer::model(CAPACITY + BROADCAST_TRAILER_LENGTH, &[0, 8, 16].map(|at| CAPACITY + at));
    (Transmitter::new(&buffer).unwrap(), Receiver::new(&buffer).unwrap())
}

/// Receives the next event and returns its type. The payload of an event is its type, eight times.
fn receive(receiver: &mut Receiver) -> Result<Option<i32>, ReceiveError> {
    let mut event = None;
    receiver.receive(|type_id, bytes| {
        assert!(bytes.iter().all(|&byte| byte == type_id as u8), "{type_id} {bytes:?}");
        event = Some(type_id);
    })?;
    Ok(event)
}

fn transmit(transmitter: &mut Transmitter, type_id: u8) {
    transmitter.transmit(type_id.into(), &[type_id; 8]).unwrap();
}

/// A receiver that keeps up finds no event or a complete one.
#[test]
fn a_receiver_that_keeps_up() {
    a_receiver_that_keeps_up_model();
    must_fail("bc.tail:store", a_receiver_that_keeps_up_model);
    must_fail("bc.tail:load", a_receiver_that_keeps_up_model);
}

fn a_receiver_that_keeps_up_model() {
    check(Bounds::NONE, &[None, Some(1)], || {
        let (mut transmitter, mut receiver) = broadcast();
        let client = thread::spawn(move || {
            let early = receive(&mut receiver).unwrap();
            (receiver, early)
        });
        transmit(&mut transmitter, 1);
        let (mut receiver, early) = client.join().unwrap();
        assert_eq!(receive(&mut receiver), Ok(if early.is_none() { Some(1) } else { None }));
        early
    });
}

/// The transmitter overwrites the event that a receiver is about to copy. The receiver gets the whole event, or an
/// error that it was lapped, after which it continues with the newest.
#[test]
fn a_receiver_that_is_lapped() {
    a_receiver_that_is_lapped_model();
    must_fail("bc.tail-intent:fence", a_receiver_that_is_lapped_model);
}

fn a_receiver_that_is_lapped_model() {
    use ReceiveError::Lapped;
    let allowed = [
        (Ok(Some(1)), vec![Err(Lapped), Ok(Some(5))]),
        (Err(Lapped), vec![Ok(Some(3)), Ok(Some(4)), Ok(Some(5))]),
        (Err(Lapped), vec![Ok(Some(4)), Ok(Some(5))]),
        (Err(Lapped), vec![Ok(Some(5))]),
    ]
    .map(|(first, rest)| format!("{first:?}, then {rest:?}"));
    // Without the bound this takes fifty times as long and finds the same outcomes.
    check(Bounds::preemptions(2), &allowed, || {
        let (mut transmitter, mut receiver) = broadcast();
        (1..=3).for_each(|type_id| transmit(&mut transmitter, type_id));
        let client = thread::spawn(move || {
            let first = receive(&mut receiver);
            (receiver, first)
        });
        (4..=5).for_each(|type_id| transmit(&mut transmitter, type_id));
        let (mut receiver, first) = client.join().unwrap();
        let mut rest = Vec::new();
        loop {
            match receive(&mut receiver) {
                Ok(None) => break,
                found => rest.push(found),
            }
        }
        format!("{first:?}, then {rest:?}")
    });
}

/// A receiver is lapped by an event for which the transmitter pads the end of the buffer. The receiver may know the
/// start of that event before it is transmitted, and then waits for it.
#[test]
fn a_receiver_that_is_lapped_at_the_end() {
    a_receiver_that_is_lapped_at_the_end_model();
    must_fail("bc.tail-intent:fence", a_receiver_that_is_lapped_at_the_end_model);
}

fn a_receiver_that_is_lapped_at_the_end_model() {
    let allowed = [
        (Ok(Some(1)), Err(ReceiveError::Lapped)),
        (Ok(Some(1)), Ok(Some(2))),
        (Err(ReceiveError::Lapped), Ok(Some(4))),
        (Err(ReceiveError::Lapped), Ok(Some(5))),
        (Err(ReceiveError::Lapped), Ok(None)),
    ]
    .map(|outcome| format!("{outcome:?}"));
    // Without the bound this takes fifty times as long and finds the same outcomes.
    check(Bounds::preemptions(2), &allowed, || {
        let (mut transmitter, mut receiver) = broadcast();
        (1..=3).for_each(|type_id| transmit(&mut transmitter, type_id));
        transmitter.transmit(4, &[]).unwrap();
        let client = thread::spawn(move || {
            let first = receive(&mut receiver);
            let second = receive(&mut receiver);
            format!("{:?}", (first, second))
        });
        transmit(&mut transmitter, 5);
        client.join().unwrap()
    });
}
