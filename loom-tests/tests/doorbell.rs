//! Models of the doorbell: a subscriber that falls asleep on an empty log, against a publisher that commits to it. The
//! two one-sided barriers are full fences here, which is their combined effect.
#![cfg(engine_loom)]

use gannet::logbuffer::{Bell, ConcurrentAppender, Doorbell, ImageReader, LogBuffers, LogKind, LogParameters};
use gannet::memory::{AtomicBuffer, Field};
use gannet::types::{SessionId, StreamId, TermId, TermLength};
use gannet_loom_tests::{Bounds, check, must_fail};
use loom::thread;

/// The outcome for a subscriber that waits for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// It found the message before it prepared to sleep.
    ReadAtOnce,
    /// It saw the message or the ring in its last check before sleeping.
    LookedAgain,
    /// It slept and was woken by the ring.
    Woken,
}

/// A subscriber never keeps sleeping when there is a message.
#[test]
fn a_commit_against_falling_asleep() {
    a_commit_against_falling_asleep_model();
    must_fail("doorbell.light:fence", a_commit_against_falling_asleep_model);
    must_fail("doorbell.heavy:fence", a_commit_against_falling_asleep_model);
}

fn a_commit_against_falling_asleep_model() {
    use Outcome::{LookedAgain, ReadAtOnce, Woken};
    check(Bounds::preemptions(3), &[ReadAtOnce, LookedAgain, Woken], || {
        let mut parameters = LogParameters::ipc(
            LogKind::Concurrent,
            TermLength::tiny(64),
            SessionId::new(1),
            StreamId::new(2),
            TermId::new(5),
        );
        parameters.mtu = 64;
        let counters = AtomicBuffer::model(16, &[0, 8]);
        let [limit, subscriber] = [0, 8].map(|at| counters.own(Field::<i64>::at(at)));
        limit.store_release(64);
        let log = LogBuffers::model(&parameters);
        let header = AtomicBuffer::model(128, &[]);
        let doorbell = Doorbell::of_log(&log, &header);

        let publisher = thread::spawn({
            let (log, doorbell) = (log.clone(), doorbell.clone());
            move || {
                ConcurrentAppender::new(&log, limit).unwrap().offer(b"").unwrap();
                doorbell.after_commit();
            }
        });
        let mut reader = ImageReader::new(log, subscriber);
        if reader.poll(|_| {}, 1) == 1 {
            publisher.join().unwrap();
            return ReadAtOnce;
        }
        let bell = Bell::new(&header, 3);
        let drowsy = bell.doze([&doorbell]);
        if reader.is_ready() || bell.was_rung(drowsy) {
            publisher.join().unwrap();
            return LookedAgain;
        }
        publisher.join().unwrap();
        assert!(bell.was_rung(drowsy), "it sleeps on, and nobody wakes it");
        assert_eq!(reader.poll(|_| {}, 1), 1, "the bell comes after the message");
        Woken
    });
}

/// Two subscribers, each with a bell, at one door: one ring wakes both, or each ring wakes one.
#[test]
fn two_waiters_against_two_rings() {
    two_waiters_against_two_rings_model();
    must_fail("doorbell.asleep:split", two_waiters_against_two_rings_model);
}

fn two_waiters_against_two_rings_model() {
    check(Bounds::preemptions(2), &[()], || {
        let header = AtomicBuffer::model(128, &[]);
        let words = AtomicBuffer::model(8, &[]);
        let doorbell = Doorbell::new(words.own(Field::at(0)), words.own(Field::at(4)), header.clone());
        let waiters = [1, 2].map(|number| {
            let (bell, doorbell) = (Bell::new(&header, number), doorbell.clone());
            thread::spawn(move || {
                let drowsy = bell.doze([&doorbell]);
                (bell, drowsy)
            })
        });
        doorbell.after_commit();
        let asleep = waiters.map(|waiter| waiter.join().unwrap());
        // A subscriber that was not woken by the first message is woken by the second, so no bit was lost.
        doorbell.after_commit();
        for (bell, drowsy) in asleep {
            assert!(bell.was_rung(drowsy));
        }
    });
}
