//! `gannet sbe` and `gannet sub --schema`: schemas are checked, compared and compiled, and messages decoded with them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{CHANNEL, Driver, Ended, Process, gannet, pipe, raw};

const HEADER: &str = "<composite name='messageHeader'><type name='blockLength' primitiveType='uint16'/>\
    <type name='templateId' primitiveType='uint16'/><type name='schemaId' primitiveType='uint16'/>\
    <type name='version' primitiveType='uint16'/></composite>";
pub(crate) const ORDER: &str = "<field name='id' id='1' type='uint64'/><field name='side' id='2' type='Side'/>";

/// A schema in a file of its own.
pub(crate) fn schema(dir: &Path, name: &str, version: u32, fields: &str) -> String {
    let text = format!(
        "<messageSchema package='orders' id='9' version='{version}'><types>{HEADER}\n\
         <enum name='Side' encodingType='char'><validValue name='Buy'>B</validValue></enum></types>\n\
         <message name='Order' id='3'>{fields}</message>\n</messageSchema>"
    );
    let path = dir.join(name);
    std::fs::write(&path, text).expect("there is room");
    path.to_str().expect("a plain path").to_owned()
}

fn sbe(arguments: &[&str], input: Option<&[u8]>) -> Ended {
    let mut all = vec!["sbe"];
    all.extend(arguments);
    Process::spawn(&mut gannet(&all), input).end()
}

fn text(ended: Ended) -> String {
    String::from_utf8(ended.success()).expect("text")
}

/// The folder of real schemas and messages, if it is beside the repository. A test without it reports that it was
/// skipped.
pub(crate) fn data(test: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if folder.join("golden").is_dir() {
        return Some(folder);
    }
    crate::skip::report(test, &format!("no real schemas and messages in {}", folder.display()));
    None
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn order(version: u8, id: u8, side: u8) -> Vec<u8> {
    vec![9, 0, 3, 0, 9, 0, version, 0, id, 0, 0, 0, 0, 0, 0, 0, side]
}

/// A schema can come from anyone: a name with a control character by its number, and a line with one as it is.
#[test]
fn what_is_wrong_with_a_schema_does_not_act_on_the_terminal() {
    let dir = tempfile::tempdir().expect("a directory");
    let by_number = schema(dir.path(), "number.xml", 0, "<field name='a&#x9b;2J' id='1' type='None'/>");
    let as_it_is = schema(dir.path(), "raw.xml", 0, "<field name='\u{1b}[2J' id='1' type='uint8'/>");
    let fine = schema(dir.path(), "fine.xml", 1, ORDER);
    let gone = schema(dir.path(), "gone.xml", 0, "<field name='a&#x9b;2J' id='1' type='uint64'/>");
    let out = dir.path().join("code");
    let out = out.to_str().expect("a plain path");
    for arguments in [
        &["check", &by_number][..],
        &["check", &as_it_is],
        &["check", &fine, "--against", &gone],
        &["generate", &as_it_is, "--out", out],
        &["generate", &gone, "--out", out],
        &["decode", "--schema", &by_number],
    ] {
        let ended = sbe(arguments, None);
        let shown = String::from_utf8_lossy(&ended.stdout) + &ended.stderr[..];
        assert!(shown.contains("2J"), "{arguments:?}: {ended:?}");
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{arguments:?}: {ended:?}");
    }
}

/// It used to panic, before it wrote anything.
#[test]
fn code_is_generated_also_if_nobody_reads_the_warnings() {
    let dir = tempfile::tempdir().expect("a directory");
    let warned_of = schema(dir.path(), "warned_of.xml", 0, "<field name='class' id='1' type='uint8'/>");
    let out = dir.path().join("code");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = gannet(&["sbe", "generate", &warned_of, "--out", out.to_str().expect("a plain path")]);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer).status().expect("it starts");
    assert_eq!(status.code(), Some(0));
    assert!(out.join("warned_of.rs").is_file());
}

