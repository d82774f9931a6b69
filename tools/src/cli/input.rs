//! Standard input and files for commands that the user can stop while they wait for input.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use gannet::types::TermLength;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Stop;

/// The longest time until a request to stop is noticed.
const ATTENTION: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The longest message that a stream or a journal can have, in bytes.
pub(crate) const LONGEST_MESSAGE: u64 = TermLength::MAX.max_message_length() as u64;

/// Reads an input to its end, or until the user stops the command. The input then ends early: ask [`Stop`] before you
/// believe the end.
pub(crate) struct StoppableInput {
    source: Box<dyn AsFd + Send>,
    stop: Stop,
}

impl StoppableInput {
    /// Standard input. Nothing else may read it.
    pub(crate) fn stdin(stop: &Stop) -> Self {
        Self { source: Box::new(io::stdin()), stop: stop.clone() }
    }

    /// A file, which may also be a pipe that nobody writes to yet.
    pub(crate) fn open(path: &Path, stop: &Stop) -> io::Result<Self> {
        // Otherwise opening a pipe would wait for a writer, and could not be stopped.
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory; name a file"));
        }
        Ok(Self::from_file(file, stop))
    }

    fn from_file(file: File, stop: &Stop) -> Self {
        Self { source: Box::new(file), stop: stop.clone() }
    }
}

impl Read for StoppableInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.stop.is_wanted() {
            let mut ready = [PollFd::new(&self.source, PollFlags::IN)];
            match poll(&mut ready, Some(&ATTENTION)) {
                // The end of input and errors are returned by a read as well.
                Ok(1..) => match rustix::io::read(&self.source, &mut *buffer) {
                    // Another process that reads the same pipe was faster.
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    read => return Ok(read?),
                },
                Ok(0) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(0)
    }
}

/// Reads a line, with its end, in place of what is in `line`. Returns false at the end of the input. Input may have no
/// ends of lines and go on for ever: a line of more than `longest` bytes is an error, before more of it is held.
pub(crate) fn read_line(input: &mut impl BufRead, longest: u64, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    // The end of a line has two bytes at most.
    input.take(longest + 2).read_until(b'\n', line)?;
    if line.len() as u64 > longest && !line.ends_with(b"\n") {
        let text = format!("a line has more than {longest} bytes, which is too long");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(!line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_ends_up_to_a_length() {
        let mut input = &b"one\nfour\r\n\nfive5"[..];
        let mut line = Vec::new();
        for expected in [&b"one\n"[..], b"four\r\n", b"\n"] {
            assert!(read_line(&mut input, 4, &mut line).expect("short enough"));
            assert_eq!(line, expected);
        }
        let error = read_line(&mut input, 4, &mut line).expect_err("too long");
        assert!(error.to_string().contains("more than 4 bytes"), "{error}");
        let mut input = &b"four"[..];
        assert!(read_line(&mut input, 4, &mut line).expect("short enough") && line == b"four");
        assert!(!read_line(&mut input, 4, &mut line).expect("the end"));
    }
}
