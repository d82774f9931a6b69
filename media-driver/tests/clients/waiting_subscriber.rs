//! A subscriber that sleeps until a publisher in another process wakes it.

use std::time::{Duration, Instant};

use gannet::{Client, Context};

use crate::client_process::{CHANNEL, ClientProcess, STREAM};
use crate::driver_process::{DriverProcess, PATIENCE, await_that};
use crate::paused_client::SHORT_TIMEOUTS;

#[test]
fn a_sleeping_subscriber_is_woken_by_a_message() {
    const MESSAGES: u64 = 21;
    // A busy machine may be slow to wake anybody: it gets more than one chance.
    const TRIES: u64 = 5;
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &[]);
    let subscriber = ClientProcess::subscriber(&driver.dir);
    subscriber.await_line("subscribed");
    let client = Client::connect(Context::new().dir(&driver.dir)).unwrap();
    let mut publication = client.add_exclusive_publication(CHANNEL, STREAM).unwrap();
    await_that("room to publish", || publication.offer(b"first").is_ok());
    subscriber.await_line("received first");
    let mut median = |attempt: u64| {
        let mut latencies: Vec<Duration> = (0..MESSAGES)
            .map(|number| {
                // Long enough for it to fall asleep, and never in step with how long it sleeps by itself.
                std::thread::sleep(Duration::from_millis(60 + 7 * number));
                let begun = Instant::now();
                let number = attempt * MESSAGES + number;
                publication.offer(number.to_string().as_bytes()).unwrap();
                subscriber.await_line(&format!("received {number}"));
                begun.elapsed()
            })
            .collect();
        latencies.sort();
        latencies[latencies.len() / 2]
    };
    // By itself it wakes every 50 ms: half of the messages would wait for longer than 25.
    let medians: Vec<_> =
        (0..TRIES).map(&mut median).take_while(|&median| median > Duration::from_millis(10)).collect();
    assert!(medians.len() < TRIES as usize, "{medians:?}");
}

#[test]
fn a_wait_ends_in_time_and_with_the_client() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &[]);
    let client = Client::connect(Context::new().dir(&driver.dir)).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", STREAM).unwrap();
    let begun = Instant::now();
    assert_eq!(subscription.poll_wait(|_| {}, 10, Duration::from_millis(120)), 0);
    assert!((Duration::from_millis(120)..PATIENCE).contains(&begun.elapsed()));
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| subscription.poll_wait(|_| {}, 10, PATIENCE * 100));
        std::thread::sleep(Duration::from_millis(50));
        drop(client);
        assert_eq!(waiting.join().unwrap(), 0);
    });
}

#[test]
fn an_invoked_client_stays_alive_while_it_waits() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), SHORT_TIMEOUTS);
    let context = Context::new().dir(&driver.dir).keepalive_interval(Duration::from_millis(100));
    let client = Client::connect(context.use_conductor_invoker()).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", STREAM).unwrap();
    assert_eq!(subscription.poll_wait(|_| {}, 10, Duration::from_secs(5)), 0);
    assert!(client.is_connected());
    let publisher = ClientProcess::publisher(&driver.dir);
    assert!(subscription.poll_wait(|_| {}, 10, PATIENCE) > 0);
    drop(publisher);
}
