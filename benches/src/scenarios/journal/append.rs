//! What an append costs the thread that makes it, compared with a copy of as many bytes into a mapped file, and with
//! doing nothing, which shows the machine's own noise. Rounds alternate, with pauses in which the helper thread
//! finishes its work. Each round spans several segments, so that it includes rolls.
//!
//! The median comes from batches of appends, each timed as a whole, since reading the clock takes as long as an append.
//! The other percentiles come from appends that were timed one by one, clock included.

use std::path::Path;

use gannet::agent::IdleStrategy;
use gannet::journal::{Appender, ExclusiveAppender, Journal};
use gannet::memory::{AtomicBuffer, MappedFile, Reserve};
use gannet::time::SystemClock;

use crate::raw_access::RAW;
use crate::rig::RigError;
use crate::rig::cores::pin;
use crate::rig::histogram::LatencyHistogram;
use crate::rig::measurement::{Details, Measurement};
use crate::rig::schedule::now_ns;
use crate::systems::FLOOR;
use crate::systems::gannet::GANNET;

use super::{NAME, Options, Progress, failed, journal_dir, journal_options};

/// Pause before each round in nanoseconds, in which the journal's helper thread finishes its work.
const SETTLE_NS: i64 = 100_000_000;
/// Each round begins with this many untimed batches, with pauses in nanoseconds between them.
const WARM_UP_BATCHES: u32 = 16;
const WARM_UP_PAUSE_NS: i64 = 1_000_000;
/// Appends that are timed together.
const BATCH: usize = 64;

/// Only readings of the clock: the effect of the machine on any thread.
const NOTHING: &str = "nothing";
/// An exclusive appender.
const EXCLUSIVE: &str = "gannet-exclusive";
/// An exclusive appender to which the application passes the time.
const TIMED: &str = "gannet-own-time";
const SYSTEMS: [&str; 5] = [NOTHING, FLOOR, GANNET, EXCLUSIVE, TIMED];

/// What is timed.
trait Target {
    /// The error is boxed, so that it is returned in a register and not through memory, which would add to the time.
    fn append(&mut self, message: &[u8]) -> Result<(), Box<RigError>>;
}

struct Nothing;

impl Target for Nothing {
    #[inline]
    fn append(&mut self, message: &[u8]) -> Result<(), Box<RigError>> {
        std::hint::black_box(message);
        Ok(())
    }
}

/// Copies into a mapped file from its start to its end, over and over.
struct Copy {
    view: AtomicBuffer,
    at: usize,
    stride: usize,
}

impl Target for Copy {
    #[inline]
    fn append(&mut self, message: &[u8]) -> Result<(), Box<RigError>> {
        if self.at + self.stride > self.view.len() {
            self.at = 0;
        }
        self.view.put_bytes(self.at, message);
        self.at += self.stride;
        Ok(())
    }
}

impl Target for Appender {
    #[inline]
    fn append(&mut self, message: &[u8]) -> Result<(), Box<RigError>> {
        Self::append(self, message).map_err(|error| Box::new(RigError::system(GANNET, "append", error)))?;
        Ok(())
    }
}

impl Target for ExclusiveAppender {
    #[inline]
    fn append(&mut self, message: &[u8]) -> Result<(), Box<RigError>> {
        Self::append(self, message).map_err(|error| Box::new(RigError::system(EXCLUSIVE, "append", error)))?;
        Ok(())
    }
}

/// Appends with a time that was read when the round began.
struct Timed(ExclusiveAppender, i64);

impl Target for Timed {
    #[inline]
    fn append(&mut self, message: &[u8]) -> Result<(), Box<RigError>> {
        self.0.append_with(message, self.1).map_err(|error| Box::new(RigError::system(TIMED, "append", error)))?;
        Ok(())
    }
}

/// Returns the results of doing nothing, of the floor, and of the journal.
pub(super) fn run(dir: &Path, options: &Options, progress: &mut Progress<'_>) -> Result<Vec<Measurement>, RigError> {
    // The journal's threads start with the journal and its first appender, and inherit the core of the thread that
    // starts them. That must not be the measured core.
    pin(options.cores.far);
    let journal = Journal::create(journal_dir(dir), &journal_options(options)).map_err(failed("make a journal"))?;
    drop(journal.appender().map_err(failed("make an appender"))?);
    pin(options.cores.near);
    let mut copy = floor(dir, options)?;
    let exclusive = || journal.exclusive_appender().map_err(failed("make an exclusive appender"));
    let mut timings = SYSTEMS.map(|_| Timings::default());
    let mut settle = IdleStrategy::Sleep { period_ns: SETTLE_NS };
    // The first round is a warm-up and does not count.
    for round in 0..=options.rounds {
        for (system, timings) in SYSTEMS.into_iter().zip(&mut timings) {
            progress(&format!("journal: {system}, round {round} of {}", options.rounds))?;
            settle.idle_once();
            let before = journal.tail().get() / options.segment_length;
            let mut timed = match system {
                NOTHING => Timings::of_round(&mut Nothing, options)?,
                FLOOR => Timings::of_round(&mut copy, options)?,
                GANNET => {
                    let mut appender = journal.appender().map_err(failed("make an appender"))?;
                    Timings::of_round(&mut appender, options)?
                }
                EXCLUSIVE => Timings::of_round(&mut exclusive()?, options)?,
                _ => Timings::of_round(&mut Timed(exclusive()?, SystemClock.epoch_nanos_coarse().get()), options)?,
            };
            timed.rolls = (journal.tail().get() / options.segment_length - before).unsigned_abs();
            if round > 0 {
                timings.merge(&timed);
            }
        }
    }
    let floor = timings[1].per_append();
    let results = SYSTEMS.into_iter().zip(timings);
    let mut results: Vec<_> =
        results.map(|(system, timings)| timings.measurement(system, options.size, floor)).collect();
    let floor = results[1].clone();
    results[2..].iter_mut().for_each(|ours| ours.floor_p50_ns = floor.p50_ns);
    Ok(results)
}

