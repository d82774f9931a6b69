//! Tests of consumers: every message is handled at least once, messages that cannot be handled are put aside, and
//! duplicates are skipped, across restarts and kills.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use gannet::journal::consumer::{Consumer, ConsumerError, DeadLetter, DeadLetters, Processed, Window};
use gannet::journal::storage::{Crash, MemoryStorage};
use gannet::journal::{Journal, JournalError, LeftBy, Prune, Recording, Retention, Start};
use gannet::types::Position;

use crate::raw_access::RAW;
use crate::support::{eventually, journal, message, read, settled, small};

fn number(record: &gannet::journal::Record<'_>) -> u64 {
    read(record.payload()).expect("whole").1
}

#[test]
fn what_is_not_committed_is_handed_out_again() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..10 {
        appender.append(&message(0, number)).unwrap();
    }
    let mut consumer = Consumer::open(&journal.recording().unwrap(), "billing").unwrap();
    for expected in 0..4 {
        assert_eq!(number(&consumer.next().unwrap().unwrap()), expected);
        if expected == 2 {
            consumer.commit().unwrap();
        }
    }
    consumer.rewind().unwrap();
    assert_eq!(number(&consumer.next().unwrap().unwrap()), 3);
    drop((consumer, appender));
    journal.close().unwrap();
    // As in another process, on a recording without a writer.
    let recording = Recording::open(dir.path()).unwrap();
    let mut consumer = Consumer::open(&recording, "billing").unwrap();
    let committed = consumer.committed();
    let mut seen = Vec::new();
    let done = consumer.process(|record| {
        seen.push(number(record));
        Ok::<_, String>(())
    });
    assert_eq!((done.unwrap(), &seen[..]), (Processed::Handled { attempts: 1 }, &[3][..]));
    assert!(consumer.committed() > committed && consumer.committed() == consumer.position());
    consumer.sync().unwrap();
    while consumer.next().unwrap().is_some() {}
    consumer.commit().unwrap();
    assert_eq!(consumer.process(|_| Err("not called")).unwrap(), Processed::Nothing);
}

/// After a caught panic, the consumer continues with the message whose handler panicked, whichever method is called.
#[test]
fn what_a_handler_panics_over_is_handed_out_again() {
    let (_dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..3 {
        appender.append(&message(0, number)).unwrap();
    }
    let mut consumer = Consumer::open(&journal.recording().unwrap(), "billing").unwrap();
    consumer.process(|_| Ok::<_, String>(())).unwrap();
    let (committed, position) = (consumer.committed(), consumer.position());
    let panics = |consumer: &mut Consumer| {
        let handle = |_: &gannet::journal::Record<'_>| -> Result<(), String> { panic!("the handler's own") };
        assert!(catch_unwind(AssertUnwindSafe(|| consumer.process(handle))).is_err());
        assert_eq!((consumer.committed(), consumer.position()), (committed, position));
    };
    panics(&mut consumer);
    consumer.commit().unwrap();
    assert_eq!(consumer.committed(), committed, "it was not done with");
    panics(&mut consumer);
    assert_eq!(number(&consumer.next().unwrap().unwrap()), 1);
    consumer.rewind().unwrap();
    panics(&mut consumer);
    assert_eq!(consumer.tailer().position(), position);
    panics(&mut consumer);
    let mut seen = Vec::new();
    let mut handle = |record: &gannet::journal::Record<'_>| {
        seen.push(number(record));
        Ok::<_, String>(())
    };
    while consumer.process(&mut handle).unwrap() != Processed::Nothing {}
    assert_eq!(seen, [1, 2]);
}

