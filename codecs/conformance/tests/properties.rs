//! Generated messages for every schema of this crate. Generated and dynamic codecs read the same values, write the same
//! bytes, and refuse the same inputs when bytes are changed, cut off, or arbitrary.

#[path = "../../tests/support/arbitrary.rs"]
mod arbitrary;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::OnceLock;

use arbitrary::{COMPILED, Entropy, LATEST, Plan, common, is_in, message};
use gannet_codecs::dynamic::{Found, encode};
use gannet_codecs::schema::{Options, Schema, compile_file, compile_text};
use gannet_codecs_conformance::{ALL, Generated};
use proptest::prelude::*;

/// Every generated schema with its model. Real ones are left out if they are not beside the repository.
fn all() -> &'static [(&'static Generated, Schema)] {
    static SCHEMAS: OnceLock<Vec<(&'static Generated, Schema)>> = OnceLock::new();
    SCHEMAS.get_or_init(|| ALL.iter().map(|generated| (generated, model(generated))).collect())
}

fn model(generated: &Generated) -> Schema {
    let parts: Vec<&str> = generated.schema.split('/').collect();
    let compiled = match parts[..] {
        ["made", number, version] => {
            let (number, version) = (number.parse().expect("a number"), version.parse().expect("a version"));
            compile_text("made-up.xml", &Plan::numbered(number).xml(version), &Options::default())
        }
        ["own", name] => {
            compile_file(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name), &Options::default())
        }
        ["shipped", name] => {
            compile_file(Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas").join(name), &Options::default())
        }
        _ => {
            let data = support::data("properties").expect("it was there when this was built");
            compile_file(data.join(generated.schema), &Options::default())
        }
    };
    compiled.unwrap_or_else(|report| panic!("{report}")).schema
}

/// Reading must agree, whatever the bytes are. A message written again must read as the same.
fn agree(generated: &Generated, schema: &Schema, bytes: &[u8]) {
    let dynamic = Found::new(schema, bytes).and_then(|found| found.to_json());
    match ((generated.read)(bytes), dynamic) {
        (Ok(shown), Ok(json)) => {
            assert_eq!(shown.json, json, "{}", generated.schema);
            // Decoders allow more than encoders, so writing may fail; and a message of an older writer gets longer.
            if let (Ok(Some(again)), Ok(found)) = (shown.rewritten, Found::new(schema, bytes))
                && found.header.version >= schema.version
                && found.header.block_length >= found.message.body.block_length
            {
                assert_eq!((generated.read)(&again).map(|shown| shown.json), Ok(json), "{}", generated.schema);
            }
        }
        (Ok(shown), Err(error)) => {
            let unknown = shown.rewritten == Ok(None) && error.to_string().contains("no message");
            assert!(unknown, "{}: {shown:?}, {error}, {bytes:02x?}", generated.schema);
        }
        (Err(error), Ok(json)) => panic!("{}: {error}, {json}, {bytes:02x?}", generated.schema),
        (Err(_), Err(_)) => {}
    }
}

fn damage(bytes: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    for _ in 0..1 + entropy.below(4) {
        let at = entropy.number() as usize % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = entropy.byte();
        }
    }
    if entropy.once_in(3) {
        bytes.truncate(entropy.number() as usize % (bytes.len() + 1));
    }
}

/// Checks one generated message with both codecs, intact and damaged.
fn compare(generated: &Generated, schema: &Schema, entropy: &mut Entropy<'_>) -> bool {
    let Some((message, value)) = message(schema, entropy) else { return false };
    let mut bytes = Vec::new();
    encode(schema, message, &value, &mut bytes).unwrap_or_else(|error| panic!("{}: {error}", generated.schema));
    let shown = (generated.read)(&bytes).unwrap_or_else(|error| panic!("{}: {error}", generated.schema));
    let json = Found::new(schema, &bytes).and_then(|found| found.to_json()).expect("it was just written");
    assert_eq!(shown.json, json, "{}", generated.schema);
    // A NaN that means none is written in its usual form.
    let same = shown.rewritten.as_ref().is_ok_and(|again| again.as_ref() == Some(&bytes));
    assert!(same || json.contains("null"), "{}: {json}\n{:02x?}\n{bytes:02x?}", generated.schema, shown.rewritten);
    damage(&mut bytes, entropy);
    agree(generated, schema, &bytes);
    true
}

