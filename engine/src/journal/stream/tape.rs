//! Records one image: checks blocks of its frames, copies them into the mapped segment, and commits them. The recorder
//! calls this on its duty cycle. It makes no system call and allocates nothing, unless the next segment was not made
//! ahead in time.
//!
//! ```text
//!            tail = recorded
//!               ▼
//!  ── frames ───┤ block: copied but for its first eight bytes, then those, then the tail
//! ```
//!
//! If the process is killed before the first eight bytes are stored, the block does not exist. If it is killed after
//! that, the block is complete, and the next process that opens the recording counts it: see `Writer::settle`.

use std::sync::Arc;

use crate::logbuffer::frame::{self, aligned};
use crate::logbuffer::{Block, FRAME_HEADER_LENGTH, flags, frame_type};
use crate::memory::{Frames, faults};
use crate::types::Position;

use super::super::error::{Fault, JournalError};
use super::super::journal::Journal;
use super::super::segment::Identity;
use super::super::storage::Lock;
use super::super::writer::Writer;
use super::times::TimesWriter;

#[derive(Debug)]
pub(super) struct Tape {
    // Declared in this order, because the journal is closed when its writer has no other users.
    writer: Arc<Writer>,
    journal: Journal,
    times: TimesWriter,
    position: Position,
    base: Position,
    frames: Option<Frames>,
    messages: u64,
    /// The value of [`faults`] at the last check of the files.
    faults: i64,
}

/// The beginning of a block, read once: its first eight bytes, which commit the block.
type Head = [u8; 8];

impl Tape {
    /// Continues at the end of the recording.
    pub(super) fn new(journal: Journal) -> Self {
        let writer = Arc::clone(journal.writer());
        let times = TimesWriter::new(Arc::clone(&writer.storage), writer.descriptor.recording_id);
        let position = writer.control.recorded_position();
        Self { writer, journal, times, position, base: Position::new(0), frames: None, messages: 0, faults: faults() }
    }

    /// Records a block that was received at this time.
    pub(super) fn write(&mut self, block: &Block<'_>, time_ns: i64) -> Result<(), JournalError> {
        let position = self.position;
        let (head, occupied, written) = begin(position, block)?;
        let layout = self.writer.identity.layout;
        let base = layout.base(position);
        if self.frames.is_none() || base != self.base {
            if position >= layout.end() {
                return Err(JournalError::MaxPosition { recording_id: self.writer.descriptor.recording_id });
            }
            self.frames = Some(self.writer.segment(base)?.frames);
            self.base = base;
        }
        let offset = (position.get() - base.get()) as usize;
        let place = self.frames.as_ref().and_then(|frames| frames.space(offset, occupied).zip(frames.cursor(offset)));
        let fault = Fault::Length { length: occupied as i32 };
        let (space, copy) = place.ok_or(JournalError::Stream { position, fault })?;
        space.put_frames(written);
        // The copy is checked. Other processes may be writing to the original.
        let messages = match check(&self.writer.identity, position, head, copy.block(written.len())) {
            Ok(messages) => messages,
            Err(error) => {
                self.writer.segment(base)?.stored.view().zero(offset, written.len());
                return Err(error);
            }
        };
        frame::commit_block(&space, &head);
        let now = faults();
        if now != self.faults {
            if let Some(frames) = &self.frames {
                self.writer.check_intact(frames, base, position)?;
            }
            self.faults = now;
        }
        let end = position.get() + occupied as i64;
        // ORDERING(journal.tail): Release. Pairs with the Acquire loads in `advance` and `recover`: the block is committed.
        self.writer.control.tail().store_release(end);
        self.position = Position::new(end);
        self.writer.control.advance_recorded(self.position);
        self.times.note(base, position, time_ns);
        self.messages += messages;
        Ok(())
    }

    /// The number of messages that were recorded completely.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// The journal that is written.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Ends the recording at its current position. The caller has the lock of opening, or could not get it. If `syncs` is
    /// set, first waits until all of it is on stable storage.
    pub(super) fn finish(self, opening: Result<Lock, JournalError>, syncs: bool) -> Result<(), JournalError> {
        let Self { writer, journal, frames, .. } = self;
        drop((frames, writer));
        journal.close_under(opening, syncs)
    }
}

fn word(bytes: &[u8], at: usize) -> i32 {
    i32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn is_padding(kind: i32) -> bool {
    kind >> 16 == i32::from(frame_type::PADDING)
}

fn broken(position: Position, fault: Fault) -> JournalError {
    JournalError::Stream { position, fault }
}

/// The head of a block that is to continue at `position`, the number of bytes that the block occupies, and the bytes to
/// write. For padding, these are only the header.
fn begin<'a>(position: Position, block: &Block<'a>) -> Result<(Head, usize, &'a [u8]), JournalError> {
    let bytes = block.bytes;
    if block.position != position {
        let (found, expected) = (block.position.get(), position.get());
        return Err(broken(position, Fault::Header { field: "position", found, expected }));
    }
    let Some(&head) = bytes.first_chunk().filter(|_| bytes.len() >= FRAME_HEADER_LENGTH) else {
        return Err(broken(position, Fault::Length { length: bytes.len() as i32 }));
    };
    if !is_padding(word(&head, 4)) {
        return Ok((head, bytes.len(), bytes));
    }
    let length = word(&head, 0);
    if length < FRAME_HEADER_LENGTH as i32 || aligned(length) > bytes.len() {
        return Err(broken(position, Fault::Length { length }));
    }
    Ok((head, aligned(length), &bytes[..FRAME_HEADER_LENGTH]))
}

