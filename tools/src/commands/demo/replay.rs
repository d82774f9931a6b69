//! The leg `replay`: what the leg `journal` recorded is published again, twice as fast as it was recorded, and compared.

use anyhow::bail;
use gannet::Fragment;
use gannet::journal::{Recording, ReplayOptions, ReplayState, Replayer, Speed};
use gannet::logbuffer::FragmentAssembler;
use gannet_benches::rig::schedule::now_ns;

use super::exchange::{Receiver, connect};
use super::{Leg, PATIENCE, Setting};

const CHANNEL: &str = "aeron:ipc";
const STREAM_ID: i32 = 1004;
/// So many times as fast as it was recorded.
const SCALE: f64 = 2.0;
const FRAGMENTS_PER_POLL: usize = 32;

/// Runs the leg. Replayer and subscriber are one thread; a message is late by how much later it comes than the pace has it.
pub(super) fn run(setting: &Setting<'_>) -> anyhow::Result<Leg> {
    let Some(recorded) = setting.recorded.get() else { bail!("nothing was recorded") };
    let client = connect(setting)?;
    let mut subscription = client.add_subscription(CHANNEL, STREAM_ID)?;
    let recording = Recording::open(setting.journal_dir)?;
    let options = ReplayOptions::new().speed(Speed::Scaled(SCALE));
    let mut replayer = Replayer::new(&client, recording, CHANNEL, STREAM_ID, options)?;
    let mut assembler = FragmentAssembler::new();
    let deadline_ns = now_ns() + (setting.plan.length() + PATIENCE).as_nanos() as i64;
    let receiver = Receiver::new(recorded.messages, recorded.start_ns, setting.plan.rate_per_s, Some(SCALE));
    let mut leg = receiver.run(
        |receiver| {
            if replayer.state() != ReplayState::Done {
                replayer.do_work()?;
            }
            Ok(subscription.poll(
                assembler.assemble(|message: Fragment<'_>| receiver.receive(message.payload())),
                FRAGMENTS_PER_POLL,
            ))
        },
        &|| setting.stop.is_wanted() || now_ns() > deadline_ns,
    )?;
    leg.published = recorded.messages;
    Ok(leg)
}
