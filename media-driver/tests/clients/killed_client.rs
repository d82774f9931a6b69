//! A client that is killed in the middle of something.

use std::time::{Duration, Instant};

use gannet::{Client, Context, OfferError};
use rustix::process::Signal;

use crate::client_process::{CHANNEL, CROWD, ClientProcess, STREAM};
use crate::driver_process::{DriverProcess, PATIENCE, await_that};
use crate::paused_client::SHORT_TIMEOUTS;

/// A publisher dies with a claim open: the driver unblocks the stream, other publishers go on, and nothing that was committed
/// is lost.
#[test]
fn a_stream_goes_on_after_a_publisher_died_holding_a_claim() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), SHORT_TIMEOUTS);
    let client = Client::connect(Context::new().dir(&driver.dir)).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", STREAM).unwrap();
    let publication = client.add_publication(CHANNEL, STREAM).unwrap();
    await_that("room to publish", || publication.offer(b"before").is_ok());
    let claimer = ClientProcess::claimer(&driver.dir);
    claimer.await_line("claimed");
    publication.offer(b"behind").unwrap();
    claimer.signal(Signal::KILL);
    let mut received = Vec::new();
    await_that("what was committed behind the claim", || {
        subscription.poll_wait(|fragment| received.push(fragment.payload().to_vec()), 10, Duration::from_millis(10));
        received.len() == 2
    });
    assert_eq!(received, [b"before", b"behind"]);
    publication.offer(b"after").unwrap();
    await_that("the next message", || subscription.poll(|_| {}, 10) == 1);
}

/// A subscriber dies without having read: publishers stop waiting for it.
#[test]
fn publishers_stop_waiting_for_a_dead_subscriber() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), SHORT_TIMEOUTS);
    let client = Client::connect(Context::new().dir(&driver.dir)).unwrap();
    let mut publication = client.add_exclusive_publication(CHANNEL, STREAM).unwrap();
    let subscriber = ClientProcess::subscriber(&driver.dir);
    subscriber.await_line("subscribed");
    await_that("a subscriber", || publication.is_connected());
    subscriber.signal(Signal::STOP);
    let deadline = Instant::now() + PATIENCE;
    while publication.offer(&[0; 1000]) != Err(OfferError::BackPressured) {
        assert!(Instant::now() < deadline, "never any back-pressure");
    }
    subscriber.signal(Signal::KILL);
    await_that("nobody to wait for", || publication.offer(&[0; 1000]) == Err(OfferError::NotConnected));
}

/// Of a thousand clients that were killed, the driver keeps nothing: no counter, no file, no mapping.
#[test]
fn nothing_is_left_of_a_thousand_killed_clients() {
    const CLIENTS: usize = 1000;
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), SHORT_TIMEOUTS);
    let client = Client::connect(Context::new().dir(&driver.dir)).unwrap();
    let mut publication = client.add_exclusive_publication(CHANNEL, STREAM).unwrap();
    let counters = || {
        let mut allocated = 0;
        client.counters().for_each(|_| allocated += 1);
        allocated
    };
    let logs = || std::fs::read_dir(driver.dir.join("publications")).unwrap().count();
    let mappings = || {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", driver.pid())).unwrap();
        maps.lines().filter(|line| line.contains(".logbuffer")).count()
    };
    let before = (counters(), logs(), mappings());
    for _ in 0..CLIENTS / CROWD {
        let crowd = ClientProcess::crowd(&driver.dir);
        crowd.await_line("all there");
        crowd.signal(Signal::KILL);
    }
    await_that("as much as before", || (counters(), logs(), mappings()) == before);
    await_that("nobody to wait for", || !publication.is_connected());
}
