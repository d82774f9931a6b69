//! Child processes that run a role until they are killed, and what they have printed by then.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use gannet::agent::IdleStrategy;

use super::roles::{DIR, NUMBER, OPENED, ROLE, Role, STOP, STOPPED};
use crate::support::eventually;

/// A child process and its output. It is killed when dropped.
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) role: Role,
    pub(super) number: u64,
    output: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// What a child has printed by now.
pub(super) struct Said {
    pub(super) is_open: bool,
    pub(super) is_stopped: bool,
    /// What it has done since it opened the journal.
    pub(super) words: Vec<u64>,
}

impl Said {
    fn of(output: &[u8]) -> Self {
        let find = |mark: u64| output.windows(8).position(|bytes| bytes == mark.to_le_bytes());
        let open = find(OPENED).map(|at| at + 8);
        let is_stopped = output.ends_with(&STOPPED.to_le_bytes());
        let words = output[open.unwrap_or(output.len())..].chunks_exact(8);
        let words = words.map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
        Self { is_open: open.is_some(), is_stopped, words: words.filter(|&word| word != STOPPED).collect() }
    }
}

impl Process {
    pub(super) fn start(dir: &Path, role: Role, number: u64, stop: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::roles::child", "--nocapture", "--quiet"])
            .env(DIR, dir)
            .env(ROLE, format!("{role:?}"))
            .env(NUMBER, number.to_string())
            .env(STOP, stop.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let output = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&output);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut bytes) {
                read.lock().unwrap().extend_from_slice(&bytes[..length]);
            }
        });
        Self { child, role, number, output, reader: Some(reader) }
    }

    /// Waits until its output is so, for as long as a busy machine needs.
    pub(super) fn until(&mut self, what: &str, holds: impl Fn(&Said) -> bool) {
        eventually(what, || {
            assert!(self.child.try_wait().unwrap().is_none(), "{:?} ended by itself", self.role);
            holds(&Said::of(&self.output.lock().unwrap()))
        });
    }

    /// Waits until it has done so much. Returns how much it is.
    pub(super) fn work(&mut self, least: usize) -> usize {
        self.until("it has done its work", |said| said.words.len() >= least);
        Said::of(&self.output.lock().unwrap()).words.len()
    }

    /// Kills the process, and returns its output.
    pub(super) fn kill(mut self) -> Said {
        assert!(self.child.try_wait().unwrap().is_none(), "{:?} ended by itself", self.role);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        Said::of(&self.output.lock().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is dead already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn sleep(period_ns: i64) {
    IdleStrategy::Sleep { period_ns }.idle_once();
}
