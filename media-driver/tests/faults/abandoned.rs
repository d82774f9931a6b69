//! Subscribers that die silently: publishers stop waiting for them, and none of their resources stays in the driver.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gannet::cnc::CncFile;
use gannet::counters::SystemCounter;
use gannet::memory::FileAccess;
use gannet::{Client, OfferError};

use crate::driver_process::{DriverProcess, PATIENCE, await_that};
use crate::healthy::Healthy;
use crate::helper::{Helper, context};
use crate::messages::{Received, message};

/// A client timeout that is short enough for a test, but long enough for a live client on a busy machine.
const IMPATIENT: &[&str] = &["-Daeron.client.liveness.timeout=12s", "-Daeron.ipc.term.buffer.length=64k"];

/// The number of processes that are killed, each of which is a client.
const DEATHS: usize = 1_000;
/// The number of processes that run at a time.
const AT_A_TIME: usize = 10;

/// All resources of a driver.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Holdings {
    /// The allocated counters: id, type, registration id.
    counters: BTreeSet<(i32, i32, i64)>,
    /// The log files.
    files: BTreeSet<PathBuf>,
    /// The mapped files of the directory, deleted files included.
    mappings: BTreeSet<String>,
    /// The number of open files and sockets.
    open_files: usize,
    /// The mapped bytes that the driver reports.
    bytes_mapped: i64,
}

impl Holdings {
    pub(crate) fn of(driver: &DriverProcess) -> Self {
        let process = PathBuf::from(format!("/proc/{}", driver.pid()));
        let counters = CncFile::open(&driver.dir, FileAccess::ReadOnly).unwrap().counters();
        let mut allocated = BTreeSet::new();
        counters.for_each(|counter| {
            allocated.insert((counter.id.get(), counter.type_id, counter.registration_id.get()));
        });
        let dir = driver.dir.to_str().unwrap();
        let maps = fs::read_to_string(process.join("maps")).unwrap();
        let mappings = maps.lines().filter_map(|line| Some(line[line.find(dir)?..].to_owned())).collect();
        let files = fs::read_dir(driver.dir.join("publications")).unwrap().map(|file| file.unwrap().path()).collect();
        Self {
            counters: allocated,
            files,
            mappings,
            open_files: fs::read_dir(process.join("fd")).unwrap().count(),
            bytes_mapped: counters.value(SystemCounter::BytesCurrentlyMapped.id()).unwrap(),
        }
    }

    /// Waits until the driver has exactly these resources again.
    pub(crate) fn await_again(&self, driver: &DriverProcess) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let held = Self::of(driver);
            if held == *self {
                return;
            }
            assert!(Instant::now() < deadline, "the driver holds {held:#?}\nand held {self:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn nothing_of_a_thousand_dead_subscribers_stays_behind() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let elsewhere = Healthy::start(&driver.dir, 7);
    // They all subscribe to this one.
    let visited = Healthy::start(&driver.dir, 1001);
    let before = Holdings::of(&driver);
    for batch in 0..DEATHS / AT_A_TIME {
        let streams = 5_000 + batch * AT_A_TIME..5_000 + (batch + 1) * AT_A_TIME;
        let doomed: Vec<Helper> = streams.map(|stream| Helper::start("abandon", &driver.dir, stream)).collect();
        for helper in doomed {
            helper.hear("waits for its end");
            helper.kill();
        }
    }
    before.await_again(&driver);
    let counters = driver.cnc().counters();
    assert_eq!(counters.value(SystemCounter::ClientTimeouts.id()), Some(DEATHS as i64));
    visited.finish();
    elsewhere.finish();
}

#[test]
fn publishers_stop_waiting_for_a_dead_subscriber() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let client = Client::connect(context(&driver.dir)).unwrap();
    let publication = client.add_publication("aeron:ipc", 1001).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", 1001).unwrap();
    let slow = Helper::start("only subscribe", &driver.dir, "");
    slow.hear("subscribed");
    let (mut sent, mut received) = (0, Received::default());
    let mut step = |until: &dyn Fn(Result<(), OfferError>, u32) -> bool| {
        let outcome = publication.offer(&message(1, sent)).map(|_| ());
        sent += u32::from(outcome.is_ok());
        subscription.poll(|fragment| received.take(fragment.payload()), 50);
        until(outcome, received.total())
    };
    await_that("the publisher waits", || {
        // Everything sent before it had to wait fits half a term.
        step(&|outcome, received| outcome == Err(OfferError::BackPressured) && received > 50)
    });
    let waited = Instant::now();
    while waited.elapsed() < Duration::from_millis(500) {
        let still_waits = step(&|outcome, _| outcome == Err(OfferError::BackPressured));
        assert!(still_waits, "a live subscriber that does not poll is waited for");
        std::thread::sleep(Duration::from_millis(5));
    }
    slow.kill();
    await_that("the publisher goes on", || (0..100).any(|_| step(&|_, received| received > 2_000)));
}
