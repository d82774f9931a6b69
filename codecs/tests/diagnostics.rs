//! A small schema for each error and warning, with the place that it must name.

use std::fmt::Write as _;
use std::path::Path;

use gannet_codecs::schema::{Options, Report, compile_file, compile_text};

const HEADER: &str = "<composite name='messageHeader'><type name='blockLength' primitiveType='uint16'/>\
    <type name='templateId' primitiveType='uint16'/><type name='schemaId' primitiveType='uint16'/>\
    <type name='version' primitiveType='uint16'/></composite>\
    <composite name='groupSizeEncoding'><type name='blockLength' primitiveType='uint16'/>\
    <type name='numInGroup' primitiveType='uint8'/></composite>\
    <composite name='varText'><type name='length' primitiveType='uint8'/>\
    <type name='varData' primitiveType='char' length='0'/></composite>";

fn compile(types: &str, messages: &str) -> Report {
    let text = format!(
        "<sbe:messageSchema xmlns:sbe='http://fixprotocol.io/2016/sbe' package='t' id='1' version='1'>\n\
         <types>{HEADER}\n{types}</types>\n{messages}\n</sbe:messageSchema>"
    );
    match compile_text("t.xml", &text, &Options::default()) {
        Ok(compiled) => compiled.report,
        Err(report) => report,
    }
}

