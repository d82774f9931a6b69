//! A replay that continues with the live stream: a late joiner reads the recorded messages, then those of the
//! publisher's own stream, without a gap and without a duplicate. The application polls it like a subscription. It
//! never waits, and copies nothing.
//!
//! ```text
//!  recording  ──┤ handed over │ up to where the image joined ┤
//!  image                      ├── dropped ──┤ handed over ──────▶
//!                          joined       the same position
//! ```
//!
//! Both have the same frames at the same positions, so the merge can switch wherever their positions are equal. It asks
//! for the image only near the end of the recording, so that the image does not hold anybody back for long.
//!
//! A recording whose publication has ended can be continued by another session. The merge then reads on, and joins that
//! session instead.

use crate::channel_uri::ChannelUriError;
use crate::client::{AddError, Client, Image, ImageInfo, Patient, Subscription};
use crate::logbuffer::{FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, Fragment, flags};
use crate::time::{Clock, MonotonicNanos, SystemClock};
use crate::types::{Position, RegistrationId, SessionId};

use super::super::error::JournalError;
use super::super::recording::Recording;
use super::super::tailer::{Start, Tailer};
use super::channel;

/// The merge subscribes to the live stream when at most this much of the recording is left, in bytes, or a quarter of a
/// term if that is less.
const MOST_BEHIND: i64 = 32 << 20;
/// The number of recorded bytes that one poll looks at.
const RUN_LENGTH: usize = 64 << 10;

/// The interval in nanoseconds at which to check whether the recording's writers are alive.
const LOOK_INTERVAL_NS: i64 = 1_000_000_000;

/// Why a merge failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The recording cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The live channel is invalid.
    #[error("cannot subscribe to {channel}: {source}")]
    Channel {
        /// The requested channel.
        channel: String,
        /// What is wrong with the channel.
        source: ChannelUriError,
    },
    /// The driver did not add the live subscription.
    #[error("cannot add the live subscription: {0}")]
    Add(#[from] AddError),
    /// The recording ends before the live stream begins.
    #[error("nobody recorded what is between {recorded} and {joined}, where the live stream was joined")]
    Gap {
        /// The position at which the recording ends.
        recorded: Position,
        /// The position at which the live stream begins.
        joined: Position,
    },
    /// The live stream is not the recorded one: its frames are at other positions.
    #[error("the live stream has no frame that begins at {position}, where the recording has one")]
    NotTheSame {
        /// The position at which only the recording has a frame.
        position: Position,
    },
    /// The client that subscribes to the live stream has lost its driver, or was closed.
    #[error(
        "the client lost its driver, or was closed, when the stream was handed over up to {position}: once the client has a driver, go on \
         from there with a new merge"
    )]
    DriverLost {
        /// The position up to which the stream was handed over.
        position: Position,
    },
}

/// The state of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MergeState {
    /// Delivers the recording, and has not subscribed to the live stream yet.
    Replaying,
    /// Delivers the recording, and has subscribed to the live stream.
    Joining,
    /// Delivers the live stream.
    Live,
    /// The live stream has ended, its image is gone, or the client has lost its driver.
    Ended,
}

/// Reads a recording, and then continues with the live stream of the same session. If another session continues the
/// recording before that, the merge reads on and joins that session.
///
/// The handler receives the fragments of both in order. So a [`FragmentAssembler`](crate::logbuffer::FragmentAssembler)
/// can reassemble a message that begins in the recording and ends in the live stream.
///
/// ```no_run
/// use gannet::journal::{Recording, ReplayMerge, Start};
/// use gannet::{Client, Context};
///
/// let client = Client::connect(Context::default())?;
/// let recording = Recording::open("quotes")?;
/// let mut merge = ReplayMerge::new(recording, Start::Begin, "aeron:ipc", 1001)?;
/// loop {
///     merge.poll(&client, |fragment| println!("{:?}", fragment.payload()), 10)?;
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ReplayMerge {
    recording: Recording,
    tailer: Tailer,
    /// The position up to which the handler was given recorded frames. The tailer is behind it if the handler panicked.
    handed: Position,
    channel: String,
    stream_id: i32,
    /// The session to join: the one that the recording had last.
    session_id: SessionId,
    /// The session id of the recorded frames that are handed over.
    told_session_id: SessionId,
    near: i64,
    live: Live,
    state: MergeState,
    /// When to check next whether the recording's writers are alive.
    next_look: MonotonicNanos,
}

