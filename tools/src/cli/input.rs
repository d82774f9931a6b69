//! Standard input for commands that the user can stop while they wait for input.

use std::io::{self, Read, Stdin};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Stop;

/// The longest time until a request to stop is noticed.
const ATTENTION: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Reads standard input to its end, or until the user stops the command. Nothing else may read standard input.
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
                // The end of input and errors are returned by a read as well.
                Ok(1..) => return Ok(rustix::io::read(&self.stdin, buffer)?),
                Ok(0) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    }
}
