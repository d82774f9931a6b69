//! A lossy network between drivers: relays that forward datagrams each way, and drop some in each direction.

use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// One direction of a network. The seed determines which of its datagrams are lost.
struct Way {
    percent: u64,
    seed: u64,
    lost: Arc<AtomicU64>,
}

impl Way {
    fn new(percent: u64, seed: u64) -> Self {
        Self { percent, seed, lost: Arc::default() }
    }

    /// Decides about one datagram.
    fn takes(&mut self) -> bool {
        // A linear congruential generator, so that each run has the same losses.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let takes = (self.seed >> 33) % 100 < self.percent;
        self.lost.fetch_add(takes.into(), Ordering::Relaxed);
        takes
    }
}

/// Hears every datagram that goes one way, and says which of them do not arrive.
pub(crate) trait Tap: FnMut(&[u8]) -> bool + Send + 'static {}

impl<F: FnMut(&[u8]) -> bool + Send + 'static> Tap for F {}

/// Threads that forward what arrives at sockets. They end when this is dropped.
#[derive(Default)]
pub(crate) struct Forwarders {
    stops: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Forwarders {
    /// Hands every datagram that arrives, and its source, to `forward`.
    fn run(&mut self, from: UdpSocket, mut forward: impl FnMut(&[u8], SocketAddr) + Send + 'static) {
        from.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let stops = Arc::clone(&self.stops);
        self.threads.push(thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while !stops.load(Ordering::Relaxed) {
                let Ok((length, source)) = from.recv_from(&mut buffer) else { continue };
                forward(&buffer[..length], source);
            }
        }));
    }
}

impl Drop for Forwarders {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Forwards what arrives at the address that is returned to another one, and answers back to who sent last.
pub(crate) fn tapped(to: SocketAddr, mut forth: impl Tap, mut back: impl Tap) -> (SocketAddr, Forwarders) {
    let (front, through) = (local_socket(), local_socket());
    let address = front.local_addr().expect("an address");
    let sender = Arc::new(Mutex::new(None));
    let mut forwarders = Forwarders::default();
    let (asker, answers) = (Arc::clone(&sender), clone(&through));
    forwarders.run(clone(&front), move |datagram, source| {
        *asker.lock().expect("nobody panics with it") = Some(source);
        if !forth(datagram) {
            // An error because the receiver is gone is ignored, as in a network.
            let _ = through.send_to(datagram, to);
        }
    });
    forwarders.run(answers, move |datagram, _| {
        let to = *sender.lock().expect("nobody panics with it");
        if let Some(to) = to
            && !back(datagram)
        {
            let _ = front.send_to(datagram, to);
        }
    });
    (address, forwarders)
}

/// A relay at an address of its own.
pub(crate) struct Relay {
    address: SocketAddr,
    lost: [Arc<AtomicU64>; 2],
    _forwarders: Forwarders,
}

impl Relay {
    /// Forwards the datagrams that arrive at its address, except for `percent` of them each way.
    pub(crate) fn start(to: SocketAddr, percent: u64, seed: u64) -> Self {
        let (mut forth, mut back) = (Way::new(percent, seed), Way::new(percent, seed + 1));
        let lost = [Arc::clone(&forth.lost), Arc::clone(&back.lost)];
        let (address, forwarders) = tapped(to, move |_| forth.takes(), move |_| back.takes());
        Self { address, lost, _forwarders: forwarders }
    }

    /// The address of the relay.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The numbers of datagrams dropped: of those sent to its address, and of those sent back.
    pub(crate) fn lost(&self) -> [u64; 2] {
        self.lost.each_ref().map(|lost| lost.load(Ordering::Relaxed))
    }
}

/// The groups of sender and receivers. Their control addresses are the next ones.
const SENDERS_GROUP: Ipv4Addr = Ipv4Addr::new(224, 20, 30, 51);
const RECEIVERS_GROUPS: [Ipv4Addr; 2] = [Ipv4Addr::new(224, 20, 30, 61), Ipv4Addr::new(224, 20, 30, 71)];

/// Forwards from a sender's multicast group on this port to another group for each receiver, and from the control
/// addresses of those groups to that of the sender.
pub(crate) fn tapped_groups<const N: usize>(port: u16, ways: [(impl Tap, impl Tap); N]) -> Forwarders {
    let mut forwarders = Forwarders::default();
    // From the loopback address, hence to groups on the loopback interface.
    let out = local_socket();
    let mut forth = Vec::new();
    for (group, (there, mut back)) in RECEIVERS_GROUPS.into_iter().zip(ways) {
        forth.push((group, there));
        let through = clone(&out);
        forwarders.run(group_socket(control_of(group), port), move |datagram, _| {
            if !back(datagram) {
                let _ = through.send_to(datagram, (control_of(SENDERS_GROUP), port));
            }
        });
    }
    forwarders.run(group_socket(SENDERS_GROUP, port), move |datagram, _| {
        for (group, takes) in &mut forth {
            if !takes(datagram) {
                let _ = out.send_to(datagram, (*group, port));
            }
        }
    });
    forwarders
}

/// The channel of the sender.
pub(crate) fn senders_group(port: u16) -> String {
    format!("aeron:udp?endpoint={SENDERS_GROUP}:{port}|interface={LOOPBACK}")
}

/// The channels of the receivers.
pub(crate) fn receivers_groups(port: u16) -> [String; 2] {
    RECEIVERS_GROUPS.map(|group| format!("aeron:udp?endpoint={group}:{port}|interface={LOOPBACK}"))
}

/// A relay between groups, from which each of two receivers gets different datagrams.
pub(crate) struct GroupRelay {
    lost: [[Arc<AtomicU64>; 2]; 2],
    _forwarders: Forwarders,
}

impl GroupRelay {
    /// Forwards between the groups on this port, except for `percent` of the datagrams each way.
    pub(crate) fn start(port: u16, percent: u64, seed: u64) -> Self {
        let ways = [0, 2].map(|more| [0, 1].map(|back| Way::new(percent, seed + more + back)));
        let lost = ways.each_ref().map(|both| both.each_ref().map(|way| Arc::clone(&way.lost)));
        let taps = ways.map(|[mut forth, mut back]| (move |_: &[u8]| forth.takes(), move |_: &[u8]| back.takes()));
        Self { lost, _forwarders: tapped_groups(port, taps) }
    }

    /// For each receiver, the numbers of datagrams dropped: of those for it, and of those from it.
    pub(crate) fn lost(&self) -> [[u64; 2]; 2] {
        self.lost.each_ref().map(|both| both.each_ref().map(|lost| lost.load(Ordering::Relaxed)))
    }
}

fn control_of(group: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(group) + 1)
}

fn local_socket() -> UdpSocket {
    UdpSocket::bind((LOOPBACK, 0)).expect("a socket")
}

/// A socket that hears a group on the loopback interface, beside others on the same port.
fn group_socket(group: Ipv4Addr, port: u16) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("a port that is shared");
    socket.bind(&SocketAddrV4::new(group, port).into()).expect("the group's address");
    socket.join_multicast_v4(&group, &LOOPBACK).expect("a member of the group");
    socket.into()
}

fn clone(socket: &UdpSocket) -> UdpSocket {
    socket.try_clone().expect("another name of the socket")
}
