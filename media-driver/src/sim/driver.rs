//! A simulated driver: its three agents, with everything around them in memory. Logs are memory of this process, the
//! only names are those of drivers, and sockets are entries of a table.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use gannet::counters::{CountersReader, SystemCounter};
use gannet::logbuffer::LogBuffers;
use gannet::memory::RawAccess;
use gannet::reports::{ErrorLogReader, LossReportReader};
use gannet::time::{EpochMillis, MonotonicNanos};
use gannet::types::RegistrationId;

use super::network::SimNetwork;
use super::parts::{SimMemory, parts};
use super::transport::{SimSockets, SimTransport};
use crate::channel::{NetworkInterface, SocketDefaults, Surroundings, UdpChannel};
use crate::conductor::{Conductor, ConductorConfig};
use crate::io::endpoints::plan;
use crate::io::transport::Transport;
use crate::mailbox::{
    Completion, EndpointError, EndpointId, EndpointSpec, OpenEndpoint, Reply, Request, ResolveChannel, Side,
    TransmitBatch,
};
use crate::receiver::Receiver;
use crate::resolver::{ResolverConfig, WORK_INTERVAL_NS};
use crate::sender::Sender;

const COUNTERS: usize = 1024;
/// The number of datagrams that an agent sends in one turn.
const BATCH: usize = 64;
const NANOS_PER_MILLI: i64 = 1_000_000;
/// The only endpoint of the transport for name resolution.
const RESOLVER: EndpointId = EndpointId::new(0);

/// A driver on its own host.
#[derive(Debug)]
pub struct SimDriver {
    host: IpAddr,
    conductor: Conductor,
    sender: Sender,
    receiver: Receiver,
    batch: TransmitBatch,
    network: SimNetwork,
    sending: SimTransport,
    receiving: SimTransport,
    /// The transport of name resolution, if it is used, and its next turn.
    resolving: SimTransport,
    gossip_due_ns: i64,
    logs: HashMap<PathBuf, LogBuffers>,
    /// Logs that are being created, and when each is ready.
    in_the_making: Vec<(i64, Request)>,
    /// The maximum time for creating a log in nanoseconds, and the random generator for it.
    slowest_log_ns: i64,
    log_times: fastrand::Rng,
    /// Completions that the sender has not received yet.
    unanswered: Vec<Completion>,
    answers_late: bool,
    /// The highest limit by which each publication has sent. Limits also fall, even before the turn ends.
    highest_limits: HashMap<RegistrationId, i64>,
    memory: SimMemory,
    raw: RawAccess,
}

/// The agents that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awake {
    /// The conductor.
    pub conductor: bool,
    /// The sender.
    pub sender: bool,
    /// The receiver.
    pub receiver: bool,
}

impl Awake {
    /// All agents.
    pub const ALL: Self = Self { conductor: true, sender: true, receiver: true };
}

impl SimDriver {
    /// A driver on this host of a network. `seed` is for its random choices. Its clients use its logs directly, without
    /// mappings of their own.
    ///
    /// # Panics
    ///
    /// If the port for name resolution is in use on its host. Its buffers have valid sizes.
    pub fn new(
        host: IpAddr,
        network: &SimNetwork,
        seed: u64,
        raw: RawAccess,
        change: impl FnOnce(&mut ConductorConfig),
    ) -> Self {
        let mut config = ConductorConfig { seed, ..ConductorConfig::default() };
        config.logs.low_space_warning = None;
        change(&mut config);
        let mut resolving = SimTransport::new(network);
        if let ResolverConfig::Gossip(gossip) = &config.resolver {
            let sockets = SimSockets::open(network, &EndpointSpec::unicast(gossip.local));
            let adopted = sockets.map(|sockets| resolving.adopt(RESOLVER, sockets));
            assert!(matches!(adopted, Ok(Ok(()))), "a port of its own to gossip at");
        }
        let (parts, memory) = parts(COUNTERS, EpochMillis::new(0), raw);
        let conductor = Conductor::new(config, parts);
        let network_counters = conductor.network_counters();
        Self {
            host,
            sender: Sender::new(network_counters.clone()),
            receiver: Receiver::new(network_counters, seed),
            conductor,
            batch: TransmitBatch::new(BATCH),
            network: network.clone(),
            sending: SimTransport::new(network),
            receiving: SimTransport::new(network),
            resolving,
            gossip_due_ns: 0,
            logs: HashMap::new(),
            in_the_making: Vec::new(),
            slowest_log_ns: 0,
            log_times: fastrand::Rng::with_seed(seed),
            unanswered: Vec::new(),
            answers_late: false,
            highest_limits: HashMap::new(),
            memory,
            raw,
        }
    }