/// The code, the text at the place, the types, and the content of a message.
#[rustfmt::skip]
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("constant-without-value", "<type", "<type name='A' primitiveType='uint8' presence='constant'/>", ""),
    ("constant-too-long", "ABCD", "<type name='A' primitiveType='char' length='3' presence='constant'>ABCD</type>", ""),
    ("value-ref", "E", "<type name='A' primitiveType='uint8' presence='constant' valueRef='E'/>", ""),
    ("value-ref", "E.x", "<type name='A' primitiveType='uint8' presence='constant' valueRef='E.x'/>", ""),
    ("value-ref", "E.y", "<enum name='E' encodingType='uint8'><validValue name='x'>1</validValue></enum>\
        <type name='A' primitiveType='uint8' presence='constant' valueRef='E.y'/>", ""),
    ("value-ref", "E.x", "<enum name='E' encodingType='uint8'><validValue name='x'>1</validValue></enum>\
        <type name='A' primitiveType='int8' presence='constant' valueRef='E.x'/>", ""),
    ("value-ref", "E.x", "<enum name='E' encodingType='uint8'><validValue name='x'>1</validValue></enum>\
        <type name='A' primitiveType='uint8' valueRef='E.x'/>", ""),
    ("enum-value-is-null", "255", "<enum name='E' encodingType='uint8'><validValue name='x'>255</validValue></enum>", ""),
    ("enum-value-range", "9", "<type name='T' primitiveType='uint8' maxValue='5'/>\
        <enum name='E' encodingType='T'><validValue name='x'>9</validValue></enum>", ""),
    ("encoding-type", "uint32", "<enum name='E' encodingType='uint32'/>", ""),
    ("encoding-type", "T", "<type name='T' primitiveType='uint8' length='2'/><enum name='E' encodingType='T'/>", ""),
    ("encoding-type", "int8", "<set name='S' encodingType='int8'/>", ""),
    ("choice-bit", "8", "<set name='S' encodingType='uint8'><choice name='a'>8</choice></set>", ""),
    ("choice-bit", "-1", "<set name='S' encodingType='uint8'><choice name='a'>-1</choice></set>", ""),
    ("malformed-value", "x", "<enum name='E' encodingType='uint8'><validValue name='x'>x</validValue></enum>", ""),
    ("malformed-value", "300", "<type name='T' primitiveType='uint8' maxValue='300'/>", ""),
    ("malformed-value", "ab", "<enum name='E' encodingType='char'><validValue name='x'>ab</validValue></enum>", ""),
    ("malformed-number", "-1", "<type name='T' primitiveType='uint8' length='-1'/>", ""),
    ("malformed-number", "0x10", "", "<field name='a' id='0x10' type='uint8'/>"),
    ("unknown-primitive", "uint23", "<type name='T' primitiveType='uint23'/>", ""),
    ("unknown-presence", "opt", "<type name='T' primitiveType='uint8' presence='opt'/>", ""),
    ("missing-attribute", "<type", "<type name='T'/>", ""),
    ("empty-attribute", "name", "<type name='' primitiveType='uint8'/>", ""),
    ("duplicate-member", "a", "<composite name='C'><type name='a' primitiveType='uint8'/>\
        <type name='a' primitiveType='uint8'/></composite>", ""),
    ("composite-member", "<data", "<composite name='C'><data name='d' id='1' type='varText'/></composite>", ""),
    ("composite-member", "<group", "<composite name='C'><group name='d' id='1'/></composite>", ""),
    ("member-offset", "1", "<composite name='C'><type name='a' primitiveType='uint32'/>\
        <type name='b' primitiveType='uint8' offset='1'/></composite>", ""),
    ("unknown-type", "uint8", "<composite name='C'><ref name='a' type='uint8'/></composite>", ""),
    ("cyclic-type", "<composite", "<composite name='C'><ref name='a' type='D'/></composite>\
        <composite name='D'><ref name='a' type='C'/></composite>", ""),
    ("too-long", "99999999", "<type name='T' primitiveType='uint8' length='99999999'/>", ""),
    ("duplicate-id", "1", "", "<field name='a' id='1' type='uint8'/><field name='b' id='1' type='uint8'/>"),
    ("duplicate-name", "a", "", "<field name='a' id='1' type='uint8'/><data name='a' id='2' type='varText'/>"),
    ("out-of-order", "<field", "", "<group name='g' id='1'/><field name='a' id='2' type='uint8'/>"),
    ("out-of-order", "<group", "", "<data name='d' id='1' type='varText'/><group name='g' id='2'/>"),
    ("unknown-type", "nope", "", "<field name='a' id='1' type='nope'/>"),
    ("data", "uint8", "", "<data name='a' id='1' type='uint8'/>"),
    ("data", "optional", "", "<data name='a' id='1' type='varText' presence='optional'/>"),
    ("data", "4", "", "<data name='a' id='1' type='varText' offset='4'/>"),
    ("data", "<composite", "<composite name='D'><type name='varData' primitiveType='char'/></composite>",
        "<data name='a' id='1' type='D'/>"),
    ("data", "<composite", "<composite name='D'><type name='length' primitiveType='uint8'/></composite>",
        "<data name='a' id='1' type='D'/>"),
    ("data", "<type", "<composite name='D'><type name='length' primitiveType='int8'/>\
        <type name='varData' primitiveType='char'/></composite>", "<data name='a' id='1' type='D'/>"),
    ("data", "<type", "<composite name='D'><type name='length' primitiveType='uint32'/>\
        <type name='varData' primitiveType='char'/></composite>", "<data name='a' id='1' type='D'/>"),
    ("data", "<type", "<composite name='D'><type name='length' primitiveType='uint32' maxValue='4294967295'/>\
        <type name='varData' primitiveType='char'/></composite>", "<data name='a' id='1' type='D'/>"),
    ("data", "<type", "<composite name='D'><type name='length' primitiveType='uint8'/>\
        <type name='varData' primitiveType='uint8' presence='constant'>7</type></composite>", "<data name='a' id='1' type='D'/>"),
    ("data", "<type", "<composite name='D'><type name='length' primitiveType='uint8'/><type name='varData' primitiveType='uint8' \
        length='0'/><type name='k' primitiveType='uint8' presence='constant' offset='10'>7</type></composite>",
        "<data name='a' id='1' type='D'/>"),
    ("dimension", "nope", "", "<group name='g' id='1' dimensionType='nope'/>"),
    ("dimension", "uint8", "", "<group name='g' id='1' dimensionType='uint8'/>"),
    ("dimension", "<composite", "<composite name='D'><type name='numInGroup' primitiveType='uint8'/></composite>",
        "<group name='g' id='1' dimensionType='D'/>"),
    ("dimension", "<composite", "<composite name='D'><type name='blockLength' primitiveType='uint8'/></composite>",
        "<group name='g' id='1' dimensionType='D'/>"),
    ("dimension", "<type", "<composite name='D'><type name='blockLength' primitiveType='int8'/>\
        <type name='numInGroup' primitiveType='uint8'/></composite>", "<group name='g' id='1' dimensionType='D'/>"),
    ("dimension", "<type", "<composite name='D'><type name='blockLength' primitiveType='uint8'/>\
        <type name='numInGroup' primitiveType='uint32'/></composite>", "<group name='g' id='1' dimensionType='D'/>"),
    ("dimension", "<type", "<composite name='D'><type name='blockLength' primitiveType='uint8'/>\
        <type name='numInGroup' primitiveType='int8'/></composite>", "<group name='g' id='1' dimensionType='D'/>"),
    ("dimension", "<type", "<composite name='D'><type name='blockLength' primitiveType='uint8'/>\
        <type name='numInGroup' primitiveType='uint8' minValue='9' maxValue='3'/></composite>",
        "<group name='g' id='1' dimensionType='D'/>"),
    ("field-offset", "2", "", "<field name='a' id='1' type='uint32'/><field name='b' id='2' type='uint8' offset='2'/>"),
    ("block-length", "3", "", "<group name='g' id='1' blockLength='3'><field name='a' id='1' type='uint32'/></group>"),
    ("does-not-fit", "300", "<composite name='D'><type name='blockLength' primitiveType='uint8'/>\
        <type name='numInGroup' primitiveType='uint8'/></composite>",
        "<group name='g' id='1' dimensionType='D' blockLength='300'/>"),
    ("semantic-type", "Price", "<type name='T' primitiveType='uint8' semanticType='Qty'/>",
        "<field name='a' id='1' type='T' semanticType='Price'/>"),
    ("constant-without-value", "constant", "", "<field name='a' id='1' type='uint8' presence='constant'/>"),
    ("constant-without-value", "constant", "<enum name='E' encodingType='uint8'/>",
        "<field name='a' id='1' type='E' presence='constant'/>"),
    ("value-ref", "F.x", "<enum name='E' encodingType='uint8'/>\
        <enum name='F' encodingType='uint8'><validValue name='x'>1</validValue></enum>",
        "<field name='a' id='1' type='E' presence='constant' valueRef='F.x'/>"),
    ("value-ref", "T.x", "<type name='T' primitiveType='uint8'/>",
        "<field name='a' id='1' type='uint8' presence='constant' valueRef='T.x'/>"),
    ("optional-constant", "optional", "<type name='T' primitiveType='uint8' presence='constant'>1</type>",
        "<field name='a' id='1' type='T' presence='optional'/>"),
    ("since-version", "7", "", "<field name='a' id='1' type='uint8' sinceVersion='7'/>"),
    ("since-version", "7", "<set name='S' encodingType='uint8'><choice name='a' sinceVersion='7'>1</choice></set>", ""),
    ("unsupported", "alignment", "", "<field name='a' id='1' type='uint8' alignment='4'/>"),
];

