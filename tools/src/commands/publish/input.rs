//! The messages that `gannet pub` publishes: from standard input, a file or captures.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::capture::{Capture, PassedOver};
use crate::cli::Stop;

/// How input is divided into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Each line is a message, without its end
    Lines,
    /// Each message follows its length (32 bits, little-endian), as `gannet sub --format raw` prints it
    Raw,
    /// The whole input is one message
    Whole,
}

/// A source of messages.
pub(super) enum Input {
    /// A file, read as messages are needed.
    File { path: PathBuf, reader: BufReader<File>, splitter: Splitter },
    /// Standard input, which may never end. A separate thread reads it, so that the command can be stopped.
    Stdin { messages: Receiver<io::Result<Vec<u8>>>, message: Vec<u8> },
    /// Captures, one after another.
    Captures { waiting: VecDeque<PathBuf>, current: Capture, passed_over: PassedOver },
}

impl Input {
    /// Creates an input from a file.
    pub(super) fn file(path: &Path, format: Format) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        if file.metadata().is_ok_and(|found| found.is_dir()) {
            bail!("cannot read {}: it is a directory; name a file", path.display());
        }
        let reader = BufReader::with_capacity(64 * 1024, file);
        Ok(Self::File { path: path.to_owned(), reader, splitter: Splitter::new(format) })
    }

    /// Creates an input from standard input.
    pub(super) fn stdin(format: Format) -> Self {
        let (sender, messages) = sync_channel(64);
        std::thread::spawn(move || forward(io::stdin().lock(), Splitter::new(format), &sender));
        Self::Stdin { messages, message: Vec::new() }
    }

    /// Creates an input from the datagrams of captures.
    pub(super) fn captures(first: &Path, others: &[PathBuf]) -> anyhow::Result<Self> {
        let current = Capture::open(first)?;
        for path in others {
            // All captures are opened once before the first is published.
            Capture::open(path)?;
        }
        let waiting = others.iter().cloned().collect();
        Ok(Self::Captures { waiting, current, passed_over: PassedOver::default() })
    }

    /// The next message. `None` at the end, or when the user wants to stop.
    pub(super) fn next(&mut self, stop: &Stop) -> anyhow::Result<Option<&[u8]>> {
        match self {
            Self::File { path, reader, splitter } => {
                splitter.next(reader).with_context(|| format!("cannot read {}", path.display()))
            }
            Self::Captures { waiting, current, passed_over } => {
                while !current.advance()? {
                    passed_over.add(&current.passed_over());
                    match waiting.pop_front() {
                        Some(path) => *current = Capture::open(&path)?,
                        None => return Ok(None),
                    }
                }
                Ok(Some(current.payload()))
            }
            Self::Stdin { messages, message } => {
                while !stop.is_wanted() {
                    match messages.recv_timeout(Duration::from_millis(50)) {
                        Ok(received) => {
                            *message = received.context("cannot read standard input")?;
                            return Ok(Some(message));
                        }
                        Err(RecvTimeoutError::Timeout) => {}
                        Err(RecvTimeoutError::Disconnected) => return Ok(None),
                    }
                }
                Ok(None)
            }
        }
    }

    /// Counts of packets that were not messages, in the captures that were read to their end.
    pub(super) fn passed_over(&self) -> PassedOver {
        match self {
            Self::Captures { passed_over, .. } => *passed_over,
            Self::File { .. } | Self::Stdin { .. } => PassedOver::default(),
        }
    }
}

/// Sends on the messages of `reader` until there are no more, or until the receiver is gone.
fn forward(mut reader: impl BufRead, mut splitter: Splitter, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let next = match splitter.next(&mut reader) {
            Ok(Some(message)) => Ok(message.to_vec()),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let is_last = next.is_err();
        if sender.send(next).is_err() || is_last {
            return;
        }
    }
}

/// Splits bytes into messages.
pub(super) struct Splitter {
    format: Format,
    message: Vec<u8>,
    is_done: bool,
}

/// Longer than any message may be. A greater length is refused.
const MAX_RAW_LENGTH: u32 = 16 << 20;

impl Splitter {
    fn new(format: Format) -> Self {
        Self { format, message: Vec::new(), is_done: false }
    }

    fn next(&mut self, reader: &mut impl BufRead) -> io::Result<Option<&[u8]>> {
        self.message.clear();
        let is_there = match self.format {
            Format::Lines => self.next_line(reader)?,
            Format::Raw => self.next_raw(reader)?,
            Format::Whole => {
                reader.read_to_end(&mut self.message)?;
                !std::mem::replace(&mut self.is_done, true)
            }
        };
        Ok(is_there.then_some(&self.message))
    }

    fn next_line(&mut self, reader: &mut impl BufRead) -> io::Result<bool> {
        if reader.read_until(b'\n', &mut self.message)? == 0 {
            return Ok(false);
        }
        if self.message.last() == Some(&b'\n') {
            self.message.pop();
            if self.message.last() == Some(&b'\r') {
                self.message.pop();
            }
        }
        Ok(true)
    }

    fn next_raw(&mut self, reader: &mut impl BufRead) -> io::Result<bool> {
        if reader.fill_buf()?.is_empty() {
            return Ok(false);
        }
        let mut length = [0; 4];
        reader.read_exact(&mut length).map_err(cut_short)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_RAW_LENGTH {
            let text =
                format!("a message of {length} bytes is announced, and none can have more than {MAX_RAW_LENGTH}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        // The buffer grows with the data that is read, not with the announced length.
        if reader.take(length.into()).read_to_end(&mut self.message)? < length as usize {
            return Err(cut_short(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(true)
    }
}

fn cut_short(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the input ends in the middle of a message"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(format: Format, mut input: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let mut splitter = Splitter::new(format);
        let mut messages = Vec::new();
        while let Some(message) = splitter.next(&mut input)? {
            messages.push(message.to_vec());
        }
        Ok(messages)
    }

    #[test]
    fn lines_lose_their_ends_only() {
        let messages = split(Format::Lines, b"one\r\n\n  three \nfour").expect("in memory");
        assert_eq!(messages, [&b"one"[..], b"", b"  three ", b"four"]);
        assert!(split(Format::Lines, b"").expect("in memory").is_empty());
    }

    #[test]
    fn a_whole_input_is_one_message() {
        assert_eq!(split(Format::Whole, b"a\nb").expect("in memory"), [b"a\nb"]);
        assert_eq!(split(Format::Whole, b"").expect("in memory"), [b""]);
    }

    #[test]
    fn raw_input_that_ends_early_or_lies_is_an_error() {
        assert_eq!(split(Format::Raw, &[2, 0, 0, 0, 7, 8, 0, 0, 0, 0]).expect("sound"), [vec![7, 8], vec![]]);
        for input in [&[2, 0][..], &[2, 0, 0, 0, 7], &[0xff, 0xff, 0xff, 0xff]] {
            assert!(split(Format::Raw, input).is_err(), "{input:?}");
        }
    }

    proptest! {
        #[test]
        fn any_raw_input_is_answered(input in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = split(Format::Raw, &input);
        }
    }
}
