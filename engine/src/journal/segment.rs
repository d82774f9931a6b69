//! Segments: the file of a position, the names of the files, and whether a frame belongs to the recording. Appenders,
//! tailers and recovery ask here; nothing here touches a file.
//!
//! ```text
//!  start of the term that the recording starts in
//!  │        start position
//!  ▼        ▼
//!  ├────────┬───────────────┬───────────────┤├───────────────┬─────── ...
//!  │  hole  │ term          │ term          ││ term          │ 0 0 0
//!  └────────┴───────────────┴───────────────┘└───────────────┴───────
//!   0-<base>.rec, segment length              0-<base + segment length>.rec
//! ```

use crate::logbuffer::{FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, flags, frame, frame_type};
use crate::memory::{CommittedFrame, FrameCursor};
use crate::types::{Position, RecordingId, SessionId, StreamId, TermId, TermLength};

use super::fault::Fault;

/// The suffix of a segment's file name.
const SUFFIX: &str = ".rec";
/// The suffix of a segment that is made ahead and has no frames yet.
const AHEAD_SUFFIX: &str = ".next";

/// The length of each segment file: a power of two from the term length to 1 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentLength(TermLength);

/// A number that is not a valid segment length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("segment length {found} is not a power of two from the term length, {term_length}, to {}", TermLength::MAX)]
pub struct SegmentLengthError {
    /// The number found.
    pub found: i64,
    /// The length of a term.
    pub term_length: TermLength,
}

impl SegmentLength {
    /// Checks a length in bytes.
    ///
    /// # Errors
    ///
    /// [`SegmentLengthError`] unless it is a power of two from the term length to 1 GiB.
    pub const fn new(bytes: i64, term_length: TermLength) -> Result<Self, SegmentLengthError> {
        match TermLength::new(bytes) {
            Ok(length) if length.get() >= term_length.get() => Ok(Self(length)),
            _ => Err(SegmentLengthError { found: bytes, term_length }),
        }
    }

    /// The length of a segment with one tiny term, for models. Never found in a file.
    #[cfg(engine_loom)]
    pub const fn tiny(term_length: TermLength) -> Self {
        Self(term_length)
    }

    /// The length in bytes.
    #[inline]
    pub const fn get(self) -> i32 {
        self.0.get()
    }
}

/// How the positions of a recording map to segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentLayout {
    /// The length of a term.
    pub term_length: TermLength,
    /// The length of a segment file.
    pub segment_length: SegmentLength,
    /// The position at which the recording starts.
    pub start_position: Position,
    /// The id of the stream's first term.
    pub initial_term_id: TermId,
}

impl SegmentLayout {
    /// The base of the segment that contains `position`: the position at which it begins. For a position before the
    /// recording, the base of the first segment.
    #[inline]
    pub const fn base(&self, position: Position) -> Position {
        let first = self.first_base();
        let within = if position.get() > first { position.get() - first } else { 0 };
        Position::new(first + (within & !(self.segment_length.get() as i64 - 1)))
    }

    /// The base of the segment after the one at `base`.
    #[inline]
    pub const fn next_base(&self, base: Position) -> Position {
        Position::new(base.get() + self.segment_length.get() as i64)
    }

    /// Whether a segment can begin there.
    pub const fn is_base(&self, base: Position) -> bool {
        let within = base.get() - self.first_base();
        within >= 0 && within & (self.segment_length.get() as i64 - 1) == 0 && base.get() < self.end().get()
    }

    /// The highest position at which a message can end.
    #[inline]
    pub const fn end(&self) -> Position {
        self.term_length.max_position()
    }

    /// The base of the first segment.
    const fn first_base(&self) -> i64 {
        let start = self.start_position.get();
        start - self.term_length.offset(self.start_position) as i64
    }
}

/// The name of a segment's file.
pub fn segment_name(recording_id: RecordingId, base: Position) -> String {
    format!("{recording_id}-{base}{SUFFIX}")
}

/// The file name of a segment that is made ahead. An archive ignores files with such names, so it does not take one for
/// the recording's last segment.
pub fn ahead_name(recording_id: RecordingId, base: Position) -> String {
    format!("{recording_id}-{base}{AHEAD_SUFFIX}")
}

/// Whether a segment's file is part of the recording, according to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SegmentKind {
    /// Made ahead. It contains frames only if its writers were killed before they could rename it.
    Ahead,
    /// Part of the recording.
    Recorded,
}

