//! Tests of recorded, replayed and merged streams. Driver, publisher, recorder, replayer and subscriber are one thread,
//! so that a test controls the order of events.

use std::sync::Arc;
use std::time::Duration;

use gannet::counters::type_id;
use gannet::journal::storage::{MemoryStorage, Share, Storage};
use gannet::journal::{
    Catalog, Fault, Journal, JournalError, MergeError, MergeState, RecordedStream, Recorder, RecorderOptions,
    Recording, ReplayEnd, ReplayError, ReplayMerge, ReplayOptions, ReplayState, Replayer, Speed, Start, StopReason,
    repair,
};
use gannet::logbuffer::FragmentAssembler;
use gannet::memory::FileAccess;
use gannet::time::{Clock, EpochNanos, MonotonicNanos, SystemClock};
use gannet::types::{Position, RecordingId};
use gannet::{Client, Context, ExclusivePublication, Fragment, ImageHandlers, OfferError, Pending, Subscription};
use gannet_driver::MediaDriver;
use gannet_driver::config::{ByteLength, DriverConfig, Profile, ThreadingMode};

use crate::archive;
use crate::ports::free_port;
use crate::raw_access::RAW;
use crate::support::message;

const IPC: &str = "aeron:ipc?term-length=64k|mtu=1408";
const STREAM: i32 = 1001;

/// A driver and a client that the test's thread runs.
struct Rig {
    driver: MediaDriver,
    client: Client,
}

impl Rig {
    fn new() -> Self {
        let mut config = DriverConfig::for_profile(Profile::Frugal);
        config.threads.mode = ThreadingMode::Invoker;
        config.buffers.counter_values_length = ByteLength::new(1 << 20);
        config.timeouts.client_liveness = Duration::from_secs(600);
        config.timeouts.publication_unblock = Duration::from_secs(700);
        config.timeouts.timer_interval = Duration::from_millis(20);
        // Streams do not time out when a busy machine does not run the thread for a while.
        config.timeouts.image_liveness = Duration::from_secs(600);
        config.timeouts.publication_connection = Duration::from_secs(600);
        let driver = MediaDriver::launch_embedded(config).unwrap();
        let context = Context::new().dir(driver.dir()).driver_timeout(Duration::from_secs(600));
        let client = Client::connect(context.use_conductor_invoker()).unwrap();
        Self { driver, client }
    }

    fn turn(&mut self) {
        self.driver.invoke();
        self.client.invoke();
    }

    /// Runs everything until `poll` returns something.
    fn until<T>(&mut self, what: &str, mut poll: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = SystemClock.monotonic().saturating_add_ns(180_000_000_000);
        loop {
            self.turn();
            if let Some(found) = poll(self) {
                return found;
            }
            assert!(SystemClock.monotonic() < deadline, "{what}, even after three minutes");
            std::thread::yield_now();
        }
    }

    fn subscription(&mut self, channel: &str, stream_id: i32) -> Subscription {
        let mut pending: Pending<Subscription> =
            self.client.async_add_subscription(channel, stream_id, ImageHandlers::new()).unwrap();
        self.until("added", |_| pending.poll().unwrap())
    }

    fn publication(&mut self, channel: &str, stream_id: i32) -> ExclusivePublication {
        let mut pending = self.client.async_add_exclusive_publication(channel, stream_id).unwrap();
        self.until("added", |_| pending.poll().unwrap())
    }

    fn recorder(
        &mut self,
        storage: &MemoryStorage,
        channel: &str,
        stream_id: i32,
        options: RecorderOptions,
    ) -> Recorder {
        let subscription = self.subscription(channel, stream_id);
        Recorder::new_in(Arc::new(storage.clone()), subscription, options).unwrap()
    }

    /// Publishes numbered messages, and runs the recorder whenever there is no room.
    fn publish(
        &mut self,
        publication: &mut ExclusivePublication,
        numbers: std::ops::Range<u64>,
        mut meanwhile: impl FnMut(),
    ) {
        for number in numbers {
            let message = content(number);
            self.until("room", |_| match publication.offer_with(&message, number as i64) {
                Ok(_) => Some(()),
                Err(OfferError::BackPressured | OfferError::NotConnected | OfferError::AdminAction) => {
                    meanwhile();
                    None
                }
                Err(error) => panic!("{error}"),
            });
        }
    }

    /// A recorder, and a publication that has published messages for it.
    fn recording(&mut self, storage: &MemoryStorage, messages: u64) -> (Recorder, ExclusivePublication) {
        let mut recorder = self.recorder(storage, IPC, STREAM, small());
        let mut publication = self.publication(IPC, STREAM);
        self.publish(&mut publication, 0..messages, || work(&mut recorder));
        (recorder, publication)
    }

    /// The same with a few messages, some of which are recorded.
    fn begun(&mut self, storage: &MemoryStorage) -> (Recorder, ExclusivePublication) {
        let (mut recorder, publication) = self.recording(storage, 10);
        self.until("begun", |_| {
            recorder.do_work();
            recorder.is_recording().then_some(())
        });
        (recorder, publication)
    }

    /// Runs the recorder until it has ended a stream, and returns that stream.
    fn ended(&mut self, recorder: &mut Recorder) -> RecordedStream {
        self.until("ended", |_| {
            recorder.do_work();
            recorder.status().streams().last().filter(|stream| stream.stopped.is_some()).cloned()
        })
    }

    /// Records messages of a new publication, from the first to the last.
    fn record(&mut self, storage: &MemoryStorage, channel: &str, stream_id: i32, messages: u64) -> RecordedStream {
        let mut recorder = self.recorder(storage, channel, stream_id, small());
        let mut publication = self.publication(channel, stream_id);
        self.publish(&mut publication, 0..messages, || work(&mut recorder));
        drop(publication);
        self.ended(&mut recorder)
    }
}

/// The channel of a publication that continues where a recording ends.
fn going_on(recording: &Recording, end: Position) -> String {
    let initial = recording.descriptor().initial_term_id;
    let length = recording.descriptor().term_length;
    let (term_id, offset) = (length.term_id(end, initial), length.offset(end));
    format!("{IPC}|init-term-id={initial}|term-id={term_id}|term-offset={offset}")
}

fn work(recorder: &mut Recorder) {
    recorder.do_work();
}

fn small() -> RecorderOptions {
    RecorderOptions::new().segment_length(128 << 10)
}

/// The message with a number. Every fiftieth has several frames.
fn content(number: u64) -> Vec<u8> {
    let mut content = message(0, number);
    if number % 50 == 49 {
        content.resize(5000, number as u8);
    }
    content
}

/// The number of a message that is complete.
fn number_of(payload: &[u8]) -> u64 {
    let number = u64::from_le_bytes(payload[8..16].try_into().unwrap());
    assert_eq!(payload, content(number), "message {number}");
    number
}

fn open(storage: &MemoryStorage, id: Option<RecordingId>) -> Recording {
    Recording::open_in(Arc::new(storage.clone()), id).unwrap()
}

fn numbers(recording: &Recording) -> Vec<u64> {
    let mut tailer = recording.tailer(Start::Begin).unwrap();
    let mut numbers = Vec::new();
    while let Some(record) = tailer.next().unwrap() {
        assert_eq!(record.fragment().reserved_value(), number_of(record.payload()) as i64);
        numbers.push(number_of(record.payload()));
    }
    numbers
}

