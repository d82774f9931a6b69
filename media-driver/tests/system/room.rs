//! A lack of room in the directory's file system is an error with the file, the size needed and the space left when a
//! file is created, and never a fault when it is used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gannet::Client;
use gannet::cnc::CncFile;
use gannet::memory::FileAccess;
use rustix::process::Signal;

use crate::driver_process::{DriverProcess, await_that, context, driver, run};
use crate::skip;

/// A command that runs the driver with a file system of its own, of `size`, mounted on `mount`. The mount is in a
/// namespace of the driver's own, so nothing of it is left when the driver has ended.
fn driver_with_room(size: &str, mount: &Path, arguments: &[&str]) -> Command {
    let inner = driver();
    let script = format!(
        "mount -t tmpfs -o size={size} none {} && exec {} --dir {} {}",
        mount.display(),
        env!("CARGO_BIN_EXE_gannet-driver"),
        mount.join("driver").display(),
        arguments.join(" ")
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whether a test on this machine may mount a file system of its own.
fn can_mount(mount: &Path) -> bool {
    let script = format!("mount -t tmpfs none {}", mount.display());
    let outcome = Command::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", &script]).output();
    let possible = outcome.is_ok_and(|output| output.status.success());
    if !possible {
        skip::report("room", "this user may not mount a file system in a namespace");
    }
    possible
}

#[test]
fn a_driver_that_has_no_room_for_its_files_says_how_much_it_needs() {
    let temp = tempfile::tempdir().unwrap();
    if !can_mount(temp.path()) {
        return;
    }
    for (size, arguments, file, needed) in [
        ("8m", &["-Daeron.counters.buffer.length=8m"][..], "cnc.dat", "48238592"),
        ("14m", &["-Daeron.loss.report.buffer.length=8m"][..], "loss-report.dat", "8388608"),
    ] {
        let ended = run(&mut driver_with_room(size, temp.path(), arguments));
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
        let expected = format!(
            "cannot reserve {needed} bytes for {}: its file system has ",
            temp.path().join("driver").join(file).display()
        );
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
}

#[test]
fn a_publication_that_there_is_no_room_for_is_refused_and_the_driver_goes_on() {
    let temp = tempfile::tempdir().unwrap();
    if !can_mount(temp.path()) {
        return;
    }
    let mut driver = DriverProcess::of(&mut driver_with_room("24m", temp.path(), &[]));
    // The mount is visible only to the driver, so it is reached through its process.
    let dir = PathBuf::from(format!("/proc/{}/root{}", driver.pid(), temp.path().join("driver").display()));
    await_that("the driver is ready", || {
        assert!(driver.is_running(), "it ended");
        CncFile::open(&dir, FileAccess::ReadOnly).is_ok()
    });
    let client = Client::connect(context(&dir)).unwrap();
    let error = client.add_publication("aeron:ipc?term-length=16m", 1001).unwrap_err().to_string();
    let files = temp.path().join("driver/publications");
    assert!(error.contains("50335744 bytes"), "{error}");
    assert!(error.contains(&files.display().to_string()), "{error}");
    assert_eq!(fs::read_dir(dir.join("publications")).unwrap().count(), 0, "nothing of it is left");
    client.add_counter(1001, b"key", "the driver goes on").unwrap();
    drop(client);
    driver.signal(Signal::TERM);
    assert_eq!(driver.ended().status.code(), Some(0));
}
