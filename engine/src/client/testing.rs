//! A driver played by hand, for the tests of the client: the rings of a real driver on the heap, and real log files in
//! a temporary directory. It answers only when a test says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::client_core::ClientCore;
use super::conductor::{Conductor, ConductorSettings};
use super::context::Context;
use super::driver_link::{DriverIdentity, DriverLink, LinkParts};
use super::error::ConnectError;
use super::find_driver::{FindDriver, Found, Missing};
use super::pending::{Handle, Pending};
use crate::broadcast::{BROADCAST_TRAILER_LENGTH, Receiver, Transmitter};
use crate::command::{
    Command, ErrorCode, Event, OnAvailableImage, OnCounter, OnError, OnOperationSuccess, OnPublicationReady,
    OnStaticCounter, OnSubscriptionReady, OnUnavailableImage, Text,
};
use crate::counters::{CounterSpec, CountersManager, CountersReader, Stream, StreamCounter};
use crate::logbuffer::{LogBuffers, LogKind, LogParameters};
use crate::memory::{AtomicBuffer, FileAccess, RawAccess, Reserve};
use crate::ringbuffer::{ManyToOneRingBuffer, RING_TRAILER_LENGTH, RingConsumer};
use crate::time::{EpochMillis, ManualClock, MonotonicNanos};
use crate::types::{
    ClientId, CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId, TermId, TermLength,
};

pub(super) const LIVENESS: Duration = Duration::from_secs(10);
const CAPACITY: usize = 64 << 10;
const COUNTERS: usize = 1024;
const START_MS: i64 = 1_700_000_000_000;

/// The files of one driver, as a client would map them.
pub(super) struct ScriptedDriver {
    to_driver: AtomicBuffer,
    to_clients: AtomicBuffer,
    header: AtomicBuffer,
    pub(super) commands: RingConsumer,
    pub(super) events: Transmitter,
    pub(super) counters: CountersManager,
    identity: DriverIdentity,
    dir: tempfile::TempDir,
    publications: BTreeMap<i64, ScriptedPublication>,
    subscriptions: BTreeMap<i64, ScriptedSubscription>,
    clients: BTreeMap<i64, CounterId>,
    own_counters: BTreeMap<i64, CounterId>,
    /// The clients of publications, subscriptions and counters.
    owners: BTreeMap<i64, ClientId>,
    /// Ids and channels, by publication or subscription.
    destinations: BTreeMap<i64, Vec<(i64, String)>>,
    /// What publications were asked for with.
    channels: BTreeMap<i64, String>,
    next_session: i32,
    /// Every command that was executed, by name and registration or correlation id.
    pub(super) executed: Vec<(&'static str, i64)>,
    /// Commands with this in their channel are refused.
    pub(super) refuse: Option<(&'static str, ErrorCode)>,
    now: EpochMillis,
}

struct ScriptedPublication {
    log: LogBuffers,
    path: PathBuf,
    exclusive: bool,
    stream_id: StreamId,
    session_id: SessionId,
    limit: CounterId,
    /// Registration ids of its publishers.
    publishers: Vec<i64>,
}

struct ScriptedSubscription {
    stream_id: StreamId,
    /// Position counters by publication.
    images: BTreeMap<i64, CounterId>,
}

fn tell(events: &mut Transmitter, event: &Event<'_>) {
    let mut bytes = vec![0; event.encoded_length()];
    let length = event.encode(&mut bytes).unwrap();
    events.transmit(event.type_id(), &bytes[..length]).unwrap();
}

impl ScriptedPublication {
    /// The event that tells a subscription of this publication's image.
    fn announcement(&self, id: i64, subscription: i64, subscriber_position_id: CounterId) -> Event<'_> {
        Event::AvailableImage(OnAvailableImage {
            image_correlation_id: CorrelationId::new(id),
            session_id: self.session_id,
            stream_id: self.stream_id,
            subscription_registration_id: RegistrationId::new(subscription),
            subscriber_position_id,
            log_file: Text::from(self.path.to_str().unwrap()),
            source_identity: Text::from("aeron:ipc"),
        })
    }
}

impl ScriptedDriver {
    pub(super) fn new(pid: i64, now: EpochMillis) -> Self {
        let to_driver = AtomicBuffer::heap(CAPACITY + RING_TRAILER_LENGTH);
        let to_clients = AtomicBuffer::heap(CAPACITY + BROADCAST_TRAILER_LENGTH);
        let (metadata, values) = (AtomicBuffer::heap(COUNTERS * 512), AtomicBuffer::heap(COUNTERS * 128));
        let commands = RingConsumer::new(&to_driver).unwrap();
        // 0 is never handed to a client.
        commands.ring().next_correlation_id();
        commands.ring().set_consumer_heartbeat(now);
        Self {
            commands,
            events: Transmitter::new(&to_clients).unwrap(),
            counters: CountersManager::new(metadata, values, Duration::from_secs(1)).unwrap(),
            to_driver,
            to_clients,
            header: AtomicBuffer::heap(128),
            identity: DriverIdentity { pid, start_timestamp_ms: now.get() },
            dir: tempfile::tempdir().unwrap(),
            publications: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            clients: BTreeMap::new(),
            own_counters: BTreeMap::new(),
            owners: BTreeMap::new(),
            destinations: BTreeMap::new(),
            channels: BTreeMap::new(),
            next_session: 1,
            executed: Vec::new(),
            refuse: None,
            now,
        }
    }

