//! A whole driver in memory, driven by the input: datagrams to its sockets, commands into its ring, messages, time.
//! Both targets include this file.

use gannet::counters::SystemCounter;
use gannet::protocol::{ResolutionEntry, ResolutionWriter};
use gannet::types::StreamId;
use gannet_driver::resolver::{GossipConfig, ResolverConfig};
use gannet_driver::sim::{Awake, SimClient, SimDriver, SimNetwork, Weather};
use std::net::{IpAddr, SocketAddr};

use crate::raw_access::RAW;

pub const STREAM: StreamId = StreamId::new(1001);
/// Limits on the logs, sockets and images that a driver may have because of the input.
const MOST: usize = 4096;

pub struct Rig {
    network: SimNetwork,
    driver: SimDriver,
    pub client: SimClient,
    now_ns: i64,
    /// The number of invalid datagrams that the driver had counted.
    invalid: i64,
    peer: SocketAddr,
}

/// The input, consumed from the front.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (first, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        first
    }
}

/// Small tables, so that they become full, and short periods.
fn gossip() -> GossipConfig {
    GossipConfig {
        name: "fuzzed".to_owned(),
        local: ([10, 0, 0, 1], 8050).into(),
        bootstrap: Vec::new(),
        mtu: 128,
        neighbor_timeout_ns: 2_000_000_000,
        self_interval_ns: 100_000_000,
        neighbor_interval_ns: 200_000_000,
        bootstrap_interval_ns: 1_000_000_000,
        max_names: 8,
        max_neighbors: 4,
    }
}

/// An announcement of another driver about itself and a third.
pub fn names() -> Vec<u8> {
    let mut bytes = [0; 128];
    let mut writer = ResolutionWriter::new(&mut bytes);
    for (is_self, last, name) in [(true, 2, &b"near"[..]), (false, 3, &b"far-away"[..])] {
        let address = IpAddr::from([10, 0, 0, last]);
        assert!(writer.add(&ResolutionEntry { is_self, address, port: 8050, age_ms: 10, name }));
    }
    let length = writer.finish();
    bytes[..length].to_vec()
}

impl Rig {
    pub fn new() -> Self {
        let network = SimNetwork::new(1, Weather::NONE);
        let driver = SimDriver::new([10, 0, 0, 1].into(), &network, 1, RAW, |config| {
            config.network.session_limit = 100;
            config.resolver = ResolverConfig::Gossip(Box::new(gossip()));
        });
        let client = SimClient::new(&driver);
        Self { network, driver, client, now_ns: 1_000_000_000, invalid: 0, peer: ([10, 0, 0, 2], 40_123).into() }
    }

    pub fn turn(&mut self, step_ns: i64) {
        self.now_ns += step_ns;
        self.network.set_now(self.now_ns);
        self.driver.turn(self.now_ns, Awake::ALL);
        self.client.turn(self.now_ns, &self.driver);
    }

    /// The rest of the input as datagrams. `template` is a valid frame, which the input changes.
    pub fn play(&mut self, mut input: Input<'_>, templates: &[Vec<u8>]) {
        let mut positions = Vec::new();
        while !input.0.is_empty() {
            match input.byte() % 8 {
                0 => {
                    let length = usize::from(input.byte());
                    self.inject(input.take(length));
                }
                1..=3 => {
                    let template = usize::from(input.byte());
                    let mut frame = templates[template % templates.len()].clone();
                    // Some of its bytes are changed, and its length may change.
                    for _ in 0..input.byte() % 4 {
                        let at = usize::from(input.byte()) % frame.len();
                        frame[at] = input.byte();
                    }
                    match input.byte() % 16 {
                        0 => frame.truncate(usize::from(input.byte()) % frame.len()),
                        1 => frame.resize(frame.len() + usize::from(input.byte()), 0xA5),
                        _ => {}
                    }
                    self.inject(&frame);
                }
                4 => self.turn(i64::from(input.byte()) * 1_000_000),
                5 => self.turn(i64::from(input.byte()) * 100_000_000),
                6 => {
                    let length = usize::from(input.byte()) * 40;
                    for publication in &mut self.client.publications {
                        // Most likely refused because of a limit.
                        let _ = publication.appender.offer(&vec![1; length]);
                    }
                }
                _ => {
                    let type_id = i32::from(input.byte() % 0x12);
                    let length = usize::from(input.byte());
                    self.driver.command(type_id, input.take(length));
                }
            }
            self.turn(50_000);
            for image in &mut self.client.images {
                image.reader.poll(|fragment| assert!(fragment.payload().len() < 1 << 16), 16);
            }
            self.check(&mut positions);
        }
    }

    fn inject(&self, bytes: &[u8]) {
        for to in self.network.addresses() {
            self.network.inject(self.peer, to, bytes);
        }
    }

    /// Positions never go back, nothing grows without bounds, and no datagram counts as invalid twice.
    fn check(&mut self, seen: &mut Vec<(i64, i64)>) {
        let (logs, sockets) = self.driver.held();
        assert!(logs < MOST && sockets < MOST && self.driver.counters_in_use() < MOST);
        let found = self.driver.sender().publications().map(|one| (one.registration_id().get(), one.sent()));
        let images = self.driver.receiver().images().map(|one| (-one.registration_id().get(), one.rebuilt()));
        for (id, position) in found.chain(images) {
            match seen.iter_mut().find(|(known, _)| *known == id) {
                Some((_, before)) => {
                    assert!(position >= *before, "{id} went back from {before} to {position}");
                    *before = position;
                }
                None => seen.push((id, position)),
            }
        }
        let (invalid, received) = (self.driver.system(SystemCounter::InvalidPackets), self.driver.received());
        assert!(invalid >= self.invalid, "invalid datagrams went back from {} to {invalid}", self.invalid);
        assert!(invalid.unsigned_abs() <= received, "{invalid} of {received} datagrams are invalid");
        self.invalid = invalid;
    }
}
