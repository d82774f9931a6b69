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
pub mod outlet;
mod rests;
pub mod retransmit;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;

use gannet::channel_uri::TimestampOffset;
use gannet::counters::SystemCounter;
use gannet::memory::OwnedWord;
use gannet::protocol::{ErrorFrame, Frame, StatusMessage};
use gannet::time::MonotonicNanos;
use gannet::types::{RegistrationId, SessionId, StreamId};

use self::destinations::Destinations;
use self::holder::HolderWatch;
use self::network_publication::NetworkPublication;
use self::outlet::{BatchOutlet, Outlet};
use self::rests::Rests;
use crate::mailbox::{
    Completion, EndpointId, NewNetworkPublication, Outcome, SenderCommand, SenderEvent, TransmitBatch, TransmitTag,
};
use crate::shared::{IdMap, NetworkCounters, Seldom, StandstillWatch};

/// The maximum number of events for the conductor. Further rejections are not reported.
const MAX_EVENTS: usize = 256;
/// The time after a NAK in which another one is likely, in nanoseconds.
const MENDING_NS: i64 = 1_000_000;
/// The minimum interval between two reports of too many receivers, in nanoseconds.
const CROWD_INTERVAL_NS: i64 = 1_000_000_000;

/// The sender.
#[derive(Debug)]
pub struct Sender {
    counters: NetworkCounters,
    /// Whether any endpoint has asked for timestamps, and the present time in nanoseconds since 1970.
    stamps: bool,
    time_ns: i64,
    cycles: StandstillWatch,
    endpoints: IdMap<EndpointId, Endpoint>,
    /// Whether any endpoint has destinations that expire, or a counter of destinations.
    tends_destinations: bool,
    /// Publications keep their index as long as they exist.
    publications: Vec<Option<Entry>>,
    /// The rests of idle publications.
    rests: Rests,
    /// Whether receivers have sent something that changes what is sent.
    is_stirred: bool,
    /// The time until which another NAK is likely.
    mending_until: MonotonicNanos,
    /// The indexes of publications, by the fields of a receiver's frame.
    places: HashMap<(EndpointId, StreamId, SessionId), usize>,
    /// The index of the publication that has the first turn.
    first: usize,
    /// The index of the first publication without space in this turn.
    without_room: Option<usize>,
    /// Whether a publication had data in its last turn that its receivers do not accept yet.
    waits_for_receivers: bool,
    events: VecDeque<SenderEvent>,
}

#[derive(Debug)]
struct Endpoint {
    id: EndpointId,
    destinations: Destinations,
    /// The counter of destinations, and its last value.
    shown: Option<(OwnedWord<i64>, usize)>,
    /// The place of timestamps.
    stamp: Option<TimestampOffset>,
    /// Limits the reports of too many receivers.
    crowd_told: Seldom,
}

impl Endpoint {
    /// Whether the endpoint needs attention in each turn.
    fn is_tended(&self) -> bool {
        self.destinations.expires() || self.shown.is_some()
    }

    /// Updates the counter of destinations, if their number has changed.
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
    /// The destination of a response: none until a receiver asks for a setup.
    own: Option<Destinations>,
    /// Whether the conductor knows that a response has its receivers.
    told_connected: bool,
    /// Which receiver holds it back.
    holder: HolderWatch,
}