#[test]
fn a_schema_is_checked_and_what_is_wrong_has_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let good = schema(dir.path(), "good.xml", 0, ORDER);
    assert!(text(sbe(&["check", &good], None)).ends_with("accepted: schema 9 version 0, 1 message, 0 warnings\n"));
    assert!(sbe(&["check", &good, "--json"], None).json().is_empty());

    let bad = schema(dir.path(), "bad.xml", 0, "<field name='id' id='1' type='uin64'/>");
    let ended = sbe(&["check", &bad], None);
    assert_eq!(ended.code(), Some(1));
    let words = String::from_utf8(ended.stdout).expect("text");
    assert!(words.contains("bad.xml:3:") && words.contains("did you mean `uint64`?"), "{words}");
    let ended = sbe(&["check", &bad, "--json"], None);
    assert_eq!(ended.code(), Some(1));
    let line: Value = serde_json::from_slice(&ended.stdout).expect("one finding");
    assert_eq!((&line["severity"], &line["code"], &line["line"]), (&"error".into(), &"unknown-type".into(), &3.into()));

    // A warning is left to the user.
    let odd = schema(dir.path(), "odd.xml", 0, &format!("{ORDER}<surprise/>"));
    assert!(text(sbe(&["check", &odd], None)).contains("1 warning\n"));
    assert!(text(sbe(&["check", &odd, "--allow", "unknown-element"], None)).contains("0 warnings\n"));
    for flags in [&["--deny-warnings"][..], &["--deny", "unknown-element"]] {
        assert_eq!(sbe(&[&["check", odd.as_str()], flags].concat(), None).code(), Some(1), "{flags:?}");
    }
    // A code that is none would allow or deny nothing.
    for flag in ["--allow", "--deny"] {
        let ended = sbe(&["check", &odd, flag, "unknown-elment"], None);
        assert_eq!(ended.code(), Some(2), "{flag}");
        let expected =
            format!("{flag} unknown-elment: there is no finding with this code; did you mean unknown-element?");
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
    let missing = dir.path().join("missing.xml");
    assert_eq!(sbe(&["check", missing.to_str().expect("a plain path")], None).code(), Some(1));
}

#[test]
fn the_gate_fails_for_a_breaking_change_unless_it_is_allowed() {
    let dir = tempfile::tempdir().expect("a directory");
    let old = schema(dir.path(), "old.xml", 0, ORDER);
    let grown = format!("{ORDER}<field name='note' id='3' type='uint32' presence='optional' sinceVersion='1'/>");
    let fine = schema(dir.path(), "fine.xml", 1, &grown);
    let words = text(sbe(&["check", "--against", &old, &fine], None));
    assert!(
        words.contains("compatible[field-added]: Order.note") && words.ends_with("compatible: 2 changes\n"),
        "{words}"
    );

    let broken = schema(dir.path(), "broken.xml", 1, &grown.replace("type='uint64'", "type='int64'"));
    let ended = sbe(&["check", "--against", &old, &broken], None);
    assert_eq!(ended.code(), Some(1));
    let words = String::from_utf8(ended.stdout).expect("text");
    assert!(words.contains("breaking[type]: Order.id: it was uint64 and is int64"), "{words}");
    assert!(words.contains("old.xml:3:") && words.contains("broken.xml:3:"), "{words}");

    let ended = sbe(&["check", "--against", &old, &broken, "--json"], None);
    assert_eq!(ended.code(), Some(1));
    let lines = String::from_utf8(ended.stdout).expect("text");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let change = lines.iter().find(|line| line["verdict"] == "breaking").expect("there is one");
    assert_eq!((&change["rule"], &change["what"]), (&"type".into(), &"Order.id".into()));
    assert_eq!(change["old"]["line"], 3);

    for allowed in ["type", "type:Order.id"] {
        let words = text(sbe(&["check", "--against", &old, &broken, "--allow", allowed], None));
        assert!(words.contains("breaking, allowed[type]") && words.contains("1 of them allowed"), "{words}");
    }
    let ended = sbe(&["check", "--against", &old, &broken, "--allow", "type:Order.side"], None);
    assert_eq!(ended.code(), Some(1));
    assert!(ended.stderr.contains("allows nothing"), "{}", ended.stderr);
    // A refused schema is not a version of anything.
    let refused = schema(dir.path(), "refused.xml", 1, "<field name='id' id='1'/>");
    assert_eq!(sbe(&["check", "--against", &old, &refused], None).code(), Some(1));
}

