//! Tests of segments that are being made: files left by killed makers are removed while the journal is in use, and
//! nothing else is.

use gannet::journal::Journal;

use crate::support::{all, eventually, journal, message, small};

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
