//! How soon another process sees an append, compared with how soon it sees a message published over IPC. Messages are
//! due by a schedule, and each carries the time it was due. The receiving process reads the clock, which all processes
//! share.

use std::path::Path;
use std::time::Duration;

use gannet::journal::{Appender, Journal, Recording, Start};
use gannet::{Client, Context, ExclusivePublication};
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile};

use crate::rig::RigError;
use crate::rig::child::OtherProcess;
use crate::rig::cores::pin;
use crate::rig::histogram::LatencyHistogram;
use crate::rig::measurement::Measurement;
use crate::rig::schedule::{Schedule, now_ns};
use crate::systems::gannet::GANNET;

use super::{NAME, Options, Progress, Role, failed, journal_dir, journal_options, number, other_process, say, words};

/// The name of the stream over IPC in results.
const IPC: &str = "gannet-ipc";
const STREAM: i32 = 1001;
const RATE_PER_S: u64 = 20_000;
/// Messages of a round, and messages before those that are measured.
const MESSAGES: u64 = 6_000;
const WARM_UP: u64 = 1_000;
/// Replaces the time in the last message of a round.
const LAST: i64 = -1;
/// How long each end waits for the other, in nanoseconds.
const PATIENCE_NS: i64 = 60_000_000_000;

pub(super) fn run(dir: &Path, options: &Options, progress: &mut Progress<'_>) -> Result<Vec<Measurement>, RigError> {
    pin(options.cores.near);
    let core = options.cores.far.map_or(-1, |core| core as i64);
    let size = options.size.max(8);
    let journal = Journal::create(journal_dir(dir), &journal_options(options)).map_err(failed("make a journal"))?;
    let mut appender = journal.appender().map_err(failed("make an appender"))?;
    let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal));
    let driver = driver.map_err(failed("start the embedded driver"))?;
    let client = Client::connect(Context::new().dir(driver.dir())).map_err(failed("connect"))?;
    let added = client.add_exclusive_publication("aeron:ipc?term-length=16m", STREAM);
    let mut publication = added.map_err(failed("publish"))?;
    let mut tailer = other_process(Role::Tail, options)?;
    let mut subscriber = other_process(Role::Subscribe, options)?;
    tailer.tell(&format!("open {core} {}", journal_dir(dir).display()))?;
    subscriber.tell(&format!("open {core} {}", driver.dir().display()))?;
    tailer.answer("ready")?;
    subscriber.answer("ready")?;
    let deadline_ns = now_ns() + PATIENCE_NS;
    while !publication.is_connected() {
        if now_ns() > deadline_ns {
            return Err(RigError::Stalled { system: IPC.to_owned(), sent: 0, received: 0, patience_ms: 60_000 });
        }
        std::thread::yield_now();
    }
    let mut latencies = [LatencyHistogram::default(), LatencyHistogram::default()];
    for round in 0..=options.rounds {
        for (index, system) in [IPC, GANNET].into_iter().enumerate() {
            progress(&format!("journal: seen by another process, {system}, round {round} of {}", options.rounds))?;
            let seen = match index {
                0 => send(&mut subscriber, size, |message| publish(&mut publication, message))?,
                _ => send(&mut tailer, size, |message| append(&mut appender, message))?,
            };
            if round > 0 {
                seen.into_iter().for_each(|latency_ns| latencies[index].record(latency_ns));
            }
        }
    }
    let expected = MESSAGES * u64::from(options.rounds);
    let scenario = format!("{NAME}-tail");
    let [ipc, journal] = latencies;
    let of = |system, latencies: LatencyHistogram| {
        let lost = expected.saturating_sub(latencies.samples());
        Measurement::one_way(&scenario, system, size, RATE_PER_S, latencies, lost)
    };
    let ipc = of(IPC, ipc);
    let mut ours = of(GANNET, journal);
    ours.compare_with(&ipc);
    Ok(vec![ipc, ours])
}

fn append(appender: &mut Appender, message: &[u8]) -> Result<(), RigError> {
    appender.append(message).map_err(failed("append"))?;
    Ok(())
}

