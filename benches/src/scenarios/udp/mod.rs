//! The scenario `udp`: round trips and throughput over the loopback interface, compared with bare sockets; many
//! streams, compared with one; a stream that loses datagrams, compared with one that does not; and the CPU use of a
//! thousand idle streams. Rounds alternate between the systems. It takes under 30 seconds. Idle streams have a file of
//! their own.

mod idle_streams;

use std::time::Duration;

use gannet_driver::config::TransportName;

pub use idle_streams::idle;

use super::ipc::compared;
use super::usage::round;
use crate::rig::RigError;
use crate::rig::cores::Cores;
use crate::rig::echo::{EchoOutcome, EchoPlan};
use crate::rig::measurement::{Details, Measurement};
use crate::rig::throughput::{ThroughputPlan, ThroughputRounds};
use crate::systems::System;
use crate::systems::gannet_udp::{GannetUdp, UdpSettings, largest_socket_buffer};
use crate::systems::udp_floor::UdpFloor;

/// The scenario's name in results.
pub const NAME: &str = "udp";

/// Bytes of a term in the comparison of many streams with one.
const MANY_TERM_LENGTH: usize = 256 << 10;
/// Minimum window in bytes in the comparison with loss, if a socket's buffer may be as large.
const LOSSY_WINDOW: usize = 1 << 20;

/// The options of the scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// The transports to measure, one after another.
    pub transports: Vec<TransportName>,
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
    /// Bytes per message in the comparisons of many streams and of loss.
    pub compared_size: usize,
    /// The number of streams in the comparison with one. 0 leaves this part out.
    pub streams: usize,
    /// Datagrams lost per million in the part with loss. 0 leaves this part out.
    pub loss_ppm: u32,
    /// The number of idle streams. 0 leaves this part out.
    pub idle_streams: usize,
    /// How long idle streams are watched.
    pub watch: Duration,
    /// The settings of the streams.
    pub settings: UdpSettings,
    /// Rounds of each kind and system.
    pub rounds: u32,
    /// The cores of the two ends.
    pub cores: Cores,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transports: vec![TransportName::Sockets, TransportName::IoUring],
            echo_size: 32,
            echo_rate_per_s: 10_000,
            echo_round_ms: 300,
            throughput_sizes: vec![32, 288, 1344, 64 * 1024],
            throughput_round_ms: 100,
            compared_size: 288,
            streams: 100,
            loss_ppm: 10_000,
            idle_streams: 1000,
            watch: Duration::from_secs(2),
            settings: UdpSettings::default(),
            rounds: 5,
            cores: Cores::choose(),
        }
    }
}

/// The transports available on this system.
pub fn available() -> Vec<TransportName> {
    let all = [TransportName::Sockets, TransportName::IoUring];
    all.into_iter().filter(|transport| gannet_driver::io::transport::choose(*transport).is_ok()).collect()
}

/// Opens the systems of the first two parts: bare sockets, and Gannet over each transport, with and without offload.
///
/// # Errors
///
/// The [`RigError`] of a driver that does not start.
pub fn systems(options: &Options) -> Result<Vec<Box<dyn System>>, RigError> {
    let mut systems: Vec<Box<dyn System>> = vec![Box::new(UdpFloor::new())];
    for offload in [true, false] {
        for &transport in &options.transports {
            systems.push(Box::new(GannetUdp::open(UdpSettings { transport, offload, ..options.settings })?));
        }
    }
    Ok(systems)
}

/// Runs round trips and throughput over `systems`. `on_round` is called before each round, and may end the run.
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
        let plan = ThroughputPlan { size, duration_ms: options.throughput_round_ms, streams: 1, cores: options.cores };
        results.extend(compared(throughput(systems, &vec![plan; systems.len()], options.rounds, &mut on_round)?));
    }
    Ok(results)
}

/// Compares many streams with one, and a stream with loss with one without, over each transport.
///
/// # Errors
///
/// As [`run`].
pub fn variations(
    options: &Options,
    mut on_round: impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    let mut results = Vec::new();
    for &transport in &options.transports {
        // Shorter terms, since a hundred streams have a hundred logs at each end.
        let plain = UdpSettings { transport, term_length: MANY_TERM_LENGTH, ..options.settings };
        if options.streams > 1 {
            results.push(variation(plain, plain.of_many(options.streams), options, &mut on_round)?);
        }
        if options.loss_ppm > 0 {
            // The stream must not wait while a loss is repaired, which takes about as long as the default window lasts
            // at this speed.
            let window = options.settings.window.max(LOSSY_WINDOW.min(largest_socket_buffer()));
            let plain = UdpSettings { term_length: (4 * window).next_power_of_two(), window, ..plain };
            results.push(variation(
                plain,
                UdpSettings { loss_ppm: options.loss_ppm, ..plain },
                options,
                &mut on_round,
            )?);
        }
    }
    Ok(results)
}

