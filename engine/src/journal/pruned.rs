//! The result of a pruning: which segments were removed or would be, which one stays first, and why.

use crate::time::EpochNanos;
use crate::types::Position;

/// What was pruned, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The previous start position of the recording.
    pub start_before: Position,
    /// The start position of the recording now.
    pub start: Position,
    /// The pruned segments, in order.
    pub segments: Vec<PrunedSegment>,
    /// The number of bytes that they occupied on disk.
    pub bytes: u64,
    /// The cursor that kept further segments from being pruned, if there is one.
    pub held: Option<HeldBack>,
    /// The first segment that was kept, and why. `None` if there is none.
    pub rest: Option<KeptSegment>,
}

/// A segment that was pruned, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedSegment {
    /// The name of the segment's file.
    pub name: String,
    /// The position at which the segment begins.
    pub base: Position,
    /// The number of bytes that the segment occupies on disk, sidecar included.
    pub bytes: u64,
    /// When the segment's newest message was appended, if known.
    pub newest: Option<EpochNanos>,
    /// Why the segment is pruned.
    pub reason: PruneReason,
}

/// Why a segment is pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PruneReason {
    /// The segment is before the recording's start already. A process was killed while pruning.
    Unfinished,
    /// The segment ends at or before the requested position.
    Position,
    /// All its messages are older than the requested time.
    Time,
    /// The segment is older than the policy allows.
    Age,
    /// The recording takes up more than the policy allows.
    Size,
    /// The file system has less free space than the policy requires.
    FreeSpace,
}

/// A segment that is kept, together with all segments after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSegment {
    /// The name of the segment's file.
    pub name: String,
    /// The position at which the segment begins.
    pub base: Position,
    /// When its newest message was appended, or another message that is new enough to keep the segment, if known.
    /// Messages with a time in the future do not count.
    pub newest: Option<EpochNanos>,
    /// Why the segment is kept.
    pub reason: KeepReason,
}

/// Why a segment is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepReason {
    /// The segment is being written, or still has to be indexed or synced.
    InUse,
    /// No limit requires pruning it.
    Limits,
    /// Only a time limit could prune it, and the time of its newest message is unknown.
    Undated,
    /// A cursor still needs it. See [`Pruned::held`].
    Cursor,
    /// The requested number of segments has been pruned.
    AtMost,
}

/// What keeps segments from being pruned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// The name of the cursor that is behind.
    pub cursor: String,
    /// The cursor's position.
    pub position: Position,
    /// The number of segments that cursors keep from being pruned.
    pub segments: usize,
}
