//! The replayer: publishes a range of a recording again, frame for frame, at the recorded positions. The application
//! calls it on a duty cycle of its choice. It copies frames from their segments into the publication's log, and never
//! waits.

use crate::channel_uri::ChannelUriError;
use crate::client::{AddError, Client, ExclusivePublication, Patient};
use crate::logbuffer::OfferError;
use crate::time::{Clock, MonotonicNanos, SystemClock};
use crate::types::{Position, RecordingId, SessionId};

use super::super::error::JournalError;
use super::super::recording::Recording;
use super::super::tailer::{Start, Tailer};
use super::channel;
use super::pace::{Pace, Speed};

/// The number of bytes that are published at a time, and the number of times per call.
const RUN_LENGTH: i64 = 64 << 10;
const RUNS_PER_CALL: usize = 32;

/// Where a replay ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayEnd {
    /// At the recording's present end.
    Recorded,
    /// Before a position, a sequence number, or the first message of a time.
    Before(Start),
    /// At the end of the recording when it stops. Until then the replay follows it.
    Follow,
}

/// The settings of a [`Replayer`].
#[derive(Clone, Copy, Debug)]
pub struct ReplayOptions {
    from: Start,
    end: ReplayEnd,
    speed: Speed,
    verify: bool,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self { from: Start::Begin, end: ReplayEnd::Recorded, speed: Speed::Full, verify: true }
    }
}

impl ReplayOptions {
    /// The default settings: everything that is recorded now, at full speed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where to start. Default: the start of the recording.
    #[must_use]
    pub fn from(mut self, from: Start) -> Self {
        self.from = from;
        self
    }

    /// Where to end. Default: the recording's present end.
    #[must_use]
    pub fn end(mut self, end: ReplayEnd) -> Self {
        self.end = end;
        self
    }

    /// The speed. Default: full speed.
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// Whether to compare each frame with its checksum, if it has one already. Default: true. The receiver of a replay
    /// cannot detect bits that flipped on the disk, and nothing else checks them. At full speed, verification costs
    /// about 7 ns per message of 32 bytes, which is two thirds more time, and a third more time with messages of 1 KiB.
    /// At the recorded pace its cost does not matter.
    #[must_use]
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }
}

/// Why a replay could not start or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The recording cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The channel cannot be parsed, or a replay cannot use it.
    #[error("cannot replay to {channel}: {source}")]
    Channel {
        /// The requested channel.
        channel: String,
        /// What is wrong with the channel.
        source: ChannelUriError,
    },
    /// The driver did not add the publication.
    #[error("cannot add the replay's publication: {0}")]
    Add(#[from] AddError),
    /// Publishing failed for good.
    #[error("the replay's publication took nothing at position {position}: {source}")]
    Offer {
        /// The replay's position.
        position: Position,
        /// The publication's error.
        source: OfferError,
    },
    /// The subscribers have gone.
    #[error("nobody subscribes to the replay any more, at position {position}")]
    NoSubscriber {
        /// The replay's position.
        position: Position,
    },
    /// The client that publishes the replay has lost its driver, or was closed.
    #[error(
        "the client lost its driver, or was closed, when the replay was published up to {position}: once the client has a driver, begin \
         another replay there"
    )]
    DriverLost {
        /// The position up to which the replay was published.
        position: Position,
    },
    /// The recording has no times, so it cannot be replayed at its own pace.
    #[error("recording {recording_id} does not say when its frames were recorded: replay it at full speed")]
    NoTimes {
        /// The recording.
        recording_id: RecordingId,
    },
    /// The speed is not valid.
    #[error("a replay cannot be {scale} times as fast as its recording: more than 0 is needed")]
    Scale {
        /// The requested speed.
        scale: f64,
    },
}

/// The state of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayState {
    /// The driver is adding the publication.
    Adding,
    /// The replay waits for a subscriber.
    Waiting,
    /// The replay is publishing.
    Replaying,
    /// Everything is published, and the stream has ended.
    Done,
}

