//! Consumers with dead letters, killed one after the other while messages come. Each message is handled or put aside,
//! in order, and once unless its consumer was killed over it.

use gannet::journal::consumer::DeadLetter;
use gannet::journal::{Appender, Journal, Start};

use super::process::Process;
use super::roles::{ATTEMPTS, CALLS, DEAD, NOWHERE, ORDERS, REASON, Role, WINDOW, is_refused};
use super::{kills, random};
use crate::support::{message, rest, small};

/// The number of consumers that are killed by default, and one in how many of the kills of other processes.
const CONSUMERS: u64 = 24;
const SHARE: u64 = 4;
/// Messages that come in each round. A consumer is killed before it has handled most of them.
const NEWS: u64 = 4_000;

/// Appends the next messages. One in seven comes a second time a little later.
fn append_news(appender: &mut Appender, numbers: std::ops::Range<u64>) {
    const LATER: u64 = WINDOW as u64 / 2;
    for number in numbers {
        appender.append(&message(0, number)).unwrap();
        if number >= LATER && number.is_multiple_of(7) {
            appender.append(&message(0, number - LATER)).unwrap();
        }
    }
}

/// The numbers without those that follow themselves, and how many did.
fn without_repeats(numbers: impl Iterator<Item = u64>) -> (Vec<u64>, u64) {
    let mut numbers: Vec<u64> = numbers.collect();
    let all = numbers.len();
    numbers.dedup();
    let repeats = all - numbers.len();
    (numbers, repeats as u64)
}

#[test]
fn what_a_killed_consumer_did_not_process_the_next_one_does() {
    let (kills, mut random) = (kills(CONSUMERS * SHARE) / SHARE, random(13));
    let dir = tempfile::tempdir().unwrap();
    let orders = Journal::create(dir.path().join(ORDERS), &small()).unwrap();
    drop(Journal::create(dir.path().join(DEAD), &small()).unwrap());
    let mut appender = orders.appender().unwrap();
    let mut handled = Vec::new();
    for round in 0..kills {
        append_news(&mut appender, round * NEWS..(round + 1) * NEWS);
        // One in four is killed in the middle of opening the journals, or soon after.
        let is_early = round % 4 == 3;
        let stop = if is_early { CALLS + random() % 40 } else { NOWHERE };
        let mut consumer = Process::start(dir.path(), Role::Consumer, round, stop);
        if is_early {
            consumer.until("it opens the journals", |said| said.is_stopped || said.is_open);
        } else {
            consumer.work(1 + random() as usize % (NEWS as usize / 2));
        }
        handled.extend(consumer.kill().words);
    }
    let last = kills * NEWS - 1;
    assert!(!is_refused(last));
    let mut consumer = Process::start(dir.path(), Role::Consumer, kills, NOWHERE);
    consumer.until("it has handled the last message", |said| said.words.contains(&last));
    handled.extend(consumer.kill().words);

    let (handled, handled_again) = without_repeats(handled.into_iter());
    let expected = (0..=last).filter(|&number| !is_refused(number));
    assert!(handled.iter().copied().eq(expected), "all of them, in order, and duplicates not");
    assert!(handled_again <= kills, "{handled_again} were handled again");

    let dead = Journal::open(dir.path().join(DEAD)).unwrap();
    let letters = rest(&mut dead.recording().unwrap().tailer(Start::Begin).unwrap());
    let origins = letters.iter().map(|(_, letter)| {
        let letter = DeadLetter::read(letter).expect("whole");
        assert_eq!((letter.reason, letter.attempts), (REASON, ATTEMPTS));
        assert_eq!(letter.recording_id, orders.descriptor().recording_id);
        let (_, number) = crate::support::read(letter.payload.expect("it fits")).expect("whole");
        number
    });
    let (put_aside, put_aside_again) = without_repeats(origins);
    assert!(put_aside.into_iter().eq((0..=last).filter(|&number| is_refused(number))), "all of them, and in order");
    assert!(put_aside_again <= kills, "{put_aside_again} were put aside again");
    println!("{kills} kills: {handled_again} messages handled again, {put_aside_again} put aside again");
}
