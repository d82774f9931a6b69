//! Tests that no system call is made between `offer` and `poll` after a warm-up: a thread that may only call `write`
//! does both, and survives. The same goes for a journal: such a thread appends and reads, and changes to the next
//! segment.

use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use gannet::agent::IdleStrategy;
use gannet::journal::{Journal, JournalOptions, Start};
use gannet::{Client, Context, OfferError};
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile};
use rustix::thread::{SecureComputingMode, set_secure_computing_mode};

const MESSAGES: usize = 20_000;
const MINUTE: Duration = Duration::from_secs(60);
/// How many seconds the process waits for its thread, which may have been killed.
const PATIENCE: &str = "GANNET_TEST_PATIENCE_S";
/// The directory of its driver. The process is killed, so another has to remove the directory.
const DIR: &str = "GANNET_TEST_DIR";
/// On a line of its own, since with one CPU the test's name stands before it without a line end.
const DONE: &[u8] = b"\neverything arrived\n";

/// Publishes and polls in a process of its own, because a thread that may make no system calls cannot end either.
#[test]
fn no_system_call_between_offer_and_poll() {
    run(&[("confined", true, "300"), ("confined_and_sleeping", false, "3")]);
}

/// The same for a journal, by appenders of both kinds.
#[test]
fn no_system_call_in_an_append() {
    run(&[("confined_to_a_journal", true, "300"), ("confined_to_an_exclusive_appender", true, "300")]);
}

/// Runs tests in processes of their own, and checks whether they survive.
fn run(children: &[(&str, bool, &str)]) {
    for &(child, lives, patience_s) in children {
        let temp = tempfile::tempdir().unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", child, "--nocapture"])
            .env(PATIENCE, patience_s)
            .env(DIR, temp.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = process.stdout.take().unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(output)).map_while(Result::ok);
        // Only the thread is killed: the process ends by its own deadline.
        let arrived = lines.any(|line| line.as_bytes() == DONE.trim_ascii());
        let _ = process.kill();
        process.wait().unwrap();
        assert_eq!(arrived, lives, "{child}");
    }
}

/// The entry point of the process started by the test above. Does nothing in other processes.
#[test]
fn confined() {
    publish_and_poll(|| {});
}

/// Shows that a system call would be detected. The entry point of a process of its own; does nothing in other
/// processes.
#[test]
fn confined_and_sleeping() {
    publish_and_poll(|| IdleStrategy::Sleep { period_ns: 1_000 }.idle_once());
}

fn publish_and_poll(also: impl Fn() + Send + 'static) {
    let Ok(patience_s) = std::env::var(PATIENCE) else { return };
    let mut config = DriverConfig::for_profile(Profile::Frugal);
    // A busy machine may keep any thread waiting for a while.
    (config.timeouts.client_liveness, config.timeouts.publication_unblock) = (MINUTE, MINUTE * 2);
    config.directory.dir = std::env::var_os(DIR).map(Into::into);
    let driver = MediaDriver::launch(config).unwrap();
    let client = Client::connect(Context::new().dir(driver.dir()).driver_timeout(MINUTE)).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", 1001).unwrap();
    let mut publication = client.add_exclusive_publication("aeron:ipc?term-length=64k", 1001).unwrap();
    let mut exchange = move || {
        let (mut sent, mut received) = (0, 0);
        while received < MESSAGES {
            if sent < MESSAGES {
                match publication.offer(&[7; 64]) {
                    Ok(_) => sent += 1,
                    Err(OfferError::BackPressured | OfferError::NotConnected | OfferError::AdminAction) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            received += subscription.poll(|fragment| assert_eq!(fragment.payload(), [7; 64]), 10);
        }
    };
    std::thread::spawn(move || {
        exchange();
        let output = std::io::stdout();
        set_secure_computing_mode(SecureComputingMode::Strict).unwrap();
        also();
        exchange();
        rustix::io::write(output.as_fd(), DONE).unwrap();
        // Ending would take system calls that are not allowed. The parent kills the process.
        loop {
            std::hint::spin_loop();
        }
    });
    let patience = Duration::from_secs(patience_s.parse().unwrap());
    IdleStrategy::Sleep { period_ns: patience.as_nanos() as i64 }.idle_once();
}

/// Appends and reads, beyond the end of a segment. The entry point of a process of its own; does nothing in other
/// processes.
#[test]
fn confined_to_a_journal() {
    let Some((_dir, journal)) = journal() else { return };
    let (mut appender, mut other) = (journal.appender().unwrap(), journal.appender().unwrap());
    other.append(&[7; 64]).unwrap();
    append_and_read(
        &journal,
        move || {
            appender.append(&[7; 64]).unwrap();
            let mut batch = appender.claim_batch(&[64, 64]).unwrap();
            batch.for_each(|_, payload| payload.fill(7));
            batch.commit().unwrap().get()
        },
        move || {
            other.append(&[7; 64]).unwrap();
        },
    );
}

/// The same with an exclusive appender. The entry point of a process of its own; does nothing in other processes.
#[test]
fn confined_to_an_exclusive_appender() {
    let Some((_dir, journal)) = journal() else { return };
    let mut appender = journal.exclusive_appender().unwrap();
    append_and_read(&journal, move || appender.append(&[7; 64]).unwrap().get(), || {});
}

fn journal() -> Option<(tempfile::TempDir, Journal)> {
    std::env::var_os(PATIENCE)?;
    let dir = tempfile::tempdir().unwrap();
    let options = JournalOptions::new().term_length(64 << 10).segment_length(1 << 20);
    let journal = Journal::create(dir.path(), &options).unwrap();
    Some((dir, journal))
}

fn append_and_read(
    journal: &Journal,
    mut append: impl FnMut() -> i64 + Send + 'static,
    mut finish: impl FnMut() + Send + 'static,
) {
    let patience_s = std::env::var(PATIENCE).unwrap();
    let mut tailer = journal.recording().unwrap().tailer(Start::Begin).unwrap();
    append();
    tailer.next().unwrap().unwrap();
    let prepared = journal.prepared().get();
    assert_eq!(prepared, 2 << 20, "this segment and the next");
    std::thread::spawn(move || {
        let output = std::io::stdout();
        set_secure_computing_mode(SecureComputingMode::Strict).unwrap();
        // Reads as long as that needs no other segment, and appends beyond that.
        while append() < (1 << 20) - 1024 {
            while let Some(record) = tailer.next().unwrap() {
                assert_eq!(record.payload(), [7; 64]);
            }
        }
        while append() < (1 << 20) + 1024 {}
        finish();
        rustix::io::write(output.as_fd(), DONE).unwrap();
        loop {
            std::hint::spin_loop();
        }
    });
    let patience = Duration::from_secs(patience_s.parse().unwrap());
    IdleStrategy::Sleep { period_ns: patience.as_nanos() as i64 }.idle_once();
}