fn floor(dir: &Path, options: &Options) -> Result<Copy, RigError> {
    let length = u64::try_from(2 * options.segment_length).unwrap_or(0);
    let file = MappedFile::create(&dir.join("floor"), length, 0o600, Reserve::SpaceAndPages)
        .map_err(|error| RigError::system(FLOOR, "make a file", error))?;
    Ok(Copy { view: file.into_view(RAW), at: 0, stride: (options.size + 32).next_multiple_of(32) })
}

#[derive(Default)]
struct Timings {
    /// Times of batches.
    batches: LatencyHistogram,
    singles: LatencyHistogram,
    rolls: u64,
}

impl Timings {
    /// Measures a round: half of the appends in batches, the others one by one.
    fn of_round(target: &mut impl Target, options: &Options) -> Result<Self, RigError> {
        let mut timings = Self::default();
        let message = vec![0x5a_u8; options.size];
        // An appender maps its segment with its first message, and the thread that keeps its time wakes some
        // milliseconds later.
        let mut pause = IdleStrategy::Sleep { period_ns: WARM_UP_PAUSE_NS };
        for _ in 0..WARM_UP_BATCHES {
            for _ in 0..BATCH {
                target.append(&message).map_err(|error| *error)?;
            }
            pause.idle_once();
        }
        for _ in 0..options.appends / 2 / BATCH {
            let start = now_ns();
            for _ in 0..BATCH {
                target.append(&message).map_err(|error| *error)?;
            }
            timings.batches.record(now_ns() - start);
        }
        for _ in 0..options.appends / 2 {
            let start = now_ns();
            target.append(&message).map_err(|error| *error)?;
            timings.singles.record(now_ns() - start);
        }
        Ok(timings)
    }

    fn merge(&mut self, other: &Self) {
        self.batches.merge(&other.batches);
        self.singles.merge(&other.singles);
        self.rolls += other.rolls;
    }

    /// The time per append in nanoseconds, from batches: the median and the 5th percentile.
    fn per_append(&self) -> [Option<f64>; 2] {
        [0.5, 0.05].map(|quantile| self.batches.quantile_ns(quantile).map(|batch| batch as f64 / BATCH as f64))
    }

    /// The result. `floor` has the times per append of the floor.
    fn measurement(self, system: &str, size: usize, floor: [Option<f64>; 2]) -> Measurement {
        let [each, undisturbed] = self.per_append();
        let ratio = |ours: Option<f64>, other: Option<f64>| {
            ours.zip(other).filter(|(_, other)| *other > 0.0).map(|(ours, other)| (ours / other * 1e4).round() / 1e4)
        };
        let mut result = Measurement::append(NAME, system, size, self.singles);
        result.p50_ns = each.map(|ns| ns.round() as u64);
        let is_ours = !matches!(system, NOTHING | FLOOR);
        if is_ours {
            result.ratio_to_floor = ratio(each, floor[0]);
        }
        let p9999 = result.p9999_ns.map(|ns| ns as f64);
        let exact = |ns: Option<f64>| ns.map(|ns| (ns * 100.0).round() / 100.0);
        result.details = Some(Details::Rolls {
            rolls: self.rolls,
            p50_exact_ns: exact(each),
            p9999_to_p50: ratio(p9999, each),
            p5_exact_ns: exact(undisturbed),
            p5_ratio_to_floor: if is_ours { ratio(undisturbed, floor[1]) } else { None },
        });
        result
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Part, run};
    use super::*;

    #[test]
    fn all_systems_are_measured_over_several_segments() {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            dir: dir.path().to_owned(),
            appends: 200_000,
            rounds: 1,
            segment_length: 16 << 20,
            parts: vec![Part::Append],
            ..Options::default()
        };
        let results = run(&options, |_| Ok(())).expect("it runs");
        let systems: Vec<_> = results.iter().map(|result| (result.system.as_str(), result.samples)).collect();
        assert_eq!(systems, SYSTEMS.map(|system| (system, 100_000)));
        for (index, result) in results.iter().enumerate() {
            assert_eq!(result.ratio_to_floor.is_some(), index >= 2, "{}", result.system);
            let Some(Details::Rolls { rolls, p50_exact_ns, p9999_to_p50, p5_exact_ns, p5_ratio_to_floor }) =
                result.details
            else {
                panic!("{}", result.system)
            };
            assert_eq!((rolls > 0, p5_ratio_to_floor.is_some()), (index >= 2, index >= 2));
            assert!(p5_exact_ns <= p50_exact_ns && p5_exact_ns.is_some() && p9999_to_p50.is_some());
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 0, "nothing is left");
    }
}
