//! Models of the journal: appenders and a tailer at a roll, and appenders while the claim of a dead appender is
//! released.
#![cfg(engine_loom)]

use gannet::journal::{ModelAppender, ModelRecording};
use gannet_loom_tests::{Bounds, Crossing, check, must_fail};
use loom::thread;

/// Two appenders find that the segment has room for one of their messages. The second one pads the rest of the segment
/// and continues in the next. A tailer finds none of the messages, the first, or both, complete and in order.
#[test]
fn two_appenders_and_a_tailer_at_a_roll() {
    two_appenders_and_a_tailer_at_a_roll_model();
    must_fail("log.frame-committed:store", two_appenders_and_a_tailer_at_a_roll_model);
    must_fail("log.frame-committed:load", two_appenders_and_a_tailer_at_a_roll_model);
}

fn two_appenders_and_a_tailer_at_a_roll_model() {
    // How many messages the tailer finds early, and whose message is the first.
    let allowed = [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)];
    // Bounded, since every interleaving of three threads with a dozen stores each takes hours.
    check(Bounds::preemptions(2), &allowed, || {
        let recording = ModelRecording::new(128, 2, 2);
        let mut here = recording.appender(0);
        assert_eq!(here.append(&[]), 32);
        let appenders = [1, 2].map(|name: u8| {
            let mut appender = if name == 1 { recording.appender(0) } else { recording.appender(1) };
            thread::spawn(move || appender.append(&[name; 4]))
        });
        let mut position = 0;
        let mut found = recording.read(&mut position);
        let early = found.len();
        let mut ends = appenders.map(|appender| appender.join().unwrap());
        found.extend(recording.read(&mut position));
        assert_eq!(position, 192);
        let first = found[0];
        assert!(found == [1, 2] || found == [2, 1], "{found:?}");
        assert_eq!(ends[usize::from(first) - 1], 96);
        ends.sort_unstable();
        assert_eq!(ends, [96, 192]);
        (early, first)
    });
}

/// An appender died with a claim, and two others append behind it, one of them more than once. Releasing the claim
/// affects nothing else.
#[test]
fn two_appenders_against_release_of_a_dead_one() {
    two_appenders_against_release_of_a_dead_one_model();
    must_fail("journal.tail:update", two_appenders_against_release_of_a_dead_one_model);
    must_fail("journal.tail:load", two_appenders_against_release_of_a_dead_one_model);
}

fn two_appenders_against_release_of_a_dead_one_model() {
    // How many messages can be read once the claim was released.
    let allowed = [0, 1, 2, 3];
    // Bounded, since every interleaving of three threads with a dozen stores each takes hours.
    check(Bounds::preemptions(2), &allowed, || {
        let recording = ModelRecording::new(256, 1, 3);
        recording.appender(0).claim_and_die(4);
        let crossing = Crossing::default();
        let (mut appender, crossed) = (recording.appender(1), crossing.clone());
        let often = thread::spawn(move || {
            appender.append(&[1; 4]);
            crossed.pass();
            appender.append(&[2; 4]);
            crossed.pass();
        });
        let (mut appender, crossed) = (recording.appender(2), crossing.clone());
        let once = thread::spawn(move || {
            appender.append(&[3; 4]);
            crossed.pass();
        });
        crossing.pass();
        assert_eq!(recording.release_dead(0, |slot| slot != 0), Some(64), "what was claimed, and no more");
        let mut position = 0;
        let mut found = recording.read(&mut position);
        let early = found.len();
        often.join().unwrap();
        once.join().unwrap();
        found.extend(recording.read(&mut position));
        assert_eq!(position, 256);
        let order: Vec<_> = found.iter().copied().filter(|&message| message != 3).collect();
        assert_eq!(order, [1, 2]);
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
        early
    });
}

/// The slot of a live appender says nothing about its frame behind the dead one's claim when the appender has a later
/// claim. Then the frame is committed, and a thread that has seen the slot sees the commit.
#[test]
fn a_later_claim_says_that_the_earlier_frame_is_there() {
    let model = || messages_behind_a_dead_claim(ModelRecording::appender);
    model();
    // The store cannot be weakened so that the model fails: every frame begins with a Release fence, which comes before
    // the next claim.
    must_fail("journal.slot:load", model);
}

/// An appender died with a claim, and is followed by an exclusive one, which moves the tail by a plain store. Releasing
/// the claim affects nothing else, and readers find the exclusive one's messages complete and in order.
#[test]
fn an_exclusive_appender_against_release_of_a_dead_one() {
    let model = || messages_behind_a_dead_claim(ModelRecording::exclusive_appender);
    model();
    must_fail("journal.tail:store", model);
    must_fail("journal.tail:load", model);
    must_fail("log.frame-committed:store", model);
}

/// An appender died with a claim. Another one, made by `appender_of`, appends twice behind it while the claim is
/// released.
fn messages_behind_a_dead_claim(appender_of: fn(&ModelRecording, usize) -> ModelAppender) {
    // Bounded to save time. The shortest way to an error has three preemptions.
    check(Bounds::preemptions(3), &[0, 1, 2], move || {
        let recording = ModelRecording::new(256, 1, 2);
        recording.appender(0).claim_and_die(4);
        let crossing = Crossing::default();
        let (mut appender, crossed) = (appender_of(&recording, 1), crossing.clone());
        let living = thread::spawn(move || {
            assert_eq!(appender.append(&[1; 4]), 128);
            crossed.pass();
            assert_eq!(appender.append(&[2; 4]), 192);
            crossed.pass();
        });
        crossing.pass();
        assert_eq!(recording.release_dead(0, |slot| slot != 0), Some(64), "what was claimed, and no more");
        let mut position = 0;
        let mut found = recording.read(&mut position);
        let early = found.len();
        living.join().unwrap();
        found.extend(recording.read(&mut position));
        assert_eq!((position, found), (192, vec![1, 2]));
        early
    });
}

/// An exclusive appender writes, and is not considered dead while it lives. Once it is, its last claim is released and
/// its messages stay.
#[test]
fn an_exclusive_appender_keeps_what_it_claims_until_it_dies() {
    an_exclusive_appender_keeps_what_it_claims_until_it_dies_model();
    must_fail("journal.tail:store", an_exclusive_appender_keeps_what_it_claims_until_it_dies_model);
}

fn an_exclusive_appender_keeps_what_it_claims_until_it_dies_model() {
    check(Bounds::preemptions(3), &[0, 1], || {
        let recording = ModelRecording::new(256, 1, 1);
        let crossing = Crossing::default();
        let (mut appender, crossed) = (recording.exclusive_appender(0), crossing.clone());
        let owner = thread::spawn(move || {
            assert_eq!(appender.append(&[1; 4]), 64);
            crossed.pass();
            appender.claim_and_die(4);
            crossed.pass();
        });
        crossing.pass();
        let mut position = 0;
        let mut found = recording.read(&mut position);
        let early = found.len();
        assert_eq!(recording.release_dead(position, |_| true), None, "it lives");
        owner.join().unwrap();
        found.extend(recording.read(&mut position));
        assert_eq!((position, found), (64, vec![1]));
        assert_eq!(recording.release_dead(64, |_| false), Some(64));
        early
    });
}
