//! Tests of readers whose files somebody replaces: by a repair, by an archive, or by another journal.

use std::path::Path;
use std::sync::Arc;

use gannet::journal::storage::Directory;
use gannet::journal::{CATALOG_NAME, Journal, JournalError, Recording, Start, repair};
use gannet::types::RecordingId;

use crate::support::{eventually, journal, message, read, small};

/// A closed journal with one message.
fn closed() -> tempfile::TempDir {
    let (dir, journal) = journal(&small());
    journal.appender().unwrap().append(&message(0, 0)).unwrap();
    journal.close().unwrap();
    dir
}

fn append(dir: &Path, number: u64) {
    let journal = Journal::open(dir).unwrap();
    journal.appender().unwrap().append(&message(0, number)).unwrap();
    journal.close().unwrap();
}

/// The numbers of the first messages, as a reader finds them that waits at the end of what it knows.
fn reads(opened: &Recording, dir: &Path, harm: impl FnOnce(&Path)) {
    let mut tailer = opened.tailer(Start::Begin).unwrap();
    assert!(tailer.next().unwrap().is_some() && tailer.next().unwrap().is_none());
    let stop = opened.stop_position();
    harm(dir);
    append(dir, 1);
    eventually("the reader goes on", || {
        tailer.next().unwrap().is_some_and(|record| read(record.payload()) == Some((0, 1)))
    });
    eventually("it ends where it ends now", || opened.stop_position() > stop);
    assert_eq!(opened.stop_position(), Recording::open(dir).unwrap().stop_position());
    // The page may have been replaced without the catalog, and is looked for every 10 ms.
    eventually("it tells what is durable now", || opened.durable() == opened.stop_position());
    // Also once it has noticed.
    append(dir, 2);
    assert!(tailer.next().unwrap().is_some());
}

fn repaired(dir: &Path) {
    assert!(repair(Arc::new(Directory::at(dir)), None, false, |_| {}).unwrap().catalog.is_some());
}

#[test]
fn readers_go_on_with_the_catalog_that_a_repair_has_made() {
    let harms: [fn(&Path); 3] = [
        |dir| std::fs::remove_file(dir.join(CATALOG_NAME)).unwrap(),
        |dir| std::fs::write(dir.join(CATALOG_NAME), [1; 500]).unwrap(),
        |dir| std::fs::write(dir.join(CATALOG_NAME), []).unwrap(),
    ];
    for harm in harms {
        let dir = closed();
        let opened = Recording::open(dir.path()).unwrap();
        reads(&opened, dir.path(), |dir| {
            harm(dir);
            repaired(dir);
        });
    }
}

#[test]
fn readers_go_on_with_a_control_page_that_was_made_again() {
    let dir = closed();
    let page = dir.path().join("0.control");
    let opened = Recording::open(dir.path()).unwrap();
    reads(&opened, dir.path(), |_| std::fs::remove_file(&page).unwrap());
    // There was none when the reader began.
    let dir = closed();
    let page = dir.path().join("0.control");
    std::fs::remove_file(&page).unwrap();
    let opened = Recording::open(dir.path()).unwrap();
    assert_eq!(opened.durable(), None);
    reads(&opened, dir.path(), |_| {});
}

/// As an archive does when it changes the channel of a recording before it.
#[test]
fn readers_go_on_where_an_archive_has_moved_their_entry_to() {
    let dir = closed();
    let path = dir.path().join(CATALOG_NAME);
    let mut bytes = std::fs::read(&path).unwrap();
    let length = 32 + i32::from_le_bytes(bytes[32..36].try_into().unwrap()) as usize;
    // A second entry, of the same journal: the first one is another's, and is not valid.
    bytes.copy_within(32..32 + length, 32 + length);
    bytes[32 + length + 32 + 16] = 1;
    bytes[8] = 2;
    for name in std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        if let Some(rest) = name.strip_prefix("0-").filter(|rest| rest.ends_with(".rec")) {
            std::fs::rename(dir.path().join(&name), dir.path().join(format!("1-{rest}"))).unwrap();
        } else if name.starts_with("0") {
            std::fs::remove_file(dir.path().join(name)).unwrap();
        }
    }
    std::fs::write(&path, &bytes).unwrap();
    let opened = Recording::open_in(Arc::new(Directory::at(dir.path())), Some(RecordingId::new(1))).unwrap();
    reads(&opened, dir.path(), |_| {
        use std::os::unix::fs::FileExt;
        // The first one becomes longer by 64 bytes.
        let mut moved = bytes.clone();
        moved.copy_within(32 + length..32 + 2 * length, 32 + length + 64);
        moved[32 + length..32 + length + 64].fill(0);
        moved[32..36].copy_from_slice(&(length as i32 - 32 + 64).to_le_bytes());
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&moved, 0).unwrap();
    });
}

#[test]
fn a_reader_is_told_that_another_journal_has_taken_the_place_of_its_own() {
    let dir = closed();
    let opened = Recording::open(dir.path()).unwrap();
    let mut tailer = opened.tailer(Start::Begin).unwrap();
    assert!(tailer.next().unwrap().is_some());
    std::fs::remove_dir_all(dir.path()).unwrap();
    assert!(tailer.next().unwrap().is_none(), "nobody has anything to go on with");
    let other = Journal::create(dir.path(), &small().stream_id(gannet::types::StreamId::new(77))).unwrap();
    other.appender().unwrap().append(&message(0, 0)).unwrap();
    let mut error = None;
    eventually("it is told", || {
        error = tailer.next().err();
        error.is_some()
    });
    for error in [error.unwrap(), tailer.next().unwrap_err(), tailer.seek(Start::Begin).unwrap_err()] {
        assert!(matches!(error, JournalError::Replaced { .. }), "{error}");
        assert!(error.to_string().ends_with("somebody replaced it: open it again"), "{error}");
    }
    assert!(opened.tailer(Start::Begin).is_err());
    // Its cursors are its own.
    let cursor = other.recording().unwrap().cursor("billing").unwrap();
    let outcomes = [
        opened.cursor("billing").map(drop),
        opened.cursor("another").map(drop),
        opened.move_cursor("billing", Start::Begin).map(drop),
        opened.remove_cursor("billing"),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(JournalError::Replaced { .. })), "{outcome:?}");
    }
    cursor.sync().unwrap();
    assert_eq!(other.recording().unwrap().cursors().unwrap().len(), 1);
}
