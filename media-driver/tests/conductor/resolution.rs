//! Names in channels that the driver's own resolver knows, from other drivers or from a table.

use gannet::channel_uri::HostAndPort;
use gannet::counters::{SystemCounter, type_id};
use gannet::protocol::{ResolutionEntry, ResolutionWriter};
use gannet::time::MonotonicNanos;
use gannet::types::{CounterId, RegistrationId};
use gannet_driver::mailbox::{EndpointId, Reply, Request, TransmitBatch};
use gannet_driver::resolver::{GossipConfig, ResolverConfig, TableRow};
use std::collections::HashMap;
use std::net::Ipv4Addr;

use crate::support::*;

fn driver(resolver: ResolverConfig) -> Driver {
    let mut driver = Driver::with(|config| {
        config.resolver = resolver;
        config.name_resolver_threshold_ns = 999;
    });
    driver.names = Some(HashMap::from([("localhost", Ipv4Addr::LOCALHOST.into())]));
    driver
}

fn gossip(bootstrap: &str, max_names: usize) -> ResolverConfig {
    const SECOND_NS: i64 = 1_000_000_000;
    ResolverConfig::Gossip(Box::new(GossipConfig {
        name: "here".to_owned(),
        local: "127.0.0.1:8050".parse().unwrap(),
        bootstrap: HostAndPort::parse(bootstrap).into_iter().collect(),
        mtu: 1408,
        neighbor_timeout_ns: 10 * SECOND_NS,
        self_interval_ns: SECOND_NS,
        neighbor_interval_ns: 2 * SECOND_NS,
        bootstrap_interval_ns: 10 * SECOND_NS,
        max_names,
        max_neighbors: 10,
    }))
}

/// The announcement of another driver about itself.
fn hear(driver: &mut Driver, name: &str, address: [u8; 4]) {
    let mut bytes = [0; 256];
    let mut writer = ResolutionWriter::new(&mut bytes);
    let entry =
        ResolutionEntry { is_self: true, address: address.into(), port: 8050, age_ms: 0, name: name.as_bytes() };
    assert!(writer.add(&entry));
    let length = writer.finish();
    driver.conductor.on_resolver_datagram(now(driver), (address, 8050).into(), &bytes[..length]);
}

fn now(driver: &Driver) -> MonotonicNanos {
    MonotonicNanos::new(driver.now_ms() * 1_000_000)
}

/// Runs one duty cycle of the resolver. Returns how many datagrams it had to send.
fn turn(driver: &mut Driver) -> usize {
    let mut batch = TransmitBatch::new(100);
    let now = now(driver);
    driver.conductor.poll_resolver(now, EndpointId::new(0), &mut batch);
    driver.settle();
    batch.len()
}

fn line(driver: &Driver, text: &str) -> String {
    let lines = driver.counter_lines();
    lines.iter().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text} in {lines:?}")).clone()
}

#[test]
fn channels_lead_to_drivers_by_their_names() {
    let mut driver = driver(gossip("", 10));
    let client = driver.client();
    hear(&mut driver, "there", [127, 0, 0, 7]);
    assert_eq!(turn(&mut driver), 1, "it is told this one's name");
    assert!(line(&driver, "Resolver neighbors: bound 127.0.0.1:8050").ends_with("= 1"));
    assert!(line(&driver, "Resolver cache entries: name=here").ends_with("= 1"));
    driver.add_exclusive_publication(client, "aeron:udp?endpoint=there:40123");
    driver.add_subscription(client, "aeron:udp?endpoint=here:40124|control=there:40125");
    assert!(line(&driver, "rcv-local-sockaddr").contains(" 127.0.0.1:40124"), "its own name");
    assert_eq!(
        driver.system(SystemCounter::NameResolverTimeThresholdExceeded),
        2,
        "one for each channel in these tests"
    );
    assert_eq!(driver.system(SystemCounter::NameResolverMaxTime), 1_000);
    // A name that no driver announces is resolved by the operating system.
    driver.add_subscription(client, "aeron:udp?endpoint=localhost:40126");
    let (refused, none) = {
        let command = driver.add_subscription_command(client, "aeron:udp?endpoint=nobody:40127");
        let refused = driver.run(&command);
        (refused, driver.images())
    };
    assert!(none.is_empty() && refused[0].starts_with("error 9 "), "{refused:?}");
}

#[test]
fn what_no_driver_says_is_counted() {
    let mut driver = driver(gossip("", 10));
    let at = "127.0.0.9:8050".parse().unwrap();
    for bytes in [&b""[..], b"nothing that a driver says"] {
        driver.conductor.on_resolver_datagram(now(&driver), at, bytes);
    }
    assert_eq!(driver.system(SystemCounter::InvalidPackets), 2);
    assert_eq!(turn(&mut driver), 0);
}

