//! Flow control of a group that follows its slowest receiver. Receivers are known by their status messages, and are
//! forgotten when they leave or are silent for too long. A new receiver is waited for only if it is at most a window
//! behind. The strategy's dispatch calls this. The list of receivers is bounded and never grows after it was made.
//!
//! ```text
//!     slowest edge - window      slowest edge = limit          fastest edge
//!  ---------------|--------------------|----------------------------|------
//!    too late to join    may join
//! ```

use std::collections::VecDeque;

use gannet::time::MonotonicNanos;

use super::ReceiverReport;
use crate::mailbox::{GroupRules, MAX_RECEIVERS};

/// The maximum number of joiners that are remembered. The limit is held for these, and further ones ask again.
const MAX_JOINERS: usize = 16;
/// The maximum number of receivers that are remembered because they did not join. With more, the limit is held again for
/// the first of them.
const MAX_ABSENT: usize = 64;

/// Flow control by the slowest receiver of a group.
#[derive(Debug)]
pub struct Min {
    rules: GroupRules,
    receivers: Vec<Receiver>,
    /// The receivers that have asked for a setup since the last one was sent, and have not joined yet.
    joiners: Vec<i64>,
    /// The limit that is held for receivers that were sent a setup, and since when.
    held_for_joiner: Option<Hold>,
    /// These receivers.
    awaited: Vec<i64>,
    /// The receivers that the limit was held for, and that did not join, oldest first. It is not held for them again until
    /// they are heard of: a receiver that asks for setups but cannot join would stop the stream for all others. The
    /// reference holds it each time.
    absent: VecDeque<i64>,
    turned_away: u64,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    limit: i64,
    since: MonotonicNanos,
}

#[derive(Clone, Copy, Debug)]
struct Receiver {
    id: i64,
    position: i64,
    edge: i64,
    heard: MonotonicNanos,
    is_leaving: bool,
}

impl Min {
    /// A group without receivers.
    pub fn new(rules: GroupRules) -> Self {
        Self {
            rules,
            receivers: Vec::with_capacity(MAX_RECEIVERS),
            joiners: Vec::with_capacity(MAX_JOINERS),
            held_for_joiner: None,
            awaited: Vec::with_capacity(MAX_JOINERS),
            absent: VecDeque::with_capacity(MAX_ABSENT),
            turned_away: 0,
        }
    }

    /// As [`super::FlowControl::on_status_message`]. `counts` tells whether the receiver belongs to the group.
    pub(super) fn on_status_message(
        &mut self,
        now: MonotonicNanos,
        report: &ReceiverReport,
        counts: bool,
        limit: i64,
    ) -> i64 {
        let edge = report.edge();
        let (mut lowest, mut known) = (i64::MAX, false);
        for receiver in &mut self.receivers {
            if counts && receiver.id == report.receiver_id {
                receiver.is_leaving = report.is_leaving;
                receiver.position = receiver.position.max(report.position);
                receiver.edge = edge;
                receiver.heard = now;
                known = true;
            }
            lowest = lowest.min(receiver.edge);
        }
        if counts {
            self.absent.retain(|absent| *absent != report.receiver_id);
        }
        if known && !report.is_leaving && self.awaited.contains(&report.receiver_id) {
            // It has joined again before it was forgotten.
            self.end_hold();
        }
        lowest = lowest.min(self.hold(now));
        let near_enough = self.receivers.is_empty() || edge >= lowest.saturating_sub(report.window.into());
        if !known && counts && !report.is_leaving && near_enough {
            if self.receivers.len() < MAX_RECEIVERS {
                let (id, position) = (report.receiver_id, report.position);
                self.receivers.push(Receiver { id, position, edge, heard: now, is_leaving: false });
                lowest = lowest.min(edge);
                self.end_hold();
                self.joiners.retain(|joiner| *joiner != id);
            } else {
                self.turned_away += 1;
            }
        }
        if !self.has_required_receivers() {
            limit
        } else if self.receivers.is_empty() {
            limit.max(edge)
        } else {
            limit.max(lowest)
        }
    }

