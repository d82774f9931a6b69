//! Like `min`, but only the receivers count that send the group's tag. The strategy's dispatch calls this.

use gannet::time::MonotonicNanos;

use super::{Min, ReceiverReport};
use crate::mailbox::GroupRules;

/// Flow control by the slowest receiver with a group tag.
#[derive(Debug)]
pub struct Tagged {
    group: Min,
    tag: i64,
}

impl Tagged {
    /// A group without receivers.
    pub fn new(rules: GroupRules, tag: i64) -> Self {
        Self { group: Min::new(rules), tag }
    }

    pub(super) fn on_status_message(&mut self, now: MonotonicNanos, report: &ReceiverReport, limit: i64) -> i64 {
        let counts = self.is_tagged(report.group_tag);
        self.group.on_status_message(now, report, counts, limit)
    }

    pub(super) fn on_idle(&mut self, now: MonotonicNanos, limit: i64) -> i64 {
        self.group.on_idle(now, limit)
    }

    pub(super) fn on_setup_requested(&mut self, receiver_id: i64, group_tag: Option<i64>) {
        if self.is_tagged(group_tag) {
            self.group.on_setup_requested(receiver_id);
        }
    }

    pub(super) fn on_setup(&mut self, now: MonotonicNanos, limit: i64) {
        self.group.on_setup(now, limit);
    }

    /// The Java driver checks the tag here, the C driver does not. The group only knows receiver ids that came with the
    /// tag, so an error without a tag is accepted, and one with another tag is not.
    pub(super) fn on_error(&mut self, receiver_id: i64, group_tag: Option<i64>) {
        if group_tag.is_none_or(|tag| tag == self.tag) {
            self.group.on_error(receiver_id);
        }
    }

    pub(super) fn on_standstill(&mut self, now: MonotonicNanos, duration_ns: i64) {
        self.group.on_standstill(now, duration_ns);
    }

    pub(super) fn has_required_receivers(&self) -> bool {
        self.group.has_required_receivers()
    }

    pub(super) fn receivers(&self) -> usize {
        self.group.receivers()
    }

    pub(super) fn turned_away(&self) -> u64 {
        self.group.turned_away()
    }

    fn is_tagged(&self, found: Option<i64>) -> bool {
        found == Some(self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ns: i64) -> MonotonicNanos {
        MonotonicNanos::new(ns)
    }

    fn report(receiver_id: i64, group_tag: Option<i64>, position: i64) -> ReceiverReport {
        ReceiverReport { receiver_id, group_tag, position, window: 1000, is_leaving: false }
    }

    /// Trap 39: whoever states no tag, or another, moves the limit only while nobody with the tag is there.
    #[test]
    fn wire_trap_39_the_untagged_count_only_while_nobody_is_tagged() {
        let mut tagged = Tagged::new(GroupRules { receiver_timeout_ns: 100, min_size: 0 }, 123);
        assert_eq!(tagged.on_status_message(at(0), &report(1, None, 5_000), 0), 6_000);
        assert_eq!(tagged.on_status_message(at(0), &report(2, Some(7), 5_500), 6_000), 6_500);
        assert_eq!(tagged.receivers(), 0);
        assert_eq!(tagged.on_status_message(at(1), &report(3, Some(123), 6_000), 6_500), 7_000);
        assert_eq!(tagged.on_status_message(at(2), &report(1, None, 90_000), 7_000), 7_000);
        assert_eq!(tagged.receivers(), 1);
        assert_eq!(tagged.on_idle(at(102), 7_000), 7_000, "forgotten, and nobody is left to go by");
        assert_eq!(tagged.on_status_message(at(103), &report(1, None, 90_000), 7_000), 91_000);
    }

    /// With a group's least size nothing goes out until a tagged receiver is there.
    #[test]
    fn with_a_minimum_size_the_untagged_move_nothing() {
        let mut tagged = Tagged::new(GroupRules { receiver_timeout_ns: 100, min_size: 1 }, 123);
        assert_eq!(tagged.on_status_message(at(0), &report(1, None, 0), 0), 0);
        assert!(!tagged.has_required_receivers());
        assert_eq!(tagged.on_status_message(at(0), &report(2, Some(123), 0), 0), 1000);
        assert!(tagged.has_required_receivers());
        tagged.on_error(2, Some(9));
        tagged.on_idle(at(1), 1000);
        assert!(tagged.has_required_receivers(), "the error came with another tag");
        tagged.on_error(2, None);
        tagged.on_idle(at(1), 1000);
        assert!(!tagged.has_required_receivers());
    }

    #[test]
    fn only_a_tagged_joiner_holds_the_limit() {
        let mut tagged = Tagged::new(GroupRules { receiver_timeout_ns: 100, min_size: 0 }, 1);
        let limit = tagged.on_status_message(at(0), &report(1, Some(1), 0), 0);
        tagged.on_setup_requested(2, None);
        tagged.on_setup(at(0), limit);
        assert_eq!(tagged.on_status_message(at(1), &report(1, Some(1), 100), limit), 1100);
        tagged.on_setup_requested(2, Some(1));
        tagged.on_setup(at(1), 1100);
        assert_eq!(tagged.on_status_message(at(2), &report(1, Some(1), 200), 1100), 1100);
    }
}
