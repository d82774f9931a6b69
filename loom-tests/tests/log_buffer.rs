//! Models of the log buffer: claims and commits against polls, publishers at a rotation, a claim against the unblocker,
//! and memory that is consumed, cleaned and claimed again.
#![cfg(engine_loom)]

use gannet::logbuffer::{
    ConcurrentAppender, ImageReader, LogBuffers, LogKind, LogParameters, OfferError, clean_to, unblock,
};
use gannet::memory::{AtomicBuffer, Field, OwnedWord};
use gannet::types::{Position, SessionId, StreamId, TermId, TermLength};
use gannet_loom_tests::{Bounds, Crossing, check, must_fail};
use loom::thread;
use std::sync::Arc;

/// A log with terms of `term` bytes, and the two counters used with it.
struct Stream {
    log: LogBuffers,
    limit: OwnedWord<i64>,
    subscriber: OwnedWord<i64>,
}

impl Stream {
    fn new(term: i32) -> Self {
        let term_length = TermLength::tiny(term);
        let mut parameters =
            LogParameters::ipc(LogKind::Concurrent, term_length, SessionId::new(1), StreamId::new(2), TermId::new(5));
        parameters.mtu = 64;
        let counters = AtomicBuffer::model(16, &[0, 8]);
        let [limit, subscriber] = [0, 8].map(|at| counters.own(Field::<i64>::at(at)));
        limit.store_release(i64::from(term) * 3);
        Self { log: LogBuffers::model(&parameters), limit, subscriber }
    }

    fn appender(&self) -> ConcurrentAppender {
        ConcurrentAppender::new(&self.log, self.limit.clone()).unwrap()
    }

    fn reader(&self) -> ImageReader {
        ImageReader::new(self.log.clone(), self.subscriber.clone())
    }

    /// The payloads that one poll finds.
    fn poll(&self) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        self.reader().poll(
            |fragment| {
                assert_eq!((fragment.session_id(), fragment.stream_id()), (SessionId::new(1), StreamId::new(2)));
                found.push(fragment.payload().to_vec());
            },
            usize::MAX,
        );
        found
    }
}

/// A publisher claims, writes and commits while a subscriber polls. The subscriber finds nothing or the whole message.
#[test]
fn claim_and_commit_against_poll() {
    claim_and_commit_against_poll_model();
    must_fail("log.frame-committed:store", claim_and_commit_against_poll_model);
    must_fail("log.frame-committed:load", claim_and_commit_against_poll_model);
}

fn claim_and_commit_against_poll_model() {
    check(Bounds::NONE, &[0, 1], || {
        let stream = Stream::new(64);
        let appender = stream.appender();
        let publisher = thread::spawn(move || {
            let mut claim = appender.try_claim(4).unwrap();
            claim.payload_mut().copy_from_slice(&[1, 2, 3, 4]);
            claim.commit().unwrap();
        });
        let early = stream.poll();
        publisher.join().unwrap();
        let late = stream.poll();
        assert_eq!([early.clone(), late].concat(), [[1, 2, 3, 4]]);
        early.len()
    });
}

/// Two publishers find the term too short at the same time. Each message is published once in the next term, one behind
/// the other; the rest of the old term is padding.
///
/// A publisher may have to retry once, because it rotated the log or another publisher was about to. When it sees the
/// rotation, it also sees the tail of the new term, so there is no second retry.
#[test]
fn two_publishers_at_a_rotation() {
    two_publishers_at_a_rotation_model();
    must_fail("log.active-term:update", two_publishers_at_a_rotation_model);
    must_fail("log.active-term:load", two_publishers_at_a_rotation_model);
}

/// The position after a publisher's message, and how often the publisher had to retry.
type Sent = (i64, usize);

