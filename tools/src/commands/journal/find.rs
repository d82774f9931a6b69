//! `gannet journal find`: finds the positions of messages.

use gannet::journal::Start;
use gannet::types::Position;

use super::Source;
use super::messages::{Choice, Printer, Printing};
use super::reading::{self, Damages};
use crate::cli::{Outcome, Output, Progress, Stop, Unsuccessful, count, position, sequence};
use crate::commands::checking::Checking;

/// Find messages by sequence number, position, time, text, template or field
///
/// Prints the first message that matches, or as many as --count says. Exit code 1 if there is none.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// The message that has this sequence number; the first is 0
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["position", "since"], value_parser = sequence)]
    sequence: Option<i64>,
    /// The message that begins at this position; if padding begins there, the first message after it
    #[arg(long, value_name = "POSITION", conflicts_with = "since", value_parser = position)]
    position: Option<i64>,
    /// How many messages to find
    #[arg(long, value_name = "MESSAGES", default_value_t = 1, value_parser = count)]
    count: u64,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    printing: Printing,
    #[command(flatten)]
    checking: Checking,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    let start = match (args.sequence, args.position, args.choice.since) {
        (Some(sequence), ..) => Start::Sequence(sequence),
        (_, Some(position), _) => Start::Position(Position::new(position)),
        (_, _, Some(time)) => Start::Time(time),
        _ => Start::Begin,
    };
    let mut printer = Printer::new(&args.choice, &args.printing)?;
    let recording = args.source.open()?;
    args.choice.check(&recording)?;
    let mut tailer = args.checking.by(recording.tailer(start)?);
    let stop = Stop::listen()?;
    let mut damages = Damages::default();
    let mut progress = Progress::new("searched");
    while printer.printed < args.count && !stop.is_wanted() {
        if !reading::forward(&mut tailer, &mut damages, |record| printer.print(record, out))? {
            break;
        }
        progress.passes(tailer.position());
    }
    drop(progress);
    if printer.printed == 0 && damages.count == 0 {
        return Err(Unsuccessful.into());
    }
    printer.finish(&damages)
}
