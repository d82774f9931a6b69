//! Rotating a concurrent log to its next term. A publisher that found its term full calls this, or the driver in place
//! of a publisher that died before it could.

use crate::types::TermId;

use super::layout::PARTITION_COUNT;
use super::metadata::{LogMetadata, pack_tail, tail_term_id};
use crate::memory::Partition;

/// Rotates the log from the term with this id and count. Returns whether this call did it. If not, another one did.
pub(super) fn rotate(metadata: &LogMetadata, term_count: i32, term_id: TermId) -> bool {
    let next_term_id = term_id.wrapping_add(1);
    let next_count = term_count.wrapping_add(1);
    let tail = metadata.raw_tail(Partition::of_term_count(term_count).next());
    let expected = next_term_id.wrapping_add(-(PARTITION_COUNT as i32));
    // ORDERING(log.tail): Acquire. Pairs with the compare-and-exchange below, by whoever made it.
    let mut raw = tail.load_acquire();
    // Another publisher has set a tail of any other term. Without this check a slow publisher would reset a tail in
    // use.
    while tail_term_id(raw) == expected {
        // ORDERING(log.tail): AcqRel. Pairs with the Acquire loads of tails; the new tail is of the new term, from its start.
        match tail.compare_exchange(raw, pack_tail(next_term_id, 0)) {
            Ok(_) => break,
            // A publisher that was three terms behind added to the old tail. Try again.
            Err(found) => raw = found,
        }
    }
    // ORDERING(log.active-term): AcqRel. Pairs with the Acquire loads of the count; publishes the tail that was set above.
    metadata.active_term_count().compare_exchange(term_count, next_count).is_ok()
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::LogKind;
    use crate::logbuffer::testing::TestLog;

    /// Trap 43: a publisher that is late by a whole round of terms must not reset a tail that is in use.
    #[test]
    fn trap_43_late_rotation_changes_nothing() {
        let test = TestLog::new(LogKind::Concurrent);
        let metadata = test.log.metadata();
        let initial = test.log.initial_term_id();
        assert!(rotate(metadata, 0, initial));
        metadata.raw_tail(Partition::of_term_count(1)).fetch_add(640);
        let tails = metadata.raw_tails();
        assert!(!rotate(metadata, 0, initial), "another was first");
        assert_eq!(metadata.raw_tails(), tails);
        for count in 1..4 {
            assert!(rotate(metadata, count, initial.wrapping_add(count)));
        }
        metadata.raw_tail(Partition::of_term_count(4)).fetch_add(64);
        let tails = metadata.raw_tails();
        assert!(!rotate(metadata, 0, initial), "three terms later, in the same partition");
        assert_eq!((metadata.raw_tails(), metadata.active_term_count().load_relaxed()), (tails, 4));
    }

    /// A publisher that was three terms behind adds to the tail that is about to be replaced: the rotation still happens.
    #[test]
    fn a_late_add_to_the_old_tail_is_overruled() {
        let test = TestLog::new(LogKind::Concurrent);
        let metadata = test.log.metadata();
        metadata.raw_tail(Partition::of_term_count(1)).fetch_add(96);
        assert!(rotate(metadata, 0, test.log.initial_term_id()));
        let next = test.log.initial_term_id().wrapping_add(1);
        assert_eq!(metadata.raw_tails()[1], pack_tail(next, 0));
    }
}
