//! Tests with files that another process damaged on purpose. Opening, reading, seeking, checking, appending, pruning and
//! repairing succeed or return an error. They never panic, and always terminate.

use std::sync::Arc;

use gannet::journal::storage::{MemoryStorage, Storage};
use gannet::journal::{Journal, JournalError, Prune, Recording, Retention, Start, prune, repair};
use gannet::memory::FileAccess;
use gannet::time::EpochNanos;
use gannet::types::Position;
use proptest::prelude::*;

use crate::raw_access::RAW;
use crate::support::{eventually, message, small};

/// A journal of three segments, killed or closed.
fn left(closed: bool) -> MemoryStorage {
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    for number in 0..3_000 {
        appender.append(&message(0, number)).unwrap();
    }
    journal.recording().unwrap().cursor("consumer").unwrap();
    eventually("it is indexed", || journal.indexed() == journal.tail());
    if closed {
        drop(appender);
        journal.close().unwrap();
        storage
    } else {
        storage.after_kill()
    }
}

/// Reads as far as possible, past every damage.
fn read(recording: &Recording) -> Result<u64, JournalError> {
    let mut tailer = recording.tailer(Start::Begin)?.verifying();
    let mut count = 0;
    loop {
        match tailer.next() {
            Ok(Some(_)) => count += 1,
            Ok(None) => return Ok(count),
            Err(JournalError::Damaged(_)) => {
                if tailer.skip_damage()?.is_none() {
                    return Ok(count);
                }
            }
            Err(error) => return Err(error),
        }
        assert!(count < 100_000, "it comes to an end");
    }
}

/// A journal of messages of one frame each, whose frames have the flags that `flags` returns.
pub(crate) fn flagged(length: usize, count: usize, flags: impl Fn(usize) -> u8) -> Recording {
    const SEGMENT: i64 = 256 << 10;
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    for number in 0..count {
        let end = appender.append(&vec![1; length]).unwrap().get();
        let start = end - (length as i64 + 32 + 31) / 32 * 32;
        let names = [".rec", ".next"].map(|kind| format!("0-{}{kind}", start / SEGMENT * SEGMENT));
        let open = |name: &String| storage.open(name, 1, FileAccess::ReadWrite).ok();
        // Even if a helper thread renames it between two attempts, it is found at the third.
        let segment = names.iter().chain(&names).find_map(open).unwrap();
        segment.bytes(RAW).put_bytes((start % SEGMENT) as usize + 5, &[flags(number)]);
    }
    journal.recording().unwrap()
}

/// Fragments that continue without an end are no message, however many there are, and do not have to fit into memory.
#[test]
fn a_message_that_is_longer_than_any_is_passed_over() {
    const BEGIN: u8 = 0x80;
    const END: u8 = 0x40;
    // The longest message in a term of 64 KiB has 8 KiB.
    let most = (8 << 10) / 1_024;
    for (fragments, found) in
        [(most, vec![(Some(0), most * 1_024), (Some(1), 1_024)]), (most + 1, vec![(Some(1), 1_024)])]
    {
        let recording = flagged(1_024, fragments + 1, |number| match number {
            0 => BEGIN,
            _ if number < fragments - 1 => 0,
            _ if number == fragments - 1 => END,
            _ => BEGIN | END,
        });
        let mut tailer = recording.tailer(Start::Begin).unwrap();
        let mut messages = Vec::new();
        while let Some(record) = tailer.next().unwrap() {
            messages.push((record.sequence(), record.payload().len()));
        }
        assert_eq!(messages, found);
    }
    // There is no such message at the live end, and never will be, so there is nothing to wait for.
    let recording = flagged(1_024, 600, |number| if number == 0 { BEGIN } else { 0 });
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    assert!(tailer.next().unwrap().is_none());
    assert_eq!(tailer.position(), recording.recorded_hint().unwrap());
}

/// Many messages one after another that were begun and not completed.
#[test]
fn messages_that_were_only_begun_are_passed_over_one_by_one() {
    const MESSAGES: usize = 20_000;
    let recording = flagged(0, MESSAGES + 1, |number| if number < MESSAGES { 0x80 } else { 0xC0 });
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    assert_eq!(tailer.next().unwrap().unwrap().sequence(), Some(MESSAGES as i64));
    assert!(tailer.next().unwrap().is_none());
    assert_eq!(tailer.previous().unwrap().unwrap().sequence(), Some(MESSAGES as i64));
    assert!(tailer.previous().unwrap().is_none());
    assert_eq!(tailer.position().get(), 0);
}

fn use_it(storage: &MemoryStorage) -> Result<(), JournalError> {
    let recording = Recording::open_in(Arc::new(storage.clone()), None)?;
    read(&recording)?;
    recording.verify(|_| {})?;
    let _ = recording.cursors().map(|cursors| assert!(cursors.len() <= 255));
    for start in [
        Start::End,
        Start::Sequence(2_000),
        Start::Time(EpochNanos::new(1)),
        Start::Position(Position::new(300_000 & !31)),
    ] {
        if let Ok(mut tailer) = recording.tailer(start) {
            for _ in 0..100 {
                if !matches!(tailer.previous(), Ok(Some(_))) {
                    break;
                }
            }
        }
    }
    let journal = Journal::open_in(Arc::new(storage.clone()), None)?;
    if let Ok(mut appender) = journal.appender() {
        for number in 0..10 {
            let _ = appender.append(&message(1, number));
        }
    }
    let _ = journal.recorded();
    drop(journal);
    let storage: Arc<dyn Storage> = Arc::new(storage.clone());
    let _ = prune(Arc::clone(&storage), None, &Prune::by(&Retention::new().max_bytes(300_000)), |_| {});
    repair(Arc::clone(&storage), None, true, |_| {})?;
    repair(storage, None, false, |_| {})?;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_in_the_files_is_survived(
        closed in any::<bool>(),
        file in 0_usize..32,
        noise in proptest::collection::vec((0_usize..9_000, prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), Just(1 << 40)]), 1..12),
        header_only in any::<bool>(),
    ) {
        let storage = left(closed);
        // A disk of this size is full before a hostile position has done harm.
        storage.limit_space(8 << 20);
        let mut names = storage.names().unwrap();
        names.retain(|name| !name.ends_with(".lock"));
        names.sort();
        let name = &names[file % names.len()];
        let stored = storage.open(name, 1, FileAccess::ReadWrite).unwrap();
        for (at, word) in noise {
            let at = if header_only { at % 600 } else { at };
            if at + 8 <= stored.bytes(RAW).len() {
                stored.bytes(RAW).put_bytes(at & !7, &word.to_le_bytes());
            }
        }
        // An error is an acceptable result.
        let _ = use_it(&storage);
    }
}
