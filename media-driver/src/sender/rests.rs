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

/// The number of indexes per turn among which recently idle publications are checked.
const FRESH_PLACES: usize = 256;
/// The number of indexes per turn among which all idle publications are checked. With 1,000 of them and turns a
/// millisecond apart, on a thread that is mostly asleep, the first data after a long silence waits for up to 16 turns
/// instead of one. A check takes 125 ns, because it accesses a page that is in no cache any more.
const PLACES: usize = 64;
/// The number of unsuccessful checks after which a fresh one is settled: at least a quarter of a second of silence, on
/// a thread that is mostly asleep.
const SETTLED: u32 = 256;

/// A deadline that has always passed.
const AT_ONCE: MonotonicNanos = MonotonicNanos::new(i64::MIN);

/// The rests of all publications, by index.
#[derive(Debug, Default)]
pub(super) struct Rests {
    /// When the next turn of each is due. Never if there is no publication.
    due: Vec<MonotonicNanos>,
    /// The number of publications that are due at once.
    awake: usize,
    /// None of the others is due before this.
    next_due: MonotonicNanos,
    all: Vec<Option<Resting>>,
    next_fresh: usize,
    next: usize,
}

#[derive(Debug)]
struct Resting {
    rest: Rest,
    /// The rest is over. Its data is freed with the next rest, which has time for that.
    is_over: bool,
    /// The number of unsuccessful checks while it was fresh.
    looks: u32,
}

impl Resting {
    #[inline]
    fn is_disturbed(&self) -> bool {
        !self.is_over && !self.rest.is_undisturbed()
    }
}

impl Rests {
    /// Adds an index whose publication does not rest.
    pub(super) fn add_place(&mut self) {
        self.due.push(AT_ONCE);
        self.awake += 1;
        self.all.push(None);
    }

    /// Ends the rest of the publication at this index.
    #[inline]
    pub(super) fn wake(&mut self, place: usize) {
        self.set_due(place, AT_ONCE);
        if let Some(resting) = &mut self.all[place] {
            resting.is_over = true;
        }
    }

    /// Records that there is no publication at this index any more, and releases its log.
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

    /// Begins a rest of the publication at this index.
    pub(super) fn begin(&mut self, place: usize, rest: Rest) {
        self.set_due(place, rest.until());
        self.all[place] = Some(Resting { rest, is_over: false, looks: 0 });
    }

    /// Continues the rest of the publication at this index.
    pub(super) fn go_on(&mut self, place: usize) {
        if let Some(resting) = &self.all[place] {
            self.set_due(place, resting.rest.until());
        }
    }

    /// The rest of the publication at this index, if it rests and no new data was found.
    pub(super) fn rest_mut(&mut self, place: usize) -> Option<&mut Rest> {
        self.all[place].as_mut().filter(|resting| !resting.is_over).map(|resting| &mut resting.rest)
    }

    /// The data of a rest that is over and may be resumed, of the publication at this index. With many publications,
    /// idle ones are not checked in each turn, and one that publishes all the time would have to wait for its check
    /// again and again.
    #[inline]
    pub(super) fn over_mut(&mut self, place: usize) -> Option<&mut Rest> {
        if self.all.len() > PLACES {
            return None;
        }
        self.all[place].as_mut().filter(|resting| resting.is_over).map(|resting| &mut resting.rest)
    }

    /// Resumes the rest of the publication at this index, until the same time.
    #[inline]
    pub(super) fn resume(&mut self, place: usize) {
        if let Some(resting) = &mut self.all[place] {
            (resting.is_over, resting.looks) = (false, 0);
            let until = resting.rest.until();
            self.set_due(place, until);
        }
    }

    /// Whether any publication may need a turn.
    #[inline]
    pub(super) fn is_any_due(&self, now: MonotonicNanos) -> bool {
        self.awake > 0 || now >= self.next_due
    }

    /// Whether the publication at this index needs a turn.
    #[inline]
    pub(super) fn is_due(&self, place: usize, now: MonotonicNanos) -> bool {
        now >= self.due[place]
    }

    /// Computes the next deadline, after all due publications had their turns.
    #[inline]
    pub(super) fn find_next_due(&mut self, now: MonotonicNanos) {
        if now >= self.next_due {
            let others = self.due.iter().copied().filter(|due| *due != AT_ONCE);
            self.next_due = others.min().unwrap_or(MonotonicNanos::NEVER);
        }
    }

    /// Checks those whose turn it is. A rest is over if something was published.
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

/// The next `many` indexes of `count` from `next` on, cyclically. Moves `next` behind them.
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
