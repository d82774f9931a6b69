//! Flow control: how far a publication may send, according to its receivers' status messages. The sender owns one per
//! publication, passes it every status message that passed validation, and asks it when idle. It holds no socket and
//! reads no clock.
//!
//! It is an enum and not a trait object, because the set of strategies is closed, and each status message passes
//! through here.

mod max;
mod min;
mod tagged;
mod unicast;

pub use min::Min;
pub use tagged::Tagged;

use gannet::time::MonotonicNanos;
use gannet::types::TermLength;

use crate::mailbox::FlowControlRules;

/// The content of a receiver's status message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiverReport {
    /// The receiver id.
    pub receiver_id: i64,
    /// The group tag, if it has one.
    pub group_tag: Option<i64>,
    /// The position of its slowest subscriber.
    pub position: i64,
    /// The receiver window in bytes.
    pub window: i32,
    /// Whether it leaves.
    pub is_leaving: bool,
}

impl ReceiverReport {
    /// The end of its window.
    pub const fn edge(&self) -> i64 {
        self.position.saturating_add(self.window as i64)
    }
}

/// The flow control of a publication.
#[derive(Debug)]
pub enum FlowControl {
    /// A single receiver's window.
    Unicast,
    /// The fastest receiver of a group.
    Max,
    /// The slowest receiver of a group.
    Min(Min),
    /// The slowest receiver with a group tag.
    Tagged(Tagged),
}

impl FlowControl {
    /// Flow control without receivers yet.
    pub fn new(rules: FlowControlRules) -> Self {
        match rules {
            FlowControlRules::Unicast => Self::Unicast,
            FlowControlRules::Max => Self::Max,
            FlowControlRules::Min(rules) => Self::Min(Min::new(rules)),
            FlowControlRules::Tagged(rules, tag) => Self::Tagged(Tagged::new(rules, tag)),
        }
    }

    /// Handles a status message. Returns the new limit.
    pub fn on_status_message(&mut self, now: MonotonicNanos, report: &ReceiverReport, limit: i64) -> i64 {
        match self {
            Self::Unicast => unicast::on_status_message(report, limit),
            Self::Max => max::on_status_message(report, limit),
            Self::Min(min) => min.on_status_message(now, report, true, limit),
            Self::Tagged(tagged) => tagged.on_status_message(now, report, limit),
        }
    }

    /// Handles a duty cycle in which nothing was sent. Returns the new limit, which may be lower than before (trap 28).
    pub fn on_idle(&mut self, now: MonotonicNanos, limit: i64) -> i64 {
        match self {
            Self::Unicast | Self::Max => limit,
            Self::Min(min) => min.on_idle(now, limit),
            Self::Tagged(tagged) => tagged.on_idle(now, limit),
        }
    }

    /// Handles a receiver's request for a setup, with its group tag if it has one.
    pub fn on_setup_requested(&mut self, receiver_id: i64, group_tag: Option<i64>) {
        match self {
            Self::Unicast | Self::Max => {}
            Self::Min(min) => min.on_setup_requested(receiver_id),
            Self::Tagged(tagged) => tagged.on_setup_requested(receiver_id, group_tag),
        }
    }

    /// Handles that a requested setup is about to be sent.
    pub fn on_setup(&mut self, now: MonotonicNanos, limit: i64) {
        match self {
            Self::Unicast | Self::Max => {}
            Self::Min(min) => min.on_setup(now, limit),
            Self::Tagged(tagged) => tagged.on_setup(now, limit),
        }
    }

    /// Handles a rejection by a receiver.
    pub fn on_error(&mut self, receiver_id: i64, group_tag: Option<i64>) {
        match self {
            Self::Unicast | Self::Max => {}
            Self::Min(min) => min.on_error(receiver_id),
            Self::Tagged(tagged) => tagged.on_error(receiver_id, group_tag),
        }
    }

    /// Handles that nothing was received for so long because the sender did not run.
    pub fn on_standstill(&mut self, now: MonotonicNanos, duration_ns: i64) {
        match self {
            Self::Unicast | Self::Max => {}
            Self::Min(min) => min.on_standstill(now, duration_ns),
            Self::Tagged(tagged) => tagged.on_standstill(now, duration_ns),
        }
    }

    /// Whether there are as many receivers as the channel requires.
    pub fn has_required_receivers(&self) -> bool {
        match self {
            Self::Unicast | Self::Max => true,
            Self::Min(min) => min.has_required_receivers(),
            Self::Tagged(tagged) => tagged.has_required_receivers(),
        }
    }

