//! Compiled schemas: every real schema is converted to bytes and back without loss, in both forms, and messages decode
//! the same with the result. Bytes that are not a compiled schema are an error.

mod support;

use std::path::PathBuf;

use gannet_codecs::dynamic::{Found, Header, Value, encode, walk};
use gannet_codecs::gate::compare;
use gannet_codecs::generate::{self, generate};
use gannet_codecs::ir::{Form, Ir, IrError, Signal};
use gannet_codecs::schema::{Compiled, Options, Presence, Primitive, Schema, compile_file, compile_text};

fn real_schemas(test: &str) -> Option<Vec<(PathBuf, Schema)>> {
    let data = support::data(test)?;
    let mut schemas = Vec::new();
    for folder in ["schemas", "schemas/official"] {
        let entries = std::fs::read_dir(data.join(folder)).expect("the folder can be listed");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "xml")) {
            // A fragment of other schemas.
            if let Ok(Compiled { schema, .. }) = compile_file(&path, &Options::default()) {
                schemas.push((path, schema));
            }
        }
    }
    assert!(schemas.len() > 20, "{} schemas are accepted", schemas.len());
    Some(schemas)
}

/// Converts the schema to bytes of that form and back.
fn through_bytes(schema: &Schema, form: Form) -> (Vec<u8>, Schema) {
    let bytes = Ir::of(schema).and_then(|ir| ir.to_bytes(form)).expect("it can be written");
    let again = Ir::read(&bytes).unwrap_or_else(|error| panic!("{}: {error}", schema.package));
    assert_eq!(again, Ir::read_as(&bytes, form).expect("it is of that form"), "{}", schema.package);
    let again = again.to_schema().unwrap_or_else(|error| panic!("{}: {error}", schema.package));
    (bytes, again)
}

#[test]
fn trap_23_both_forms_of_every_real_schema_come_back_the_same() {
    let Some(schemas) = real_schemas("trap_23_both_forms_of_every_real_schema_come_back_the_same") else { return };
    for (path, schema) in schemas {
        let [later, earlier] = Form::ALL.map(|form| through_bytes(&schema, form));
        assert!(earlier.0.len() < later.0.len());
        for (form, (bytes, again)) in Form::ALL.into_iter().zip([later, earlier]) {
            let comparison = compare(&schema, &again);
            assert!(comparison.changes().is_empty(), "{}:\n{comparison}", path.display());
            let comparison = compare(&again, &schema);
            assert!(comparison.changes().is_empty(), "{}:\n{comparison}", path.display());
            let rewritten = Ir::of(&again).and_then(|ir| ir.to_bytes(form)).expect("it can be written");
            assert!(rewritten == bytes, "{}: the tokens changed on the way", path.display());
            // The content alone distinguishes the forms.
            let other = if form == Form::From1_36 { Form::Until1_35 } else { Form::From1_36 };
            assert!(Ir::read_as(&bytes, other).is_err(), "{} reads as {other:?}", path.display());
        }
    }
}

#[test]
fn golden_messages_decode_and_encode_the_same_by_a_compiled_schema() {
    let name = "golden_messages_decode_and_encode_the_same_by_a_compiled_schema";
    let (Some(schemas), Some(data)) = (real_schemas(name), support::data(name)) else { return };
    let mut compared = 0;
    for (path, schema) in schemas {
        let stem = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        // Samples with the name of an official test have no golden messages of their own.
        let sample = stem.starts_with("example") && !path.parent().is_some_and(|folder| folder.ends_with("official"));
        let Ok(text) = std::fs::read_to_string(data.join(format!("golden/{stem}.jsonl"))) else { continue };
        if sample {
            continue;
        }
        for form in Form::ALL {
            let (_, compiled) = through_bytes(&schema, form);
            for line in text.lines() {
                let line: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
                let bytes = hex(line["hex"].as_str().expect("a line has bytes"));
                let by_xml = Found::new(&schema, &bytes).expect("it is whole");
                let by_ir = Found::new(&compiled, &bytes).expect("it is whole");
                let json = by_ir.to_json().expect("it decodes");
                assert_eq!(json, by_xml.to_json().expect("it decodes"), "{stem}");
                assert_eq!(by_ir.to_official_json(), by_xml.to_official_json(), "{stem}");
                let mut out = Vec::new();
                let values = Value::from_json(&json).expect("it is JSON");
                encode(&compiled, by_ir.message, &values, &mut out).expect("its own values fit");
                assert_eq!(out, bytes, "{stem}");
                compared += 1;
            }
        }
    }
    assert!(compared > 2000, "{compared} messages were compared");
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("they are hex")).collect()
}

