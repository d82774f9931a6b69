//! Passes arbitrary bytes to generated decoders. They must read or refuse the bytes as the dynamic decoder does and
//! show the same JSON, and a message written again must read as the same. Reading in order, which owned forms use, must
//! give the same result as well.
#![no_main]

use std::sync::OnceLock;

use gannet_codecs::dynamic::Found;
use gannet_codecs::schema::{Number, Options, Schema, compile_file};
use libfuzzer_sys::fuzz_target;

type Decode = fn(&[u8]) -> Result<(String, Option<Vec<u8>>), String>;

macro_rules! decode {
    ($module:ident) => {
        |bytes| {
            let message = $module::AnyMessage::decode(bytes).map_err(|error| error.to_string());
            let in_order = $module::AnyMessageOwned::decode(bytes).map_err(|error| error.to_string());
            assert_eq!(message.is_ok(), in_order.is_ok(), "{message:?} {in_order:?}");
            let (message, in_order) = (message?, in_order?);
            assert_eq!(format!("{:?}", $module::AnyMessageOwned::from(message)), format!("{in_order:?}"));
            let mut buffer = vec![0xAA; 2 * bytes.len() + 4096];
            let again = message.rewrite(&mut buffer).ok().flatten().map(|length| buffer[..length].to_vec());
            assert!(!format!("{message:?}").is_empty());
            Ok((message.to_string(), again))
        }
    };
}

#[allow(dead_code)]
mod generated {
    use super::Decode;

    include!(concat!(env!("OUT_DIR"), "/all.rs"));
}

fn schemas() -> &'static [Schema] {
    static SCHEMAS: OnceLock<Vec<Schema>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let compile = |path: &str| compile_file(path, &Options::default()).expect("it was compiled before").schema;
        generated::ALL.iter().map(|(path, _)| compile(path)).collect()
    })
}

fuzz_target!(|bytes: &[u8]| {
    // The input: schema, message, version; then whether the block length is the schema's own; then the body. Most
    // inputs have a valid header that way.
    let Some((&[which, message, version, own_length], body)) = bytes.split_first_chunk() else { return };
    let which = usize::from(which) % schemas().len();
    let (schema, decode) = (&schemas()[which], generated::ALL[which].1);
    if schema.messages.is_empty() {
        return;
    }
    let message = &schema.messages[usize::from(message) % schema.messages.len()];
    let mut bytes = vec![0; schema.header.length as usize];
    let block_length = if own_length < 128 { message.body.block_length } else { u32::from(own_length - 128) };
    for (name, value) in [
        ("blockLength", block_length),
        ("templateId", message.id),
        ("schemaId", schema.id),
        ("version", version.into()),
    ] {
        let (member, encoding) = schema.header.number(name).expect("every header has it");
        if encoding.constant.is_none() {
            let number = Number::Int(value.into());
            let _ = encoding.primitive.write(number, &mut bytes[member.offset as usize..], schema.byte_order);
        }
    }
    bytes.extend_from_slice(body);
    let dynamic = Found::new(schema, &bytes).and_then(|found| found.to_json());
    match (decode(&bytes), dynamic) {
        (Ok((json, again)), Ok(expected)) => {
            assert_eq!(json, expected);
            if let Some(again) = again {
                decode(&again).expect("what was written can be read");
            }
        }
        (Err(_), Err(_)) => {}
        (one, other) => panic!("{one:?}\n{other:?}"),
    }
});
