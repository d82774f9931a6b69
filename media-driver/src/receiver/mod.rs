//! The receiver: images of streams from the network. It is a value: time, commands and datagrams are passed in, and
//! transmits are handed out. It must never wait, never allocate beyond its bounds for what strangers send, and never
//! trust that.
//!
//! In one turn, the runner calls [`Receiver::on_command`] for each command that has arrived, [`Receiver::on_datagram`]
//! for each datagram, [`Receiver::poll_transmit`] once, then [`Receiver::next_event`] until there is none.

pub mod arrivals;
pub mod congestion_control;
mod connections;
pub mod dispatcher;
mod endpoints;
pub mod loss_detector;
pub mod nak_delay;
pub mod publication_image;
pub mod report;
mod rest;
mod setups;
pub mod stamps;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;

use fastrand::Rng;
use gannet::counters::SystemCounter;
use gannet::protocol::{DataFlags, DataHeader, Frame, RttMeasurement, Setup};
use gannet::time::MonotonicNanos;
use gannet::types::{RegistrationId, SessionId, StreamId};

use self::dispatcher::{DataTurn, Dispatcher, SetupTurn};
use self::endpoints::{Endpoints, MAX_PENDING_SETUPS, PendingSetup, ReceiveTransport};
use self::publication_image::{Arrival, PublicationImage};
use self::report::{MAX_REPLIES, Replies};
use self::rest::Rest;
use self::setups::SETUP_TIMEOUT_NS;
use crate::mailbox::{EndpointId, NamedPlace, NewImage, ReceiverCommand, ReceiverEvent, TransmitBatch};
use crate::shared::{ImageWords, NetworkCounters, StandstillWatch};

/// With this many waiting frames, images wait for their turns, so that no image loses its frames.
const ENOUGH_REPLIES: usize = MAX_REPLIES / 2;
/// With this many waiting frames, round-trip requests are not answered, and the sender repeats them. A sender that asks
/// all the time cannot prevent images from reporting.
const ENOUGH_FOR_QUESTIONS: usize = 128;
/// The maximum number of events for the conductor. Further setups are dropped and return, further losses are not
/// reported.
const MAX_EVENTS: usize = 1024;
/// How long nothing is received from a control address that is a name until it is resolved again, in nanoseconds.
const SILENCE_NS: i64 = 5_000_000_000;
/// The receiver id in a round-trip request that means any receiver.
const ANY_RECEIVER: i64 = 0;

/// The receiver.
#[derive(Debug)]
pub struct Receiver {
    counters: NetworkCounters,
    random: Rng,
    /// Whether any endpoint has asked for timestamps.
    stamps: bool,
    endpoints: Endpoints,
    /// The time before which no setup times out, and no registration is due.
    setups_due: MonotonicNanos,
    /// Images keep their index as long as they exist.
    images: Vec<Option<Entry>>,
    /// The rest of each image, close together, because all are checked in each duty cycle.
    rests: Vec<Rest>,
    /// The words of each image. `None` without an image.
    words: Vec<Option<ImageWords>>,
    /// The first image that has waited for space for its frames.
    held_back: Option<usize>,
    cycles: StandstillWatch,
    /// Whether something was received that is probably not the last of its kind.
    is_stirred: bool,
    replies: Replies,
    events: VecDeque<ReceiverEvent>,
}

#[derive(Debug)]
struct Entry {
    /// The index of its endpoint.
    endpoint: usize,
    image: PublicationImage,
}

impl Receiver {
    /// A receiver without endpoints. `seed` is for its random delays.
    pub fn new(counters: NetworkCounters, seed: u64) -> Self {
        Self {
            counters,
            random: Rng::with_seed(seed),
            stamps: false,
            endpoints: Endpoints::default(),
            setups_due: MonotonicNanos::NEVER,
            images: Vec::new(),
            rests: Vec::new(),
            words: Vec::new(),
            held_back: None,
            cycles: StandstillWatch::default(),
            is_stirred: false,
            replies: Replies::new(),
            events: VecDeque::with_capacity(MAX_EVENTS),
        }
    }

