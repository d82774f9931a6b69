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

/// Longer than a driver takes to start or to stop on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Which driver runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// Aeron's C driver: `peer-driver`.
    Aeron,
    /// Gannet's: `gannet-driver`.
    Gannet,
}

/// How a driver is set up. The default is meant for tests: one thread that mostly sleeps.
#[derive(Clone, Debug)]
pub struct DriverOptions {
    /// Which threads it has.
    pub threading_mode: ThreadingMode,
    /// The idle strategy of every agent, by the C driver's name for it.
    pub idle_strategy: String,
    /// Further properties, by their names.
    pub properties: Vec<(String, String)>,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self { threading_mode: ThreadingMode::Shared, idle_strategy: "backoff".into(), properties: Vec::new() }
    }
}

impl DriverOptions {
    /// The default, but that clients which a busy machine does not run for a while stay clients: for whatever is not about
    /// timeouts.
    pub fn patient() -> Self {
        Self::default().with("aeron.client.liveness.timeout", "60s").with("aeron.publication.unblock.timeout", "70s")
    }

    /// Sets a property, whatever it was set to before.
    #[must_use]
    pub fn with(mut self, property: &str, value: impl ToString) -> Self {
        self.properties.retain(|(name, _)| name != property);
        self.properties.push((property.into(), value.to_string()));
        self
    }
}

/// A running driver. Ended, at the latest, when dropped.
#[derive(Debug)]
pub struct DriverProcess {
    process: Process,
}

impl DriverProcess {
    /// Starts a driver in `dir` and waits until clients may connect. Aeron's also stops when the process that started it
    /// ends in any way.
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

    /// Waits until the driver that `process` runs has made its CnC file ready.
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

    /// The child, to signal it or to read what it says.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Asks the driver to stop and waits for its end.
    pub fn stop(mut self) -> Result<ExitStatus, ProcessError> {
        self.process.signal(Signal::TERM)?;
        self.process.wait(PATIENCE)
    }

    /// Ends the driver at once, as SIGKILL does; its files stay as they are.
    pub fn kill(mut self) -> Result<ExitStatus, ProcessError> {
        self.process.kill()
    }
}

/// Whether the file holds a version, which a driver writes last.
fn is_ready(cnc: &Path) -> bool {
    let mut version = [0; 4];
    File::open(cnc).and_then(|file| file.read_exact_at(&mut version, 0)).is_ok() && version != [0; 4]
}
