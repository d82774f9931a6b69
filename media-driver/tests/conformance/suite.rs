//! The suite. Each case takes a host, and must pass for every one.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use gannet::logbuffer::{ExclusiveAppender, LogBuffers, LogKind, LogParameters, sendable};
use gannet::memory::CacheLines;
use gannet::types::{Position, SessionId, StreamId, TermId, TermLength};
use gannet_driver::io::transport::{Fault, Transport};
use gannet_driver::mailbox::{Content, EndpointSpec, Group, LocalInterface, Transmit, TransmitTag};

use crate::host::{Arrived, Host, Station, control, id, loopback, number, own_loopback, tagged};
use crate::ports::free_port;
use crate::raw_access::RAW;
use crate::skip;

/// Makes a test of each case for one host.
macro_rules! conformance {
    ($name:ident, $host:expr) => {
        mod $name {
            use super::*;
            $crate::suite::cases!($host;
                a_datagram_arrives_with_its_source, frames_of_a_log_are_sent_as_they_stand,
                each_datagram_is_answered_once_and_in_order, runs_arrive_as_the_datagrams_that_they_were,
                many_endpoints_hear_their_own, unknown_and_closed_endpoints_answer, an_idle_transport_answers_nothing,
                wire_trap_33_a_connected_endpoint_hears_its_peer_alone, a_name_that_moved_is_followed, a_closed_port_harms_nobody,
                what_cannot_be_sent_is_told_and_the_rest_goes_on, the_longest_datagram_passes, ipv6,
                wire_trap_57_groups_on_one_port_do_not_mix, groups_of_both_families_on_one_port_do_not_mix, a_full_buffer_loses_and_goes_on, arrival_times_are_told,
                datagrams_may_be_written_to, ranges_that_a_log_does_not_have_are_refused,
            );
        }
    };
}
macro_rules! cases {
    ($host:expr; $($case:ident),+ $(,)?) => {
        $(
            #[test]
            fn $case() {
                let host = $host;
                match $crate::host::Host::missing(&host) {
                    None => $crate::suite::$case(&host),
                    Some(reason) => $crate::skip::report(concat!(module_path!(), "::", stringify!($case)), &reason),
                }
            }
        )+
    };
}
pub(crate) use {cases, conformance};

pub(crate) fn a_datagram_arrives_with_its_source(host: &impl Host) {
    let (mut one, mut other) = (Station::new(host), Station::new(host));
    let here = one.open(1, &EndpointSpec::unicast(loopback()));
    let there = other.open(7, &EndpointSpec::unicast(loopback()));
    one.send([control(1, there, 0xAB, 28)]);
    one.until_done(1);
    assert!(one.done[0].is_sent());
    other.until_arrived(1);
    assert_eq!(other.arrived, [Arrived { endpoint: id(7), from: here, bytes: vec![0xAB; 28] }]);
    other.send([control(7, here, 1, 44), control(7, here, 2, 36)]);
    one.until_arrived(2);
    assert_eq!(one.arrived[0], Arrived { endpoint: id(1), from: there, bytes: vec![1; 44] });
    assert_eq!(one.arrived[1].bytes, [2; 36]);
}

fn log(messages: &[usize]) -> LogBuffers {
    let log = LogBuffers::heap(
        &LogParameters::ipc(LogKind::Exclusive, TermLength::MIN, SessionId::new(1), StreamId::new(2), TermId::new(3)),
        RAW,
    );
    let limit = CacheLines::new(1).word(0, 0);
    limit.store_release(65_536);
    let mut appender = ExclusiveAppender::new(&log, limit).unwrap();
    for (index, &length) in messages.iter().enumerate() {
        appender.offer(&vec![index as u8; length]).unwrap();
    }
    log
}

