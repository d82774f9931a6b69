//! Moving a concurrent log on to its next term. Called by a publisher that found its term full, and by the driver for one that
//! died before it could.

use crate::types::TermId;

use super::metadata::{LogMetadata, PARTITION_COUNT, pack_tail, tail_term_id};
use crate::memory::Partition;

/// Moves on from the term with this id and count. True if this call did it; another may have, which is as good.
pub(super) fn rotate(metadata: &LogMetadata, term_count: i32, term_id: TermId) -> bool {
    let next_term_id = term_id.wrapping_add(1);
    let next_count = term_count.wrapping_add(1);
    let tail = metadata.raw_tail(Partition::of_term_count(term_count).next());
    let expected = next_term_id.wrapping_add(-(PARTITION_COUNT as i32));
    // ORDERING(log.tail): Acquire. Pairs with the compare-and-exchange below, by whoever made it.
    let mut raw = tail.load_acquire();
    // A tail of any other term was set by somebody else. Without that test a slow publisher would reset a tail in use.
    while tail_term_id(raw) == expected {
        // ORDERING(log.tail): AcqRel. Pairs with the Acquire loads of tails; the new tail is of the new term, from its start.
        match tail.compare_exchange(raw, pack_tail(next_term_id, 0)) {
            Ok(_) => break,
            // A publisher that had been three terms behind added to the old tail: try again.
            Err(found) => raw = found,
        }
    }
    // ORDERING(log.active-term): AcqRel. Pairs with the Acquire loads of the count; publishes the tail that was set above.
    metadata.active_term_count().compare_exchange(term_count, next_count).is_ok()
}
