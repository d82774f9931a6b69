//! What to retransmit, and when. NAKs arrive as often as receivers choose to send them, and only some are answered. The
//! sender owns one per publication. It never touches the log. Its slots are made once, and a NAK without a free slot is
//! counted and dropped.
//!
//! ```text
//!            NAK                       time                    time
//!  inactive ────▶ delayed (if asked) ────────▶ sent, lingering ────▶ inactive
//!                                              (NAKs that start within its range are ignored)
//! ```

use gannet::time::MonotonicNanos;
use gannet::types::TermId;

use crate::mailbox::RetransmitRules;

/// A range of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermRange {
    /// The term id.
    pub term_id: TermId,
    /// The offset of the range in the term.
    pub offset: i32,
    /// The length in bytes.
    pub length: i32,
}

impl TermRange {
    fn contains(&self, other: &Self) -> bool {
        let start = i64::from(self.offset);
        self.term_id == other.term_id && (start..start + i64::from(self.length)).contains(&i64::from(other.offset))
    }
}

/// The response to a NAK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NakAnswer {
    /// Retransmit this range now.
    Resend(TermRange),
    /// The retransmit will be due later.
    Delayed,
    /// The range is being retransmitted anyway, or is empty.
    Ignored,
    /// All slots are in use.
    Overflow,
}

/// The pending retransmits of a publication.
#[derive(Debug)]
pub struct RetransmitHandler {
    rules: RetransmitRules,
    slots: Box<[Slot]>,
    /// The number of active slots.
    active: usize,
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Inactive,
    Delayed(TermRange, MonotonicNanos),
    Lingering(TermRange, MonotonicNanos),
}

impl Slot {
    fn range(&self) -> Option<&TermRange> {
        match self {
            Self::Inactive => None,
            Self::Delayed(range, _) | Self::Lingering(range, _) => Some(range),
        }
    }
}

impl RetransmitHandler {
    /// Without pending retransmits.
    pub fn new(rules: RetransmitRules) -> Self {
        let slots = usize::from(rules.group_slots.unwrap_or(1).clamp(1, 256));
        Self { rules, slots: vec![Slot::Inactive; slots].into(), active: 0 }
    }

    /// Handles a NAK for a range that was checked and limited.
    pub fn on_nak(&mut self, now: MonotonicNanos, range: TermRange) -> NakAnswer {
        self.end_lingering(now);
        if range.length <= 0 || self.slots.iter().filter_map(Slot::range).any(|active| active.contains(&range)) {
            return NakAnswer::Ignored;
        }
        let free = if self.rules.group_slots.is_none() {
            // Trap 34: the only slot is overwritten, whatever its state.
            Some(0)
        } else {
            self.slots.iter().position(|slot| matches!(slot, Slot::Inactive))
        };
        let Some(slot) = free.and_then(|index| self.slots.get_mut(index)) else { return NakAnswer::Overflow };
        if matches!(slot, Slot::Inactive) {
            self.active += 1;
        }
        if self.rules.delay_ns <= 0 {
            *slot = Slot::Lingering(range, now.saturating_add_ns(self.rules.linger_ns));
            NakAnswer::Resend(range)
        } else {
            *slot = Slot::Delayed(range, now.saturating_add_ns(self.rules.delay_ns));
            NakAnswer::Delayed
        }
    }

    /// Returns a range that is due to be sent. Call it until it returns `None`.
    pub fn poll_due(&mut self, now: MonotonicNanos) -> Option<TermRange> {
        self.end_lingering(now);
        if self.active == 0 {
            return None;
        }
        for slot in &mut self.slots {
            if let Slot::Delayed(range, due) = *slot
                && now > due
            {
                *slot = Slot::Lingering(range, now.saturating_add_ns(self.rules.linger_ns));
                return Some(range);
            }
        }
        None
    }

    /// Frees the slots whose linger is over.
    fn end_lingering(&mut self, now: MonotonicNanos) {
        if self.active == 0 {
            return;
        }
        for slot in &mut self.slots {
            if matches!(slot, Slot::Lingering(_, until) if now > *until) {
                *slot = Slot::Inactive;
                self.active -= 1;
            }
        }
    }

