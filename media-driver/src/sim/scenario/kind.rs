//! The kinds of runs. The seed itself tells the kind, so that a kind can be looked for by a step over the seeds.

/// What the streams of a run have beyond what those of all runs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// There is a restless client on each host, and there are streams of more kinds.
    pub(super) is_lively: bool,
    /// Publications are concurrent.
    pub(super) is_shared: bool,
    /// Spies simulate that publications are connected.
    pub(super) is_spied: bool,
    /// Groups have receivers that they wait for, by their tag, and others.
    pub(super) is_tagged: bool,
    /// Streams begin shortly before term ids wrap, many of them at high positions.
    pub(super) is_wrapping: bool,
    /// Each stream has only some of the last three.
    pub(super) is_mixed: bool,
}

impl Kind {
    /// The kind of a seed's run.
    pub(super) const fn of(seed: u64) -> Self {
        let is_mixed = seed % 32 == 28;
        Self {
            is_lively: seed % 4 == 1,
            is_shared: seed % 4 == 2 || seed % 8 == 5 || seed % 64 == 60,
            is_spied: seed % 32 == 4 || is_mixed,
            is_tagged: seed % 32 == 12 || is_mixed,
            is_wrapping: seed % 32 == 20 || is_mixed,
            is_mixed,
        }
    }
}
