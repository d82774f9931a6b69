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

/// The payloads of several messages, lent for writing in the log itself. They become visible together with
/// [`commit`](Self::commit); dropped without, they are aborted. Otherwise as [`Claim`](super::Claim).
#[derive(Debug)]
#[must_use = "a batch that is dropped is aborted"]
pub struct BatchClaim<'a> {
    space: FrameSpace<'a>,
    lengths: &'a [usize],
    end: Position,
    open: bool,
}

/// The space that frames with payloads of these lengths take up; the greatest number when that is more than a number can hold.
/// Each length is one that a frame can have.
pub(super) fn framed_length(lengths: &[usize]) -> usize {
    lengths.iter().fold(0, |sum: usize, &length| sum.saturating_add(occupied(length)))
}

impl<'a> BatchClaim<'a> {
    /// Begins the frames of a batch. There is at least one, and the claimed range is as long as all of them.
    pub(super) fn begin(claimed: Claimed<'a>, lengths: &'a [usize], end: Position) -> Self {
        let Claimed { mut space, mut place } = claimed;
        let mut in_progress = Some(-(space.length() as i32));
        for_each_frame(&mut space, lengths, |frame, length| {
            let word = in_progress.take().unwrap_or((FRAME_HEADER_LENGTH + length) as i32);
            frame::begin(&frame, place, word, frame::DATA_UNFRAGMENTED, 0);
            place = place.beyond(frame.length());
        });
        Self { space, lengths, end, open: true }
    }

    /// Calls `write` for each message, with its number, from 0, and its payload, which has the length that was asked
    /// for. What the payload holds at first is unspecified.
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

    /// Publishes all messages and returns the position after the last.
    ///
    /// # Errors
    ///
    /// [`ClaimLost`] if the driver has given up waiting for them.
    #[inline]
    pub fn commit(mut self) -> Result<Position, ClaimLost> {
        self.open = false;
        if !frame::is_in_progress(&self.space, self.space.length() as i32) {
            return Err(ClaimLost);
        }
        frame::commit(&self.space, (FRAME_HEADER_LENGTH + self.lengths[0]) as i32);
        Ok(self.end)
    }

    /// Aborts the batch: its space becomes padding, which subscribers skip.
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

/// Cuts a batch's range into the frames of messages of these lengths, which it was claimed for.
#[inline(always)]
fn for_each_frame(space: &mut FrameSpace<'_>, lengths: &[usize], mut each: impl FnMut(FrameSpace<'_>, usize)) {
    let mut rest = space.reborrow();
    for &length in lengths {
        match rest.split(occupied(length)) {
            Ok((frame, next)) => {
                each(frame, length);
                rest = next;
            }
            // Nothing is left behind the last one.
            Err(last) => return each(last, length),
        }
    }
}
