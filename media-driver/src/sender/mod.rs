//! The sender: network publications, and the status messages and NAKs of their receivers. It is a value: time,
//! commands, datagrams and completions are passed in, and transmits are handed out. It must never wait, and never trust
//! the datagrams.
//!
//! In one turn, the runner calls [`Sender::on_command`] and [`Sender::on_completion`] for each command and completion
//! that has arrived, [`Sender::on_datagram`] for each datagram, [`Sender::poll_transmit`] once, then
//! [`Sender::next_event`] until there is none.

pub mod destinations;
pub mod flow_control;
mod holder;
pub mod network_publication;
mod rests;
pub mod retransmit;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;

use gannet::channel_uri::TimestampOffset;
use gannet::counters::SystemCounter;
use gannet::logbuffer::LogBuffers;
use gannet::memory::OwnedWord;
use gannet::protocol::{DATA_HEADER_LENGTH, DataHeader, Frame};
use gannet::time::MonotonicNanos;
use gannet::types::{Position, RegistrationId, SessionId, StreamId};

use self::destinations::Destinations;
use self::holder::HolderWatch;
use self::network_publication::{NetworkPublication, Outgoing, Outlet};
use self::rests::Rests;
use crate::mailbox::{
    Completion, Content, EndpointId, InlineFrame, Outcome, SenderCommand, SenderEvent, Transmit, TransmitBatch,
    TransmitTag,
};
use crate::shared::{IdMap, NetworkCounters, Seldom};

/// How many events wait for the conductor. More rejections than that at once are not reported.
const MAX_EVENTS: usize = 256;
/// For how long after a NAK another one is likely, in nanoseconds.
const MENDING_NS: i64 = 1_000_000;
/// How often the conductor is told of more receivers than are sent to, in nanoseconds.
const CROWD_INTERVAL_NS: i64 = 1_000_000_000;
/// Where the reserved value is in a frame's header, in bytes.
const RESERVED_VALUE: usize = 24;

/// The sender.
#[derive(Debug)]
pub struct Sender {
    counters: NetworkCounters,
    /// Whether any endpoint ever asked for times in its frames, and what time it is, in nanoseconds since 1970.
    stamps: bool,
    time_ns: i64,
    endpoints: IdMap<EndpointId, Endpoint>,
    /// Whether any of them has destinations that go when they are silent, or shows how many it has.
    tends_destinations: bool,
    /// Publications keep their places for as long as they live.
    publications: Vec<Option<Entry>>,
    /// What is looked at of each while it has nothing to do.
    rests: Rests,
    /// Whether receivers have said something that changes what is sent.
    is_stirred: bool,
    /// Until when another NAK is likely.
    mending_until: MonotonicNanos,
    /// Their places by what a receiver's frame names.
    places: HashMap<(EndpointId, StreamId, SessionId), usize>,
    /// Which publication has its turn first.
    first: usize,
    /// The first one that found no room in this turn.
    without_room: Option<usize>,
    /// Whether a publication had something in its last turn that its receivers do not take yet.
    waits_for_receivers: bool,
    events: VecDeque<SenderEvent>,
}

#[derive(Debug)]
struct Endpoint {
    id: EndpointId,
    destinations: Destinations,
    /// Where it is shown how many they are, and how many that were.
    shown: Option<(OwnedWord<i64>, usize)>,
    /// Where the time is written.
    stamp: Option<TimestampOffset>,
    /// When it was told last that more receivers register than are sent to.
    crowd_told: Seldom,
}

impl Endpoint {
    /// Whether there is something to look after in each turn.
    fn is_tended(&self) -> bool {
        self.destinations.expires() || self.shown.is_some()
    }

    /// Shows how many destinations there are, if they have become more or fewer.
    fn show(&mut self) {
        let count = self.destinations.count();
        if let Some((word, shown)) = &mut self.shown
            && *shown != count
        {
            *shown = count;
            word.store_release(count as i64);
        }
    }
}

#[derive(Debug)]
struct Entry {
    endpoint: EndpointId,
    publication: NetworkPublication,
    /// Where an answer goes: nowhere until somebody asks it to present itself.
    own: Option<Destinations>,
    /// Whether the conductor knows that an answer has its receivers.
    told_connected: bool,
    /// Which receiver keeps it from being sent.
    holder: HolderWatch,
}

impl Sender {
    /// A sender without publications.
    pub fn new(counters: NetworkCounters) -> Self {
        Self {
            counters,
            stamps: false,
            time_ns: 0,
            endpoints: IdMap::default(),
            tends_destinations: false,
            publications: Vec::new(),
            rests: Rests::default(),
            is_stirred: false,
            mending_until: MonotonicNanos::new(i64::MIN),
            places: HashMap::new(),
            first: 0,
            without_room: None,
            waits_for_receivers: false,
            events: VecDeque::with_capacity(MAX_EVENTS),
        }
    }

