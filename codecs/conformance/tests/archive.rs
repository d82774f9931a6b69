//! Compares our schema of the archive's protocol with the official one: the same layout, and the same bytes for every
//! golden message, with and without generated code.

#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::Path;

use gannet_codecs::dynamic::{Found, encode};
use gannet_codecs::schema::{Body, Options, Schema, Type, compile_file};
use gannet_codecs_conformance::ALL;

fn ours() -> Schema {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/archive.xml");
    compile_file(path, &Options { deny_warnings: true, ..Options::default() }).expect("it is ours").schema
}

fn official(data: &Path) -> Schema {
    compile_file(data.join("schemas/aeron-archive-codecs.xml"), &Options::default()).expect("it is accepted").schema
}

/// Everything of a block and of what follows it that affects the bytes, and the names.
fn layout(body: &Body) -> Vec<String> {
    let mut parts = vec![format!("block {}", body.block_length)];
    for field in &body.fields {
        let ty = match &field.ty {
            Type::Encoding(ty) => {
                format!(
                    "{} null {} {} to {}",
                    ty.primitive,
                    ty.null_for(field.presence),
                    ty.applicable_min(),
                    ty.applicable_max()
                )
            }
            Type::Enum(of) => {
                let values: Vec<_> = of.values.iter().map(|value| (&value.name, value.number.as_int())).collect();
                format!("{} null {} {values:?}", of.primitive, of.null)
            }
            _ => panic!("{} is of another kind", field.name),
        };
        parts.push(format!("{} @{} since {} {:?} {ty}", field.name, field.offset, field.since(), field.presence));
    }
    for data in &body.data {
        let (length, body) = (data.length_type().expect("it has one"), data.body_type().expect("it has one"));
        let (most, charset) = (length.applicable_max(), &body.character_encoding);
        parts.push(format!("{} since {} {} {most} {charset:?}", data.name, data.notes.since, length.primitive));
    }
    assert!(body.groups.is_empty());
    parts
}

#[test]
fn our_archive_schema_has_the_official_layout() {
    let Some(data) = support::data("our_archive_schema_has_the_official_layout") else { return };
    let (ours, official) = (ours(), official(&data));
    assert_eq!((ours.id, ours.version, ours.byte_order), (official.id, official.version, official.byte_order));
    assert_eq!(ours.messages.len(), official.messages.len());
    for theirs in &official.messages {
        let message = ours.message(theirs.id).unwrap_or_else(|| panic!("{} is missing", theirs.name));
        assert_eq!((&message.name, message.notes.since), (&theirs.name, theirs.notes.since));
        assert_eq!(layout(&message.body), layout(&theirs.body), "{}", theirs.name);
    }
}

#[test]
fn our_archive_schema_gives_the_bytes_of_every_golden_message() {
    let Some(data) = support::data("our_archive_schema_gives_the_bytes_of_every_golden_message") else { return };
    let (ours, official) = (ours(), official(&data));
    let generated = ALL.iter().find(|generated| generated.schema == "shipped/archive.xml").expect("it was compiled");
    let text = std::fs::read_to_string(data.join("golden/aeron-archive-codecs.jsonl")).expect("the file is there");
    let mut seen = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let line_of: serde_json::Value = serde_json::from_str(text).expect("each line is JSON");
        let hex = line_of["hex"].as_str().expect("a line has bytes");
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("they are hex");
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        let what = format!("line {}", line + 1);

        let found = Found::new(&ours, &bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        let theirs = Found::new(&official, &bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(found.message.name, theirs.message.name, "{what}");
        let (json, values) = (found.to_json().expect("it decodes"), theirs.to_value().expect("it decodes"));
        assert_eq!(json, theirs.to_json().expect("it decodes"), "{what}");
        let mut again = Vec::new();
        encode(&ours, found.message, &values, &mut again).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(again, bytes, "{what}: what the official schema reads, ours writes");

        let shown = (generated.read)(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((shown.json, shown.rewritten), (json, Ok(Some(bytes.clone()))), "{what}");
        seen.push(found.message.id);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), ours.messages.len(), "every message has a golden one");
}
