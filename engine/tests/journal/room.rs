//! Tests on a file system that is really full, or read-only. The error says so, appended messages are not harmed,
//! reading continues, and the journal continues once there is space.
//!
//! Each scenario runs in a process and a mount namespace of its own, so that nothing stays mounted when it ends.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use gannet::journal::storage::{Directory, Storage};
use gannet::journal::{Journal, LeftBy, Recording, Start};
use gannet::memory::Reserve;

use crate::skip;
use crate::support::{all, copy_files, eventually, message, read, rest, settled, small};

/// The child's file system.
const MOUNT: &str = "GANNET_TEST_JOURNAL_MOUNT";

/// Runs the test `name` of this binary again, in a process in which `script` has mounted something on the directory
/// `$1`.
fn with_mount(name: &str, script: &str) {
    let temp = tempfile::tempdir().unwrap();
    for folder in ["a", "b"] {
        fs::create_dir(temp.path().join(folder)).unwrap();
    }
    let run = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command.arg(temp.path()).arg(std::env::current_exe().unwrap()).arg(name).env(MOUNT, temp.path());
        command.output()
    };
    if !run("mount -t tmpfs none \"$1/a\"").is_ok_and(|output| output.status.success()) {
        skip::report(name, "this user may not mount a file system in a namespace");
        return;
    }
    let output = run(&format!("{script} && exec \"$2\" --exact \"$3\" --nocapture")).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
}

/// The directory to use in the child.
fn mounted() -> Option<PathBuf> {
    std::env::var_os(MOUNT).map(PathBuf::from)
}

/// Takes all free space, and returns the file that holds it.
fn fill(dir: &Path) -> PathBuf {
    let path = dir.join("ballast");
    let mut file = File::create(&path).unwrap();
    // To the last byte: first in pages, then the rest of a page.
    for chunk in [&[1_u8; 4096][..], &[1]] {
        while file.write_all(chunk).is_ok() {}
    }
    path
}

fn messages(recording: &Recording) -> u64 {
    let found = all(recording);
    let numbers = found.iter().map(|(_, payload)| read(payload).expect("whole").1);
    assert!(numbers.eq(0..found.len() as u64), "once, and in order");
    found.len() as u64
}

