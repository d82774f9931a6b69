//! The scenario `replay`: how many messages per second a replay at full speed delivers to its subscriber, compared with
//! publishers of the same messages over the same path, shared memory. There are two publishers. The floor sends a few
//! messages from the first-level cache again and again; the other reads its messages from as much memory as the
//! recording takes, as a replay has to. Rounds alternate. Each replays the whole recording, which is in memory already:
//! once without verifying checksums, since the publishers have none, and once with it, as a replay does by default.

use std::path::{Path, PathBuf};

use gannet::journal::{Journal, JournalOptions, Recording, ReplayOptions, ReplayState, Replayer};
use gannet::logbuffer::Fragment;
use gannet::{Client, Context, ImageHandlers, Subscription};
use gannet_driver::MediaDriver;
use gannet_driver::config::{DriverConfig, Profile, ThreadingMode};

use crate::rig::RigError;
use crate::rig::cores::{Cores, pin, relax};
use crate::rig::measurement::{Details, Measurement};
use crate::rig::schedule::now_ns;
use crate::rig::throughput::{NUMBER_LENGTH, ThroughputOutcome, ThroughputPlan, ThroughputRounds};
use crate::systems::gannet::{GANNET, Gannet, failed};
use crate::systems::{FLOOR, System};

/// The scenario's name in results.
pub const NAME: &str = "replay";

/// The name in results of the publisher that reads its messages from memory.
const MEMORY: &str = "from-memory";
/// The name in results of the replay that verifies checksums.
const VERIFYING: &str = "verifying";
const STREAM: i32 = 1;
/// Bytes of a segment, unless a term is longer: a journal's default.
const SEGMENT_LENGTH: i64 = 64 << 20;
/// The limit of a poll, in messages.
const BATCH: usize = 64;
/// The consumer hosts the driver, and gives it a turn after this many bytes.
const BYTES_PER_DRIVER_TURN: usize = 32 * 1024;
/// How long to wait for messages before the round fails, in nanoseconds.
const PATIENCE_NS: i64 = 30_000_000_000;

/// The options of the scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where recordings are made. They are in a directory of their own, which is removed again.
    pub dir: PathBuf,
    /// Bytes per message. There is one measurement for each.
    pub sizes: Vec<usize>,
    /// Bytes of a recording, frame headers included.
    pub recorded_bytes: usize,
    /// Length of a round of the floor, in milliseconds.
    pub floor_round_ms: u64,
    /// Bytes of a term, for both paths.
    pub term_length: usize,
    /// Rounds of each kind.
    pub rounds: u32,
    /// The cores of the two ends.
    pub cores: Cores,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: std::env::temp_dir(),
            sizes: vec![32, 1024],
            recorded_bytes: 256 << 20,
            floor_round_ms: 200,
            term_length: 256 * 1024,
            rounds: 8,
            cores: Cores::choose(),
        }
    }
}

/// A directory that is removed when the run ends in any way.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that cannot be removed is left to the user.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the scenario. For each size it returns the results of the floor, of the publisher from memory, and of the
/// replays.
///
/// # Errors
///
/// [`RigError`] when a recording cannot be made or replayed.
pub fn run(
    options: &Options,
    mut progress: impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    let scratch = Scratch(options.dir.join(format!("gannet-bench-replay-{}", std::process::id())));
    let mut live = Gannet::open(options.term_length)?;
    let mut results = Vec::new();
    for &size in &options.sizes {
        progress(&format!("replay: {size} bytes, recording"))?;
        let dir = scratch.0.join(size.to_string());
        let messages = record(&dir, size, options)?;
        let mut replays = Replays::open(&dir, messages, options.cores)?;
        let source = source(size, messages);
        let mut rounds = [(); 4].map(|()| ThroughputRounds::default());
        // The first round is a warm-up and does not count.
        for round in 0..=options.rounds {
            progress(&format!("replay: {size} bytes, round {round} of {}", options.rounds))?;
            let plan = ThroughputPlan { size, duration_ms: options.floor_round_ms, streams: 1, cores: options.cores };
            let outcomes = [
                live.throughput(&plan)?,
                live.throughput_from(&plan, &source)?,
                replays.round(false)?,
                replays.round(true)?,
            ];
            if round > 0 {
                rounds.iter_mut().zip(outcomes).for_each(|(rounds, outcome)| rounds.add(outcome));
            }
        }
        let measurement = |system: &str, rounds: &ThroughputRounds| {
            let (received, lost) = (rounds.received(), rounds.lost());
            Measurement::throughput(NAME, system, size, received, lost, rounds.median_rate_per_s())
        };
        let floor = measurement(FLOOR, &rounds[0]);
        let mut memory = measurement(MEMORY, &rounds[1]);
        memory.compare_with(&floor);
        let replays = [(GANNET, &rounds[2]), (VERIFYING, &rounds[3])].map(|(system, rounds)| {
            let mut replay = measurement(system, rounds);
            replay.compare_with(&memory);
            replay.details = Some(Details::Replay { ratio_to_memory: replay.ratio_to_floor });
            replay.compare_with(&floor);
            replay
        });
        results.extend([floor, memory]);
        results.extend(replays);
    }
    Ok(results)
}

