//! Aeron's driver is killed and restarted while our client runs, and the client's handles continue to work.

use gannet::{Client, ClientEvent, Context, OfferError};
use gannet_peers::aeron_dir::AeronDir;
use gannet_peers::driver::{DriverKind, DriverOptions, DriverProcess};
use gannet_peers::reference_files::Snapshot;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(180);

#[test]
fn our_client_reconnects_in_place_to_aerons_next_driver() {
    let dir = AeronDir::unique("restart");
    // A directory whose driver may be alive is refused. The timeout is how long the next driver waits before it
    // considers it dead.
    let options = DriverOptions::patient().with("aeron.driver.timeout", "1000").with("aeron.timer.interval", "50ms");
    let driver = DriverProcess::start(DriverKind::Aeron, dir.path(), &options).unwrap();
    let (events, told) = mpsc::channel();
    let context = Context::new().dir(dir.path()).driver_timeout(Duration::from_secs(60)).reconnect_in_place(true);
    let context = context.keepalive_interval(Duration::from_millis(100)).on_event(move |event| {
        let _ = events.send(match event {
            ClientEvent::DriverRestarted { .. } => "restarted".to_owned(),
            ClientEvent::Reconnected { restored, failed, .. } => format!("{restored} restored, {failed} not"),
            other => other.to_string(),
        });
    });
    let client = Client::connect(context).unwrap();
    let mut publication = client.add_exclusive_publication("aeron:ipc?term-length=64k", 7).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", 7).unwrap();
    let mut go_through = |message: &[u8]| {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match publication.offer(message) {
                Ok(_) => break,
                Err(
                    OfferError::NotConnected | OfferError::BackPressured | OfferError::AdminAction | OfferError::Closed,
                ) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(Instant::now() < deadline, "not taken");
            thread::sleep(Duration::from_millis(1));
        }
        let mut came = false;
        while !came {
            subscription.poll(|fragment| came = fragment.payload() == message, 10);
            assert!(Instant::now() < deadline, "not delivered");
        }
    };
    go_through(b"before");
    driver.kill().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let is_its = |driver: &mut DriverProcess| {
        let cnc = Snapshot::of(&dir.path().join("cnc.dat"));
        cnc.is_ok_and(|cnc| cnc.bytes().len() > 48 && cnc.i64(40) == i64::from(driver.process().id()))
    };
    let _next = 'tries: loop {
        // The dead driver's files look ready until they are removed, and the next driver refuses them until they are
        // old enough.
        if let Ok(mut driver) = DriverProcess::start(DriverKind::Aeron, dir.path(), &options) {
            while driver.process().is_running() {
                if is_its(&mut driver) {
                    break 'tries driver;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        assert!(Instant::now() < deadline, "no other driver starts");
        thread::sleep(Duration::from_millis(100));
    };
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "2 restored, 0 not") {
        heard.push(told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("told no more than {heard:?}")));
    }
    assert!(heard.iter().any(|event| event == "restarted"), "{heard:?}");
    go_through(b"after");
}