#[test]
fn attempts_are_bounded_and_what_fails_is_kept_with_its_reason() {
    let (_dir, journal) = journal(&small());
    let (_dead_dir, dead) = crate::support::journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..3 {
        appender.append_with(&message(0, number), 1_000 + number as i64).unwrap();
    }
    let long = vec![7; appender.max_message_length()];
    appender.append(&long).unwrap();
    let recording = journal.recording().unwrap();
    let mut calls = 0;
    let mut fails = |_: &gannet::journal::Record<'_>| {
        calls += 1;
        Err::<(), _>(format!("refused for the {calls}th time"))
    };
    let mut consumer = Consumer::open(&recording, "billing").unwrap().attempts(2);
    for _ in 0..2 {
        let error = consumer.process(&mut fails).unwrap_err();
        assert!(matches!(error, ConsumerError::Failed { position, attempts: 2, .. } if position.get() == 0), "{error}");
        assert_eq!((consumer.position().get(), consumer.committed().get()), (0, 0), "it stays");
    }
    let mut consumer =
        consumer.attempts(3).pause(core::time::Duration::from_micros(50)).dead_letters(DeadLetters::to(&dead).unwrap());
    assert_eq!(consumer.process(&mut fails).unwrap(), Processed::Dead { attempts: 3 });
    let mut tries = 0;
    let done = consumer.process(|_| {
        tries += 1;
        if tries < 3 { Err("not yet") } else { Ok(()) }
    });
    assert_eq!(done.unwrap(), Processed::Handled { attempts: 3 });
    for _ in 0..2 {
        assert_eq!(consumer.process(&mut fails).unwrap(), Processed::Dead { attempts: 3 });
    }
    assert_eq!(consumer.committed(), journal.recorded().unwrap());

    let mut letters = dead.recording().unwrap().tailer(Start::Begin).unwrap();
    let record = letters.next().unwrap().unwrap();
    let letter = DeadLetter::read(record.payload()).unwrap();
    assert_eq!((letter.position.get(), letter.attempts, letter.reason), (0, 3, "refused for the 7th time"));
    assert_eq!((letter.payload, letter.time.unwrap().get()), (Some(&message(0, 0)[..]), 1_000));
    assert_eq!(letter.recording_id, journal.descriptor().recording_id);
    assert_eq!(DeadLetter::read(letters.next().unwrap().unwrap().payload()).unwrap().payload, Some(&message(0, 2)[..]));
    let record = letters.next().unwrap().unwrap();
    let letter = DeadLetter::read(record.payload()).unwrap();
    assert_eq!(letter.payload, None, "it does not fit, and is where it came from");
    let mut source = recording.tailer(Start::Position(letter.position)).unwrap();
    assert_eq!(source.next().unwrap().unwrap().payload(), &long[..]);
    assert!(letters.next().unwrap().is_none());
}

/// Their journal has no sync policy. The message is not handed out again.
#[test]
fn a_dead_letter_is_on_stable_storage_before_its_message_counts_as_processed_there() {
    let (storage, letters) = (MemoryStorage::new(RAW), MemoryStorage::new(RAW));
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let dead = Journal::create_in(Arc::new(letters.clone()), &small()).unwrap();
    journal.appender().unwrap().append(&message(0, 0)).unwrap();
    journal.sync().unwrap();
    let recording = journal.recording().unwrap();
    let mut consumer = Consumer::open(&recording, "billing").unwrap().dead_letters(DeadLetters::to(&dead).unwrap());
    consumer.sync().unwrap();
    assert_eq!(consumer.process(|_| Err("refused")).unwrap(), Processed::Dead { attempts: 1 });
    consumer.sync().unwrap();
    let storage = storage.after_power_loss(|_, _| Crash::Lost, Crash::Kept);
    let journal = Journal::open_in(Arc::new(storage), None).unwrap();
    let recording = journal.recording().unwrap();
    let mut consumer = Consumer::open(&recording, "billing").unwrap();
    assert!(consumer.next().unwrap().is_none(), "it is processed");
    let letters = letters.after_power_loss(|_, _| Crash::Lost, Crash::Kept);
    let dead = Journal::open_in(Arc::new(letters), None).unwrap();
    let mut tailer = dead.recording().unwrap().tailer(Start::Begin).unwrap();
    let record = tailer.next().unwrap().expect("and its letter is there");
    assert_eq!(DeadLetter::read(record.payload()).unwrap().payload, Some(&message(0, 0)[..]));
}

