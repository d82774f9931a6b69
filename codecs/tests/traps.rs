//! Surprising facts of SBE's layout, each named after its number in the reference and shown with a small schema.

use std::fmt::Write as _;

use gannet_codecs::dynamic::{DecodeError, Found, Value, encode};
use gannet_codecs::schema::{Options, Schema, compile_text};

const HEADER: &str = "<composite name='messageHeader'><type name='blockLength' primitiveType='uint16'/>\
    <type name='templateId' primitiveType='uint16'/><type name='schemaId' primitiveType='uint16'/>\
    <type name='version' primitiveType='uint16'/></composite>\
    <composite name='groupSizeEncoding'><type name='blockLength' primitiveType='uint16'/>\
    <type name='numInGroup' primitiveType='uint8'/></composite>\
    <composite name='varText'><type name='length' primitiveType='uint8'/>\
    <type name='varData' primitiveType='char' length='0' characterEncoding='UTF-8'/></composite>\
    <composite name='varBytes'><type name='length' primitiveType='uint8'/>\
    <type name='varData' primitiveType='uint8' length='0'/></composite>";

fn schema_with(attributes: &str, types: &str, message: &str) -> Schema {
    let text = format!(
        "<sbe:messageSchema xmlns:sbe='http://fixprotocol.io/2016/sbe' package='t' id='1' version='9' {attributes}>\n\
         <types>{HEADER}\n{types}</types>\n<sbe:message name='M' id='1'>{message}</sbe:message></sbe:messageSchema>"
    );
    compile_text("t.xml", &text, &Options::default()).unwrap_or_else(|report| panic!("{report}")).schema
}

fn schema(types: &str, message: &str) -> Schema {
    schema_with("", types, message)
}

fn block(schema: &Schema) -> u32 {
    schema.messages[0].body.block_length
}

fn offsets(schema: &Schema) -> Vec<u32> {
    schema.messages[0].body.fields.iter().map(|field| field.offset).collect()
}

fn write(schema: &Schema, json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let value = Value::from_json(json).expect("it is JSON");
    encode(schema, &schema.messages[0], &value, &mut out).unwrap_or_else(|error| panic!("{json}: {error}"));
    out
}

fn read(schema: &Schema, bytes: &[u8]) -> String {
    Found::new(schema, bytes).and_then(|found| found.to_json()).unwrap_or_else(|error| panic!("{error}"))
}

/// The header of message 1 with another block length and version, and a body.
fn message(block_length: u16, version: u16, body: &[u8]) -> Vec<u8> {
    let words = [block_length, 1, 1, version];
    words.iter().flat_map(|word| word.to_le_bytes()).chain(body.iter().copied()).collect()
}

#[test]
fn trap_01_offset_zero_is_unset_for_a_field_and_real_for_a_member() {
    let fields = schema("", "<field name='a' id='1' type='uint32'/><field name='b' id='2' type='uint8' offset='0'/>");
    assert_eq!((offsets(&fields), block(&fields)), (vec![0, 4], 5));
    let member = "<composite name='C'><type name='a' primitiveType='uint8'/>\
        <type name='b' primitiveType='uint8' offset='0'/></composite>";
    let text = format!("<messageSchema package='t' id='1'><types>{HEADER}{member}</types></messageSchema>");
    let refused = compile_text("t.xml", &text, &Options::default()).expect_err("0 is before the first member's end");
    assert_eq!(refused.errors().next().map(|found| found.code), Some("member-offset"));
}

