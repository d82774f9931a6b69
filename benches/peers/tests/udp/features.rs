//! Channel features besides an address: spies, several destinations, responses, timestamps, and the ways in which a
//! stream ends.

use crate::hosts::{Host, PAIRINGS, STREAM, deliver, free_port, wait_for};
use gannet::counters::type_id;
use gannet_peers::driver::DriverKind;

const BOTH: [DriverKind; 2] = [DriverKind::Aeron, DriverKind::Gannet];

/// A spy at the sender's driver reads the same as a receiver on another driver.
#[test]
fn spies_and_receivers_read_the_same() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        let spy = from.client.add_subscription(&format!("aeron-spy:{channel}"), STREAM).unwrap();
        let receiver = to.client.add_subscription(&channel, STREAM).unwrap();
        // Several times the length of the log.
        deliver(&mut publication, &mut [spy, receiver], &[1_000; 400]);
    }
}

/// With `ssc` a spy alone keeps a publication connected. A later receiver joins at the current position.
#[test]
fn a_spy_alone_keeps_a_publication_going() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let spy = from.client.add_subscription(&format!("aeron-spy:{channel}"), STREAM).unwrap();
        let mut publication = from.client.add_exclusive_publication(&format!("{channel}|ssc=true"), STREAM).unwrap();
        let mut spy = [spy];
        deliver(&mut publication, &mut spy, &[1_000; 400]);
        let [spy] = spy;
        let counters = from.client.counters();
        let of_sender = |type_id| {
            let counter = counters.find(type_id, publication.registration_id());
            counter.and_then(|id| counters.value(id)).expect("a counter of the publication")
        };
        let position = publication.position().unwrap().get();
        // Where the sender says it is, the receiver joins.
        wait_for("the sender's following the spy", || of_sender(type_id::SENDER_POSITION) == position);
        let receiver = to.client.add_subscription(&channel, STREAM).unwrap();
        wait_for("the receiver's image", || receiver.is_connected());
        // The stream driven by the spy must not advance too far before the sender knows the receiver: half a term later
        // would be too late.
        wait_for("the sender's word of it", || of_sender(type_id::SENDER_LIMIT) > position);
        deliver(&mut publication, &mut [spy, receiver], &[1_000; 400]);
    }
}

/// One subscription receives from drivers of both kinds, at a destination of its own for each.
#[test]
fn a_subscription_hears_drivers_of_both_kinds() {
    for receiving in BOTH {
        let to = Host::start(receiving);
        let mut subscription = [to.client.add_subscription("aeron:udp?control-mode=manual", STREAM).unwrap()];
        for sending in BOTH {
            let from = Host::start(sending);
            let place = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
            subscription[0].add_destination(&place).unwrap();
            let channel = format!("{place}|term-length=64k");
            let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
            wait_for("image", || subscription[0].image_count() == 1);
            deliver(&mut publication, &mut subscription, &[700; 200]);
            drop(publication);
            wait_for("its end", || {
                subscription[0].poll(|_| panic!("everything was read"), 10);
                subscription[0].image_count() == 0
            });
            subscription[0].remove_destination(&place).unwrap();
        }
    }
}

/// Two copies of a stream arrive, from a publication with two destinations at a subscription with two destinations: one
/// image, with each message once, also after one path fails.
#[test]
fn copies_of_a_stream_are_one_image() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let places = [0; 2].map(|_| format!("aeron:udp?endpoint=127.0.0.1:{}", free_port()));
        let mut subscription = [to.client.add_subscription("aeron:udp?control-mode=manual", STREAM).unwrap()];
        let channel = "aeron:udp?control-mode=manual|term-length=64k";
        let channel = format!("{channel}|control=127.0.0.1:{}", free_port());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        for place in &places {
            subscription[0].add_destination(place).unwrap();
            publication.add_destination(place).unwrap();
        }
        deliver(&mut publication, &mut subscription, &[700; 300]);
        assert_eq!(subscription[0].image_count(), 1);
        subscription[0].remove_destination(&places[0]).unwrap();
        deliver(&mut publication, &mut subscription, &[700; 300]);
    }
}