#[test]
fn more_names_than_are_wanted_are_told_of() {
    let mut driver = driver(gossip("", 1));
    hear(&mut driver, "one", [127, 0, 0, 7]);
    hear(&mut driver, "two", [127, 0, 0, 8]);
    turn(&mut driver);
    assert!(line(&driver, "Resolver cache entries").ends_with("= 1"));
    let errors = driver.error_texts();
    assert!(errors.iter().any(|text| text.contains("gannet.max.resolver.names")), "{errors:?}");
}

/// The bootstrap neighbors are looked up off the conductor, again and again until they are heard of.
#[test]
fn who_is_told_first_is_looked_up() {
    let mut driver = driver(gossip("seed.example:8051", 10));
    assert!(line(&driver, "Bootstrap neighbor").contains("name=seed.example:8051 resolved= = 0"));
    driver.hold_requests();
    assert_eq!(turn(&mut driver), 0);
    driver.answer_requests(|request| {
        let Request::ResolveHost(request) = request else { panic!("{request:?}") };
        assert_eq!(request.host, "seed.example");
        Reply::HostResolved { index: request.index, address: None, lookup_ns: 5 }
    });
    let errors = driver.error_texts();
    assert!(errors.iter().any(|text| text.starts_with("(9) bootstrap neighbor seed.example:8051")), "{errors:?}");
    assert_eq!(driver.system(SystemCounter::NameResolverMaxTime), 5);
    driver.pass_ms(9_000);
    driver.hold_requests();
    turn(&mut driver);
    driver.answer_requests(|request| panic!("too early: {request:?}"));
    driver.pass_ms(2_000);
    driver.hold_requests();
    turn(&mut driver);
    driver.answer_requests(|request| {
        let Request::ResolveHost(request) = request else { panic!("{request:?}") };
        Reply::HostResolved { index: request.index, address: Some([127, 0, 0, 9].into()), lookup_ns: 5 }
    });
    assert_eq!(turn(&mut driver), 1);
    assert!(line(&driver, "Bootstrap neighbor").contains("resolved=127.0.0.9:8051 = 0"));
    let mut bytes = [0; 64];
    let mut writer = ResolutionWriter::new(&mut bytes);
    let address = Ipv4Addr::new(127, 0, 0, 9).into();
    writer.add(&ResolutionEntry { is_self: true, address, port: 8051, age_ms: 0, name: b"seed" });
    let length = writer.finish();
    driver.conductor.on_resolver_datagram(now(&driver), "127.0.0.9:8051".parse().unwrap(), &bytes[..length]);
    turn(&mut driver);
    assert!(line(&driver, "Bootstrap neighbor").ends_with("= 1"));
}

/// A name of the table resolves to its first host, to its second, or to none, as its counter says.
#[test]
fn a_table_says_what_names_stand_for() {
    let row = |name: &str, initial_host: &str, re_resolution_host: &str| TableRow {
        name: name.to_owned(),
        initial_host: initial_host.to_owned(),
        re_resolution_host: re_resolution_host.to_owned(),
    };
    let rows = vec![row("server", "127.0.0.7", "localhost"), row("other", "localhost", "localhost")];
    let mut driver = driver(ResolverConfig::Table(rows));
    let client = driver.client();
    let mut entries = Vec::new();
    driver.counters.for_each(|counter| {
        if counter.type_id == type_id::NAME_RESOLVER_TABLE_ENTRY {
            entries.push((counter.id, counter.label.to_string(), counter.registration_id));
        }
    });
    let [(id, label, registration_id), _] = &entries[..] else { panic!("{entries:?}") };
    let (id, registration_id): (CounterId, RegistrationId) = (*id, *registration_id);
    assert_eq!(*label, "NameEntry{name='server', initialResolutionHost='127.0.0.7', reResolutionHost='localhost'}");
    assert_eq!(registration_id, RegistrationId::new(0));
    let key = driver.counter(id).key;
    assert_eq!((key.get_i32(0), &key.as_bytes()[4..10]), (Some(6), &b"server"[..]));
    let mut bound = |toggle: i64, port: u16| {
        driver.word(id).store_release(toggle);
        let channel = format!("aeron:udp?endpoint=server:{port}");
        let command = driver.add_subscription_command(client, &channel);
        let events = driver.run(&command);
        let lines = driver.counter_lines();
        let local = lines.iter().find(|line| line.contains("rcv-local-sockaddr") && line.contains(&format!(":{port}")));
        (events, local.cloned().unwrap_or_default())
    };
    assert!(bound(0, 40_001).1.contains(" 127.0.0.7:40001"));
    assert!(bound(1, 40_002).1.contains(" 127.0.0.1:40002"));
    let (events, local) = bound(-1, 40_003);
    assert!(events[0].starts_with("error 9 ") && local.is_empty(), "{events:?}");
    let (events, _) = bound(77, 40_004);
    assert!(events[0].starts_with("error 9 "), "it stands for itself, which nobody knows: {events:?}");
}
