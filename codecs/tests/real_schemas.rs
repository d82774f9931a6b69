//! Every real schema beside the repository is accepted or refused as by the official tool, with the same layout
//! numbers.

mod support;

use std::fmt::Write as _;
use std::path::Path;

use gannet_codecs::schema::{Body, Options, compile_file};

/// The file, warnings that must be given, and the layout: the header length if it is not 8, then `message=block`
/// followed by `group:block/dimension`. There are no published numbers for other messages.
const ACCEPTED: &[(&str, &[&str], &str)] = &[
    ("aeron-archive-codecs", &[], "ControlResponse=32 StartRecordingRequest=24 ReplayRequest=56"),
    ("aeron-archive-mark-codecs", &[], "MarkFileHeader=128"),
    ("binance-spot-3_3", &["unusual-width"], ""),
    ("binance-spot-3_4", &["unusual-width"], ""),
    (
        "binance-stream-1_0",
        &["unusual-width"],
        "TradesStreamEvent=18 trades:25/6 DepthDiffStreamEvent=26 bids:16/4 asks:16/4",
    ),
    ("car", &[], "Car=41 fuelFigures:6/4 performanceFigures:1/4 acceleration:6/4"),
    (
        "cme-mdp3-FixBinary",
        &[],
        "ChannelReset4=9 NoMDEntries:2/3 MDIncrementalRefreshBook32=11 NoMDEntries:32/3 NoOrderIDEntries:24/8",
    ),
    ("example-extension-schema", &[], "Car=62 fuelFigures:6/4 performanceFigures:1/4 acceleration:6/4"),
    ("example-schema", &[], "Car=45 fuelFigures:6/4 performanceFigures:1/4 acceleration:6/4"),
    (
        "fix-message-samples",
        &[],
        "NewOrder=156 OrderCancelReplaceRequest=204 MassQuote=62 QuoteSets:24/4 QuoteEntries:90/4",
    ),
    ("official/basic-group-schema", &[], "TestMessage1=16 Entries:28/3"),
    ("official/basic-types-schema", &[], "Message1=41 Message1WithOffsets=144"),
    ("official/composite-elements-schema", &[], "Msg=22"),
    ("official/composite-offsets-schema", &[], "h12 TestMessage1=0 Entries:16/8 TestMessage2=32"),
    ("official/constant-enum-fields", &[], "ConstantEnums=0 f:0/4"),
    (
        "official/dto-test-schema",
        &[],
        "OlderMessage=8 ExtendedCar=37 fuelFigures:9/4 performanceFigures:1/4 acceleration:6/4",
    ),
    ("official/embedded-length-and-count-schema", &[], "Message1=4 ListOrdGrp:14/3 Message2=4"),
    ("official/encoding-types-schema", &[], "Message1=25"),
    ("official/example-bigendian-test-schema", &[], "Car=49 fuelFigures:6/4 performanceFigures:1/4 acceleration:6/4"),
    ("official/example-extension-schema", &[], "Car=62 fuelFigures:6/4 performanceFigures:1/4 acceleration:6/4"),
    ("official/example-schema", &[], "Car=49 fuelFigures:6/4 performanceFigures:1/4 acceleration:6/4"),
    ("official/extension-schema", &[], "TestMessage1=14 TestMessage2=22"),
    ("official/field-order-check-schema", &[], "h10 NestedGroups=4 b:4/2 d:4/2 f:4/2 h:4/2"),
    ("official/fixed-sized-primitive-array-types", &[], "demo=652"),
    (
        "official/group-with-data-schema",
        &[],
        "TestMessage1=16 Entries:17/3 TestMessage3=16 Entries:9/3 NestedEntries:8/3",
    ),
    ("official/message-with-lower-case-bitset", &[], "SomeMessage=1"),
    ("official/nested-group-schema", &[], "Top=16 x:1/2 y:1/2 z:1/2"),
    ("official/value-ref-schema", &[], "MsgOne=8 MsgTwo=0 MsgThree=0 MsgFour=0 MsgFive=0"),
];

#[test]
fn every_real_schema_gets_the_official_verdict_and_layout() {
    let Some(data) = support::data("every_real_schema_gets_the_official_verdict_and_layout") else { return };
    let folder = data.join("schemas");
    let mut left: Vec<String> = Vec::new();
    for (below, prefix) in [(folder.clone(), ""), (folder.join("official"), "official/")] {
        for entry in std::fs::read_dir(below).expect("the folder can be listed") {
            let name = entry.expect("it can be listed").file_name().to_string_lossy().into_owned();
            left.extend(name.strip_suffix(".xml").map(|stem| format!("{prefix}{stem}")));
        }
    }
    for (name, warnings, layout) in ACCEPTED {
        left.retain(|other| other != name);
        let compiled = compile_file(folder.join(format!("{name}.xml")), &Options::default());
        let compiled = compiled.unwrap_or_else(|report| panic!("{name} is refused:\n{report}"));
        for code in *warnings {
            assert!(compiled.report.warnings().any(|found| found.code == *code), "{name}:\n{}", compiled.report);
        }
        let schema = compiled.schema;
        let mut found = if schema.header.length == 8 { String::new() } else { format!("h{} ", schema.header.length) };
        for message in &schema.messages {
            let _ = write!(found, "{}={} ", message.name, message.body.block_length);
            groups(&message.body, &mut found);
        }
        for words in messages(layout) {
            assert!(found.contains(&format!("{words} ")), "{name}: {words} is not in {found}");
        }
    }
    // A fragment that only other schemas can include.
    left.retain(|other| other != "common-types");
    let refused = compile_file(folder.join("common-types.xml"), &Options::default()).expect_err("it is not a schema");
    assert_eq!(refused.errors().map(|found| found.code).collect::<Vec<_>>(), ["not-a-schema"]);
    assert_eq!(left, Vec::<String>::new(), "every schema there has a verdict here");
}

fn groups(body: &Body, found: &mut String) {
    for group in &body.groups {
        let _ = write!(found, "{}:{}/{} ", group.name, group.body.block_length, group.dimension.length);
        groups(&group.body, found);
    }
}

/// Splits a layout into parts that start with a message each.
fn messages(layout: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in layout.split_whitespace() {
        match parts.last_mut() {
            Some(part) if word.contains(':') => *part = format!("{part} {word}"),
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

#[test]
fn places_in_an_included_file_name_that_file() {
    let Some(data) = support::data("places_in_an_included_file_name_that_file") else { return };
    let compiled = compile_file(data.join("schemas/example-schema.xml"), &Options::default()).expect("it is accepted");
    let booster = compiled.schema.types.iter().find(|ty| ty.name() == "Engine").expect("the include declares it");
    let position = compiled.schema.sources.position(booster.place()).expect("it was read from a file");
    assert!(Path::new(&position.file).ends_with("common-types.xml") || position.file.ends_with("example-schema.xml"));
    assert_eq!(compiled.schema.sources.names().count(), 2);
}
