//! `gannet journal cat`: the messages of a recording, forwards or backwards.

use gannet::journal::{Start, Tailer};

use super::Source;
use super::cycle::{CycleName, cycle};
use super::messages::{Choice, Printer, Printing};
use super::reading::{self, Damages};
use crate::cli::{Outcome, Output, Stop, count};
use crate::commands::checking::Checking;
use crate::commands::recorded::{end_of, place};

/// Print the messages of a recording
///
/// Each line begins with the position of the message, its sequence number, and its time. Damage is reported on standard
/// error and skipped; the exit code is then 1.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Where to begin: start, end, a position, seq:NUMBER, cycle:NUMBER, time:NANOS, or a time such as
    /// 2026-01-31T08:30:00Z
    #[arg(long, alias = "from-position", value_name = "PLACE", conflicts_with = "since", value_parser = place)]
    from: Option<Start>,
    /// Only the messages of one cycle, if the journal rolls by time of day: the cycle's number, a day or a time in it,
    /// or 'last'
    #[arg(long, value_name = "CYCLE", value_parser = cycle, allow_negative_numbers = true,
        conflicts_with_all = ["from", "since", "until"])]
    cycle: Option<CycleName>,
    /// Where to end, in the same form; a message that begins there is not printed, except with --reverse
    #[arg(long, alias = "to-position", value_name = "PLACE", conflicts_with = "cycle", value_parser = place)]
    to: Option<Start>,
    /// Go backwards, from the last message or from where another flag says to begin
    #[arg(long)]
    reverse: bool,
    /// Stop after this many messages
    #[arg(long, value_name = "MESSAGES", value_parser = count)]
    count: Option<u64>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    printing: Printing,
    #[command(flatten)]
    checking: Checking,
}

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut Output) -> Outcome {
    let recording = args.source.open()?;
    args.choice.check(&recording)?;
    let mut choice = args.choice.clone();
    // The range of positions, if one is given.
    let mut range = None;
    if let Some(cycle) = args.cycle {
        let (number, roll) = cycle.find(&recording)?;
        let next = number.saturating_add(1);
        (choice.since, choice.until) = (Some(roll.start_of(number)), Some(roll.start_of(next)));
        let at = |number| recording.tailer(Start::Cycle(number)).map(|tailer| tailer.position());
        range = Some(at(number)?..at(next)?);
    }
    let mut printer = Printer::new(&choice, &args.printing)?;
    let start = match (args.from, choice.since) {
        (Some(place), _) => place,
        (None, Some(time)) if !args.reverse => Start::Time(time),
        _ if args.reverse => range.as_ref().map_or(Start::End, |range| Start::Position(range.end)),
        _ => Start::Begin,
    };
    let mut tailer = args.checking.by(recording.tailer(start)?);
    let stop = Stop::listen()?;
    let to = args.to.map(|place| end_of(&recording, place)).transpose()?;
    let end = range.as_ref().map(|range| range.end).or(to);
    let begin = range.map(|range| range.start).or(to);
    let mut damages = Damages::default();
    while args.count.is_none_or(|count| printer.selected < count) && !stop.is_wanted() {
        let is_within = |tailer: &Tailer| match args.reverse {
            false => end.is_none_or(|end| tailer.position() < end),
            true => begin.is_none_or(|begin| tailer.position() > begin),
        };
        if !is_within(&tailer) {
            break;
        }
        let next = if args.reverse {
            reading::backward(&mut tailer, &mut damages, |record| {
                // With a position inside a message, the message begins before it.
                let is_behind = begin.is_some_and(|begin| record.position() < begin);
                if is_behind { Ok(()) } else { printer.print(record, out) }
            })
        } else {
            reading::forward(&mut tailer, &mut damages, |record| printer.print(record, out))
        };
        if !next? {
            break;
        }
    }
    printer.finish(&damages)
}
