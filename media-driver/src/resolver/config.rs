//! The configuration of a name resolver: plain values that were checked when the driver's settings were read.

use std::net::SocketAddr;

use gannet::channel_uri::HostAndPort;

/// The name resolution before the operating system's (`aeron.name.resolver.supplier`).
#[derive(Clone, Debug, Default)]
pub enum ResolverConfig {
    /// None.
    #[default]
    System,
    /// A table of names and their hosts.
    Table(Vec<TableRow>),
    /// Names that drivers tell each other.
    Gossip(Box<GossipConfig>),
}

/// A name of the table, and its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// The name in channels.
    pub name: String,
    /// The host to which it resolves initially.
    pub initial_host: String,
    /// The host to which it resolves once its counter is set.
    pub re_resolution_host: String,
}

/// The settings of a gossiping resolver. All intervals are in nanoseconds.
#[derive(Clone, Debug)]
pub struct GossipConfig {
    /// The name by which others know this driver: 1 to 512 bytes (`aeron.driver.resolver.name`).
    pub name: String,
    /// The address of its socket (`aeron.driver.resolver.interface`).
    pub local: SocketAddr,
    /// The bootstrap neighbors (`aeron.driver.resolver.bootstrap.neighbor`).
    pub bootstrap: Vec<HostAndPort>,
    /// The maximum length of a datagram in bytes (`aeron.mtu.length`).
    pub mtu: usize,
    /// How long a silent driver is remembered (`aeron.driver.resolver.neighbor.timeout`).
    pub neighbor_timeout_ns: i64,
    /// The interval at which it sends its own name (`aeron.driver.resolver.self.resolution.interval`).
    pub self_interval_ns: i64,
    /// The interval at which it sends all known names (`aeron.driver.resolver.neighbor.resolution.interval`).
    pub neighbor_interval_ns: i64,
    /// The interval at which names of bootstrap neighbors are resolved again
    /// (`aeron.driver.resolver.bootstrap.neighbor.resolution.interval`).
    pub bootstrap_interval_ns: i64,
    /// The maximum number of names that it remembers (`gannet.max.resolver.names`).
    pub max_names: usize,
    /// The maximum number of neighbors (`gannet.max.resolver.neighbors`).
    pub max_neighbors: usize,
}
