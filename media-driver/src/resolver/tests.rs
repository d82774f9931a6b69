//! Resolvers in one thread, on simulated time: groups of resolvers that find each other, datagrams that no driver
//! sends, and a plain model beside the real resolver.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use gannet::channel_uri::HostAndPort;
use gannet::protocol::{Resolution, ResolutionEntry, ResolutionWriter};
use gannet::time::MonotonicNanos;
use proptest::prelude::*;

use super::{Gossip, GossipConfig, Heard, Lookup, Trouble, WORK_INTERVAL_NS};
use crate::mailbox::{Content, EndpointId, TransmitBatch};

const MILLI: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MILLI;
const TIMEOUT: i64 = 10 * SECOND;
/// How much older than they are names are told.
const TRANSIT: i64 = TIMEOUT / 100;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn config(name: &str, local: &str, bootstrap: &[&str]) -> GossipConfig {
    GossipConfig {
        name: name.to_owned(),
        local: at(local),
        bootstrap: bootstrap.iter().map(|text| HostAndPort::parse(text).unwrap()).collect(),
        mtu: 1408,
        neighbor_timeout_ns: TIMEOUT,
        self_interval_ns: SECOND,
        neighbor_interval_ns: 2 * SECOND,
        bootstrap_interval_ns: 10 * SECOND,
        max_names: 4096,
        max_neighbors: 1024,
    }
}

fn time(now: i64) -> MonotonicNanos {
    MonotonicNanos::new(now)
}

/// What it has to send, as far as `room` goes.
fn sent(gossip: &mut Gossip, now: i64, room: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut batch = TransmitBatch::new(room);
    gossip.do_work(time(now));
    gossip.poll_transmit(time(now), EndpointId::new(0), &mut batch);
    let content = |content| match content {
        Content::Long(bytes) => bytes.into_vec(),
        other => panic!("{other:?}"),
    };
    batch.drain().map(|transmit| (transmit.to, content(transmit.content))).collect()
}

/// A driver's name as other drivers tell it.
fn entry<'a>(name: &'a str, address: &str, age_ms: i32, is_self: bool) -> ResolutionEntry<'a> {
    let address = at(address);
    ResolutionEntry { is_self, address: address.ip(), port: address.port(), age_ms, name: name.as_bytes() }
}

fn datagram(entries: &[ResolutionEntry<'_>]) -> Vec<u8> {
    let mut buffer = vec![0; 65_000];
    let mut writer = ResolutionWriter::new(&mut buffer);
    assert!(entries.iter().all(|entry| writer.add(entry)));
    let length = writer.finish();
    buffer.truncate(length);
    buffer
}

/// What a datagram says: flags, names, addresses, ages.
fn told(datagram: &[u8]) -> Vec<(bool, String, SocketAddr, i32)> {
    let entries = Resolution::parse(datagram).unwrap();
    let entries = entries.entries().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = String::from_utf8(entry.name.to_vec()).unwrap();
            (entry.is_self, name, SocketAddr::new(entry.address, entry.port), entry.age_ms)
        })
        .collect()
}

/// Resolvers, each with the address that the others see.
struct Group {
    now: i64,
    members: Vec<(SocketAddr, Gossip)>,
}

