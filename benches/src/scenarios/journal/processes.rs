//! Two processes that append to one journal, compared with one: message by message, and in batches. In each round every
//! process appends the same number of messages. They begin at the same moment, and the round lasts until the last is
//! done.

use std::path::Path;

use gannet::journal::{Appender, Journal};

use crate::rig::RigError;
use crate::rig::child::OtherProcess;
use crate::rig::cores::pin;
use crate::rig::measurement::{Details, Measurement};
use crate::rig::schedule::now_ns;
use crate::systems::gannet::GANNET;

use super::{NAME, Options, Progress, Role, failed, journal_dir, journal_options, number, other_process, say, words};

/// What is compared: processes, messages per claim, and the name in results.
const SYSTEMS: [(usize, usize, &str); 4] = [
    (1, 1, "gannet-one-process"),
    (2, 1, GANNET),
    (1, BATCH, "gannet-one-process-batches"),
    (2, BATCH, "gannet-batches"),
];
/// Messages of a batch.
const BATCH: usize = 16;
/// Time from the command to the start in nanoseconds.
const LEAD_NS: i64 = 20_000_000;

pub(super) fn run(dir: &Path, options: &Options, progress: &mut Progress<'_>) -> Result<Vec<Measurement>, RigError> {
    let mut processes = [other_process(Role::Append, options)?, other_process(Role::Append, options)?];
    let cores = [options.cores.near, options.cores.far];
    let mut rates = SYSTEMS.map(|_| Vec::new());
    for round in 0..=options.rounds {
        for ((count, batch, name), rates) in SYSTEMS.into_iter().zip(&mut rates) {
            progress(&format!("journal: {name}, round {round} of {}", options.rounds))?;
            let rate = round_of(dir, &mut processes[..count], batch, &cores, options)?;
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let samples = options.appends as u64 * u64::from(options.rounds);
    let medians = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    let results = SYSTEMS.into_iter().zip(medians).map(|((count, batch, name), rate)| {
        let samples = samples * count as u64;
        let mut result = Measurement::throughput(&format!("{NAME}-processes"), name, options.size, samples, 0, rate);
        let one = SYSTEMS.iter().position(|&(count, its_batch, _)| count == 1 && its_batch == batch);
        let ratio_to_one = one.filter(|_| count > 1).map(|one| (rate / medians[one] * 1e4).round() / 1e4);
        result.details = Some(Details::Processes { processes: count as u32, batch: batch as u32, ratio_to_one });
        result
    });
    Ok(results.collect())
}

/// Messages per second of all processes together, in a journal of their own.
fn round_of(
    dir: &Path,
    processes: &mut [OtherProcess],
    batch: usize,
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
        process.tell(&format!("go {start_ns} {} {batch}", options.appends))?;
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

/// The other process. Its commands are `open CORE SIZE DIR`, then any number of `go START COUNT BATCH`.
pub(super) fn child(lines: &mut dyn Iterator<Item = String>) -> Result<(), RigError> {
    while let Some(open) = words(lines) {
        let core = number(&open, 1).and_then(|core: i64| usize::try_from(core).ok());
        let message = vec![0x5a_u8; number(&open, 2).unwrap_or(0)];
        let dir = open.get(3..).unwrap_or_default().join(" ");
        let journal = Journal::open(dir).map_err(failed("open the journal"))?;
        let mut appender = journal.appender().map_err(failed("make an appender"))?;
        say("ready now")?;
        let Some(go) = words(lines) else { break };
        let (start_ns, count): (i64, usize) = (number(&go, 1).unwrap_or(0), number(&go, 2).unwrap_or(0));
        let batch = number(&go, 3).unwrap_or(1);
        // On a thread of its own, since the journal's threads inherit the cores of the thread that starts them, which
        // may be either core.
        let end_ns = on_core(core, || append(&mut appender, &message, start_ns, count, batch))?;
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

/// Appends `count` messages from `start_ns` on, `batch` at a time. Returns when that was done.
fn append(appender: &mut Appender, message: &[u8], start_ns: i64, count: usize, batch: usize) -> Result<i64, RigError> {
    while now_ns() < start_ns {
        std::hint::spin_loop();
    }
    if batch <= 1 {
        for _ in 0..count {
            appender.append(message).map_err(failed("append"))?;
        }
    } else {
        let lengths = vec![message.len(); batch];
        for first in (0..count).step_by(batch) {
            let lengths = &lengths[..batch.min(count - first)];
            let mut claim = appender.claim_batch(lengths).map_err(failed("claim a batch"))?;
            claim.for_each(|_, payload| payload.copy_from_slice(message));
            claim.commit().map_err(failed("append a batch"))?;
        }
    }
    Ok(now_ns())
}
