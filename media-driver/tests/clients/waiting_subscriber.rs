//! A subscriber that sleeps until a publisher in another process wakes it.

use std::time::{Duration, Instant};

use gannet::counters::type_id;
use gannet::types::RegistrationId;
use gannet::{Client, ControlledAction};

use crate::client_process::{CHANNEL, ClientProcess, STREAM};
use crate::driver_process::{DriverProcess, PATIENCE, await_that, context};

#[test]
fn a_sleeping_subscriber_is_woken_by_a_message() {
    // By itself a subscriber wakes every 50 ms. A message arrives after it has slept for 10 of them; if it is not
    // woken, it sleeps for another 40. A busy machine may wake it late, so there are as many messages as necessary.
    const ASLEEP: Duration = Duration::from_millis(10);
    const SOON: Duration = Duration::from_millis(20);
    const IN_A_ROW: usize = 9;
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &[]);
    let subscriber = ClientProcess::subscriber(&driver.dir);
    subscriber.await_line("subscribed");
    let client = Client::connect(context(&driver.dir)).unwrap();
    let mut publication = client.add_exclusive_publication(CHANNEL, STREAM).unwrap();
    await_that("room to publish", || publication.offer(b"first").is_ok());
    subscriber.await_line("received first");
    let mut latencies = Vec::new();
    await_that("most of nine messages wake the subscriber", || {
        std::thread::sleep(ASLEEP);
        let begun = Instant::now();
        let number = latencies.len().to_string();
        await_that("room to publish", || publication.offer(number.as_bytes()).is_ok());
        subscriber.await_line(&format!("received {number}"));
        latencies.push(begun.elapsed());
        let last = latencies.iter().rev().take(IN_A_ROW);
        last.filter(|&&latency| latency < SOON).count() > IN_A_ROW / 2
    });
}

#[test]
fn a_wait_ends_in_time_and_with_the_client() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &[]);
    let client = Client::connect(context(&driver.dir)).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", STREAM).unwrap();
    let begun = Instant::now();
    assert_eq!(subscription.poll_wait(|_| {}, 10, Duration::from_millis(120)), 0);
    assert!((Duration::from_millis(120)..PATIENCE).contains(&begun.elapsed()));
    let begun = Instant::now();
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| subscription.poll_wait(|_| {}, 10, PATIENCE * 2));
        std::thread::sleep(Duration::from_millis(50));
        drop(client);
        assert_eq!(waiting.join().unwrap(), 0);
    });
    assert!(begun.elapsed() < PATIENCE, "it waited on for {:?}", begun.elapsed());
}

#[test]
fn a_controlled_wait_delivers_again_what_was_aborted() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &[]);
    let client = Client::connect(context(&driver.dir)).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", STREAM).unwrap();
    assert_eq!(subscription.controlled_poll_wait(|_| ControlledAction::Continue, 10, Duration::from_millis(20)), 0);
    let mut publication = client.add_exclusive_publication("aeron:ipc", STREAM).unwrap();
    await_that("they are connected", || publication.is_connected() && subscription.is_connected());
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| {
            let mut heard: Vec<Vec<u8>> = Vec::new();
            let mut aborted = false;
            while heard.len() < 3 {
                let fragments = subscription.controlled_poll_wait(
                    |fragment| {
                        if heard.len() == 1 && !std::mem::replace(&mut aborted, true) {
                            return ControlledAction::Abort;
                        }
                        heard.push(fragment.payload().to_vec());
                        ControlledAction::Break
                    },
                    10,
                    PATIENCE,
                );
                assert!(fragments <= 1, "{fragments} though each ends the poll");
                assert!(fragments == 1 || aborted, "it gave up");
            }
            (heard, aborted)
        });
        for message in [b"one", b"two", b"six"] {
            await_that("room to publish", || publication.offer(message).is_ok());
        }
        assert_eq!(waiting.join().unwrap(), (vec![b"one".to_vec(), b"two".to_vec(), b"six".to_vec()], true));
    });
}

#[test]
fn an_invoked_client_stays_alive_while_it_waits() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &[]);
    let context = context(&driver.dir).keepalive_interval(Duration::from_millis(100));
    let client = Client::connect(context.use_conductor_invoker()).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", STREAM).unwrap();
    let counters = driver.cnc().counters();
    let id = RegistrationId::new(client.client_id().get());
    let heartbeat = counters.find(type_id::CLIENT_HEARTBEAT, id).unwrap();
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| subscription.poll_wait(|_| {}, 10, PATIENCE * 2));
        for _ in 0..3 {
            let last = counters.value(heartbeat);
            await_that("it shows that it lives", || counters.value(heartbeat) > last);
        }
        let _publisher = ClientProcess::publisher(&driver.dir);
        assert!(waiting.join().unwrap() > 0);
    });
    assert!(client.is_connected());
}
