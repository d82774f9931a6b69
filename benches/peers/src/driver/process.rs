//! A media driver as a child process.

use super::{IDLE_STRATEGY_PROPERTIES, ThreadingMode};
use crate::process::{Process, ProcessError, gannet_program, program};
use rustix::process::Signal;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

/// A time in which a driver starts or stops even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The kind of driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// Aeron's C driver: `peer-driver`.
    Aeron,
    /// Gannet's: `gannet-driver`.
    Gannet,
}

/// The options of a driver. The defaults are meant for tests: one thread that mostly sleeps.
#[derive(Clone, Debug)]
pub struct DriverOptions {
    /// The threading mode.
    pub threading_mode: ThreadingMode,
    /// The idle strategy of every agent, by the C driver's name for it.
    pub idle_strategy: String,
    /// Other properties, by name.
    pub properties: Vec<(String, String)>,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self { threading_mode: ThreadingMode::Shared, idle_strategy: "backoff".into(), properties: Vec::new() }
    }
}

impl DriverOptions {
    /// The default options with long timeouts, so that clients do not time out on a busy machine. For everything that
    /// does not test timeouts.
    pub fn patient() -> Self {
        Self::default().with("aeron.client.liveness.timeout", "60s").with("aeron.publication.unblock.timeout", "70s")
    }

    /// Sets a property, and replaces an earlier value.
    #[must_use]
    pub fn with(mut self, property: &str, value: impl ToString) -> Self {
        self.properties.retain(|(name, _)| name != property);
        self.properties.push((property.into(), value.to_string()));
        self
    }
}

/// A running driver. It is stopped when dropped, if not before.
#[derive(Debug)]
pub struct DriverProcess {
    process: Process,
}

impl DriverProcess {
    /// Starts a driver in `dir` and waits until clients can connect. Aeron's driver also stops when the process that
    /// started it ends in any way.
    pub fn start(kind: DriverKind, dir: &Path, options: &DriverOptions) -> Result<Self, ProcessError> {
        let program = match kind {
            DriverKind::Aeron => program("peer-driver"),
            DriverKind::Gannet => gannet_program("gannet-driver"),
        };
        let mut arguments: Vec<OsString> = vec!["--dir".into(), dir.into()];
        let mode = ("aeron.threading.mode", options.threading_mode.name());
        let idle = IDLE_STRATEGY_PROPERTIES.map(|property| (property, options.idle_strategy.as_str()));
        let further = options.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let properties = [mode].into_iter().chain(idle).chain(further);
        arguments.extend(properties.map(|(name, value)| format!("-D{name}={value}").into()));
        Self::ready(Process::start(program, arguments)?, dir)
    }

    /// Waits until the driver in `process` has made its CnC file ready.
    fn ready(mut process: Process, dir: &Path) -> Result<Self, ProcessError> {
        let cnc = dir.join("cnc.dat");
        let deadline = Instant::now() + PATIENCE;
        while !is_ready(&cnc) {
            if !process.is_running() {
                return Err(process.ended("a CnC file that is ready"));
            }
            if Instant::now() > deadline {
                return Err(process.slow("a CnC file that is ready", PATIENCE));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(Self { process })
    }

    /// The child process, for signals and for its output.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Asks the driver to stop, and waits until it has ended.
    pub fn stop(mut self) -> Result<ExitStatus, ProcessError> {
        self.process.signal(Signal::TERM)?;
        self.process.wait(PATIENCE)
    }

    /// Kills the driver with SIGKILL. Its files stay as they are.
    pub fn kill(mut self) -> Result<ExitStatus, ProcessError> {
        self.process.kill()
    }
}

/// Whether the file contains a version, which a driver writes last.
fn is_ready(cnc: &Path) -> bool {
    let mut version = [0; 4];
    File::open(cnc).and_then(|file| file.read_exact_at(&mut version, 0)).is_ok() && version != [0; 4]
}
