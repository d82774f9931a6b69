//! Compares reading backwards, finding times, and cursors with a plain list of what was appended.

use std::sync::Arc;

use gannet::journal::storage::MemoryStorage;
use gannet::journal::{Journal, JournalError, Prune, Recording, Retention, Start};
use gannet::time::EpochNanos;
use gannet::types::Position;
use proptest::prelude::*;

use crate::raw_access::RAW;
use crate::support::{eventually, small};

/// A message to append with its time, or a claim that is not committed.
#[derive(Clone, Debug)]
enum Step {
    Message { length: usize, time: i64 },
    Abort { length: usize },
}

/// Times that repeat, go back, or are missing.
fn time() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 1_i64..40, 1 => Just(0), 1 => Just(i64::MAX), 1 => Just(-5)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prop_oneof![8 => 0_usize..400, 1 => 0_usize..8_000], time())
            .prop_map(|(length, time)| Step::Message { length, time }),
        1 => (0_usize..1_376).prop_map(|length| Step::Abort { length }),
    ]
}

struct Appended {
    journal: Journal,
    /// Where each message begins, where the next one begins, and its time.
    messages: Vec<(Position, Position, i64)>,
}

/// A journal of `steps`, which are repeated until there are several segments if it is `long`. Whether it is indexed
/// must not matter.
fn appended(steps: &[Step], long: bool, indexed: bool) -> Appended {
    let journal = Journal::create_in(Arc::new(MemoryStorage::new(RAW)), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    let mut ends = Vec::new();
    let most = if long { 700 << 10 } else { 1 };
    loop {
        for step in steps {
            match *step {
                Step::Message { length, time } => {
                    ends.push((appender.append_with(&vec![7; length], time).unwrap(), time));
                }
                Step::Abort { length } => drop(appender.claim(length).unwrap()),
            }
        }
        if journal.tail().get() >= most || ends.is_empty() {
            break;
        }
    }
    if indexed {
        eventually("it is indexed", || journal.indexed() == journal.tail());
    }
    let mut tailer = journal.recording().unwrap().tailer(Start::Begin).unwrap();
    let mut messages = Vec::new();
    for (end, time) in ends {
        let record = tailer.next().unwrap().unwrap();
        assert_eq!(record.next_position(), end);
        messages.push((record.position(), end, time));
    }
    assert!(tailer.next().unwrap().is_none());
    Appended { journal, messages }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 100, ..ProptestConfig::default() })]

    /// A seek to a time finds the first message of that time or of a later one, however times are ordered, repeated or
    /// missing.
    #[test]
    fn a_time_leads_to_the_first_message_that_is_not_earlier(
        steps in proptest::collection::vec(step(), 1..80),
        long in any::<bool>(),
        indexed in any::<bool>(),
        sought in proptest::collection::vec(prop_oneof![-10_i64..50, Just(i64::MAX), Just(i64::MIN)], 1..12),
    ) {
        let appended = appended(&steps, long, indexed);
        let mut tailer = appended.journal.recording().unwrap().tailer(Start::Begin).unwrap();
        for time in sought {
            tailer.seek(Start::Time(EpochNanos::new(time))).unwrap();
            let expected = appended.messages.iter().position(|&(.., found)| found >= time);
            let expected = expected.unwrap_or(appended.messages.len());
            prop_assert_eq!(tailer.sequence(), Some(expected as i64), "time {}", time);
            let found = tailer.next().unwrap().map(|record| (record.position(), record.time().map(EpochNanos::get)));
            let kept = |time: i64| Some(time).filter(|&time| time > 0);
            prop_assert_eq!(found, appended.messages.get(expected).map(|&(start, _, time)| (start, kept(time))));
        }
    }

    /// Steps forwards and back from anywhere equal steps in a list.
    #[test]
    fn forwards_and_back_are_the_same_messages(
        steps in proptest::collection::vec(step(), 1..80),
        long in any::<bool>(),
        indexed in any::<bool>(),
        walks in proptest::collection::vec((0_usize..1_000, any::<bool>(), proptest::collection::vec((any::<bool>(), 1_usize..60), 1..8)), 1..6),
    ) {
        let appended = appended(&steps, long, indexed);
        let messages = &appended.messages;
        let mut tailer = appended.journal.recording().unwrap().tailer(Start::End).unwrap();
        prop_assert_eq!(tailer.sequence(), Some(messages.len() as i64));
        for (thousandths, by_number, legs) in walks {
            let mut at = messages.len() * thousandths / 1_000;
            let start = match messages.get(at) {
                Some(&(position, ..)) if !by_number => Start::Position(position),
                Some(_) => Start::Sequence(at as i64),
                None => Start::End,
            };
            tailer.seek(start).unwrap();
            for (forwards, count) in legs {
                for _ in 0..count {
                    let record = if forwards { tailer.next() } else { tailer.previous() };
                    let found = record.unwrap().map(|record| (record.position(), record.next_position(), record.sequence()));
                    let index = if forwards { Some(at) } else { at.checked_sub(1) };
                    let expected = index.and_then(|index| Some((index, messages.get(index)?)));
                    let expected = expected.map(|(index, &(start, end, _))| (start, end, Some(index as i64)));
                    prop_assert_eq!(found, expected, "{} from {}", if forwards { "forwards" } else { "back" }, at);
                    if let Some(index) = index.filter(|_| found.is_some()) {
                        at = if forwards { index + 1 } else { index };
                    }
                }
            }
        }
    }

    /// Cursors stay where they are moved, over rolls, closes, kills and prunes, and lead to the next message. A cursor
    /// is pruned past only by force, and that is reported.
    #[test]
    fn cursors_stay_where_they_were_moved_over_rolls_and_prunes(
        rounds in proptest::collection::vec(
            (1_usize..1_500, proptest::collection::vec((0_usize..3, 0_usize..1_000), 0..6), 0_u8..4),
            1..8,
        ),
    ) {
        let mut storage = MemoryStorage::new(RAW);
        let mut journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
        let mut ends = vec![Position::new(0)];
        let mut cursors = [0_usize; 3];
        for name in ["one", "two", "three"] {
            journal.recording().unwrap().cursor(name).unwrap();
        }
        let mut start = Position::new(0);
        for (count, moves, then) in rounds {
            let mut appender = journal.appender().unwrap();
            for _ in 0..count {
                ends.push(appender.append(&[7; 300]).unwrap());
            }
            let recording = journal.recording().unwrap();
            for (which, thousandths) in moves {
                // It cannot be moved back to what is pruned.
                let to = ((ends.len() - 1) * thousandths / 1_000).max(ends.partition_point(|&end| end < start));
                recording.cursor(["one", "two", "three"][which]).unwrap().move_to(ends[to]).unwrap();
                cursors[which] = to;
            }
            match then {
                0 => {}
                1 => {
                    drop(appender);
                    journal.close().unwrap();
                    journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
                }
                2 => {
                    eventually("it is indexed", || journal.indexed() == journal.tail());
                    let slowest = cursors.iter().map(|&at| ends[at]).min().unwrap();
                    // Everything that may be pruned, except for the segment of the end once the helper thread has
                    // renamed it.
                    let whole = |position: Position| position.get() / (256 << 10) * (256 << 10);
                    let expected = Position::new(whole(slowest).min(whole(journal.tail())).max(start.get()));
                    let request = Prune::by(&Retention::new().max_bytes(1));
                    eventually("it is pruned", || {
                        let done = journal.prune(&request).unwrap();
                        assert!(done.start <= expected, "{done:?} {expected}");
                        done.start == expected
                    });
                    start = expected;
                }
                _ => {
                    // All processes that had it open are gone.
                    storage = storage.after_kill();
                    journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
                }
            }
            let recording = Recording::open_in(Arc::new(storage.clone()), None).unwrap();
            for (name, &at) in ["one", "two", "three"].into_iter().zip(&cursors) {
                let cursor = recording.cursor(name).unwrap();
                prop_assert_eq!(cursor.position(), ends[at]);
                let mut tailer = recording.tailer(Start::Position(cursor.position())).unwrap();
                let next = tailer.next().unwrap().map(|record| record.next_position());
                prop_assert_eq!(next, ends.get(at + 1).copied());
                let mut left = usize::from(next.is_some());
                while tailer.next().unwrap().is_some() {
                    left += 1;
                }
                prop_assert_eq!(left, ends.len() - 1 - at);
            }
        }
        eventually("it is indexed", || journal.indexed() == journal.tail());
        let forced = journal.prune(&Prune::by(&Retention::new().max_bytes(1)).force()).unwrap();
        for (name, &at) in ["one", "two", "three"].into_iter().zip(&cursors) {
            let cursor = journal.recording().unwrap().cursor(name).unwrap();
            prop_assert_eq!(cursor.position(), ends[at], "it stays");
            let outcome = journal.recording().unwrap().tailer(Start::Position(cursor.position()));
            let is_gone = matches!(outcome, Err(JournalError::Pruned { earliest, .. }) if earliest == forced.start);
            prop_assert_eq!(is_gone, ends[at] < forced.start);
        }
    }
}