/// Killed between any two messages, and between the handler and its commit: each key is handled once, except the one
/// that was being handled, as long as duplicates are within the window.
#[test]
fn duplicates_are_passed_over_across_restarts() {
    const WINDOW: usize = 20;
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    // Each key three times, the last time too late for the window.
    let keys: Vec<u64> = (0..200).flat_map(|at| [at, at + 1]).chain(0..3).collect();
    for &key in &keys {
        appender.append(&key.to_le_bytes()).unwrap();
    }
    let key = |record: &gannet::journal::Record<'_>| Some(u64::from_le_bytes(record.payload().try_into().ok()?));
    let mut handled = Vec::new();
    let mut storage = storage.after_kill();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
        let recording = journal.recording().unwrap();
        let mut consumer = Consumer::open(&recording, "once").unwrap();
        let mut seen = Window::restore(&recording, consumer.position(), WINDOW, key).unwrap();
        assert!(seen.len() <= WINDOW);
        let mut last = Processed::Duplicate;
        for _ in 0..rounds % 7 + 1 {
            last = consumer
                .process_once(&mut seen, key, |record| {
                    handled.push(key(record).expect("a key"));
                    Ok::<_, String>(())
                })
                .unwrap();
        }
        if last == Processed::Nothing {
            break;
        }
        // The kill loses everything in memory; the cursor is in a file.
        storage = storage.after_kill();
    }
    let expected: Vec<u64> = (0..=200).chain(0..3).collect();
    assert_eq!(handled, expected);
    assert!(rounds > 50);
}

/// A loss of power removes messages that a consumer has handled. The messages appended in their place are new to the
/// consumer, whether or not one of them begins where its cursor was.
#[test]
fn what_is_appended_after_a_loss_of_power_is_handed_out() {
    for length in [32, 33] {
        let storage = MemoryStorage::new(RAW);
        let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
        let mut appender = journal.appender().unwrap();
        for number in 0..100_u64 {
            appender.append(&[number.to_le_bytes(); 4].concat()).unwrap();
        }
        let recording = journal.recording().unwrap();
        let mut consumer = Consumer::open(&recording, "billing").unwrap();
        while consumer.next().unwrap().is_some() {}
        consumer.commit().unwrap();
        assert_eq!(consumer.committed().get(), 6400);
        let mut behind = recording.cursor("behind").unwrap();
        behind.move_to(Position::new(640)).unwrap();
        eventually("it is indexed", || journal.indexed() == journal.tail());
        let choose = |name: &str, at: usize| if name == "0-0.rec" && at > 0 { Crash::Lost } else { Crash::Kept };
        let found = storage.after_power_loss(choose, Crash::Kept);

        // It cannot continue before recovery has determined what is left.
        let error = Consumer::open(&Recording::open_in(Arc::new(found.clone()), None).unwrap(), "billing").unwrap_err();
        assert!(matches!(error, JournalError::Recover { .. }), "{error}");
        let journal = Journal::open_in(Arc::new(found.clone()), None).unwrap();
        let report = journal.recovery();
        assert_eq!((report.left_by, report.end.get()), (LeftBy::PowerLoss, 4096));
        let [rewound] = &report.rewound[..] else { panic!("{report:?}") };
        assert_eq!((&*rewound.name, rewound.from.get()), ("billing", 6400));
        // Made permanent before anything is appended.
        let again = found.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
        let cursors = Recording::open_in(Arc::new(again), None).unwrap().cursors().unwrap();
        let mut positions: Vec<_> = cursors.iter().map(|cursor| cursor.position.get()).collect();
        positions.sort_unstable();
        assert_eq!(positions, [640, 4096]);

        let mut appender = journal.appender().unwrap();
        for number in 0..100_u8 {
            appender.append(&vec![number; length]).unwrap();
        }
        let mut consumer = Consumer::open(&journal.recording().unwrap(), "billing").unwrap();
        for number in 0..100_u8 {
            assert_eq!(consumer.next().unwrap().unwrap().payload(), &vec![number; length][..]);
        }
        assert!(consumer.next().unwrap().is_none());
        drop((appender, consumer));
        journal.close().unwrap();
        assert_eq!(Journal::open_in(Arc::new(found), None).unwrap().recovery().rewound, []);
    }
}

