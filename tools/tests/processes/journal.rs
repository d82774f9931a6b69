//! `gannet journal`: its output for a journal in use and for a damaged one, as a script sees it.

use gannet::journal::{Journal, JournalOptions, RollCycle};
use rustix::process::Signal;
use serde_json::Value;

use crate::sbe;
use crate::support::{Ended, Process, eventually, gannet};

fn ended(arguments: &[&str]) -> Ended {
    Process::spawn(&mut gannet(&[&["journal"], arguments].concat()), None).end()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// A journal of messages that contain their number.
fn journal(dir: &std::path::Path, messages: u64) -> Journal {
    let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10);
    let journal = Journal::create(dir, &options).expect("a journal");
    let mut appender = journal.appender().expect("an appender");
    for number in 0..messages {
        appender.append_with(format!("message {number}").as_bytes(), 1_000 + number as i64).expect("appended");
    }
    journal
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    text(bytes).lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn a_journal_in_use_is_listed_described_read_and_searched() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    let journal = journal(dir.path(), 3_000);
    journal.recording().expect("a recording").cursor("billing").expect("a cursor");
    let end = journal.recorded().expect("recorded").get();
    let run = |arguments: &[&str]| ended(&[arguments, &["--dir", path]].concat()).success();

    let listed = lines(&run(&["ls", "--json"]));
    assert_eq!((listed.len(), &listed[0]["state"], &listed[0]["stop_position"]), (1, &"valid".into(), &Value::Null));
    assert!(text(&run(&["ls"])).contains("aeron:ipc"));
    let described = &lines(&run(&["describe", "--json"]))[0];
    assert_eq!(described["recorded_position"], end);
    assert_eq!(described["cursors"][0]["name"], "billing");
    assert!(described["segments"].as_array().is_some_and(|segments| segments.len() > 2), "{described}");
    assert!(text(&run(&["describe"])).contains("cursor           \"billing\" at 0"));

    let all = lines(&run(&["cat", "--json"]));
    assert_eq!(all.len(), 3_000);
    let texts =
        |lines: &[Value]| lines.iter().map(|line| line["text"].as_str().expect("text").to_owned()).collect::<Vec<_>>();
    let backwards = lines(&run(&["cat", "--json", "--reverse"]));
    assert!(texts(&backwards).iter().rev().eq(texts(&all).iter()));
    let position = all[2_000]["position"].to_string();
    for arguments in [
        &["--from", "seq:2000"] as &[&str],
        &["--from", &position],
        &["--from-position", &position],
        &["--since", "3000"],
        &["--text", "message 2000"],
    ] {
        let found = lines(&run(&[&["cat", "--json", "--count", "1"], arguments].concat()));
        assert_eq!((texts(&found), &found[0]["sequence"]), (vec!["message 2000".to_owned()], &2_000.into()));
        assert_eq!(found[0]["time_ns"], 3_000);
    }
    assert_eq!(
        texts(&lines(&run(&["cat", "--json", "--since", "1010", "--until", "1012"]))),
        ["message 10", "message 11"]
    );
    assert_eq!(texts(&lines(&run(&["tail", "-n", "2", "--json"]))), ["message 2998", "message 2999"]);
    assert_eq!(text(&run(&["find", "--from", "seq:7", "--brief"])).split(' ').nth(1), Some("7"));
    let none = ended(&["find", "--text", "nowhere", "--dir", path]);
    assert_eq!((none.status.code(), none.stdout.len()), (Some(1), 0));
    assert_eq!(lines(&run(&["verify", "--json"]))[0]["damaged"], 0);
    let refused = ended(&["reindex", "--dir", path]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("has the journal open"), "{}", refused.stderr);
}

/// A recording may come from anywhere. Its channel was chosen by whoever subscribed to it.
#[test]
fn a_channel_does_not_act_on_the_terminal() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10);
    let options = options.channel("aeron:ipc?alias=\u{1b}[2J\n\u{9b}");
    Journal::create(dir.path(), &options).and_then(Journal::close).expect("a journal");
    for command in ["ls", "describe"] {
        let arguments = [command, "--dir", dir.path().to_str().expect("a plain path")];
        let shown = ended(&arguments).success();
        assert!(text(&shown).contains("aeron:ipc?alias=\\u{1b}[2J\\u{a}\\u{9b}\n"), "{}", text(&shown));
        let shown = ended(&[&arguments[..], &["--json"]].concat()).success();
        assert!(text(&shown).contains("aeron:ipc?alias=\\u001b[2J\\n\\u009b\""), "{}", text(&shown));
    }
}

