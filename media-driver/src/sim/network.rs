//! The network of a simulation: sockets of any number of hosts, and datagrams between them, whose delays and losses are
//! derived from a seed. The value is a handle; clones refer to the same network.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use crate::mailbox::{EndpointSpec, OpenedEndpoint};

/// The default size of a socket's receive buffer in bytes.
const BUFFER: usize = 1 << 20;
/// The first port for sockets with port 0.
const FIRST_PORT: u16 = 50_000;

/// The behaviour of the network. Shares are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// The share of lost datagrams.
    pub lost: f64,
    /// The share of the others that arrives twice.
    pub repeated: f64,
    /// The share in which one bit is flipped.
    pub corrupted: f64,
    /// Whether corrupted datagrams arrive nevertheless. UDP's checksum rejects nearly all of them.
    pub corruption_arrives: bool,
    /// The share for which the send buffer is full, so that the sender is told that nothing was sent.
    pub refused: f64,
    /// The minimum delay of a datagram in nanoseconds.
    pub least_delay_ns: i64,
    /// The maximum delay in nanoseconds. Datagrams may overtake each other.
    pub most_delay_ns: i64,
}

impl Weather {
    /// No faults, and every datagram takes 50 µs.
    pub const FAIR: Self = Self {
        lost: 0.0,
        repeated: 0.0,
        corrupted: 0.0,
        corruption_arrives: false,
        refused: 0.0,
        least_delay_ns: 50_000,
        most_delay_ns: 50_000,
    };
    /// No faults, and no delays.
    pub const NONE: Self = Self { least_delay_ns: 0, most_delay_ns: 0, ..Self::FAIR };
}

/// The network.
#[derive(Clone, Debug)]
pub struct SimNetwork(Arc<Mutex<State>>);

/// The id of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SocketKey(u64);

#[derive(Debug)]
struct State {
    random: Rng,
    weather: Weather,
    now_ns: i64,
    sockets: Vec<Socket>,
    next_port: u16,
    /// The datagrams in flight, by arrival time and then by the order of sending.
    on_the_way: BTreeMap<(i64, u64), Packet>,
    number: u64,
    /// The pairs of hosts between which nothing is delivered, from the first to the second.
    cut: Vec<(IpAddr, IpAddr)>,
    lost: u64,
    tap: Option<Vec<Tapped>>,
}

/// A datagram that was sent, for observers.
#[derive(Clone, Debug)]
pub struct Tapped {
    /// When it was sent, in nanoseconds.
    pub at_ns: i64,
    /// The sender's address.
    pub from: SocketAddr,
    /// The destination.
    pub to: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
struct Socket {
    key: SocketKey,
    /// The source address that others see.
    from: SocketAddr,
    /// The address at which it receives: its own or a group's.
    hears: SocketAddr,
    /// The only address from which it receives, like a connected socket.
    only: Option<SocketAddr>,
    waiting: VecDeque<(SocketAddr, Vec<u8>, Option<i64>)>,
    room: usize,
    tells_time: bool,
}

#[derive(Clone, Debug)]
struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    /// The receiving host, for addresses with several receivers.
    host: IpAddr,
    bytes: Vec<u8>,
}

impl SimNetwork {
    /// A network with this behaviour.
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: Rng::with_seed(seed),
            weather,
            now_ns: 0,
            sockets: Vec::new(),
            next_port: FIRST_PORT,
            on_the_way: BTreeMap::new(),
            number: 0,
            cut: Vec::new(),
            lost: 0,
            tap: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the behaviour.
    pub fn set_weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// Sets the time.
    pub fn set_now(&self, now_ns: i64) {
        self.lock().now_ns = now_ns;
    }

    /// Drops all datagrams from `from` to `to`.
    pub fn cut(&self, from: IpAddr, to: IpAddr) {
        self.lock().cut.push((from, to));
    }

    /// Ends all such cuts.
    pub fn heal(&self) {
        self.lock().cut.clear();
    }

    /// The number of datagrams lost so far, for any reason.
    pub fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<i64> {
        self.lock().on_the_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// The addresses of all receiving sockets.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.lock().sockets.iter().map(|socket| socket.hears).collect()
    }

