//! `gannet pub`: publishes lines, whole messages, or the datagrams of a capture. The file `input` reads them.

mod input;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use gannet::agent::{Backoff, IdleStrategy};
use gannet::counters::type_id;
use gannet::types::{Position, RegistrationId};
use gannet::{Client, ExclusivePublication, OfferError, Publication};
use serde::Serialize;

use self::input::{Format, Input};
use super::watch::pause;
use crate::capture::PassedOver;
use crate::cli::{
    Connection, DriverDir, DriverPatience, Outcome, Output, Repeat, Stop, Stream, Usage, count_in, counted, duration,
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
    /// Wait until there are this many subscribers; all those on other hosts count as one. With 0, only the first
    /// message waits for one
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = count_in::<usize>(0..=u64::MAX))]
    subscribers: usize,
    /// How long to wait for them
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10s")]
    wait: Duration,
    /// Print one JSON object at the end: published, bytes, passed_over
    #[arg(long)]
    json: bool,
}

/// How long a message waits for a subscriber before that is told.
const QUIET: Duration = Duration::from_secs(1);

/// The result, as JSON.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// The number of messages published.
    published: u64,
    /// The bytes in them.
    bytes: u64,
    /// Packets of the capture that were not messages.
    passed_over: u64,
}

impl Args {
    /// Opens the input at its beginning.
    fn input(&self, stop: &Stop) -> anyhow::Result<Input> {
        match (&self.file, self.capture.as_slice()) {
            (_, [first, others @ ..]) => Input::captures(first, others, stop),
            (Some(path), []) => Input::file(path, self.format, stop),
            (None, []) => Ok(Input::stdin(self.format, stop)),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    args.stream.check()?;
    if args.repeat != Repeat::Times(1) && args.file.is_none() && args.capture.is_empty() {
        bail!(Usage("--loop needs --file or --capture: standard input can be read only once".to_owned()));
    }
    let stop = Stop::listen()?;
    // Opened before the command waits for subscribers.
    let mut input = args.input(&stop)?;

    let add = Publisher::add(args);
    let opened = Connection::open(&args.dir.path(), &args.patience, "gannet pub", &stop, add);
    let Some((connection, mut publisher)) = opened.context("cannot publish")? else {
        return report(args, out, &Summary::default(), Duration::ZERO);
    };
    if !publisher.wait_for_subscribers(&connection, args, &stop)? {
        return report(args, out, &Summary::default(), Duration::ZERO);
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
        input = args.input(&stop)?;
    }

    summary.passed_over = passed_over.total();
    if summary.passed_over > 0 {
        crate::cli::tell(format_args!("warning: packets that are no message: {}", passed_over.describe()));
    }
    report(args, out, &summary, start.elapsed())
}

/// Tells what was published in a time.
fn report(args: &Args, out: &mut Output, summary: &Summary, time: Duration) -> Outcome {
    if args.json {
        return out.json(summary);
    }
    if io::stderr().is_terminal() {
        let Summary { published, bytes, .. } = summary;
        let seconds = time.as_secs_f64();
        let (messages, bytes) = (counted(*published, "message"), counted(*bytes, "byte"));
        crate::cli::tell(format_args!("published {messages}, {bytes} in {seconds:.2} s"));
    }
    Ok(())
}

/// A publication of either kind.
enum Publisher {
    Concurrent(Publication),
    Exclusive(Box<ExclusivePublication>),
}

impl Publisher {
    /// What adds the publication.
    fn add(args: &Args) -> impl FnOnce(&Client) -> anyhow::Result<Self> + use<> {
        let (channel, stream_id, exclusive) = (args.stream.channel.clone(), args.stream.stream, args.exclusive);
        move |client| {
            if exclusive {
                Ok(Self::Exclusive(Box::new(client.add_exclusive_publication(&channel, stream_id)?)))
            } else {
                Ok(Self::Concurrent(client.add_publication(&channel, stream_id)?))
            }
        }
    }

    /// The registration id that subscribers' counters refer to.
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

    /// Waits until there are as many subscribers as requested. Returns false if the user wants to stop first.
    fn wait_for_subscribers(&mut self, connection: &Connection, args: &Args, stop: &Stop) -> anyhow::Result<bool> {
        let deadline = Instant::now() + args.wait;
        loop {
            let mut count = 0;
            connection.client().counters().for_each(|record| {
                count += usize::from(
                    record.type_id == type_id::SUBSCRIBER_POSITION && record.reference_id == self.log_id().get(),
                );
            });
            // Subscribers on other hosts cannot be counted here, only that there is at least one.
            count = count.max(usize::from(self.is_connected()));
            if count >= args.subscribers {
                return Ok(true);
            }
            if let Some(lost) = connection.lost() {
                bail!("{lost}; nothing was published until then");
            }
            if Instant::now() >= deadline {
                bail!(
                    "{count} of {} on {} stream {} after {:?}; {}",
                    counted(args.subscribers, "subscriber"),
                    args.stream.channel,
                    args.stream.stream,
                    args.wait,
                    args.dir.advise_on_nobody()
                );
            }
            if !pause(Duration::from_millis(5), stop) {
                return Ok(false);
            }
        }
    }

    /// Publishes a message as soon as there is room. Returns false if the user wants to stop first.
    fn publish(&mut self, message: &[u8], number: u64, connection: &Connection, stop: &Stop) -> anyhow::Result<bool> {
        let mut idle = IdleStrategy::Backoff(Backoff::default());
        // When the message was first found to have no subscriber, until that is told.
        let mut alone = Some(None);
        loop {
            match self.offer(message) {
                Ok(_) => return Ok(true),
                Err(OfferError::AdminAction) => {}
                Err(error @ (OfferError::BackPressured | OfferError::NotConnected)) => {
                    if stop.is_wanted() {
                        return Ok(false);
                    }
                    if error == OfferError::NotConnected
                        && let Some(since) = &mut alone
                        && since.get_or_insert_with(Instant::now).elapsed() >= QUIET
                    {
                        alone = None;
                        crate::cli::tell(format_args!(
                            "message {number} waits: the stream has no subscriber; start `gannet sub` on the same channel and stream \
                             (`gannet why` tells since when it has none, and `gannet errors` what the driver could not do)"
                        ));
                    }
                    idle.idle_once();
                }
                Err(error) => {
                    let error = match error {
                        OfferError::Closed => connection.explain(error),
                        _ => error.into(),
                    };
                    return Err(
                        error.context(format!("cannot publish message {number} ({})", counted(message.len(), "byte")))
                    );
                }
            }
        }
    }
}