#[test]
fn segments_are_pruned_from_a_journal_in_use() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    let journal = journal(dir.path(), 8_000);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while journal.indexed() < journal.tail() {
        assert!(std::time::Instant::now() < deadline, "it is indexed");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let run = |arguments: &[&str]| ended(&[&["prune"], arguments, &["--dir", path]].concat());
    let pruned = |arguments: &[&str]| lines(&run(&[arguments, &["--json"]].concat()).success()).remove(0);
    let mut cursor = journal.recording().expect("a recording").cursor("billing").expect("a cursor");
    cursor.move_to(65_536.into()).expect("moved");
    let would = pruned(&["--before-position", "200000", "--dry-run"]);
    assert_eq!((&would["dry_run"], &would["start_position"]), (&true.into(), &65_536.into()));
    assert_eq!((&would["held_by"]["cursor"], &would["held_by"]["segments"]), (&"billing".into(), &2.into()));
    assert_eq!((&would["rest"]["position"], &would["rest"]["reason"]), (&65_536.into(), &"cursor".into()));
    let done = pruned(&["--before-position", "200000"]);
    assert_eq!((&done["start_position_before"], &done["start_position"]), (&0.into(), &65_536.into()));
    assert_eq!((&done["segments"][0]["file"], &done["segments"][0]["reason"]), (&"0-0.rec".into(), &"position".into()));
    // The cursor keeps the journal from pruning by itself.
    journal.set_retention(&gannet::journal::Retention::new().max_bytes(1)).expect("set");
    let described = lines(&ended(&["describe", "--json", "--dir", path]).success()).remove(0);
    let held = &described["held_by"];
    assert_eq!((&held["cursor"], &held["position"]), (&"billing".into(), &65_536.into()), "{described}");
    let shown = ended(&["describe", "--dir", path]).success();
    assert!(text(&shown).contains("more segments, by the cursor \"billing\" at 65,536"), "{}", text(&shown));
    journal.set_retention(&gannet::journal::Retention::new()).expect("set");
    let forced = run(&["--before-position", "200000", "--force"]).success();
    assert!(text(&forced).contains("the recording begins at 196,608"), "{}", text(&forced));
    // The time in nanoseconds is not a position of this recording.
    let taken = run(&["--before-position", "1700000000000000000", "--force"]);
    assert!(taken.code() == Some(1) && taken.stderr.contains("say --before-time"), "{}", taken.stderr);
    assert_eq!(pruned(&["--before-time", "0", "--dry-run"])["segments"].as_array().map(Vec::len), Some(0));
    let by_time = pruned(&["--before-time", "1970-01-01T00:00:00.000007Z", "--dry-run", "--force"]);
    assert_eq!(by_time["segments"][0]["reason"], "time");
    // All messages are from 1970, and the last segment stays.
    cursor.move_to(journal.tail()).expect("moved");
    let old = pruned(&["--older-than", "7d", "--larger-than", "1T"]);
    assert_eq!((&old["segments"][0]["reason"], &old["rest"]["reason"]), (&"age".into(), &"in use".into()));
    let shown = run(&["--before-position", "1"]).success();
    assert!(text(&shown).contains(".rec on: in use"), "{}", text(&shown));
    let described = lines(&ended(&["describe", "--json", "--dir", path]).success()).remove(0);
    assert_eq!(described["start_position"], old["start_position"]);
    assert!(described["pruned"]["segments"].as_u64() > Some(4), "{described}");
    let rest = lines(&ended(&["cat", "--json", "--dir", path]).success());
    assert!(!rest.is_empty() && rest.last().expect("a message")["sequence"] == 7_999);
    let gone = ended(&["cat", "--from", "seq:3", "--dir", path]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(gone.stderr.contains("does not have message number 3 any more: it begins at position"), "{}", gone.stderr);

    assert_eq!(run(&[]).status.code(), Some(2), "there is no policy");
    journal.set_retention(&gannet::journal::Retention::new().max_bytes(1 << 40)).expect("set");
    assert_eq!(pruned(&[])["segments"].as_array().map(Vec::len), Some(0));
    assert_eq!(run(&["--larger-than", "many"]).status.code(), Some(2));
}

#[test]
fn messages_are_exported_as_captures_lines_and_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    let journal = journal(dir.path(), 200);
    journal.appender().expect("an appender").append_with(b"say \"x\", y", 5_000_000_007).expect("appended");
    journal.appender().expect("an appender").append_with(&[0, 255], 6_000_000_000).expect("appended");
    let run = |arguments: &[&str]| ended(&[&["export"], arguments, &["--dir", path]].concat()).success();

    let capture = dir.path().join("out.pcap");
    let capture_path = capture.to_str().expect("a path");
    assert!(run(&["--format", "pcap", "--output", capture_path]).is_empty());
    let bytes = std::fs::read(&capture).expect("written");
    assert!(run(&["--format", "pcap"]) == bytes);
    // Read without the command's own reader: nanosecond times, raw IPv4, UDP.
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((word(0), word(20)), (0xA1B2_3C4D, 101));
    let (mut at, mut packets) = (24, Vec::new());
    while at < bytes.len() {
        let length = word(at + 8) as usize;
        let packet = &bytes[at + 16..at + 16 + length];
        assert_eq!((packet[0], packet[9]), (0x45, 17), "IPv4, UDP");
        packets.push((word(at), word(at + 4), packet[28..].to_vec()));
        at += 16 + length;
    }
    assert_eq!((packets.len(), &packets[7]), (202, &(0, 1_007, b"message 7".to_vec())));
    assert_eq!(packets[200], (5, 7, b"say \"x\", y".to_vec()));
    let exported = run(&["--format", "jsonl", "--from", "seq:199"]);
    let read = ended(&["cat", "--json", "--from", "seq:199", "--dir", path]).success();
    assert!(exported == read && lines(&exported).len() == 3);
    let rows = run(&["--format", "csv", "--from", "seq:200"]);
    let rows: Vec<&str> = text(&rows).lines().collect();
    assert_eq!(rows[0], "position,next_position,sequence,time_ns,length,text,hex");
    assert!(rows[1].ends_with(",200,5000000007,10,\"say \"\"x\"\", y\",736179202278222c2079"), "{}", rows[1]);
    assert!(rows[2].ends_with(",201,6000000000,2,,00ff"), "{}", rows[2]);
    let chosen = run(&["--format", "csv", "--text", "message 1", "--until", "1012"]);
    assert_eq!(text(&chosen).lines().count(), 1 + 3, "1, 10 and 11");
    let position = lines(&exported)[0]["position"].to_string();
    assert_eq!(text(&run(&["--format", "jsonl", "--to", &position])).lines().count(), 199);
    assert_eq!(ended(&["export", "--dir", path]).status.code(), Some(2), "a format has to be said");
    assert!(run(&["--json", "--from", "seq:199"]) == exported, "the same as --format jsonl");
    let both = ended(&["export", "--json", "--format", "csv", "--dir", path]);
    assert!(both.code() == Some(2) && both.stderr.contains("--json is the same as --format jsonl"), "{both:?}");
}