#[test]
fn a_type_that_many_fields_have_is_told_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let twice = format!("{ORDER}<field name='other' id='3' type='Side'/>");
    let old = schema(dir.path(), "old.xml", 0, &twice);
    let new = schema(dir.path(), "new.xml", 1, &twice);
    let more = std::fs::read_to_string(&new).expect("it was written");
    let more = more.replace("</enum>", "<validValue name='Sell' sinceVersion='1'>S</validValue></enum>");
    std::fs::write(&new, more).expect("there is room");
    let lines = sbe(&["check", "--against", &old, &new, "--json"], None).json();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["what"], &lines[0]["also"][0]), (&"Order.side.Sell".into(), &"Order.other.Sell".into()));
}

#[test]
fn an_exchange_s_published_versions_get_the_right_verdicts() {
    let Some(data) = data("an_exchange_s_published_versions_get_the_right_verdicts") else { return };
    let path = |name: &str| data.join("schemas").join(name).to_str().expect("a plain path").to_owned();
    let (old, new) = (path("binance-spot-3_3.xml"), path("binance-spot-3_4.xml"));
    let words = text(sbe(&["check", "--against", &old, &new], None));
    assert!(words.contains("compatible[message-added]"), "{words}");
    assert!(words.lines().last().expect("a verdict").starts_with("compatible: "), "{words}");
    let back = sbe(&["check", "--against", &new, &old], None);
    assert_eq!(back.code(), Some(1), "what was added is gone on the way back");
    // The same with compiled schemas, which have no places.
    let dir = tempfile::tempdir().expect("a directory");
    let compiled = dir.path().join("old.sbeir");
    let compiled = compiled.to_str().expect("a plain path");
    text(sbe(&["ir", &old, "--out", compiled], None));
    assert!(text(sbe(&["check", "--against", compiled, &new], None)).contains("compatible: "));
    assert!(text(sbe(&["check", "--against", compiled, &old], None)).ends_with("compatible: 0 changes\n"));
}

#[test]
fn the_name_of_a_schema_s_file_is_no_code() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = schema(dir.path(), "a\npub fn b() {}.xml", 0, ORDER);
    let out = dir.path().to_str().expect("a plain path");
    text(sbe(&["generate", &source, "--out", out, "--module", "code"], None));
    let code = std::fs::read_to_string(dir.path().join("code.rs")).expect("it was written");
    assert!(code.starts_with("// @generated from a\\u{a}pub fn b() {}.xml by "), "{}", &code[..100]);
}

