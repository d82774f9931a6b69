//! Finds the part of a log that can be sent as one datagram, and lends its bytes. The driver's sender calls this for
//! new data and for retransmits. The transport sends the bytes directly from the log.

use crate::memory::{Field, OwnedWord};
use crate::types::Position;

use super::LogBuffers;
use super::frame::{self, FRAME_HEADER_LENGTH};
use super::scan::Scan;

/// What can be sent from a position as one datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sendable {
    /// The number of bytes to send: whole frames, and of padding only the header. 0 if there is nothing.
    pub wire: usize,
    /// The number of bytes by which sending them advances the position. More than `wire` if they end with padding,
    /// which may exceed the limit.
    pub advance: usize,
    /// Whether the next frame exists but exceeds the limit. If `wire` is 0, the limit blocks the stream.
    pub is_too_long: bool,
    /// Whether these are the last committed frames of an unfinished term, so that the next call would find nothing.
    pub is_last: bool,
}

/// What can be sent from `from` on with at most `most` bytes: whole committed frames of one term, up to the first
/// padding that is longer than its header.
///
/// Nothing if no frame can start at `from`, and nothing after an invalid frame.
pub fn sendable(log: &LogBuffers, from: Position, most: usize) -> Sendable {
    let mut found = Sendable::default();
    if from.get() < 0 {
        return found;
    }
    let Some(mut scan) = Scan::new(log, from.get()) else { return found };
    while found.wire < most || found.wire == 0 {
        let before = scan.remaining();
        let Some(frame) = scan.next() else {
            found.is_last = found.wire > 0 && before > 0;
            break;
        };
        let advance = before - scan.remaining();
        let is_padding = frame::is_padding(&frame);
        let wire = if is_padding { FRAME_HEADER_LENGTH } else { advance };
        if found.wire + wire > most {
            found.is_too_long = true;
            break;
        }
        found.wire += wire;
        found.advance += advance;
        if advance != wire {
            break;
        }
    }
    found
}

/// The `length` bytes at `from`, if they are what [`sendable`] found there: whole committed frames of one term, the
/// last of which may be the header of padding.
///
/// The caller must ensure that the bytes are not cleaned while they are lent. The sender must not move its position,
/// which holds back the conductor, beyond them before they are sent. Retransmitted bytes must be less than a term
/// behind it.
pub fn committed(log: &LogBuffers, from: Position, length: usize) -> Option<&[u8]> {
    if from.get() < 0 || length == 0 {
        return None;
    }
    let mut scan = Scan::new(log, from.get())?;
    let start = scan.clone();
    let whole = start.remaining();
    while whole - scan.remaining() < length {
        let before = whole - scan.remaining();
        let frame = scan.next()?;
        let advanced = whole - scan.remaining();
        let is_last_header = frame::is_padding(&frame) && before + FRAME_HEADER_LENGTH == length;
        if advanced > length && !is_last_header {
            return None;
        }
    }
    Some(start.cursor().block(length))
}

/// The place of a log's next frame. A sender with many logs that has sent everything checks with a single load whether
/// anything was appended there.
#[derive(Debug)]
pub struct NextFrame {
    word: OwnedWord<i32>,
    seen: i32,
}

impl NextFrame {
    /// The place at this position, with its present value. `None` if no frame can start there.
    pub fn of(log: &LogBuffers, at: Position) -> Option<Self> {
        if at.get() < 0 {
            return None;
        }
        Scan::new(log, at.get()).filter(|scan| scan.remaining() > 0)?;
        let term_length = log.term_length();
        let term = log.term(term_length.term_count(at) as u32 as usize % 3);
        let word: OwnedWord<i32> = term.own(Field::at(term_length.offset(at) as usize));
        let seen = word.load_relaxed();
        Some(Self { word, seen })
    }

    /// Whether the place was empty when it was first loaded.
    #[inline]
    pub fn was_free(&self) -> bool {
        self.seen == 0
    }

