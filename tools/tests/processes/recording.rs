//! `gannet record`, `gannet replay`, and `gannet sub --from-journal`: recorded messages are delivered again.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use gannet::journal::{Journal, JournalOptions};
use gannet::{ExclusivePublication, OfferError};
use rustix::process::Signal;

use crate::ports::free_port;
use crate::support::{CHANNEL, Driver, Ended, Process, eventually, gannet, gannet_by};

fn start(mut command: Command, journal: &Path, driver: &Driver) -> Process {
    command.arg("--journal").arg(journal).arg("--dir").arg(driver.path());
    Process::spawn(&mut command, None)
}

const RECORD: [&str; 6] = ["record", "--channel", CHANNEL, "--segment-length", "65536", "--json"];

fn record(driver: &Driver, journal: &Path, arguments: &[&str]) -> Process {
    start(gannet(&[&RECORD, arguments].concat()), journal, driver)
}

fn replay(driver: &Driver, journal: &Path, arguments: &[&str]) -> Process {
    let all = ["replay", "--channel", CHANNEL, "--stream", "2002", "--wait", "170s", "--json"];
    start(gannet(&[&all, arguments].concat()), journal, driver)
}

fn text(ended: Ended) -> String {
    String::from_utf8(ended.success()).expect("text")
}

/// Publishes lines that contain their number, to any subscriber.
fn publish(publication: &mut ExclusivePublication, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let line = format!("line {number}");
        eventually("there is room", || match publication.offer(line.as_bytes()) {
            Ok(_) => Some(()),
            Err(OfferError::BackPressured | OfferError::NotConnected | OfferError::AdminAction) => None,
            Err(error) => panic!("{error}"),
        });
    }
}

/// Waits until a journal has this many messages.
fn await_recorded(journal: &Path, messages: usize) {
    eventually("it is recorded", || {
        let mut cat = gannet(&["journal", "cat", "--count", &messages.to_string(), "--dir"]);
        let ended = Process::spawn(cat.arg(journal), None).end();
        (ended.stdout.iter().filter(|&&byte| byte == b'\n').count() == messages).then_some(())
    });
}

fn lines(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| format!("line {number}\n")).collect()
}

#[test]
fn what_is_recorded_is_replayed_whole_and_in_part_at_any_speed() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("quotes");
    let recorder = record(&driver, &journal, &["--until-end"]);
    let client = driver.client();
    let mut publication = client.add_exclusive_publication(CHANNEL, 1001).expect("added");
    publish(&mut publication, 0..3000);
    let end = publication.position().expect("it is open").get();
    drop(publication);
    let recorded = recorder.end().json();
    assert_eq!(recorded.len(), 1);
    assert_eq!((&recorded[0]["recording_id"], &recorded[0]["reason"]), (&0.into(), &"end of stream".into()));
    assert_eq!((&recorded[0]["start_position"], &recorded[0]["stop_position"]), (&0.into(), &end.into()));
    assert_eq!(recorded[0]["stream_id"], 1001);

    for (arguments, expected) in [
        (&[][..], 0..3000),
        (&["--from", "seq:100", "--to", "seq:2100", "--speed", "recorded"], 100..2100),
        (&["--from", "seq:2990", "--speed", "100x", "--recording", "0"], 2990..3000),
    ] {
        let subscriber =
            driver.gannet(&["sub", "--channel", CHANNEL, "--stream", "2002", "--timeout", "170s", "--until-end"]);
        let replayed = replay(&driver, &journal, arguments).end().json();
        assert_eq!(text(subscriber.end()), lines(expected), "{arguments:?}");
        let bytes =
            replayed[0]["position"].as_i64().zip(replayed[0]["from_position"].as_i64()).map(|(to, from)| to - from);
        assert_eq!((replayed.len(), replayed[0]["bytes"].as_i64()), (1, bytes));
        assert_eq!(replayed[0]["recording_id"], 0);
    }
    let mut cat = gannet(&["journal", "cat", "--count", "2"]);
    let cat = text(Process::spawn(cat.arg("--dir").arg(&journal), None).end());
    assert!(cat.lines().all(|line| line.contains("line ")) && cat.lines().count() == 2, "{cat}");
}