/// With a schema, messages are exported in decoded form and selected by their fields, with the same result as printing.
#[test]
fn messages_are_exported_by_their_schema() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    let schema = sbe::schema(dir.path(), "orders.xml", 1, sbe::ORDER);
    let journal =
        Journal::create(dir.path().join("orders"), &JournalOptions::new().segment_length(16 << 20)).expect("a journal");
    let path = &format!("{path}/orders");
    let mut appender = journal.appender().expect("an appender");
    let orders = [sbe::order(1, 7, b'B'), sbe::order(0, 8, b'X'), sbe::order(1, 9, b'B')];
    for (number, order) in (0..).zip(&orders) {
        appender.append_with(order, 1_000 + number).expect("appended");
    }
    let run =
        |arguments: &[&str]| ended(&[&["export", "--schema", &schema], arguments, &["--dir", path]].concat()).success();
    let exported = run(&["--format", "jsonl"]);
    assert!(exported == ended(&["cat", "--json", "--schema", &schema, "--dir", path]).success());
    let found = lines(&exported);
    assert_eq!(found.len(), 3);
    assert_eq!(
        (&found[0]["template"], &found[0]["name"], &found[0]["version"]),
        (&3.into(), &"Order".into(), &1.into())
    );
    assert_eq!(found[0]["fields"], serde_json::json!({"id": 7, "side": "Buy"}));
    assert_eq!((&found[1]["version"], &found[1]["fields"]["side"]), (&0.into(), &88.into()));
    assert_eq!((&found[2]["sequence"], &found[2]["time_ns"]), (&2.into(), &1_002.into()));

    let rows = run(&["--format", "csv"]);
    let rows: Vec<&str> = text(&rows).lines().collect();
    assert_eq!(rows[0], "position,next_position,sequence,time_ns,length,schema,version,template,name,fields");
    assert_eq!(rows[1], r#"0,64,0,1000,17,9,1,3,Order,"{""id"":7,""side"":""Buy""}""#);
    assert_eq!(rows.len(), 4);
    // By template and by field values.
    let chosen = |arguments: &[&str]| lines(&run(&[&["--format", "jsonl"], arguments].concat())).len();
    assert_eq!(chosen(&["--template", "3"]), 3);
    assert_eq!(
        [chosen(&["--field", "side=Buy"]), chosen(&["--field", "side=88"]), chosen(&["--field", "side=66"])],
        [2, 1, 0]
    );
    assert_eq!(
        [chosen(&["--field", "side=Buy", "--field", "id=9"]), chosen(&["--field", "id=9", "--field", "id=7"])],
        [1, 0]
    );
    // A capture has the messages unchanged.
    let capture = run(&["--format", "pcap", "--field", "id=9"]);
    assert_eq!((capture.len(), &capture[24 + 16 + 28..]), (24 + 16 + 28 + 17, &orders[2][..]));
}

/// A journal is used from a shell: lines are appended and printed, and cursors are managed.
#[test]
fn lines_are_appended_and_cursors_are_seen_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path().join("new");
    let path = dir.to_str().expect("a path");
    let append = |input: &[u8]| {
        let arguments = ["journal", "append", "--json", "--segment-length", "64k", "--dir", path];
        Process::spawn(&mut gannet(&arguments), Some(input)).end().json().remove(0)
    };
    let made = append(b"one\ntwo\n");
    assert_eq!((&made["messages"], &made["start_position"], &made["position"]), (&2.into(), &0.into(), &128.into()));
    let more = append(b"\nno end");
    assert_eq!(
        (&more["messages"], &more["start_position"], &more["recording_id"]),
        (&2.into(), &128.into(), &0.into())
    );
    let run = |arguments: &[&str]| ended(&[arguments, &["--json", "--dir", path]].concat());
    let texts: Vec<Value> = run(&["cat"]).json().iter().map(|line| line["text"].clone()).collect();
    assert_eq!(texts, ["one", "two", "", "no end"]);

    assert!(run(&["cursors", "ls"]).json().is_empty());
    let recording = gannet::journal::Recording::open(&dir).expect("a recording");
    recording.cursor("billing").expect("a cursor");
    recording.cursor("audit").expect("a cursor");
    let moved = run(&["cursors", "move", "billing", "--to", "seq:2"]).json().remove(0);
    assert_eq!((&moved["position_before"], &moved["position"]), (&0.into(), &128.into()));
    let listed = run(&["cursors", "ls"]).json();
    let places: Vec<_> = listed.iter().map(|line| (&line["name"], &line["position"], &line["behind"])).collect();
    let end = more["position"].as_i64().expect("a position");
    assert_eq!(
        places,
        [(&"audit".into(), &0.into(), &end.into()), (&"billing".into(), &128.into(), &(end - 128).into())]
    );
    assert_eq!(run(&["cursors", "rm", "audit"]).json()[0]["name"], "audit");
    let table = ended(&["cursors", "ls", "--dir", path]).success();
    assert!(text(&table).lines().count() == 2 && text(&table).contains("\"billing\""), "{}", text(&table));
    for arguments in [&["cursors", "rm", "audit"][..], &["cursors", "move", "audit", "--to", "end"]] {
        let refused = run(arguments);
        assert!(refused.code() == Some(1) && refused.stderr.contains("no cursor \"audit\""), "{refused:?}");
    }
    let nowhere = run(&["cursors", "move", "billing", "--to", "100"]);
    assert!(nowhere.code() == Some(1) && nowhere.stderr.contains("cannot be read from 100"), "{nowhere:?}");
}

