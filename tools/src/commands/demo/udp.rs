//! The leg `udp`: the feed is sent by the driver's sender over the loopback interface, and received by its receiver.

use anyhow::Context as _;
use gannet_benches::systems::gannet_udp::free_port;

use super::{Leg, Setting, exchange};

const STREAM_ID: i32 = 1002;

/// Runs the leg.
pub(super) fn run(setting: &Setting<'_>) -> anyhow::Result<Leg> {
    let port = free_port().context("the leg `udp` needs a port of the loopback interface")?;
    // Small terms, as in the leg `ipc`.
    exchange::over(&format!("aeron:udp?endpoint=127.0.0.1:{port}|term-length=1m"), STREAM_ID, setting)
}
