//! The leg `replay`: publishes again what the leg `journal` recorded, twice as fast as it was recorded, and compares
//! it.

use anyhow::bail;
use gannet::Fragment;
use gannet::journal::{Recording, ReplayOptions, ReplayState, Replayer, Speed, Times};
use gannet::logbuffer::FragmentAssembler;
use gannet::time::{EpochNanos, MonotonicNanos};
use gannet::types::Position;
use gannet_benches::rig::schedule::now_ns;

use super::exchange::{Receiver, connect};
use super::{Leg, PATIENCE, Setting};

const CHANNEL: &str = "aeron:ipc";
const STREAM_ID: i32 = 1004;
/// The speed of the replay relative to the recording.
const SCALE: f64 = 2.0;
const FRAGMENTS_PER_POLL: usize = 32;

/// The shortest possible frame in bytes. A position this far before a frame's end is still within that frame.
const SHORTEST_FRAME: i64 = 32;

/// Runs the leg, with replayer and subscriber on one thread. A message is due as long after the start of the replay as
/// it was recorded after the first frame, divided by the scale.
pub(super) fn run(setting: &Setting<'_>) -> anyhow::Result<Leg> {
    let Some(recorded) = setting.recorded.get() else { bail!("nothing was recorded") };
    let client = connect(setting)?;
    let mut subscription = client.add_subscription(CHANNEL, STREAM_ID)?;
    let recording = Recording::open(setting.journal_dir)?;
    let options = ReplayOptions::new().speed(Speed::Scaled(SCALE));
    let mut pace = Pace { times: Times::new(&recording), start_ns: None, first_ns: None };
    let mut replayer = Replayer::new(&client, recording, CHANNEL, STREAM_ID, options)?;
    let mut assembler = FragmentAssembler::new();
    let deadline_ns = now_ns() + (setting.plan.length() + PATIENCE).as_nanos() as i64;
    let receiver = Receiver::new(recorded.messages, recorded.start_ns, setting.plan.rate_per_s);
    let mut leg = receiver.run(
        |receiver| {
            if replayer.state() != ReplayState::Done {
                let (now_ns, from) = (now_ns(), replayer.position());
                replayer.do_work_at(MonotonicNanos::new(now_ns))?;
                if pace.start_ns.is_none() && replayer.position() > from {
                    // The replayer's clock starts with the first frame, which is due at once.
                    pace.start_ns = Some(now_ns);
                    pace.first_ns = pace.times.at(from).map(EpochNanos::get);
                }
            }
            Ok(subscription.poll(
                assembler.assemble(|message: Fragment<'_>| {
                    receiver.receive_due(message.payload(), |_| pace.due_ns(message.position()));
                }),
                FRAGMENTS_PER_POLL,
            ))
        },
        &|| setting.stop.is_wanted() || now_ns() > deadline_ns,
    )?;
    leg.published = recorded.messages;
    Ok(leg)
}

/// Computes when the replayer has a message due.
struct Pace {
    times: Times,
    /// When the replay began, and when its first frame was recorded. `None` before the replay has begun.
    start_ns: Option<i64>,
    first_ns: Option<i64>,
}

impl Pace {
    /// When the message that ends at `end` is due. Positions must not go back.
    fn due_ns(&mut self, end: Position) -> Option<i64> {
        let recorded_ns = self.times.at(Position::new(end.get() - SHORTEST_FRAME))?.get();
        let behind_first_ns = (recorded_ns - self.first_ns?) as f64 / SCALE;
        Some(self.start_ns? + behind_first_ns as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::journal::{Journal, JournalOptions};

    #[test]
    fn without_times_nobody_knows_when_a_message_is_due() {
        let dir = tempfile::tempdir().expect("a directory");
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10);
        Journal::create(dir.path(), &options).expect("a journal");
        let recording = Recording::open(dir.path()).expect("it was made");
        let mut pace = Pace { times: Times::new(&recording), start_ns: Some(1), first_ns: Some(1) };
        assert_eq!(pace.due_ns(Position::new(64)), None);
    }
}