/// Messages of a recorded stream have the times at which they were recorded, wherever a time is requested or shown.
#[test]
fn what_is_recorded_is_found_by_its_time() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("quotes");
    let recorder = record(&driver, &journal, &["--until-end"]);
    let client = driver.client();
    let mut publication = client.add_exclusive_publication(CHANNEL, 1001).expect("added");
    publish(&mut publication, 0..3000);
    drop(publication);
    assert_eq!(recorder.end().code(), Some(0));

    let run = |arguments: &[&str]| {
        Process::spawn(gannet(&[&["journal"], arguments].concat()).arg("--dir").arg(&journal), None).end()
    };
    let all = run(&["cat", "--json"]).json();
    let times: Vec<i64> = all.iter().map(|line| line["time_ns"].as_i64().expect("each has a time")).collect();
    assert!(times.len() == 3000 && times.is_sorted() && times[0] > 1_700_000_000_000_000_000, "{:?}", &times[..3]);
    let (middle, behind) = (times[1500].to_string(), (times[2999] + 1).to_string());
    let first = times.partition_point(|&time| time < times[1500]);
    let since = run(&["cat", "--json", "--since", &middle]).json();
    assert!(since == all[first..], "from message {first} on");
    assert!(run(&["cat", "--json", "--until", &middle]).json() == all[..first]);
    assert!(run(&["cat", "--json", "--since", &behind]).json().is_empty());
    assert!(run(&["find", "--json", "--since", &middle]).json() == all[first..=first]);
    assert_eq!(run(&["tail", "--json", "-n", "1", "--since", &behind]).json().len(), 0);
    assert!(run(&["export", "--json", "--since", &middle]).json() == since);
    let capture = run(&["export", "--format", "pcap", "--count", "1"]).success();
    let seconds = u32::from_le_bytes(capture[24..28].try_into().expect("four bytes"));
    assert_eq!(i64::from(seconds), times[0] / 1_000_000_000);

    // Without times nothing can be selected by time, and the error says so.
    for entry in std::fs::read_dir(&journal).expect("it is there").flatten() {
        if entry.file_name().to_string_lossy().contains(".times") {
            std::fs::remove_file(entry.path()).expect("removed");
        }
    }
    for arguments in [
        &["cat", "--since", "1"][..],
        &["cat", "--until", "1"],
        &["cat", "--reverse", "--since", "1"],
        &["tail", "--until", "1"],
        &["find", "--since", "1"],
        &["export", "--json", "--until", "1"],
    ] {
        let refused = run(arguments);
        assert!(
            refused.code() == Some(1) && refused.stderr.contains("does not say when"),
            "{arguments:?}: {refused:?}"
        );
    }
    assert_eq!(run(&["cat", "--json"]).json()[0]["time_ns"], serde_json::Value::Null);
}

/// Whether everything published is in the journal's last recording.
fn is_recorded(publication: &ExclusivePublication, journal: &Path) -> Option<()> {
    let mut describe = gannet(&["journal", "describe", "--json"]);
    let ended = Process::spawn(describe.arg("--dir").arg(journal), None).end();
    let line: serde_json::Value = serde_json::from_slice(&ended.stdout).ok()?;
    let published = publication.position().map(|position| position.get());
    (published.is_some() && line["recorded_position"].as_i64() == published).then_some(())
}

/// A recorder that was asked to stop closes its recording properly, after everything published.
fn ended_as_asked(recorder: Process, publication: &ExclusivePublication) {
    let line = &recorder.end().json()[0];
    assert_eq!(
        (&line["reason"], line["stop_position"].as_i64()),
        (&"asked".into(), publication.position().map(|position| position.get()))
    );
}

