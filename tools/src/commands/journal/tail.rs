//! `gannet journal tail`: prints the last messages of a recording, and those appended later.

use std::time::Duration;

use gannet::agent::IdleStrategy;
use gannet::journal::{JournalError, Start};

use super::Source;
use super::cycle::{CycleName, cycle};
use super::messages::{Choice, Printer, Printing};
use super::reading::{self, Damages};
use crate::cli::{Outcome, Output, Stop, count};
use crate::commands::checking::Checking;
use crate::commands::recorded::place;

/// How long to wait for an append before the request to stop is checked again.
const WAIT: Duration = Duration::from_millis(50);

/// Print the last messages of a recording, and with -f those that are appended
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// How many of the last messages to begin with
    #[arg(long, short = 'n', value_name = "MESSAGES", default_value_t = 10, value_parser = count)]
    lines: u64,
    /// Where to begin: start, end, a position, seq:NUMBER, cycle:NUMBER, time:NANOS, or a time such as
    /// 2026-01-31T08:30:00Z
    #[arg(long, alias = "from-position", value_name = "PLACE", conflicts_with_all = ["lines", "cycle"],
        value_parser = place)]
    from: Option<Start>,
    /// Begin with the first message of this cycle, if the journal rolls by time of day: the cycle's number, a day or a
    /// time in it, or 'last'
    #[arg(long, value_name = "CYCLE", value_parser = cycle, allow_negative_numbers = true, conflicts_with = "lines")]
    cycle: Option<CycleName>,
    /// Go on with messages that are appended, until stopped
    #[arg(long, short = 'f')]
    follow: bool,
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
    let mut printer = Printer::new(&args.choice, &args.printing)?;
    // Called before anything is printed, so that a user who sees output can stop the command.
    let stop = Stop::listen()?;
    let recording = args.source.open()?;
    args.choice.check(&recording)?;
    let cycle = args.cycle.map(|cycle| cycle.find(&recording)).transpose()?;
    let start = args.from.or(cycle.map(|(number, _)| Start::Cycle(number)));
    let mut tailer = args.checking.by(recording.tailer(start.unwrap_or(Start::End))?);
    if start.is_none() {
        // Damage is reported on the way forwards.
        let mut back = 0;
        while back < args.lines && !stop.is_wanted() {
            match tailer.previous().map(|record| record.is_some()) {
                Ok(true) => back += 1,
                Err(JournalError::Damaged(_)) if tailer.skip_damage_back().is_some() => {}
                Ok(false) | Err(JournalError::Pruned { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    let is_done = |selected: u64| args.count.is_some_and(|count| selected >= count) || stop.is_wanted();
    let mut idle = IdleStrategy::default();
    let mut damages = Damages::default();
    while !is_done(printer.selected) {
        if reading::forward(&mut tailer, &mut damages, |record| printer.print(record, out))? {
            continue;
        }
        if !args.follow {
            break;
        }
        while !stop.is_wanted() {
            // Again and again, as the reader of the output may leave at any time.
            out.flush()?;
            match tailer.wait(&mut idle, WAIT) {
                Ok(false) => {}
                Ok(true) | Err(JournalError::Pruned { .. }) => break,
                // Reading continues after the damage once something is appended there.
                Err(JournalError::Damaged(_)) => {
                    std::thread::sleep(WAIT);
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    printer.finish(&damages)
}
