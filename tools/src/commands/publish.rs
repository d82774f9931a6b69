//! `gannet pub`: publishes what it is given: lines, whole messages, or the datagrams of a capture.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use gannet::agent::{Backoff, IdleStrategy};
use gannet::counters::type_id;
use gannet::types::{Position, RegistrationId};
use gannet::{Client, ExclusivePublication, OfferError, Publication};
use serde::Serialize;

use super::watch::pause;
use crate::capture::{Capture, PassedOver};
use crate::cli::{
    Connection, DriverDir, DriverPatience, Outcome, Output, Repeat, Stop, Stream, Usage, count_in, duration,
};

/// Publish lines of standard input, a file, or the datagrams of a capture
///
/// First waits for a subscriber. Then waits for room whenever subscribers are behind.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: DriverDir,
    #[command(flatten)]
    patience: DriverPatience,
    #[command(flatten)]
    stream: Stream,
    /// Use an exclusive publication, whose log no other publisher shares; this is faster
    #[arg(long)]
    exclusive: bool,
    /// Read this file instead of standard input
    #[arg(long, value_name = "FILE", conflicts_with = "capture")]
    file: Option<PathBuf>,
    /// Publish each UDP payload of this pcap or pcapng file as one message; several files are published one after the
    /// other
    #[arg(long, value_name = "FILE.pcap", num_args = 1.., conflicts_with = "format")]
    capture: Vec<PathBuf>,
    /// How the input is divided into messages
    #[arg(long, value_enum, default_value_t = Format::Lines)]
    format: Format,
    /// Publish the file or the captures this many times, or 'forever'
    #[arg(long = "loop", value_name = "TIMES", default_value = "1")]
    repeat: Repeat,
    /// Publish this many messages per second, instead of as many as possible
    #[arg(long, value_name = "PER_SECOND", value_parser = count_in::<u64>(1..=1_000_000_000))]
    rate: Option<u64>,
    /// Wait until there are this many subscribers; all those on other hosts count as one
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = count_in::<usize>(0..=u64::MAX))]
    subscribers: usize,
    /// How long to wait for them
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    wait: Duration,
    /// Print one JSON object at the end: published, bytes, passed_over
    #[arg(long)]
    json: bool,
}

/// How input is divided into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Each line is a message, without its end
    Lines,
    /// Each message follows its length (32 bits, little-endian), as `gannet sub --format raw` prints it
    Raw,
    /// The whole input is one message
    Whole,
}

/// What was done, as JSON.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// Messages published.
    published: u64,
    /// Bytes of them.
    bytes: u64,
    /// Packets of the capture that were no message.
    passed_over: u64,
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    args.stream.check()?;
    if args.repeat != Repeat::Times(1) && args.file.is_none() && args.capture.is_empty() {
        bail!(Usage("--loop needs --file or --capture: standard input can be read only once".to_owned()));
    }
    let stop = Stop::listen()?;
    // Opened before anybody is asked to wait for it.
    let mut input = Input::open(args)?;

    let connection = Connection::open(&args.dir.path(), &args.patience, "gannet pub").context("cannot publish")?;
    let mut publisher = Publisher::add(connection.client(), args)?;
    if !publisher.wait_for_subscribers(&connection, args, &stop)? {
        return Ok(());
    }

    let mut summary = Summary::default();
    let mut passed_over = PassedOver::default();
    let start = Instant::now();
    let mut passes = 0;
    'passes: loop {
        while let Some(message) = input.next(&stop)? {
            if let Some(rate) = args.rate {
                let due = Duration::from_nanos((summary.published as f64 * 1e9 / rate as f64) as u64);
                if !pause(due.saturating_sub(start.elapsed()), &stop) {
                    break 'passes;
                }
            }
            if !publisher.publish(message, summary.published + 1, &connection, &stop)? {
                break 'passes;
            }
            summary.published += 1;
            summary.bytes += message.len() as u64;
        }
        passes += 1;
        passed_over.add(&input.passed_over());
        if stop.is_wanted() || !args.repeat.wants_another(passes) {
            break;
        }
        if summary.published == 0 {
            bail!("there is no message in what --loop is to go over again; nothing was published");
        }
        input = Input::open(args)?;
    }

    summary.passed_over = passed_over.total();
    if summary.passed_over > 0 {
        crate::cli::tell(format_args!("warning: packets that are no message: {}", passed_over.describe()));
    }
    if args.json {
        out.json(&summary)?;
    } else if io::stderr().is_terminal() {
        let seconds = start.elapsed().as_secs_f64();
        crate::cli::tell(format_args!(
            "published {} messages, {} bytes in {seconds:.2} s",
            summary.published, summary.bytes
        ));
    }
    Ok(())
}

/// Either kind of publication.
enum Publisher {
    Concurrent(Publication),
    Exclusive(Box<ExclusivePublication>),
}

impl Publisher {
    fn add(client: &Client, args: &Args) -> anyhow::Result<Self> {
        let (channel, stream_id) = (args.stream.channel.as_str(), args.stream.stream);
        if args.exclusive {
            Ok(Self::Exclusive(Box::new(client.add_exclusive_publication(channel, stream_id)?)))
        } else {
            Ok(Self::Concurrent(client.add_publication(channel, stream_id)?))
        }
    }