pub(crate) fn frames_of_a_log_are_sent_as_they_stand(host: &impl Host) {
    let log = log(&[10, 2000, 0, 300, 5000]);
    let mut station = Station::new(host);
    station.open(1, &EndpointSpec::unicast(loopback()));
    let to = station.open(2, &EndpointSpec::unicast(loopback()));
    let mut transmits = Vec::new();
    let mut at = 0;
    loop {
        let found = sendable(&log, Position::new(at), 1408);
        if found.advance == 0 {
            break;
        }
        let content = Content::Log { log: log.clone(), position: Position::new(at), length: found.wire };
        let tag = TransmitTag::Data { slot: 0, registration_id: 1.into(), position: at };
        transmits.push(Transmit { endpoint: id(1), to, content, tag });
        at += found.advance as i64;
    }
    let count = transmits.len();
    assert!(count >= 6);
    station.send(transmits);
    station.until_arrived(count);
    let arrived: Vec<u8> = station.arrived.iter().flat_map(|arrived| arrived.bytes.clone()).collect();
    let mut expected = vec![0; at as usize];
    log.term(0).get_bytes(0, &mut expected);
    assert!(arrived == expected);
}

pub(crate) fn each_datagram_is_answered_once_and_in_order(host: &impl Host) {
    let mut station = Station::new(host);
    station.open(1, &EndpointSpec::unicast(loopback()));
    let to = station.open(2, &EndpointSpec { receive_buffer: 4 << 20, ..EndpointSpec::unicast(loopback()) });
    let lengths = [64, 64, 96, 32, 32, 32, 1408];
    for round in 0..4 {
        let first = round * 150;
        station.send(
            (first..first + 150).map(|number| tagged(1, to, number, vec![number as u8; lengths[number as usize % 7]])),
        );
        // As many as the buffers of any machine hold, whatever was requested.
        station.until_done(first as usize + 150);
        let sent = station.done.iter().filter(|completion| completion.is_sent()).count();
        station.until_arrived(sent);
    }
    station.turn();
    let answered: Vec<i64> = station.done.iter().map(number).collect();
    assert_eq!(answered, (0..600).collect::<Vec<_>>());
    let sent = station.done.iter().filter(|completion| completion.is_sent()).count();
    station.until_arrived(sent);
    let counts = station.transport.counts();
    assert_eq!((counts.sent, counts.received), (sent as u64, sent as u64));
}

pub(crate) fn runs_arrive_as_the_datagrams_that_they_were(host: &impl Host) {
    let mut station = Station::new(host);
    station.open(1, &EndpointSpec::unicast(loopback()));
    let to = station.open(2, &EndpointSpec { receive_buffer: 4 << 20, ..EndpointSpec::unicast(loopback()) });
    let lengths = [1408; 60].into_iter().chain([1376, 32, 32, 32, 64, 1408, 1408, 96]);
    let sent: Vec<Vec<u8>> = lengths.enumerate().map(|(index, length)| vec![index as u8; length]).collect();
    station.send(sent.iter().enumerate().map(|(index, bytes)| tagged(1, to, index as i64, bytes.clone())));
    station.until_arrived(sent.len());
    let arrived: Vec<Vec<u8>> = station.arrived.iter().map(|arrived| arrived.bytes.clone()).collect();
    assert!(arrived == sent, "{:?}", arrived.iter().map(Vec::len).collect::<Vec<_>>());
}

