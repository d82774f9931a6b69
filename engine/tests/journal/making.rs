//! Tests of segments that are being made: files left by killed makers are removed while the journal is in use, and
//! nothing else is.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use gannet::journal::Journal;
use gannet::journal::storage::{MemoryStorage, Storage};

use crate::raw_access::RAW;
use crate::support::{Watched, all, eventually, journal, message, small};

/// Two files as killed makers leave them: one that was not renamed, and one whose segment had its name already.
fn leave(dir: &std::path::Path) -> [std::path::PathBuf; 2] {
    eventually("the first segment has its name", || dir.join("0-0.rec").exists());
    let left = [dir.join("0-6553600.next.making-1-0x0"), dir.join("0-0.next")];
    std::fs::write(&left[0], b"a part").unwrap();
    std::fs::copy(dir.join("0-0.rec"), &left[1]).unwrap();
    left
}

#[test]
fn what_killed_makers_left_goes_while_the_journal_is_in_use() {
    const SEGMENT: i64 = 64 << 10;
    let (dir, journal) = journal(&small().segment_length(SEGMENT));
    let mut appender = journal.appender().unwrap();
    let mut appended = 0;
    let mut append = |most: u64| {
        for _ in 0..most {
            appender.append(&message(0, appended)).unwrap();
            appended += 1;
        }
        appended as usize
    };
    for _ in 0..2 {
        let left = leave(dir.path());
        // With the next segment, and without further appends.
        let appended = append(400);
        eventually("what the dead left is removed", || left.iter().all(|left| !left.exists()));
        assert_eq!(all(&journal.recording().unwrap()).len(), appended);
        let ahead = journal.tail().get() / SEGMENT * SEGMENT + SEGMENT;
        let ahead = dir.path().join(format!("0-{ahead}.next"));
        eventually("what is needed is there", || ahead.exists());
    }
    // Also when the journal is opened next.
    drop(journal);
    drop(appender);
    let left = leave(dir.path());
    let journal = Journal::open(dir.path()).unwrap();
    assert!(left.iter().all(|left| !left.exists()));
    assert_eq!(all(&journal.recording().unwrap()).len(), 800);
}

/// Whoever waits for the index finds the segments under their final names.
#[test]
fn what_is_indexed_has_its_name() {
    const SEGMENT: i64 = 256 << 10;
    // Stops where the helper thread gives a segment its name, until the test lets it go on or has failed.
    let (reached, is_reached) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let gate = Mutex::new((reached, released));
    let files = MemoryStorage::new(RAW);
    let storage = Watched::heard(Arc::new(files.clone()), move |call, name| {
        if call == "publish" && name.ends_with(".next") {
            let gate = gate.lock().unwrap();
            let _ = gate.0.send(name.to_owned());
            let _ = gate.1.recv();
        }
    });
    let journal = Journal::create_in(Arc::new(storage), &small()).unwrap();
    // Dropped first, so that the journal can be closed.
    let release = release;
    let patience = Duration::from_secs(180);
    assert_eq!(is_reached.recv_timeout(patience).expect("it comes to the first"), "0-0.next");
    let mut appender = journal.appender().unwrap();
    let mut number = 0;
    while journal.tail().get() < SEGMENT + 10_000 {
        appender.append(&message(0, number)).unwrap();
        number += 1;
    }
    release.send(()).unwrap();
    assert_eq!(is_reached.recv_timeout(patience).expect("it comes to the next"), format!("0-{SEGMENT}.next"));
    let indexed = journal.indexed();
    drop(release);
    assert!(indexed.get() <= SEGMENT, "up to {indexed}, without a name");
    eventually("it is indexed", || journal.indexed() == journal.tail());
    assert!(files.names().unwrap().contains(&format!("0-{SEGMENT}.rec")));
}
