//! A client that is stopped for longer than the driver's client timeout, and continues.

use std::time::Duration;

use gannet::counters::SystemCounter;
use rustix::process::Signal;

use crate::client_process::ClientProcess;
use crate::driver_process::{DriverProcess, await_that};

/// A driver with a client timeout that is short, but long enough for a client that a busy machine does not run for a
/// while.
const IMPATIENT: &[&str] = &["-Daeron.client.liveness.timeout=12s", "-Daeron.publication.unblock.timeout=13s"];

/// Stops a client until its driver has timed it out, and long enough for the client to detect it by its own clock.
fn pause(client: &ClientProcess, driver: &DriverProcess) {
    let counters = driver.cnc().counters();
    client.signal(Signal::STOP);
    await_that("the driver gives the client up", || counters.value(SystemCounter::ClientTimeouts.id()) == Some(1));
    std::thread::sleep(Duration::from_secs(1));
    client.signal(Signal::CONT);
}

/// It usually checks its clock first. If it was stopped just after that check, it learns of the timeout from the
/// driver.
fn assert_is_told(client: &ClientProcess) {
    let told = client.await_line("event: ");
    let by_itself = told.contains("the client did not run for") && told.contains("the driver allows 12s");
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
    // The first message after that may have been printed late; the second is on the new stream.
    publisher.await_line("published");
    let published = publisher.await_line("published");
    subscriber.await_line(&published.replace("published", "received"));
}