impl Sender {
    /// A sender without publications.
    pub fn new(counters: NetworkCounters) -> Self {
        Self {
            counters,
            stamps: false,
            time_ns: 0,
            cycles: StandstillWatch::default(),
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

    /// Executes a command of the conductor.
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
            SenderCommand::AddPublication(endpoint, made_of) => self.add_publication(now, endpoint, *made_of),
            SenderCommand::EndPublication { registration_id, position, revoked } => {
                if let Some(place) = self.place_of(registration_id)
                    && let Some(entry) = &mut self.publications[place]
                {
                    self.rests.wake(place);
                    entry.publication.end_at(position, revoked);
                }
            }
            SenderCommand::RemovePublication(registration_id) => self.remove_publication(registration_id),
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

    /// Handles a completion of a transport.
    pub fn on_completion(&mut self, done: Completion) {
        if !done.is_sent() {
            self.counters.count(SystemCounter::ShortSends);
        }
        let TransmitTag::Data { slot, registration_id, position } = done.tag else { return };
        if let Some(Some(entry)) = self.publications.get_mut(slot as usize)
            && entry.publication.registration_id() == registration_id
        {
            // With several destinations, a failure at one does not delay the others or send them everything again. The
            // data is lost at that destination, which requests it.
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

    /// Handles a datagram that arrived at an endpoint's control address. It is untrusted.
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
            // Frames that receivers do not send to senders are ignored, and are no error.
            _ => return,
        };
        if let Frame::StatusMessage(message) = &frame
            && let Some(found) = self.endpoints.get_mut(&endpoint)
            // Trap 23: this applies even if the message is for no known stream.
            && !found.destinations.on_status_message(now, from, message.receiver_id)
        {
            self.on_crowd(now, endpoint, SenderEvent::TooManyReceivers(endpoint));
        }
        let Some(&place) = self.places.get(&(endpoint, stream_id, session_id)) else { return };
        let Some(Some(Entry { publication, .. })) = self.publications.get_mut(place) else { return };
        if !matches!(frame, Frame::StatusMessage(_)) {
            self.rests.wake(place);
        }
        match frame {
            Frame::StatusMessage(message) => self.on_status_message(now, place, from, &message),
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
            Frame::Error(error) => self.on_error(endpoint, place, from, &error),
            _ => {}
        }
    }

    fn on_status_message(&mut self, now: MonotonicNanos, place: usize, from: SocketAddr, message: &StatusMessage) {
        let Some(Some(Entry { endpoint, publication, own, told_connected, holder })) = self.publications.get_mut(place)
        else {
            return;
        };
        if message.asks_for_setup
            && let Some(own) = own
        {
            // The response goes to the last receiver that asked.
            *own = Destinations::fixed(now, from);
        }
        let (limit, had_receivers) = (publication.limit(), publication.has_receivers());
        let not_followed = publication.not_followed();
        publication.on_status_message(now, message, &self.counters);
        holder.on_status_message(now, from, message, publication);
        // A repeated status message needs no response.
        if message.asks_for_setup || publication.limit() != limit || !had_receivers {
            self.is_stirred = true;
            self.rests.wake(place);
        }
        // If there is no room for the event, the next status message adds it.
        if own.is_some() && !*told_connected && publication.has_receivers() && self.events.len() < MAX_EVENTS {
            *told_connected = true;
            self.events.push_back(SenderEvent::ResponseConnected(publication.registration_id()));
        }
        if publication.not_followed() != not_followed {
            let (endpoint, event) = (*endpoint, SenderEvent::TooManyFollowed(publication.registration_id()));
            self.on_crowd(now, endpoint, event);
        }
    }

    /// Handles that a receiver rejects a publication.
    fn on_error(&mut self, endpoint: EndpointId, place: usize, from: SocketAddr, error: &ErrorFrame<'_>) {
        let Some(Some(Entry { publication, own, holder, .. })) = self.publications.get_mut(place) else { return };
        holder.forget(error.receiver_id);
        if !publication.on_error(error, &self.counters) {
            return;
        }
        let registration_id = publication.registration_id();
        let destinations = self.endpoints.get(&endpoint).map(|found| &found.destinations);
        // A response goes to the receiver that asked, not to a destination.
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

    /// Whether it needs the time before [`Sender::poll_transmit`].
    pub fn wants_time(&self) -> bool {
        self.stamps
    }

    /// Sets the present time, in nanoseconds since 1970.
    pub fn set_time(&mut self, time_ns: i64) {
        self.time_ns = time_ns;
    }

    /// Adds the datagrams that are due now to the batch. Returns the work count, without periodic frames. Each
    /// publication that may have work gets a turn, starting with another one each time.
    #[inline]
    pub fn poll_transmit(&mut self, now: MonotonicNanos, out: &mut TransmitBatch) -> usize {
        if let Some(duration_ns) = self.cycles.on_cycle(now) {
            self.on_standstill(now, duration_ns);
        }
        if self.tends_destinations {
            self.tend_destinations(now);
        }
        self.rests.look();
        if self.rests.is_any_due(now) { self.poll_due(now, out) } else { 0 }
    }

    /// Handles that the sender did not run for so long. What its receivers have sent meanwhile is received after this
    /// turn.
    #[cold]
    fn on_standstill(&mut self, now: MonotonicNanos, duration_ns: i64) {
        for endpoint in self.endpoints.values_mut() {
            endpoint.destinations.on_standstill(now, duration_ns);
        }
        for entry in self.publications.iter_mut().flatten() {
            entry.publication.on_standstill(now, duration_ns);
        }
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

    /// Runs the turn of the publication at this index, if there is one.
    fn poll_publication(&mut self, slot: usize, now: MonotonicNanos, out: &mut TransmitBatch) -> usize {
        let is_alone = self.publications.len() == 1;
        let Some(Some(Entry { endpoint, publication, own, holder, .. })) = self.publications.get_mut(slot) else {
            return 0;
        };
        let Some(endpoint) = self.endpoints.get_mut(endpoint) else { return 0 };
        let stamp = endpoint.stamp.map(|offset| (offset, self.time_ns));
        let (endpoint, destinations) = (endpoint.id, own.as_mut().unwrap_or(&mut endpoint.destinations));
        let registration_id = publication.registration_id();
        // With several destinations, the last frames of the stream are several datagrams.
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
        // Without space for the event, it is reported later.
        if self.events.len() < MAX_EVENTS
            && let Some(holder) = holder.look(now, publication.is_limited(), done > 0)
        {
            self.events.push_back(SenderEvent::Held(registration_id, holder));
        }
        done
    }

    /// Whether receivers have sent something that changes what is sent, since the previous call. Most status messages
    /// do not; a thousand idle streams have thousands of them per second.
    pub fn take_stirred(&mut self) -> bool {
        std::mem::take(&mut self.is_stirred)
    }

    /// Whether receivers had losses lately. The sender should then check for their frames in each turn, because
    /// everything that is sent waits for the retransmits.
    pub fn is_mending(&self, now: MonotonicNanos) -> bool {
        now < self.mending_until
    }

    /// Whether data waits until receivers accept more.
    pub fn waits_for_receivers(&self) -> bool {
        self.waits_for_receivers
    }

    /// Whether there are events for the conductor.
    #[inline]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Takes the next event for the conductor.
    pub fn next_event(&mut self) -> Option<SenderEvent> {
        self.events.pop_front()
    }

    /// When work is due even if nothing arrives and nothing is published.
    pub fn next_deadline(&self) -> MonotonicNanos {
        let publications = self.publications.iter().flatten();
        publications.map(|entry| entry.publication.next_deadline()).min().unwrap_or(MonotonicNanos::NEVER)
    }

    /// The publications, for observers.
    pub fn publications(&self) -> impl Iterator<Item = &NetworkPublication> {
        self.publications.iter().flatten().map(|entry| &entry.publication)
    }

    fn add_publication(&mut self, now: MonotonicNanos, endpoint: EndpointId, made_of: NewNetworkPublication) {
        let own = made_of.answers.then(Destinations::manual);
        let holder = HolderWatch::new(made_of.flow_control, made_of.connection_timeout_ns);
        let publication = NetworkPublication::new(made_of, now);
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

    fn remove_publication(&mut self, registration_id: RegistrationId) {
        let gone = self.place_of(registration_id).and_then(|place| {
            self.rests.leave(place);
            self.publications[place].take()
        });
        if let Some(Entry { endpoint, publication, .. }) = gone {
            self.places.remove(&(endpoint, publication.stream_id(), publication.session_id()));
        }
        self.tell(SenderEvent::PublicationRemoved(registration_id));
    }

    fn place_of(&self, registration_id: RegistrationId) -> Option<usize> {
        let is_it = |entry: &Entry| entry.publication.registration_id() == registration_id;
        self.publications.iter().position(|entry| entry.as_ref().is_some_and(is_it))
    }

    /// Handles more receivers than an endpoint can send to, or than a flow control follows: counts their status messages,
    /// and reports them at a limited rate.
    #[cold]
    fn on_crowd(&mut self, now: MonotonicNanos, id: EndpointId, event: SenderEvent) {
        self.counters.count(SystemCounter::StatusMessagesRejected);
        let Some(endpoint) = self.endpoints.get_mut(&id) else { return };
        if self.events.len() < MAX_EVENTS && endpoint.crowd_told.may_tell(now) {
            self.events.push_back(event);
        }
    }

    fn endpoint_mut(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(&id)
    }

    fn tell(&mut self, event: SenderEvent) {
        // The removal of a publication must be reported; rejections beyond the limit need not be.
        if self.events.len() < MAX_EVENTS || matches!(event, SenderEvent::PublicationRemoved(_)) {
            self.events.push_back(event);
        }
    }
}
