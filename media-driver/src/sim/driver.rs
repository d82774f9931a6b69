//! A driver of a simulation: its three agents, and everything around them in memory. Logs are memory of this process, names are not
//! resolved, sockets are entries of a table.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use gannet::broadcast::Transmitter;
use gannet::counters::{CounterSpec, CountersManager, CountersReader, SystemCounter, SystemLabels};
use gannet::logbuffer::{LogBuffers, committed};
use gannet::memory::AtomicBuffer;
use gannet::reports::{ErrorLog, ErrorLogReader, LossReport, LossReportReader};
use gannet::ringbuffer::{ManyToOneRingBuffer, RingConsumer};
use gannet::time::{EpochMillis, MonotonicNanos};

use super::network::{Packet, SimNetwork};
use crate::channel::{NetworkInterface, SocketDefaults, Surroundings, UdpChannel};
use crate::conductor::{Conductor, ConductorConfig, ConductorParts};
use crate::mailbox::{
    Completion, Content, EndpointError, EndpointId, OpenEndpoint, Reply, Request, ResolveChannel, Side, TransmitBatch,
};
use crate::receiver::Receiver;
use crate::sender::Sender;

const RING_CAPACITY: usize = 1 << 16;
const COUNTERS: usize = 1024;
/// How many datagrams an agent hands over in one turn.
const BATCH: usize = 64;
/// The first port that is given to whoever leaves the choice to the system.
const FIRST_PORT: u16 = 50_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A driver on a host of its own.
#[derive(Debug)]
pub struct SimDriver {
    host: IpAddr,
    conductor: Conductor,
    sender: Sender,
    receiver: Receiver,
    batch: TransmitBatch,
    sockets: HashMap<SocketAddr, Socket>,
    bound: HashMap<EndpointId, SocketAddr>,
    next_port: u16,
    logs: HashMap<PathBuf, LogBuffers>,
    commands: AtomicBuffer,
    events: AtomicBuffer,
    counters: CountersReader,
    errors: AtomicBuffer,
    losses: AtomicBuffer,
}

#[derive(Clone, Copy, Debug)]
struct Socket {
    side: Side,
    id: EndpointId,
    /// The only address that it hears, as a connected socket does.
    only: Option<SocketAddr>,
}

impl SimDriver {
    /// A driver on this host. `seed` is what its random choices start from.
    ///
    /// # Panics
    ///
    /// Never: its buffers are of sizes that fit.
    pub fn new(host: IpAddr, seed: u64, change: impl FnOnce(&mut ConductorConfig)) -> Self {
        let mut config = ConductorConfig { seed, ..ConductorConfig::default() };
        config.logs.low_space_warning = 0;
        change(&mut config);
        let commands = AtomicBuffer::heap(RING_CAPACITY + 768);
        let events = AtomicBuffer::heap(RING_CAPACITY + 128);
        let (metadata, values) = (AtomicBuffer::heap(512 * COUNTERS), AtomicBuffer::heap(128 * COUNTERS));
        let errors = AtomicBuffer::heap(1 << 20);
        let losses = AtomicBuffer::heap(1 << 16);
        let mut manager =
            CountersManager::new(metadata, values, Duration::from_secs(1)).expect("regions of sizes that fit");
        let labels = SystemLabels {
            version: "0",
            commit: "0",
            threading_mode: "INVOKER",
            resolver_name: "",
            conductor_threshold: "1s",
            sender_threshold: "1s",
            receiver_threshold: "1s",
            resolver_threshold: "5s",
        };
        for counter in SystemCounter::ALL {
            manager.allocate(EpochMillis::new(0), &CounterSpec::system(counter, &labels)).expect("room for all");
        }
        let counters = manager.reader();
        let conductor = Conductor::new(
            config,
            ConductorParts {
                commands: RingConsumer::new(&commands).expect("a ring of a size that fits"),
                events: Transmitter::new(&events).expect("a broadcast of a size that fits"),
                counters: manager,
                errors: ErrorLog::new(errors.clone()),
                losses: LossReport::new(losses.clone()),
            },
        );
        let network_counters = conductor.network_counters();
        let this = Self {
            host,
            sender: Sender::new(network_counters.clone()),
            receiver: Receiver::new(network_counters, seed),
            conductor,
            batch: TransmitBatch::new(BATCH),
            sockets: HashMap::new(),
            bound: HashMap::new(),
            next_port: FIRST_PORT,
            logs: HashMap::new(),
            commands,
            events,
            counters,
            errors,
            losses,
        };
        // As a driver does at start: 0 is no client's id.
        this.ring().next_correlation_id();
        this
    }

    /// Its host.
    pub fn host(&self) -> IpAddr {
        self.host
    }

    /// One turn of the conductor, the sender and the receiver.
    pub fn turn(&mut self, now_ns: i64, network: &mut SimNetwork) {
        self.conduct(now_ns);
        let now = MonotonicNanos::new(now_ns);
        while let Some(command) = self.conductor.poll_sender_command() {
            self.sender.on_command(now, command);
        }
        self.sender.poll_transmit(now, &mut self.batch);
        self.send(now_ns, network);
        while let Some(event) = self.sender.next_event() {
            self.conductor.on_sender_event(event);
        }
        while let Some(command) = self.conductor.poll_receiver_command() {
            self.receiver.on_command(now, command);
        }
        self.receiver.poll_transmit(now, &mut self.batch);
        self.send(now_ns, network);
        while let Some(event) = self.receiver.next_event() {
            self.conductor.on_receiver_event(event);
        }
    }