/// The signal of a closing terminal, unless the recorder was started to ignore it.
#[test]
fn a_recorder_outlives_its_terminal_only_if_it_is_to() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let client = driver.client();
    let mut publication = client.add_exclusive_publication(CHANNEL, 1001).expect("added");
    let record_by = |words: &[&str], journal: &Path| start(gannet_by(words, &RECORD), journal, &driver);

    // The process that runs the tests may ignore it.
    let journal = dir.path().join("closed");
    let recorder = record_by(&["env", "--default-signal=HUP"], &journal);
    publish(&mut publication, 0..50);
    eventually("it is recorded", || is_recorded(&publication, &journal));
    recorder.signal(Signal::HUP);
    ended_as_asked(recorder, &publication);

    let journal = dir.path().join("open");
    eventually("nobody subscribes", || (!publication.is_connected()).then_some(()));
    let recorder = record_by(&["nohup"], &journal);
    eventually("it subscribes", || publication.is_connected().then_some(()));
    recorder.signal(Signal::HUP);
    publish(&mut publication, 50..60);
    eventually("it is recorded", || is_recorded(&publication, &journal));
    recorder.signal(Signal::TERM);
    ended_as_asked(recorder, &publication);
}

#[test]
fn a_recorder_stops_when_it_has_what_it_was_asked_for_or_is_told_to() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let client = driver.client();
    let mut publication = client.add_exclusive_publication(CHANNEL, 1001).expect("added");
    let counting = record(&driver, &dir.path().join("some"), &["--count", "50"]);
    publish(&mut publication, 0..50);
    assert_eq!(counting.end().json()[0]["reason"], "asked");

    let endless = record(&driver, &dir.path().join("all"), &[]);
    eventually("it subscribes again", || publication.is_connected().then_some(()));
    publish(&mut publication, 50..60);
    eventually("it is recorded", || is_recorded(&publication, &dir.path().join("all")));
    endless.signal(Signal::TERM);
    ended_as_asked(endless, &publication);

    // Too few messages in too short a time are a failure.
    let ended = record(&driver, &dir.path().join("few"), &["--count", "5", "--for", "50ms"]).end();
    assert_eq!((ended.code(), ended.stderr.contains("0 of 5 messages")), (Some(1), true), "{ended:?}");
}

#[test]
fn a_late_subscriber_begins_with_what_was_recorded() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let recorder = record(&driver, dir.path(), &["--until-end"]);
    let client = driver.client();
    let mut publication = client.add_exclusive_publication(CHANNEL, 1001).expect("added");
    publish(&mut publication, 0..1000);
    await_recorded(dir.path(), 20);
    let journal = dir.path().to_str().expect("a plain path");
    let late = |from: &str, count: &str| {
        let arguments = ["sub", "--channel", CHANNEL, "--from-journal", journal, "--from", from, "--count", count];
        driver.gannet(&[&arguments[..], &["--timeout", "170s"]].concat())
    };
    let (all, some) = (late("start", "3000"), late("seq:10", "2990"));
    publish(&mut publication, 1000..3000);
    assert_eq!(text(all.end()), lines(0..3000));
    assert_eq!(text(some.end()), lines(10..3000));
    let session = publication.session_id().get();
    drop(publication);
    assert_eq!(recorder.end().json().len(), 1);

    // The recording has ended and is not continued: a command that waits for it gets an error.
    let arguments = ["sub", "--channel", CHANNEL, "--from-journal", journal, "--until-end", "--timeout", "1s"];
    let ended = driver.gannet(&arguments).end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), lines(0..3000));
    let told = format!("waiting for the publication that was recorded, session {session}, to go on from there");
    assert_eq!(ended.stderr.matches(&told).count(), 1, "{}", ended.stderr);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
    let elsewhere = driver.gannet(&[&arguments[..], &["--stream", "7"]].concat()).end();
    let warning = "a recording of stream 1001, and what follows it is looked for on stream 7";
    assert!(elsewhere.stderr.contains(warning), "{}", elsewhere.stderr);
}