/// A field's value selects the same messages in every form, and messages that cannot be decoded are no failure then.
#[test]
fn messages_are_chosen_by_what_a_field_says() {
    let dir = tempfile::tempdir().expect("a directory");
    let schema = sbe::schema(dir.path(), "orders.xml", 1, sbe::ORDER);
    let path = dir.path().join("orders");
    let journal = Journal::create(&path, &JournalOptions::new().segment_length(16 << 20)).expect("a journal");
    let mut appender = journal.appender().expect("an appender");
    for id in [4, 14, 41, 4, 44] {
        appender.append(&sbe::order(1, id, b'B')).expect("appended");
        appender.append(b"no order").expect("appended");
    }
    let run = |arguments: &[&str]| {
        let all = [arguments, &["--schema", &schema, "--dir", path.to_str().expect("a path")]].concat();
        ended(&all)
    };
    let (plain, json) =
        (run(&["cat", "--field", "id=4"]).success(), run(&["cat", "--field", "id=4", "--json"]).success());
    let sequences: Vec<_> = lines(&json).iter().map(|line| line["sequence"].clone()).collect();
    assert_eq!((text(&plain).lines().count(), sequences), (2, vec![0.into(), 6.into()]));
    let csv = run(&["export", "--format", "csv", "--field", "id=4"]).success();
    assert_eq!(text(&csv).lines().count(), 1 + 2);
    assert!(text(&run(&["find", "--field", "id=44", "--brief"]).success()).contains(" 8 "));
    assert_eq!(text(&run(&["cat", "--template", "3", "--brief"]).success()).lines().count(), 5);
    assert_eq!(run(&["find", "--field", "id=5"]).code(), Some(1), "there is none");
    let all = run(&["cat"]);
    assert!(all.code() == Some(1) && all.stderr.contains("5 messages could not be decoded"), "{}", all.stderr);
    let wrong = run(&["cat", "--field", "id"]);
    assert!(wrong.code() == Some(2) && wrong.stderr.contains("instrument=9"), "{}", wrong.stderr);
    // What no message can have is a slip, which would choose nothing.
    for (flag, value, why) in [
        ("--template", "4", "no message with this template id"),
        ("--field", "Ids=4", "there is no Ids in the schema; did you mean id?"),
        ("--field", "side=buy", "side has no value buy; did you mean Buy?"),
    ] {
        for command in [&["cat"][..], &["find"], &["tail"], &["export", "--format", "csv"]] {
            let refused = run(&[command, &[flag, value]].concat());
            assert!(refused.code() == Some(2) && refused.stderr.contains(why), "{command:?}: {}", refused.stderr);
        }
    }
}

/// Of a message with several messages of a schema, each that is chosen is printed. Where it is one thing, as in a capture,
/// it is written once, whichever of them are chosen. It counts as one message.
#[test]
fn a_message_with_several_messages_of_a_schema_is_one_message() {
    let dir = tempfile::tempdir().expect("a directory");
    let schema = sbe::schema(dir.path(), "orders.xml", 1, sbe::ORDER);
    let path = dir.path().join("orders");
    let journal = Journal::create(&path, &JournalOptions::new().segment_length(16 << 20)).expect("a journal");
    let mut appender = journal.appender().expect("an appender");
    let payloads = [[1, 2], [3, 2], [2, 2]].map(|ids| ids.map(|id| sbe::order(1, id, b'B')).concat());
    for payload in &payloads {
        appender.append(payload).expect("appended");
    }
    let flags = ["--schema", &schema, "--framing", "back-to-back", "--dir", path.to_str().expect("a path")];
    let run = |arguments: &[&str]| ended(&[arguments, &flags].concat()).success();
    let printed = |arguments: &[&str]| text(&run(arguments)).lines().count();
    assert_eq!([printed(&["cat"]), printed(&["cat", "--field", "id=2"]), printed(&["cat", "--brief"])], [6, 4, 3]);
    assert_eq!(
        [printed(&["cat", "--count", "2"]), printed(&["find", "--count", "2"]), printed(&["tail", "-n", "2"])],
        [4; 3]
    );
    let capture = run(&["export", "--format", "pcap", "--field", "id=2"]);
    let packets: Vec<_> = capture[24..].chunks(16 + 28 + payloads[0].len()).map(|packet| &packet[16 + 28..]).collect();
    assert_eq!(packets, payloads.each_ref().map(Vec::as_slice));
    // One that cannot be decoded was to be printed, too.
    let wrong =
        ended(&["cat", "--count", "1", "--skip", "3", "--schema", &schema, "--dir", path.to_str().expect("a path")]);
    assert!(
        wrong.code() == Some(1) && wrong.stderr.contains("error: 1 message could not be decoded"),
        "{}",
        wrong.stderr
    );
    assert!(wrong.stderr.starts_with("position 0, message 0 of the payload: "), "{}", wrong.stderr);
}

