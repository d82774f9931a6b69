//! A client that is stopped for longer than its driver waits, and goes on.

use std::time::Duration;

use rustix::process::Signal;

use crate::client_process::ClientProcess;
use crate::driver_process::DriverProcess;

#[test]
fn a_subscriber_that_was_stopped_is_told_and_receives_again() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), SHORT_TIMEOUTS);
    let subscriber = ClientProcess::subscriber(&driver.dir);
    let publisher = ClientProcess::publisher(&driver.dir);
    subscriber.await_line("received 10");
    subscriber.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(4));
    subscriber.signal(Signal::CONT);
    let told = subscriber.await_line("event: the client did not run for");
    assert!(told.contains("the driver allows 2s"), "{told}");
    subscriber.await_line("session epoch 1: 1 resources restored, 0 not");
    subscriber.await_line("received");
    drop(publisher);
}

#[test]
fn a_publisher_that_was_stopped_is_told_and_publishes_again() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), SHORT_TIMEOUTS);
    let subscriber = ClientProcess::subscriber(&driver.dir);
    let publisher = ClientProcess::publisher(&driver.dir);
    subscriber.await_line("received 10");
    publisher.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(4));
    publisher.signal(Signal::CONT);
    publisher.await_line("event: the client did not run for");
    publisher.await_line("session epoch 1: 1 resources restored, 0 not");
    // Whatever was on its way before has been printed by then.
    while subscriber.await_line_for("received", Duration::from_millis(1)).is_ok() {}
    subscriber.await_line("received");
}

/// So that a driver gives a silent client up soon, and the next driver a silent driver; both so late that a busy machine, which
/// does not run a process for a while, is not taken for it.
pub(crate) const SHORT_TIMEOUTS: &[&str] =
    &["-Daeron.client.liveness.timeout=2s", "-Daeron.publication.unblock.timeout=3s", "-Daeron.driver.timeout=1000"];
