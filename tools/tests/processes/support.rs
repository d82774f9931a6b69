//! Drivers and commands as child processes: started without settings from the environment, waited for with long
//! timeouts, and killed when a test ends in any way.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gannet::{Client, Context};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

/// Far longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// So that a driver that a busy machine does not run for a while is not taken for dead.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Small terms: each log then takes 200 KiB instead of 200 MiB.
pub(crate) const CHANNEL: &str = "aeron:ipc?term-length=64k";

/// A driver process in a directory of its own.
pub(crate) struct Driver {
    process: Option<Process>,
    dir: tempfile::TempDir,
}

impl Driver {
    /// Starts a driver and waits until clients can use it.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a driver with these additional settings.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut driver = Self { process: None, dir: tempfile::tempdir().expect("a directory") };
        driver.start_here(settings);
        driver
    }

    /// Starts a driver in the directory of this one, which has ended.
    pub(crate) fn start_anew(&mut self) {
        self.start_here(&[]);
    }

    fn start_here(&mut self, settings: &[(&str, &str)]) {
        let mut command = clean(driver_binary());
        command.arg("--dir").arg(self.path());
        command.env("GANNET_PROFILE", "frugal").env("AERON_COUNTERS_BUFFER_LENGTH", "1m");
        // So that a client that a test stops, or a busy machine does not run, has not timed out when the test checks.
        command.env("AERON_CLIENT_LIVENESS_TIMEOUT", "60s").env("AERON_PUBLICATION_UNBLOCK_TIMEOUT", "70s");
        command.envs(settings.iter().copied());
        self.process = Some(Process::spawn(&mut command, None));
        let deadline = Instant::now() + PATIENCE;
        // The files of one that has ended can be seen, too.
        while !self.gannet(&["stat", "--check"]).end().status.success() {
            let process = self.process.as_mut().expect("just started");
            if process.child.try_wait().expect("it is our child").is_some() || Instant::now() > deadline {
                panic!("the driver does not start: {}", self.process.take().expect("just started").kill().stderr);
            }
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("driver")
    }

    /// A client of this driver in the process of the tests.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.context()).expect("a driver")
    }

    /// Its settings: a long driver timeout, as commands have it.
    pub(crate) fn context(&self) -> Context {
        Context::new().dir(self.path()).driver_timeout(DRIVER_TIMEOUT)
    }

    /// Starts a `gannet` command that uses this driver.
    pub(crate) fn gannet(&self, arguments: &[&str]) -> Process {
        self.gannet_with_input(arguments, None)
    }

    /// Starts a `gannet` command that uses this driver, with input.
    pub(crate) fn gannet_with_input(&self, arguments: &[&str], input: Option<&[u8]>) -> Process {
        let mut command = gannet(arguments);
        command.arg("--dir").arg(self.path());
        Process::spawn(&mut command, input)
    }

    /// Starts a `gannet pub` that publishes the same lines repeatedly until it is killed.
    pub(crate) fn publish_forever(&self, arguments: &[&str]) -> Process {
        let lines = self.path().with_file_name("lines");
        std::fs::write(&lines, "one line and then another\n".repeat(100)).expect("there is room");
        let lines = lines.to_str().expect("a plain path");
        self.gannet(&[&["pub", "--wait", "170s", "--file", lines, "--loop", "forever"], arguments].concat())
    }

    /// Stops the driver properly.
    pub(crate) fn shut_down(&mut self) {
        let process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        process.end().success();
    }

    /// Pauses the driver's process, or continues it.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("it runs").signal(signal);
    }

    /// Pauses the driver's process, and waits until all of its threads are paused: they stop one after another.
    pub(crate) fn stand_still(&self) {
        let pid = self.process.as_ref().expect("it runs").child.id();
        self.signal(Signal::STOP);
        let stands = |task: std::io::Result<std::fs::DirEntry>| {
            let status = std::fs::read_to_string(task.expect("a thread").path().join("status")).expect("it is there");
            status.lines().any(|line| line.starts_with("State:\tT"))
        };
        let tasks = || std::fs::read_dir(format!("/proc/{pid}/task")).expect("it is our child");
        eventually("all of it stands still", || tasks().all(stands).then_some(()));
    }

    /// Waits until a driver that was asked to stop has ended.
    pub(crate) fn end(&mut self) -> Ended {
        self.process.take().expect("it runs").end()
    }

    /// Kills the driver, as a crash would.
    pub(crate) fn kill(&mut self) {
        drop(self.process.take());
    }
}

/// A `gannet` command without settings from the environment, and with a long driver timeout.
pub(crate) fn gannet(arguments: &[&str]) -> Command {
    gannet_by(&[], arguments)
}

