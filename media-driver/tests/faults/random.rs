//! Repeatable random choices: each scenario has its seed, and another may be given from outside.

/// A generator with this seed, or with the one in `FAULTS_SEED`. A failing test shows which.
pub(crate) fn seeded(seed: u64) -> fastrand::Rng {
    let given = std::env::var("FAULTS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or(seed);
    println!("FAULTS_SEED={seed} repeats this");
    fastrand::Rng::with_seed(seed)
}
