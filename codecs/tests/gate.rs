//! Compares pairs of schemas: each kind of change gets its verdict, and so do real versions of one schema.

mod support;

use gannet_codecs::gate::{Verdict, compare};
use gannet_codecs::schema::{Options, Schema, compile_file, compile_text};

fn schema(version: u32, types: &str, content: &str) -> Schema {
    let text = format!(
        "<messageSchema package='t' id='1' version='{version}'><types>\
         <composite name='messageHeader'><type name='blockLength' primitiveType='uint16'/>\
         <type name='templateId' primitiveType='uint16'/><type name='schemaId' primitiveType='uint16'/>\
         <type name='version' primitiveType='uint16'/></composite>\
         <composite name='groupSizeEncoding'><type name='blockLength' primitiveType='uint16'/>\
         <type name='numInGroup' primitiveType='uint8'/></composite>\
         <composite name='varText'><type name='length' primitiveType='uint8'/>\
         <type name='varData' primitiveType='char' length='0'/></composite>\n{types}</types>\n{content}</messageSchema>"
    );
    compile_text("t.xml", &text, &Options::default()).unwrap_or_else(|report| panic!("{report}")).schema
}

const TYPES: &str = "<enum name='E' encodingType='uint8'><validValue name='x'>1</validValue></enum>\
    <set name='S' encodingType='uint8'><choice name='p'>0</choice></set>\
    <composite name='C'><type name='m' primitiveType='int64'/></composite>\
    <type name='O' primitiveType='uint8' presence='optional' nullValue='9'/>";
const MESSAGE: &str = "<message name='M' id='1'><field name='a' id='1' type='uint32'/><field name='e' id='2' type='E'/>\
    <field name='s' id='3' type='S'/><field name='c' id='4' type='C'/><field name='o' id='5' type='O'/>\
    <group name='g' id='10'><field name='x' id='1' type='uint8'/></group><data name='d' id='20' type='varText'/></message>";

/// The replaced text in types or message, its replacement, and the rule and verdict that must result.
#[rustfmt::skip]
const CHANGES: &[(&str, &str, &str, Verdict)] = &[
    ("type='O'/>", "type='O'/><field name='n' id='6' type='uint8' presence='optional' sinceVersion='1'/>", "field-added", Verdict::Compatible),
    ("type='O'/>", "type='O'/><field name='n' id='6' type='uint8' sinceVersion='1'/>", "field-added", Verdict::WithCare),
    ("type='O'/>", "type='O'/><field name='n' id='6' type='uint8' presence='optional'/>", "since-missing", Verdict::Breaking),
    ("<field name='a'", "<field name='n' id='6' type='uint8' sinceVersion='1'/><field name='a'", "field-added", Verdict::Breaking),
    ("<field name='a' id='1' type='uint32'/>", "", "field-removed", Verdict::Breaking),
    ("<field name='a' id='1' type='uint32'/>", "<field name='a' id='1' type='int32'/>", "type", Verdict::Breaking),
    ("<field name='a' id='1' type='uint32'/>", "<field name='b' id='1' type='uint32'/>", "renamed", Verdict::WithCare),
    ("<field name='a' id='1' type='uint32'/>", "<field name='a' id='1' type='uint32' presence='optional'/>", "presence", Verdict::WithCare),
    ("<field name='e' id='2' type='E'/>", "<field name='e' id='2' type='E' offset='8'/>", "offset", Verdict::Breaking),
    ("<field name='a' id='1' type='uint32'/>", "<field name='a' id='1' type='uint32' deprecated='1'/>", "deprecated", Verdict::Compatible),
    ("nullValue='9'", "nullValue='8'", "null", Verdict::Breaking),
    ("<validValue name='x'>1", "<validValue name='y' sinceVersion='1'>2</validValue><validValue name='x'>1", "enum-value-added", Verdict::WithCare),
    ("<validValue name='x'>1", "<validValue name='x'>2", "enum-value", Verdict::Breaking),
    ("<validValue name='x'>1", "<validValue name='z'>3", "enum-value-removed", Verdict::Breaking),
    ("<choice name='p'>0", "<choice name='q' sinceVersion='1'>1</choice><choice name='p'>0", "choice-added", Verdict::Compatible),
    ("<choice name='p'>0", "<choice name='p'>3", "choice", Verdict::Breaking),
    ("<type name='m' primitiveType='int64'/>", "<type name='m' primitiveType='int64'/><type name='n' primitiveType='int8'/>", "composite", Verdict::Breaking),
    ("<type name='numInGroup' primitiveType='uint8'/>", "<type name='numInGroup' primitiveType='uint16'/>", "type", Verdict::Breaking),
    ("<field name='x' id='1' type='uint8'/>", "<field name='x' id='1' type='uint8'/><data name='y' id='2' type='varText' sinceVersion='1'/>", "data-added", Verdict::Breaking),
    ("type='varText'/></message>", "type='varText'/><data name='y' id='21' type='varText' sinceVersion='1'/></message>", "data-added", Verdict::Compatible),
    ("<data name='d'", "<group name='h' id='11' sinceVersion='1'/><data name='d'", "group-before-data", Verdict::Breaking),
    ("<data name='d' id='20' type='varText'/>", "", "data-removed", Verdict::Breaking),
    ("<message name='M' id='1'>", "<message name='N' id='2' sinceVersion='1'/><message name='M' id='1'>", "message-added", Verdict::Compatible),
    ("<message name='M' id='1'>", "<message name='M' id='2' sinceVersion='1'>", "message-removed", Verdict::Breaking),
    ("<message name='M' id='1'>", "<message name='M' id='1' blockLength='40'>", "block-grew", Verdict::Compatible),
    ("<message name='M' id='1'>", "<message name='M' id='1' sinceVersion='1'>", "since-changed", Verdict::Breaking),
];