/// A merge does not join the stream's next publication, so its end is the end of the command.
#[test]
fn a_late_subscriber_ends_with_the_publication_that_it_joined() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let recorder = record(&driver, dir.path(), &["--until-end"]);
    let client = driver.client();
    let mut publication = client.add_exclusive_publication(CHANNEL, 1001).expect("added");
    publish(&mut publication, 0..10);
    await_recorded(dir.path(), 10);
    let journal = dir.path().to_str().expect("a plain path");
    let late = ["sub", "--channel", CHANNEL, "--from-journal", journal];
    let (unasked, asked) = (driver.gannet(&late), driver.gannet(&[&late[..], &["--count", "30"]].concat()));
    eventually("both have joined", || {
        let streams = driver.gannet(&["streams", "--json"]).end().json();
        let subscribers = |line: &serde_json::Value| line["subscribers"].as_array().map_or(0, Vec::len);
        streams.iter().any(|line| line["stream_id"] == 1001 && subscribers(line) == 3).then_some(())
    });
    publish(&mut publication, 10..20);
    let session = publication.session_id().get();
    drop(publication);

    let ended = unasked.end();
    assert_eq!(
        (ended.code(), String::from_utf8_lossy(&ended.stdout).as_ref()),
        (Some(0), &lines(0..20)[..]),
        "{ended:?}"
    );
    let told = format!("the publication that was recorded, session {session}, has ended, at ");
    assert_eq!(ended.stderr.matches(&told).count(), 1, "{}", ended.stderr);
    let ended = asked.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("the stream ended after 20 of 30 messages"), "{}", ended.stderr);
    recorder.end().success();
}

fn udp() -> String {
    format!("aeron:udp?endpoint=127.0.0.1:{}|term-length=64k", free_port().expect("a port"))
}

/// Over the network: recorded, replayed, and joined late, also if one datagram in five is lost.
#[test]
fn what_is_recorded_over_the_network_is_replayed_over_it() {
    for loss in ["0", "200000"] {
        let driver = Driver::start_with(&[("GANNET_LOSS_DROP_PPM", loss)]);
        let dir = tempfile::tempdir().expect("a directory");
        let (live, replayed) = (udp(), udp());
        let record = ["record", "--channel", &live, "--segment-length", "65536", "--json", "--until-end"];
        let recorder = start(gannet(&record), dir.path(), &driver);
        let client = driver.client();
        let mut publication = client.add_exclusive_publication(&live, 1001).expect("added");
        publish(&mut publication, 0..1000);
        await_recorded(dir.path(), 20);
        let journal = dir.path().to_str().expect("a plain path");
        let late = ["sub", "--channel", &live, "--from-journal", journal, "--from", "seq:10", "--count", "2990"];
        let late = driver.gannet(&[&late[..], &["--timeout", "170s"]].concat());
        publish(&mut publication, 1000..3000);
        assert_eq!(text(late.end()), lines(10..3000), "{loss}");
        let end = publication.position().expect("it is open").get();
        drop(publication);
        let recorded = recorder.end().json();
        assert_eq!((recorded.len(), &recorded[0]["reason"]), (1, &"end of stream".into()), "{loss}");
        assert_eq!((&recorded[0]["start_position"], &recorded[0]["stop_position"]), (&0.into(), &end.into()));

        for (arguments, expected) in [(&[][..], 0..3000), (&["--from", "seq:100", "--to", "seq:2100"], 100..2100)] {
            let subscribe = ["sub", "--channel", &replayed, "--stream", "2002", "--timeout", "170s", "--until-end"];
            let subscriber = driver.gannet(&subscribe);
            let replay = ["replay", "--channel", &replayed, "--stream", "2002", "--wait", "170s", "--json"];
            let told = start(gannet(&[&replay, arguments].concat()), dir.path(), &driver).end().json();
            assert_eq!(text(subscriber.end()), lines(expected), "{loss}, {arguments:?}");
            assert_eq!((told.len(), &told[0]["recording_id"]), (1, &0.into()));
        }
        let losses = driver.gannet(&["loss", "--json"]).end().json();
        assert!(losses.is_empty() || loss != "0", "{losses:?}");
        assert!(loss == "0" || losses.iter().any(|line| line["count"].as_i64() >= Some(1)), "something was lost");
    }
}

