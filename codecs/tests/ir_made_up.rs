//! Compiled schemas of generated schemas: nothing that decoding needs is lost on the way to bytes and back, and changed
//! bytes give an error or a schema, but never a panic.

#[path = "support/arbitrary.rs"]
mod arbitrary;

use arbitrary::{Entropy, LATEST, Plan, message};
use gannet_codecs::dynamic::{Found, encode};
use gannet_codecs::gate::compare;
use gannet_codecs::ir::{Form, Ir};
use gannet_codecs::schema::Schema;
use proptest::prelude::*;

fn entropy(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_compiled_schema_reads_and_writes_as_its_source_does(
        plan in entropy(400),
        version in 0..=LATEST,
        values in entropy(400),
        later: bool,
    ) {
        let schema = Plan::new(&mut Entropy::new(&plan)).schema(version);
        let form = if later { Form::From1_36 } else { Form::Until1_35 };
        let bytes = Ir::of(&schema).and_then(|ir| ir.to_bytes(form)).expect("it can be written");
        let ir = Ir::read(&bytes).expect("it was just written");
        let compiled = ir.to_schema().unwrap_or_else(|error| panic!("{}\n{error}", schema.package));
        let comparison = compare(&schema, &compiled);
        prop_assert!(comparison.changes().is_empty(), "{comparison}");

        let mut values = Entropy::new(&values);
        let Some((message, value)) = message(&schema, &mut values) else { return Ok(()) };
        let (mut by_xml, mut by_ir) = (Vec::new(), Vec::new());
        encode(&schema, message, &value, &mut by_xml).expect("what was made up for the schema fits it");
        let same = compiled.message(message.id).expect("the message is there");
        encode(&compiled, same, &value, &mut by_ir).expect("it fits the compiled schema as well");
        prop_assert_eq!(&by_xml, &by_ir);
        let json = |schema: &Schema| Found::new(schema, &by_xml).and_then(|found| found.to_json());
        prop_assert_eq!(json(&schema), json(&compiled));
    }

    #[test]
    fn changed_bytes_are_an_error_or_a_schema(
        plan in entropy(200),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8),
        message in entropy(200),
    ) {
        let schema = Plan::new(&mut Entropy::new(&plan)).schema(LATEST);
        let mut bytes = Ir::of(&schema).and_then(|ir| ir.to_bytes(Form::From1_36)).expect("it can be written");
        let length = bytes.len();
        for (at, value) in changes {
            bytes[at % length] = value;
        }
        if let Ok(schema) = Ir::read(&bytes).and_then(|ir| ir.to_schema()) {
            let again = Ir::of(&schema).and_then(|ir| ir.to_bytes(Form::From1_36)).expect("what was read can be written");
            prop_assert!(Ir::read(&again).is_ok_and(|ir| ir.to_schema().is_ok()));
            let _ = Found::new(&schema, &message).and_then(|found| found.to_json());
        }
    }
}
