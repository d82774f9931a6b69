//! Drivers of both kinds exchange names: each finds the others by the names they announce, and streams use channels
//! with such names.

use crate::hosts::{Host, PAIRINGS, STREAM, deliver, free_port, wait_for};
use gannet::counters::type_id;
use gannet_peers::driver::DriverKind;

/// A host whose driver's resolver has a port of its own, which is returned. The driver announces itself to the drivers
/// at `first`.
fn gossiping(kind: DriverKind, name: &str, first: &[u16]) -> (Host, u16) {
    let port = free_port();
    let interface = format!("127.0.0.1:{port}");
    let first: Vec<String> = first.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let first = first.join(",");
    let mut settings = vec![
        ("aeron.name.resolver.supplier", "driver"),
        ("aeron.driver.resolver.name", name),
        ("aeron.driver.resolver.interface", &interface),
        // Long, since a busy machine may not run another driver for a while.
        ("aeron.driver.resolver.neighbor.timeout", "300s"),
    ];
    if !first.is_empty() {
        settings.push(("aeron.driver.resolver.bootstrap.neighbor", &first));
    }
    (Host::with(kind, &settings), port)
}

/// The label and the value of the driver's counter of this type.
fn counter(host: &Host, type_id: i32) -> Option<(String, i64)> {
    let counters = host.client.counters();
    let mut found = None;
    counters.for_each(|counter| {
        if counter.type_id == type_id {
            found = counters.value(counter.id).map(|value| (counter.label.to_string(), value));
        }
    });
    found
}

/// Waits until a driver knows `count` others.
fn wait_for_names(host: &Host, count: i64) {
    wait_for("names", || {
        [type_id::NAME_RESOLVER_CACHE_ENTRIES, type_id::NAME_RESOLVER_NEIGHBORS]
            .into_iter()
            .all(|of| counter(host, of).is_some_and(|(_, value)| value >= count))
    });
}

fn stream(from: &Host, to: &Host, name: &str) {
    let channel = format!("aeron:udp?endpoint={name}:{}|term-length=64k", free_port());
    let mut receiver = [to.client.add_subscription(&channel, STREAM).unwrap()];
    let mut publication = from.client.add_exclusive_publication(&channel, STREAM).unwrap();
    deliver(&mut publication, &mut receiver, &[1_000; 200]);
}

/// Only one of two drivers is configured with the other. Both find each other, and a stream runs each way by the name
/// of its receiver's driver.
#[test]
fn drivers_are_found_by_the_names_that_they_tell() {
    for (sending, receiving) in PAIRINGS {
        let (to, port) = gossiping(receiving, "far-driver", &[]);
        let (from, _) = gossiping(sending, "near-driver", &[port]);
        wait_for_names(&from, 1);
        wait_for_names(&to, 1);
        let (label, _) = counter(&to, type_id::NAME_RESOLVER_NEIGHBORS).unwrap();
        assert_eq!(label, format!("Resolver neighbors: bound 127.0.0.1:{port}"), "{receiving:?}");
        let (label, _) = counter(&to, type_id::NAME_RESOLVER_CACHE_ENTRIES).unwrap();
        assert_eq!(label, "Resolver cache entries: name=far-driver", "{receiving:?}");
        let (label, _) = counter(&from, type_id::BOOTSTRAP_NEIGHBOR).unwrap();
        assert_eq!(
            label,
            format!("Bootstrap neighbor: name=127.0.0.1:{port} resolved=127.0.0.1:{port}"),
            "{sending:?}"
        );
        stream(&from, &to, "far-driver");
        stream(&to, &from, "near-driver");
    }
}

/// Two drivers that both know only a third learn of each other from it, whatever kind it is.
#[test]
fn names_are_passed_on_between_drivers_of_both_kinds() {
    for (ends, middle) in [(DriverKind::Aeron, DriverKind::Gannet), (DriverKind::Gannet, DriverKind::Aeron)] {
        let (_between, port) = gossiping(middle, "middle-driver", &[]);
        let (from, _) = gossiping(ends, "first-driver", &[port]);
        let (to, _) = gossiping(ends, "last-driver", &[port]);
        wait_for_names(&from, 2);
        wait_for_names(&to, 2);
        stream(&from, &to, "last-driver");
    }
}