#[derive(Debug)]
enum Live {
    Unasked,
    Pending(Patient<Subscription>),
    Subscribed(Subscribed),
}

/// The live subscription.
#[derive(Debug)]
struct Subscribed {
    subscription: Subscription,
    /// The subscription's registration id. A client that reconnects gets another, and the streams of the new driver are
    /// different ones.
    registration_id: RegistrationId,
    /// The image that the merge has switched to. A later image is a different one, and may have missed data.
    image: Option<ImageInfo>,
}

impl Subscribed {
    fn new(subscription: Subscription) -> Self {
        let registration_id = subscription.registration_id();
        Self { subscription, registration_id, image: None }
    }

    /// Whether the client has lost the driver that it subscribed at.
    fn is_lost(&self) -> bool {
        self.subscription.is_closed() || self.subscription.registration_id() != self.registration_id
    }
}

impl ReplayMerge {
    /// A merge that begins at `start` of a recording and continues with the recording's session on a channel and
    /// stream.
    ///
    /// # Errors
    ///
    /// [`MergeError`]: nothing is recorded where it should start, or the channel is invalid.
    pub fn new(recording: Recording, start: Start, channel: &str, stream_id: i32) -> Result<Self, MergeError> {
        let session_id = recording.session_id();
        live_channel(channel, session_id)?;
        let near = MOST_BEHIND.min(i64::from(recording.descriptor().term_length.get()) / 4);
        let tailer = recording.tailer(start)?.verify(true);
        let (live, state) = (Live::Unasked, MergeState::Replaying);
        let handed = tailer.position();
        let next_look = MonotonicNanos::new(i64::MIN);
        Ok(Self {
            recording,
            tailer,
            handed,
            channel: channel.to_owned(),
            stream_id,
            session_id,
            told_session_id: session_id,
            near,
            live,
            state,
            next_look,
        })
    }

    /// Whether to compare each recorded frame with its checksum, if it has one already. Default: true. As
    /// [`ReplayOptions::verify`](super::ReplayOptions::verify). The live stream has no checksums.
    #[must_use]
    pub fn verify(mut self, verify: bool) -> Self {
        self.tailer = self.tailer.verify(verify);
        self
    }

