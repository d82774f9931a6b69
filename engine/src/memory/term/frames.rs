//! Memory that is filled with frames from its start, term after term: a segment of a journal.
#![allow(unsafe_code, reason = "UNSAFE FENCE: reads and writes frames within ranges that were checked once")]

use super::{ALIGNMENT, FittedSpace, FrameCursor, FrameSpace, aligned};
use crate::memory::AtomicBuffer;

/// Memory that is filled with frames from its start.
#[derive(Clone, Debug)]
pub(crate) struct Frames {
    buffer: AtomicBuffer,
    /// The length of the part that frames can occupy: a multiple of the alignment.
    length: usize,
}

impl Frames {
    /// The frames of `buffer`. If its length is not a multiple of the alignment, the rest at its end contains none.
    ///
    /// # Panics
    ///
    /// If the buffer is not aligned for frames.
    pub(crate) fn new(buffer: &AtomicBuffer) -> Self {
        assert!(buffer.is_aligned_to(ALIGNMENT), "memory that frames can be aligned in");
        Self { buffer: buffer.clone(), length: buffer.len() & !(ALIGNMENT - 1) }
    }

    /// The length of the part that frames can occupy, in bytes.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Whether the mapping still shows its file. See [`AtomicBuffer::is_intact`].
    #[cfg(not(engine_loom))]
    pub(crate) fn is_intact(&self) -> bool {
        self.buffer.is_intact()
    }

    /// The range of `length` bytes at `offset`, for a frame that the caller has claimed. `None` if it does not fit, or
    /// is not valid for a frame: aligned, and long enough for a header.
    #[inline]
    pub(crate) fn space(&self, offset: usize, length: usize) -> Option<FrameSpace<'_>> {
        // Subtracting one makes a length of zero wrap around.
        if offset >= self.length
            || length.wrapping_sub(1) >= self.length - offset
            || !offset.is_multiple_of(ALIGNMENT)
            || !length.is_multiple_of(ALIGNMENT)
        {
            return None;
        }
        // SAFETY: the range was just found to lie within the buffer and to be aligned.
        Some(unsafe { FrameSpace::new(self.buffer.whole_span().advance(offset), length) })
    }

    /// As [`Self::space`], for a frame with this payload.
    #[inline(always)]
    pub(crate) fn space_for<'p>(&self, offset: usize, payload: &'p [u8]) -> Option<FittedSpace<'_, 'p>> {
        let length = aligned(ALIGNMENT + payload.len());
        let last = self.length.checked_sub(length)?;
        // One comparison checks both: the rotation turns an unaligned offset into a number beyond any limit.
        if offset.rotate_right(ALIGNMENT.trailing_zeros()) > last / ALIGNMENT {
            return None;
        }
        // SAFETY: the range was just found to lie within the buffer and to be aligned, and it is as long as the frame.
        Some(unsafe { FittedSpace::new(FrameSpace::new(self.buffer.whole_span().advance(offset), length), payload) })
    }

    /// The frames in `length` bytes from `offset` on, if the range is within this one and aligned.
    pub(crate) fn part(&self, offset: usize, length: usize) -> Option<Self> {
        if !offset.is_multiple_of(ALIGNMENT) || offset > self.length || length > self.length - offset {
            return None;
        }
        Some(Self::new(&self.buffer.slice(offset, length)))
    }

    /// A cursor over the frames from `offset` to the end. `None` if no frame can start at `offset`, unless it is the
    /// end.
    #[inline]
    pub(crate) fn cursor(&self, offset: usize) -> Option<FrameCursor<'_>> {
        if !offset.is_multiple_of(ALIGNMENT) || offset > self.length {
            return None;
        }
        // SAFETY: the offset is aligned, and within the buffer or at its end.
        Some(unsafe { FrameCursor::new(self.buffer.whole_span().advance(offset), self.length - offset) })
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_frame_for_a_payload_is_where_one_of_its_length_is() {
        const LENGTH: usize = 8 * ALIGNMENT;
        let frames = Frames::new(&AtomicBuffer::heap(LENGTH + ALIGNMENT)).part(ALIGNMENT, LENGTH).unwrap();
        let near_the_end_of_numbers = (0..=LENGTH).map(|before| usize::MAX - before);
        for offset in (0..=LENGTH + ALIGNMENT).chain(near_the_end_of_numbers) {
            for payload in 0..=LENGTH + 1 {
                let payload = vec![0xA5; payload];
                let length = aligned(ALIGNMENT + payload.len());
                let (fitted, space) = (frames.space_for(offset, &payload), frames.space(offset, length));
                assert_eq!(fitted.is_some(), space.is_some(), "{} bytes at {offset}", payload.len());
                if let Some(fitted) = fitted {
                    assert_eq!((fitted.length(), fitted.payload_length()), (length, payload.len()));
                    frames.buffer.zero(0, LENGTH);
                    fitted.put_payload();
                    let mut bytes = [0; LENGTH];
                    frames.buffer.get_bytes(0, &mut bytes);
                    let from = offset + ALIGNMENT;
                    let written = |at| (from..from + payload.len()).contains(&at);
                    assert!(bytes.iter().enumerate().all(|(at, &byte)| (byte == 0xA5) == written(at)));
                }
            }
        }
    }

    #[test]
    fn a_part_of_frames_is_within_them_and_begins_where_a_frame_may() {
        let frames = Frames::new(&AtomicBuffer::heap(8 * ALIGNMENT));
        let length = |offset, length| frames.part(offset, length).map(|part| part.length());
        assert_eq!(length(0, 8 * ALIGNMENT), Some(8 * ALIGNMENT));
        assert_eq!(length(7 * ALIGNMENT, ALIGNMENT), Some(ALIGNMENT));
        for (offset, bytes) in [(7 * ALIGNMENT, 2 * ALIGNMENT), (9 * ALIGNMENT, 0), (1, ALIGNMENT), (32, usize::MAX)] {
            assert_eq!(length(offset, bytes), None, "{bytes} bytes at {offset}");
        }
    }
}