    /// The number of tracked receivers. `None` if it tracks none.
    pub fn receivers(&self) -> Option<usize> {
        match self {
            Self::Unicast | Self::Max => None,
            Self::Min(min) => Some(min.receivers()),
            Self::Tagged(tagged) => Some(tagged.receivers()),
        }
    }

    /// How often a receiver was ignored because the list was full.
    pub fn turned_away(&self) -> u64 {
        match self {
            Self::Unicast | Self::Max => 0,
            Self::Min(min) => min.turned_away(),
            Self::Tagged(tagged) => tagged.turned_away(),
        }
    }
}

/// The length of the retransmit for a NAK: at most to the end of the term, and at most this many receiver windows (trap
/// 35). `initial_window` is the driver's initial receiver window, used in place of the peer's.
pub fn retransmit_length(
    term_length: TermLength,
    offset: i32,
    requested: i32,
    windows: i64,
    initial_window: i32,
) -> i32 {
    let term = i64::from(term_length.get());
    let window = i64::from(initial_window).min(term / 2);
    let most = (term - i64::from(offset)).min(windows.saturating_mul(window)).max(0);
    i64::from(requested).clamp(0, most) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::GroupRules;
    use proptest::prelude::*;

    fn report(position: i64, window: i32) -> ReceiverReport {
        ReceiverReport { receiver_id: 7, group_tag: None, position, window, is_leaving: false }
    }

    /// Trap 28: outside the idle step of `min` no limit falls.
    #[test]
    fn wire_trap_28_the_limit_is_monotone_but_for_min_on_idle() {
        let now = MonotonicNanos::new(0);
        for mut strategy in [FlowControl::Unicast, FlowControl::Max] {
            assert_eq!(strategy.on_status_message(now, &report(1000, 500), 0), 1500);
            assert_eq!(strategy.on_status_message(now, &report(1000, 100), 1500), 1500);
            assert_eq!(strategy.on_idle(now, 1500), 1500);
            assert!(strategy.has_required_receivers());
        }
        let rules = GroupRules { receiver_timeout_ns: 100, min_size: 0 };
        let mut min = FlowControl::Min(Min::new(rules));
        assert_eq!(min.on_status_message(now, &report(1000, 500), 0), 1500);
        assert_eq!(min.on_status_message(now, &report(1000, 100), 1500), 1500);
        assert_eq!(min.on_idle(now, 1500), 1100, "the idle step takes the edge as it is");
    }

    /// Trap 35: a NAK is answered with at most so many windows, and within its term.
    #[test]
    fn wire_trap_35_retransmissions_are_clamped() {
        let term = TermLength::new(1 << 20).unwrap();
        let window = 128 << 10;
        assert_eq!(retransmit_length(term, 0, 4096, 16, window), 4096);
        assert_eq!(retransmit_length(term, 0, 1 << 20, 4, window), 4 * window);
        assert_eq!(retransmit_length(term, (1 << 20) - 64, 4096, 16, window), 64);
        let short = TermLength::MIN;
        assert_eq!(retransmit_length(short, 0, 1 << 16, 1, window), 1 << 15, "a window is at most half a term");
    }

    proptest! {
        /// Whatever receivers say, the limit falls only when nothing was sent, and never passes the furthest edge.
        #[test]
        fn limits_follow_what_was_said(
            steps in prop::collection::vec((0..6_i64, 0..1_i64 << 30, 0..1_i32 << 20, any::<bool>(), 0..4_u8, 0..50_i64), 1..200),
            kind in 0..4_u8,
        ) {
            let rules = GroupRules { receiver_timeout_ns: 200, min_size: 0 };
            let mut strategy = FlowControl::new(match kind {
                0 => FlowControlRules::Unicast,
                1 => FlowControlRules::Max,
                2 => FlowControlRules::Min(rules),
                _ => FlowControlRules::Tagged(rules, 3),
            });
            let (mut limit, mut furthest, mut now) = (0, 0, MonotonicNanos::new(0));
            for (receiver_id, position, window, is_leaving, step, pause) in steps {
                now = now.saturating_add_ns(pause);
                match step {
                    0 => limit = strategy.on_idle(now, limit),
                    1 => {
                        strategy.on_setup_requested(receiver_id, Some(3));
                        strategy.on_setup(now, limit);
                    }
                    _ => {
                        let group_tag = (receiver_id % 2 == 0).then_some(3);
                        let report = ReceiverReport { receiver_id, group_tag, position, window, is_leaving };
                        let next = strategy.on_status_message(now, &report, limit);
                        furthest = furthest.max(report.edge());
                        prop_assert!(next >= limit);
                        limit = next;
                    }
                }
                prop_assert!((0..=furthest).contains(&limit));
            }
        }
    }
}