/// More endpoints than are tried one by one.
pub(crate) fn many_endpoints_hear_their_own(host: &impl Host) {
    let mut station = Station::new(host);
    station.open(0, &EndpointSpec::unicast(loopback()));
    let addresses: Vec<SocketAddr> =
        (1..=40).map(|number| station.open(number, &EndpointSpec::unicast(loopback()))).collect();
    for round in 0..3 {
        station.send(addresses.iter().enumerate().map(|(index, &to)| control(0, to, index as u8 + round, 32)));
    }
    station.until_arrived(120);
    for number in 1..=40_u32 {
        let values: Vec<u8> =
            station.arrived.iter().filter(|one| one.endpoint == id(number)).map(|one| one.bytes[0]).collect();
        assert_eq!(values, (0..3).map(|round| (number - 1) as u8 + round).collect::<Vec<_>>(), "{number}");
    }
    // Few again, and then many again. Datagrams that arrived before are not lost, whichever path has them, and keep
    // their order.
    station.arrived.clear();
    station.send([control(0, addresses[38], 1, 32), control(0, addresses[39], 2, 32)]);
    (1..=38).for_each(|number| station.transport.close(id(number)));
    station.send([control(0, addresses[38], 3, 32), control(0, addresses[39], 4, 32)]);
    station.until_arrived(4);
    for (number, expected) in [(39, [1, 3]), (40, [2, 4])] {
        let arrived = station.arrived.iter().filter(|one| one.endpoint == id(number));
        assert_eq!(arrived.map(|one| one.bytes[0]).collect::<Vec<_>>(), expected, "{number}");
    }
    let more: Vec<SocketAddr> =
        (50..60).map(|number| station.open(number, &EndpointSpec::unicast(loopback()))).collect();
    station.send(more.iter().chain(&addresses[38..]).map(|&to| control(0, to, 3, 32)));
    station.until_arrived(4 + 12);
    let mut heard: Vec<u32> = station.arrived[4..].iter().map(|arrived| arrived.endpoint.get()).collect();
    heard.sort_unstable();
    assert_eq!(heard, (39..=40).chain(50..60).collect::<Vec<_>>());
}

pub(crate) fn unknown_and_closed_endpoints_answer(host: &impl Host) {
    let mut station = Station::new(host);
    let to = station.open(1, &EndpointSpec::unicast(own_loopback()));
    station.send([tagged(9, to, 0, vec![0; 32]), tagged(1, to, 1, vec![1; 32]), tagged(9, to, 2, vec![0; 32])]);
    station.until_done(3);
    station.until_arrived(1);
    let mut sent: Vec<_> = station.done.iter().map(|completion| (number(completion), completion.is_sent())).collect();
    sent.sort_unstable();
    assert_eq!(sent, [(0, false), (1, true), (2, false)]);
    station.transport.close(id(1));
    station.transport.close(id(9));
    station.send([tagged(1, to, 3, vec![0; 32])]);
    station.until_done(4);
    assert!(!station.done[3].is_sent());
    assert!(!station.transport.reconnect(id(1), to));
    // The port is free again.
    station.open(2, &EndpointSpec::unicast(to));
    station.send([control(2, to, 5, 32)]);
    station.until_arrived(2);
    assert_eq!(station.arrived[1].endpoint, id(2));
}

pub(crate) fn an_idle_transport_answers_nothing(host: &impl Host) {
    let mut station = Station::new(host);
    station.turn();
    station.open(1, &EndpointSpec::unicast(loopback()));
    (0..10).for_each(|_| station.turn());
    assert_eq!((station.done.len(), station.arrived.len()), (0, 0));
    assert_eq!(station.transport.take_fault(), None);
    assert_eq!(station.transport.counts().sent, 0);
}

/// Trap 33: datagrams to a connected socket from any other address or port are dropped by the kernel.
pub(crate) fn wire_trap_33_a_connected_endpoint_hears_its_peer_alone(host: &impl Host) {
    let mut station = Station::new(host);
    let peer = station.open(1, &EndpointSpec::unicast(loopback()));
    station.open(2, &EndpointSpec::unicast(loopback()));
    let connected = station.open(3, &EndpointSpec { connect: Some(peer), ..EndpointSpec::unicast(loopback()) });
    station.send([control(2, connected, 2, 32)]);
    station.until_done(1);
    station.send([control(1, connected, 1, 32), control(3, peer, 3, 32)]);
    station.until_arrived(2);
    let mut values: Vec<u8> = station.arrived.iter().map(|arrived| arrived.bytes[0]).collect();
    values.sort_unstable();
    assert_eq!(values, [1, 3]);
}