    /// Executes a command of the conductor.
    pub fn on_command(&mut self, now: MonotonicNanos, command: ReceiverCommand) {
        // Commands are rare, so all rests are ended, whichever image the command is about.
        self.rests.fill(Rest::OVER);
        self.setups_due = now;
        match command {
            ReceiverCommand::AddEndpoint(made_of) => self.endpoints.add(made_of),
            ReceiverCommand::RemoveEndpoint(id) => self.endpoints.remove(id),
            ReceiverCommand::AddTransport(id, made_of) => {
                let registration_due = now.saturating_add_ns(SETUP_TIMEOUT_NS + 1);
                let transport = ReceiveTransport { made_of, registration_due, last_frame: now };
                let Some(place) = self.endpoints.add_transport(id, transport) else { return };
                self.register(place, made_of, StreamId::new(0), SessionId::new(0));
            }
            ReceiverCommand::RemoveTransport(id, transport) => self.remove_transport(id, transport),
            ReceiverCommand::AddStream(id, stream_id) => {
                self.with_dispatcher(id, |dispatcher| dispatcher.add_stream(stream_id));
            }
            ReceiverCommand::RemoveStream(id, stream_id) => {
                self.with_dispatcher(id, |dispatcher| dispatcher.remove_stream(stream_id));
                self.starve_unwanted(id, stream_id);
            }
            ReceiverCommand::AddSession(id, stream_id, session_id) => {
                self.with_dispatcher(id, |dispatcher| dispatcher.add_session(stream_id, session_id));
                self.register_all(id, stream_id, session_id);
            }
            ReceiverCommand::Stamp(id, stamps) => {
                if let Some((_, endpoint)) = self.endpoints.of(id) {
                    endpoint.stamps = stamps;
                    self.stamps = true;
                }
            }
            ReceiverCommand::MoveControl(transport, control) => self.move_control(now, transport, control),
            ReceiverCommand::TellIfSilent(place) => {
                let NamedPlace::Transport(_, transport) = place else { return };
                let Some((_, endpoint)) = self.endpoints.of(transport) else { return };
                let known = endpoint.transports.iter().find(|known| known.made_of.id == transport);
                let is_silent = known.is_some_and(|known| now > known.last_frame.saturating_add_ns(SILENCE_NS));
                if is_silent && self.events.len() < MAX_EVENTS {
                    self.events.push_back(ReceiverEvent::Silent(place));
                }
            }
            ReceiverCommand::AskForSetup(id, stream_id, session_id) => self.register_all(id, stream_id, session_id),
            ReceiverCommand::SetResponseSession(registration_id, session_id) => {
                if let Some(image) = self.image_mut(registration_id) {
                    image.set_response_session(session_id);
                }
            }
            ReceiverCommand::RemoveSession(id, stream_id, session_id) => {
                self.with_dispatcher(id, |dispatcher| dispatcher.remove_session(stream_id, session_id));
                self.starve_unwanted(id, stream_id);
            }
            ReceiverCommand::AddImage(id, made_of) => self.add_image(now, id, *made_of),
            ReceiverCommand::RefuseImage(id, stream_id, session_id) => {
                self.with_dispatcher(id, |dispatcher| dispatcher.on_refused(stream_id, session_id));
            }
            ReceiverCommand::LeaveImage(registration_id) => {
                if let Some(image) = self.image_mut(registration_id) {
                    image.leave();
                }
            }
            ReceiverCommand::RejectImage(registration_id, reason) => {
                if let Some(image) = self.image_mut(registration_id) {
                    image.reject(&reason);
                    self.counters.count(SystemCounter::ImagesRejected);
                }
            }
            ReceiverCommand::RemoveImage(registration_id) => self.remove_image(registration_id),
            ReceiverCommand::EndCoolDown(id, stream_id, session_id) => {
                self.with_dispatcher(id, |dispatcher| dispatcher.end_cool_down(stream_id, session_id));
            }
        }
    }

    /// Writes timestamps into a datagram, if its endpoint's channel asks for them. `arrived_ns` is when the operating
    /// system received it, `now_ns` the present time, both in nanoseconds since 1970. Call this before
    /// [`Receiver::on_datagram`].
    pub fn stamp(
        &self,
        transport: EndpointId,
        datagram: &mut [u8],
        arrived_ns: Option<i64>,
        now_ns: impl FnOnce() -> i64,
    ) {
        if !self.stamps {
            return;
        }
        let Some(wanted) = self.endpoints.stamps(transport) else { return };
        if let (Some(offset), Some(time_ns)) = (wanted.media, arrived_ns) {
            stamps::stamp(datagram, offset, time_ns);
        }
        if let Some(offset) = wanted.channel {
            stamps::stamp(datagram, offset, now_ns());
        }
    }