    /// The directory of its logs.
    pub(super) fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub(super) fn link(&self) -> DriverLink {
        DriverLink::new(LinkParts {
            to_driver: ManyToOneRingBuffer::new(&self.to_driver).unwrap(),
            events: Receiver::new(&self.to_clients).unwrap(),
            counters: self.reader(),
            bells: self.header.clone(),
            identity: self.identity,
            liveness_timeout: LIVENESS,
        })
    }

    pub(super) fn identity(&self) -> DriverIdentity {
        self.identity
    }

    pub(super) fn reader(&self) -> CountersReader {
        self.counters.reader()
    }

    pub(super) fn beat(&mut self, now: EpochMillis) {
        self.now = now;
        self.commands.ring().set_consumer_heartbeat(now);
    }

    pub(super) fn tell(&mut self, event: &Event<'_>) {
        tell(&mut self.events, event);
    }

    /// Reads the commands that wait, without executing them.
    pub(super) fn read(&mut self) -> Vec<(i32, Vec<u8>)> {
        let mut read = Vec::new();
        // Once more after the end of the ring.
        for _ in 0..2 {
            self.commands.read(usize::MAX, |type_id, bytes| read.push((type_id, bytes.to_vec())));
        }
        read
    }

    /// Executes what waits, as a driver would. Returns how many commands that were.
    pub(super) fn serve(&mut self) -> usize {
        let commands = self.read();
        for (type_id, bytes) in &commands {
            self.execute(&Command::decode(*type_id, bytes).unwrap());
        }
        commands.len()
    }

