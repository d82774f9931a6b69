//! Child processes that a test starts, communicates with and ends. Each is ended through its own handle, never by name,
//! and at the latest when that handle is dropped.

use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs, mem};

/// A running child process whose output is collected line by line.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Arc<Mutex<String>>,
    /// This thread ends when the child's standard error is closed.
    collector: Option<JoinHandle<()>>,
}

/// Why waiting for a child process failed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The process could not be started, signalled or waited for.
    #[error("{name}: {source}")]
    Io {
        /// The program's name.
        name: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The process ended before the awaited event.
    #[error("{name} ended while {awaited} was awaited; it said: {errors}")]
    Ended {
        /// The program's name.
        name: String,
        /// The awaited event.
        awaited: String,
        /// The process's output on standard error.
        errors: String,
    },
    /// The awaited event did not happen in time.
    #[error("{name}: {awaited} did not come within {waited_ms} ms; it said: {errors}")]
    Slow {
        /// The program's name.
        name: String,
        /// The awaited event.
        awaited: String,
        /// How long the caller waited, in milliseconds.
        waited_ms: u128,
        /// The process's output on standard error.
        errors: String,
    },
}

/// The path of a program of this package, which is beside the calling test or program.
pub fn program(name: &str) -> PathBuf {
    let own = env::current_exe().expect("the path of the running program");
    let beside = own.parent().expect("a program is in a directory");
    let dir = if beside.ends_with("deps") { beside.parent().expect("deps is in a directory") } else { beside };
    dir.join(name)
}

/// The path of a program of Gannet itself, which is built in the workspace at the top of the repository. It is searched
/// in the directory in the environment variable `GANNET_BIN_DIR`. Without that, the newest program is used of those
/// beside this package's programs, in the target directory of the top workspace, and in the one of `CARGO_TARGET_DIR`.
///
/// # Panics
///
/// When there is no such program.
pub fn gannet_program(name: &str) -> PathBuf {
    if let Some(dir) = env::var_os("GANNET_BIN_DIR") {
        return PathBuf::from(dir).join(name);
    }
    let targets = [
        Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target")),
        env::var_os("CARGO_TARGET_DIR").map(PathBuf::from),
    ];
    let built =
        targets.iter().flatten().flat_map(|target| ["release", "debug"].map(|kind| target.join(kind).join(name)));
    let candidates = built.chain([program(name)]);
    let built_at = |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let newest = candidates.into_iter().filter(|path| path.is_file()).max_by_key(built_at);
    newest.unwrap_or_else(|| {
        panic!("no {name} is built: run `cargo build --bins` at the top of the repository, or say where it is by GANNET_BIN_DIR")
    })
}

impl Process {
    /// Starts a program, with its three standard streams connected to this handle.
    pub fn start<S: AsRef<OsStr>>(
        program: PathBuf,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Self, ProcessError> {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::start_command(command)
    }

    /// As [`start`](Self::start), for a command with an environment or directory of its own.
    pub fn start_command(mut command: Command) -> Result<Self, ProcessError> {
        let name = command.get_program().to_string_lossy().into_owned();
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|source| ProcessError::Io { name: name.clone(), source })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (sender, lines) = mpsc::channel();
        let stdout = stdout.expect("a piped stream");
        // Both threads end with the child process, which closes the streams.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let (collected, mut stderr) = (Arc::clone(&errors), stderr.expect("a piped stream"));
        let collector = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..length]);
                collected.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        Ok(Self { name, child, stdin, lines, errors, collector: Some(collector) })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's standard input, until it is closed.
    pub fn stdin(&mut self) -> Option<&mut ChildStdin> {
        self.stdin.as_mut()
    }

    /// Closes the child's standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The output on standard error so far.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the next line of the child's standard output.
    pub fn next_line(&self, timeout: Duration) -> Result<String, ProcessError> {
        self.lines.recv_timeout(timeout).map_err(|error| match error {
            RecvTimeoutError::Timeout => self.slow("a line of output", timeout),
            RecvTimeoutError::Disconnected => self.ended("a line of output"),
        })
    }

    /// Whether the child is still running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal to the child.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("the id of a process");
        kill_process(pid, signal).map_err(|error| self.failed(error.into()))
    }

    /// Waits until the child has ended by itself. Its output on standard error is then complete.
    pub fn wait(&mut self, timeout: Duration) -> Result<ExitStatus, ProcessError> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    if let Some(collector) = self.collector.take() {
                        collector.join().expect("collecting text does not panic");
                    }
                    return Ok(status);
                }
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                Ok(None) => return Err(self.slow("its end", timeout)),
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// Kills the child with SIGKILL, and waits until it has ended.
    pub fn kill(&mut self) -> Result<ExitStatus, ProcessError> {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        ended.map_err(|error| self.failed(error))
    }

    /// All remaining lines of output, after the child has ended.
    pub fn remaining_lines(&mut self) -> Vec<String> {
        let (_, nothing) = mpsc::channel();
        mem::replace(&mut self.lines, nothing).into_iter().collect()
    }

    fn failed(&self, source: io::Error) -> ProcessError {
        ProcessError::Io { name: self.name.clone(), source }
    }

    pub(crate) fn slow(&self, awaited: &str, waited: Duration) -> ProcessError {
        let (name, errors, awaited) = (self.name.clone(), self.errors(), awaited.to_owned());
        ProcessError::Slow { name, awaited, waited_ms: waited.as_millis(), errors }
    }

    pub(crate) fn ended(&self, awaited: &str) -> ProcessError {
        ProcessError::Ended { name: self.name.clone(), awaited: awaited.to_owned(), errors: self.errors() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The child may have ended already. In both cases nothing of it is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
