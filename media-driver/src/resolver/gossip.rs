//! The gossip of drivers about their names. Each driver tells its address to all that it knows, and passes on what it
//! has heard; silent drivers are forgotten. Any datagram may be false: an entry is taken as it is, within bounds, and
//! malformed ones are dropped.
//!
//! | period | what is done |
//! | --- | --- |
//! | each turn | names that were heard too long ago are forgotten |
//! | 1 s | the driver's own name goes to all neighbors, and to the bootstrap neighbors |
//! | 2 s | all known names go to all neighbors, a little older than they are |
//! | 10 s | bootstrap neighbors that are not neighbors yet are looked up again |

use std::net::{IpAddr, SocketAddr};

use gannet::protocol::{HEADER_LENGTH, MAX_RESOLUTION_NAME_LENGTH, Resolution, ResolutionEntry, ResolutionWriter};
use gannet::time::MonotonicNanos;

use super::bootstrap::{Bootstrap, Lookup};
use super::cache::{Cache, Entry};
use super::config::GossipConfig;
use super::neighbors::Neighbors;
use super::round::Round;
use crate::mailbox::{EndpointId, TransmitBatch};

const NANOS_PER_MILLI: i64 = 1_000_000;
/// The minimum interval between two reports of trouble, in nanoseconds.
const TROUBLE_INTERVAL_NS: i64 = 1_000_000_000;
/// The part of the timeout by which names are passed on as older than they are. A datagram takes time to arrive, so each
/// driver on the way would make a name younger by that time, and many drivers together would never forget it.
const TRANSIT_PART: i64 = 100;
/// The most of that, in nanoseconds. A driver with a short timeout would take any name from one with a long timeout for
/// old otherwise.
const MAX_TRANSIT_NS: i64 = 100 * NANOS_PER_MILLI;
/// The length of the longest possible entry and its header.
const LONGEST_ENTRY: usize = HEADER_LENGTH + (26 + MAX_RESOLUTION_NAME_LENGTH).next_multiple_of(8);

/// A gossiping resolver.
#[derive(Debug)]
pub struct Gossip {
    config: GossipConfig,
    cache: Cache,
    neighbors: Neighbors,
    bootstrap: Vec<Bootstrap>,
    /// The times of the next periodic actions. The first turn resolves bootstrap neighbors and sends the own name.
    next_self: MonotonicNanos,
    next_neighbor: Option<MonotonicNanos>,
    next_bootstrap: MonotonicNanos,
    own: Round<OwnName>,
    others: Round<Vec<KnownName>>,
    /// What went wrong since the last report, and when something may be reported again.
    trouble: Option<Trouble>,
    next_told: MonotonicNanos,
}

/// The content of a datagram with the driver's own name.
#[derive(Clone, Copy, Debug)]
struct OwnName;

/// A name to be passed on, and an address of the family of which.
type KnownName = (Box<[u8]>, SocketAddr);

/// The kind of a received datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Names, all of which were remembered or already known.
    Names,
    /// Partly or completely invalid. To be counted.
    Invalid,
}

/// Why a driver does not hear of others, or others of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The table of names is full.
    #[error("more names of drivers are told than are remembered; if they are wanted, see gannet.max.resolver.names")]
    Names,
    /// The table of neighbors is full.
    #[error("more drivers gossip than are told names; if they are wanted, see gannet.max.resolver.neighbors")]
    Neighbors,
    /// Another driver has the same name.
    #[error("another driver tells the name of this one as its own; give each its own aeron.driver.resolver.name")]
    Namesake,
}

impl Gossip {
    /// A resolver that knows no other driver.
    pub fn new(config: GossipConfig) -> Self {
        let start = MonotonicNanos::new(i64::MIN);
        Self {
            cache: Cache::new(config.max_names),
            neighbors: Neighbors::new(config.max_neighbors),
            bootstrap: config.bootstrap.iter().cloned().map(Bootstrap::new).collect(),
            next_self: start,
            next_neighbor: None,
            next_bootstrap: start,
            own: Round::default(),
            others: Round::default(),
            trouble: None,
            next_told: start,
            config,
        }
    }

    /// The settings.
    pub const fn config(&self) -> &GossipConfig {
        &self.config
    }

    /// The address of a driver by name: another one, or this one.
    pub fn resolve(&self, name: &str) -> Option<IpAddr> {
        self.cache.get(name.as_bytes()).or_else(|| (name == self.config.name).then(|| self.config.local.ip()))
    }

