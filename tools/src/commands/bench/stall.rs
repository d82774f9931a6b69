//! `gannet bench stall`: how large logs that are added and removed affect a running stream.

use std::time::Duration;

use gannet_benches::rig::cores::Cores;
use gannet_benches::rig::environment::Environment;
use gannet_benches::rig::histogram::show_ns;
use gannet_benches::rig::measurement::{Details, Measurement};
use gannet_benches::scenarios::stall;
use gannet_driver::config::Profile;

use super::{Reporting, latencies, on_round};
use crate::cli::{Outcome, Output, Stop, count_in, duration, power_of_two};

/// The latency of a stream while publications with large terms are added and removed beside it
///
/// Slices of a quarter of a second alternate between the stream alone, and the stream beside a log that comes and goes.
/// The same is done with a floor, a loop that sends nothing, which shows what the machine itself takes away. One
/// thread, on a core of its own, is both ends of the stream. A latency counts from the moment when the message was due.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    reporting: Reporting,
    /// Slices of each kind
    #[arg(long, value_name = "COUNT", default_value_t = stall::Options::default().slices, value_parser = count_in::<u32>(1..=u64::MAX))]
    slices: u32,
    /// Messages per second
    #[arg(long, value_name = "PER_SECOND", default_value_t = stall::Options::default().rate_per_s, value_parser = count_in::<u64>(1..=1_000_000))]
    rate: u64,
    /// Length of a term of the stream in bytes, a power of two from 64 KiB
    #[arg(long, value_name = "BYTES", default_value_t = stall::Options::default().term_length, value_parser = power_of_two::<usize>)]
    term_length: usize,
    /// Length of a term of the publications that come and go in bytes, a power of two from 64 KiB
    #[arg(long, value_name = "BYTES", default_value_t = stall::Options::default().added_term_length, value_parser = power_of_two::<usize>)]
    added_term_length: usize,
    /// Time from one such publication to the next in the same slice
    #[arg(long = "every", value_name = "DURATION", value_parser = duration, default_value = "250ms")]
    add_interval: Duration,
    /// Profile of the driver
    #[arg(long, value_name = "PROFILE", default_value_t = stall::Options::default().profile)]
    profile: Profile,
}

/// Runs the scenario.
pub(super) fn run(args: &Args, stop: &Stop, out: &mut Output) -> Outcome {
    let options = stall::Options {
        slices: args.slices,
        rate_per_s: args.rate,
        term_length: args.term_length,
        added_term_length: args.added_term_length,
        add_interval: args.add_interval,
        profile: args.profile,
        cores: Cores::choose(),
        ..stall::Options::default()
    };
    let environment = Environment::read(options.cores);
    let notes = [options.describe()];
    args.reporting.begin(&environment, &notes, out)?;
    let results = stall::run(&options, on_round(stop))?;
    args.reporting.end(&environment, &notes, &results, out, describe)
}

fn describe(result: &Measurement) -> String {
    let Some(Details::Stall {
        logs_added,
        log_length,
        longest_add_ns,
        longest_cycle_ns,
        p999_ns_of_median_slice,
        p999_to_undisturbed,
        p999_to_undisturbed_range,
    }) = &result.details
    else {
        return latencies(result);
    };
    let p999 = p999_ns_of_median_slice.map_or_else(|| "-".to_owned(), show_ns);
    let mut beside = format!("   p99.9 of the median slice {p999}");
    if *logs_added > 0 {
        let ratio = p999_to_undisturbed.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let range =
            p999_to_undisturbed_range.map_or_else(String::new, |[low, high]| format!(" ({low:.2} to {high:.2})"));
        beside.push_str(&format!(
            ", {ratio}{range} x undisturbed; {logs_added} logs of {} MiB added, the slowest in {}; the conductor was away for {} at most",
            log_length >> 20,
            show_ns(*longest_add_ns),
            show_ns(*longest_cycle_ns)
        ));
    }
    format!("{:>6} B  {:<17} {}{beside}", result.size, result.system, latencies(result))
}
