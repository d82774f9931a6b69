//! The subscribers of one publication or image: the position of each, and whether it holds the stream back. The
//! conductor's half of the publication or image owns them. Clients store the positions, so each is read once here, and
//! its users bound it first.

use std::collections::HashSet;

use gannet::time::MonotonicNanos;
use gannet::types::RegistrationId;

use super::{Counter, Tether, Turn, UntetheredTimeouts};

/// The id of a link between a subscription and a channel. A subscription can have several links, so its registration id
/// does not identify one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u64);

impl LinkId {
    /// Wraps a number that no other link of this driver has had.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// A subscriber of a publication or image.
#[derive(Debug)]
pub struct Subscriber {
    /// The link of the subscription.
    pub link: LinkId,
    /// The registration id of the subscription.
    pub subscription: RegistrationId,
    /// The counter of its position, which the client stores.
    pub position: Counter,
    /// Its tether state.
    pub tether: Tether,
}

/// A step that is due for a subscriber.
#[derive(Clone, Debug)]
pub struct DueTurn {
    /// The subscriber's index.
    pub index: usize,
    /// The step.
    pub turn: Turn,
    /// The link of its subscription.
    pub link: LinkId,
    /// The counter of its position.
    pub position: Counter,
}

/// The lowest and the highest position of several subscribers, as found and not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The lowest position.
    pub min: i64,
    /// The highest position.
    pub max: i64,
}

/// All subscribers of a publication or image, in the order in which they joined.
#[derive(Debug, Default)]
pub struct Subscribers {
    all: Vec<Subscriber>,
    /// The ids of their links and of their subscriptions, so that joining is fast even with very many subscribers.
    links: HashSet<LinkId>,
    subscriptions: HashSet<RegistrationId>,
}

impl Subscribers {
    /// Adds a subscriber.
    pub fn add(&mut self, subscriber: Subscriber) {
        self.links.insert(subscriber.link);
        self.subscriptions.insert(subscriber.subscription);
        self.all.push(subscriber);
    }

    /// Removes the subscribers with these links, in the order in which they joined.
    pub fn remove(&mut self, links: &HashSet<LinkId>) -> Vec<Subscriber> {
        if self.links.is_disjoint(links) {
            return Vec::new();
        }
        self.links.retain(|link| !links.contains(link));
        let gone: Vec<_> = self.all.extract_if(.., |subscriber| links.contains(&subscriber.link)).collect();
        for subscriber in &gone {
            self.subscriptions.remove(&subscriber.subscription);
        }
        gone
    }

    /// Removes all subscribers, in the order in which they joined.
    pub fn take(&mut self) -> Vec<Subscriber> {
        self.links.clear();
        self.subscriptions.clear();
        std::mem::take(&mut self.all)
    }

    /// Whether the subscription has a subscriber, in any state. A subscription with several links has at most one, because
    /// its client reads each image once.
    pub fn contains(&self, subscription: RegistrationId) -> bool {
        self.subscriptions.contains(&subscription)
    }

    /// All subscribers, in the order in which they joined.
    pub fn iter(&self) -> impl Iterator<Item = &Subscriber> {
        self.all.iter()
    }

    /// The number of subscribers.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The first subscriber from this index on for which a step is due. `within_window` tells whether the position found
    /// is beyond the line behind which a subscriber is too slow. The conductor executes the step, then calls
    /// [`Self::take_turn`].
    pub fn due_turn(
        &mut self,
        from: usize,
        now: MonotonicNanos,
        timeouts: &UntetheredTimeouts,
        within_window: impl Fn(i64) -> bool,
    ) -> Option<DueTurn> {
        self.all.iter_mut().enumerate().skip(from).find_map(|(index, subscriber)| {
            // ORDERING(pos.subscriber): Acquire, as in `working_span`.
            let position = subscriber.position.value.load_acquire();
            let turn = subscriber.tether.due(now, within_window(position), timeouts)?;
            Some(DueTurn { index, turn, link: subscriber.link, position: subscriber.position.clone() })
        })
    }

    /// Records that the step was executed.
    pub fn take_turn(&mut self, index: usize, turn: Turn, now: MonotonicNanos) {
        if let Some(subscriber) = self.all.get_mut(index) {
            subscriber.tether.take(turn, now);
        }
    }

