//! A publisher is killed at the worst moments. The stream continues for all others, committed messages arrive, and
//! uncommitted ones never do.

use std::path::Path;
use std::time::Duration;

use gannet::cnc::CncFile;
use gannet::counters::SystemCounter;
use gannet::memory::FileAccess;
use gannet::{Client, Publication, Subscription};

use crate::driver_process::{DriverProcess, await_that};
use crate::healthy::Healthy;
use crate::helper::{Helper, context};
use crate::messages::Received;
use crate::roles::send;

/// Timeouts that are short enough for a test, but long enough for a live client on a busy machine.
const IMPATIENT: &[&str] = &[
    "-Daeron.client.liveness.timeout=12s",
    "-Daeron.publication.unblock.timeout=12100ms",
    "-Daeron.ipc.term.buffer.length=64k",
];

const DYING: u32 = 1;
const LIVING: u32 = 2;
/// The number of messages that the dying publisher sends: more than a term, so that positions are well inside a used
/// log.
const BEFORE: u32 = 600;

/// The current value of a system counter.
fn system_counter(dir: &Path, counter: SystemCounter) -> i64 {
    let cnc = CncFile::open(dir, FileAccess::ReadOnly).unwrap();
    cnc.counters().value(counter.id()).unwrap()
}

/// A publisher and a subscriber on the stream of the dying publisher. A second subscriber has a process of its own.
struct Others {
    client: Client,
    publication: Publication,
    subscription: Subscription,
    received: Received,
    reader: Helper,
    sent: u32,
}

impl Others {
    fn start(dir: &Path) -> Self {
        let client = Client::connect(context(dir)).unwrap();
        let subscription = client.add_subscription("aeron:ipc", 1001).unwrap();
        let reader = Helper::start("read", dir, LIVING);
        reader.hear("subscribed");
        let publication = client.add_publication("aeron:ipc", 1001).unwrap();
        Self { client, publication, subscription, received: Received::default(), reader, sent: 0 }
    }

    fn poll(&mut self) {
        self.subscription.poll(|fragment| self.received.take(fragment.payload()), 50);
    }

    /// Polls until `done`.
    fn poll_until(&mut self, what: &str, done: impl Fn(&Received) -> bool) {
        await_that(what, || {
            self.poll();
            done(&self.received)
        });
    }

    fn send(&mut self) {
        send(&self.publication, LIVING, self.sent);
        self.sent += 1;
    }

    /// Continues to send through all terms of the log, and waits until both subscribers have everything.
    fn go_on(&mut self) {
        for _ in 0..1_500 {
            self.send();
            self.poll();
        }
        let sent = self.sent;
        self.poll_until("all that the living sent", |received| received.of(LIVING) == sent);
        await_that("the subscriber in another process has all too", || {
            self.reader.tell("count");
            self.reader.hear("count").parse() == Ok(sent)
        });
    }
}

/// Kills a publisher that plays `role` once it has printed `says`, and proves that the others continue.
fn dies(role: &str, argument: &str, says: &str) {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let elsewhere = Healthy::start(&driver.dir, 7);
    let mut others = Others::start(&driver.dir);
    let dying = Helper::start(role, &driver.dir, argument);
    others.poll_until("all that the dying committed", |received| received.of(DYING) == BEFORE);
    dying.hear(says);
    dying.kill();
    // This message is behind the claim, so it cannot be read yet.
    others.send();
    others.poll_until("the stream is unblocked", |received| received.of(LIVING) == 1);
    others.go_on();
    assert_eq!(others.received.of(DYING), BEFORE);
    assert_eq!(system_counter(&driver.dir, SystemCounter::UnblockedPublications), 1);
    // The claim is older than its owner's death, by the time this test took to detect it.
    await_that("the dead client is given up", || system_counter(&driver.dir, SystemCounter::ClientTimeouts) > 0);
    assert_eq!(system_counter(&driver.dir, SystemCounter::ClientTimeouts), 1);
    assert!(others.client.is_connected());
    others.reader.end();
    elsewhere.finish();
}

#[test]
fn holding_a_claim() {
    dies("hold a claim", &format!("{DYING}:{BEFORE}"), "claimed");
}

#[test]
fn between_the_reservation_and_the_header() {
    dies("reserve", &format!("{DYING}:{BEFORE}:160"), "reserved");
}

/// It claimed the rest of the term and more, and dies before it pads the term and rotates the log.
#[test]
fn before_the_padding_of_a_term() {
    dies("reserve", &format!("{DYING}:{BEFORE}:65536"), "reserved");
}

/// An exclusive publication has no other publisher: its stream ends with it, after everything committed.
#[test]
fn holding_an_exclusive_claim() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let client = Client::connect(context(&driver.dir)).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", 1001).unwrap();
    let dying = Helper::start("hold an exclusive claim", &driver.dir, format!("{DYING}:{BEFORE}"));
    let mut received = Received::default();
    await_that("it has sent all and claims", || {
        subscription.poll(|fragment| received.take(fragment.payload()), 20);
        dying.hear_within("claimed", Duration::from_millis(1)).is_some()
    });
    dying.kill();
    await_that("the image goes, all of it read", || {
        subscription.poll(|fragment| received.take(fragment.payload()), 20);
        subscription.image_count() == 0
    });
    assert_eq!(received.of(DYING), BEFORE);
    await_that("the log goes too", || std::fs::read_dir(driver.dir.join("publications")).unwrap().count() == 0);
}

/// A client is killed while it writes a command. Commands of others wait behind it, at most for the client liveness
/// timeout.
#[test]
fn writing_a_command() {
    let temp = tempfile::tempdir().unwrap();
    let driver = DriverProcess::start(temp.path(), IMPATIENT);
    let healthy = Healthy::start(&driver.dir, 7);
    for (index, (role, says)) in
        [("hold a command", "claimed"), ("reserve a command", "reserved")].into_iter().enumerate()
    {
        let client = Client::connect(context(&driver.dir)).unwrap();
        let dying = Helper::start(role, &driver.dir, "");
        dying.hear(says);
        dying.kill();
        let _counter = client.add_counter(1001, b"key", "behind the dead").unwrap();
        assert_eq!(system_counter(&driver.dir, SystemCounter::UnblockedCommands), index as i64 + 1);
    }
    assert_eq!(system_counter(&driver.dir, SystemCounter::ClientTimeouts), 0);
    healthy.finish();
}
