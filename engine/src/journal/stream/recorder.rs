//! The recorder: records every image of a subscription in a journal's directory, each as a recording of its own. The
//! application calls it on a duty cycle of its choice, or gives it a thread. It never blocks a publisher for longer
//! than a copy takes. If a recording cannot continue, the stream does.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::agent::{Agent, Finished};
use crate::client::{Image, ImageInfo, Subscription};
use crate::memory::FileAccess;
use crate::time::{Clock, EpochNanos, SystemClock};
use crate::types::{Mtu, RecordingId, TermLength};

use super::super::catalog::{Catalog, CatalogEntry};
use super::super::control::Chosen;
use super::super::creation;
use super::super::descriptor::RecordingDescriptor;
use super::super::error::JournalError;
use super::super::journal::Journal;
use super::super::locks::{Waiting, lock_opening, lock_writing};
use super::super::mark::refuse_archive;
use super::super::options::SyncPolicy;
use super::super::retention::Retention;
use super::super::segment::SegmentLength;
use super::super::storage::{Directory, Lock, Share, Storage};
use super::super::writer::MOST_BLOCK;
use super::channel;
use super::recorder_status::{RecordedStream, RecorderStatus, StopReason};
use super::tape::Tape;

/// The number of blocks of an image that are recorded before the next image's turn.
const BLOCKS_PER_TURN: usize = 16;

/// The settings of a [`Recorder`].
#[derive(Clone, Debug)]
pub struct RecorderOptions {
    segment_length: i64,
    sync: SyncPolicy,
    extend: Option<RecordingId>,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        Self { segment_length: 64 << 20, sync: SyncPolicy::None, extend: None }
    }
}

impl RecorderOptions {
    /// The default settings: segments of 64 MiB, no syncs, new recordings.
    pub fn new() -> Self {
        Self::default()
    }

    /// The length of a segment file in bytes: a power of two up to 1 GiB. A stream with longer terms gets segments of
    /// one term. Default 64 MiB.
    #[must_use]
    pub fn segment_length(mut self, bytes: i64) -> Self {
        self.segment_length = bytes;
        self
    }

    /// When recorded data is synced to stable storage. Default [`SyncPolicy::None`]. [`SyncPolicy::EveryAppend`] syncs
    /// after every block. Closing the recorder syncs the active recordings in any case. With `None`, a stream that ends
    /// before that is not synced, and a loss of power soon afterwards can damage its recording.
    #[must_use]
    pub fn sync(mut self, policy: SyncPolicy) -> Self {
        self.sync = policy;
        self
    }

    /// Extends a stopped recording with the first image that appears. The image must have the same stream id, term
    /// length, initial term id and MTU, and join at the position where the recording ends. Default: the recorder starts
    /// new recordings.
    #[must_use]
    pub fn extend(mut self, recording_id: RecordingId) -> Self {
        self.extend = Some(recording_id);
        self
    }
}

/// Records the images of a subscription into a directory, in the files of an Aeron archive. The recording has the same
/// frames at the same positions, and the catalog has the stream's source. [`Recording`](super::super::Recording) reads
/// recordings while they are active and later.
///
/// ```
/// use gannet::journal::{Recorder, RecorderOptions, Recording, Start};
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
///
/// let subscription = client.add_subscription("aeron:ipc", 1001)?;
/// let options = RecorderOptions::new().segment_length(1 << 20);
/// let mut recorder = Recorder::new(dir, subscription, options)?;
///
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
/// while publication.offer(b"keep this").is_err() {}
/// while recorder.status().streams().first().is_none_or(|stream| stream.recorded().get() < 64) {
///     recorder.do_work();
/// }
/// recorder.close();
///
/// let mut tailer = Recording::open(dir)?.tailer(Start::Begin)?;
/// let record = tailer.next()?.expect("it was recorded");
/// assert_eq!(record.payload(), b"keep this");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A recorder is an [`Agent`], which an [`AgentRunner`](crate::agent::AgentRunner) can run on a thread.
#[derive(Debug)]
pub struct Recorder {
    subscription: Subscription,
    storage: Arc<dyn Storage>,
    options: RecorderOptions,
    channels: (String, String),
    sessions: Vec<Session>,
    /// The recordings that are to be ended, in order. Until then they are open.
    endings: VecDeque<Ending>,
    /// The waits of new streams and of recordings that are to be ended for the lock of opening. The streams that are being
    /// recorded do not wait.
    waits: [Waiting; 2],
    status: RecorderStatus,
    /// The number of messages in recordings that have ended.
    ended_messages: u64,
}