    /// The number of known addresses of drivers.
    pub const fn names(&self) -> usize {
        self.cache.len()
    }

    /// The number of neighbors.
    pub fn neighbors(&self) -> usize {
        self.neighbors.len()
    }

    /// The bootstrap neighbors, and whether each is a neighbor.
    pub fn bootstrap(&self) -> impl Iterator<Item = (&Bootstrap, bool)> {
        let is_neighbor = |one: &Bootstrap| one.address().is_some_and(|address| self.neighbors.contains(&address));
        self.bootstrap.iter().map(move |one| (one, is_neighbor(one)))
    }

    /// Handles a datagram.
    pub fn on_datagram(&mut self, now: MonotonicNanos, from: SocketAddr, datagram: &[u8]) -> Heard {
        let Ok(resolution) = Resolution::parse(datagram) else { return Heard::Invalid };
        let mut heard = Heard::Names;
        for entry in resolution.entries() {
            // The entries before a malformed one count, as in the reference.
            if !entry.is_ok_and(|entry| self.on_entry(now, from, &entry)) {
                heard = Heard::Invalid;
            }
        }
        heard
    }

    /// Handles the resolved address of a bootstrap neighbor.
    pub fn on_address(&mut self, index: usize, address: Option<IpAddr>) {
        if let Some(bootstrap) = self.bootstrap.get_mut(index) {
            bootstrap.on_address(address);
        }
    }

    /// Executes what is due.
    pub fn do_work(&mut self, now: MonotonicNanos) {
        let forgotten = now.saturating_add_ns(-self.config.neighbor_timeout_ns);
        self.cache.forget(forgotten);
        self.neighbors.forget(forgotten);
        if now >= self.next_bootstrap {
            self.next_bootstrap = now.saturating_add_ns(self.config.bootstrap_interval_ns);
            let Self { bootstrap, neighbors, .. } = self;
            for one in bootstrap {
                if !one.address().is_some_and(|address| neighbors.contains(&address)) {
                    one.make_due();
                }
            }
        }
        if now >= self.next_self && self.own.is_done() {
            let to = self.everybody();
            // A driver that hears of the first neighbor after a time alone sends to it at once.
            if !to.is_empty() {
                self.next_self = now.saturating_add_ns(self.config.self_interval_ns);
                self.own = Round::new(vec![OwnName], to);
            }
        }
        let next_neighbor = *self.next_neighbor.get_or_insert(now.saturating_add_ns(self.config.neighbor_interval_ns));
        if now >= next_neighbor && self.others.is_done() {
            self.next_neighbor = Some(now.saturating_add_ns(self.config.neighbor_interval_ns));
            self.others = Round::new(self.all_names(), self.neighbors.iter().collect());
        }
    }

    /// Takes a host to resolve. The result goes to [`Gossip::on_address`].
    pub fn poll_lookup(&mut self) -> Option<Lookup> {
        let mut all = self.bootstrap.iter_mut().enumerate();
        all.find_map(|(index, one)| one.take_due().map(|host| Lookup { index, host: host.to_owned() }))
    }

    /// Adds datagrams to the batch as far as there is space. Returns how many.
    pub fn poll_transmit(&mut self, now: MonotonicNanos, endpoint: EndpointId, batch: &mut TransmitBatch) -> usize {
        let Self { own, others, config, cache, .. } = self;
        own.poll(endpoint, batch, |OwnName| Some(own_datagram(config)))
            + others.poll(endpoint, batch, |names| datagram_of(now, config, cache, names))
    }

    /// What went wrong since the last report, at a limited rate, so that a flood of names does not flood the error log.
    pub fn take_trouble(&mut self, now: MonotonicNanos) -> Option<Trouble> {
        if now < self.next_told {
            return None;
        }
        let trouble = self.trouble.take()?;
        self.next_told = now.saturating_add_ns(TROUBLE_INTERVAL_NS);
        Some(trouble)
    }

