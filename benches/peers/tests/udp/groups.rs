//! One publication with receivers of both kinds: multicast, receivers that register, and several destinations.

use crate::hosts::{Host, STREAM, Way, deliver, free_port, wait_for};
use gannet::counters::type_id;
use gannet::{ExclusivePublication, Subscription};
use gannet_peers::driver::DriverKind;

const BOTH: [DriverKind; 2] = [DriverKind::Aeron, DriverKind::Gannet];

#[test]
fn receivers_of_both_kinds_hear_a_group() {
    for sending in BOTH {
        let from = Host::start(sending);
        let hosts = BOTH.map(Host::start);
        let channel = format!("aeron:udp?endpoint=224.20.30.39:{}|interface=127.0.0.1", free_port());
        let mut subscriptions = hosts.each_ref().map(|host| host.client.add_subscription(&channel, STREAM).unwrap());
        let channel = format!("{channel}|term-length=64k|fc=min,g:/2");
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscriptions, &[500; 500]);
    }
}

#[test]
fn destinations_are_added_and_removed_by_hand() {
    for sending in BOTH {
        let from = Host::start(sending);
        let hosts = BOTH.map(Host::start);
        let channels = hosts.each_ref().map(|_| format!("aeron:udp?endpoint=127.0.0.1:{}", free_port()));
        let mut subscriptions: Vec<_> = hosts
            .iter()
            .zip(&channels)
            .map(|(host, channel)| host.client.add_subscription(channel, STREAM).unwrap())
            .collect();
        let control = free_port();
        let channel = format!("aeron:udp?control=127.0.0.1:{control}|control-mode=manual|fc=min,g:/2|term-length=64k");
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        for channel in &channels {
            publication.add_destination(channel).unwrap();
        }
        deliver(&mut publication, &mut subscriptions, &[500; 200]);
    }
}

/// A late receiver of either kind gets what is sent from then on.
#[test]
fn late_joiners_join_where_the_stream_is() {
    for sending in BOTH {
        let from = Host::start(sending);
        let hosts = BOTH.map(Host::start);
        for (way, late) in Way::ALL.into_iter().flat_map(|way| [(way, 0), (way, 1)]) {
            let case = format!("{sending:?}, {way:?}, {:?} is late", BOTH[late]);
            let (sent, received) = way.channels();
            let channel = format!("{sent}|term-length=64k|fc=min");
            let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
            let mut subscriptions = vec![hosts[1 - late].client.add_subscription(&received[0], STREAM).unwrap()];
            deliver(&mut publication, &mut subscriptions, &[300; 300]);
            subscriptions.push(hosts[late].client.add_subscription(&received[1], STREAM).unwrap());
            wait_for("the late one's image", || subscriptions[1].is_connected());
            assert_eq!(Some(subscriptions[1].images()[0].join_position()), publication.position(), "{case}");
            // Until the sender knows of it, nothing keeps the stream from advancing past its window.
            wait_for("the sender's word of it", || {
                let counters = from.client.counters();
                let receivers = counters.find(type_id::FLOW_CONTROL_RECEIVERS, publication.registration_id());
                receivers.and_then(|id| counters.value(id)) == Some(2)
            });
            deliver(&mut publication, &mut subscriptions, &[300; 300]);
            drop(subscriptions);
            wait_for("end of the connection", || !publication.is_connected());
        }
    }
}

/// Messages of no byte to the greatest length reach all receivers, and so does the end of the stream.
#[test]
fn messages_of_all_lengths_and_the_end_reach_all() {
    for sending in BOTH {
        let from = Host::start(sending);
        let hosts = BOTH.map(Host::start);
        for way in Way::ALL {
            let (mut publication, mut subscriptions) = stream(&from, &hosts, way);
            let (frame, longest) = (publication.max_payload_length(), publication.max_message_length());
            let mut lengths = vec![0, 1, 31, 32, 33, frame - 1, frame, frame + 1, longest - 1, longest];
            lengths.extend((0..200).map(|number| if number % 50 == 49 { longest } else { number * 37 % 3_000 }));
            deliver(&mut publication, &mut subscriptions, &lengths);
            let end = publication.position();
            let images = subscriptions.each_mut().map(|subscription| subscription.images()[0].info());
            drop(publication);
            for (subscription, image) in subscriptions.iter_mut().zip(images) {
                wait_for("end", || {
                    subscription.poll(|_| panic!("everything was read"), 10);
                    image.is_end_of_stream()
                });
                assert_eq!(image.end_of_stream_position(), end, "{sending:?}, {way:?}");
                assert!(!image.is_revoked(), "{sending:?}, {way:?}");
                wait_for("end of the image", || subscription.image_count() == 0);
            }
        }
    }
}

#[test]
fn a_revoked_stream_says_so_to_all() {
    for sending in BOTH {
        let from = Host::start(sending);
        let hosts = BOTH.map(Host::start);
        for way in Way::ALL {
            let (mut publication, mut subscriptions) = stream(&from, &hosts, way);
            deliver(&mut publication, &mut subscriptions, &[100; 50]);
            let images = subscriptions.each_mut().map(|subscription| subscription.images()[0].info());
            publication.revoke();
            for (subscription, image) in subscriptions.iter().zip(images) {
                wait_for("revocation", || image.is_revoked());
                wait_for("end of the image", || subscription.image_count() == 0);
            }
        }
    }
}

/// A publication and its receivers, of which the slowest sets the pace.
fn stream(from: &Host, hosts: &[Host; 2], way: Way) -> (ExclusivePublication, [Subscription; 2]) {
    let (sent, received) = way.channels();
    let subscriptions = [0, 1].map(|index| hosts[index].client.add_subscription(&received[index], STREAM).unwrap());
    let channel = format!("{sent}|term-length=64k|fc=min,g:/2");
    (from.client.add_exclusive_publication(&channel, STREAM).unwrap(), subscriptions)
}
