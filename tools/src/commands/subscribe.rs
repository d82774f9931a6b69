//! `gannet sub`: prints the messages that arrive on a stream.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use gannet::agent::{Backoff, IdleStrategy};
use gannet::journal::{MergeError, MergeState, ReplayMerge, Start};
use gannet::logbuffer::FragmentAssembler;
use gannet::{Client, Fragment, ImageHandlers, ImageInfo, Subscription};
use serde::Serialize;

use super::checking::advise;
use super::recorded::{open, place};
use crate::cli::{
    Connection, DriverDir, DriverPatience, Outcome, Output, Stop, Stream, counted, hex, positive_count,
    positive_duration, recording_id, tell,
};
use crate::sbe::{Decoder, Form, Frames, SchemaFlags};

/// Print what arrives on a stream
///
/// With --schema, decodes SBE messages, and prints a line for each, or with --json an object: session_id, stream_id,
/// position, index (the message's number in its payload), schema, version, template, name, fields. What is not a
/// message of the schema is reported on standard error; the exit code is then 1. The position is the one behind the
/// message, which `gannet journal cat` calls next_position.
///
/// With --from-journal, first prints what was recorded of the stream, and then the stream itself, without gaps or
/// duplicates. Ends when the recorded publication has ended.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    dir: DriverDir,
    #[command(flatten)]
    patience: DriverPatience,
    #[command(flatten)]
    stream: Stream,
    /// How to print a message
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Print one JSON object per message: session_id, stream_id, position, length, hex, and text if it is text
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Decode messages by this schema: XML, or compiled if the name ends in .sbeir
    #[arg(long, value_name = "SCHEMA", conflicts_with = "format")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    frames: Frames,
    #[command(flatten)]
    schema_flags: SchemaFlags,
    /// Stop after this many messages
    #[arg(long, value_name = "MESSAGES", value_parser = positive_count)]
    count: Option<u64>,
    /// Stop when nothing arrives for this long; the exit code is 1 if --count or --until-end asked for more
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    timeout: Option<Duration>,
    /// Stop when every publication of the stream has ended
    #[arg(long)]
    until_end: bool,
    /// Begin with what was recorded of the stream in this directory
    #[arg(long, value_name = "DIR")]
    from_journal: Option<PathBuf>,
    /// The recording to begin with [default: the last one]
    #[arg(long, value_name = "ID", requires = "from_journal", value_parser = recording_id)]
    recording: Option<i64>,
    /// Where in the recording to begin: start, end, a position, seq:NUMBER, cycle:NUMBER, time:NANOS, or a time
    /// such as 2026-01-31T08:30:00Z
    #[arg(long, value_name = "PLACE", default_value = "start", value_parser = place, requires = "from_journal")]
    from: Start,
    /// Do not compare what was recorded with its checksums; this is faster
    #[arg(long, requires = "from_journal")]
    no_verify: bool,
}

/// How a message is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// As text, one message per line; bytes that are not UTF-8 are replaced, and on a terminal control characters
    /// other than tabs are shown as escapes
    Text,
    /// As hexadecimal digits, one message per line
    Hex,
    /// As raw bytes, after its length (32 bits, little-endian)
    Raw,
}

/// A message as JSON.
#[derive(Serialize)]
struct Line<'a> {
    session_id: i32,
    stream_id: i32,
    /// The position of the end of the message.
    position: i64,
    length: usize,
    hex: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

/// Messages to print before the output is flushed again.
const BATCH: usize = 64;

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    args.stream.check()?;
    let decoder = match &args.schema {
        Some(path) => {
            let form = if args.json { Form::Json } else { Form::Text };
            Some(Decoder::new(args.schema_flags.open(path)?.schema, args.frames, form))
        }
        None => None,
    };
    let mut printer = Printer { args, out, decoder, printed: 0, failure: None };
    follow(args, &mut printer)?;
    match printer.decoder {
        Some(Decoder { decoded, failed, .. }) if failed > 0 => {
            bail!("{failed} of {} could not be decoded", counted(decoded + failed, "message"))
        }
        _ => Ok(()),
    }
}

