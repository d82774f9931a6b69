//! Writes a message into a claimed range: as one frame, or as fragments of one frame's payload each. Both appenders
//! call this.

use std::io::IoSlice;

#[cfg(feature = "journal")]
use crate::memory::FittedSpace;
use crate::memory::FrameSpace;

use super::frame::{self, FRAME_HEADER_LENGTH, Place, aligned, flags, frame_type, occupied};

/// The source of a message's bytes.
pub(crate) trait Payload {
    /// Copies the next `length` bytes into the frame.
    fn write(&mut self, space: &FrameSpace<'_>, length: usize);
}

impl Payload for &[u8] {
    #[inline(always)]
    fn write(&mut self, space: &FrameSpace<'_>, length: usize) {
        let (now, later) = self.split_at(length);
        space.put_payload(0, now);
        *self = later;
    }
}

/// A message gathered from several slices.
#[derive(Debug)]
pub(crate) struct Gather<'a> {
    parts: &'a [IoSlice<'a>],
    /// The number of bytes of the first part that are written.
    written: usize,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(parts: &'a [IoSlice<'a>]) -> Self {
        Self { parts, written: 0 }
    }

    /// The length of all parts, saturating.
    pub(crate) fn length(&self) -> usize {
        self.parts.iter().fold(0, |sum: usize, part| sum.saturating_add(part.len()))
    }
}

impl Payload for Gather<'_> {
    #[inline]
    fn write(&mut self, space: &FrameSpace<'_>, length: usize) {
        let mut at = 0;
        while at < length {
            let part = &self.parts[0][self.written..];
            let now = part.len().min(length - at);
            space.put_payload(at, &part[..now]);
            at += now;
            self.written += now;
            if self.written == self.parts[0].len() {
                self.parts = &self.parts[1..];
                self.written = 0;
            }
        }
    }
}

/// A range of a term that an appender has claimed, and the place for its first frame's header.
pub(crate) struct Claimed<'a> {
    pub(crate) space: FrameSpace<'a>,
    pub(crate) place: Place,
}

/// The number of bytes that a message occupies as fragments of at most `max_payload` bytes.
pub(crate) const fn fragmented_length(length: usize, max_payload: usize) -> usize {
    let rest = length % max_payload;
    length / max_payload * (max_payload + FRAME_HEADER_LENGTH) + if rest > 0 { occupied(rest) } else { 0 }
}

/// Writes and commits a message that fits into one frame.
#[inline(always)]
pub(crate) fn write_whole(
    claimed: &Claimed<'_>,
    mut payload: impl Payload,
    length: usize,
    second_word: i32,
    reserved: i64,
) {
    let Claimed { space, place } = claimed;
    let frame_length = (FRAME_HEADER_LENGTH + length) as i32;
    frame::begin(space, *place, -frame_length, second_word, reserved);
    payload.write(space, length);
    frame::commit(space, frame_length);
}

/// Writes and commits a message into a frame of its exact length.
#[cfg(feature = "journal")]
#[inline(always)]
pub(crate) fn write_fitted(frame: &FittedSpace<'_, '_>, place: Place, second_word: i32, reserved: i64) {
    let (space, frame_length) = (frame.space(), (FRAME_HEADER_LENGTH + frame.payload_length()) as i32);
    frame::begin(space, place, -frame_length, second_word, reserved);
    frame.put_payload();
    frame::commit(space, frame_length);
}

/// Writes a message as fragments. Each is committed before the next is begun, so that the sender can start with the
/// first.
pub(crate) fn write_fragments(
    claimed: Claimed<'_>,
    payload: impl Payload,
    length: usize,
    max_payload: usize,
    reserved: i64,
) {
    write_fragments_from(claimed, payload, length, max_payload, reserved, flags::BEGIN);
}

/// Writes a message of several fragments so that readers see all of it at once: the first fragment is committed last.
#[cfg(feature = "journal")]
pub(crate) fn write_at_once(
    claimed: Claimed<'_>,
    mut payload: impl Payload,
    length: usize,
    max_payload: usize,
    reserved: i64,
) {
    let Claimed { space, place } = claimed;
    let Ok((first, rest)) = space.split(max_payload + FRAME_HEADER_LENGTH) else {
        unreachable!("a message that takes more than one fragment");
    };
    let frame_length = (FRAME_HEADER_LENGTH + max_payload) as i32;
    frame::begin(&first, place, -frame_length, frame::pack(flags::BEGIN, frame_type::DATA), reserved);
    payload.write(&first, max_payload);
    let rest = Claimed { space: rest, place: place.beyond(first.length()) };
    write_fragments_from(rest, payload, length - max_payload, max_payload, reserved, 0);
    frame::commit(&first, frame_length);
}

/// Writes the rest of a message as fragments. `begins` is the flag of the first of them.
fn write_fragments_from(
    claimed: Claimed<'_>,
    mut payload: impl Payload,
    length: usize,
    max_payload: usize,
    reserved: i64,
    mut begins: u8,
) {
    let Claimed { space: mut rest, mut place } = claimed;
    let mut remaining = length;
    // If nothing can be split off, the rest is the last fragment, because the claimed range ends with it.
    let space = loop {
        let space = match rest.split(max_payload + FRAME_HEADER_LENGTH) {
            Ok((space, next)) => {
                rest = next;
                space
            }
            Err(last) => break last,
        };
        let frame_length = (FRAME_HEADER_LENGTH + max_payload) as i32;
        let second_word = frame::pack(begins, frame_type::DATA);
        frame::begin(&space, place, -frame_length, second_word, reserved);
        payload.write(&space, max_payload);
        frame::commit(&space, frame_length);
        place = place.beyond(space.length());
        remaining -= max_payload;
        begins = 0;
    };
    let second_word = frame::pack(begins | flags::END, frame_type::DATA);
    write_whole(&Claimed { space, place }, payload, remaining, second_word, reserved);
}

/// Copies formatted frames into a claimed range, gives them their places, and commits them at once. The two words are those
/// of the first frame: a length that fits into the range, and version, flags and type. They are not read again, and the
/// other frames are told apart in the copy, because other processes may be writing to the original. Frames that cannot be told
/// apart become padding.
pub(crate) fn write_frames(claimed: Claimed<'_>, frames: &[u8], (first, second): (i32, i32)) {
    let Claimed { mut space, place } = claimed;
    space.put_frames(frames);
    let mut at = aligned(first);
    let mut rest = space.reborrow().split(at).ok().map(|(_, rest)| rest);
    while let Some(frame) = rest.take() {
        let left = frame.length();
        let found = frame.word(frame::LENGTH).load_relaxed();
        let here = place.beyond(at);
        if found < FRAME_HEADER_LENGTH as i32 || aligned(found) > left {
            write_padding(&Claimed { space: frame, place: here }, left as i32);
            break;
        }
        frame::readdress(&frame, here);
        at += aligned(found);
        rest = frame.split(aligned(found)).ok().map(|(_, rest)| rest);
    }
    frame::readdress(&space, place);
    space.word(frame::VERSION_FLAGS_TYPE).store_relaxed(second);
    frame::commit(&space, first);
}

/// Turns a claimed range into padding, which readers skip. Its frame is `length` bytes long, header included.
pub(crate) fn write_padding(claimed: &Claimed<'_>, length: i32) {
    let Claimed { space, place } = claimed;
    // First the length in progress, so that the driver recognises the range if the publisher dies in between.
    frame::begin(space, *place, -length, frame::PADDING, 0);
    frame::commit(space, length);
}
