//! The messages that `gannet pub` publishes: from standard input, a file or captures.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::capture::{Capture, PassedOver};
use crate::cli::{LONGEST_MESSAGE, Stop, StoppableInput, read_line};

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

/// Bytes to read ahead.
const BUFFER_LENGTH: usize = 64 * 1024;

/// A source of messages.
pub(super) enum Input {
    /// Standard input or a file, read as messages are needed.
    Bytes { name: String, reader: BufReader<StoppableInput>, splitter: Splitter },
    /// Captures, one after another. None is current if the user wanted to stop while the first was opened.
    Captures { waiting: VecDeque<PathBuf>, current: Option<Capture>, passed_over: PassedOver },
}

impl Input {
    /// Creates an input from a file.
    pub(super) fn file(path: &Path, format: Format, stop: &Stop) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let input = StoppableInput::open(path, stop).with_context(|| format!("cannot read {name}"))?;
        Ok(Self::bytes(name, input, format))
    }

    /// Creates an input from standard input.
    pub(super) fn stdin(format: Format, stop: &Stop) -> Self {
        Self::bytes("standard input".to_owned(), StoppableInput::stdin(stop), format)
    }

    fn bytes(name: String, input: StoppableInput, format: Format) -> Self {
        let reader = BufReader::with_capacity(BUFFER_LENGTH, input);
        Self::Bytes { name, reader, splitter: Splitter::new(format) }
    }

    /// Creates an input from the datagrams of captures.
    pub(super) fn captures(first: &Path, others: &[PathBuf], stop: &Stop) -> anyhow::Result<Self> {
        for path in others {
            // So that a wrong name is reported before anything is published.
            Capture::check(path, stop)?;
        }
        let current = Capture::open(first, stop)?;
        let waiting = others.iter().cloned().collect();
        Ok(Self::Captures { waiting, current, passed_over: PassedOver::default() })
    }

    /// The next message. `None` at the end, or when the user wants to stop.
    pub(super) fn next(&mut self, stop: &Stop) -> anyhow::Result<Option<&[u8]>> {
        match self {
            Self::Bytes { name, reader, splitter } => {
                let message = splitter.next(reader);
                // The input may have ended in the middle of a message for that reason.
                if stop.is_wanted() {
                    return Ok(None);
                }
                message.with_context(|| format!("cannot read {name}"))
            }
            Self::Captures { waiting, current, passed_over } => {
                while let Some(capture) = current {
                    if capture.advance()? {
                        break;
                    }
                    passed_over.add(&capture.passed_over());
                    *current = match waiting.pop_front() {
                        Some(path) => Capture::open(&path, stop)?,
                        None => None,
                    };
                }
                Ok(current.as_ref().map(Capture::payload))
            }
        }
    }

    /// Counts of packets that were not messages, in the captures that were read to their end.
    pub(super) fn passed_over(&self) -> PassedOver {
        match self {
            Self::Captures { passed_over, .. } => *passed_over,
            Self::Bytes { .. } => PassedOver::default(),
        }
    }
}

/// Splits bytes into messages.
pub(super) struct Splitter {
    format: Format,
    message: Vec<u8>,
    is_done: bool,
}

impl Splitter {
    fn new(format: Format) -> Self {
        Self { format, message: Vec::new(), is_done: false }
    }

    fn next(&mut self, reader: &mut impl BufRead) -> io::Result<Option<&[u8]>> {
        self.message.clear();
        let is_there = match self.format {
            Format::Lines => self.next_line(reader)?,
            Format::Raw => self.next_raw(reader)?,
            Format::Whole => self.next_whole(reader)?,
        };
        Ok(is_there.then_some(&self.message))
    }

    fn next_line(&mut self, reader: &mut impl BufRead) -> io::Result<bool> {
        if !read_line(reader, LONGEST_MESSAGE, &mut self.message)? {
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
        if u64::from(length) > LONGEST_MESSAGE {
            return Err(too_long(&format!("a message of {length} bytes is announced")));
        }
        // The buffer grows with the data that is read, not with the announced length.
        if reader.take(length.into()).read_to_end(&mut self.message)? < length as usize {
            return Err(cut_short(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(true)
    }

    fn next_whole(&mut self, reader: &mut impl BufRead) -> io::Result<bool> {
        reader.take(LONGEST_MESSAGE + 1).read_to_end(&mut self.message)?;
        if self.message.len() as u64 > LONGEST_MESSAGE {
            return Err(too_long("the input is longer than a message"));
        }
        Ok(!std::mem::replace(&mut self.is_done, true))
    }
}

fn too_long(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what}, and none can have more than {LONGEST_MESSAGE}"))
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

    /// As `/dev/zero` is.
    #[test]
    fn input_without_end_is_refused_and_not_gathered() {
        for format in [Format::Lines, Format::Whole] {
            let mut input = BufReader::new(io::repeat(7).take(2 * LONGEST_MESSAGE));
            let error = Splitter::new(format).next(&mut input).expect_err("none is as long");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(input.into_inner().limit() > LONGEST_MESSAGE - 100_000, "more was read than could be a message");
        }
        let longest = vec![7; LONGEST_MESSAGE as usize];
        assert_eq!(split(Format::Whole, &longest).expect("it is a message"), [&longest[..]]);
        assert_eq!(split(Format::Lines, &[&longest[..], b"\r\n"].concat()).expect("it is a message"), [&longest[..]]);
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
