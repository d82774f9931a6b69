//! `gannet bench idle`: the CPU time of a driver process that has nothing to do.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use gannet_benches::rig::cores::Cores;
use gannet_benches::rig::environment::Environment;
use gannet_benches::rig::measurement::{Details, Measurement};
use gannet_benches::scenarios::idle;
use gannet_driver::config::Profile;

use super::{Reporting, on_round};
use crate::cli::{Outcome, Output, Stop, positive_duration};

/// The CPU time of a driver process that has nothing to do
///
/// Starts a driver in a directory of its own, and reads the CPU time of its threads: first without clients, then with a
/// client whose stream carries nothing. Then stops the driver.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    reporting: Reporting,
    /// The driver's program [default: gannet-driver beside this program]
    #[arg(long, value_name = "FILE")]
    driver: Option<PathBuf>,
    /// Profile of the driver
    #[arg(long, value_name = "PROFILE", default_value_t = Profile::Frugal)]
    profile: Profile,
    /// How long to watch, once without and once with a client
    #[arg(long = "for", value_name = "DURATION", value_parser = positive_duration, default_value = "10s")]
    watch: Duration,
}

/// Runs the scenario.
pub(super) fn run(args: &Args, stop: &Stop, out: &mut Output) -> Outcome {
    let driver = match &args.driver {
        Some(path) => path.clone(),
        None => std::env::current_exe().context("cannot tell where this program is")?.with_file_name("gannet-driver"),
    };
    if !driver.is_file() {
        anyhow::bail!(
            "there is no driver at {}: build it (cargo build --release --bins), or say where it is with --driver",
            driver.display()
        );
    }
    let options = idle::Options { driver, profile: args.profile, watch: args.watch };
    let environment = Environment::read(Cores { near: None, far: None });
    let notes = [format!("{} --profile {}", options.driver.display(), options.profile)];
    args.reporting.begin(&environment, &notes, out)?;
    let results = idle::run(&options, on_round(stop))?;
    args.reporting.end(&environment, &notes, &results, out, describe)
}

fn describe(result: &Measurement) -> String {
    let Some(Details::Idle { cpu_share, wake_ups_per_s, watched_s, .. }) = &result.details else {
        return result.system.clone();
    };
    format!(
        "{:<19} {:>7.3} % of a core, {wake_ups_per_s:.0} wake-ups/s, over {watched_s:.1} s",
        result.system,
        cpu_share * 100.0
    )
}
