//! Which receiver holds a publication back, its position, and since when. The sender owns one watch per publication,
//! passes it status messages, and checks ten times a second while windows hold something back. It is not on the path of
//! data, and nothing depends on it.
//!
//! ```text
//!   paced by the slowest:  |--- edge of A = limit          |--- edge of B       A holds it
//!   paced by the furthest: |--- edge of A                  |--- edge of B = limit       B holds it
//! ```

use std::net::SocketAddr;

use gannet::protocol::{GroupTag, StatusMessage};
use gannet::time::MonotonicNanos;

use super::network_publication::NetworkPublication;
use crate::mailbox::{FlowControlRules, Holder};

/// The maximum number of watched receivers of a group. If there are more, the one that was silent for longest is
/// dropped, and may return.
const MAX_WATCHED: usize = 256;
/// As above, with a single receiver: consecutive receivers at an address.
const MAX_WATCHED_OF_ONE: usize = 4;
/// The interval between checks, and the time for which a publication must be held back before that is reported, in
/// nanoseconds.
const LOOK_INTERVAL_NS: i64 = 100_000_000;

/// Watches which receiver holds back a publication.
#[derive(Debug)]
pub(super) struct HolderWatch {
    rules: FlowControlRules,
    timeout_ns: i64,
    /// The maximum number of receivers.
    capacity: usize,
    receivers: Vec<Heard>,
    held: Option<Held>,
    /// What was reported to the conductor.
    told: Option<Holder>,
}

/// The last status message of a receiver.
#[derive(Clone, Copy, Debug)]
struct Heard {
    id: i64,
    address: SocketAddr,
    /// The end of its window.
    edge: i64,
    at: MonotonicNanos,
}

/// Windows hold back the publication.
#[derive(Clone, Copy, Debug)]
struct Held {
    since: MonotonicNanos,
    /// When the next check is due.
    due: MonotonicNanos,
}

impl HolderWatch {
    /// For a publication with this flow control, whose receivers count as alive for this time after each status
    /// message.
    pub(super) fn new(rules: FlowControlRules, connection_timeout_ns: i64) -> Self {
        let (capacity, timeout_ns) = match rules {
            FlowControlRules::Unicast => (MAX_WATCHED_OF_ONE, connection_timeout_ns),
            FlowControlRules::Max => (MAX_WATCHED, connection_timeout_ns),
            FlowControlRules::Min(group) | FlowControlRules::Tagged(group, _) => {
                (MAX_WATCHED, group.receiver_timeout_ns)
            }
        };
        Self { rules, timeout_ns, capacity, receivers: Vec::with_capacity(capacity), held: None, told: None }
    }

    /// Records a status message.
    pub(super) fn on_status_message(
        &mut self,
        now: MonotonicNanos,
        from: SocketAddr,
        message: &StatusMessage,
        publication: &NetworkPublication,
    ) {
        if message.asks_for_setup {
            return;
        }
        let Some(position) = publication.position_in(message) else { return };
        if matches!(self.rules, FlowControlRules::Tagged(_, tag) if message.group_tag != GroupTag::Tag(tag)) {
            return;
        }
        let edge = position.saturating_add(message.receiver_window.into());
        self.hear(Heard { id: message.receiver_id, address: from, edge, at: now }, message.end_of_stream);
    }

    /// Whether windows held back the publication, and it is not known yet that they do not any more.
    #[inline]
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Removes a receiver that rejects the stream.
    pub(super) fn forget(&mut self, receiver_id: i64) {
        self.receivers.retain(|known| known.id != receiver_id);
    }

    /// Checks after a turn in which the publication was sent or not, and is held back by windows or not. Returns the
    /// report for the conductor, if it has changed: the receiver that holds it back, or none.
    #[inline]
    pub(super) fn look(&mut self, now: MonotonicNanos, is_limited: bool, was_sent: bool) -> Option<Option<Holder>> {
        match &mut self.held {
            None if is_limited => {
                self.held = Some(Held { since: now, due: now.saturating_add_ns(LOOK_INTERVAL_NS) });
                None
            }
            None => None,
            Some(_) if !is_limited && !was_sent => {
                // Everything that was published was sent.
                self.held = None;
                self.told.take().map(|_| None)
            }
            Some(held) if now >= held.due => {
                held.due = now.saturating_add_ns(LOOK_INTERVAL_NS);
                let since = held.since;
                self.tell(now, since)
            }
            Some(_) => None,
        }
    }

    fn hear(&mut self, heard: Heard, leaves: bool) {
        if leaves {
            self.forget(heard.id);
        } else if let Some(known) = self.receivers.iter_mut().find(|known| known.id == heard.id) {
            *known = heard;
        } else if self.receivers.len() < self.capacity {
            self.receivers.push(heard);
        } else if let Some(oldest) = self.receivers.iter_mut().min_by_key(|known| known.at) {
            *oldest = heard;
        }
    }