/// Prints messages until there are no more, or until the user has seen enough.
fn follow(args: &Args, printer: &mut Printer<'_>) -> Outcome {
    let stop = Stop::listen()?;
    let add = Feed::open(args)?;
    let opened = Connection::open(&args.dir.path(), &args.patience, "gannet sub", &stop, add);
    let Some((connection, mut feed)) = opened.context("cannot subscribe")? else { return Ok(()) };
    let client = connection.client();

    let mut assembler = FragmentAssembler::new();
    let mut idle = IdleStrategy::Backoff(Backoff::default());
    let mut last_message = Instant::now();
    let mut is_waiting = false;
    let mut dropped = 0;
    loop {
        let before = printer.printed;
        // Read before the poll: an image that was gone by then has been polled to its end.
        let has_ended = feed.has_ended();
        let room = args.count.map_or(BATCH, |count| BATCH.min(usize::try_from(count - before).unwrap_or(BATCH)));
        let fragments = feed
            .poll(client, assembler.assemble(|message| printer.print(message)), room)
            .map_err(|error| connection.explain(error))?;
        if let Some(failure) = printer.failure.take() {
            return Err(failure);
        }
        if assembler.dropped() > dropped {
            dropped = assembler.dropped();
            tell(format_args!(
                "warning: {} dropped until now: longer than 16 MiB, which no publisher sends, or too many \
                 that are incomplete",
                counted(dropped, "message")
            ));
        }
        if args.count == Some(printer.printed) || stop.is_wanted() {
            return Ok(());
        }
        if fragments > 0 {
            idle.reset();
            last_message = Instant::now();
            is_waiting = false;
            continue;
        }
        printer.out.flush()?;
        if !is_waiting && let Some(awaited) = feed.awaited() {
            is_waiting = true;
            tell(format_args!("{awaited}"));
        }
        if has_ended && (args.until_end || feed.ends_for_good()) {
            if feed.was_cut_off()
                && let Some(lost) = connection.loss_behind_an_end()
            {
                bail!("{lost}; {} until then", counted(printer.printed, "message"));
            }
            if let Some(count) = args.count {
                bail!("the stream ended after {} of {}", printer.printed, counted(count, "message"));
            }
            if let (false, Feed::Merged(merge)) = (args.until_end, &feed) {
                tell(format_args!("{}", end_of(merge)));
            }
            return Ok(());
        }
        if let Some(lost) = connection.lost() {
            bail!("{lost}; {} until then", counted(printer.printed, "message"));
        }
        if args.timeout.is_some_and(|timeout| last_message.elapsed() >= timeout) {
            if args.count.is_some() || args.until_end {
                bail!(
                    "nothing arrived for {:?}; {} until then",
                    args.timeout.unwrap_or_default(),
                    counted(printer.printed, "message")
                );
            }
            return Ok(());
        }
        idle.idle_once();
    }
}

/// The source of messages.
enum Feed {
    /// The live stream, and its publications so far.
    Live(Subscription, Arc<Mutex<Publications>>),
    /// A recording of the stream, then the live stream.
    Merged(Box<ReplayMerge>),
}

/// The publications that a stream has had so far.
#[derive(Default)]
struct Publications {
    any: bool,
    /// Images that are not closed yet.
    images: Vec<ImageInfo>,
    /// Whether an image was closed before it was read to its end.
    cut_off: bool,
}

impl Publications {
    fn add(&mut self, image: &ImageInfo) {
        self.forget_closed();
        self.any = true;
        self.images.push(image.clone());
    }

    /// Drops the images that are closed.
    fn forget_closed(&mut self) {
        self.cut_off |= self.images.iter().any(|image| image.is_closed() && !image.is_end_of_stream());
        self.images.retain(|image| !image.is_closed());
    }
}

impl Feed {
    /// Opens the recording, if there is one. What is returned adds the subscription, if that is all there is.
    fn open(args: &Args) -> anyhow::Result<impl FnOnce(&Client) -> anyhow::Result<Self> + Send + use<>> {
        let (channel, stream_id) = (args.stream.channel.clone(), args.stream.stream);
        let merge = match &args.from_journal {
            Some(dir) => {
                let recording = open(dir, args.recording)?;
                let recorded = recording.descriptor().stream_id.get();
                if recorded != stream_id {
                    tell(format_args!(
                        "warning: {} has a recording of stream {recorded}, and what follows it is looked for on stream {stream_id}",
                        dir.display()
                    ));
                }
                let merge = ReplayMerge::new(recording, args.from, &channel, stream_id)?;
                Some(Box::new(merge.verify(!args.no_verify)))
            }
            None => None,
        };
        Ok(move |client: &Client| match merge {
            Some(merge) => Ok(Self::Merged(merge)),
            None => Self::live(client, &channel, stream_id),
        })
    }

    fn live(client: &Client, channel: &str, stream_id: i32) -> anyhow::Result<Self> {
        let publications = Arc::<Mutex<Publications>>::default();
        let handlers = ImageHandlers::new().available({
            let publications = Arc::clone(&publications);
            move |image| lock(&publications).add(image)
        });
        Ok(Self::Live(client.add_subscription_with(channel, stream_id, handlers)?, publications))
    }

