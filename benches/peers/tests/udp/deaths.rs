//! Drivers that end without notice: the other side detects it and continues.

use crate::hosts::{Host, PAIRINGS, STREAM, Way, deliver, free_port, wait_for};
use gannet::counters::type_id;
use gannet_peers::driver::DriverKind;

const BOTH: [DriverKind; 2] = [DriverKind::Aeron, DriverKind::Gannet];
const SOON: [(&str, &str); 3] = [
    ("aeron.image.liveness.timeout", "15s"),
    ("aeron.publication.connection.timeout", "15s"),
    ("aeron.flow.control.receiver.timeout", "15s"),
];

#[test]
fn an_image_goes_when_its_sender_dies() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::with(receiving, &SOON));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscription, &[100; 50]);
        from.kill();
        wait_for("end of the image", || {
            subscription[0].poll(|_| {}, 10);
            subscription[0].image_count() == 0
        });
    }
}

#[test]
fn a_publication_notices_that_its_receiver_died() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::with(sending, &SOON), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscription, &[100; 50]);
        to.kill();
        wait_for("end of the connection", || !publication.is_connected());
    }
}

/// One of two receivers dies, of either kind. The other one receives everything.
#[test]
fn a_group_goes_on_without_who_died() {
    for sending in BOTH {
        let from = Host::with(sending, &SOON);
        for (dying, staying) in [(DriverKind::Aeron, DriverKind::Gannet), (DriverKind::Gannet, DriverKind::Aeron)] {
            let (dies, stays) = (Host::start(dying), Host::start(staying));
            let streams = Way::ALL.map(|way| {
                let (sent, received) = way.channels();
                let subscription = stays.client.add_subscription(&received[0], STREAM).unwrap();
                let doomed = dies.client.add_subscription(&received[1], STREAM).unwrap();
                let channel = format!("{sent}|term-length=64k|fc=min,t:3s");
                let publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
                let registration_id = publication.registration_id();
                let counters = from.client.counters();
                wait_for("both receivers", || {
                    let receivers = counters.find(type_id::FLOW_CONTROL_RECEIVERS, registration_id);
                    doomed.is_connected() && receivers.and_then(|id| counters.value(id)) == Some(2)
                });
                (publication, [subscription], doomed)
            });
            dies.kill();
            for (mut publication, mut subscriptions, doomed) in streams {
                drop(doomed);
                // More than a window: the dead receiver holds the stream up until it times out.
                deliver(&mut publication, &mut subscriptions, &[1_000; 300]);
            }
        }
    }
}

/// All receivers of a stream notice that its sender died.
#[test]
fn the_images_of_a_group_go_when_their_sender_dies() {
    for sending in BOTH {
        let from = Host::start(sending);
        let hosts = BOTH.map(|kind| Host::with(kind, &SOON));
        let streams = Way::ALL.map(|way| {
            let (sent, received) = way.channels();
            let mut subscriptions =
                [0, 1].map(|index| hosts[index].client.add_subscription(&received[index], STREAM).unwrap());
            let channel = format!("{sent}|term-length=64k|fc=min,g:/2");
            let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
            deliver(&mut publication, &mut subscriptions, &[100; 50]);
            (publication, subscriptions)
        });
        from.kill();
        for (_publication, subscriptions) in streams {
            for mut subscription in subscriptions {
                wait_for("end of the image", || {
                    subscription.poll(|_| {}, 10);
                    subscription.image_count() == 0
                });
            }
        }
    }
}