pub(crate) fn a_name_that_moved_is_followed(host: &impl Host) {
    let mut station = Station::new(host);
    let (old, new) =
        (station.open(1, &EndpointSpec::unicast(loopback())), station.open(2, &EndpointSpec::unicast(loopback())));
    let from = station.open(3, &EndpointSpec { connect: Some(old), ..EndpointSpec::unicast(loopback()) });
    assert!(station.transport.reconnect(id(3), new));
    station.send([control(3, new, 3, 32)]);
    station.until_arrived(1);
    assert_eq!(station.arrived[0].endpoint, id(2));
    station.send([control(2, from, 4, 32)]);
    station.until_arrived(2);
    assert_eq!(station.arrived[1], Arrived { endpoint: id(3), from: new, bytes: vec![4; 32] });
}

/// A connected socket gets an error when nothing listens at its destination. That is no error of the next send.
pub(crate) fn a_closed_port_harms_nobody(host: &impl Host) {
    let mut station = Station::new(host);
    let gone = station.open(1, &EndpointSpec::unicast(own_loopback()));
    let here = station.open(2, &EndpointSpec { connect: Some(gone), ..EndpointSpec::unicast(loopback()) });
    station.transport.close(id(1));
    station.open(4, &EndpointSpec::unicast(loopback()));
    for round in 0..20 {
        station.send([tagged(2, gone, round, vec![0; 64])]);
        station.until_done(round as usize + 1);
    }
    station.open(5, &EndpointSpec::unicast(gone));
    let before = station.arrived.len();
    station.until(|station| station.done.len() >= 20);
    station.send([control(5, here, 9, 32)]);
    station.until(|station| station.arrived[before..].iter().any(|arrived| arrived.endpoint == id(2)));
    // The refusal of an earlier datagram may cost one more, and so may each refusal that a busy machine delivers late.
    for round in 20..42 {
        station.send([tagged(2, gone, round, vec![0; 64])]);
        station.until_done(round as usize + 1);
        if station.done[round as usize].is_sent() {
            break;
        }
    }
    assert!(station.done.last().is_some_and(|completion| completion.is_sent()));
    station.until(|station| station.arrived.iter().any(|arrived| arrived.endpoint == id(5)));
}

pub(crate) fn what_cannot_be_sent_is_told_and_the_rest_goes_on(host: &impl Host) {
    let mut station = Station::new(host);
    let to = station.open(1, &EndpointSpec::unicast(loopback()));
    let too_long = vec![0; 65_508];
    station.send([tagged(1, to, 0, vec![1; 32]), tagged(1, to, 1, too_long), tagged(1, to, 2, vec![2; 32])]);
    station.until_done(3);
    station.until_arrived(2);
    let sent: Vec<_> = station.done.iter().map(|completion| (number(completion), completion.is_sent())).collect();
    assert_eq!(sent, [(0, true), (1, false), (2, true)]);
    let Some(Fault::Send(fault)) = station.transport.take_fault() else { panic!("no fault of sending") };
    assert_eq!((fault.endpoint, fault.to, fault.length), (id(1), to, 65_508));
    assert!(fault.to_string().contains("smaller mtu"), "{fault}");
    assert_eq!(station.transport.take_fault(), None);
    assert_eq!(station.transport.counts().not_sent, 1);
}

pub(crate) fn the_longest_datagram_passes(host: &impl Host) {
    let mut station = Station::new(host);
    station.open(1, &EndpointSpec { send_buffer: 1 << 20, ..EndpointSpec::unicast(loopback()) });
    let to = station.open(2, &EndpointSpec { receive_buffer: 1 << 20, ..EndpointSpec::unicast(loopback()) });
    station.send([tagged(1, to, 0, vec![7; 65_504]), tagged(1, to, 1, vec![8; 65_504])]);
    station.until_arrived(2);
    assert!(station.arrived[0].bytes == vec![7; 65_504] && station.arrived[1].bytes == vec![8; 65_504]);
}

pub(crate) fn ipv6(host: &impl Host) {
    if let Err(reason) = host.ipv6_interface(true) {
        return skip::report("conformance::ipv6", &reason);
    }
    let mut station = Station::new(host);
    let local: SocketAddr = "[::1]:0".parse().unwrap();
    let (here, there) =
        (station.open(1, &EndpointSpec::unicast(local)), station.open(2, &EndpointSpec::unicast(local)));
    station.send([control(1, there, 6, 40)]);
    station.until_arrived(1);
    assert_eq!(station.arrived, [Arrived { endpoint: id(2), from: here, bytes: vec![6; 40] }]);
}

