//! Chooses which of many publications or images to look at in a duty cycle. Those that had something to do lately are
//! looked at in every cycle. The others take turns, so that each is looked at within [`ROUND_NS`]. Stores of clients
//! and agents can only be found by looking, and a look at ten thousand resting ones would take longer than the rest of
//! the cycle. If there are few, all are looked at.
//!
//! It knows them by their places; their owner reports additions and changed places.

use gannet::time::MonotonicNanos;

/// The interval within which each is checked, in nanoseconds, if duty cycles are frequent enough. Publishers have half
/// a term before they have to wait for such a check.
const ROUND_NS: i64 = 200_000;
/// The minimum number of resting ones that are checked per duty cycle.
const LEAST: usize = 64;
/// One rests after this many checks without work.
const RESTING: u8 = 32;

/// Selects the ones to check.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// The number of consecutive checks without work for each index, up to [`RESTING`].
    quiet: Vec<u8>,
    /// The indexes of those that do not rest.
    stirring: Vec<usize>,
    /// The index of the next resting one to check.
    next: usize,
    /// When resting ones were last checked. `None` to check all.
    looked: Option<MonotonicNanos>,
}

impl Rounds {
    /// Adds one after all others. It does not rest.
    pub(super) fn on_added(&mut self) {
        self.stirring.push(self.quiet.len());
        self.quiet.push(0);
        // So that a check never allocates.
        self.stirring.reserve(self.quiet.len() - self.stirring.len());
    }

    /// Sets the number after a removal. Any of them may have another index now.
    pub(super) fn on_moved(&mut self, count: usize) {
        self.quiet.clear();
        self.quiet.resize(count, RESTING);
        self.stirring.clear();
        self.next = 0;
        self.looked = None;
    }

    /// Checks each one whose turn it is. `look` returns whether there was work. Returns for how many there was.
    #[inline]
    pub(super) fn look<T>(
        &mut self,
        now: MonotonicNanos,
        all: &mut [T],
        mut look: impl FnMut(&mut T) -> bool,
    ) -> usize {
        if all.len() <= LEAST {
            return all.iter_mut().map(|one| usize::from(look(one))).sum();
        }
        let Self { quiet, stirring, next, looked } = self;
        let stirred = stirring.len();
        let share = share(all.len(), looked.replace(now).map(|looked| now.since(looked)));
        for _ in 0..share {
            let place = if *next < all.len() { *next } else { 0 };
            *next = place + 1;
            if quiet[place] == RESTING && look(&mut all[place]) {
                quiet[place] = 0;
                stirring.push(place);
            }
        }
        let mut work = stirring.len() - stirred;
        // Those that were just found have been checked.
        let mut before = stirred;
        stirring.retain(|&place| {
            if before == 0 {
                return true;
            }
            before -= 1;
            if look(&mut all[place]) {
                quiet[place] = 0;
                work += 1;
            } else {
                quiet[place] += 1;
            }
            quiet[place] < RESTING
        });
        work
    }
}

/// The number of resting ones, out of `count`, to check after this time.
fn share(count: usize, elapsed_ns: Option<i64>) -> usize {
    match elapsed_ns {
        Some(elapsed_ns @ 0..ROUND_NS) => (count * elapsed_ns as usize / ROUND_NS as usize + 1).clamp(LEAST, count),
        _ => count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that notes when it was looked at, and whether it has something to do.
    #[derive(Clone, Debug, Default)]
    struct One {
        looks: Vec<i64>,
        is_busy: bool,
    }

    struct Many {
        all: Vec<One>,
        rounds: Rounds,
        now_ns: i64,
    }

    impl Many {
        fn new(count: usize) -> Self {
            let mut rounds = Rounds::default();
            (0..count).for_each(|_| rounds.on_added());
            Self { all: vec![One::default(); count], rounds, now_ns: 1_000 }
        }

        /// A cycle after so long; returns how many were looked at, none of them twice.
        fn cycle(&mut self, after_ns: i64) -> usize {
            self.now_ns += after_ns;
            let (now_ns, mut looks) = (self.now_ns, 0);
            let work = self.rounds.look(MonotonicNanos::new(now_ns), &mut self.all, |one| {
                assert_ne!(one.looks.last(), Some(&now_ns), "twice in a cycle");
                one.looks.push(now_ns);
                looks += 1;
                one.is_busy
            });
            assert_eq!(work, self.all.iter().filter(|one| one.is_busy && one.looks.last() == Some(&now_ns)).count());
            looks
        }

        fn settle(&mut self) {
            (0..=RESTING).for_each(|_| _ = self.cycle(1));
        }
    }

    #[test]
    fn few_are_all_looked_at() {
        let mut few = Many::new(LEAST);
        (0..100).for_each(|_| assert_eq!(few.cycle(1), LEAST));
    }

    #[test]
    fn those_that_rest_have_turns_and_all_of_them_after_a_round() {
        let mut many = Many::new(1_000);
        many.settle();
        assert_eq!(many.cycle(1), LEAST);
        assert_eq!(many.cycle(ROUND_NS / 4), 251);
        assert_eq!(many.cycle(ROUND_NS), 1_000);
        assert_eq!(many.cycle(-5), 1_000, "a clock that was set back");
    }

    #[test]
    fn who_begins_to_stir_is_looked_at_in_each_cycle_until_it_rests() {
        let mut many = Many::new(1_000);
        many.settle();
        many.all[777].is_busy = true;
        many.cycle(ROUND_NS);
        many.all[777].is_busy = false;
        let before = many.all[777].looks.len();
        (0..RESTING).for_each(|_| _ = many.cycle(1));
        assert_eq!(many.all[777].looks.len() - before, RESTING.into());
        assert_eq!(many.rounds.stirring, [] as [usize; 0]);
    }

    /// Whatever comes, goes and stirs: places and what is known of them stay in step, and nobody waits for longer than a round.
    #[test]
    fn nobody_is_forgotten() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..50 {
            let mut many = Many::new(random.usize(0..300));
            for _ in 0..400 {
                match random.u8(..) {
                    0..20 => {
                        let fresh = One { looks: vec![many.now_ns], is_busy: false };
                        many.all.push(fresh);
                        many.rounds.on_added();
                    }
                    20..30 => {
                        many.all.retain(|_| random.u8(..) > 20);
                        many.rounds.on_moved(many.all.len());
                    }
                    _ => many.all.iter_mut().for_each(|one| one.is_busy = random.u8(..) < 5),
                }
                many.cycle(random.i64(0..ROUND_NS / 3));
                let Many { all, rounds, now_ns } = &many;
                if all.len() > LEAST {
                    assert_eq!(rounds.quiet.len(), all.len());
                    let mut stirring = rounds.stirring.clone();
                    stirring.sort_unstable();
                    let expected = (0..all.len()).filter(|&place| rounds.quiet[place] < RESTING);
                    assert!(stirring.into_iter().eq(expected));
                }
                let longest = all.iter().map(|one| now_ns - one.looks.last().expect("it came")).max();
                assert!(longest.is_none_or(|longest| longest <= 2 * ROUND_NS), "{longest:?}");
            }
        }
    }
}
