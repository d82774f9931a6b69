//! When to report gaps in an image: once when a gap is found and its delay has passed, then repeatedly as long as it
//! stays. The receiver owns one per image and tells it the gaps that each scan finds. It never looks at the log.
//!
//! Aeron follows only the first gap, and finds the next one when that is closed, so on a bad line each loss costs a
//! round trip of its own. Here, for a single receiver, several gaps are followed at once, each with its own timer, so
//! they cost one round trip together. In a group only one is followed, because the members wait for each other.
//!
//! Aeron's receiver repeats its NAK all the time, and its sender ignores the repetitions for a while. The sender of a
//! single receiver can do so for one gap only, so here the receiver itself repeats less and less often while it follows
//! several.

use fastrand::Rng;
use gannet::time::MonotonicNanos;

use super::nak_delay::NakDelay;

/// The maximum number of gaps of an image that are tracked.
const MAX_GAPS: usize = 32;
/// The longest time between two reports of one of several gaps in nanoseconds, unless the retry delay itself is longer.
const LONGEST_RETRY_NS: i64 = 100_000_000;

/// Missing bytes within one term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The position of the first missing byte.
    pub position: i64,
    /// The number of missing bytes.
    pub length: i32,
}

impl Gap {
    /// The position behind the last missing byte.
    fn end(&self) -> i64 {
        self.position + i64::from(self.length)
    }
}

/// The result of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detection {
    /// The number of tracked gaps that the scan found. Each is to be checked with [`LossDetector::report`].
    pub gaps: usize,
    /// The number of newly missing bytes.
    pub lost: i64,
}

/// The gaps of an image that are tracked, and when each is due.
#[derive(Debug)]
pub struct LossDetector {
    delay: NakDelay,
    /// Ordered by position.
    followed: Vec<Followed>,
    /// Those of the scan before, while there is a scan.
    before: Vec<Followed>,
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Followed {
    gap: Gap,
    expiry: MonotonicNanos,
    /// When it was first reported.
    reported: Option<MonotonicNanos>,
}

impl LossDetector {
    /// Without gaps.
    pub fn new(delay: NakDelay) -> Self {
        let most = if delay.is_between_two() { MAX_GAPS } else { 1 };
        Self { delay, followed: Vec::with_capacity(most), before: Vec::with_capacity(most), most }
    }

    /// Takes the gaps that a scan has found, in order. Gaps beyond the maximum are ignored. A gap whose length has
    /// changed is a different gap (trap 49), but of several gaps, what is left of one waits for as long as that one:
    /// the rest of its retransmit is most likely under way.
    pub fn on_scan(
        &mut self,
        now: MonotonicNanos,
        scanned: impl IntoIterator<Item = Gap>,
        random: &mut Rng,
    ) -> Detection {
        std::mem::swap(&mut self.followed, &mut self.before);
        self.followed.clear();
        let are_several = self.before.len() > 1;
        let (mut index, mut lost) = (0, 0);
        for gap in scanned.into_iter().take(self.most) {
            // Gaps before it were closed.
            index += self.before[index..].partition_point(|known| known.gap.end() <= gap.position);
            let begins_in = |known: &&Followed| known.gap.position <= gap.position;
            let known = self.before.get(index).filter(begins_in);
            let next = match known {
                Some(same) if same.gap == gap => *same,
                Some(whole) if are_several && gap.end() <= whole.gap.end() => Followed { gap, ..*whole },
                _ => Followed { gap, expiry: now.saturating_add_ns(self.delay.first_ns(random)), reported: None },
            };
            if known.is_none_or(|known| known.gap != gap) {
                lost += i64::from(gap.length);
            }
            self.followed.push(next);
        }
        let gaps = self.followed.len();
        if gaps == 0 {
            std::mem::swap(&mut self.followed, &mut self.before);
        }
        Detection { gaps, lost }
    }

    /// The gap with this index among those of the last scan, if it is to be reported or filled now.
    ///
    /// A sender that answers one receiver ignores further NAKs for the range that it has sent last. Of several gaps, it
    /// would send all others again with each report, however long the way is. So one of several gaps is reported again
    /// when as much time has passed as since its first report.
    pub fn report(&mut self, now: MonotonicNanos, number: usize, random: &mut Rng) -> Option<Gap> {
        let are_several = self.followed.len() > 1;
        let due = self.followed.get_mut(number).filter(|followed| now >= followed.expiry)?;
        let retry_ns = self.delay.retry_ns(random);
        let asked_ns = now.since(*due.reported.get_or_insert(now));
        let wait_ns = if are_several { retry_ns.max(asked_ns.min(LONGEST_RETRY_NS)) } else { retry_ns };
        due.expiry = now.saturating_add_ns(wait_ns);
        Some(due.gap)
    }

