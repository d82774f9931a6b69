//! The scenario `ipc`: round trips and throughput between two threads on two cores of one machine. Rounds alternate
//! between the systems, so that disturbances of the machine affect all of them alike. With three systems it takes under
//! 30 seconds.

use crate::rig::RigError;
use crate::rig::cores::Cores;
use crate::rig::echo::{EchoOutcome, EchoPlan};
use crate::rig::measurement::Measurement;
use crate::rig::throughput::{ThroughputPlan, ThroughputRounds};
use crate::systems::{FLOOR, System};

/// The scenario's name in results.
pub const NAME: &str = "ipc";

/// The options of the scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes per message of the round trips.
    pub echo_size: usize,
    /// Messages per second of the round trips.
    pub echo_rate_per_s: u64,
    /// Length of a round of round trips, in milliseconds, without its warm-up.
    pub echo_round_ms: u64,
    /// Bytes per message of the throughput measurements. There is one measurement for each.
    pub throughput_sizes: Vec<usize>,
    /// Length of a round of throughput, in milliseconds.
    pub throughput_round_ms: u64,
    /// Bytes per term, for systems with logs of three terms.
    pub term_length: usize,
    /// Measured rounds of each kind and system.
    pub rounds: u32,
    /// The cores of the two ends.
    pub cores: Cores,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            echo_size: 32,
            echo_rate_per_s: 50_000,
            echo_round_ms: 500,
            throughput_sizes: vec![32, 1024],
            throughput_round_ms: 300,
            term_length: 256 * 1024,
            rounds: 8,
            cores: Cores::choose(),
        }
    }
}

impl Options {
    /// The length of a log of three terms in bytes.
    pub fn log_length(&self) -> usize {
        3 * self.term_length
    }
}

/// Runs the scenario over `systems`. `on_round` is called before each round, and may end the run.
///
/// # Errors
///
/// The [`RigError`] of the first system that fails.
pub fn run(
    systems: &mut [Box<dyn System>],
    options: &Options,
    mut on_round: impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    let mut results = echo(systems, options, &mut on_round)?;
    for &size in &options.throughput_sizes {
        results.extend(throughput(systems, options, size, &mut on_round)?);
    }
    Ok(results)
}

fn echo(
    systems: &mut [Box<dyn System>],
    options: &Options,
    on_round: &mut impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    let plan = EchoPlan {
        size: options.echo_size,
        rate_per_s: options.echo_rate_per_s,
        warm_up: options.echo_rate_per_s / 10,
        messages: (options.echo_rate_per_s * options.echo_round_ms / 1000).max(1),
        cores: options.cores,
    };
    let mut totals = vec![EchoOutcome::default(); systems.len()];
    for round in 1..=options.rounds {
        for (system, total) in systems.iter_mut().zip(&mut totals) {
            on_round(&format!("round trip {} B, {}, round {round} of {}", plan.size, system.name(), options.rounds))?;
            let outcome = system.echo(&plan)?;
            total.latencies.merge(&outcome.latencies);
            total.lost += outcome.lost;
        }
    }
    let results = systems.iter().zip(totals).map(|(system, total)| {
        Measurement::echo(NAME, system.name(), plan.size, plan.rate_per_s, total.latencies, total.lost)
    });
    Ok(compared(results.collect()))
}

fn throughput(
    systems: &mut [Box<dyn System>],
    options: &Options,
    size: usize,
    on_round: &mut impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    let plan = ThroughputPlan { size, duration_ms: options.throughput_round_ms, streams: 1, cores: options.cores };
    let mut totals = vec![ThroughputRounds::default(); systems.len()];
    // In its first round, a system touches the pages of its logs for the first time, and waits for the kernel to map
    // them.
    for system in &mut *systems {
        on_round(&format!("throughput {size} B, {}, a round that does not count", system.name()))?;
        system.throughput(&plan)?;
    }
    for round in 1..=options.rounds {
        for (system, total) in systems.iter_mut().zip(&mut totals) {
            on_round(&format!("throughput {size} B, {}, round {round} of {}", system.name(), options.rounds))?;
            total.add(system.throughput(&plan)?);
        }
    }
    let results = systems.iter().zip(totals).map(|(system, total)| {
        Measurement::throughput(NAME, system.name(), size, total.received(), total.lost(), total.median_rate_per_s())
    });
    Ok(compared(results.collect()))
}

/// Adds the floor's figures to each result.
pub(super) fn compared(mut results: Vec<Measurement>) -> Vec<Measurement> {
    if let Some(floor) = results.iter().find(|result| result.system == FLOOR).cloned() {
        results.iter_mut().for_each(|result| result.compare_with(&floor));
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::floor::Floor;

    #[test]
    fn each_system_has_one_result_of_each_kind_and_size() {
        let options = Options {
            echo_rate_per_s: 10_000,
            echo_round_ms: 5,
            throughput_round_ms: 2,
            rounds: 2,
            cores: Cores { near: None, far: None },
            ..Options::default()
        };
        let mut rounds = 0;
        let results = run(&mut [Box::new(Floor::new(4096))], &options, |_| {
            rounds += 1;
            Ok(())
        })
        .expect("the floor cannot fail");
        assert_eq!(rounds, 8, "two of each kind and size, and for throughput one more that does not count");
        let sizes: Vec<_> = results.iter().map(|result| (result.size, result.ratio_to_floor)).collect();
        assert_eq!(sizes, [(32, Some(1.0)), (32, Some(1.0)), (1024, Some(1.0))]);
        assert_eq!(results[0].samples, 100);
    }
}
