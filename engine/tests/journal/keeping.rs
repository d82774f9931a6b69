//! Tests of the files beside a recording: cursors, checksums and the index, and what happens when they are lost.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gannet::journal::storage::{Directory, MemoryStorage, Share, Storage};
use gannet::journal::{
    Cursor, Journal, JournalError, JournalOptions, MAX_CURSORS, Prune, Recording, Retention, Start, reindex,
};
use gannet::memory::FileAccess;
use gannet::types::{Position, SemanticVersion};

use crate::raw_access::RAW;
use crate::skip;
use crate::support::{all, eventually, journal, message, settled, small};
use crate::watched::Watched;

#[test]
fn cursors_stay_where_they_were_moved() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    let third = (0..3).map(|number| appender.append(&message(0, number)).unwrap()).last().unwrap();
    let recording = journal.recording().unwrap();
    assert!(recording.cursors().unwrap().is_empty());
    let mut cursor = recording.cursor("billing").unwrap();
    assert_eq!((cursor.name(), cursor.position().get()), ("billing", 0));
    cursor.move_to(third).unwrap();
    cursor.sync().unwrap();
    for bad in [-32, 7, i64::MAX] {
        assert!(cursor.move_to(Position::new(bad)).is_err());
    }
    let mut other = recording.cursor("risk").unwrap();
    other.move_to(Position::new(64)).unwrap();
    drop((cursor, other, appender, journal));

    let recording = Recording::open(dir.path()).unwrap();
    let mut found: Vec<_> = recording.cursors().unwrap().into_iter().map(|info| (info.name, info.position)).collect();
    found.sort();
    assert_eq!(found, [("billing".to_owned(), third), ("risk".to_owned(), Position::new(64))]);
    let cursor = recording.cursor("billing").unwrap();
    let mut tailer = recording.tailer(Start::Position(cursor.position())).unwrap();
    assert!(tailer.next().unwrap().is_none());
    recording.remove_cursor("billing").unwrap();
    let error = recording.remove_cursor("billing").unwrap_err();
    assert!(matches!(error, JournalError::UnknownCursor { .. }), "{error}");
    for name in ["", &"x".repeat(201)] {
        assert!(recording.cursor(name).is_err());
    }
    for number in 1..MAX_CURSORS {
        recording.cursor(&format!("cursor {number}")).unwrap();
    }
    let error = recording.cursor("one too many").unwrap_err();
    assert!(error.to_string().contains("255 cursors"), "{error}");
}

/// A file that is cut short under a consumer does not send it back to the beginning.
#[test]
fn a_cursor_stays_though_its_file_is_cut_short() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    let third = (0..3).map(|number| appender.append(&message(0, number)).unwrap()).last().unwrap();
    let mut cursor = journal.recording().unwrap().cursor("billing").unwrap();
    cursor.move_to(third).unwrap();
    std::fs::OpenOptions::new().write(true).open(dir.path().join("0.cursors")).unwrap().set_len(0).unwrap();
    assert_eq!(cursor.position(), third);
    let error = cursor.move_to(third).unwrap_err();
    assert!(matches!(error, JournalError::Malformed { .. }), "{error}");
    assert_eq!(cursor.position(), third);
    let error = cursor.sync().unwrap_err();
    assert!(matches!(error, JournalError::Malformed { .. }), "{error}");
}

