//! Ownership of a directory: the error for a second driver, and what happens to the files of a dead one.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use gannet::Client;
use gannet::cnc::CncFile;
use gannet::memory::FileAccess;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;

use crate::driver_process::{DriverProcess, await_that, context, driver, heartbeat_age_ms, run};

/// A short driver timeout, so that a driver soon counts as dead.
const IMPATIENT: &[&str] = &["-Daeron.driver.timeout=300"];
/// A long one, with which a driver counts as alive even if a busy machine has not run it for a while.
const PATIENT: &[&str] = &["-Daeron.driver.timeout=180000"];

#[test]
fn a_live_driver_s_directory_is_refused_with_its_owner_s_name() {
    let temp = tempfile::tempdir().unwrap();
    let mut first = DriverProcess::start(temp.path(), &[]);
    let second = DriverProcess::spawn(temp.path(), PATIENT).ended();
    assert_eq!(second.status.code(), Some(1));
    let expected = format!("an active media driver has {}: process {}, started 2", temp.path().display(), first.pid());
    assert!(second.stderr.contains(&expected), "{}", second.stderr);
    // It holds the lock, so it was not killed, and nothing but its end makes room.
    assert!(second.stderr.ends_with(" ms ago; stop it, or choose another directory with --dir\n"), "{}", second.stderr);
    assert!(first.is_running());
}

#[test]
fn a_killed_driver_s_directory_is_taken_over() {
    let temp = tempfile::tempdir().unwrap();
    let first = DriverProcess::start(temp.path(), &[]);
    let pid = first.pid();
    first.signal(Signal::KILL);
    first.ended();
    fs::write(temp.path().join("publications/9.logbuffer"), b"left behind").unwrap();
    let early = DriverProcess::spawn(temp.path(), PATIENT).ended();
    assert_eq!(early.status.code(), Some(1), "its heartbeat is too young to tell");
    assert!(early.stderr.contains("if it was killed, wait") && early.stderr.contains("--delete-dir-on-start"));
    await_that("the heartbeat grows old", || heartbeat_age_ms(temp.path()) > 300);
    let second = DriverProcess::start(temp.path(), IMPATIENT);
    assert!(!temp.path().join("publications/9.logbuffer").exists());
    second.signal(Signal::TERM);
    let ended = second.ended();
    let expected = format!("took the directory over from a driver that died: process {pid}, whose last heartbeat was");
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
}

#[test]
fn a_driver_that_stands_still_is_not_taken_for_dead() {
    let temp = tempfile::tempdir().unwrap();
    let first = DriverProcess::start(temp.path(), &[]);
    first.signal(Signal::STOP);
    await_that("the heartbeat grows old", || heartbeat_age_ms(temp.path()) > 300);
    let second = DriverProcess::spawn(temp.path(), IMPATIENT).ended();
    assert_eq!(second.status.code(), Some(1));
    let expected = format!("process {}, which has not shown itself for", first.pid());
    assert!(second.stderr.contains(&expected), "{}", second.stderr);
    first.signal(Signal::CONT);
    let commands = first.cnc().commands();
    let beat = commands.consumer_heartbeat();
    await_that("it goes on", || commands.consumer_heartbeat() > beat);
}

#[test]
fn of_drivers_that_start_at_once_one_runs() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("contended");
    let mut drivers: Vec<_> = (0..4).map(|_| DriverProcess::spawn(&dir, &[])).collect();
    await_that("three are refused", || {
        drivers.iter_mut().filter_map(|driver| driver.is_running().then_some(())).count() == 1
    });
    let mut winner = None;
    for mut driver in drivers {
        if driver.is_running() {
            winner = Some(driver);
            continue;
        }
        let ended = driver.ended();
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.stderr.contains(&dir.display().to_string()), "{}", ended.stderr);
    }
    let winner = winner.unwrap();
    await_that("the one is ready", || {
        CncFile::open(&dir, FileAccess::ReadOnly).is_ok_and(|cnc| cnc.pid() == i64::from(winner.pid()))
    });
}

