//! What scripts rely on: exit codes, closed pipes, and the demo.

use std::process::Stdio;

use crate::support::{Driver, Process, gannet};

fn run(arguments: &[&str]) -> crate::support::Ended {
    Process::spawn(&mut gannet(arguments), None).end()
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    for arguments in [
        &["nonsense"][..],
        &["stat", "--no-such-flag"],
        &["pub", "--rate", "0"],
        &["pub", "--loop", "2"],
        &["pub", "--channel", "no channel at all"],
        &["sub", "--stream", "x"],
        &["sub", "--json", "--format", "hex"],
        &["bench"],
        &["bench", "stall", "--profile", "fast"],
        &["sub", "--timeout", "1e19"],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code(), Some(2), "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.is_empty(), "{arguments:?} says nothing");
    }
}

#[test]
fn a_value_that_is_none_is_answered_with_what_is_expected() {
    for (arguments, expected) in [
        (&["sub", "--stream", "abc"][..], "expected a 32-bit stream id such as 1001"),
        (&["stat", "--type", "x"], "expected the number of a counter's type"),
        (&["stat", "--session", "x"], "expected a 32-bit session id"),
        (&["pub", "--rate", "fast"], "expected a whole number such as 1000, 20k or 5M"),
        (&["pub", "--rate", "2g"], "must be at most 1000000000"),
        (&["record", "--dir", "d"], "--journal <DIR>"),
        (&["replay", "--dir", "d"], "--journal <DIR>"),
        (&["record", "--journal", "d", "--segment-length", "65m"], "expected a power of two from 64k to 1g"),
        (&["journal", "ls", "--dir", "/no/such/directory", "--recording", "x"], "unexpected argument"),
        (&["journal", "describe", "--dir", "d", "--recording", "x"], "expected the id of a recording"),
        (&["bench", "ipc", "--term-length", "100"], "expected a power of two from 64k to 1g"),
        (&["bench", "udp", "--term-length", "3m"], "expected a power of two from 64k to 1g"),
        (&["bench", "udp", "--mtu", "1400"], "not a multiple of 32"),
        (&["bench", "udp", "--term-length", "64k"], "of 65536 bytes is longer than the longest of 8192"),
        (&["bench", "udp", "--size", "32,1000k", "--term-length", "1m"], "longest of 131072 "),
        (&["bench", "udp", "--window", "1000"], "no room for a datagram of --mtu 1408"),
        (&["bench", "stall", "--added-term-length", "2g"], "expected a power of two from 64k to 1g"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code(), Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn a_directory_that_is_not_there_is_told_from_one_that_is_no_journal() {
    let dir = tempfile::tempdir().expect("a directory");
    let none = dir.path().join("none");
    for arguments in [&["journal", "ls"][..], &["journal", "cat"], &["journal", "reindex"], &["replay"]] {
        let at =
            |dir: &std::path::Path| run(&[arguments, &["--journal", dir.to_str().expect("a plain path")]].concat());
        let (missing, empty) = (at(&none), at(dir.path()));
        assert_eq!((missing.code(), empty.code()), (Some(1), Some(1)), "{missing:?} {empty:?}");
        assert!(missing.stderr.contains(&format!("there is no directory {}", none.display())), "{missing:?}");
        assert!(empty.stderr.contains("is not a journal") && !empty.stderr.contains("create"), "{empty:?}");
    }
}

#[test]
fn a_client_without_a_driver_says_so_once_when_it_has_waited_as_long_as_it_should() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a plain path");
    for command in ["pub", "sub"] {
        let ended = run(&[command, "--dir", path, "--driver-timeout", "30ms"]);
        assert_eq!(ended.code(), Some(1), "{command}: {ended:?}");
        let expected = format!("no driver has started in {path} within 30ms: there is no {path}/cnc.dat; start ");
        assert!(ended.stderr.contains(&expected), "{command}: {}", ended.stderr);
    }
}

#[test]
fn a_client_does_not_start_with_an_environment_that_cannot_be_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a plain path");
    for command in ["pub", "sub"] {
        let mut process = gannet(&[command, "--dir", path]);
        process.env("AERON_DRIVER_TIMEOUT", "ten").env("AERON_CLIENT_IDLE_SLEEP_DURATION", "16 ms");
        let ended = Process::spawn(&mut process, None).end();
        assert_eq!(ended.code(), Some(1), "{command}: {ended:?}");
        for expected in ["AERON_DRIVER_TIMEOUT: \"ten\" is not", "AERON_CLIENT_IDLE_SLEEP_DURATION: \"16 ms\" is not"] {
            assert!(ended.stderr.contains(expected), "{command}: {}", ended.stderr);
        }
    }
}

#[test]
fn what_has_no_effect_in_a_channel_is_said_once_and_refused_by_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a plain path");
    let channel = "aeron:ipc?term-lenght=64k";
    let ended = run(&["sub", "--channel", channel, "--dir", path, "--driver-timeout", "30ms"]);
    let warning =
        format!("warning: --channel {channel}: the key term-lenght is not known; did you mean term-length?\n");
    assert_eq!(ended.stderr.matches("term-lenght").count(), 2, "once, beside the channel itself: {}", ended.stderr);
    assert!(ended.stderr.starts_with(&warning), "{}", ended.stderr);
    assert!(ended.stderr.contains("no driver has started"), "it went on: {}", ended.stderr);
}