#[test]
fn a_cursor_that_was_removed_moves_no_other() {
    let (_dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    let ends: Vec<_> = (0..10).map(|number| appender.append(&message(0, number)).unwrap()).collect();
    let recording = journal.recording().unwrap();
    let gone = |old: &mut Cursor| {
        for error in [old.move_to(ends[9]).unwrap_err(), old.sync().unwrap_err()] {
            assert!(matches!(&error, JournalError::UnknownCursor { name, .. } if name == "old"), "{error}");
        }
        assert_eq!(old.position(), ends[3], "where it was");
    };
    // More often than the tag of a position can count.
    for round in 0..70 {
        let mut old = recording.cursor("old").unwrap();
        old.move_to(ends[3]).unwrap();
        recording.remove_cursor("old").unwrap();
        gone(&mut old);
        for name in ["fresh", "old"] {
            let mut fresh = recording.cursor(name).unwrap();
            gone(&mut old);
            assert_eq!((fresh.position().get(), recording.cursors().unwrap().len()), (0, 1), "round {round}");
            fresh.move_to(ends[5]).unwrap();
            gone(&mut old);
            assert_eq!((fresh.position(), recording.cursors().unwrap()[0].position), (ends[5], ends[5]));
            recording.remove_cursor(name).unwrap();
        }
    }
}

/// Moved continuously while it is removed and created again in its place.
#[test]
fn a_cursor_that_is_being_removed_moves_no_other() {
    let (_dir, journal) = journal(&small());
    let recording = journal.recording().unwrap();
    for _ in 0..200 {
        let mut old = recording.cursor("old").unwrap();
        let moves = std::sync::atomic::AtomicU64::new(0);
        let moved = &moves;
        std::thread::scope(|threads| {
            let mover = threads.spawn(move || {
                loop {
                    match old.move_to(Position::new(320)) {
                        Ok(()) => moved.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
                        Err(error) => break error,
                    };
                }
            });
            while moved.load(std::sync::atomic::Ordering::Relaxed) < 10 {
                std::hint::spin_loop();
            }
            recording.remove_cursor("old").unwrap();
            let fresh = recording.cursor("fresh").unwrap();
            let error = mover.join().unwrap();
            assert!(matches!(error, JournalError::UnknownCursor { .. }), "{error}");
            assert_eq!(fresh.position().get(), 0);
        });
        recording.remove_cursor("fresh").unwrap();
    }
}

/// As they were written before slots had generations.
#[test]
fn cursors_of_the_version_before_are_gone_on_with() {
    let (dir, journal) = journal(&small());
    let path = dir.path().join("0.cursors");
    let recording = journal.recording().unwrap();
    drop(recording.cursor("billing").unwrap());
    let mut bytes = std::fs::read(&path).unwrap();
    let now = bytes[..4].to_vec();
    bytes[..4].copy_from_slice(&SemanticVersion::new(1, 0, 0).bits().to_le_bytes());
    bytes[256 + 8..256 + 16].copy_from_slice(&640_i64.to_le_bytes());
    assert_eq!(bytes[256 + 24..256 + 32], [0; 8]);
    bytes[256 + 232..256 + 236].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(recording.cursors().unwrap()[0].position.get(), 640);
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "a look changes nothing");
    let mut cursor = recording.cursor("billing").unwrap();
    assert_eq!(cursor.position().get(), 640);
    cursor.move_to(Position::new(960)).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let word = (960_u64 | 1 << 63 | 1 << 62).to_le_bytes();
    assert_eq!((&bytes[..4], &bytes[256 + 8..256 + 16]), (&now[..], &word[..]));
    assert_ne!(bytes[256 + 232..256 + 236], [0; 4], "the checksum of its name");
    std::fs::write(&path, [&SemanticVersion::new(4, 0, 0).bits().to_le_bytes(), &bytes[4..]].concat()).unwrap();
    assert!(recording.cursor("billing").unwrap_err().to_string().contains("version 4.0.0"));
}

#[test]
fn cursors_are_looked_after_from_outside() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    let ends: Vec<_> = (0..10).map(|number| appender.append(&message(0, number)).unwrap()).collect();
    let recording = Recording::open(dir.path()).unwrap();
    let unknown = |error: JournalError| assert!(matches!(error, JournalError::UnknownCursor { .. }), "{error}");
    unknown(recording.move_cursor("billing", Start::End).unwrap_err());
    assert!(recording.cursors().unwrap().is_empty(), "none is made");
    let consumer = recording.cursor("billing").unwrap();
    unknown(recording.move_cursor("risk", Start::End).unwrap_err());
    for (to, expected) in [
        (Start::End, ends[9]),
        (Start::Position(ends[3]), ends[3]),
        (Start::Sequence(6), ends[5]),
        (Start::Begin, Position::new(0)),
    ] {
        assert_eq!(recording.move_cursor("billing", to).unwrap(), expected);
        assert_eq!((consumer.position(), recording.cursors().unwrap()[0].position), (expected, expected));
    }
    for bad in [ends[0].get() + 32, ends[9].get() + 32, ends[2].get() + 1, -32] {
        let error = recording.move_cursor("billing", Start::Position(Position::new(bad))).unwrap_err();
        assert!(matches!(error, JournalError::Position { .. } | JournalError::Pruned { .. }), "{error}");
        assert_eq!(consumer.position().get(), 0, "it stays");
    }
}

