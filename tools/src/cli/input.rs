//! Standard input, for commands that are to end when the user wants it, also while nobody writes to it.

use std::io::{self, Read, Stdin};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Stop;

/// How long a wish to stop may go unnoticed.
const ATTENTION: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Standard input up to its end, or until the user wants to stop. Nobody else may read it.
#[derive(Debug)]
pub(crate) struct StoppableInput<'a> {
    stdin: Stdin,
    stop: &'a Stop,
}

impl<'a> StoppableInput<'a> {
    pub(crate) fn new(stop: &'a Stop) -> Self {
        Self { stdin: io::stdin(), stop }
    }
}

impl Read for StoppableInput<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.stop.is_wanted() {
            let mut ready = [PollFd::new(&self.stdin, PollFlags::IN)];
            match poll(&mut ready, Some(&ATTENTION)) {
                // Its end and its errors are read as well.
                Ok(1..) => return Ok(rustix::io::read(&self.stdin, buffer)?),
                Ok(0) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    }
}