    /// As [`super::FlowControl::on_idle`].
    pub(super) fn on_idle(&mut self, now: MonotonicNanos, limit: i64) -> i64 {
        let timeout_ns = self.rules.receiver_timeout_ns;
        // Each receiver is checked separately, so one that leaves does not remove others.
        self.receivers.retain(|receiver| !receiver.is_leaving && receiver.heard.saturating_add_ns(timeout_ns) >= now);
        let held = self.hold(now);
        if self.receivers.is_empty() || !self.has_required_receivers() {
            return limit;
        }
        self.receivers.iter().map(|receiver| receiver.edge).fold(held, i64::min)
    }

    /// A receiver asks until its image is there, and the network may repeat or delay that. Unlike in the reference, a
    /// request of one that has joined by then does not count: no first status message would end the hold.
    pub(super) fn on_setup_requested(&mut self, receiver_id: i64) {
        let is_it = |receiver: &Receiver| receiver.id == receiver_id && !receiver.is_leaving;
        let has_joined = self.receivers.iter().any(is_it);
        if !has_joined && !self.joiners.contains(&receiver_id) && self.joiners.len() < MAX_JOINERS {
            self.joiners.push(receiver_id);
        }
    }

    /// Holds the limit until the joining receiver's first status message, so that the stream does not run away from it.
    /// Setups that are sent while it is held do not prolong that.
    pub(super) fn on_setup(&mut self, now: MonotonicNanos, limit: i64) {
        self.hold(now);
        let Self { joiners, absent, .. } = self;
        joiners.retain(|joiner| !absent.contains(joiner));
        if self.held_for_joiner.is_none() && !self.joiners.is_empty() && !self.receivers.is_empty() {
            self.held_for_joiner = Some(Hold { limit, since: now });
            std::mem::swap(&mut self.joiners, &mut self.awaited);
        }
        self.joiners.clear();
    }

    pub(super) fn on_error(&mut self, receiver_id: i64) {
        for receiver in self.receivers.iter_mut().filter(|receiver| receiver.id == receiver_id) {
            receiver.is_leaving = true;
        }
    }

    /// As [`super::FlowControl::on_standstill`]. A receiver that is forgotten may be left behind by the others, which are
    /// heard of before it.
    pub(super) fn on_standstill(&mut self, now: MonotonicNanos, duration_ns: i64) {
        let heard = self.receivers.iter_mut().map(|receiver| &mut receiver.heard);
        for since in heard.chain(self.held_for_joiner.iter_mut().map(|hold| &mut hold.since)) {
            *since = since.saturating_add_ns(duration_ns).min(now);
        }
    }

    pub(super) fn has_required_receivers(&self) -> bool {
        self.receivers.len() as i64 >= i64::from(self.rules.min_size)
    }

    pub(super) fn receivers(&self) -> usize {
        self.receivers.len()
    }

    pub(super) fn turned_away(&self) -> u64 {
        self.turned_away
    }

    fn end_hold(&mut self) {
        self.held_for_joiner = None;
        self.awaited.clear();
    }

