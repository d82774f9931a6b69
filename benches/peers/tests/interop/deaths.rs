//! Client processes that are killed or stopped at either end, and how the other end and the driver react.

use crate::setup::{
    CHANNEL, PATIENT, Running, Setup, accepted, assert_nothing_left, fragments, reported, stream_of, system_counter,
    until,
};
use crate::victim::{MESSAGES, Part, Victim};
use gannet_peers::client::OfferError;
use gannet_peers::driver::DriverOptions;
use gannet_peers::endpoint::{EndpointSettings, Kind, Report, SubscriptionEnd};
use rustix::process::Signal;
use std::fs;
use std::time::Duration;

const UNBLOCKED_PUBLICATIONS: i32 = 19;
const CLIENT_TIMEOUTS: i32 = 24;
const SUBSCRIBER_POSITION: i32 = 4;

/// A driver with a client timeout that is short, but long enough for a client that a busy machine does not run for a
/// while.
fn start(setup: &Setup) -> Running {
    let options = DriverOptions::default()
        .with("aeron.client.liveness.timeout", "15s")
        .with("aeron.publication.unblock.timeout", "15100ms");
    let settings = EndpointSettings { keepalive_interval: Some(Duration::from_millis(50)), ..PATIENT };
    setup.start_with(options, settings)
}

/// Reads everything that a victim sent.
fn assert_all_arrives(subscription: &mut dyn SubscriptionEnd) {
    for (number, fragment) in (0..MESSAGES).zip(fragments(subscription, MESSAGES as usize)) {
        assert_eq!(fragment.payload, number.to_le_bytes());
    }
}

fn log_files(running: &Running) -> usize {
    fs::read_dir(running.dir.path().join("publications")).expect("the driver's directory").count()
}

pub(crate) fn a_killed_publisher_s_stream_ends_after_all_that_it_sent(setup: &Setup) {
    let running = start(setup);
    for (deaths, kind) in Kind::ALL.into_iter().enumerate() {
        let mut subscription = running.subscriber.add_subscription(CHANNEL, stream_of(kind)).expect("a subscription");
        let victim = Victim::start(setup.publisher, Part::Publish(kind), running.dir.path());
        victim.hear("sent");
        // The victim may be one duty cycle ahead of this subscriber.
        until("the image is here", || !subscription.images().is_empty());
        let session_id = subscription.images()[0].session_id;
        victim.kill();
        assert_all_arrives(&mut *subscription);
        reported(
            &*running.subscriber,
            "the image's end is reported",
            |report| matches!(report, Report::ImageUnavailable { session_id: of, .. } if *of == session_id),
        );
        until("the image is gone", || subscription.images().is_empty());
        assert_nothing_left(&mut *subscription);
        until("the log is removed", || log_files(&running) == 0);
        assert_eq!(system_counter(&*running.subscriber, CLIENT_TIMEOUTS), deaths as i64 + 1, "{kind:?}");
    }
}

pub(crate) fn a_claim_of_a_killed_publisher_is_got_past(setup: &Setup) {
    let running = start(setup);
    let stream_id = stream_of(Kind::Concurrent);
    let mut subscription = running.subscriber.add_subscription(CHANNEL, stream_id).expect("a subscription");
    let mut other = running.publisher.add_publication(Kind::Concurrent, CHANNEL, stream_id).expect("a publication");
    let victim = Victim::start(setup.publisher, Part::Claim, running.dir.path());
    victim.hear("claimed");
    let position = accepted(|| other.offer(b"behind the claim"));
    victim.kill();
    assert_all_arrives(&mut *subscription);
    let after = fragments(&mut *subscription, 1).remove(0);
    assert_eq!((after.payload.as_slice(), after.position), (b"behind the claim".as_slice(), position));
    // The driver increments the counter after it has unblocked.
    until("it is counted", || system_counter(&*running.subscriber, UNBLOCKED_PUBLICATIONS) == 1);
    accepted(|| other.offer(b"and on"));
    assert_eq!(fragments(&mut *subscription, 1)[0].payload, b"and on");
}

pub(crate) fn a_killed_subscriber_is_no_longer_waited_for(setup: &Setup) {
    let running = start(setup);
    for kind in Kind::ALL {
        let mut publication = running.publisher.add_publication(kind, CHANNEL, stream_of(kind)).expect("a publication");
        let victim = Victim::start(setup.subscriber, Part::Subscribe(kind), running.dir.path());
        victim.hear("subscribed");
        until("the window is full", || publication.offer(&[7; 1000]) == Err(OfferError::BackPressured));
        victim.kill();
        until("nobody is waited for", || publication.offer(&[7; 1000]) == Err(OfferError::NotConnected));
        until("its position is gone", || {
            running.publisher.counters().iter().all(|counter| counter.type_id != SUBSCRIBER_POSITION)
        });
        // The stream continues for a later subscriber, which joins where the dead one was.
        let mut next = running.subscriber.add_subscription(CHANNEL, stream_of(kind)).expect("a subscription");
        let mut last = Vec::new();
        until("there is room again", || {
            next.poll(&mut |fragment| last = fragment.payload, 10);
            publication.offer(b"to the next").is_ok()
        });
        until("the next one has all", || {
            next.poll(&mut |fragment| last = fragment.payload, 10);
            last == b"to the next"
        });
    }
}

pub(crate) fn a_subscriber_that_was_stopped_for_too_long_is_told(setup: &Setup) {
    let running = start(setup);
    let kind = Kind::Exclusive;
    let mut publication = running.publisher.add_publication(kind, CHANNEL, stream_of(kind)).expect("a publication");
    let victim = Victim::start(setup.subscriber, Part::Subscribe(kind), running.dir.path());
    victim.hear("subscribed");
    victim.signal(Signal::STOP);
    until("the driver gives it up", || system_counter(&*running.publisher, CLIENT_TIMEOUTS) == 1);
    until("nobody is waited for", || publication.offer(b"x") == Err(OfferError::NotConnected));
    victim.signal(Signal::CONT);
    victim.hear("ClientTimeout");
    // The victim's death affects nobody else.
    let mut next = running.subscriber.add_subscription(CHANNEL, stream_of(kind)).expect("a subscription");
    accepted(|| publication.offer(b"to the next"));
    // Messages that were accepted before the driver timed the victim out may come first.
    until("the next one has it", || {
        let mut last = Vec::new();
        next.poll(&mut |fragment| last = fragment.payload, 1);
        assert!(last.is_empty() || last == b"x" || last == b"to the next", "{last:?}");
        last == b"to the next"
    });
}