    pub(super) fn execute(&mut self, command: &Command<'_>) {
        let correlation_id = command.correlation_id();
        let id = correlation_id.get();
        match *command {
            Command::AddPublication(add) | Command::AddExclusivePublication(add) => {
                self.executed.push((command.name(), id));
                self.channels.insert(id, add.channel.to_string());
                if self.refused(correlation_id, add.channel) {
                    return;
                }
                self.register(add.client_id);
                self.owners.insert(id, add.client_id);
                self.add_publication(id, add.stream_id, matches!(command, Command::AddExclusivePublication(_)));
            }
            Command::AddSubscription(add) => {
                self.executed.push((command.name(), id));
                if self.refused(correlation_id, add.channel) {
                    return;
                }
                self.register(add.client_id);
                self.owners.insert(id, add.client_id);
                let subscription = ScriptedSubscription { stream_id: add.stream_id, images: BTreeMap::new() };
                self.subscriptions.insert(id, subscription);
                self.tell(&Event::SubscriptionReady(OnSubscriptionReady {
                    correlation_id,
                    channel_status_id: CounterId::NONE,
                }));
                self.link_images();
            }
            Command::AddCounter(add) => {
                self.executed.push((command.name(), id));
                self.register(add.client_id);
                let registration_id = correlation_id.registration();
                let spec = CounterSpec::application(
                    add.type_id,
                    add.key,
                    add.label.as_bytes(),
                    registration_id,
                    add.client_id,
                );
                let counter_id = self.counters.allocate(self.now, &spec).unwrap();
                self.own_counters.insert(id, counter_id);
                self.owners.insert(id, add.client_id);
                self.tell(&Event::CounterReady(OnCounter { registration_id, counter_id }));
            }
            Command::AddStaticCounter(add) => {
                self.executed.push((command.name(), id));
                self.register(add.client_id);
                let counter_id = match self.counters.find(add.type_id, add.registration_id) {
                    Some((counter_id, _)) => counter_id,
                    None => {
                        let owner = ClientId::new(-1);
                        let label = add.label.as_bytes();
                        let spec = CounterSpec::application(add.type_id, add.key, label, add.registration_id, owner);
                        self.counters.allocate(self.now, &spec).unwrap()
                    }
                };
                self.tell(&Event::StaticCounter(OnStaticCounter { correlation_id, counter_id }));
            }
            Command::RemovePublication(remove) => {
                self.executed.push((command.name(), remove.registration_id.get()));
                self.remove_publication(remove.registration_id.get());
                self.tell(&Event::OperationSuccess(OnOperationSuccess { correlation_id }));
            }
            Command::RemoveSubscription(remove) => {
                self.executed.push((command.name(), remove.registration_id.get()));
                self.remove_subscription(remove.registration_id.get());
                self.tell(&Event::OperationSuccess(OnOperationSuccess { correlation_id }));
            }
            Command::RemoveCounter(remove) => {
                self.executed.push((command.name(), remove.registration_id.get()));
                self.tell(&Event::OperationSuccess(OnOperationSuccess { correlation_id }));
                self.remove_counter(remove.registration_id.get());
            }
            Command::AddDestination(change)
            | Command::AddReceiveDestination(change)
            | Command::RemoveDestination(change)
            | Command::RemoveReceiveDestination(change) => {
                self.executed.push((command.name(), change.registration_id.get()));
                if self.refused(correlation_id, change.channel)
                    || self.knows_not(correlation_id, change.registration_id)
                {
                    return;
                }
                let of = self.destinations.entry(change.registration_id.get()).or_default();
                let channel = change.channel.to_string();
                match command {
                    Command::AddDestination(_) | Command::AddReceiveDestination(_) => of.push((id, channel)),
                    _ => of.retain(|known| known.1 != channel),
                }
                self.tell(&Event::OperationSuccess(OnOperationSuccess { correlation_id }));
            }
            Command::RemoveDestinationById(remove) => {
                self.executed.push((command.name(), remove.registration_id.get()));
                if self.knows_not(correlation_id, remove.registration_id) {
                    return;
                }
                let of = self.destinations.entry(remove.registration_id.get()).or_default();
                of.retain(|known| known.0 != remove.destination_registration_id.get());
                self.tell(&Event::OperationSuccess(OnOperationSuccess { correlation_id }));
            }
            Command::RejectImage(reject) => {
                self.executed.push((command.name(), reject.image_correlation_id.get()));
                self.tell(&Event::OperationSuccess(OnOperationSuccess { correlation_id }));
            }
            Command::ClientClose(close) => {
                self.executed.push((command.name(), close.client_id.get()));
                if let Some(counter) = self.clients.remove(&close.client_id.get()) {
                    self.counters.free(self.now, counter);
                }
                let its = |(id, client): (&i64, &ClientId)| (*client == close.client_id).then_some(*id);
                for id in self.owners.iter().filter_map(its).collect::<Vec<_>>() {
                    self.remove_subscription(id);
                    self.remove_publication(id);
                    self.remove_counter(id);
                }
            }
            _ => panic!("unexpected {}", command.name()),
        }
    }

