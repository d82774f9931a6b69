//! The frame header: the places of its fields, and how a frame is begun and committed. Appenders and the unblocker call
//! this.
//!
//! ```text
//!  0           4        5      6       8            12          16         20       24              32
//! | length     | version | flags | type | term offset | session id | stream id | term id | reserved value | payload ...
//! ```
//!
//! One word, one width: the length is a 32-bit word, and so are version, flags and type together. The pairs that follow
//! are always written as 64-bit words.

use crate::memory::{CommittedFrame, Field, FrameSpace, align_up};
use crate::sync::{Ordering, fence};
use crate::types::{SessionId, StreamId, TermId};

/// The length of a frame's header in bytes.
pub const FRAME_HEADER_LENGTH: usize = 32;

/// The alignment of frames in bytes.
pub const FRAME_ALIGNMENT: usize = 32;

/// The flags of a frame.
pub mod flags {
    /// The frame begins a message.
    pub const BEGIN: u8 = 0x80;
    /// The frame ends a message.
    pub const END: u8 = 0x40;
    /// The frame is a complete message.
    pub const UNFRAGMENTED: u8 = BEGIN | END;
}

/// The types of frames in logs.
pub mod frame_type {
    /// Padding, which readers skip.
    pub const PADDING: u16 = 0;
    /// A message, or a fragment of one.
    pub const DATA: u16 = 1;
}

pub(crate) const LENGTH: Field<i32> = Field::at(0);
/// Version in bits 0 to 7, flags in 8 to 15, type in 16 to 31.
pub(crate) const VERSION_FLAGS_TYPE: Field<i32> = Field::at(4);
/// Term offset in the low half, session id in the high half.
pub(crate) const TERM_OFFSET_AND_SESSION: Field<i64> = Field::at(8);
/// Stream id in the low half, term id in the high half.
pub(crate) const STREAM_AND_TERM: Field<i64> = Field::at(16);
pub(crate) const RESERVED_VALUE: Field<i64> = Field::at(24);

const _: () = {
    assert!(LENGTH.end() == VERSION_FLAGS_TYPE.start());
    assert!(VERSION_FLAGS_TYPE.end() == TERM_OFFSET_AND_SESSION.start());
    assert!(TERM_OFFSET_AND_SESSION.end() == STREAM_AND_TERM.start());
    assert!(STREAM_AND_TERM.end() == RESERVED_VALUE.start());
    assert!(RESERVED_VALUE.end() == FRAME_HEADER_LENGTH);
};

/// The second header word of a data frame that is a complete message.
pub(crate) const DATA_UNFRAGMENTED: i32 = pack(flags::UNFRAGMENTED, frame_type::DATA);

/// The second header word of a padding frame.
pub(crate) const PADDING: i32 = pack(flags::UNFRAGMENTED, frame_type::PADDING);

/// The second header word of a frame of version 0.
#[inline]
pub(crate) const fn pack(flags: u8, frame_type: u16) -> i32 {
    (flags as i32) << 8 | (frame_type as i32) << 16
}

/// The number of bytes that a frame with `payload` bytes occupies.
#[inline]
pub(crate) const fn occupied(payload: usize) -> usize {
    align_up(FRAME_HEADER_LENGTH + payload, FRAME_ALIGNMENT)
}

/// The number of bytes that a frame with this length in its header occupies. 0 for a negative length.
#[inline]
pub(crate) const fn aligned(length: i32) -> usize {
    if length < 0 { 0 } else { align_up(length as usize, FRAME_ALIGNMENT) }
}

/// The fields that all frames of an appender share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) session_id: SessionId,
    pub(crate) stream_id: StreamId,
}

impl Origin {
    /// The header words of a frame with this origin at this place.
    #[inline]
    pub(crate) fn at(self, term_id: TermId, term_offset: i32) -> Place {
        Place {
            offset_and_session: i64::from(term_offset as u32) | i64::from(self.session_id.get()) << 32,
            stream_and_term: i64::from(self.stream_id.get() as u32) | i64::from(term_id.get()) << 32,
        }
    }
}

/// The header words that contain the place and the origin of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    offset_and_session: i64,
    stream_and_term: i64,
}

impl Place {
    /// The place and origin in the header of a frame that was begun.
    pub(crate) fn of(space: &FrameSpace<'_>) -> Self {
        Self {
            offset_and_session: space.word(TERM_OFFSET_AND_SESSION).load_relaxed(),
            stream_and_term: space.word(STREAM_AND_TERM).load_relaxed(),
        }
    }

