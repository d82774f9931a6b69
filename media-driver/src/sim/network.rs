//! The network of a simulation: carries datagrams between addresses as its weather has it, all of it drawn from a seed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use fastrand::Rng;

/// What the network does to datagrams. Shares are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// The share that is lost.
    pub lost: f64,
    /// The share of the others that arrives twice.
    pub repeated: f64,
    /// The share in which one bit is flipped; those that UDP's own checksum would let through.
    pub corrupted: f64,
    /// How long a datagram takes, in nanoseconds: at least so long.
    pub least_delay_ns: i64,
    /// And at most so long: what was sent later may arrive earlier.
    pub most_delay_ns: i64,
}

impl Weather {
    /// Nothing goes wrong, and every datagram takes 50 µs.
    pub const FAIR: Self =
        Self { lost: 0.0, repeated: 0.0, corrupted: 0.0, least_delay_ns: 50_000, most_delay_ns: 50_000 };
}

/// The network.
#[derive(Debug)]
pub struct SimNetwork {
    random: Rng,
    weather: Weather,
    /// Datagrams on their way, by when they arrive and in which order they were sent.
    on_the_way: BTreeMap<(i64, u64), Packet>,
    number: u64,
    /// Hosts that are cut off from all others.
    cut_off: Vec<IpAddr>,
}

/// A datagram.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

impl SimNetwork {
    /// A network with this weather.
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self { random: Rng::with_seed(seed), weather, on_the_way: BTreeMap::new(), number: 0, cut_off: Vec::new() }
    }

    /// The weather changes.
    pub fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    /// Cuts a host off from all others: what is sent from or to it is lost.
    pub fn cut_off(&mut self, host: IpAddr) {
        self.cut_off.push(host);
    }

    /// Everybody reaches everybody again.
    pub fn heal(&mut self) {
        self.cut_off.clear();
    }

    /// Takes a datagram.
    pub(super) fn send(&mut self, now_ns: i64, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let is_cut = self.cut_off.iter().any(|host| *host == from.ip() || *host == to.ip());
        if is_cut || self.random.f64() < self.weather.lost {
            return;
        }
        let copies = 1 + usize::from(self.random.f64() < self.weather.repeated);
        for _ in 0..copies {
            let delay = self.random.i64(self.weather.least_delay_ns..=self.weather.most_delay_ns);
            let mut bytes = bytes.to_vec();
            if self.random.f64() < self.weather.corrupted
                && let Some(byte) = self.random.choice(&mut bytes)
            {
                *byte ^= 1 << self.random.u8(..8);
            }
            self.number += 1;
            self.on_the_way.insert((now_ns + delay, self.number), Packet { from, to, bytes });
        }
    }

    /// The next datagram that has arrived by now.
    pub(super) fn arrival(&mut self, now_ns: i64) -> Option<Packet> {
        let first = self.on_the_way.first_entry()?;
        (first.key().0 <= now_ns).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: u8) -> SocketAddr {
        ([10, 0, 0, host], 40_123).into()
    }

    fn arrivals(network: &mut SimNetwork) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| network.arrival(i64::MAX)).map(|packet| packet.bytes).collect()
    }

    #[test]
    fn a_fair_network_keeps_order() {
        let mut network = SimNetwork::new(1, Weather::FAIR);
        for number in 0..10 {
            network.send(number, address(1), address(2), &[number as u8]);
        }
        assert!(network.arrival(49_999).is_none());
        assert_eq!(arrivals(&mut network), (0..10).map(|number| vec![number]).collect::<Vec<_>>());
    }

    #[test]
    fn a_foul_one_does_what_it_says() {
        let weather = Weather { lost: 0.5, repeated: 0.5, most_delay_ns: 1_000_000, ..Weather::FAIR };
        let mut network = SimNetwork::new(1, weather);
        (0..1000_u16).for_each(|number| network.send(0, address(1), address(2), &number.to_le_bytes()));
        let found = arrivals(&mut network);
        assert!((600..900).contains(&found.len()), "{}", found.len());
        assert!(!found.is_sorted());
    }

    #[test]
    fn a_host_that_is_cut_off_hears_nothing() {
        let mut network = SimNetwork::new(1, Weather::FAIR);
        network.cut_off(address(2).ip());
        network.send(0, address(1), address(2), b"lost");
        network.send(0, address(2), address(1), b"lost");
        network.send(0, address(1), address(3), b"fine");
        network.heal();
        network.send(0, address(1), address(2), b"again");
        assert_eq!(arrivals(&mut network), [b"fine".to_vec(), b"again".to_vec()]);
    }
}
