//! The limit of an IPC publication, and the cleaning of its log, as plain arithmetic over positions. The publication
//! passes in what it has read from counters and log on each duty cycle; this file touches neither.
//!
//! ```text
//!        cleaned up to   slowest     fastest          producer   limit = slowest + window
//!              v            v           v                 v        v
//!  ---zeroed---|--consumed--|--read by--|--nobody has it--|--free--|---- must be zero up to here and a term beyond
//!                               some
//! ```
//!
//! Subscribers and publishers may store any value. So each value is brought into the range that an honest one can have
//! before it affects memory or other clients.

use gannet::types::{Position, TermLength};

use crate::shared::{FRAME_STEP, MAX_CLEANED_PER_CYCLE, Span, is_clean_for};

/// The maximum distance of subscribers from the cleaned position in bytes. What they have just read is still in a
/// processor's cache, and need not be written to memory before it is zeroed.
const MAX_UNCLEANED: i64 = 128 << 10;

/// The positions of an IPC publication that the conductor tracks.
#[derive(Debug)]
pub(super) struct Limits {
    term_length: i64,
    max_position: i64,
    window: i64,
    /// The position limit that publishers see.
    limit: i64,
    /// The highest position limit so far.
    highest_limit: i64,
    /// The limit only advances beyond this, so that it is not stored for every message (trap 49).
    trip_limit: i64,
    /// The highest position that any subscriber has stored. Limited to the producer position when it is used.
    consumer: i64,
    /// The clean position: everything below is zero.
    clean: i64,
    /// The position up to which to clean.
    clean_target: i64,
}

impl Limits {
    /// All positions start at the stream's start. `window` is in bytes, at most half a term.
    pub(super) fn new(start: Position, window: i32, term_length: TermLength) -> Self {
        let start = start.get();
        Self {
            term_length: term_length.get().into(),
            max_position: term_length.max_position().get(),
            window: window.into(),
            limit: start,
            highest_limit: start,
            trip_limit: start,
            consumer: start,
            clean: start,
            clean_target: start,
        }
    }

    /// Limits a tail from the log to the range that a valid publisher can have reached. It never starts a message
    /// beyond the position limit, and the longest message, padding included, ends within a term of it.
    pub(super) fn bound_producer(&self, found: i64) -> i64 {
        self.bound(found, self.furthest())
    }

    /// Limits a subscriber's position to the range that it can have read.
    pub(super) fn bound_subscriber(&self, found: i64, producer: i64) -> i64 {
        self.bound(found, producer)
    }

    /// Takes the positions of the working subscribers, as found. Returns whether the limit or the cleaning may have to
    /// advance. Only then is the producer position needed, whose cache line publishers keep busy.
    #[inline]
    pub(super) fn observe(&mut self, working: Option<Span>) -> bool {
        let Some(Span { min, max }) = working else { return self.limit > self.consumer };
        if max > self.consumer {
            self.consumer = self.bound(max, self.furthest()).max(self.consumer);
        }
        min.saturating_add(self.window) > self.trip_limit || min.saturating_sub(self.clean_target) > MAX_UNCLEANED
    }

    /// Advances the limit, if necessary, and returns it. `working` is what was observed. `producer` was loaded after
    /// it, and is valid.
    pub(super) fn advance(&mut self, working: Option<Span>, producer: i64) -> Option<i64> {
        let consumer = self.consumer(producer);
        match working {
            Some(Span { min, .. }) => {
                let min = self.bound_subscriber(min, producer);
                self.clean_target = self.clean_target.max(min);
                let limit = min + self.window;
                if limit <= self.trip_limit || !is_clean_for(limit, self.clean, self.term_length) {
                    return None;
                }
                self.trip_limit = limit + self.window / 8;
                self.limit = limit;
                self.highest_limit = self.highest_limit.max(limit);
            }
            None => {
                if self.limit <= consumer {
                    return None;
                }
                self.clean_target = self.clean_target.max(consumer);
                self.limit = consumer;
                self.trip_limit = consumer;
            }
        }
        Some(self.limit)
    }

    /// The range to zero now, as position and length. It does not cross the end of a term.
    #[inline]
    pub(super) fn next_to_clean(&self) -> Option<(i64, i64)> {
        let to_term_end = self.term_length - (self.clean & (self.term_length - 1));
        let length = (self.clean_target - self.clean).min(to_term_end).min(MAX_CLEANED_PER_CYCLE);
        (length > 0).then_some((self.clean, length))
    }

    /// Records that this many further bytes were zeroed.
    pub(super) fn on_cleaned(&mut self, length: i64) {
        self.clean += length;
    }

    /// Records that a working subscriber leaves at `position` (trap 75). `producer` is valid.
    pub(super) fn on_left(&mut self, position: i64, producer: i64) {
        let position = self.bound_subscriber(position, producer);
        self.consumer = self.consumer(producer).max(position);
    }

