//! How a driver stops, and what it reports meanwhile.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use crate::driver_process::{DriverProcess, await_that};

/// A driver that waits for the start of another one in its directory, until the file of that is gone.
fn waiting(dir: &Path) -> DriverProcess {
    fs::write(dir.join("cnc.dat"), b"").unwrap();
    let mut driver = DriverProcess::spawn(dir, &["-Daeron.driver.timeout=600s"]);
    // It watches for signals before it locks the directory.
    await_that("it has locked the directory", || {
        assert!(driver.is_running());
        flock(File::open(dir).unwrap(), FlockOperation::NonBlockingLockShared).is_err()
    });
    driver
}

/// Asks the driver to terminate, as a client does.
fn ask_to_terminate(driver: &DriverProcess, token: &[u8]) {
    gannet::request_driver_termination(driver.cnc().path().parent().unwrap(), token).unwrap();
}

#[test]
fn a_signal_is_a_clean_stop_and_the_next_driver_starts_at_once() {
    let temp = tempfile::tempdir().unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let driver = DriverProcess::start(temp.path(), &[]);
        let cnc = driver.cnc();
        driver.signal(signal);
        let ended = driver.ended();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert_eq!(cnc.commands().consumer_heartbeat().get(), -1);
        for entry in ["cnc.dat", "loss-report.dat", "publications", "images"] {
            assert!(temp.path().join(entry).exists(), "{entry} stays");
        }
        assert!(ended.stderr.contains("shutting down"), "{}", ended.stderr);
    }
}

#[test]
fn a_driver_that_is_asked_to_stop_while_it_starts_stops_once_it_has_started() {
    let temp = tempfile::tempdir().unwrap();
    let driver = waiting(temp.path());
    driver.signal(Signal::TERM);
    fs::remove_file(temp.path().join("cnc.dat")).unwrap();
    let ended = driver.ended();
    assert_eq!(ended.status.code(), Some(0), "{:?}, {}", ended.status, ended.stderr);
    assert!(ended.stderr.contains("received SIGTERM") && ended.stderr.contains("shutting down"), "{}", ended.stderr);
}

#[test]
fn a_second_signal_ends_a_driver_that_does_not_get_to_start() {
    let temp = tempfile::tempdir().unwrap();
    let mut driver = waiting(temp.path());
    await_that("it ends", || {
        driver.signal(Signal::TERM);
        !driver.is_running()
    });
    let ended = driver.ended();
    assert_eq!(ended.status.signal(), Some(Signal::TERM.as_raw()), "{:?}, {}", ended.status, ended.stderr);
}

/// The signal that a closing terminal sends to the processes started in it.
#[test]
fn a_closed_terminal_is_a_clean_stop_however_often_it_is_told() {
    let temp = tempfile::tempdir().unwrap();
    for signals in [&[Signal::HUP][..], &[Signal::HUP, Signal::HUP], &[Signal::TERM, Signal::HUP]] {
        // The process that runs the tests may ignore it, for example under `nohup`.
        let driver = DriverProcess::spawn_by(&["env", "--default-signal=HUP"], temp.path(), &[]).ready();
        let cnc = driver.cnc();
        signals.iter().for_each(|&signal| driver.signal(signal));
        let ended = driver.ended();
        assert_eq!(ended.status.code(), Some(0), "{signals:?}: {:?}, {}", ended.status, ended.stderr);
        assert_eq!(cnc.commands().consumer_heartbeat().get(), -1, "{signals:?}");
    }
}

#[test]
fn a_driver_that_is_to_outlive_its_terminal_does() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::spawn_by(&["nohup"], temp.path(), &[]).ready();
    let commands = driver.cnc().commands();
    driver.signal(Signal::HUP);
    let beat = commands.consumer_heartbeat();
    await_that("the driver goes on", || commands.consumer_heartbeat() > beat);
    driver.signal(Signal::TERM);
    let ended = driver.ended();
    assert_eq!(ended.status.code(), Some(0), "{:?}, {}", ended.status, ended.stderr);
    assert!(!ended.stderr.contains("SIGHUP"), "{}", ended.stderr);
}

#[test]
fn the_directory_is_removed_where_that_is_asked_for() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("driver");
    let driver = DriverProcess::start(&dir, &["--delete-dir-on-shutdown"]);
    driver.signal(Signal::TERM);
    assert_eq!(driver.ended().status.code(), Some(0));
    assert!(!dir.exists());
}

#[test]
fn a_client_may_terminate_the_driver_where_that_is_allowed() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &["--termination-validator", "allow"]);
    ask_to_terminate(&driver, b"");
    let ended = driver.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("a client asked the driver to terminate"), "{}", ended.stderr);
}

#[test]
fn a_token_must_be_the_right_one() {
    let temp = tempfile::tempdir().unwrap();
    let arguments = ["-Daeron.driver.termination.validator=token", "-Dgannet.termination.token=sesame"];
    let mut driver = DriverProcess::start(temp.path(), &arguments);
    ask_to_terminate(&driver, b"poppy");
    let commands = driver.cnc().commands();
    await_that("the driver takes the command", || commands.consumer_position() == commands.producer_position());
    assert!(driver.is_running());
    ask_to_terminate(&driver, b"sesame");
    assert_eq!(driver.ended().status.code(), Some(0));
}

#[test]
fn nobody_may_terminate_the_driver_unless_that_is_said() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &[]);
    ask_to_terminate(&driver, b"");
    let commands = driver.cnc().commands();
    await_that("the driver takes the command", || commands.consumer_position() == commands.producer_position());
    let beat = commands.consumer_heartbeat();
    await_that("the driver goes on", || commands.consumer_heartbeat() > beat);
}

#[test]
fn in_mode_invoker_the_process_runs_the_agents_itself() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &["--threading-mode", "invoker"]);
    let commands = driver.cnc().commands();
    let beat = commands.consumer_heartbeat();
    await_that("the heart beats", || commands.consumer_heartbeat() > beat);
    driver.signal(Signal::TERM);
    assert_eq!(driver.ended().status.code(), Some(0));
    assert_eq!(commands.consumer_heartbeat().get(), -1);
}