    /// What publications were asked for with, oldest first.
    pub(super) fn channels(&self) -> Vec<String> {
        self.channels.values().cloned().collect()
    }

    /// The destinations of a publication or subscription: their ids and channels.
    pub(super) fn destinations_of(&self, id: RegistrationId) -> Vec<(i64, String)> {
        self.destinations.get(&id.get()).cloned().unwrap_or_default()
    }

    /// Takes a destination away, as a removal does that names its endpoint in other words.
    pub(super) fn drop_destination(&mut self, of: RegistrationId, channel: &str) {
        self.destinations.entry(of.get()).or_default().retain(|known| known.1 != channel);
    }

    /// Refuses what is about no publication or subscription that there is.
    fn knows_not(&mut self, offending_correlation_id: CorrelationId, id: RegistrationId) -> bool {
        let known = self.publications.contains_key(&id.get()) || self.subscriptions.contains_key(&id.get());
        if !known {
            let (error_code, message) = (ErrorCode::UnknownPublication, Text::from("no such publication"));
            self.tell(&Event::Error(OnError { offending_correlation_id, error_code, message }));
        }
        !known
    }

    /// Whether the client has a heartbeat counter, and what it says.
    pub(super) fn heartbeat_of(&self, client_id: ClientId) -> Option<i64> {
        self.reader().value(*self.clients.get(&client_id.get())?)
    }

    pub(super) fn heartbeat_counter_of(&self, client_id: ClientId) -> Option<CounterId> {
        self.clients.get(&client_id.get()).copied()
    }

    /// Resources that no client has given back: publications, subscriptions and counters.
    pub(super) fn resources(&self) -> (usize, usize, usize) {
        (self.publications.len(), self.subscriptions.len(), self.own_counters.len())
    }

    /// Moves every publication's limit to half a term beyond its slowest subscriber.
    pub(super) fn move_limits(&mut self) {
        for (id, publication) in &self.publications {
            let positions = self.subscriptions.values().filter_map(|subscription| subscription.images.get(id));
            let slowest = positions.filter_map(|counter| self.counters.reader().value(*counter)).min();
            let limit = slowest.map_or(0, |position| position + (32 << 10));
            self.counters.value(publication.limit).unwrap().store_release(limit);
            publication.log.metadata().set_connected(slowest.is_some());
        }
    }

    /// Ends one image of one subscription.
    pub(super) fn end_image(&mut self, subscription: i64, publication: i64) {
        self.tell(&Event::UnavailableImage(OnUnavailableImage {
            image_correlation_id: CorrelationId::new(publication),
            subscription_registration_id: RegistrationId::new(subscription),
            stream_id: self.subscriptions[&subscription].stream_id,
            channel: Text::from("aeron:ipc"),
        }));
        let counter = self.subscriptions.get_mut(&subscription).unwrap().images.remove(&publication).unwrap();
        self.counters.free(self.now, counter);
    }

    /// Has the publication's subscribers leave it and join it again at a position, as untethered ones do that were too slow: with
    /// the same image and the same position counter.
    pub(super) fn rejoin_image(&mut self, publication: i64, at: Position) {
        for (id, subscription) in &mut self.subscriptions {
            let Some(counter) = subscription.images.remove(&publication) else { continue };
            let gone = Event::UnavailableImage(OnUnavailableImage {
                image_correlation_id: CorrelationId::new(publication),
                subscription_registration_id: RegistrationId::new(*id),
                stream_id: subscription.stream_id,
                channel: Text::from("aeron:ipc"),
            });
            tell(&mut self.events, &gone);
            self.counters.value(counter).unwrap().store_release(at.get());
            subscription.images.insert(publication, counter);
            tell(&mut self.events, &self.publications[&publication].announcement(publication, *id, counter));
        }
    }