#[test]
fn each_error_names_its_place() {
    for (code, text, types, content) in REFUSED {
        let report = compile(types, &format!("<sbe:message name='M' id='1'>\n{content}</sbe:message>"));
        let places: Vec<_> = report
            .errors()
            .map(|found| (found.code, report.sources().position(found.place).map(|position| position.text)))
            .collect();
        assert!(
            places.iter().any(|(found, shown)| found == code && shown.as_deref() == Some(*text)),
            "{code} at {text:?} is not among {places:?}\n{report}"
        );
        assert!(report.errors().all(|found| found.hint.is_some()), "a way out is missing\n{report}");
    }
}

#[rustfmt::skip]
const WARNED: &[(&str, &str, &str)] = &[
    ("repeated-type", "<type name='T' primitiveType='uint8'/><type name='T' description='the same' primitiveType='uint8'/>", ""),
    ("duplicate-value", "<enum name='E' encodingType='uint8'><validValue name='a'>1</validValue>\
        <validValue name='b'>1</validValue></enum>", ""),
    ("duplicate-value", "<enum name='E' encodingType='uint8'><validValue name='a'>1</validValue>\
        <validValue name='a'>2</validValue></enum>", ""),
    ("duplicate-choice", "<set name='S' encodingType='uint8'><choice name='a'>1</choice><choice name='a'>2</choice></set>", ""),
    ("duplicate-choice", "<set name='S' encodingType='uint8'><choice name='a'>1</choice><choice name='b'>1</choice></set>", ""),
    ("null-of-required", "<type name='T' primitiveType='uint8' nullValue='7'/>", ""),
    ("empty-range", "<type name='T' primitiveType='uint8' minValue='7' maxValue='3'/>", ""),
    ("name", "", "<field name='a b' id='1' type='uint8'/>"),
    ("name", "", "<field name='yield' id='1' type='uint8'/>"),
    ("unusual-width", "<composite name='D'><type name='length' primitiveType='uint64'/>\
        <type name='varData' primitiveType='char'/></composite>", "<data name='a' id='1' type='D'/>"),
    ("unusual-width", "<composite name='D'><type name='blockLength' primitiveType='uint8'/>\
        <type name='numInGroup' primitiveType='int8' minValue='0'/></composite>", "<group name='g' id='1' dimensionType='D'/>"),
    ("unknown-attribute", "", "<field name='a' id='1' type='uint8' sinceversion='1'/>"),
    ("unknown-element", "", "<fields name='a' id='1' type='uint8'/>"),
    ("unknown-charset", "<type name='T' primitiveType='char' characterEncoding='KLINGON'/>", ""),
    ("signed-set", "<type name='T' primitiveType='int8'/><set name='S' encodingType='T'/>", ""),
    ("null-in-range", "<type name='T' primitiveType='uint8' presence='optional' nullValue='7' maxValue='9'/>", ""),
    ("empty-range", "<type name='T' primitiveType='float' minValue='1.5' maxValue='1'/>", ""),
    ("name", "", "<field name='9a' id='1' type='uint8'/>"),
    ("name-clash", "", "<field name='fooBar' id='1' type='uint8'/><field name='foo_bar' id='2' type='uint8'/>"),
    ("name-clash", "<enum name='E' encodingType='uint8'><validValue name='a'>1</validValue><validValue name='A'>2</validValue></enum>", ""),
    ("since-order", "", "<field name='a' id='1' type='uint8' sinceVersion='1'/><field name='b' id='2' type='uint8'/>"),
    ("since-order", "", "<group name='g' id='1' sinceVersion='1'/><data name='d' id='2' type='varText'/>"),
    ("empty-field", "<type name='T' primitiveType='uint8' length='0'/>", "<field name='a' id='1' type='T'/>"),
    ("data-as-field", "", "<field name='a' id='1' type='varText'/><data name='d' id='2' type='varText'/>"),
    ("unusual-width", "<composite name='D'><type name='blockLength' primitiveType='uint32' maxValue='9'/>\
        <type name='numInGroup' primitiveType='uint8'/></composite>", "<group name='g' id='1' dimensionType='D'/>"),
    ("required-constant", "<type name='T' primitiveType='uint8' presence='constant'>1</type>",
        "<field name='a' id='1' type='T' presence='required'/>"),
];

