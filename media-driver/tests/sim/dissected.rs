//! Reads what drivers send with Wireshark's Aeron dissector: no frame is malformed, and every field that the dissector
//! knows has the value at its offset. Needs `tshark`, from the Debian package of that name.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use gannet::types::StreamId;
use gannet_driver::sim::{Awake, SimClient, SimDriver, SimNetwork, Tapped, Weather};

use crate::names::gossip;
use crate::raw_access::RAW;
use crate::skip;

const STREAM: StreamId = StreamId::new(1001);
const REQUESTS: StreamId = StreamId::new(1002);
const RESPONSES: StreamId = StreamId::new(1003);
/// The reserved value of each frame, which counts up.
const RESERVED: i64 = 0x0102_0304_0506_0000;
/// Packets of IP, without a link layer.
const LINK_TYPE_RAW_IP: u32 = 101;

/// A field of the dissector: its name, and its place in a frame.
type FieldAt = (&'static str, usize, usize);

/// The fields that the dissector knows, by the type at offset 6: setup, status message, NAK, round trip, data. It has
/// separate names for data of length 0, which is a heartbeat, and for padding. It knows neither the names of drivers nor
/// response setups. Of an error it knows the header; the rest has an older layout there, which makes it malformed.
const SETUP: &[FieldAt] = &[
    ("aeron.setup.frame_length", 0, 4),
    ("aeron.setup.version", 4, 1),
    ("aeron.setup.flags", 5, 1),
    ("aeron.setup.type", 6, 2),
    ("aeron.setup.term_offset", 8, 4),
    ("aeron.setup.session_id", 12, 4),
    ("aeron.setup.stream_id", 16, 4),
    ("aeron.setup.initial_term_id", 20, 4),
    ("aeron.setup.active_term_id", 24, 4),
    ("aeron.setup.term_length", 28, 4),
    ("aeron.setup.mtu", 32, 4),
    ("aeron.setup.ttl", 36, 4),
];
const STATUS: &[FieldAt] = &[
    ("aeron.sm.frame_length", 0, 4),
    ("aeron.sm.version", 4, 1),
    ("aeron.sm.flags", 5, 1),
    ("aeron.sm.type", 6, 2),
    ("aeron.sm.session_id", 8, 4),
    ("aeron.sm.stream_id", 12, 4),
    ("aeron.sm.consumption_term_id", 16, 4),
    ("aeron.sm.consumption_term_offset", 20, 4),
    ("aeron.sm.receiver_window", 24, 4),
    ("aeron.sm.receiver_id", 28, 8),
];
const NAK: &[FieldAt] = &[
    ("aeron.nak.frame_length", 0, 4),
    ("aeron.nak.version", 4, 1),
    ("aeron.nak.flags", 5, 1),
    ("aeron.nak.type", 6, 2),
    ("aeron.nak.session_id", 8, 4),
    ("aeron.nak.stream_id", 12, 4),
    ("aeron.nak.term_id", 16, 4),
    ("aeron.nak.term_offset", 20, 4),
    ("aeron.nak.length", 24, 4),
];
const ROUND_TRIP: &[FieldAt] = &[
    ("aeron.rtt.frame_length", 0, 4),
    ("aeron.rtt.version", 4, 1),
    ("aeron.rtt.flags", 5, 1),
    ("aeron.rtt.type", 6, 2),
    ("aeron.rtt.session_id", 8, 4),
    ("aeron.rtt.stream_id", 12, 4),
    ("aeron.rtt.echo_timestamp", 16, 8),
    ("aeron.rtt.reception_delta", 24, 8),
    ("aeron.rtt.receiver_id", 32, 8),
];
const DATA: &[FieldAt] = &[
    ("aeron.data.frame_length", 0, 4),
    ("aeron.data.version", 4, 1),
    ("aeron.data.flags", 5, 1),
    ("aeron.data.type", 6, 2),
    ("aeron.data.term_offset", 8, 4),
    ("aeron.data.session_id", 12, 4),
    ("aeron.data.stream_id", 16, 4),
    ("aeron.data.term_id", 20, 4),
    ("aeron.data.reserved_value", 24, 8),
];
const PADDING: &[FieldAt] = &[
    ("aeron.pad.frame_length", 0, 4),
    ("aeron.pad.version", 4, 1),
    ("aeron.pad.flags", 5, 1),
    ("aeron.pad.type", 6, 2),
    ("aeron.pad.term_offset", 8, 4),
    ("aeron.pad.session_id", 12, 4),
    ("aeron.pad.stream_id", 16, 4),
    ("aeron.pad.term_id", 20, 4),
];
const HEARTBEAT: &[FieldAt] = &[
    ("aeron.heartbeat.frame_length", 0, 4),
    ("aeron.heartbeat.version", 4, 1),
    ("aeron.heartbeat.flags", 5, 1),
    ("aeron.heartbeat.type", 6, 2),
    ("aeron.heartbeat.term_offset", 8, 4),
    ("aeron.heartbeat.session_id", 12, 4),
    ("aeron.heartbeat.stream_id", 16, 4),
    ("aeron.heartbeat.term_id", 20, 4),
];
const ERROR: &[FieldAt] = &[
    ("aeron.err.frame_length", 0, 4),
    ("aeron.err.version", 4, 1),
    ("aeron.err.code", 5, 1),
    ("aeron.err.type", 6, 2),
];
const ALL: [&[FieldAt]; 8] = [SETUP, STATUS, NAK, ROUND_TRIP, DATA, PADDING, HEARTBEAT, ERROR];
/// The types of the frames that it does not know: names of drivers, response setups.
const OTHERS: [u16; 2] = [7, 11];
/// The type of errors.
const ERROR_TYPE: u16 = 4;

/// The fields of the frame that starts here, and its length in the datagram. No fields for frames that the dissector
/// does not know.
fn known(frame: &[u8]) -> (Option<&'static [FieldAt]>, usize) {
    let length = u32::from_le_bytes(*frame.first_chunk().expect("a frame has a length")) as usize;
    let of_data = |length: usize| length.next_multiple_of(32);
    match u16::from_le_bytes([frame[6], frame[7]]) {
        0 => (Some(PADDING), 32),
        // The dissector takes a heartbeat with the end-of-stream flag for data.
        1 if length == 0 && frame[5] == 0xC0 => (Some(HEARTBEAT), 32),
        1 if length == 0 => (None, 32),
        1 => (Some(DATA), of_data(length)),
        2 => (Some(NAK), frame.len()),
        3 => (Some(STATUS), frame.len()),
        ERROR_TYPE => (Some(ERROR), frame.len()),
        5 => (Some(SETUP), frame.len()),
        6 => (Some(ROUND_TRIP), frame.len()),
        _ => (None, frame.len()),
    }
}

/// Whole streams on a network with losses, as they were sent: one to a receiver and one to a group, a request with its
/// response, and an image that is rejected. The drivers tell each other their names.
fn traffic() -> Vec<Tapped> {
    let weather = Weather { lost: 0.05, ..Weather::FAIR };
    let network = SimNetwork::new(3, weather);
    network.listen_in();
    let mut drivers = [1, 2].map(|host| {
        let host = IpAddr::from([10, 0, 0, host]);
        SimDriver::new(host, &network, 5, RAW, |config| {
            config.network.cubic.measure_rtt = true;
            config.resolver = gossip(host, &format!("of-{host}"), "10.0.0.1:8050");
        })
    });
    let mut clients = drivers.each_ref().map(SimClient::new);
    let mut now_ns = 1_000_000_000;
    let mut turn = |drivers: &mut [SimDriver; 2], clients: &mut [SimClient; 2]| {
        now_ns += 50_000;
        network.set_now(now_ns);
        for (driver, client) in drivers.iter_mut().zip(clients) {
            driver.turn(now_ns, Awake::ALL);
            client.turn(now_ns, driver);
        }
    };
    let group = "aeron:udp?endpoint=224.0.1.1:40124|interface=10.0.0.0/24";
    let channels = [("aeron:udp?endpoint=10.0.0.2:40123", "", "|cc=cubic"), (group, "|ttl=9", "|gtag=9")];
    for (channel, sent, received) in channels {
        clients[0].add_publication(&format!("{channel}{sent}|term-length=64k"), STREAM);
        clients[1].add_subscription(&format!("{channel}{received}"), STREAM);
    }
    let mut published = [0; 2];
    for _ in 0..40_000 {
        turn(&mut drivers, &mut clients);
        for (publication, count) in clients[0].publications.iter_mut().zip(&mut published) {
            let length = if *count % 7 == 0 { 4_000 } else { *count * 13 % 700 };
            let reserved = RESERVED + *count as i64;
            if *count < 200 && publication.appender.offer_with(&vec![*count as u8; length], reserved).is_ok() {
                *count += 1;
            }
        }
        for image in &mut clients[1].images {
            image.reader.poll(|_| {}, 20);
        }
    }
    assert_eq!(published, [200; 2], "the stream crosses");
    // The server answers the request of the other, which rejects the answer.
    let sides = "control-mode=response|control=10.0.0.1:40126";
    let requests = "aeron:udp?endpoint=10.0.0.1:40125";
    clients[0].add_subscription(requests, REQUESTS);
    let answers = clients[1].add_subscription(&format!("aeron:udp?{sides}"), RESPONSES);
    let request = format!("{requests}|response-correlation-id={}", answers.get());
    let (mut is_asked, mut is_answered) = (false, false);
    for _ in 0..40_000 {
        turn(&mut drivers, &mut clients);
        if !is_asked && clients[1].subscriptions.contains(&answers.registration()) {
            is_asked = true;
            clients[1].add_publication(&request, REQUESTS);
        }
        let asking = clients[0].images.iter().find(|image| !image.is_gone).map(|image| image.correlation_id);
        if let Some(image) = asking.filter(|_| !is_answered) {
            is_answered = true;
            clients[0]
                .add_publication(&format!("aeron:udp?{sides}|response-correlation-id={}", image.get()), RESPONSES);
        }
    }
    let answer = clients[1].images.iter().find(|image| image.subscription == answers.registration());
    let answer = answer.map(|image| (image.correlation_id, image.reader.position())).expect("a response");
    clients[1].reject_image(answer.0, answer.1, "not what was asked for");
    (0..10_000).for_each(|_| turn(&mut drivers, &mut clients));
    let ids: Vec<_> = clients[0].publications.iter().map(|one| one.correlation_id.registration()).collect();
    for (id, revoke) in ids.into_iter().zip([false, true]) {
        clients[0].remove_publication(id, revoke);
    }
    (0..10_000).for_each(|_| turn(&mut drivers, &mut clients));
    network.overheard()
}

/// A file with the datagrams as IPv4 packets.
fn pcap(datagrams: &[Tapped]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, LINK_TYPE_RAW_IP] {
        file.extend(word.to_le_bytes());
    }
    let octets = |address: SocketAddr| match address.ip() {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(_) => panic!("the network is IPv4"),
    };
    for Tapped { at_ns, from, to, bytes } in datagrams {
        let length = 28 + bytes.len();
        let (seconds, micros) = (at_ns / 1_000_000_000, at_ns / 1_000 % 1_000_000);
        for word in [seconds as u32, micros as u32, length as u32, length as u32] {
            file.extend(word.to_le_bytes());
        }
        // IPv4 without options, with UDP in it. Checksums of 0 mean that there is none.
        file.extend([0x45, 0]);
        file.extend((length as u16).to_be_bytes());
        file.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        file.extend(octets(*from));
        file.extend(octets(*to));
        file.extend(from.port().to_be_bytes());
        file.extend(to.port().to_be_bytes());
        file.extend((8 + bytes.len() as u16).to_be_bytes());
        file.extend([0, 0]);
        file.extend(bytes);
    }
    file
}

