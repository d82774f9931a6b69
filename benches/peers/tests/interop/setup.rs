//! The start of every scenario: a driver of its own in a directory of its own, and a client at either end.

use gannet::cnc::CncFile;
use gannet::memory::FileAccess;
use gannet_peers::aeron_dir::AeronDir;
use gannet_peers::client::OfferError;
use gannet_peers::driver::{DriverKind, DriverOptions, DriverProcess};
use gannet_peers::endpoint::{
    CounterView, Delivery, Endpoint, EndpointSettings, Kind, PublicationEnd, Report, Stack, SubscriptionEnd,
};
use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything here takes, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// The shortest terms, so that streams rotate early.
pub(crate) const CHANNEL: &str = "aeron:ipc?term-length=64k";
pub(crate) const TERM_LENGTH: i64 = 64 * 1024;
/// The stream id for each kind of publication. They differ, since a library may remove dropped handles later.
pub(crate) fn stream_of(kind: Kind) -> i32 {
    match kind {
        Kind::Concurrent => 1001,
        Kind::Exclusive => 1002,
    }
}

/// Settings for clients that do not time a driver out when a busy machine does not run it for a while.
pub(crate) const PATIENT: EndpointSettings =
    EndpointSettings { driver_timeout: Some(Duration::from_secs(60)), keepalive_interval: None };

/// One combination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) driver: DriverKind,
    pub(crate) publisher: &'static dyn Stack,
    pub(crate) subscriber: &'static dyn Stack,
}

/// A running combination. The clients are dropped before the driver, and the directory last.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) publisher: Box<dyn Endpoint>,
    pub(crate) subscriber: Box<dyn Endpoint>,
    pub(crate) driver: DriverProcess,
    pub(crate) dir: AeronDir,
}

impl Setup {
    /// Starts the driver with short timers, so that tests do not have to wait for them.
    pub(crate) fn start(&self) -> Running {
        self.start_with(DriverOptions::patient(), PATIENT)
    }

    pub(crate) fn start_with(&self, options: DriverOptions, settings: EndpointSettings) -> Running {
        let dir = AeronDir::unique("interop");
        let options = options.with("aeron.timer.interval", "50ms");
        let driver = DriverProcess::start(self.driver, dir.path(), &options).expect("the driver starts");
        let publisher = self.publisher.connect(dir.path(), &settings).expect("the publisher's client connects");
        let subscriber = self.subscriber.connect(dir.path(), &settings).expect("the subscriber's client connects");
        Running { publisher, subscriber, driver, dir }
    }
}

impl Running {
    /// A stream with a publication and a subscription that are connected.
    pub(crate) fn stream(&self, kind: Kind) -> (Box<dyn PublicationEnd>, Box<dyn SubscriptionEnd>) {
        self.stream_on(kind, CHANNEL)
    }

    pub(crate) fn stream_on(&self, kind: Kind, channel: &str) -> (Box<dyn PublicationEnd>, Box<dyn SubscriptionEnd>) {
        let subscription = self.subscriber.add_subscription(channel, stream_of(kind)).expect("a subscription");
        let mut publication = self.publisher.add_publication(kind, channel, stream_of(kind)).expect("a publication");
        until("the stream is connected", || publication.is_connected() && subscription.is_connected());
        // The driver raises the publication limit a little later.
        until("there is room", || publication.position_limit().unwrap() > publication.position().unwrap());
        (publication, subscription)
    }

    /// Waits until the driver has completed one whole duty cycle. An answer to a command does not prove that, since the
    /// driver may process the next command in the same cycle.
    pub(crate) fn round(&self) {
        let ring = CncFile::open(self.dir.path(), FileAccess::ReadOnly).expect("the driver's files").commands();
        for _ in 0..2 {
            let beat = ring.consumer_heartbeat();
            until("the driver goes round", || ring.consumer_heartbeat() != beat);
        }
    }
}

/// Waits until `condition` holds. Fails the test with `what` if that takes too long.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Repeats `attempt` while it fails for a temporary reason. Returns the position.
#[track_caller]
pub(crate) fn accepted(mut attempt: impl FnMut() -> Result<i64, OfferError>) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(position) => return position,
            Err(error @ (OfferError::AdminAction | OfferError::BackPressured | OfferError::NotConnected)) => {
                assert!(Instant::now() < deadline, "still refused after {PATIENCE:?}: {error}");
                thread::sleep(Duration::from_micros(200));
            }
            Err(error) => panic!("refused: {error}"),
        }
    }
}

/// Polls fragments until there are `count`.
#[track_caller]
pub(crate) fn fragments(subscription: &mut dyn SubscriptionEnd, count: usize) -> Vec<Delivery> {
    let mut delivered = Vec::new();
    until(&format!("{count} fragments arrive"), || {
        let left = count - delivered.len();
        subscription.poll(&mut |fragment| delivered.push(fragment), left);
        delivered.len() == count
    });
    delivered
}

/// Polls whole messages until there are `count`.
#[track_caller]
pub(crate) fn whole_messages(subscription: &mut dyn SubscriptionEnd, count: usize) -> Vec<Delivery> {
    let mut delivered = Vec::new();
    until(&format!("{count} messages arrive"), || {
        // Polling one fragment at a time never consumes a fragment too many.
        subscription.poll_messages(&mut |message| delivered.push(message), 1);
        delivered.len() == count
    });
    delivered
}

/// Asserts that nothing more can be read.
#[track_caller]
pub(crate) fn assert_nothing_left(subscription: &mut dyn SubscriptionEnd) {
    let mut delivered = Vec::new();
    subscription.poll(&mut |fragment| delivered.push(fragment), 10);
    assert!(delivered.is_empty(), "left over: {delivered:?}");
}

/// Waits for a report.
#[track_caller]
pub(crate) fn reported(endpoint: &dyn Endpoint, what: &str, wanted: impl Fn(&Report) -> bool) -> Report {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reports = endpoint.reports();
        if let Some(found) = reports.iter().find(|report| wanted(report)) {
            return found.clone();
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}, but {reports:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The value of the system counter with that id.
pub(crate) fn system_counter(endpoint: &dyn Endpoint, id: i32) -> i64 {
    let counters: Vec<CounterView> = endpoint.counters();
    counters.into_iter().find(|counter| counter.id == id).expect("a system counter").value
}

/// Asserts that a message is the expected one. The failure shows where they differ, not their whole content.
#[track_caller]
pub(crate) fn assert_same_message(found: &[u8], expected: &[u8], which: &dyn Debug) {
    let differs_at = found.iter().zip(expected).position(|(found, expected)| found != expected);
    let (length, expected_length) = (found.len(), expected.len());
    let same = length == expected_length && differs_at.is_none();
    assert!(same, "{which:?}: {length} bytes, expected {expected_length}; first difference at {differs_at:?}");
}

/// A message of `length` bytes, different for each length and seed.
pub(crate) fn patterned(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| (index.wrapping_mul(31) ^ seed.wrapping_mul(17) ^ (index >> 8)) as u8).collect()
}
