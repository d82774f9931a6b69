//! Streams between two drivers on a network without loss: messages of all lengths, and how streams begin and end.

use crate::hosts::{Host, PAIRINGS, STREAM, deliver, free_port, wait_for};
use gannet_peers::driver::DriverKind;

#[test]
fn messages_of_all_lengths_cross() {
    let longest = 64 * 1024 / 8;
    let lengths: Vec<usize> =
        (0..1_000).map(|number| if number % 50 == 49 { longest } else { number * 37 % 3_000 }).collect();
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        deliver(&mut publication, &mut subscription, &lengths);
    }
}

#[test]
fn many_small_messages_cross() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=1m", free_port());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        deliver(&mut publication, &mut subscription, &[32; 100_000]);
    }
}

/// An image ends with its publication, and the next publication has another image.
#[test]
fn streams_end_and_begin_again() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        for _ in 0..2 {
            let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
            deliver(&mut publication, &mut subscription, &[100; 50]);
            drop(publication);
            wait_for("end", || {
                subscription[0].poll(|_| {}, 10);
                subscription[0].image_count() == 0
            });
        }
    }
}

/// A publication is not connected after its subscriber leaves. A later subscriber joins at the current position.
#[test]
fn subscribers_leave_and_come() {
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        for _ in 0..2 {
            // An endpoint that is being closed is refused for a moment.
            let mut added = None;
            wait_for("endpoint", || {
                added = to.client.add_subscription(&channel, STREAM).ok();
                added.is_some()
            });
            let mut subscription = [added.unwrap()];
            deliver(&mut publication, &mut subscription, &[100; 50]);
            drop(subscription);
            wait_for("end of the connection", || !publication.is_connected());
        }
    }
}

/// Receivers of both kinds register with one publication, which runs at the pace of the slower.
#[test]
fn receivers_of_both_kinds_register_with_one_publication() {
    for sending in [DriverKind::Aeron, DriverKind::Gannet] {
        let from = Host::start(sending);
        let hosts = [DriverKind::Aeron, DriverKind::Gannet].map(Host::start);
        let control = free_port();
        let channel = format!("aeron:udp?control=127.0.0.1:{control}|control-mode=dynamic|fc=min,g:/2|term-length=64k");
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        let mut subscriptions = hosts.each_ref().map(|host| {
            let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|control=127.0.0.1:{control}", free_port());
            host.client.add_subscription(&channel, STREAM).unwrap()
        });
        deliver(&mut publication, &mut subscriptions, &[500; 500]);
    }
}

/// Sends ten million messages, or as many as `GANNET_UDP_MESSAGES` says.
#[test]
fn millions_of_small_messages_cross() {
    let count: usize =
        std::env::var("GANNET_UDP_MESSAGES").map_or(10_000_000, |count| count.parse().expect("a number"));
    for (sending, receiving) in [(DriverKind::Gannet, DriverKind::Aeron), (DriverKind::Aeron, DriverKind::Gannet)] {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=4m", free_port());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        // A million at a time, each with a deadline of its own.
        for done in (0..count).step_by(1_000_000) {
            deliver(&mut publication, &mut subscription, &vec![32; (count - done).min(1_000_000)]);
        }
    }
}
