//! Tests how often a thread waits for the kernel to map a page of a log: less often than once per page, where that is
//! possible. Only files in memory are mapped many pages at a time.

#[path = "support/raw_access.rs"]
mod raw_access;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "support/skip.rs"]
mod skip;

use std::time::Duration;

use gannet::logbuffer::{LogBuffers, LogKind, LogParameters, clean_to};
use gannet::memory::{FileAccess, Reserve};
use gannet::types::{Position, SessionId, StreamId, TermId, TermLength};
use gannet::{Client, Context, OfferError};
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile};
use raw_access::RAW;

const MINUTE: Duration = Duration::from_secs(60);
const PAGE: i64 = 4096;
const TERM_LENGTH: i64 = 4 << 20;

/// A directory of files in memory. `None` if there is none.
fn in_memory(test: &str) -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir_in("/dev/shm");
    dir.inspect_err(|error| skip::report(test, &format!("/dev/shm cannot be used: {error}"))).ok()
}

/// The number of page faults of this thread.
fn faults() -> i64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux tells");
    let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
    fields.split_ascii_whitespace().nth(7).and_then(|field| field.parse().ok()).expect("minor faults")
}

#[test]
fn a_first_pass_through_a_log_waits_for_few_pages() {
    let Some(dir) = in_memory("a_first_pass_through_a_log_waits_for_few_pages") else { return };
    let mut config = DriverConfig::for_profile(Profile::Frugal);
    // A busy machine may keep any thread waiting for a while.
    (config.timeouts.client_liveness, config.timeouts.publication_unblock) = (MINUTE, MINUTE * 2);
    config.directory.dir = Some(dir.path().join("driver"));
    let driver = MediaDriver::launch(config).unwrap();
    let context = Context::new().dir(driver.dir()).driver_timeout(MINUTE);
    let client = Client::connect(context.use_conductor_invoker()).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", 1001).unwrap();
    let channel = format!("aeron:ipc?term-length={TERM_LENGTH}|sparse=false");
    let mut publication = client.add_exclusive_publication(&channel, 1001).unwrap();
    while client.invoke() > 0 {}
    let before = faults();
    while publication.position().unwrap().get() < 3 * TERM_LENGTH {
        match publication.offer(&[7; 1000]) {
            Ok(_) | Err(OfferError::AdminAction) => {}
            Err(OfferError::BackPressured | OfferError::NotConnected) => {
                client.invoke();
                std::thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
        subscription.poll(|fragment| assert_eq!(fragment.payload(), [7; 1000]), 10);
    }
    let (faults, pages) = (faults() - before, 3 * TERM_LENGTH / PAGE);
    assert!(faults < pages / 20, "{faults} for {pages} pages");
}

/// The driver's cleaning of a log whose publisher was the first to use its pages.
#[test]
fn cleaning_waits_once_for_many_pages() {
    let Some(dir) = in_memory("cleaning_waits_once_for_many_pages") else { return };
    let term_length = TermLength::new(TERM_LENGTH).unwrap();
    let (session_id, stream_id) = (SessionId::new(1), StreamId::new(2));
    let parameters = LogParameters::ipc(LogKind::Concurrent, term_length, session_id, stream_id, TermId::new(3));
    let path = dir.path().join("1.logbuffer");
    let publishers = LogBuffers::create(&path, &parameters, 0o600, Reserve::Space, RAW).unwrap();
    publishers.term(0).put_bytes(0, &[1].repeat(TERM_LENGTH as usize));
    let drivers = LogBuffers::open(&path, FileAccess::ReadWrite, RAW).unwrap();
    let before = faults();
    assert_eq!(clean_to(&drivers, Position::new(0), Position::new(TERM_LENGTH)).get(), TERM_LENGTH);
    let (faults, pages) = (faults() - before, TERM_LENGTH / PAGE);
    assert!((1..pages / 4).contains(&faults), "{faults} for {pages} pages");
}
