//! The reference's conformance checklist for what no real schema beside the repository covers, with small schemas of
//! our own (`schemas/`): layouts computed by the rules, bytes written by hand, and both codecs.

use std::fmt::Write as _;
use std::path::Path;

use gannet_codecs::dynamic::{Found, Value, encode};
use gannet_codecs::schema::{Body, Options, Report, Schema, compile_file};
use gannet_codecs_conformance::ALL;

fn compile(name: &str) -> (Schema, Report) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(format!("{name}.xml"));
    let compiled = compile_file(path, &Options::default()).unwrap_or_else(|report| panic!("{report}"));
    (compiled.schema, compiled.report)
}

/// The header's length, then each message's block length with the offsets of its fields, and each group's block length
/// and dimension.
fn layout(schema: &Schema) -> String {
    let mut text = format!("h{}", schema.header.length);
    for message in &schema.messages {
        let _ = write!(text, " {}", message.name);
        level(&message.body, &mut text);
    }
    text
}

fn level(body: &Body, text: &mut String) {
    let _ = write!(text, "={}", body.block_length);
    let offsets: Vec<String> = body.fields.iter().map(|field| field.offset.to_string()).collect();
    let _ = write!(text, "({})", offsets.join(","));
    for group in &body.groups {
        let _ = write!(text, " {}/{}", group.name, group.dimension.length);
        level(&group.body, text);
    }
}

/// Each schema with its layout.
const LAYOUTS: &[(&str, &str)] = &[
    ("header-constant", "h6 M=16(0)"),
    ("header-small", "h7 Ping=0() Pong=1(0)"),
    ("header-composites", "h12 M=23(0,12)"),
    ("header-other-name", "h20 M=1(0)"),
    (
        "block-lengths",
        "h8 Neither=8(0) Group/3=12(0,8) Message=64(0) Group/3=12(0,8) Both=64(0) Group/3=16(0,8) Alone=64(0) Nothing=3()",
    ),
    ("data-alone", "h8 Text=0() Raw=0() Old=0()"),
    ("composites", "h8 M=65(0,30) Offsets=17(0) Far=27(2,10)"),
    ("packages", "h8 M=4(0,3)"),
    ("constants", "h8 Galore=6(0,0,2,2,2,2,2,2,2) f/3=4(0,0,4) g/3=0(0) Alone=0(0) AtOffset=16(0,16)"),
    ("big-endian", "h8 M=46(0,2,6,14,18,26,30,38,42,44) g/3=2(0)"),
    ("presence", "h8 M=52(0,1,2,3,3,11,15,23,24,25,26,27,28,29,30,31,49)"),
    ("dimensions", "h8 M=0() usual/3=1(0) wide/6=1(0) spread/8=1(0) tiny/2=0() counted/8=1(0) minus/3=1(0)"),
    ("keywords", "h8 yield=8(0) break/3=1(0) issue=2(0) types=2(0,1) lower=2(0)"),
    ("versions", "h8 Old=40(0,4,8,20,28) g0/3=5(0,1,3) g4/3=2(0,1) New=13(0,4,5)"),
    ("versioned-1", "h8 M=8(0,4)"),
    ("versioned-2", "h8 M=20(0,4,8,12)"),
    (
        "orders",
        "h8 BusinessMessageReject=9(0,8) ExecutionReport=42(0,8,16,17,18,26,31,32,36,40) fillsGrp/4=12(0,8) NewOrderSingle=54(0,8,16,24,25,33,37,38,46)",
    ),
    ("simple", "h7 Simple=123(0,1,2,4,8,16,31,33,37,45,49,57,63,69,75,81,85,89,91,107)"),
    ("entries", "h8 M=16(0) entries/3=9(0,1) nested/3=16(0,8) innermost/3=2(0,1) texts/3=0()"),
    ("lenient", "h8 M=5(0,1)"),
];

#[test]
fn layouts_are_what_the_rules_say() {
    for (name, expected) in LAYOUTS {
        assert_eq!(layout(&compile(name).0), *expected, "{name}");
    }
}

