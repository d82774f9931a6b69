//! Creates transports, and a pair of endpoints to test them with.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use gannet::time::{Clock, MonotonicNanos, SystemClock};
use gannet_driver::channel::NetworkInterface;
use gannet_driver::config::TransportName;
use gannet_driver::io::interfaces::network_interfaces;
use gannet_driver::io::transport::socket::{SocketOptions, SocketTransport};
use gannet_driver::io::transport::{
    Datagram, LossPlan, LossyTransport, Sockets, Transport, UringTransport, choose, open,
};
use gannet_driver::mailbox::{
    Completion, Content, EndpointId, EndpointSpec, InlineFrame, LocalInterface, Transmit, TransmitBatch, TransmitTag,
};
use gannet_driver::sim::{SimNetwork, SimSockets, SimTransport, Weather};

/// Creates transports of one kind.
pub(crate) trait Host {
    type Transport: Transport;

    /// What this system lacks for such a transport. `None` if it can be used.
    fn missing(&self) -> Option<String> {
        None
    }

    /// An interface with an IPv6 address: the loopback interface, or one that takes multicast. Else the reason why there is
    /// none.
    fn ipv6_interface(&self, is_loopback: bool) -> Result<LocalInterface, String> {
        let all = network_interfaces().expect("the list of interfaces");
        let fits = |one: &&NetworkInterface| {
            let takes_it = if is_loopback { one.is_loopback } else { one.is_multicast && !one.is_loopback };
            one.is_up && one.address.is_ipv6() && takes_it
        };
        let found = all.iter().find(fits);
        let found = found.map(|one| LocalInterface { address: one.address, index: one.index });
        found.ok_or_else(|| {
            let kind = if is_loopback { "loopback interface" } else { "interface that takes multicast" };
            format!("no {kind} has an IPv6 address")
        })
    }

    fn transport(&self) -> Self::Transport;

    /// Opens sockets. Also returns their addresses.
    fn open(&self, spec: &EndpointSpec) -> (<Self::Transport as Transport>::Sockets, SocketAddr);
}

fn open_sockets(spec: &EndpointSpec) -> (Sockets, SocketAddr) {
    let sockets = open(spec).expect("sockets");
    let local = sockets.opened().local;
    (sockets, local)
}

#[derive(Clone, Copy)]
pub(crate) struct SocketHost(pub(crate) SocketOptions);

impl Host for SocketHost {
    type Transport = SocketTransport;

    fn transport(&self) -> SocketTransport {
        SocketTransport::new(self.0).expect("a transport")
    }

    fn open(&self, spec: &EndpointSpec) -> (Sockets, SocketAddr) {
        open_sockets(spec)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct UringHost(pub(crate) SocketOptions);

impl Host for UringHost {
    type Transport = UringTransport;

    fn missing(&self) -> Option<String> {
        static REASON: OnceLock<Option<String>> = OnceLock::new();
        REASON.get_or_init(|| choose(TransportName::IoUring).err().map(|error| error.to_string())).clone()
    }

    fn transport(&self) -> UringTransport {
        UringTransport::new(self.0).expect("a transport")
    }

    fn open(&self, spec: &EndpointSpec) -> (Sockets, SocketAddr) {
        open_sockets(spec)
    }
}

/// A simulated network without faults.
#[derive(Clone)]
pub(crate) struct SimHost(SimNetwork);

impl SimHost {
    pub(crate) fn new() -> Self {
        let network = SimNetwork::new(1, Weather::NONE);
        // A time in this century.
        network.set_now(1_700_000_000_000_000_000);
        Self(network)
    }
}

impl Host for SimHost {
    type Transport = SimTransport;

    fn ipv6_interface(&self, _: bool) -> Result<LocalInterface, String> {
        Ok(LocalInterface { address: Ipv6Addr::LOCALHOST.into(), index: 1 })
    }

    fn transport(&self) -> SimTransport {
        SimTransport::new(&self.0)
    }

    fn open(&self, spec: &EndpointSpec) -> (SimSockets, SocketAddr) {
        let sockets = SimSockets::open(&self.0, spec).expect("sockets");
        let local = sockets.opened().local;
        (sockets, local)
    }
}

/// A transport behind one that injects losses but has none configured.
#[derive(Clone, Copy)]
pub(crate) struct LossyHost<H>(pub(crate) H);

impl<H: Host> Host for LossyHost<H> {
    type Transport = LossyTransport<H::Transport, SystemClock>;

    fn missing(&self) -> Option<String> {
        self.0.missing()
    }

    fn ipv6_interface(&self, is_loopback: bool) -> Result<LocalInterface, String> {
        self.0.ipv6_interface(is_loopback)
    }

    fn transport(&self) -> Self::Transport {
        LossyTransport::new(self.0.transport(), Some(LossPlan::default()), SystemClock)
    }

    fn open(&self, spec: &EndpointSpec) -> (<H::Transport as Transport>::Sockets, SocketAddr) {
        self.0.open(spec)
    }
}

/// A datagram that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) endpoint: EndpointId,
    pub(crate) from: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// A transport, with its completions and datagrams so far.
pub(crate) struct Station<'a, H: Host> {
    host: &'a H,
    pub(crate) transport: H::Transport,
    pub(crate) done: Vec<Completion>,
    pub(crate) arrived: Vec<Arrived>,
    batch: TransmitBatch,
}

pub(crate) fn id(number: u32) -> EndpointId {
    EndpointId::new(number)
}

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A loopback address that no other test uses, so that its ports stay free when they are released.
pub(crate) fn own_loopback() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, 128 | NEXT.fetch_add(1, Ordering::Relaxed), high, low], 0))
}

