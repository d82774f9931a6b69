//! A `gannet-driver` process under test.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use gannet::Context;
use gannet::cnc::CncFile;
use gannet::memory::FileAccess;
use gannet::time::{Clock, SystemClock};
use rustix::process::{Pid, Signal, kill_process};

/// Far longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A running driver. It is killed when dropped.
pub(crate) struct DriverProcess {
    child: Child,
    pub(crate) dir: PathBuf,
}

/// How a process ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command that runs the driver with little memory and CPU, and without settings from the environment of the tests.
/// Client timeouts are long, for busy machines; tests in which clients are to die set the timeouts themselves.
pub(crate) fn driver() -> Command {
    driver_by(&[])
}

/// The same through another command, which becomes the driver.
pub(crate) fn driver_by(words: &[&str]) -> Command {
    let words = [words, &[env!("CARGO_BIN_EXE_gannet-driver")]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AERON_") || text.starts_with("GANNET_") {
            command.env_remove(&name);
        }
    }
    command
        .env("GANNET_PROFILE", "frugal")
        .env("AERON_COUNTERS_BUFFER_LENGTH", "1m")
        .env("AERON_TIMER_INTERVAL", "50ms")
        .env("AERON_CLIENT_LIVENESS_TIMEOUT", "60s")
        .env("AERON_PUBLICATION_UNBLOCK_TIMEOUT", "70s");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The settings of a client of the driver in `dir`: a long driver timeout, for busy machines.
pub(crate) fn context(dir: &Path) -> Context {
    Context::new().dir(dir).driver_timeout(Duration::from_secs(60))
}

/// Runs a driver that is expected to end by itself.
pub(crate) fn run(command: &mut Command) -> Ended {
    DriverProcess::of(command).ended()
}

impl DriverProcess {
    /// Starts a driver in `dir` and waits until clients can use it.
    pub(crate) fn start(dir: &Path, arguments: &[&str]) -> Self {
        Self::spawn(dir, arguments).ready()
    }

    /// Waits until clients can use it.
    pub(crate) fn ready(mut self) -> Self {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready() {
            assert!(self.child.try_wait().unwrap().is_none(), "{}", self.ended().stderr);
            assert!(Instant::now() < deadline, "the driver does not get ready");
            std::thread::sleep(POLL_INTERVAL);
        }
        self
    }

    /// Starts a driver in `dir`, which may refuse.
    pub(crate) fn spawn(dir: &Path, arguments: &[&str]) -> Self {
        Self::spawn_by(&[], dir, arguments)
    }

    /// The same through another command, which becomes the driver.
    pub(crate) fn spawn_by(words: &[&str], dir: &Path, arguments: &[&str]) -> Self {
        let child = driver_by(words).arg("--dir").arg(dir).args(arguments).spawn().unwrap();
        Self { child, dir: dir.to_owned() }
    }

    /// Starts the command. The caller knows its directory.
    pub(crate) fn of(command: &mut Command) -> Self {
        Self { child: command.spawn().unwrap(), dir: PathBuf::new() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The driver's shared memory.
    pub(crate) fn cnc(&self) -> CncFile {
        CncFile::open(&self.dir, FileAccess::ReadWrite).unwrap()
    }

    fn is_ready(&self) -> bool {
        CncFile::open(&self.dir, FileAccess::ReadOnly).is_ok_and(|cnc| {
            cnc.pid() == i64::from(self.pid()) && cnc.driver_state(SystemClock.epoch(), PATIENCE).is_active()
        })
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until the process has ended.
    pub(crate) fn ended(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the driver does not end");
            std::thread::sleep(POLL_INTERVAL);
        };
        let mut text = [String::new(), String::new()];
        self.child.stdout.take().unwrap().read_to_string(&mut text[0]).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut text[1]).unwrap();
        let [stdout, stderr] = text;
        Ended { status, stdout, stderr }
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long ago the driver in `dir` has shown that it lives, by the wall clock.
pub(crate) fn heartbeat_age_ms(dir: &Path) -> i64 {
    let cnc = CncFile::open(dir, FileAccess::ReadOnly).unwrap();
    SystemClock.epoch().since(cnc.commands().consumer_heartbeat())
}

/// Waits until `condition` holds.
pub(crate) fn await_that(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}