    /// Handles a datagram that arrived at one of an endpoint's sockets. It is untrusted.
    pub fn on_datagram(&mut self, now: MonotonicNanos, transport: EndpointId, from: SocketAddr, datagram: &[u8]) {
        self.counters.add(SystemCounter::BytesReceived, datagram.len() as i64);
        match DataHeader::parse(datagram) {
            Ok(header) => self.on_data(now, transport, from, &header, datagram),
            // Most datagrams are data.
            Err(_) => self.on_other_frame(now, transport, from, datagram),
        }
    }

    #[inline(never)]
    fn on_other_frame(&mut self, now: MonotonicNanos, transport: EndpointId, from: SocketAddr, datagram: &[u8]) {
        match Frame::parse(datagram) {
            Ok(Frame::Setup(setup)) => self.on_setup(now, transport, from, setup),
            Ok(Frame::RttMeasurement(found)) => self.on_rtt_measurement(now, transport, from, &found),
            // Frames that senders do not send to receivers are ignored, and are no error.
            Ok(_) => {}
            Err(_) => self.counters.count(SystemCounter::InvalidPackets),
        }
    }

    /// Adds the frames that are due now to the batch. Returns the work count, without periodic frames. Counts those
    /// only if there was no space for all of them.
    #[inline]
    pub fn poll_transmit(&mut self, now: MonotonicNanos, out: &mut TransmitBatch) -> usize {
        if let Some(duration_ns) = self.cycles.on_cycle(now) {
            self.on_standstill(now, duration_ns);
        }
        let mut work = if now >= self.setups_due { self.check_setups(now) } else { 0 };
        let first = self.held_back.take().unwrap_or(0);
        work += self.poll_images(first..self.rests.len(), now);
        if first > 0 && self.held_back.is_none() {
            work += self.poll_images(0..first, now);
        }
        if !self.replies.is_empty() {
            self.replies.hand_out(out);
            work += usize::from(!self.replies.is_empty() || self.held_back.is_some());
        }
        work
    }

    /// Handles that the receiver did not run for so long.
    #[cold]
    fn on_standstill(&mut self, now: MonotonicNanos, duration_ns: i64) {
        self.rests.fill(Rest::OVER);
        for entry in self.images.iter_mut().flatten() {
            entry.image.on_standstill(now, duration_ns);
        }
    }

    /// Runs the turns of the images at these indexes, as far as there is space for their frames.
    #[inline]
    fn poll_images(&mut self, places: Range<usize>, now: MonotonicNanos) -> usize {
        let mut work = 0;
        for place in places {
            let words = &self.words[place];
            if self.rests[place].lasts(now, || words.as_ref().map_or(0, ImageWords::consumed)) {
                continue;
            }
            if self.replies.len() >= ENOUGH_REPLIES {
                self.held_back = Some(place);
                break;
            }
            work += self.poll_image(place, now);
        }
        work
    }

    /// Runs the turn of the image at this index, if there is one.
    #[inline(never)]
    fn poll_image(&mut self, place: usize, now: MonotonicNanos) -> usize {
        let Self { counters, random, images, rests, replies, events, .. } = self;
        let Some(Entry { image, .. }) = &mut images[place] else {
            rests[place] = Rest::FOR_EVER;
            return 0;
        };
        let (done, loss) = image.poll(now, random, counters, replies);
        rests[place] = if done == 0 { image.rest().unwrap_or(Rest::OVER) } else { Rest::OVER };
        if let Some(loss) = loss
            && events.len() < MAX_EVENTS
        {
            events.push_back(ReceiverEvent::Loss(loss));
        }
        done
    }

    /// Whether something was received that is probably not the last of its kind, since the previous call. Heartbeats
    /// and setups do not count, because a thousand idle streams have thousands of them per second.
    pub fn take_stirred(&mut self) -> bool {
        std::mem::take(&mut self.is_stirred)
    }

    /// Whether there are events for the conductor.
    #[inline]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Takes the next event for the conductor.
    pub fn next_event(&mut self) -> Option<ReceiverEvent> {
        self.events.pop_front()
    }

    /// When work is due even if nothing arrives.
    pub fn next_deadline(&self) -> MonotonicNanos {
        let images = self.images.iter().flatten().map(|entry| entry.image.next_deadline());
        let endpoints = || self.endpoints.iter();
        let transports = endpoints().flat_map(|endpoint| &endpoint.transports);
        let registrations = transports.filter(|transport| transport.made_of.registers);
        let registrations = registrations.map(|transport| transport.registration_due);
        let pending = endpoints().flat_map(|endpoint| &endpoint.pending);
        let pending = pending.map(|pending| pending.since.saturating_add_ns(SETUP_TIMEOUT_NS + 1));
        images.chain(registrations).chain(pending).min().unwrap_or(MonotonicNanos::NEVER)
    }

