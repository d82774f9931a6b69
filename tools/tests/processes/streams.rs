//! `gannet pub` and `gannet sub`: what is published is received.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::{CHANNEL, Driver, Process, eventually, gannet, gannet_by, raw};

fn publish(driver: &Driver, arguments: &[&str], input: &[u8]) {
    let mut all = vec!["pub", "--channel", CHANNEL, "--wait", "170s"];
    all.extend(arguments);
    driver.gannet_with_input(&all, Some(input)).end().success();
}

fn subscribe(driver: &Driver, arguments: &[&str]) -> crate::support::Process {
    let mut all = vec!["sub", "--channel", CHANNEL, "--timeout", "170s"];
    all.extend(arguments);
    driver.gannet(&all)
}

#[test]
fn lines_come_out_as_text_hex_and_json() {
    let driver = Driver::start();
    let text = subscribe(&driver, &["--until-end"]);
    let hex = subscribe(&driver, &["--until-end", "--format", "hex"]);
    let json = subscribe(&driver, &["--count", "3", "--json"]);
    publish(&driver, &["--subscribers", "3"], "one\n\nthrée\n".as_bytes());

    assert_eq!(String::from_utf8(text.end().success()).expect("text"), "one\n\nthrée\n");
    assert_eq!(hex.end().success(), b"6f6e65\n\n746872c3a965\n");
    let lines = json.end().json();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["text"], "thrée");
    assert_eq!(lines[2]["hex"], "746872c3a965");
    assert_eq!(lines[0]["length"], 3);
    assert_eq!(lines[0]["stream_id"], 1001);
    assert_eq!(lines[2]["position"], 64 + 32 + 64);
    assert_eq!(lines[0]["session_id"], lines[2]["session_id"]);
}

#[test]
fn raw_messages_of_every_length_go_through_unchanged() {
    // With terms of 64 KiB the longest message has 8 KiB, and takes several frames.
    let messages: Vec<_> = (0..300).map(|index| vec![index as u8; index * 8192 / 299]).collect();
    let bytes = raw(messages.iter().map(Vec::as_slice));
    let driver = Driver::start();
    let subscriber = subscribe(&driver, &["--until-end", "--format", "raw"]);
    publish(&driver, &["--format", "raw", "--exclusive"], &bytes);
    assert!(subscriber.end().success() == bytes, "some message was changed");
}

#[test]
fn a_message_that_cannot_fit_is_refused_by_number() {
    let driver = Driver::start();
    let subscriber = subscribe(&driver, &["--count", "1"]);
    let input = format!("fits\n{}\n", "x".repeat(10_000));
    let arguments = ["pub", "--channel", CHANNEL, "--wait", "170s"];
    let ended = driver.gannet_with_input(&arguments, Some(input.as_bytes())).end();
    assert_eq!(ended.code(), Some(1));
    assert!(ended.stderr.contains("message 2 (10,000 bytes)"), "{}", ended.stderr);
    assert_eq!(subscriber.end().success(), b"fits\n");
}

/// A frame that no publisher sends, of one that formats its frames itself.
#[test]
fn a_message_that_is_too_long_to_be_one_is_dropped_and_told() {
    const LENGTH: usize = (16 << 20) + 64;
    let driver = Driver::start();
    let subscriber = subscribe(&driver, &["--count", "1"]);
    let client = driver.client();
    let mut publication = client.add_exclusive_publication("aeron:ipc?term-length=32m", 1001).expect("added");
    let mut block = vec![0; LENGTH];
    block[..4].copy_from_slice(&(LENGTH as i32).to_le_bytes());
    // A first fragment of data.
    block[4..8].copy_from_slice(&[0, 0x80, 1, 0]);
    block[12..16].copy_from_slice(&publication.session_id().get().to_le_bytes());
    block[16..20].copy_from_slice(&1001_i32.to_le_bytes());
    block[20..24].copy_from_slice(&publication.initial_term_id().get().to_le_bytes());
    eventually("the block is published", || publication.offer_block(&block).ok());
    eventually("the message is published", || publication.offer(b"next").ok());
    let ended = subscriber.end();
    assert!(ended.stderr.contains("warning: 1 message dropped"), "{ended:?}");
    assert_eq!(ended.success(), b"next\n");
}

#[test]
fn an_input_that_ends_in_the_middle_of_a_message_is_named() {
    let driver = Driver::start();
    let file = driver.path().with_file_name("cut.raw");
    let path = file.to_str().expect("a plain path");
    let cut = [&raw([&b"whole"[..]])[..], &[9, 0, 0, 0, b'x']].concat();
    std::fs::write(&file, &cut).expect("there is room");
    let publish = ["pub", "--channel", CHANNEL, "--wait", "170s", "--format", "raw"];
    for (arguments, input, name) in [(&["--file", path][..], None, path), (&[], Some(&cut[..]), "standard input")] {
        let subscriber = subscribe(&driver, &["--count", "1"]);
        let ended = driver.gannet_with_input(&[&publish, arguments].concat(), input).end();
        assert_eq!(ended.code(), Some(1), "{ended:?}");
        for words in [&format!("cannot read {name}"), "ends in the middle of a message"] {
            assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        }
        assert_eq!(subscriber.end().success(), b"whole\n");
    }
}