    pub(super) fn log(&self, publication: i64) -> &LogBuffers {
        &self.publications[&publication].log
    }

    pub(super) fn log_path(&self, publication: i64) -> &std::path::Path {
        &self.publications[&publication].path
    }

    fn refused(&mut self, offending_correlation_id: CorrelationId, channel: Text<'_>) -> bool {
        let Some((part, error_code)) = self.refuse else { return false };
        let refused = channel.to_string().contains(part);
        if refused {
            let message = Text::from("not today");
            self.tell(&Event::Error(OnError { offending_correlation_id, error_code, message }));
        }
        refused
    }

    fn register(&mut self, client_id: ClientId) {
        if !self.clients.contains_key(&client_id.get()) {
            let spec = CounterSpec::client_heartbeat(client_id).starting_at(self.now.get());
            let counter_id = self.counters.allocate(self.now, &spec).unwrap();
            self.clients.insert(client_id.get(), counter_id);
            let registration_id = RegistrationId::new(client_id.get());
            self.tell(&Event::CounterReady(OnCounter { registration_id, counter_id }));
        }
    }

    fn add_publication(&mut self, id: i64, stream_id: StreamId, exclusive: bool) {
        let shared = self
            .publications
            .iter_mut()
            .find(|(_, publication)| !exclusive && !publication.exclusive && publication.stream_id == stream_id);
        let original = match shared {
            Some((original, publication)) => {
                publication.publishers.push(id);
                *original
            }
            None => {
                let session_id = SessionId::new(self.next_session);
                self.next_session += 1;
                let kind = if exclusive { LogKind::Exclusive } else { LogKind::Concurrent };
                let registration_id = RegistrationId::new(id);
                let term = TermId::new(7);
                let parameters = LogParameters::ipc(kind, TermLength::MIN, session_id, stream_id, term);
                let path = self.dir.path().join(format!("{id}.logbuffer"));
                let log = LogBuffers::create(&path, &parameters, 0o600, Reserve::Space, RawAccess::ENGINE).unwrap();
                let stream = Stream { registration_id, session_id, stream_id, channel: "aeron:ipc" };
                let spec = CounterSpec::stream(StreamCounter::PublisherLimit, &stream);
                let limit = self.counters.allocate(self.now, &spec).unwrap();
                let publishers = vec![id];
                let publication =
                    ScriptedPublication { log, path, exclusive, stream_id, session_id, limit, publishers };
                self.publications.insert(id, publication);
                id
            }
        };
        let publication = &self.publications[&original];
        let path = publication.path.to_str().unwrap().to_owned();
        let ready = OnPublicationReady {
            correlation_id: CorrelationId::new(id),
            registration_id: RegistrationId::new(original),
            session_id: publication.session_id,
            stream_id,
            limit_id: publication.limit,
            channel_status_id: CounterId::NONE,
            log_file: Text::from(path.as_str()),
        };
        self.tell(&if exclusive { Event::ExclusivePublicationReady(ready) } else { Event::PublicationReady(ready) });
        self.link_images();
    }

    fn remove_counter(&mut self, id: i64) {
        let Some(counter_id) = self.own_counters.remove(&id) else { return };
        let registration_id = RegistrationId::new(id);
        self.tell(&Event::UnavailableCounter(OnCounter { registration_id, counter_id }));
        self.counters.free(self.now, counter_id);
    }

    fn remove_subscription(&mut self, id: i64) {
        let removed = self.subscriptions.remove(&id);
        for counter in removed.into_iter().flat_map(|subscription| subscription.images.into_values()) {
            self.counters.free(self.now, counter);
        }
    }