    /// Whether any subscriber counts.
    pub fn any_working(&self) -> bool {
        self.all.iter().any(|subscriber| subscriber.tether.is_working())
    }

    /// Whether all subscribers that still read have reached `end`, if their positions are limited to what `bound` returns.
    /// One that has lost its image will not move any more, so nobody waits for it at the end of a stream.
    pub fn have_read_to(&self, end: i64, bound: impl Fn(i64) -> i64) -> bool {
        let mut reading = self.all.iter().filter(|subscriber| subscriber.tether.has_image());
        // ORDERING(pos.subscriber): Acquire, as in `working_span`.
        reading.all(|subscriber| bound(subscriber.position.value.load_acquire()) >= end)
    }

    /// The positions of the subscribers that count. `None` if none counts.
    #[inline]
    pub fn working_span(&self) -> Option<Span> {
        let mut span: Option<Span> = None;
        for subscriber in self.all.iter().filter(|subscriber| subscriber.tether.is_working()) {
            // ORDERING(pos.subscriber): Acquire. Pairs with the Release store at the end of a poll; the subscriber does
            // not read the range below again, so it may be overwritten.
            let position = subscriber.position.value.load_acquire();
            span = Some(match span {
                None => Span { min: position, max: position },
                Some(Span { min, max }) => Span { min: min.min(position), max: max.max(position) },
            });
        }
        span
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet::memory::CacheLines;
    use gannet::types::CounterId;

    fn subscriber(link: u64, position: i64, tether: Tether) -> Subscriber {
        let word = CacheLines::new(1).word(0, 0);
        word.store_release(position);
        let position = Counter { id: CounterId::new(0), value: word };
        Subscriber { link: LinkId::new(link), subscription: RegistrationId::new(link as i64), position, tether }
    }

    #[test]
    fn the_span_is_that_of_working_subscribers_only() {
        let mut subscribers = Subscribers::default();
        assert_eq!(subscribers.working_span(), None);
        subscribers.add(subscriber(1, 640, Tether::TETHERED));
        subscribers.add(subscriber(2, 320, Tether::TETHERED));
        let mut resting = Tether::untethered(MonotonicNanos::new(0), true);
        resting.take(Turn::Rest, MonotonicNanos::new(0));
        subscribers.add(subscriber(3, 0, resting));
        assert_eq!(subscribers.working_span(), Some(Span { min: 320, max: 640 }));
        let links = HashSet::from([1, 2, 7].map(LinkId::new));
        let removed = subscribers.remove(&links);
        assert_eq!(removed.iter().map(|subscriber| subscriber.link.0).collect::<Vec<_>>(), [1, 2]);
        assert!(subscribers.remove(&links).is_empty() && !subscribers.contains(RegistrationId::new(1)));
        assert_eq!(subscribers.working_span(), None);
        assert!(subscribers.contains(RegistrationId::new(3)) && !subscribers.any_working());
    }

    /// One look finds the next subscriber for which a step is due, and passes over the others.
    #[test]
    fn steps_are_found_one_after_the_other() {
        let mut subscribers = Subscribers::default();
        let begin = MonotonicNanos::new(0);
        for (link, position, tether) in [
            (1, 0, Tether::TETHERED),
            (2, 0, Tether::untethered(begin, true)),
            (3, 640, Tether::untethered(begin, true)),
            (4, 0, Tether::untethered(begin, true)),
        ] {
            subscribers.add(subscriber(link, position, tether));
        }
        let timeouts = UntetheredTimeouts { window_limit_ns: 10, linger_ns: 10, resting_ns: 10 };
        let due = |subscribers: &mut Subscribers, now: i64| {
            let (mut found, mut from, now) = (Vec::new(), 0, MonotonicNanos::new(now));
            while let Some(due) = subscribers.due_turn(from, now, &timeouts, |position| position > 320) {
                subscribers.take_turn(due.index, due.turn, now);
                found.push((due.index, due.turn, due.link.0));
                from = due.index + 1;
            }
            found
        };
        assert_eq!(due(&mut subscribers, 10), []);
        assert_eq!(due(&mut subscribers, 11), [(1, Turn::LoseImage, 2), (3, Turn::LoseImage, 4)]);
        assert_eq!(due(&mut subscribers, 22), [(1, Turn::Rest, 2), (3, Turn::Rest, 4)], "one step each");
    }
}
