//! What a receiver decides by itself: how it controls congestion, and whether it asks again for what is lost.

use crate::hosts::{Host, PAIRINGS, STREAM, deliver, free_port, message, wait_for};
use crate::relay::Relay;
use gannet::counters::{SystemCounter, type_id};
use std::net::SocketAddr;

/// The value of the receiver's counter of an image whose label begins so.
fn of_image(host: &Host, label: &str) -> Option<i64> {
    let counters = host.client.counters();
    let mut found = None;
    counters.for_each(|counter| {
        if counter.type_id == type_id::PER_IMAGE && counter.label.to_string().starts_with(label) {
            found = counters.value(counter.id);
        }
    });
    found
}

/// A receiver with CUBIC congestion control measures the time to the sender and back, and makes up for losses.
#[test]
fn a_receiver_controls_congestion_by_cubic() {
    for (sending, receiving) in PAIRINGS {
        let measures = [("aeron.CubicCongestionControl.measureRtt", "true")];
        let (from, to) = (Host::start(sending), Host::with(receiving, &measures));
        let endpoint = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let relay = Relay::start(endpoint, 2, 1);
        let channel = format!("aeron:udp?endpoint={endpoint}|cc=cubic");
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        let channel = format!("aeron:udp?endpoint={}|term-length=64k", relay.address());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscription, &[700; 1_000]);
        assert!(relay.lost()[0] > 0, "{sending:?} to {receiving:?}");
        assert!(of_image(&to, "rcv-cc-cubic-wnd") > Some(0), "{sending:?} to {receiving:?}");
        wait_for("round-trip time", || of_image(&to, "rcv-cc-cubic-rtt") > Some(0));
    }
}

/// An unreliable subscription skips what is lost, asks for none of it, and gets to the end all the same.
#[test]
fn an_unreliable_subscription_skips_what_is_lost() {
    const COUNT: usize = 1_000;
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let endpoint = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let relay = Relay::start(endpoint, 10, 1);
        let channel = format!("aeron:udp?endpoint={endpoint}|reliable=false");
        let mut subscription = to.client.add_subscription(&channel, STREAM).unwrap();
        let channel = format!("aeron:udp?endpoint={}|term-length=64k", relay.address());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        wait_for("receiver", || publication.is_connected() && subscription.is_connected());
        let (mut sent, mut read) = (0, Vec::new());
        wait_for("the end", || {
            while sent < COUNT && publication.offer(&numbered(sent)).is_ok() {
                sent += 1;
            }
            subscription.poll(
                |fragment| {
                    let number = u32::from_le_bytes(fragment.payload()[..4].try_into().unwrap()) as usize;
                    assert!(fragment.payload() == numbered(number), "message {number} differs");
                    read.push(number);
                },
                64,
            );
            sent == COUNT && Some(subscription.images()[0].position()) == publication.position()
        });
        let case = format!("{sending:?} to {receiving:?}: {} of {COUNT} read", read.len());
        assert!(read.is_sorted_by(|one, next| one < next), "{case}: out of order");
        assert!(relay.lost()[0] > 0 && read.len() < COUNT && read.len() > COUNT / 2, "{case}");
        assert_eq!(to.client.counters().value(SystemCounter::NaksSent.id()), Some(0), "{case}");
    }
}

/// A message that begins with its number.
fn numbered(number: usize) -> Vec<u8> {
    let mut bytes = message(number, 700);
    bytes[..4].copy_from_slice(&(number as u32).to_le_bytes());
    bytes
}