/// Linux reports a failed write once, and takes the pages for written from then on. So does this storage.
#[test]
fn a_cursor_that_could_not_be_synced_is_synced_by_the_next_attempt() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let end = journal.appender().unwrap().append(&message(0, 0)).unwrap();
    journal.sync().unwrap();
    let recording = journal.recording().unwrap();
    let mut cursor = recording.cursor("billing").unwrap();
    cursor.sync().unwrap();
    let fail = |fails| storage.fail_syncs("0.cursors", fails);
    let left = || {
        let left = storage.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
        Recording::open_in(Arc::new(left), None).unwrap().cursors().unwrap()[0].position
    };
    cursor.move_to(end).unwrap();
    fail(true);
    cursor.sync().unwrap_err();
    fail(false);
    cursor.sync().unwrap();
    assert_eq!(left(), end);
    // Also if somebody else's attempt failed.
    cursor.move_to(Position::new(0)).unwrap();
    fail(true);
    cursor.sync().unwrap_err();
    fail(false);
    recording.cursor("billing").unwrap().sync().unwrap();
    assert_eq!(left().get(), 0);
}

/// What is appended at the end is new to a consumer whose cursor was beyond it.
#[test]
fn cursors_that_a_recovery_could_not_sync_are_synced_by_the_next() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let beyond = journal.appender().unwrap().append(&message(0, 0)).unwrap();
    let mut cursor = journal.recording().unwrap().cursor("billing").unwrap();
    cursor.move_to(beyond).unwrap();
    cursor.sync().unwrap();
    let storage = storage.after_power_loss(|_, _| Crash::Lost, Crash::Kept);
    storage.fail_syncs("0.cursors", true);
    Journal::open_in(Arc::new(storage.clone()), None).unwrap_err();
    storage.fail_syncs("0.cursors", false);
    let storage = storage.after_kill();
    let journal = Journal::open_in(Arc::new(storage.clone()), None).unwrap();
    assert_eq!(journal.recovery().end.get(), 0);
    let left = storage.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
    assert_eq!(Recording::open_in(Arc::new(left), None).unwrap().cursors().unwrap()[0].position.get(), 0);
}

/// It has processed what was pruned, so it has lost nothing.
#[test]
fn a_pruning_puts_the_cursors_that_it_relies_on_on_stable_storage() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    (0..6_000).for_each(|number| assert!(appender.append(&message(0, number)).is_ok()));
    settled(&journal);
    let recording = journal.recording().unwrap();
    let mut consumer = Consumer::open(&recording, "billing").unwrap();
    consumer.sync().unwrap();
    for _ in 0..5_000 {
        assert!(consumer.next().unwrap().is_some());
    }
    consumer.commit().unwrap();
    journal.sync().unwrap();
    assert!(journal.prune(&Prune::by(&Retention::new().max_bytes(1))).unwrap().start.get() > 0);

    let left = storage.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
    let journal = Journal::open_in(Arc::new(left), None).unwrap();
    let mut consumer = Consumer::open(&journal.recording().unwrap(), "billing").unwrap();
    assert_eq!(number(&consumer.next().unwrap().unwrap()), 5_000);
}

#[test]
fn a_consumer_is_told_what_it_has_lost() {
    let (_dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..4_000 {
        appender.append(&message(0, number)).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    let recording = journal.recording().unwrap();
    drop(Consumer::open(&recording, "slow").unwrap());
    let pruned = journal.prune(&Prune::by(&Retention::new().max_bytes(1)).force()).unwrap();
    let mut consumer = Consumer::open(&recording, "slow").unwrap();
    for _ in 0..2 {
        let error = consumer.next().unwrap_err();
        assert!(matches!(error, JournalError::Pruned { earliest, .. } if earliest == pruned.start), "{error}");
        assert!(consumer.commit().is_err(), "nobody commits what he has not seen");
    }
    assert_eq!(consumer.skip_pruned().unwrap(), pruned.start);
    assert_eq!(consumer.next().unwrap().unwrap().position(), pruned.start);
    assert_eq!(consumer.committed(), pruned.start);
}