    /// Delivers a datagram to its sockets at once, with any sender address.
    pub fn inject(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let mut state = self.lock();
        let mut hosts: Vec<_> = state.sockets.iter().map(|socket| socket.from.ip()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        for host in hosts {
            state.arrive(&Packet { from, to, host, bytes: bytes.to_vec() });
        }
    }

    /// Starts recording everything that is sent, lost or not.
    pub fn listen_in(&self) {
        self.lock().tap = Some(Vec::new());
    }

    /// The datagrams that were recorded.
    pub fn overheard(&self) -> Vec<Tapped> {
        self.lock().tap.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Delivers the datagrams that have arrived by now. Returns how many.
    pub fn deliver(&self) -> usize {
        let mut state = self.lock();
        let now_ns = state.now_ns;
        let mut count = 0;
        while let Some(first) = state.on_the_way.first_entry().filter(|first| first.key().0 <= now_ns) {
            let packet = first.remove();
            state.arrive(&packet);
            count += 1;
        }
        count
    }

    pub(super) fn open(&self, spec: &EndpointSpec) -> Result<(SocketKey, OpenedEndpoint), io::ErrorKind> {
        let mut state = self.lock();
        let own_ip = spec.group.map_or(spec.bind.ip(), |group| group.interface.address);
        let own_port = match (spec.group, spec.connect) {
            // A socket that only receives a group sends from the group's port.
            (Some(group), None) => group.address.port(),
            (None, _) if spec.bind.port() != 0 => spec.bind.port(),
            _ => state.free_port(own_ip),
        };
        let from = SocketAddr::new(own_ip, own_port);
        let hears = spec.group.map_or(from, |group| group.address);
        if spec.group.is_none() && state.sockets.iter().any(|socket| socket.hears == hears) {
            return Err(io::ErrorKind::AddrInUse);
        }
        state.number += 1;
        let key = SocketKey(state.number);
        let room = if spec.receive_buffer == 0 { BUFFER } else { spec.receive_buffer };
        state.sockets.push(Socket {
            key,
            from,
            hears,
            only: spec.connect.filter(|_| spec.group.is_none()),
            waiting: VecDeque::new(),
            room,
            tells_time: spec.receive_timestamps,
        });
        let send_buffer = if spec.send_buffer == 0 { BUFFER } else { spec.send_buffer };
        Ok((key, OpenedEndpoint { local: hears, send_buffer, receive_buffer: room }))
    }

    pub(super) fn close(&self, key: SocketKey) {
        self.lock().sockets.retain(|socket| socket.key != key);
    }

    pub(super) fn reconnect(&self, key: SocketKey, to: SocketAddr) {
        let mut state = self.lock();
        if let Some(socket) = state.sockets.iter_mut().find(|socket| socket.key == key)
            && socket.only.is_some()
        {
            socket.only = Some(to);
        }
    }

    /// Sends a datagram to a host or to all members of a group. Returns false if there is no space for it.
    pub(super) fn send(&self, key: SocketKey, to: SocketAddr, bytes: &[u8]) -> bool {
        let mut state = self.lock();
        let Some(from) = state.sockets.iter().find(|socket| socket.key == key).map(|socket| socket.from) else {
            return false;
        };
        if state.weather.refused > 0.0 && state.random.f64() < state.weather.refused {
            return false;
        }
        let at_ns = state.now_ns;
        if let Some(tap) = &mut state.tap {
            tap.push(Tapped { at_ns, from, to, bytes: bytes.to_vec() });
        }
        if !to.ip().is_multicast() {
            state.send_to_host(from, to, to.ip(), bytes);
            return true;
        }
        let hears = |socket: &&Socket| socket.hears == to;
        let mut hosts: Vec<_> = state.sockets.iter().filter(hears).map(|socket| socket.from.ip()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        for host in hosts {
            state.send_to_host(from, to, host, bytes);
        }
        true
    }

    /// Takes the next datagram of a socket: the sender, the payload, and the receive timestamp if enabled.
    pub(super) fn receive(&self, key: SocketKey) -> Option<(SocketAddr, Vec<u8>, Option<i64>)> {
        let mut state = self.lock();
        let socket = state.sockets.iter_mut().find(|socket| socket.key == key)?;
        let found = socket.waiting.pop_front()?;
        socket.room += found.1.len();
        Some(found)
    }
}

impl State {
    fn free_port(&mut self, host: IpAddr) -> u16 {
        loop {
            self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
            let address = SocketAddr::new(host, self.next_port);
            if self.sockets.iter().all(|socket| socket.from != address) {
                return self.next_port;
            }
        }
    }

    fn send_to_host(&mut self, from: SocketAddr, to: SocketAddr, host: IpAddr, bytes: &[u8]) {
        if self.cut.contains(&(from.ip(), host)) || self.random.f64() < self.weather.lost {
            self.lost += 1;
            return;
        }
        let copies = 1 + usize::from(self.random.f64() < self.weather.repeated);
        for _ in 0..copies {
            let delay = self.random.i64(self.weather.least_delay_ns..=self.weather.most_delay_ns);
            let mut bytes = bytes.to_vec();
            if self.random.f64() < self.weather.corrupted {
                if !self.weather.corruption_arrives {
                    self.lost += 1;
                    continue;
                }
                if let Some(byte) = self.random.choice(&mut bytes) {
                    *byte ^= 1 << self.random.u8(..8);
                }
            }
            self.number += 1;
            self.on_the_way.insert((self.now_ns + delay, self.number), Packet { from, to, host, bytes });
        }
    }

    fn arrive(&mut self, packet: &Packet) {
        let now_ns = self.now_ns;
        for socket in &mut self.sockets {
            let is_its = socket.hears == packet.to
                && socket.from.ip() == packet.host
                && socket.only.is_none_or(|only| only == packet.from);
            if !is_its {
                continue;
            }
            if socket.room < packet.bytes.len() {
                self.lost += 1;
                continue;
            }
            socket.room -= packet.bytes.len();
            socket.waiting.push_back((packet.from, packet.bytes.clone(), socket.tells_time.then_some(now_ns)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::{Group, LocalInterface};

    fn address(host: u8) -> SocketAddr {
        ([10, 0, 0, host], 40_123).into()
    }

    /// A network, and a socket on each of three hosts.
    fn network(weather: Weather) -> (SimNetwork, [SocketKey; 3]) {
        let network = SimNetwork::new(1, weather);
        let keys = [1, 2, 3].map(|host| network.open(&EndpointSpec::unicast(address(host))).unwrap().0);
        (network, keys)
    }

    fn arrivals(network: &SimNetwork, key: SocketKey) -> Vec<Vec<u8>> {
        network.deliver();
        std::iter::from_fn(|| network.receive(key)).map(|(_, bytes, _)| bytes).collect()
    }

    #[test]
    fn a_fair_network_keeps_order() {
        let (network, [one, two, _]) = network(Weather::FAIR);
        for number in 0..10 {
            network.set_now(number);
            assert!(network.send(one, address(2), &[number as u8]));
        }
        network.set_now(49_999);
        assert!(arrivals(&network, two).is_empty());
        assert_eq!(network.next_arrival(), Some(50_000));
        network.set_now(60_000);
        assert_eq!(arrivals(&network, two), (0..10).map(|number| vec![number]).collect::<Vec<_>>());
    }

    #[test]
    fn a_foul_one_does_what_it_says() {
        let weather = Weather { lost: 0.5, repeated: 0.5, most_delay_ns: 1_000_000, ..Weather::FAIR };
        let (network, [one, two, _]) = network(weather);
        (0..1000_u16).for_each(|number| assert!(network.send(one, address(2), &number.to_le_bytes())));
        network.set_now(2_000_000);
        let found = arrivals(&network, two);
        assert!((600..900).contains(&found.len()), "{}", found.len());
        assert!(!found.is_sorted());
        assert!((400..600).contains(&network.lost()));
        network.set_weather(Weather { refused: 1.0, ..weather });
        assert!(!network.send(one, address(2), b"no room"));
    }

    #[test]
    fn what_is_corrupted_is_dropped_or_arrives_changed() {
        let (network, [one, two, _]) = network(Weather { corrupted: 1.0, ..Weather::NONE });
        network.send(one, address(2), b"sound");
        assert!(arrivals(&network, two).is_empty());
        network.set_weather(Weather { corrupted: 1.0, corruption_arrives: true, ..Weather::NONE });
        network.send(one, address(2), b"sound");
        let found = arrivals(&network, two).remove(0);
        let flipped: u32 = found.iter().zip(b"sound").map(|(found, sent)| (found ^ sent).count_ones()).sum();
        assert_eq!((found.len(), flipped), (5, 1));
    }

    #[test]
    fn a_group_is_heard_by_those_that_joined_and_are_not_cut_off() {
        let (network, [one, two, _]) = network(Weather::NONE);
        let group = SocketAddr::from(([224, 0, 1, 1], 40_123));
        let join = |host| {
            let interface = LocalInterface { address: address(host).ip(), index: 0 };
            let group = Some(Group { address: group, interface, ttl: 0 });
            network.open(&EndpointSpec { group, ..EndpointSpec::unicast(address(host)) }).unwrap().0
        };
        let (second, third) = (join(2), join(3));
        network.cut(address(1).ip(), address(3).ip());
        network.send(one, group, b"all");
        assert_eq!(arrivals(&network, second), [b"all".to_vec()]);
        assert!(arrivals(&network, third).is_empty() && arrivals(&network, two).is_empty());
    }

    #[test]
    fn what_is_cut_is_cut_one_way() {
        let (network, [one, two, _]) = network(Weather::NONE);
        network.cut(address(2).ip(), address(1).ip());
        network.send(two, address(1), b"lost");
        network.send(one, address(2), b"fine");
        network.heal();
        network.send(two, address(1), b"again");
        assert_eq!(arrivals(&network, one), [b"again".to_vec()]);
        assert_eq!(arrivals(&network, two), [b"fine".to_vec()]);
    }

    #[test]
    fn what_is_sent_is_overheard_lost_or_not() {
        let (network, [one, ..]) = network(Weather { lost: 1.0, ..Weather::NONE });
        network.listen_in();
        network.send(one, address(2), b"lost");
        let overheard = network.overheard();
        assert_eq!((overheard.len(), &overheard[0].bytes[..]), (1, &b"lost"[..]));
        assert!(network.overheard().is_empty());
    }
}