    /// The conductor has said something.
    pub fn on_command(&mut self, now: MonotonicNanos, command: SenderCommand) {
        match command {
            SenderCommand::AddEndpoint(id, rules) => {
                let destinations = Destinations::new(now, rules);
                self.tends_destinations |= destinations.expires();
                let crowd_told = Seldom::every(CROWD_INTERVAL_NS);
                self.endpoints.insert(id, Endpoint { id, destinations, shown: None, stamp: None, crowd_told });
            }
            SenderCommand::Stamp(id, offset) => {
                if let Some(endpoint) = self.endpoint_mut(id) {
                    endpoint.stamp = Some(offset);
                    self.stamps = true;
                }
            }
            SenderCommand::ShowDestinations(id, word) => {
                if let Some(endpoint) = self.endpoint_mut(id) {
                    endpoint.shown = Some((word, 0));
                    self.tends_destinations = true;
                }
            }
            SenderCommand::RemoveEndpoint(id) => {
                self.endpoints.remove(&id);
                self.tends_destinations = self.endpoints.values().any(Endpoint::is_tended);
            }
            SenderCommand::AddPublication(endpoint, made_of) => {
                let own = made_of.answers.then(Destinations::manual);
                let holder = HolderWatch::new(made_of.flow_control, made_of.connection_timeout_ns);
                let publication = NetworkPublication::new(*made_of, now);
                let key = (endpoint, publication.stream_id(), publication.session_id());
                let entry = Some(Entry { endpoint, publication, own, told_connected: false, holder });
                let place = self.publications.iter().position(Option::is_none).unwrap_or(self.publications.len());
                match self.publications.get_mut(place) {
                    Some(free) => {
                        *free = entry;
                        self.rests.wake(place);
                    }
                    None => {
                        self.publications.push(entry);
                        self.rests.add_place();
                    }
                }
                self.places.insert(key, place);
            }
            SenderCommand::EndPublication { registration_id, position, revoked } => {
                if let Some(place) = self.place_of(registration_id)
                    && let Some(entry) = &mut self.publications[place]
                {
                    self.rests.wake(place);
                    entry.publication.end_at(position, revoked);
                }
            }
            SenderCommand::RemovePublication(registration_id) => {
                let gone = self.place_of(registration_id).and_then(|place| {
                    self.rests.leave(place);
                    self.publications[place].take()
                });
                if let Some(Entry { endpoint, publication, .. }) = gone {
                    self.places.remove(&(endpoint, publication.stream_id(), publication.session_id()));
                }
                self.tell(SenderEvent::PublicationRemoved(registration_id));
            }
            SenderCommand::AddDestination(id, registration_id, address) => {
                if let Some(endpoint) = self.endpoint_mut(id) {
                    endpoint.destinations.add(now, registration_id, address);
                }
            }
            SenderCommand::MoveDestination(place, address) => {
                if let Some(endpoint) = self.endpoint_mut(place.endpoint()) {
                    endpoint.destinations.move_to(now, place, address);
                }
            }
            SenderCommand::TellIfSilent(place) => {
                let endpoint = self.endpoint_mut(place.endpoint());
                if endpoint.is_some_and(|endpoint| endpoint.destinations.is_silent(now, place)) {
                    self.tell(SenderEvent::Silent(place));
                }
            }
            SenderCommand::RemoveDestination(id, registration_id) => {
                if let Some(endpoint) = self.endpoint_mut(id) {
                    endpoint.destinations.remove(registration_id);
                }
            }
        }
    }

    /// A transport has answered for something.
    pub fn on_completion(&mut self, done: Completion) {
        if !done.is_sent() {
            self.counters.count(SystemCounter::ShortSends);
        }
        let TransmitTag::Data { slot, registration_id, position } = done.tag else { return };
        if let Some(Some(entry)) = self.publications.get_mut(slot as usize)
            && entry.publication.registration_id() == registration_id
        {
            // Of several destinations the others do not wait for one that nothing is sent to, nor get everything again: it is lost to that
            // one, which asks for it.
            let is_lost_to_one = done.outcome == Outcome::Refused
                && entry.own.is_none()
                && self.endpoints.get(&entry.endpoint).is_some_and(|found| found.destinations.may_be_several());
            let outcome = if is_lost_to_one { Outcome::Sent } else { done.outcome };
            entry.publication.on_completion(position, outcome);
            let rest = self.rests.over_mut(slot as usize).filter(|_| !entry.holder.is_held());
            if rest.is_some_and(|rest| entry.publication.goes_on_resting(rest)) {
                self.rests.resume(slot as usize);
            } else {
                self.rests.wake(slot as usize);
            }
        }
    }