    /// Sets whether datagrams complete in the following turn, as with io_uring.
    pub fn set_answers_late(&mut self, answers_late: bool) {
        self.answers_late = answers_late;
    }

    /// Makes the creation of each log take a random time up to this, in nanoseconds, so that a log may be ready before
    /// one that was requested earlier.
    pub fn set_slowest_log(&mut self, slowest_log_ns: i64) {
        self.slowest_log_ns = slowest_log_ns;
    }

    /// The driver's host.
    pub fn host(&self) -> IpAddr {
        self.host
    }

    /// Runs one turn of each agent that is awake.
    pub fn turn(&mut self, now_ns: i64, awake: Awake) {
        if awake.conductor {
            self.conduct(now_ns);
        }
        if awake.sender {
            self.turn_sender(MonotonicNanos::new(now_ns));
        }
        if awake.receiver {
            self.turn_receiver(MonotonicNanos::new(now_ns));
        }
    }

    fn turn_sender(&mut self, now: MonotonicNanos) {
        let Self { conductor, sender, sending, unanswered, batch, highest_limits, .. } = self;
        while let Some(command) = conductor.poll_sender_command() {
            sender.on_command(now, command);
        }
        unanswered.drain(..).for_each(|done| sender.on_completion(done));
        sending.receive(BATCH, |datagram| {
            sender.on_datagram(now, datagram.endpoint, datagram.from, datagram.bytes);
        });
        for publication in sender.publications() {
            let highest = highest_limits.entry(publication.registration_id()).or_insert(i64::MIN);
            *highest = publication.limit().max(*highest);
        }
        sender.poll_transmit(now, batch);
        sending.send(batch, |done| unanswered.push(done));
        if !self.answers_late {
            unanswered.drain(..).for_each(|done| sender.on_completion(done));
        }
        while let Some(event) = sender.next_event() {
            conductor.on_sender_event(event);
        }
    }

    fn turn_receiver(&mut self, now: MonotonicNanos) {
        let Self { conductor, receiver, receiving, batch, .. } = self;
        while let Some(command) = conductor.poll_receiver_command() {
            receiver.on_command(now, command);
        }
        receiving.receive(BATCH, |datagram| {
            receiver.on_datagram(now, datagram.endpoint, datagram.from, datagram.bytes);
        });
        receiver.poll_transmit(now, batch);
        // Nobody waits for the completion.
        receiving.send(batch, |_| {});
        while let Some(event) = receiver.next_event() {
            conductor.on_receiver_event(event);
        }
    }

    /// The highest limit by which a publication has sent.
    pub(super) fn highest_limit(&self, registration_id: RegistrationId) -> i64 {
        self.highest_limits.get(&registration_id).copied().unwrap_or(i64::MIN)
    }

    /// The log of a file in an event.
    pub(super) fn log(&self, path: &str) -> Option<&LogBuffers> {
        self.logs.get(&PathBuf::from(path))
    }

    /// The counters, as clients see them.
    pub fn counters(&self) -> &CountersReader {
        &self.memory.counters
    }

    /// The number of counters, without the system counters.
    pub fn counters_in_use(&self) -> usize {
        let mut found = 0;
        self.memory.counters.for_each(|_| found += 1);
        found - SystemCounter::ALL.len()
    }

    /// The value of a system counter.
    pub fn system(&self, counter: SystemCounter) -> i64 {
        self.memory.counters.value(counter.id()).unwrap_or(0)
    }

    /// The texts in its error log.
    pub fn errors(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let reader = ErrorLogReader::new(self.memory.errors.clone());
        // Nobody else writes to it.
        let _ = reader.for_each(EpochMillis::new(0), |entry| texts.push(entry.text.clone()));
        texts
    }

    /// The number of bytes that its images have lost, according to its loss report.
    pub fn bytes_lost(&self) -> i64 {
        let mut bytes = 0;
        // Nobody else writes to it.
        let _ =
            LossReportReader::new(self.memory.losses.clone()).for_each(|observation| bytes += observation.bytes_lost);
        bytes
    }

    /// Its sender, for checks.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Its receiver, for checks.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// The number of its logs and of its sockets.
    pub fn held(&self) -> (usize, usize) {
        (self.logs.len(), self.sending.endpoints() + self.receiving.endpoints())
    }

    /// The number of datagrams that its sockets have received.
    pub fn received(&self) -> u64 {
        [&self.sending, &self.receiving, &self.resolving].iter().map(|transport| transport.counts().received).sum()
    }

    /// Puts a command into the ring as a client would, valid or not. What the ring refuses is lost.
    pub fn command(&self, type_id: i32, bytes: &[u8]) {
        // The ring may be full, or refuse the type.
        let _ = self.memory.ring.write(type_id, bytes);
    }