fn offer_until_sent(appender: &ConcurrentAppender, payload: &[u8]) -> Sent {
    for sent_back in 0..4 {
        match appender.offer(payload) {
            Ok(position) => return (position.get(), sent_back),
            Err(OfferError::AdminAction) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("sent back too often");
}

fn two_publishers_at_a_rotation_model() {
    let allowed = [
        [(192, 0), (256, 1)],
        [(192, 1), (256, 0)],
        [(192, 1), (256, 1)],
        [(256, 0), (192, 1)],
        [(256, 1), (192, 0)],
        [(256, 1), (192, 1)],
    ];
    check(Bounds::NONE, &allowed, || {
        let stream = Stream::new(128);
        let appender = stream.appender();
        (0..3).for_each(|_| _ = appender.offer(&[]).unwrap());
        let crossing = Crossing::default();
        let (other, crossed) = (stream.appender(), crossing.clone());
        let publisher = thread::spawn(move || {
            let sent = offer_until_sent(&other, &[1; 8]);
            crossed.pass();
            sent
        });
        crossing.pass();
        let here = offer_until_sent(&appender, &[2; 8]);
        let there = publisher.join().unwrap();
        assert_eq!(stream.poll(), [[]; 3].map(|empty: [u8; 0]| empty.to_vec()));
        let expected = if here.0 < there.0 { [[2; 8], [1; 8]] } else { [[1; 8], [2; 8]] };
        assert_eq!(stream.poll(), expected);
        [here, there]
    });
}

/// The outcome for a claim that the driver unblocks while its publisher is about to commit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claimed {
    committed: bool,
    unblocked: bool,
    delivered: bool,
}

/// The driver unblocks a claim whose publisher is late, not dead. The claim is delivered as a whole or skipped as a
/// whole, and what follows it is delivered in both cases.
///
/// A publisher that has checked that the claim is still its own, and then sleeps during the whole unblocking, is told
/// that it committed what was skipped. Closing that gap would cost every commit a locked instruction.
#[test]
fn claim_against_unblock() {
    claim_against_unblock_model();
    must_fail("log.frame-committed:store", claim_against_unblock_model);
}

fn claim_against_unblock_model() {
    let outcome = |committed, unblocked, delivered| Claimed { committed, unblocked, delivered };
    let allowed = [
        outcome(true, false, true),
        outcome(false, true, false),
        outcome(true, false, false),
        outcome(true, true, false),
    ];
    check(Bounds::NONE, &allowed, || {
        let stream = Stream::new(128);
        let appender = stream.appender();
        let mut claim = appender.try_claim(4).unwrap();
        stream.appender().offer(&[]).unwrap();
        let crossing = Crossing::default();
        let stream = Arc::new(stream);
        let (driven, crossed) = (Arc::clone(&stream), crossing.clone());
        let driver = thread::spawn(move || {
            let unblocked = unblock(&driven.log, Position::new(0));
            crossed.pass();
            (unblocked, driven.poll())
        });
        claim.payload_mut().copy_from_slice(&[1, 2, 3, 4]);
        crossing.pass();
        let committed = claim.commit().is_ok();
        let (unblocked, early) = driver.join().unwrap();
        let found = [early, stream.poll()].concat();
        let delivered = found.len() == 2;
        assert_eq!(found, if delivered { vec![vec![1, 2, 3, 4], vec![]] } else { vec![vec![]] });
        Claimed { committed, unblocked, delivered }
    });
}

/// The driver finds a range that was claimed but not begun, and its publisher begins it just then. The payload is never
/// mistaken for the next frame: what follows is delivered, along with the message or padding of its length.
///
/// Two things keep this correct, each by itself: the driver's compare-and-exchange of the length that it found, and that
/// a frame that was begun is known to be, which is the next model. Drivers that store without comparing depend on the
/// latter.
#[test]
fn offer_against_unblock_of_a_gap() {
    offer_against_unblock_of_a_gap_model();
    must_fail("log.frame-taken-over:split,log.frame-started:fence", offer_against_unblock_of_a_gap_model);
}

fn offer_against_unblock_of_a_gap_model() {
    // `None`: the message came second, so there was no gap. Otherwise: whether it was unblocked, and whether it was
    // delivered.
    let allowed = [None, Some((false, false)), Some((false, true)), Some((true, false)), Some((true, true))];
    check(Bounds::preemptions(3), &allowed, || {
        let stream = Stream::new(128);
        let appender = stream.appender();
        let publisher = thread::spawn(move || appender.offer(&[9; 4]).unwrap().get());
        let last = stream.appender().offer(&[]).unwrap().get();
        // There is something before this message only if the other publisher claimed first.
        let unblocked = (last == 96).then(|| unblock(&stream.log, Position::new(0)));
        publisher.join().unwrap();
        let found = stream.poll();
        assert_eq!(stream.subscriber.load_relaxed(), 96);
        if unblocked.is_none() {
            assert_eq!(found, [vec![], vec![9; 4]]);
        }
        // Loom allows the final length to be the driver's or the publisher's: it does not derive from an update that a
        // later store replaces the value. So only the position of the next frame is checked, not the length of the
        // message.
        let delivered = found.iter().any(|message| message.starts_with(&[9; 4]));
        assert_eq!(found.len(), 1 + usize::from(delivered));
        assert!(found.contains(&vec![]));
        unblocked.map(|unblocked| (unblocked, delivered))
    });
}

/// A thread that sees any of a frame's payload also sees that the frame was begun. Unblockers search for the next frame
/// in steps of 32 bytes, and must not mistake the payload of a claim that was begun meanwhile for a frame.
#[test]
fn a_frame_that_was_begun_is_known_to_be() {
    a_frame_that_was_begun_is_known_to_be_model();
    must_fail("log.frame-started:fence", a_frame_that_was_begun_is_known_to_be_model);
}

fn a_frame_that_was_begun_is_known_to_be_model() {
    // Whether the payload is visible, and whether the frame is.
    let allowed = [(false, false), (false, true), (true, true)];
    check(Bounds::NONE, &allowed, || {
        let stream = Stream::new(64);
        let appender = stream.appender();
        let publisher = thread::spawn(move || appender.offer(&[9; 4]).unwrap());
        let term = stream.log.term(0);
        let payload = term.probe_acquire(32) != 0;
        let frame = term.word_at::<i32>(0).load_acquire() != 0;
        publisher.join().unwrap();
        (payload, frame)
    });
}

/// Memory passes from the subscriber, who has read it, to the conductor, who cleans it, and to a publisher, who writes
/// to it three terms later.
#[test]
fn consumed_memory_is_claimed_again() {
    consumed_memory_is_claimed_again_model();
    must_fail("pos.subscriber:store", consumed_memory_is_claimed_again_model);
    must_fail("pos.publisher-limit:load", consumed_memory_is_claimed_again_model);
}

fn consumed_memory_is_claimed_again_model() {
    check(Bounds::preemptions(2), &[Ok(256), Err(())], || {
        let stream = Stream::new(64);
        let appender = stream.appender();
        (1..4).for_each(|term| assert_eq!(offer_until_sent(&appender, &[term; 4]).0, i64::from(term) * 64));
        assert_eq!(appender.offer(&[4; 4]), Err(OfferError::NotConnected));
        let (log, limit, subscriber) = (stream.log.clone(), stream.limit.clone(), stream.subscriber.clone());
        let conductor = thread::spawn(move || {
            // Stands for the driver's conductor, which is in another crate.
            let consumed = Position::new(subscriber.load_acquire());
            if consumed.get() >= 64 {
                assert_eq!(clean_to(&log, Position::new(0), consumed).get(), 64);
                limit.store_release(256);
            }
        });
        let publisher = thread::spawn(move || match appender.offer(&[4; 4]) {
            Err(OfferError::AdminAction) => Ok(offer_until_sent(&appender, &[4; 4]).0),
            other => other.map(Position::get).map_err(|_| ()),
        });
        assert_eq!(stream.poll(), [[1; 4]]);
        conductor.join().unwrap();
        let sent = publisher.join().unwrap();
        assert_eq!(stream.poll(), [[2; 4]]);
        assert_eq!(stream.poll(), [[3; 4]]);
        if sent.is_ok() {
            assert_eq!(stream.poll(), [[4; 4]]);
        }
        sent
    });
}

/// Trap 42: a publisher that reads the tail, and adds to it only after the log has gone around once, claims a range of
/// the later term. Its position and its header are those of that term.
#[test]
fn trap_42_term_id_of_the_add() {
    trap_42_term_id_of_the_add_model();
    must_fail("log.tail:split", trap_42_term_id_of_the_add_model);
}

fn trap_42_term_id_of_the_add_model() {
    check(Bounds::preemptions(2), &[32, 96, 160, 224], || {
        let stream = Stream::new(64);
        // Nothing is consumed and nothing cleaned, so no payload is written: no ordering protects what was in the
        // memory before.
        stream.limit.store_relaxed(1024);
        let appender = stream.appender();
        let late = thread::spawn(move || offer_until_sent(&appender, &[]).0);
        let appender = stream.appender();
        let mut terms = 0;
        while terms < 3 {
            terms += usize::from(appender.try_claim(4).map(gannet::logbuffer::Claim::abort).is_ok());
        }
        // Rotates the log once around, unless the other publisher has done it.
        drop(appender.try_claim(4));
        let position = late.join().unwrap();
        if position == 32 {
            // Its memory was claimed again three terms later, so the other claims are all behind it.
            assert!(stream.log.producer_position().get() >= 256);
        } else {
            stream.subscriber.store_relaxed(position - 32);
            let mut found = Vec::new();
            stream.reader().poll(|fragment| found.push(fragment.term_id().get()), 1);
            assert_eq!(found, [5 + (position / 64) as i32]);
        }
        position
    });
}

/// Trap 46: padding is marked as in progress before anything else of it is written, so that the death of a publisher in
/// between is detected.
#[test]
fn trap_46_padding_is_in_progress_first() {
    trap_46_padding_is_in_progress_first_model();
    must_fail("log.frame-started:fence", trap_46_padding_is_in_progress_first_model);
}

fn trap_46_padding_is_in_progress_first_model() {
    // Whether the rest of the header is visible, and the length.
    let allowed = [(false, 0), (false, -32), (true, -32), (false, 32), (true, 32)];
    check(Bounds::NONE, &allowed, || {
        let stream = Stream::new(64);
        let appender = stream.appender();
        appender.offer(&[]).unwrap();
        let publisher = thread::spawn(move || assert_eq!(appender.offer(&[1; 4]), Err(OfferError::AdminAction)));
        let term = stream.log.term(0);
        let header = term.word_at::<i32>(36).load_acquire() != 0;
        let length = term.word_at::<i32>(32).load_acquire();
        publisher.join().unwrap();
        (header, length)
    });
}
