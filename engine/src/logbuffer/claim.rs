//! A claim: a frame lent to the application to write its payload in place.

use core::ops::{Deref, DerefMut};

use crate::memory::{FrameSpace, Lent};
use crate::types::Position;

use super::frame::{self, FRAME_HEADER_LENGTH, Origin};
use super::message::Claimed;

/// The payload of one message, lent for writing in the log itself. It becomes visible with [`commit`](Self::commit); dropped
/// without, it is aborted, and readers skip it.
///
/// A claim borrows its publication. Readers wait for it, so it should be short-lived; one that is held for longer than the
/// driver's unblock timeout (15 s unless configured) is taken for a dead publisher's, and lost. Forgotten
/// ([`core::mem::forget`]), it is as if its publisher had died.
#[derive(Debug)]
#[must_use = "a claim that is dropped is aborted"]
pub struct Claim<'a> {
    space: FrameSpace<'a>,
    payload: Lent<'a>,
    frame_length: i32,
    end: Position,
    open: bool,
}

/// The claim was held for so long that the driver took its publisher for dead: the message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claim was held for longer than the driver's unblock timeout, and is lost")]
pub struct ClaimLost;

impl<'a> Claim<'a> {
    #[inline]
    pub(super) fn begin(claimed: Claimed<'a>, origin: Origin, length: usize, end: Position) -> Self {
        let Claimed { mut space, term_id, term_offset } = claimed;
        let frame_length = (FRAME_HEADER_LENGTH + length) as i32;
        frame::begin(&space, origin, term_id, term_offset, -frame_length, frame::DATA_UNFRAGMENTED, 0);
        let payload = space.lend_payload(length);
        Self { space, payload, frame_length, end, open: true }
    }

    /// The payload. What it holds at first is unspecified.
    #[inline]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.payload.bytes_mut()
    }

    /// Sets the frame's flags, [`UNFRAGMENTED`](super::flags::UNFRAGMENTED) unless set.
    pub fn set_flags(&mut self, flags: u8) {
        self.space.word(frame::VERSION_FLAGS_TYPE).store_relaxed(frame::pack(flags, frame::frame_type::DATA));
    }

    /// Sets the reserved value, 0 unless set: eight bytes in the frame's header that are the application's.
    #[inline]
    pub fn set_reserved_value(&mut self, value: i64) {
        self.space.word(frame::RESERVED_VALUE).store_relaxed(value);
    }

    /// Publishes the message and returns the position after it.
    ///
    /// # Errors
    ///
    /// [`ClaimLost`] if the driver has given up waiting for it.
    #[inline]
    pub fn commit(mut self) -> Result<Position, ClaimLost> {
        self.open = false;
        if !frame::is_in_progress(&self.space, self.frame_length) {
            return Err(ClaimLost);
        }
        self.payload.give_back();
        frame::commit(&self.space, self.frame_length);
        Ok(self.end)
    }

    /// Gives the claim up: its space becomes padding.
    #[inline]
    pub fn abort(self) {}
}

impl Drop for Claim<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.open && frame::is_in_progress(&self.space, self.frame_length) {
            self.space.word(frame::VERSION_FLAGS_TYPE).store_relaxed(frame::PADDING);
            frame::commit(&self.space, self.frame_length);
        }
    }
}

impl Deref for Claim<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.payload.bytes()
    }
}

impl DerefMut for Claim<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.payload.bytes_mut()
    }
}