/// Publishes a range of a recording: a recorded stream, a journal, or an archive's recording. The frames keep their
/// positions, terms, flags and reserved values. The session id and the stream id are the publication's.
///
/// ```
/// use gannet::journal::{Journal, JournalOptions, Recording, ReplayOptions, ReplayState, Replayer};
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
///
/// let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10).mtu(1408);
/// let journal = Journal::create(dir, &options)?;
/// journal.appender()?.append(b"once more")?;
///
/// let mut subscription = client.add_subscription("aeron:ipc", 1002)?;
/// let recording = Recording::open(dir)?;
/// let mut replayer = Replayer::new(&client, recording, "aeron:ipc", 1002, ReplayOptions::new())?;
/// let mut replayed = Vec::new();
/// while replayed.is_empty() {
///     replayer.do_work()?;
///     subscription.poll(|fragment| replayed.push(fragment.payload().to_vec()), 10);
/// }
/// assert_eq!(replayed, [b"once more"]);
/// assert_eq!(replayer.state(), ReplayState::Done);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Replayer {
    tailer: Tailer,
    /// `None` while the replay follows the recording.
    end: Option<Position>,
    pace: Option<Pace>,
    phase: Phase,
    session_id: Option<SessionId>,
    frames_end: Position,
}

#[derive(Debug)]
enum Phase {
    Adding(Patient<ExclusivePublication>),
    Waiting(ExclusivePublication),
    Replaying(ExclusivePublication),
    Done,
}

impl Replayer {
    /// A replay to a channel and stream. The recording's term length, positions and MTU replace those in the channel.
    /// [`Self::do_work`] adds the publication, and then waits for a subscriber.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]: nothing is recorded where the replay should start, or the channel is invalid.
    pub fn new(
        client: &Client,
        recording: Recording,
        channel: &str,
        stream_id: i32,
        options: ReplayOptions,
    ) -> Result<Self, ReplayError> {
        let tailer = recording.tailer(options.from)?;
        let from = tailer.position();
        let end = match options.end {
            ReplayEnd::Follow => None,
            ReplayEnd::Before(end) => Some(recording.tailer(end)?.position()),
            ReplayEnd::Recorded => Some(match recording.stop_position() {
                Some(stop) => stop,
                // Finds the end of the last existing frame. The recorded position of a journal's helper thread may be a
                // moment old.
                None => recording.tailer(Start::End)?.position(),
            }),
        };
        let pace = match options.speed {
            Speed::Full => None,
            Speed::Scaled(scale) if !(scale.is_finite() && scale > 0.0) => return Err(ReplayError::Scale { scale }),
            Speed::Scaled(scale) => {
                let recording_id = recording.descriptor().recording_id;
                Some(Pace::new(&recording, from, scale).ok_or(ReplayError::NoTimes { recording_id })?)
            }
        };
        let tailer = tailer.verify(options.verify);
        let wrong = |source| ReplayError::Channel { channel: channel.to_owned(), source };
        let channel = channel::for_replay(channel, recording.descriptor(), from).map_err(wrong)?;
        let phase = Phase::Adding(client.patiently_add_exclusive_publication(&channel, stream_id)?);
        Ok(Self { tailer, end, pace, phase, session_id: None, frames_end: from })
    }

    /// Publishes what is recorded and due, as far as flow control permits, up to a bounded amount. Returns the number
    /// of runs of frames that it published.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]. The replay stops at its position; dropping the replayer ends the stream. Damage is not skipped,
    /// because a stream cannot have gaps. Only the frames before it were published.
    pub fn do_work(&mut self) -> Result<usize, ReplayError> {
        self.do_work_at(SystemClock.monotonic())
    }