/// An image and its recording.
#[derive(Debug)]
struct Session {
    image: ImageInfo,
    /// `None` once the recording has ended, or if it could not be started. The image is then read and dropped, so that
    /// it does not hold back the publisher.
    tape: Option<(RecordingId, Tape)>,
}

/// A recording whose stream has ended.
#[derive(Debug)]
struct Ending {
    recording_id: RecordingId,
    tape: Tape,
    reason: StopReason,
}

impl Recorder {
    /// A recorder into a directory. The directory is created if it does not exist.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: the segment length is invalid, or an error of the operating system.
    pub fn new(
        dir: impl Into<PathBuf>,
        subscription: Subscription,
        options: RecorderOptions,
    ) -> Result<Self, JournalError> {
        Self::new_in(Arc::new(Directory::make(dir)?), subscription, options)
    }

    /// A recorder into any storage.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn new_in(
        storage: Arc<dyn Storage>,
        subscription: Subscription,
        options: RecorderOptions,
    ) -> Result<Self, JournalError> {
        if SegmentLength::new(options.segment_length, TermLength::MIN).is_err() {
            let what = format!("segments of {} bytes", options.segment_length);
            return Err(JournalError::Options { what, expected: "a power of two from 65536 to 1073741824" });
        }
        // Fails here rather than when the first stream appears.
        drop(open_catalog(&*storage)?);
        if let Some(recording_id) = options.extend {
            open_catalog(&*storage)?.find(recording_id)?;
        }
        let original = subscription.channel().to_owned();
        let stripped = channel::stripped(&original).unwrap_or_else(|_| original.clone());
        let status = RecorderStatus::default();
        Ok(Self {
            subscription,
            storage,
            options,
            channels: (stripped, original),
            sessions: Vec::new(),
            endings: VecDeque::new(),
            waits: Default::default(),
            status,
            ended_messages: 0,
        })
    }

    /// A handle with which any thread can observe the recorder.
    pub fn status(&self) -> RecorderStatus {
        self.status.clone()
    }

    /// The recorded subscription.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Records a bounded amount of what has arrived. Returns the number of recorded blocks.
    pub fn do_work(&mut self) -> usize {
        self.do_work_at(SystemClock.epoch_nanos())
    }

    /// As [`Self::do_work`], at a time that the caller supplies. It is stored as the recording time.
    pub fn do_work_at(&mut self, now: EpochNanos) -> usize {
        let Self { subscription, storage, options, channels, sessions, endings, waits, status, .. } = self;
        let [starts, ends] = waits;
        let mut work = 0;
        let mut has_to_wait = false;
        for image in subscription.images_mut() {
            // Not found by the image id, which a later image may reuse.
            let found = sessions.iter().position(|session| image.is_described_by(&session.image));
            let index = match found {
                Some(index) => index,
                None if has_to_wait => continue,
                None => {
                    let Some(opening) = starts.poll_opening(&**storage).transpose() else {
                        has_to_wait = true;
                        continue;
                    };
                    let tape = begin(storage, opening, options, channels, image, status);
                    sessions.push(Session { image: image.info(), tape });
                    work += 1;
                    sessions.len() - 1
                }
            };
            let (blocks, ending) = sessions[index].record(image, now);
            work += blocks;
            endings.extend(ending);
        }
        if !has_to_wait {
            *starts = Waiting::default();
        }
        for session in sessions.iter_mut().filter(|session| session.image.is_closed()) {
            endings.extend(session.end(StopReason::ImageGone));
        }
        sessions.retain(|session| !session.image.is_closed());
        while !endings.is_empty()
            && let Some(opening) = ends.poll_opening(&**storage).transpose()
            && let Some(ending) = endings.pop_front()
        {
            self.ended_messages += ending.finish(opening, status);
        }
        if endings.is_empty() {
            *ends = Waiting::default();
        }
        work
    }

    /// Whether a stream is being recorded.
    pub fn is_recording(&self) -> bool {
        self.sessions.iter().any(|session| session.tape.is_some()) || !self.endings.is_empty()
    }

    /// The number of complete messages in all recordings of this recorder.
    pub fn messages(&self) -> u64 {
        let going_on = self.sessions.iter().filter_map(|session| session.tape.as_ref()).map(|(_, tape)| tape);
        let tapes = going_on.chain(self.endings.iter().map(|ending| &ending.tape));
        tapes.map(Tape::messages).sum::<u64>() + self.ended_messages
    }

    /// Waits until everything that is recorded is on stable storage.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn sync(&self) -> Result<(), JournalError> {
        for (_, tape) in self.sessions.iter().filter_map(|session| session.tape.as_ref()) {
            tape.journal().sync()?;
        }
        Ok(())
    }

    /// The last failure of a helper thread since the previous call, for example a failed sync, or a segment that could
    /// not be created on a full disk.
    pub fn trouble(&self) -> Option<JournalError> {
        let tapes = self.sessions.iter().filter_map(|session| session.tape.as_ref());
        tapes.filter_map(|(_, tape)| tape.journal().trouble()).next()
    }

    /// Ends all recordings at their current positions, and returns them. Dropping the recorder also ends them.
    pub fn close(mut self) -> Vec<RecordedStream> {
        self.finish();
        self.status.streams()
    }

    fn finish(&mut self) {
        self.endings.extend(self.sessions.iter_mut().filter_map(|session| session.end(StopReason::Asked)));
        for ending in self.endings.drain(..) {
            self.ended_messages += ending.finish(lock_opening(&*self.storage), &self.status);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Agent for Recorder {
    fn name(&self) -> &str {
        "recorder"
    }

    fn do_work(&mut self) -> Result<usize, Finished> {
        Ok(Recorder::do_work(self))
    }

    fn on_close(&mut self) {
        self.finish();
    }
}

impl Session {
    /// Records what the image has. Returns the number of blocks, and the recording if it has to be ended.
    fn record(&mut self, image: &mut Image, now: EpochNanos) -> (usize, Option<Ending>) {
        let (mut blocks, mut ending) = (0, None);
        while blocks < BLOCKS_PER_TURN {
            let mut outcome = Ok(());
            let tape = self.tape.as_mut().map(|(_, tape)| tape);
            let length = match tape {
                Some(tape) => image.block_poll(|block| outcome = tape.write(&block, now.get()), MOST_BLOCK),
                None => image.block_poll(|_| {}, usize::MAX),
            };
            if let Err(error) = outcome {
                ending = self.end(StopReason::Failed(error.to_string()));
            }
            if length == 0 {
                break;
            }
            blocks += 1;
        }
        if self.tape.is_some() && blocks == 0 {
            if image.is_end_of_stream() {
                ending = self.end(StopReason::EndOfStream);
            } else if let Err(broken) = image.check() {
                ending = self.end(StopReason::Failed(broken.to_string()));
            }
        }
        (blocks, ending)
    }

    /// The recording, if there is one, which has to be ended.
    fn end(&mut self, reason: StopReason) -> Option<Ending> {
        self.tape.take().map(|(recording_id, tape)| Ending { recording_id, tape, reason })
    }
}

impl Ending {
    /// Ends the recording. Returns the number of its messages.
    fn finish(self, opening: Result<Lock, JournalError>, status: &RecorderStatus) -> u64 {
        let Self { recording_id, tape, reason } = self;
        let (position, messages) = (tape.journal().tail(), tape.messages());
        // The recorded frames remain in any case. The next process that opens the recording completes what failed here.
        // The other recordings do not wait for the disk.
        let reason = match tape.finish(opening, reason == StopReason::Asked) {
            Err(error) if !matches!(reason, StopReason::Failed(_)) => StopReason::Failed(error.to_string()),
            _ => reason,
        };
        status.stop(recording_id, position, reason);
        messages
    }
}

/// The catalog. Creates it if there is none.
fn open_catalog(storage: &dyn Storage) -> Result<Catalog, JournalError> {
    match Catalog::open(storage, FileAccess::ReadWrite) {
        Err(JournalError::NotAJournal { .. }) => {}
        opened => return opened,
    }
    let _opening = lock_writing(storage)?;
    match Catalog::create(storage) {
        // Another process has created it meanwhile.
        Err(JournalError::Exists { .. }) => Catalog::open(storage, FileAccess::ReadWrite),
        made => made,
    }
}

/// Starts the recording of an image and reports it, or the reason why it cannot be recorded.
fn begin(
    storage: &Arc<dyn Storage>,
    opening: Result<Lock, JournalError>,
    options: &mut RecorderOptions,
    channels: &(String, String),
    image: &Image,
    status: &RecorderStatus,
) -> Option<(RecordingId, Tape)> {
    let opening = opening.and_then(|opening| refuse_archive(&**storage).map(|()| opening));
    let begun = match (opening, options.extend.take()) {
        (Err(error), _) => Err((None, error)),
        (Ok(opening), Some(id)) => extended(storage, opening, id, image).map_err(|error| (None, error)),
        (Ok(opening), None) => started(storage, &opening, options, channels, image),
    };
    let info = image.info();
    let mut stream = RecordedStream {
        recording_id: None,
        session_id: info.session_id(),
        stream_id: info.stream_id(),
        source_identity: info.source_identity().to_owned(),
        start_position: info.position(),
        stopped: None,
        control: None,
    };
    let tape = match begun {
        Ok(journal) => {
            journal.set_sync_policy(options.sync);
            stream.recording_id = Some(journal.descriptor().recording_id);
            stream.control = Some(journal.writer().control.clone());
            Some((journal.descriptor().recording_id, Tape::new(journal)))
        }
        Err((recording_id, error)) => {
            stream.recording_id = recording_id;
            stream.stopped = Some((stream.start_position, StopReason::Failed(error.to_string())));
            None
        }
    };
    status.add(stream);
    tape
}

/// Starts a new recording. If that fails after the recording was added to the catalog, the error comes with its id.
fn started(
    storage: &Arc<dyn Storage>,
    opening: &Lock,
    options: &RecorderOptions,
    channels: &(String, String),
    image: &Image,
) -> Result<Journal, (Option<RecordingId>, JournalError)> {
    let entry = listed(storage, options, channels, image).map_err(|error| (None, error))?;
    let recording_id = Some(entry.descriptor.recording_id);
    Journal::start(Arc::clone(storage), &entry, Share::Exclusive, opening).map_err(|error| (recording_id, error))
}

/// Adds a new recording to the catalog.
fn listed(
    storage: &Arc<dyn Storage>,
    options: &RecorderOptions,
    (stripped, original): &(String, String),
    image: &Image,
) -> Result<CatalogEntry, JournalError> {
    let catalog = Catalog::open(&**storage, FileAccess::ReadWrite)?;
    let info = image.info();
    let (term_length, mtu) = lengths(&info)?;
    let segment_length = options.segment_length.max(term_length.get().into());
    let segment_length = SegmentLength::new(segment_length, term_length).map_err(|error| JournalError::Options {
        what: error.to_string(),
        expected: "segments as long as the stream's terms at least",
    })?;
    let descriptor = RecordingDescriptor {
        control_session_id: 0,
        correlation_id: 0,
        recording_id: RecordingId::new(0),
        start_timestamp: SystemClock.epoch(),
        stop_timestamp: None,
        start_position: info.position(),
        stop_position: None,
        initial_term_id: info.initial_term_id(),
        segment_length,
        term_length,
        mtu,
        session_id: info.session_id(),
        stream_id: info.stream_id(),
        stripped_channel: stripped.clone(),
        original_channel: original.clone(),
        source_identity: info.source_identity().to_owned(),
    };
    creation::begin(&**storage, Some(catalog), descriptor, &Chosen::NOTHING, &Retention::new())
}

fn extended(
    storage: &Arc<dyn Storage>,
    opening: Lock,
    recording_id: RecordingId,
    image: &Image,
) -> Result<Journal, JournalError> {
    let catalog = Catalog::open(&**storage, FileAccess::ReadWrite)?;
    let entry = catalog.find(recording_id)?;
    fits(&entry, &image.info())?;
    let journal = Journal::start(Arc::clone(storage), &entry, Share::Exclusive, &opening)?;
    // Known for certain only now, because the previous writer may have been killed.
    let (found, expected) = (image.position().get(), journal.tail().get());
    if found != expected {
        journal.close_under(Ok(opening), true)?;
        return Err(JournalError::Extension { recording_id, what: "position", found, expected });
    }
    let catalog = Catalog::open(&**storage, FileAccess::ReadWrite)?;
    catalog.set_session(&catalog.find(recording_id)?, image.session_id())?;
    Ok(journal)
}

/// Whether a stream can extend a recording, according to the catalog.
fn fits(entry: &CatalogEntry, info: &ImageInfo) -> Result<(), JournalError> {
    let descriptor = &entry.descriptor;
    let (term_length, mtu) = lengths(info)?;
    for (what, found, expected) in [
        ("stream id", info.stream_id().get(), descriptor.stream_id.get()),
        ("term length", term_length.get(), descriptor.term_length.get()),
        ("initial term id", info.initial_term_id().get(), descriptor.initial_term_id.get()),
        ("MTU", mtu.get(), descriptor.mtu.get()),
    ] {
        if found != expected {
            let (found, expected) = (found.into(), expected.into());
            return Err(JournalError::Extension { recording_id: descriptor.recording_id, what, found, expected });
        }
    }
    Ok(())
}

fn lengths(info: &ImageInfo) -> Result<(TermLength, Mtu), JournalError> {
    let options = |what: String| JournalError::Options { what, expected: "the lengths that streams can have" };
    let term_length = TermLength::new(info.term_buffer_length().into())
        .map_err(|_| options(format!("terms of {} bytes", info.term_buffer_length())))?;
    let mtu = Mtu::new(i64::try_from(info.mtu_length()).unwrap_or(i64::MAX))
        .map_err(|_| options(format!("an MTU of {} bytes", info.mtu_length())))?;
    Ok((term_length, mtu))
}