/// Makes a recording of numbered messages, and returns how many.
fn record(dir: &Path, size: usize, options: &Options) -> Result<u64, RigError> {
    let journal_options = JournalOptions::new()
        .term_length(options.term_length as i64)
        .segment_length((options.term_length as i64).max(SEGMENT_LENGTH))
        .mtu(1408);
    let journal = Journal::create(dir, &journal_options).map_err(failed("make a journal"))?;
    let mut appender = journal.appender().map_err(failed("make an appender"))?;
    let mut message = vec![0xa5_u8; size.max(NUMBER_LENGTH)];
    let messages = (options.recorded_bytes / (message.len() + 32).next_multiple_of(32)) as u64;
    for number in 0..messages {
        message[..NUMBER_LENGTH].copy_from_slice(&number.to_le_bytes());
        appender.append(&message).map_err(failed("append"))?;
    }
    drop(appender);
    journal.close().map_err(failed("close the journal"))?;
    Ok(messages)
}

/// The numbered messages that are recorded.
fn source(size: usize, messages: u64) -> Vec<u8> {
    let size = size.max(NUMBER_LENGTH);
    let mut source = vec![0xa5_u8; size * messages as usize];
    for (message, number) in source.chunks_exact_mut(size).zip(0_u64..) {
        message[..NUMBER_LENGTH].copy_from_slice(&number.to_le_bytes());
    }
    source
}

/// A driver, a subscriber, and the end that replays.
struct Replays {
    driver: MediaDriver,
    near: Client,
    far: Client,
    subscription: Subscription,
    recording: Recording,
    messages: u64,
    cores: Cores,
}

impl Replays {
    fn open(dir: &Path, messages: u64, cores: Cores) -> Result<Self, RigError> {
        let mut config = DriverConfig::for_profile(Profile::LowLatency);
        config.threads.mode = ThreadingMode::Invoker;
        let mut driver = MediaDriver::launch_embedded(config).map_err(failed("start the embedded driver"))?;
        let connect = |dir: &Path| {
            Client::connect(Context::new().dir(dir).client_name("rig").use_conductor_invoker())
                .map_err(failed("connect"))
        };
        let (near, far) = (connect(driver.dir())?, connect(driver.dir())?);
        // Requested without waiting, since only this thread runs the driver.
        let mut pending = far
            .async_add_subscription("aeron:ipc", STREAM, ImageHandlers::new())
            .map_err(failed("ask for a subscription"))?;
        let deadline_ns = now_ns() + PATIENCE_NS;
        let subscription = loop {
            driver.invoke();
            far.invoke();
            if let Some(subscription) = pending.poll().map_err(failed("add a subscription"))? {
                break subscription;
            }
            if now_ns() > deadline_ns {
                return Err(RigError::system(GANNET, "adding a subscription", "the driver did not answer"));
            }
        };
        let recording = Recording::open(dir).map_err(failed("open the recording"))?;
        Ok(Self { driver, near, far, subscription, recording, messages, cores })
    }