#[test]
fn help_is_no_error() {
    for arguments in [&["--help"][..], &["--version"], &["pub", "--help"], &["bench", "ipc", "--help"]] {
        assert_eq!(run(arguments).code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = tempfile::tempdir().expect("a directory");
    let pages = dir.path().join("man1");
    let path = pages.to_str().expect("a plain path");
    assert!(run(&["man", path]).success().is_empty());
    for name in ["gannet", "gannet-stat", "gannet-terminate", "gannet-journal-ls", "gannet-sbe-decode"] {
        let page = std::fs::read_to_string(pages.join(name).with_extension("1")).unwrap_or_else(|_| panic!("{name}"));
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
    let page = String::from_utf8(run(&["man"]).success()).expect("text");
    assert_eq!(page, std::fs::read_to_string(pages.join("gannet.1")).expect("a page"));
    let file = pages.join("gannet.1");
    let refused = run(&["man", file.to_str().expect("a plain path")]);
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("cannot write manual pages into"), "{refused:?}");

    let mut driver = std::process::Command::new(crate::support::driver_binary());
    let page = String::from_utf8(Process::spawn(driver.arg("--man"), None).end().success()).expect("text");
    assert!(page.contains("threading") && page.contains("Exit status"), "{page}");
}

#[test]
fn both_programs_tell_the_same_version_and_commit() {
    let ours = String::from_utf8(run(&["--version"]).success()).expect("text");
    let mut driver = std::process::Command::new(crate::support::driver_binary());
    let driver = String::from_utf8(Process::spawn(driver.arg("--version"), None).end().success()).expect("text");
    let words: Vec<_> = ours.split_whitespace().collect();
    let ["gannet", version, "git", commit] = words[..] else { panic!("{ours}") };
    assert!(driver.starts_with(&format!("gannet-driver <{version}> ")), "{driver}");
    assert!(driver.ends_with(&format!(" git {commit}\n")), "{driver}");
}

#[test]
fn without_a_driver_every_reading_command_ends_with_1_and_says_where_it_looked() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a plain path");
    for command in ["stat", "errors", "streams", "why"] {
        let ended = run(&[command, "--dir", path]);
        assert_eq!(ended.code(), Some(1), "{command}: {ended:?}");
        assert!(ended.stderr.contains(path) && ended.stderr.contains("--dir"), "{command}: {}", ended.stderr);
    }
}

#[test]
fn a_capture_that_is_none_is_refused_before_anybody_waits() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("notes.pcap");
    std::fs::write(&path, "these are notes, not packets").expect("there is room");
    let ended = run(&["pub", "--capture", path.to_str().expect("a plain path")]);
    assert_eq!(ended.code(), Some(1));
    assert!(ended.stderr.contains("notes.pcap is not a capture"), "{}", ended.stderr);
}

#[test]
fn a_report_without_a_place_is_refused_before_anything_is_measured() {
    for scenario in ["ipc", "stall"] {
        let ended = run(&["bench", scenario, "--report", "/no/such/folder/report.html"]);
        assert_eq!(ended.code(), Some(1));
        assert!(ended.stderr.contains("/no/such/folder/report.html") && ended.stdout.is_empty(), "{ended:?}");
    }
}