/// A server answers a request on a publication of its own, without knowing the client's address beforehand.
#[test]
fn requests_are_answered_on_response_channels() {
    for (serving, asking) in PAIRINGS {
        let (server, client) = (Host::start(serving), Host::start(asking));
        let requests = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
        let answers = format!("aeron:udp?control-mode=response|control=127.0.0.1:{}", free_port());
        let mut asked = [server.client.add_subscription(&requests, STREAM).unwrap()];
        let mut answered = [client.client.add_subscription(&answers, STREAM + 1).unwrap()];
        let request = format!("{requests}|term-length=64k|response-correlation-id={}", answered[0].registration_id());
        let mut request = client.client.add_exclusive_publication(&request, STREAM).unwrap();
        deliver(&mut request, &mut asked, &[200; 50]);
        let image = asked[0].images()[0].correlation_id();
        let answer = format!("{answers}|term-length=64k|response-correlation-id={image}");
        let mut answer = server.client.add_exclusive_publication(&answer, STREAM + 1).unwrap();
        deliver(&mut answer, &mut answered, &[900; 300]);
        assert_eq!(answered[0].image_count(), 1);
    }
}

/// Messages carry the times at which the sender's driver sent them, and at which the receiver's system and driver
/// received them.
#[test]
fn messages_carry_times() {
    /// The first of September 2020, in nanoseconds since 1970.
    const LATELY: i64 = 1_598_918_400_000_000_000;
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
        let times = "channel-rcv-ts-offset=reserved|media-rcv-ts-offset=0";
        let mut subscription = to.client.add_subscription(&format!("{channel}|{times}"), STREAM).unwrap();
        let channel = format!("{channel}|channel-snd-ts-offset=8|term-length=64k");
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        wait_for("room", || publication.offer(&[0; 16]).is_ok());
        let mut seen = None;
        wait_for("message", || {
            subscription.poll(
                |fragment| {
                    let time = |at: usize| i64::from_le_bytes(fragment.payload()[at..at + 8].try_into().unwrap());
                    seen = Some([time(8), time(0), fragment.reserved_value()]);
                },
                1,
            );
            seen.is_some()
        });
        let seen = seen.unwrap();
        assert!(seen.iter().all(|time| *time > LATELY), "{sending:?} to {receiving:?}: {seen:?}");
    }
}

/// The end of a stream is signalled: the image is at its end once everything is read, and knows the position.
#[test]
fn the_end_of_a_stream_is_told() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscription, &[100; 50]);
        let end = publication.position().unwrap();
        let image = subscription[0].images()[0].info();
        drop(publication);
        wait_for("end", || {
            subscription[0].poll(|_| {}, 10);
            image.is_end_of_stream()
        });
        assert_eq!(image.end_of_stream_position(), Some(end), "{sending:?} to {receiving:?}");
        assert!(!image.is_revoked());
        wait_for("end of the image", || subscription[0].image_count() == 0);
    }
}

/// A revoked publication ends its image at once, and the image reports it.
#[test]
fn a_revoked_stream_says_so() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscription, &[100; 50]);
        let image = subscription[0].images()[0].info();
        publication.revoke();
        wait_for("revocation", || image.is_revoked());
        wait_for("end of the image", || subscription[0].image_count() == 0);
    }
}

/// Nothing more is sent to a subscriber that rejects an image, and its publication is not connected.
#[test]
fn a_rejected_stream_is_not_connected() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = [to.client.add_subscription(&format!("{channel}|rejoin=false"), STREAM).unwrap()];
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscription, &[100; 50]);
        let image = subscription[0].images()[0].info();
        subscription[0].reject_image(&image, "enough of it").unwrap();
        wait_for("end of the connection", || !publication.is_connected());
    }
}
