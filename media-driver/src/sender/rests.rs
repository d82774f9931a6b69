//! Which publications rest, until when, and which of them to look at in a turn. The sender owns this and may have
//! thousands of publications. So the data that it walks on each turn is close together, and the logs, which are far
//! apart, are looked at a few at a time.
//!
//! ```text
//!   turn                n            n + 1          n + 2
//!   fresh ones          0..256       256..512       512..768     256 places further each time, and settled ones are left out
//!   all                 0..64        64..128        128..192     64 places further each time
//! ```

use gannet::time::MonotonicNanos;

use super::network_publication::Rest;

/// Among how many places in one turn those are looked at that have rested for a short time.
const FRESH_PLACES: usize = 256;
/// Among how many places in one turn all are looked at that rest. With 1,000 of them and turns a millisecond apart, on a thread that is
/// mostly asleep, what is published first after a long silence waits for up to 16 turns and not one. A look takes 125 ns: it is a
/// page of its own, of which no cache knows anything any more.
const PLACES: usize = 64;
/// How many looks in vain make a fresh one a settled one: a quarter of a second of silence at the least, on a thread that is mostly asleep.
const SETTLED: u32 = 256;

/// When something is due that was due all along.
const AT_ONCE: MonotonicNanos = MonotonicNanos::new(i64::MIN);

/// The rests of all publications, by their places.
#[derive(Debug, Default)]
pub(super) struct Rests {
    /// When each has its next turn. Never where there is none.
    due: Vec<MonotonicNanos>,
    /// How many of them are due at once.
    awake: usize,
    /// None of the others is due before that.
    next_due: MonotonicNanos,
    all: Vec<Option<Resting>>,
    next_fresh: usize,
    next: usize,
}

#[derive(Debug)]
struct Resting {
    rest: Rest,
    /// It does not rest any more. What it is made of goes with the next rest, which has its time then.
    is_over: bool,
    /// How often it was looked at in vain while it was fresh.
    looks: u32,
}

impl Resting {
    #[inline]
    fn is_disturbed(&self) -> bool {
        !self.is_over && !self.rest.is_undisturbed()
    }
}

impl Rests {
    /// There is one more place, whose publication does not rest.
    pub(super) fn add_place(&mut self) {
        self.due.push(AT_ONCE);
        self.awake += 1;
        self.all.push(None);
    }

    /// The publication at this place does not rest.
    #[inline]
    pub(super) fn wake(&mut self, place: usize) {
        self.set_due(place, AT_ONCE);
        if let Some(resting) = &mut self.all[place] {
            resting.is_over = true;
        }
    }

    /// There is no publication at this place any more. Lets go of its log.
    pub(super) fn leave(&mut self, place: usize) {
        self.set_due(place, MonotonicNanos::NEVER);
        self.all[place] = None;
    }

    #[inline]
    fn set_due(&mut self, place: usize, due: MonotonicNanos) {
        self.awake -= usize::from(self.due[place] == AT_ONCE);
        self.due[place] = due;
        if due == AT_ONCE {
            self.awake += 1;
        } else {
            self.next_due = self.next_due.min(due);
        }
    }

    /// The publication at this place rests from now on.
    pub(super) fn begin(&mut self, place: usize, rest: Rest) {
        self.set_due(place, rest.until());
        self.all[place] = Some(Resting { rest, is_over: false, looks: 0 });
    }

    /// The publication at this place rests for another while.
    pub(super) fn go_on(&mut self, place: usize) {
        if let Some(resting) = &self.all[place] {
            self.set_due(place, resting.rest.until());
        }
    }

    /// The rest of the publication at this place, if it rests: as far as it was looked at, nothing was published.
    pub(super) fn rest_mut(&mut self, place: usize) -> Option<&mut Rest> {
        self.all[place].as_mut().filter(|resting| !resting.is_over).map(|resting| &mut resting.rest)
    }

    /// What is left of the rest of the publication at this place, if it is over and may be resumed: of many, who rests is not looked at in
    /// each turn, and one that publishes all the time would have to wait for that again and again.
    #[inline]
    pub(super) fn over_mut(&mut self, place: usize) -> Option<&mut Rest> {
        if self.all.len() > PLACES {
            return None;
        }
        self.all[place].as_mut().filter(|resting| resting.is_over).map(|resting| &mut resting.rest)
    }

    /// The publication at this place rests again, until the same moment.
    #[inline]
    pub(super) fn resume(&mut self, place: usize) {
        if let Some(resting) = &mut self.all[place] {
            (resting.is_over, resting.looks) = (false, 0);
            let until = resting.rest.until();
            self.set_due(place, until);
        }
    }

    /// Whether any publication may have to have a turn.
    #[inline]
    pub(super) fn is_any_due(&self, now: MonotonicNanos) -> bool {
        self.awake > 0 || now >= self.next_due
    }

    /// Whether the publication at this place is to have a turn.
    #[inline]
    pub(super) fn is_due(&self, place: usize, now: MonotonicNanos) -> bool {
        now >= self.due[place]
    }

    /// All that were due have had their turns.
    #[inline]
    pub(super) fn find_next_due(&mut self, now: MonotonicNanos) {
        if now >= self.next_due {
            let others = self.due.iter().copied().filter(|due| *due != AT_ONCE);
            self.next_due = others.min().unwrap_or(MonotonicNanos::NEVER);
        }
    }

    /// Looks at those whose turn it is to be looked at: where something was published, the rest is over.
    #[inline]
    pub(super) fn look(&mut self) {
        if self.all.len() > PLACES {
            self.look_at_some();
            return;
        }
        for place in 0..self.all.len() {
            self.look_at(place);
        }
    }

    #[inline]
    fn look_at(&mut self, place: usize) {
        if self.all[place].as_ref().is_some_and(Resting::is_disturbed) {
            self.wake(place);
        }
    }

    fn look_at_some(&mut self) {
        let count = self.all.len();
        for place in places(&mut self.next_fresh, FRESH_PLACES, count) {
            if let Some(resting) = &mut self.all[place]
                && resting.looks < SETTLED
            {
                resting.looks += 1;
                self.look_at(place);
            }
        }
        for place in places(&mut self.next, PLACES, count) {
            self.look_at(place);
        }
    }
}

/// So many places of `count`, from `next` on and then from the first on, and moves `next` behind them.
fn places(next: &mut usize, many: usize, count: usize) -> impl Iterator<Item = usize> + use<> {
    let from = if *next < count { *next } else { 0 };
    let many = many.min(count);
    let to_end = many.min(count - from);
    *next = (from + many) % count.max(1);
    (from..from + to_end).chain(0..many - to_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_come_by_in_turn() {
        let mut next = 0;
        let mut turn = |many, count| places(&mut next, many, count).collect::<Vec<_>>();
        assert_eq!(turn(4, 0), []);
        assert_eq!(turn(4, 3), [0, 1, 2]);
        assert_eq!(turn(4, 10), [0, 1, 2, 3]);
        assert_eq!(turn(4, 10), [4, 5, 6, 7]);
        assert_eq!(turn(4, 10), [8, 9, 0, 1]);
        assert_eq!(turn(4, 10), [2, 3, 4, 5]);
        assert_eq!(turn(4, 5), [0, 1, 2, 3], "there are fewer of them now");
        assert_eq!(turn(4, 5), [4, 0, 1, 2]);
    }
}