/// A recorder that was killed leaves what it had recorded. Another one continues that if it is told to and the stream
/// goes on there, and makes a recording of its own otherwise.
#[test]
fn what_a_killed_recorder_has_recorded_is_kept_and_continued() {
    // Long timeouts: the subscription of the first one stays, and all later ones begin at its position.
    let timeouts = [("AERON_CLIENT_LIVENESS_TIMEOUT", "600s"), ("AERON_PUBLICATION_UNBLOCK_TIMEOUT", "700s")];
    let driver = Driver::start_with(&timeouts);
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("quotes");
    let client = driver.client();
    let mut publication = client.add_exclusive_publication(CHANNEL, 1001).expect("added");
    let run = |arguments: &[&str]| {
        Process::spawn(gannet(&[&["journal"], arguments].concat()).arg("--dir").arg(&journal), None).end()
    };
    let recorded = |recording: &str| {
        let found = run(&["cat", "--json", "--recording", recording]).json();
        let texts: Vec<_> = found.iter().map(|line| line["text"].as_str().expect("text").to_owned()).collect();
        let whole = run(&["verify", "--json", "--recording", recording]).json().remove(0);
        assert_eq!((&whole["damaged"], &whole["messages"]), (&0.into(), &texts.len().into()), "{whole}");
        texts.into_iter().map(|text| text + "\n").collect::<String>()
    };
    let kill = |recorder: Process| {
        recorder.signal(Signal::KILL);
        let ended = recorder.end();
        assert_eq!((ended.status.signal(), ended.stdout.len()), (Some(9), 0), "{ended:?}");
    };
    let subscribers = |count: usize| {
        eventually("it subscribes", || {
            let streams = driver.gannet(&["streams", "--json"]).end().json();
            let has = |line: &serde_json::Value| line["subscribers"].as_array().map(Vec::len) == Some(count);
            streams.iter().any(|line| line["stream_id"] == 1001 && has(line)).then_some(())
        });
    };
    let is_begun = |recording: i64| {
        eventually("it begins a recording", || {
            let line: serde_json::Value = serde_json::from_slice(&run(&["describe", "--json"]).stdout).ok()?;
            (line["recording_id"] == recording).then_some(())
        });
    };

    let first = record(&driver, &journal, &[]);
    publish(&mut publication, 0..300);
    eventually("it is recorded", || is_recorded(&publication, &journal));
    kill(first);
    assert_eq!(recorded("0"), lines(0..300));
    assert_eq!(run(&["ls", "--json"]).json()[0]["stop_position"], serde_json::Value::Null);

    let end = publication.position().expect("it is open").get();
    let second = record(&driver, &journal, &["--extend", "0"]);
    subscribers(2);
    publish(&mut publication, 300..400);
    eventually("it is recorded", || is_recorded(&publication, &journal));
    assert_eq!(recorded("0"), lines(0..400));
    second.signal(Signal::TERM);
    let line = second.end().json().remove(0);
    assert_eq!((&line["recording_id"], &line["start_position"]), (&0.into(), &end.into()), "{line}");
    assert_eq!(line["stop_position"].as_i64(), publication.position().map(|position| position.get()));

    // Without being told to, it begins anew. This one is killed at any moment of its work.
    let third = record(&driver, &journal, &[]);
    is_begun(1);
    publish(&mut publication, 400..450);
    kill(third);
    let left = recorded("1");
    assert!(lines(300..450).starts_with(&left), "{left}");
    let fourth = record(&driver, &journal, &[]);
    is_begun(2);
    publish(&mut publication, 450..500);
    eventually("it is recorded", || is_recorded(&publication, &journal));
    fourth.signal(Signal::TERM);
    ended_as_asked(fourth, &publication);
    assert_eq!((recorded("0"), recorded("1"), recorded("2")), (lines(0..400), left, lines(300..500)));

    // It would not begin where this one ends.
    let refused = record(&driver, &journal, &["--extend", "0"]).end();
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("1 of 1 stream could not be recorded"), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stdout).contains("position"), "{refused:?}");
    assert_eq!(recorded("0"), lines(0..400));
}

