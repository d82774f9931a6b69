//! A conductor driven by hand: its buffers are in this process's memory, its clock is a number, and its requests are
//! executed when the test says so. Events are shown as text, one line each, so that a test states which events clients
//! get and in which order.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use gannet::broadcast::Receiver;
use gannet::command::{
    AddCounter, AddPublication, AddStaticCounter, AddSubscription, ClientClose, ClientKeepalive, Command, Event,
    GetNextAvailableSessionId, RejectImage, RemoveCounter, RemovePublication, RemoveSubscription, TerminateDriver,
    Text,
};
use gannet::counters::{CounterRecord, CountersReader, SystemCounter};
use gannet::logbuffer::{
    ConcurrentAppender, ExclusiveAppender, ImageReader, LOG_METADATA_LENGTH, LogBuffers, OfferError,
};
use gannet::memory::{AtomicBuffer, FileAccess, MappedFile, OwnedWord};
use gannet::reports::ErrorLogReader;
use gannet::ringbuffer::ManyToOneRingBuffer;
use gannet::time::{EpochMillis, MonotonicNanos};
use gannet::types::{ClientId, CorrelationId, CounterId, Position, RegistrationId, StreamId};
use gannet_driver::channel::{NetworkInterface, Surroundings, UdpChannel};
use gannet_driver::conductor::{Conductor, ConductorConfig};
use gannet_driver::io::log_files;
use gannet_driver::mailbox::{EndpointId, Reply, Request};
use gannet_driver::sim::parts;
use tempfile::TempDir;

use crate::raw_access::RAW;

/// The default stream id of tests.
pub(crate) const STREAM: StreamId = StreamId::new(1001);

/// Small terms, so that tests wrap quickly.
pub(crate) const IPC: &str = "aeron:ipc?term-length=64k";

const MILLISECOND_NS: i64 = 1_000_000;
/// The initial time of the clocks.
const START_MS: i64 = 1_000_000;

/// The driver's conductor with its surroundings.
pub(crate) struct Driver {
    pub(crate) conductor: Conductor,
    pub(crate) ring: ManyToOneRingBuffer,
    pub(crate) counters: CountersReader,
    receiver: Receiver,
    errors: AtomicBuffer,
    /// The monotonic clock.
    now_ms: i64,
    /// The offset of the wall clock.
    step_ms: i64,
    /// Requests that wait until the test executes them.
    held: Option<Vec<Request>>,
    /// Whether only requests for new logs wait.
    holds_logs_only: bool,
    /// Lookups that the name server has not answered.
    unanswered: Option<Vec<Request>>,
    /// The open sockets.
    pub(crate) sockets: HashSet<EndpointId>,
    /// The addresses of names, if there is a network.
    pub(crate) names: Option<HashMap<&'static str, IpAddr>>,
    directory: TempDir,
}

/// A client's record of a publication.
pub(crate) struct AddedPublication {
    /// The correlation id of the command.
    pub(crate) correlation: CorrelationId,
    /// The registration id of the publication.
    pub(crate) original: RegistrationId,
    pub(crate) session: i32,
    pub(crate) limit: CounterId,
    pub(crate) path: PathBuf,
}

/// A client's record of an image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) correlation: i64,
    pub(crate) session: i32,
    pub(crate) subscription: RegistrationId,
    pub(crate) position: CounterId,
    pub(crate) path: PathBuf,
}

impl Driver {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A driver whose settings the test changes.
    pub(crate) fn with(change: impl FnOnce(&mut ConductorConfig)) -> Self {
        Self::with_counters(1024, change)
    }

    /// A driver on a machine with the interfaces 127.0.0.1, which `localhost` resolves to, and 127.0.0.2.
    pub(crate) fn with_network() -> Self {
        let mut driver = Self::with(|_| {});
        driver.names = Some(HashMap::from([("localhost", Ipv4Addr::LOCALHOST.into())]));
        driver
    }

