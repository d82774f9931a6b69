//! Which parts of a stream have arrived: everything up to a frontier, and ranges beyond it. The receiver checks this
//! before it places a datagram, because a datagram that begins inside an existing frame would overwrite data that
//! somebody reads. It is bounded, because strangers decide what arrives.

use std::collections::VecDeque;

/// The maximum number of ranges beyond the frontier. Data that would need a further range is dropped and requested
/// again.
const MAX_RANGES: usize = 4096;

/// The received ranges of a stream.
#[derive(Debug)]
pub struct Arrivals {
    /// Everything from the join position to here was received.
    frontier: i64,
    /// The begins and ends of the ranges beyond, in order, neither touching nor overlapping.
    beyond: VecDeque<(i64, i64)>,
}

impl Arrivals {
    /// Nothing received, for a stream that is joined here.
    pub fn new(join: i64) -> Self {
        Self { frontier: join, beyond: VecDeque::with_capacity(64) }
    }

    /// The position up to which everything was received.
    #[inline]
    pub fn frontier(&self) -> i64 {
        self.frontier
    }

    /// Whether a datagram that begins there may be placed: it overlaps nothing that was received, and its range can be
    /// tracked.
    pub fn admits(&self, position: i64) -> bool {
        if position <= self.frontier || self.beyond.is_empty() {
            return position >= self.frontier;
        }
        let next = self.beyond.partition_point(|&(begin, _)| begin <= position);
        let before = next.checked_sub(1).and_then(|index| self.beyond.get(index));
        let end_before = before.map_or(i64::MIN, |&(_, end)| end);
        position >= end_before && (self.beyond.len() < MAX_RANGES || position == end_before)
    }

    /// Records a range that was placed.
    pub fn on_placed(&mut self, position: i64, end: i64) {
        if position <= self.frontier {
            self.complete_to(end);
            return;
        }
        let mut next = self.beyond.partition_point(|&(begin, _)| begin <= position);
        let mut range = (position, end);
        if let Some(&(begin, end_before)) = next.checked_sub(1).and_then(|index| self.beyond.get(index))
            && end_before >= position
        {
            range = (begin, end.max(end_before));
            next -= 1;
            self.beyond.remove(next);
        }
        while let Some(&(begin, end_after)) = self.beyond.get(next)
            && begin <= range.1
        {
            range.1 = range.1.max(end_after);
            self.beyond.remove(next);
        }
        self.beyond.insert(next, range);
    }

    /// The gaps after the range that begins at `position` or later, and before `highest`: begins and ends, in order.
    pub fn gaps_after(&self, position: i64, highest: i64) -> impl Iterator<Item = (i64, i64)> + '_ {
        let first = self.beyond.partition_point(|&(begin, _)| begin < position);
        let begins = self.beyond.iter().skip(first).map(|&(_, end)| end);
        let ends = self.beyond.iter().skip(first + 1).map(|&(begin, _)| begin).chain([highest]);
        begins.zip(ends).filter(|(begin, end)| begin < end)
    }

    /// Records that everything up to there was received or filled.
    pub fn complete_to(&mut self, position: i64) {
        self.frontier = self.frontier.max(position);
        while let Some(&(begin, end)) = self.beyond.front()
            && begin <= self.frontier
        {
            self.frontier = self.frontier.max(end);
            self.beyond.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_inside_of_what_has_come_is_not_admitted() {
        let mut arrivals = Arrivals::new(64);
        assert!(!arrivals.admits(32) && arrivals.admits(64) && arrivals.admits(96));
        arrivals.on_placed(64, 128);
        assert!(!arrivals.admits(64) && !arrivals.admits(96) && arrivals.admits(128));
        arrivals.on_placed(256, 320);
        for (position, admitted) in [(128, true), (224, true), (256, false), (288, false), (320, true)] {
            assert_eq!(arrivals.admits(position), admitted, "{position}");
        }
        arrivals.on_placed(320, 352);
        assert_eq!(arrivals.beyond, [(256, 352)]);
        arrivals.on_placed(128, 256);
        assert_eq!((arrivals.frontier, arrivals.beyond.len()), (352, 0), "the gap is closed");
    }

    #[test]
    fn one_datagram_may_join_several_ranges() {
        let mut arrivals = Arrivals::new(0);
        [(64, 96), (128, 160), (192, 224), (512, 544)]
            .into_iter()
            .for_each(|(begin, end)| arrivals.on_placed(begin, end));
        arrivals.on_placed(96, 200);
        assert_eq!(arrivals.beyond, [(64, 224), (512, 544)]);
        arrivals.complete_to(100);
        assert_eq!((arrivals.frontier, &arrivals.beyond), (224, &VecDeque::from([(512, 544)])));
    }

    #[test]
    fn gaps_lie_between_what_has_come() {
        let mut arrivals = Arrivals::new(0);
        let gaps = |arrivals: &Arrivals, position, highest| arrivals.gaps_after(position, highest).collect::<Vec<_>>();
        assert_eq!(gaps(&arrivals, 0, 512), [], "the first one is not among them");
        [(64, 96), (128, 160), (192, 224)].into_iter().for_each(|(begin, end)| arrivals.on_placed(begin, end));
        assert_eq!(gaps(&arrivals, 0, 224), [(96, 128), (160, 192)]);
        assert_eq!(gaps(&arrivals, 64, 512), [(96, 128), (160, 192), (224, 512)]);
        assert_eq!(gaps(&arrivals, 65, 512), [(160, 192), (224, 512)]);
        assert_eq!(gaps(&arrivals, 193, 512), []);
    }

    #[test]
    fn there_is_a_bound_to_what_is_remembered() {
        let mut arrivals = Arrivals::new(0);
        for number in 1..=MAX_RANGES as i64 {
            assert!(arrivals.admits(number * 64));
            arrivals.on_placed(number * 64, number * 64 + 32);
        }
        let end = MAX_RANGES as i64 * 64 + 32;
        assert!(!arrivals.admits(end + 32) && arrivals.admits(end), "only what lengthens the last one");
        assert!(arrivals.admits(0), "and what is complete");
    }
}
