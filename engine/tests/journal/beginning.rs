//! Tests of creating a journal: it is created once and completely, even if a process is killed meanwhile, and never
//! over messages of another.

use std::sync::Arc;

use gannet::journal::storage::{Crash, MemoryStorage, Storage};
use gannet::journal::{
    Catalog, Journal, JournalError, JournalOptions, Recording, Retention, RollCycle, Stamps, SyncPolicy,
};
use gannet::memory::{FileAccess, Reserve};

use crate::raw_access::RAW;
use crate::support::{all, journal, message, read, small};
use crate::watched::Watched;

/// The files of a directory, without lock files and the mark, which any reader may write.
fn files(dir: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .filter(|(name, _)| !name.ends_with(".lock") && !name.starts_with("archive-mark"))
        .collect();
    files.sort();
    files
}

fn refused(outcome: Result<Journal, JournalError>, expected: &str) {
    match outcome.unwrap_err() {
        JournalError::Unlisted { file, .. } => assert!(file.ends_with(expected), "{file:?}, not {expected}"),
        other => panic!("{other}"),
    }
}

#[test]
fn what_was_recorded_is_never_written_over_by_a_new_journal() {
    let options = small().segment_length(64 << 10);
    let (dir, journal) = journal(&options);
    let mut appender = journal.appender().unwrap();
    for number in 0..3_000 {
        appender.append(&message(0, number)).unwrap();
    }
    drop(appender);
    journal.close().unwrap();
    let catalog = dir.path().join("archive.catalog");
    let kept = dir.path().join("kept");
    std::fs::rename(&catalog, &kept).unwrap();
    let before = files(dir.path());
    let tries = || {
        for outcome in [
            Journal::open_or_create(dir.path(), &options),
            Journal::create(dir.path(), &options),
            Journal::open_or_create(dir.path(), &options),
        ] {
            let error = outcome.unwrap_err();
            assert!(matches!(error, JournalError::Unlisted { .. }), "{error}");
            let told = format!("run `gannet journal repair --dir {}`", dir.path().display());
            assert!(error.to_string().contains(&told), "{error}");
        }
    };
    tries();
    assert!(matches!(Journal::open(dir.path()).unwrap_err(), JournalError::Unlisted { .. }));
    assert!(matches!(Recording::open(dir.path()).unwrap_err(), JournalError::Unlisted { .. }));
    assert!(files(dir.path()) == before, "nothing is changed");
    // Also not if another process has made a catalog since, or if the catalog's entry is gone.
    let storage = gannet::journal::storage::Directory::at(dir.path());
    drop(Catalog::create(&storage).unwrap());
    tries();
    let mut bytes = std::fs::read(&kept).unwrap();
    bytes[8..16].fill(0);
    bytes[32..].fill(0);
    std::fs::write(&catalog, bytes).unwrap();
    tries();
    // The files that were there are unchanged.
    std::fs::rename(&kept, &catalog).unwrap();
    let messages = all(&Recording::open(dir.path()).unwrap());
    assert!(messages.iter().map(|(_, payload)| read(payload)).eq((0..3_000).map(|number| Some((0, number)))));
    assert!(matches!(Journal::create(dir.path(), &options).unwrap_err(), JournalError::Exists { .. }));
}

#[test]
fn each_file_of_a_recording_keeps_a_new_one_from_its_place() {
    let begun = |names: &[&str]| {
        let storage = MemoryStorage::new(RAW);
        for name in names {
            storage.create(name, 100, Reserve::Space).unwrap();
        }
        Journal::create_in(Arc::new(storage), &small())
    };
    for name in ["0-0.rec", "0-262144.next", "7-65536.rec", "0.control", "3.control"] {
        refused(begun(&[name]), name);
    }
    begun(&["0-0.index", "0-0.rec.new", "0-0.next.making-1-0x0", "x.control", "00.control", "0.control.new"]).unwrap();

    // The page of a journal with appends shows that there are some; the page of a journal without appends prevents
    // nothing.
    let storage = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(storage.clone()), &small()).unwrap();
    let without = |storage: MemoryStorage| {
        for name in storage.names().unwrap().iter().filter(|name| !name.ends_with(".control")) {
            storage.remove(name).unwrap();
        }
        Journal::create_in(Arc::new(storage), &small())
    };
    without(storage.after_kill()).unwrap();
    journal.appender().unwrap().append(b"here").unwrap();
    refused(without(storage.after_kill()), "0.control");
}