    /// A datagram has come to an endpoint's control address. Anything may be in it.
    pub fn on_datagram(&mut self, now: MonotonicNanos, endpoint: EndpointId, from: SocketAddr, datagram: &[u8]) {
        let Ok(frame) = Frame::parse(datagram) else {
            self.counters.count(SystemCounter::InvalidPackets);
            return;
        };
        let (stream_id, session_id) = match &frame {
            Frame::StatusMessage(message) => (message.stream_id, message.session_id),
            Frame::Nak(nak) => (nak.stream_id, nak.session_id),
            Frame::RttMeasurement(question) => (question.stream_id, question.session_id),
            Frame::Error(error) => (error.stream_id, error.session_id),
            Frame::ResponseSetup(setup) => (setup.stream_id, setup.session_id),
            // What no receiver sends to a sender is none of its business, and no fault.
            _ => return,
        };
        if let Frame::StatusMessage(message) = &frame
            && let Some(found) = self.endpoints.get_mut(&endpoint)
            // Trap 23: also when it is about no stream at all.
            && !found.destinations.on_status_message(now, from, message.receiver_id)
        {
            self.on_crowd(now, endpoint);
        }
        let Some(&place) = self.places.get(&(endpoint, stream_id, session_id)) else { return };
        let Some(Some(Entry { publication, own, told_connected, holder, .. })) = self.publications.get_mut(place)
        else {
            return;
        };
        if !matches!(frame, Frame::StatusMessage(_)) {
            self.rests.wake(place);
        }
        match frame {
            Frame::StatusMessage(message) => {
                if message.asks_for_setup
                    && let Some(own) = own
                {
                    // Whoever asks last gets the answer.
                    *own = Destinations::fixed(now, from);
                }
                let (limit, had_receivers) = (publication.limit(), publication.has_receivers());
                publication.on_status_message(now, &message, &self.counters);
                holder.on_status_message(now, from, &message, publication);
                // One that says what others have said asks for nothing.
                if message.asks_for_setup || publication.limit() != limit || !had_receivers {
                    self.is_stirred = true;
                    self.rests.wake(place);
                }
                // With no room to say so, the next status message says it.
                if own.is_some() && !*told_connected && publication.has_receivers() && self.events.len() < MAX_EVENTS {
                    *told_connected = true;
                    self.events.push_back(SenderEvent::ResponseConnected(publication.registration_id()));
                }
            }
            Frame::ResponseSetup(setup) if publication.asks_for_response() => {
                let registration_id = publication.registration_id();
                self.tell(SenderEvent::ResponseSetup(registration_id, setup.response_session_id));
            }
            Frame::Nak(nak) => {
                self.is_stirred = true;
                self.mending_until = now.saturating_add_ns(MENDING_NS);
                publication.on_nak(now, &nak, &self.counters);
            }
            Frame::RttMeasurement(question) => {
                self.is_stirred = true;
                publication.on_rtt_measurement(&question);
            }
            Frame::Error(error) => {
                holder.forget(error.receiver_id);
                let is_news = publication.on_error(&error, &self.counters).is_some();
                let registration_id = publication.registration_id();
                if is_news {
                    let destinations = self.endpoints.get(&endpoint).map(|found| &found.destinations);
                    // What answers goes to whoever asks, and to no destination.
                    let destination = destinations
                        .filter(|_| own.is_none())
                        .and_then(|destinations| destinations.added_for(from, error.receiver_id));
                    self.tell(SenderEvent::Rejected {
                        registration_id,
                        destination,
                        source: from,
                        receiver_id: error.receiver_id,
                        group_tag: error.group_tag,
                        error_code: error.error_code,
                        text: error.text.into(),
                    });
                }
            }
            _ => {}
        }
    }

    /// Whether it is to be told the time before [`Sender::poll_transmit`].
    pub fn wants_time(&self) -> bool {
        self.stamps
    }

    /// What time it is, in nanoseconds since 1970.
    pub fn set_time(&mut self, time_ns: i64) {
        self.time_ns = time_ns;
    }

    /// Hands out what is to be sent now; returns how much it did, without what is sent because time goes by. Each publication that may have
    /// something to do has its turn, another one first each time.
    #[inline]
    pub fn poll_transmit(&mut self, now: MonotonicNanos, out: &mut TransmitBatch) -> usize {
        if self.tends_destinations {
            self.tend_destinations(now);
        }
        self.rests.look();
        if self.rests.is_any_due(now) { self.poll_due(now, out) } else { 0 }
    }

