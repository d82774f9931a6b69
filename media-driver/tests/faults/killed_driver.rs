//! The driver is killed and started again: every client is told by what it can see of that, finds the new driver by itself,
//! and the same handles work again.

use gannet::time::{Clock, SystemClock};
use gannet::{Client, cnc::CncFile, memory::FileAccess};
use rustix::process::Signal;

use crate::driver_process::{DriverProcess, await_that};
use crate::helper::{Helper, context};
use crate::round_trip::RoundTrip;

/// The dead driver's heartbeat need not be old for the next driver to take its place.
const IMPATIENT: &[&str] = &["-Daeron.driver.timeout=300", "-Daeron.ipc.term.buffer.length=64k"];

#[test]
fn clients_outlive_their_driver() {
    let temp = tempfile::tempdir().unwrap();
    let first = DriverProcess::start(temp.path(), IMPATIENT);
    let client = Client::connect(context(temp.path()).reconnect_in_place(true)).unwrap();
    let mut round_trip = RoundTrip::new(&client);
    // One that takes silence for death late, and sees the next driver first.
    let patient = Helper::start("echo", temp.path(), 20);
    round_trip.completes();

    first.signal(Signal::KILL);
    first.ended();
    await_that("the heartbeat grows old", || {
        let cnc = CncFile::open(temp.path(), FileAccess::ReadOnly).unwrap();
        SystemClock.epoch().since(cnc.commands().consumer_heartbeat()) > 300
    });
    let second = DriverProcess::start(temp.path(), IMPATIENT);
    assert_eq!(patient.hear("DriverRestarted"), format!("pid {}", second.pid()));
    assert_eq!(patient.hear("Reconnected"), "epoch 1 restored 2 failed 0");
    await_that("this client too", || client.epoch() == 1 && client.is_connected());
    round_trip.completes();
    patient.end();
}

#[test]
fn a_driver_that_stays_away_is_lost_until_another_comes() {
    let temp = tempfile::tempdir().unwrap();
    let first = DriverProcess::start(temp.path(), IMPATIENT);
    let echo = Helper::start("echo", temp.path(), 2);
    {
        let client = Client::connect(context(temp.path())).unwrap();
        RoundTrip::new(&client).completes();
    }
    first.signal(Signal::KILL);
    first.ended();
    assert_eq!(echo.hear("DriverLost"), "Silent");
    let second = DriverProcess::start(temp.path(), IMPATIENT);
    assert_eq!(echo.hear("DriverRestarted"), format!("pid {}", second.pid()));
    assert_eq!(echo.hear("Reconnected"), "epoch 1 restored 2 failed 0");
    let client = Client::connect(context(temp.path())).unwrap();
    RoundTrip::new(&client).completes();
    echo.end();
}
