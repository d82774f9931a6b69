//! `gannet journal append`: appends lines of standard input to a journal.

use std::io::BufReader;
use std::path::PathBuf;

use anyhow::Context as _;
use gannet::journal::{Journal, JournalError, JournalOptions};
use serde::Serialize;

use crate::cli::{LONGEST_MESSAGE, Outcome, Output, Stop, StoppableInput, counted, power_of_two, read_line};

/// Append the lines of standard input to a journal, each as a message
///
/// Makes the journal if there is none. Other processes may append to it and read it at the same time. At the end of the
/// input, or when the command is stopped, everything is put on stable storage. A line that has not come whole by then
/// is not appended. A journal that this command has made takes lines of up to 128 KiB, or an eighth of a segment if that is
/// less.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The journal's directory
    #[arg(long, visible_alias = "journal", value_name = "DIR")]
    dir: PathBuf,
    /// The length of the segments of a new journal: a power of two from 64k to 1g
    #[arg(long, value_name = "BYTES", default_value = "16m", value_parser = power_of_two::<u32>)]
    segment_length: u32,
    /// Print one JSON object at the end: recording_id, messages, start_position, position
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    recording_id: i64,
    messages: u64,
    /// The end of the journal before this command.
    start_position: i64,
    /// The position up to which everything is on stable storage.
    position: i64,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    let stop = Stop::listen()?;
    let journal = match Journal::open(&args.dir) {
        Err(JournalError::NotAJournal { .. }) => {
            let term_length = args.segment_length.min(1 << 20);
            let options =
                JournalOptions::new().segment_length(args.segment_length.into()).term_length(term_length.into());
            Journal::open_or_create(&args.dir, &options)?
        }
        opened => opened?,
    };
    let start_position = journal.tail().get();
    let mut appender = journal.appender()?;
    let mut messages = 0;
    let mut input = BufReader::with_capacity(64 << 10, StoppableInput::stdin(&stop));
    let mut line = Vec::new();
    while !stop.is_wanted()
        && read_line(&mut input, LONGEST_MESSAGE, &mut line).context("cannot read standard input")?
    {
        let message = match line.strip_suffix(b"\n") {
            Some(message) => message,
            // Either the last line, which needs no end, or a line that was cut off by the request to stop.
            None if stop.is_wanted() => break,
            None => &line,
        };
        appender.append(message).with_context(|| format!("cannot append line {}", messages + 1))?;
        messages += 1;
    }
    drop(appender);
    let position = journal.sync()?.get();
    let recording_id = journal.descriptor().recording_id.get();
    journal.close()?;
    if args.json {
        return out.json(&Line { recording_id, messages, start_position, position });
    }
    out.line(format_args!(
        "appended {} to recording {recording_id}, up to position {position}",
        counted(messages, "message")
    ))
}
