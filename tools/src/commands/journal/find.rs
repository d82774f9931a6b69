//! `gannet journal find`: finds the positions of messages.

use gannet::journal::Start;

use super::Source;
use super::messages::{Choice, Printer, Printing};
use super::reading::{self, Damages};
use crate::cli::{Outcome, Output, Progress, Stop, Unsuccessful, count};
use crate::commands::checking::Checking;
use crate::commands::recorded::place;

/// Find messages by sequence number, position, time, text, template or field
///
/// Prints the first message that matches, or as many as --count says. Exit code 1 if there is none.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Where to begin: start, end, a position, seq:NUMBER, cycle:NUMBER, time:NANOS, or a time such as
    /// 2026-01-31T08:30:00Z
    #[arg(long, value_name = "PLACE", conflicts_with = "since", value_parser = place)]
    from: Option<Start>,
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
    let start = args.from.or(args.choice.since.map(Start::Time)).unwrap_or(Start::Begin);
    let mut printer = Printer::new(&args.choice, &args.printing)?;
    let recording = args.source.open()?;
    args.choice.check(&recording)?;
    let mut tailer = args.checking.by(recording.tailer(start)?);
    let stop = Stop::listen()?;
    let mut damages = Damages::default();
    let mut progress = Progress::new("searched");
    while printer.selected < args.count && !stop.is_wanted() {
        if !reading::forward(&mut tailer, &mut damages, |record| printer.print(record, out))? {
            break;
        }
        progress.passes(tailer.position());
    }
    drop(progress);
    if printer.selected == 0 && damages.count == 0 {
        return Err(Unsuccessful.into());
    }
    printer.finish(&damages)
}
