//! A client in a process of its own, to be killed or stopped. It is this test program again, with its part and its
//! library named by the environment. It writes lines that begin with `@` to standard output, and ends when its standard
//! input does, so that it never outlives its test.

use crate::setup::{CHANNEL, PATIENCE, PATIENT, accepted, stream_of, until};
use gannet_peers::endpoint::{CStack, ClaimEnd, EndpointSettings, GannetStack, Kind, Stack};
use gannet_peers::process::Process;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, thread};

const PART: &str = "INTEROP_PART";
const LIBRARY: &str = "INTEROP_LIBRARY";
const DIR: &str = "INTEROP_DIR";

/// The number of messages that a publisher sends.
pub(crate) const MESSAGES: u32 = 100;

/// What a victim does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// Publishes the numbers below [`MESSAGES`], and prints `sent`.
    Publish(Kind),
    /// Does the same on a concurrent publication, claims one more message without committing it, and prints `claimed`.
    Claim,
    /// Subscribes to the stream of this kind of publication, prints `subscribed`, never polls, and prints the events it
    /// receives.
    Subscribe(Kind),
}

/// A running victim. It is killed when dropped.
pub(crate) struct Victim(Process);

impl Victim {
    pub(crate) fn start(library: &dyn Stack, part: Part, dir: &Path) -> Self {
        let mut command = Command::new(env::current_exe().expect("the path of this program"));
        command.args(["--exact", "victim::take_part", "--nocapture", "--test-threads=1"]);
        command.env(PART, format!("{part:?}")).env(LIBRARY, library.name()).env(DIR, dir);
        // In a group of its own, only this test has a stopped victim continue: the system does it to a whole group, too,
        // when the shell ends that started the tests in the background.
        command.process_group(0);
        Self(Process::start_command(command).expect("this program can be started again"))
    }

    /// Waits until it prints a line that begins with `what`.
    pub(crate) fn hear(&self, what: &str) {
        loop {
            let line = self.0.next_line(PATIENCE).expect("it says something");
            if line.strip_prefix('@').is_some_and(|said| said.starts_with(what)) {
                return;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.0.signal(signal).expect("it is still there");
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().expect("it is still there");
    }
}

/// The entry point of a victim process. Does nothing in other processes.
#[test]
fn take_part() {
    let (Ok(part), Ok(library), Some(dir)) = (env::var(PART), env::var(LIBRARY), env::var_os(DIR)) else { return };
    let libraries: [&dyn Stack; 2] = [&CStack, &GannetStack];
    let library = libraries.into_iter().find(|known| known.name() == library).expect("a library of that name");
    let parts =
        Kind::ALL.into_iter().flat_map(|kind| [Part::Publish(kind), Part::Subscribe(kind)]).chain([Part::Claim]);
    let part = parts.into_iter().find(|known| format!("{known:?}") == part).expect("a part of that name");
    let settings = EndpointSettings { keepalive_interval: Some(Duration::from_millis(50)), ..PATIENT };
    let endpoint = library.connect(&PathBuf::from(dir), &settings).expect("the victim connects");
    let over = when_input_ends();
    match part {
        Part::Publish(kind) => {
            let mut publication = endpoint.add_publication(kind, CHANNEL, stream_of(kind)).expect("a publication");
            for number in 0..MESSAGES {
                accepted(|| publication.offer(&number.to_le_bytes()));
            }
            say("sent");
            until_over(&over, || {});
        }
        Part::Claim => {
            let (kind, stream_id) = (Kind::Concurrent, stream_of(Kind::Concurrent));
            let mut publication = endpoint.add_publication(kind, CHANNEL, stream_id).expect("a publication");
            for number in 0..MESSAGES {
                accepted(|| publication.offer(&number.to_le_bytes()));
            }
            accepted(|| publication.claim(b"never committed", ClaimEnd::Abandon));
            say("claimed");
            until_over(&over, || {});
        }
        Part::Subscribe(kind) => {
            let subscription = endpoint.add_subscription(CHANNEL, stream_of(kind)).expect("a subscription");
            until("the victim has an image", || subscription.is_connected());
            say("subscribed");
            let mut told = 0;
            until_over(&over, || {
                let reports = endpoint.reports();
                reports[told..].iter().for_each(|report| say(&format!("{report:?}")));
                told = reports.len();
            });
        }
    }
}

fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    // Ignored: the reader is gone once the test has failed.
    let _ = writeln!(out, "\n@{what}").and_then(|()| out.flush());
}

fn until_over(over: &AtomicBool, mut meanwhile: impl FnMut()) {
    while !over.load(Ordering::Acquire) {
        meanwhile();
        thread::sleep(Duration::from_millis(5));
    }
}

fn when_input_ends() -> Arc<AtomicBool> {
    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    thread::spawn(move || {
        let mut ignored = [0; 256];
        while let Ok(1..) = std::io::stdin().read(&mut ignored) {}
        ended.store(true, Ordering::Release);
    });
    over
}
