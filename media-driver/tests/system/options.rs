//! The effects of the command line, the environment and files on the process.

use std::fs;
use std::process::Stdio;

use gannet::Client;
use gannet_driver::config::{Layers, Profile};
use rustix::process::Signal;

use crate::driver_process::{DriverProcess, await_that, context, driver, run};
use crate::raw_access::RAW;

#[test]
fn the_version_is_told_in_the_reference_s_words() {
    let ended = run(driver().arg("-v"));
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stdout.starts_with("gannet-driver <0."), "{}", ended.stdout);
    assert!(ended.stdout.contains(" major 0 minor "), "{}", ended.stdout);
}

/// Whoever reads its log cannot overlook it. Without such settings there is no word of it.
#[test]
fn loss_on_purpose_is_told_in_the_log() {
    for lossy in [true, false] {
        let temp = tempfile::tempdir().unwrap();
        let settings = ["-Dgannet.loss.drop.ppm=2500", "-Dgannet.loss.delay.ppm=7"];
        let driver = DriverProcess::start(temp.path(), if lossy { &settings } else { &[] });
        driver.signal(Signal::TERM);
        let log = driver.ended().stderr;
        let told: Vec<_> = log.lines().filter(|line| line.contains("LOSS ON PURPOSE")).collect();
        assert_eq!(told.len(), usize::from(lossy), "{log}");
        for line in told {
            assert!(line.contains("WARN") && line.contains("2500 are lost, 0 arrive twice and 7 late"), "{line}");
            assert!(line.contains("gannet.loss.*"), "what to do: {line}");
        }
    }
}

#[test]
fn a_command_line_that_is_not_understood_is_2() {
    assert_eq!(run(driver().arg("--no-such-flag")).status.code(), Some(2));
}

#[test]
fn the_configuration_is_printed_as_a_file_that_gives_it_again() {
    let ended = run(driver().args(["--print-config", "--dir", "/tmp/x", "-Daeron.ipc.mtu.length=8k"]));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("# aeron.dir: --dir"), "{}", ended.stdout);
    assert!(ended.stdout.contains("# gannet.profile: environment variable GANNET_PROFILE"), "{}", ended.stdout);
    let mut layers = Layers::new();
    layers.config_file("printed".as_ref(), &ended.stdout);
    let config = layers.load().unwrap().config;
    assert_eq!(config.process.profile, Profile::Frugal);
    assert_eq!(config.terms.ipc_mtu.get(), 8192);
}

#[test]
fn what_nobody_reads_is_no_failure_and_what_cannot_be_written_is_one() {
    for argument in ["--print-config", "--version", "--man", "--help", "-h"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let closed = driver().arg(argument).stdout(writer).output().unwrap();
        assert_eq!((closed.status.code(), &closed.stderr[..]), (Some(0), &b""[..]), "{argument}");
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let full = driver().arg(argument).stdout(full).output().unwrap();
        let said = String::from_utf8(full.stderr).unwrap();
        assert_eq!(full.status.code(), Some(1), "{argument}: {said}");
        assert!(
            said.starts_with("gannet-driver: cannot write to standard output: No space left"),
            "{argument}: {said}"
        );
    }
}

/// As when the program that the log was piped to has ended.
#[test]
fn a_log_that_nobody_reads_neither_ends_a_driver_nor_keeps_it_from_ending() {
    for full in [false, true] {
        let temp = tempfile::tempdir().unwrap();
        let log = || match full {
            true => Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap()),
            false => Stdio::from(std::io::pipe().unwrap().1),
        };
        let mut command = driver();
        let mut driver_process =
            command.arg("--dir").arg(temp.path()).args(["--log", "debug"]).stderr(log()).spawn().unwrap();
        let is_there = || gannet::cnc::CncFile::open(temp.path(), gannet::memory::FileAccess::ReadOnly).is_ok();
        await_that("the driver is there", || is_there() || driver_process.try_wait().unwrap().is_some());
        let pid = rustix::process::Pid::from_child(&driver_process);
        let _ = rustix::process::kill_process(pid, Signal::TERM);
        let mut status = None;
        await_that("the driver ends", || {
            status = driver_process.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(0), "full: {full}");
        let refused = driver().args(["--profile", "fast"]).stderr(log()).status().unwrap();
        assert_eq!(refused.code(), Some(2), "full: {full}");
    }
}

#[test]
fn a_configuration_is_printed_with_what_is_odd_about_it() {
    let ended = run(driver().arg("--print-config").env("AERON_TREADING_MODE", "SHARED"));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("gannet-driver: warning: ") && ended.stderr.contains("AERON_TREADING_MODE"));
    assert!(!ended.stdout.contains("TREADING"), "the file is read again: {}", ended.stdout);
}

