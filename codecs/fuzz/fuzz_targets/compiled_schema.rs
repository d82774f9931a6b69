//! Reads arbitrary bytes, and valid compiled schemas with bytes changed, as a compiled schema. Each is refused, or
//! gives a schema that decodes any bytes to a value or an error and that can be compiled and read again.
#![no_main]

#[path = "../../tests/support/arbitrary.rs"]
mod arbitrary;

use arbitrary::{Entropy, LATEST, Plan};
use gannet_codecs::dynamic::Found;
use gannet_codecs::ir::{Form, Ir};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[kind, split], rest)) = bytes.split_first_chunk() else { return };
    let (front, tail) = rest.split_at(usize::from(split).min(rest.len()));
    let compiled = if kind % 4 == 0 {
        rest.to_vec()
    } else {
        let schema = Plan::new(&mut Entropy::new(front)).schema(LATEST);
        let mut compiled =
            Ir::of(&schema).expect("it is sound").to_bytes(Form::ALL[usize::from(kind % 2)]).expect("it is small");
        let mut edits = Entropy::new(tail);
        while !edits.is_empty() {
            let at = edits.number() as usize % compiled.len();
            compiled[at] = edits.byte();
        }
        compiled
    };
    let Ok(ir) = Ir::read(&compiled) else { return };
    for form in Form::ALL {
        if let Ok(bytes) = ir.to_bytes(form) {
            assert!(Ir::read_as(&bytes, form).is_ok(), "what was written can be read");
        }
    }
    let Ok(schema) = ir.to_schema() else { return };
    let mut message = compiled;
    message.extend_from_slice(tail);
    for message in [&message[..], tail] {
        if let Ok(found) = Found::new(&schema, message) {
            let json = found.to_json();
            assert_eq!(found.to_value().is_ok(), json.is_ok());
        }
    }
    if let Ok(again) = Ir::of(&schema) {
        again.to_schema().expect("a schema that was compiled is one");
    }
});