/// Frames in a log or segment: position, length in the log, and bytes; for padding only the header.
type Frames = Vec<(i64, usize, Vec<u8>)>;

fn take_frames(subscription: &mut Subscription, frames: &mut Frames) -> usize {
    let mut taken = 0;
    for image in subscription.images_mut() {
        taken += image.block_poll(
            |block| {
                let mut at = 0;
                while at < block.bytes.len() {
                    let length = i32::from_le_bytes(block.bytes[at..at + 4].try_into().unwrap()) as usize;
                    let is_padding = block.bytes[at + 6] == 0;
                    let shown = if is_padding { 32 } else { length };
                    let occupied = length.next_multiple_of(32);
                    frames.push((block.position.get() + at as i64, occupied, block.bytes[at..at + shown].to_vec()));
                    at += occupied;
                }
            },
            usize::MAX,
        );
    }
    taken
}

/// Every frame is in its segment, byte for byte, padding's header included, and the descriptor states what was
/// recorded.
#[test]
fn a_stream_is_recorded_frame_for_frame() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let mut recorder = rig.recorder(&storage, "aeron:ipc?alias=quotes", STREAM, small());
    let mut witness = rig.subscription("aeron:ipc", STREAM);
    let channel = "aeron:ipc?term-length=64k|mtu=1408|init-term-id=-3|term-id=-2|term-offset=96";
    let mut publication = rig.publication(channel, STREAM);
    let session_id = publication.session_id();
    let mut frames = Vec::new();
    rig.publish(&mut publication, 0..3000, || {
        recorder.do_work();
        take_frames(&mut witness, &mut frames);
    });
    let end = publication.position().unwrap();
    drop(publication);
    let stream = rig.ended(&mut recorder);
    rig.until("all read", |_| {
        take_frames(&mut witness, &mut frames);
        frames.last().is_some_and(|(position, occupied, _)| position + *occupied as i64 == end.get()).then_some(())
    });

    assert_eq!(stream.stopped, Some((end, StopReason::EndOfStream)));
    assert_eq!((stream.recorded(), stream.recording_id), (end, Some(RecordingId::new(0))));
    let recording = open(&storage, None);
    let descriptor = recording.descriptor();
    assert_eq!(
        (descriptor.start_position.get(), descriptor.stop_position, descriptor.initial_term_id.get()),
        (65_536 + 96, Some(end), -3)
    );
    assert_eq!((descriptor.session_id, descriptor.stream_id.get()), (session_id, STREAM));
    assert_eq!((descriptor.term_length.get(), descriptor.mtu.get()), (64 << 10, 1408));
    assert_eq!(descriptor.original_channel, "aeron:ipc?alias=quotes");
    assert_eq!((&*descriptor.stripped_channel, &*descriptor.source_identity), ("aeron:ipc?alias=quotes", "aeron:ipc"));
    assert!(descriptor.stop_timestamp >= Some(descriptor.start_timestamp));
    let mut padding = 0;
    for (position, _, bytes) in &frames {
        let base = descriptor.layout().base(Position::new(*position));
        let segment = storage.open(&format!("0-{base}.rec"), 128 << 10, FileAccess::ReadOnly).unwrap();
        let mut found = vec![0; bytes.len()];
        segment.bytes(RAW).get_bytes((position - base.get()) as usize, &mut found);
        assert_eq!(&found, bytes, "at {position}");
        padding += usize::from(bytes[6] == 0);
    }
    assert!(padding > 3, "{padding} frames of padding");
    assert_eq!(numbers(&recording), (0..3000).collect::<Vec<_>>());
}

#[test]
fn each_image_has_a_recording_and_one_that_fits_is_gone_on_with() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let first = rig.record(&storage, IPC, STREAM, 500);
    let (end, _) = first.stopped.unwrap();
    rig.record(&storage, IPC, STREAM, 3);
    let recording = open(&storage, Some(RecordingId::new(0)));
    let again = going_on(&recording, end);

    let mut recorder = rig.recorder(&storage, IPC, STREAM, small().extend(RecordingId::new(0)));
    let mut publication = rig.publication(&again, STREAM);
    rig.publish(&mut publication, 500..900, || work(&mut recorder));
    let session_id = publication.session_id();
    drop(publication);
    let stream = rig.ended(&mut recorder);
    assert_eq!((stream.recording_id, stream.start_position), (Some(RecordingId::new(0)), end));
    let recording = open(&storage, Some(RecordingId::new(0)));
    assert_eq!(numbers(&recording), (0..900).collect::<Vec<_>>());
    assert_eq!(recording.descriptor().session_id, session_id);
    assert_eq!(recording.stop_position(), Some(stream.recorded()));

    // The application no longer reads its subscription, which would hold the stream up otherwise.
    drop(recorder);
    // A stream that begins elsewhere does not fit the recording. The stream continues, and the recording is unchanged.
    for (channel, what) in [(IPC.to_owned(), "initial term id"), (again, "position")] {
        let mut recorder = rig.recorder(&storage, IPC, STREAM, small().extend(RecordingId::new(0)));
        let mut publication = rig.publication(&channel, STREAM);
        rig.publish(&mut publication, 0..1000, || work(&mut recorder));
        let streams = recorder.close();
        let Some((_, StopReason::Failed(reason))) = &streams[0].stopped else { panic!("{streams:?}") };
        assert!(
            reason.starts_with("recording 0 cannot be extended by this stream") && reason.contains(what),
            "{reason}"
        );
    }
    let found = open(&storage, Some(RecordingId::new(0)));
    assert_eq!(found.stop_position(), recording.stop_position());
    let other = open(&storage, None);
    assert_eq!((other.descriptor().recording_id.get(), numbers(&other).len()), (1, 3));
}

/// Another process may take long to prune or to repair a recording of the directory.
#[test]
fn streams_that_begin_or_end_while_the_directory_is_locked_hold_up_no_other() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let (mut recorder, mut one) = rig.begun(&storage);
    let mut other = rig.publication(&format!("{IPC}|session-id=77"), STREAM);
    let recorded = |recorder: &Recorder, at: usize| recorder.status().streams().get(at).map(RecordedStream::recorded);
    rig.publish(&mut other, 0..10, || work(&mut recorder));
    rig.until("both are recorded", |_| {
        recorder.do_work();
        (recorded(&recorder, 1) == other.position()).then_some(())
    });
    let lock = storage.try_lock("journal.lock", Share::Exclusive).unwrap().unwrap();
    drop(other);
    let mut late = rig.publication(&format!("{IPC}|session-id=78"), STREAM);
    rig.publish(&mut late, 0..10, || work(&mut recorder));
    rig.publish(&mut one, 10..1_000, || work(&mut recorder));
    rig.until("it goes on", |_| {
        recorder.do_work();
        (recorded(&recorder, 0) == one.position()).then_some(())
    });
    let stops = recorder.status().streams().into_iter().map(|stream| stream.stopped).collect::<Vec<_>>();
    assert_eq!(stops, [None, None]);
    assert!(recorder.trouble().is_none());
    drop(lock);
    drop(late);
    rig.until("all is recorded", |_| {
        recorder.do_work();
        let streams = recorder.status().streams();
        let is_over = |at: usize| streams.get(at).is_some_and(|stream| stream.stopped.is_some());
        (is_over(1) && is_over(2)).then_some(())
    });
    assert_eq!(recorder.messages(), 1_020);
    let stops = recorder.close().into_iter().map(|stream| stream.stopped.unwrap().1).collect::<Vec<_>>();
    // The image may be gone before the recorder has looked for the end of its stream.
    let is_over = |reason: &StopReason| matches!(reason, StopReason::EndOfStream | StopReason::ImageGone);
    assert!(stops.len() == 3 && stops[0] == StopReason::Asked && stops[1..].iter().all(is_over), "{stops:?}");
    for (id, messages) in [(0, 1_000), (1, 10), (2, 10)] {
        assert_eq!(numbers(&open(&storage, Some(RecordingId::new(id)))), (0..messages).collect::<Vec<_>>());
    }
}