#[test]
fn trap_02_a_constant_with_an_offset_moves_what_follows_and_extends_the_block() {
    let constant = "<type name='K' primitiveType='uint8' presence='constant'>7</type>";
    let last = schema(constant, "<field name='a' id='1' type='uint8'/><field name='k' id='2' type='K' offset='16'/>");
    assert_eq!(block(&last), 16);
    let inside = schema(
        constant,
        "<field name='a' id='1' type='uint32'/><field name='b' id='2' type='uint64' offset='8'/>\
         <field name='k' id='3' type='K'/><field name='c' id='4' type='uint8'/>",
    );
    assert_eq!((offsets(&inside), block(&inside)), (vec![0, 8, 16, 16], 17));
    assert_eq!(read(&inside, &write(&inside, r#"{"a":1,"b":2,"c":3}"#)), r#"{"a":1,"b":2,"k":7,"c":3}"#);
}

#[test]
fn trap_04_required_over_an_optional_type_drops_its_null() {
    let optional = "<type name='T' primitiveType='uint8' presence='optional' nullValue='7'/>\
        <type name='R' primitiveType='uint8' nullValue='9'/>";
    let schema = schema(
        optional,
        "<field name='own' id='1' type='T'/><field name='required' id='2' type='T' presence='required'/>\
         <field name='optional' id='3' type='R' presence='optional'/><field name='plain' id='4' type='R'/>",
    );
    let bytes = message(4, 9, &[7, 7, 9, 9]);
    assert_eq!(read(&schema, &bytes), r#"{"own":null,"required":7,"optional":null,"plain":9}"#);
    assert_eq!(write(&schema, r#"{"required":7,"plain":9}"#), bytes);
}

#[test]
fn trap_05_a_fields_version_is_the_later_of_its_own_and_its_types() {
    let types = "<type name='T' primitiveType='uint8' sinceVersion='3'/>";
    let schema =
        schema(types, "<field name='a' id='1' type='uint8'/><field name='b' id='2' type='T' sinceVersion='2'/>");
    assert_eq!(read(&schema, &message(2, 2, &[1, 2])), r#"{"a":1}"#);
    assert_eq!(read(&schema, &message(2, 3, &[1, 2])), r#"{"a":1,"b":2}"#);
}

#[test]
fn trap_06_what_a_version_does_not_have_takes_no_bytes() {
    let schema = schema(
        "",
        "<field name='a' id='1' type='uint8'/><group name='g' id='2' sinceVersion='2'><field name='x' id='1' type='uint8'/>\
         </group><data name='d' id='3' type='varText' sinceVersion='3'/>",
    );
    assert_eq!(read(&schema, &message(1, 1, &[5])), r#"{"a":5}"#);
    assert_eq!(read(&schema, &message(1, 2, &[5, 1, 0, 1, 9])), r#"{"a":5,"g":[{"x":9}]}"#);
    assert_eq!(read(&schema, &message(1, 3, &[5, 1, 0, 0, 1, b'z'])), r#"{"a":5,"g":[],"d":"z"}"#);
}

#[test]
fn trap_07_block_lengths_come_from_the_wire() {
    let schema = schema(
        "",
        "<field name='a' id='1' type='uint8'/><group name='g' id='2'><field name='x' id='1' type='uint8'/></group>",
    );
    // Longer blocks of a newer writer, then blocks that are too short for what every version has.
    assert_eq!(read(&schema, &message(3, 10, &[5, 0, 0, 2, 0, 2, 6, 0, 7, 0])), r#"{"a":5,"g":[{"x":6},{"x":7}]}"#);
    let short = message(0, 9, &[1, 0, 0]);
    assert!(matches!(
        Found::new(&schema, &short).and_then(|found| found.to_json()),
        Err(DecodeError::ShortBlock { .. })
    ));
}

#[test]
fn a_version_claimed_by_a_short_block_is_absent_and_not_read() {
    let schema =
        schema("", "<field name='a' id='1' type='uint8'/><field name='b' id='2' type='uint32' sinceVersion='2'/>");
    assert_eq!(read(&schema, &message(1, 9, &[5, 1, 2, 3, 4])), r#"{"a":5}"#);
}

#[test]
fn trap_10_padding_is_zero() {
    let schema = schema("", "<field name='a' id='1' type='uint8'/><field name='b' id='2' type='uint8' offset='4'/>");
    assert_eq!(write(&schema, r#"{"a":255,"b":255}"#)[8..], [255, 0, 0, 0, 255]);
}

#[test]
fn trap_12_bits_count_from_the_integers_least() {
    let set = "<set name='S' encodingType='uint64'><choice name='low'>0</choice><choice name='high'>63</choice></set>";
    let big = schema_with("byteOrder='bigEndian'", set, "<field name='s' id='1' type='S'/>");
    let bytes = write(&big, r#"{"s":{"low":true,"high":false}}"#);
    assert_eq!(bytes[8..], [0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(read(&big, &bytes), r#"{"s":{"low":true,"high":false}}"#);
}

#[test]
fn trap_13_an_enums_null_is_its_own_then_its_types_then_the_primitives() {
    let types = "<type name='T' primitiveType='uint8' nullValue='9' presence='optional'/>\
        <enum name='A' encodingType='T' nullValue='5'><validValue name='x'>1</validValue></enum>\
        <enum name='B' encodingType='T'><validValue name='x'>1</validValue></enum>\
        <enum name='C' encodingType='uint8'><validValue name='x'>1</validValue></enum>";
    let fields: String = ["A", "B", "C"].iter().enumerate().fold(String::new(), |mut all, (id, name)| {
        let _ = write!(all, "<field name='{name}' id='{id}' type='{name}' presence='optional'/>");
        all
    });
    let schema = schema(types, &fields);
    assert_eq!(write(&schema, "{}")[8..], [5, 9, 255]);
    assert_eq!(read(&schema, &message(3, 9, &[5, 9, 255])), r#"{"A":null,"B":null,"C":null}"#);
    assert_eq!(read(&schema, &message(3, 9, &[9, 5, 1])), r#"{"A":9,"B":5,"C":"x"}"#);
}

#[test]
fn trap_13_any_nan_is_null() {
    let schema = schema("", "<field name='a' id='1' type='float' presence='optional'/>");
    assert_eq!(read(&schema, &message(4, 9, &[1, 0, 0xC0, 0xFF])), r#"{"a":null}"#);
    assert_eq!(write(&schema, "{}")[8..], 0x7FC0_0000_u32.to_le_bytes());
}

#[test]
fn trap_15_predefined_names_can_be_declared_again() {
    let schema = schema("<type name='uint8' primitiveType='uint16'/>", "<field name='a' id='1' type='uint8'/>");
    assert_eq!(block(&schema), 2);
}

#[test]
fn trap_16_data_without_a_character_encoding_is_bytes() {
    let schema = schema("", "<data name='t' id='1' type='varText'/><data name='b' id='2' type='varBytes'/>");
    let json = r#"{"t":"zwölf","b":{"$hex":"00ff"}}"#;
    let bytes = write(&schema, json);
    assert_eq!(bytes[8..], [6, b'z', b'w', 0xC3, 0xB6, b'l', b'f', 2, 0, 255]);
    assert_eq!(read(&schema, &bytes), json);
}

#[test]
fn trap_17_encoders_bound_counts_and_lengths_and_decoders_do_not() {
    let schema = schema("", "<group name='g' id='1'/><data name='d' id='2' type='varText'/>");
    let entries = |count: usize| Value::Record(vec![("g".into(), Value::List(vec![Value::Record(vec![]); count]))]);
    let text = |length: usize| Value::Record(vec![("d".into(), Value::Text("x".repeat(length)))]);
    for (value, fits) in [(entries(254), true), (entries(255), false), (text(254), true), (text(255), false)] {
        assert_eq!(encode(&schema, &schema.messages[0], &value, &mut Vec::new()).is_ok(), fits);
    }
    let mut body = vec![0, 0, 255, 255];
    body.extend([b'x'; 255]);
    assert!(read(&schema, &message(0, 9, &body)).len() > 255 * 3);
}

#[test]
fn values_that_do_not_fit_are_refused_and_nothing_is_written() {
    let types = "<enum name='E' encodingType='uint8'><validValue name='x'>1</validValue></enum>\
        <type name='T' primitiveType='char' length='3'/>";
    let schema = schema(
        types,
        "<field name='a' id='1' type='uint8'/><field name='e' id='2' type='E'/><field name='t' id='3' type='T'/>",
    );
    for json in [
        r#"{"e":"x","t":"abc"}"#,
        r#"{"a":256,"e":"x","t":"abc"}"#,
        r#"{"a":-1,"e":"x","t":"abc"}"#,
        r#"{"a":1,"e":"y","t":"abc"}"#,
        r#"{"a":1,"e":"x","t":"abcd"}"#,
        r#"{"a":1,"e":"x","t":"abc","stranger":1}"#,
        r#"{"a":"one","e":"x","t":"abc"}"#,
        "[]",
    ] {
        let mut out = vec![9];
        let value = Value::from_json(json).expect("it is JSON");
        assert!(encode(&schema, &schema.messages[0], &value, &mut out).is_err(), "{json}");
        assert_eq!(out, [9], "{json}");
    }
}

#[test]
fn a_claim_of_many_empty_entries_is_refused() {
    let dimension = "<composite name='D'><type name='blockLength' primitiveType='uint16'/>\
        <type name='numInGroup' primitiveType='uint32' maxValue='2147483647'/></composite>";
    let schema = schema(dimension, "<group name='g' id='1' dimensionType='D'/>");
    let bytes = message(0, 9, &[0, 0, 255, 255, 255, 127]);
    let answer = Found::new(&schema, &bytes).and_then(|found| found.to_json());
    assert!(matches!(answer, Err(DecodeError::TooManyEntries { count: 0x7FFF_FFFF, .. })), "{answer:?}");
}

#[test]
fn the_published_vectors_of_the_standard_come_out() {
    // Decimal 123.45, text, and data, with the bytes that the text of SBE 1.0 gives.
    let types = "<composite name='decimal'><type name='mantissa' primitiveType='int64'/>\
        <type name='exponent' primitiveType='int8'/></composite><type name='T' primitiveType='char' length='6'/>";
    let schema = schema(
        types,
        "<field name='u' id='1' type='uint32'/><field name='d' id='2' type='decimal'/><field name='t' id='3' type='T'/>\
         <field name='f' id='4' type='float'/>",
    );
    let json = r#"{"u":10000,"d":{"mantissa":12345,"exponent":-2},"t":"MSFT","f":255.678}"#;
    let expected =
        [0x10, 0x27, 0, 0, 0x39, 0x30, 0, 0, 0, 0, 0, 0, 0xFE, b'M', b'S', b'F', b'T', 0, 0, 0x91, 0xAD, 0x7F, 0x43];
    assert_eq!(write(&schema, json)[8..], expected);
    assert_eq!(read(&schema, &write(&schema, json)), json);
}

#[test]
fn trap_03_blocks_end_with_the_last_field_of_messages_and_groups_alike() {
    let constant = "<type name='K' primitiveType='uint8' presence='constant'>7</type>";
    let fields = "<field name='a' id='1' type='uint32'/><field name='k' id='2' type='K' offset='9'/>";
    let schema = schema(constant, &format!("{fields}<group name='g' id='3'>{fields}</group>"));
    assert_eq!((block(&schema), schema.messages[0].body.groups[0].body.block_length), (9, 9));
}

#[test]
fn trap_08_data_starts_behind_its_length_whatever_the_composite_says() {
    // A constant in between takes no bytes; a member that takes bytes is refused.
    let between = |member: &str| {
        format!(
            "<composite name='D'><type name='length' primitiveType='uint16'/>{member}\
             <type name='varData' primitiveType='uint8' length='9'/></composite>"
        )
    };
    let types = between("<type name='k' primitiveType='uint32' presence='constant'>1</type>");
    let sound = schema(&types, "<data name='d' id='1' type='D'/>");
    assert_eq!(write(&sound, r#"{"d":{"$hex":"abcd"}}"#)[8..], [2, 0, 0xAB, 0xCD]);
    for member in
        ["<type name='k' primitiveType='uint32'/>", "<type name='k' primitiveType='uint8' length='0' offset='8'/>"]
    {
        let text = format!(
            "<messageSchema package='t' id='1'><types>{HEADER}{}</types>\
             <message name='M' id='1'><data name='d' id='1' type='D'/></message></messageSchema>",
            between(member)
        );
        let refused = compile_text("t.xml", &text, &Options::default()).expect_err("the data has no place there");
        assert!(refused.errors().any(|found| found.code == "data"), "{refused}");
    }
}

#[test]
fn trap_09_header_members_are_found_by_name() {
    let header = "<composite name='messageHeader'><type name='version' primitiveType='uint8' offset='1'/>\
        <type name='stranger' primitiveType='uint16'/><type name='schemaId' primitiveType='uint16' presence='constant'>1</type>\
        <type name='templateId' primitiveType='uint32' offset='5'/><type name='blockLength' primitiveType='uint8'/></composite>";
    let text = format!(
        "<messageSchema package='t' id='1' version='9'><types>{header}</types>\
         <message name='M' id='1'><field name='a' id='1' type='uint8'/></message></messageSchema>"
    );
    let schema = compile_text("t.xml", &text, &Options::default()).unwrap_or_else(|report| panic!("{report}")).schema;
    let bytes = write(&schema, r#"{"a":7}"#);
    assert_eq!(bytes, [0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 7]);
    assert_eq!(read(&schema, &bytes), r#"{"a":7}"#);
}

#[test]
fn trap_14_inline_types_of_one_name_are_not_mixed_up() {
    let types = "<composite name='A'><enum name='kind' encodingType='uint8'><validValue name='x'>1</validValue></enum></composite>\
        <composite name='B'><enum name='kind' encodingType='uint16'><validValue name='y'>1</validValue></enum></composite>\
        <enum name='kind' encodingType='char'><validValue name='z'>1</validValue></enum>";
    let schema = schema(
        types,
        "<field name='a' id='1' type='A'/><field name='b' id='2' type='B'/><field name='c' id='3' type='kind'/>",
    );
    let json = r#"{"a":{"kind":"x"},"b":{"kind":"y"},"c":"z"}"#;
    let bytes = write(&schema, json);
    assert_eq!(bytes[8..], [1, 1, 0, b'1']);
    assert_eq!(read(&schema, &bytes), json);
}

#[test]
fn trap_15_a_ref_does_not_reach_built_in_types() {
    let types = "<composite name='C'><ref name='a' type='uint8'/></composite>";
    let text = format!("<messageSchema package='t' id='1'><types>{HEADER}{types}</types></messageSchema>");
    let refused = compile_text("t.xml", &text, &Options::default()).expect_err("it is refused");
    assert!(refused.errors().any(|found| found.code == "unknown-type"), "{refused}");
}

#[test]
fn trap_18_a_message_s_id_may_be_0_and_ids_recur_in_groups() {
    let text = format!(
        "<messageSchema package='t' id='1'><types>{HEADER}</types><message name='M' id='0'><field name='a' id='1' type='uint8'/>\
         <group name='g' id='2'><field name='a' id='1' type='uint8'/><group name='g' id='2'/></group></message></messageSchema>"
    );
    let schema = compile_text("t.xml", &text, &Options::default()).unwrap_or_else(|report| panic!("{report}")).schema;
    let json = r#"{"a":1,"g":[{"a":2,"g":[]}]}"#;
    let bytes = write(&schema, json);
    assert_eq!(bytes[2..4], [0, 0]);
    assert_eq!(read(&schema, &bytes), json);
}

#[test]
fn trap_20_what_is_unknown_at_the_end_of_a_message_is_left_and_in_an_entry_it_is_not() {
    let old =
        "<field name='a' id='1' type='uint8'/><group name='g' id='2'><field name='x' id='1' type='uint8'/></group>";
    let old = schema("", old);
    // A newer writer's data after everything else: the message ends where it does in this version.
    let trailing = message(1, 10, &[5, 1, 0, 1, 6, 3, b'a', b'b', b'c']);
    let found = Found::new(&old, &trailing).expect("it is whole");
    assert_eq!(found.append_json(&mut String::new()), Ok(5));
    // The same in each entry: the bytes are taken for the next entry, which is why the gate calls that change breaking.
    let inside = message(1, 10, &[5, 1, 0, 2, 6, 0, 7, 0]);
    assert_eq!(read(&old, &inside), r#"{"a":5,"g":[{"x":6},{"x":0}]}"#);
}

#[test]
fn trap_22_blanks_around_numbers_mean_nothing() {
    let schema = schema(
        "<enum name='E' encodingType='uint8'><validValue name='x'>\n 7 \n</validValue></enum>",
        "<field name='e' id=' 1 ' type='E' offset=' 2 '/>",
    );
    assert_eq!((offsets(&schema), write(&schema, r#"{"e":"x"}"#)[8..].to_vec()), (vec![2], vec![0, 0, 7]));
}

#[test]
fn trap_25_the_official_json_is_none_and_ours_is() {
    let schema = schema("", "<field name='c' id='1' type='char'/><field name='f' id='2' type='double'/>");
    let found_in = message(9, 9, &[b'x', 0, 0, 0, 0, 0, 0, 0xF8, 0x7F]);
    let found = Found::new(&schema, &found_in).expect("it is whole");
    assert_eq!(found.to_official_json().as_deref(), Ok("{\n    \"c\": 'x',\n    \"f\": 0/0\n}"));
    assert_eq!(read(&schema, &found_in), r#"{"c":"x","f":null}"#);
}
