//! Compares generated codecs with golden messages and with the dynamic codec: the same values, the same bytes, the same
//! result for broken bytes.

#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::Path;

use gannet_codecs::dynamic::Found;
use gannet_codecs::schema::{Options, Schema, compile_file};
use gannet_codecs_conformance::{ALL, Generated};

/// The golden messages of a schema. For two schemas with one name, they are those of the official tests.
fn messages(data: &Path, generated: &Generated) -> Vec<Vec<u8>> {
    let (folder, name) = generated.schema.rsplit_once('/').unwrap_or_default();
    let stem = name.trim_end_matches(".xml");
    let mut files = match folder {
        "schemas/official" => vec![format!("{stem}.jsonl")],
        "schemas" if !stem.starts_with("example") => vec![format!("{stem}.jsonl")],
        _ => Vec::new(),
    };
    if stem == "cme-mdp3-FixBinary" {
        files.push("cme-captures.jsonl".into());
    }
    let lines = files.iter().filter_map(|file| std::fs::read_to_string(data.join("golden").join(file)).ok());
    let hex = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        let text = line["hex"].as_str().expect("a line has bytes").to_owned();
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("they are hex")).collect()
    };
    lines.flat_map(|text| text.lines().map(hex).collect::<Vec<_>>()).collect()
}

/// Every generated schema that has golden messages, with these messages.
fn golden(data: &Path) -> impl Iterator<Item = (&'static Generated, Schema, Vec<Vec<u8>>)> {
    let with_messages = |generated: &'static Generated| (generated, messages(data, generated));
    let golden = ALL.iter().map(with_messages).filter(|(_, messages)| !messages.is_empty());
    golden.map(|(generated, messages)| {
        let compiled = compile_file(data.join(generated.schema), &Options::default());
        (generated, compiled.expect("it was compiled").schema, messages)
    })
}

fn dynamic(schema: &Schema, bytes: &[u8]) -> Result<String, String> {
    Found::new(schema, bytes).and_then(|found| found.to_json()).map_err(|error| error.to_string())
}

#[test]
fn code_was_generated_from_every_schema_and_every_golden_file_has_one() {
    let Some(data) = support::data("code_was_generated_from_every_schema_and_every_golden_file_has_one") else {
        return;
    };
    for folder in ["schemas", "schemas/official"] {
        for entry in std::fs::read_dir(data.join(folder)).expect("the folder can be listed") {
            let name = entry.expect("it can be listed").file_name().to_string_lossy().into_owned();
            let known = ALL.iter().any(|generated| generated.schema == format!("{folder}/{name}"));
            // A fragment that only other schemas can include.
            assert!(known || !name.ends_with(".xml") || name == "common-types.xml", "{folder}/{name}");
        }
    }
    let golden = std::fs::read_dir(data.join("golden")).expect("the folder can be listed").count();
    assert_eq!(self::golden(&data).count() + 1, golden, "the captures are a second file of one schema");
}

#[test]
fn generated_codecs_read_and_write_every_golden_message() {
    let Some(data) = support::data("generated_codecs_read_and_write_every_golden_message") else { return };
    let mut count = 0;
    for (generated, schema, messages) in golden(&data) {
        for (line, bytes) in messages.iter().enumerate() {
            let what = format!("{}, line {}", generated.schema, line + 1);
            let shown = (generated.read)(bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(Ok(shown.json), dynamic(&schema, bytes), "{what}");
            let rewritten = shown.rewritten.unwrap_or_else(|error| panic!("{what}: {error}"));
            let version = Found::new(&schema, bytes).expect("it decodes").header.version;
            // A message of an older version is written as one of this version, with different bytes.
            if version == schema.version {
                assert_eq!(rewritten.as_ref(), Some(bytes), "{what}");
            } else {
                let again = rewritten.expect("the message is known");
                let upgraded = Found::new(&schema, &again).expect("it decodes");
                assert_eq!(upgraded.header.version, schema.version, "{what}");
                let json = upgraded.to_json().map_err(|error| error.to_string());
                assert_eq!((generated.read)(&again).map(|shown| shown.json), json, "{what}");
            }
            count += 1;
        }
    }
    assert!(count > 1000, "{count} messages were compared");
}

#[test]
fn generated_and_dynamic_codecs_agree_on_broken_messages() {
    let Some(data) = support::data("generated_and_dynamic_codecs_agree_on_broken_messages") else { return };
    for (generated, schema, messages) in golden(&data) {
        for bytes in messages.iter().step_by(9) {
            for end in 0..bytes.len() {
                assert!((generated.read)(&bytes[..end]).is_err(), "{}: {end} bytes", generated.schema);
            }
            for at in 0..bytes.len().min(120) {
                for flip in [0x01, 0x80, 0xFF] {
                    let mut changed = bytes.clone();
                    changed[at] ^= flip;
                    agree(generated, &schema, &changed);
                }
            }
        }
    }
}

/// Writing may fail, as decoders allow more than encoders; reading must agree.
fn agree(generated: &Generated, schema: &Schema, bytes: &[u8]) {
    match ((generated.read)(bytes), dynamic(schema, bytes)) {
        (Ok(shown), Ok(json)) => assert_eq!(shown.json, json, "{}", generated.schema),
        (Ok(shown), Err(error)) => {
            let unknown = shown.rewritten == Ok(None) && error.contains("no message");
            assert!(unknown, "{}: {shown:?}, {error}, {bytes:02x?}", generated.schema);
        }
        (Err(error), Ok(json)) => panic!("{}: {error}, {json}, {bytes:02x?}", generated.schema),
        (Err(_), Err(_)) => {}
    }
}