    fn tend_destinations(&mut self, now: MonotonicNanos) {
        for endpoint in self.endpoints.values_mut() {
            endpoint.destinations.expire(now);
            endpoint.show();
        }
    }

    fn poll_due(&mut self, now: MonotonicNanos, out: &mut TransmitBatch) -> usize {
        let count = self.publications.len();
        let next = if self.first + 1 < count { self.first + 1 } else { 0 };
        self.first = self.without_room.take().filter(|place| *place < count).unwrap_or(next);
        self.waits_for_receivers = false;
        let first = self.first;
        let work = self.poll_due_among(first..count, now, out) + self.poll_due_among(0..first, now, out);
        self.rests.find_next_due(now);
        out.take_up_what_is_aside();
        work
    }

    #[inline]
    fn poll_due_among(&mut self, slots: Range<usize>, now: MonotonicNanos, out: &mut TransmitBatch) -> usize {
        let mut work = 0;
        for slot in slots {
            if self.rests.is_due(slot, now) {
                work += self.poll_publication(slot, now, out);
            }
        }
        work
    }

    /// The turn of the publication in this place, if there is one.
    fn poll_publication(&mut self, slot: usize, now: MonotonicNanos, out: &mut TransmitBatch) -> usize {
        let is_alone = self.publications.len() == 1;
        let Some(Some(Entry { endpoint, publication, own, holder, .. })) = self.publications.get_mut(slot) else {
            return 0;
        };
        let Some(endpoint) = self.endpoints.get_mut(endpoint) else { return 0 };
        let stamp = endpoint.stamp.map(|offset| (offset, self.time_ns));
        let (endpoint, destinations) = (endpoint.id, own.as_mut().unwrap_or(&mut endpoint.destinations));
        let registration_id = publication.registration_id();
        // With several destinations the last one of the stream is several datagrams.
        let waiting = out.len();
        let is_one_of_many = !is_alone && destinations.len() == 1;
        let mut outlet = BatchOutlet {
            out: &mut *out,
            counters: &self.counters,
            stamp,
            endpoint,
            destinations,
            slot: slot as u32,
            registration_id,
        };
        let goes_on = match self.rests.rest_mut(slot) {
            Some(rest) => publication.poll_resting(now, rest, &self.counters, &mut outlet),
            None => false,
        };
        let mut done = 0;
        if goes_on {
            self.rests.go_on(slot);
        } else {
            done = publication.poll(now, &self.counters, &mut outlet);
            match if done == 0 { publication.rest() } else { None } {
                Some(rest) => self.rests.begin(slot, rest),
                None => self.rests.wake(slot),
            }
        }
        if done == 0 && !outlet.has_room() {
            self.without_room.get_or_insert(slot);
        }
        if is_one_of_many {
            out.set_last_aside(waiting);
        }
        self.waits_for_receivers |= publication.is_limited();
        // With no room to say who it is, it is said later.
        if self.events.len() < MAX_EVENTS
            && let Some(holder) = holder.look(now, publication.is_limited(), done > 0)
        {
            self.events.push_back(SenderEvent::Held(registration_id, holder));
        }
        done
    }

    /// Whether receivers have said something that changes what is sent, since this was last asked. Most status messages do not: of a
    /// thousand streams that carry nothing there are thousands per second.
    pub fn take_stirred(&mut self) -> bool {
        std::mem::take(&mut self.is_stirred)
    }

    /// Whether receivers have missed something lately. On such a line each turn should look for what they say: until they are given what
    /// they miss, all that is sent waits for it.
    pub fn is_mending(&self, now: MonotonicNanos) -> bool {
        now < self.mending_until
    }

    /// Whether something waits to be sent until receivers take more.
    pub fn waits_for_receivers(&self) -> bool {
        self.waits_for_receivers
    }

    /// Whether the conductor is to be told something.
    #[inline]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// What the conductor is to be told.
    pub fn next_event(&mut self) -> Option<SenderEvent> {
        self.events.pop_front()
    }

    /// When it has something to do even if nothing comes and nothing is published.
    pub fn next_deadline(&self) -> MonotonicNanos {
        let publications = self.publications.iter().flatten();
        publications.map(|entry| entry.publication.next_deadline()).min().unwrap_or(MonotonicNanos::NEVER)
    }

    /// The publications, for whoever watches over them from outside.
    pub fn publications(&self) -> impl Iterator<Item = &NetworkPublication> {
        self.publications.iter().flatten().map(|entry| &entry.publication)
    }

