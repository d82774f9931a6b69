//! A client is stopped for longer than its driver waits, and goes on later: it is told, and its handles work again. Nobody else
//! notices.

use std::time::{Duration, Instant};

use gannet::Client;
use gannet::counters::SystemCounter;
use rustix::process::Signal;

use crate::driver_process::{DriverProcess, await_that};
use crate::healthy::Healthy;
use crate::helper::{Helper, context};
use crate::round_trip::RoundTrip;

const LIVENESS_TIMEOUT: Duration = Duration::from_millis(1_500);
const IMPATIENT: &[&str] = &["-Daeron.client.liveness.timeout=1500ms", "-Daeron.ipc.term.buffer.length=64k"];

#[test]
fn a_client_that_was_stopped_is_told_and_reconnects_in_place() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let healthy = Healthy::start(&driver.dir, 7);
    let client = Client::connect(context(&driver.dir)).unwrap();
    let mut round_trip = RoundTrip::new(&client);
    let echo = Helper::start("echo", &driver.dir, 20);
    round_trip.completes();

    echo.signal(Signal::STOP);
    let stopped = Instant::now();
    let counters = driver.cnc().counters();
    await_that("the driver gives it up", || {
        counters.value(SystemCounter::ClientTimeouts.id()) == Some(1) && stopped.elapsed() > LIVENESS_TIMEOUT * 2
    });
    assert!(!round_trip.is_connected(), "nobody is there to listen");
    echo.signal(Signal::CONT);
    let lasted: u64 = echo.hear("Paused").parse().unwrap();
    assert!(Duration::from_millis(lasted) > LIVENESS_TIMEOUT, "{lasted} ms");
    assert_eq!(echo.hear("Reconnected"), "epoch 1 restored 2 failed 0");

    round_trip.completes();
    assert_eq!(counters.value(SystemCounter::ClientTimeouts.id()), Some(1));
    assert!(client.is_connected());
    healthy.finish();
    echo.end();
}