    /// As [`Self::do_work`], at a time that the caller supplies.
    ///
    /// # Errors
    ///
    /// As [`Self::do_work`].
    pub fn do_work_at(&mut self, now: MonotonicNanos) -> Result<usize, ReplayError> {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Adding(mut pending) => {
                self.phase = match pending.poll() {
                    Ok(Some(publication)) => {
                        self.session_id = Some(publication.session_id());
                        Phase::Waiting(publication)
                    }
                    Ok(None) => Phase::Adding(pending),
                    Err(AddError::NoDriver { .. } | AddError::Closed { .. }) => return Err(self.lost()),
                    Err(error) => return Err(error.into()),
                };
                Ok(0)
            }
            Phase::Waiting(publication) => {
                if !publication.is_bound() {
                    return Err(self.lost());
                }
                let is_connected = publication.is_connected();
                self.phase = if is_connected { Phase::Replaying(publication) } else { Phase::Waiting(publication) };
                Ok(usize::from(is_connected))
            }
            Phase::Replaying(mut publication) => {
                let (runs, is_over) = self.replay(&mut publication, now)?;
                if !is_over {
                    self.phase = Phase::Replaying(publication);
                }
                Ok(runs)
            }
            Phase::Done => Ok(0),
        }
    }

    /// The state of the replay.
    pub fn state(&self) -> ReplayState {
        match self.phase {
            Phase::Adding(_) => ReplayState::Adding,
            Phase::Waiting(_) => ReplayState::Waiting,
            Phase::Replaying(_) => ReplayState::Replaying,
            Phase::Done => ReplayState::Done,
        }
    }

    /// The position up to which the replay has published.
    pub fn position(&self) -> Position {
        self.frames_end
    }

    /// The position at which the replay ends. `None` while it follows an active recording.
    pub fn end_position(&self) -> Option<Position> {
        self.end
    }

    /// The session id of the publication, once the driver has added it.
    pub fn session_id(&self) -> Option<SessionId> {
        self.session_id
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        self.tailer.recording()
    }

    fn lost(&self) -> ReplayError {
        ReplayError::DriverLost { position: self.frames_end }
    }

    /// The error of a replay whose publication has no subscriber any more.
    fn disconnected(&self, publication: &ExclusivePublication) -> ReplayError {
        if publication.is_bound() { ReplayError::NoSubscriber { position: self.frames_end } } else { self.lost() }
    }

    /// Publishes what it can. Returns the number of runs, and whether that was everything.
    fn replay(
        &mut self,
        publication: &mut ExclusivePublication,
        now: MonotonicNanos,
    ) -> Result<(usize, bool), ReplayError> {
        for runs in 0..RUNS_PER_CALL {
            let position = self.tailer.position();
            if self.end.is_none() {
                // Loaded before the frames are read, so all frames below it are there.
                self.end = self.tailer.recording().stop_position();
            }
            if self.end.is_some_and(|end| position >= end) {
                return Ok((runs, true));
            }
            if !publication.is_connected() {
                return Err(self.disconnected(publication));
            }
            let window = publication.available_window().unwrap_or(0);
            if window <= 0 {
                return Ok((runs, false));
            }
            let until = self.end.unwrap_or(Position::new(i64::MAX));
            let pace = &mut self.pace;
            let is_due = |position, begins| pace.as_mut().is_none_or(|pace| pace.is_due(position, begins, now));
            let Some(run) = self.tailer.frames(window.min(RUN_LENGTH) as usize, until, is_due)? else {
                // One that follows looks once for what comes next, as it does after each message.
                self.end.map_or(Ok(()), |end| self.tailer.check_end(end))?;
                return Ok((runs, false));
            };
            // The log of another driver would begin at another position.
            if !publication.is_bound() {
                return Err(self.lost());
            }
            match publication.replay(run.bytes, run.length) {
                Ok(_) => {
                    let end = run.end;
                    self.tailer.check_run()?;
                    self.frames_end = end;
                    self.tailer.pass(end);
                }
                Err(OfferError::BackPressured | OfferError::AdminAction) => return Ok((runs, false)),
                Err(OfferError::NotConnected) => return Err(self.disconnected(publication)),
                Err(OfferError::Closed) => return Err(self.lost()),
                Err(source) => return Err(ReplayError::Offer { position, source }),
            }
        }
        Ok((RUNS_PER_CALL, false))
    }
}