#[test]
fn sidecars_are_made_again_as_they_were() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..4_000 {
        appender.append_with(&message(0, number), 1_000 + number as i64 / 3).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    let error = reindex(dir.path(), None, |_| {}).unwrap_err();
    assert!(error.to_string().contains("has the journal open"), "{error}");
    drop(appender);
    journal.close().unwrap();
    let sidecars = || {
        let mut files: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "index"))
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = sidecars();
    assert!(before.len() > 3);
    for (path, _) in &before {
        std::fs::remove_file(path).unwrap();
    }
    let done = reindex(dir.path(), None, |_| {}).unwrap();
    assert_eq!((done.segments, done.messages, done.damages.len()), (before.len() as u64, 4_000, 0));
    assert!(sidecars() == before, "byte for byte");
    assert!(Recording::open(dir.path()).unwrap().verify(|_| {}).unwrap().is_whole());
}

/// A bit that flips anywhere in a frame or in the body of padding is detected, its frame is named, and the rest is intact.
#[test]
fn every_bit_that_flips_is_found() {
    let (dir, journal) = journal(&small());
    let mut appender = journal.appender().unwrap();
    for number in 0..3_000 {
        appender.append(&message(0, number)).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    drop(appender);
    journal.close().unwrap();
    let recording = Recording::open(dir.path()).unwrap();
    let whole = recording.verify(|_| {}).unwrap();
    assert_eq!((whole.messages, whole.damaged, whole.checked), (3_000, 0, whole.end));
    let before = all(&recording);
    let path = dir.path().join("0-262144.rec");
    let bytes = std::fs::read(&path).unwrap();
    // The frame of each place, padding included: by the lengths at the beginnings of frames.
    let mut frames = Vec::new();
    while let Some(&at) = frames.last().or(Some(&0)).filter(|&&at| at < bytes.len()) {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        frames.push(at + length.next_multiple_of(32));
    }
    let frame_of = |at: usize| frames.iter().rev().find(|&&frame| frame <= at).copied().unwrap_or(0);
    let padding = frames.iter().zip(frames.iter().skip(1)).find(|(frame, _)| bytes[**frame + 6] == 0).unwrap();
    let mut state = 1_u64;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize % bytes.len(), (state >> 20) % 8)
    });
    // Each byte of a header, the last byte of padding, and anywhere.
    let header = frames[300];
    let places: Vec<_> = (header..header + 33).map(|at| (at, at as u64 % 8)).chain([(padding.1 - 1, 3)]).collect();
    for (at, bit) in places.into_iter().chain(random.take(40)) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        std::fs::write(&path, &flipped).unwrap();
        let what = format!("bit {bit} of byte {at}");
        let found = recording.verify(|_| {}).unwrap();
        let damage = found.damages.first().unwrap_or_else(|| panic!("{what} is not found"));
        let frame = frame_of(at);
        assert_eq!((&damage.path, damage.offset), (&path, frame as u64), "{what}: {damage}");
        assert_eq!(damage.position.get(), 262_144 + frame as i64, "{what}: {damage}");
        assert!(found.damages.iter().all(|damage| damage.path == path), "{what}: {:?}", found.damages);
        // All that begin elsewhere, up to the next frame that a wrong length leaves in sight.
        let mut tailer = recording.tailer(Start::Begin).unwrap().verifying();
        let mut left = Vec::new();
        loop {
            match tailer.next() {
                Ok(Some(record)) => left.push((record.position(), record.payload().to_vec())),
                Ok(None) => break,
                Err(JournalError::Damaged(found)) => {
                    assert_eq!(found.position, damage.position, "{what}");
                    tailer.skip_damage().unwrap();
                }
                Err(error) => panic!("{what}: {error}"),
            }
        }
        let rest: Vec<_> = before.iter().filter(|(position, _)| *position != damage.position).cloned().collect();
        assert!(left == rest || left == before, "{what}: {} messages of {}", left.len(), before.len());
        assert_eq!(found.messages as usize, left.len(), "{what}");
    }
    std::fs::write(&path, &bytes).unwrap();
    assert!(recording.verify(|_| {}).unwrap().is_whole());
}

