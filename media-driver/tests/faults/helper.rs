//! A client process: this test program, started again with a role. It prints lines with an `@` to its standard output,
//! gets commands through its standard input, and ends when that ends, so that it never outlives its test.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use gannet::Context;
use rustix::process::{Pid, Signal, kill_process};

use crate::driver_process::{self, PATIENCE};

const ROLE: &str = "FAULTS_ROLE";
const DIR: &str = "FAULTS_DIR";
const ARGUMENT: &str = "FAULTS_ARGUMENT";

/// A client process. It is killed when dropped.
pub(crate) struct Helper {
    child: Child,
    lines: Receiver<String>,
}

impl Helper {
    /// Starts a process with a role of [`crate::roles`].
    pub(crate) fn start(role: &str, dir: &Path, argument: impl ToString) -> Self {
        Self::start_in(Command::new(std::env::current_exe().unwrap()), role, dir, argument)
    }

    /// As [`Self::start`], with a command that prepares an environment for the process first. The arguments for the
    /// role are appended to the command's own.
    pub(crate) fn start_in(mut command: Command, role: &str, dir: &Path, argument: impl ToString) -> Self {
        let mut child = command
            .args(["--exact", "roles::play", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIR, dir)
            .env(ARGUMENT, argument.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || pass_on(BufReader::new(stdout), &sender));
        Self { child, lines }
    }

    /// Waits for a line that starts with `what`, and returns the rest of the line. Earlier lines are skipped.
    pub(crate) fn hear(&self, what: &str) -> String {
        self.hear_within(what, PATIENCE).unwrap_or_else(|| panic!("the helper never said {what}"))
    }

    /// As [`Self::hear`], with a timeout.
    pub(crate) fn hear_within(&self, what: &str, wait: Duration) -> Option<String> {
        let deadline = Instant::now() + wait;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(what) {
                        return Some(rest.trim().to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => panic!("the helper ended before it said {what}"),
            }
        }
    }

    /// Sends it a command.
    pub(crate) fn tell(&mut self, what: &str) {
        writeln!(self.child.stdin.as_ref().unwrap(), "{what}").unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Lets it end properly by itself.
    pub(crate) fn end(mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the helper does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(self.child.wait().unwrap().success(), "the helper failed");
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The environment of a role.
pub(crate) struct Stage {
    pub(crate) role: String,
    pub(crate) dir: PathBuf,
    pub(crate) argument: String,
    told: Receiver<String>,
}

impl Stage {
    /// The role of this process, if it has one.
    pub(crate) fn enter() -> Option<Self> {
        let role = std::env::var(ROLE).ok()?;
        let dir = std::env::var_os(DIR)?.into();
        let argument = std::env::var(ARGUMENT).ok()?;
        let (sender, told) = channel();
        std::thread::spawn(move || pass_on_whole(std::io::stdin().lock(), &sender));
        Some(Self { role, dir, argument, told })
    }

    /// Sends a line to the process that started this one.
    pub(crate) fn say(&self, what: impl std::fmt::Display) {
        let mut out = std::io::stdout().lock();
        // The reader is gone once the test has failed.
        let _ = writeln!(out, "\n@{what}").and_then(|()| out.flush());
    }

    /// Commands since the last call; `Err` when the process is to end.
    pub(crate) fn told(&self, wait: Duration) -> Result<Option<String>, End> {
        match self.told.recv_timeout(wait) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(End),
        }
    }

    /// Waits to be killed, or for the end of input.
    pub(crate) fn stand_still(&self) {
        while self.told(PATIENCE).is_ok() {}
    }
}

/// The process is to end.
#[derive(Debug)]
pub(crate) struct End;

/// The settings of every client here: frequent keepalives, and a long driver timeout for a busy machine.
pub(crate) fn context(dir: &Path) -> Context {
    driver_process::context(dir)
        .keepalive_interval(Duration::from_millis(100))
        .idle_sleep(Duration::from_millis(5))
        .resource_linger(Duration::ZERO)
}

fn pass_on(from: impl BufRead, to: &Sender<String>) {
    for line in from.lines() {
        let Ok(line) = line else { return };
        if let Some(said) = line.strip_prefix('@')
            && to.send(said.to_owned()).is_err()
        {
            return;
        }
    }
}

fn pass_on_whole(from: impl BufRead, to: &Sender<String>) {
    for line in from.lines() {
        let Ok(line) = line else { return };
        if to.send(line).is_err() {
            return;
        }
    }
}