#[test]
fn code_is_generated_once_and_found_out_of_date() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = schema(dir.path(), "My-Orders.xml", 0, ORDER);
    let out = dir.path().join("code").join("here");
    let out_text = out.to_str().expect("a plain path");
    let first = text(sbe(&["generate", &source, "--out", out_text], None));
    assert!(first.starts_with("wrote ") && first.ends_with("my_orders.rs\n"), "{first}");
    let code = std::fs::read_to_string(out.join("my_orders.rs")).expect("it was written");
    assert!(code.contains("Decoder<'a>") && code.contains("My-Orders.xml"));
    assert!(!code.contains(dir.path().to_str().expect("a plain path")), "the text is the same on every machine");
    assert!(text(sbe(&["generate", &source, "--out", out_text], None)).ends_with("is up to date\n"));
    assert_eq!(sbe(&["generate", &source, "--out", out_text, "--check"], None).code(), Some(0));

    let owned = ["generate", &source, "--out", out_text, "--module", "owned", "--owned", "--serde"];
    assert!(text(sbe(&owned, None)).ends_with("owned.rs\n"));
    let code = std::fs::read_to_string(out.join("owned.rs")).expect("it was written");
    assert!(code.contains("runtime::serde::Serialize"), "owned forms have the traits that were asked for");
    assert_eq!(sbe(&owned[..6], None).code(), Some(0));
    assert_eq!(sbe(&["generate", &source, "--out", out_text, "--serde"], None).code(), Some(2), "nothing is owned");

    schema(dir.path(), "My-Orders.xml", 1, ORDER);
    let stale = sbe(&["generate", &source, "--out", out_text, "--check"], None);
    assert_eq!(stale.code(), Some(1));
    assert!(String::from_utf8_lossy(&stale.stdout).contains("differs from line"), "{stale:?}");
    assert_eq!(sbe(&["generate", &source, &source, "--out", out_text], None).code(), Some(2), "one file for two");
    let refused = schema(dir.path(), "refused.xml", 0, "<field name='id' id='1'/>");
    assert_eq!(sbe(&["generate", &refused, "--out", out_text], None).code(), Some(1));
    assert!(!out.join("refused.rs").exists());
}

#[test]
fn the_example_s_code_is_what_its_schema_gives() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../codecs/examples");
    let (source, out) = (example.join("schemas/orders.xml"), example.join("checked-in/src"));
    let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let ended = sbe(&["generate", &path(&source), "--out", &path(&out), "--check"], None);
    assert_eq!(
        ended.code(),
        Some(0),
        "run `cargo run --bin gannet -- sbe generate codecs/examples/schemas/orders.xml --out codecs/examples/checked-in/src`: {ended:?}"
    );
}

/// Nobody writes into the pipe.
#[test]
fn a_schema_cannot_make_its_reader_wait() {
    let dir = tempfile::tempdir().expect("a directory");
    pipe(dir.path());
    let source = dir.path().join("schema.xml");
    let include = "<messageSchema xmlns:xi='http://www.w3.org/2001/XInclude' package='p' id='1'><xi:include href='pipe'/></messageSchema>";
    std::fs::write(&source, include).expect("there is room");
    let refused = sbe(&["check", source.to_str().expect("a plain path")], None);
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    assert!(
        String::from_utf8_lossy(&refused.stdout).contains("cannot include `pipe`: it is not a file"),
        "{refused:?}"
    );
}

#[test]
fn messages_are_decoded_from_lines_and_files_in_every_format() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = schema(dir.path(), "orders.xml", 1, ORDER);
    let lines = format!("{}\n\n{}\n", hex(&order(1, 7, b'B')), hex(&order(0, 8, b'X')));
    let decode = ["decode", "--schema", &source, "--input", "hex"];
    let found = sbe(&[&decode[..], &["--json"]].concat(), Some(lines.as_bytes())).json();
    assert_eq!(
        found[0],
        serde_json::json!({"packet": 0, "index": 0, "schema": 9, "version": 1, "template": 3,
        "name": "Order", "fields": {"id": 7, "side": "Buy"}})
    );
    assert_eq!((&found[1]["version"], &found[1]["fields"]["side"]), (&0.into(), &88.into()));
    let words = text(sbe(&decode, Some(lines.as_bytes())));
    assert_eq!(words, "0.0 Order id=7 side=Buy\n1.0 Order (version 0) id=8 side=88\n");
    let official =
        text(sbe(&[&decode[..], &["--format", "official", "--count", "1"]].concat(), Some(lines.as_bytes())));
    assert_eq!(official, "{\n    \"id\": 7,\n    \"side\": \"Buy\"\n}\n");

    // A compiled schema decodes the same, in both of its forms.
    for form in ["1.36", "1.35"] {
        let compiled = dir.path().join(format!("orders-{form}.sbeir"));
        let compiled = compiled.to_str().expect("a plain path");
        text(sbe(&["ir", &source, "--out", compiled, "--form", form], None));
        let again = text(sbe(&["decode", "--schema", compiled, "--input", "hex"], Some(lines.as_bytes())));
        assert_eq!(again, words, "{form}");
    }

    let file = dir.path().join("orders.bin");
    std::fs::write(&file, [vec![1, 2, 3], order(1, 1, b'B'), order(1, 2, b'B')].concat()).expect("there is room");
    let file = file.to_str().expect("a plain path");
    let flags = ["decode", "--schema", &source, "--file", file, "--skip", "3", "--framing", "back-to-back"];
    assert_eq!(text(sbe(&flags, None)), "0.0 Order id=1 side=Buy\n0.1 Order id=2 side=Buy\n");
}