/// Measures two settings in turn. Returns the second's result, with its ratio to the first.
fn variation(
    plain: UdpSettings,
    varied: UdpSettings,
    options: &Options,
    on_round: &mut impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Measurement, RigError> {
    let mut systems: Vec<Box<dyn System>> = Vec::new();
    let mut plans = Vec::new();
    for settings in [plain, varied] {
        systems.push(Box::new(GannetUdp::open(settings)?));
        plans.push(ThroughputPlan {
            size: options.compared_size,
            duration_ms: options.throughput_round_ms,
            streams: settings.streams,
            cores: options.cores,
        });
    }
    let mut found = throughput(&mut systems, &plans, options.rounds, on_round)?;
    let mut result = found.swap_remove(1);
    if let Some(Details::Udp { ratio_to_plain, .. }) = &mut result.details {
        *ratio_to_plain = ratio(result.msgs_per_s, found[0].msgs_per_s);
    }
    Ok(result)
}

fn ratio(ours: Option<f64>, theirs: Option<f64>) -> Option<f64> {
    Some(round(ours? / theirs.filter(|theirs| *theirs > 0.0)?, 1e3))
}

fn echo(
    systems: &mut [Box<dyn System>],
    options: &Options,
    on_round: &mut impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    let plan = EchoPlan {
        size: options.echo_size,
        rate_per_s: options.echo_rate_per_s,
        warm_up: options.echo_rate_per_s / 20,
        messages: (options.echo_rate_per_s * options.echo_round_ms / 1000).max(1),
        cores: options.cores,
    };
    let mut totals = vec![EchoOutcome::default(); systems.len()];
    for number in 1..=options.rounds {
        for (index, total) in totals.iter_mut().enumerate() {
            on_round(&format!("round trip, {}, round {number} of {}", describe(&*systems[index]), options.rounds))?;
            let outcome = systems[index].echo(&plan)?;
            total.latencies.merge(&outcome.latencies);
            total.lost += outcome.lost;
            systems.iter_mut().for_each(|system| system.keep_alive());
        }
    }
    let results = systems.iter().zip(totals).map(|(system, total)| {
        let (name, details) = (system.name(), system.details());
        let result = Measurement::echo(NAME, name, plan.size, plan.rate_per_s, total.latencies, total.lost);
        Measurement { details, ..result }
    });
    Ok(compared(results.collect()))
}

/// Runs throughput rounds of each system with its plan.
fn throughput(
    systems: &mut [Box<dyn System>],
    plans: &[ThroughputPlan],
    rounds: u32,
    on_round: &mut impl FnMut(&str) -> Result<(), RigError>,
) -> Result<Vec<Measurement>, RigError> {
    let mut totals = vec![ThroughputRounds::default(); systems.len()];
    let mut calls = vec![[0_u64; 2]; systems.len()];
    for number in 1..=rounds {
        for index in 0..systems.len() {
            let plan = &plans[index];
            on_round(&format!(
                "throughput {} B, {}, round {number} of {rounds}",
                plan.size,
                describe(&*systems[index])
            ))?;
            let before = systems[index].calls().unwrap_or_default();
            totals[index].add(systems[index].throughput(plan)?);
            let after = systems[index].calls().unwrap_or_default();
            for (sum, (after, before)) in calls[index].iter_mut().zip(after.into_iter().zip(before)) {
                *sum += after - before;
            }
            systems.iter_mut().for_each(|system| system.keep_alive());
        }
    }
    let results =
        systems.iter().zip(plans).zip(totals.into_iter().zip(calls)).map(|((system, plan), (total, calls))| {
            let received = total.received();
            let mut details = system.details();
            if let Some(Details::Udp { near_calls_per_msg, far_calls_per_msg, .. }) = &mut details {
                let per_message = |calls: u64| Some(round(calls as f64 / received.max(1) as f64, 1e5));
                [*near_calls_per_msg, *far_calls_per_msg] = calls.map(per_message);
            }
            let rate_per_s = total.median_rate_per_s();
            let result = Measurement::throughput(NAME, system.name(), plan.size, received, total.lost(), rate_per_s);
            Measurement { details, ..result }
        });
    Ok(results.collect())
}

/// The system's description for the progress display.
fn describe(system: &dyn System) -> String {
    match system.details() {
        Some(Details::Udp { transport, offload, streams, loss_ppm, .. }) => {
            let offload = if offload { "" } else { " without offload" };
            let loss = if loss_ppm > 0 { " with loss" } else { "" };
            format!("{} over {transport}{offload}, {streams} stream(s){loss}", system.name())
        }
        _ => system.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn short() -> Options {
        Options {
            transports: vec![TransportName::Sockets],
            echo_rate_per_s: 1_000,
            echo_round_ms: 5,
            throughput_sizes: vec![32, 65_536],
            throughput_round_ms: 2,
            streams: 3,
            idle_streams: 3,
            watch: Duration::from_millis(10),
            rounds: 1,
            cores: Cores { near: None, far: None },
            ..Options::default()
        }
    }

    #[test]
    fn each_system_has_a_result_of_each_kind_and_size() {
        let options = short();
        let mut systems = systems(&options).expect("drivers start anywhere");
        let results = run(&mut systems, &options, |_| Ok(())).expect("both ends are connected");
        let found: Vec<_> = results.iter().map(|result| (result.system.as_str(), result.size)).collect();
        let sizes = [options.echo_size, 32, 65_536];
        let expected = sizes.into_iter().flat_map(|size| [("floor", size), ("gannet", size), ("gannet", size)]);
        assert_eq!(found, expected.collect::<Vec<_>>());
        assert!(results.iter().all(|result| result.ratio_to_floor.is_some() && result.lost == 0));
        let calls = |result: &Measurement| match result.details {
            Some(Details::Udp { near_calls_per_msg, .. }) => near_calls_per_msg,
            _ => None,
        };
        assert!(calls(&results[4]).is_some_and(|calls| calls > 0.0));
    }

    #[test]
    fn streams_and_loss_are_compared_with_one_stream_and_none() {
        let results = variations(&short(), |_| Ok(())).expect("both ends are connected");
        let details: Vec<_> = results
            .iter()
            .map(|result| match result.details {
                Some(Details::Udp { streams, loss_ppm, ratio_to_plain, .. }) => {
                    (streams, loss_ppm, ratio_to_plain.is_some())
                }
                _ => (0, 0, false),
            })
            .collect();
        assert_eq!(details, [(3, 0, true), (1, 10_000, true)]);
    }
}