#[test]
fn each_warning_leaves_the_schema_accepted() {
    for (code, types, content) in WARNED {
        let report = compile(types, &format!("<sbe:message name='M' id='1'>\n{content}</sbe:message>"));
        assert!(report.warnings().any(|found| found.code == *code), "{code} is missing\n{report}");
        assert_eq!(report.errors().count(), 0, "{report}");
    }
    assert!(compile("", "").warnings().any(|found| found.code == "no-messages"));
    assert_eq!(compile("", "<sbe:message name='M' id='0'/>").diagnostics().len(), 0, "trap 18: a template id may be 0");
}

/// It is not sent, so nobody expects what follows it elsewhere.
#[test]
fn a_constant_may_stand_in_front_of_older_fields_and_behind_newer_ones() {
    let types = "<type name='T' primitiveType='uint8' presence='constant'>1</type>";
    let fields = "<field name='a' id='1' type='T' sinceVersion='1'/><field name='b' id='2' type='uint8'/>\
        <field name='c' id='3' type='uint8' sinceVersion='1'/><field name='d' id='4' type='T'/>";
    let report = compile(types, &format!("<sbe:message name='M' id='1'>{fields}</sbe:message>"));
    assert_eq!(report.diagnostics().len(), 0, "{report}");
}

#[test]
fn duplicate_messages_are_refused_with_both_places() {
    let report = compile("", "<sbe:message name='M' id='1'/>\n<sbe:message name='M' id='1'/>");
    let codes: Vec<_> = report.errors().map(|found| found.code).collect();
    assert_eq!(codes.len(), 2, "{report}");
    for found in report.errors() {
        let first = report.sources().position(found.related[0].0).expect("the first has a place");
        let second = report.sources().position(found.place).expect("the second has a place");
        assert_eq!(first.line + 1, second.line);
    }
}