#[test]
fn what_is_no_message_is_told_and_fails_in_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = schema(dir.path(), "orders.xml", 0, ORDER);
    let decode = ["decode", "--schema", &source, "--input", "hex", "--json"];
    let lines = format!("0900\n{}\n", hex(&order(0, 7, b'B')));
    let ended = sbe(&decode, Some(lines.as_bytes()));
    assert_eq!(ended.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&ended.stdout).lines().count(), 1, "the other message is there");
    assert!(
        ended.stderr.contains("packet 0, message 0 of the payload: the message is cut off inside message header"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("1 of 2 messages could not be decoded"), "{ended:?}");
    assert_eq!(sbe(&decode, Some(b"zz\n")).code(), Some(1));
    assert_eq!(sbe(&["decode", "--schema", &source, "--format", "xml"], None).code(), Some(2));
    let broken = dir.path().join("broken.sbeir");
    std::fs::write(&broken, b"this is no compiled schema").expect("there is room");
    let ended = sbe(&["decode", "--schema", broken.to_str().expect("a plain path")], None);
    assert_eq!(ended.code(), Some(1));
    assert!(ended.stderr.contains("broken.sbeir makes no sense"), "{ended:?}");
}

#[test]
fn the_exchange_s_captures_decode_in_full_and_equal_the_golden_file() {
    let Some(data) = data("the_exchange_s_captures_decode_in_full_and_equal_the_golden_file") else { return };
    let golden = std::fs::read_to_string(data.join("golden/cme-captures.jsonl")).expect("the golden file is there");
    let golden: Vec<Value> = golden.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let schema = data.join("schemas/cme-mdp3-FixBinary.xml").to_str().expect("a plain path").to_owned();
    let dir = tempfile::tempdir().expect("a directory");
    let compiled = dir.path().join("cme.sbeir").to_str().expect("a plain path").to_owned();
    text(sbe(&["ir", &schema, "--out", &compiled], None));
    let mut files: Vec<&str> = golden.iter().filter_map(|line| line["file"].as_str()).collect();
    files.dedup();
    let mut seen = 0;
    for file in files {
        let capture = data.join("captures").join(file).to_str().expect("a plain path").to_owned();
        let expected: Vec<&Value> = golden.iter().filter(|line| line["file"] == file).collect();
        for schema in [&schema, &compiled] {
            let flags = ["decode", "--schema", schema, "--capture", &capture, "--skip", "12", "--framing", "cme"];
            let lines = sbe(&[&flags[..], &["--json"]].concat(), None).json();
            assert_eq!(lines.len(), expected.len(), "{file}");
            for (line, expected) in lines.iter().zip(&expected) {
                for key in ["packet", "index", "template", "version"] {
                    assert_eq!(line[key], expected[key], "{file}: {key}");
                }
                assert!(line.get("left_over").is_none(), "{file}: no byte is left over");
            }
            let official = text(sbe(&[&flags[..], &["--format", "official"]].concat(), None));
            let all: String =
                expected.iter().map(|line| format!("{}\n", line["json"].as_str().expect("text"))).collect();
            assert!(official == all, "{file}: some value is not as the official tool prints it");
        }
        seen += expected.len();
    }
    assert_eq!(seen, golden.len());
}