/// The last messages are chosen as others are, and so are those that are appended meanwhile.
#[test]
fn the_last_messages_are_chosen_by_text_template_field_and_schema() {
    let dir = tempfile::tempdir().expect("a directory");
    let schema = sbe::schema(dir.path(), "orders.xml", 1, sbe::ORDER);
    let path = dir.path().join("orders");
    let journal = Journal::create(&path, &JournalOptions::new().segment_length(16 << 20)).expect("a journal");
    let mut appender = journal.appender().expect("an appender");
    let path = path.to_str().expect("a plain path");
    let mut append = |ids: &[u8]| {
        for &id in ids {
            appender.append(&sbe::order(1, id, if id % 2 == 0 { b'B' } else { b'X' })).expect("appended");
            appender.append(format!("note {id}").as_bytes()).expect("appended");
        }
    };
    append(&[1, 2, 3, 4]);
    let tail = |arguments: &[&str]| gannet(&[&["journal", "tail", "--json", "--dir", path], arguments].concat());
    let run = |arguments: &[&str]| Process::spawn(&mut tail(arguments), None).end();
    let found = |ended: Ended, key: &str| ended.json().iter().map(|line| line[key].clone()).collect::<Vec<_>>();
    assert_eq!(found(run(&["--text", "note"]), "text"), ["note 1", "note 2", "note 3", "note 4"]);
    // Of the last three, which are notes but for one.
    assert_eq!(found(run(&["-n", "3", "--text", "note"]), "text"), ["note 3", "note 4"]);
    assert!(found(run(&["--text", "nothing"]), "text").is_empty());
    let with_schema = |arguments: &[&str]| run(&[&["--schema", &schema], arguments].concat());
    let orders = found(with_schema(&["--template", "3"]), "fields");
    assert_eq!((orders.len(), &orders[3]), (4, &serde_json::json!({"id": 4, "side": "Buy"})));
    assert_eq!(found(with_schema(&["-n", "4", "--template", "3"]), "sequence"), [4, 6]);
    assert_eq!(found(with_schema(&["--field", "side=Buy"]), "sequence"), [2, 6]);
    assert_eq!(found(with_schema(&["--field", "side=Buy", "--field", "id=4"]), "sequence"), [6]);
    let undecoded = with_schema(&[]);
    assert!(
        undecoded.code() == Some(1) && undecoded.stderr.contains("4 messages could not be decoded"),
        "{undecoded:?}"
    );
    assert_eq!(run(&["--template", "3"]).code(), Some(2), "by which schema?");

    let follow = |arguments: &[&str]| {
        let process = Process::spawn(&mut tail(&[&["-f", "--from-position", "0"], arguments].concat()), None);
        eventually("it hears signals", || process.hears(Signal::INT).then_some(()));
        process
    };
    let notes = follow(&["--text", "note", "--count", "7"]);
    let buys = follow(&["--schema", &schema, "--field", "side=Buy", "--count", "4"]);
    append(&[5, 6, 7, 8]);
    assert_eq!(found(notes.end(), "text").last().expect("seven"), "note 7");
    assert_eq!(found(buys.end(), "sequence"), [2, 6, 10, 14]);
}

