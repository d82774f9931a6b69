//! What an append costs the thread that makes it, beside the bare copy of as many bytes into a mapped file. Rounds alternate. Each is long enough to go through segments, so that rolls are in it.
//!
//! The median is that of appends in batches, each batch timed as a whole: reading the clock takes as long as an append. The other
//! fractions are those of appends that were timed one by one, with the clock.

use std::path::Path;

use gannet::journal::{Appender, Journal};
use gannet::memory::{AtomicBuffer, MappedFile, Region, Reserve};

use crate::rig::RigError;
use crate::rig::cores::pin;
use crate::rig::histogram::LatencyHistogram;
use crate::rig::measurement::{Details, Measurement};
use crate::rig::schedule::now_ns;
use crate::systems::FLOOR;
use crate::systems::gannet::GANNET;

use super::{NAME, Options, failed, journal_dir, journal_options};

/// Appends that are timed together.
const BATCH: usize = 64;

/// What is timed.
trait Target {
    fn append(&mut self, message: &[u8]) -> Result<(), RigError>;
}

/// A copy into a mapped file, from its start to its end and again.
struct Copy {
    view: AtomicBuffer,
    at: usize,
    stride: usize,
}

impl Target for Copy {
    #[inline]
    fn append(&mut self, message: &[u8]) -> Result<(), RigError> {
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
    fn append(&mut self, message: &[u8]) -> Result<(), RigError> {
        Self::append(self, message).map_err(|error| RigError::system(GANNET, "append", error))?;
        Ok(())
    }
}

/// The floor's result, then the journal's.
pub(super) fn run(dir: &Path, options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Vec<Measurement>, RigError> {
    pin(options.cores.near);
    let mut copy = floor(dir, options)?;
    let journal = Journal::create(journal_dir(dir), &journal_options(options)).map_err(failed("make a journal"))?;
    let mut appender = journal.appender().map_err(failed("make an appender"))?;
    let mut timings = [Timings::default(), Timings::default()];
    let mut rolls = 0;
    // The first round warms up, and does not count.
    for round in 0..=options.rounds {
        for (index, system) in [FLOOR, GANNET].into_iter().enumerate() {
            progress(&format!("journal: {system}, round {round} of {}", options.rounds));
            let mut timed = Timings::default();
            let before = journal.tail().get() / options.segment_length;
            match index {
                0 => timed.round(&mut copy, options)?,
                _ => timed.round(&mut appender, options)?,
            }
            if round > 0 {
                timings[index].merge(&timed);
                rolls += (journal.tail().get() / options.segment_length - before).unsigned_abs();
            }
        }
    }
    let [floor, ours] = timings;
    let floor = floor.measurement(FLOOR, options.size);
    let mut ours = ours.measurement(GANNET, options.size);
    ours.compare_with(&floor);
    ours.details = Some(Details::Rolls { rolls });
    Ok(vec![floor, ours])
}

fn floor(dir: &Path, options: &Options) -> Result<Copy, RigError> {
    let length = u64::try_from(2 * options.segment_length).unwrap_or(0);
    let file = MappedFile::create(&dir.join("floor"), length, 0o600, Reserve::SpaceAndPages)
        .map_err(|error| RigError::system(FLOOR, "make a file", error))?;
    Ok(Copy { view: Region::mapped(file).view(), at: 0, stride: (options.size + 32).next_multiple_of(32) })
}

#[derive(Default)]
struct Timings {
    batches: LatencyHistogram,
    singles: LatencyHistogram,
}

impl Timings {
    /// Half of the appends in batches, the others one by one.
    fn round(&mut self, target: &mut impl Target, options: &Options) -> Result<(), RigError> {
        let message = vec![0x5a_u8; options.size];
        for _ in 0..options.appends / 2 / BATCH {
            let start = now_ns();
            for _ in 0..BATCH {
                target.append(&message)?;
            }
            // A tenth of a nanosecond is lost to rounding at most, on figures of ten or more.
            self.batches.record((now_ns() - start + BATCH as i64 / 2) / BATCH as i64);
        }
        for _ in 0..options.appends / 2 {
            let start = now_ns();
            target.append(&message)?;
            self.singles.record(now_ns() - start);
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        self.batches.merge(&other.batches);
        self.singles.merge(&other.singles);
    }

    fn measurement(self, system: &str, size: usize) -> Measurement {
        let p50_ns = self.batches.quantile_ns(0.5);
        Measurement { p50_ns, ..Measurement::append(NAME, system, size, self.singles) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Part, run};
    use super::*;

    #[test]
    fn both_systems_are_measured_over_several_segments() {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            dir: dir.path().to_owned(),
            appends: 200_000,
            rounds: 1,
            segment_length: 16 << 20,
            parts: vec![Part::Append],
            ..Options::default()
        };
        let results = run(&options, |_| {}).expect("it runs");
        let systems: Vec<_> = results.iter().map(|result| (result.system.as_str(), result.samples)).collect();
        assert_eq!(systems, [("floor", 100_000), ("gannet", 100_000)]);
        assert!(results[1].ratio_to_floor.is_some() && results[1].p9999_ns >= results[1].p50_ns);
        assert!(matches!(results[1].details, Some(Details::Rolls { rolls: 1.. })));
        assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 0, "nothing is left");
    }
}