    /// A driver with room for that many counters.
    pub(crate) fn with_counters(capacity: usize, change: impl FnOnce(&mut ConductorConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = ConductorConfig { seed: 42, ..Default::default() };
        config.logs.directory = directory.path().to_owned();
        config.logs.images = directory.path().to_owned();
        config.logs.low_space_warning = None;
        change(&mut config);
        let (parts, memory) = parts(capacity, EpochMillis::new(START_MS), RAW);
        let mut driver = Self {
            conductor: Conductor::new(config, parts),
            ring: memory.ring,
            counters: memory.counters,
            receiver: Receiver::new(&memory.events).unwrap(),
            errors: memory.errors,
            now_ms: START_MS,
            step_ms: 0,
            held: None,
            holds_logs_only: false,
            unanswered: None,
            sockets: HashSet::new(),
            names: None,
            directory,
        };
        driver.cycle();
        driver
    }

    pub(crate) fn correlation(&self) -> CorrelationId {
        self.ring.next_correlation_id()
    }

    pub(crate) fn client(&self) -> ClientId {
        ClientId::new(self.correlation().get())
    }

    /// Runs one duty cycle at the present time, and returns its work count.
    pub(crate) fn cycle(&mut self) -> usize {
        let now = MonotonicNanos::new(self.now_ms * MILLISECOND_NS);
        let work = self.conductor.do_work(now, EpochMillis::new(self.now_ms()));
        while let Some(request) = self.conductor.poll_request() {
            match &request {
                Request::OpenEndpoint(open) => assert!(self.sockets.insert(open.id)),
                Request::CloseEndpoint(_, id) => assert!(self.sockets.remove(id)),
                _ => {}
            }
            match (&mut self.held, &mut self.unanswered) {
                (Some(held), _) if !self.holds_logs_only || matches!(request, Request::CreateLog(_)) => {
                    held.push(request);
                }
                (_, Some(unanswered)) if request.asks_system() => unanswered.push(request),
                _ => self.conductor.on_reply(execute(self.names.as_ref(), request)),
            }
        }
        work
    }

    /// Runs duty cycles until there is no more work.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.cycle() == 0 {
                return;
            }
        }
        panic!("the conductor never rests");
    }

    /// Writes a command into the ring.
    pub(crate) fn send(&mut self, command: &Command<'_>) {
        let mut bytes = vec![0; command.encoded_length()];
        command.encode(&mut bytes).unwrap();
        self.send_raw(command.type_id(), &bytes);
    }

    /// Writes arbitrary bytes into the ring.
    pub(crate) fn send_raw(&mut self, type_id: i32, bytes: &[u8]) {
        self.ring.write(type_id, bytes).unwrap();
    }

    /// Sends a command, has it processed, and returns the events for clients in order.
    pub(crate) fn run(&mut self, command: &Command<'_>) -> Vec<String> {
        self.send(command);
        self.settle();
        self.events()
    }

    /// The events for clients since the last call.
    pub(crate) fn events(&mut self) -> Vec<String> {
        self.events_with(show)
    }

    /// The same in another form.
    pub(crate) fn events_with<T>(&mut self, mut show: impl FnMut(&Event<'_>) -> T) -> Vec<T> {
        let mut shown = Vec::new();
        loop {
            let received = self
                .receiver
                .receive(|type_id, bytes| shown.push(show(&Event::decode(type_id, bytes).expect("a sound event"))))
                .expect("tests keep up");
            if received == 0 {
                return shown;
            }
        }
    }

    /// Advances time in steps of at most a tick, with a tick and its consequences in each.
    pub(crate) fn pass_ms(&mut self, ms: i64) {
        self.pass_with(ms, |_| {});
    }

    /// The same, with a call before each step, for example to store heartbeats.
    pub(crate) fn pass_with(&mut self, ms: i64, mut before: impl FnMut(&mut Self)) {
        let end = self.now_ms + ms;
        while self.now_ms < end {
            before(self);
            self.now_ms = end.min(self.now_ms + 100);
            self.settle();
        }
    }

    /// Advances time, with a single duty cycle after it.
    pub(crate) fn pass_briefly_ms(&mut self, ms: i64) {
        self.now_ms += ms;
        self.cycle();
    }

    /// The time of the wall clock.
    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms + self.step_ms
    }

    pub(crate) fn step_wall_clock_ms(&mut self, step_ms: i64) {
        self.step_ms += step_ms;
    }

    /// Makes requests wait from now on.
    pub(crate) fn hold_requests(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Makes requests for new logs wait from now on.
    pub(crate) fn hold_logs(&mut self) {
        self.hold_requests();
        self.holds_logs_only = true;
    }

    /// The number of waiting requests.
    pub(crate) fn held(&self) -> usize {
        self.held.as_ref().map_or(0, Vec::len)
    }

    /// Executes the newest waiting request.
    pub(crate) fn release_newest_request(&mut self) {
        let request = self.held.as_mut().and_then(Vec::pop).expect("a request that waits");
        self.conductor.on_reply(execute(self.names.as_ref(), request));
        self.settle();
    }

    /// Executes all waiting requests, and makes none wait from now on.
    pub(crate) fn release_requests(&mut self) {
        for request in self.held.take().unwrap_or_default() {
            self.conductor.on_reply(execute(self.names.as_ref(), request));
        }
        self.settle();
    }

    /// Takes the waiting requests, for the test to answer.
    pub(crate) fn answer_requests(&mut self, answer: impl FnMut(Request) -> Reply) {
        for reply in self.held.take().unwrap_or_default().into_iter().map(answer) {
            self.conductor.on_reply(reply);
        }
        self.settle();
    }

    /// Makes the name server silent from now on.
    pub(crate) fn silence_names(&mut self) {
        self.unanswered.get_or_insert_default();
    }

    /// The number of lookups that the name server has not answered.
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered.as_ref().map_or(0, Vec::len)
    }

    /// Answers the newest lookup.
    pub(crate) fn answer_name(&mut self) {
        let request = self.unanswered.as_mut().and_then(Vec::pop).expect("a lookup");
        self.conductor.on_reply(execute(self.names.as_ref(), request));
        self.settle();
    }

    /// Answers the oldest lookup.
    pub(crate) fn answer_oldest_name(&mut self) {
        let unanswered = self.unanswered.as_mut().expect("lookups wait");
        let request = unanswered.remove(0);
        self.conductor.on_reply(execute(self.names.as_ref(), request));
        self.settle();
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The names of the existing log files.
    pub(crate) fn log_files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The labels of all counters except the system counters, with their values.
    pub(crate) fn counter_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.counters.for_each(|counter| {
            if counter.id.get() >= SystemCounter::ALL.len() as i32 {
                lines.push(format!("{}: {} = {}", counter.id, counter.label, counter.value));
            }
        });
        lines
    }

    pub(crate) fn counter(&self, id: CounterId) -> CounterRecord {
        self.counters.get(id).expect("an allocated counter")
    }

    pub(crate) fn value(&self, id: CounterId) -> i64 {
        self.counters.value(id).expect("an allocated counter")
    }

    pub(crate) fn word(&self, id: CounterId) -> OwnedWord<i64> {
        self.counters.own_value(id, RAW).expect("an allocated counter")
    }

    pub(crate) fn system(&self, counter: SystemCounter) -> i64 {
        self.value(counter.id())
    }

    /// The texts in the error log.
    pub(crate) fn error_texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let reader = ErrorLogReader::new(self.errors.clone());
        reader.for_each(EpochMillis::new(0), |entry| texts.push(entry.text.clone())).unwrap();
        texts
    }

    // Actions of clients.

    pub(crate) fn add_publication_command<'a>(
        &self,
        client: ClientId,
        channel: &'a str,
        exclusive: bool,
    ) -> Command<'a> {
        let body = AddPublication {
            client_id: client,
            correlation_id: self.correlation(),
            stream_id: STREAM,
            channel: Text::from(channel),
        };
        if exclusive { Command::AddExclusivePublication(body) } else { Command::AddPublication(body) }
    }

    pub(crate) fn add_subscription_command<'a>(&self, client: ClientId, channel: &'a str) -> Command<'a> {
        Command::AddSubscription(AddSubscription {
            client_id: client,
            correlation_id: self.correlation(),
            stream_id: STREAM,
            channel: Text::from(channel),
        })
    }

    /// Adds a publication, and discards other events.
    pub(crate) fn add_publication(&mut self, client: ClientId, channel: &str) -> AddedPublication {
        self.added_publication(client, channel, false)
    }

    pub(crate) fn add_exclusive_publication(&mut self, client: ClientId, channel: &str) -> AddedPublication {
        self.added_publication(client, channel, true)
    }

    /// Adds a publication, and leaves other events to the test.
    pub(crate) fn add_exclusive_publication_keeping_events(&mut self, client: ClientId, channel: &str) {
        let command = self.add_publication_command(client, channel, true);
        self.send(&command);
        self.settle();
    }

    fn added_publication(&mut self, client: ClientId, channel: &str, exclusive: bool) -> AddedPublication {
        let command = self.add_publication_command(client, channel, exclusive);
        self.events();
        self.send(&command);
        self.settle();
        let mut added = None;
        let shown = self.events_with(|event| {
            if let Event::PublicationReady(ready) | Event::ExclusivePublicationReady(ready) = event {
                added = Some(AddedPublication {
                    correlation: ready.correlation_id,
                    original: ready.registration_id,
                    session: ready.session_id.get(),
                    limit: ready.limit_id,
                    path: PathBuf::from(ready.log_file.to_string()),
                });
            }
            show(event)
        });
        added.unwrap_or_else(|| panic!("no publication: {shown:?}"))
    }

    /// Adds a subscription and returns its images. Discards other events.
    pub(crate) fn add_subscription(&mut self, client: ClientId, channel: &str) -> (RegistrationId, Vec<Image>) {
        let command = self.add_subscription_command(client, channel);
        self.events();
        self.send(&command);
        self.settle();
        (command.correlation_id().registration(), self.images())
    }

    /// The images that were announced since the last call for events.
    pub(crate) fn images(&mut self) -> Vec<Image> {
        let images = self.events_with(|event| match event {
            Event::AvailableImage(image) => Some(Image {
                correlation: image.image_correlation_id.get(),
                session: image.session_id.get(),
                subscription: image.subscription_registration_id,
                position: image.subscriber_position_id,
                path: PathBuf::from(image.log_file.to_string()),
            }),
            _ => None,
        });
        images.into_iter().flatten().collect()
    }

    pub(crate) fn remove_publication(
        &mut self,
        client: ClientId,
        registration: RegistrationId,
        revoke: bool,
    ) -> Vec<String> {
        self.run(&self.remove_publication_command(client, registration, revoke))
    }

    pub(crate) fn remove_publication_command(
        &self,
        client: ClientId,
        registration: RegistrationId,
        revoke: bool,
    ) -> Command<'static> {
        Command::RemovePublication(RemovePublication {
            client_id: client,
            correlation_id: self.correlation(),
            registration_id: registration,
            revoke,
        })
    }

    pub(crate) fn remove_subscription(&mut self, client: ClientId, registration: RegistrationId) -> Vec<String> {
        self.run(&self.remove_subscription_command(client, registration))
    }

    pub(crate) fn remove_subscription_command(
        &self,
        client: ClientId,
        registration: RegistrationId,
    ) -> Command<'static> {
        Command::RemoveSubscription(RemoveSubscription {
            client_id: client,
            correlation_id: self.correlation(),
            registration_id: registration,
        })
    }

    pub(crate) fn add_counter(&mut self, client: ClientId, key: &[u8], label: &[u8]) -> (RegistrationId, Vec<String>) {
        let correlation_id = self.correlation();
        let label = Text::new(label);
        let events =
            self.run(&Command::AddCounter(AddCounter { client_id: client, correlation_id, type_id: 1101, key, label }));
        (correlation_id.registration(), events)
    }

    pub(crate) fn add_static_counter(
        &mut self,
        client: ClientId,
        registration: RegistrationId,
        label: &str,
    ) -> Vec<String> {
        self.run(&Command::AddStaticCounter(AddStaticCounter {
            client_id: client,
            correlation_id: self.correlation(),
            registration_id: registration,
            type_id: 1101,
            key: &[],
            label: Text::from(label),
        }))
    }

    pub(crate) fn remove_counter(&mut self, client: ClientId, registration: RegistrationId) -> Vec<String> {
        self.run(&Command::RemoveCounter(RemoveCounter {
            client_id: client,
            correlation_id: self.correlation(),
            registration_id: registration,
        }))
    }

    pub(crate) fn reject_image(&mut self, image: i64, reason: &str) -> Vec<String> {
        self.reject_image_keeping_events(image, reason);
        self.events()
    }

    /// The same, and leaves the events to the test.
    pub(crate) fn reject_image_keeping_events(&mut self, image: i64, reason: &str) {
        self.send(&Command::RejectImage(RejectImage {
            client_id: ClientId::new(0),
            correlation_id: CorrelationId::new(0),
            image_correlation_id: CorrelationId::new(image),
            position: Position::new(0),
            reason: Text::from(reason),
        }));
        self.settle();
    }

    pub(crate) fn next_session_id(&mut self, client: ClientId) -> Vec<String> {
        self.run(&Command::GetNextAvailableSessionId(GetNextAvailableSessionId {
            client_id: client,
            correlation_id: self.correlation(),
            stream_id: STREAM,
        }))
    }

    pub(crate) fn close_client(&mut self, client: ClientId) -> Vec<String> {
        self.run(&Command::ClientClose(ClientClose { client_id: client, correlation_id: CorrelationId::new(-1) }))
    }

    pub(crate) fn keepalive(&mut self, client: ClientId) -> Vec<String> {
        let correlation_id = self.correlation();
        self.run(&Command::ClientKeepalive(ClientKeepalive { client_id: client, correlation_id }))
    }

    pub(crate) fn terminate(&mut self, token: &[u8]) -> Vec<String> {
        let (client_id, correlation_id) = (self.client(), self.correlation());
        self.run(&Command::TerminateDriver(TerminateDriver { client_id, correlation_id, token }))
    }

    /// Sends the client's keepalive.
    pub(crate) fn beat(&self, client: ClientId) {
        self.beat_at(client, self.now_ms());
    }

    pub(crate) fn beat_at(&self, client: ClientId, now_ms: i64) {
        let heartbeat = self.counters.find(11, RegistrationId::new(client.get())).expect("a heartbeat counter");
        self.word(heartbeat).store_release(now_ms);
    }

    /// The actions of a publisher in another process.
    pub(crate) fn publisher(&self, publication: &AddedPublication) -> ConcurrentAppender {
        ConcurrentAppender::new(&open(&publication.path), self.word(publication.limit)).unwrap()
    }

    pub(crate) fn exclusive_publisher(&self, publication: &AddedPublication) -> ExclusiveAppender {
        ExclusiveAppender::new(&open(&publication.path), self.word(publication.limit)).unwrap()
    }

    /// The actions of a subscriber in another process.
    pub(crate) fn reader(&self, image: &Image) -> ImageReader {
        ImageReader::new(open(&image.path), self.word(image.position))
    }
}