#[test]
fn a_subscriber_with_a_schema_prints_what_messages_mean() {
    let dir = tempfile::tempdir().expect("a directory");
    let source = schema(dir.path(), "orders.xml", 0, ORDER);
    let driver = Driver::start();
    let subscribe = |flags: &[&str]| {
        let all = ["sub", "--channel", CHANNEL, "--timeout", "170s", "--until-end", "--schema", &source];
        driver.gannet(&[&all[..], flags].concat())
    };
    let (words, json) = (subscribe(&[]), subscribe(&["--json", "--framing", "back-to-back"]));
    let messages = [order(0, 1, b'B'), order(0, 2, b'B')];
    let bytes = raw(messages.iter().map(Vec::as_slice));
    let publish = ["pub", "--channel", CHANNEL, "--wait", "170s", "--subscribers", "2", "--format", "raw"];
    driver.gannet_with_input(&publish, Some(&bytes)).end().success();
    assert_eq!(text(words.end()), "Order id=1 side=Buy\nOrder id=2 side=Buy\n");
    let lines = json.end().json();
    assert_eq!((&lines[1]["name"], &lines[1]["fields"]["id"]), (&"Order".into(), &2.into()));
    assert_eq!(
        (&lines[0]["stream_id"], &lines[0]["position"], &lines[0]["index"]),
        (&1001.into(), &64.into(), &0.into())
    );

    // What is not a message is reported, and decoding continues.
    let failing = subscribe(&[]);
    let bytes = raw([&b"no message"[..], &messages[0]]);
    let publish = ["pub", "--channel", CHANNEL, "--wait", "170s", "--format", "raw"];
    driver.gannet_with_input(&publish, Some(&bytes)).end().success();
    let ended = failing.end();
    assert_eq!(ended.code(), Some(1));
    assert_eq!(ended.stdout, b"Order id=1 side=Buy\n");
    assert!(ended.stderr.contains("1 of 2 messages could not be decoded"), "{}", ended.stderr);
    assert_eq!(driver.gannet(&["sub", "--schema", &source, "--format", "hex"]).end().code(), Some(2));
    assert_eq!(driver.gannet(&["sub", "--skip", "3"]).end().code(), Some(2), "nothing is decoded");
}

/// A pipe can be read only once, as in `--capture <(zcat F.pcap.gz)`.
#[test]
fn captures_are_read_from_pipes_as_from_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let schema = schema(dir.path(), "orders.xml", 0, ORDER);
    let at = |name: &str| dir.path().join(name).to_str().expect("a plain path").to_owned();
    let (journal, capture) = (at("journal"), at("orders.pcap"));
    let appended = [order(0, 1, b'B'), order(0, 2, b'B')].map(|order| [&order[..], b"\n"].concat()).concat();
    let run = |arguments: &[&str], input| Process::spawn(&mut gannet(arguments), input).end().success();
    run(&["journal", "append", "--segment-length", "64k", "--dir", &journal], Some(&appended));
    run(&["journal", "export", "--dir", &journal, "--format", "pcap", "--output", &capture], None);
    let decoded = run(&["sbe", "decode", "--schema", &schema, "--capture", &capture], None);
    assert_eq!(decoded.iter().filter(|byte| **byte == b'\n').count(), 2);

    let pipe = pipe(dir.path());
    for captures in [&[pipe.to_str().expect("a plain path")][..], &[&capture, pipe.to_str().expect("a plain path")]] {
        let decode = [&["sbe", "decode", "--schema", &schema, "--capture"], captures].concat();
        let process = Process::spawn(&mut gannet(&decode), None);
        std::fs::copy(&capture, &pipe).expect("somebody reads it");
        let lines = process.end().success();
        assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 2 * captures.len());
    }
}