/// The recording, the base and the kind of a segment, from its file name. `None` if the name is not a segment's.
pub fn parse_segment_name(name: &str) -> Option<(RecordingId, Position, SegmentKind)> {
    let (stem, kind) = if let Some(stem) = name.strip_suffix(SUFFIX) {
        (stem, SegmentKind::Recorded)
    } else {
        (name.strip_suffix(AHEAD_SUFFIX)?, SegmentKind::Ahead)
    };
    let (id, base) = stem.split_once('-')?;
    Some((RecordingId::new(parse_number(id)?), Position::new(parse_number(base)?), kind))
}

/// The recording's id or the position in a file's name, if it is written as these are: no sign, no leading zeroes.
pub(crate) fn parse_number(text: &str) -> Option<i64> {
    let value: i64 = text.parse().ok()?;
    ((0..i64::MAX).contains(&value) && value.to_string() == text).then_some(value)
}

/// A frame of a recording that was found at a position.
#[derive(Clone, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) frame: CommittedFrame<'a>,
    /// The number of bytes that the frame occupies, aligned.
    pub(crate) occupied: usize,
}

impl Found<'_> {
    /// The start of the message that is incomplete after this frame. `before` is the start of the message that was
    /// incomplete before it.
    pub(crate) fn begun_message(&self, before: Option<Position>, position: Position) -> Option<Position> {
        let kind = self.frame.word(frame::VERSION_FLAGS_TYPE).load_relaxed();
        let flags = (kind >> 8) as u8;
        if (kind >> 16) as u16 == frame_type::PADDING || flags & flags::END != 0 {
            None
        } else if flags & flags::BEGIN != 0 {
            Some(position)
        } else {
            before
        }
    }
}

/// What is at a position of a segment.
#[derive(Clone, Debug)]
pub(crate) enum At<'a> {
    /// A frame of the recording.
    Frame(Found<'a>),
    /// Nothing yet, or a frame that its appender is still writing.
    Nothing {
        /// 0, or the negative length of the frame that is being written.
        length: i32,
    },
    /// Bytes that are not a frame of the recording.
    Fault(Fault),
}

/// The header fields that all frames of a recording share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) layout: SegmentLayout,
    pub(crate) stream_id: StreamId,
    pub(crate) session_id: SessionId,
}

impl Identity {
    /// Returns what is at `cursor`, whose position is `position`, and moves the cursor past a frame. Treats all bytes
    /// as untrusted.
    #[inline]
    pub(crate) fn look<'a>(&self, cursor: &mut FrameCursor<'a>, position: Position) -> At<'a> {
        let Some(word) = cursor.length_word() else { return At::Nothing { length: 0 } };
        // ORDERING(log.frame-committed): Acquire. Pairs with the Release store of `commit` in `frame`; the header words
        // and the payload are visible from here on.
        let length = word.load_acquire();
        if length <= 0 {
            return At::Nothing { length };
        }
        let term_offset = self.layout.term_length.offset(position);
        // The cursor keeps the frame within the segment. This check keeps it within its term.
        if length > self.layout.term_length.get() - term_offset {
            return At::Fault(Fault::Length { length });
        }
        let Some(frame) = cursor.take(length) else { return At::Fault(Fault::Length { length }) };
        if let Some(fault) = self.fault(&frame, position, term_offset) {
            return At::Fault(fault);
        }
        let occupied = (length as usize).next_multiple_of(FRAME_ALIGNMENT);
        At::Frame(Found { frame, occupied })
    }

    /// Returns the frame at `cursor`, whose position is `position`, if it is a valid message of one frame, and moves
    /// the cursor past it. Takes half the time of [`Self::look`], which handles everything else.
    #[cfg(not(engine_loom))]
    #[inline(always)]
    pub(crate) fn look_for_whole<'a>(
        &self,
        cursor: &mut FrameCursor<'a>,
        position: Position,
    ) -> Option<CommittedFrame<'a>> {
        // ORDERING(log.frame-committed): Acquire. Pairs with the Release store of `commit` in `frame`, as in `look`.
        let length = cursor.length_word()?.load_acquire();
        let term_length = self.layout.term_length;
        // The cursor rejects invalid lengths.
        if length > term_length.get() - term_length.offset(position) {
            return None;
        }
        let frame = cursor.take(length)?;
        let is_whole = frame.word(frame::VERSION_FLAGS_TYPE).load_relaxed() == frame::DATA_UNFRAGMENTED;
        (is_whole && self.place(position).is_that_of(&frame)).then_some(frame)
    }

    #[inline]
    fn fault(&self, frame: &CommittedFrame<'_>, position: Position, term_offset: i32) -> Option<Fault> {
        let term_id = self.layout.term_length.term_id(position, self.layout.initial_term_id);
        let place = frame.word(frame::TERM_OFFSET_AND_SESSION).load_relaxed();
        let stream = frame.word(frame::STREAM_AND_TERM).load_relaxed();
        let kind = frame.word(frame::VERSION_FLAGS_TYPE).load_relaxed();
        let (found_offset, found_stream, found_term) = (place as i32, stream as i32, (stream >> 32) as i32);
        let (version, frame_type) = (kind & 0xFF, (kind >> 16) as u16);
        let fault = |field, found: i32, expected: i32| {
            (found != expected).then_some(Fault::Header { field, found: found.into(), expected: expected.into() })
        };
        fault("term offset", found_offset, term_offset)
            .or_else(|| fault("term id", found_term, term_id.get()))
            .or_else(|| fault("stream id", found_stream, self.stream_id.get()))
            .or_else(|| fault("version", version, 0))
            .or_else(|| {
                let is_known = matches!(frame_type, frame_type::DATA | frame_type::PADDING);
                fault("type", frame_type.into(), if is_known { frame_type } else { frame_type::DATA }.into())
            })
    }

    /// The header words of a frame at this position.
    #[inline]
    pub(crate) fn place(&self, position: Position) -> frame::Place {
        let SegmentLayout { term_length, initial_term_id, .. } = self.layout;
        let origin = frame::Origin { session_id: self.session_id, stream_id: self.stream_id };
        origin.at(term_length.term_id(position, initial_term_id), term_length.offset(position))
    }
}

