//! The leg `journal`: the feed is recorded as it is published, and read from the recording while the recording grows.

use gannet::agent::{AgentRunner, Backoff, IdleStrategy};
use gannet::journal::{Recorder, RecorderOptions, Recording, Start};
use gannet_benches::rig::schedule::now_ns;

use super::exchange::{between, connect, wait_until};
use super::{Leg, PATIENCE, Recorded, Setting};

/// Small terms and segments, so that the recording has several segments.
const CHANNEL: &str = "aeron:ipc?term-length=1m";
const STREAM_ID: i32 = 1003;
const SEGMENT_LENGTH: i64 = 4 << 20;
const RECORDS_PER_POLL: usize = 32;

/// Runs the leg.
pub(super) fn run(setting: &Setting<'_>) -> anyhow::Result<Leg> {
    let client = connect(setting)?;
    let subscription = client.add_subscription(CHANNEL, STREAM_ID)?;
    let options = RecorderOptions::new().segment_length(SEGMENT_LENGTH);
    let recorder = Recorder::new(setting.journal_dir, subscription, options)?;
    let status = recorder.status();
    let idle = IdleStrategy::Backoff(Backoff::new(100, 1_000, 1_000, 50_000));
    let mut thread = AgentRunner::start(recorder, idle, || {})?;

    let mut publication = client.add_exclusive_publication(CHANNEL, STREAM_ID)?;
    wait_until("the recorder did not begin", || publication.is_connected() && !status.streams().is_empty())?;
    let mut tailer = Recording::open(setting.journal_dir)?.tailer(Start::Begin)?;
    let (leg, start_ns) = between(&mut publication, setting, |receiver| {
        Ok(tailer.poll(|record| receiver.receive(record.payload()), RECORDS_PER_POLL)?)
    })?;
    drop(publication);
    // The replay leg needs a recording that has ended.
    let deadline_ns = now_ns() + PATIENCE.as_nanos() as i64;
    while status.streams().iter().any(|stream| stream.stopped.is_none()) && now_ns() < deadline_ns {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    thread.close()?;
    setting.recorded.set(Some(Recorded { messages: leg.published, start_ns }));
    Ok(leg)
}
