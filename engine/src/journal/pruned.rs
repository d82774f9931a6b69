//! The result of a pruning: which segments were removed or would be, which one stays first, and why.

use crate::time::EpochNanos;
use crate::types::Position;

/// What was pruned, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Where the recording began.
    pub start_before: Position,
    /// Where it begins now.
    pub start: Position,
    /// The segments that went, in order.
    pub segments: Vec<PrunedSegment>,
    /// How many bytes of the disk they took up.
    pub bytes: u64,
    /// The cursor that keeps more from going, if one does.
    pub held: Option<HeldBack>,
    /// The first segment that stays, and why; none where there is none.
    pub rest: Option<KeptSegment>,
}

/// A segment that went, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedSegment {
    /// The name of its file.
    pub name: String,
    /// Where it begins.
    pub base: Position,
    /// How many bytes of the disk it takes up, with its sidecar.
    pub bytes: u64,
    /// When its newest message was appended, as far as that is known.
    pub newest: Option<EpochNanos>,
    /// Why it goes.
    pub reason: PruneReason,
}

/// Why a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PruneReason {
    /// It is before the start already: somebody was killed while pruning.
    Unfinished,
    /// All of it is before the position asked for.
    Position,
    /// All of it is before the time asked for.
    Time,
    /// It is older than the policy keeps.
    Age,
    /// The recording takes up more than the policy allows.
    Size,
    /// The file system has less room than the policy wants.
    FreeSpace,
}

/// A segment that stays, and with it all that come behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSegment {
    /// The name of its file.
    pub name: String,
    /// Where it begins.
    pub base: Position,
    /// When its newest message was appended, or one that is new enough to keep it, as far as that is known. A message whose time has
    /// not come yet does not count.
    pub newest: Option<EpochNanos>,
    /// Why it stays.
    pub reason: KeepReason,
}

/// Why a segment stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepReason {
    /// It is being written, or is to be indexed or synced yet.
    InUse,
    /// No limit says that it goes.
    Limits,
    /// A limit of time is the only one that could say that it goes, and nobody knows when its newest message was appended.
    Undated,
    /// A cursor needs it: see [`Pruned::held`].
    Cursor,
    /// As many went as were to.
    AtMost,
}

/// What keeps segments from going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// The name of the cursor that is behind.
    pub cursor: String,
    /// Where it is.
    pub position: Position,
    /// How many segments would go but for this cursor and others.
    pub segments: usize,
}