const _: () = assert!(FRAME_HEADER_LENGTH == FRAME_ALIGNMENT);

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;

    fn layout(start: i64) -> SegmentLayout {
        let term_length = TermLength::MIN;
        SegmentLayout {
            term_length,
            segment_length: SegmentLength::new(128 << 10, term_length).unwrap(),
            start_position: Position::new(start),
            initial_term_id: TermId::new(-3),
        }
    }

    /// As an archive computes them.
    #[test]
    fn positions_are_in_the_segments_of_the_worked_example() {
        let layout = layout(70_016);
        let base = |position| layout.base(Position::new(position)).get();
        assert_eq!([base(70_016), base(196_607), base(196_608), base(200_000)], [65_536, 65_536, 196_608, 196_608]);
        assert_eq!(segment_name(RecordingId::new(7), layout.base(Position::new(70_016))), "7-65536.rec");
        assert_eq!(200_000 - base(200_000), 3_392);
        assert_eq!(layout.next_base(Position::new(196_608)).get(), 327_680);
        let bases = [0, 65_536, 131_072, 196_608, 327_680, 393_216, 458_752];
        assert_eq!(bases.map(|base| layout.is_base(base.into())), [false, true, false, true, true, false, true]);
        assert_eq!(base(0), 65_536, "a position before the recording");
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let id = RecordingId::new(12);
        let base = Position::new(131_072);
        assert_eq!(parse_segment_name(&segment_name(id, base)), Some((id, base, SegmentKind::Recorded)));
        assert_eq!(parse_segment_name(&ahead_name(id, base)), Some((id, base, SegmentKind::Ahead)));
        for name in
            ["", ".rec", "0.rec", "-0.rec", "0-.rec", "0--1.rec", "00-0.rec", "0-+1.rec", "1-2.rec.del", "a-b.rec"]
        {
            assert_eq!(parse_segment_name(name), None, "{name}");
        }
        assert_eq!(parse_segment_name("0-99999999999999999999.rec"), None);
        assert_eq!(parse_segment_name("9223372036854775807-0.rec"), None, "no recording has this id");
    }

    #[test]
    fn segments_are_no_shorter_than_terms() {
        let term = TermLength::new(1 << 20).unwrap();
        assert!(SegmentLength::new(1 << 20, term).is_ok() && SegmentLength::new(1 << 30, term).is_ok());
        for bytes in [0, -1, 1 << 19, 1 << 31, (1 << 20) + 1, i64::MAX] {
            assert_eq!(SegmentLength::new(bytes, term), Err(SegmentLengthError { found: bytes, term_length: term }));
        }
    }
}
