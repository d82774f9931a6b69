//! Why a run failed.

use std::fmt;

/// What a run has found to be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// The seed that shows it.
    pub seed: u64,
    /// At which time of the run, in nanoseconds.
    pub at_ns: i64,
    /// What.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, at {} ns: {}", self.seed, self.at_ns, self.what)
    }
}
