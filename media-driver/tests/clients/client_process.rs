//! A client in a process of its own: this test program again, with its role in the environment. It prints its events to
//! standard output, one per line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use gannet::{Client, Context, OfferError};
use rustix::process::{Pid, Signal, kill_process};

use crate::driver_process::{self, PATIENCE};

const DIR: &str = "GANNET_TEST_DIR";
pub(crate) const CHANNEL: &str = "aeron:ipc?term-length=64k";
pub(crate) const STREAM: i32 = 1001;
/// The longest life of a client process, if nothing ends it: longer than all waits of a test together.
const LIFETIME: Duration = PATIENCE.saturating_mul(10);

/// A client process. It is killed when dropped.
pub(crate) struct ClientProcess {
    child: Child,
    lines: Receiver<String>,
}

impl ClientProcess {
    /// Starts a client that subscribes and prints what it receives.
    pub(crate) fn subscriber(dir: &Path) -> Self {
        Self::start(dir, "client_process::subscribe")
    }

    /// Starts a client that publishes a number every few milliseconds, and prints each.
    pub(crate) fn publisher(dir: &Path) -> Self {
        Self::start(dir, "client_process::publish")
    }

    fn start(dir: &Path, role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", role, "--nocapture", "--test-threads=1"])
            .env(DIR, dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Waits for a line that contains `part`, and returns it. Other lines are skipped.
    pub(crate) fn await_line(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut passed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => passed.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no \"{part}\" in {passed:?}")
                }
            }
        }
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A context for the driver of this process's test. `None` in a process that is not a client process.
fn context() -> Option<Context> {
    let context = driver_process::context(std::env::var_os(DIR)?.as_ref())
        .keepalive_interval(Duration::from_millis(100))
        .reconnect_in_place(true)
        .on_event(|event| say(&format!("event: {event}")));
    Some(context)
}

/// Writes the whole line at once, so that lines do not mix.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    // The reader is gone when the test is over.
    if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
        std::process::exit(0);
    }
}

/// The entry point of a client process started by another test. Does nothing in other processes.
#[test]
fn subscribe() {
    let Some(context) = context() else { return };
    let client = Client::connect(context).unwrap();
    let mut subscription = client.add_subscription("aeron:ipc", STREAM).unwrap();
    say("subscribed");
    let deadline = Instant::now() + LIFETIME;
    while Instant::now() < deadline {
        subscription.poll_wait(
            |fragment| say(&format!("received {}", String::from_utf8_lossy(fragment.payload()))),
            10,
            Duration::from_millis(100),
        );
    }
}

/// The entry point of a client process started by another test. Does nothing in other processes.
#[test]
fn publish() {
    let Some(context) = context() else { return };
    let client = Client::connect(context).unwrap();
    let mut publication = client.add_exclusive_publication(CHANNEL, STREAM).unwrap();
    say("publishing");
    let deadline = Instant::now() + LIFETIME;
    let mut number = 0_u64;
    while Instant::now() < deadline {
        match publication.offer(number.to_string().as_bytes()) {
            Ok(_) => {
                say(&format!("published {number}"));
                number += 1;
            }
            Err(
                OfferError::NotConnected | OfferError::BackPressured | OfferError::AdminAction | OfferError::Closed,
            ) => {}
            Err(error) => panic!("{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