    /// Takes one publisher of a publication away, and with the last one the publication.
    pub(super) fn remove_publication(&mut self, id: i64) {
        let Some((&original, publication)) =
            self.publications.iter_mut().find(|(_, publication)| publication.publishers.contains(&id))
        else {
            return;
        };
        publication.publishers.retain(|publisher| *publisher != id);
        if !publication.publishers.is_empty() {
            return;
        }
        let linked: Vec<i64> = self
            .subscriptions
            .iter()
            .filter(|(_, subscription)| subscription.images.contains_key(&original))
            .map(|(id, _)| *id)
            .collect();
        for subscription in linked {
            self.end_image(subscription, original);
        }
        let publication = self.publications.remove(&original).unwrap();
        self.counters.free(self.now, publication.limit);
        std::fs::remove_file(&publication.path).unwrap();
    }

    fn link_images(&mut self) {
        let mut events = Vec::new();
        for (subscription_id, subscription) in &mut self.subscriptions {
            for (publication_id, publication) in &self.publications {
                if publication.stream_id != subscription.stream_id || subscription.images.contains_key(publication_id) {
                    continue;
                }
                let registration_id = RegistrationId::new(*subscription_id);
                let (session_id, stream_id) = (publication.session_id, publication.stream_id);
                let stream = Stream { registration_id, session_id, stream_id, channel: "aeron:ipc" };
                let image = RegistrationId::new(*publication_id);
                let join = publication.log.producer_position();
                let spec = CounterSpec::subscriber_position(&stream, image, join);
                let counter = self.counters.allocate(self.now, &spec).unwrap();
                assert_eq!(self.counters.reader().value(counter), Some(Position::get(join)));
                subscription.images.insert(*publication_id, counter);
                events.push((*publication_id, *subscription_id, counter));
            }
        }
        for (publication_id, subscription_id, counter) in events {
            let publication = &self.publications[&publication_id];
            tell(&mut self.events, &publication.announcement(publication_id, subscription_id, counter));
        }
    }
}

/// A client with its driver, and the clocks of both.
pub(super) struct Rig {
    pub(super) core: Arc<ClientCore>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) driver: Arc<Mutex<ScriptedDriver>>,
    /// Whether the finder finds a driver.
    pub(super) findable: Arc<Mutex<bool>>,
    pub(super) told: Arc<Mutex<Vec<String>>>,
}

struct Finder {
    driver: Arc<Mutex<ScriptedDriver>>,
    findable: Arc<Mutex<bool>>,
}

