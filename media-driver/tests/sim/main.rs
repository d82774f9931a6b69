//! A fixed set of seeds, each a run of several drivers on a network that loses, repeats, delays and reorders datagrams.
//! A failure names its seed. The program `gannet-sim` plays many more.

#![allow(clippy::disallowed_methods, reason = "runs a program on a file")]

mod dissected;
mod names;
mod places;
#[path = "../support/raw_access.rs"]
mod raw_access;
mod responses;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/skip.rs"]
mod skip;
mod spies;
mod spoofed;

use gannet_driver::sim;

/// Seeds that once found an error.
const SEEDS: &str = include_str!("seeds.txt");
/// A seed with a short run.
const SHORT: u64 = 1;
/// Seeds whose publications are concurrent, with terms of 64 KiB, and with claims that are abandoned.
const SHARED: [u64; 2] = [14, 22];
/// Fewer messages than usual, since unoptimised builds are slow.
const MESSAGES: u32 = 40;

fn play(seeds: impl Iterator<Item = u64>) {
    let failures: Vec<_> = seeds.filter_map(|seed| sim::run(seed, MESSAGES).err()).collect();
    assert!(failures.is_empty(), "{} seeds fail, the first: {}", failures.len(), failures[0]);
}

#[test]
fn a_fixed_batch_of_seeds_passes() {
    play(0..2);
}

#[test]
fn seeds_that_found_something_pass() {
    play(SEEDS.lines().filter_map(|line| line.parse().ok()));
}

/// Several publish into one log, through rotations, and abandon claims, which the driver pads: over multicast, and over a
/// publication with several destinations.
#[test]
fn streams_of_several_publishers_that_abandon_claims_go_on() {
    for seed in SHARED {
        let summary = sim::run(seed, sim::MESSAGES).unwrap_or_else(|failure| panic!("{failure}"));
        assert!(summary.unblocked > 0 && summary.retransmits > 0, "{seed}: {summary:?}");
    }
}

/// The same seed gives the same run, to the nanosecond.
#[test]
fn a_seed_can_be_played_again() {
    assert_eq!(sim::run(SHORT, 5).unwrap(), sim::run(SHORT, 5).unwrap());
}