fn publish(publication: &mut ExclusivePublication, message: &[u8]) -> Result<(), RigError> {
    let deadline_ns = now_ns() + PATIENCE_NS;
    while let Err(error) = publication.offer(message) {
        if now_ns() > deadline_ns {
            return Err(RigError::system(IPC, "offer", error));
        }
        std::hint::spin_loop();
    }
    Ok(())
}

/// Sends a round of messages by schedule, and returns the latency of each measured one.
fn send(
    other: &mut OtherProcess,
    size: usize,
    mut message_out: impl FnMut(&[u8]) -> Result<(), RigError>,
) -> Result<Vec<i64>, RigError> {
    other.tell("go")?;
    other.answer("looking")?;
    let mut message = vec![0x5a_u8; size];
    let schedule = Schedule::new(now_ns() + 1_000_000, RATE_PER_S);
    for index in 0..WARM_UP + MESSAGES {
        let due_ns = schedule.due_ns(index);
        while now_ns() < due_ns {
            std::hint::spin_loop();
        }
        message[..8].copy_from_slice(&due_ns.to_le_bytes());
        message_out(&message)?;
    }
    message[..8].copy_from_slice(&LAST.to_le_bytes());
    message_out(&message)?;
    let seen = other.answer("seen")?;
    let latencies = seen.split(' ').filter_map(|latency| latency.parse().ok());
    Ok(latencies.skip(WARM_UP as usize).collect())
}

/// The other process for the journal. Its commands are `open CORE DIR`, then any number of `go`.
pub(super) fn child_of_journal(lines: &mut dyn Iterator<Item = String>) -> Result<(), RigError> {
    let Some(dir) = open(lines) else { return Ok(()) };
    let recording = Recording::open(dir).map_err(failed("open the recording"))?;
    let mut tailer = recording.tailer(Start::End).map_err(failed("make a tailer"))?;
    say("ready now")?;
    rounds(lines, |see| {
        if let Some(record) = tailer.next().map_err(failed("read"))? {
            see(record.payload());
        }
        Ok(())
    })
}

/// The other process for the stream.
pub(super) fn child_of_stream(lines: &mut dyn Iterator<Item = String>) -> Result<(), RigError> {
    let Some(dir) = open(lines) else { return Ok(()) };
    let context = Context::new().dir(dir).driver_timeout(Duration::from_secs(60));
    let client = Client::connect(context).map_err(failed("connect"))?;
    let mut subscription = client.add_subscription("aeron:ipc", STREAM).map_err(failed("subscribe"))?;
    say("ready now")?;
    rounds(lines, |see| {
        subscription.poll(|fragment| see(fragment.payload()), 1);
        Ok(())
    })
}

fn open(lines: &mut dyn Iterator<Item = String>) -> Option<String> {
    let open = words(lines)?;
    let core: Option<i64> = number(&open, 1);
    pin(core.and_then(|core| usize::try_from(core).ok()));
    Some(open.get(2..)?.join(" "))
}

/// Receives messages until the last of a round, and reports the latency of each.
fn rounds(
    lines: &mut dyn Iterator<Item = String>,
    mut look: impl FnMut(&mut dyn FnMut(&[u8])) -> Result<(), RigError>,
) -> Result<(), RigError> {
    let mut seen: Vec<i64> = Vec::with_capacity((WARM_UP + MESSAGES) as usize);
    while lines.next().is_some() {
        seen.clear();
        say("looking now")?;
        let deadline_ns = now_ns() + PATIENCE_NS;
        let mut goes_on = true;
        let mut looks = 0_u64;
        while goes_on {
            look(&mut |payload| {
                let now_ns = now_ns();
                let due_ns = payload.first_chunk().map_or(LAST, |due| i64::from_le_bytes(*due));
                goes_on = due_ns != LAST;
                if goes_on {
                    seen.push(now_ns - due_ns);
                }
            })?;
            looks += 1;
            if looks.is_multiple_of(1 << 20) && now_ns() > deadline_ns {
                return Err(RigError::Stalled {
                    system: NAME.to_owned(),
                    sent: 0,
                    received: seen.len() as u64,
                    patience_ms: 60_000,
                });
            }
            std::hint::spin_loop();
        }
        let latencies: Vec<String> = seen.iter().map(i64::to_string).collect();
        say(&format!("seen {}", latencies.join(" ")))?;
    }
    Ok(())
}
