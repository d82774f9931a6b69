//! Messages that the official tool wrote, read and written again without generated code: the same values as its own
//! printer shows, and the same bytes.

mod support;

use std::path::Path;

use gannet_codecs::dynamic::{Found, Header, Value, encode};
use gannet_codecs::schema::{Options, Schema, compile_file};

const FILES: &[&str] = &[
    "aeron-archive-codecs",
    "basic-group-schema",
    "basic-types-schema",
    "binance-stream-1_0",
    "car",
    "cme-mdp3-FixBinary",
    "composite-elements-schema",
    "composite-offsets-schema",
    "constant-enum-fields",
    "dto-test-schema",
    "embedded-length-and-count-schema",
    "encoding-types-schema",
    "example-bigendian-test-schema",
    "example-extension-schema",
    "example-schema",
    "extension-schema",
    "field-order-check-schema",
    "fixed-sized-primitive-array-types",
    "group-with-data-schema",
    "message-with-lower-case-bitset",
    "nested-group-schema",
    "value-ref-schema",
];

/// Schemas whose golden messages do not come from the official test resources.
const TOP: &[&str] = &["car", "cme-mdp3-FixBinary", "binance-stream-1_0", "aeron-archive-codecs"];

fn schema(data: &Path, name: &str) -> Schema {
    let folder = data.join("schemas").join(if TOP.contains(&name) { "" } else { "official" });
    compile_file(folder.join(format!("{name}.xml")), &Options::default()).expect("the schema is accepted").schema
}

fn lines(data: &Path, name: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(data.join(format!("golden/{name}.jsonl"))).expect("the golden file is there");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn hex(line: &serde_json::Value) -> Vec<u8> {
    let text = line["hex"].as_str().expect("a line has bytes");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("they are hex")).collect()
}

/// Writes the message's values again, from the tree and through JSON, and compares.
fn round_trip(found: &Found<'_, '_>, bytes: &[u8], what: &str) {
    let values = found.to_value().expect("it decodes");
    let json = found.to_json().expect("it decodes");
    let parsed = Value::from_json(&json).unwrap_or_else(|error| panic!("{what}: {error} in {json}"));
    for (form, values) in [("values", values), ("JSON", parsed)] {
        let mut out = Vec::new();
        encode(found.schema, found.message, &values, &mut out)
            .unwrap_or_else(|error| panic!("{what}, {form}: {error}"));
        assert_eq!(out, bytes, "{what}: bytes from {form} {json}");
    }
}