/// The same through another command, which becomes the `gannet` command.
pub(crate) fn gannet_by(words: &[&str], arguments: &[&str]) -> Command {
    let all = [words, &[env!("CARGO_BIN_EXE_gannet")], arguments].concat();
    let mut command = clean(Path::new(all[0]));
    command.args(&all[1..]).env("AERON_DRIVER_TIMEOUT", DRIVER_TIMEOUT.as_millis().to_string());
    command
}

/// A command without settings from the environment.
pub(crate) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AERON_") || text.starts_with("GANNET_") {
            command.env_remove(&name);
        }
    }
    command
}

/// The driver's binary, beside that of `gannet`. Cargo does not build another package's binary for this package's
/// tests, and an existing one may be old, so cargo is asked to build it once. That takes no time when the whole
/// workspace is tested.
pub(crate) fn driver_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let gannet = Path::new(env!("CARGO_BIN_EXE_gannet"));
        let profile_dir = gannet.parent().expect("it is in a folder");
        let target_dir = profile_dir.parent().expect("that is in the target folder");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--package", "gannet-driver"]);
        cargo.args(["--bin", "gannet-driver", "--target-dir"]).arg(target_dir);
        if profile_dir.file_name().is_some_and(|name| name == "release") {
            cargo.arg("--release");
        }
        let status = cargo.status().expect("cargo runs these tests, so it is there");
        assert!(status.success(), "the driver does not build");
        profile_dir.join("gannet-driver")
    })
}

/// A child process whose output is read as it is written.
pub(crate) struct Process {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command, input: Option<&[u8]>) -> Self {
        match input {
            // This ends its input.
            Some(input) => Self::spawn_fed(command, input).0,
            None => Self::start(command.stdin(Stdio::null())),
        }
    }

    /// Starts a process whose input continues.
    pub(crate) fn spawn_fed(command: &mut Command, input: &[u8]) -> (Self, ChildStdin) {
        let mut process = Self::start(command.stdin(Stdio::piped()));
        let mut stdin = process.child.stdin.take().expect("it has an input");
        match stdin.write_all(input) {
            // A process that does not need its input may have ended by now.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            outcome => outcome.expect("it reads its input"),
        }
        (process, stdin)
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        Self { child, stdout, stderr }
    }

    /// Whether it listens for a signal already.
    pub(crate) fn hears(&self, signal: Signal) -> bool {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it is our child, and not waited for yet");
        let digits = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("the system says so");
        let caught = u64::from_str_radix(digits.trim(), 16).expect("a number");
        caught & (1 << (signal.as_raw() - 1)) != 0
    }

    /// Whether its first thread waits for something.
    pub(crate) fn sleeps(&self) -> bool {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).expect("it is our child, and not waited for yet");
        stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('S'))
    }

    /// Whether it has mapped a file of this name that has not been deleted since.
    pub(crate) fn has_mapped(&self, name: &str) -> bool {
        let path = format!("/proc/{}/maps", self.child.id());
        let maps = std::fs::read_to_string(path).expect("it is our child, and not waited for yet");
        maps.lines().any(|line| line.ends_with(&format!("/{name}")))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it is our child, and not waited for yet");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Waits until the process has ended.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() {
            if Instant::now() > deadline {
                panic!("it does not end: {:?}", self.kill());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        self.kill()
    }

    fn kill(mut self) -> Ended {
        let _ = self.child.kill();
        let status = self.child.wait().expect("it is our child");
        let bytes = |handle: Option<JoinHandle<Vec<u8>>>| handle.expect("taken once").join().expect("it only reads");
        let stdout = bytes(self.stdout.take());
        let stderr = String::from_utf8_lossy(&bytes(self.stderr.take())).into_owned();
        Ended { status, stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The output of a command, which must have succeeded.
    pub(crate) fn success(self) -> Vec<u8> {
        assert!(self.status.success(), "{self:?}");
        self.stdout
    }

    /// The lines of JSON printed by a command, which must have succeeded.
    pub(crate) fn json(self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.success()).expect("JSON is text");
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Option<JoinHandle<Vec<u8>>> {
    pipe.map(|mut pipe| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            bytes
        })
    })
}

/// Waits until a condition holds.
pub(crate) fn eventually<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// A named pipe in `dir`.
pub(crate) fn pipe(dir: &Path) -> PathBuf {
    let path = dir.join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("there is room");
    path
}

/// Messages in the form that `gannet sub --format raw` prints.
pub(crate) fn raw<'a>(messages: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend(u32::try_from(message.len()).expect("small").to_le_bytes());
        bytes.extend(message);
    }
    bytes
}