/// Schema, message, values and bytes. Values that are left out are null or empty.
const BYTES: &[(&str, &str, &str, &str)] = &[
    ("header-constant", "M", r#"{"a":1}"#, "1000 0100 0000 01000000 Z12"),
    ("header-all-constant", "M", r#"{"a":1}"#, "01000000"),
    ("header-small", "Ping", "{}", "02 0000 00 05 00 00"),
    ("header-small", "Pong", r#"{"a":9}"#, "02 0000 ff 05 00 01 09"),
    (
        "header-composites",
        "M",
        r#"{"head":{"inner":{"version":1,"b":2},"blockLength":3,"templateId":4,"flags":{"urgent":true},"schemaId":5,"version":6},"pair":{"one":{"version":7,"b":8},"two":{"version":9,"b":10}}}"#,
        "000000 0017 0001 00 0007 0000 010002 0003 0004 08 0005 0006 070008 Z5 09000a",
    ),
    ("header-other-name", "M", r#"{"a":1}"#, "70110100 a086010000000000 00000000 01000000 01"),
    (
        "block-lengths",
        "Both",
        r#"{"a":1,"Group":[{"b":2,"c":3}],"d":"x"}"#,
        "4000 0300 0300 0000 0100000000000000 Z56 1000 01 0200000000000000 03000000 Z4 0100 78",
    ),
    ("data-alone", "Text", r#"{"t":"zwölf"}"#, "0000 0001 0004 0000 0006 7a77c3b66c66"),
    ("data-alone", "Raw", r#"{"varData":{"$hex":"00ff"},"length":""}"#, "0000 0002 0004 0000 02 00ff 0000"),
    ("data-alone", "Old", r#"{"c":"abc"}"#, "0000 0003 0004 0000 03 616263"),
    (
        "composites",
        "Offsets",
        r#"{"spread":{"a":1,"b":2,"c":3,"d":"Buy"}}"#,
        "1100 0200 0600 0000 0100 000000000000 02000000 03 000000 42",
    ),
    ("packages", "M", r#"{"c":{"truth":"F","speed":258},"t":"T"}"#, "0400 0100 0800 0000 ff 0201 01"),
    (
        "constants",
        "Galore",
        r#"{"k1":-7,"a":258,"k2":"big","k3":"E","k4":"EUR","k5":"USD","k6":"s","k7":1,"c":{"mantissa":5,"exponent":-2},"f":[{"k":-7,"b":1,"e":"two"}],"g":[{"k":-7},{"k":-7}]}"#,
        "0600 0100 0900 0000 0201 05000000 0400 01 01000000 0000 02",
    ),
    ("constants", "Alone", r#"{"k":"small"}"#, "0000 0200 0900 0000"),
    (
        "big-endian",
        "M",
        r#"{"i16":-2,"u32":1,"i64":-1,"f":1.5,"d":-2,"words":[1,258],"bits":{"b35":true,"b0":false},"wide":"minus","holder":{"flags":{"first":false,"later":true}},"new":{"first":true,"later":false},"g":[{"a":7}],"t":"t"}"#,
        "002e 0001 000a 0003 fffe 00000001 ffffffffffffffff 3fc00000 c000000000000000 0001 0102 0000000800000000 fffffffe 0200 0001 0002 01 0007 0001 74",
    ),
    (
        "presence",
        "M",
        r#"{"unset":1,"required":2,"optional":null,"constant":9,"u64":null,"f":null,"d":null,"c":null,"zero":null,"own":null,"dropped":7,"kept":null,"enum1":null,"enum2":null,"enum3":null,"composite":{"mantissa":null,"z":null},"text":""}"#,
        "0034 0001 000b 0000 01 02 ff ffffffffffffffff 7fc00000 7ff8000000000000 00 30 07 07 05 07 03 80 0000 0000000000000000 0000000000000000 000000",
    ),
    (
        "dimensions",
        "M",
        r#"{"usual":[{"a":1}],"wide":[{"a":2}],"spread":[{"a":3}],"tiny":[{},{}],"counted":[{"a":4}],"minus":[{"a":5}]}"#,
        "0000 0100 0c00 0000 0100 01 01 0100 01000000 02 00 0100 000000 0100 03 00 02 0100 0100 0000 0000 04 0100 01 05",
    ),
    (
        "keywords",
        "yield",
        r#"{"yield":1,"break":[{"yield":"true","continue":"c"}],"return":{"$hex":"ab"}}"#,
        "0008 0001 000d 0000 0000000000000001 0001 01 01 0001 63 0001 ab",
    ),
    ("keywords", "issue", r#"{"yield":{"length":258}}"#, "0002 0002 000d 0000 0102"),
    ("versions", "New", r#"{"a":1,"b":2,"decimal":{"m":null}}"#, "0d00 0200 0e00 0f00 01000000 02 00000000 00000000"),
    (
        "versioned-2",
        "M",
        r#"{"f1":1,"f2":2,"f3":3,"f4":null,"s1":"a","s2":""}"#,
        "1400 0100 0f00 0200 01000000 02000000 03000000 ffffffffffffffff 0100 61 0000",
    ),
    // The three messages printed in the text of the standard.
    (
        "orders",
        "NewOrderSingle",
        r#"{"clOrdId":"ORD00001","account":"ACCT01","symbol":"GEM4","side":"Buy","transactTime":1524861082122000000,"orderQty":{"mantissa":7,"exponent":0},"ordType":"Limit","price":{"mantissa":99610,"exponent":-3},"stopPx":{"mantissa":null,"exponent":-3}}"#,
        "3600 6300 5b00 0000 4f52443030303031 4143435430310000 47454d3400000000 31 8016b33b13652915 07000000 32 1a85010000000000 0000000000000080",
    ),
    (
        "orders",
        "ExecutionReport",
        r#"{"orderID":"O0000001","execID":"EXEC0000","execType":"F","ordStatus":"1","symbol":"GEM4","maturity":{"year":2014,"month":6,"day":null,"week":null},"side":"Buy","leavesQty":{"mantissa":1,"exponent":0},"cumQty":{"mantissa":6,"exponent":0},"tradeDate":15989,"fillsGrp":[{"fillPx":{"mantissa":99610,"exponent":-3},"fillQty":{"mantissa":2,"exponent":0}},{"fillPx":{"mantissa":99620,"exponent":-3},"fillQty":{"mantissa":4,"exponent":0}}]}"#,
        "2a00 6200 5b00 0000 4f30303030303031 4558454330303030 46 31 47454d3400000000 de07 06 ff ff 31 01000000 06000000 753e 0c00 0200 1a85010000000000 02000000 2485010000000000 04000000",
    ),
    (
        "orders",
        "BusinessMessageReject",
        r#"{"businesRejectRefId":"ORD00001","businessRejectReason":"NotAuthorized","text":"Not authorized to trade that instrument"}"#,
        "0900 6100 5b00 0000 4f52443030303031 06 2700 4e6f7420617574686f72697a656420746f207472616465207468617420696e737472756d656e74",
    ),
    (
        "simple",
        "Simple",
        r#"{"c":"x","i8":-1,"i16":-2,"i32":-3,"i64":-4,"u8":1,"u16":2,"u32":3,"u64":null,"f32":0.5,"f64":0.25,"ascii":"abc","utf8":"zwölf","latin":"ü","chinese":{"$hex":"d6d0cec40000"},"blob":[1,2,3,4],"bytes":[97,98,0,0],"i8s":[-1,1],"i64s":[-1,1],"doubles":[0,-0.5]}"#,
        "7b 0100 1000 0000 78 ff feff fdffffff fcffffffffffffff 01 0000000000000000000000000000 0200 03000000 ffffffffffffffff 0000003f 000000000000d03f 616263000000 7a77c3b66c66 fc0000000000 d6d0cec40000 01020304 61620000 ff01 ffffffffffffffff 0100000000000000 0000000000000000 000000000000e0bf",
    ),
    (
        "entries",
        "M",
        r#"{"tag":1,"entries":[{"a":"A","b":2,"nested":[{"n":3,"added":4,"innermost":[{"i":5,"j":null},{"i":6,"j":7}],"nestedText":"t"}],"one":"1","two":{"$hex":"02"}},{"a":"B","b":8,"nested":[],"one":"","two":{"$hex":""}}],"texts":[{"only":"x"},{"only":""}],"last":{"$hex":"09"}}"#,
        "1000 0100 1100 0200 01000000 000000000000000000000000 0900 02 41 0200000000000000 1000 01 0300000000000000 0400000000000000 0200 02 05ff 0607 0100 74 0100 31 01 02 42 0800000000000000 1000 00 0000 00 0000 02 0100 78 0000 01 09",
    ),
    ("lenient", "M", r#"{"e":"B","f":-1.5}"#, "0500 0100 1200 0100 02 0000c0bf"),
];

/// Converts hexadecimal words to bytes. A word like `Z4` stands for that number of zeros.
fn bytes(words: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words.split_whitespace() {
        match word.strip_prefix('Z') {
            Some(zeros) => bytes.resize(bytes.len() + zeros.parse::<usize>().expect("it is a number"), 0),
            None => bytes.extend(
                (0..word.len()).step_by(2).map(|at| u8::from_str_radix(&word[at..at + 2], 16).expect("they are hex")),
            ),
        }
    }
    bytes
}

#[test]
fn bytes_are_what_the_rules_say() {
    for (name, message, json, hex) in BYTES {
        let (schema, _) = compile(name);
        let message = schema.message_named(message).expect("the schema has it");
        let mut written = Vec::new();
        let value = Value::from_json(json).unwrap_or_else(|error| panic!("{name}: {error}"));
        encode(&schema, message, &value, &mut written).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(show(&written), show(&bytes(hex)), "{name} {}", message.name);
        let read = Found::new(&schema, &written).and_then(|found| found.to_json());
        assert_eq!(read.as_deref(), Ok(*json), "{name} {}", message.name);
        let file = format!("own/{name}.xml");
        let generated = ALL.iter().find(|generated| generated.schema == file).expect("code was generated from it");
        let shown = (generated.read)(&written).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((shown.json.as_str(), shown.rewritten), (*json, Ok(Some(written))), "{name} {}", message.name);
    }
}

fn show(bytes: &[u8]) -> String {
    format!("{bytes:02x?}")
}

#[test]
fn warnings_are_those_of_the_checklist() {
    for (name, codes) in [
        ("header-small", &["unusual-width"; 4][..]),
        ("dimensions", &["unusual-width"; 2]),
        ("header-constant", &[]),
        ("orders", &[]),
        ("versioned-2", &[]),
    ] {
        let (_, report) = compile(name);
        assert_eq!(report.warnings().map(|found| found.code).collect::<Vec<_>>(), codes, "{name}\n{report}");
    }
}

#[test]
fn no_codec_reads_a_message_of_a_version_that_did_not_have_it() {
    let (schema, _) = compile("versions");
    let message = schema.message_named("New").expect("the schema has it");
    let generated =
        ALL.iter().find(|generated| generated.schema == "own/versions.xml").expect("code was generated from it");
    for version in [message.notes.since - 1, message.notes.since] {
        let mut bytes = Vec::new();
        for word in [message.body.block_length, message.id, schema.id, version] {
            bytes.extend((word as u16).to_le_bytes());
        }
        // Zeros are a block, with empty groups and data.
        bytes.resize(200, 0);
        let dynamic = Found::new(&schema, &bytes).and_then(|found| found.to_json()).map_err(|error| error.to_string());
        let shown = (generated.read)(&bytes).map(|shown| shown.json);
        assert_eq!(dynamic.is_ok(), version == message.notes.since, "{dynamic:?}");
        assert_eq!(shown.is_ok(), dynamic.is_ok(), "{shown:?}");
        let refused =
            |found: Result<String, String>| found.err().is_none_or(|why| why.contains("only since version 10"));
        assert!(refused(dynamic) && refused(shown));
    }
}

#[test]
fn every_name_is_shown_as_the_schema_has_it() {
    // Whatever Rust identifiers the names become, JSON has the names of the schema, each once.
    let (schema, _) = compile("names");
    let message = &schema.messages[0];
    let generated =
        ALL.iter().find(|generated| generated.schema == "own/names.xml").expect("code was generated from it");
    let mut bytes = Vec::new();
    for word in [message.body.block_length, message.id, schema.id, schema.version] {
        bytes.extend((word as u16).to_le_bytes());
    }
    bytes.resize(8 + message.body.block_length as usize, 1);
    let shown = (generated.read)(&bytes).expect("it is whole");
    let json: serde_json::Value = serde_json::from_str(&shown.json).expect("it is JSON");
    let object = json.as_object().expect("a message is an object");
    assert_eq!(object.len(), message.body.fields.len());
    for field in &message.body.fields {
        assert!(object.contains_key(&field.name), "{}", field.name);
    }
}