#[test]
fn every_golden_message_reads_and_writes_the_same() {
    let Some(data) = support::data("every_golden_message_reads_and_writes_the_same") else { return };
    let mut count = 0;
    for name in FILES {
        let schema = schema(&data, name);
        for (index, line) in lines(&data, name).iter().enumerate() {
            let what = format!("{name}, line {}", index + 1);
            let bytes = hex(line);
            let found = Found::new(&schema, &bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(line["message"], found.message.name, "{what}");
            let end = found.append_json(&mut String::new()).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(end, found.body.len(), "{what}: no byte is left over");
            let official = line["json"].as_str().expect("a line has JSON");
            // Only the bytes are known where the official printer itself failed.
            if !official.starts_with('!') {
                assert_eq!(found.to_official_json().expect("it decodes"), official, "{what}");
            }
            round_trip(&found, &bytes, &what);
            count += 1;
        }
    }
    assert!(count > 1000, "{count} messages were compared");
}

#[test]
fn captured_datagrams_decode_in_full_older_versions_included() {
    let Some(data) = support::data("captured_datagrams_decode_in_full_older_versions_included") else { return };
    let schema = schema(&data, "cme-mdp3-FixBinary");
    let golden = lines(&data, "cme-captures");
    let mut seen = 0;
    let mut files: Vec<&str> = golden.iter().filter_map(|line| line["file"].as_str()).collect();
    files.dedup();
    for file in files {
        let capture = std::fs::read(data.join("captures").join(file)).expect("the capture is there");
        for (packet, datagram) in datagrams(&capture).into_iter().enumerate() {
            // A packet header of 12 bytes, then messages, each after its size.
            let mut rest = &datagram[12..];
            let mut index = 0;
            while !rest.is_empty() {
                let size = usize::from(u16::from_le_bytes([rest[0], rest[1]]));
                let line = golden
                    .iter()
                    .find(|line| line["file"] == file && line["packet"] == packet && line["index"] == index)
                    .unwrap_or_else(|| panic!("{file} {packet} {index} is not in the golden file"));
                let what = format!("{file}, packet {packet}, message {index}");
                let bytes = &rest[2..size];
                assert_eq!(bytes, hex(line), "{what}");
                let found = Found::new(&schema, bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(line["version"], found.header.version, "{what}");
                let end = found.append_json(&mut String::new()).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(end, found.body.len(), "{what}: no byte is left over");
                assert_eq!(
                    found.to_official_json().expect("it decodes"),
                    line["json"].as_str().unwrap_or(""),
                    "{what}"
                );
                if found.header.version == schema.version {
                    round_trip(&found, bytes, &what);
                }
                rest = &rest[size..];
                index += 1;
                seen += 1;
            }
        }
    }
    assert_eq!(seen, golden.len(), "every golden message was met");
}

/// The UDP payloads of a capture of Ethernet frames with IPv4.
fn datagrams(capture: &[u8]) -> Vec<&[u8]> {
    let mut rest = &capture[24..];
    let mut found = Vec::new();
    while rest.len() >= 16 {
        let length = u32::from_le_bytes([rest[8], rest[9], rest[10], rest[11]]) as usize;
        let frame = &rest[16..16 + length];
        let ip_header = usize::from(frame[14] & 15) * 4;
        let udp = &frame[14 + ip_header..];
        let length = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
        found.push(&udp[8..length]);
        rest = &rest[16 + frame.len()..];
    }
    found
}

#[test]
fn broken_messages_are_errors_or_values_and_never_panics() {
    let Some(data) = support::data("broken_messages_are_errors_or_values_and_never_panics") else { return };
    for name in FILES {
        let schema = schema(&data, name);
        for line in lines(&data, name).iter().step_by(7) {
            let bytes = hex(line);
            let body = bytes.len() - Found::new(&schema, &bytes).expect("it is whole").body.len();
            for end in 0..bytes.len() {
                let cut = Found::new(&schema, &bytes[..end]).and_then(|found| found.to_json());
                assert!(cut.is_err(), "{name}: {end} of {} bytes are not a message", bytes.len());
            }
            for at in 0..bytes.len().min(body + 160) {
                for flip in [0x01, 0x80, 0xFF] {
                    let mut changed = bytes.clone();
                    changed[at] ^= flip;
                    if let Ok(found) = Found::new(&schema, &changed) {
                        let json = found.to_json();
                        if let Ok(json) = json {
                            serde_json::from_str::<serde_json::Value>(&json).expect("what is printed is JSON");
                        }
                        let _ = (found.to_value(), found.to_official_json());
                    }
                }
            }
        }
    }
}

#[test]
fn trap_10_strangers_in_a_header_are_not_written() {
    let Some(data) = support::data("trap_10_strangers_in_a_header_are_not_written") else { return };
    // `numGroups` of this schema's header: the official encoders leave it unchanged.
    let schema = schema(&data, "field-order-check-schema");
    let member = schema.header.member("numGroups").expect("the header has it");
    let line = &lines(&data, "field-order-check-schema")[16];
    let bytes = hex(line);
    let found = Found::new(&schema, &bytes).expect("it is whole");
    assert_eq!(found.message.body.groups.len(), 1);
    assert_eq!(bytes[member.offset as usize..][..2], [0, 0]);
}

#[test]
fn headers_are_found_by_name_wherever_they_lie() {
    let Some(data) = support::data("headers_are_found_by_name_wherever_they_lie") else { return };
    let schema = schema(&data, "composite-offsets-schema");
    let bytes = hex(&lines(&data, "composite-offsets-schema")[0]);
    let header = Header::read(&schema, &bytes).expect("the header is whole");
    assert_eq!(header, Header { block_length: 0, template_id: 1, schema_id: 15, version: 0 });
}
