//! Why a run failed.

use std::fmt;

/// A failed check of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// The seed that reproduces it.
    pub seed: u64,
    /// The time in the run, in nanoseconds.
    pub at_ns: i64,
    /// What failed.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, at {} ns: {}", self.seed, self.at_ns, self.what)
    }
}