/// Trap 57: receivers answer to the control group. And a bug in another implementation: the streams of one group
/// arrived at the images of another on the same port.
pub(crate) fn wire_trap_57_groups_on_one_port_do_not_mix(host: &impl Host) {
    let mut station = Station::new(host);
    let port = free_port().unwrap();
    let group = |last| Group {
        address: SocketAddr::from(([239, 255, 20, last], port)),
        interface: LocalInterface { address: Ipv4Addr::LOCALHOST.into(), index: 0 },
        ttl: 0,
    };
    let subscription = |last| EndpointSpec { group: Some(group(last)), ..EndpointSpec::unicast(loopback()) };
    station.open(2, &subscription(11));
    station.open(3, &subscription(13));
    station.open(4, &subscription(11));
    // A connected publication: it sends to its data group and receives from its control group.
    let publication =
        EndpointSpec { connect: Some(group(11).address), group: Some(group(12)), ..EndpointSpec::unicast(loopback()) };
    station.open(5, &publication);
    station.send([control(5, group(11).address, 11, 32)]);
    station.until_arrived(2);
    // Receivers send to the control group from their data port.
    station.send([control(2, group(12).address, 12, 36), control(3, group(13).address, 13, 32)]);
    station.until_arrived(4);
    (0..10).for_each(|_| station.turn());
    let mut found: Vec<_> = station.arrived.iter().map(|arrived| (arrived.endpoint.get(), arrived.bytes[0])).collect();
    found.sort_unstable();
    assert_eq!(found, [(2, 11), (3, 13), (4, 11), (5, 12)]);
    let status = station.arrived.iter().find(|arrived| arrived.endpoint == id(5)).unwrap();
    assert_eq!(status.from.port(), port);
}

/// A group of IPv6, of the scope that does not leave its interface, and one of IPv4. The control group and the separate
/// socket of a connected publication are as with IPv4.
pub(crate) fn groups_of_both_families_on_one_port_do_not_mix(host: &impl Host) {
    let interface = match host.ipv6_interface(false) {
        Ok(interface) => interface,
        Err(reason) => return skip::report("conformance::groups_of_both_families_on_one_port_do_not_mix", &reason),
    };
    let mut station = Station::new(host);
    let local = SocketAddr::new(interface.address, 0);
    let port = free_port().unwrap();
    let group = |last: u16| Group {
        address: (Ipv6Addr::from([0xFF11, 0, 0, 0, 0, 0, 20, last]), port).into(),
        interface,
        ttl: 1,
    };
    let subscription = |last| EndpointSpec { group: Some(group(last)), ..EndpointSpec::unicast(local) };
    station.open(2, &subscription(11));
    station.open(3, &subscription(13));
    station.open(4, &subscription(11));
    let publication =
        EndpointSpec { connect: Some(group(11).address), group: Some(group(12)), ..EndpointSpec::unicast(local) };
    station.open(5, &publication);
    let ipv4 = Group {
        address: SocketAddr::from(([239, 255, 20, 15], port)),
        interface: LocalInterface { address: Ipv4Addr::LOCALHOST.into(), index: 0 },
        ttl: 0,
    };
    station.open(6, &EndpointSpec { group: Some(ipv4), ..EndpointSpec::unicast(loopback()) });
    station.send([control(5, group(11).address, 11, 32), control(6, ipv4.address, 15, 32)]);
    station.until_arrived(3);
    station.send([control(2, group(12).address, 12, 36), control(3, group(13).address, 13, 32)]);
    station.until_arrived(5);
    (0..10).for_each(|_| station.turn());
    let mut found: Vec<_> = station.arrived.iter().map(|arrived| (arrived.endpoint.get(), arrived.bytes[0])).collect();
    found.sort_unstable();
    assert_eq!(found, [(2, 11), (3, 13), (4, 11), (5, 12), (6, 15)]);
    let status = station.arrived.iter().find(|arrived| arrived.endpoint == id(5)).unwrap();
    assert_eq!(status.from.port(), port);
}