/// Short, since the figures do not matter here.
#[test]
fn a_measurement_over_ipc_prints_the_keys_that_scripts_rely_on() {
    const KEYS: [&str; 17] = [
        "scenario",
        "system",
        "kind",
        "size",
        "rate",
        "samples",
        "lost",
        "p50_ns",
        "p90_ns",
        "p99_ns",
        "p999_ns",
        "p9999_ns",
        "max_ns",
        "msgs_per_s",
        "bytes_per_s",
        "floor_p50_ns",
        "ratio_to_floor",
    ];
    let lines = run(&["bench", "ipc", "--json", "--rounds", "1", "--rate", "1000"]).json();
    for line in &lines {
        for key in KEYS {
            assert!(line.get(key).is_some(), "{key}: {line}");
        }
        assert_eq!((&line["scenario"], &line["lost"]), (&"ipc".into(), &0.into()), "{line}");
    }
    let of = |system: &str, kind: &str, size: u64| {
        let line = lines.iter().find(|line| line["system"] == system && line["kind"] == kind && line["size"] == size);
        line.unwrap_or_else(|| panic!("no {kind} of {system} with {size} bytes: {lines:?}"))
    };
    for system in ["floor", "gannet"] {
        let echo = of(system, "echo", 32);
        assert!(echo["samples"].as_u64() > Some(0) && echo["p50_ns"].as_u64() > Some(0), "{echo}");
        assert!(echo["p50_ns"].as_u64() <= echo["max_ns"].as_u64() && echo["msgs_per_s"].is_null(), "{echo}");
        for size in [32, 1024] {
            let throughput = of(system, "throughput", size);
            assert!(throughput["msgs_per_s"].as_f64() > Some(0.0) && throughput["p50_ns"].is_null(), "{throughput}");
        }
    }
    assert!(of("gannet", "echo", 32)["ratio_to_floor"].as_f64() > Some(0.0), "{lines:?}");
}

#[test]
fn an_idle_driver_s_time_is_told() {
    // Started only to see that it works; the figures do not matter here.
    let driver = crate::support::driver_binary().to_str().expect("a plain path");
    // If the machine gives the driver no time at all for that long, the test is repeated.
    crate::support::eventually("a driver that does something takes time", || {
        let lines = run(&["bench", "idle", "--json", "--for", "300ms", "--driver", driver]).json();
        assert_eq!(lines.len(), 2);
        for line in &lines {
            assert_eq!(
                (&line["scenario"], &line["kind"], &line["profile"]),
                (&"idle".into(), &"idle".into(), &"frugal".into())
            );
        }
        lines.iter().all(|line| line["cpu_share"].as_f64() > Some(0.0)).then_some(())
    });
    let ended = run(&["bench", "idle", "--driver", "/no/such/driver"]);
    assert_eq!(ended.code(), Some(1));
    assert!(ended.stderr.contains("/no/such/driver"), "{}", ended.stderr);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let driver = Driver::start();
    let mut command = gannet(&["stat", "--json", "--watch", "5ms", "--dir"]);
    let mut child = command
        .arg(driver.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built for this test");
    drop(child.stdout.take());
    let status =
        crate::support::eventually("the command ends by itself", || child.try_wait().expect("it is our child"));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn text_for_which_there_is_no_room_is_a_failure() {
    for arguments in [
        &["--help"][..],
        &["-h"],
        &["--version"],
        &["help", "journal"],
        &["journal", "--help"],
        &["journal", "cat", "-h"],
        &["completions", "bash"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("every Linux has it");
        let output = gannet(arguments).stdout(full).output().expect("it was built for this test");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.starts_with("error: cannot write to standard output\n"), "{arguments:?}: {told}");
        let (reader, closed) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = gannet(arguments).stdout(closed).output().expect("it was built for this test");
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{arguments:?}");
    }
}

#[test]
fn a_warning_that_nobody_can_read_ends_no_command() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("every Linux has it");
    let mut command = gannet(&["sub", "--channel", "aeron:ipc?term-lenght=64k", "--driver-timeout", "30ms"]);
    let status =
        command.args(["--dir", "/no/such/directory"]).stderr(full).status().expect("it was built for this test");
    assert_eq!(status.code(), Some(1), "it warned, went on, and found no driver");
}

/// Messages in transit when it was stopped do not count as lost.
#[test]
fn a_demonstration_that_is_stopped_says_so_and_nothing_of_a_loss() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = gannet(&["demo", "--messages", "100000000", "--rate", "1000"]);
    let process = Process::spawn(command.env("TMPDIR", dir.path()), None);
    // Its recording directory is there once it listens for signals.
    crate::support::eventually("it begins", || std::fs::read_dir(dir.path()).expect("it is there").next().map(drop));
    process.signal(rustix::process::Signal::INT);
    let ended = process.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("error: stopped in ipc, with "), "{}", ended.stderr);
    assert!(!String::from_utf8_lossy(&ended.stdout).contains("lost"), "{ended:?}");
}