#[test]
fn a_publisher_without_subscribers_gives_up_when_it_was_told_to() {
    let driver = Driver::start();
    let ended = driver.gannet_with_input(&["pub", "--channel", CHANNEL, "--wait", "100ms"], Some(b"x\n")).end();
    assert_eq!(ended.code(), Some(1));
    let looks = format!("`gannet errors --dir {}`", driver.path().display());
    assert!(ended.stderr.contains("start `gannet sub` there") && ended.stderr.contains(&looks), "{}", ended.stderr);
}

/// Otherwise it would read the empty input for ever, as fast as it can.
#[test]
fn a_publisher_that_is_to_repeat_nothing_says_so() {
    let driver = Driver::start();
    for times in ["2", "forever"] {
        let ended = driver
            .gannet(&["pub", "--channel", CHANNEL, "--subscribers", "0", "--file", "/dev/null", "--loop", times])
            .end();
        assert_eq!(ended.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains("no message in what --loop is to go over again"), "{}", ended.stderr);
    }
    driver.gannet(&["pub", "--channel", CHANNEL, "--subscribers", "0", "--file", "/dev/null"]).end().success();
}

#[test]
fn a_subscriber_waits_no_longer_than_it_was_told_to() {
    let driver = Driver::start();
    let silent = driver.gannet(&["sub", "--channel", CHANNEL, "--timeout", "100ms"]).end();
    assert_eq!(silent.code(), Some(0), "nothing more was asked for: {}", silent.stderr);
    let short = driver.gannet(&["sub", "--channel", CHANNEL, "--timeout", "100ms", "--count", "1"]).end();
    assert_eq!(short.code(), Some(1), "a message was asked for");
}

#[test]
fn a_subscriber_stops_when_told_to() {
    // A driver that has seen no other client of this name, since a driver forgets a client only later.
    let driver = Driver::start();
    let subscriber = driver.gannet(&["sub", "--channel", CHANNEL]);
    eventually("the subscriber is a client", || {
        let clients = driver.gannet(&["stat", "--json", "--type", "11", "--label", "name=gannet sub"]).end().json();
        (!clients.is_empty()).then_some(())
    });
    subscriber.signal(Signal::TERM);
    assert_eq!(subscriber.end().code(), Some(0));
}

#[test]
fn a_subscriber_whose_driver_dies_says_so() {
    let mut driver = Driver::start();
    let dir = driver.path();
    let mut command = crate::support::gannet(&["sub", "--channel", CHANNEL, "--dir"]);
    command.arg(&dir).env("AERON_DRIVER_TIMEOUT", "10000");
    let subscriber = crate::support::Process::spawn(&mut command, None);
    eventually("the subscriber is a client", || {
        let clients = driver.gannet(&["stat", "--json", "--type", "11", "--label", "name=gannet sub"]).end().json();
        (!clients.is_empty()).then_some(())
    });
    driver.kill();
    // One that starts while the dead driver's last sign of life is still young.
    let mut command = crate::support::gannet(&["sub", "--channel", CHANNEL, "--driver-timeout", "11s", "--dir"]);
    let late = crate::support::Process::spawn(command.arg(&dir), None);
    let ended = subscriber.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("has been silent for"), "{}", ended.stderr);
    let ended = late.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(!ended.stderr.contains("call `reconnect`"), "a user cannot: {}", ended.stderr);
}

#[test]
fn a_publisher_whose_message_waits_for_a_subscriber_says_so() {
    let driver = Driver::start();
    let told = driver.path().with_file_name("told");
    let script = format!("exec \"$0\" \"$@\" 2> {}", told.display());
    let mut command = gannet_by(&["sh", "-c", &script], &["pub", "--channel", CHANNEL, "--subscribers", "0", "--dir"]);
    let publisher = Process::spawn(command.arg(driver.path()), Some(b"one\ntwo\n"));
    let line = eventually("it says so", || {
        let told = std::fs::read_to_string(&told).ok()?;
        told.ends_with('\n').then_some(told)
    });
    assert!(line.starts_with("message 1 waits: the stream has no subscriber"), "{line}");
    assert_eq!(subscribe(&driver, &["--count", "2"]).end().success(), b"one\ntwo\n");
    publisher.end().success();
}

/// As in `gannet sub | head -1`, when nothing more arrives.
#[test]
fn what_waits_for_more_ends_when_its_reader_is_gone() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("journal");
    let journal = journal.to_str().expect("a plain path");
    let append = ["journal", "append", "--segment-length", "64k", "--dir", journal];
    Process::spawn(&mut gannet(&append), Some(b"one\n")).end().success();
    let driver_dir = driver.path();
    let driver_dir = driver_dir.to_str().expect("a plain path");
    let follow = ["journal", "tail", "--follow", "--dir", journal];
    let watch = ["why", "--for", "1h", "--dir", driver_dir];
    for arguments in [&["sub", "--channel", CHANNEL, "--dir", driver_dir][..], &follow, &watch] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut child = gannet(arguments).stdin(Stdio::null()).stdout(writer).spawn().expect("it is built");
        if arguments[0] == "sub" {
            publish(&driver, &[], b"one\n");
        }
        if arguments[0] != "why" {
            let mut line = String::new();
            BufReader::new(&reader).read_line(&mut line).expect("a line");
            assert!(line.ends_with("one\n"), "{line}");
        }
        drop(reader);
        let status = eventually("it ends", || child.try_wait().expect("it is our child"));
        assert!(status.success(), "{arguments:?}: {status}");
    }
}