/// Long work shows how far it is on a terminal, and nothing of that in a pipe, or on a terminal that cannot erase.
#[test]
fn progress_is_shown_on_a_terminal_and_nowhere_else() {
    const MESSAGES: u64 = 70_000;
    // It runs a command on a terminal of its own.
    let works = std::process::Command::new("script").arg("--version").output();
    if !works.is_ok_and(|outcome| String::from_utf8_lossy(&outcome.stdout).contains("util-linux")) {
        crate::skip::report("progress_is_shown_on_a_terminal_and_nowhere_else", "script of util-linux is not there");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let options = JournalOptions::new().term_length(16 << 20).segment_length(16 << 20);
    let path = dir.path().join("long");
    let journal = Journal::create(&path, &options).expect("a journal");
    let mut appender = journal.appender().expect("an appender");
    (0..MESSAGES).for_each(|_| _ = appender.append(&[b'x'; 224]).expect("appended"));
    drop(appender);
    journal.close().expect("closed");
    let path = path.to_str().expect("a plain path");
    let exported = dir.path().join("exported");
    let exported = exported.to_str().expect("a plain path");
    let export = ["export", "--format", "csv", "--output", exported];
    for (arguments, words) in [
        (&["verify"][..], "verified up to "),
        (&export, "exported up to "),
        (&["find", "--text", "y"], "searched up to "),
        (&["prune", "--larger-than", "1", "--dry-run"], "processed up to "),
    ] {
        let arguments = [&["journal"], arguments, &["--dir", path]].concat();
        let piped = Process::spawn(&mut gannet(&arguments), None).end();
        assert_eq!(piped.stderr, "", "{arguments:?}");
        let told = String::from_utf8(piped.stdout).expect("text");
        assert!(!told.contains(words) && !told.contains('\r'), "{told}");

        let line = [&[env!("CARGO_BIN_EXE_gannet")], &arguments[..]].concat();
        let line = line.iter().map(|word| format!("'{word}' ")).collect::<String>();
        let show = |terminal: &str| {
            let mut command = crate::support::clean(std::path::Path::new("script"));
            command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
            let shown = Process::spawn(command.env("SHELL", "/bin/sh").env("TERM", terminal), None).end();
            assert_eq!(shown.code(), piped.status.code(), "{shown:?}");
            String::from_utf8(shown.stdout).expect("text").replace("\r\n", "\n")
        };
        assert_eq!(show("dumb"), told);
        let shown = show("xterm");
        let (progress, result) = shown.rsplit_once("\r\x1b[K").expect("it shows progress and removes it");
        assert_eq!(result, told, "what is left is the result");
        let steps: Vec<_> = progress.split("\r\x1b[K").filter(|step| !step.is_empty()).collect();
        let position = |step: &&str| step.strip_prefix(words)?.parse::<u64>().ok().filter(|&position| position > 0);
        assert!(!steps.is_empty() && steps.iter().all(|step| position(step).is_some()), "{steps:?}");
    }
}

#[test]
fn segments_are_pruned_until_enough_of_the_disk_is_free() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    let journal = journal(dir.path(), 8_000);
    journal.close().expect("closed");
    let run =
        |arguments: &[&str]| ended(&[&["prune", "--json"], arguments, &["--dir", path]].concat()).json().remove(0);
    let segments = || {
        lines(&ended(&["describe", "--json", "--dir", path]).success())[0]["segments"].as_array().expect("some").len()
    };
    let count = segments();
    assert!(count > 4, "{count}");
    let enough = run(&["--free", "1"]);
    assert_eq!(
        (enough["segments"].as_array().map(Vec::len), &enough["rest"]["reason"]),
        (Some(0), &"within limits".into())
    );
    // More than any disk has: all but the last one.
    let would = run(&["--free", "1000000T", "--dry-run"]);
    assert_eq!((would["segments"].as_array().map(Vec::len), segments()), (Some(count - 1), count));
    let done = run(&["--free", "1000000T"]);
    assert_eq!((&done["segments"], &done["start_position"]), (&would["segments"], &would["start_position"]));
    assert!(
        done["segments"].as_array().expect("some").iter().all(|segment| segment["reason"] == "free space"),
        "{done}"
    );
    assert_eq!((segments(), &done["rest"]["reason"]), (1, &"in use".into()));
    let rest = lines(&ended(&["cat", "--json", "--dir", path]).success());
    assert_eq!(rest.last().expect("a message")["sequence"], 7_999);
    assert_eq!(ended(&["prune", "--free", "some", "--dir", path]).status.code(), Some(2));
}

/// Only the damaged messages are lost, in whichever direction the recording is read.
#[test]
fn damage_is_passed_over_in_both_directions_and_at_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    let journal = journal(dir.path(), 3_000);
    let all = lines(&ended(&["cat", "--json", "--dir", path]).success());
    let overwrite = |number: usize| {
        let position = all[number]["position"].as_u64().expect("a position");
        let file = dir.path().join(format!("0-{}.rec", position / 65_536 * 65_536));
        let mut bytes = std::fs::read(&file).expect("a segment");
        bytes[(position % 65_536) as usize..][..32].fill(0xFF);
        // Damaged in place, since a writer has the file mapped.
        std::os::unix::fs::FileExt::write_all_at(
            &std::fs::File::options().write(true).open(&file).expect("opened"),
            &bytes,
            0,
        )
        .expect("written");
    };
    overwrite(2_996);
    let read = |arguments: &[&str]| {
        let ended = ended(&[arguments, &["--json", "--dir", path]].concat());
        let numbers: Vec<i64> = lines(&ended.stdout)
            .iter()
            .map(|line| {
                line["text"].as_str().and_then(|text| text.strip_prefix("message ")?.parse().ok()).expect("a number")
            })
            .collect();
        (ended.code(), numbers, ended.stderr.matches("is damaged at position").count())
    };
    let but =
        |missing: i64, numbers: std::ops::Range<i64>| numbers.filter(|&number| number != missing).collect::<Vec<_>>();
    assert_eq!(read(&["cat"]), (Some(1), but(2_996, 0..3_000), 1));
    let mut backwards = read(&["cat", "--reverse"]);
    backwards.1.reverse();
    assert_eq!(backwards, (Some(1), but(2_996, 0..3_000), 1));
    assert_eq!(read(&["tail", "-n", "2"]), (Some(0), vec![2_998, 2_999], 0));
    assert_eq!(read(&["tail", "-n", "5"]), (Some(1), but(2_996, 2_994..3_000), 1));
    assert_eq!(read(&["cat", "--since", "3990"]), (Some(1), but(2_996, 2_990..3_000), 1));
    let positions = |number: usize| all[number]["position"].to_string();
    assert_eq!(read(&["cat", "--from", &positions(2_998)]), (Some(0), vec![2_998, 2_999], 0));
    assert_eq!(read(&["cat", "--from", "seq:7", "--to", &positions(9)]), (Some(0), vec![7, 8], 0));
    let reversed = read(&["cat", "--reverse", "--to", &positions(2_998)]);
    assert_eq!(reversed, (Some(0), vec![2_999, 2_998], 0));
    // A position within a message is after its beginning.
    let within = format!("{}", positions(2_998).parse::<i64>().expect("a number") + 8);
    assert_eq!(read(&["cat", "--reverse", "--to-position", &within]), (Some(0), vec![2_999], 0));
    assert_eq!(read(&["tail", "--from", &positions(2_998)]), (Some(0), vec![2_998, 2_999], 0));

    // When followed, damage at the very end is reported once, and messages appended after it are shown.
    overwrite(2_999);
    let from = positions(2_998);
    let arguments = ["journal", "tail", "--from", &from, "-f", "--count", "4", "--json", "--dir", path];
    let follower = Process::spawn(&mut gannet(&arguments), None);
    let mut appender = journal.appender().expect("an appender");
    for number in 0..3 {
        appender.append(format!("message {}", 3_000 + number).as_bytes()).expect("appended");
    }
    let followed = follower.end();
    let texts: Vec<_> = lines(&followed.stdout).iter().map(|line| line["text"].clone()).collect();
    assert_eq!(texts, ["message 2998", "message 3000", "message 3001", "message 3002"]);
    let told = followed.stderr.matches("is damaged at position").count();
    assert_eq!((followed.code(), told), (Some(1), 1), "{followed:?}");
}