    /// Passes at most `limit` fragments to `handler`. Returns how many. The memory of a fragment may be overwritten as
    /// soon as the poll returns.
    ///
    /// If the handler panics, the fragment that was passed to it counts as delivered.
    ///
    /// # Errors
    ///
    /// [`MergeError`]. All fragments before the error are valid, but the merge cannot continue.
    pub fn poll(
        &mut self,
        client: &Client,
        mut handler: impl FnMut(Fragment<'_>),
        limit: usize,
    ) -> Result<usize, MergeError> {
        if matches!(self.state, MergeState::Replaying | MergeState::Joining) {
            self.look_for_session();
        }
        match self.state {
            MergeState::Replaying => {
                let fragments = self.hand_over(Position::new(i64::MAX), &mut handler, limit)?;
                if self.is_near(fragments) {
                    let channel = live_channel(&self.channel, self.session_id)?;
                    let asked = client.patiently_add_subscription(&channel, self.stream_id)?;
                    self.live = Live::Pending(asked);
                    self.state = MergeState::Joining;
                }
                Ok(fragments)
            }
            MergeState::Joining => self.join(&mut handler, limit),
            MergeState::Live => self.follow(handler, limit),
            MergeState::Ended => Ok(0),
        }
    }

    /// The state of the merge.
    pub fn state(&self) -> MergeState {
        self.state
    }

    /// The position up to which the merge has delivered the stream.
    pub fn position(&self) -> Position {
        match &self.live {
            Live::Subscribed(Subscribed { image: Some(image), .. }) => image.position(),
            Live::Unasked | Live::Pending(_) | Live::Subscribed(_) => self.handed,
        }
    }

    /// The session that the merge joins or has joined: the one that the recording had last.
    pub fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// The recording.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Whether the recording has ended and all of it was delivered. Nothing more comes unless the live stream
    /// continues.
    pub fn is_at_end_of_recording(&self) -> bool {
        self.recording.stop_position().is_some_and(|stop| self.position() >= stop)
    }

    fn is_near(&self, fragments: usize) -> bool {
        match self.recording.recorded_hint() {
            Some(recorded) => recorded.get() - self.position().get() <= self.near,
            None => fragments == 0,
        }
    }

    /// Finds out whether another session continues the recording. Its image is then the one to join.
    fn look_for_session(&mut self) {
        let session_id = self.recording.session_id();
        if session_id != self.session_id {
            self.session_id = session_id;
            self.live = Live::Unasked;
            self.state = MergeState::Replaying;
        }
    }

    /// Delivers fragments of the live stream.
    fn follow(&mut self, handler: impl FnMut(Fragment<'_>), limit: usize) -> Result<usize, MergeError> {
        let Live::Subscribed(live) = &mut self.live else { return Ok(0) };
        let Subscribed { subscription, image: joined, .. } = live;
        let is_joined = |image: &&mut Image| joined.as_ref().is_some_and(|joined| image.is_described_by(joined));
        let image = subscription.image_mut(self.session_id).filter(is_joined).filter(|image| !image.is_closed());
        if let Some(image) = image {
            return Ok(image.poll(handler, limit));
        }
        let is_read = joined.as_ref().is_some_and(ImageInfo::is_end_of_stream);
        // Only now, because this takes a lock. The image of a driver that was lost is closed.
        if !is_read && live.is_lost() {
            return Err(self.lose());
        }
        self.state = MergeState::Ended;
        Ok(0)
    }

    /// Ends the merge because the client has no driver any more.
    fn lose(&mut self) -> MergeError {
        self.handed = self.position();
        self.live = Live::Unasked;
        self.state = MergeState::Ended;
        MergeError::DriverLost { position: self.handed }
    }

    /// Brings the recording and the image to the same position.
    fn join(&mut self, handler: &mut impl FnMut(Fragment<'_>), limit: usize) -> Result<usize, MergeError> {
        if let Live::Pending(pending) = &mut self.live {
            match pending.poll() {
                Ok(Some(subscription)) => self.live = Live::Subscribed(Subscribed::new(subscription)),
                Ok(None) => {}
                Err(AddError::NoDriver { .. } | AddError::Closed { .. }) => return Err(self.lose()),
                Err(error) => {
                    self.state = MergeState::Ended;
                    return Err(error.into());
                }
            }
        }
        let here = self.position();
        let live = match &mut self.live {
            Live::Subscribed(live) if live.is_lost() => return Err(self.lose()),
            Live::Subscribed(live) => live,
            Live::Unasked | Live::Pending(_) => return self.hand_over(Position::new(i64::MAX), handler, limit),
        };
        let image = live.subscription.image_mut(self.session_id).filter(|image| !image.is_closed());
        let Some(image) = image else { return self.hand_over(Position::new(i64::MAX), handler, limit) };
        if image.position() < here {
            // Drops what was delivered from the recording already.
            image.bounded_poll(|_| {}, here, usize::MAX);
        }
        let position = image.position();
        if position == here {
            live.image = Some(image.info());
            self.state = MergeState::Live;
            return Ok(0);
        }
        if position < here {
            return Ok(0);
        }
        // Where dropping ended, the image has a frame only if the recording has one there.
        let joined = image.join_position();
        if joined < here {
            return Err(MergeError::NotTheSame { position: here });
        }
        let stop = self.recording.stop_position();
        let fragments = self.hand_over(position, handler, limit)?;
        // Loaded before the frames were read, so all frames below it were there.
        if fragments == 0 && self.position() == here && self.has_ended(stop, here)? {
            return Err(MergeError::Gap { recorded: here, joined: position });
        }
        Ok(fragments)
    }

    /// Whether nothing can follow the position `here`: the recording has ended, or it has no writers any more.
    fn has_ended(&mut self, stop: Option<Position>, here: Position) -> Result<bool, MergeError> {
        if let Some(stop) = stop {
            return Ok(here >= stop);
        }
        let now = SystemClock.monotonic();
        if now < self.next_look {
            return Ok(false);
        }
        self.next_look = now.saturating_add_ns(LOOK_INTERVAL_NS);
        Ok(self.recording.was_left()?)
    }

    /// Delivers recorded messages, up to `end`.
    fn hand_over(
        &mut self,
        end: Position,
        handler: &mut impl FnMut(Fragment<'_>),
        limit: usize,
    ) -> Result<usize, MergeError> {
        if self.handed != self.tailer.position() {
            // The handler panicked before the end of a run.
            self.tailer.pass(self.handed);
        }
        let mut fragments = 0;
        while fragments < limit {
            let mut left = limit - fragments;
            let is_wanted = |_, _| {
                let is_wanted = left > 0;
                left = left.saturating_sub(1);
                is_wanted
            };
            let start = self.handed;
            let Some(run) = self.tailer.frames(RUN_LENGTH, end, is_wanted)? else { break };
            let run_end = run.end;
            if !run.is_padding {
                // Only now, because these may be the first frames of another session.
                let session_id = self.recording.session_id();
                fragments +=
                    hand_over_frames(run.bytes, &mut self.handed, &mut self.told_session_id, session_id, handler);
            }
            if let Err(error) = self.tailer.check_run() {
                self.handed = start;
                return Err(error.into());
            }
            self.handed = run_end;
            self.tailer.pass(run_end);
        }
        Ok(fragments)
    }
}

/// The channel of the live subscription: that of one session.
fn live_channel(channel: &str, session_id: SessionId) -> Result<String, MergeError> {
    let wrong = |source| MergeError::Channel { channel: channel.to_owned(), source };
    channel::of_session(channel, session_id.get()).map_err(wrong)
}

/// Delivers the frames of a run that begins at `position`. Returns how many. `position` is moved past each frame before
/// the handler is called with it. All of them get the present session id of the recording, but a message keeps the one
/// that it began with, which is `told`.
fn hand_over_frames(
    mut bytes: &[u8],
    position: &mut Position,
    told: &mut SessionId,
    session_id: SessionId,
    handler: &mut impl FnMut(Fragment<'_>),
) -> usize {
    let mut fragments = 0;
    while let Some((header, rest)) = bytes.split_first_chunk::<FRAME_HEADER_LENGTH>() {
        let word = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        // Checked when the run was formed, but the file can be overwritten at any time.
        let Some(length) = usize::try_from(word(0)).ok().filter(|&length| length >= FRAME_HEADER_LENGTH) else { break };
        let Some(payload) = rest.get(..length - FRAME_HEADER_LENGTH) else { break };
        let occupied = length.next_multiple_of(FRAME_ALIGNMENT);
        *position = Position::new(position.get() + occupied as i64);
        if header[5] & flags::BEGIN != 0 {
            *told = session_id;
        }
        // An archive stores a checksum in place of the session id.
        let mut restored = *header;
        restored[12..16].copy_from_slice(&told.get().to_le_bytes());
        let header = if word(12) == told.get() { header } else { &restored };
        handler(Fragment::new(header, payload, *position));
        fragments += 1;
        bytes = bytes.get(occupied..).unwrap_or_default();
    }
    fragments
}