/// An untethered recorder that was too slow learns in one turn that its image was gone and is back, under the same id
/// at another position.
#[test]
fn an_image_that_comes_again_has_a_recording_of_its_own() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let (tell, images) = std::sync::mpsc::channel();
    let handlers = ImageHandlers::new().available(move |image| tell.send(image.clone()).unwrap());
    let mut pending = rig.client.async_add_subscription("aeron:ipc?tether=false", STREAM, handlers).unwrap();
    let subscription = rig.until("added", |_| pending.poll().unwrap());
    let mut recorder = Recorder::new_in(Arc::new(storage.clone()), subscription, small()).unwrap();
    let mut other = rig.subscription("aeron:ipc", STREAM);
    let channel = ["window-limit", "linger", "resting"].map(|timeout| format!("|untethered-{timeout}-timeout=1ms"));
    let mut publication = rig.publication(&format!("{IPC}{}", channel.concat()), STREAM);
    let image = rig.until("an image", |_| images.try_recv().ok());
    rig.publish(&mut publication, 0..10, || _ = other.poll(|_| {}, 100));
    let slow = rig.until("recorded", |_| {
        other.poll(|_| {}, 100);
        recorder.do_work();
        let streams = recorder.status().streams();
        streams
            .first()
            .is_some_and(|stream| Some(stream.recorded()) == publication.position())
            .then(|| streams[0].clone())
    });
    // The driver and the other subscriber run; the client does not.
    let (counters, counter) = (rig.client.counters(), image.subscriber_position_id());
    let deadline = SystemClock.monotonic().saturating_add_ns(180_000_000_000);
    let mut number = 10;
    while counters.value(counter) == Some(slow.recorded().get()) {
        rig.driver.invoke();
        other.poll(|_| {}, 100);
        // Until it is far enough behind.
        if publication.position() < Some(Position::new(1 << 20)) {
            number += u64::from(publication.offer_with(&content(number), number as i64).is_ok());
        }
        assert!(SystemClock.monotonic() < deadline, "it comes again, even after three minutes");
        std::thread::yield_now();
    }
    rig.publish(&mut publication, number..number + 10, || _ = other.poll(|_| {}, 100));
    let again = rig.until("it comes again", |_| images.try_recv().ok());
    assert!(image.is_closed() && again.correlation_id() == image.correlation_id());
    let end = publication.position().unwrap();
    let streams = rig.until("recorded again", |_| {
        recorder.do_work();
        let streams = recorder.status().streams();
        streams.last().is_some_and(|stream| stream.recorded() == end).then_some(streams)
    });
    assert_eq!(streams[0].stopped, Some((slow.recorded(), StopReason::ImageGone)));
    assert_eq!((streams.len(), streams[1].start_position, &streams[1].stopped), (2, again.join_position(), &None));
    drop(recorder);
    assert_eq!(numbers(&open(&storage, streams[0].recording_id)), (0..10).collect::<Vec<_>>());
    assert_eq!(numbers(&open(&storage, streams[1].recording_id)).last(), Some(&(number + 9)));
}

#[test]
fn a_recording_is_nobody_else_s_while_it_is_made() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let (mut recorder, publication) = rig.recording(&storage, 10);
    rig.until("recorded", |_| {
        recorder.do_work();
        recorder.status().streams().first().filter(|stream| Some(stream.recorded()) == publication.position()).map(drop)
    });
    let error = Journal::open_in(Arc::new(storage.clone()), None).unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    assert_eq!(numbers(&open(&storage, None)), (0..10).collect::<Vec<_>>(), "whoever reads may");
    recorder.sync().unwrap();
    let streams = recorder.close();
    assert_eq!(streams[0].stopped, Some((publication.position().unwrap(), StopReason::Asked)));
    assert_eq!(streams[0].durable(), streams[0].recorded());
    Journal::open_in(Arc::new(storage), None).unwrap().close().unwrap();
}

/// A full disk ends a recording with that reason. What was recorded is there, and the stream continues.
#[test]
fn a_full_disk_ends_the_recording_and_not_the_stream() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let (mut recorder, mut publication) = rig.begun(&storage);
    storage.limit_space(0);
    rig.publish(&mut publication, 10..6000, || work(&mut recorder));
    let streams = recorder.status().streams();
    let Some((end, StopReason::Failed(reason))) = &streams[0].stopped else { panic!("{streams:?}") };
    assert!(reason.contains(".next") && reason.contains("space"), "{reason}");
    let numbers = numbers(&open(&storage, None));
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    assert!(end.get() >= 128 << 10 && numbers.len() > 100, "{} messages up to {end}", numbers.len());
}

/// A recording without space for its first segment is reported as well: it exists, is empty, and has ended.
#[test]
fn a_recording_for_which_there_is_no_room_at_all_is_named_and_ended() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let mut recorder = rig.recorder(&storage, IPC, STREAM, small());
    storage.limit_space(100 << 10);
    let mut publication = rig.publication(IPC, STREAM);
    rig.publish(&mut publication, 0..10, || work(&mut recorder));
    let stream = rig.ended(&mut recorder);
    let Some((stopped, StopReason::Failed(reason))) = &stream.stopped else { panic!("{stream:?}") };
    assert!(reason.contains("space") || reason.contains("bytes left"), "{reason}");
    let recording = open(&storage, None);
    assert_eq!(stream.recording_id, Some(recording.descriptor().recording_id));
    assert_eq!((*stopped, recording.stop_position()), (0.into(), Some(Position::new(0))));
    drop(recorder);
    storage.limit_space(u64::MAX);
    assert!(repair(Arc::new(storage.clone()), None, true, |_| {}).unwrap().was_whole(), "nobody was killed");

    // A recording that could not be extended ends where it did.
    let first = rig.record(&storage, IPC, STREAM + 1, 10);
    let (id, end) = (first.recording_id.unwrap(), first.recorded());
    storage.limit_space(0);
    let mut recorder = rig.recorder(&storage, IPC, STREAM + 1, small().extend(id));
    let again = going_on(&open(&storage, Some(id)), end);
    let mut publication = rig.publication(&again, STREAM + 1);
    rig.publish(&mut publication, 0..1, || work(&mut recorder));
    let stopped = rig.ended(&mut recorder).stopped;
    let Some((_, StopReason::Failed(reason))) = &stopped else { panic!("{stopped:?}") };
    assert!(reason.contains(".next"), "{reason}");
    assert_eq!(open(&storage, Some(id)).stop_position(), Some(end));
}

