//! Derives a schema from some bytes and a message of that schema from others, then changes and cuts the message. The
//! whole message must read back; a broken one must give a value or an error.
#![no_main]

#[path = "../../tests/support/arbitrary.rs"]
mod arbitrary;

use arbitrary::{Entropy, LATEST, Plan, is_in, message};
use gannet_codecs::dynamic::{Found, encode};
use gannet_codecs::schema::Schema;
use libfuzzer_sys::fuzz_target;

fn read(schema: &Schema, bytes: &[u8]) {
    let Ok(found) = Found::new(schema, bytes) else { return };
    let mut json = String::new();
    let end = found.append_json(&mut json);
    assert!(end.as_ref().map_or(true, |&end| end <= found.body.len()));
    assert_eq!(found.to_value().is_ok(), end.is_ok());
    assert_eq!(found.to_official_json().is_ok(), end.is_ok());
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[version, split], rest)) = bytes.split_first_chunk() else { return };
    let (plan, rest) = rest.split_at(usize::from(split).min(rest.len()));
    let plan = Plan::new(&mut Entropy::new(plan));
    let schema = plan.schema(usize::from(version) % (LATEST + 1));
    read(&schema, rest);
    let mut entropy = Entropy::new(rest);
    let Some((message, value)) = message(&schema, &mut entropy) else { return };
    let mut bytes = Vec::new();
    encode(&schema, message, &value, &mut bytes).expect("what was made up for the schema fits it");
    let found = Found::new(&schema, &bytes).expect("it was just written");
    assert!(is_in(&value, &found.to_value().expect("it was just written")));
    while !entropy.is_empty() && !bytes.is_empty() {
        let at = entropy.number() as usize % bytes.len();
        bytes[at] = entropy.byte();
        read(&schema, &bytes);
        if entropy.once_in(4) {
            bytes.truncate(entropy.number() as usize % bytes.len());
            read(&schema, &bytes);
        }
    }
});
