//! Tests of pruning: what is removed and what stays, what prevents it, who is informed, and what a crash in the middle
//! leaves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use gannet::journal::storage::{Crash, Directory, MemoryStorage, Storage};
use gannet::journal::{
    CATALOG_NAME, Journal, JournalError, KeepReason, LeftBy, Prune, PruneReason, Recording, Retention, Start, prune,
    reindex, repair,
};
use gannet::memory::{MapError, Reserve};
use gannet::time::{EpochNanos, SystemClock};
use gannet::types::Position;

use crate::raw_access::RAW;
use crate::support::{all, eventually, journal, message, read, rest, settled, small};
use crate::watched::Watched;

const SEGMENT: i64 = 256 << 10;

/// Appends messages whose times are their numbers in microseconds, and waits until they are indexed and the next segment,
/// which counts towards the size of the recording, is there.
fn fill(journal: &Journal, numbers: std::ops::Range<u64>) {
    let mut appender = journal.appender().unwrap();
    for number in numbers {
        appender.append_with(&message(0, number), 1_000 + number as i64 * 1_000).unwrap();
    }
    settled(journal);
}

fn numbers(recording: &Recording) -> Vec<u64> {
    all(recording).iter().map(|(_, payload)| read(payload).expect("whole").1).collect()
}

#[test]
fn segments_go_from_the_start_and_numbers_stay() {
    let (dir, journal) = journal(&small());
    fill(&journal, 0..6_000);
    let recording = journal.recording().unwrap();
    let mut old = recording.tailer(Start::Begin).unwrap();
    assert!(old.next().unwrap().is_some());
    let mut late = recording.tailer(Start::Begin).unwrap();
    late.seek(Start::Sequence(4_500)).unwrap();
    let before = all(&recording);
    let end = journal.recorded().unwrap();

    let request = Prune::default().before_position(Position::new(3 * SEGMENT + 5_000));
    let would = journal.prune(&request.dry_run()).unwrap();
    assert_eq!(
        (would.start.get(), would.segments.len(), journal.recording().unwrap().start_position().get()),
        (3 * SEGMENT, 3, 0)
    );
    let done = journal.prune(&request).unwrap();
    assert_eq!(done, would);
    assert!(done.segments.iter().all(|segment| segment.reason == PruneReason::Position && segment.bytes > 0));
    assert_eq!(done.held, None);
    let names: Vec<String> = Directory::at(dir.path()).names().unwrap();
    assert!(
        !names.iter().any(|name| ["0-0.rec", "0-262144.rec", "0-524288.rec", "0-524288.index"].contains(&&**name)),
        "{names:?}"
    );
    assert!(names.contains(&"0-786432.rec".to_owned()) && names.contains(&"0-786432.index".to_owned()));

    // Nothing else has changed.
    let kept: Vec<_> = before.iter().filter(|(position, _)| *position >= done.start).cloned().collect();
    let first = before.len() - kept.len();
    for recording in [journal.recording().unwrap(), recording.clone(), Recording::open(dir.path()).unwrap()] {
        assert_eq!(all(&recording), kept);
        assert_eq!(recording.start_position(), done.start);
        let mut tailer = recording.tailer(Start::Begin).unwrap();
        assert_eq!(tailer.sequence(), Some(first as i64));
        assert!(tailer.previous().unwrap().is_none(), "nothing is in front of the start");
        for index in [first, first + 1, 4_321, 5_999] {
            tailer.seek(Start::Sequence(index as i64)).unwrap();
            assert_eq!(tailer.next().unwrap().unwrap().payload(), &before[index].1[..]);
            tailer.seek(Start::Time(EpochNanos::new(1_000 + index as i64 * 1_000))).unwrap();
            assert_eq!(tailer.next().unwrap().unwrap().sequence(), Some(index as i64));
        }
        let mut count = 0;
        while tailer.previous().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 6_000 - first);
        for (start, what) in [(Start::Position(before[0].0), "position"), (Start::Sequence(7), "message number")] {
            let error = recording.tailer(start).unwrap_err();
            let JournalError::Pruned { what: found, earliest, .. } = error else { panic!("{error}") };
            assert_eq!((found, earliest), (what, done.start));
        }
        tailer.seek(Start::Time(EpochNanos::new(5))).unwrap();
        assert_eq!(tailer.sequence(), Some(first as i64), "the first message of that time or later");
        assert_eq!(recording.prune_totals().unwrap().segments, 3);
    }

    // A tailer before the pruned range reads what it has mapped, and then gets the position where to continue; a tailer
    // behind the range is not affected.
    let error = loop {
        match old.next() {
            Ok(record) => assert!(record.is_some(), "there is more"),
            Err(error) => break error,
        }
    };
    let JournalError::Pruned { earliest, .. } = error else { panic!("{error}") };
    assert!(old.next().is_err(), "it stays where it is");
    old.seek(Start::Position(earliest)).unwrap();
    assert_eq!(rest(&mut old), kept);
    assert_eq!(read(late.next().unwrap().unwrap().payload()), Some((0, 4_500)));

    // The recording continues, here and after it is opened again.
    fill(&journal, 6_000..6_010);
    assert!(journal.recorded().unwrap() > end);
    journal.close().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.recovery().left_by, gannet::journal::LeftBy::Close);
    fill(&journal, 6_010..9_000);
    assert_eq!(numbers(&journal.recording().unwrap()), (first as u64..9_000).collect::<Vec<_>>());
    assert!(journal.recording().unwrap().verify(|_| {}).unwrap().is_whole());
    journal.sync().unwrap();
    journal.close().unwrap();

    // Rebuilt sidecars have the same content, sequence numbers included.
    let index = || {
        let names = Directory::at(dir.path()).names().unwrap();
        let mut files: Vec<_> = names
            .into_iter()
            .filter(|name| name.ends_with(".index"))
            .map(|name| (std::fs::read(dir.path().join(&name)).unwrap(), name))
            .collect();
        files.sort_by(|one, other| one.1.cmp(&other.1));
        files
    };
    let before = index();
    before.iter().for_each(|(_, name)| std::fs::remove_file(dir.path().join(name)).unwrap());
    let done = reindex(dir.path(), None, |_| {}).unwrap();
    assert_eq!((done.messages, done.damages.len()), (9_000 - first as u64, 0));
    assert!(index() == before, "byte for byte");
}