impl FindDriver for Finder {
    fn find(&mut self, _: MonotonicNanos, _: EpochMillis) -> Result<Found, ConnectError> {
        Ok(if *self.findable.lock().unwrap() {
            Found::Driver(Box::new(self.driver.lock().unwrap().link()))
        } else {
            Found::NotYet(Missing::Heartbeat(None))
        })
    }
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(|settings| settings)
    }

    pub(super) fn with(change: impl FnOnce(ConductorSettings) -> ConductorSettings) -> Self {
        let settings = change(ConductorSettings {
            driver_timeout_ns: LIVENESS.as_nanos() as i64,
            keepalive_interval_ns: 500_000_000,
            check_interval_ns: 16_000_000,
            resource_linger_ns: 3_000_000_000,
            client_name: "rig".to_owned(),
            reconnect_in_place: false,
            pre_touch_mapped_memory: false,
        });
        let (start, start_ms) = (MonotonicNanos::new(1), EpochMillis::new(START_MS));
        let clock = Arc::new(ManualClock::new(start, start_ms));
        let driver = Arc::new(Mutex::new(ScriptedDriver::new(100, start_ms)));
        let findable = Arc::new(Mutex::new(true));
        let finder = Finder { driver: Arc::clone(&driver), findable: Arc::clone(&findable) };
        let open = Box::new(|path: &std::path::Path| LogBuffers::open(path, FileAccess::ReadWrite, RawAccess::ENGINE));
        let link = driver.lock().unwrap().link();
        let conductor = Conductor::new(settings, link, Box::new(finder), open, start);
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = || {
            let told = Arc::clone(&told);
            move |what: String| told.lock().unwrap().push(what)
        };
        let (event, error, available, unavailable) = (tell(), tell(), tell(), tell());
        let (counter, no_counter, frame, closed) = (tell(), tell(), tell(), tell());
        let context = Context::new()
            .on_event(move |what| event(what.to_string()))
            .on_error(move |what| error(format!("error: {what}")))
            .on_available_image(move |image| available(format!("image {}", image.correlation_id())))
            .on_unavailable_image(move |image| unavailable(format!("no image {}", image.correlation_id())))
            .on_available_counter(move |what| counter(format!("counter {}", what.counter_id)))
            .on_unavailable_counter(move |what| no_counter(format!("no counter {}", what.counter_id)))
            .on_publication_error(move |what| {
                let through = match what.destination_registration_id.get() {
                    -1 => String::new(),
                    id => format!(" through {id}"),
                };
                frame(format!("{}: {}{through}", what.registration_id, what.message));
            })
            .on_close(move || closed("closed".to_owned()));
        let core = ClientCore::new(conductor, context.handlers, Box::new(Arc::clone(&clock)), false, None);
        Self { core: Arc::new(core), clock, driver, findable, told }
    }

    pub(super) fn driver(&self) -> MutexGuard<'_, ScriptedDriver> {
        self.driver.lock().unwrap()
    }

    /// Lets time pass, with a driver that beats and a conductor that runs.
    pub(super) fn pass(&self, time: Duration) {
        let step = Duration::from_millis(100);
        let mut left = time;
        while !left.is_zero() {
            let now = left.min(step);
            left -= now;
            self.clock.advance_ns(now.as_nanos() as i64);
            let now_ms = crate::time::Clock::epoch(&self.clock);
            self.driver().beat(now_ms);
            self.settle();
        }
    }

    /// Lets time pass for everybody while nothing runs.
    pub(super) fn stop_for(&self, time: Duration) {
        self.clock.advance_ns(time.as_nanos() as i64);
    }

    /// Runs client and driver until both have nothing to do.
    pub(super) fn settle(&self) {
        while self.core.service() + self.driver().serve() > 0 {}
    }

    /// What the handlers were told since the last time.
    pub(super) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// Replaces the driver by another run of it.
    pub(super) fn restart_driver(&self) {
        let now_ms = crate::time::Clock::epoch(&self.clock);
        *self.driver() = ScriptedDriver::new(200, now_ms);
    }

    pub(super) fn ask<T>(&self, wanted: super::conductor::Wanted) -> Pending<T> {
        Pending::new(Arc::clone(&self.core), self.core.add(wanted).unwrap())
    }

    pub(super) fn add<T: Handle>(&self, wanted: super::conductor::Wanted) -> T {
        let pending = self.ask(wanted);
        self.settle();
        pending.wait().unwrap()
    }
}

/// How many bytes of this process's mappings of a file are in memory.
pub(super) fn resident(path: &Path) -> usize {
    let smaps = std::fs::read_to_string("/proc/self/smaps").expect("Linux tells");
    let mut is_it = false;
    let mut kilobytes = 0;
    for line in smaps.lines() {
        if line.split(' ').next().is_some_and(|range| range.contains('-')) {
            is_it = line.ends_with(path.to_str().expect("a path of text"));
        } else if let Some(rss) = line.strip_prefix("Rss:").filter(|_| is_it) {
            kilobytes += rss.trim().trim_end_matches(" kB").parse::<usize>().expect("a number");
        }
    }
    kilobytes << 10
}