/// One cycle of a journal that rolls by time of day: by its number, by a time in it, and the last one.
#[test]
fn a_cycle_is_read_by_its_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    let minute = RollCycle::every(std::time::Duration::from_secs(60));
    let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10).roll(minute);
    let journal = Journal::create(dir.path(), &options).expect("a journal");
    let mut appender = journal.appender().expect("an appender");
    // A message per second, from 02:00:00 on; none in the cycle of 02:03.
    for number in (0..600).filter(|number| number / 60 != 3) {
        let time = (7_200 + number) * 1_000_000_000;
        appender.append_with(format!("message {number}").as_bytes(), time).expect("appended");
    }
    let run = |command: &str, cycle: &str, more: &[&str]| {
        let told = ended(&[&[command, "--json", "--cycle", cycle, "--dir", path], more].concat()).success();
        let texts: Vec<String> =
            lines(&told).iter().map(|line| line["text"].as_str().expect("text").to_owned()).collect();
        texts
    };
    let expected =
        |numbers: std::ops::Range<u32>| numbers.map(|number| format!("message {number}")).collect::<Vec<_>>();
    for cycle in ["122", "1970-01-01T02:02:30Z"] {
        assert_eq!(run("cat", cycle, &[]), expected(120..180), "{cycle}");
    }
    let mut backwards = run("cat", "122", &["--reverse"]);
    backwards.reverse();
    assert_eq!(backwards, expected(120..180));
    assert_eq!(run("cat", "122", &["--reverse", "--count", "1"]), ["message 179"]);
    assert!(run("cat", "123", &[]).is_empty() && run("cat", "7", &[]).is_empty() && run("cat", "-5", &[]).is_empty());
    assert_eq!(run("cat", "last", &[]), expected(540..600));
    assert_eq!(run("tail", "128", &[]), expected(480..600), "and what comes after it");
    assert_eq!(run("tail", "129", &["--count", "2"]), expected(540..542));
    let cut = ended(&["cat", "--cycle", "122", "--since", "0", "--dir", path]);
    assert_eq!(cut.status.code(), Some(2), "one of them is enough");
    assert_eq!(ended(&["cat", "--cycle", "soon", "--dir", path]).status.code(), Some(2));

    let plain = tempfile::tempdir().expect("a directory");
    let _journal = self::journal(plain.path(), 3);
    let refused = ended(&["tail", "--cycle", "last", "--dir", plain.path().to_str().expect("a path")]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("does not roll by time of day"), "{}", refused.stderr);
}

/// The mark that keeps archives away can be read with the archive's own schema.
#[test]
fn a_journals_mark_is_an_archives_message() {
    let Some(data) = sbe::data("a_journals_mark_is_an_archives_message") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let journal = journal(dir.path(), 1);
    let mark = std::fs::read(dir.path().join("archive-mark.dat")).expect("it is there");
    let (message, file) = (136 + 4 * 4 + "gannet-journal".len(), dir.path().join("message"));
    std::fs::write(&file, &mark[..message]).expect("there is room");
    let schema = data.join("schemas/aeron-archive-mark-codecs.xml");
    let [schema, file] = [&schema, &file].map(|path| path.to_str().expect("a path"));
    let decode = ["sbe", "decode", "--schema", schema, "--file", file, "--framing", "back-to-back", "--json"];
    let found = Process::spawn(&mut gannet(&decode), None).end().json().remove(0);
    assert_eq!((&found["schema"], &found["version"], &found["template"]), (&100.into(), &2.into(), &200.into()));
    let fields = &found["fields"];
    assert_eq!((&fields["version"], &fields["pid"]), (&196_864.into(), &std::process::id().into()));
    assert!(fields["activityTimestamp"].as_i64() > Some(1_700_000_000_000), "{fields}");
    assert!(fields["startTimestamp"].as_i64() > Some(1_700_000_000_000), "{fields}");
    assert_eq!((&fields["headerLength"], &fields["errorBufferLength"]), (&8192.into(), &4096.into()));
    for stream in ["controlStreamId", "localControlStreamId", "eventsStreamId"] {
        assert_eq!(fields[stream], 0, "{stream}");
    }
    assert_eq!(fields["controlChannel"], "gannet-journal");
    for text in ["localControlChannel", "eventsChannel", "aeronDirectory"] {
        assert_eq!(fields[text], "", "{text}");
    }
    assert!(fields["archiveId"] == -1 || fields["archiveId"].is_null(), "{fields}");
    drop(journal);
    let mark = std::fs::read(dir.path().join("archive-mark.dat")).expect("it is there");
    assert_eq!(mark[16..24], (-1_i64).to_le_bytes(), "nobody runs there");
}

