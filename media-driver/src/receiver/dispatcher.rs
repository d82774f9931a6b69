//! The sessions and streams in which an endpoint is interested, and the dispatch of a datagram by its first header. The
//! receiver owns one per endpoint. It keeps a state per session; strangers can make up sessions, so their number is
//! bounded.
//!
//! ```text
//!            data                setup                image made
//!   unknown ─────▶ pending setup ─────▶ being made ────────────▶ active ──▶ cool-down, or unknown
//!      │                 │ 1 s                │ refused
//!      └─▶ not wanted    └─▶ unknown          └─▶ unknown
//! ```

use std::collections::{HashMap, HashSet, VecDeque};

use gannet::types::{SessionId, StreamId};

/// The number of sessions that are found without a table lookup.
const RECENT: usize = 256;
/// The maximum number of sessions per endpoint. Further sessions are ignored until others are gone.
pub const MAX_SESSIONS: usize = 8192;

/// The maximum number of them that cool down. Those of subscriptions that do not rejoin never stop on their own; the
/// oldest are forgotten, so that there is always space for new sessions.
const MAX_COOL_DOWNS: usize = MAX_SESSIONS / 2;

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    /// Data was received, and a setup was requested.
    PendingSetup,
    /// The conductor is creating an image of it.
    BeingMade,
    /// It has this image.
    Active(usize),
    /// Its image was removed. The number is that of its entry among the cool-downs.
    CoolDown(u64),
    /// No subscription wants it.
    NotWanted,
}

/// What to do with a datagram of data, padding, or a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataTurn {
    /// Nothing.
    Ignore,
    /// Pass it to this image.
    Image(usize),
    /// Ask its sender for a setup.
    Elicit,
    /// Nothing, because there are too many sessions.
    Full,
}

/// What to do with a setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupTurn {
    /// Nothing.
    Ignore,
    /// Pass it to this image.
    Image(usize),
    /// Request an image.
    Create,
    /// Nothing, because there are too many images or sessions.
    Full,
}

/// The dispatcher of an endpoint.
#[derive(Debug)]
pub struct Dispatcher {
    streams: HashMap<StreamId, Interest>,
    /// The maximum number of images per stream.
    session_limit: usize,
    /// The number of sessions with a state.
    sessions: usize,
    /// Whether some of them may be unwanted sessions.
    has_unwanted: bool,
    /// The sessions that cool down, oldest first, and the number of the next one.
    cooling: VecDeque<(u64, StreamId, SessionId)>,
    next_cool_down: u64,
    /// The images of recent datagrams, indexed by stream and session. The tables resist numbers that strangers choose,
    /// which makes them slower. Cleared when an image is added or removed.
    recent: Box<[Option<Recent>]>,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    stream_id: StreamId,
    session_id: SessionId,
    image: usize,
}

/// The index of a session among the recent ones.
#[inline]
fn recent_place(stream_id: StreamId, session_id: SessionId) -> usize {
    let number = session_id.get().wrapping_add(stream_id.get().wrapping_mul(31)) as u32;
    (number ^ number >> 8) as usize % RECENT
}

#[derive(Debug, Default)]
struct Interest {
    all: bool,
    only: HashSet<SessionId>,
    sessions: HashMap<SessionId, Session>,
    images: usize,
}

impl Interest {
    fn wants(&self, session_id: SessionId) -> bool {
        self.all || self.only.contains(&session_id)
    }
}

impl Dispatcher {
    /// A dispatcher without interests. A stream gets at most `session_limit` images.
    pub fn new(session_limit: usize) -> Self {
        let recent = vec![None; RECENT].into();
        let (cooling, next_cool_down) = (VecDeque::new(), 0);
        Self {
            streams: HashMap::new(),
            session_limit,
            sessions: 0,
            has_unwanted: false,
            cooling,
            next_cool_down,
            recent,
        }
    }