/// Whatever differs: an attribute, a kind, a member of a composite, a value of an enum.
#[test]
fn different_types_of_one_name_are_refused_with_both_places() {
    let composite =
        |member: &str| format!("<composite name='T'><type name='{member}' primitiveType='uint8'/></composite>");
    let enumeration =
        |value: &str| format!("<enum name='T' encodingType='uint8'><validValue name='a'>{value}</validValue></enum>");
    let plain = "<type name='T' primitiveType='uint8'/>".to_owned();
    for (first, second) in [
        (plain.clone(), "<type name='T' primitiveType='uint16'/>".to_owned()),
        (plain.clone(), "<type name='T' primitiveType='uint8' nullValue='7'/>".to_owned()),
        (plain, enumeration("1")),
        (composite("a"), composite("b")),
        (composite("a"), "<composite name='T'/>".to_owned()),
        (enumeration("1"), enumeration("2")),
    ] {
        let report = compile(&format!("{first}\n{second}"), "<sbe:message name='M' id='1'/>");
        let found: Vec<_> = report.errors().filter(|found| found.code == "duplicate-type").collect();
        assert_eq!(found.len(), 1, "{first} and {second}\n{report}");
        let first = report.sources().position(found[0].related[0].0).expect("the first has a place");
        let second = report.sources().position(found[0].place).expect("the second has a place");
        assert_eq!(first.line + 1, second.line);
    }
}

#[test]
fn trap_21_a_misspelt_byte_order_is_refused() {
    let text = format!("<messageSchema package='t' id='1' byteOrder='big'><types>{HEADER}</types></messageSchema>");
    let report = compile_text("t.xml", &text, &Options::default()).expect_err("it is refused");
    assert_eq!(report.errors().next().map(|found| found.code), Some("unknown-byte-order"));
}

#[test]
fn headers_are_checked() {
    for (code, header) in [
        ("header", "<type name='messageHeader' primitiveType='uint8'/>"),
        ("header", "<composite name='messageHeader'><type name='blockLength' primitiveType='uint16'/></composite>"),
    ] {
        let text = format!("<messageSchema package='t' id='1'><types>{header}</types></messageSchema>");
        let report = compile_text("t.xml", &text, &Options::default()).expect_err("it is refused");
        assert!(report.errors().any(|found| found.code == code), "{report}");
    }
    let text = format!("<messageSchema package='t' id='70000'><types>{HEADER}</types></messageSchema>");
    let report = compile_text("t.xml", &text, &Options::default()).expect_err("it is refused");
    assert!(report.errors().any(|found| found.code == "does-not-fit"), "{report}");
}

#[test]
fn a_suggestion_follows_a_misspelt_name() {
    let types = "<type name='Price' primitiveType='int64'/>";
    let report = compile(types, "<sbe:message name='M' id='1'><field name='a' id='1' type='price'/></sbe:message>");
    assert_eq!(report.errors().next().and_then(|found| found.hint.as_deref()), Some("did you mean `Price`?"));
}

#[test]
fn findings_are_machine_readable() {
    let report = compile("", "<sbe:message name='M' id='1'><field name='a' id='1' type='nope'/></sbe:message>");
    let line: serde_json::Value = serde_json::from_str(report.to_json_lines().trim()).expect("each line is JSON");
    assert_eq!((&line["code"], &line["line"], &line["text"]), (&"unknown-type".into(), &4.into(), &"nope".into()));
}

#[test]
fn warnings_can_be_denied_and_allowed() {
    let text = format!("<messageSchema package='t' id='1'><types>{HEADER}</types></messageSchema>");
    let deny = Options { deny: vec!["no-messages".into()], ..Options::default() };
    assert!(compile_text("t.xml", &text, &deny).is_err());
    let allow = Options { allow: vec!["no-messages".into()], deny_warnings: true, ..Options::default() };
    assert!(compile_text("t.xml", &text, &allow).is_ok());
}