    /// The memory that it shares with its clients.
    pub(super) fn memory(&self) -> &SimMemory {
        &self.memory
    }

    fn conduct(&mut self, now_ns: i64) {
        self.conductor.do_work(MonotonicNanos::new(now_ns), EpochMillis::new(now_ns / NANOS_PER_MILLI));
        while let Some(request) = self.conductor.poll_request() {
            if self.slowest_log_ns > 0 && matches!(request, Request::CreateLog(_)) {
                let takes_ns = self.log_times.i64(0..self.slowest_log_ns);
                self.in_the_making.push((now_ns + takes_ns, request));
            } else {
                self.answer(request);
            }
        }
        let made: Vec<_> = self.in_the_making.extract_if(.., |(due_ns, _)| now_ns >= *due_ns).collect();
        made.into_iter().for_each(|(_, request)| self.answer(request));
        if self.resolving.endpoints() > 0 && now_ns >= self.gossip_due_ns {
            self.gossip_due_ns = now_ns + WORK_INTERVAL_NS;
            self.gossip(MonotonicNanos::new(now_ns));
        }
    }

    fn answer(&mut self, request: Request) {
        let reply = self.execute(request);
        self.conductor.on_reply(reply);
    }

    fn gossip(&mut self, now: MonotonicNanos) {
        let Self { conductor, resolving, batch, .. } = self;
        resolving.receive(BATCH, |datagram| conductor.on_resolver_datagram(now, datagram.from, datagram.bytes));
        conductor.poll_resolver(now, RESOLVER, batch);
        // A lost datagram is sent again.
        resolving.send(batch, |_| {});
    }

    fn execute(&mut self, request: Request) -> Reply {
        match request {
            Request::CreateLog(request) => {
                let log = LogBuffers::heap(&request.parameters, self.raw);
                self.logs.insert(request.path, log.clone());
                Reply::LogCreated { registration_id: request.registration_id, log, space_left: None }
            }
            Request::DeleteLog(request) => {
                self.logs.remove(&request.path);
                Reply::LogDeleted { registration_id: request.registration_id }
            }
            Request::ResolveChannel(request) => {
                let channel = self.resolve(&request).map(Box::new);
                Reply::ChannelResolved { id: request.id, channel, lookups_ns: Vec::new() }
            }
            Request::ResolveHost(request) => Reply::HostResolved { index: request.index, address: None, lookup_ns: 0 },
            Request::OpenEndpoint(request) => match self.open(&request) {
                Ok(local) => Reply::EndpointOpened { id: request.id, local },
                Err(error) => Reply::EndpointNotOpened { id: request.id, error },
            },
            Request::Reconnect(side, id, to) => {
                if self.transport(side).reconnect(id, to) {
                    Reply::Reconnected { id }
                } else {
                    Reply::NotReconnected { id, to }
                }
            }
            Request::CloseEndpoint(side, id) => {
                self.transport(side).close(id);
                Reply::EndpointClosed { id }
            }
        }
    }

    /// Resolves a channel on this host, which has one interface.
    fn resolve(&self, request: &ResolveChannel) -> Result<UdpChannel, EndpointError> {
        let only = NetworkInterface {
            name: "sim0".to_owned(),
            index: 1,
            address: self.host,
            prefix_length: 24,
            is_up: true,
            is_loopback: false,
            is_multicast: true,
        };
        let resolve = |name: &str| request.address_of(name, |_| None);
        let surroundings = Surroundings { interfaces: &[only], resolve: &resolve, unique: request.unique };
        Ok(UdpChannel::new(&request.uri, request.usage, &surroundings)?)
    }

    fn open(&mut self, request: &OpenEndpoint) -> Result<SocketAddr, EndpointError> {
        let mut spec = plan(request, &SocketDefaults { connect: true, ..SocketDefaults::default() });
        if spec.bind.ip().is_unspecified() {
            // The host has no other address.
            spec.bind.set_ip(self.host);
        }
        if spec.group.is_none() && spec.bind.ip() != self.host {
            return Err(EndpointError::System(format!("{} is not an address of {}", spec.bind, self.host)));
        }
        let sockets =
            SimSockets::open(&self.network, &spec).map_err(|error| EndpointError::System(error.to_string()))?;
        let local = sockets.opened().local;
        let adopted = self.transport(request.side).adopt(request.id, sockets);
        adopted.map_err(|error| EndpointError::System(error.to_string()))?;
        Ok(local)
    }

    fn transport(&mut self, side: Side) -> &mut SimTransport {
        match side {
            Side::Send => &mut self.sending,
            Side::Receive => &mut self.receiving,
        }
    }
}
