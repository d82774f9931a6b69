//! Processes that die, and how that is detected.

use crate::setup::{
    CHANNEL, PATIENCE, PATIENT, Setup, TERM_LENGTH, accepted, assert_nothing_left, reported, stream_of, system_counter,
    until, whole_messages,
};
use gannet_peers::client::OfferError;
use gannet_peers::driver::DriverOptions;
use gannet_peers::endpoint::{ClaimEnd, EndpointSettings, Kind, Report};
use rustix::process::Signal;
use std::time::Duration;

const UNBLOCKED_PUBLICATIONS: i32 = 19;

/// Clients with short timeouts.
const QUICK: EndpointSettings = EndpointSettings {
    driver_timeout: Some(Duration::from_secs(15)),
    keepalive_interval: Some(Duration::from_millis(50)),
};

pub(crate) fn a_killed_driver_is_noticed_by_both_ends(setup: &Setup) {
    let mut running = setup.start_with(DriverOptions::patient(), QUICK);
    let (mut publication, mut subscription) = running.stream(Kind::Concurrent);
    accepted(|| publication.offer(b"before"));
    running.driver.process().kill().expect("the driver is ended");
    for client in [&running.publisher, &running.subscriber] {
        reported(&**client, "the driver's death is reported", |report| *report == Report::DriverTimeout);
        until("the client closes", || client.is_closed());
    }
    until("its handles are closed", || publication.is_closed() && subscription.is_closed());
    assert_eq!(publication.offer(b"after"), Err(OfferError::Closed));
    assert_nothing_left(&mut *subscription);
}

pub(crate) fn a_stopped_driver_is_noticed_by_both_ends(setup: &Setup) {
    // Their timeout is longer than this test: a driver that is stopped properly announces it, so no timeout is needed.
    let settings = EndpointSettings { driver_timeout: Some(PATIENCE * 10), ..QUICK };
    let mut running = setup.start_with(DriverOptions::patient(), settings);
    let (mut publication, _subscription) = running.stream(Kind::Exclusive);
    running.driver.process().signal(Signal::TERM).expect("the driver is asked to stop");
    running.driver.process().wait(PATIENCE).expect("the driver stops");
    for client in [&running.publisher, &running.subscriber] {
        reported(&**client, "the driver's end is reported", |report| *report == Report::DriverTimeout);
    }
    until("the publication is closed", || publication.offer(b"after") == Err(OfferError::Closed));
}

pub(crate) fn a_claim_left_behind_is_unblocked(setup: &Setup) {
    let options = DriverOptions::default()
        .with("aeron.client.liveness.timeout", "15s")
        .with("aeron.publication.unblock.timeout", "15100ms");
    let settings = EndpointSettings { driver_timeout: PATIENT.driver_timeout, ..QUICK };
    let running = setup.start_with(options, settings);
    let (mut publication, mut subscription) = running.stream(Kind::Concurrent);
    let mut other = running
        .publisher
        .add_publication(Kind::Concurrent, CHANNEL, stream_of(Kind::Concurrent))
        .expect("a second handle");
    accepted(|| publication.offer(b"before"));
    let claimed = accepted(|| other.claim(b"lost", ClaimEnd::Abandon));
    let position = accepted(|| publication.offer(b"after"));
    assert!(claimed < position && position < TERM_LENGTH);
    let delivered = whole_messages(&mut *subscription, 2);
    assert_eq!(delivered[0].payload, b"before");
    assert_eq!((delivered[1].payload.as_slice(), delivered[1].position), (b"after".as_slice(), position));
    // The driver increments the counter after it has unblocked.
    until("it is counted", || system_counter(&*running.subscriber, UNBLOCKED_PUBLICATIONS) == 1);
}