    /// Whether a frame's header has this place and this stream, with any session.
    #[cfg(all(feature = "journal", not(engine_loom)))]
    #[inline(always)]
    pub(crate) fn is_that_of(self, frame: &CommittedFrame<'_>) -> bool {
        frame.word(TERM_OFFSET_AND_SESSION).load_relaxed() as i32 == self.offset_and_session as i32
            && frame.word(STREAM_AND_TERM).load_relaxed() == self.stream_and_term
    }

    /// The place `length` bytes later in the same term.
    #[inline]
    pub(crate) fn beyond(self, length: usize) -> Self {
        Self { offset_and_session: self.offset_and_session.wrapping_add(length as i64), ..self }
    }
}

/// Begins a frame: stores its length, negated because it is in progress, and then the rest of the header. The frame
/// becomes visible when it is committed.
#[inline(always)]
pub(crate) fn begin(space: &FrameSpace<'_>, place: Place, length_in_progress: i32, second_word: i32, reserved: i64) {
    space.word(LENGTH).store_relaxed(length_in_progress);
    // ORDERING(log.frame-started): Release fence. Pairs with the Acquire loads of `unblock`, in every driver; whoever
    // sees any part of the frame, its payload included, sees that it is in progress or committed.
    fence(Ordering::Release);
    fill(space, place, second_word, reserved);
}

/// Stores a frame's header, except its length.
#[inline(always)]
pub(super) fn fill(space: &FrameSpace<'_>, place: Place, second_word: i32, reserved: i64) {
    space.word(VERSION_FLAGS_TYPE).store_relaxed(second_word);
    space.word(TERM_OFFSET_AND_SESSION).store_relaxed(place.offset_and_session);
    space.word(STREAM_AND_TERM).store_relaxed(place.stream_and_term);
    space.word(RESERVED_VALUE).store_relaxed(reserved);
}

/// Commits a frame that was begun with this length. Readers see it as a whole.
#[inline(always)]
pub(crate) fn commit(space: &FrameSpace<'_>, length: i32) {
    // ORDERING(log.frame-committed): Release. Pairs with the Acquire load of a frame's length in `scan` and `unblock`;
    // publishes the header words and the payload.
    space.word(LENGTH).store_release(length);
}

/// The length of a frame that the driver has taken over. Negative like any length in progress, and never stored by a
/// publisher.
const TAKEN_OVER: i32 = i32::MIN;

/// Turns a frame of a dead publisher into padding of `length` bytes. `found` is its length when the publisher was
/// judged dead. Returns false without a change if the publisher has stored another length meanwhile.
pub(crate) fn take_over(space: &FrameSpace<'_>, place: Place, found: i32, length: i32) -> bool {
    // ORDERING(log.frame-taken-over): no ordering is needed; only one of the two gets the frame. From here on, a
    // publisher that checks before it commits finds that it has lost the frame.
    if space.word(LENGTH).compare_exchange(found, TAKEN_OVER).is_err() {
        return false;
    }
    fill(space, place, PADDING, 0);
    // ORDERING(log.frame-committed): AcqRel. Pairs with the Acquire load of a frame's length in `scan`; publishes the
    // header. A publisher that does not check, and writes to the frame again, keeps it.
    space.word(LENGTH).compare_exchange(TAKEN_OVER, length).is_ok()
}

/// Commits the frames of a block of which everything except the first eight bytes was copied.
pub(crate) fn commit_block(space: &FrameSpace<'_>, block: &[u8]) {
    let word = |at: usize| i32::from_le_bytes(block[at..at + 4].try_into().expect("a block of whole frames"));
    space.word(VERSION_FLAGS_TYPE).store_relaxed(word(4));
    commit(space, word(0));
}

/// Changes the place and origin in the header of a copied frame.
#[inline]
pub(crate) fn readdress(space: &FrameSpace<'_>, place: Place) {
    space.word(TERM_OFFSET_AND_SESSION).store_relaxed(place.offset_and_session);
    space.word(STREAM_AND_TERM).store_relaxed(place.stream_and_term);
}

/// Whether a frame that was begun with this length still belongs to its publisher: neither committed nor taken over.
#[inline(always)]
pub(crate) fn is_in_progress(space: &FrameSpace<'_>, length: i32) -> bool {
    space.word(LENGTH).load_relaxed() == length.wrapping_neg()
}

/// Whether the frame is padding.
#[inline]
pub(crate) fn is_padding(frame: &CommittedFrame<'_>) -> bool {
    frame.word(VERSION_FLAGS_TYPE).load_relaxed() >> 16 == i32::from(frame_type::PADDING)
}
