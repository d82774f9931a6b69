//! Two processes that append to one journal, compared with one. In each round every process appends the same number of
//! messages. They begin at the same moment, and the round lasts until the last is done.

use std::path::Path;

use gannet::journal::{Appender, Journal};

use crate::rig::RigError;
use crate::rig::child::OtherProcess;
use crate::rig::cores::pin;
use crate::rig::measurement::{Details, Measurement};
use crate::rig::schedule::now_ns;
use crate::systems::gannet::GANNET;

use super::{NAME, Options, Progress, Role, failed, journal_dir, journal_options, number, other_process, say, words};

/// The name of one process in results. Two are [`GANNET`].
const ONE: &str = "gannet-one-process";
/// Time from the command to the start in nanoseconds.
const LEAD_NS: i64 = 20_000_000;

pub(super) fn run(dir: &Path, options: &Options, progress: &mut Progress<'_>) -> Result<Vec<Measurement>, RigError> {
    let mut processes = [other_process(Role::Append, options)?, other_process(Role::Append, options)?];
    let cores = [options.cores.near, options.cores.far];
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..=options.rounds {
        for (index, count) in [1, 2].into_iter().enumerate() {
            progress(&format!("journal: {count} processes, round {round} of {}", options.rounds))?;
            let rate = round_of(dir, &mut processes[..count], &cores, options)?;
            if round > 0 {
                rates[index].push(rate);
            }
        }
    }
    let samples = options.appends as u64 * u64::from(options.rounds);
    let [one, two] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    let scenario = format!("{NAME}-processes");
    let mut alone = Measurement::throughput(&scenario, ONE, options.size, samples, 0, one);
    alone.details = Some(Details::Processes { processes: 1, ratio_to_one: None });
    let mut both = Measurement::throughput(&scenario, GANNET, options.size, 2 * samples, 0, two);
    both.details = Some(Details::Processes { processes: 2, ratio_to_one: Some((two / one * 1e4).round() / 1e4) });
    Ok(vec![alone, both])
}

/// Messages per second of all processes together, in a journal of their own.
fn round_of(
    dir: &Path,
    processes: &mut [OtherProcess],
    cores: &[Option<usize>; 2],
    options: &Options,
) -> Result<f64, RigError> {
    let path = journal_dir(dir);
    let journal = Journal::create(&path, &journal_options(options)).map_err(failed("make a journal"))?;
    for (process, core) in processes.iter_mut().zip(cores) {
        let core = core.map_or(-1, |core| core as i64);
        process.tell(&format!("open {core} {} {}", options.size, path.display()))?;
    }
    for process in processes.iter_mut() {
        process.answer("ready")?;
    }
    let start_ns = now_ns() + LEAD_NS;
    for process in processes.iter_mut() {
        process.tell(&format!("go {start_ns} {}", options.appends))?;
    }
    let mut end_ns = start_ns + 1;
    for process in processes.iter_mut() {
        let done = process.answer("done")?;
        end_ns = end_ns.max(done.parse().unwrap_or(i64::MAX));
    }
    for process in processes.iter_mut() {
        process.answer("closed")?;
    }
    journal.close().map_err(failed("close the journal"))?;
    std::fs::remove_dir_all(&path).map_err(failed("remove the journal"))?;
    Ok((options.appends * processes.len()) as f64 / ((end_ns - start_ns) as f64 / 1e9))
}

/// The other process. Its commands are `open CORE SIZE DIR`, then any number of `go START COUNT`.
pub(super) fn child(lines: &mut dyn Iterator<Item = String>) -> Result<(), RigError> {
    while let Some(open) = words(lines) {
        let core = number(&open, 1).and_then(|core: i64| usize::try_from(core).ok());
        let message = vec![0x5a_u8; number(&open, 2).unwrap_or(0)];
        let dir = open.get(3..).unwrap_or_default().join(" ");
        let journal = Journal::open(dir).map_err(failed("open the journal"))?;
        let mut appender = journal.appender().map_err(failed("make an appender"))?;
        say("ready now")?;
        let Some(go) = words(lines) else { break };
        let (start_ns, count): (i64, u64) = (number(&go, 1).unwrap_or(0), number(&go, 2).unwrap_or(0));
        // On a thread of its own, since the journal's threads inherit the cores of the thread that starts them, which
        // may be either core.
        let end_ns = on_core(core, || append(&mut appender, &message, start_ns, count))?;
        say(&format!("done {end_ns}"))?;
        drop(appender);
        drop(journal);
        say("closed now")?;
    }
    Ok(())
}

/// Runs `work` on a thread on that core.
fn on_core<T: Send>(core: Option<usize>, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            pin(core);
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Appends `count` messages from `start_ns` on. Returns when that was done.
fn append(appender: &mut Appender, message: &[u8], start_ns: i64, count: u64) -> Result<i64, RigError> {
    while now_ns() < start_ns {
        std::hint::spin_loop();
    }
    for _ in 0..count {
        appender.append(message).map_err(failed("append"))?;
    }
    Ok(now_ns())
}
