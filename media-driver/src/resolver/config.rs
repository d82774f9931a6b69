//! The configuration of a name resolver: plain values, which the reader of the driver's settings has checked.

use std::net::SocketAddr;

use gannet::channel_uri::HostAndPort;

/// How names are resolved before the operating system is asked (`aeron.name.resolver.supplier`).
#[derive(Clone, Debug, Default)]
pub enum ResolverConfig {
    /// Not at all.
    #[default]
    System,
    /// By a table of names, each of which stands for another.
    Table(Vec<TableRow>),
    /// By what drivers tell each other.
    Gossip(Box<GossipConfig>),
}

/// A name of a table, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// The name as channels have it.
    pub name: String,
    /// The host that it stands for at first.
    pub initial_host: String,
    /// The host that it stands for once its counter says so.
    pub re_resolution_host: String,
}

/// What a resolver that gossips is told. All periods are in nanoseconds.
#[derive(Clone, Debug)]
pub struct GossipConfig {
    /// The name by which others know this driver: 1 to 512 bytes (`aeron.driver.resolver.name`).
    pub name: String,
    /// What its socket is bound to (`aeron.driver.resolver.interface`).
    pub local: SocketAddr,
    /// Whom it tells its name first (`aeron.driver.resolver.bootstrap.neighbor`).
    pub bootstrap: Vec<HostAndPort>,
    /// How long a datagram of names is at most, in bytes (`aeron.mtu.length`).
    pub mtu: usize,
    /// How long what is silent is remembered (`aeron.driver.resolver.neighbor.timeout`).
    pub neighbor_timeout_ns: i64,
    /// How often it tells its own name (`aeron.driver.resolver.self.resolution.interval`).
    pub self_interval_ns: i64,
    /// How often it passes on the names that it knows (`aeron.driver.resolver.neighbor.resolution.interval`).
    pub neighbor_interval_ns: i64,
    /// How often names of those whom it tells first are looked up again
    /// (`aeron.driver.resolver.bootstrap.neighbor.resolution.interval`).
    pub bootstrap_interval_ns: i64,
    /// How many names it remembers at most (`gannet.max.resolver.names`).
    pub max_names: usize,
    /// How many neighbors it tells them at most (`gannet.max.resolver.neighbors`).
    pub max_neighbors: usize,
}
