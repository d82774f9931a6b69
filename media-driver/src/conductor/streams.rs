//! All publications, or all images, of one kind: oldest first, and found by id without a search. Thousands are added
//! one after the other, and each addition checks which exist already.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};

use gannet::time::MonotonicNanos;
use gannet::types::{RegistrationId, SessionId, StreamId};

use super::rounds::Rounds;

/// The constant properties by which a publication or image is found.
pub(super) trait Named {
    /// Its registration id. Clients share the mapping of a log file by it (trap 26).
    fn registration_id(&self) -> RegistrationId;
    /// Its session id.
    fn session_id(&self) -> SessionId;
    /// Its stream id.
    fn stream_id(&self) -> StreamId;
}

/// All publications or images, oldest first.
#[derive(Debug)]
pub(super) struct Streams<T> {
    all: Vec<T>,
    places: Places,
    rounds: Rounds,
}

/// The index of each one. Several may have the same session id: of several endpoints, or one that drains and its
/// successor.
#[derive(Debug, Default)]
struct Places {
    by_id: HashMap<RegistrationId, usize>,
    by_stream: HashMap<StreamId, Vec<usize>>,
    by_session: HashMap<(StreamId, SessionId), Vec<usize>>,
}

impl Places {
    fn add(&mut self, place: usize, what: &impl Named) {
        self.by_id.insert(what.registration_id(), place);
        self.by_stream.entry(what.stream_id()).or_default().push(place);
        self.by_session.entry((what.stream_id(), what.session_id())).or_default().push(place);
    }
}

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self { all: Vec::new(), places: Places::default(), rounds: Rounds::default() }
    }
}

impl<T: Named> Streams<T> {
    /// Adds one.
    pub(super) fn push(&mut self, what: T) -> &mut T {
        self.places.add(self.all.len(), &what);
        self.all.push(what);
        self.rounds.on_added();
        self.all.last_mut().expect("it was just added")
    }

    /// The number of them.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The one with this registration id.
    pub(super) fn get(&self, registration_id: RegistrationId) -> Option<&T> {
        self.places.by_id.get(&registration_id).map(|&place| &self.all[place])
    }

    /// The one with this registration id, mutable.
    pub(super) fn get_mut(&mut self, registration_id: RegistrationId) -> Option<&mut T> {
        self.places.by_id.get(&registration_id).map(|&place| &mut self.all[place])
    }

    /// The one at this index.
    pub(super) fn at_mut(&mut self, place: usize) -> Option<&mut T> {
        self.all.get_mut(place)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.iter()
    }

    /// All of them, to change them.
    #[inline]
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.all.iter_mut()
    }

    /// Checks those whose turn it is in this duty cycle. `look` returns whether there was work. Returns for how many
    /// there was.
    #[inline]
    pub(super) fn look(&mut self, now: MonotonicNanos, look: impl FnMut(&mut T) -> bool) -> usize {
        self.rounds.look(now, &mut self.all, look)
    }

    /// Those of a stream.
    pub(super) fn of_stream(&self, stream_id: StreamId) -> impl Iterator<Item = &T> {
        self.places.by_stream.get(&stream_id).into_iter().flatten().map(|&place| &self.all[place])
    }

    /// Calls `change` for those of a stream.
    pub(super) fn change_of_stream(&mut self, stream_id: StreamId, mut change: impl FnMut(&mut T)) {
        for &place in self.places.by_stream.get(&stream_id).into_iter().flatten() {
            change(&mut self.all[place]);
        }
    }

    /// Those with a session id.
    pub(super) fn of_session(&self, stream_id: StreamId, session_id: SessionId) -> impl Iterator<Item = &T> {
        self.places.by_session.get(&(stream_id, session_id)).into_iter().flatten().map(|&place| &self.all[place])
    }

    /// Removes those for which `which` returns true. Together, because the others may move.
    pub(super) fn take(&mut self, which: impl FnMut(&mut T) -> bool) -> Vec<T> {
        let taken: Vec<T> = self.all.extract_if(.., which).collect();
        if !taken.is_empty() {
            self.places = Places::default();
            self.all.iter().enumerate().for_each(|(place, what)| self.places.add(place, what));
            self.rounds.on_moved(self.all.len());
        }
        taken
    }
}

impl<T> Index<usize> for Streams<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.all[place]
    }
}

impl<T> IndexMut<usize> for Streams<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        &mut self.all[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Named for (i64, i32, i32) {
        fn registration_id(&self) -> RegistrationId {
            RegistrationId::new(self.0)
        }

        fn session_id(&self) -> SessionId {
            SessionId::new(self.2)
        }

        fn stream_id(&self) -> StreamId {
            StreamId::new(self.1)
        }
    }

    fn ids<'a>(found: impl Iterator<Item = &'a (i64, i32, i32)>) -> Vec<i64> {
        found.map(|what| what.0).collect()
    }

    #[test]
    fn each_is_found_by_what_names_it_also_when_others_are_gone() {
        let mut streams = Streams::default();
        for what in [(9, 1, 7), (3, 1, 8), (5, 2, 7), (4, 1, 7)] {
            assert_eq!(*streams.push(what), what);
        }
        let check = |streams: &Streams<_>, stream: &[i64], session: &[i64]| {
            assert_eq!(ids(streams.of_stream(StreamId::new(1))), stream, "oldest first");
            assert_eq!(ids(streams.of_session(StreamId::new(1), SessionId::new(7))), session);
            for &id in stream {
                assert_eq!(streams.get(RegistrationId::new(id)).map(|what| what.0), Some(id));
            }
        };
        check(&streams, &[9, 3, 4], &[9, 4]);
        assert_eq!(streams.take(|what| what.0 == 77), []);
        assert_eq!(streams.take(|what| what.0 == 9 || what.0 == 5), [(9, 1, 7), (5, 2, 7)]);
        check(&streams, &[3, 4], &[4]);
        assert!(streams.get(RegistrationId::new(9)).is_none() && streams.get_mut(RegistrationId::new(5)).is_none());
        assert_eq!(ids(streams.of_stream(StreamId::new(2))), [] as [i64; 0]);
        let mut changed = Vec::new();
        streams.change_of_stream(StreamId::new(1), |what| changed.push(what.0));
        assert_eq!((changed, streams.len()), (vec![3, 4], 2));
        assert_eq!((streams[1].0, streams.at_mut(2)), (4, None));
    }
}