/// The options that a journal was created with.
fn made_with(journal: &Journal) -> (Stamps, SyncPolicy, Retention, bool, i64) {
    let recording = journal.recording().unwrap();
    let (stamps, retention) = (recording.stamps(), recording.retention().unwrap());
    let rolls = !matches!(recording.roll_cycle(), Ok(None));
    (stamps, journal.sync_policy(), retention, rolls, journal.descriptor().segment_length.get().into())
}

/// After a kill at any moment of creation, the journal is the one or the other, with all of that one's options.
#[test]
fn a_journal_whose_maker_is_killed_is_made_whole_by_the_next() {
    let kept = Retention::new().max_bytes(1 << 30);
    let one: JournalOptions =
        small().stamps(Stamps::Precise).sync(SyncPolicy::EveryBytes(9)).retention(kept).roll(RollCycle::DAILY);
    let other = small().segment_length(128 << 10);
    let expected = [
        (Stamps::Precise, SyncPolicy::EveryBytes(9), kept, true, 256 << 10),
        (Stamps::Coarse, SyncPolicy::None, Retention::new(), false, 128 << 10),
    ];
    let mut seen = [0; 2];
    for calls in 0.. {
        let storage = MemoryStorage::new(RAW);
        let made = Journal::create_in(Arc::new(Watched::failing(&storage, calls)), &one);
        for found in [
            storage.after_kill(),
            storage.after_power_loss(|_, _| Crash::Lost, Crash::Kept),
            storage.after_power_loss(|_, _| Crash::Kept, Crash::Lost),
        ] {
            let is_begun = Catalog::open(&found, FileAccess::ReadOnly).is_ok_and(|found| found.entries().count() > 0);
            assert!(is_begun || made.is_err(), "made, and gone after {calls} calls");
            let which = usize::from(!is_begun);
            // The policy is that of the process that opened the journal last.
            let last = other.clone().sync(expected[which].1);
            let journal = Journal::open_or_create_in(Arc::new(found.clone()), &last).unwrap();
            assert_eq!(made_with(&journal), expected[which], "after {calls} calls");
            journal.appender().unwrap().append(&message(0, 0)).unwrap();
            assert_eq!(all(&journal.recording().unwrap()).len(), 1);
            journal.close().unwrap();
            let journal = Journal::open_in(Arc::new(found), None).unwrap();
            assert_eq!(made_with(&journal), expected[which], "after {calls} calls, opened again");
            seen[which] += 1;
        }
        if made.is_ok() {
            break;
        }
    }
    assert!(seen[0] > 3 && seen[1] > 3, "killed before it was begun, and behind that: {seen:?}");
}

/// A catalog without entries belongs to no journal yet: its maker was killed, or a recorder had no stream.
#[test]
fn a_catalog_without_entries_gets_one() {
    for make in [Journal::create_in, Journal::open_or_create_in] {
        let storage = MemoryStorage::new(RAW);
        drop(Catalog::create(&storage).unwrap());
        let error = Journal::open_in(Arc::new(storage.clone()), None).unwrap_err();
        assert!(matches!(error, JournalError::UnknownRecording { .. }), "{error}");
        let journal = make(Arc::new(storage.clone()), &small()).unwrap();
        journal.appender().unwrap().append(&message(0, 0)).unwrap();
        assert_eq!(all(&Recording::open_in(Arc::new(storage), None).unwrap()).len(), 1);
    }
}
