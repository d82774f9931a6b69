//! The catalog's description of a recording, and its layout in a file. The catalog's entries contain it, and so do
//! their copies.

use crate::memory::AtomicBuffer;
use crate::time::EpochMillis;
use crate::types::{Mtu, Position, RecordingId, SessionId, StreamId, TermId, TermLength};

use super::error::JournalError;
use super::segment::{Identity, SegmentLayout, SegmentLength};

/// The value in the file for no position and no time.
pub(super) const NULL_VALUE: i64 = -1;

/// Offsets of the descriptor's fields.
pub(super) mod field {
    pub(in crate::journal) const CONTROL_SESSION_ID: usize = 0;
    pub(in crate::journal) const CORRELATION_ID: usize = 8;
    pub(in crate::journal) const RECORDING_ID: usize = 16;
    pub(in crate::journal) const START_TIMESTAMP: usize = 24;
    pub(in crate::journal) const STOP_TIMESTAMP: usize = 32;
    pub(in crate::journal) const START_POSITION: usize = 40;
    pub(in crate::journal) const STOP_POSITION: usize = 48;
    pub(in crate::journal) const INITIAL_TERM_ID: usize = 56;
    pub(in crate::journal) const SEGMENT_FILE_LENGTH: usize = 60;
    pub(in crate::journal) const TERM_BUFFER_LENGTH: usize = 64;
    pub(in crate::journal) const MTU_LENGTH: usize = 68;
    pub(in crate::journal) const SESSION_ID: usize = 72;
    pub(in crate::journal) const STREAM_ID: usize = 76;
    pub(in crate::journal) const BLOCK_LENGTH: usize = 80;
}

/// A recording's entry in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingDescriptor {
    /// The control session that last extended the recording. 0 if none did.
    pub control_session_id: i64,
    /// The correlation id of the request that last extended the recording. 0 if none did.
    pub correlation_id: i64,
    /// The recording's id.
    pub recording_id: RecordingId,
    /// When the recording was started.
    pub start_timestamp: EpochMillis,
    /// When the recording was stopped. `None` while it is active.
    pub stop_timestamp: Option<EpochMillis>,
    /// The position at which the recording starts.
    pub start_position: Position,
    /// The position at which the recording stops. `None` while it is active, or if its writer was killed.
    pub stop_position: Option<Position>,
    /// The id of the stream's first term.
    pub initial_term_id: TermId,
    /// The length of a segment file.
    pub segment_length: SegmentLength,
    /// The length of a term.
    pub term_length: TermLength,
    /// The length of the longest frame.
    pub mtu: Mtu,
    /// The session id of the recorded stream.
    pub session_id: SessionId,
    /// The stream id of the recorded stream.
    pub stream_id: StreamId,
    /// The channel that was recorded, reduced to the parameters that identify it.
    pub stripped_channel: String,
    /// The channel that was recorded, as it was requested.
    pub original_channel: String,
    /// The source of the recorded stream.
    pub source_identity: String,
}

impl RecordingDescriptor {
    /// The fields that all frames of the recording share.
    pub(crate) const fn identity(&self) -> Identity {
        Identity { layout: self.layout(), stream_id: self.stream_id, session_id: self.session_id }
    }

    /// How the recording's positions map to segments.
    pub const fn layout(&self) -> SegmentLayout {
        SegmentLayout {
            term_length: self.term_length,
            segment_length: self.segment_length,
            start_position: self.start_position,
            initial_term_id: self.initial_term_id,
        }
    }
}