/// The format of compiled schemas as a schema: frame and tokens are SBE messages without headers.
fn format_of_tokens(items: &[&str]) -> Schema {
    let data = |names: &[&str]| -> String {
        names
            .iter()
            .enumerate()
            .map(|(id, name)| format!("<data name='{name}' id='{}' type='item'/>", id + 20))
            .collect()
    };
    let fields = |names: &[(&str, &str)]| -> String {
        let field = |(id, (name, ty)): (usize, &(&str, &str))| format!("<field name='{name}' id='{id}' type='{ty}'/>");
        names.iter().enumerate().map(field).collect()
    };
    let frame = fields(&[("irId", "int32"), ("irVersion", "int32"), ("schemaVersion", "int32")]);
    let token = fields(&[
        ("offset", "int32"),
        ("size", "int32"),
        ("id", "int32"),
        ("version", "int32"),
        ("count", "int32"),
        ("signal", "uint8"),
        ("primitive", "uint8"),
        ("order", "uint8"),
        ("presence", "uint8"),
        ("deprecated", "int32"),
    ]);
    let text = format!(
        "<messageSchema package='tokens' id='1'><types>\
         <composite name='messageHeader'><type name='blockLength' primitiveType='uint16'/>\
         <type name='templateId' primitiveType='uint16'/><type name='schemaId' primitiveType='uint16'/>\
         <type name='version' primitiveType='uint16'/></composite>\
         <composite name='item'><type name='length' primitiveType='uint16'/>\
         <type name='varData' primitiveType='uint8' length='0' characterEncoding='UTF-8'/></composite></types>\
         <message name='Frame' id='1'>{frame}{}</message><message name='Token' id='2'>{token}{}</message></messageSchema>",
        data(&["package", "namespace", "semanticVersion"]),
        data(items),
    );
    compile_text("tokens.xml", &text, &Options::default()).unwrap_or_else(|report| panic!("{report}")).schema
}

const SMALL: &str = "<messageSchema package='small' id='7' version='2' semanticVersion='1.5' byteOrder='bigEndian'>\
    <types package='shared'><composite name='messageHeader'><type name='blockLength' primitiveType='uint16'/>\
    <type name='templateId' primitiveType='uint16'/><type name='schemaId' primitiveType='uint16'/>\
    <type name='version' primitiveType='uint16'/></composite>\
    <composite name='dims'><type name='blockLength' primitiveType='uint16'/>\
    <type name='numInGroup' primitiveType='uint16'/></composite>\
    <composite name='text'><type name='length' primitiveType='uint16'/>\
    <type name='varData' primitiveType='char' length='0'/></composite>\
    <type name='Qty' primitiveType='int32' presence='optional' nullValue='-1' minValue='0' description='How many'/>\
    <enum name='Side' encodingType='char'><validValue name='Buy'>B</validValue></enum>\
    <set name='Flags' encodingType='uint16'><choice name='late' sinceVersion='1'>9</choice></set>\
    <composite name='Pair' semanticType='Two'><ref name='first' type='Qty'/><ref name='side' type='Side' offset='8'/>\
    </composite></types>\
    <message name='M' id='3' blockLength='32' semanticType='X'>\
    <field name='a' id='1' type='Qty' timeUnit='nanosecond' deprecated='2'/>\
    <field name='k' id='2' type='Side' presence='constant' valueRef='Side.Buy'/>\
    <field name='p' id='3' type='Pair' sinceVersion='2' semanticType='Two'/><field name='f' id='4' type='Flags' presence='required'/>\
    <group name='g' id='5' dimensionType='dims'><field name='b' id='6' type='uint8'/><data name='d' id='7' type='text'/></group>\
    <data name='e' id='8' type='text'/></message></messageSchema>";