    fn poll(&mut self, client: &Client, handler: impl FnMut(Fragment<'_>), limit: usize) -> anyhow::Result<usize> {
        match self {
            Self::Live(subscription, _) => Ok(subscription.poll(handler, limit)),
            Self::Merged(merge) => merge.poll(client, handler, limit).map_err(|error| match error {
                MergeError::Journal(error) => advise(error, merge.recording()),
                error => error.into(),
            }),
        }
    }

    /// What is still awaited after a recording that has ended was replayed. It may never come: a publication that is
    /// started anew has another session, and only a recorder can continue the recording with that.
    fn awaited(&self) -> Option<String> {
        let Self::Merged(merge) = self else { return None };
        (merge.state() == MergeState::Joining && merge.is_at_end_of_recording()).then(|| {
            format!(
                "recording {} ends at {}; waiting for the publication that was recorded, session {}, to go on from there, or \
                 for `gannet record --extend` to continue the recording with another one (for a publication that is not \
                 recorded, run `gannet sub` without --from-journal)",
                merge.recording().descriptor().recording_id.get(),
                merge.position().get(),
                merge.session_id().get(),
            )
        })
    }

    /// Whether nothing can follow an end. A subscription gets the stream's next publication; a merge joins only the
    /// one that was recorded.
    fn ends_for_good(&self) -> bool {
        matches!(self, Self::Merged(_))
    }

    /// Whether every publication seen so far has ended.
    fn has_ended(&self) -> bool {
        match self {
            Self::Live(subscription, publications) => lock(publications).any && subscription.image_count() == 0,
            Self::Merged(merge) => merge.state() == MergeState::Ended,
        }
    }

    /// Whether a publication was closed before it was read to its end, as when the driver is gone. Called when all
    /// publications have ended.
    fn was_cut_off(&self) -> bool {
        match self {
            Self::Live(_, publications) => {
                let publications = lock(publications);
                publications.cut_off || publications.images.iter().any(|image| !image.is_end_of_stream())
            }
            // Its polls return an error when the driver is lost.
            Self::Merged(_) => false,
        }
    }
}

/// Why a merge that was to go on until stopped has ended.
fn end_of(merge: &ReplayMerge) -> String {
    format!(
        "the publication that was recorded, session {}, has ended, at {}; run `gannet sub` again for another one",
        merge.session_id().get(),
        merge.position().get()
    )
}

fn lock(publications: &Mutex<Publications>) -> MutexGuard<'_, Publications> {
    // Nothing panics while it is held.
    publications.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints messages, and keeps the first error, since a handler cannot stop a poll.
struct Printer<'a> {
    args: &'a Args,
    out: &'a mut Output,
    decoder: Option<Decoder>,
    printed: u64,
    failure: Option<anyhow::Error>,
}

impl Printer<'_> {
    fn print(&mut self, message: Fragment<'_>) {
        self.printed += 1;
        if self.failure.is_none() {
            self.failure = self.write(message).err();
        }
    }

    fn write(&mut self, message: Fragment<'_>) -> Outcome {
        let payload = message.payload();
        if let Some(decoder) = &mut self.decoder {
            return decode(decoder, self.args.json, self.out, message);
        }
        if self.args.json {
            return self.out.json(&Line {
                session_id: message.session_id().get(),
                stream_id: message.stream_id().get(),
                position: message.position().get(),
                length: payload.len(),
                hex: hex(payload),
                text: std::str::from_utf8(payload).ok(),
            });
        }
        match self.args.format {
            Format::Text => self.out.sent_line(&String::from_utf8_lossy(payload)),
            Format::Hex => self.out.line(hex(payload)),
            Format::Raw => {
                // No message is as long as 4 GiB.
                self.out.bytes(&(payload.len() as u32).to_le_bytes())?;
                self.out.bytes(payload)
            }
        }
    }
}

fn decode(decoder: &mut Decoder, json: bool, out: &mut Output, fragment: Fragment<'_>) -> Outcome {
    let (session, stream) = (fragment.session_id().get(), fragment.stream_id().get());
    let position = fragment.position().get();
    decoder.decode(fragment.payload(), |message| match message {
        Ok(message) if json => {
            let (index, members) = (message.index, message.json_members()?);
            out.line(format_args!(
                "{{\"session_id\":{session},\"stream_id\":{stream},\"position\":{position},\"index\":{index},{members}}}"
            ))
        }
        Ok(message) => out.line(message.text()),
        Err(failure) => {
            tell(format_args!("position {position}, {failure}"));
            Ok(())
        }
    })
}
