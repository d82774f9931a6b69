//! The second process of a measurement that needs two. It receives its commands line by line, and ends with this
//! process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::RigError;

/// How long the other process may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that reads commands, one per line, from its standard input and answers on its standard output.
#[derive(Debug)]
pub struct OtherProcess {
    name: String,
    child: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
}

impl OtherProcess {
    /// Starts the process.
    ///
    /// # Errors
    ///
    /// [`RigError::System`] when the process cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self, RigError> {
        let failed = |source: std::io::Error| RigError::system(name, "start another process", source);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let (Some(commands), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(std::io::ErrorKind::BrokenPipe.into()));
        };
        let (sender, answers) = channel();
        // The thread ends with the other process.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name: name.to_owned(), child, commands, answers })
    }

    /// Sends the process a command.
    ///
    /// # Errors
    ///
    /// [`RigError::System`] when the process has ended.
    pub fn tell(&mut self, command: &str) -> Result<(), RigError> {
        let told = self.commands.write_all(format!("{command}\n").as_bytes()).and_then(|()| self.commands.flush());
        told.map_err(|error| RigError::system(&self.name, "tell the other process what to do", error))
    }

    /// Waits for an answer that begins with `word`, and returns the rest of it.
    ///
    /// # Errors
    ///
    /// [`RigError::System`] when the process has ended or does not answer.
    pub fn answer(&mut self, word: &str) -> Result<String, RigError> {
        loop {
            let line = self.answers.recv_timeout(PATIENCE);
            let line = line.map_err(|error| RigError::system(&self.name, "wait for the other process", error))?;
            // Other output may come before the answer.
            if let Some((first, rest)) = line.split_once(' ')
                && first == word
            {
                return Ok(rest.to_owned());
            }
        }
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
