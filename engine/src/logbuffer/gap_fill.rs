//! Turning a gap into padding, for streams whose loss is not repaired. The driver's receiver calls this; it is the only
//! agent that inserts frames.

use crate::memory::Partition;
use crate::types::Position;

use super::LogBuffers;
use super::frame::{self, FRAME_ALIGNMENT};

/// Fills a gap that a scan has found with padding, so that subscribers skip it. Returns false, and does nothing, if a
/// frame has arrived anywhere in the gap meanwhile, or if the gap is not within one term.
pub fn gap_fill(log: &LogBuffers, at: Position, length: i32) -> bool {
    let term_length = log.term_length();
    let (Ok(bytes), true) = (usize::try_from(length), at.get() >= 0) else { return false };
    let (count, offset) = (term_length.term_count(at), term_length.offset(at));
    let partition = Partition::of_term_count(count);
    let Some(space) = log.terms().space(partition, offset as usize, bytes) else { return false };
    let term = log.term(partition.index());
    // ORDERING(log.frame-committed): Acquire, as in `gap_scan`; only whether it is zero is used.
    let is_empty = |slot: usize| term.probe_acquire(slot) == 0;
    let mut slots = (offset as usize..offset as usize + bytes).step_by(FRAME_ALIGNMENT).rev();
    if !slots.all(is_empty) {
        return false;
    }
    let place = log.origin().at(term_length.term_id(at, log.initial_term_id()), offset);
    frame::fill(&space, place, frame::PADDING, 0);
    frame::commit(&space, length);
    true
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::testing::{TERM_LENGTH, TestLog, parameters};
    use crate::logbuffer::{LogKind, gap_scan, rebuild};
    use crate::protocol::{Padding, extent};

    const LENGTH: i64 = TERM_LENGTH.get() as i64;

    #[test]
    fn a_gap_becomes_padding_that_readers_skip() {
        let test = TestLog::new(LogKind::Image);
        let mut frame = [0; 64];
        frame[..4].copy_from_slice(&37_i32.to_le_bytes());
        frame[5..7].copy_from_slice(&[0xC0, 1]);
        frame[32..37].copy_from_slice(b"after");
        assert!(rebuild(&test.log, Position::new(LENGTH + 2048), &frame));
        let (at, length) = gap_scan(&test.log, Position::new(LENGTH + 32), Position::new(LENGTH + 2112)).gap.unwrap();
        assert!(gap_fill(&test.log, at, length));
        assert!(!gap_fill(&test.log, at, length), "it is filled");
        // What is in the log is what a publisher's padding would look like.
        let mut header = [0; 32];
        test.log.term(1).get_bytes(32, &mut header);
        let parameters = parameters(LogKind::Image);
        let padding = Padding {
            length: 2016,
            term_offset: 32,
            session_id: parameters.session_id,
            stream_id: parameters.stream_id,
            term_id: parameters.initial_term_id.wrapping_add(1),
        };
        let mut expected = [0; 32];
        padding.write(&mut expected);
        assert_eq!(header, expected);
        assert_eq!(extent(&header, TERM_LENGTH).unwrap().length(), 2016);
        test.subscriber.store_relaxed(LENGTH + 32);
        assert_eq!(test.drain(), [(b"after".to_vec(), Position::new(LENGTH + 2112))]);
    }

    #[test]
    fn what_has_something_in_it_is_no_gap() {
        let test = TestLog::new(LogKind::Image);
        test.log.term(0).word_at::<i32>(96).store_relaxed(32);
        assert!(!gap_fill(&test.log, Position::new(0), 128));
        assert!(gap_fill(&test.log, Position::new(0), 96));
        let refused =
            [(0, 0), (0, -32), (1, 32), (LENGTH - 32, 64), (-32, 32), (LENGTH, 33), (i64::MIN, 32), (LENGTH, i32::MAX)];
        for (at, length) in refused {
            assert!(!gap_fill(&test.log, Position::new(at), length), "{length} at {at}");
        }
    }
}