/// Checks that `copy`, with this head, consists of whole frames of the stream that continue at `position`. Returns the
/// number of messages that end in it. Of padding, the copy has only the header.
fn check(identity: &Identity, position: Position, head: Head, copy: &[u8]) -> Result<u64, JournalError> {
    let layout = identity.layout;
    let term_id = layout.term_length.term_id(position, layout.initial_term_id);
    let term_offset = layout.term_length.offset(position);
    let (mut at, mut messages) = (0, 0);
    while at < copy.len() {
        let here = Position::new(position.get() + at as i64);
        let Some(header) = copy.get(at..at + FRAME_HEADER_LENGTH) else {
            return Err(broken(here, Fault::Length { length: (copy.len() - at) as i32 }));
        };
        let begin = if at == 0 { &head } else { header };
        let (length, kind) = (word(begin, 0), word(begin, 4));
        let is_padding = at == 0 && is_padding(kind);
        if length < FRAME_HEADER_LENGTH as i32 || !is_padding && aligned(length) > copy.len() - at {
            return Err(broken(here, Fault::Length { length }));
        }
        let expected_type = i32::from(if is_padding { frame_type::PADDING } else { frame_type::DATA });
        for (field, found, expected) in [
            ("version", kind & 0xFF, 0),
            ("type", kind >> 16, expected_type),
            ("term offset", word(header, 8), term_offset + at as i32),
            ("stream id", word(header, 16), identity.stream_id.get()),
            ("term id", word(header, 20), term_id.get()),
        ] {
            if found != expected {
                return Err(broken(here, Fault::Header { field, found: found.into(), expected: expected.into() }));
            }
        }
        if is_padding {
            return Ok(0);
        }
        messages += u64::from((kind >> 8) as u8 & flags::END != 0);
        at += aligned(length);
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalOptions;
    use crate::journal::Start;
    use crate::journal::storage::MemoryStorage;
    use crate::memory::RawAccess;

    /// Frames with payloads of these lengths, as they are from a position of the first term on.
    fn frames(journal: &Journal, position: Position, lengths: &[usize]) -> Vec<u8> {
        let descriptor = journal.descriptor();
        let mut bytes = Vec::new();
        for &length in lengths {
            let at = bytes.len();
            bytes.resize(at + aligned((FRAME_HEADER_LENGTH + length) as i32), 7);
            let words = [
                (FRAME_HEADER_LENGTH + length) as i32,
                frame::DATA_UNFRAGMENTED,
                position.get() as i32 + at as i32,
                descriptor.session_id.get(),
                descriptor.stream_id.get(),
                descriptor.initial_term_id.get(),
            ];
            bytes[at..][..24].copy_from_slice(&words.map(i32::to_le_bytes).concat());
        }
        bytes
    }

    #[test]
    fn a_block_of_anything_else_than_frames_leaves_no_trace() {
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10);
        let journal = Journal::create_in(Arc::new(MemoryStorage::new(RawAccess::ENGINE)), &options).unwrap();
        let recording = journal.recording().unwrap();
        let whole = frames(&journal, Position::new(0), &[8, 100, 0]);
        let later = frames(&journal, Position::new(whole.len() as i64), &[40]);
        let mut tape = Tape::new(journal);
        let mut write = |position: usize, bytes: &[u8]| {
            let descriptor = recording.descriptor();
            let (session_id, term_id) = (descriptor.session_id, descriptor.initial_term_id);
            let outcome = tape.write(&Block { bytes, session_id, term_id, position: (position as i64).into() }, 1);
            let mut left = vec![1; whole.len()];
            tape.writer.segment(Position::new(0)).unwrap().stored.view().get_bytes(0, &mut left);
            (outcome.is_ok(), left.iter().all(|&byte| byte == 0), tape.messages())
        };
        let second = 64;
        // The frame and the offset in it, and the word that is there.
        let spoilt = [
            (0, 0, 0),
            (0, 0, -40),
            (0, 0, i32::MAX),
            (0, 4, 1),
            (0, 8, 32),
            (second, 0, 0),
            (second, 0, 31),
            (second, 0, i32::MIN),
            (second, 0, whole.len() as i32),
            (second, 4, 0),
            (second, 8, 0),
            (second, 16, -1),
            (second, 20, -1),
        ];
        for (start, at, value) in spoilt {
            let mut bytes = whole.clone();
            bytes[start + at..][..4].copy_from_slice(&i32::to_le_bytes(value));
            assert_eq!(write(0, &bytes), (false, true, 0), "{value} at {at} of {start}");
        }
        assert_eq!(write(32, &whole), (false, true, 0));
        assert_eq!(write(0, &whole[..16]), (false, true, 0));
        assert_eq!(write(0, &whole), (true, false, 3));
        assert_eq!(write(whole.len(), &later), (true, false, 4));
        let mut found = Vec::new();
        let mut tailer = recording.tailer(Start::Begin).unwrap();
        tailer.poll(|record| found.push(record.payload().to_vec()), 10).unwrap();
        assert_eq!(found, [8, 100, 0, 40].map(|length| vec![7; length]));
    }

    /// Other processes may write to a block while it is recorded.
    #[test]
    fn the_head_of_a_block_is_not_read_again() {
        let options = JournalOptions::new().term_length(64 << 10).segment_length(64 << 10);
        let journal = Journal::create_in(Arc::new(MemoryStorage::new(RawAccess::ENGINE)), &options).unwrap();
        let mut copy = frames(&journal, Position::new(0), &[8, 100]);
        let head = *copy.first_chunk().unwrap();
        copy[..8].fill(0xFF);
        let identity = journal.descriptor().identity();
        assert_eq!(check(&identity, Position::new(0), head, &copy).unwrap(), 2);
        assert!(check(&identity, Position::new(0), [0xFF; 8], &copy).is_err());
    }
}