#[test]
fn a_check_tells_a_driver_that_lives_from_one_that_does_not() {
    let mut driver = Driver::start();
    // If the machine has not run the driver for ten seconds, it does not count as alive, and the test is repeated.
    let line = crate::support::eventually("the driver is alive", || {
        let ended = driver.gannet(&["stat", "--check", "--json"]).end();
        ended.status.success().then(|| ended.json().remove(0))
    });
    assert_eq!((&line["state"], &line["dir"]), (&"alive".into(), &driver.path().to_str().into()), "{line}");
    assert_eq!((&line["profile"], &line["version"]), (&"frugal".into(), &env!("CARGO_PKG_VERSION").into()), "{line}");
    assert!(line["heartbeat_age_ms"].is_i64() && line["transport"].is_string() && line["commit"].is_string(), "{line}");
    driver.shut_down();
    let ended = driver.gannet(&["stat", "--check"]).end();
    assert_eq!((ended.code(), &ended.stderr[..]), (Some(1), ""), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stdout).contains(": shut down; pid "), "{ended:?}");
    assert_eq!(driver.gannet(&["stat", "--check", "--watch"]).end().code(), Some(2));
}

#[test]
fn there_are_completions_for_each_shell() {
    for (shell, expected) in [("bash", "complete -F"), ("zsh", "#compdef gannet"), ("fish", "complete -c gannet")] {
        let script = String::from_utf8(run(&["completions", shell]).success()).expect("text");
        assert!(script.contains(expected) && script.contains("from-journal"), "{shell}: {script}");
    }
    let ended = run(&["completions", "cmd"]);
    assert_eq!((ended.code(), ended.stderr.contains("bash")), (Some(2), true), "{ended:?}");
}

#[test]
fn what_cannot_be_published_is_refused_before_anybody_waits() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a plain path");
    let empty = dir.path().join("empty.pcap");
    // A capture without packets: only its header.
    let header = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1].map(u32::to_le_bytes).concat();
    std::fs::write(&empty, header).expect("there is room");
    let empty = empty.to_str().expect("a plain path");
    for (arguments, expected) in [
        (&["pub", "--file", path][..], format!("cannot read {path}\n  caused by: it is a directory; name a file")),
        (&["pub", "--capture", empty, "no.pcap"], "cannot read the capture no.pcap".to_owned()),
    ] {
        let ended = run(&[arguments, &["--dir", path, "--driver-timeout", "30ms"]].concat());
        assert_eq!(ended.code(), Some(1), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(&expected), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn the_demonstration_loses_nothing() {
    let ended = run(&["demo", "--json", "--messages", "3000", "--rate", "10000"]);
    let lines = ended.json();
    for name in ["ipc", "udp", "journal", "replay"] {
        let leg = &lines.last().expect("one object")[name];
        assert_eq!((&leg["published"], &leg["received"]), (&3000.into(), &3000.into()), "{name}");
        assert_eq!((&leg["lost"], &leg["differed"]), (&0.into(), &0.into()), "{name}");
        // No message comes before it is due, also in a replay.
        assert!(leg["p50_ns"].as_u64() <= leg["p99_ns"].as_u64() && leg["p50_ns"].as_u64() > Some(0), "{name}: {leg}");
    }
}