pub(crate) fn a_full_buffer_loses_and_goes_on(host: &impl Host) {
    let mut station = Station::new(host);
    station.open(1, &EndpointSpec { send_buffer: 4096, ..EndpointSpec::unicast(loopback()) });
    let mut other = Station::new(host);
    let to = other.open(2, &EndpointSpec { receive_buffer: 4096, ..EndpointSpec::unicast(loopback()) });
    for round in 0..10 {
        station.send((0..200).map(|number| tagged(1, to, round * 200 + number, vec![1; 1408])));
    }
    station.until_done(2000);
    assert_eq!(station.done.iter().map(number).collect::<Vec<_>>(), (0..2000).collect::<Vec<_>>());
    other.until_arrived(1);
    // Lost datagrams free their space.
    (0..100).for_each(|_| other.turn());
    assert!(other.arrived.len() < 2000);
    other.arrived.clear();
    station.send([tagged(1, to, 2000, vec![2; 32])]);
    other.until_arrived(1);
    assert_eq!(other.arrived[0].bytes, [2; 32]);
}

pub(crate) fn arrival_times_are_told(host: &impl Host) {
    let mut station = Station::new(host);
    let to = station.open(1, &EndpointSpec { receive_timestamps: true, ..EndpointSpec::unicast(loopback()) });
    station.send([control(1, to, 1, 32)]);
    let mut told = None;
    let started = gannet::time::Clock::monotonic(&gannet::time::SystemClock);
    while told.is_none() && station.arrived.is_empty() {
        assert!(gannet::time::Clock::monotonic(&gannet::time::SystemClock).since(started) < 180_000_000_000);
        station.transport.receive(8, |datagram| told = Some(datagram.received_ns));
    }
    if let Some(told) = told {
        // In this century, and in nanoseconds.
        assert!(told.expect("a time") > 1_577_836_800_000_000_000);
    }
}

/// Receivers write the time of arrival into frames before they insert them.
pub(crate) fn datagrams_may_be_written_to(host: &impl Host) {
    let mut station = Station::new(host);
    station.open(1, &EndpointSpec::unicast(loopback()));
    let to = station.open(2, &EndpointSpec::unicast(loopback()));
    station.send((0..3).map(|value| control(1, to, value, 32)));
    let mut seen = station.arrived.len();
    let started = gannet::time::Clock::monotonic(&gannet::time::SystemClock);
    while seen < 3 {
        assert!(gannet::time::Clock::monotonic(&gannet::time::SystemClock).since(started) < 180_000_000_000);
        station.transport.receive(8, |datagram| {
            datagram.bytes.fill(0xFF);
            seen += 1;
        });
    }
    station.send([control(1, to, 9, 32)]);
    let before = station.arrived.len();
    station.until_arrived(before.max(1));
    station.until(|station| station.arrived.last().is_some_and(|arrived| arrived.bytes == [9; 32]));
}

pub(crate) fn ranges_that_a_log_does_not_have_are_refused(host: &impl Host) {
    let log = log(&[100]);
    let mut station = Station::new(host);
    station.open(1, &EndpointSpec::unicast(loopback()));
    let to = station.open(2, &EndpointSpec::unicast(loopback()));
    let range = |position, length| {
        let content = Content::Log { log: log.clone(), position: Position::new(position), length };
        let tag = TransmitTag::Data { slot: 0, registration_id: 1.into(), position };
        Transmit { endpoint: id(1), to, content, tag }
    };
    station.send([range(0, 160), range(160, 32), range(32, 64), range(-32, 64), range(0, 96), range(0, 160)]);
    station.until_done(6);
    let sent: Vec<bool> = station.done.iter().map(|completion| completion.is_sent()).collect();
    assert_eq!(sent, [true, false, false, false, false, true]);
    station.until_arrived(2);
}