#[test]
fn policies_say_what_goes_and_cursors_what_stays() {
    let (dir, journal) = journal(&small());
    fill(&journal, 0..6_000);
    let recording = journal.recording().unwrap();
    let storage = || Arc::new(Directory::at(dir.path()));
    let plan = |request: Prune| prune(storage(), None, &request.dry_run(), |_| {}).unwrap();
    // Times are near 1970.
    let age = plan(Prune::by(&Retention::new().max_age(core::time::Duration::from_secs(3600))));
    assert!(age.segments.len() >= 4 && age.segments.iter().all(|segment| segment.reason == PruneReason::Age));
    assert!(age.start < journal.tail(), "what is being written stays");
    assert!(
        plan(Prune::by(&Retention::new().max_age(core::time::Duration::from_secs(200 * 366 * 24 * 3600))))
            .segments
            .is_empty()
    );
    let one = age.segments[0].bytes;
    let size = plan(Prune::by(&Retention::new().max_bytes(4 * one)));
    assert!(!size.segments.is_empty() && size.segments.iter().all(|segment| segment.reason == PruneReason::Size));
    let less = plan(Prune::by(&Retention::new().max_bytes(5 * one)));
    assert_eq!(less.segments.len() + 1, size.segments.len());
    // Files that are being made count as well, once for each place: another segment is pruned for them.
    let place = journal.tail().get() / SEGMENT * SEGMENT + 2 * SEGMENT;
    for maker in ["1-0x1", "2-0x1"] {
        let name = dir.path().join(format!("0-{place}.next.making-{maker}"));
        std::fs::write(name, vec![1; usize::try_from(one).unwrap()]).unwrap();
    }
    let more = plan(Prune::by(&Retention::new().max_bytes(5 * one)));
    assert_eq!(more.segments.len(), size.segments.len());
    for maker in ["1-0x1", "2-0x1"] {
        std::fs::remove_file(dir.path().join(format!("0-{place}.next.making-{maker}"))).unwrap();
    }
    assert!(plan(Prune::by(&Retention::new().max_bytes(u64::MAX).min_free_bytes(1))).segments.is_empty());
    let free = plan(Prune::by(&Retention::new().min_free_bytes(u64::MAX)));
    assert!(free.segments.iter().all(|segment| segment.reason == PruneReason::FreeSpace));
    assert_eq!(free.segments.len(), age.segments.len());
    // Each limit applies.
    let policy = Retention::new().max_bytes(5 * one).max_age(core::time::Duration::from_secs(3600));
    assert_eq!(plan(Prune::by(&policy)).segments.len(), age.segments.len());
    // All messages of the first two segments are before that time.
    let times = age.segments[1].newest.unwrap();
    let time = plan(Prune::default().before_time(EpochNanos::new(times.get() + 1)));
    assert_eq!((time.segments.len(), time.segments[0].reason), (2, PruneReason::Time));
    assert_eq!(plan(Prune::default().before_time(times)).segments.len(), 1);
    assert_eq!(plan(Prune::by(&policy).at_most(2)).segments.len(), 2);
    assert!(plan(Prune::default()).segments.is_empty());

    let mut billing = recording.cursor("billing").unwrap();
    let mut risk = recording.cursor("risk").unwrap();
    billing.move_to(Position::new(SEGMENT + 64)).unwrap();
    risk.move_to(Position::new(3 * SEGMENT)).unwrap();
    let everything = Prune::by(&Retention::new().max_bytes(1));
    let done = journal.prune(&everything).unwrap();
    let held = done.held.unwrap();
    assert_eq!((done.start.get(), &*held.cursor, held.position), (SEGMENT, "billing", billing.position()));
    assert_eq!(held.segments, age.segments.len() - 1);
    // A new cursor starts where the recording now begins.
    assert_eq!(recording.cursor("new").unwrap().position().get(), SEGMENT);
    recording.remove_cursor("new").unwrap();
    billing.move_to(Position::new(2 * SEGMENT)).unwrap();
    assert_eq!(journal.prune(&everything).unwrap().start.get(), 2 * SEGMENT);
    let forced = journal.prune(&everything.force()).unwrap();
    assert_eq!((forced.start, forced.held), (age.start, None));
    // Only its consumer moves a cursor, and the consumer gets the error.
    let lost = Recording::open(dir.path()).unwrap().cursor("billing").unwrap();
    assert_eq!(lost.position().get(), 2 * SEGMENT);
    let error = recording.tailer(Start::Position(lost.position())).unwrap_err();
    assert!(matches!(error, JournalError::Pruned { earliest, .. } if earliest == age.start), "{error}");
}

