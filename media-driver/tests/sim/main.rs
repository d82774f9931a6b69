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
/// A seed whose streams have nobody but spies, which simulate a connection, and one whose streams have receivers as well.
const SPIED: [u64; 2] = [228, 132];
/// A seed whose groups have receivers without their tag that do not read.
const TAGGED: u64 = 204;
/// Seeds whose term ids wrap: without and with spies.
const WRAPPING: [u64; 2] = [276, 316];
/// A seed with logs that end before everything is published.
const ENDING: u64 = 244;
/// Fewer messages than usual, since unoptimised builds are slow.
const MESSAGES: u32 = 40;

fn play(seeds: impl Iterator<Item = u64>) {
    let failures: Vec<_> = seeds.filter_map(|seed| sim::run(seed, MESSAGES).err()).collect();
    assert!(failures.is_empty(), "{} seeds fail, the first: {}", failures.len(), failures[0]);
}

/// Plays a seed whose kind of run matters, with as many messages as usual.
fn played(seed: u64) -> sim::Summary {
    sim::run(seed, sim::MESSAGES).unwrap_or_else(|failure| panic!("{failure}"))
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
    for summary in SHARED.map(played) {
        assert!(summary.unblocked > 0 && summary.retransmits > 0, "{summary:?}");
    }
}

/// Spies let a stream flow without receivers, at their own pace, and read all of it.
#[test]
fn streams_flow_at_the_pace_of_their_spies() {
    let [alone, beside] = SPIED.map(played);
    assert!(alone.spied > 0 && alone.spied == alone.messages, "{alone:?}");
    assert!(beside.spied > 0 && beside.spied < beside.messages, "{beside:?}");
}

/// Receivers without the tag of a group fall behind, and its members receive everything in time.
#[test]
fn a_tagged_group_waits_for_its_members_only() {
    let summary = played(TAGGED);
    assert!(summary.left_behind > 0, "{summary:?}");
}

#[test]
fn streams_go_on_where_term_ids_wrap() {
    for summary in WRAPPING.map(played) {
        assert!(summary.wrapped > 0, "{summary:?}");
    }
}

/// What is published up to the last position of a log arrives, and then the publication can be closed like any other.
#[test]
fn streams_end_where_positions_do() {
    let summary = played(ENDING);
    assert!(summary.ended > 0, "{summary:?}");
}

/// The same seed gives the same run, to the nanosecond.
#[test]
fn a_seed_can_be_played_again() {
    assert_eq!(sim::run(SHORT, 5).unwrap(), sim::run(SHORT, 5).unwrap());
}
