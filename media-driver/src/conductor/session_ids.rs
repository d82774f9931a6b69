//! Session ids for publications that do not name one. The conductor calls this when it adds a publication and when a
//! client asks for an id. It must never return an id that a live publication of the stream has, nor one of the reserved
//! range.

use std::ops::RangeInclusive;

use gannet::types::SessionId;

/// The generator: a number with a random start that is incremented and wraps.
#[derive(Debug)]
pub(super) struct SessionIds {
    next: i32,
    reserved: RangeInclusive<i32>,
}

impl SessionIds {
    /// Starts at `first` and skips `reserved`, both ends included. A range that ends before it starts reserves nothing.
    pub(super) fn new(first: i32, reserved: RangeInclusive<i32>) -> Self {
        Self { next: first, reserved }
    }

    /// The id for the next publication. `is_used` tells which ids its stream uses, far fewer than 2^32. Nothing is
    /// taken yet, so an add that fails leaves the generator unchanged.
    pub(super) fn peek(&self, is_used: impl Fn(SessionId) -> bool) -> SessionId {
        let mut candidate = self.skip_reserved(self.next);
        while is_used(SessionId::new(candidate)) {
            candidate = self.skip_reserved(candidate.wrapping_add(1));
        }
        SessionId::new(candidate)
    }

    /// Continues after `chosen`, unless the generator is beyond it already. Of several chosen ids, one may be taken
    /// later.
    pub(super) fn take(&mut self, chosen: SessionId) {
        let next = chosen.get().wrapping_add(1);
        // Seen from behind the reserved range, which may be longer than half of all ids.
        if next.wrapping_sub(self.skip_reserved(self.next)) > 0 {
            self.next = next;
        }
    }

    fn skip_reserved(&self, candidate: i32) -> i32 {
        if self.reserved.contains(&candidate) { self.reserved.end().wrapping_add(1) } else { candidate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(ids: impl IntoIterator<Item = i32>) -> impl Fn(SessionId) -> bool {
        let ids: Vec<_> = ids.into_iter().collect();
        move |id| ids.contains(&id.get())
    }

    #[test]
    fn ids_follow_one_another_and_wrap() {
        let mut ids = SessionIds::new(i32::MAX, -1..=1000);
        for expected in [i32::MAX, i32::MIN, i32::MIN + 1] {
            let id = ids.peek(used([]));
            assert_eq!(id.get(), expected);
            assert_eq!(ids.peek(used([])), id, "looking takes nothing");
            ids.take(id);
        }
    }

    #[test]
    fn what_was_chosen_earlier_and_is_taken_later_takes_nothing_back() {
        let mut ids = SessionIds::new(i32::MAX, -1..=1000);
        let first = ids.peek(used([]));
        let second = ids.peek(used([first.get()]));
        ids.take(second);
        ids.take(first);
        assert_eq!(ids.peek(used([])).get(), i32::MIN + 1);
    }

    #[test]
    fn the_reserved_range_is_stepped_over() {
        for first in [-1, 0, 500, 1000] {
            assert_eq!(SessionIds::new(first, -1..=1000).peek(used([])).get(), 1001);
        }
        assert_eq!(SessionIds::new(-2, -1..=1000).peek(used([])).get(), -2);
        assert_eq!(SessionIds::new(-2, -1..=1000).peek(used([-2])).get(), 1001, "stepping does not lead into it");
    }

    #[test]
    fn the_reserved_range_may_be_longer_than_half_of_all_ids() {
        let mut ids = SessionIds::new(i32::MIN, i32::MIN..=1000);
        for expected in [1001, 1002, 1003] {
            let id = ids.peek(used([]));
            assert_eq!(id.get(), expected);
            ids.take(id);
        }
    }

    #[test]
    fn used_ids_are_stepped_over() {
        let ids = SessionIds::new(5000, -1..=1000);
        assert_eq!(ids.peek(used([5000, 5001, 5003])).get(), 5002);
        assert_eq!(ids.peek(used(5000..5100)).get(), 5100);
    }

    #[test]
    fn an_empty_reserved_range_reserves_nothing() {
        #[allow(clippy::reversed_empty_ranges, reason = "a configuration may say so")]
        let ids = SessionIds::new(7, 10..=0);
        assert_eq!(ids.peek(used([])).get(), 7);
    }
}