/// A time in the future says nothing about the age of the messages around it.
#[test]
fn a_message_from_the_future_keeps_nothing() {
    let (_dir, journal) = journal(&small());
    let now = SystemClock.epoch_nanos().get();
    let century = 100 * 366 * 24 * 3_600_000_000_000;
    let decades = Prune::by(&Retention::new().max_age(core::time::Duration::from_secs(30 * 366 * 24 * 3600)));
    fill(&journal, 0..2_000);
    let end = journal.appender().unwrap().append_with(&message(1, 0), now + century).unwrap();
    let late = (end.get() - 1) / SEGMENT * SEGMENT;
    fill(&journal, 2_001..5_000);
    let plan = journal.prune(&decades.dry_run()).unwrap();
    assert!(late > 0 && plan.start.get() > late + SEGMENT, "{late} {plan:?}");
    let rest = plan.rest.unwrap();
    assert_eq!((rest.base, rest.reason), (plan.start, KeepReason::InUse));
    // Message by message, since the index shows only that one of them was in the future.
    let recording = journal.recording().unwrap();
    for segment in &plan.segments {
        let within = |position: Position| (segment.base.get()..segment.base.get() + SEGMENT).contains(&position.get());
        let numbers = all(&recording).into_iter().filter(|(position, _)| within(*position));
        let numbers = numbers.map(|(_, payload)| read(&payload).expect("whole")).filter(|&(appender, _)| appender == 0);
        let newest = numbers.map(|(_, number)| 1_000 + number as i64 * 1_000).max();
        assert_eq!(segment.newest.map(EpochNanos::get), newest, "{segment:?}");
        assert_eq!(segment.reason, PruneReason::Age);
    }

    // New messages after it stay, wherever they are in their segment, and so does everything after them.
    let mut appender = journal.appender().unwrap();
    let recent = (appender.append_with(&message(2, 0), now).unwrap().get() - 1) / SEGMENT * SEGMENT;
    drop(appender);
    fill(&journal, 5_000..9_000);
    for request in [decades, Prune::default().before_time(EpochNanos::new(now))] {
        let plan = journal.prune(&request.dry_run()).unwrap();
        let rest = plan.rest.unwrap();
        assert_eq!((plan.start.get(), rest.base.get(), rest.reason), (recent, recent, KeepReason::Limits));
        assert_eq!(rest.newest, Some(EpochNanos::new(now)));
    }
    assert_eq!(journal.prune(&decades).unwrap().start.get(), recent);
    let plan = journal.prune(&Prune::default().before_time(EpochNanos::new(now + 1)).dry_run()).unwrap();
    assert_eq!(plan.rest.unwrap().reason, KeepReason::InUse);
}

