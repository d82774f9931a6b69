//! Finds how far an image is complete, and the first gap behind that. The driver's receiver calls this for each image
//! in its duty cycle. It is the only agent that inserts frames, so no frame is copied during the scan.

use crate::types::Position;

use super::LogBuffers;
use super::frame::FRAME_ALIGNMENT;
use super::scan::Scan;

/// The result of a gap scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapScan {
    /// The position up to which the log is complete.
    pub rebuilt: Position,
    /// The first gap: the position at which it begins, which equals `rebuilt`, and the number of missing bytes, a
    /// multiple of 32.
    pub gap: Option<(Position, i32)>,
}

/// Scans the log from `from`, up to which it is complete, towards `highest`, the highest position received, at most to
/// the end of the term that contains `from`. A gap ends at the next frame, at the end of the term, or at `highest`.
///
/// An invalid frame ends the scan. It is not a gap, because it cannot be requested.
pub fn gap_scan(log: &LogBuffers, from: Position, highest: Position) -> GapScan {
    let nothing = GapScan { rebuilt: from, gap: None };
    if from.get() < 0 || highest <= from {
        return nothing;
    }
    let Some(mut scan) = Scan::new(log, from.get()) else { return nothing };
    let stop = scan.remaining_at(highest.get());
    while scan.remaining() > stop && scan.next().is_some() {}
    let rebuilt = Position::new(scan.position());
    let missing = scan.remaining().saturating_sub(stop);
    if missing == 0 || scan.peek_length() != 0 {
        return GapScan { rebuilt, gap: None };
    }
    let term_length = log.term_length();
    let term = log.term(term_length.term_count(rebuilt) as u32 as usize % 3);
    let begin = term_length.offset(rebuilt) as usize;
    // ORDERING(log.frame-committed): Acquire, although this thread stores the frames: a subscriber can also write to
    // the log. Only whether it is zero is used.
    let is_empty = |offset: &usize| term.probe_acquire(*offset) == 0;
    let slots = (begin..begin + missing).step_by(FRAME_ALIGNMENT).take_while(is_empty).count();
    let length = (slots * FRAME_ALIGNMENT).min(missing);
    GapScan { rebuilt, gap: Some((rebuilt, length as i32)) }
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::testing::{TERM_LENGTH, TestLog};
    use crate::logbuffer::{LogKind, rebuild};

    const LENGTH: i64 = TERM_LENGTH.get() as i64;

    /// An image in which these frames have arrived: position and length.
    fn image(frames: &[(i64, i32)]) -> TestLog {
        let test = TestLog::new(LogKind::Image);
        for &(at, length) in frames {
            let mut frame = vec![0; (length as usize).next_multiple_of(32)];
            frame[..4].copy_from_slice(&length.to_le_bytes());
            frame[6] = 1;
            assert!(rebuild(&test.log, Position::new(at), &frame));
        }
        test
    }

    fn scan(test: &TestLog, from: i64, highest: i64) -> (i64, Option<(i64, i32)>) {
        let found = gap_scan(&test.log, Position::new(from), Position::new(highest));
        (found.rebuilt.get(), found.gap.map(|(position, length)| (position.get(), length)))
    }

    #[test]
    fn a_complete_log_has_no_gap() {
        let test = image(&[(0, 64), (64, 33), (128, 32)]);
        assert_eq!(scan(&test, 0, 160), (160, None));
        assert_eq!(scan(&test, 160, 160), (160, None));
        assert_eq!(scan(&test, 160, 96), (160, None));
        assert_eq!(scan(&test, 0, 0), (0, None));
    }

    #[test]
    fn the_first_gap_ends_with_the_next_frame() {
        let test = image(&[(0, 64), (128, 64), (256, 64)]);
        assert_eq!(scan(&test, 0, 320), (64, Some((64, 64))));
        assert_eq!(scan(&test, 128, 320), (192, Some((192, 64))));
    }

    /// Traps 47 and 50: what is missing at the end is a gap up to the highest position, and nothing is looked for beyond that.
    #[test]
    fn wire_trap_50_a_gap_ends_at_the_highest_position() {
        let test = image(&[(0, 64), (4096, 64)]);
        assert_eq!(scan(&test, 0, 1024), (64, Some((64, 960))));
        assert_eq!(scan(&test, 0, 64), (64, None));
    }

    /// Traps 6 and 50: one term is scanned, and no gap crosses into the next.
    #[test]
    fn wire_trap_06_a_gap_ends_with_its_term() {
        let test = image(&[(LENGTH - 128, 64), (LENGTH + 64, 64)]);
        assert_eq!(scan(&test, LENGTH - 128, LENGTH + 128), (LENGTH - 64, Some((LENGTH - 64, 64))));
        assert_eq!(scan(&test, LENGTH, LENGTH + 128), (LENGTH, Some((LENGTH, 64))));
        let full = image(&[(LENGTH - 64, 64), (LENGTH + 64, 64)]);
        assert_eq!(scan(&full, LENGTH - 64, LENGTH + 128), (LENGTH, None), "the next term is for the next scan");
    }

    /// Trap 15: every slot of 32 bytes is looked at.
    #[test]
    fn wire_trap_15_every_slot_counts() {
        let test = image(&[(0, 32), (96, 32)]);
        assert_eq!(scan(&test, 0, 256), (32, Some((32, 64))));
    }

    #[test]
    fn garbage_ends_the_scan() {
        for length in [1, 31, -1, i32::MIN, i32::MAX, TERM_LENGTH.get() + 1] {
            let test = TestLog::new(LogKind::Image);
            test.log.term(0).word_at::<i32>(0).store_relaxed(length);
            assert_eq!(scan(&test, 0, 1024), (0, None), "{length}");
        }
        let test = TestLog::new(LogKind::Image);
        for from in [-32, 1, i64::MIN, i64::MAX, i64::MAX & !31] {
            let (rebuilt, gap) = scan(&test, from, i64::MAX);
            assert_eq!(rebuilt, from);
            assert!(gap.is_none_or(|(at, length)| at == from && i64::from(length) <= LENGTH));
        }
    }
}