#[test]
fn bytes_are_the_messages_that_the_format_says() {
    let schema =
        compile_text("small.xml", SMALL, &Options::default()).unwrap_or_else(|report| panic!("{report}")).schema;
    let bytes = Ir::of(&schema).and_then(|ir| ir.to_bytes(Form::From1_36)).expect("it can be written");
    let items = [
        "name",
        "const",
        "min",
        "max",
        "null",
        "charset",
        "epoch",
        "timeUnit",
        "semanticType",
        "description",
        "referenced",
        "package",
    ];
    let format = format_of_tokens(&items);
    let mut lines = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let message = &format.messages[usize::from(!lines.is_empty())];
        let header =
            Header { block_length: message.body.block_length, template_id: message.id, schema_id: 1, version: 0 };
        let mut text = Line::default();
        let length = walk(&format, message, &header, rest, &mut text).expect("the messages are whole");
        rest = &rest[length..];
        lines.push(text.0);
    }
    // offset size id version count / signal primitive order presence / deprecated, then the items that are not empty.
    #[rustfmt::skip]
    let expected = [
        "7 0 2 package=small semanticVersion=1.5",
        "0 8 -1 0 6 3 0 0 0 0 name=messageHeader package=shared",
        "0 2 -1 0 1 17 7 1 0 0 name=blockLength",
        "2 2 -1 0 1 17 7 1 0 0 name=templateId",
        "4 2 -1 0 1 17 7 1 0 0 name=schemaId",
        "6 2 -1 0 1 17 7 1 0 0 name=version",
        "0 8 -1 0 6 4 0 0 0 0 name=messageHeader package=shared",
        "0 32 3 0 44 1 0 0 0 0 name=M semanticType=X",
        "0 4 1 0 3 5 0 0 1 2 name=a timeUnit=nanosecond",
        "0 4 -1 0 1 17 4 1 1 0 name=Qty min=\\x00\\x00\\x00\\x00 null=\\xff\\xff\\xff\\xff timeUnit=nanosecond description=How many package=shared",
        "0 4 1 0 3 6 0 0 1 2 name=a timeUnit=nanosecond",
        "4 0 2 0 5 5 1 0 2 0 name=k const=Side.Buy",
        "4 1 -1 0 3 9 1 1 0 0 name=Side null=\\x00 package=shared",
        "0 0 -1 0 1 10 1 1 0 0 name=Buy const=B",
        "4 1 -1 0 3 11 1 1 0 0 name=Side null=\\x00 package=shared",
        "4 0 2 0 5 6 1 0 2 0 name=k const=Side.Buy",
        "4 9 3 2 8 5 0 0 0 0 name=p semanticType=Two",
        "4 9 -1 2 6 3 0 0 0 0 name=Pair semanticType=Two package=shared",
        "0 4 -1 2 1 17 4 1 1 0 name=first min=\\x00\\x00\\x00\\x00 null=\\xff\\xff\\xff\\xff description=How many referenced=Qty package=shared",
        "8 1 -1 2 3 9 1 1 0 0 name=side null=\\x00 semanticType=Two referenced=Side package=shared",
        "0 0 -1 0 1 10 1 1 0 0 name=Buy const=B",
        "8 1 -1 2 3 11 1 1 0 0 name=side null=\\x00 semanticType=Two referenced=Side package=shared",
        "4 9 -1 2 6 4 0 0 0 0 name=Pair semanticType=Two package=shared",
        "4 9 3 2 8 6 0 0 0 0 name=p semanticType=Two",
        "13 2 4 0 5 5 0 0 0 0 name=f",
        "13 2 -1 0 3 12 7 0 0 0 name=Flags package=shared",
        "0 0 -1 1 1 13 7 1 0 0 name=late const=\\x09\\x00",
        "13 2 -1 0 3 14 7 0 0 0 name=Flags package=shared",
        "13 2 4 0 5 6 0 0 0 0 name=f",
        "32 1 5 0 15 7 0 0 0 0 name=g",
        "0 4 -1 0 4 3 0 0 0 0 name=dims package=shared",
        "0 2 -1 0 1 17 7 1 0 0 name=blockLength",
        "2 2 -1 0 1 17 7 1 0 0 name=numInGroup",
        "0 4 -1 0 4 4 0 0 0 0 name=dims package=shared",
        "0 1 6 0 3 5 0 0 0 0 name=b",
        "0 1 -1 0 1 17 6 1 0 0 name=uint8",
        "0 1 6 0 3 6 0 0 0 0 name=b",
        "1 0 7 0 6 15 0 0 0 0 name=d",
        "1 -1 -1 0 4 3 0 0 0 0 name=text package=shared",
        "0 2 -1 0 1 17 7 1 0 0 name=length",
        "2 -1 -1 0 1 17 1 1 0 0 name=varData charset=US-ASCII",
        "1 -1 -1 0 4 4 0 0 0 0 name=text package=shared",
        "1 0 7 0 6 16 0 0 0 0 name=d",
        "32 1 5 0 15 8 0 0 0 0 name=g",
        "-1 0 8 0 6 15 0 0 0 0 name=e",
        "-1 -1 -1 0 4 3 0 0 0 0 name=text package=shared",
        "0 2 -1 0 1 17 7 1 0 0 name=length",
        "2 -1 -1 0 1 17 1 1 0 0 name=varData charset=US-ASCII",
        "-1 -1 -1 0 4 4 0 0 0 0 name=text package=shared",
        "-1 0 8 0 6 16 0 0 0 0 name=e",
        "0 32 3 0 44 2 0 0 0 0 name=M semanticType=X",
    ];
    for (at, (found, expected)) in lines.iter().zip(expected).enumerate() {
        assert_eq!(found, expected, "token {at}");
    }
    assert_eq!(lines.len(), expected.len());
}