#[test]
fn what_is_only_of_the_future_is_undated() {
    let journal = Journal::create_in(Arc::new(MemoryStorage::new(RAW)), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    for number in 0..3_000 {
        appender.append_with(&message(0, number), i64::MAX - number as i64).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    let stays = |request: Prune| {
        let plan = journal.prune(&request.dry_run()).unwrap();
        let rest = plan.rest.unwrap();
        (plan.segments.len(), rest.base.get(), rest.newest, rest.reason)
    };
    let old = Retention::new().max_age(core::time::Duration::from_nanos(1));
    assert_eq!(stays(Prune::by(&old)), (0, 0, None, KeepReason::Undated));
    assert_eq!(stays(Prune::by(&Retention::new())), (0, 0, None, KeepReason::Limits));
    assert_eq!(stays(Prune::by(&old.max_bytes(1)).at_most(1)), (1, SEGMENT, None, KeepReason::AtMost));
    let cursor = journal.recording().unwrap().cursor("billing").unwrap();
    assert_eq!(stays(Prune::by(&old.max_bytes(1))), (0, cursor.position().get(), None, KeepReason::Cursor));
}

#[test]
fn the_helper_thread_keeps_to_a_policy() {
    let (dir, journal) = journal(&small().retention(Retention::new().max_bytes(4 * 300_000)));
    let cursor_of = journal.recording().unwrap();
    let mut cursor = cursor_of.cursor("slow").unwrap();
    fill(&journal, 0..12_000);
    let segments = || journal.recording().unwrap().segments().unwrap().len();
    assert!(segments() > 6, "the cursor keeps them");
    let told = || match journal.trouble() {
        Some(JournalError::HeldBack { cursor, position, .. }) => Some((cursor, position.get())),
        found => {
            assert!(found.is_none(), "{found:?}");
            None
        }
    };
    eventually("the helper thread says so", || told() == Some(("slow".to_owned(), 0)));
    let held = journal.recording().unwrap().held_back().unwrap().unwrap();
    assert!((&*held.cursor, held.position.get()) == ("slow", 0) && held.segments > 2, "{held:?}");
    assert_eq!(cursor_of.retention().unwrap().bytes(), Some(4 * 300_000));
    cursor.move_to(journal.recorded().unwrap()).unwrap();
    let recording = journal.recording().unwrap();
    let due = Prune::by(&recording.retention().unwrap()).dry_run();
    eventually("it is pruned", || journal.prune(&due).unwrap().segments.is_empty());
    assert!(segments() <= 4);
    let kept = numbers(&recording);
    assert!(kept.len() > 1_000 && kept.last() == Some(&11_999) && kept.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert!(journal.trouble().is_none(), "it is told once");
    assert_eq!(recording.held_back().unwrap(), None);
    // It is part of the journal: every process that opens the journal applies it.
    journal.close().unwrap();
    let journal = Journal::open(dir.path()).unwrap();
    fill(&journal, 12_000..24_000);
    cursor.move_to(journal.recorded().unwrap()).unwrap();
    eventually("it is pruned again", || journal.recording().unwrap().segments().unwrap().len() <= 4);
    journal.set_retention(&Retention::new()).unwrap();
    assert!(journal.recording().unwrap().retention().unwrap().keeps_everything());
}

#[test]
fn nobody_waits_for_pruning_and_nobody_reads_what_is_not_there() {
    let (_dir, journal) = journal(&small());
    let total = 12_000_u64;
    let is_done = AtomicBool::new(false);
    let done = &is_done;
    std::thread::scope(|threads| {
        let journal = &journal;
        let writers = [0, 1].map(|appender| {
            threads.spawn(move || {
                let mut writer = journal.appender().unwrap();
                for number in 0..total {
                    writer.append(&message(appender, number)).unwrap();
                }
            })
        });
        let reader = threads.spawn(move || {
            let mut tailer = journal.recording().unwrap().tailer(Start::Begin).unwrap();
            let mut next = [0_u64; 2];
            loop {
                let is_last = done.load(Ordering::Acquire);
                match tailer.next() {
                    Ok(Some(record)) => {
                        let (appender, number) = read(record.payload()).expect("whole");
                        assert!(number >= next[appender as usize], "in order");
                        next[appender as usize] = number + 1;
                    }
                    // What was appended last may have been pruned before it was read.
                    Ok(None) if is_last => break,
                    Ok(None) => std::thread::yield_now(),
                    Err(JournalError::Pruned { earliest, .. }) => {
                        assert!(earliest > tailer.position());
                        tailer.seek(Start::Begin).unwrap();
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let request = Prune::by(&Retention::new().max_bytes(900_000));
        while writers.iter().any(|writer| !writer.is_finished()) {
            journal.prune(&request).unwrap();
            std::thread::yield_now();
        }
        done.store(true, Ordering::Release);
        reader.join().unwrap();
    });
    let recording = journal.recording().unwrap();
    eventually("it is indexed", || journal.indexed() == journal.tail());
    journal.prune(&Prune::by(&Retention::new().max_bytes(900_000))).unwrap();
    assert!(recording.start_position().get() > SEGMENT);
    assert!(recording.verify(|_| {}).unwrap().is_whole());
    assert!(journal.trouble().is_none());
}

/// The removal of a file takes as long as it likes, whoever prunes. Meanwhile appenders roll and append on, others
/// begin, and tailers read.
#[test]
fn an_append_never_waits_for_a_removal() {
    for by_helper in [false, true] {
        let (reached, is_reached) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let gate = Mutex::new((reached, released));
        let files = MemoryStorage::new(RAW);
        let storage = Watched::heard(Arc::new(files.clone()), move |call, name| {
            if (call, name) == ("remove", "0-0.rec") {
                let gate = gate.lock().unwrap();
                gate.0.send(()).unwrap();
                // Until the test lets it go on, or has failed.
                let _ = gate.1.recv();
            }
        });
        let journal = Arc::new(Journal::create_in(Arc::new(storage), &small()).unwrap());
        fill(&journal, 0..5_000);
        let policy = Retention::new().max_bytes(1);
        let pruning = if by_helper {
            journal.set_retention(&policy).unwrap();
            None
        } else {
            let journal = Arc::clone(&journal);
            Some(std::thread::spawn(move || journal.prune(&Prune::by(&policy)).unwrap()))
        };
        let longest = core::time::Duration::from_secs(180);
        is_reached.recv_timeout(longest).expect("it comes to the removal");
        let before = journal.tail();
        let (finished, is_finished) = mpsc::channel();
        let (appending, total) = (Arc::clone(&journal), 5_000);
        std::thread::spawn(move || {
            let mut one = appending.appender().unwrap();
            let mut other = appending.appender().unwrap();
            for number in 0..total {
                let appender = if number % 2 == 0 { &mut one } else { &mut other };
                appender.append(&message(1, number)).unwrap();
            }
            drop((one, other));
            let mut alone = appending.exclusive_appender().unwrap();
            (total..2 * total).for_each(|number| _ = alone.append(&message(1, number)).unwrap());
            let mut tailer = appending.recording().unwrap().tailer(Start::Position(before)).unwrap();
            let read = rest(&mut tailer).iter().map(|(_, payload)| read(payload).expect("whole")).collect::<Vec<_>>();
            finished.send((appending.tail(), read)).unwrap();
        });
        let outcome = is_finished.recv_timeout(longest);
        let is_there = files.names().unwrap().contains(&"0-0.rec".to_owned());
        drop(release);
        let (tail, read) = outcome.expect("it appends while a file is removed");
        assert!(is_there, "the removal has not ended");
        assert!(tail.get() > before.get() + 3 * SEGMENT, "it rolls more than once");
        assert!(read.into_iter().eq((0..2 * total).map(|number| (1, number))), "{by_helper}");
        match pruning {
            Some(pruning) => assert!(pruning.join().unwrap().start.get() > SEGMENT),
            None => eventually("it goes on", || journal.recording().unwrap().start_position() > before),
        }
    }
}

/// After a kill at any point, the recording begins where it did or where pruning was to end, and the next pruning
/// completes it.
#[test]
fn pruning_can_be_killed_anywhere() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    fill(&journal, 0..4_000);
    let everything = numbers(&journal.recording().unwrap());
    journal.close().unwrap();
    let request = Prune::by(&Retention::new().max_bytes(1));
    let expected = prune(Arc::new(storage.after_kill()), None, &request.dry_run(), |_| {}).unwrap();
    assert!(expected.segments.len() >= 2);
    let mut outcomes = [0; 2];
    for calls in 0.. {
        let killed = storage.after_kill();
        let failing = Watched::failing(&killed, calls);
        let is_done = prune(Arc::new(failing), None, &request, |_| {}).is_ok();
        let left = killed.after_kill();
        let recording = Recording::open_in(Arc::new(left.clone()), None).unwrap();
        let start = recording.start_position();
        assert!(start.get() == 0 || start == expected.start, "killed at call {calls}: {start}");
        outcomes[usize::from(start.get() > 0)] += 1;
        let kept = numbers(&recording);
        assert_eq!(kept, everything[everything.len() - kept.len()..], "killed at call {calls}");
        let first = recording.tailer(Start::Begin).unwrap().sequence();
        assert_eq!(first, Some((everything.len() - kept.len()) as i64), "killed at call {calls}");
        if calls % 2 == 0 {
            assert_eq!(prune(Arc::new(left.clone()), None, &request, |_| {}).unwrap().start, expected.start);
        } else {
            let journal = Journal::open_in(Arc::new(left.clone()), None).unwrap();
            assert_eq!(numbers(&journal.recording().unwrap()), kept);
        }
        let recording = Recording::open_in(Arc::new(left.clone()), None).unwrap();
        if recording.start_position() == expected.start {
            let gone = |name: &String| expected.segments.iter().any(|segment| &segment.name == name);
            assert!(!left.names().unwrap().iter().any(gone), "killed at call {calls}: nothing is left over");
        }
        if is_done {
            break;
        }
    }
    assert!(outcomes.iter().all(|&count| count > 3), "{outcomes:?}");
}

#[test]
fn what_was_not_closed_is_not_pruned() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    fill(&journal, 0..3_000);
    let killed = storage.after_kill();
    let request = Prune::by(&Retention::new().max_bytes(1));
    let error = prune(Arc::new(killed.clone()), None, &request, |_| {}).unwrap_err();
    assert!(matches!(error, JournalError::Recover { .. }), "{error}");
    let journal = Journal::open_in(Arc::new(killed.clone()), None).unwrap();
    eventually("it is indexed", || journal.indexed() == journal.tail());
    assert!(!prune(Arc::new(killed), None, &request, |_| {}).unwrap().segments.is_empty());
}

/// It is what helps when the disk is full. Also if another version, or an archive, has made the recording.
#[test]
fn pruning_needs_no_space() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    (0..6_000).for_each(|number| _ = appender.append(&message(0, number)).unwrap());
    drop(appender);
    journal.close().unwrap();
    for (before, start) in [(300_000, 262_144), (600_000, 524_288)] {
        storage.limit_space(0);
        let request = Prune::by(&Retention::new()).before_position(Position::new(before));
        let done = prune(Arc::new(storage.clone()), None, &request, |_| {}).unwrap();
        assert_eq!((done.start.get(), done.segments.len()), (start, 1));
        let recording = Recording::open_in(Arc::new(storage.clone()), None).unwrap();
        let mut tailer = recording.tailer(Start::Begin).unwrap();
        let first = tailer.next().unwrap().unwrap();
        assert_eq!(first.sequence(), read(first.payload()).map(|(_, number)| number as i64));
        storage.limit_space(u64::MAX);
        assert!(storage.remove("0.retention").unwrap());
        Journal::open_in(Arc::new(storage.clone()), None).unwrap().close().unwrap();
    }
}

/// A journal that filled its disk to the last segment ends there, whether it was closed or killed, and whoever opens it finds
/// no room. All of them can be pruned, or it would stay full for ever.
#[test]
fn a_journal_that_has_filled_its_disk_can_be_pruned() {
    let full = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(full.clone()), &small()).unwrap();
    fill(&journal, 0..4_000);
    eventually("the next segment is made", || journal.prepared().get() > journal.tail().get() + SEGMENT);
    // Room for the last index, and for no segment.
    full.limit_space(100 << 10);
    let mut appender = journal.appender().unwrap();
    while appender.append(&[0; 1_000]).is_ok() {}
    eventually("it is indexed", || journal.indexed() == journal.tail());
    drop(appender);
    let end = journal.tail();
    assert_eq!(end.get() % SEGMENT, 0, "a segment's end");
    let killed = full.after_kill();
    journal.close().unwrap();

    let no_room = |result: Result<(), JournalError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, JournalError::Map(MapError::NoSpace { .. })), "{error}");
    };
    let is_pruned = |storage: &MemoryStorage, what: &str| {
        let recording = Recording::open_in(Arc::new(storage.clone()), None).unwrap();
        assert_eq!(recording.stop_position(), Some(end), "{what}");
        assert!(recording.verify(|_| {}).unwrap().is_whole(), "{what}");
        let request = Prune::by(&Retention::new()).before_position(Position::new(SEGMENT));
        assert_eq!(prune(Arc::new(storage.clone()), None, &request, |_| {}).unwrap().segments.len(), 1, "{what}");
    };
    for storage in [&full, &killed] {
        storage.limit_space(0);
    }
    for (what, storage) in [("closed", full.after_kill()), ("killed", killed.after_kill())] {
        storage.limit_space(0);
        no_room(Journal::open_in(Arc::new(storage.clone()), None).map(drop));
        is_pruned(&storage, &format!("{what}, and opened in vain"));
    }
    let repaired = repair(Arc::new(killed.clone()), None, false, |_| {}).unwrap();
    assert_eq!((repaired.left_by, repaired.end), (LeftBy::Kill, end));
    is_pruned(&killed, "killed, and repaired");
    is_pruned(&full, "closed");

    full.limit_space(u64::MAX);
    let journal = Journal::open_in(Arc::new(full), None).unwrap();
    assert_eq!(journal.tail(), end);
    journal.appender().unwrap().append(b"there is room again").unwrap();
}

/// A segment counts once, whichever name it has and whenever that changes.
#[test]
fn a_segment_that_is_being_named_counts_once() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    fill(&journal, 0..4_000);
    let next = journal.tail().get() / SEGMENT * SEGMENT + SEGMENT;
    journal.close().unwrap();
    let names = [".next.making-1-0x1", ".next", ".rec"].map(|kind| format!("0-{next}{kind}"));
    storage.create(&names[0], SEGMENT as u64, Reserve::Space).unwrap();
    let files = storage.names().unwrap();
    let is_counted = |name: &&String| name.contains(".next") || name.ends_with(".rec") || name.ends_with(".index");
    let bytes: u64 = files.iter().filter(is_counted).map(|name| storage.info(name).unwrap().unwrap().bytes).sum();
    for (most, expected) in [(bytes, 0), (bytes - 1, 1)] {
        let request = Prune::by(&Retention::new().max_bytes(most)).dry_run();
        for (from, to) in [(0, 1), (1, 2)] {
            for call in 0.. {
                let files = storage.after_kill();
                (0..from).for_each(|name| assert!(files.publish(&names[name], &names[name + 1]).unwrap()));
                let calls = Arc::new(AtomicUsize::new(0));
                let (called, inner, names) = (Arc::clone(&calls), files.clone(), names.clone());
                let watched = Watched::heard(Arc::new(files), move |_, _| {
                    if called.fetch_add(1, Ordering::Relaxed) == call {
                        assert!(inner.publish(&names[from], &names[to]).unwrap());
                    }
                });
                let plan = prune(Arc::new(watched), None, &request, |_| {}).unwrap();
                assert_eq!(plan.segments.len(), expected, "{from} to {to} before call {call}: {most} of {bytes}");
                if calls.load(Ordering::Relaxed) <= call {
                    break;
                }
            }
        }
    }
}

