//! What others see of a recorder: its streams, how far each is recorded, and why it ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::control::Control;
use crate::types::{Position, RecordingId, SessionId, StreamId};

/// The number of ended recordings that the status keeps.
const MOST_ENDED: usize = 1024;

/// Why a recording ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The publisher ended the stream, and all of it is recorded.
    EndOfStream,
    /// The image is gone, because its publisher or driver timed out.
    ImageGone,
    /// The recorder was closed.
    Asked,
    /// An operation failed, for example because the disk is full. What was recorded before remains. The stream itself
    /// continues.
    Failed(String),
}

/// A stream that is being recorded, or was.
#[derive(Clone, Debug)]
pub struct RecordedStream {
    /// The recording's id. `None` if the stream is not recorded. A recording that could not be started, for example
    /// because the disk is full, is in the catalog but empty.
    pub recording_id: Option<RecordingId>,
    /// The session id of the stream.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The source of the stream.
    pub source_identity: String,
    /// The position at which this recorder started.
    pub start_position: Position,
    /// The position at which the recording stopped, and why. `None` while it is active.
    pub stopped: Option<(Position, StopReason)>,
    pub(super) control: Option<Control>,
}

impl RecordedStream {
    /// The position up to which the stream is recorded.
    pub fn recorded(&self) -> Position {
        let recorded = || self.control.as_ref().map_or(self.start_position, Control::recorded_position);
        self.stopped.as_ref().map_or_else(recorded, |(position, _)| *position)
    }

    /// The position up to which the recording is on stable storage.
    pub fn durable(&self) -> Position {
        self.control.as_ref().map_or(self.start_position, Control::durable_position)
    }
}

/// The state of a recorder's streams, for other threads.
#[derive(Clone, Debug, Default)]
pub struct RecorderStatus(Arc<Mutex<VecDeque<RecordedStream>>>);

impl RecorderStatus {
    /// The active streams and the last ended ones, in the order in which they appeared.
    pub fn streams(&self) -> Vec<RecordedStream> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RecordedStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stream. Removes the oldest ended stream if there are too many.
    pub(super) fn add(&self, stream: RecordedStream) {
        let mut streams = self.lock();
        if streams.len() >= MOST_ENDED
            && let Some(oldest) = streams.iter().position(|stream| stream.stopped.is_some())
        {
            streams.remove(oldest);
        }
        streams.push_back(stream);
    }

    /// Ends a stream.
    pub(super) fn stop(&self, recording_id: RecordingId, position: Position, reason: StopReason) {
        let mut streams = self.lock();
        let recorded = streams.iter_mut().rev().find(|stream| stream.recording_id == Some(recording_id));
        if let Some(stream) = recorded {
            stream.stopped = Some((position, reason));
        }
    }
}