#[test]
fn both_codecs_read_and_write_the_same_with_every_schema() {
    let mut state = 1_u64;
    let mut seen = 0;
    for (generated, schema) in all() {
        for _ in 0..60 {
            let bytes: Vec<u8> = (0..700).map(|_| next(&mut state)).collect();
            seen += usize::from(compare(generated, schema, &mut Entropy::new(&bytes)));
        }
    }
    assert!(seen > 1000, "{seen} messages were made up");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_codecs_agree_on_values(which in any::<prop::sample::Index>(), values in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (generated, schema) = which.get(all());
        compare(generated, schema, &mut Entropy::new(&values));
    }

    #[test]
    fn both_codecs_agree_on_bytes(
        which in any::<prop::sample::Index>(),
        message in any::<prop::sample::Index>(),
        version in 0..20_u16,
        body in proptest::collection::vec(prop_oneof![3 => 0..4_u8, 1 => any::<u8>()], 0..300),
    ) {
        let (generated, schema) = which.get(all());
        if schema.messages.is_empty() {
            return Ok(());
        }
        let message = message.get(&schema.messages);
        // A valid header, and then arbitrary bytes.
        let mut bytes = vec![0; schema.header.length as usize];
        for (name, value) in [
            ("blockLength", message.body.block_length),
            ("templateId", message.id),
            ("schemaId", schema.id),
            ("version", version.into()),
        ] {
            let (member, encoding) = schema.header.number(name).expect("every header has it");
            let number = gannet_codecs::schema::Number::Int(value.into());
            let _ = encoding.primitive.write(number, &mut bytes[member.offset as usize..], schema.byte_order);
        }
        bytes.extend(body);
        agree(generated, schema, &bytes);
    }
}

/// Messages of one version, written by the dynamic codec and read by the other version's generated one.
fn cross(writer: &Schema, reader: (&Generated, &Schema), entropy: &mut Entropy<'_>) {
    let (generated, schema) = reader;
    let Some((sent, value)) = message(writer, entropy) else { return };
    let mut bytes = Vec::new();
    encode(writer, sent, &value, &mut bytes).expect("what was made up for the schema fits it");
    let shown = (generated.read)(&bytes).unwrap_or_else(|error| panic!("{}: {error}", generated.schema));
    let Some(known) = schema.message(sent.id) else {
        assert_eq!(shown.rewritten, Ok(None));
        return;
    };
    let found = Found::new(schema, &bytes).expect("the message is known");
    assert_eq!(Ok(shown.json), found.to_json(), "{}", generated.schema);
    let common = common(&value, &known.body);
    let read = found.to_value().expect("it was just read");
    assert!(is_in(&common, &read), "{}: {value:?}\n{read:?}", generated.schema);
    // Written again, it is of the reader's version, and the common part is unchanged.
    let again = match shown.rewritten {
        Ok(again) => again.expect("the message is known"),
        // A group that the older version lacks may be required to have entries.
        Err(error) => return assert!(error.contains(" takes 1 to "), "{error}"),
    };
    let found = Found::new(schema, &again).expect("the message is known");
    assert_eq!(found.header.version, schema.version);
    assert!(is_in(&common, &found.to_value().expect("it was just written")), "{}", generated.schema);
}

fn named(name: &str) -> Option<&'static (&'static Generated, Schema)> {
    all().iter().find(|(generated, _)| generated.schema == name)
}

#[test]
fn versions_of_a_schema_read_each_other() {
    let mut pairs: Vec<(String, String)> =
        (0..COMPILED).map(|number| (format!("made/{number}/0"), format!("made/{number}/{LATEST}"))).collect();
    pairs.push(("schemas/binance-spot-3_3.xml".into(), "schemas/binance-spot-3_4.xml".into()));
    let mut state = 5_u64;
    for (old, new) in pairs {
        let (Some((old, old_schema)), Some((new, new_schema))) = (named(&old), named(&new)) else {
            // Only real schemas can be absent. A test that needs them reports that.
            assert!(old.starts_with("schemas/"), "{old}");
            continue;
        };
        for _ in 0..150 {
            let bytes: Vec<u8> = (0..500).map(|_| next(&mut state)).collect();
            cross(old_schema, (new, new_schema), &mut Entropy::new(&bytes));
            cross(new_schema, (old, old_schema), &mut Entropy::new(&bytes));
        }
    }
}

/// A simple generator, so that each run tries the same inputs.
fn next(state: &mut u64) -> u8 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 56) as u8
}