/// The helper thread keeps to the policy although neither the next segment nor an index can be made, and then they can.
#[test]
fn the_helper_thread_prunes_a_full_disk() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    fill(&journal, 0..4_000);
    storage.limit_space(0);
    let mut appender = journal.appender().unwrap();
    let mut number = 4_000;
    while appender.append(&message(0, number)).is_ok() {
        number += 1;
        assert!(number < 10_000, "there is one segment more");
    }
    eventually("the helper thread says so", || journal.trouble().is_some());
    journal.set_retention(&Retention::new().max_bytes(1)).unwrap();
    eventually("there is room again", || appender.append(&message(0, number)).is_ok());
    let left = numbers(&journal.recording().unwrap());
    assert!(left[0] > 0 && left.iter().copied().eq(left[0]..=number), "the last ones, and all of them");
    eventually("it is indexed", || journal.indexed() == journal.tail());
}

/// Other files can have any name. None of them is a segment that was pruned.
#[test]
fn files_with_the_names_of_segments_that_cannot_be_are_left_alone() {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    fill(&journal, 0..4_000);
    journal.close().unwrap();
    let end = i64::MAX - 31;
    let names = ["rec", "next", "times", "index", "times.1"].map(|kind| format!("0-{end}.{kind}"));
    let others = ["0-+0.times", "0--32.times", "0-00.index"].map(str::to_owned);
    let names = [&names[..], &others].concat();
    for name in &names {
        storage.create(name, 64, Reserve::Space).unwrap();
    }
    let request = Prune::by(&Retention::new().max_bytes(1));
    let mut progress = Vec::new();
    let done = prune(Arc::new(storage.clone()), None, &request, |position| progress.push(position)).unwrap();
    assert!(done.segments.len() >= 2);
    let examined: Vec<_> = done.segments.iter().map(|segment| Position::new(segment.base.get() + SEGMENT)).collect();
    assert!(progress.starts_with(&examined) && progress.last() == Some(&done.start), "{progress:?}");
    // As after a restart, when it takes back what sidecars cover.
    let storage = storage.after_power_loss(|_, _| Crash::Kept, Crash::Kept);
    Journal::open_in(Arc::new(storage.clone()), None).unwrap().close().unwrap();
    repair(Arc::new(storage.clone()), None, false, |_| {}).unwrap();
    let left = storage.names().unwrap();
    assert!(names.iter().filter(|name| !name.ends_with("next")).all(|name| left.contains(name)), "{left:?}");
}

