//! Drivers that end without notice: the other side detects it and continues.

use crate::hosts::{Host, PAIRINGS, STREAM, deliver, free_port, wait_for};
use gannet_peers::driver::DriverKind;

const SOON: [(&str, &str); 3] = [
    ("aeron.image.liveness.timeout", "3s"),
    ("aeron.publication.connection.timeout", "3s"),
    ("aeron.flow.control.receiver.timeout", "3s"),
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

/// One of two receivers dies. The other one receives everything.
#[test]
fn a_group_goes_on_without_who_died() {
    for sending in [DriverKind::Aeron, DriverKind::Gannet] {
        let from = Host::with(sending, &SOON);
        let [stays, dies] = [DriverKind::Aeron, DriverKind::Gannet].map(Host::start);
        let group = format!("aeron:udp?endpoint=224.20.30.39:{}|interface=127.0.0.1", free_port());
        let mut subscriptions = vec![stays.client.add_subscription(&group, STREAM).unwrap()];
        let channel = format!("{group}|term-length=64k|fc=min,t:3s");
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        let doomed = dies.client.add_subscription(&group, STREAM).unwrap();
        wait_for("receivers", || doomed.is_connected());
        dies.kill();
        drop(doomed);
        // More than a window: the dead receiver holds the stream up until it times out.
        deliver(&mut publication, &mut subscriptions, &[1_000; 300]);
    }
}
