//! Streams and journals: a recorder records the images of a subscription, a replayer publishes a recording again, and a
//! merge reads a recording and continues with the live stream.
//!
//! ```text
//!  publication ─▶ image ─ blocks ─▶ Recorder ─▶ segments ─▶ Replayer ─ blocks ─▶ publication
//!        │                                          │
//!        └────────────────▶ live image ──────┐      │ frames
//!                                            ▼      ▼
//!                                           ReplayMerge ─▶ application
//! ```
//!
//! | Part | File |
//! | --- | --- |
//! | record the images of a subscription | `recorder`, with `tape` for each image and `recorder_status` for others |
//! | recording times: a sidecar | `times`, and `segment_times` for records |
//! | publish a recording | `replayer`, with `pace` |
//! | replay, then the live stream | `merge` |
//! | the parameters of a channel that a recording keeps, and those that a replay sets | `channel` |
//!
//! The frames do not change: positions, terms, flags and reserved values are those of the recorded stream.

mod channel;
mod merge;
mod pace;
mod recorder;
mod recorder_status;
mod replayer;
mod segment_times;
mod tape;
mod times;

pub use merge::{MergeError, MergeState, ReplayMerge};
pub use pace::Speed;
pub use recorder::{Recorder, RecorderOptions};
pub use recorder_status::{RecordedStream, RecorderStatus, StopReason};
pub use replayer::{ReplayEnd, ReplayError, ReplayOptions, ReplayState, Replayer};
pub(crate) use segment_times::SegmentTimes;
pub(crate) use times::{Found, find_time, newest_time, times_faults};
pub use times::{TIMES_VERSION, Times};