    /// When the next report of a gap is due.
    pub fn next_deadline(&self) -> Option<MonotonicNanos> {
        self.followed.iter().map(|followed| followed.expiry).min()
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::*;

    use super::*;

    fn at(ns: i64) -> MonotonicNanos {
        MonotonicNanos::new(ns)
    }

    fn gap(position: i64, length: i32) -> Option<Gap> {
        Some(Gap { position, length })
    }

    /// Scans these gaps; returns how much was news, and what is reported.
    fn scan(detector: &mut LossDetector, now: i64, gaps: impl IntoIterator<Item = Gap>) -> (i64, Vec<Gap>) {
        let mut random = Rng::with_seed(0);
        let found = detector.on_scan(at(now), gaps, &mut random);
        let reported = (0..found.gaps).filter_map(|number| detector.report(at(now), number, &mut random));
        (found.lost, reported.collect())
    }

    /// Scans the same gap at each moment, and tells at which it was reported.
    fn reports(detector: &mut LossDetector, moments: impl IntoIterator<Item = i64>) -> Vec<i64> {
        moments.into_iter().filter(|&now| !scan(detector, now, gap(1408, 2816)).1.is_empty()).collect()
    }

    #[test]
    fn a_gap_is_reported_after_its_delay_and_then_again() {
        let mut detector = LossDetector::new(NakDelay::unicast(1_000, 100));
        assert_eq!(reports(&mut detector, (0..=202_000).step_by(500)), [1_000, 101_000, 201_000]);
    }

    /// Trap 51: however long nobody looked, a gap is reported once.
    #[test]
    fn wire_trap_51_a_stall_causes_no_burst() {
        let mut detector = LossDetector::new(NakDelay::unicast(1_000, 100));
        assert_eq!(reports(&mut detector, [0, 50_000_000, 50_000_001, 50_099_999]), [50_000_000]);
    }

    /// Trap 49: one gap, one timer; another position or length is another gap, with the first delay.
    #[test]
    fn wire_trap_49_a_changed_gap_starts_anew() {
        let mut detector = LossDetector::new(NakDelay::unicast(1_000, 100));
        let mut scan = |now, gap: Option<Gap>| scan(&mut detector, now, gap);
        let reported = |gap: Option<Gap>| (0, Vec::from_iter(gap));
        assert_eq!(scan(0, gap(0, 128)), (128, vec![]));
        assert_eq!(scan(1_000, gap(0, 128)), reported(gap(0, 128)));
        assert_eq!(scan(1_100, gap(0, 96)), (96, vec![]), "shorter");
        assert_eq!(scan(2_100, gap(0, 96)), reported(gap(0, 96)));
        assert_eq!(scan(2_200, gap(32, 64)), (64, vec![]), "elsewhere");
        assert_eq!(scan(2_300, None), (0, vec![]));
        assert_eq!(scan(3_200, gap(32, 64)), reported(gap(32, 64)), "not found twice");
    }

    #[test]
    fn each_gap_has_its_own_timer() {
        let mut detector = LossDetector::new(NakDelay::unicast(1_000, 100));
        let [first, second, third] = [0, 256, 512].map(|position| Gap { position, length: 32 });
        assert_eq!(scan(&mut detector, 0, [first]), (32, vec![]));
        assert_eq!(scan(&mut detector, 500, [first, second]), (32, vec![]));
        assert_eq!(scan(&mut detector, 1_000, [first, second, third]), (32, vec![first]));
        assert_eq!(detector.next_deadline(), Some(at(1_500)));
        assert_eq!(scan(&mut detector, 2_000, [first, second, third]), (0, vec![second, third]));
        // The first two are closed: the third is not asked for again until it is due.
        assert_eq!(scan(&mut detector, 3_000, [third]), (0, vec![]));
        assert_eq!(scan(&mut detector, 102_000, [third]), (0, vec![third]));
    }

    /// On a long way, the answer to the first report is under way while others are made.
    #[test]
    fn several_gaps_are_reported_less_and_less_often() {
        let mut detector = LossDetector::new(NakDelay::unicast(1_000, 100));
        let [first, second] = [0, 4096].map(|position| Gap { position, length: 2816 });
        let mut moments = Vec::new();
        for now in (0..1_000_000_000).step_by(1_000) {
            let (_, reported) = scan(&mut detector, now, [first, second]);
            moments.extend((!reported.is_empty()).then_some(now));
        }
        assert_eq!(moments[..6], [1_000, 101_000, 201_000, 401_000, 801_000, 1_601_000]);
        let pauses = moments.windows(2).map(|pair| pair[1] - pair[0]);
        assert_eq!((moments.len(), pauses.max()), (20, Some(LONGEST_RETRY_NS)));
        let mut slow = LossDetector::new(NakDelay::unicast(1_000_000_000, 2));
        let moments = [0, 1, 2, 3, 5].map(|second| second * 1_000_000_000);
        let counts = moments.map(|now| scan(&mut slow, now, [first, second]).1.len());
        assert_eq!(counts, [0, 2, 0, 2, 2], "never earlier than was asked for");
    }

    /// The rest of its retransmit is on its way.
    #[test]
    fn what_is_left_of_one_of_several_gaps_waits_for_its_turn() {
        let mut detector = LossDetector::new(NakDelay::unicast(1_000, 100));
        let gap = |position, length| Gap { position, length };
        let (first, second) = (gap(0, 320), gap(1024, 320));
        scan(&mut detector, 0, [first, second]);
        assert_eq!(scan(&mut detector, 1_000, [first, second]), (0, vec![first, second]));
        let left = [gap(64, 64), gap(160, 160), gap(1056, 288)];
        assert_eq!(scan(&mut detector, 2_000, left), (512, vec![]));
        assert_eq!(scan(&mut detector, 4_000, left), (0, vec![]));
        assert_eq!(scan(&mut detector, 101_000, left), (0, left.to_vec()));
        let longer = [gap(64, 64), gap(160, 192)];
        assert_eq!(scan(&mut detector, 102_000, longer), (192, vec![]));
        assert_eq!(scan(&mut detector, 103_000, longer), (0, vec![longer[1]]), "not a part of what was asked for");
    }

    /// Whoever hears others ask for the same waits for its turn, gap by gap.
    #[test]
    fn a_group_follows_one_gap() {
        let mut detector = LossDetector::new(NakDelay::Group(super::super::nak_delay::GroupBackoff::new(10, 1_000)));
        let [first, second] = [0, 256].map(|position| Gap { position, length: 32 });
        assert_eq!(scan(&mut detector, 0, [first, second]).0, 32);
        assert_eq!(scan(&mut detector, 1_000, [first, second]), (0, vec![first]));
        assert_eq!(scan(&mut detector, 2_000, [second]).0, 32);
    }

    #[test]
    fn without_delay_a_gap_is_reported_at_once() {
        let mut detector = LossDetector::new(NakDelay::NONE);
        assert_eq!(reports(&mut detector, [5, 5, 6]), [5, 5, 6]);
    }

    proptest! {
        /// Whatever is missing from one scan to the next, as many gaps are followed as there may be, the first ones, and none is
        /// reported twice within its delay.
        #[test]
        fn gaps_are_followed_in_order(
            scans in prop::collection::vec((prop::collection::btree_map(0..100_i64, 1..3_i32, 0..50), 0..60_000_i64), 1..40),
        ) {
            let mut detector = LossDetector::new(NakDelay::unicast(1_000, 100));
            let (mut now, mut told) = (0, std::collections::HashMap::new());
            for (gaps, pause) in scans {
                now += pause;
                let gaps: Vec<_> =
                    gaps.iter().map(|(&at, &slots)| Gap { position: at * 96, length: slots * 32 }).collect();
                let (_, reported) = scan(&mut detector, now, gaps.iter().copied());
                prop_assert!(detector.followed.len() <= MAX_GAPS);
                prop_assert!(detector.followed.is_sorted_by_key(|followed| followed.gap.position));
                if !gaps.is_empty() {
                    let followed: Vec<_> = detector.followed.iter().map(|followed| followed.gap).collect();
                    prop_assert_eq!(&followed, &gaps[..gaps.len().min(MAX_GAPS)]);
                }
                let followed = &gaps[..gaps.len().min(MAX_GAPS)];
                told.retain(|gap: &(i64, i32), _| followed.iter().any(|found| (found.position, found.length) == *gap));
                for gap in reported {
                    let before = told.insert((gap.position, gap.length), now);
                    prop_assert!(before.is_none_or(|before| now >= before + 100_000));
                }
            }
        }
    }
}
