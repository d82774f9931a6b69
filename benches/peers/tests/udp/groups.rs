//! One publication with receivers of both kinds: multicast and several destinations, with each flow control strategy.

use crate::hosts::{Host, STREAM, deliver, free_port, wait_for};
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

/// Everything fits one window, so that `max` cannot leave the slower receiver behind.
#[test]
fn each_strategy_paces_receivers_of_both_kinds() {
    for sending in BOTH {
        for (strategy, tag) in [("max", ""), ("min", ""), ("min,g:/2", ""), ("tagged,g:7/2", "|gtag=7")] {
            let from = Host::start(sending);
            let hosts = BOTH.map(Host::start);
            let control = free_port();
            let mut subscriptions = hosts.each_ref().map(|host| {
                let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|control=127.0.0.1:{control}{tag}", free_port());
                host.client.add_subscription(&channel, STREAM).unwrap()
            });
            let channel =
                format!("aeron:udp?control=127.0.0.1:{control}|control-mode=dynamic|fc={strategy}|term-length=64k");
            let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
            deliver(&mut publication, &mut subscriptions, &[500; 50]);
        }
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

/// A late receiver gets what is sent from then on.
#[test]
fn late_joiners_join_where_the_stream_is() {
    for sending in BOTH {
        let from = Host::start(sending);
        let hosts = BOTH.map(Host::start);
        let group = format!("aeron:udp?endpoint=224.20.30.39:{}|interface=127.0.0.1", free_port());
        let channel = format!("{group}|term-length=64k|fc=min");
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        let mut subscriptions = vec![hosts[0].client.add_subscription(&group, STREAM).unwrap()];
        deliver(&mut publication, &mut subscriptions, &[300; 300]);
        subscriptions.push(hosts[1].client.add_subscription(&group, STREAM).unwrap());
        deliver(&mut publication, &mut subscriptions, &[300; 300]);
        drop(subscriptions);
        wait_for("end of the connection", || !publication.is_connected());
    }
}
