//! Batches: many small messages that are claimed with one update of the tail and published all at once. Both appenders
//! lend them.
//!
//! ```text
//!  | -total | message 1 | length 2 | message 2 | length 3 | message 3 |     claimed: one frame in progress, as long as all
//!  | length 1 | message 1 | length 2 | message 2 | length 3 | message 3 |   committed by one store
//! ```
//!
//! The frames behind the first are complete, but no reader can reach them before the first is committed. If the
//! publisher dies, the driver finds one claim in progress and turns all of it into padding.

use crate::memory::FrameSpace;
use crate::types::Position;

use super::claim::ClaimLost;
use super::frame::{self, FRAME_HEADER_LENGTH, occupied};
use super::message::Claimed;

/// The payloads of several messages, which the application writes directly into the log. [`commit`](Self::commit)
/// publishes all of them. Dropping the batch aborts it. Everything else is as for [`Claim`](super::Claim).
#[derive(Debug)]
#[must_use = "a batch that is dropped is aborted"]
pub struct BatchClaim<'a> {
    space: FrameSpace<'a>,
    lengths: &'a [usize],
    end: Position,
    open: bool,
}

/// The number of bytes that frames with payloads of these lengths occupy, saturating. Each length is valid for a frame.
pub(crate) fn framed_length(lengths: &[usize]) -> usize {
    lengths.iter().fold(0, |sum: usize, &length| sum.saturating_add(occupied(length)))
}

impl<'a> BatchClaim<'a> {
    /// Begins the frames of a batch. There is at least one, and the claimed range is exactly as long as all of them.
    /// All frames get the reserved value.
    pub(crate) fn begin(claimed: Claimed<'a>, lengths: &'a [usize], end: Position, reserved: i64) -> Self {
        let Claimed { mut space, mut place } = claimed;
        let mut in_progress = Some(-(space.length() as i32));
        for_each_frame(&mut space, lengths, |frame, length| {
            let word = in_progress.take().unwrap_or((FRAME_HEADER_LENGTH + length) as i32);
            frame::begin(&frame, place, word, frame::DATA_UNFRAGMENTED, reserved);
            place = place.beyond(frame.length());
        });
        Self { space, lengths, end, open: true }
    }

    /// The position after the batch.
    #[cfg(all(feature = "journal", not(engine_loom)))]
    #[inline]
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// Calls `write` with the number (from 0) and the payload of each message. A payload has the requested length. Its
    /// initial contents are unspecified.
    #[inline]
    pub fn for_each(&mut self, mut write: impl FnMut(usize, &mut [u8])) {
        let mut index = 0;
        for_each_frame(&mut self.space, self.lengths, |mut frame, length| {
            let mut payload = frame.lend_payload(length);
            write(index, payload.bytes_mut());
            payload.give_back();
            index += 1;
        });
    }

    /// Publishes all messages. Returns the position after the last one.
    ///
    /// # Errors
    ///
    /// [`ClaimLost`] if the batch was open for longer than the driver's unblock timeout.
    #[inline]
    pub fn commit(mut self) -> Result<Position, ClaimLost> {
        self.open = false;
        if !frame::is_in_progress(&self.space, self.space.length() as i32) {
            return Err(ClaimLost);
        }
        frame::commit(&self.space, (FRAME_HEADER_LENGTH + self.lengths[0]) as i32);
        Ok(self.end)
    }

    /// Aborts the batch. Its space becomes padding, which subscribers skip.
    pub fn abort(self) {}
}

impl Drop for BatchClaim<'_> {
    fn drop(&mut self) {
        let length = self.space.length() as i32;
        if self.open && frame::is_in_progress(&self.space, length) {
            self.space.word(frame::VERSION_FLAGS_TYPE).store_relaxed(frame::PADDING);
            frame::commit(&self.space, length);
        }
    }
}

/// Splits a batch's range into the frames of messages of these lengths, for which it was claimed.
#[inline(always)]
fn for_each_frame(space: &mut FrameSpace<'_>, lengths: &[usize], mut each: impl FnMut(FrameSpace<'_>, usize)) {
    let mut rest = space.reborrow();
    for &length in lengths {
        match rest.split(occupied(length)) {
            Ok((frame, next)) => {
                each(frame, length);
                rest = next;
            }
            // The last frame takes the whole rest.
            Err(last) => return each(last, length),
        }
    }
}
