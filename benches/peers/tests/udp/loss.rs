//! Streams across a network that loses 1, 5 or 20 percent of the datagrams each way: to one receiver, to a group, and
//! to several destinations.

use crate::hosts::{Host, PAIRINGS, STREAM, deliver, free_port};
use crate::relay::{GroupRelay, Relay, receivers_groups, senders_group};
use gannet::counters::SystemCounter;
use gannet_peers::driver::DriverKind;
use std::net::SocketAddr;

fn cross(percent: u64) {
    let lengths: Vec<usize> =
        (0..2_000).map(|number| if number % 100 == 99 { 8_000 } else { number * 37 % 1_500 }).collect();
    for (sending, receiving) in PAIRINGS {
        let (from, to) = (Host::start(sending), Host::start(receiving));
        let endpoint = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let relay = Relay::start(endpoint, percent, 1);
        let mut subscription = [to.client.add_subscription(&format!("aeron:udp?endpoint={endpoint}"), STREAM).unwrap()];
        let channel = format!("aeron:udp?endpoint={}|term-length=64k", relay.address());
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscription, &lengths);
        let [data, told] = relay.lost();
        assert!(data > 0 && (told > 0 || percent < 20), "{sending:?} to {receiving:?}: {data} and {told} lost");
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

const PERCENTAGES: [u64; 3] = [1, 5, 20];
const BOTH: [DriverKind; 2] = [DriverKind::Aeron, DriverKind::Gannet];
/// A long receiver timeout, since status messages are lost as well.
const PACED: &str = "fc=min,g:/2,t:60s|term-length=64k";

fn lengths() -> Vec<usize> {
    (0..1_000).map(|number| if number % 100 == 99 { 8_000 } else { number * 37 % 1_500 }).collect()
}

/// A host of each kind that receives, and how often its driver asked again for what was lost.
fn naks(hosts: &[Host; 2]) -> [Option<i64>; 2] {
    hosts.each_ref().map(|host| host.client.counters().value(SystemCounter::NaksSent.id()))
}

/// A network loses different datagrams on the way to each receiver of a group, and of what either has to say.
#[test]
fn what_a_group_loses_is_made_up_for() {
    for sending in BOTH {
        for percent in PERCENTAGES {
            let from = Host::start(sending);
            let hosts = BOTH.map(Host::start);
            let port = free_port();
            let relay = GroupRelay::start(port, percent, 1);
            let [first, second] = receivers_groups(port);
            let mut subscriptions = [(&hosts[0], first), (&hosts[1], second)]
                .map(|(host, channel)| host.client.add_subscription(&channel, STREAM).unwrap());
            let channel = format!("{}|{PACED}", senders_group(port));
            let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
            deliver(&mut publication, &mut subscriptions, &lengths());
            let (lost, naks) = (relay.lost(), naks(&hosts));
            let case = format!("{sending:?}, {percent} %: {lost:?} lost, {naks:?} asked for again");
            assert!(lost.iter().all(|[data, told]| *data > 0 && (*told > 0 || percent < 20)), "{case}");
            assert!(naks.iter().all(|naks| *naks > Some(0)), "{case}");
        }
    }
}

/// The same, for receivers that register with a publication.
#[test]
fn what_registered_receivers_lose_is_made_up_for() {
    for sending in BOTH {
        for percent in PERCENTAGES {
            let from = Host::start(sending);
            let hosts = BOTH.map(Host::start);
            let control = SocketAddr::from(([127, 0, 0, 1], free_port()));
            let relays = [1, 5].map(|seed| Relay::start(control, percent, seed));
            let mut subscriptions = [0, 1].map(|index| {
                let channel =
                    format!("aeron:udp?endpoint=127.0.0.1:{}|control={}", free_port(), relays[index].address());
                hosts[index].client.add_subscription(&channel, STREAM).unwrap()
            });
            let channel = format!("aeron:udp?control={control}|control-mode=dynamic|{PACED}");
            let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
            deliver(&mut publication, &mut subscriptions, &lengths());
            let (lost, naks) = (relays.each_ref().map(Relay::lost), naks(&hosts));
            let case = format!("{sending:?}, {percent} %: {lost:?} lost, {naks:?} asked for again");
            assert!(lost.iter().all(|[told, data]| *data > 0 && (*told > 0 || percent < 20)), "{case}");
            assert!(naks.iter().all(|naks| *naks > Some(0)), "{case}");
        }
    }
}

/// The network loses different datagrams on the way to each of two destinations.
#[test]
fn what_is_lost_on_the_way_to_several_destinations_is_made_up_for() {
    for sending in BOTH {
        for percent in PERCENTAGES {
            let from = Host::start(sending);
            let hosts = BOTH.map(Host::start);
            let places = hosts.each_ref().map(|_| SocketAddr::from(([127, 0, 0, 1], free_port())));
            let relays = [Relay::start(places[0], percent, 1), Relay::start(places[1], percent, 5)];
            let mut subscriptions: Vec<_> = hosts
                .iter()
                .zip(places)
                .map(|(host, place)| {
                    host.client.add_subscription(&format!("aeron:udp?endpoint={place}"), STREAM).unwrap()
                })
                .collect();
            let channel = format!("aeron:udp?control=127.0.0.1:{}|control-mode=manual|{PACED}", free_port());
            let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
            for relay in &relays {
                publication.add_destination(&format!("aeron:udp?endpoint={}", relay.address())).unwrap();
            }
            deliver(&mut publication, &mut subscriptions, &lengths());
            assert!(relays.iter().all(|relay| relay.lost()[0] > 0), "{sending:?} {percent} %");
        }
    }
}

/// The intentional loss of our driver, at either end.
#[test]
fn loss_on_purpose_is_made_up_for() {
    for (sending, receiving) in PAIRINGS {
        let lossy = [
            ("gannet.loss.drop.ppm", "50000"),
            ("gannet.loss.duplicate.ppm", "20000"),
            ("gannet.loss.delay.ppm", "20000"),
        ];
        let host = |kind| match kind {
            DriverKind::Gannet => Host::with(kind, &lossy),
            DriverKind::Aeron => Host::start(kind),
        };
        let (from, to) = (host(sending), host(receiving));
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port());
        let mut subscription = [to.client.add_subscription(&channel, STREAM).unwrap()];
        let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
        deliver(&mut publication, &mut subscription, &[700; 1_000]);
    }
}