    /// Whether any stream is wanted.
    pub fn has_interest(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Adds an interest in all sessions of a stream. Sessions that were not wanted are considered again (trap 59).
    pub fn add_stream(&mut self, stream_id: StreamId) {
        let interest = self.streams.entry(stream_id).or_default();
        interest.all = true;
        let before = interest.sessions.len();
        interest.sessions.retain(|_, session| *session != Session::NotWanted);
        self.sessions -= before - interest.sessions.len();
    }

    /// Adds an interest in a session of a stream.
    pub fn add_session(&mut self, stream_id: StreamId, session_id: SessionId) {
        let interest = self.streams.entry(stream_id).or_default();
        interest.only.insert(session_id);
        if interest.sessions.get(&session_id) == Some(&Session::NotWanted) {
            interest.sessions.remove(&session_id);
            self.sessions -= 1;
        }
    }

    /// Removes the interest in all sessions of a stream. Interests in single sessions stay.
    pub fn remove_stream(&mut self, stream_id: StreamId) {
        if let Some(interest) = self.streams.get_mut(&stream_id) {
            interest.all = false;
        }
        self.forget_unwanted(stream_id);
    }

    /// Removes the interest in a session.
    pub fn remove_session(&mut self, stream_id: StreamId, session_id: SessionId) {
        if let Some(interest) = self.streams.get_mut(&stream_id) {
            interest.only.remove(&session_id);
        }
        self.forget_unwanted(stream_id);
    }

    /// Dispatches a datagram with this first header. `ends` tells whether it has the end-of-stream flag.
    pub fn on_data(&mut self, stream_id: StreamId, session_id: SessionId, ends: bool) -> DataTurn {
        let recent = recent_place(stream_id, session_id);
        if let Some(found) = &self.recent[recent]
            && (found.stream_id, found.session_id) == (stream_id, session_id)
        {
            return DataTurn::Image(found.image);
        }
        self.make_room();
        let Some(interest) = self.streams.get_mut(&stream_id) else { return DataTurn::Ignore };
        match interest.sessions.get(&session_id) {
            Some(&Session::Active(image)) => {
                self.recent[recent] = Some(Recent { stream_id, session_id, image });
                DataTurn::Image(image)
            }
            Some(_) => DataTurn::Ignore,
            // Trap 10: a stream that ends is not worth an image.
            None if ends => DataTurn::Ignore,
            None if self.sessions >= MAX_SESSIONS => DataTurn::Full,
            None => {
                let wanted = interest.wants(session_id);
                let session = if wanted { Session::PendingSetup } else { Session::NotWanted };
                interest.sessions.insert(session_id, session);
                self.has_unwanted |= !wanted;
                self.sessions += 1;
                if wanted { DataTurn::Elicit } else { DataTurn::Ignore }
            }
        }
    }

    /// Dispatches a setup.
    pub fn on_setup(&mut self, stream_id: StreamId, session_id: SessionId) -> SetupTurn {
        let limit = self.session_limit;
        self.make_room();
        let Some(interest) = self.streams.get_mut(&stream_id) else { return SetupTurn::Ignore };
        let known = interest.sessions.get(&session_id).copied();
        match known {
            Some(Session::Active(image)) => SetupTurn::Image(image),
            None | Some(Session::PendingSetup) => {
                let wanted = interest.wants(session_id);
                if wanted && interest.images >= limit || known.is_none() && self.sessions >= MAX_SESSIONS {
                    return SetupTurn::Full;
                }
                let session = if wanted { Session::BeingMade } else { Session::NotWanted };
                interest.images += usize::from(wanted);
                interest.sessions.insert(session_id, session);
                self.has_unwanted |= !wanted;
                self.sessions += usize::from(known.is_none());
                if wanted { SetupTurn::Create } else { SetupTurn::Ignore }
            }
            Some(Session::BeingMade | Session::CoolDown(_) | Session::NotWanted) => SetupTurn::Ignore,
        }
    }

    /// The image of a session, if there is one.
    pub fn image(&self, stream_id: StreamId, session_id: SessionId) -> Option<usize> {
        match self.streams.get(&stream_id)?.sessions.get(&session_id)? {
            Session::Active(image) => Some(*image),
            _ => None,
        }
    }

    /// Adds the requested image. Returns whether it is still wanted. The request may have been dropped when its stream
    /// was not wanted for a moment.
    pub fn on_image(&mut self, stream_id: StreamId, session_id: SessionId, image: usize) -> bool {
        let limit = self.session_limit;
        let Some(interest) = self.streams.get_mut(&stream_id) else { return false };
        let known = interest.sessions.get(&session_id).copied();
        let is_wanted = match known {
            Some(Session::BeingMade) => true,
            None | Some(Session::PendingSetup) => interest.wants(session_id) && interest.images < limit,
            Some(Session::Active(_) | Session::CoolDown(_) | Session::NotWanted) => false,
        };
        if is_wanted {
            interest.images += usize::from(known != Some(Session::BeingMade));
            self.sessions += usize::from(known.is_none());
            interest.sessions.insert(session_id, Session::Active(image));
        }
        is_wanted
    }

    /// Drops the request for an image that was refused. The next datagram requests it again.
    pub fn on_refused(&mut self, stream_id: StreamId, session_id: SessionId) {
        self.leave(stream_id, session_id, |session| session == Session::BeingMade, None);
    }

    /// Removes an image. If its stream had not ended, datagrams in flight must not create it again.
    pub fn on_image_removed(&mut self, stream_id: StreamId, session_id: SessionId, image: usize, had_ended: bool) {
        let number = self.next_cool_down;
        let next = (!had_ended).then_some(Session::CoolDown(number));
        if !self.leave(stream_id, session_id, |session| session == Session::Active(image), next) || had_ended {
            return;
        }
        self.next_cool_down += 1;
        self.cooling.push_back((number, stream_id, session_id));
        if self.cooling.len() > MAX_COOL_DOWNS
            && let Some((oldest, stream_id, session_id)) = self.cooling.pop_front()
        {
            self.leave(stream_id, session_id, |session| session == Session::CoolDown(oldest), None);
        }
    }

    /// Allows a session whose image was removed to return.
    pub fn end_cool_down(&mut self, stream_id: StreamId, session_id: SessionId) {
        // Usually it is the last one, which was just added.
        let is_it = |(_, stream, session): &(u64, StreamId, SessionId)| (*stream, *session) == (stream_id, session_id);
        if let Some(index) = self.cooling.iter().rposition(is_it) {
            self.cooling.remove(index);
        }
        self.leave(stream_id, session_id, |session| matches!(session, Session::CoolDown(_)), None);
    }

    /// Drops the request for a setup that did not arrive. The next datagram requests it again.
    pub fn end_pending_setup(&mut self, stream_id: StreamId, session_id: SessionId) {
        self.leave(stream_id, session_id, |session| session == Session::PendingSetup, None);
    }

    /// Drops unwanted sessions to make space for others. If they return, they are considered again.
    fn make_room(&mut self) {
        // Only if there may be any, so that a flood of other sessions does not make each datagram costly.
        if self.sessions < MAX_SESSIONS || !std::mem::take(&mut self.has_unwanted) {
            return;
        }
        for interest in self.streams.values_mut() {
            let before = interest.sessions.len();
            interest.sessions.retain(|_, session| *session != Session::NotWanted);
            self.sessions -= before - interest.sessions.len();
        }
    }

    /// Moves a session that is in a certain state to the next one, or to none. Returns whether it was there.
    fn leave(
        &mut self,
        stream_id: StreamId,
        session_id: SessionId,
        is_there: impl Fn(Session) -> bool,
        next: Option<Session>,
    ) -> bool {
        self.recent.fill(None);
        let Some(interest) = self.streams.get_mut(&stream_id) else { return false };
        let Some(found) = interest.sessions.get(&session_id).copied().filter(|&session| is_there(session)) else {
            return false;
        };
        if matches!(found, Session::BeingMade | Session::Active(_)) {
            interest.images -= 1;
        }
        match next {
            Some(next) => {
                interest.sessions.insert(session_id, next);
            }
            None => {
                interest.sessions.remove(&session_id);
                self.sessions -= 1;
            }
        }
        true
    }

    fn forget_unwanted(&mut self, stream_id: StreamId) {
        self.recent.fill(None);
        let Some(interest) = self.streams.get_mut(&stream_id) else { return };
        let Interest { all, only, sessions, images } = interest;
        let before = sessions.len();
        if !*all {
            sessions.retain(|session_id, session| {
                let stays = only.contains(session_id);
                if !stays && matches!(session, Session::BeingMade | Session::Active(_)) {
                    *images -= 1;
                }
                stays
            });
        }
        self.sessions -= before - sessions.len();
        if !*all && only.is_empty() {
            self.streams.remove(&stream_id);
        }
        let Self { streams, cooling, .. } = self;
        cooling.retain(|(number, stream_id, session_id)| {
            let session = streams.get(stream_id).and_then(|interest| interest.sessions.get(session_id));
            session == Some(&Session::CoolDown(*number))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: StreamId = StreamId::new(1001);

    fn session(id: i32) -> SessionId {
        SessionId::new(id)
    }

    fn active(dispatcher: &mut Dispatcher, id: i32, image: usize) {
        assert_eq!(dispatcher.on_setup(STREAM, session(id)), SetupTurn::Create);
        assert!(dispatcher.on_image(STREAM, session(id), image));
    }

    #[test]
    fn data_elicits_a_setup_and_a_setup_an_image() {
        let mut dispatcher = Dispatcher::new(usize::MAX);
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Ignore, "nobody is interested");
        dispatcher.add_stream(STREAM);
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Elicit);
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Ignore, "trap 60: once");
        dispatcher.end_pending_setup(STREAM, session(1));
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Elicit);
        active(&mut dispatcher, 1, 5);
        assert_eq!(dispatcher.on_data(STREAM, session(1), true), DataTurn::Image(5));
        assert_eq!(dispatcher.on_setup(STREAM, session(1)), SetupTurn::Image(5));
    }

