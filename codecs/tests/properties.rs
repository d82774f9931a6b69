//! Generated schemas and messages: a written message reads back, versions of a schema read each other, and bytes that
//! are not a message are an error.

#[path = "support/arbitrary.rs"]
mod arbitrary;
mod support;

use arbitrary::{Entropy, LATEST, Plan, common, is_in, message};
use gannet_codecs::dynamic::{Found, Value, encode};
use gannet_codecs::generate::{self, generate};
use gannet_codecs::schema::{Options, Schema, compile_file};
use proptest::prelude::*;

fn entropy(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

/// Writes values, reads them, and writes the result again, also through JSON.
fn identity(schema: &Schema, entropy: &mut Entropy<'_>) -> Option<Vec<u8>> {
    let (message, value) = message(schema, entropy)?;
    let mut bytes = Vec::new();
    encode(schema, message, &value, &mut bytes).unwrap_or_else(|error| panic!("{}: {error}\n{value:?}", message.name));
    let found = Found::new(schema, &bytes).unwrap_or_else(|error| panic!("{}: {error}", message.name));
    assert_eq!(found.message.id, message.id);
    let read = found.to_value().unwrap_or_else(|error| panic!("{}: {error}\n{value:?}", message.name));
    assert!(is_in(&value, &read), "{}\nwritten {value:?}\nread    {read:?}", message.name);
    let mut json = String::new();
    let end = found.append_json(&mut json).expect("it was read before");
    assert_eq!(end, found.body.len(), "no byte is left over");
    let parsed = Value::from_json(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    for (form, values) in [("values", read), ("JSON", parsed)] {
        let mut again = Vec::new();
        encode(schema, message, &values, &mut again)
            .unwrap_or_else(|error| panic!("{}, {form}: {error}\n{json}", message.name));
        // JSON has one NaN, and shows only the bits of a set that have names.
        if form == "values" {
            assert!(again == bytes || has_nan(&value), "{}: {form}\n{json}", message.name);
        } else {
            let reread = Found::new(schema, &again).and_then(|found| found.to_json());
            assert_eq!(reread.as_ref(), Ok(&json), "{}: {form}", message.name);
        }
    }
    Some(bytes)
}

fn has_nan(value: &Value) -> bool {
    match value {
        Value::Float(value) => value.is_nan(),
        Value::Double(value) => value.is_nan(),
        Value::List(list) => list.iter().any(has_nan),
        Value::Record(fields) => fields.iter().any(|(_, value)| has_nan(value)),
        _ => false,
    }
}

/// Reads bytes in every way there is. Printed text must be JSON, and all ways must give the same result.
fn read_anything(schema: &Schema, bytes: &[u8]) {
    let Ok(found) = Found::new(schema, bytes) else { return };
    let mut json = String::new();
    let end = found.append_json(&mut json);
    match &end {
        Ok(end) => {
            assert!(*end <= found.body.len());
            serde_json::from_str::<serde_json::Value>(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    assert_eq!(found.to_value().is_ok(), end.is_ok());
    assert_eq!(found.to_official_json().is_ok(), end.is_ok());
}

/// A message with some bytes changed, and possibly cut off.
fn damage(bytes: &mut Vec<u8>, entropy: &mut Entropy<'_>) {
    for _ in 0..entropy.below(4) {
        let at = entropy.number() as usize % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = entropy.byte();
        }
    }
    if entropy.once_in(3) {
        bytes.truncate(entropy.number() as usize % (bytes.len() + 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back(plan in entropy(300), values in entropy(200)) {
        let schema = Plan::new(&mut Entropy::new(&plan)).schema(LATEST);
        identity(&schema, &mut Entropy::new(&values));
    }

    #[test]
    fn versions_of_a_schema_read_each_other(plan in entropy(300), values in entropy(200), older in 0..LATEST) {
        let plan = Plan::new(&mut Entropy::new(&plan));
        let (old, new) = (plan.schema(older), plan.schema(LATEST));
        for (writer, reader) in [(&old, &new), (&new, &old)] {
            let Some((sent, value)) = message(writer, &mut Entropy::new(&values)) else { continue };
            let Some(known) = reader.message(sent.id) else { continue };
            let mut bytes = Vec::new();
            encode(writer, sent, &value, &mut bytes).expect("what was made up for the schema fits it");
            let found = Found::new(reader, &bytes).expect("both know the message");
            let read = found.to_value();
            let read = read.unwrap_or_else(|error| panic!("{error}\n{value:?}\n{}\n{}", plan.xml(older), plan.xml(LATEST)));
            let common = common(&value, &known.body);
            prop_assert!(is_in(&common, &read), "sent {:?}\nread {:?}\n{}", value, read, plan.xml(LATEST));
            // Values that the writer did not have are absent.
            let names = |value: &Value| match value {
                Value::Record(fields) => fields.iter().map(|(name, _)| name.clone()).collect(),
                _ => Vec::new(),
            };
            let constants = known.body.fields.iter().filter(|field| field.constant.is_some());
            let constants: Vec<&str> = constants.map(|field| field.name.as_str()).collect();
            for name in names(&read).iter().filter(|name| !constants.contains(&name.as_str())) {
                prop_assert!(common.get(name).is_some(), "{name} was read and not sent");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_an_error(plan in entropy(300), values in entropy(200), noise in entropy(120)) {
        let schema = Plan::new(&mut Entropy::new(&plan)).schema(LATEST);
        read_anything(&schema, &noise);
        let mut entropy = Entropy::new(&values);
        if let Some((message, value)) = message(&schema, &mut entropy) {
            let mut bytes = Vec::new();
            encode(&schema, message, &value, &mut bytes).expect("what was made up for the schema fits it");
            let mut noise = Entropy::new(&noise);
            damage(&mut bytes, &mut noise);
            read_anything(&schema, &bytes);
        }
    }
}

proptest! {
    // Generating code is slow, because of formatting.
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_schema_that_is_accepted_becomes_code(plan in entropy(300)) {
        let schema = Plan::new(&mut Entropy::new(&plan)).schema(LATEST);
        let code = generate(&schema, &generate::Options::default());
        prop_assert!(code.is_ok(), "{:?}", code);
    }
}

#[test]
fn values_of_every_real_schema_read_back() {
    let Some(data) = support::data("values_of_every_real_schema_read_back") else { return };
    let mut seen = 0;
    for folder in ["schemas", "schemas/official"] {
        for entry in std::fs::read_dir(data.join(folder)).expect("the folder can be listed") {
            let path = entry.expect("it can be listed").path();
            let Ok(compiled) = compile_file(&path, &Options::default()) else { continue };
            let schema = compiled.schema;
            let mut state = 7_u64;
            for _ in 0..40 {
                let bytes: Vec<u8> = (0..600).map(|_| next(&mut state)).collect();
                let mut entropy = Entropy::new(&bytes);
                if let Some(mut bytes) = identity(&schema, &mut entropy) {
                    damage(&mut bytes, &mut entropy);
                    read_anything(&schema, &bytes);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 1000, "{seen} messages were made up");
}

/// A simple generator, so that each run tries the same inputs.
fn next(state: &mut u64) -> u8 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 56) as u8
}