/// A replay ends before flipped bits, with advice to the user.
#[test]
fn bits_that_flipped_are_not_replayed_unless_asked_for() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::create(dir.path(), &JournalOptions::new()).expect("a journal");
    let appender = &mut journal.appender().expect("an appender");
    for number in 0..100 {
        appender.append(format!("line {number}").as_bytes()).expect("appended");
    }
    journal.close().expect("closed");
    // Each takes 64 bytes; the last letter of the fiftieth line's first word.
    let segment = dir.path().join("0-0.rec");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    bytes[50 * 64 + 32 + 3] ^= 1;
    std::fs::write(&segment, bytes).expect("written");
    let subscriber = |arguments: &[&str]| {
        let all = ["sub", "--channel", CHANNEL, "--timeout", "170s"];
        driver.gannet(&[&all, arguments].concat())
    };
    let told = |ended: &Ended| {
        assert_eq!(ended.code(), Some(1), "{ended:?}");
        for words in
            ["0-0.rec is damaged at position 3200", "CRC-32C", "--from 3264", "--no-verify", "gannet journal repair"]
        {
            assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        }
    };

    let reader = subscriber(&["--stream", "2002", "--until-end"]);
    told(&replay(&driver, dir.path(), &[]).end());
    assert_eq!(text(reader.end()), lines(0..50));
    let reader = subscriber(&["--stream", "2002", "--until-end"]);
    replay(&driver, dir.path(), &["--from", "3264"]).end().success();
    assert_eq!(text(reader.end()), lines(51..100));
    let flipped = lines(0..100).replacen("line 50\n", "lind 50\n", 1);
    let reader = subscriber(&["--stream", "2002", "--until-end"]);
    replay(&driver, dir.path(), &["--no-verify"]).end().success();
    assert_eq!(text(reader.end()), flipped);

    let path = dir.path().to_str().expect("a plain path");
    let late = ["--stream", "1001", "--from-journal", path];
    let ended = subscriber(&late).end();
    told(&ended);
    assert_eq!(String::from_utf8_lossy(&ended.stdout), lines(0..50));
    let unseen = subscriber(&[&late[..], &["--no-verify", "--count", "100"]].concat());
    assert_eq!(text(unseen.end()), flipped);
}

