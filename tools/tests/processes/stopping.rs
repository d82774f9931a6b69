//! Commands that are stopped: they complete their work and leave nothing behind, with every signal.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use gannet::journal::Journal;
use rustix::fs::OFlags;
use rustix::process::Signal;

use crate::sbe;
use crate::support::{CHANNEL, Driver, Process, eventually, gannet_by, pipe};

const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// The command, which receives every signal even if the process that runs the tests ignores SIGHUP.
fn gannet(arguments: &[&str]) -> Command {
    gannet_by(&["env", "--default-signal=HUP"], arguments)
}

#[test]
fn what_a_measurement_has_made_is_removed() {
    for signal in SIGNALS {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().to_str().expect("a plain path");
        let files = || std::fs::read_dir(dir.path()).expect("it is ours").count();
        let arguments = ["bench", "journal", "--part", "append", "--rounds", "1000000", "--dir", path];
        let process = Process::spawn(&mut gannet(&arguments), None);
        eventually("it has made files", || (files() > 0).then_some(()));
        process.signal(signal);
        let ended = process.end();
        assert!(
            ended.code() == Some(1) && ended.stderr.contains("stopped before everything was measured"),
            "{ended:?}"
        );
        assert_eq!(files(), 0, "{signal:?}");
    }
}

#[test]
fn lines_that_have_come_whole_are_appended() {
    for signal in SIGNALS {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        let dir = path.to_str().expect("a plain path");
        let mut command = gannet(&["journal", "append", "--json", "--segment-length", "64k", "--dir", dir]);
        let (process, input) = Process::spawn_fed(&mut command, b"one\ntwo\nthr");
        eventually("two lines are appended", || {
            let recording = Journal::open(&path).ok()?.recording().ok()?;
            let mut tailer = recording.tailer(gannet::journal::Start::Begin).ok()?;
            while tailer.next().expect("it is whole").is_some() {}
            (tailer.sequence() == Some(2)).then_some(())
        });
        process.signal(signal);
        let line = &process.end().json()[0];
        assert_eq!(line["messages"], 2, "{signal:?}: {line}");
        assert_eq!(line["position"], Journal::open(&path).expect("a journal").tail().get());
        drop(input);
    }
}

#[test]
fn nobody_has_to_type_something_to_end_what_decodes_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let schema = sbe::schema(dir.path(), "orders.xml", 0, sbe::ORDER);
    for signal in SIGNALS {
        for kind in ["raw", "hex"] {
            let mut command = gannet(&["sbe", "decode", "--schema", &schema, "--input", kind]);
            let (process, input) = Process::spawn_fed(&mut command, b"ff");
            eventually("it hears signals", || process.hears(signal).then_some(()));
            process.signal(signal);
            assert_eq!(process.end().success(), b"", "{signal:?}, {kind}");
            drop(input);
        }
    }
}

/// Commands that read the file at `path`.
fn readers(path: &str, schema: &str, driver: &Driver) -> Vec<Command> {
    let dir = driver.path();
    let publish = ["pub", "--channel", CHANNEL, "--subscribers", "0", "--dir", dir.to_str().expect("a plain path")];
    let decode = ["sbe", "decode", "--schema", schema];
    let inputs: [&[&str]; 3] = [&["--file", path], &["--file", path, "--format", "raw"], &["--capture", path]];
    let mut commands: Vec<_> = inputs.iter().map(|input| gannet(&[&publish, *input].concat())).collect();
    let inputs: [&[&str]; 3] = [&["--file", path], &["--file", path, "--input", "hex"], &["--capture", path]];
    commands.extend(inputs.iter().map(|input| gannet(&[&decode, *input].concat())));
    commands
}

#[test]
fn what_waits_for_a_pipe_that_nobody_writes_to_ends() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let schema = sbe::schema(dir.path(), "orders.xml", 0, sbe::ORDER);
    let path = pipe(dir.path());
    for (index, command) in readers(path.to_str().expect("a plain path"), &schema, &driver).iter_mut().enumerate() {
        let process = Process::spawn(command, None);
        let signal = SIGNALS[index % SIGNALS.len()];
        eventually("it hears signals", || process.hears(signal).then_some(()));
        process.signal(signal);
        assert_eq!(process.end().success(), b"", "{command:?}");
    }
}

#[test]
fn what_waits_for_more_from_a_pipe_ends_without_the_part_that_came() {
    let driver = Driver::start();
    let dir = tempfile::tempdir().expect("a directory");
    let schema = sbe::schema(dir.path(), "orders.xml", 0, sbe::ORDER);
    let path = pipe(dir.path());
    for (index, command) in readers(path.to_str().expect("a plain path"), &schema, &driver).iter_mut().enumerate() {
        let process = Process::spawn(command, None);
        // Refused until somebody reads.
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let mut writer = eventually("it reads the pipe", || {
            OpenOptions::new().write(true).custom_flags(nonblocking).open(&path).ok()
        });
        writer.write_all(b"7").expect("there is room");
        let signal = SIGNALS[index % SIGNALS.len()];
        process.signal(signal);
        assert_eq!(process.end().success(), b"", "{command:?}");
        drop(writer);
    }
}

/// Nobody reads the pipe that it is to write into.
#[test]
fn what_waits_for_a_reader_of_a_pipe_ends_when_told_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("journal");
    let journal = journal.to_str().expect("a plain path");
    let append = ["journal", "append", "--segment-length", "64k", "--dir", journal];
    Process::spawn(&mut gannet(&append), Some(b"one\n")).end().success();
    let pipe = pipe(dir.path());
    let export = ["journal", "export", "--format", "csv", "--dir", journal, "--output"];
    let process = Process::spawn(gannet(&export).arg(&pipe), None);
    eventually("it waits", || (process.has_mapped("0.control") && process.sleeps()).then_some(()));
    // Not SIGINT, which whoever started the tests may have had ignored.
    process.signal(Signal::TERM);
    assert_eq!(process.end().status.signal(), Some(Signal::TERM.as_raw()));
}

/// Nothing was done until then, and nothing is lost.
#[test]
fn what_waits_for_a_driver_ends_when_told_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("a plain path").to_owned();
    let (journal, records, nowhere) = (path("journal"), path("records"), path("nowhere"));
    let append = ["journal", "append", "--segment-length", "64k", "--dir", &journal];
    Process::spawn(&mut gannet(&append), Some(b"one\ntwo\n")).end().success();
    // One that is not there, and one that does not answer.
    let driver = Driver::start();
    driver.stand_still();
    let still = driver.path().to_str().expect("a plain path").to_owned();
    for (dir, signal) in [(&nowhere, Signal::INT), (&nowhere, Signal::HUP), (&still, Signal::TERM)] {
        for arguments in [
            &["sub"][..],
            &["sub", "--from-journal", &journal, "--from", "end"],
            &["pub", "--json"],
            &["record", "--journal", &records, "--json"],
            &["replay", "--journal", &journal, "--from", "seq:1", "--json"],
        ] {
            let process = Process::spawn(&mut gannet(&[arguments, &["--dir", dir]].concat()), None);
            eventually("it hears signals", || process.hears(signal).then_some(()));
            process.signal(signal);
            let told = process.end().success();
            let expected = match arguments[0] {
                "pub" => "{\"published\":0,\"bytes\":0,\"passed_over\":0}\n",
                "replay" => {
                    "{\"recording_id\":0,\"session_id\":null,\"from_position\":64,\"position\":64,\"bytes\":0,\"seconds\":0.0}\n"
                }
                _ => "",
            };
            assert_eq!(String::from_utf8_lossy(&told), expected, "{arguments:?}");
        }
    }
}