impl Group {
    fn new(members: impl IntoIterator<Item = (&'static str, GossipConfig)>) -> Self {
        let members = members.into_iter().map(|(seen, config)| (at(seen), Gossip::new(config))).collect();
        Self { now: 0, members }
    }

    /// Lets so much time pass. What goes to nobody is lost.
    fn run(&mut self, duration: i64) {
        let end = self.now + duration;
        while self.now < end {
            for index in 0..self.members.len() {
                let (from, gossip) = &mut self.members[index];
                let from = *from;
                for (to, bytes) in sent(gossip, self.now, 1_000) {
                    if let Some((_, to)) = self.members.iter_mut().find(|(seen, _)| *seen == to) {
                        assert_eq!(to.on_datagram(time(self.now), from, &bytes), Heard::Names);
                    }
                }
            }
            self.now += WORK_INTERVAL_NS;
        }
    }

    fn resolve(&self, member: usize, name: &str) -> Option<String> {
        self.members[member].1.resolve(name).map(|address| address.to_string())
    }
}

/// A known frame, as the first thing that a driver says to the one that it was told of.
#[test]
fn vector_resolution_is_what_a_driver_says_of_itself() {
    let mut gossip = Gossip::new(config("A", "192.168.0.1:8050", &["10.0.0.9:8050"]));
    let said = sent(&mut gossip, 0, 8);
    let vector = [0x18, 0, 0, 0, 0, 0, 7, 0, 0x01, 0x80, 0x72, 0x1f, 0, 0, 0, 0, 0xc0, 0xa8, 0, 1, 1, 0, 0x41, 0];
    assert_eq!(said, [(at("10.0.0.9:8050"), vector.to_vec())]);
}

#[test]
fn two_drivers_find_each_other_and_forget_the_silent() {
    let mut group = Group::new([
        ("10.0.0.1:8050", config("one", "10.0.0.1:8050", &[])),
        ("10.0.0.2:8050", config("two", "10.0.0.2:8050", &["10.0.0.1:8050"])),
    ]);
    assert_eq!(group.resolve(0, "one").as_deref(), Some("10.0.0.1"), "its own name");
    assert_eq!(group.resolve(0, "two"), None);
    // The one that was told first tells the other as soon as it knows of it.
    group.run(2 * WORK_INTERVAL_NS);
    assert_eq!(group.resolve(0, "two").as_deref(), Some("10.0.0.2"));
    assert_eq!(group.resolve(1, "one").as_deref(), Some("10.0.0.1"));
    group.run(60 * SECOND);
    for (_, gossip) in &group.members {
        assert_eq!((gossip.names(), gossip.neighbors()), (1, 1));
    }
    // The second falls silent.
    let (_, second) = group.members.pop().unwrap();
    group.run(TIMEOUT - 2 * SECOND);
    assert_eq!(group.resolve(0, "two").as_deref(), Some("10.0.0.2"));
    group.run(2 * SECOND + 2 * WORK_INTERVAL_NS);
    let (_, first) = &group.members[0];
    assert_eq!((group.resolve(0, "two"), first.names(), first.neighbors()), (None, 0, 0));
    assert!(second.bootstrap().all(|(_, is_neighbor)| is_neighbor));
}

/// The third knows the second alone, and hears of the first from it; from then on they speak for themselves.
#[test]
fn names_are_passed_on() {
    let mut group = Group::new([
        ("10.0.0.1:8050", config("one", "10.0.0.1:8050", &[])),
        ("10.0.0.2:8050", config("two", "10.0.0.2:8050", &["10.0.0.1:8050"])),
        ("10.0.0.3:8050", config("three", "10.0.0.3:8050", &["10.0.0.2:8050"])),
    ]);
    group.run(SECOND);
    assert_eq!(group.resolve(2, "one"), None);
    group.run(2 * SECOND);
    assert_eq!(group.resolve(2, "one").as_deref(), Some("10.0.0.1"));
    assert_eq!(group.resolve(0, "three").as_deref(), Some("10.0.0.3"));
    // Without the one that introduced them they go on.
    group.members.remove(1);
    group.run(30 * SECOND);
    assert_eq!(group.resolve(1, "one").as_deref(), Some("10.0.0.1"));
    assert_eq!(group.resolve(0, "three").as_deref(), Some("10.0.0.3"));
    assert_eq!((group.resolve(0, "two"), group.members[0].1.names()), (None, 1));
}

/// A driver that is bound to every address is where its datagrams come from; one that moves is found where it went.
#[test]
fn who_says_no_address_is_where_it_is_heard_from() {
    let mut group = Group::new([
        ("10.0.0.1:8050", config("one", "10.0.0.1:8050", &[])),
        ("10.0.0.2:9050", config("two", "0.0.0.0:8050", &["10.0.0.1:8050"])),
    ]);
    group.run(3 * SECOND);
    assert_eq!(group.resolve(0, "two").as_deref(), Some("10.0.0.2"));
    assert_eq!(group.resolve(1, "one").as_deref(), Some("10.0.0.1"), "it is answered at its port, too");
    let (_, moved) = group.members.remove(1);
    group.members.push((at("10.0.0.7:8050"), Gossip::new(moved.config().clone())));
    group.run(SECOND);
    assert_eq!(group.resolve(0, "two").as_deref(), Some("10.0.0.7"));
}

/// What is old news does not undo what is new: the third still tells of where the second was.
#[test]
fn the_latest_news_counts() {
    let mut gossip = Gossip::new(config("one", "10.0.0.1:8050", &[]));
    let mut hear = |now: i64, entry| gossip.on_datagram(time(now), at("10.0.0.9:8050"), &datagram(&[entry]));
    hear(5 * SECOND, entry("two", "10.0.0.7:8050", 0, true));
    hear(5 * SECOND, entry("two", "10.0.0.2:8050", 1, false));
    assert_eq!(gossip.resolve("two"), Some([10, 0, 0, 7].into()));
    gossip.on_datagram(time(5 * SECOND), at("10.0.0.9:8050"), &datagram(&[entry("two", "10.0.0.3:8050", 0, false)]));
    assert_eq!(gossip.resolve("two"), Some([10, 0, 0, 3].into()), "as recent, and later");
}

#[test]
fn each_thing_is_done_in_its_time() {
    let mut gossip = Gossip::new(config("one", "10.0.0.1:8050", &["10.0.0.8:1", "host.example:8050"]));
    let mut lookups = Vec::new();
    let mut said = Vec::new();
    for turn in 0..2_500 {
        let now = turn * WORK_INTERVAL_NS;
        if turn == 50 {
            let news = [entry("two", "10.0.0.2:8050", 0, true), entry("three", "[::1]:8050", 400, false)];
            assert_eq!(gossip.on_datagram(time(now), at("10.0.0.2:8050"), &datagram(&news)), Heard::Names);
        }
        for (to, bytes) in sent(&mut gossip, now, 64) {
            for (is_self, name, _, age_ms) in told(&bytes) {
                said.push((now / MILLI, to.to_string(), is_self, name, age_ms));
            }
        }
        while let Some(Lookup { index, host }) = gossip.poll_lookup() {
            assert_eq!((index, &*host), (1, "host.example"));
            lookups.push(now / SECOND);
            if turn == 0 {
                gossip.on_address(index, None);
            }
        }
    }
    // Asked once more after it was not found; not a third time, while the answer is awaited.
    assert_eq!(lookups, [0, 10]);
    let of = |to: &str, is_self: bool| -> Vec<(i64, &str, i32)> {
        let matching = said.iter().filter(|(_, whom, itself, ..)| whom == to && *itself == is_self);
        matching.map(|(when, _, _, name, age_ms)| (*when, &**name, *age_ms)).collect()
    };
    let own: Vec<_> = (0..25).map(|second| (second * 1_000, "one", 0)).collect();
    assert_eq!(of("10.0.0.8:1", true), own);
    // The neighbor is told from when it is known until it was silent for ten seconds.
    assert_eq!(of("10.0.0.2:8050", true), own[1..=10]);
    let passed_on: Vec<_> = (1..=5)
        .flat_map(|round| {
            let when = round * 2_000;
            let age = when as i32 - 500;
            let told = age + (TRANSIT / MILLI) as i32;
            [Some((when, "three", told + 400)).filter(|_| age + 400 < 10_000), Some((when, "two", told))]
        })
        .flatten()
        .collect();
    assert_eq!(of("10.0.0.2:8050", false), passed_on);
    assert!(of("10.0.0.8:1", false).is_empty(), "who never spoke is not told of others");
}

/// Both addresses of a name are kept, and the first is used.
#[test]
fn a_name_may_have_an_address_of_each_family() {
    let mut gossip = Gossip::new(config("one", "[::1]:8050", &["[::1]:8051"]));
    let from = at("[::1]:8051");
    gossip.on_datagram(time(0), from, &datagram(&[entry("two", "[::1]:8051", 0, true)]));
    assert_eq!(gossip.resolve("two"), Some(Ipv6Addr::LOCALHOST.into()));
    gossip.on_datagram(time(0), from, &datagram(&[entry("two", "127.0.0.1:8051", 0, false)]));
    assert_eq!(gossip.resolve("two"), Some(Ipv4Addr::LOCALHOST.into()));
    assert_eq!((gossip.names(), gossip.neighbors()), (2, 2));
    assert!(told(&sent(&mut gossip, 0, 1)[0].1).contains(&(true, "one".into(), at("[::1]:8050"), 0)));
}

/// A driver that is bound to all addresses of both families sees IPv4 addresses as IPv6, and takes them for what they are:
/// others may have no IPv6.
#[test]
fn addresses_of_both_families_are_told_as_what_they_are() {
    let mut gossip = Gossip::new(config("one", "[::]:8050", &[]));
    let wild = datagram(&[entry("two", "0.0.0.0:8050", 0, true)]);
    assert_eq!(gossip.on_datagram(time(0), at("[::ffff:10.0.0.2]:8050"), &wild), Heard::Names);
    let stated = datagram(&[entry("three", "[::ffff:10.0.0.3]:8050", 0, false)]);
    assert_eq!(gossip.on_datagram(time(0), at("[::ffff:10.0.0.2]:8050"), &stated), Heard::Names);
    for (name, address) in [("two", [10, 0, 0, 2]), ("three", [10, 0, 0, 3])] {
        assert_eq!(gossip.resolve(name), Some(address.into()));
    }
    sent(&mut gossip, 0, 8);
    let all: Vec<_> = sent(&mut gossip, 2 * SECOND, 8).into_iter().flat_map(|(_, bytes)| told(&bytes)).collect();
    for address in ["10.0.0.2:8050", "10.0.0.3:8050"] {
        assert!(all.iter().any(|(_, _, told, _)| *told == at(address)), "{address}: {all:?}");
    }
}

/// A name server that does not answer for a while says nothing about a driver.
#[test]
fn who_is_told_first_is_told_while_its_name_does_not_resolve() {
    let mut gossip = Gossip::new(config("one", "10.0.0.1:8050", &["host.example:8050"]));
    let mut said = Vec::new();
    let mut answers = [Some([10, 0, 0, 7].into()), None, Some([10, 0, 0, 8].into())].into_iter();
    for turn in 0..2_500 {
        let now = turn * WORK_INTERVAL_NS;
        said.extend(sent(&mut gossip, now, 8).into_iter().map(|(to, _)| (now / SECOND, to)));
        while let Some(Lookup { index, .. }) = gossip.poll_lookup() {
            gossip.on_address(index, answers.next().unwrap());
        }
    }
    for second in (1..20).chain(21..25) {
        let to = at(if second < 20 { "10.0.0.7:8050" } else { "10.0.0.8:8050" });
        assert!(said.contains(&(second, to)), "in second {second}: {said:?}");
    }
}

/// Forty drivers tell each other all names, in turn, on long ways. They forget one that is gone as soon as a few would.
#[test]
fn who_is_gone_is_forgotten_however_many_tell_of_it() {
    const LATENCY: i64 = 45 * MILLI;
    const STAGGER: i64 = 50 * MILLI;
    let address = |index: usize| SocketAddr::from(([10, 0, 1, index as u8], 8050));
    let mut drivers: Vec<_> = (0..40)
        .map(|index| {
            let config = config(&format!("n{index}"), "10.0.1.0:8050", &[]);
            Gossip::new(GossipConfig { local: address(index), ..config })
        })
        .collect();
    let names: Vec<_> = (0..drivers.len()).map(|index| (format!("n{index}"), address(index).to_string())).collect();
    let all: Vec<_> = names.iter().map(|(name, place)| entry(name, place, 0, true)).collect();
    let mut on_the_way: VecDeque<(i64, SocketAddr, usize, Vec<u8>)> = VecDeque::new();
    let gone_since = drivers.len() as i64 * STAGGER;
    for now in (0..gone_since + TIMEOUT + 2 * SECOND).step_by(WORK_INTERVAL_NS as usize) {
        let arrived = on_the_way.iter().take_while(|(due, ..)| *due <= now).count();
        for (_, from, to, bytes) in on_the_way.drain(..arrived) {
            let to: &mut Gossip = &mut drivers[to];
            to.on_datagram(time(now), from, &bytes);
        }
        for (index, gossip) in drivers.iter_mut().enumerate().filter(|(index, _)| now >= *index as i64 * STAGGER) {
            if now == index as i64 * STAGGER {
                gossip.on_datagram(time(now), address(0), &datagram(&all));
            }
            if now == gone_since {
                let gone = entry("gone", "10.0.0.9:8050", 0, true);
                gossip.on_datagram(time(now), at("10.0.0.9:8050"), &datagram(&[gone]));
            }
            for (to, bytes) in sent(gossip, now, 100) {
                if let Some(to) = (0..names.len()).position(|index| address(index) == to) {
                    on_the_way.push_back((now + LATENCY, address(index), to, bytes));
                }
            }
        }
        let knowing = drivers.iter().filter(|gossip| gossip.resolve("gone").is_some()).count();
        assert_eq!(knowing == drivers.len(), (gone_since..gone_since + TIMEOUT).contains(&now), "{knowing} at {now}");
    }
    for gossip in &drivers {
        assert_eq!((gossip.resolve("gone"), gossip.names()), (None, drivers.len() - 1));
    }
}

#[test]
fn of_itself_it_hears_nothing() {
    let mut gossip = Gossip::new(config("one", "10.0.0.1:8050", &[]));
    let from = at("10.0.0.9:8050");
    gossip.on_datagram(time(0), from, &datagram(&[entry("one", "10.0.0.4:8050", 0, false)]));
    assert_eq!((gossip.names(), gossip.neighbors()), (0, 0), "its name and its port");
    gossip.on_datagram(time(0), from, &datagram(&[entry("two", "10.0.0.1:8050", 0, false)]));
    assert_eq!((gossip.names(), gossip.neighbors()), (1, 0), "it does not talk to itself");
    gossip.on_datagram(time(0), from, &datagram(&[entry("one", "10.0.0.4:8051", 0, false)]));
    assert_eq!(gossip.resolve("one"), Some([10, 0, 0, 4].into()), "what was heard goes before its own name");
    gossip.on_datagram(time(0), from, &datagram(&[entry("three", "10.0.0.5:0", 0, true)]));
    assert_eq!((gossip.names(), gossip.neighbors()), (3, 1), "who has no port cannot be told anything");
}

/// Two drivers with one name and one port hear nothing of each other, and with different ports they take each other's
/// streams. Neither is a driver's own announcement, which comes back where it tells itself first.
#[test]
fn a_driver_of_the_same_name_is_reported() {
    let trouble = |local: &str, told: &str, itself: bool| {
        let mut gossip = Gossip::new(config("one", local, &[]));
        gossip.on_datagram(time(0), at("10.0.0.9:8050"), &datagram(&[entry("one", told, 0, itself)]));
        gossip.take_trouble(time(0))
    };
    for (local, told) in
        [("10.0.0.1:8050", "10.0.0.2:8050"), ("10.0.0.1:8050", "10.0.0.1:8051"), ("0.0.0.0:8050", "10.0.0.2:8051")]
    {
        assert_eq!(trouble(local, told, true), Some(Trouble::Namesake), "{local} {told}");
        assert_eq!(trouble(local, told, false), None, "it may be where it was before");
    }
    for (local, told) in
        [("10.0.0.1:8050", "10.0.0.1:8050"), ("0.0.0.0:8050", "10.0.0.1:8050"), ("[::]:8050", "0.0.0.0:8050")]
    {
        assert_eq!(trouble(local, told, true), None, "{local} {told}");
    }
}

/// Trap 12: ports are little-endian beside addresses in network order, both ways.
#[test]
fn wire_trap_12_ports_are_little_endian_and_addresses_are_not() {
    let mut gossip = Gossip::new(config("one", "10.0.0.1:258", &[]));
    let bytes = [24, 0, 0, 0, 0, 0, 7, 0, 1, 0x80, 3, 4, 0, 0, 0, 0, 10, 0, 0, 2, 1, 0, b'B', 0];
    assert_eq!(gossip.on_datagram(time(0), at("10.0.0.2:1027"), &bytes), Heard::Names);
    let [(to, own)] = &sent(&mut gossip, 0, 8)[..] else { panic!("one datagram") };
    assert_eq!(*to, at("10.0.0.2:1027"));
    assert_eq!(own[10..12], [2, 1]);
    assert_eq!(own[16..20], [10, 0, 0, 1]);
}

/// Trap 13: a frame's stated length may be less than its layout, and entries go on to the end of the datagram.
#[test]
fn wire_trap_13_the_datagram_says_where_entries_end() {
    let mut bytes = datagram(&[entry("two", "10.0.0.2:1", 0, true), entry("three", "10.0.0.3:1", 0, false)]);
    bytes[..4].fill(0);
    let mut gossip = Gossip::new(config("one", "10.0.0.1:8050", &[]));
    assert_eq!(gossip.on_datagram(time(0), at("10.0.0.2:1"), &bytes), Heard::Names);
    assert_eq!(gossip.names(), 2);
    // More than there is, it must not state.
    let more = bytes.len() as i32 + 1;
    bytes[..4].copy_from_slice(&more.to_le_bytes());
    assert_eq!(gossip.on_datagram(time(0), at("10.0.0.2:1"), &bytes), Heard::Invalid);
}

/// Datagrams that no driver sends: dropped from where they are malformed, and never believed for longer than others.
#[test]
fn lies_are_dropped_or_pass() {
    let from = at("10.0.0.9:8050");
    let hear = |bytes: &[u8]| {
        let mut gossip = Gossip::new(config("one", "10.0.0.1:8050", &[]));
        let heard = gossip.on_datagram(time(0), from, bytes);
        (heard, gossip.names())
    };
    let good = entry("good", "10.0.0.2:8050", 0, false);
    let mapped = ["[::ffff:0.0.0.0]:1", "[::ffff:224.0.0.1]:1", "[::ffff:255.255.255.255]:1"];
    for nowhere in ["0.0.0.0:1", "[::]:1", "224.0.0.1:1", "255.255.255.255:1", "[ff02::1]:1"].into_iter().chain(mapped)
    {
        let bytes = datagram(&[good, entry("bad", nowhere, 0, false), good]);
        assert_eq!(hear(&bytes), (Heard::Invalid, 1), "{nowhere}");
    }
    assert_eq!(hear(&datagram(&[entry("wild", "0.0.0.0:1", 0, true)])), (Heard::Names, 1));
    // Lengths that lead out of the datagram, though not out of an entry as long as the datagram.
    let whole = datagram(&[good, entry("next", "10.0.0.3:8050", 0, false)]);
    assert_eq!(hear(&whole), (Heard::Names, 2));
    for length in [0, -1, 513, 23, i16::MAX, i16::MIN] {
        let mut bytes = whole.clone();
        bytes[44..46].copy_from_slice(&length.to_le_bytes());
        assert_eq!(hear(&bytes), (Heard::Invalid, 1), "a name of {length} bytes");
    }
    for end in 0..whole.len() {
        let mut bytes = whole[..end].to_vec();
        if end >= 4 {
            bytes[..4].fill(0);
        }
        let (_, names) = hear(&bytes);
        assert!(names <= 2, "cut at {end}");
    }
    let mut other_type = whole.clone();
    other_type[6] = 5;
    assert_eq!(hear(&other_type), (Heard::Invalid, 0));
    let mut other_version = whole;
    other_version[4] = 1;
    assert_eq!(hear(&other_version), (Heard::Invalid, 0));
    // From the future, or from before there was anything.
    let mut gossip = Gossip::new(config("one", "10.0.0.1:8050", &[]));
    let ages = [entry("future", "10.0.0.2:1", i32::MIN, true), entry("past", "10.0.0.3:1", i32::MAX, true)];
    gossip.on_datagram(time(0), from, &datagram(&ages));
    gossip.do_work(time(TIMEOUT - 1));
    assert_eq!((gossip.names(), gossip.neighbors()), (1, 1));
    gossip.do_work(time(TIMEOUT));
    assert_eq!((gossip.names(), gossip.neighbors()), (0, 0));
}

#[test]
fn tables_are_bounded_and_say_so() {
    let mut gossip =
        Gossip::new(GossipConfig { max_names: 3, max_neighbors: 2, ..config("one", "10.0.0.1:8050", &[]) });
    let names: Vec<String> = (0..100).map(|number| format!("driver-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let told = entry(name, &format!("10.0.1.{number}:8050"), 0, true);
        assert_eq!(gossip.on_datagram(time(0), at("10.0.0.9:1"), &datagram(&[told])), Heard::Names);
        if number == 2 {
            assert_eq!(gossip.take_trouble(time(0)), Some(Trouble::Neighbors));
        }
    }
    assert_eq!((gossip.names(), gossip.neighbors()), (3, 2));
    assert_eq!(gossip.take_trouble(time(SECOND - 1)), None, "once a second at most");
    assert!(gossip.take_trouble(time(SECOND)).is_some());
    // Who is known goes on being heard, and room is made by time.
    let again = entry("driver-1", "10.0.1.1:8050", 0, true);
    gossip.on_datagram(time(9 * SECOND), at("10.0.0.9:1"), &datagram(&[again]));
    gossip.do_work(time(11 * SECOND));
    assert_eq!((gossip.names(), gossip.neighbors(), gossip.take_trouble(time(11 * SECOND))), (1, 1, None));
}

/// All names go to all neighbors, in datagrams no longer than the MTU, whatever room there is in one turn.
#[test]
fn many_names_take_many_datagrams_and_turns() {
    let mut gossip = Gossip::new(GossipConfig { mtu: 256, ..config("one", "10.0.0.1:8050", &[]) });
    let names: Vec<String> = (0..40).map(|number| format!("{number:0width$}", width = 1 + number)).collect();
    let long = "n".repeat(400);
    for name in names.iter().chain([&long]) {
        let told = entry(name, "10.0.0.2:8050", 0, name.len() == 1);
        gossip.on_datagram(time(0), at("10.0.0.2:8050"), &datagram(&[told]));
    }
    let second = entry("z", "10.0.0.3:8050", 0, true);
    gossip.on_datagram(time(0), at("10.0.0.3:8050"), &datagram(&[second]));
    gossip.do_work(time(0));
    let mut heard: Vec<(SocketAddr, String)> = Vec::new();
    let mut turns = 0;
    for turn in 200..300 {
        let part = sent(&mut gossip, turn * WORK_INTERVAL_NS, 3);
        assert!(part.len() <= 3);
        turns += usize::from(!part.is_empty());
        for (to, bytes) in part {
            assert!(bytes.len() <= 256 && bytes.len() % 8 == 0, "{}", bytes.len());
            heard.extend(told(&bytes).into_iter().filter(|told| !told.0).map(|told| (to, told.1)));
        }
    }
    assert!(turns > 5, "{turns}");
    for to in ["10.0.0.2:8050", "10.0.0.3:8050"] {
        let mut told: Vec<&str> = heard.iter().filter(|(whom, _)| *whom == at(to)).map(|(_, name)| &**name).collect();
        let count = told.len();
        told.sort_unstable();
        told.dedup();
        assert_eq!((told.len(), count), (41, 41), "each once; the one that fits no datagram is not passed on");
    }
}

/// Otherwise a name would be passed on as younger than it is by as long as the round takes, and hundreds of drivers
/// would never forget it.
#[test]
fn names_are_as_old_as_they_are_when_they_are_sent_however_long_a_round_takes() {
    let mut gossip = Gossip::new(GossipConfig { mtu: 64, ..config("one", "10.0.0.1:8050", &[]) });
    let names: Vec<String> = (0..30).map(|number| format!("driver-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let itself = format!("10.0.1.{number}:8050");
        gossip.on_datagram(time(SECOND), at(&itself), &datagram(&[entry(name, &itself, 0, true)]));
    }
    let mut heard = [SECOND; 30];
    let mut count = 0;
    gossip.do_work(time(0));
    for turn in 200..1_400 {
        let now = turn * WORK_INTERVAL_NS;
        // The first is heard again while it is passed on.
        if turn == 300 {
            let first = entry(&names[0], "10.0.1.0:8050", 0, true);
            gossip.on_datagram(time(now), at("10.0.1.0:8050"), &datagram(&[first]));
            heard[0] = now;
        }
        for (_, bytes) in sent(&mut gossip, now, 1) {
            for (_, name, _, age_ms) in told(&bytes).into_iter().filter(|told| !told.0) {
                let number = names.iter().position(|known| *known == name).unwrap();
                assert_eq!(i64::from(age_ms) * MILLI, now - heard[number] + TRANSIT, "{name} at {now}");
                assert!(now < heard[number] + TIMEOUT, "{name} is forgotten");
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count}");
}

/// A driver that remembers for an hour is of use to one that remembers for seconds.
#[test]
fn names_are_told_no_older_than_they_can_be_for_the_way() {
    let hour = 3_600 * SECOND;
    let mut gossip = Gossip::new(GossipConfig { neighbor_timeout_ns: hour, ..config("one", "10.0.0.1:8050", &[]) });
    gossip.do_work(time(0));
    let two = entry("two", "10.0.0.2:8050", 0, true);
    gossip.on_datagram(time(2 * SECOND), at("10.0.0.2:8050"), &datagram(&[two]));
    let all: Vec<_> = sent(&mut gossip, 2 * SECOND, 8).into_iter().flat_map(|(_, bytes)| told(&bytes)).collect();
    assert!(all.contains(&(false, "two".to_owned(), at("10.0.0.2:8050"), 100)), "{all:?}");
}

/// What the real thing is to do, in the plainest way: lists, looked through from end to end.
#[derive(Default)]
struct Model {
    names: Vec<(String, SocketAddr, i64)>,
    neighbors: Vec<(SocketAddr, i64)>,
}

const MODEL_NAMES: usize = 6;
const MODEL_NEIGHBORS: usize = 4;

impl Model {
    fn hear(&mut self, now: i64, from: SocketAddr, told: &Told) {
        let address = if told.itself && told.address.ip().is_unspecified() { from } else { told.address };
        let age = i64::from(told.age_ms.max(0)) * MILLI;
        let is_own = told.name == "n0" && address.port() == 8050;
        if address.ip().is_unspecified() || is_own || age >= TIMEOUT {
            return;
        }
        let heard = now - age;
        let same = |known: &(String, SocketAddr, i64)| known.0 == told.name && known.1.is_ipv4() == address.is_ipv4();
        match self.names.iter().position(same) {
            Some(known) if self.names[known].2 <= heard => self.names[known] = (told.name.clone(), address, heard),
            None if self.names.len() < MODEL_NAMES => self.names.push((told.name.clone(), address, heard)),
            _ => {}
        }
        if address == at("10.0.0.1:8050") {
            return;
        }
        match self.neighbors.iter().position(|known| known.0 == address) {
            Some(known) if told.itself => self.neighbors[known].1 = heard,
            None if self.neighbors.len() < MODEL_NEIGHBORS => self.neighbors.push((address, heard)),
            _ => {}
        }
    }

    fn pass(&mut self, now: i64) {
        self.names.retain(|known| known.2 + TIMEOUT > now);
        self.neighbors.retain(|known| known.1 + TIMEOUT > now);
    }

    fn resolve(&self, name: &str) -> Option<IpAddr> {
        let of_family = |v4| self.names.iter().find(|known| known.0 == name && known.1.is_ipv4() == v4);
        let known = of_family(true).or(of_family(false)).map(|known| known.1.ip());
        known.or_else(|| (name == "n0").then(|| [10, 0, 0, 1].into()))
    }
}

#[derive(Clone, Debug)]
struct Told {
    name: String,
    address: SocketAddr,
    age_ms: i32,
    itself: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Hear(SocketAddr, Vec<Told>),
}

fn some_address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        4 => (1..6_u8).prop_map(|last| IpAddr::from([10, 0, 0, last])),
        1 => Just(IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        2 => (1..3_u16).prop_map(|last| IpAddr::from(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last))),
    ];
    (ip, 8050..8052_u16).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn some_step() -> impl Strategy<Value = Step> {
    let told = (0..5_u8, some_address(), prop_oneof![Just(0), -5..12_000_i32], any::<bool>())
        .prop_map(|(name, address, age_ms, itself)| Told { name: format!("n{name}"), address, age_ms, itself });
    let from = some_address().prop_filter("somewhere", |from| !from.ip().is_unspecified());
    prop_oneof![
        (0..4_000_i64).prop_map(|millis| Step::Pass(millis * MILLI)),
        (from, proptest::collection::vec(told, 1..5)).prop_map(|(from, told)| Step::Hear(from, told)),
    ]
}

proptest! {
    #[test]
    fn it_knows_what_a_plain_model_knows(steps in proptest::collection::vec(some_step(), 1..60)) {
        let mut now = 0;
        let mut model = Model::default();
        let limits = config("n0", "10.0.0.1:8050", &[]);
        let mut gossip = Gossip::new(GossipConfig { max_names: MODEL_NAMES, max_neighbors: MODEL_NEIGHBORS, ..limits });
        for step in steps {
            match step {
                Step::Pass(duration) => {
                    now += duration;
                    model.pass(now);
                    for (to, bytes) in sent(&mut gossip, now, 1_000) {
                        prop_assert!(model.neighbors.iter().any(|known| known.0 == to));
                        for (itself, name, address, age_ms) in told(&bytes) {
                            let heard = |known: &(String, SocketAddr, i64)| {
                                let age = now - known.2 + TRANSIT;
                                known.0 == name && known.1 == address && age / MILLI == i64::from(age_ms)
                            };
                            let is_true = (itself && name == "n0") || (!itself && model.names.iter().any(heard));
                            prop_assert!(is_true, "{} at {}", name, address);
                        }
                    }
                }
                Step::Hear(from, all) => {
                    let entries: Vec<_> = all
                        .iter()
                        .map(|told| ResolutionEntry {
                            is_self: told.itself,
                            address: told.address.ip(),
                            port: told.address.port(),
                            age_ms: told.age_ms,
                            name: told.name.as_bytes(),
                        })
                        .collect();
                    gossip.on_datagram(time(now), from, &datagram(&entries));
                    all.iter().for_each(|told| model.hear(now, from, told));
                }
            }
            prop_assert_eq!((gossip.names(), gossip.neighbors()), (model.names.len(), model.neighbors.len()));
            for name in ["n0", "n1", "n2", "n3", "n4", "n5"] {
                prop_assert_eq!(gossip.resolve(name), model.resolve(name), "{}", name);
            }
        }
    }

    #[test]
    fn any_bytes_are_heard_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        is_framed: bool,
        from in some_address(),
    ) {
        let mut bytes = bytes;
        if is_framed && bytes.len() >= 8 {
            bytes[..8].copy_from_slice(&[0, 0, 0, 0, 0, 0, 7, 0]);
        }
        let mut gossip = Gossip::new(config("one", "10.0.0.1:8050", &[]));
        gossip.on_datagram(time(0), from, &bytes);
        let passed_on = sent(&mut gossip, 3 * SECOND, 1_000);
        prop_assert!(passed_on.iter().all(|(_, bytes)| bytes.len() <= 1408 && Resolution::parse(bytes).is_ok()));
        prop_assert!(gossip.names() <= bytes.len() && gossip.neighbors() <= bytes.len());
    }
}
