//! Tests of rolling by time of day: a cycle begins with a segment, and everything else works as usual.

use core::time::Duration;

use gannet::journal::{Journal, JournalError, Recording, RollCycle, Start};
use gannet::time::EpochNanos;
use gannet::types::Position;

use crate::support::{all, eventually, journal, message, small};

#[test]
fn a_cycle_begins_with_a_segment_and_is_found_by_its_time() {
    let second = RollCycle::every(Duration::from_secs(1));
    let (dir, journal) = journal(&small().roll(second));
    let mut appender = journal.appender().unwrap();
    let recording = journal.recording().unwrap();
    assert_eq!(recording.roll_cycle().unwrap(), Some(second));
    assert!(recording.cycles().unwrap().is_empty());
    let is_base = |position: i64| position % (256 << 10) == 0;
    for number in 0..3 {
        let end = appender.append(&message(0, number)).unwrap();
        eventually("the cycle ends", || journal.tail() > end && is_base(journal.tail().get()));
    }
    // Without messages there are no rolls: two more cycles pass, and the tail does not move.
    let tail = journal.tail();
    let now = second.number(gannet::time::SystemClock.epoch_nanos());
    eventually("time passes", || second.number(gannet::time::SystemClock.epoch_nanos()) > now + 2);
    assert_eq!(journal.tail(), tail);
    for number in 3..5 {
        assert!(appender.append(&message(0, number)).unwrap() > tail);
    }

    eventually("it is indexed", || journal.indexed() == journal.tail());
    let cycles = recording.cycles().unwrap();
    // The time reached another second three times. A message may come before the helper thread has noticed that.
    assert!(cycles.len() >= 2, "{cycles:?}");
    assert!(cycles.iter().map(|cycle| cycle.segments).sum::<usize>() >= 4, "{cycles:?}");
    assert!(cycles.windows(2).all(|pair| pair[0].number < pair[1].number && pair[0].position < pair[1].position));
    for cycle in &cycles {
        assert!(is_base(cycle.position.get()) && cycle.start == second.start_of(cycle.number));
        let mut tailer = recording.tailer(Start::Time(cycle.start)).unwrap();
        let record = tailer.next().unwrap().unwrap();
        assert_eq!(record.position(), cycle.position);
        tailer.seek(Start::Cycle(cycle.number)).unwrap();
        assert_eq!(tailer.position(), cycle.position);
    }
    // A cycle without messages leads to the next one with messages, or to the end.
    let first = cycles.first().unwrap();
    let newest = recording.tailer(Start::End).unwrap().previous().unwrap().unwrap().time().unwrap();
    // The newest message may be in the segment of the cycle before its own.
    let next = second.number(newest) + 1;
    for (number, expected) in [(first.number - 1, Some(first)), (i64::MIN, Some(first)), (next, None), (i64::MAX, None)]
    {
        let mut tailer = recording.tailer(Start::Cycle(number)).unwrap();
        let found = tailer.next().unwrap().map(|record| record.position());
        assert_eq!(found, expected.map(|cycle| cycle.position), "cycle {number}");
    }
    assert_eq!(all(&recording).len(), 5);
    drop(appender);
    journal.close().unwrap();
    assert!(Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap().is_whole());
    // A message begun in one cycle is completed in another.
    let now = second.number(gannet::time::SystemClock.epoch_nanos());
    eventually("time passes", || second.number(gannet::time::SystemClock.epoch_nanos()) > now + 1);
    let before = all(&Recording::open(dir.path()).unwrap()).len();
    let journal = Journal::open(dir.path()).unwrap();
    assert!(is_base(journal.tail().get()), "rolled before anybody appends");
    assert_eq!(all(&journal.recording().unwrap()).len(), before);
}

