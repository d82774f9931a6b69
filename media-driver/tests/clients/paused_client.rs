//! A client that is stopped for longer than its driver waits, and goes on.

use std::time::Duration;

use gannet::counters::SystemCounter;
use rustix::process::Signal;

use crate::client_process::ClientProcess;
use crate::driver_process::{DriverProcess, await_that};

/// A driver that gives a silent client up soon; so late, though, that one which a busy machine does not run for a while is not
/// taken for it.
const IMPATIENT: &[&str] = &["-Daeron.client.liveness.timeout=8s", "-Daeron.publication.unblock.timeout=9s"];

/// Stops a client until its driver has given it up, and for long enough for it to notice by its own clock.
fn pause(client: &ClientProcess, driver: &DriverProcess) {
    let counters = driver.cnc().counters();
    client.signal(Signal::STOP);
    await_that("the driver gives the client up", || counters.value(SystemCounter::ClientTimeouts.id()) == Some(1));
    std::thread::sleep(Duration::from_secs(1));
    client.signal(Signal::CONT);
}

/// As a rule it looks at its clock first; one that was stopped just after that hears it from the driver.
fn assert_is_told(client: &ClientProcess) {
    let told = client.await_line("event: ");
    let by_itself = told.contains("the client did not run for") && told.contains("the driver allows 8s");
    assert!(by_itself || told.contains("the driver has given up client"), "{told}");
}

#[test]
fn a_subscriber_that_was_stopped_is_told_and_receives_again() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let subscriber = ClientProcess::subscriber(&driver.dir);
    let publisher = ClientProcess::publisher(&driver.dir);
    subscriber.await_line("received 10");
    pause(&subscriber, &driver);
    assert_is_told(&subscriber);
    subscriber.await_line("session epoch 1: 1 resources restored, 0 not");
    subscriber.await_line("received");
    drop(publisher);
}

#[test]
fn a_publisher_that_was_stopped_is_told_and_publishes_again() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let subscriber = ClientProcess::subscriber(&driver.dir);
    let publisher = ClientProcess::publisher(&driver.dir);
    subscriber.await_line("received 10");
    pause(&publisher, &driver);
    assert_is_told(&publisher);
    publisher.await_line("session epoch 1: 1 resources restored, 0 not");
    // What it says of the first message after that may have been waiting to be said; the second is on the new stream.
    publisher.await_line("published");
    let published = publisher.await_line("published");
    subscriber.await_line(&published.replace("published", "received"));
}