/// Whoever asks for the policy while it is set gets the old one or the new one.
#[test]
fn a_policy_that_is_being_set_is_not_damaged() {
    let (dir, journal) = journal(&small());
    let recording = Recording::open(dir.path()).unwrap();
    let policies = [1, 2].map(|number| Retention::new().max_bytes(number << 40).min_free_bytes(number));
    journal.set_retention(&policies[0]).unwrap();
    let (is_over, seen) = (AtomicBool::new(false), [const { AtomicBool::new(false) }; 2]);
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let found = recording.retention().unwrap();
                let which = policies.iter().position(|policy| *policy == found).unwrap();
                seen[which].store(true, Ordering::Relaxed);
            }
        });
        let set = |number: usize| journal.set_retention(&policies[number % 2]).unwrap();
        (0..2_000).for_each(set);
        let mut numbers = 0..;
        eventually("both are seen", || {
            set(numbers.next().unwrap());
            asker.is_finished() || seen.iter().all(|seen| seen.load(Ordering::Relaxed))
        });
        is_over.store(true, Ordering::Relaxed);
        asker.join().unwrap();
    });
    assert!(journal.trouble().is_none());
}

/// Finding out what goes may take long: of a long recording there are many files to look at, or messages to read.
#[test]
fn a_cursor_is_made_while_a_pruning_looks_for_what_goes_and_keeps_it() {
    let files = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(files.clone()), &small()).unwrap();
    fill(&journal, 0..6_000);
    let is_made = Arc::new(AtomicBool::new(false));
    let storage = Watched::heard(Arc::new(files.clone()), {
        let (files, is_made) = (files.clone(), Arc::clone(&is_made));
        move |call, name| {
            let looks = call == "info" && name == "0-0.rec";
            if looks && !is_made.swap(true, Ordering::Relaxed) {
                Recording::open_in(Arc::new(files.clone()), None).unwrap().cursor("late").unwrap();
            }
        }
    });
    let request = Prune::by(&Retention::new().max_bytes(1));
    let done = prune(Arc::new(storage), None, &request, |_| ()).unwrap();
    assert!(is_made.load(Ordering::Relaxed));
    assert_eq!((done.start.get(), done.segments.len()), (0, 0));
    assert!(done.held.is_some_and(|held| held.cursor == "late" && held.segments > 1));
    assert!(journal.prune(&request.force()).unwrap().start.get() > 0);
}