    /// Replays the whole recording from one thread to another.
    fn round(&mut self, verify: bool) -> Result<ThroughputOutcome, RigError> {
        let Self { driver, near, far, subscription, recording, messages, cores } = self;
        let channel = "aeron:ipc?sparse=false";
        let options = ReplayOptions::new().verify(verify);
        let mut replayer =
            Replayer::new(near, recording.clone(), channel, STREAM, options).map_err(failed("begin a replay"))?;
        let deadline_ns = now_ns() + PATIENCE_NS;
        while replayer.state() != ReplayState::Replaying || !subscription.is_connected() {
            driver.invoke();
            near.invoke();
            far.invoke();
            if replayer.state() != ReplayState::Replaying {
                replayer.do_work().map_err(failed("begin a replay"))?;
            }
            if now_ns() > deadline_ns {
                return Err(RigError::system(GANNET, "beginning a replay", "nobody came to subscribe"));
            }
        }
        let start_ns = now_ns();
        let outcome = std::thread::scope(|scope| {
            let replay = scope.spawn(|| {
                pin(cores.near);
                while replayer.state() != ReplayState::Done {
                    if replayer.do_work().map_err(failed("replay"))? == 0 {
                        near.invoke();
                        relax(cores.near);
                    }
                }
                Ok(())
            });
            let consumer = scope.spawn(|| {
                pin(cores.far);
                consume(driver, far, subscription, *messages, cores.far, start_ns)
            });
            let consumed = consumer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let replayed = replay.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            replayed.and(consumed)
        })?;
        // Dropped, so that the image of the next replay is the only one.
        drop(replayer);
        let deadline_ns = now_ns() + PATIENCE_NS;
        while subscription.image_count() > 0 && now_ns() < deadline_ns {
            driver.invoke();
            near.invoke();
            far.invoke();
            subscription.poll(|_| {}, 1);
        }
        Ok(outcome)
    }
}

fn consume(
    driver: &mut MediaDriver,
    client: &Client,
    subscription: &mut Subscription,
    messages: u64,
    core: Option<usize>,
    start_ns: i64,
) -> Result<ThroughputOutcome, RigError> {
    let (mut received, mut bytes, mut last_ns) = (0_u64, 0, start_ns);
    while received < messages {
        let mut wrong = None;
        let arrived = subscription.poll(
            |fragment: Fragment<'_>| {
                let payload = fragment.payload();
                let number =
                    payload.first_chunk::<NUMBER_LENGTH>().map_or(u64::MAX, |bytes| u64::from_le_bytes(*bytes));
                if number != received && wrong.is_none() {
                    wrong = Some((received, number));
                }
                received += 1;
                bytes += fragment.frame_length();
            },
            BATCH,
        );
        if let Some((expected, found)) = wrong {
            return Err(RigError::OutOfOrder { system: GANNET.to_owned(), expected, found });
        }
        if bytes >= BYTES_PER_DRIVER_TURN {
            bytes = 0;
            last_ns = now_ns();
            driver.invoke();
        } else if arrived == 0 {
            driver.invoke();
            client.invoke();
            if now_ns() - last_ns > PATIENCE_NS {
                let patience_ms = PATIENCE_NS.unsigned_abs() / 1_000_000;
                return Err(RigError::Stalled { system: GANNET.to_owned(), sent: messages, received, patience_ms });
            }
            relax(core);
        }
    }
    Ok(ThroughputOutcome { received, lost: 0, duration_ns: (now_ns() - start_ns).unsigned_abs() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_of_the_recording_arrives() {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            dir: dir.path().to_owned(),
            sizes: vec![64],
            recorded_bytes: 1 << 20,
            floor_round_ms: 5,
            term_length: 64 * 1024,
            rounds: 1,
            cores: Cores { near: None, far: None },
        };
        let results = run(&options, |_| Ok(())).expect("it runs");
        let systems: Vec<_> = results.iter().map(|result| (result.system.as_str(), result.lost)).collect();
        assert_eq!(systems, [("floor", 0), ("from-memory", 0), ("gannet", 0), ("verifying", 0)]);
        assert_eq!([1, 2, 3].map(|at: usize| results[at].samples), [(1 << 20) / 96; 3]);
        assert!(results[1..].iter().all(|result| result.ratio_to_floor.is_some()));
        let has_ratio = |at: usize| matches!(results[at].details, Some(Details::Replay { ratio_to_memory: Some(_) }));
        assert!(has_ratio(2) && has_ratio(3));
        assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 0, "nothing is left");
    }
}
