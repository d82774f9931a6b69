//! `gannet bench journal`: the cost of each part of a journal.

use std::path::PathBuf;
use std::process::Command;

use gannet::journal::Stamps;
use gannet_benches::rig::cores::Cores;
use gannet_benches::rig::environment::Environment;
use gannet_benches::rig::measurement::{Details, Kind, Measurement};
use gannet_benches::scenarios::journal::{self, Part, Role};

use super::{Reporting, latencies, on_round};
use crate::cli::{Outcome, Output, Stop, bytes_in, count_in};

/// The cost of each part of a journal, compared with a floor
///
/// append: one append, by an appender that may have others beside it, by an exclusive one, and by one that is handed
/// the time; compared with a bare copy into a mapped file, and with nothing at all. The median is that of batches; the
/// other percentiles are those of appends that are timed one by one.
///
/// processes: two processes that append, compared with one, also in batches. read: reading all of it, compared with a copy
/// in memory.
/// tail: how soon another process sees an append, compared with a message over IPC. seek and open: in a large journal,
/// compared with one a sixteenth as large.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    reporting: Reporting,
    /// Where to make the files; they are removed again [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Bytes per message
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = bytes_in::<u32>(1..=65_472))]
    size: u32,
    /// Rounds of each kind
    #[arg(long, value_name = "COUNT", default_value_t = journal::Options::default().rounds, value_parser = count_in::<u32>(1..=u64::MAX))]
    rounds: u32,
    /// Measure this only; may be given more than once [default: all of it]
    #[arg(long = "part", value_enum, value_name = "PART")]
    parts: Vec<PartArg>,
    /// Bytes of the large journal that is searched and opened; a hundredth of it is stored
    #[arg(long, value_name = "BYTES", default_value_t = journal::Options::default().large, value_parser = bytes_in::<u64>(200_000_000..=1_000_000_000_000))]
    large: u64,
    /// The role of this process, for another process that measures
    #[arg(long, value_enum, hide = true)]
    child: Option<RoleArg>,
    /// What messages are stamped with
    #[arg(long, value_enum, default_value_t = StampArg::Coarse)]
    stamps: StampArg,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PartArg {
    /// What an append costs
    Append,
    /// Two processes that append, beside one
    Processes,
    /// Reading all of it
    Read,
    /// How soon another process sees an append
    Tail,
    /// Finding a message
    Seek,
    /// Opening after a crash
    Open,
}

impl PartArg {
    fn part(self) -> Part {
        match self {
            Self::Append => Part::Append,
            Self::Processes => Part::Processes,
            Self::Read => Part::Read,
            Self::Tail => Part::Tail,
            Self::Seek => Part::Seek,
            Self::Open => Part::Open,
        }
    }
}

/// What a process does for another that measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RoleArg {
    Append,
    Tail,
    Subscribe,
}

impl RoleArg {
    fn role(self) -> Role {
        match self {
            Self::Append => Role::Append,
            Self::Tail => Role::Tail,
            Self::Subscribe => Role::Subscribe,
        }
    }
}

/// The command to run this program again as the other end.
fn command(role: Role) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    let role = match role {
        Role::Append => "append",
        Role::Tail => "tail",
        Role::Subscribe => "subscribe",
    };
    command.args(["bench", "journal", "--child", role]);
    Ok(command)
}

/// What messages are stamped with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum StampArg {
    /// Nothing
    None,
    /// The time of the kernel's last tick
    Coarse,
    /// The time
    Precise,
}

/// Runs the scenario.
pub(super) fn run(args: &Args, stop: &Stop, out: &mut Output) -> Outcome {
    if let Some(role) = args.child {
        return Ok(journal::child(role.role())?);
    }
    let defaults = journal::Options::default();
    let options = journal::Options {
        dir: args.dir.clone().unwrap_or_else(|| defaults.dir.clone()),
        size: args.size as usize,
        rounds: args.rounds,
        stamps: match args.stamps {
            StampArg::None => Stamps::None,
            StampArg::Coarse => Stamps::Coarse,
            StampArg::Precise => Stamps::Precise,
        },
        cores: Cores::choose(),
        parts: if args.parts.is_empty() {
            Part::ALL.to_vec()
        } else {
            args.parts.iter().map(|part| part.part()).collect()
        },
        large: args.large,
        command,
        ..defaults
    };
    let environment = Environment::read(options.cores);
    let notes = [format!(
        "{} appends a round in {}, segments of {} MiB, {}",
        options.appends,
        options.dir.display(),
        options.segment_length >> 20,
        match options.stamps {
            Stamps::None => "no stamps",
            Stamps::Coarse => "coarse stamps",
            Stamps::Precise => "precise stamps",
        }
    )];
    args.reporting.begin(&environment, &notes, out)?;
    let results = journal::run(&options, on_round(stop))?;
    args.reporting.end(&environment, &notes, &results, out, describe)
}

fn describe(result: &Measurement) -> String {
    let (scenario, system) = (&result.scenario, &result.system);
    let ratio =
        result.ratio_to_floor.map(|ratio| format!("   {ratio:.2} x what it is measured by")).unwrap_or_default();
    let figures = match (result.kind, result.msgs_per_s, result.bytes_per_s) {
        (Kind::Throughput, Some(messages), Some(bytes)) => {
            format!("{:>7.2} M messages/s  {:>7.2} GB/s", messages / 1e6, bytes / 1e9)
        }
        _ => latencies(result),
    };
    let details = match &result.details {
        Some(Details::Rolls { rolls, p50_exact_ns, p9999_to_p50, p5_exact_ns, p5_ratio_to_floor }) => {
            let exact = p50_exact_ns.map(|ns| format!("   p50 {ns:.2} ns")).unwrap_or_default();
            let tail = p9999_to_p50.map(|ratio| format!(", p99.99 {ratio:.0} x that")).unwrap_or_default();
            let undisturbed = p5_exact_ns.map(|ns| format!(", p5 {ns:.2} ns")).unwrap_or_default();
            let ratio = p5_ratio_to_floor.map(|ratio| format!(" ({ratio:.2} x)")).unwrap_or_default();
            format!("{exact}{tail}{undisturbed}{ratio}, {rolls} rolls")
        }
        Some(Details::Processes { ratio_to_one: Some(ratio), .. }) => format!("   {ratio:.2} x one process"),
        Some(Details::Journal { journal_bytes, by, ratio_to_sixteenth }) => {
            let ratio = ratio_to_sixteenth.map(|ratio| format!("   {ratio:.2} x a sixteenth")).unwrap_or_default();
            format!("   {by}, {:.1} GB{ratio}", *journal_bytes as f64 / 1e9)
        }
        _ => String::new(),
    };
    format!("{scenario:<18} {:>5} B  {system:<18} {figures}{ratio}{details}", result.size)
}
