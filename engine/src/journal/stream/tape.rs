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

use crate::logbuffer::{Block, FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, flags, frame, frame_type};
use crate::memory::{Frames, faults};
use crate::types::Position;

use super::super::error::{Fault, JournalError};
use super::super::journal::Journal;
use super::super::segment::Identity;
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

/// A block that has been checked.
struct Checked<'a> {
    /// The number of bytes that the block occupies.
    occupied: usize,
    /// The bytes to write. For padding, only the header.
    written: &'a [u8],
    /// The number of messages that end in the block.
    messages: u64,
}

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
        let Checked { occupied, written, messages } = check(&self.writer.identity, position, block)?;
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
        let space = self.frames.as_ref().and_then(|frames| frames.space(offset, occupied));
        let space = space.ok_or(JournalError::Stream { position, fault: Fault::Length { length: occupied as i32 } })?;
        space.put_frames(written);
        frame::commit_block(&space, written);
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

    /// Ends the recording at its current position, and returns that position. If `syncs` is set, first waits until all
    /// of it is on stable storage.
    pub(super) fn finish(self, syncs: bool) -> Result<Position, JournalError> {
        let Self { writer, journal, position, frames, .. } = self;
        drop((frames, writer));
        let closed = if syncs { journal.close() } else { journal.close_at_once() };
        closed.map(|()| position)
    }
}

/// Checks that a block consists of whole frames of the stream that continue at `position`.
fn check<'a>(identity: &Identity, position: Position, block: &Block<'a>) -> Result<Checked<'a>, JournalError> {
    let bytes = block.bytes;
    let broken = |position, fault| JournalError::Stream { position, fault };
    if block.position != position {
        let (found, expected) = (block.position.get(), position.get());
        return Err(broken(position, Fault::Header { field: "position", found, expected }));
    }
    let layout = identity.layout;
    let term_id = layout.term_length.term_id(position, layout.initial_term_id);
    let term_offset = layout.term_length.offset(position);
    let (mut at, mut messages) = (0, 0);
    while at < bytes.len() {
        let here = Position::new(position.get() + at as i64);
        let Some(header) = bytes.get(at..at + FRAME_HEADER_LENGTH) else {
            return Err(broken(here, Fault::Length { length: (bytes.len() - at) as i32 }));
        };
        let word = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let length = word(0);
        let aligned = (length.max(0) as usize).next_multiple_of(FRAME_ALIGNMENT);
        if length < FRAME_HEADER_LENGTH as i32 || aligned > bytes.len() - at {
            return Err(broken(here, Fault::Length { length }));
        }
        let kind = word(4);
        let expected_type = i32::from(if at == 0 && kind >> 16 == 0 { frame_type::PADDING } else { frame_type::DATA });
        for (field, found, expected) in [
            ("version", kind & 0xFF, 0),
            ("type", kind >> 16, expected_type),
            ("term offset", word(8), term_offset + at as i32),
            ("stream id", word(16), identity.stream_id.get()),
            ("term id", word(20), term_id.get()),
        ] {
            if found != expected {
                return Err(broken(here, Fault::Header { field, found: found.into(), expected: expected.into() }));
            }
        }
        if expected_type == i32::from(frame_type::PADDING) {
            return Ok(Checked { occupied: aligned, written: &bytes[..FRAME_HEADER_LENGTH], messages: 0 });
        }
        messages += u64::from((kind >> 8) as u8 & flags::END != 0);
        at += aligned;
    }
    if at == 0 { Err(broken(position, Fault::Hole)) } else { Ok(Checked { occupied: at, written: bytes, messages }) }
}
