//! A claim: a frame whose payload the application writes directly into the log.

use core::ops::{Deref, DerefMut};

use crate::memory::{FrameSpace, Lent};
use crate::types::Position;

use super::frame::{self, FRAME_HEADER_LENGTH, Place, occupied};
use super::message::{self, Claimed};

/// The payload of one message, which the application writes directly into the log. [`commit`](Self::commit) publishes
/// the message. Dropping the claim aborts it, and readers skip it.
///
/// A claim borrows its publication. Readers cannot read past an open claim, so keep it short. The driver assumes that
/// the publisher of a claim is dead once it has been open for longer than the unblock timeout (default 15 s). The claim
/// is then lost. A leaked claim ([`core::mem::forget`]) has the same effect as a dead publisher.
#[derive(Debug)]
#[must_use = "a claim that is dropped is aborted"]
pub struct Claim<'a> {
    space: FrameSpace<'a>,
    payload: Lent<'a>,
    frame_length: i32,
    end: Position,
    /// The flags and the reserved value for the header. They are stored at the commit: before that the frame may be
    /// taken over, and then it must not be written.
    flags: Option<u8>,
    reserved_value: Option<i64>,
    open: bool,
}

/// The claim was open for so long that the driver considered its publisher dead. The message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claim was held for longer than the driver's unblock timeout, and is lost")]
pub struct ClaimLost;

impl<'a> Claim<'a> {
    #[inline]
    pub(crate) fn begin(claimed: Claimed<'a>, length: usize, end: Position) -> Self {
        let Claimed { mut space, place } = claimed;
        let frame_length = (FRAME_HEADER_LENGTH + length) as i32;
        frame::begin(&space, place, -frame_length, frame::DATA_UNFRAGMENTED, 0);
        let payload = space.lend_payload(length);
        Self { space, payload, frame_length, end, flags: None, reserved_value: None, open: true }
    }

    /// The position after the claim.
    #[cfg(all(feature = "journal", not(engine_loom)))]
    #[inline]
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// The payload. Its initial contents are unspecified.
    #[inline]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.payload.bytes_mut()
    }

    /// Sets the frame's flags. Default: [`UNFRAGMENTED`](super::flags::UNFRAGMENTED).
    pub fn set_flags(&mut self, flags: u8) {
        self.flags = Some(flags);
    }

    /// Sets the reserved value: eight bytes in the frame's header for the application's use. Default: 0.
    #[inline]
    pub fn set_reserved_value(&mut self, value: i64) {
        self.reserved_value = Some(value);
    }

    /// Publishes the message. Returns the position after it.
    ///
    /// # Errors
    ///
    /// [`ClaimLost`] if the claim was open for longer than the driver's unblock timeout.
    #[inline]
    pub fn commit(mut self) -> Result<Position, ClaimLost> {
        self.finish_header()?;
        frame::commit(&self.space, self.frame_length);
        Ok(self.end)
    }

    /// Publishes the first `length` bytes of the payload, or all of it if it is shorter. Returns the position after the
    /// claim. The rest of the claimed space becomes padding, which readers skip.
    ///
    /// # Errors
    ///
    /// As [`Self::commit`].
    #[inline]
    pub fn commit_first(mut self, length: usize) -> Result<Position, ClaimLost> {
        if length >= self.payload.bytes().len() {
            return self.commit();
        }
        self.finish_header()?;
        let start = occupied(length);
        let place = Place::of(&self.space).beyond(start);
        // No reader reaches the padding before the frame before it is committed. Until then both are one claim in
        // progress.
        if let Ok((_, rest)) = self.space.reborrow().split(start) {
            let claimed = Claimed { space: rest, place };
            let rest_length = claimed.space.length() as i32;
            message::write_padding(&claimed, rest_length);
        }
        frame::commit(&self.space, (FRAME_HEADER_LENGTH + length) as i32);
        Ok(self.end)
    }

    /// Stores the rest of the header, unless the driver has taken the claim over.
    #[inline]
    fn finish_header(&mut self) -> Result<(), ClaimLost> {
        self.open = false;
        if !frame::is_in_progress(&self.space, self.frame_length) {
            return Err(ClaimLost);
        }
        self.payload.give_back();
        if let Some(flags) = self.flags {
            self.space.word(frame::VERSION_FLAGS_TYPE).store_relaxed(frame::pack(flags, frame::frame_type::DATA));
        }
        if let Some(value) = self.reserved_value {
            self.space.word(frame::RESERVED_VALUE).store_relaxed(value);
        }
        Ok(())
    }

    /// Aborts the claim. Its space becomes padding, which subscribers skip.
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

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::testing::TestLog;
    use crate::logbuffer::{LogKind, unblock};

    #[test]
    fn a_claim_that_was_taken_over_touches_nothing_any_more() {
        let test = TestLog::new(LogKind::Concurrent);
        test.set_limit(1 << 16);
        let appender = test.concurrent();
        let mut claim = appender.try_claim(100).expect("there is room");
        assert!(unblock(&test.log, Position::new(0)));
        let mut taken_over = [0; FRAME_HEADER_LENGTH];
        test.log.term(0).get_bytes(0, &mut taken_over);
        claim.set_flags(0x11);
        claim.set_reserved_value(42);
        assert_eq!(claim.commit(), Err(ClaimLost));
        let mut left = [0; FRAME_HEADER_LENGTH];
        test.log.term(0).get_bytes(0, &mut left);
        assert_eq!(left, taken_over, "readers see padding");
    }

    #[test]
    fn what_is_left_of_a_claim_that_was_too_long_is_skipped() {
        let test = TestLog::new(LogKind::Exclusive);
        test.set_limit(1 << 16);
        let mut appender = test.exclusive();
        // Claims of 1000 bytes take up 1056; what 960 to 1000 leave is less than a frame.
        let lengths = [0, 1, 32, 33, 959, 960, 961, 999, 1000, 2000];
        for length in lengths {
            let mut claim = appender.try_claim(1000).expect("there is room");
            claim.fill(length as u8);
            let end = claim.commit_first(length).expect("nobody took it");
            assert_eq!(end, appender.position());
            appender.offer(b"next").expect("there is room");
        }
        let (mut found, mut sessions) = (Vec::new(), Vec::new());
        while test.reader().poll(
            |fragment| {
                found.push(fragment.payload().to_vec());
                sessions.push(fragment.session_id());
            },
            100,
        ) > 0
        {}
        let sent = lengths.iter().flat_map(|&length| [vec![length as u8; length.min(1000)], b"next".to_vec()]);
        assert_eq!(found, sent.collect::<Vec<_>>());
        assert!(sessions.iter().all(|&session| session == test.log.session_id()));
        assert_eq!(test.reader().position(), appender.position());
    }
}