#[test]
fn a_directory_of_another_version_is_refused_unless_told_otherwise() {
    let temp = tempfile::tempdir().unwrap();
    DriverProcess::start(temp.path(), &[]).signal(Signal::KILL);
    let cnc = temp.path().join("cnc.dat");
    let mut bytes = fs::read(&cnc).unwrap();
    bytes[0..4].copy_from_slice(&0x01_02_03_i32.to_le_bytes());
    fs::write(&cnc, bytes).unwrap();
    let refused = DriverProcess::spawn(temp.path(), IMPATIENT).ended();
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("version 1.2.3"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--delete-dir-on-start"), "{}", refused.stderr);
    DriverProcess::start(temp.path(), &["--delete-dir-on-start"]);
}

/// Reading a pipe waits for a writer, and there is none.
#[test]
fn a_command_file_that_is_no_file_is_refused_by_drivers_and_clients() {
    let temp = tempfile::tempdir().unwrap();
    let pipe = temp.path().join("cnc.dat");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    let refused = DriverProcess::spawn(temp.path(), &[]).ended();
    assert_eq!(refused.status.code(), Some(1));
    for text in [refused.stderr, Client::connect(context(temp.path())).map(drop).unwrap_err().to_string()] {
        assert!(text.contains(&format!("{}: not a regular file", pipe.display())), "{text}");
    }
    assert!(pipe.exists(), "it is nobody's to delete");
}

/// A driver that cannot start after it has taken its directory does not leave one that looks like a live driver's: the
/// next starts at once.
#[test]
fn a_driver_that_fails_to_start_leaves_its_directory_free() {
    let temp = tempfile::tempdir().unwrap();
    let cnc = temp.path().join("cnc.dat");
    let mut failed = Vec::new();
    for open_files in 5.. {
        let script = format!("ulimit -n {open_files}; exec \"$@\"");
        let mut driver = DriverProcess::spawn_by(&["sh", "-c", &script, "sh"], temp.path(), PATIENT);
        let mut beats = HashSet::new();
        await_that("it ends, or its heart beats", || {
            beats.extend(
                CncFile::open(temp.path(), FileAccess::ReadOnly).map(|cnc| cnc.commands().consumer_heartbeat()),
            );
            !driver.is_running() || beats.len() > 2
        });
        if driver.is_running() {
            break;
        }
        let ended = driver.ended();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
        assert!(!cnc.exists(), "{open_files} open files: {}", ended.stderr);
        failed.push(ended.stderr);
    }
    assert!(failed.iter().any(|text| text.contains("cannot set up a transport")), "{failed:?}");
}

#[test]
fn what_is_not_a_directory_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("file");
    fs::write(&path, b"kept").unwrap();
    let refused = DriverProcess::spawn(&path, &[]).ended();
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("is not a directory; choose another with --dir"), "{}", refused.stderr);
    assert_eq!(fs::read(&path).unwrap(), b"kept");

    let link = temp.path().join("link");
    std::os::unix::fs::symlink(temp.path().join("nowhere"), &link).unwrap();
    let refused = DriverProcess::spawn(&link, &[]).ended();
    assert_eq!(refused.status.code(), Some(1));
    let expected = format!("cannot create {}: it is a symbolic link that leads nowhere; mend that, or", link.display());
    assert!(refused.stderr.contains(&expected), "{}", refused.stderr);
}

#[test]
fn a_directory_that_is_written_to_a_disk_is_warned_about() {
    let folder = |place: &str| tempfile::Builder::new().prefix("gannet-place-").tempdir_in(place).unwrap();
    let told = |temp: &tempfile::TempDir| {
        let driver = DriverProcess::start(temp.path(), &[]);
        driver.signal(Signal::TERM);
        let ended = driver.ended();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        ended.stderr.contains(&format!("{} is not on a file system in memory (tmpfs)", temp.path().display()))
    };
    let kind_of = |place: &str| rustix::fs::statfs(place).unwrap().f_type;
    for place in ["/dev/shm", env!("CARGO_TARGET_TMPDIR")] {
        assert_eq!(told(&folder(place)), kind_of(place) != libc::TMPFS_MAGIC, "{place}");
    }
}

#[test]
fn without_permission_the_driver_says_what_it_may_not() {
    let temp = tempfile::tempdir().unwrap();
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let closed = temp.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = driver();
    command.arg("--dir").arg(closed.join("driver"));
    if rustix::process::geteuid().is_root() {
        // The superuser is permitted everything.
        command.uid(65_534).gid(65_534);
    }
    let refused = run(&mut command);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("no permission to create"), "{}", refused.stderr);
    assert!(refused.stderr.contains("closed/driver; run the driver as a user who may"), "{}", refused.stderr);
}

#[test]
fn the_directory_is_private_unless_the_group_is_let_in() {
    let temp = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for (access, directory_mode, file_mode) in [("private", 0o700, 0o600), ("group", 0o750, 0o660)] {
        let dir = temp.path().join(access);
        let _driver = DriverProcess::start(&dir, &["--dir-access", access]);
        for path in [dir.clone(), dir.join("publications"), dir.join("images")] {
            assert_eq!(mode(&path), directory_mode, "{}", path.display());
        }
        for path in [dir.join("cnc.dat"), dir.join("loss-report.dat")] {
            assert_eq!(mode(&path), file_mode, "{}", path.display());
        }
    }
}