    /// A datagram has arrived at its host.
    pub(super) fn take(&mut self, now_ns: i64, packet: &Packet) {
        let Some(socket) = self.sockets.get(&packet.to) else { return };
        if socket.only.is_some_and(|only| only != packet.from) {
            return;
        }
        let now = MonotonicNanos::new(now_ns);
        match socket.side {
            Side::Send => self.sender.on_datagram(now, socket.id, packet.from, &packet.bytes),
            Side::Receive => self.receiver.on_datagram(now, socket.id, packet.from, &packet.bytes),
        }
    }

    /// The log in a file that an event names.
    pub(super) fn log(&self, path: &str) -> Option<&LogBuffers> {
        self.logs.get(&PathBuf::from(path))
    }

    /// Its counters, as clients see them.
    pub fn counters(&self) -> &CountersReader {
        &self.counters
    }

    /// What it counts.
    pub fn system(&self, counter: SystemCounter) -> i64 {
        self.counters.value(counter.id()).unwrap_or(0)
    }

    /// What is in its error log.
    pub fn errors(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let reader = ErrorLogReader::new(self.errors.clone());
        // Nobody else writes to it.
        let _ = reader.for_each(EpochMillis::new(0), |entry| texts.push(entry.text.clone()));
        texts
    }

    /// How many bytes its images have missed, by its loss report.
    pub fn bytes_lost(&self) -> i64 {
        let mut bytes = 0;
        // Nobody else writes to it.
        let _ = LossReportReader::new(self.losses.clone()).for_each(|observation| bytes += observation.bytes_lost);
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

    /// How many logs and sockets it has.
    pub fn held(&self) -> (usize, usize) {
        (self.logs.len(), self.sockets.len())
    }

    /// The ring that its clients put commands into.
    pub(super) fn ring(&self) -> ManyToOneRingBuffer {
        ManyToOneRingBuffer::new(&self.commands).expect("a ring of a size that fits")
    }

    /// The buffer that it tells its clients things in.
    pub(super) fn broadcast(&self) -> &AtomicBuffer {
        &self.events
    }

    fn conduct(&mut self, now_ns: i64) {
        self.conductor.do_work(MonotonicNanos::new(now_ns), EpochMillis::new(now_ns / NANOS_PER_MILLI));
        while let Some(request) = self.conductor.poll_request() {
            let reply = self.execute(request);
            self.conductor.on_reply(reply);
        }
    }

    fn execute(&mut self, request: Request) -> Reply {
        match request {
            Request::CreateLog(request) => {
                let log = LogBuffers::heap(&request.parameters);
                self.logs.insert(request.path, log.clone());
                Reply::LogCreated { registration_id: request.registration_id, log, space_left: None }
            }
            Request::DeleteLog(request) => {
                self.logs.remove(&request.path);
                Reply::LogDeleted { registration_id: request.registration_id }
            }
            Request::ResolveChannel(request) => {
                Reply::ChannelResolved { id: request.id, channel: self.resolve(&request).map(Box::new) }
            }
            Request::OpenEndpoint(request) => match self.open(&request) {
                Ok(local) => Reply::EndpointOpened { id: request.id, local },
                Err(error) => Reply::EndpointNotOpened { id: request.id, error },
            },
            Request::Reconnect(_, id, to) => {
                let socket = self.bound.get(&id).and_then(|address| self.sockets.get_mut(address));
                if let Some(only) = socket.and_then(|socket| socket.only.as_mut()) {
                    *only = to;
                }
                Reply::Reconnected { id }
            }
            Request::CloseEndpoint(_, id) => {
                if let Some(address) = self.bound.remove(&id) {
                    self.sockets.remove(&address);
                }
                Reply::EndpointClosed { id }
            }
        }
    }

    /// Finds out what a channel means on this host, which has one interface.
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
        let surroundings = Surroundings { interfaces: &[only], resolve: &|_| None, unique: request.unique };
        Ok(UdpChannel::new(&request.uri, request.usage, &surroundings)?)
    }

    fn open(&mut self, request: &OpenEndpoint) -> Result<SocketAddr, EndpointError> {
        let mut local = request.bind;
        if local.ip().is_unspecified() {
            local.set_ip(self.host);
        }
        if local.port() == 0 {
            self.next_port += 1;
            local.set_port(self.next_port);
        }
        if local.ip() != self.host {
            return Err(EndpointError::System(format!("{local} is not an address of {}", self.host)));
        }
        let defaults = SocketDefaults { connect: true, ..SocketDefaults::default() };
        let only = match request.side {
            Side::Send => request.channel.send_endpoint(local, &defaults).connect,
            Side::Receive => None,
        };
        if self.sockets.contains_key(&local) {
            return Err(EndpointError::System(format!("{local} is in use")));
        }
        self.sockets.insert(local, Socket { side: request.side, id: request.id, only });
        self.bound.insert(request.id, local);
        Ok(local)
    }

    /// Gives the network what an agent has handed out, and tells the sender what became of it.
    fn send(&mut self, now_ns: i64, network: &mut SimNetwork) {
        for transmit in self.batch.drain() {
            let from = self.bound.get(&transmit.endpoint).copied();
            let bytes = match &transmit.content {
                Content::Frame(frame) => Some(frame.as_bytes()),
                Content::Long(bytes) => Some(&bytes[..]),
                Content::Log { log, position, length } => committed(log, *position, *length),
            };
            if let (Some(from), Some(bytes)) = (from, bytes) {
                network.send(now_ns, from, transmit.to, bytes);
            }
            let sent = from.is_some() && bytes.is_some();
            self.sender.on_completion(Completion { tag: transmit.tag, sent });
        }
    }
}