#[test]
fn a_running_driver_prints_its_configuration_where_that_is_asked_for() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &["-Daeron.print.configuration=true"]);
    driver.signal(Signal::TERM);
    let ended = driver.ended();
    assert!(ended.stdout.contains("# aeron.timer.interval: environment variable AERON_TIMER_INTERVAL"));
}

#[test]
fn all_that_is_wrong_with_a_configuration_is_told_and_the_status_is_2() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("driver.toml");
    fs::write(&file, "[terms]\nipc_mtu = 100\n").unwrap();
    let properties = temp.path().join("driver.properties");
    fs::write(&properties, "aeron.tmer.interval=1s\n").unwrap();
    let ended = run(driver().arg("--config").arg(&file).arg("-Daeron.threading.mode=ALL").arg(&properties));
    assert_eq!(ended.status.code(), Some(2));
    for expected in [
        "driver.toml:2): out of range; allowed is 64 to 65504, a multiple of 32",
        "aeron.threading.mode=ALL (-Daeron.threading.mode): not understood; expected one of DEDICATED",
        "driver.properties:1: there is no setting aeron.tmer.interval; did you mean aeron.timer.interval?",
    ] {
        assert!(ended.stderr.contains(expected), "{expected} in\n{}", ended.stderr);
    }
    for log in ["driver=loud", "loud", "info,loud"] {
        let log = format!("-Dgannet.log={log}");
        let ended = run(driver().args([&log, "--dir"]).arg(temp.path().join("driver")));
        assert_eq!(ended.status.code(), Some(2), "{log}: {}", ended.stderr);
        assert!(!temp.path().join("driver").exists(), "nothing was touched");
    }
    // As in a script whose variable is not set.
    let ended = run(driver().args(["--dir", "", "--print-config"]));
    assert_eq!((ended.status.code(), ended.stderr.contains("--dir")), (Some(2), true), "{}", ended.stderr);
    let ended = run(driver().args(["--config", "/no/such/file.toml"]));
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("cannot read /no/such/file.toml"), "{}", ended.stderr);
}

#[test]
fn properties_files_are_named_as_the_reference_names_them() {
    let temp = tempfile::tempdir().unwrap();
    let properties = temp.path().join("driver.properties");
    fs::write(&properties, "aeron.ipc.mtu.length : 4k").unwrap();
    for name in [format!("file://{}", properties.display()), properties.display().to_string()] {
        let ended = run(driver().args(["--print-config", "-Daeron.ipc.mtu.length=8k", &name]));
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        let source = format!("# aeron.ipc.mtu.length: {}:1", properties.display());
        assert!(ended.stdout.contains(&source), "it is above -D:\n{}", ended.stdout);
    }
    for name in ["http://localhost/driver.properties", "/no/such.properties"] {
        let ended = run(driver().args(["--print-config", name]));
        assert_eq!(ended.status.code(), Some(2));
        assert!(ended.stderr.contains(&format!("cannot read {name}")), "{}", ended.stderr);
    }
}

#[test]
fn files_and_flags_reach_the_driver() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("driver.toml");
    fs::write(&file, "[timeouts]\nclient_liveness = \"7s\"\n[buffers]\nto_clients_length = 2097280\n").unwrap();
    let properties = temp.path().join("driver.properties");
    fs::write(&properties, "aeron.client.liveness.timeout=8s\n").unwrap();
    let dir = temp.path().join("driver");
    let driver = DriverProcess::start(&dir, &["--config", file.to_str().unwrap(), properties.to_str().unwrap()]);
    assert_eq!(driver.cnc().client_liveness_timeout().as_secs(), 8);
    assert_eq!(driver.cnc().to_clients(RAW).len(), 2_097_280);
}

#[test]
fn a_driver_that_is_full_says_of_what_and_serves_on() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &["-Dgannet.max.clients=2", "-Dgannet.max.subscriptions=1"]);
    let connect = || Client::connect(context(&driver.dir)).unwrap();
    let (first, second, third) = (connect(), connect(), connect());
    let subscription = first.add_subscription("aeron:ipc", 1).unwrap();
    let refused = first.add_subscription("aeron:ipc", 2).unwrap_err().to_string();
    assert!(refused.contains("cannot hold more subscriptions than 1"), "{refused}");
    let _counter = second.add_counter(1001, b"", "the second client is there").unwrap();
    let refused = third.add_counter(1001, b"", "the third is not").unwrap_err().to_string();
    assert!(refused.contains("cannot hold more clients than 2"), "{refused}");
    // As soon as one is removed there is room.
    drop(subscription);
    await_that("there is room for another subscription", || first.add_subscription("aeron:ipc", 2).is_ok());
    drop(second);
    await_that("there is room for another client", || third.add_counter(1001, b"", "now it is").is_ok());
}

