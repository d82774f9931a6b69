//! Generated codecs against golden messages and against the dynamic codec: the same values, the same bytes, the same
//! verdict on bytes that are broken.

#[path = "../../tests/support/mod.rs"]
mod support;

use gannet_codecs::dynamic::Found;
use gannet_codecs::schema::{Options, Schema, compile_file};
use gannet_codecs_conformance::{ALL, Generated};

fn messages(data: &std::path::Path, generated: &Generated) -> Vec<Vec<u8>> {
    let stem = generated.schema.trim_end_matches(".xml").rsplit('/').next().unwrap_or_default();
    let mut files = vec![format!("{stem}.jsonl")];
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

fn dynamic(schema: &Schema, bytes: &[u8]) -> Result<String, String> {
    Found::new(schema, bytes).and_then(|found| found.to_json()).map_err(|error| error.to_string())
}

#[test]
fn generated_codecs_read_and_write_every_golden_message() {
    let Some(data) = support::data("generated_codecs_read_and_write_every_golden_message") else { return };
    let mut count = 0;
    for generated in ALL {
        let schema = compile_file(data.join(generated.schema), &Options::default()).expect("it was compiled").schema;
        for (line, bytes) in messages(&data, generated).iter().enumerate() {
            let what = format!("{}, line {}", generated.schema, line + 1);
            let (json, rewritten) = (generated.read)(bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(Ok(json), dynamic(&schema, bytes), "{what}");
            let version = Found::new(&schema, bytes).expect("it decodes").header.version;
            // A message of an older version becomes one of this version, which is other bytes.
            if version == schema.version {
                assert_eq!(rewritten.as_ref(), Some(bytes), "{what}");
            } else {
                let again = rewritten.expect("the message is known");
                let upgraded = Found::new(&schema, &again).expect("it decodes");
                assert_eq!(upgraded.header.version, schema.version, "{what}");
                assert_eq!(
                    (generated.read)(&again).map(|(json, _)| json),
                    upgraded.to_json().map_err(|e| e.to_string()),
                    "{what}"
                );
            }
            count += 1;
        }
    }
    assert!(count > 1000, "{count} messages were compared");
}

#[test]
fn generated_and_dynamic_codecs_agree_on_broken_messages() {
    let Some(data) = support::data("generated_and_dynamic_codecs_agree_on_broken_messages") else { return };
    for generated in ALL {
        let schema = compile_file(data.join(generated.schema), &Options::default()).expect("it was compiled").schema;
        for bytes in messages(&data, generated).iter().step_by(9) {
            for end in 0..bytes.len() {
                assert!((generated.read)(&bytes[..end]).is_err(), "{}: {end} bytes", generated.schema);
            }
            for at in 0..bytes.len().min(120) {
                for flip in [0x01, 0x80, 0xFF] {
                    let mut changed = bytes.clone();
                    changed[at] ^= flip;
                    // Writing it again may fail, as decoders allow more than encoders; reading must agree.
                    let (one, other) = ((generated.read)(&changed), dynamic(&schema, &changed));
                    match (one, other) {
                        (Ok((json, Some(_))), Ok(expected)) => assert_eq!(json, expected, "{}", generated.schema),
                        (Ok((_, None)), Err(error)) => assert!(error.contains("no message"), "{error}"),
                        (Ok((json, None)), Ok(_)) => panic!("{}, byte {at}: {json}", generated.schema),
                        (Ok(read), Err(error)) => panic!("{}, byte {at}: {read:?}, {error}", generated.schema),
                        (Err(_), _) => {}
                    }
                }
            }
        }
    }
}