#[test]
fn hostile_sizes_end_in_findings() {
    // References that multiply at each step, groups in groups, composites in composites, and megabytes of fields.
    let mut doubling = String::from("<composite name='C0'><type name='a' primitiveType='uint8'/></composite>");
    for level in 1..12 {
        let members: String =
            ["a", "b", "c", "d"].iter().map(|name| format!("<ref name='{name}' type='C{}'/>", level - 1)).collect();
        let _ = write!(doubling, "<composite name='C{level}'>{members}</composite>");
    }
    assert!(compile(&doubling, "").errors().any(|found| found.code == "too-many-values" || found.code == "too-long"));

    let mut chain = String::from("<composite name='C0'><type name='a' primitiveType='uint8'/></composite>");
    for level in (1..500).rev() {
        let _ = write!(chain, "<composite name='C{level}'><ref name='a' type='C{}'/></composite>", level - 1);
    }
    assert!(compile(&chain, "").errors().any(|found| found.code == "too-deep"));

    let deep = 5000;
    let groups: String = (0..deep).map(|at| format!("<group name='g{at}' id='{at}'>")).collect();
    let report =
        compile("", &format!("<sbe:message name='M' id='1'>{groups}{}</sbe:message>", "</group>".repeat(deep)));
    assert!(report.errors().any(|found| found.code == "too-deep"), "{report}");

    let nested = format!("{}{}", "<composite name='x'>".repeat(deep), "</composite>".repeat(deep));
    assert!(compile(&nested, "").errors().any(|found| found.code == "too-deep"));

    let fields: String = (0..40_000).map(|at| format!("<field name='f{at}' id='{at}' type='nope'    />")).collect();
    let many = compile("", &format!("<sbe:message name='M' id='1'>{fields}{fields}</sbe:message>"));
    assert!(many.diagnostics().len() < 1100 && many.errors().count() > 0);
}

#[test]
fn includes_stay_in_their_folder_and_do_not_turn_round() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has a parent")).expect("a folder can be made");
        std::fs::write(path, content).expect("a file can be written");
    };
    let include = |href: &str| {
        format!(
            "<messageSchema xmlns:xi='http://www.w3.org/2001/XInclude' package='t' id='1'>\
             <xi:include href='{href}'><xi:fallback/></xi:include><message name='M' id='1'/></messageSchema>"
        )
    };
    let types =
        format!("<types xmlns:xi='http://www.w3.org/2001/XInclude'>{HEADER}<xi:include href='more/one.xml'/></types>");
    write("sub/types.xml", &types);
    write("sub/more/one.xml", "<type name='One' primitiveType='uint8'/>");
    write("good.xml", &include("sub/types.xml"));
    let good = compile_file(folder.path().join("good.xml"), &Options::default());
    let good = good.unwrap_or_else(|report| panic!("{report}"));
    assert!(good.schema.types.iter().any(|ty| ty.name() == "One"), "includes nest, each relative to its own file");

    write("sub/outside.xml", &include("../good.xml"));
    write("turning.xml", &include("turning.xml"));
    write("absent.xml", &include("nowhere.xml"));
    write("absolute.xml", &include("/etc/hostname"));
    write("remote.xml", &include("http://example.invalid/types.xml"));
    for name in ["sub/outside.xml", "turning.xml", "absent.xml", "absolute.xml", "remote.xml"] {
        let refused = compile_file(folder.path().join(name), &Options::default()).expect_err("it is refused");
        assert!(refused.errors().any(|found| found.code == "include"), "{name}: {refused}");
    }
}

#[test]
fn every_finding_of_the_list_is_one_that_is_made() {
    // The list and the code must name the same findings.
    let rows: Vec<&str> = gannet_codecs::schema::codes().collect();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema");
    let (mut code, mut paths) = (String::new(), vec![sources]);
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).expect("the sources are there");
            paths.extend(entries.map(|entry| entry.expect("it can be listed").path()));
        } else {
            code += &std::fs::read_to_string(path).expect("it can be read");
        }
    }
    for row in &rows {
        assert!(code.contains(&format!("\"{row}\"")), "{row} is listed and never found");
    }
    for call in [".error(", ".warning("] {
        for (at, _) in code.match_indices(call) {
            let after = code[at + call.len()..].trim_start();
            if let Some((found, _)) = after.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                assert!(rows.contains(&found) || found.len() == 1, "{found} is found and not listed");
            }
        }
    }
    assert!(rows.len() > 50, "{rows:?}");
}

/// A file can come from anyone. The mark stays under what it marks.
#[test]
fn a_line_is_shown_without_what_a_terminal_acts_on() {
    let text = "<messageSchema package='\t\u{9b}2J' id='x'/>";
    let report = compile_text("t.xml", text, &Options::default()).expect_err("x is no number").to_string();
    let shown: Vec<_> = report.lines().skip_while(|line| !line.contains("[malformed-number]")).collect();
    assert_eq!(shown[3], "1 | <messageSchema package=' \u{fffd}2J' id='x'/>");
    assert_eq!(shown[4].chars().position(|c| c == '^'), shown[3].chars().position(|c| c == 'x'));
    assert!(!report.contains(|c: char| c.is_control() && c != '\n'), "{report:?}");
}