/// Otherwise a loss of power leaves a recording whose first segments are missing.
#[test]
fn a_start_that_could_not_be_synced_is_on_stable_storage_before_anything_below_it_goes() {
    let files = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(files.clone()), &small()).unwrap();
    fill(&journal, 0..6_000);
    journal.close().unwrap();
    let request = Prune::default().before_position(Position::new(3 * SEGMENT));
    files.fail_syncs(CATALOG_NAME, true);
    prune(Arc::new(files.clone()), None, &request, |_| ()).unwrap_err();
    files.fail_syncs(CATALOG_NAME, false);
    for finish in ["prune", "open", "repair"] {
        let files = files.after_kill();
        let removed = Arc::new(AtomicUsize::new(0));
        let storage: Arc<dyn Storage> = Arc::new(Watched::heard(Arc::new(files.clone()), {
            let (files, removed) = (files.clone(), Arc::clone(&removed));
            move |call, name| {
                if call == "remove" && name.ends_with(".rec") {
                    removed.fetch_add(1, Ordering::Relaxed);
                    let left = files.after_power_loss(|_, _| Crash::Lost, Crash::Lost);
                    let recording = Recording::open_in(Arc::new(left), None).unwrap();
                    assert_eq!(recording.start_position().get(), 3 * SEGMENT, "when {name} goes: {finish}");
                }
            }
        }));
        match finish {
            "prune" => drop(prune(storage, None, &request, |_| ()).unwrap()),
            "open" => drop(Journal::open_in(storage, None).unwrap()),
            _ => drop(repair(storage, None, false, |_| ()).unwrap()),
        }
        assert_eq!(removed.load(Ordering::Relaxed), 3, "{finish}");
    }
}
