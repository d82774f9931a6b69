//! The scenario `idle`: the CPU time of a driver process without work, first without clients, then with one whose
//! stream carries nothing. Read from the kernel's accounting of the process's threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use gannet::cnc::CncFile;
use gannet::memory::FileAccess;
use gannet::time::{Clock, SystemClock};
use gannet::{Client, Context};
use gannet_driver::config::Profile;

use super::usage::{Usage, round};
use crate::rig::RigError;
use crate::rig::measurement::{Details, Measurement};
use crate::rig::schedule::now_ns;
use crate::systems::gannet::GANNET;

/// The scenario's name in results.
pub const NAME: &str = "idle";
/// The name in results for the driver with a client that has a stream. Without a client it is [`GANNET`].
pub const WITH_STREAM: &str = "gannet-with-stream";

/// How long a driver may take to start.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_NS: i64 = PATIENCE.as_nanos() as i64;
/// The longest time until a request to end the run is noticed.
const ATTENTION: Duration = Duration::from_millis(500);
/// How long to wait for the work of starting to be over.
const SETTLE: Duration = Duration::from_millis(1500);

/// How to run the scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// The driver's program.
    pub driver: PathBuf,
    /// The driver's profile.
    pub profile: Profile,
    /// How long the driver is watched, once without and once with a stream.
    pub watch: Duration,
}

/// Runs the scenario. `on_round` is called before each part, and may end the run.
///
/// # Errors
///
/// [`RigError`] when the driver does not start, or when the kernel provides no accounting of its threads.
pub fn run(
    options: &Options,
    mut on_round: impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    let dir = private_dir();
    let driver = Driver::start(options, &dir)?;
    std::thread::sleep(SETTLE);
    let alone = driver.watch(options, || on_round("without clients"))?;

    let context = Context::new().dir(&dir).client_name("idle").driver_timeout(PATIENCE);
    let client = Client::connect(context).map_err(|error| failed("cannot connect", error))?;
    let _subscription = client.add_subscription("aeron:ipc", 1).map_err(|error| failed("cannot subscribe", error))?;
    let _publication =
        client.add_exclusive_publication("aeron:ipc", 1).map_err(|error| failed("cannot publish", error))?;
    std::thread::sleep(SETTLE);
    let with_stream = driver.watch(options, || on_round("with a stream"))?;
    Ok(vec![Measurement::idle(NAME, GANNET, alone), Measurement::idle(NAME, WITH_STREAM, with_stream)])
}

/// A directory that no other process uses, beside those of other drivers.
fn private_dir() -> PathBuf {
    let shared_memory = Path::new("/dev/shm");
    let parent = if shared_memory.is_dir() { shared_memory.to_owned() } else { std::env::temp_dir() };
    parent.join(format!("gannet-idle-{}", std::process::id()))
}

fn failed(action: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RigError {
    RigError::system(GANNET, action, source)
}

/// A driver process. The process removes its directory when it is asked to stop; dropping this removes the directory
/// otherwise.
struct Driver {
    child: Child,
    dir: PathBuf,
}

impl Driver {
    fn start(options: &Options, dir: &Path) -> Result<Self, RigError> {
        let mut command = Command::new(&options.driver);
        // The profile is measured, without settings from the environment of this process.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("AERON_") || name.starts_with("GANNET_")) {
                command.env_remove(&name);
            }
        }
        command.arg("--dir").arg(dir).args(["--profile", options.profile.as_str()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command
            .spawn()
            .map_err(|error| failed(format!("cannot start the driver {}", options.driver.display()), error))?;
        let mut driver = Self { child, dir: dir.to_owned() };
        driver.await_ready()?;
        Ok(driver)
    }

    fn await_ready(&mut self) -> Result<(), RigError> {
        let deadline_ns = now_ns() + PATIENCE_NS;
        loop {
            let ready = CncFile::open(&self.dir, FileAccess::ReadOnly)
                .is_ok_and(|cnc| cnc.driver_state(SystemClock.epoch(), Duration::from_secs(10)).is_active());
            if ready {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(failed("starting the driver", format!("it ended: {status}")));
            }
            if now_ns() > deadline_ns {
                return Err(failed("starting the driver", "it does not get ready"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Watches the process for the time in the options, unless the run is ended.
    fn watch(
        &self,
        options: &Options,
        mut on_watch: impl FnMut() -> Result<(), RigError>,
    ) -> Result<Details, RigError> {
        on_watch()?;
        let (begin_ns, before) = (now_ns(), self.usage()?);
        let mut left = options.watch;
        while !left.is_zero() {
            let next = left.min(ATTENTION);
            std::thread::sleep(next);
            left -= next;
            on_watch()?;
        }
        let (end_ns, after) = (now_ns(), self.usage()?);
        let watched_s = (end_ns - begin_ns) as f64 / 1e9;
        Ok(Details::Idle {
            profile: options.profile.to_string(),
            watched_s: round(watched_s, 1e2),
            cpu_share: round(after.cpu_ns.saturating_sub(before.cpu_ns) as f64 / 1e9 / watched_s, 1e6),
            wake_ups_per_s: round(after.turns.saturating_sub(before.turns) as f64 / watched_s, 1e1),
        })
    }

    fn usage(&self) -> Result<Usage, RigError> {
        Usage::below(&format!("/proc/{}/task", self.child.id()))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let deadline_ns = now_ns() + PATIENCE_NS;
        while matches!(self.child.try_wait(), Ok(None)) && now_ns() < deadline_ns {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_is_not_there_is_named() {
        let options = Options {
            driver: "/no/such/gannet-driver".into(),
            profile: Profile::Frugal,
            watch: Duration::from_millis(1),
        };
        let error = run(&options, |_| Ok(())).expect_err("there is no such program").to_string();
        assert!(error.contains("/no/such/gannet-driver"), "{error}");
    }
}