    /// Trap 10: what is marked as its stream's end elicits nothing from a session that is not known.
    #[test]
    fn wire_trap_10_an_ended_stream_is_not_elicited() {
        let mut dispatcher = Dispatcher::new(usize::MAX);
        dispatcher.add_stream(STREAM);
        assert_eq!(dispatcher.on_data(STREAM, session(1), true), DataTurn::Ignore);
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Elicit);
    }

    /// Trap 56: an image that vanished is not brought back by what is still under way, one that ended may come again.
    #[test]
    fn wire_trap_56_a_vanished_session_cools_down() {
        let mut dispatcher = Dispatcher::new(usize::MAX);
        dispatcher.add_stream(STREAM);
        active(&mut dispatcher, 1, 0);
        dispatcher.on_image_removed(STREAM, session(1), 7, false);
        assert_eq!(dispatcher.image(STREAM, session(1)), Some(0), "it was another image");
        dispatcher.on_image_removed(STREAM, session(1), 0, false);
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Ignore);
        assert_eq!(dispatcher.on_setup(STREAM, session(1)), SetupTurn::Ignore);
        dispatcher.end_cool_down(STREAM, session(1));
        active(&mut dispatcher, 1, 3);
        dispatcher.on_image_removed(STREAM, session(1), 3, true);
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Elicit);
    }

    /// Trap 59: a session that nobody wanted is looked at again when somebody does.
    #[test]
    fn wire_trap_59_refused_sessions_are_looked_at_again() {
        let mut dispatcher = Dispatcher::new(usize::MAX);
        dispatcher.add_session(STREAM, session(1));
        assert_eq!(dispatcher.on_setup(STREAM, session(2)), SetupTurn::Ignore);
        assert_eq!(dispatcher.on_data(STREAM, session(3), false), DataTurn::Ignore);
        dispatcher.add_session(STREAM, session(2));
        assert_eq!(dispatcher.on_setup(STREAM, session(2)), SetupTurn::Create);
        dispatcher.add_stream(STREAM);
        assert_eq!(dispatcher.on_data(STREAM, session(3), false), DataTurn::Elicit);
    }

    #[test]
    fn what_is_not_wanted_any_more_is_forgotten() {
        let mut dispatcher = Dispatcher::new(usize::MAX);
        dispatcher.add_stream(STREAM);
        dispatcher.add_session(STREAM, session(1));
        active(&mut dispatcher, 1, 0);
        active(&mut dispatcher, 2, 1);
        dispatcher.remove_stream(STREAM);
        assert_eq!(dispatcher.image(STREAM, session(1)), Some(0));
        assert_eq!(dispatcher.image(STREAM, session(2)), None);
        dispatcher.remove_session(STREAM, session(1));
        assert!(!dispatcher.has_interest() && dispatcher.sessions == 0);
        assert!(!dispatcher.on_image(STREAM, session(1), 9), "nobody waits for it");
    }

    /// An image that is made while its stream is not wanted for a moment is fed when it is there.
    #[test]
    fn what_is_wanted_again_gets_the_image_that_was_being_made() {
        let mut dispatcher = Dispatcher::new(1);
        dispatcher.add_stream(STREAM);
        assert_eq!(dispatcher.on_setup(STREAM, session(1)), SetupTurn::Create);
        dispatcher.remove_stream(STREAM);
        dispatcher.add_stream(STREAM);
        assert!(dispatcher.on_image(STREAM, session(1), 5));
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Image(5));
        assert!(!dispatcher.on_image(STREAM, session(2), 6), "as many as there may be");
        assert!(!dispatcher.on_image(STREAM, session(1), 7), "it has one");
        dispatcher.on_image_removed(STREAM, session(1), 5, true);
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Elicit);
        assert!(dispatcher.on_image(STREAM, session(1), 8), "its setup had come before");
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Image(8));
    }

    #[test]
    fn images_and_sessions_are_bounded() {
        let mut dispatcher = Dispatcher::new(2);
        dispatcher.add_stream(STREAM);
        active(&mut dispatcher, 1, 0);
        assert_eq!(dispatcher.on_setup(STREAM, session(2)), SetupTurn::Create);
        assert_eq!(dispatcher.on_setup(STREAM, session(3)), SetupTurn::Full);
        dispatcher.on_refused(STREAM, session(2));
        assert_eq!(dispatcher.on_setup(STREAM, session(3)), SetupTurn::Create);
        let mut flooded = 0;
        for id in 10..20_000 {
            if dispatcher.on_data(STREAM, session(id), false) == DataTurn::Full {
                flooded += 1;
            }
        }
        assert_eq!(dispatcher.sessions, MAX_SESSIONS);
        assert_eq!(flooded, 19_990 - (MAX_SESSIONS - 2));
        // Those that nobody wants make room for those that somebody does.
        let mut dispatcher = Dispatcher::new(2);
        dispatcher.add_session(STREAM, session(1));
        for id in 10..20_000 {
            assert_eq!(dispatcher.on_data(STREAM, session(id), false), DataTurn::Ignore);
        }
        assert!(dispatcher.sessions <= MAX_SESSIONS);
        assert_eq!(dispatcher.on_data(STREAM, session(1), false), DataTurn::Elicit);
    }

    /// A subscription that does not rejoin still gets new sessions after thousands have vanished. Only the oldest of these
    /// may return.
    #[test]
    fn vanished_sessions_do_not_use_up_the_table() {
        let mut dispatcher = Dispatcher::new(usize::MAX);
        dispatcher.add_stream(STREAM);
        let vanished = 2 * MAX_SESSIONS as i32;
        for id in 0..vanished {
            active(&mut dispatcher, id, 0);
            dispatcher.on_image_removed(STREAM, session(id), 0, false);
        }
        assert_eq!(dispatcher.sessions, MAX_COOL_DOWNS);
        let oldest_kept = vanished - MAX_COOL_DOWNS as i32;
        for id in [oldest_kept, vanished - 1] {
            assert_eq!(dispatcher.on_setup(STREAM, session(id)), SetupTurn::Ignore);
        }
        assert_eq!(dispatcher.on_setup(STREAM, session(oldest_kept - 1)), SetupTurn::Create);
        dispatcher.end_cool_down(STREAM, session(oldest_kept));
        active(&mut dispatcher, oldest_kept, 0);
        dispatcher.on_image_removed(STREAM, session(oldest_kept), 0, false);
        assert_eq!(dispatcher.on_setup(STREAM, session(oldest_kept + 1)), SetupTurn::Ignore, "there was space");
        dispatcher.remove_stream(STREAM);
        assert!(dispatcher.cooling.is_empty());
    }

    proptest! {
        /// Whatever comes, the number of sessions and images is what is there.
        #[test]
        fn counts_are_kept(steps in prop::collection::vec((0..10_u8, 0..2_i32, 0..4_i32, 0..4_usize), 1..300)) {
            let mut dispatcher = Dispatcher::new(3);
            for (step, stream, id, image) in steps {
                let (stream, id) = (StreamId::new(stream), session(id));
                match step {
                    0 => dispatcher.add_stream(stream),
                    1 => dispatcher.add_session(stream, id),
                    2 => dispatcher.remove_stream(stream),
                    3 => dispatcher.remove_session(stream, id),
                    4 => { dispatcher.on_data(stream, id, image == 0); }
                    5 => { dispatcher.on_setup(stream, id); }
                    6 => { dispatcher.on_image(stream, id, image); }
                    7 => dispatcher.on_refused(stream, id),
                    8 => dispatcher.end_cool_down(stream, id),
                    _ => dispatcher.on_image_removed(stream, id, image, image % 2 == 0),
                }
                let sessions: usize = dispatcher.streams.values().map(|interest| interest.sessions.len()).sum();
                prop_assert_eq!(dispatcher.sessions, sessions);
                let all = dispatcher.streams.values().flat_map(|interest| interest.sessions.values());
                let cooling = all.filter(|session| matches!(session, Session::CoolDown(_))).count();
                prop_assert_eq!(dispatcher.cooling.len(), cooling);
                for interest in dispatcher.streams.values() {
                    let is_image = |found: &&Session| matches!(found, Session::BeingMade | Session::Active(_));
                    let images = interest.sessions.values().filter(is_image).count();
                    prop_assert_eq!(interest.images, images);
                    prop_assert!(images <= 3);
                }
            }
        }
    }
}