    /// Ends the stream, so that nothing is published beyond its end. Returns the limit.
    pub(super) fn end_at(&mut self, producer: i64) -> i64 {
        self.limit = self.limit.min(producer);
        self.limit
    }

    /// The highest position that any subscriber has reached. `producer` is valid.
    pub(super) fn consumer(&mut self, producer: i64) -> i64 {
        self.consumer = self.consumer.min(producer).max(self.clean_target);
        self.consumer
    }

    /// The publication window in bytes.
    pub(super) const fn window(&self) -> i64 {
        self.window
    }

    /// The highest position that a valid publisher can have reached.
    fn furthest(&self) -> i64 {
        (self.highest_limit + self.term_length).min(self.max_position)
    }

    /// Limits a position to at least what was consumed or cleaned, and at most `most`.
    fn bound(&self, found: i64, most: i64) -> i64 {
        (found & -FRAME_STEP).min(most).max(self.clean_target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TERM: i64 = 64 << 10;
    const WINDOW: i64 = TERM / 2;
    /// A producer that is far ahead of all that a test does with subscribers.
    const AHEAD: i64 = i64::MAX;

    fn limits(start: i64) -> Limits {
        Limits::new(Position::new(start), WINDOW as i32, TermLength::MIN)
    }

    fn span(min: i64, max: i64) -> Option<Span> {
        Some(Span { min, max })
    }

    fn cycle(limits: &mut Limits, working: Option<Span>, producer: i64) -> Option<i64> {
        let producer = limits.bound_producer(producer);
        if limits.observe(working) { limits.advance(working, producer) } else { None }
    }

    fn clean_all(limits: &mut Limits) {
        while let Some((_, length)) = limits.next_to_clean() {
            limits.on_cleaned(length);
        }
    }

    /// Trap 49: the limit moves in steps of more than an eighth of the window, not with every message.
    #[test]
    fn trap_49_the_limit_moves_in_steps() {
        let mut limits = limits(0);
        let step = WINDOW / 8;
        assert_eq!(cycle(&mut limits, span(0, 0), 0), Some(WINDOW), "the first subscriber opens the window at once");
        assert_eq!(cycle(&mut limits, span(32, 32), AHEAD), None);
        assert_eq!(cycle(&mut limits, span(step, step), AHEAD), None, "an eighth is not more than an eighth");
        assert_eq!(cycle(&mut limits, span(step + 32, step + 32), AHEAD), Some(WINDOW + step + 32));
    }

    /// Trap 63: without subscribers the limit falls to the highest position that any reached, not to zero.
    #[test]
    fn trap_63_without_subscribers_the_limit_is_the_consumer_position() {
        let mut limits = limits(4096);
        assert_eq!(cycle(&mut limits, None, 4096), None, "it starts there");
        cycle(&mut limits, span(4096, 4576), AHEAD);
        assert_eq!(cycle(&mut limits, None, AHEAD), Some(4576));
        assert_eq!(cycle(&mut limits, None, AHEAD), None);
        clean_all(&mut limits);
        assert_eq!(limits.clean, 4576, "what was consumed is cleaned");
        assert_eq!(cycle(&mut limits, span(4576, 4576), AHEAD), Some(4576 + WINDOW));
    }

    /// Trap 75: what a subscriber had read when it left is remembered.
    #[test]
    fn trap_75_a_leaving_subscriber_is_sampled() {
        let mut limits = limits(0);
        cycle(&mut limits, span(0, 0), 800);
        limits.on_left(480, 800);
        assert_eq!(cycle(&mut limits, None, 800), Some(480));
    }

    /// Trap 50: cleaning follows the slowest subscriber.
    #[test]
    fn trap_50_cleaning_stops_at_the_slowest_subscriber() {
        let mut limits = limits(0);
        cycle(&mut limits, span(0, 8192), AHEAD);
        assert_eq!(limits.next_to_clean(), None);
        cycle(&mut limits, span(8192, 16_384), AHEAD);
        assert_eq!(limits.next_to_clean(), Some((0, 8192)));
    }

    #[test]
    fn a_range_to_clean_never_crosses_a_term() {
        let mut limits = limits(TERM - 96);
        cycle(&mut limits, span(TERM - 96, TERM - 96), AHEAD);
        cycle(&mut limits, span(TERM + 8192, TERM + 8192), AHEAD);
        assert_eq!(limits.next_to_clean(), Some((TERM - 96, 96)));
        limits.on_cleaned(96);
        assert_eq!(limits.next_to_clean(), Some((TERM, 8192)));
    }

    #[test]
    fn large_terms_are_cleaned_a_little_at_a_time() {
        let length = TermLength::new(64 << 20).unwrap();
        let mut limits = Limits::new(Position::new(0), length.get() / 2, length);
        cycle(&mut limits, span(0, 0), AHEAD);
        cycle(&mut limits, span(32 << 20, 32 << 20), AHEAD);
        assert_eq!(limits.next_to_clean(), Some((0, MAX_CLEANED_PER_CYCLE)));
    }

    /// Cleaning does not wait for the limit to move: in a large log that would be megabytes later.
    #[test]
    fn large_terms_are_cleaned_close_behind_subscribers() {
        let length = TermLength::new(64 << 20).unwrap();
        let mut limits = Limits::new(Position::new(0), length.get() / 2, length);
        cycle(&mut limits, span(0, 0), AHEAD);
        assert_eq!(cycle(&mut limits, span(MAX_UNCLEANED, MAX_UNCLEANED), AHEAD), None);
        assert_eq!(limits.next_to_clean(), None);
        let read = MAX_UNCLEANED + 32;
        assert_eq!(cycle(&mut limits, span(read, read), AHEAD), None);
        assert_eq!(limits.next_to_clean(), Some((0, read)));
    }

    #[test]
    fn the_limit_waits_for_memory_that_is_not_clean_yet() {
        let mut limits = limits(0);
        cycle(&mut limits, span(0, 0), AHEAD);
        cycle(&mut limits, span(TERM, TERM), AHEAD);
        assert_eq!(cycle(&mut limits, span(2 * TERM, 2 * TERM), AHEAD), None, "nothing was cleaned since the start");
        clean_all(&mut limits);
        assert_eq!(cycle(&mut limits, span(2 * TERM, 2 * TERM), AHEAD), Some(2 * TERM + WINDOW));
    }

    /// A subscriber that claims to have read what was not written yet must not have it cleaned away under the others, nor
    /// make those who come later start there.
    #[test]
    fn a_subscriber_is_not_believed_past_the_producer() {
        let mut limits = limits(0);
        cycle(&mut limits, span(0, 0), 0);
        cycle(&mut limits, span(i64::MAX, i64::MAX), 8192);
        assert_eq!(limits.next_to_clean(), Some((0, 8192)));
        assert_eq!(limits.consumer(8192), 8192);
    }

    /// The limit falls when the last subscriber goes; publishers have seen the old one.
    #[test]
    fn a_producer_past_a_limit_that_fell_is_believed() {
        let mut limits = limits(0);
        cycle(&mut limits, span(0, 0), 0);
        assert_eq!(cycle(&mut limits, None, WINDOW), Some(0));
        assert_eq!(limits.bound_producer(WINDOW + 8192), WINDOW + 8192);
    }

    #[test]
    fn a_lie_does_not_outlive_its_subscriber() {
        let mut limits = limits(0);
        cycle(&mut limits, span(0, 0), 0);
        limits.observe(span(0, i64::MAX));
        limits.on_left(i64::MAX, 640);
        assert_eq!(cycle(&mut limits, None, 640), Some(640), "no further than what was written");
    }

    #[test]
    fn what_other_processes_store_is_bounded() {
        let limits = limits(4096);
        for found in [i64::MIN, -1, 0, 4096, 4097, i64::MAX] {
            let producer = limits.bound_producer(found);
            assert!((4096..=4096 + TERM).contains(&producer) && producer % 32 == 0, "{found}: {producer}");
            let position = limits.bound_subscriber(found, 8192);
            assert!((4096..=8192).contains(&position) && position % 32 == 0, "{found}: {position}");
        }
    }

    proptest! {
        /// Whatever counters and tails hold, nothing overflows, nothing that was not written yet is cleaned, and the limit
        /// never passes what is clean.
        #[test]
        fn limits_hold_for_any_input(
            start in 0..64_i64,
            steps in prop::collection::vec((any::<i64>(), any::<i64>(), any::<i64>(), 0..4_usize), 1..200),
        ) {
            let mut limits = limits(start * 32);
            for (tail, low, high, kind) in steps {
                // Garbage, nobody, or positions of honest subscribers that are more or less up to date.
                let working = match kind {
                    0 => span(low.min(high), low.max(high)),
                    1 => None,
                    _ => {
                        let max = limits.limit - high.rem_euclid(TERM);
                        span(max - low.rem_euclid(WINDOW), max)
                    }
                };
                let tail = if kind == 0 { tail } else { limits.limit + tail.rem_euclid(TERM) };
                let producer = limits.bound_producer(tail);
                if limits.observe(working) && limits.advance(working, producer).is_some() {
                    prop_assert!(limits.limit <= limits.clean + 2 * TERM);
                    prop_assert!(limits.clean_target <= producer);
                }
                prop_assert!(limits.consumer(producer) <= producer);
                if let Some((from, length)) = limits.next_to_clean() {
                    prop_assert!(from / TERM == (from + length - 1) / TERM && length <= MAX_CLEANED_PER_CYCLE);
                    limits.on_cleaned(length);
                }
            }
        }
    }
}