/// The bytes of one token, by the table of the format: its block, then the items of its form.
fn token(numbers: [i32; 5], codes: [u8; 4], items: &[(usize, &[u8])], most: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    bytes.extend(codes);
    bytes.extend(0_i32.to_le_bytes());
    for at in 0..most {
        let item = items.iter().find(|(place, _)| *place == at).map_or(&[][..], |(_, item)| *item);
        bytes.extend((item.len() as u16).to_le_bytes());
        bytes.extend(item);
    }
    bytes
}

#[test]
fn trap_23_each_form_is_byte_for_byte_what_the_format_says() {
    let text = "<messageSchema package='p.q' id='7' version='2' byteOrder='bigEndian'><types package='t'>\
        <composite name='messageHeader'><type name='blockLength' primitiveType='uint16'/>\
        <type name='templateId' primitiveType='uint16'/><type name='schemaId' primitiveType='uint16'/>\
        <type name='version' primitiveType='uint16'/></composite>\
        <type name='Qty' primitiveType='int16' presence='optional' nullValue='-2' maxValue='300' description='How many'/>\
        </types><message name='M' id='3'><field name='a' id='1' type='Qty' sinceVersion='1'/></message></messageSchema>";
    let schema = compile_text("p.xml", text, &Options::default()).unwrap_or_else(|report| panic!("{report}")).schema;
    // Items by index: name 0, minimum 2, maximum 3, null 4, description 9, package 11, which only the later form has.
    const ITEMS: [(Form, usize); 2] = [(Form::Until1_35, 11), (Form::From1_36, 12)];
    for (form, most) in ITEMS {
        // Id 7, form 0, version 2, the package; neither another namespace nor a semantic version.
        let mut expected = vec![7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, b'p', b'.', b'q', 0, 0, 0, 0];
        let mut add = |numbers: [i32; 5], codes: [u8; 4], items: &[(usize, &[u8])]| {
            expected.extend(token(numbers, codes, items, most));
        };
        // Offset, size, id, version, tokens; signal, primitive, byte order, presence.
        let header: [(usize, &[u8]); 2] = [(0, b"messageHeader"), (11, b"t")];
        add([0, 8, -1, 0, 6], [3, 0, 0, 0], &header);
        for (offset, name) in (0..).step_by(2).zip(["blockLength", "templateId", "schemaId", "version"]) {
            add([offset, 2, -1, 0, 1], [17, 7, 1, 0], &[(0, name.as_bytes())]);
        }
        add([0, 8, -1, 0, 6], [4, 0, 0, 0], &header);
        add([0, 2, 3, 0, 5], [1, 0, 0, 0], &[(0, b"M")]);
        add([0, 2, 1, 1, 3], [5, 0, 0, 1], &[(0, b"a")]);
        let (most_of_all, null) = (300_i16.to_le_bytes(), (-2_i16).to_le_bytes());
        let items: [(usize, &[u8]); 5] = [(0, b"Qty"), (3, &most_of_all), (4, &null), (9, b"How many"), (11, b"t")];
        add([0, 2, -1, 1, 1], [17, 3, 1, 1], &items);
        add([0, 2, 1, 1, 3], [6, 0, 0, 1], &[(0, b"a")]);
        add([0, 2, 3, 0, 5], [2, 0, 0, 0], &[(0, b"M")]);
        let bytes = Ir::of(&schema).and_then(|ir| ir.to_bytes(form)).expect("it can be written");
        assert_eq!(bytes, expected, "{form:?}");
    }
}