    /// Handles an entry. Returns false if its address is invalid.
    fn on_entry(&mut self, now: MonotonicNanos, from: SocketAddr, entry: &ResolutionEntry<'_>) -> bool {
        // A socket for both families shows IPv4 addresses as IPv6. Neither drivers without IPv6 nor the check below
        // would recognise them.
        let told = SocketAddr::new(entry.address.to_canonical(), entry.port);
        let address = if entry.is_self && told.ip().is_unspecified() {
            // The sender does not know which of its addresses others see.
            SocketAddr::new(from.ip().to_canonical(), from.port())
        } else {
            told
        };
        if !can_be_one_drivers(address.ip()) {
            return false;
        }
        let local = self.config.local;
        if entry.name == self.config.name.as_bytes() {
            let is_port = address.port() == local.port();
            let is_host = address.ip() == local.ip() || local.ip().is_unspecified();
            // Others may still tell where it was before it was started again.
            if entry.is_self && !(is_port && is_host) {
                self.trouble = Some(Trouble::Namesake);
            }
            if is_port {
                return true;
            }
        }
        // An age in the future counts as now, so that no entry lasts longer than one that was just heard.
        let age_ns = i64::from(entry.age_ms.max(0)) * NANOS_PER_MILLI;
        if age_ns >= self.config.neighbor_timeout_ns {
            return true;
        }
        let heard = now.saturating_add_ns(-age_ns);
        if !self.cache.add(entry.name, Entry { address, heard }) {
            self.trouble = Some(Trouble::Names);
        }
        // A driver without a port, or at this driver's address, cannot be sent anything.
        if address.port() != 0 && address != local && !self.neighbors.add(address, heard, entry.is_self) {
            self.trouble = Some(Trouble::Neighbors);
        }
        true
    }

    /// All neighbors and bootstrap neighbors.
    fn everybody(&self) -> Vec<SocketAddr> {
        let first = self.bootstrap.iter().filter_map(Bootstrap::address).filter(|at| !self.neighbors.contains(at));
        let mut to: Vec<SocketAddr> = first.chain(self.neighbors.iter()).collect();
        to.sort_unstable();
        to.dedup();
        to
    }

    /// All known names, in as few datagrams as possible.
    fn all_names(&self) -> Vec<Vec<KnownName>> {
        let longest = self.config.mtu.saturating_sub(HEADER_LENGTH);
        let mut datagrams: Vec<Vec<KnownName>> = Vec::new();
        let mut room = 0;
        for (name, Entry { address, .. }) in self.cache.iter() {
            let length = told(name, address, 0).length();
            // A name that does not fit into a datagram is not passed on.
            if length > longest {
                continue;
            }
            if length > room {
                room = longest;
                datagrams.push(Vec::new());
            }
            room -= length;
            datagrams.last_mut().expect("there is room in one").push((name.into(), address));
        }
        datagrams
    }
}

fn own_datagram(config: &GossipConfig) -> Box<[u8]> {
    let entry = ResolutionEntry { is_self: true, ..told(config.name.as_bytes(), config.local, 0) };
    let mut buffer = [0; LONGEST_ENTRY];
    let mut writer = ResolutionWriter::new(&mut buffer);
    writer.add(&entry);
    let length = writer.finish();
    buffer[..length].into()
}

/// What is known of these names now. A round of many names to many drivers takes seconds, so they may be younger or
/// forgotten since it began; and their age counts from when they are sent.
fn datagram_of(now: MonotonicNanos, config: &GossipConfig, cache: &Cache, names: &[KnownName]) -> Option<Box<[u8]>> {
    let mut buffer = vec![0; config.mtu.max(HEADER_LENGTH)];
    let mut writer = ResolutionWriter::new(&mut buffer);
    let transit_ns = MAX_TRANSIT_NS.min(config.neighbor_timeout_ns / TRANSIT_PART);
    for (name, address) in names {
        let Some(Entry { address, heard }) = cache.of_family(name, address) else { continue };
        let age_ns = now.since(heard).saturating_add(transit_ns);
        let age_ms = i32::try_from(age_ns / NANOS_PER_MILLI).unwrap_or(i32::MAX);
        writer.add(&told(name, address, age_ms));
    }
    if writer.is_empty() {
        return None;
    }
    let length = writer.finish();
    Some(buffer[..length].into())
}

/// An entry about another driver.
const fn told(name: &[u8], address: SocketAddr, age_ms: i32) -> ResolutionEntry<'_> {
    ResolutionEntry { is_self: false, address: address.ip(), port: address.port(), age_ms, name }
}

/// Whether this can be the address of a single driver: neither unspecified nor multicast.
const fn can_be_one_drivers(address: IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || is_broadcast)
}
