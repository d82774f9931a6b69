//! `gannet journal cat` and `tail`: the messages of a recording, all of them or the last ones and those that come.

use std::time::Duration;

use anyhow::bail;
use gannet::agent::IdleStrategy;
use gannet::journal::{JournalError, Record, Start, Tailer};
use gannet::types::Position;

use super::messages::{Choice, Printer, Printing};
use super::{CycleName, Source, cycle};
use crate::cli::{Outcome, Output, Stop, count, position, sequence};

/// Print the messages of a recording
///
/// Each line begins with the message's position, its number, and its time. Damage is told on standard error and passed over, and the
/// command fails in the end.
#[derive(Debug, clap::Args)]
pub(super) struct CatArgs {
    #[command(flatten)]
    source: Source,
    /// Begin with the message at this position
    #[arg(long, value_name = "POSITION", conflicts_with_all = ["from_sequence", "since"], value_parser = position)]
    from_position: Option<i64>,
    /// Begin with the message of this number; the first is 0
    #[arg(long, value_name = "NUMBER", conflicts_with = "since", value_parser = sequence)]
    from_sequence: Option<i64>,
    /// Only the messages of one cycle, if the journal rolls by time of day: its number, a day or a time in it, or last
    #[arg(long, value_name = "CYCLE", value_parser = cycle, allow_negative_numbers = true,
        conflicts_with_all = ["from_position", "from_sequence", "since", "until"])]
    cycle: Option<CycleName>,
    /// From the last message to the first, or from where it was said to begin
    #[arg(long)]
    reverse: bool,
    /// Stop after so many messages
    #[arg(long, value_name = "MESSAGES", value_parser = count)]
    count: Option<u64>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    printing: Printing,
    /// Compare each frame with its checksum
    #[arg(long)]
    verify: bool,
}

/// Print the last messages of a recording, and those that are appended
#[derive(Debug, clap::Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    source: Source,
    /// Begin with so many messages that are there
    #[arg(long, short = 'n', value_name = "MESSAGES", default_value_t = 10, value_parser = count)]
    lines: u64,
    /// Begin with the first message of this cycle, if the journal rolls by time of day: its number, a day or a time in it, or last
    #[arg(long, value_name = "CYCLE", value_parser = cycle, allow_negative_numbers = true, conflicts_with = "lines")]
    cycle: Option<CycleName>,
    /// Go on with what is appended, until stopped
    #[arg(long, short = 'f')]
    follow: bool,
    /// Stop after so many messages
    #[arg(long, value_name = "MESSAGES", value_parser = count)]
    count: Option<u64>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    printing: Printing,
}

/// Runs `cat`.
pub(super) fn cat(args: &CatArgs, out: &mut Output) -> Outcome {
    let recording = args.source.open()?;
    let mut choice = args.choice.clone();
    // Between what positions, where that is said.
    let mut range = None;
    if let Some(cycle) = args.cycle {
        let (number, roll) = cycle.find(&recording)?;
        let next = number.saturating_add(1);
        (choice.since, choice.until) = (Some(roll.start_of(number)), Some(roll.start_of(next)));
        let at = |number| recording.tailer(Start::Cycle(number)).map(|tailer| tailer.position());
        range = Some(at(number)?..at(next)?);
    }
    let mut printer = Printer::new(&choice, &args.printing)?;
    let start = match (args.from_position, args.from_sequence, choice.since) {
        (Some(position), ..) => Start::Position(Position::new(position)),
        (_, Some(sequence), _) => Start::Sequence(sequence),
        (_, _, Some(time)) if !args.reverse => Start::Time(time),
        _ if args.reverse => range.as_ref().map_or(Start::End, |range| Start::Position(range.end)),
        _ => Start::Begin,
    };
    let mut tailer = recording.tailer(start)?;
    if args.verify {
        tailer = tailer.verifying();
    }
    let stop = Stop::listen()?;
    let is_done = |printed: u64| args.count.is_some_and(|count| printed >= count) || stop.is_wanted();
    let mut damaged = 0_u64;
    if args.reverse {
        while !is_done(printer.printed) && range.as_ref().is_none_or(|range| tailer.position() > range.start) {
            let Some(record) = tailer.previous()? else { break };
            printer.print(&record, out)?;
        }
    } else {
        let is_within = |tailer: &Tailer| range.as_ref().is_none_or(|range| tailer.position() < range.end);
        while !is_done(printer.printed) && is_within(&tailer) && forward(&mut tailer, &mut printer, &mut damaged, out)?
        {
        }
    }
    finish(&printer, damaged)
}

/// Runs `tail`.
pub(super) fn tail(args: &TailArgs, out: &mut Output) -> Outcome {
    let mut printer = Printer::new(&args.choice, &args.printing)?;
    // Before anything is printed: whoever sees that may rely on it.
    let stop = Stop::listen()?;
    let recording = args.source.open()?;
    let cycle = args.cycle.map(|cycle| cycle.find(&recording)).transpose()?;
    let start = cycle.map_or(Start::End, |(number, _)| Start::Cycle(number));
    let mut tailer = recording.tailer(start)?;
    let mut back = 0;
    while cycle.is_none() && back < args.lines && tailer.previous()?.is_some() {
        back += 1;
    }
    let is_done = |printed: u64| args.count.is_some_and(|count| printed >= count) || stop.is_wanted();
    let mut idle = IdleStrategy::default();
    let mut damaged = 0;
    while !is_done(printer.printed) {
        if forward(&mut tailer, &mut printer, &mut damaged, out)? {
            continue;
        }
        if !args.follow {
            break;
        }
        out.flush()?;
        while !stop.is_wanted() && !tailer.wait(&mut idle, Duration::from_millis(50))? {}
    }
    finish(&printer, damaged)
}

/// Prints the next message. False if there is none; damage is passed over.
pub(super) fn forward(
    tailer: &mut Tailer,
    printer: &mut Printer,
    damaged: &mut u64,
    out: &mut Output,
) -> anyhow::Result<bool> {
    forward_to(tailer, damaged, |record| printer.print(record, out))
}

/// Hands the next message to `show`. False if there is none; damage is passed over, and so is what is pruned meanwhile.
pub(super) fn forward_to(
    tailer: &mut Tailer,
    damaged: &mut u64,
    show: impl FnOnce(&Record<'_>) -> Outcome,
) -> anyhow::Result<bool> {
    match tailer.next() {
        Ok(Some(record)) => {
            show(&record)?;
            Ok(true)
        }
        Err(error @ JournalError::Pruned { .. }) => {
            eprintln!("{error}");
            tailer.seek(Start::Begin)?;
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(JournalError::Damaged(damage)) => {
            *damaged += 1;
            eprintln!("{damage}");
            Ok(tailer.skip_damage()?.is_some())
        }
        Err(error) => Err(error.into()),
    }
}

/// Fails if something could not be read.
pub(super) fn finish(printer: &Printer, damaged: u64) -> Outcome {
    match (damaged, printer.failed()) {
        (0, 0) => Ok(()),
        (0, failed) => bail!("{failed} messages could not be decoded"),
        (damaged, _) => bail!("the recording is damaged in {damaged} places, which were passed over"),
    }
}