    /// When the next range is due. `None` if none waits.
    pub fn next_deadline(&self) -> Option<MonotonicNanos> {
        let due = |slot: &Slot| if let Slot::Delayed(_, due) = slot { Some(*due) } else { None };
        self.slots.iter().filter_map(due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINGER: i64 = 10_000_000;

    fn at(ns: i64) -> MonotonicNanos {
        MonotonicNanos::new(ns)
    }

    fn range(offset: i32, length: i32) -> TermRange {
        TermRange { term_id: TermId::new(7), offset, length }
    }

    fn handler(delay_ns: i64, group_slots: Option<u16>) -> RetransmitHandler {
        RetransmitHandler::new(RetransmitRules { delay_ns, linger_ns: LINGER, group_slots })
    }

    /// Trap 34: where a NAK starts decides whether it is ignored; the one slot of unicast is overwritten.
    #[test]
    fn wire_trap_34_the_start_decides_and_one_slot_is_overwritten() {
        let mut handler = handler(0, None);
        assert_eq!(handler.on_nak(at(0), range(1408, 2816)), NakAnswer::Resend(range(1408, 2816)));
        assert_eq!(handler.on_nak(at(1), range(1408, 2816)), NakAnswer::Ignored);
        assert_eq!(handler.on_nak(at(1), range(4192, 1 << 14)), NakAnswer::Ignored, "it starts within");
        assert_eq!(handler.on_nak(at(1), range(0, 4096)), NakAnswer::Resend(range(0, 4096)), "it starts before");
        assert_eq!(handler.on_nak(at(2), range(4224, 64)), NakAnswer::Resend(range(4224, 64)));
        let other_term = TermRange { term_id: TermId::new(8), ..range(4224, 64) };
        assert_eq!(handler.on_nak(at(2), other_term), NakAnswer::Resend(other_term));
    }

    /// A NAK for what was just resent is ignored for as long as it lingers.
    #[test]
    fn lingering_ends_strictly_after_its_time() {
        let mut handler = handler(0, None);
        handler.on_nak(at(0), range(0, 64));
        assert_eq!(handler.poll_due(at(LINGER)), None);
        assert_eq!(handler.on_nak(at(LINGER), range(0, 64)), NakAnswer::Ignored);
        assert_eq!(handler.poll_due(at(LINGER + 1)), None);
        assert_eq!(handler.on_nak(at(LINGER + 1), range(0, 64)), NakAnswer::Resend(range(0, 64)));
    }

    #[test]
    fn a_delayed_answer_is_sent_once() {
        let mut handler = handler(100, Some(4));
        assert_eq!(handler.on_nak(at(0), range(0, 64)), NakAnswer::Delayed);
        assert_eq!(handler.on_nak(at(50), range(32, 64)), NakAnswer::Ignored);
        assert_eq!(handler.next_deadline(), Some(at(100)));
        assert_eq!(handler.poll_due(at(100)), None);
        assert_eq!(handler.poll_due(at(101)), Some(range(0, 64)));
        assert_eq!((handler.poll_due(at(101)), handler.next_deadline()), (None, None));
    }

    /// A publication that rests has no turns in which time passes: what lingered is over when the next NAK comes, and not a NAK later.
    #[test]
    fn what_has_lingered_for_long_enough_answers_no_nak() {
        let mut unicast = handler(0, None);
        unicast.on_nak(at(0), range(0, 64));
        assert_eq!(unicast.on_nak(at(LINGER), range(0, 64)), NakAnswer::Ignored);
        assert_eq!(unicast.on_nak(at(LINGER + 1), range(0, 64)), NakAnswer::Resend(range(0, 64)));
        let mut group = handler(0, Some(1));
        group.on_nak(at(0), range(0, 64));
        assert_eq!(group.on_nak(at(LINGER), range(64, 64)), NakAnswer::Overflow);
        assert_eq!(group.on_nak(at(LINGER + 1), range(64, 64)), NakAnswer::Resend(range(64, 64)));
        assert_eq!(group.active, 1);
    }

    #[test]
    fn a_group_has_so_many_answers_under_way() {
        let mut handler = handler(0, Some(2));
        assert_eq!(handler.on_nak(at(0), range(0, 64)), NakAnswer::Resend(range(0, 64)));
        assert_eq!(handler.on_nak(at(0), range(64, 64)), NakAnswer::Resend(range(64, 64)));
        assert_eq!(handler.on_nak(at(0), range(128, 64)), NakAnswer::Overflow);
        handler.poll_due(at(LINGER + 1));
        assert_eq!(handler.on_nak(at(LINGER + 1), range(128, 64)), NakAnswer::Resend(range(128, 64)));
    }

    #[test]
    fn nothing_is_asked_for() {
        let mut handler = handler(0, None);
        assert_eq!(handler.on_nak(at(0), range(0, 0)), NakAnswer::Ignored);
        assert_eq!(handler.on_nak(at(0), range(0, -5)), NakAnswer::Ignored);
        assert_eq!(handler.active, 0);
    }

    proptest! {
        /// However often and for whatever receivers ask, in any stretch of time as long as the linger at most as many answers
        /// begin as there are slots, and no two of them start at the same place.
        #[test]
        fn answers_are_bounded(
            naks in prop::collection::vec((0..64_i32, 1..512_i32, 0..3_000_000_i64), 1..300),
            slots in 1..5_u16,
            delay_ns in prop_oneof![Just(0), Just(1_000_000_i64)],
        ) {
            let mut handler = handler(delay_ns, Some(slots));
            let mut sent: Vec<(i64, TermRange)> = Vec::new();
            let mut now = 0;
            for (place, length, pause) in naks {
                now += pause;
                while let Some(range) = handler.poll_due(at(now)) {
                    sent.push((now, range));
                }
                if let NakAnswer::Resend(range) = handler.on_nak(at(now), range(place * 32, length * 32)) {
                    sent.push((now, range));
                }
                let recent: Vec<_> = sent.iter().filter(|(when, _)| now - when < LINGER).collect();
                prop_assert!(recent.len() <= usize::from(slots));
                for (index, (_, one)) in recent.iter().enumerate() {
                    prop_assert!(recent[..index].iter().all(|(_, other)| other.offset != one.offset));
                }
                prop_assert!(handler.active <= usize::from(slots));
            }
        }
    }
}