/// Encodes a descriptor as in a catalog entry, without alignment.
pub(crate) fn encode_descriptor(new: &RecordingDescriptor) -> Vec<u8> {
    let mut bytes = vec![0; field::BLOCK_LENGTH];
    let numbers = [
        (field::CONTROL_SESSION_ID, new.control_session_id),
        (field::CORRELATION_ID, new.correlation_id),
        (field::RECORDING_ID, new.recording_id.get()),
        (field::START_TIMESTAMP, new.start_timestamp.get()),
        (field::STOP_TIMESTAMP, new.stop_timestamp.map_or(NULL_VALUE, EpochMillis::get)),
        (field::START_POSITION, new.start_position.get()),
        (field::STOP_POSITION, new.stop_position.map_or(NULL_VALUE, Position::get)),
    ];
    numbers.iter().for_each(|&(at, value)| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()));
    let numbers = [
        (field::INITIAL_TERM_ID, new.initial_term_id.get()),
        (field::SEGMENT_FILE_LENGTH, new.segment_length.get()),
        (field::TERM_BUFFER_LENGTH, new.term_length.get()),
        (field::MTU_LENGTH, new.mtu.get()),
        (field::SESSION_ID, new.session_id.get()),
        (field::STREAM_ID, new.stream_id.get()),
    ];
    numbers.iter().for_each(|&(at, value)| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes()));
    for text in [&new.stripped_channel, &new.original_channel, &new.source_identity] {
        bytes.extend_from_slice(&(text.len() as i32).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// Decodes a descriptor. If it is invalid, calls `malformed` with the place and the fault.
pub(crate) fn decode_descriptor(
    view: &AtomicBuffer,
    malformed: impl Fn(usize, String) -> JournalError,
) -> Result<RecordingDescriptor, JournalError> {
    let length = view.len();
    if length < field::BLOCK_LENGTH {
        return Err(malformed(0, format!("a descriptor of {length} bytes is too short")));
    }
    let int = |at| view.word_at::<i32>(at).load_relaxed();
    let long = |at| view.word_at::<i64>(at).load_relaxed();
    let time = |at| Some(long(at)).filter(|&time| time != NULL_VALUE).map(EpochMillis::new);
    let is_position = |position: &i64| *position >= 0 && position % 32 == 0;
    let term_length = TermLength::new(int(field::TERM_BUFFER_LENGTH).into())
        .map_err(|error| malformed(field::TERM_BUFFER_LENGTH, error.to_string()))?;
    let segment_length = SegmentLength::new(int(field::SEGMENT_FILE_LENGTH).into(), term_length)
        .map_err(|error| malformed(field::SEGMENT_FILE_LENGTH, error.to_string()))?;
    let mtu =
        Mtu::new(int(field::MTU_LENGTH).into()).map_err(|error| malformed(field::MTU_LENGTH, error.to_string()))?;
    let recording_id = long(field::RECORDING_ID);
    if !(0..i64::MAX).contains(&recording_id) {
        return Err(malformed(field::RECORDING_ID, format!("{recording_id} is no recording's id")));
    }
    let (start, stop) = (long(field::START_POSITION), long(field::STOP_POSITION));
    if !is_position(&start) || start > term_length.max_position().get() {
        return Err(malformed(field::START_POSITION, format!("a recording cannot start at {start}")));
    }
    if stop != NULL_VALUE && (!is_position(&stop) || stop < start || stop > term_length.max_position().get()) {
        let found = format!("a recording that starts at {start} cannot stop at {stop}");
        return Err(malformed(field::STOP_POSITION, found));
    }
    let mut text_at = field::BLOCK_LENGTH;
    let mut text = || {
        let left = length - text_at;
        let found = if left < 4 { None } else { usize::try_from(get_length(view, text_at)).ok() };
        let found = found.filter(|&found| found <= left - 4);
        let found = found.ok_or_else(|| malformed(text_at, "a text leads out of its entry".to_owned()))?;
        let mut bytes = vec![0; found];
        view.get_bytes(text_at + 4, &mut bytes);
        text_at += 4 + found;
        Ok::<_, JournalError>(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(RecordingDescriptor {
        control_session_id: long(field::CONTROL_SESSION_ID),
        correlation_id: long(field::CORRELATION_ID),
        recording_id: RecordingId::new(recording_id),
        start_timestamp: EpochMillis::new(long(field::START_TIMESTAMP)),
        stop_timestamp: time(field::STOP_TIMESTAMP),
        start_position: Position::new(start),
        stop_position: (stop != NULL_VALUE).then_some(Position::new(stop)),
        initial_term_id: TermId::new(int(field::INITIAL_TERM_ID)),
        segment_length,
        term_length,
        mtu,
        session_id: SessionId::new(int(field::SESSION_ID)),
        stream_id: StreamId::new(int(field::STREAM_ID)),
        stripped_channel: text()?,
        original_channel: text()?,
        source_identity: text()?,
    })
}

/// The length of a text, which need not be aligned.
fn get_length(view: &AtomicBuffer, offset: usize) -> i32 {
    let mut bytes = [0; 4];
    view.get_bytes(offset, &mut bytes);
    i32::from_le_bytes(bytes)
}