/// A recorder killed at any time leaves complete frames: what was recorded is there, what it had begun is not, and the
/// recording can be extended.
#[test]
fn what_a_killed_recorder_had_begun_is_cleared_away() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let (mut recorder, publication) = rig.recording(&storage, 500);
    let end = rig.until("recorded", |_| {
        recorder.do_work();
        let recorded = recorder.status().streams().first().map(RecordedStream::recorded);
        recorded.filter(|&recorded| Some(recorded) == publication.position())
    });
    let killed = storage.after_kill();
    // A block that was being copied: all of it except the words that commit it.
    let base = open(&killed, None).descriptor().layout().base(end);
    let offset = (end.get() - base.get()) as usize;
    // Under either name, since it is renamed a moment after the first frame.
    let names = ["rec", "next"].map(|suffix| format!("0-{base}.{suffix}"));
    let segment = names.iter().find_map(|name| killed.open(name, 128 << 10, FileAccess::ReadWrite).ok()).unwrap();
    segment.bytes(RAW).put_bytes(offset + 8, &[0xEE; 3000]);

    let journal = Journal::open_in(Arc::new(killed.clone()), None).unwrap();
    assert_eq!((journal.recovery().end, &journal.recovery().padded[..]), (end, &[][..]));
    let mut rest = vec![1; 4096];
    segment.bytes(RAW).get_bytes(offset, &mut rest);
    assert_eq!(rest, [0; 4096]);
    assert_eq!(numbers(&journal.recording().unwrap()), (0..500).collect::<Vec<_>>());
}

/// Frames of a replay, with the session id and stream id of the recording.
fn as_recorded(frames: Frames, recording: &Recording) -> Frames {
    let descriptor = recording.descriptor();
    let readdress = |(position, occupied, mut bytes): (i64, usize, Vec<u8>)| {
        bytes[12..16].copy_from_slice(&descriptor.session_id.get().to_le_bytes());
        bytes[16..20].copy_from_slice(&descriptor.stream_id.get().to_le_bytes());
        (position, occupied, bytes)
    };
    frames.into_iter().map(readdress).collect()
}

/// Replays, and returns the frames that a subscriber receives.
fn replayed(rig: &mut Rig, recording: &Recording, channel: &str, options: ReplayOptions) -> Frames {
    let mut subscription = rig.subscription(channel, 2002);
    let mut replayer = Replayer::new(&rig.client, recording.clone(), channel, 2002, options).unwrap();
    let mut frames = Vec::new();
    let from = replayer.position().get();
    rig.until("replayed", |_| {
        replayer.do_work().unwrap();
        take_frames(&mut subscription, &mut frames);
        let reached = frames.last().map_or(from, |(position, occupied, _)| position + *occupied as i64);
        (replayer.state() == ReplayState::Done && reached == replayer.position().get()).then_some(())
    });
    frames
}

fn udp() -> String {
    format!("aeron:udp?endpoint=127.0.0.1:{}", free_port().unwrap())
}

#[test]
fn a_replay_is_the_recording_frame_for_frame() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let mut recorder = rig.recorder(&storage, IPC, STREAM, small());
    let mut witness = rig.subscription(IPC, STREAM);
    let channel = format!("{IPC}|init-term-id=7|term-id=9|term-offset=64000");
    let mut publication = rig.publication(&channel, STREAM);
    let mut frames = Vec::new();
    rig.publish(&mut publication, 0..1500, || {
        recorder.do_work();
        take_frames(&mut witness, &mut frames);
    });
    let end = publication.position().unwrap();
    drop(publication);
    rig.ended(&mut recorder);
    rig.until("all read", |_| {
        take_frames(&mut witness, &mut frames);
        frames.last().is_some_and(|(position, occupied, _)| position + *occupied as i64 == end.get()).then_some(())
    });

    let recording = open(&storage, None);
    for channel in ["aeron:ipc".to_owned(), udp()] {
        let all = replayed(&mut rig, &recording, &channel, ReplayOptions::new());
        assert!(as_recorded(all, &recording) == frames, "over {channel}");
        // From the start of a frame in the middle to that of another.
        let (from, to) = (frames[700].0, frames[1100].0);
        let options =
            ReplayOptions::new().from(Start::Position(from.into())).end(ReplayEnd::Before(Start::Position(to.into())));
        let some = replayed(&mut rig, &recording, &channel, options);
        assert!(as_recorded(some, &recording) == frames[700..1100], "over {channel}");
    }
    let nowhere = ReplayOptions::new().from(Start::Position((frames[3].0 + 32).into()));
    let error = Replayer::new(&rig.client, recording.clone(), "aeron:ipc", 1, nowhere).unwrap_err();
    assert!(matches!(error, ReplayError::Journal(JournalError::Position { .. })), "{error}");
    let error = Replayer::new(&rig.client, recording, "quotes", 1, ReplayOptions::new()).unwrap_err();
    assert!(matches!(error, ReplayError::Channel { .. }), "{error}");
}

/// A recording of an archive is replayed as the archive would, with or without checksums in place of session ids: frame
/// by frame, from its start in the middle of a term, over IPC and UDP.
#[test]
fn what_an_archive_recorded_is_replayed() {
    let mut rig = Rig::new();
    for checksums in [false, true] {
        let mut descriptor = archive::Descriptor::new(3, 70_016);
        let segments = archive::recorded(&descriptor, 1_000, checksums);
        descriptor.stop_position = segments.position;
        let storage = segments.store(&archive::catalog(&[&descriptor], 4, 1 << 20));
        let recording = open(&storage, None);
        for channel in ["aeron:ipc".to_owned(), udp()] {
            let found = as_recorded(replayed(&mut rig, &recording, &channel, ReplayOptions::new()), &recording);
            let mut position = 70_016;
            for (at, occupied, bytes) in &found {
                assert_eq!(*at, position, "without a gap");
                let base = recording.descriptor().layout().base(Position::new(position));
                let from = (position - base.get()) as usize;
                let mut expected = segments.files[&format!("3-{base}.rec")][from..from + bytes.len()].to_vec();
                // The value that a checksum replaced.
                expected[12..16].copy_from_slice(&descriptor.session_id.to_le_bytes());
                assert_eq!(bytes, &expected, "at {position} over {channel}");
                position += *occupied as i64;
            }
            assert_eq!(position, segments.position);
        }
    }
}

