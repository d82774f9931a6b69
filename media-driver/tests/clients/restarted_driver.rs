//! A driver that is killed or stopped, and restarted while its clients run.

use rustix::process::Signal;

use crate::client_process::ClientProcess;
use crate::driver_process::{DriverProcess, await_that, heartbeat_age_ms};

/// The next driver soon considers a silent one dead.
const IMPATIENT: &[&str] = &["-Daeron.driver.timeout=1000"];

fn restart_after(signal: Signal, told: &str) {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let subscriber = ClientProcess::subscriber(&driver.dir);
    let publisher = ClientProcess::publisher(&driver.dir);
    subscriber.await_line("received 10");
    driver.signal(signal);
    drop(driver.ended());
    if signal == Signal::KILL {
        // A directory is not taken over while its driver may be alive.
        await_that("the heartbeat grows old", || heartbeat_age_ms(temp.path()) > 1_000);
    }
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    for client in [&subscriber, &publisher] {
        let line = client.await_line(told);
        assert!(line.contains(&format!("process {}", driver.pid())), "{line}");
        client.await_line("session epoch 1: 1 resources restored, 0 not");
    }
    subscriber.await_line("received");
}

#[test]
fn clients_of_a_killed_driver_reconnect_to_the_next() {
    restart_after(Signal::KILL, "event: the driver was started again");
}

#[test]
fn clients_of_a_stopped_driver_reconnect_to_the_next() {
    restart_after(Signal::TERM, "event: the driver was started again");
}

#[test]
fn clients_of_a_driver_that_stays_away_are_told_so() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let subscriber = ClientProcess::subscriber(&driver.dir);
    subscriber.await_line("subscribed");
    driver.signal(Signal::TERM);
    let line = subscriber.await_line("event: the driver is gone");
    assert!(line.contains("it was shut down"), "{line}");
    drop(driver);
}