impl<'a, H: Host> Station<'a, H> {
    pub(crate) fn new(host: &'a H) -> Self {
        Self {
            host,
            transport: host.transport(),
            done: Vec::new(),
            arrived: Vec::new(),
            batch: TransmitBatch::new(256),
        }
    }

    /// Opens an endpoint and returns its address.
    pub(crate) fn open(&mut self, number: u32, spec: &EndpointSpec) -> SocketAddr {
        let (sockets, local) = self.host.open(spec);
        self.transport.adopt(id(number), sockets).expect("an endpoint");
        local
    }

    pub(crate) fn send(&mut self, transmits: impl IntoIterator<Item = Transmit>) {
        for transmit in transmits {
            assert!(self.batch.push(transmit), "a batch that is long enough");
        }
        self.turn();
    }

    /// One duty cycle.
    pub(crate) fn turn(&mut self) {
        let (done, arrived) = (&mut self.done, &mut self.arrived);
        self.transport.send(&mut self.batch, |completion| done.push(completion));
        assert!(self.batch.is_empty());
        self.transport.receive(64, |Datagram { endpoint, from, bytes, .. }| {
            arrived.push(Arrived { endpoint, from, bytes: bytes.to_vec() });
        });
    }

    /// Runs duty cycles until `what` holds. Fails after three minutes.
    pub(crate) fn until(&mut self, what: impl Fn(&Self) -> bool) {
        let deadline = minutes();
        while !what(self) {
            assert!(SystemClock.monotonic() < deadline, "done {:?}, arrived {:?}", self.done.len(), self.arrived.len());
            self.turn();
            std::thread::yield_now();
        }
    }

    /// Runs duty cycles until everything submitted is completed and `count` datagrams have arrived.
    pub(crate) fn until_arrived(&mut self, count: usize) {
        self.until(|station| station.arrived.len() >= count);
    }

    pub(crate) fn until_done(&mut self, count: usize) {
        self.until(|station| station.done.len() >= count);
    }
}

fn minutes() -> MonotonicNanos {
    SystemClock.monotonic().saturating_add_ns(180_000_000_000)
}

/// A control frame of `length` bytes, all of this value.
pub(crate) fn control(endpoint: u32, to: SocketAddr, value: u8, length: usize) -> Transmit {
    let frame = InlineFrame::new(|bytes| {
        bytes[..length].fill(value);
        length
    });
    Transmit { endpoint: id(endpoint), to, content: Content::Frame(frame), tag: TransmitTag::Control }
}

/// A datagram of any length, tagged with its number.
pub(crate) fn tagged(endpoint: u32, to: SocketAddr, number: i64, bytes: Vec<u8>) -> Transmit {
    let tag = TransmitTag::Data { slot: 0, registration_id: 1.into(), position: number };
    Transmit { endpoint: id(endpoint), to, content: Content::Long(bytes.into()), tag }
}

pub(crate) fn number(completion: &Completion) -> i64 {
    match completion.tag {
        TransmitTag::Data { position, .. } => position,
        TransmitTag::Control => -1,
    }
}