/// A stream has no gaps: everything that reads a recording into a stream ends before a frame with changed bits, unless
/// verification is off.
#[test]
fn bits_that_flipped_are_not_replayed() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let end = rig.record(&storage, IPC, STREAM, 1500).recorded();
    let recording = open(&storage, None);
    let whole = as_recorded(replayed(&mut rig, &recording, "aeron:ipc", ReplayOptions::new()), &recording);
    let padding = whole.iter().position(|(_, occupied, bytes)| *occupied > bytes.len().next_multiple_of(32)).unwrap();
    // A bit of a payload, of a payload that begins a run, and of something that is not otherwise read: the reserved
    // value of padding.
    for (frame, byte) in [(700, 40), (0, 40), (padding, 24)] {
        let place = Position::new(whole[frame].0);
        let base = recording.descriptor().layout().base(place);
        let segment = storage.open(&format!("0-{base}.rec"), 128 << 10, FileAccess::ReadWrite).unwrap();
        let at = (place.get() - base.get()) as usize + byte;
        let flip = || {
            let mut bits = [0];
            segment.bytes(RAW).get_bytes(at, &mut bits);
            segment.bytes(RAW).put_bytes(at, &[bits[0] ^ 4]);
        };
        flip();
        let mut subscription = rig.subscription("aeron:ipc", 2002);
        let mut replayer =
            Replayer::new(&rig.client, recording.clone(), "aeron:ipc", 2002, ReplayOptions::new()).unwrap();
        let error = rig.until("told", |_| {
            subscription.poll(|_| {}, 1000);
            replayer.do_work().err()
        });
        let ReplayError::Journal(JournalError::Damaged(damage)) = &error else { panic!("{error}") };
        assert_eq!((damage.position, replayer.position()), (place, place));
        drop(subscription);
        assert!(matches!(damage.fault, Fault::Checksum { found, expected } if found != expected), "{damage}");

        let mut merge = ReplayMerge::new(recording.clone(), Start::Begin, IPC, STREAM).unwrap();
        let error = rig.until("told", |rig| merge.poll(&rig.client, |_| {}, 10).err());
        assert!(matches!(&error, MergeError::Journal(JournalError::Damaged(same)) if same == damage), "{error}");
        assert_eq!(merge.position(), place);

        // Without verification.
        let unseen = replayed(&mut rig, &recording, "aeron:ipc", ReplayOptions::new().verify(false));
        let mut expected = whole.clone();
        expected[frame].2[byte] ^= 4;
        assert!(as_recorded(unseen, &recording) == expected, "byte {byte} of frame {frame}");
        let mut merge = ReplayMerge::new(recording.clone(), Start::Begin, IPC, STREAM).unwrap().verify(false);
        rig.until("handed over", |rig| {
            merge.poll(&rig.client, |_| {}, 10).unwrap();
            (merge.position() == end).then_some(())
        });
        flip();
    }
    assert!(replayed(&mut rig, &recording, "aeron:ipc", ReplayOptions::new()).len() == whole.len(), "whole again");

    // Without checksums nothing can be verified.
    for name in storage.names().unwrap().iter().filter(|name| name.ends_with(".index")) {
        storage.remove(name).unwrap();
    }
    assert_eq!(replayed(&mut rig, &recording, "aeron:ipc", ReplayOptions::new()).len(), whole.len());
}

/// The replay would wait there for ever.
#[test]
fn a_replay_says_that_its_recording_ends_inside_a_frame() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let end = rig.record(&storage, IPC, STREAM, 100).recorded();
    let catalog = Catalog::open(&storage, FileAccess::ReadWrite).unwrap();
    let stop = Position::new(end.get() - 32);
    catalog.set_stop(&catalog.find(RecordingId::new(0)).unwrap(), Some((stop, SystemClock.epoch()))).unwrap();
    let mut subscription = rig.subscription("aeron:ipc", 2002);
    let recording = open(&storage, None);
    let mut replayer = Replayer::new(&rig.client, recording, "aeron:ipc", 2002, ReplayOptions::new()).unwrap();
    let error = rig.until("told", |_| {
        subscription.poll(|_| {}, 1000);
        replayer.do_work().err()
    });
    let ReplayError::Journal(JournalError::Position { position, .. }) = error else { panic!("{error}") };
    assert_eq!(position, stop);
}