    /// The held limit, if there is one.
    fn hold(&mut self, now: MonotonicNanos) -> i64 {
        let timeout_ns = self.rules.receiver_timeout_ns;
        if self.held_for_joiner.take_if(|hold| hold.since.saturating_add_ns(timeout_ns) < now).is_some() {
            for absent in self.awaited.drain(..) {
                if self.absent.len() == MAX_ABSENT {
                    self.absent.pop_front();
                }
                self.absent.push_back(absent);
            }
        }
        self.held_for_joiner.map_or(i64::MAX, |hold| hold.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: i32 = 1000;
    const TIMEOUT: i64 = 5_000;

    fn at(ns: i64) -> MonotonicNanos {
        MonotonicNanos::new(ns)
    }

    fn min(min_size: i32) -> Min {
        Min::new(GroupRules { receiver_timeout_ns: TIMEOUT, min_size })
    }

    fn report(receiver_id: i64, position: i64) -> ReceiverReport {
        ReceiverReport { receiver_id, group_tag: None, position, window: WINDOW, is_leaving: false }
    }

    fn hear(min: &mut Min, now: i64, receiver_id: i64, position: i64, limit: i64) -> i64 {
        min.on_status_message(at(now), &report(receiver_id, position), true, limit)
    }

    #[test]
    fn the_slowest_holds_the_limit() {
        let mut min = min(0);
        assert_eq!(hear(&mut min, 0, 1, 0, 0), 1000);
        assert_eq!(hear(&mut min, 0, 2, 0, 1000), 1000);
        assert_eq!(hear(&mut min, 1, 1, 5000, 1000), 1000);
        assert_eq!(hear(&mut min, 2, 2, 600, 1000), 1600);
        assert_eq!(min.on_idle(at(2), 1600), 1600);
    }

    /// A bug that a peer shipped: when one receiver left, live ones were dropped with it.
    #[test]
    fn whoever_leaves_takes_nobody_with_it() {
        for leaving in [vec![1], vec![3], vec![1, 2], vec![2, 3], vec![1, 3], vec![1, 2, 3]] {
            let mut min = min(0);
            let mut limit = 0;
            for id in 1..=4 {
                limit = hear(&mut min, 0, id, id * 10, limit);
            }
            for &id in &leaving {
                let report = ReceiverReport { is_leaving: true, ..report(id, id * 10) };
                limit = min.on_status_message(at(1), &report, true, limit);
            }
            limit = min.on_idle(at(1), limit);
            assert_eq!(min.receivers(), 4 - leaving.len(), "{leaving:?}");
            let slowest = (1..=4).find(|id| !leaving.contains(id)).unwrap();
            assert_eq!(limit, slowest * 10 + 1000, "{leaving:?}");
        }
    }

    #[test]
    fn several_that_time_out_at_once_leave_the_others() {
        let mut min = min(0);
        for id in 1..=6 {
            hear(&mut min, if id % 2 == 0 { 100 } else { 0 }, id, id * 10, 0);
        }
        min.on_idle(at(TIMEOUT), 0);
        assert_eq!(min.receivers(), 6, "the timeout has to pass");
        assert_eq!(min.on_idle(at(TIMEOUT + 1), 0), 1020);
        assert_eq!(min.receivers(), 3);
    }

    /// Trap 38: a joiner must come within a window of the slowest, and the limit waits for it once its setup was sent.
    #[test]
    fn wire_trap_38_late_joiners() {
        let mut min = min(0);
        let mut limit = hear(&mut min, 0, 1, 10_000, 0);
        limit = hear(&mut min, 0, 2, 8_999, limit);
        assert_eq!((min.receivers(), limit), (1, 11_000), "more than a window behind: left behind");
        limit = hear(&mut min, 0, 3, 9_000, limit);
        assert_eq!((min.receivers(), limit), (2, 11_000), "the limit does not go back by a message");

        let mut min = super::tests::min(0);
        let mut limit = hear(&mut min, 0, 1, 0, 0);
        min.on_setup_requested(2);
        min.on_setup(at(10), limit);
        limit = hear(&mut min, 11, 1, 900, limit);
        assert_eq!(limit, 1000, "held where it was as the setup was sent");
        assert_eq!(min.on_idle(at(12), limit), 1000);
        limit = hear(&mut min, 13, 2, 800, limit);
        assert_eq!((limit, min.receivers()), (1000, 2), "the joiner is there");
        limit = hear(&mut min, 14, 2, 800, limit);
        assert_eq!(limit, 1800, "from then on nothing is held");
        min.on_setup_requested(3);
        min.on_setup(at(20), limit);
        hear(&mut min, 20, 1, 3000, limit);
        hear(&mut min, 20 + TIMEOUT, 1, 3000, limit);
        assert_eq!(hear(&mut min, 20 + TIMEOUT, 2, 3000, limit), 1800, "still within the timeout");
        assert_eq!(hear(&mut min, 21 + TIMEOUT, 2, 3000, limit), 4000, "it did not come");
    }

    /// Such as one that has no space for the image.
    #[test]
    fn who_asks_for_setups_and_never_joins_holds_the_limit_once() {
        let mut min = min(0);
        let mut limit = hear(&mut min, 0, 1, 0, 0);
        let mut seen = Vec::new();
        for now in (0..6 * TIMEOUT).step_by(100) {
            min.on_setup_requested(7);
            if now > TIMEOUT / 2 {
                min.on_setup_requested(8);
            }
            min.on_setup(at(now), limit);
            limit = hear(&mut min, now, 1, limit, limit);
            limit = min.on_idle(at(now), limit);
            seen.push(limit);
        }
        seen.dedup();
        assert!(seen.len() as i64 > 3 * TIMEOUT / 100, "it goes on after a timeout for each: {} steps", seen.len());
        min.on_setup_requested(9);
        min.on_setup(at(6 * TIMEOUT), limit);
        assert_eq!(hear(&mut min, 6 * TIMEOUT, 1, limit, limit), limit, "it is held for another");
        let joined = hear(&mut min, 6 * TIMEOUT, 7, limit - 1000, limit);
        assert_eq!((joined, min.receivers()), (limit, 2), "whoever did not join may");
        let leaving = ReceiverReport { is_leaving: true, ..report(7, limit) };
        min.on_status_message(at(6 * TIMEOUT), &leaving, true, limit);
        min.on_setup_requested(7);
        min.on_setup(at(6 * TIMEOUT), limit);
        assert_eq!(min.awaited, [7], "and is waited for again");
    }

    /// A receiver that has closed the stream and opened it again may be known still.
    #[test]
    fn a_joiner_that_was_not_forgotten_ends_the_hold() {
        let mut min = min(0);
        let mut limit = hear(&mut min, 0, 1, 0, 0);
        limit = hear(&mut min, 0, 2, 0, limit);
        let leaving = ReceiverReport { is_leaving: true, ..report(2, 900) };
        assert_eq!(min.on_status_message(at(1), &leaving, true, limit), 1000);
        min.on_setup_requested(2);
        min.on_setup(at(2), limit);
        limit = hear(&mut min, 3, 1, 900, limit);
        assert_eq!(min.on_status_message(at(3), &leaving, true, limit), 1000, "its old image still leaves");
        assert_eq!(hear(&mut min, 4, 2, 900, limit), 1900);
    }

    #[test]
    fn a_setup_that_nobody_asked_for_holds_nothing() {
        let mut min = min(0);
        let limit = hear(&mut min, 0, 1, 0, 0);
        min.on_setup(at(1), limit);
        assert_eq!(hear(&mut min, 2, 1, 500, limit), 1500);
    }

    /// Requests that were repeated or delayed used to hold the limit for the whole timeout.
    #[test]
    fn whoever_has_joined_holds_nothing_by_asking() {
        let mut min = min(0);
        let limit = hear(&mut min, 0, 1, 0, 0);
        min.on_setup_requested(2);
        min.on_setup(at(1), limit);
        min.on_setup_requested(2);
        hear(&mut min, 2, 2, 0, limit);
        min.on_setup(at(3), limit);
        min.on_setup_requested(2);
        min.on_setup(at(4), limit);
        hear(&mut min, 5, 1, 500, limit);
        assert_eq!(hear(&mut min, 5, 2, 500, limit), 1500);
        let report = ReceiverReport { is_leaving: true, ..report(2, 500) };
        assert_eq!(min.on_status_message(at(6), &report, true, 1500), 1500);
        min.on_setup_requested(2);
        min.on_setup(at(7), 1500);
        min.on_idle(at(8), 1500);
        assert_eq!(hear(&mut min, 9, 1, 700, 1500), 1500, "held for one that has left and joins again");
    }

    /// Trap 40: below the group's least size nothing moves, and the publication is not connected.
    #[test]
    fn wire_trap_40_a_minimum_group_size_freezes_the_limit() {
        let mut min = min(2);
        assert_eq!(hear(&mut min, 0, 1, 0, 0), 0);
        assert!(!min.has_required_receivers());
        assert_eq!(min.on_idle(at(1), 0), 0);
        assert_eq!(hear(&mut min, 2, 2, 0, 0), 1000);
        assert!(min.has_required_receivers());
        min.on_error(1);
        assert_eq!(min.on_idle(at(3), 1000), 1000);
        assert!(!min.has_required_receivers(), "one has rejected the stream");
    }

    #[test]
    fn one_receiver_too_many_is_turned_away() {
        let mut min = min(0);
        for id in 0..MAX_RECEIVERS as i64 + 2 {
            hear(&mut min, 0, id, 0, 0);
        }
        assert_eq!((min.receivers(), min.turned_away()), (MAX_RECEIVERS, 2));
    }
}
