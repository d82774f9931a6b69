//! The driver is killed and stays away for longer than its clients' timeout. They report that it is silent, find the
//! next driver by themselves, and the same handles work again.

use gannet::Client;
use rustix::process::Signal;

use crate::driver_process::DriverProcess;
use crate::helper::{Helper, context};
use crate::round_trip::RoundTrip;

/// The next driver takes over even if the dead driver's heartbeat is recent.
const IMPATIENT: &[&str] = &["-Daeron.driver.timeout=300", "-Daeron.ipc.term.buffer.length=64k"];

#[test]
fn a_driver_that_stays_away_is_lost_until_another_comes() {
    let temp = tempfile::tempdir().unwrap();
    let first = DriverProcess::start(temp.path(), IMPATIENT);
    let echo = Helper::start("echo", temp.path(), 12);
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