/// Parses a number as the dissector prints it: decimal or hexadecimal.
fn number(text: &str) -> u64 {
    text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16)).expect("a number")
}

#[test]
fn wireshark_reads_what_drivers_send() {
    if !Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return skip::report("wireshark_reads_what_drivers_send", "no tshark here: install the package of that name");
    }
    let datagrams = traffic();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("traffic.pcap");
    fs::write(&path, pcap(&datagrams)).unwrap();
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(&path).args(["-d", "udp.port==1-65535,aeron", "-T", "fields", "-E", "separator=;"]);
    command.args(["-e", "_ws.malformed"]);
    for (field, ..) in ALL.iter().flat_map(|fields| fields.iter()) {
        command.args(["-e", field]);
    }
    // Frames are dissected alone, not as parts of a stream.
    let output = command.args(["-o", "aeron.sequence_analysis:FALSE"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), datagrams.len());
    let mut seen = [0_usize; ALL.len()];
    let mut others = [0_usize; OTHERS.len()];
    for (index, (line, datagram)) in lines.iter().zip(&datagrams).enumerate() {
        let mut columns = line.split(';');
        let is_malformed = columns.next() != Some("");
        let is_error = datagram.bytes[6..8] == ERROR_TYPE.to_le_bytes();
        assert!(!is_malformed || is_error, "packet {} is malformed: {:?}", index + 1, datagram.bytes);
        let found: Vec<Vec<u64>> =
            columns.map(|column| column.split(',').filter(|text| !text.is_empty()).map(number).collect()).collect();
        let mut expected = vec![Vec::new(); found.len()];
        let mut rest = &datagram.bytes[..];
        while !rest.is_empty() {
            let (fields, length) = known(rest);
            let kind = u16::from_le_bytes([rest[6], rest[7]]);
            others.iter_mut().zip(OTHERS).filter(|(_, other)| *other == kind).for_each(|(count, _)| *count += 1);
            // The dissector may show frames that it does not know as anything.
            let Some(fields) = fields else { break };
            let kind = ALL.iter().position(|known| known.as_ptr() == fields.as_ptr()).expect("one of all");
            seen[kind] += 1;
            let first: usize = ALL[..kind].iter().map(|fields| fields.len()).sum();
            for (column, &(_, at, width)) in fields.iter().enumerate() {
                let mut bytes = [0; 8];
                bytes[..width].copy_from_slice(&rest[at..at + width]);
                expected[first + column].push(u64::from_le_bytes(bytes));
            }
            rest = &rest[length.min(rest.len())..];
        }
        if rest.is_empty() {
            let mut hex = String::new();
            datagram.bytes.iter().take(64).for_each(|byte| write!(hex, "{byte:02x}").unwrap());
            assert_eq!(found, expected, "packet {}: {hex}", index + 1);
        }
    }
    let occurs = |count: &usize| *count > 0;
    assert!(seen.iter().all(occurs) && others.iter().all(occurs), "each kind of frame occurs: {seen:?}, {others:?}");
}
