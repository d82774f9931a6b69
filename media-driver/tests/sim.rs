//! A fixed batch of seeds, each a run of two drivers on a network that loses, repeats, delays and reorders. A failure names its seed;
//! `GANNET_SIM_SEEDS=from..to` plays others.

use gannet_driver::sim;

/// Seeds that have found something, for ever.
const SEEDS: &str = include_str!("sim/seeds.txt");

#[test]
fn a_fixed_batch_of_seeds_passes() {
    let stated = std::env::var("GANNET_SIM_SEEDS").ok();
    let seeds: Vec<u64> = match stated.as_deref().and_then(|text| text.split_once("..")) {
        Some((from, to)) => (from.parse().unwrap()..to.parse().unwrap()).collect(),
        None => SEEDS.lines().filter_map(|line| line.parse().ok()).chain(0..16).collect(),
    };
    let failures: Vec<_> = seeds.iter().filter_map(|&seed| sim::run(seed, 60).err()).collect();
    assert!(failures.is_empty(), "{} of {} seeds fail, the first: {}", failures.len(), seeds.len(), failures[0]);
}

/// The same seed gives the same run, to the nanosecond.
#[test]
fn a_seed_can_be_played_again() {
    assert_eq!(sim::run(7, 20).unwrap(), sim::run(7, 20).unwrap());
}