#[test]
fn a_full_disk_refuses_appends_and_spares_what_is_there() {
    let Some(mount) = mounted() else {
        return with_mount(
            "room::a_full_disk_refuses_appends_and_spares_what_is_there",
            "mount -t tmpfs -o size=4m none \"$1/a\"",
        );
    };
    let (mount, dir) = (mount.join("a"), mount.join("a/journal"));
    let journal = Journal::create(&dir, &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    let mut number = 0;
    let error = loop {
        match appender.append(&message(0, number)) {
            Ok(_) => number += 1,
            Err(error) => break error.to_string(),
        }
        assert!(number < 100_000, "the file system has 4 MiB");
        if number % 500 == 0 {
            // Otherwise the indexes of all segments would be made later, and need more space than one segment has.
            eventually("the helper thread keeps up", || {
                journal.indexed() == journal.tail() || journal.trouble().is_some()
            });
        }
    };
    assert!(error.contains("cannot reserve 262144 bytes") && error.contains("bytes left"), "{error}");
    assert!(appender.claim(1_000).is_err() && appender.append(&[0; 5_000]).is_err());
    eventually("the helper thread says so", || journal.trouble().is_some());
    let recording = journal.recording().unwrap();
    assert_eq!(messages(&recording), number);
    assert!(recording.verify(|_| {}).unwrap().is_whole());
    // A process that opens it now succeeds or gets an error, without harm.
    drop(Journal::open(&dir));
    // Moving an old segment elsewhere makes space.
    for name in ["0-262144.rec", "0-262144.index"] {
        fs::remove_file(dir.join(name)).unwrap();
    }
    eventually("there is room again", || appender.append(&message(0, number)).is_ok());
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    let mut found = 0;
    while let Ok(Some(_)) = tailer.next() {
        found += 1;
    }
    assert_eq!(tailer.position().get(), 262_144);
    tailer.skip_damage().unwrap().unwrap();
    found += rest(&mut tailer).len() as u64;
    assert!(found > 1_000 && found <= number, "{found}");
    drop((appender, journal, tailer, recording));
    fs::remove_dir_all(&dir).unwrap();
    space_that_others_take(&mount, &dir);
}

/// The same again, with space that another process takes and returns.
fn space_that_others_take(mount: &Path, dir: &Path) {
    let journal = Journal::create(dir, &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    let ballast = fill(mount);
    let mut number = 0;
    let error = loop {
        match appender.append(&message(0, number)) {
            Ok(_) => number += 1,
            Err(error) => break error.to_string(),
        }
        assert!(number < 100_000, "there are two segments");
    };
    assert!(error.contains("cannot reserve 262144 bytes"), "{error}");
    assert_eq!(messages(&journal.recording().unwrap()), number);
    // Nothing is left of what could not be made. The helper thread tries again and again, but under other names.
    let storage = Directory::at(dir);
    assert!(storage.create("0-0.next.making-1-0x0", 262_144, Reserve::Space).is_err());
    assert!(!storage.names().unwrap().contains(&"0-0.next.making-1-0x0".to_owned()));
    fs::remove_file(ballast).unwrap();
    for _ in 0..3_000 {
        appender.append(&message(0, number)).unwrap();
        number += 1;
    }
    assert_eq!(messages(&journal.recording().unwrap()), number);
    eventually("it is indexed", || journal.indexed() == journal.tail());
    drop(appender);
    journal.close().unwrap();
    assert!(Recording::open(dir).unwrap().verify(|_| {}).unwrap().is_whole());
}

#[test]
fn a_full_disk_holds_up_the_index_and_not_the_appends() {
    let Some(mount) = mounted() else {
        return with_mount(
            "room::a_full_disk_holds_up_the_index_and_not_the_appends",
            "mount -t tmpfs -o size=4m none \"$1/a\"",
        );
    };
    let (mount, dir) = (mount.join("a"), mount.join("a/journal"));
    let journal = Journal::create(&dir, &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    let ballast = fill(&mount);
    for number in 0..200 {
        appender.append(&message(0, number)).unwrap();
    }
    let mut trouble = None;
    eventually("the helper thread says so", || {
        trouble = journal.trouble();
        trouble.is_some()
    });
    let trouble = trouble.unwrap().to_string();
    assert!(trouble.contains("0-0.index") && trouble.contains("bytes left"), "{trouble}");
    let recording = journal.recording().unwrap();
    assert_eq!(messages(&recording), 200);
    let mut tailer = recording.tailer(Start::Sequence(150)).unwrap();
    assert_eq!(read(tailer.next().unwrap().unwrap().payload()), Some((0, 150)));
    assert!(recording.cursor("consumer").unwrap_err().to_string().contains("bytes left"));
    fs::remove_file(ballast).unwrap();
    eventually("it is indexed", || journal.indexed() == journal.tail());
    assert!(recording.verify(|_| {}).unwrap().is_whole());
}

#[test]
fn recovery_on_a_full_disk_cuts_nothing_before_it_can_keep_it() {
    let Some(mount) = mounted() else {
        return with_mount(
            "room::recovery_on_a_full_disk_cuts_nothing_before_it_can_keep_it",
            "mount -t tmpfs -o size=4m none \"$1/a\"",
        );
    };
    let (mount, dir) = (mount.join("a"), mount.join("a/journal"));
    let journal = Journal::create(&dir, &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    for number in 0..1_000 {
        appender.append(&message(0, number)).unwrap();
    }
    journal.sync().unwrap();
    let durable = journal.durable();
    for number in 1_000..1_200 {
        appender.append(&message(0, number)).unwrap();
    }
    eventually("it is indexed", || journal.indexed() == journal.tail());
    // As after a loss of power: the journal was not closed, and the page names another start of the machine.
    let tail = journal.tail();
    std::mem::forget(appender);
    std::mem::forget(journal);
    let left = mount.join("left");
    fs::create_dir(&left).unwrap();
    copy_files(&dir, &left);
    let control = OpenOptions::new().write(true).open(left.join("0.control")).unwrap();
    control.write_all_at(&1_i64.to_le_bytes(), 40).unwrap();
    let segment = OpenOptions::new().write(true).open(left.join("0-0.rec")).unwrap();
    segment.write_all_at(b"torn", durable.get() as u64 + 3_000).unwrap();
    let bytes = fs::read(left.join("0-0.rec")).unwrap();
    let ballast = fill(&mount);
    let error = Journal::open(&left).unwrap_err().to_string();
    assert!(error.contains(".cut") && error.contains("bytes left"), "{error}");
    assert_eq!(fs::read(left.join("0-0.rec")).unwrap(), bytes, "nothing was cut");
    // Reading continues meanwhile.
    let mut tailer = Recording::open(&left).unwrap().tailer(Start::Begin).unwrap();
    assert_eq!(read(tailer.next().unwrap().unwrap().payload()), Some((0, 0)));
    fs::remove_file(ballast).unwrap();
    let journal = Journal::open(&left).unwrap();
    let report = journal.recovery();
    assert_eq!(report.left_by, LeftBy::PowerLoss);
    assert!(report.end >= durable && report.end < tail, "{report:?}");
    assert_eq!(report.cut.as_ref().map(|cut| cut.kept_in.len()), Some(1));
    assert!(messages(&journal.recording().unwrap()) >= 1_000);
}

#[test]
fn a_read_only_file_system_suffices_to_read_while_it_is_written_elsewhere() {
    let Some(mount) = mounted() else {
        return with_mount(
            "room::a_read_only_file_system_suffices_to_read_while_it_is_written_elsewhere",
            "mount -t tmpfs -o size=16m none \"$1/a\" && mount --bind \"$1/a\" \"$1/b\" && mount -o remount,ro,bind \"$1/b\"",
        );
    };
    let (written, seen) = (mount.join("a/journal"), mount.join("b/journal"));
    let journal = Journal::create(&written, &small()).unwrap();
    let mut appender = journal.appender().unwrap();
    appender.append(&message(0, 0)).unwrap();
    let recording = Recording::open(&seen).unwrap();
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    // Over several segments, with each message seen as soon as it was appended.
    for number in 0..4_000 {
        assert_eq!(read(tailer.next().unwrap().unwrap().payload()), Some((0, number)));
        appender.append(&message(0, number + 1)).unwrap();
    }
    settled(&journal);
    assert_eq!(messages(&recording), 4_001);
    assert!(recording.verify(|_| {}).unwrap().is_whole());
    tailer.seek(Start::Sequence(2_000)).unwrap();
    assert_eq!(read(tailer.previous().unwrap().unwrap().payload()), Some((0, 1_999)));
    // A dry run of repair needs no permission to write, and reports that it holds no lock.
    let storage = || Arc::new(Directory::at(&seen));
    let moving = gannet::journal::repair(storage(), None, true, |_| {}).unwrap();
    assert!(moving.unlocked && moving.quarantined.is_empty(), "{moving:?}");
    drop(appender);
    journal.close().unwrap();
    let whole = gannet::journal::repair(storage(), None, true, |_| {}).unwrap();
    assert!(whole.unlocked && whole.was_whole() && whole.end == tailer.recording().stop_position().unwrap());
    let writable = Arc::new(Directory::at(&written));
    assert!(!gannet::journal::repair(writable, None, true, |_| {}).unwrap().unlocked);
    let refused = gannet::journal::repair(storage(), None, false, |_| {}).map(drop).unwrap_err();
    assert!(refused.to_string().contains("Read-only file system"), "{refused}");
    // Processes that want to write get the reason why they cannot.
    let refused = [
        Journal::open(&seen).map(drop).unwrap_err(),
        Journal::create(seen.join("deeper"), &small()).map(drop).unwrap_err(),
        recording.cursor("consumer").map(drop).unwrap_err(),
        gannet::journal::reindex(&seen, None, |_| {}).map(drop).unwrap_err(),
    ];
    for error in refused {
        assert!(error.to_string().contains("Read-only file system"), "{error}");
    }
}