/// The address of the machine's second interface.
const OTHER_LOOPBACK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Executes a request. Without `names` there is no network.
fn execute(names: Option<&HashMap<&'static str, IpAddr>>, request: Request) -> Reply {
    let Some(names) = names else { return log_files::execute(request, RAW) };
    match request {
        Request::ResolveChannel(request) => {
            let loopback = NetworkInterface {
                name: "lo".to_owned(),
                index: 1,
                address: Ipv4Addr::LOCALHOST.into(),
                prefix_length: 8,
                is_up: true,
                is_loopback: true,
                is_multicast: false,
            };
            let resolve = |name: &str| request.address_of(name, |name| names.get(name).copied());
            let other = NetworkInterface { name: "lo1".to_owned(), address: OTHER_LOOPBACK.into(), ..loopback.clone() };
            let around = Surroundings { interfaces: &[loopback, other], resolve: &resolve, unique: request.unique };
            let channel = UdpChannel::new(&request.uri, request.usage, &around);
            let channel = channel.map(Box::new).map_err(Into::into);
            Reply::ChannelResolved { id: request.id, channel, lookups_ns: vec![1_000] }
        }
        Request::OpenEndpoint(request) => {
            let mut local = request.bind;
            if local.port() == 0 {
                local.set_port(50_000);
            }
            Reply::EndpointOpened { id: request.id, local }
        }
        request => log_files::execute(request, RAW),
    }
}

