//! Counters of clients, and counters that the driver keeps for a stream.

use crate::setup::{CHANNEL, Setup, accepted, fragments, reported, stream_of, until};
use gannet_peers::endpoint::{Kind, Report};

const PUBLISHER_LIMIT: i32 = 1;
const SUBSCRIBER_POSITION: i32 = 4;
const CLIENT_HEARTBEAT: i32 = 11;
const PUBLISHER_POSITION: i32 = 12;
const APPLICATION: i32 = 1100;

pub(crate) fn a_counter_is_seen_by_everyone_until_it_is_removed(setup: &Setup) {
    let running = setup.start();
    let counter = running.publisher.add_counter(APPLICATION, b"a key", "orders seen").expect("a counter");
    let (id, registration_id) = (counter.id(), counter.registration_id());
    counter.set(42);
    reported(&*running.subscriber, "the counter is announced", |report| {
        *report == Report::CounterAvailable { registration_id, counter_id: id }
    });
    for client in [&running.publisher, &running.subscriber] {
        let counters = client.counters();
        let seen = counters.iter().find(|seen| seen.id == id).expect("the counter is listed");
        assert_eq!((seen.type_id, seen.value, seen.label.as_str()), (APPLICATION, 42, "orders seen"));
        assert_eq!(&seen.key[..6], b"a key\0");
        assert_eq!((seen.registration_id, seen.owner_id), (registration_id, running.publisher.client_id()));
    }
    drop(counter);
    reported(&*running.subscriber, "the counter's end is announced", |report| {
        *report == Report::CounterUnavailable { registration_id, counter_id: id }
    });
    until("it is no longer listed", || running.subscriber.counters().iter().all(|seen| seen.id != id));
}

pub(crate) fn a_static_counter_is_found_again_and_outlives_its_client(setup: &Setup) {
    let running = setup.start();
    let first = running.publisher.add_static_counter(APPLICATION, b"k", "static", 777).expect("a static counter");
    first.set(5);
    let second = running.subscriber.add_static_counter(APPLICATION, b"other", "ignored", 777).expect("the same one");
    assert_eq!((second.id(), second.get()), (first.id(), 5));
    let id = first.id();
    drop(first);
    let heartbeat_of = |client_id| {
        move |counter: &gannet_peers::endpoint::CounterView| {
            counter.type_id == CLIENT_HEARTBEAT && counter.registration_id == client_id
        }
    };
    // Once another counter is announced and removed after the first handle was dropped, the driver has also processed
    // that drop.
    drop(running.publisher.add_counter(APPLICATION, b"", "passing").expect("a counter"));
    let counters = running.subscriber.counters();
    assert!(counters.iter().any(heartbeat_of(running.publisher.client_id())), "the publisher's client has a heartbeat");
    let kept = counters.iter().find(|counter| counter.id == id).expect("the static counter is still there");
    assert_eq!((kept.registration_id, kept.owner_id, kept.label.as_str()), (777, -1, "static"));
    let client_id = running.publisher.client_id();
    drop(running.publisher);
    until("the closed client's heartbeat is gone", || {
        !running.subscriber.counters().iter().any(heartbeat_of(client_id))
    });
    assert!(running.subscriber.counters().iter().any(|counter| counter.id == id));
    drop(second);
    drop(running.driver);
}

pub(crate) fn stream_counters_name_the_stream(setup: &Setup) {
    let running = setup.start();
    for kind in Kind::ALL {
        let (mut publication, mut subscription) = running.stream(kind);
        let position = accepted(|| publication.offer(b"x"));
        fragments(&mut *subscription, 1);
        let identity = publication.identity();
        let registration_id = identity.original_registration_id;
        let stream_id = stream_of(kind);
        let stream = format!("{registration_id} {} {stream_id} {CHANNEL}", identity.session_id);
        let name = match kind {
            Kind::Concurrent => "pub-pos (concurrent)",
            Kind::Exclusive => "pub-pos (exclusive)",
        };
        let of_stream = |type_id: i32| {
            running.subscriber.counters().into_iter().find(|counter| {
                counter.type_id == type_id && [counter.registration_id, counter.reference_id].contains(&registration_id)
            })
        };
        let mut expected_key = registration_id.to_le_bytes().to_vec();
        expected_key.extend(identity.session_id.to_le_bytes());
        expected_key.extend(stream_id.to_le_bytes());
        expected_key.extend((CHANNEL.len() as i32).to_le_bytes());
        expected_key.extend(CHANNEL.as_bytes());

        let limit = of_stream(PUBLISHER_LIMIT).expect("the publisher's limit");
        assert_eq!(limit.label, format!("pub-lmt: {stream}"));
        assert_eq!(limit.owner_id, running.publisher.client_id());
        assert!(limit.key.starts_with(&expected_key), "{:?}", limit.key);
        until("the publisher's position is shown", || {
            of_stream(PUBLISHER_POSITION).is_some_and(|counter| counter.value == position)
        });
        assert_eq!(of_stream(PUBLISHER_POSITION).expect("shown above").label, format!("{name}: {stream}"));

        let reader = of_stream(SUBSCRIBER_POSITION).expect("the subscriber's position");
        let subscription_id = subscription.registration_id();
        assert_eq!(reader.value, position);
        assert_eq!((reader.registration_id, reader.reference_id), (subscription_id, registration_id));
        assert_eq!(reader.owner_id, running.subscriber.client_id());
        let label = format!("sub-pos: {subscription_id} {} {stream_id} {CHANNEL} @0", identity.session_id);
        assert_eq!(reader.label, label);
    }
}
