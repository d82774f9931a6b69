//! Rolling by time of day: a cycle begins with a segment, and all else goes on.

use core::time::Duration;

use gannet::journal::{Journal, Recording, RollCycle, Start};

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
    // Nothing is rolled while there is nothing to roll: two more cycles pass, and the tail stays.
    let tail = journal.tail();
    let now = second.number(gannet::time::SystemClock.epoch_nanos());
    eventually("time passes", || second.number(gannet::time::SystemClock.epoch_nanos()) > now + 2);
    assert_eq!(journal.tail(), tail);
    for number in 3..5 {
        assert!(appender.append(&message(0, number)).unwrap() > tail);
    }

    eventually("it is indexed", || journal.indexed() == journal.tail());
    let cycles = recording.cycles().unwrap();
    // Three times time went on to another second; a message may come before the helper thread has seen that.
    assert!(cycles.len() >= 2, "{cycles:?}");
    assert!(cycles.iter().map(|cycle| cycle.segments).sum::<usize>() >= 4, "{cycles:?}");
    assert!(cycles.windows(2).all(|pair| pair[0].number < pair[1].number && pair[0].position < pair[1].position));
    for cycle in &cycles {
        assert!(is_base(cycle.position.get()) && cycle.start == second.start_of(cycle.number));
        let mut tailer = recording.tailer(Start::Time(cycle.start)).unwrap();
        let record = tailer.next().unwrap().unwrap();
        assert_eq!(record.position(), cycle.position);
    }
    assert_eq!(all(&recording).len(), 5);
    drop(appender);
    journal.close().unwrap();
    assert!(Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap().is_whole());
    // What was left in one cycle goes on in another.
    eventually("time passes", || {
        let now = gannet::time::SystemClock.epoch_nanos();
        second.number(now) > Recording::open(dir.path()).unwrap().cycles().unwrap().last().unwrap().number + 1
    });
    let before = all(&Recording::open(dir.path()).unwrap()).len();
    let journal = Journal::open(dir.path()).unwrap();
    assert!(is_base(journal.tail().get()), "rolled before anybody appends");
    assert_eq!(all(&journal.recording().unwrap()).len(), before);
}