/// The log as another process maps it.
pub(crate) fn open(path: &Path) -> LogBuffers {
    LogBuffers::open(path, FileAccess::ReadWrite, RAW).unwrap()
}

/// The words of a log's metadata, for changes that no honest process makes.
pub(crate) fn metadata(path: &Path) -> AtomicBuffer {
    let file = MappedFile::open(path, 1, FileAccess::ReadWrite).unwrap().into_view(RAW);
    file.slice(file.len() - LOG_METADATA_LENGTH, LOG_METADATA_LENGTH)
}

/// Publishes messages of this length until there is no room.
pub(crate) fn fill(publisher: &ConcurrentAppender, length: usize) {
    loop {
        match publisher.offer(&vec![0xAB; length]) {
            Ok(_) | Err(OfferError::AdminAction) => {}
            Err(OfferError::BackPressured) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads everything available.
pub(crate) fn drain(reader: &mut ImageReader) -> usize {
    std::iter::from_fn(|| Some(reader.poll(|_| {}, 100)).filter(|count| *count > 0)).sum()
}

/// An event as one line. Session ids and paths differ between runs, so they are left out.
pub(crate) fn show(event: &Event<'_>) -> String {
    match event {
        Event::Error(e) => format!("error {} for {}: {}", e.error_code.get(), e.offending_correlation_id, e.message),
        Event::AvailableImage(e) => format!(
            "available image {} for {} #{} from {}",
            e.image_correlation_id, e.subscription_registration_id, e.subscriber_position_id, e.source_identity
        ),
        Event::UnavailableImage(e) => {
            format!("unavailable image {} for {}", e.image_correlation_id, e.subscription_registration_id)
        }
        Event::PublicationReady(e) => format!(
            "publication {} of {} limit #{} status {}",
            e.correlation_id, e.registration_id, e.limit_id, e.channel_status_id
        ),
        Event::ExclusivePublicationReady(e) => format!(
            "exclusive publication {} of {} limit #{} status {}",
            e.correlation_id, e.registration_id, e.limit_id, e.channel_status_id
        ),
        Event::OperationSuccess(e) => format!("success {}", e.correlation_id),
        Event::SubscriptionReady(e) => format!("subscription {} status {}", e.correlation_id, e.channel_status_id),
        Event::CounterReady(e) => format!("counter {} #{}", e.registration_id, e.counter_id),
        Event::UnavailableCounter(e) => format!("unavailable counter {} #{}", e.registration_id, e.counter_id),
        Event::ClientTimeout(e) => format!("client timeout {}", e.client_id),
        Event::StaticCounter(e) => format!("static counter for {} #{}", e.correlation_id, e.counter_id),
        Event::PublicationError(e) => format!(
            "publication error {} on {} from {}: {}",
            e.error_code.get(),
            e.registration_id,
            e.source.map_or_else(|| "unknown".to_owned(), |source| source.to_string()),
            e.message
        ),
        Event::NextAvailableSessionId(e) => format!("session id for {}", e.correlation_id),
    }
}