/// An index has an eighth of the length of its segment. What is cleared of it each time that a journal is opened and
/// appended to would have to be written to the disk.
#[test]
fn of_an_index_nothing_is_cleared_that_is_empty() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    if reading_fills_holes(dir.path()) {
        skip::report("keeping::of_an_index_nothing", "this file system fills the holes of a file that are read");
        return;
    }
    let options = JournalOptions::new().term_length(16 << 20).segment_length(16 << 20);
    let append = |number| {
        let journal = Journal::open_or_create(dir.path(), &options).unwrap();
        journal.appender().unwrap().append(&message(0, number)).unwrap();
        eventually("it is indexed", || journal.indexed() == journal.tail());
        journal.close().unwrap();
    };
    append(0);
    // The same with holes, into which something is stored that belongs to no frame.
    let path = dir.path().join("0-0.index");
    let bytes = std::fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    std::fs::write(&path, &bytes[..end]).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    file.write_all_at(&[7; 64], bytes.len() as u64 / 2 + 3000).unwrap();
    append(1);
    let found = std::fs::metadata(&path).unwrap();
    assert!(found.blocks() * 512 < found.len() / 4, "{} of {} bytes", found.blocks() * 512, found.len());
    let now = std::fs::read(&path).unwrap();
    assert!(now.len() == bytes.len() && now[end + 4096..].iter().all(|&byte| byte == 0));
    assert_eq!(Recording::open(dir.path()).unwrap().verify(|_| ()).unwrap().damages, []);
}

/// The place is found by reading if there is no index, and what is there may be pruned meanwhile.
#[test]
fn consumers_do_not_wait_while_somebody_looks_for_where_a_cursor_goes() {
    let files = MemoryStorage::new(RAW);
    let journal = Journal::create_in(Arc::new(files.clone()), &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    for number in 0..6_000 {
        appender.append(&message(0, number)).unwrap();
    }
    settled(&journal);
    journal.recording().unwrap().cursor("billing").unwrap();
    let pruned = Arc::new(AtomicI64::new(0));
    let storage = Watched::heard(Arc::new(files.clone()), {
        let pruned = Arc::clone(&pruned);
        move |call, name| {
            if call == "open" && name == "0.retention" && pruned.load(Ordering::Relaxed) == 0 {
                assert!(files.try_lock("0.cursors.lock", Share::Exclusive).unwrap().is_some());
                let request = Prune::by(&Retention::new().max_bytes(1)).force();
                pruned.store(journal.prune(&request).unwrap().start.get(), Ordering::Relaxed);
            }
        }
    });
    let recording = Recording::open_in(Arc::new(storage), None).unwrap();
    let place = recording.move_cursor("billing", Start::Begin);
    let start = pruned.load(Ordering::Relaxed);
    assert!(start > 0);
    assert_eq!((place.unwrap().get(), recording.cursors().unwrap()[0].position.get()), (start, start));
}

/// Whether a hole in a mapped file takes up space once it was read, as it does in a file system in memory.
fn reading_fills_holes(dir: &Path) -> bool {
    const LENGTH: usize = 1 << 20;
    let file = File::create(dir.join("hole")).unwrap();
    file.set_len(LENGTH as u64).unwrap();
    let mapped = Directory::at(dir).open("hole", LENGTH as u64, FileAccess::ReadWrite).unwrap();
    mapped.bytes(RAW).get_bytes(0, &mut vec![0; LENGTH]);
    file.metadata().unwrap().blocks() > 0
}
