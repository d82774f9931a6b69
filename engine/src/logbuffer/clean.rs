//! Zeroing the memory that every subscriber has consumed, so that publishers can reuse it. The driver's conductor calls
//! this before it publishes the limit that allows the reuse.

use std::hint::black_box;

use crate::types::Position;

use super::LogBuffers;
use super::frame::{FRAME_ALIGNMENT, LENGTH};

/// From this term length on, in bytes, cleaning bypasses the processor's caches. Memory that is cleaned is written
/// again only two terms later, when it has left the caches. Fetching it for cleaning and writing it back would take
/// memory bandwidth from publishers. `gannet bench ipc --term-length N` shows both effects.
const TERM_BEYOND_CACHE: i32 = 16 << 20;

/// For a file in memory, Linux maps this many bytes around a page that is first accessed by a read, for stores as well,
/// but only one page if it is first accessed by a write. So the cleaner reads single bytes of pages that are not mapped
/// yet before it zeroes them.
const MAPPED_AT_ONCE: usize = 64 << 10;

/// Zeroes the log from `clean`, up to which it has been cleaned, towards `to`, at most to the end of the term: the work
/// of one duty cycle. Returns the position up to which the log is clean now.
///
/// Positions are rounded down to frame boundaries, because they come from counters that clients write. Does nothing if
/// `to` is not beyond `clean`.
pub fn clean_to(log: &LogBuffers, clean: Position, to: Position) -> Position {
    let term_length = log.term_length();
    let to = Position::new(to.get() & !(FRAME_ALIGNMENT as i64 - 1));
    if clean.get() < 0 || to <= clean {
        return clean;
    }
    let offset = term_length.offset(clean) as usize;
    let rest = term_length.get() as usize - offset;
    let length = usize::try_from(to.get() - clean.get()).unwrap_or(rest).min(rest);
    let term = log.term(term_length.term_count(clean) as u32 as usize % 3);
    for at in (offset.next_multiple_of(MAPPED_AT_ONCE)..offset + length).step_by(MAPPED_AT_ONCE) {
        black_box(term.word_at::<i32>(at).load_relaxed());
    }
    if term_length.get() >= TERM_BEYOND_CACHE {
        term.zero_past_cache(offset + LENGTH.end(), length - LENGTH.end());
    } else {
        term.zero(offset + LENGTH.end(), length - LENGTH.end());
    }
    // ORDERING(log.cleaned): Release. Pairs with the Acquire load of a frame's length in `scan`; the length at the
    // start of the range is zeroed last, so a reader that still scans from there never sees a partly zeroed header.
    term.word_at::<i32>(offset).store_release(0);
    Position::new(clean.get() + length as i64)
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::LogKind;
    use crate::logbuffer::testing::{TERM_LENGTH, TestLog, parameters};
    use crate::memory::RawAccess;
    use crate::types::TermLength;

    /// Trap 50: what is below the slowest subscriber is zero again, to the byte, and what is above it is untouched.
    #[test]
    fn trap_50_cleans_up_to_the_slowest_subscriber() {
        let test = TestLog::new(LogKind::Concurrent);
        test.set_limit(1 << 15);
        let appender = test.concurrent();
        let first = appender.offer(&[0xFF; 100]).unwrap();
        appender.offer(&[0xEE; 100]).unwrap();
        let snapshot = |log: &LogBuffers| {
            let mut bytes = vec![0; TERM_LENGTH.get() as usize];
            log.term(0).get_bytes(0, &mut bytes);
            bytes
        };
        let before = snapshot(&test.log);
        let clean = clean_to(&test.log, Position::new(0), first);
        assert_eq!(clean, first);
        let after = snapshot(&test.log);
        let first = first.get() as usize;
        assert!(before[..first].iter().any(|&byte| byte != 0));
        assert!(after[..first].iter().all(|&byte| byte == 0));
        assert_eq!(after[first..], before[first..]);
    }

    /// Trap 18 of the wire: one call cleans to the end of the term at most, so limits and windows go by what is clean.
    #[test]
    fn wire_trap_18_one_call_stays_within_one_term_and_believes_no_position() {
        let test = TestLog::new(LogKind::Concurrent);
        let length = i64::from(TERM_LENGTH.get());
        let fill = |index: usize| test.log.term(index).put_bytes(0, &vec![1; length as usize]);
        (0..3).for_each(fill);
        let clean = |from: i64, to: i64| clean_to(&test.log, Position::new(from), Position::new(to)).get();
        assert_eq!(clean(length - 64, length + 640), length);
        assert_eq!(clean(length, length + 63), length + 32);
        assert_eq!(clean(length + 32, length + 40), length + 32);
        assert_eq!(clean(length, -1), length);
        assert_eq!(clean(-64, 64), -64);
        assert_eq!(clean(length, i64::MAX), 2 * length);
        let mut bytes = vec![0; length as usize];
        test.log.term(0).get_bytes(0, &mut bytes);
        assert_eq!(bytes.iter().filter(|&&byte| byte == 0).count(), 64);
    }

    /// Long terms are cleaned in another way, to the same effect: every byte of the range, wherever it starts and ends, and none
    /// beside it.
    #[test]
    fn long_terms_are_cleaned_alike() {
        let mut parameters = parameters(LogKind::Exclusive);
        parameters.term_length = TermLength::new(TERM_BEYOND_CACHE.into()).unwrap();
        let log = LogBuffers::heap(&parameters, RawAccess::ENGINE);
        let all = [0xAA; 4096];
        for (from, to) in [(0, 32), (32, 64), (64, 1024), (96, 4096), (0, 4096)] {
            log.term(0).put_bytes(0, &all);
            assert_eq!(clean_to(&log, Position::new(from), Position::new(to)).get(), to);
            let mut bytes = [0; 4096];
            log.term(0).get_bytes(0, &mut bytes);
            let expected = |at: usize| if (from as usize..to as usize).contains(&at) { 0 } else { 0xAA };
            assert!(bytes.iter().enumerate().all(|(at, &byte)| byte == expected(at)), "{from} to {to}");
        }
    }
}
