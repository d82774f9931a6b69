//! Asks a driver to end, and checks the reported outcome.

use gannet::cnc::CncFile;
use gannet::memory::FileAccess;
use gannet::time::EpochMillis;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Driver, Ended, Process, gannet};

const VALIDATOR: &str = "AERON_DRIVER_TERMINATION_VALIDATOR";

/// Sends a request, and waits for the outcome as long as necessary.
fn ask(driver: &Driver, arguments: &[&str]) -> Ended {
    driver.gannet(&[&["terminate", "--timeout", "170s"], arguments].concat()).end()
}

/// The JSON object of a request that did not end the driver.
fn failed(ended: &Ended) -> Value {
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[test]
fn a_driver_that_allows_it_ends() {
    let mut driver = Driver::start_with(&[(VALIDATOR, "allow")]);
    let lines = ask(&driver, &["--json"]).json();
    assert_eq!((&lines[0]["outcome"], &lines[0]["reason"]), (&"ended".into(), &Value::Null), "{lines:?}");
    assert_eq!(lines[0]["dir"], driver.path().to_str().expect("a plain path"));
    assert!(lines[0]["pid"].as_i64() > Some(0), "{lines:?}");
    driver.end().success();

    let again = ask(&driver, &[]);
    assert_eq!(again.code(), Some(1), "{again:?}");
    assert!(again.stderr.contains("it has been shut down"), "{again:?}");
}

#[test]
fn a_driver_that_does_not_allow_it_goes_on_and_the_setting_is_named() {
    let mut driver = Driver::start();
    // The second request is reported like the first, whose text is in the log already.
    for _ in 0..2 {
        let refused = failed(&ask(&driver, &["--json"]));
        assert_eq!(refused["outcome"], "refused", "{refused}");
        let reason = refused["reason"].as_str().expect("a reason");
        assert!(reason.contains("aeron.driver.termination.validator is 'deny'"), "{reason}");
    }
    let told = ask(&driver, &[]);
    let words = String::from_utf8_lossy(&told.stdout);
    assert!(words.contains("goes on: refused, as aeron.driver.termination.validator is 'deny'"), "{words}");
    driver.gannet(&["stat", "--check"]).end().success();
    driver.shut_down();
}

#[test]
fn a_token_comes_by_a_flag_or_by_the_environment() {
    let settings = [(VALIDATOR, "token"), ("GANNET_TERMINATION_TOKEN", "sesame")];
    for by_flag in [true, false] {
        let mut driver = Driver::start_with(&settings);
        let refused = failed(&ask(&driver, &["--json", "--token", "poppy"]));
        assert_eq!(refused["outcome"], "refused", "{refused}");
        if by_flag {
            ask(&driver, &["--token", "sesame"]).success();
        } else {
            let mut command = gannet(&["terminate", "--timeout", "170s", "--dir"]);
            command.arg(driver.path()).env("GANNET_TERMINATION_TOKEN", "sesame");
            Process::spawn(&mut command, None).end().success();
        }
        driver.end().success();
    }
}

#[test]
fn a_driver_that_stands_still_is_told_from_one_that_refuses() {
    let mut driver = Driver::start_with(&[(VALIDATOR, "allow")]);
    driver.stand_still();
    let unread = failed(&driver.gannet(&["terminate", "--json", "--timeout", "20ms"]).end());
    assert_eq!((&unread["outcome"], &unread["reason"]), (&"not_read".into(), &Value::Null), "{unread}");
    let told = driver.gannet(&["terminate", "--timeout", "20ms"]).end();
    let words = String::from_utf8_lossy(&told.stdout);
    let (pid, dir) = (unread["pid"].to_string(), driver.path().display().to_string());
    for expected in [&format!("process {pid}, has not read"), &dir, "stopped, very busy or gone", "It may still end"] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
    assert_eq!((told.code(), told.stderr.as_str()), (Some(1), ""), "{told:?}");
    // The request is still there when the driver continues.
    driver.signal(Signal::CONT);
    driver.end().success();
}

/// A driver that has been silent so long that clients would consider it dead is not asked.
#[test]
fn a_driver_that_has_long_been_silent_is_named_with_what_to_do() {
    let mut driver = Driver::start();
    driver.stand_still();
    let cnc = CncFile::open(&driver.path(), FileAccess::ReadWrite).expect("it is there");
    cnc.commands().set_consumer_heartbeat(EpochMillis::new(1));
    let ended = driver.gannet(&["terminate", "--timeout", "20ms"]).end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    let pid = format!("process {}", cnc.pid());
    for expected in [&pid, "has given no sign of life for", "end it yourself"] {
        assert!(ended.stderr.contains(expected), "{expected}: {ended:?}");
    }
    driver.signal(Signal::CONT);
    driver.shut_down();
}

#[test]
fn without_a_driver_nobody_is_asked() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a plain path");
    let ended = Process::spawn(&mut gannet(&["terminate", "--dir", path]), None).end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains(path) && ended.stderr.contains("--dir"), "{ended:?}");
}