/// A replay follows a recording that grows, and ends where the recording ends.
#[test]
fn a_replay_follows_its_recording() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let (mut recorder, mut publication) = rig.begun(&storage);
    let mut subscription = rig.subscription("aeron:ipc", 2002);
    let options = ReplayOptions::new().end(ReplayEnd::Follow);
    let mut replayer = Replayer::new(&rig.client, open(&storage, None), "aeron:ipc", 2002, options).unwrap();
    let mut received = Vec::new();
    let mut assembler = FragmentAssembler::new();
    for round in 0..20_u64 {
        rig.publish(&mut publication, 10 + round * 50..60 + round * 50, || work(&mut recorder));
        rig.until("caught up", |_| {
            recorder.do_work();
            replayer.do_work().unwrap();
            subscription
                .poll(assembler.assemble(|message: Fragment<'_>| received.push(number_of(message.payload()))), 100);
            (received.len() as u64 == 60 + round * 50).then_some(())
        });
        assert_eq!(replayer.state(), ReplayState::Replaying);
    }
    let end = publication.position();
    drop(publication);
    rig.ended(&mut recorder);
    rig.until("done", |_| {
        replayer.do_work().unwrap();
        (replayer.state() == ReplayState::Done).then_some(())
    });
    assert_eq!((Some(replayer.position()), received), (end, (0..1010).collect()));
}

/// The pace is that of the recording times a factor: frames that are due are published, and no others.
#[test]
fn a_replay_keeps_the_recorded_pace() {
    const SECOND: i64 = 1_000_000_000;
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let mut recorder = rig.recorder(&storage, IPC, STREAM, small());
    let mut publication = rig.publication(IPC, STREAM);
    let mut starts = vec![0];
    for second in 0..5_u64 {
        rig.publish(&mut publication, second * 100..second * 100 + 100, || ());
        let now = EpochNanos::new(1_700_000_000 * SECOND + second as i64 * SECOND);
        rig.until("recorded", |_| {
            recorder.do_work_at(now);
            let streams = recorder.status().streams();
            streams.first().filter(|stream| Some(stream.recorded()) == publication.position()).map(drop)
        });
        starts.push(publication.position().unwrap().get());
    }
    recorder.close();
    let recording = open(&storage, None);
    for scale in [1.0, 2.0, 0.5] {
        let mut subscription = rig.subscription("aeron:ipc", 2002);
        let options = ReplayOptions::new().speed(Speed::Scaled(scale));
        let mut replayer = Replayer::new(&rig.client, recording.clone(), "aeron:ipc", 2002, options).unwrap();
        let start = MonotonicNanos::new(77);
        let second = |number: i64| (number as f64 * SECOND as f64 / scale) as i64;
        for number in 0..5 {
            // Just before the second is over, and when it is over: nothing is due before, and everything then.
            let due = starts[number as usize + 1];
            for (now, expected) in [(second(number) - 1, starts[number as usize]), (second(number), due)] {
                if now < 0 {
                    continue;
                }
                rig.until("published", |_| {
                    replayer.do_work_at(start.saturating_add_ns(now)).unwrap();
                    subscription.poll(|_| {}, 1000);
                    (replayer.position().get() >= expected).then_some(())
                });
                for _ in 0..10 {
                    replayer.do_work_at(start.saturating_add_ns(now)).unwrap();
                    rig.turn();
                    subscription.poll(|_| {}, 1000);
                }
                assert_eq!(replayer.position().get(), expected, "at {now} ns, {scale} times as fast");
            }
        }
        rig.until("done", |_| {
            replayer.do_work_at(start.saturating_add_ns(second(4))).unwrap();
            (replayer.state() == ReplayState::Done).then_some(())
        });
    }
    // Also by time: the third second begins where it was recorded.
    let from = Start::Time(EpochNanos::new(1_700_000_000 * SECOND + 2 * SECOND));
    let replayer = Replayer::new(&rig.client, recording.clone(), "aeron:ipc", 2002, ReplayOptions::new().from(from));
    assert_eq!(replayer.unwrap().position().get(), starts[2]);
    // Also with a tailer, whose records have the times at which they were recorded, in whatever order they are read.
    let at = |second: i64| EpochNanos::new(1_700_000_000 * SECOND + second * SECOND);
    for second in 0..5 {
        for time in [at(second), EpochNanos::new(at(second).get() - 1)] {
            let mut tailer = recording.tailer(Start::Time(time)).unwrap();
            assert_eq!((tailer.position().get(), tailer.sequence()), (starts[second as usize], Some(second * 100)));
            assert_eq!(tailer.next().unwrap().unwrap().time(), Some(at(second)));
        }
    }
    let mut tailer = recording.tailer(Start::Time(at(5))).unwrap();
    assert_eq!(tailer.position(), recording.stop_position().unwrap(), "behind the last");
    for number in (0..500).rev() {
        assert_eq!(tailer.previous().unwrap().unwrap().time(), Some(at(number / 100)), "message {number}");
    }

    for name in storage.names().unwrap().iter().filter(|name| name.contains(".times")) {
        storage.remove(name).unwrap();
    }
    let error = recording.tailer(Start::Time(at(2))).unwrap_err();
    assert!(matches!(error, JournalError::NoTimes { .. }), "{error}");
    assert_eq!(recording.tailer(Start::Begin).unwrap().next().unwrap().unwrap().time(), None);
    for (scale, expected) in [(1.0, "does not say when"), (0.0, "more than 0"), (f64::NAN, "more than 0")] {
        let options = ReplayOptions::new().speed(Speed::Scaled(scale));
        let error = Replayer::new(&rig.client, recording.clone(), "aeron:ipc", 2002, options).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// What was recorded after the recorder's clock was set back has a pace, too.
#[test]
fn a_replay_keeps_the_pace_of_a_clock_that_was_set_back() {
    const SECOND: i64 = 1_000_000_000;
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let mut recorder = rig.recorder(&storage, IPC, STREAM, small());
    let mut publication = rig.publication(IPC, STREAM);
    let mut ends = Vec::new();
    for (number, second) in (0_u64..).zip([5000, 5001, 4000, 4001, 4002]) {
        rig.publish(&mut publication, number * 10..number * 10 + 10, || ());
        rig.until("recorded", |_| {
            recorder.do_work_at(EpochNanos::new(second * SECOND));
            let streams = recorder.status().streams();
            streams.first().filter(|stream| Some(stream.recorded()) == publication.position()).map(drop)
        });
        ends.push(publication.position().unwrap());
    }
    recorder.close();
    let recording = open(&storage, None);
    let mut subscription = rig.subscription("aeron:ipc", 2002);
    let options = ReplayOptions::new().speed(Speed::RECORDED);
    let mut replayer = Replayer::new(&rig.client, recording, "aeron:ipc", 2002, options).unwrap();
    let start = MonotonicNanos::new(77);
    // No time passes between the last frame before the step and the first one after it.
    for (second, expected) in [(0, ends[0]), (1, ends[2]), (2, ends[3]), (3, ends[4])] {
        for (now, expected) in [(second * SECOND - 1, replayer.position()), (second * SECOND, expected)] {
            if now < 0 {
                continue;
            }
            let mut turn = |rig: &mut Rig| {
                replayer.do_work_at(start.saturating_add_ns(now)).unwrap();
                subscription.poll(|_| {}, 1000);
                rig.turn();
                replayer.position()
            };
            rig.until("published", |rig| (turn(rig) >= expected).then_some(()));
            (0..10).for_each(|_| _ = turn(&mut rig));
            assert_eq!(turn(&mut rig), expected, "at {now} ns");
        }
    }
}

/// A pseudo-random generator with a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// In whatever order events happen, a late joiner gets every message from its start on, once and in order.
fn merges(rig: &mut Rig, seed: u64, channel: &str, stream_id: i32) {
    const MESSAGES: u64 = 1500;
    let mut random = Random(seed);
    let storage = MemoryStorage::new(RAW);
    let channel = format!("{channel}|term-length=64k|mtu=1408");
    let mut recorder = rig.recorder(&storage, &channel, stream_id, small());
    let mut publication = rig.publication(&channel, stream_id);
    let joins_at = 1 + random.below(MESSAGES - 200);
    let first = random.below(joins_at + 1);
    let slow = random.below(4) == 0;
    let mut merge: Option<ReplayMerge> = None;
    let (mut sent, mut received) = (0, Vec::new());
    let mut assembler = FragmentAssembler::new();
    let deadline = SystemClock.monotonic().saturating_add_ns(180_000_000_000);
    while received.last() != Some(&(MESSAGES - 1)) {
        assert!(SystemClock.monotonic() < deadline, "seed {seed}: {sent} sent, {} received, {merge:?}", received.len());
        match random.below(if slow { 12 } else { 6 }) {
            0 | 1 => {
                for _ in 0..random.below(40) {
                    if sent == MESSAGES || publication.offer_with(&content(sent), sent as i64).is_err() {
                        break;
                    }
                    sent += 1;
                }
            }
            2 => work(&mut recorder),
            3 => rig.turn(),
            _ => {
                let limit = 1 + random.below(30) as usize;
                if let Some(merge) = &mut merge {
                    let handler =
                        assembler.assemble(|message: Fragment<'_>| received.push(number_of(message.payload())));
                    merge.poll(&rig.client, handler, limit).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                } else if sent >= joins_at {
                    let recorded = recorder.status().streams().first().is_some_and(|stream| {
                        let numbers = numbers(&open(&storage, stream.recording_id));
                        numbers.contains(&first)
                    });
                    if recorded {
                        let start = Start::Sequence(first as i64);
                        merge = Some(ReplayMerge::new(open(&storage, None), start, &channel, stream_id).unwrap());
                    }
                }
            }
        }
        std::thread::yield_now();
    }
    assert_eq!(received, (first..MESSAGES).collect::<Vec<_>>(), "seed {seed}");
    let mut merge = merge.unwrap();
    rig.until("live", |rig| {
        recorder.do_work();
        merge.poll(&rig.client, |_| panic!("nothing more was sent"), 10).unwrap();
        (merge.state() == MergeState::Live).then_some(())
    });
    assert_eq!(Some(merge.position()), publication.position());
    drop(publication);
    rig.until("ended", |rig| {
        recorder.do_work();
        merge.poll(&rig.client, |_| panic!("nothing more was sent"), 10).unwrap();
        (merge.state() == MergeState::Ended).then_some(())
    });
}

#[test]
fn a_late_joiner_misses_nothing_over_ipc() {
    let mut rig = Rig::new();
    for seed in 0..24 {
        merges(&mut rig, seed, "aeron:ipc?alias=quotes", 3000 + seed as i32);
    }
}

#[test]
fn a_late_joiner_misses_nothing_over_udp() {
    let mut rig = Rig::new();
    for seed in 0..8 {
        merges(&mut rig, seed, &udp(), 4000 + seed as i32);
    }
}

/// Messages that were not recorded cannot be delivered, and are not skipped silently.
#[test]
fn a_gap_between_history_and_the_live_stream_is_an_error() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let mut recorder = rig.recorder(&storage, IPC, STREAM, small());
    let mut other = rig.subscription(IPC, STREAM);
    let mut publication = rig.publication(IPC, STREAM);
    rig.publish(&mut publication, 0..50, || work(&mut recorder));
    rig.until("recorded", |_| {
        recorder.do_work();
        recorder.status().streams().first().filter(|stream| Some(stream.recorded()) == publication.position()).map(drop)
    });
    let recorded = recorder.close()[0].recorded();
    rig.publish(&mut publication, 50..500, || {
        other.poll(|_| {}, 100);
    });
    rig.until("read", |_| {
        other.poll(|_| {}, 100);
        (Some(other.images()[0].position()) == publication.position()).then_some(())
    });
    let mut merge = ReplayMerge::new(open(&storage, None), Start::Begin, IPC, STREAM).unwrap();
    let mut fragments = 0;
    let error = rig.until("told", |rig| merge.poll(&rig.client, |_| fragments += 1, 10).err());
    let Some(joined) = publication.position() else { panic!("it is open") };
    assert!(
        matches!(error, MergeError::Gap { recorded: end, joined: live } if (end, live) == (recorded, joined)),
        "{error}"
    );
    assert!(merge.is_at_end_of_recording() && fragments >= 50);
}

/// A recorder that was killed records no more, though it does not report that.
#[test]
fn a_gap_behind_a_recorder_that_was_killed_is_an_error() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let mut other = rig.subscription(IPC, STREAM);
    let (mut recorder, mut publication) = rig.begun(&storage);
    rig.until("recorded", |_| {
        recorder.do_work();
        recorder.status().streams().first().filter(|stream| Some(stream.recorded()) == publication.position()).map(drop)
    });
    let recorded = publication.position().unwrap();
    // As if it was killed now.
    let left = storage.after_kill();
    drop(recorder);
    let read = |other: &mut Subscription| _ = other.poll(|_| {}, 100);
    rig.publish(&mut publication, 10..20, || read(&mut other));
    let live = publication.position().unwrap();
    rig.until("read", |_| {
        read(&mut other);
        (other.images()[0].position() == live).then_some(())
    });
    let mut merge = ReplayMerge::new(open(&left, None), Start::Begin, IPC, STREAM).unwrap();
    let mut fragments = 0;
    let error = rig.until("told", |rig| merge.poll(&rig.client, |_| fragments += 1, 10).err());
    assert!(matches!(error, MergeError::Gap { recorded: end, joined } if (end, joined) == (recorded, live)), "{error}");
    assert_eq!((fragments, merge.recording().stop_position()), (10, None));
}

impl Rig {
    /// Ends the driver, and returns the client.
    fn without_driver(self) -> Client {
        self.driver.close().unwrap();
        self.client
    }

    /// A recorded stream that continues, and a merge of it that has delivered what is recorded and is in this state.
    fn merge(&mut self, storage: &MemoryStorage, state: MergeState) -> (ReplayMerge, Recorder, ExclusivePublication) {
        let (mut recorder, publication) = self.begun(storage);
        let mut merge = ReplayMerge::new(open(storage, None), Start::Begin, IPC, STREAM).unwrap();
        self.until("in this state", |rig| {
            recorder.do_work();
            merge.poll(&rig.client, |_| {}, 100).unwrap();
            (merge.state() == state).then_some(())
        });
        (merge, recorder, publication)
    }
}

/// The recorded publication has ended, and another one continues the recording: the merge has not read all of the former
/// yet, has asked for its image, or waits for it.
#[test]
fn a_merge_joins_the_session_that_goes_on_with_the_recording() {
    for polls in [0, 1, 2, 50] {
        let mut rig = Rig::new();
        let storage = MemoryStorage::new(RAW);
        let (end, _) = rig.record(&storage, IPC, STREAM, 150).stopped.unwrap();
        let recording = open(&storage, None);
        let mut merge = ReplayMerge::new(recording.clone(), Start::Begin, IPC, STREAM).unwrap();
        let former = merge.session_id();
        let mut assembler = FragmentAssembler::new();
        let mut received = Vec::new();
        let mut poll = |rig: &Rig, merge: &mut ReplayMerge, limit| {
            let keep = |message: Fragment<'_>| received.push((number_of(message.payload()), message.session_id()));
            merge.poll(&rig.client, assembler.assemble(keep), limit).unwrap();
            received.len()
        };
        // The last message has several frames, one of which is left for later.
        if polls > 0 {
            while merge.position().get() < end.get() - 2000 {
                poll(&rig, &mut merge, 1);
            }
        }
        for _ in 1..polls {
            (0..10).for_each(|_| rig.turn());
            poll(&rig, &mut merge, 10);
        }
        let mut recorder = rig.recorder(&storage, IPC, STREAM, small().extend(RecordingId::new(0)));
        let mut publication = rig.publication(&going_on(&recording, end), STREAM);
        rig.publish(&mut publication, 150..160, || work(&mut recorder));
        rig.until("live", |rig| {
            recorder.do_work();
            poll(rig, &mut merge, 3);
            (merge.state() == MergeState::Live).then_some(())
        });
        assert_eq!((merge.session_id(), merge.position()), (publication.session_id(), publication.position().unwrap()));
        rig.publish(&mut publication, 160..200, || work(&mut recorder));
        rig.until("received", |rig| {
            recorder.do_work();
            (poll(rig, &mut merge, 10) == 200).then_some(())
        });
        assert_eq!(received.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
        let sessions: Vec<_> = received.iter().map(|(_, session_id)| *session_id).collect();
        assert!(sessions.is_sorted_by_key(|session_id| *session_id != former), "{sessions:?}");
        assert!(sessions[150..].iter().all(|session_id| *session_id == publication.session_id()), "{sessions:?}");
        drop(publication);
        rig.until("ended", |rig| {
            recorder.do_work();
            merge.poll(&rig.client, |_| panic!("nothing more was sent"), 10).unwrap();
            (merge.state() == MergeState::Ended).then_some(())
        });
    }
}

/// Runs a client until `poll` returns something.
fn until<T>(client: &Client, what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = SystemClock.monotonic().saturating_add_ns(180_000_000_000);
    loop {
        client.invoke();
        if let Some(found) = poll() {
            return found;
        }
        assert!(SystemClock.monotonic() < deadline, "{what}, even after three minutes");
        std::thread::yield_now();
    }
}

/// Without the error, the application would wait for the live stream for ever.
#[test]
fn a_merge_says_that_the_driver_was_lost() {
    for (subscribes, live) in [(false, false), (true, false), (true, true)] {
        let mut rig = Rig::new();
        let storage = MemoryStorage::new(RAW);
        let state = if live { MergeState::Live } else { MergeState::Joining };
        let (mut merge, recorder, publication) = rig.merge(&storage, state);
        if !live {
            // Nothing is published that it could wait for.
            drop((recorder, publication));
            merge = ReplayMerge::new(open(&storage, None), Start::Begin, IPC, STREAM + 1).unwrap();
            merge.poll(&rig.client, |_| {}, 100).unwrap();
            if subscribes {
                (0..10).for_each(|_| rig.turn());
            }
            merge.poll(&rig.client, |_| {}, 100).unwrap();
            assert_eq!(merge.state(), state);
        }
        let end = merge.position();
        let client = rig.without_driver();
        let handler = |_: Fragment<'_>| panic!("nothing more was sent");
        let error = until(&client, "told", || merge.poll(&client, handler, 100).err());
        assert!(matches!(error, MergeError::DriverLost { position } if position == end), "{error}");
        assert!(end.get() > 0 && merge.position() == end, "{end}");
        assert_eq!(merge.state(), MergeState::Ended);
    }
}

/// What has ended and was read to its end is whole, whatever became of the driver since.
#[test]
fn a_merge_that_was_handed_the_whole_stream_needs_no_driver() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let (mut merge, mut recorder, publication) = rig.merge(&storage, MergeState::Live);
    let end = publication.position().unwrap();
    drop(publication);
    rig.ended(&mut recorder);
    let client = rig.without_driver();
    until(&client, "lost", || (!client.is_connected()).then_some(()));
    assert_eq!(merge.poll(&client, |_| panic!("nothing more was sent"), 100).unwrap(), 0);
    assert_eq!((merge.state(), merge.position()), (MergeState::Ended, end));
}

/// The merge also reports this if its client has another driver by the time it checks: that driver's streams are
/// different ones.
#[test]
fn a_merge_does_not_go_on_at_another_driver() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let (mut merge, _, _) = rig.merge(&storage, MergeState::Live);
    let end = merge.position();
    let driver = std::mem::replace(&mut rig.driver, Rig::new().driver);
    let dir = driver.dir().to_owned();
    driver.close().unwrap();
    until(&rig.client, "lost", || (!rig.client.is_connected()).then_some(()));
    let mut config = DriverConfig::for_profile(Profile::Frugal);
    config.threads.mode = ThreadingMode::Invoker;
    config.directory.dir = Some(dir);
    config.directory.delete_on_shutdown = true;
    rig.driver = MediaDriver::launch(config).unwrap();
    assert!(rig.client.reconnect());
    rig.until("reconnected", |rig| rig.client.is_connected().then_some(()));
    (0..100).for_each(|_| rig.turn());
    let error = merge.poll(&rig.client, |_| panic!("nothing more was sent"), 100).unwrap_err();
    assert!(matches!(error, MergeError::DriverLost { position } if position == end), "{error}");
}

/// An untethered image that was too slow is added again at a later position: the messages that it missed would be lost.
#[test]
fn a_merge_does_not_go_on_with_an_image_that_came_again() {
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let mut recorder = rig.recorder(&storage, IPC, STREAM, small());
    let untethered = ["window-limit", "linger", "resting"].map(|timeout| format!("|untethered-{timeout}-timeout=1ms"));
    let mut publication = rig.publication(&format!("{IPC}{}", untethered.concat()), STREAM);
    rig.publish(&mut publication, 0..10, || work(&mut recorder));
    rig.until("begun", |_| {
        recorder.do_work();
        recorder.is_recording().then_some(())
    });
    let channel = "aeron:ipc?tether=false|alias=slow";
    let mut merge = ReplayMerge::new(open(&storage, None), Start::Begin, channel, STREAM).unwrap();
    rig.until("live", |rig| {
        recorder.do_work();
        merge.poll(&rig.client, |_| {}, 100).unwrap();
        (merge.state() == MergeState::Live).then_some(())
    });
    let end = merge.position();
    let counters = rig.client.counters();
    let mut slow = Vec::new();
    counters.for_each(|counter| {
        if counter.type_id == type_id::SUBSCRIBER_POSITION && counter.label.to_string().contains("alias=slow") {
            slow.push(counter.id);
        }
    });
    let [counter] = slow[..] else { panic!("{slow:?}") };
    let deadline = SystemClock.monotonic().saturating_add_ns(180_000_000_000);
    let mut number = 10;
    while counters.value(counter) == Some(end.get()) {
        rig.driver.invoke();
        recorder.do_work();
        if publication.position() < Some(Position::new(1 << 20)) {
            number += u64::from(publication.offer_with(&content(number), number as i64).is_ok());
        }
        assert!(SystemClock.monotonic() < deadline, "it comes again, even after three minutes");
        std::thread::yield_now();
    }
    rig.publish(&mut publication, number..number + 10, || work(&mut recorder));
    (0..100).for_each(|_| rig.turn());
    let fragments = merge.poll(&rig.client, |_| {}, 100).unwrap();
    assert_eq!((fragments, merge.state(), merge.position()), (0, MergeState::Ended, end));
}

/// A fragment whose handler panics counts as delivered, and so do those before it.
#[test]
fn a_merge_hands_nothing_over_twice_when_its_handler_panics() {
    const MESSAGES: u64 = 200;
    let mut rig = Rig::new();
    let storage = MemoryStorage::new(RAW);
    let (mut recorder, publication) = rig.recording(&storage, MESSAGES);
    let mut merge = ReplayMerge::new(open(&storage, None), Start::Begin, IPC, STREAM).unwrap();
    let (mut received, mut panics) = (Vec::new(), 0);
    let mut poll = |rig: &mut Rig| {
        rig.until("received", |rig| {
            recorder.do_work();
            let handler = |fragment: Fragment<'_>| {
                received.push((fragment.reserved_value(), fragment.position()));
                assert!(received.len() % 7 > 0, "every seventh");
            };
            let poll = std::panic::AssertUnwindSafe(|| merge.poll(&rig.client, handler, 100).unwrap());
            panics += u32::from(std::panic::catch_unwind(poll).is_err());
            let last = received.last().map(|(_, position)| *position);
            assert_eq!(last.unwrap_or_default(), merge.position());
            (last == publication.position()).then_some(merge.state())
        })
    };
    while poll(&mut rig) != MergeState::Live {}
    assert!(panics > 20, "{panics}");
    let mut whole = received.clone();
    whole.sort_unstable();
    whole.dedup();
    assert_eq!(whole, received);
    assert_eq!(received.last().map(|(number, _)| *number), Some(MESSAGES as i64 - 1));
}

/// Its subscribers are not gone: they cannot be reached.
#[test]
fn a_replay_says_that_the_driver_was_lost() {
    for state in [ReplayState::Adding, ReplayState::Waiting, ReplayState::Replaying] {
        let mut rig = Rig::new();
        let storage = MemoryStorage::new(RAW);
        rig.record(&storage, IPC, STREAM, 2000);
        let options = ReplayOptions::new();
        let mut replayer = Replayer::new(&rig.client, open(&storage, None), "aeron:ipc", 2002, options).unwrap();
        let subscription = (state == ReplayState::Replaying).then(|| rig.subscription("aeron:ipc", 2002));
        if state != ReplayState::Adding {
            rig.until("in this state", |_| {
                replayer.do_work().unwrap();
                (replayer.state() == state).then_some(())
            });
        }
        if state == ReplayState::Replaying {
            // As far as there is room.
            while replayer.do_work().unwrap() > 0 {}
            assert!(replayer.position().get() > 0);
        }
        let position = replayer.position();
        let client = rig.without_driver();
        let error = until(&client, "told", || replayer.do_work().err());
        assert!(matches!(error, ReplayError::DriverLost { position: told } if told == position), "{state:?}: {error}");
        drop(subscription);
    }
}