/// One message as a line: its numbers, then the data that is not empty.
#[derive(Default)]
struct Line(String);

impl gannet_codecs::dynamic::Visitor for Line {
    fn leaf(&mut self, leaf: gannet_codecs::dynamic::Leaf<'_>) {
        let blank = if self.0.is_empty() { "" } else { " " };
        self.0 += &format!("{blank}{}", leaf.number().expect("every field is a number"));
    }
    fn data(&mut self, data: &gannet_codecs::schema::Data, bytes: Option<&[u8]>) {
        let bytes = bytes.unwrap_or_default();
        let plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
        let text: String = match plain {
            true => String::from_utf8_lossy(bytes).into_owned(),
            false => bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect(),
        };
        if !text.is_empty() {
            self.0 += &format!(" {}={text}", data.name);
        }
    }
    fn absent(&mut self, _: &gannet_codecs::schema::Field) {}
    fn begin_composite(&mut self, _: &str) {}
    fn end_composite(&mut self) {}
    fn begin_group(&mut self, _: &str, _: usize, _: bool) {}
    fn begin_entry(&mut self) {}
    fn end_entry(&mut self) {}
    fn end_group(&mut self) {}
}

#[test]
fn a_compiled_schema_gives_the_code_that_its_schema_gives() {
    let schema = compile_text("small.xml", SMALL, &Options::default()).expect("it is accepted").schema;
    let (_, compiled) = through_bytes(&schema, Form::From1_36);
    let items = |schema: &Schema| {
        let code = generate(schema, &generate::Options::default()).expect("an accepted schema has code");
        // Types come in another order, but are the same.
        let mut lines: Vec<String> = code.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(items(&schema), items(&compiled));
}

#[test]
fn a_file_that_is_cut_or_changed_is_an_error_or_a_schema_and_never_a_panic() {
    let schema = compile_text("small.xml", SMALL, &Options::default()).expect("it is accepted").schema;
    let message = [0_u8; 300];
    for form in Form::ALL {
        let bytes = Ir::of(&schema).and_then(|ir| ir.to_bytes(form)).expect("it can be written");
        for end in (0..bytes.len()).step_by(7) {
            if let Ok(ir) = Ir::read(&bytes[..end]) {
                // Whole messages may be missing, but not the header.
                assert!(ir.messages.is_empty(), "{end} of {} bytes are not the schema", bytes.len());
            }
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= [0x01, 0x80, 0xFF][at % 3];
            // If it is accepted nevertheless, it must be safe to use.
            if let Ok(schema) = Ir::read(&changed).and_then(|ir| ir.to_schema()) {
                let mut header = message;
                header[..8].copy_from_slice(&[0, 32, 0, 3, 0, 7, 0, 2]);
                let _ = Found::new(&schema, &header).and_then(|found| found.to_json());
                let written = Ir::of(&schema).and_then(|ir| ir.to_bytes(form)).expect("what was read can be written");
                assert!(Ir::read(&written).is_ok());
            }
        }
    }
    assert!(matches!(Ir::read(b""), Err(IrError::Truncated { .. })));
    assert!(matches!(Ir::read(&[0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]), Err(IrError::UnknownVersion(9))));
}

#[test]
fn tokens_that_no_schema_has_are_refused_with_a_reason() {
    let schema = compile_text("small.xml", SMALL, &Options::default()).expect("it is accepted").schema;
    let good = Ir::of(&schema).expect("it has tokens");
    let at = |name: &str, signal| {
        let position = good.messages[0].iter().position(|token| token.name == name && token.signal == signal);
        position.unwrap_or_else(|| panic!("there is a {signal:?} {name}"))
    };
    let refused = |change: &dyn Fn(&mut Ir)| {
        let mut ir = good.clone();
        change(&mut ir);
        ir.to_schema().expect_err("that is no schema").to_string()
    };
    let field = at("p", Signal::BeginField);
    #[rustfmt::skip]
    let cases: Vec<(String, &str)> = vec![
        (refused(&|ir| ir.header.clear()), "a list is empty"),
        (refused(&|ir| ir.messages[0].truncate(5)), "has no matching begin or end"),
        (refused(&|ir| ir.messages.push(ir.messages[0].clone())), "has the id or the name of another message"),
        (refused(&|ir| ir.messages[0][field].offset = 2), "over what is before it"),
        (refused(&|ir| ir.messages[0][field].offset = i32::MAX), "which is not from 0 to"),
        (refused(&|ir| ir.messages[0][0].encoded_length = 10), "has a block of 10 bytes"),
        (refused(&|ir| ir.messages[0][0].encoded_length = 70_000), "needs 70000 in `blockLength`"),
        (refused(&|ir| ir.messages[0][0].id = -5), "which is negative"),
        (refused(&|ir| ir.messages[0][at("Pair", Signal::BeginComposite)].encoded_length = 3), "and members to 9"),
        (refused(&|ir| ir.messages[0][at("late", Signal::Choice)].constant = vec![16, 0]), "is no bit of a uint16"),
        (refused(&|ir| ir.messages[0][at("k", Signal::BeginField)].constant = b"Side.Sell".to_vec()), "does not have"),
        (refused(&|ir| ir.messages[0][at("length", Signal::Encoding)].offset = 4), "is at offset 2, over"),
        (refused(&|ir| ir.messages[0][at("Qty", Signal::Encoding)].encoded_length = 3), "which no number of int32 takes"),
        (refused(&|ir| ir.header[1].name = "block".to_owned()), "single integer `blockLength`"),
        (refused(&|ir| ir.header[1].primitive = Some(Primitive::Int16)), "a `blockLength` that is not unsigned"),
        (refused(&|ir| {
            (ir.header[3].presence, ir.header[3].constant, ir.header[3].encoded_length) = (Presence::Constant, vec![8, 0], 0);
        }), "needs 7 in `schemaId`, which is always 8"),
        (refused(&|ir| ir.messages[0][at("blockLength", Signal::Encoding)].primitive = Some(Primitive::Int16)),
            "a dimension whose `blockLength` is not unsigned"),
        (refused(&|ir| {
            let count = &mut ir.messages[0][at("numInGroup", Signal::Encoding)];
            (count.presence, count.constant, count.encoded_length) = (Presence::Constant, vec![2, 0], 0);
        }), "`numInGroup` of `dims`, which is constant or a char"),
        (refused(&|ir| ir.messages[0][at("b", Signal::BeginField)].name = "b".repeat(1001)), "a name of more than 1000"),
    ];
    for (found, expected) in cases {
        assert!(found.contains(expected), "{found:?} does not say {expected:?}");
    }
    // Types may be as deep as in XML: a composite of the last level may have members, but no further composite.
    let open = at("Pair", Signal::BeginComposite);
    let deeper = |by: usize| {
        let mut ir = good.clone();
        let (begin, end) = (ir.messages[0][open].clone(), ir.messages[0][open + 5].clone());
        ir.messages[0].splice(open + 6..open + 6, std::iter::repeat_n(end, by));
        ir.messages[0].splice(open..open, std::iter::repeat_n(begin, by));
        // The outermost one is at the field's offset, and each other at the start of the one around it.
        ir.messages[0][open + 1..=open + by].iter_mut().for_each(|token| token.offset = 0);
        ir.to_schema().map(|_| ())
    };
    deeper(15).expect("sixteen levels are allowed");
    assert!(deeper(16).expect_err("it is too deep").to_string().contains("nested too deep"));
    // Any depth is refused, without reading all of it.
    let mut deep = good.clone();
    let open = at("Pair", Signal::BeginComposite);
    let (begin, end) = (deep.messages[0][open].clone(), deep.messages[0][open + 5].clone());
    assert_eq!(end.signal, Signal::EndComposite);
    deep.messages[0].splice(open..open, std::iter::repeat_n(begin, 100_000));
    deep.messages[0].splice(open + 100_006..open + 100_006, std::iter::repeat_n(end, 100_000));
    assert!(deep.to_schema().expect_err("it is too deep").to_string().contains("nested too deep"));
}
