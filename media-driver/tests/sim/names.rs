//! Whole drivers with name resolution: streams go where names lead, on a network with losses, and follow a driver that
//! moves.

use std::net::{IpAddr, SocketAddr};

use gannet::channel_uri::HostAndPort;
use gannet::counters::SystemCounter;
use gannet::types::StreamId;
use gannet_driver::resolver::{GossipConfig, ResolverConfig};
use gannet_driver::sim::{Awake, SimClient, SimDriver, SimNetwork, Weather};

use crate::raw_access::RAW;

const STREAM: StreamId = StreamId::new(1001);
const MILLI: i64 = 1_000_000;
const PORT: u16 = 8050;

struct World {
    network: SimNetwork,
    now_ns: i64,
    hosts: Vec<(SimDriver, SimClient)>,
}

/// The settings of a driver with this name, which announces itself to the one at `first`.
pub(crate) fn gossip(host: IpAddr, name: &str, first: &str) -> ResolverConfig {
    ResolverConfig::Gossip(Box::new(GossipConfig {
        name: name.to_owned(),
        local: SocketAddr::new(host, PORT),
        bootstrap: HostAndPort::parse(first).into_iter().collect(),
        mtu: 1408,
        neighbor_timeout_ns: 10_000 * MILLI,
        self_interval_ns: 1_000 * MILLI,
        neighbor_interval_ns: 2_000 * MILLI,
        bootstrap_interval_ns: 10_000 * MILLI,
        max_names: 100,
        max_neighbors: 100,
    }))
}

impl World {
    fn new(weather: Weather) -> Self {
        Self { network: SimNetwork::new(7, weather), now_ns: 1_000 * MILLI, hosts: Vec::new() }
    }

    /// A driver with this name on host `10.0.0.last`, which announces itself to the one on host 1 first.
    fn add(&mut self, last: u8, name: &str) {
        let host = IpAddr::from([10, 0, 0, last]);
        let seed = u64::from(last);
        let driver = SimDriver::new(host, &self.network, seed, RAW, |config| {
            config.resolver = gossip(host, name, &format!("10.0.0.1:{PORT}"));
        });
        let client = SimClient::new(&driver);
        self.hosts.push((driver, client));
    }

    fn turn(&mut self) {
        self.now_ns += MILLI;
        self.network.set_now(self.now_ns);
        for (driver, client) in &mut self.hosts {
            driver.turn(self.now_ns, Awake::ALL);
            client.turn(self.now_ns, driver);
        }
    }

    /// Advances time until the condition holds. Fails after a minute.
    fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let deadline = self.now_ns + 60_000 * MILLI;
        while !holds(self) {
            assert!(self.now_ns < deadline, "no {what}");
            self.turn();
        }
    }

    /// The first host publishes, and the one at `to` reads, until `count` messages have arrived there.
    fn stream(&mut self, to: usize, count: usize) {
        let mut arrived = 0;
        self.until("messages", |world| {
            if let Some(publication) = world.hosts[0].1.publications.first_mut() {
                // Refused while nothing listens.
                let _ = publication.appender.offer(b"message");
            }
            for image in &mut world.hosts[to].1.images {
                arrived += image.reader.poll(|fragment| assert_eq!(fragment.payload(), b"message"), 10);
            }
            arrived >= count
        });
    }

    fn knows(&self, host: usize, names: i64) -> bool {
        let counters = self.hosts[host].0.counters();
        let mut found = 0;
        counters.for_each(|counter| {
            if counter.label.to_string().starts_with("Resolver cache entries") {
                found = counter.value;
            }
        });
        found >= names
    }
}

#[test]
fn a_stream_follows_a_driver_that_moves() {
    let mut world = World::new(Weather { lost: 0.05, ..Weather::FAIR });
    world.add(1, "near");
    world.add(2, "far");
    world.until("names", |world| world.knows(0, 1) && world.knows(1, 1));
    let channel = "aeron:udp?endpoint=far:40123|term-length=64k";
    world.hosts[1].1.add_subscription(channel, STREAM);
    world.hosts[0].1.add_publication(channel, STREAM);
    world.stream(1, 100);
    assert_eq!(world.hosts[0].0.system(SystemCounter::ResolutionChanges), 0);
    // The far driver is gone, and starts again elsewhere with the same name.
    world.hosts.pop();
    world.add(3, "far");
    world.until("names", |world| world.knows(1, 1));
    world.hosts[1].1.add_subscription(channel, STREAM);
    world.stream(1, 100);
    assert_eq!(world.hosts[0].0.system(SystemCounter::ResolutionChanges), 1);
    for (driver, client) in &world.hosts {
        assert_eq!((driver.errors(), client.refusals.len()), (Vec::new(), 0));
    }
}

/// A name that no driver has does not resolve in a simulation.
#[test]
fn a_name_that_nobody_tells_is_refused() {
    let mut world = World::new(Weather::FAIR);
    world.add(1, "near");
    world.hosts[0].1.add_publication("aeron:udp?endpoint=nobody:40123", STREAM);
    world.until("refusal", |world| !world.hosts[0].1.refusals.is_empty());
    let (_, reason) = &world.hosts[0].1.refusals[0];
    assert!(reason.contains("nobody"), "{reason}");
}