    /// Whether the place is unchanged. If not, call [`sendable`]; what a client has stored may be invalid.
    #[inline]
    pub fn is_untouched(&self) -> bool {
        // Only a reason to look. The look itself has acquire ordering.
        self.word.load_relaxed() == self.seen
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::testing::{TERM_LENGTH, TestLog, parameters};
    use crate::logbuffer::{LogKind, OfferError};

    const LENGTH: i64 = TERM_LENGTH.get() as i64;

    fn filled(messages: &[usize]) -> TestLog {
        let test = TestLog::new(LogKind::Exclusive);
        test.set_limit(2 * LENGTH);
        let mut appender = test.exclusive();
        messages.iter().for_each(|&length| _ = appender.offer(&vec![0xAB; length]).unwrap());
        test
    }

    fn at(test: &TestLog, from: i64, most: usize) -> (usize, usize, bool) {
        let found = sendable(&test.log, Position::new(from), most);
        if found.wire > 0 {
            let bytes = committed(&test.log, Position::new(from), found.wire).unwrap();
            assert_eq!(bytes.len(), found.wire);
            let mut copy = vec![0; found.wire];
            test.log
                .term(TERM_LENGTH.term_count(Position::new(from)) as usize % 3)
                .get_bytes((from % LENGTH) as usize, &mut copy);
            assert_eq!(bytes, copy);
        }
        (found.wire, found.advance, found.is_too_long)
    }

    /// Three messages of 100 bytes make one datagram of 480.
    #[test]
    fn frames_share_a_datagram_as_long_as_they_fit() {
        let test = filled(&[100, 100, 100]);
        assert_eq!(at(&test, 0, 1408), (480, 480, false));
        assert_eq!(at(&test, 0, 480), (480, 480, false));
        assert_eq!(at(&test, 160, 1408), (320, 320, false));
        assert_eq!(at(&test, 480, 1408), (0, 0, false), "nothing is there yet");
    }

    /// Trap 26: a frame is sent whole or not at all.
    #[test]
    fn wire_trap_26_a_frame_goes_whole_or_not_at_all() {
        let test = filled(&[100, 100]);
        assert_eq!(at(&test, 0, 319), (160, 160, true));
        assert_eq!(at(&test, 0, 159), (0, 0, true));
        assert_eq!(at(&test, 0, 0), (0, 0, true), "no window, and something to send");
        assert_eq!(at(&test, 320, 0), (0, 0, false), "no window, and nothing to send");
    }

    /// Traps 8 and 27: padding counts as its header against what is allowed, and moves the position by all that it covers. Section 25,
    /// item 4: padding of 5536 left with only 32 bytes of window open.
    #[test]
    fn wire_trap_27_padding_needs_room_for_its_header_only() {
        let mut parameters = parameters(LogKind::Exclusive);
        parameters.start_position = Position::new(LENGTH - 5536 - 64);
        let test = TestLog::with(&parameters);
        test.set_limit(2 * LENGTH);
        let mut appender = test.exclusive();
        appender.offer(b"last").unwrap();
        assert_eq!(appender.offer(&[0; 8000]), Err(OfferError::AdminAction));
        let start = LENGTH - 5536;
        assert_eq!(at(&test, start, 32), (32, 5536, false));
        assert_eq!(at(&test, start, 31), (0, 0, true));
        assert_eq!(at(&test, start - 64, 1408), (96, 5600, false), "behind the last message, in its datagram");
        assert_eq!(at(&test, start - 64, 95), (64, 64, true));
        assert_eq!(committed(&test.log, Position::new(start), 64), None, "what padding covers is not sent");
        assert_eq!(at(&test, LENGTH, 1408), (0, 0, false));
    }

    #[test]
    fn it_is_known_whether_more_can_be_asked_for() {
        let test = filled(&[100, 100]);
        let is_last = |from, most| sendable(&test.log, Position::new(from), most).is_last;
        assert!(is_last(0, 1408) && is_last(160, 1408));
        assert!(!is_last(0, 319), "the second does not fit");
        assert!(!is_last(0, 320), "nobody has looked behind them");
        assert!(!is_last(320, 1408), "there is none");
        let mut parameters = parameters(LogKind::Exclusive);
        parameters.start_position = Position::new(LENGTH - 64);
        let test = TestLog::with(&parameters);
        test.set_limit(2 * LENGTH);
        test.exclusive().offer(&[1; 32]).unwrap();
        assert!(!sendable(&test.log, Position::new(LENGTH - 64), 1408).is_last, "the next term may have some");
    }

    /// Padding of a header alone does not end a datagram.
    #[test]
    fn the_least_padding_may_be_followed() {
        let test = filled(&[]);
        let mut appender = test.exclusive();
        appender.append_padding(0).unwrap();
        appender.offer(&[1; 32]).unwrap();
        assert_eq!(at(&test, 0, 1408), (96, 96, false));
    }

    /// Trap 17: a claim that is not committed ends the scan.
    #[test]
    fn wire_trap_17_a_claim_in_progress_ends_the_scan() {
        let test = TestLog::new(LogKind::Concurrent);
        test.set_limit(LENGTH);
        let appender = test.concurrent();
        appender.offer(&[1; 10]).unwrap();
        let claim = appender.try_claim(20).unwrap();
        appender.offer(&[2; 10]).unwrap();
        assert_eq!(at(&test, 0, 1408), (64, 64, false));
        assert_eq!(committed(&test.log, Position::new(0), 128), None);
        claim.commit().unwrap();
        assert_eq!(at(&test, 0, 1408), (192, 192, false));
    }

    /// Trap 6: no datagram crosses a term.
    #[test]
    fn wire_trap_06_a_datagram_ends_with_its_term() {
        let mut parameters = parameters(LogKind::Exclusive);
        parameters.start_position = Position::new(LENGTH - 64);
        let test = TestLog::with(&parameters);
        test.set_limit(2 * LENGTH);
        let mut appender = test.exclusive();
        appender.offer(&[1; 32]).unwrap();
        while appender.offer(&[2; 32]).is_err() {}
        assert_eq!(at(&test, LENGTH - 64, 1408), (64, 64, false));
        assert_eq!(at(&test, LENGTH, 1408), (64, 64, false));
    }

    /// Whatever the log holds, and wherever a position points, what is lent lies within the term.
    #[test]
    fn garbage_is_not_sent() {
        for length in [1, 31, 33, i32::MAX, i32::MIN, -1, TERM_LENGTH.get(), TERM_LENGTH.get() + 1] {
            let test = TestLog::new(LogKind::Exclusive);
            for index in 0..3 {
                test.log.term(index).word_at::<i32>(0).store_relaxed(length);
                test.log.term(index).word_at::<i32>(LENGTH as usize - 32).store_relaxed(length);
            }
            for from in [0, 1, -32, LENGTH - 32, LENGTH, i64::MAX, i64::MAX & !31, i64::MIN] {
                let found = sendable(&test.log, Position::new(from), 1 << 20);
                assert!(found.wire <= LENGTH as usize && found.wire <= found.advance);
                for asked in [0, 1, 32, found.wire, LENGTH as usize, usize::MAX] {
                    let lent = committed(&test.log, Position::new(from), asked);
                    assert!(lent.is_none_or(|bytes| bytes.len() == asked));
                }
            }
        }
    }

    #[test]
    fn the_place_of_the_next_frame_is_untouched_until_there_is_one() {
        let test = filled(&[32]);
        let end = sendable(&test.log, Position::new(0), 1408).advance as i64;
        let next = NextFrame::of(&test.log, Position::new(end)).expect("a place for a frame");
        assert!(next.is_untouched());
        assert!(NextFrame::of(&test.log, Position::new(0)).is_some_and(|taken| taken.seen != 0));
        test.exclusive().offer(&[1; 32]).expect("there is room");
        assert!(!next.is_untouched());
        for nowhere in [-32, 7, i64::MIN] {
            assert!(NextFrame::of(&test.log, Position::new(nowhere)).is_none(), "{nowhere}");
        }
    }
}
