//! Streams across a network that loses one, five and twenty of a hundred datagrams each way.

use crate::hosts::{Host, PAIRINGS, STREAM, deliver, free_port};
use crate::relay::Relay;
use std::net::SocketAddr;

fn cross(percent: u64) {
    let lengths: Vec<usize> =
        (0..2_000).map(|number| if number % 100 == 99 { 8_000 } else { number * 37 % 1_500 }).collect();
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let endpoint = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let relay = Relay::start(endpoint, percent);
        let mut subscription = [to.client.add_subscription(&format!("aeron:udp?endpoint={endpoint}"), STREAM).unwrap()];
        let channel = format!("aeron:udp?endpoint={}|term-length=64k", relay.address());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscription, &lengths);
        assert!(relay.lost() > 0, "{sending:?} to {receiving:?}");
    }
}

#[test]
fn one_percent_is_made_up_for() {
    cross(1);
}

#[test]
fn five_percent_are_made_up_for() {
    cross(5);
}

#[test]
fn twenty_percent_are_made_up_for() {
    cross(20);
}

/// Our driver's own loss on purpose, at whichever end it is.
#[test]
fn loss_on_purpose_is_made_up_for() {
    for (sending, receiving) in PAIRINGS {
        let lossy = [
            ("gannet.loss.drop.ppm", "50000"),
            ("gannet.loss.duplicate.ppm", "20000"),
            ("gannet.loss.delay.ppm", "20000"),
        ];
        let host = |kind| match kind {
            gannet_peers::driver::DriverKind::Gannet => Host::with(kind, &lossy),
            gannet_peers::driver::DriverKind::Aeron => Host::start(kind),
        };
        let (from, to) = (host(sending), host(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscription, &[700; 1_000]);
    }
}