    /// The id that subscribers' counters refer to.
    fn log_id(&self) -> RegistrationId {
        match self {
            Self::Concurrent(publication) => publication.original_registration_id(),
            Self::Exclusive(publication) => publication.registration_id(),
        }
    }

    fn is_connected(&mut self) -> bool {
        match self {
            Self::Concurrent(publication) => publication.is_connected(),
            Self::Exclusive(publication) => publication.is_connected(),
        }
    }

    fn offer(&mut self, message: &[u8]) -> Result<Position, OfferError> {
        match self {
            Self::Concurrent(publication) => publication.offer(message),
            Self::Exclusive(publication) => publication.offer(message),
        }
    }

    /// Waits until there are as many subscribers as asked for; false if the user has lost patience.
    fn wait_for_subscribers(&mut self, connection: &Connection, args: &Args, stop: &Stop) -> anyhow::Result<bool> {
        let deadline = Instant::now() + args.wait;
        loop {
            let mut count = 0;
            connection.client().counters().for_each(|record| {
                count += usize::from(
                    record.type_id == type_id::SUBSCRIBER_POSITION && record.reference_id == self.log_id().get(),
                );
            });
            // Subscribers on other hosts are not seen from here, but that there is one is.
            count = count.max(usize::from(self.is_connected()));
            if count >= args.subscribers {
                return Ok(true);
            }
            if let Some(lost) = connection.lost() {
                bail!("{lost}; nothing was published until then");
            }
            if Instant::now() >= deadline {
                bail!(
                    "{count} of {} subscribers on {} stream {} after {:?}; start `gannet sub` there, or wait longer with --wait",
                    args.subscribers,
                    args.stream.channel,
                    args.stream.stream,
                    args.wait
                );
            }
            if !pause(Duration::from_millis(5), stop) {
                return Ok(false);
            }
        }
    }

    /// Publishes a message as soon as there is room; false if the user wants to stop first.
    fn publish(&mut self, message: &[u8], number: u64, connection: &Connection, stop: &Stop) -> anyhow::Result<bool> {
        let mut idle = IdleStrategy::Backoff(Backoff::default());
        loop {
            match self.offer(message) {
                Ok(_) => return Ok(true),
                Err(OfferError::AdminAction) => {}
                Err(OfferError::BackPressured | OfferError::NotConnected) => {
                    if stop.is_wanted() {
                        return Ok(false);
                    }
                    idle.idle_once();
                }
                Err(error) => {
                    let error = match error {
                        OfferError::Closed => connection.explain(error),
                        _ => error.into(),
                    };
                    return Err(error.context(format!("cannot publish message {number} ({} bytes)", message.len())));
                }
            }
        }
    }
}

/// Where messages come from.
enum Input {
    /// A file, read as messages are wanted.
    File { reader: BufReader<File>, splitter: Splitter },
    /// Standard input, which may never come to an end: read by a thread of its own, so that the command can be stopped.
    Stdin { messages: Receiver<io::Result<Vec<u8>>>, message: Vec<u8> },
    /// Captures, one after the other.
    Captures { waiting: std::vec::IntoIter<PathBuf>, current: Capture, passed_over: PassedOver },
}

impl Input {
    fn open(args: &Args) -> anyhow::Result<Self> {
        let splitter = Splitter::new(args.format);
        for path in &args.capture {
            // All of them, before the first is published.
            Capture::open(path)?;
        }
        let mut waiting = args.capture.clone().into_iter();
        if let Some(path) = waiting.next() {
            let current = Capture::open(&path)?;
            return Ok(Self::Captures { waiting, current, passed_over: PassedOver::default() });
        }
        if let Some(path) = &args.file {
            return Self::file(path, splitter);
        }
        let (sender, messages) = sync_channel(64);
        std::thread::spawn(move || forward(io::stdin().lock(), splitter, &sender));
        Ok(Self::Stdin { messages, message: Vec::new() })
    }

    fn file(path: &Path, splitter: Splitter) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        if file.metadata().is_ok_and(|found| found.is_dir()) {
            bail!("cannot read {}: it is a directory; name a file", path.display());
        }
        Ok(Self::File { reader: BufReader::with_capacity(64 * 1024, file), splitter })
    }

    /// The next message; nothing at the end, or when the user wants to stop.
    fn next(&mut self, stop: &Stop) -> anyhow::Result<Option<&[u8]>> {
        match self {
            Self::File { reader, splitter } => Ok(splitter.next(reader)?),
            Self::Captures { waiting, current, passed_over } => {
                while !current.advance()? {
                    passed_over.add(&current.passed_over());
                    match waiting.next() {
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

    /// Packets that were no message, in the captures that were read to their end.
    fn passed_over(&self) -> PassedOver {
        match self {
            Self::Captures { passed_over, .. } => *passed_over,
            Self::File { .. } | Self::Stdin { .. } => PassedOver::default(),
        }
    }
}

/// Hands on the messages of `reader` until there are no more, or nobody wants them.
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

/// Divides bytes into messages.
struct Splitter {
    format: Format,
    message: Vec<u8>,
    is_done: bool,
}

/// Longer than any message may be. A length beyond it is not believed.
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
        // Grows with what is there, not with what was announced.
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