    /// The images, for observers.
    pub fn images(&self) -> impl Iterator<Item = &PublicationImage> {
        self.images.iter().flatten().map(|entry| &entry.image)
    }

    fn on_data(&mut self, now: MonotonicNanos, id: EndpointId, from: SocketAddr, header: &DataHeader, datagram: &[u8]) {
        let Some((place, endpoint)) = self.endpoints.of(id) else { return };
        let (stream_id, session_id) = (header.stream_id, header.session_id);
        let ends = header.flags.contains(DataFlags::END_OF_STREAM);
        let control = endpoint.answers_to(now, id, from);
        match endpoint.dispatcher.on_data(stream_id, session_id, ends) {
            DataTurn::Ignore => {}
            DataTurn::Full => self.on_flood(now, place),
            DataTurn::Image(image) => {
                self.is_stirred |= header.frame_length > 0;
                if let Some(Some(entry)) = self.images.get_mut(image) {
                    // A thousand idle streams have thousands of heartbeats per second.
                    match entry.image.on_data(now, (id, control), header, datagram, &self.counters) {
                        Arrival::Nothing => {}
                        Arrival::Next(reads) => self.rests[image].on_more(reads),
                        Arrival::News => self.rests[image] = Rest::OVER,
                    }
                }
            }
            DataTurn::Elicit => {
                self.is_stirred = true;
                if endpoint.pending.len() < MAX_PENDING_SETUPS {
                    endpoint.pending.push(PendingSetup { stream_id, session_id, since: now });
                    self.setups_due = self.setups_due.min(now.saturating_add_ns(SETUP_TIMEOUT_NS));
                    self.ask_for_setup(place, id, control, stream_id, session_id);
                } else {
                    endpoint.dispatcher.end_pending_setup(stream_id, session_id);
                }
            }
        }
    }

    fn on_setup(&mut self, now: MonotonicNanos, id: EndpointId, from: SocketAddr, setup: Setup) {
        let Some((place, endpoint)) = self.endpoints.of(id) else { return };
        let (stream_id, session_id) = (setup.stream_id, setup.session_id);
        let control = endpoint.answers_to(now, id, from);
        match endpoint.dispatcher.on_setup(stream_id, session_id) {
            SetupTurn::Ignore => {}
            SetupTurn::Full => self.on_flood(now, place),
            SetupTurn::Image(image) => {
                if let Some(Some(entry)) = self.images.get_mut(image) {
                    self.rests[image] = Rest::OVER;
                    entry.image.on_setup(now, id, control);
                }
            }
            SetupTurn::Create => {
                self.is_stirred = true;
                endpoint.pending.retain(|pending| (pending.stream_id, pending.session_id) != (stream_id, session_id));
                if self.events.len() < MAX_EVENTS {
                    let endpoint = endpoint.made_of.id;
                    let event = ReceiverEvent::CreateImage { endpoint, transport: id, setup, source: from, control };
                    self.events.push_back(event);
                } else {
                    endpoint.dispatcher.on_refused(stream_id, session_id);
                }
            }
        }
    }

    fn on_rtt_measurement(&mut self, now: MonotonicNanos, id: EndpointId, from: SocketAddr, found: &RttMeasurement) {
        let Some((_, endpoint)) = self.endpoints.of(id) else { return };
        if found.receiver_id != endpoint.made_of.receiver_id && found.receiver_id != ANY_RECEIVER {
            return;
        }
        let control = endpoint.answers_to(now, id, from);
        let Some(place) = endpoint.dispatcher.image(found.stream_id, found.session_id) else { return };
        let Some(Some(entry)) = self.images.get_mut(place) else { return };
        if found.wants_answer && self.replies.len() >= ENOUGH_FOR_QUESTIONS {
            return;
        }
        self.is_stirred = true;
        self.rests[place] = Rest::OVER;
        entry.image.on_rtt_measurement(now, (id, control), found, &mut self.replies);
    }

    /// Handles more sessions than can be tracked, which are probably invented: counts them as invalid, and reports them
    /// at a limited rate.
    fn on_flood(&mut self, now: MonotonicNanos, place: usize) {
        self.counters.count(SystemCounter::InvalidPackets);
        let Some(endpoint) = self.endpoints.get_mut(place) else { return };
        if self.events.len() < MAX_EVENTS && endpoint.flood_told.may_tell(now) {
            self.events.push_back(ReceiverEvent::TooManySessions(endpoint.made_of.id));
        }
    }