/// The helper thread may not append beside an exclusive appender, and marks the cycle as due instead. Once the appender
/// is gone, the helper thread rolls again.
#[test]
fn an_exclusive_appender_begins_cycles_itself() {
    let (_dir, journal) = journal(&small().roll(RollCycle::every(Duration::from_secs(1))));
    let mut appender = journal.exclusive_appender().unwrap();
    let recording = journal.recording().unwrap();
    let mut number = 0;
    eventually("three cycles begin", || {
        appender.append(&message(0, number)).unwrap();
        number += 1;
        recording.cycles().unwrap().len() >= 3
    });
    // Before the helper thread may roll.
    let tail = journal.tail();
    drop(appender);
    eventually("the cycle ends", || journal.tail() > tail);
    assert_eq!(journal.tail().get() % (256 << 10), 0);
    for cycle in recording.cycles().unwrap() {
        let mut tailer = recording.tailer(Start::Position(cycle.position)).unwrap();
        let time = tailer.next().unwrap().unwrap().time().unwrap();
        assert!(cycle.position.get() % (256 << 10) == 0 && time >= cycle.start, "{cycle:?} {time:?}");
    }
    let found: Vec<_> = all(&recording).into_iter().map(|(_, payload)| payload).collect();
    assert!(found.into_iter().eq((0..number).map(|number| message(0, number))));
}

#[test]
fn a_journal_that_does_not_roll_by_time_has_no_cycles() {
    let (_dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    appender.append(b"x").unwrap();
    let recording = journal.recording().unwrap();
    let error = recording.tailer(Start::Cycle(0)).unwrap_err();
    assert!(matches!(error, JournalError::NoCycles { .. }), "{error}");
    let mut tailer = recording.tailer(Start::End).unwrap();
    assert!(tailer.seek(Start::Cycle(0)).is_err());
    assert_eq!((tailer.position(), tailer.sequence()), (journal.tail(), Some(1)), "it stays where it is");
}

/// One message from a clock that was ahead does not hide the cycles after it.
#[test]
fn cycles_go_on_behind_a_message_of_the_future() {
    const SEGMENT: i64 = 256 << 10;
    // So long that no cycle begins meanwhile.
    let year = RollCycle::every(Duration::MAX);
    let (_dir, journal) = journal(&small().roll(year));
    let mut appender = journal.appender().unwrap();
    for (segment, number) in (1..).zip([10, 200, 10, 11, 10, 12, 200, 250, 12, 13, 200]) {
        // The last message of each is the first of the next segment.
        while journal.tail().get() < segment * SEGMENT {
            appender.append_with(&[7; 1000], year.start_of(number).get() + 5).unwrap();
        }
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    let cycles = journal.recording().unwrap().cycles().unwrap();
    let found: Vec<_> = cycles.iter().map(|cycle| (cycle.number, cycle.position, cycle.segments)).collect();
    let at = |segment: i64| Position::new(segment * SEGMENT);
    assert_eq!(found, [(10, at(0), 4), (11, at(4), 2), (12, at(6), 4), (13, at(10), 1), (200, at(11), 1)]);
}

/// By the times of the messages and not by segments: a cycle's messages are those between its start and the next
/// cycle's.
#[test]
fn cycles_are_told_by_the_times_of_messages() {
    let (_dir, journal) = journal(&small().roll(RollCycle::every(Duration::from_secs(10))));
    let mut appender = journal.appender().unwrap();
    let time = |number: i64| 1_000_000_000 * (100 + number / 100);
    for number in 0..6_000 {
        appender.append_with(&message(0, number as u64), time(number)).unwrap();
    }
    let recording = journal.recording().unwrap();
    for indexed in [false, true] {
        if indexed {
            eventually("it is indexed", || journal.indexed() == journal.tail());
        }
        for cycle in [10_i64, 11, 13, 15] {
            let at = |number| recording.tailer(Start::Cycle(number)).unwrap().sequence().unwrap();
            assert_eq!((at(cycle), at(cycle + 1)), ((cycle - 10) * 1_000, (cycle - 9) * 1_000));
            let mut tailer = recording.tailer(Start::Cycle(cycle)).unwrap();
            let record = tailer.next().unwrap().unwrap();
            assert_eq!(record.time(), Some(EpochNanos::new(cycle * 10_000_000_000)));
        }
    }
}