#[test]
fn damage_is_told_with_its_place_and_sidecars_are_made_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    journal(dir.path(), 3_000).close().expect("closed");
    std::fs::remove_file(dir.path().join("0-65536.index")).expect("it was there");
    let made = ended(&["reindex", "--json", "--dir", path]);
    assert!(made.status.success(), "{}", made.stderr);
    assert_eq!(lines(&made.stdout)[0]["messages"], 3_000);

    let segment = dir.path().join("0-65536.rec");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes[32 + 3] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    let verified = ended(&["verify", "--json", "--dir", path]);
    assert_eq!(verified.status.code(), Some(1));
    let found = &lines(&verified.stdout)[0];
    assert_eq!((&found["damaged"], &found["messages"]), (&1.into(), &2_999.into()));
    assert_eq!((&found["damages"][0]["position"], &found["damages"][0]["offset"]), (&65_536.into(), &0.into()));
    // Every reader reports it and shows nothing of it, unless verification is off.
    for arguments in
        [&["cat"][..], &["cat", "--reverse"], &["tail", "-n", "5000"], &["find", "--count", "5000"], &["export"]]
    {
        let read = ended(&[arguments, &["--json", "--dir", path]].concat());
        assert_eq!((read.status.code(), lines(&read.stdout).len()), (Some(1), 2_999), "{arguments:?}");
        for words in ["0-65536.rec is damaged at position 65536", "in 1 place,", "gannet journal repair"] {
            assert!(read.stderr.contains(words), "{words}, {arguments:?}: {}", read.stderr);
        }
        let unseen = ended(&[arguments, &["--no-verify", "--json", "--dir", path]].concat());
        assert_eq!((lines(&unseen.stdout).len(), &unseen.stderr[..]), (3_000, ""), "{arguments:?}");
        assert!(unseen.status.success(), "{arguments:?}");
    }

    // New checksums would hide it.
    let refused = ended(&["reindex", "--dir", path]);
    assert!(refused.code() == Some(1) && refused.stderr.contains("hide the damage in 1 place"), "{}", refused.stderr);
    assert_eq!(ended(&["verify", "--dir", path]).code(), Some(1), "it is still known");

    let would = ended(&["repair", "--dry-run", "--json", "--dir", path]);
    let found = &lines(&would.stdout)[0];
    assert_eq!(
        (would.status.code(), &found["was_whole"], &found["left_by"]),
        (Some(1), &false.into(), &"close".into())
    );
    assert_eq!(
        (&found["quarantined"][0]["position"], &found["quarantined"][0]["kept_in"]),
        (&65_536.into(), &Value::Null)
    );
    let told = ended(&["repair", "--dir", path]).success();
    assert!(
        text(&told).contains("kept in 0-65536.quarantine") && text(&told).contains("is in order now"),
        "{}",
        text(&told)
    );
    assert_eq!(lines(&ended(&["cat", "--json", "--dir", path]).success()).len(), 2_999);
    assert!(text(&ended(&["repair", "--dry-run", "--dir", path]).success()).contains("was in order"));
    let journal = Journal::open(dir.path()).expect("a journal");
    let refused = ended(&["repair", "--dir", path]);
    assert!(refused.status.code() == Some(1) && refused.stderr.contains("is in use"), "{}", refused.stderr);
    drop(journal);

    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes[64 * 100 + 32 + 3] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    assert_eq!(ended(&["reindex", "--dir", path]).code(), Some(1));
    ended(&["reindex", "--no-verify", "--dir", path]).success();
    ended(&["verify", "--dir", path]).success();

    // The command that the error names is one that can be run as it is.
    std::fs::remove_file(dir.path().join("archive.catalog")).expect("it was there");
    let lost = ended(&["cat", "--dir", path]);
    let advice = lost.stderr.split('`').nth(1).expect("a command").split(' ').collect::<Vec<_>>();
    assert_eq!(advice[..2], ["gannet", "journal"], "{}", lost.stderr);
    assert!(text(&ended(&advice[2..]).success()).contains("made again: the catalog"));
    assert_eq!(lines(&ended(&["cat", "--json", "--dir", path]).success()).len(), 2_999);

    let missing = ended(&["ls", "--dir", "/nonexistent"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stderr.contains("there is no directory /nonexistent"), "{}", missing.stderr);
}
