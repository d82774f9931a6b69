//! The leg `ipc`: the feed goes from one thread to another through the driver's shared memory.

use super::{Leg, Setting, exchange};

/// Small terms, so that the demo rotates through them and uses little memory.
const CHANNEL: &str = "aeron:ipc?term-length=1m";
const STREAM_ID: i32 = 1001;

/// Runs the leg.
pub(super) fn run(setting: &Setting<'_>) -> anyhow::Result<Leg> {
    exchange::over(CHANNEL, STREAM_ID, setting)
}