#[test]
fn what_cannot_be_recorded_or_replayed_is_refused() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let none = dir.path().join("none");
    // Before anybody waits for a driver.
    let none_path = none.to_str().expect("a plain path");
    let ended = Process::spawn(&mut gannet(&["sub", "--from-journal", none_path, "--dir", none_path]), None).end();
    assert!(ended.stderr.contains("there is no directory"), "{ended:?}");
    for (arguments, code, told) in [
        (&["replay"][..], 1, "there is no directory"),
        (&["replay", "--speed", "fast"], 2, "2x"),
        (&["replay", "--from", "soon"], 2, "seq:NUMBER"),
        (&["replay", "--channel", "no channel"], 2, "no channel"),
        (&["record", "--extend", "7"], 1, "has no recording 7"),
        (&["record", "--segment-length", "1000"], 2, "a power of two from 64k"),
        (&["record", "--sync", "often"], 2, "'none' or 'every'"),
    ] {
        let ended = start(gannet(arguments), &none, &driver).end();
        assert_eq!(ended.code(), Some(code), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(told), "{arguments:?}: {}", ended.stderr);
    }
    let empty = dir.path().join("empty");
    let ended = start(gannet(&["record", "--for", "1ms"]), &empty, &driver).end();
    assert_eq!((ended.code(), ended.stderr.contains("nothing was recorded")), (Some(0), true), "{ended:?}");
    let ended = start(gannet(&["replay"]), &empty, &driver).end();
    assert_eq!((ended.code(), ended.stderr.contains("has no recordings yet")), (Some(1), true), "{ended:?}");
    let journal = Journal::create(dir.path().join("some"), &JournalOptions::new());
    journal.expect("a journal").appender().expect("an appender").append(b"alone").expect("appended");
    let ended = start(gannet(&["replay", "--wait", "50ms"]), &dir.path().join("some"), &driver).end();
    assert_eq!((ended.code(), ended.stderr.contains("nobody subscribes")), (Some(1), true), "{ended:?}");
    let looks = format!("`gannet errors --dir {}`", driver.path().display());
    assert!(ended.stderr.contains(&looks), "{ended:?}");
}

/// Whatever a command was doing, it reports that the driver was shut down.
#[test]
fn a_driver_that_was_shut_down_is_named_by_whoever_it_served() {
    let mut driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("quotes");
    let client = driver.client();
    let mut publication = client.add_exclusive_publication(CHANNEL, 1001).expect("added");
    let session_id = publication.session_id().get();
    let recorder = record(&driver, &journal, &[]);
    publish(&mut publication, 0..10);
    await_recorded(&journal, 10);

    let path = journal.to_str().expect("a plain path");
    let subscriber = driver.gannet(&["sub", "--channel", CHANNEL]);
    let merging = driver.gannet(&["sub", "--channel", CHANNEL, "--from-journal", path]);
    let merging_to_its_end = driver.gannet(&["sub", "--channel", CHANNEL, "--from-journal", path, "--until-end"]);
    let publisher = driver.publish_forever(&["--channel", CHANNEL, "--stream", "3003", "--rate", "100"]);
    let reader = driver.gannet(&["sub", "--channel", CHANNEL, "--stream", "3003"]);
    let reader_to_its_end = driver.gannet(&["sub", "--channel", CHANNEL, "--stream", "3003", "--until-end"]);
    let waiting =
        driver.gannet_with_input(&["pub", "--channel", CHANNEL, "--stream", "4004", "--wait", "170s"], Some(b"x\n"));
    // A recording that does not end with the driver, unlike that of the stream.
    let written = Journal::create(dir.path().join("written"), &JournalOptions::new()).expect("a journal");
    written.appender().expect("an appender").append(b"first").expect("appended");
    let replayer = replay(&driver, &dir.path().join("written"), &["--follow"]);
    let listener = driver.gannet(&["sub", "--channel", CHANNEL, "--stream", "2002"]);
    eventually("all of them are there", || {
        let streams = driver.gannet(&["streams", "--json"]).end().json();
        let has = |stream: i64, subscribers: usize| {
            streams.iter().any(|line| {
                line["stream_id"] == stream && line["subscribers"].as_array().map(Vec::len) >= Some(subscribers)
            })
        };
        (has(1001, 4) && has(3003, 2) && has(4004, 0) && has(2002, 1)).then_some(())
    });
    let expected = format!("the driver in {} was shut down", driver.path().display());
    driver.shut_down();
    let subscribers = [subscriber, merging, merging_to_its_end, reader, reader_to_its_end, listener];
    for (index, process) in [recorder, publisher, waiting, replayer].into_iter().chain(subscribers).enumerate() {
        let ended = process.end();
        if index == 0 {
            let line: serde_json::Value = serde_json::from_slice(&ended.stdout).expect("what was recorded is told");
            assert_eq!((&line["recording_id"], &line["session_id"]), (&0.into(), &session_id.into()), "{line}");
        }
        assert_eq!(ended.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    }
}