#[test]
fn each_kind_of_change_has_its_verdict() {
    let old = schema(0, TYPES, MESSAGE);
    for (from, to, rule, verdict) in CHANGES {
        let text = |text: &str| text.replacen(from, to, 1);
        // The header types are written by `schema`, so they are changed through a type of the same name.
        let new = if from.contains("numInGroup") {
            let own = "<composite name='wide'><type name='blockLength' primitiveType='uint16'/>\
                <type name='numInGroup' primitiveType='uint16'/></composite>";
            schema(
                1,
                &format!("{TYPES}{own}"),
                &MESSAGE.replace("name='g' id='10'", "name='g' id='10' dimensionType='wide'"),
            )
        } else {
            schema(1, &text(TYPES), &text(MESSAGE))
        };
        let comparison = compare(&old, &new);
        assert!(
            comparison.changes().iter().any(|change| change.rule == *rule && change.verdict == *verdict),
            "{rule}, {} is missing for {to}:\n{comparison}",
            verdict.name()
        );
        if *verdict != Verdict::Breaking {
            assert!(comparison.verdict() <= *verdict, "{to}:\n{comparison}");
        }
    }
    assert_eq!(compare(&old, &schema(0, TYPES, MESSAGE)).changes().len(), 0);
}

#[test]
fn a_change_without_a_new_version_is_told() {
    let old = schema(0, TYPES, MESSAGE);
    let new = schema(
        0,
        TYPES,
        &MESSAGE.replace("<message name='M' id='1'>", "<message name='N' id='2'/><message name='M' id='1'>"),
    );
    let comparison = compare(&old, &new);
    assert_eq!(comparison.verdict(), Verdict::Breaking, "{comparison}");
    assert!(comparison.changes().iter().any(|change| change.rule == "version-kept"), "{comparison}");
}

#[test]
fn changes_name_both_places_in_text_and_in_json() {
    let old = schema(0, TYPES, MESSAGE);
    let new = schema(
        1,
        TYPES,
        &MESSAGE.replace("<field name='a' id='1' type='uint32'/>", "\n<field name='a' id='1' type='int32'/>"),
    );
    let comparison = compare(&old, &new);
    let line = comparison.to_json_lines();
    let line: serde_json::Value =
        serde_json::from_str(line.lines().next().expect("there is a change")).expect("it is JSON");
    assert_eq!((&line["verdict"], &line["what"]), (&"breaking".into(), &"M.a".into()));
    assert_eq!((&line["old"]["line"], &line["new"]["line"]), (&3.into(), &4.into()));
    assert!(comparison.to_string().contains("  new: t.xml:4:1"), "{comparison}");
}

#[test]
fn two_published_versions_of_an_exchange_are_compatible() {
    let Some(data) = support::data("two_published_versions_of_an_exchange_are_compatible") else { return };
    let read = |name: &str| {
        let path = data.join("schemas").join(name);
        compile_file(path, &Options::default()).expect("the schema is accepted").schema
    };
    let (old, new) = (read("binance-spot-3_3.xml"), read("binance-spot-3_4.xml"));
    let forward = compare(&old, &new);
    assert!(forward.changes().iter().any(|change| change.rule == "message-added"), "{forward}");
    assert!(forward.changes().iter().any(|change| change.rule == "field-added"), "{forward}");
    assert_eq!(forward.verdict(), Verdict::Compatible, "{forward}");
    let backward = compare(&new, &old);
    assert_eq!(backward.verdict(), Verdict::Breaking, "{backward}");
    assert_eq!(compare(&old, &old).changes().len(), 0);
}

#[test]
fn every_rule_is_listed_for_those_who_allow_it() {
    let listed = include_str!("../docs/gate.md");
    let source = concat!(
        include_str!("../src/gate/mod.rs"),
        include_str!("../src/gate/messages.rs"),
        include_str!("../src/gate/bodies.rs"),
        include_str!("../src/gate/types.rs"),
    );
    let verdicts = ["Breaking", "Compatible", "WithCare", "verdict"];
    let mut rules = vec!["group-removed", "group-added", "group-moved", "data-removed", "data-added", "data-moved"];
    for part in source.split("(\"").skip(1) {
        if let Some((rule, rest)) = part.split_once("\", ")
            && verdicts.iter().any(|verdict| rest.starts_with(verdict))
        {
            rules.push(rule);
        }
    }
    assert!(rules.len() > 35, "{rules:?}");
    for rule in rules {
        assert!(listed.contains(&format!("`{rule}`")), "{rule} is not in docs/gate.md");
    }
}

#[test]
fn what_is_allowed_does_not_count_and_what_is_not_there_is_not_allowed() {
    let old = schema(0, TYPES, MESSAGE);
    let new = schema(1, TYPES, &MESSAGE.replace("<field name='a' id='1' type='uint32'/>", ""));
    let mut comparison = compare(&old, &new);
    let breaking: Vec<_> = comparison.changes().iter().filter(|change| change.verdict == Verdict::Breaking).collect();
    let rules: Vec<(&str, String)> = breaking.iter().map(|change| (change.rule, change.what.clone())).collect();
    assert!(rules.contains(&("field-removed", "M.a".to_owned())), "{comparison}");
    assert_eq!(comparison.allow("field-removed", Some("M.b")), 0);
    assert_eq!(comparison.allow("field-moved", None), 0);
    for (rule, what) in &rules {
        assert_eq!(comparison.verdict(), Verdict::Breaking);
        assert_eq!(comparison.allow(rule, Some(what)), 1, "{rule}: {what}");
    }
    assert!(comparison.verdict() < Verdict::Breaking, "{comparison}");
    assert!(comparison.to_json_lines().contains("\"allowed\":true"));
}