    fn place_of(&self, registration_id: RegistrationId) -> Option<usize> {
        let is_it = |entry: &Entry| entry.publication.registration_id() == registration_id;
        self.publications.iter().position(|entry| entry.as_ref().is_some_and(is_it))
    }

    /// More receivers register with an endpoint than are sent to: that is counted, and now and then somebody is told.
    #[cold]
    fn on_crowd(&mut self, now: MonotonicNanos, id: EndpointId) {
        self.counters.count(SystemCounter::StatusMessagesRejected);
        let Some(endpoint) = self.endpoints.get_mut(&id) else { return };
        if self.events.len() < MAX_EVENTS && endpoint.crowd_told.may_tell(now) {
            self.events.push_back(SenderEvent::TooManyReceivers(id));
        }
    }

    fn endpoint_mut(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(&id)
    }

    fn tell(&mut self, event: SenderEvent) {
        // That a publication is gone must be told; rejections beyond the bound need not be.
        if self.events.len() < MAX_EVENTS || matches!(event, SenderEvent::PublicationRemoved(_)) {
            self.events.push_back(event);
        }
    }
}

/// Writes the time into the first frame of a datagram that is about to be sent, if it is a message with room for it: as in the reference,
/// into the log itself.
fn stamp(log: &LogBuffers, position: Position, datagram: usize, offset: TimestampOffset, time_ns: i64) {
    let term_length = log.term_length();
    let term = log.term(term_length.term_count(position) as u32 as usize % 3);
    let begin = term_length.offset(position) as usize;
    let mut bytes = [0; DATA_HEADER_LENGTH];
    term.get_bytes(begin, &mut bytes);
    let Ok(header) = DataHeader::parse(&bytes) else { return };
    let Ok(length) = usize::try_from(header.frame_length) else { return };
    if header.is_padding || length > datagram {
        return;
    }
    let place = match offset {
        TimestampOffset::Reserved => RESERVED_VALUE,
        TimestampOffset::Payload(offset) => match usize::try_from(offset) {
            Ok(offset) => DATA_HEADER_LENGTH.saturating_add(offset),
            Err(_) => return,
        },
    };
    if place.saturating_add(size_of::<i64>()) <= length {
        term.put_bytes(begin + place, &time_ns.to_le_bytes());
    }
}

/// What a publication hands out, on its way to all destinations of its endpoint.
struct BatchOutlet<'a> {
    out: &'a mut TransmitBatch,
    counters: &'a NetworkCounters,
    /// Where the time is written, and what it is.
    stamp: Option<(TimestampOffset, i64)>,
    endpoint: EndpointId,
    destinations: &'a mut Destinations,
    slot: u32,
    registration_id: RegistrationId,
}

impl Outlet for BatchOutlet<'_> {
    fn destinations(&self) -> usize {
        self.destinations.len()
    }

    fn has_room(&self) -> bool {
        self.out.room() >= self.destinations.len()
    }

    #[inline]
    fn put(&mut self, log: &LogBuffers, what: Outgoing) {
        let (slot, registration_id) = (self.slot, self.registration_id);
        match what {
            Outgoing::Data(position, length) => {
                let tag = TransmitTag::Data { slot, registration_id, position: position.get() };
                self.put_range(log, position, length, tag);
            }
            Outgoing::Resend(position, length) => self.put_range(log, position, length, TransmitTag::Control),
            Outgoing::Setup(setup) => self.put_frame(InlineFrame::new(|bytes| setup.write(bytes))),
            Outgoing::Heartbeat(heartbeat) => self.put_frame(InlineFrame::new(|bytes| heartbeat.write(bytes))),
            Outgoing::Rtt(answer) => self.put_frame(InlineFrame::new(|bytes| answer.write(bytes))),
        }
    }
}

impl BatchOutlet<'_> {
    fn put_range(&mut self, log: &LogBuffers, position: Position, length: usize, tag: TransmitTag) {
        self.counters.add(SystemCounter::BytesSent, (length * self.destinations.len()) as i64);
        if let Some((offset, time_ns)) = self.stamp {
            stamp(log, position, length, offset, time_ns);
        }
        let endpoint = self.endpoint;
        for to in self.destinations.next_round() {
            let content = Content::Log { log: log.clone(), position, length };
            self.out.push(Transmit { endpoint, to, content, tag });
        }
    }

    fn put_frame(&mut self, frame: InlineFrame) {
        let endpoint = self.endpoint;
        for to in self.destinations.next_round() {
            let (content, tag) = (Content::Frame(frame), TransmitTag::Control);
            self.out.push(Transmit { endpoint, to, content, tag });
        }
    }
}