    fn tell(&mut self, now: MonotonicNanos, held_since: MonotonicNanos) -> Option<Option<Holder>> {
        let timeout_ns = self.timeout_ns;
        self.receivers.retain(|known| known.at.saturating_add_ns(timeout_ns) >= now);
        let receivers = self.receivers.iter();
        let decisive = match self.rules {
            FlowControlRules::Unicast | FlowControlRules::Max => receivers.max_by_key(|known| known.edge),
            FlowControlRules::Min(_) | FlowControlRules::Tagged(..) => receivers.min_by_key(|known| known.edge),
        };
        let edge = decisive.map(|decisive| decisive.edge);
        // Of several receivers at the same position, the one that was reported before.
        let same = self
            .told
            .filter(|told| self.receivers.iter().any(|known| known.id == told.receiver_id && Some(known.edge) == edge));
        if same.is_some() {
            return None;
        }
        let since = if self.told.is_none() { held_since } else { now };
        let next = decisive.map(|found| Holder { receiver_id: found.id, address: found.address, since });
        if next.is_none() && self.told.is_none() {
            return None;
        }
        self.told = next;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::GroupRules;

    const MS: i64 = 1_000_000;
    const GROUP: GroupRules = GroupRules { receiver_timeout_ns: 5_000 * MS, min_size: 0 };

    fn at(ms: i64) -> MonotonicNanos {
        MonotonicNanos::new(ms * MS)
    }

    fn hear(watch: &mut HolderWatch, ms: i64, id: i64, edge: i64) {
        let address = ([10, 0, 0, id as u8], 40_456).into();
        watch.hear(Heard { id, address, edge, at: at(ms) }, false);
    }

    /// Who is said to hold it after this turn, and since when, in milliseconds; `None` when there is no news.
    fn look(watch: &mut HolderWatch, ms: i64, is_limited: bool, was_sent: bool) -> Option<Option<(i64, i64)>> {
        let news = watch.look(at(ms), is_limited, was_sent)?;
        Some(news.map(|holder| (holder.receiver_id, holder.since.get() / MS)))
    }

    #[test]
    fn the_slowest_of_a_group_holds_it_until_another_is_slower() {
        let mut watch = HolderWatch::new(FlowControlRules::Min(GROUP), 5_000 * MS);
        hear(&mut watch, 0, 1, 4_000);
        hear(&mut watch, 0, 2, 3_000);
        assert_eq!(look(&mut watch, 0, false, true), None);
        assert_eq!(look(&mut watch, 10, true, false), None);
        assert_eq!(look(&mut watch, 109, true, false), None, "not for long enough");
        assert_eq!(look(&mut watch, 110, true, false), Some(Some((2, 10))));
        hear(&mut watch, 150, 2, 3_500);
        assert_eq!(look(&mut watch, 150, false, true), None, "it moves, and holds it all the same");
        assert_eq!(look(&mut watch, 250, true, false), None);
        hear(&mut watch, 300, 2, 9_000);
        assert_eq!(look(&mut watch, 350, true, false), Some(Some((1, 350))));
        hear(&mut watch, 400, 1, 9_000);
        assert_eq!(look(&mut watch, 400, false, true), None);
        assert_eq!(look(&mut watch, 401, false, false), Some(None), "all was sent");
        assert_eq!(look(&mut watch, 900, false, false), None);
    }

    #[test]
    fn the_furthest_holds_it_where_that_paces() {
        for rules in [FlowControlRules::Max, FlowControlRules::Unicast] {
            let mut watch = HolderWatch::new(rules, 5_000 * MS);
            hear(&mut watch, 0, 1, 4_000);
            hear(&mut watch, 0, 2, 3_000);
            look(&mut watch, 0, true, false);
            assert_eq!(look(&mut watch, 100, true, false), Some(Some((1, 0))));
        }
    }

    #[test]
    fn who_is_silent_leaves_or_rejects_holds_nothing() {
        let mut watch = HolderWatch::new(FlowControlRules::Min(GROUP), 5_000 * MS);
        hear(&mut watch, 0, 1, 1_000);
        hear(&mut watch, 4_000, 2, 2_000);
        hear(&mut watch, 4_000, 3, 3_000);
        look(&mut watch, 4_000, true, false);
        assert_eq!(look(&mut watch, 4_100, true, false), Some(Some((1, 4_000))));
        assert_eq!(look(&mut watch, 5_001, true, false), Some(Some((2, 5_001))));
        watch.forget(2);
        assert_eq!(look(&mut watch, 5_101, true, false), Some(Some((3, 5_101))));
        let address = ([10, 0, 0, 3], 1).into();
        watch.hear(Heard { id: 3, address, edge: 3_000, at: at(5_102) }, true);
        assert_eq!(look(&mut watch, 5_201, true, false), Some(None));
        assert_eq!(look(&mut watch, 5_301, true, false), None);
    }

    #[test]
    fn receivers_are_bounded_and_the_silent_make_room() {
        let mut watch = HolderWatch::new(FlowControlRules::Min(GROUP), 5_000 * MS);
        for id in 0..10_000 {
            hear(&mut watch, id, id, id);
        }
        assert_eq!(watch.receivers.len(), MAX_WATCHED);
        look(&mut watch, 10_000, true, false);
        assert_eq!(look(&mut watch, 10_100, true, false), Some(Some((9_744, 10_000))));
    }
}