    fn move_control(&mut self, now: MonotonicNanos, transport: EndpointId, control: SocketAddr) {
        let Some((place, endpoint)) = self.endpoints.of(transport) else { return };
        if let Some(known) = endpoint.transports.iter_mut().find(|known| known.made_of.id == transport) {
            known.made_of.control = Some(control);
            known.last_frame = now;
        }
        for entry in self.images.iter_mut().flatten().filter(|entry| entry.endpoint == place) {
            entry.image.move_control(transport, control);
        }
    }

    fn remove_transport(&mut self, id: EndpointId, transport: EndpointId) {
        let Some(place) = self.endpoints.remove_transport(id, transport) else { return };
        for entry in self.images.iter_mut().flatten().filter(|entry| entry.endpoint == place) {
            entry.image.remove_transport(transport);
        }
    }

    fn add_image(&mut self, now: MonotonicNanos, id: EndpointId, made_of: NewImage) {
        let Some((endpoint, found)) = self.endpoints.of(id) else {
            // The conductor keeps an endpoint that has images. If it is missing, the image's end must still be
            // reported.
            self.events.push_back(ReceiverEvent::ImageRemoved(made_of.registration_id));
            return;
        };
        let transport = made_of.transport;
        let known = found.transports.iter().find(|known| known.made_of.id == transport).map(|known| known.made_of);
        let mut image = PublicationImage::new(made_of, now);
        // While its log was made, its transport may have been removed, or the name of the control address resolved to
        // another address.
        match known {
            Some(known) => known.control.into_iter().for_each(|control| image.move_control(transport, control)),
            None => image.remove_transport(transport),
        }
        let (stream_id, session_id) = (image.stream_id(), image.session_id());
        // Trap 32: an older image of the session falls silent.
        for older in self.images.iter_mut().flatten() {
            let other = &mut older.image;
            if older.endpoint == endpoint && (other.stream_id(), other.session_id()) == (stream_id, session_id) {
                other.fall_silent();
            }
        }
        let place = self.images.iter().position(Option::is_none).unwrap_or(self.images.len());
        let words = Some(image.words().clone());
        let entry = Some(Entry { endpoint, image });
        match self.images.get_mut(place) {
            Some(free) => {
                *free = entry;
                self.rests[place] = Rest::OVER;
                self.words[place] = words;
            }
            None => {
                self.images.push(entry);
                self.rests.push(Rest::OVER);
                self.words.push(words);
            }
        }
        // If no subscription wants it any more, the conductor finds it without subscribers.
        self.with_dispatcher(id, |dispatcher| {
            dispatcher.on_image(stream_id, session_id, place);
        });
    }

    fn remove_image(&mut self, registration_id: RegistrationId) {
        let is_it = |entry: &Option<Entry>| {
            entry.as_ref().is_some_and(|entry| entry.image.registration_id() == registration_id)
        };
        if let Some(place) = self.images.iter().position(is_it)
            && let Some(Entry { endpoint, image }) = self.images[place].take()
        {
            self.words[place] = None;
            let (stream_id, session_id) = (image.stream_id(), image.session_id());
            if let Some(endpoint) = self.endpoints.get_mut(endpoint) {
                endpoint.dispatcher.on_image_removed(stream_id, session_id, place, image.is_end_of_stream());
            }
        }
        self.events.push_back(ReceiverEvent::ImageRemoved(registration_id));
    }

    /// Tells the images of a stream to which nothing is dispatched any more.
    fn starve_unwanted(&mut self, id: EndpointId, stream_id: StreamId) {
        let Some((endpoint, found)) = self.endpoints.of(id) else { return };
        for (place, entry) in self.images.iter_mut().enumerate() {
            if let Some(Entry { image, endpoint: its }) = entry
                && *its == endpoint
                && image.stream_id() == stream_id
                && found.dispatcher.image(stream_id, image.session_id()) != Some(place)
            {
                image.starve();
            }
        }
    }

    fn with_dispatcher(&mut self, id: EndpointId, action: impl FnOnce(&mut Dispatcher)) {
        if let Some((_, endpoint)) = self.endpoints.of(id) {
            action(&mut endpoint.dispatcher);
        }
    }

    fn image_mut(&mut self, registration_id: RegistrationId) -> Option<&mut PublicationImage> {
        let mut all = self.images.iter_mut().flatten().map(|entry| &mut entry.image);
        all.find(|image| image.registration_id() == registration_id)
    }
}