#[test]
fn a_pin_that_cannot_be_is_refused_with_the_cpus_that_there_are() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("driver");
    let ended = DriverProcess::spawn(&dir, &["--conductor-cpu", "1000"]).ended();
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended.stderr.contains("cannot pin the conductor to CPU 1000: this process may use CPUs "),
        "{}",
        ended.stderr
    );
    assert!(!dir.exists(), "it is refused before anything is made");
}

/// The CPUs that each thread of the driver with that name may run on. A thread has its name before it is pinned.
fn allowed_cpus(driver: &DriverProcess, name: &str) -> Option<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", driver.pid())).unwrap();
    let line = format!("Name:\t{name}");
    tasks
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("status")).ok())
        .find(|status| status.lines().any(|found| found == line))
        .and_then(|status| status.lines().find_map(|line| Some(line.strip_prefix("Cpus_allowed_list:\t")?.to_owned())))
}

#[test]
fn a_pinned_conductor_runs_where_it_was_told() {
    let temp = tempfile::tempdir().unwrap();
    let cpu = core_affinity::get_core_ids().unwrap().last().unwrap().id.to_string();
    let driver = DriverProcess::start(temp.path(), &["--conductor-cpu", &cpu, "-Daeron.thread.naming=new"]);
    await_that("the thread is pinned", || allowed_cpus(&driver, "aeron-md-shd").as_deref() == Some(cpu.as_str()));
}

/// With two starts, two CPUs distinguish four threads, if each has its own combination.
#[test]
fn each_agent_is_pinned_to_its_own_cpu() {
    let cpus: Vec<_> = core_affinity::get_core_ids().unwrap().iter().map(|cpu| cpu.id.to_string()).collect();
    let (first, last) = (&cpus[0], &cpus[cpus.len() - 1]);
    for [conductor, sender, receiver, helper] in [[first, first, last, last], [first, last, first, last]] {
        let temp = tempfile::tempdir().unwrap();
        let flags = ["--conductor-cpu", conductor, "--sender-cpu", sender, "--receiver-cpu", receiver];
        let others = ["--helper-cpu", helper, "--threading-mode", "dedicated", "-Daeron.thread.naming=new"];
        let driver = DriverProcess::start(temp.path(), &[flags.as_slice(), &others].concat());
        for (name, cpu) in [
            ("aeron-md-cnd", conductor),
            ("aeron-md-snd", sender),
            ("aeron-md-rcv", receiver),
            ("aeron-md-nra", helper),
        ] {
            await_that(&format!("{name} is pinned to CPU {cpu}"), || allowed_cpus(&driver, name).as_ref() == Some(cpu));
        }
    }
}

#[test]
fn a_driver_whose_sockets_get_less_than_it_asks_for_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let limits = ["rmem_max", "wmem_max"].map(|name| fs::read_to_string(format!("/proc/sys/net/core/{name}")));
    for (value, is_cut) in [("1g", true), ("64k", false)] {
        let [receive, send] = ["rcv", "snd"].map(|which| format!("-Daeron.socket.so_{which}buf={value}"));
        let driver = DriverProcess::start(temp.path(), &[&receive, &send]);
        driver.signal(Signal::TERM);
        let told = driver.ended().stderr;
        for (name, limit) in ["rmem_max", "wmem_max"].iter().zip(&limits) {
            // Some containers do not show it.
            let limit: u64 = limit.as_ref().map_or(u64::MAX, |text| text.trim().parse().unwrap());
            let expected = is_cut && limit < 1 << 30;
            assert_eq!(told.contains(&format!("raise net.core.{name}")), expected, "{told}");
        }
    }
}

#[test]
fn the_counters_say_how_the_driver_runs() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), &["--profile", "balanced", "--transport", "sockets"]);
    let mut labels = Vec::new();
    driver.cnc().counters().for_each(|counter| labels.push(counter.label.to_string()));
    assert_eq!(labels.len(), 46, "no counter but the reference's: {labels:?}");
    assert!(labels[26].ends_with(": SHARED_NETWORK"), "{}", labels[26]);
    assert!(labels[34].ends_with(" transport=sockets profile=balanced"), "{}", labels[34]);
}
