//! Plays seeds of the simulation on as many threads as requested, and prints each seed that fails and why. It is for
//! finding failing seeds, and for continuous checks.
//!
//! ```text
//! cargo run --release -p gannet-driver --features sim --bin gannet-sim -- 0..10000
//! cargo run --release -p gannet-driver --features sim --bin gannet-sim -- --fresh 100
//! cargo run --release -p gannet-driver --features sim --bin gannet-sim -- 42 --describe
//! cargo run --release -p gannet-driver --features sim --bin gannet-sim -- 12..10000 --every 32
//! ```

use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use gannet::time::{Clock, SystemClock};
use gannet_driver::sim::{self, Failure, Summary};

/// Plays seeds of the simulation.
#[derive(Debug, Parser)]
#[command(name = "gannet-sim", version)]
struct Options {
    /// The seeds: one, or a range such as 0..1000.
    #[arg(value_parser = seeds, default_value = "0..1000")]
    seeds: Range<u64>,
    /// Plays so many seeds that nobody has played before, instead.
    #[arg(long, value_name = "COUNT")]
    fresh: Option<u64>,
    /// Plays only the first of the seeds and every so many from there: 32 keeps to one kind of runs.
    #[arg(long, value_name = "STEP", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// How many messages cross in each run.
    #[arg(long, default_value_t = sim::MESSAGES)]
    messages: u32,
    /// On how many threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Prints what each seed draws before it is played.
    #[arg(long)]
    describe: bool,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    match text.split_once("..") {
        Some((from, until)) => Ok(number(from)?..number(until)?),
        None => number(text).map(|seed| seed..seed + 1),
    }
}

/// Plays a seed; a panic is a failure like any other.
fn play(seed: u64, messages: u32) -> Result<Summary, Failure> {
    std::panic::catch_unwind(|| sim::run(seed, messages))
        .unwrap_or_else(|_| Err(Failure { seed, at_ns: 0, what: "a panic, which is told above".to_owned() }))
}

fn main() -> ExitCode {
    let options = Options::parse();
    let seeds = match options.fresh {
        Some(count) => {
            let first = SystemClock.epoch_nanos().get().unsigned_abs();
            println!("fresh seeds: {first}..{}", first + count);
            first..first + count
        }
        None => options.seeds.clone(),
    };
    let next = AtomicU64::new(seeds.start);
    let started = SystemClock.monotonic();
    let results: Vec<Result<Summary, Failure>> = std::thread::scope(|scope| {
        let play_on = || {
            let mut results = Vec::new();
            loop {
                let seed = next.fetch_add(options.every, Ordering::Relaxed);
                if seed >= seeds.end {
                    return results;
                }
                if options.describe {
                    println!("seed {seed}: {}", sim::describe(seed, options.messages));
                }
                let result = play(seed, options.messages);
                if let Err(failure) = &result {
                    println!("FAILED: {failure}");
                }
                results.push(result);
            }
        };
        let threads: Vec<_> = (0..options.threads.max(1)).map(|_| scope.spawn(play_on)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread that prints its failures")).collect()
    });
    let took_s = SystemClock.monotonic().since(started) as f64 / 1e9;
    let passed: Vec<_> = results.iter().flatten().collect();
    let failed = results.len() - passed.len();
    let messages: u64 = passed.iter().map(|summary| summary.messages).sum();
    let lost: u64 = passed.iter().map(|summary| summary.lost).sum();
    let virtual_s = passed.iter().map(|summary| summary.took_ns).sum::<i64>() as f64 / 1e9;
    println!(
        "{} seeds, {failed} failed: {messages} messages arrived, {lost} datagrams were lost, {virtual_s:.0} s passed in {took_s:.0} s",
        results.len()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
