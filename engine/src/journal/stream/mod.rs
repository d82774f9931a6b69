//! Streams into journals, and journals into streams: a recorder keeps what a subscription receives, a replayer publishes it again,
//! and a merge reads what was recorded and goes over to the live stream.
//!
//! ```text
//!  publication ─▶ image ─ blocks ─▶ Recorder ─▶ segments ─▶ Replayer ─ blocks ─▶ publication
//!        │                                          │
//!        └────────────────▶ live image ──────┐      │ frames
//!                                            ▼      ▼
//!                                           ReplayMerge ─▶ application
//! ```
//!
//! | What | File |
//! | --- | --- |
//! | record the images of a subscription | `recorder`, with `tape` for each image |
//! | when what was recorded: a sidecar | `times`, and `segment_times` for records |
//! | publish a recording | `replayer`, with `pace` |
//! | history, then the live stream | `merge` |
//! | which parameters of a channel a recording keeps, and which a replay sets | `channel` |
//!
//! The frames stay as they are throughout: positions, terms, flags and reserved values are those of the stream that was recorded.

mod channel;
mod merge;
mod pace;
mod recorder;
mod replayer;
mod segment_times;
mod tape;
mod times;

pub use merge::{MergeError, MergeState, ReplayMerge};
pub use pace::Speed;
pub use recorder::{RecordedStream, Recorder, RecorderOptions, RecorderStatus, StopReason};
pub use replayer::{ReplayEnd, ReplayError, ReplayOptions, ReplayState, Replayer};
pub(crate) use segment_times::SegmentTimes;
pub(crate) use times::{Found, find_time};
pub use times::{TIMES_VERSION, Times};
