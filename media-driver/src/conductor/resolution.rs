//! The conductor's side of name resolution: the names that its resolver knows are added to a request to resolve a
//! channel, and the resolver's counts are shown. The names themselves are in `resolver`.

use std::net::{IpAddr, SocketAddr};

use gannet::channel_uri::ChannelUri;
use gannet::command::ErrorCode;
use gannet::counters::type_id;
use gannet::time::MonotonicNanos;

use super::Core;
use super::counters::Counters;
use crate::channel::names;
use crate::mailbox::{EndpointId, Lead, Request, ResolveHost, TransmitBatch};
use crate::resolver::{Bootstrap, Gossip, Heard, Lookup, ResolverConfig, TableRow};
use crate::shared::Counter;

/// The value of a counter while its name cannot be resolved.
const DISABLED: i64 = -1;
/// The value of a counter while its name resolves to its second host.
const RE_RESOLVED: i64 = 1;

/// Name resolution before the operating system's.
#[derive(Debug)]
pub(super) enum Resolution {
    System,
    /// A table of names, each with the counter that selects its host. Without space for a counter, the first host is
    /// used.
    Table(Vec<(TableRow, Option<Counter>)>),
    Gossip(Box<Gossip>, GossipCounters),
}

/// The counters of a gossiping resolver. Counters for which there is no space are left out.
#[derive(Debug)]
pub(super) struct GossipCounters {
    bootstrap: Vec<Option<Counter>>,
    neighbors: Option<Counter>,
    names: Option<Counter>,
}

impl Resolution {
    pub(super) fn new(config: &ResolverConfig, counters: &mut Counters) -> Self {
        match config {
            ResolverConfig::System => Self::System,
            ResolverConfig::Table(rows) => {
                let counter = |row: &TableRow| {
                    let mut key = (row.name.len() as u32).to_le_bytes().to_vec();
                    key.extend_from_slice(row.name.as_bytes());
                    let label = format!(
                        "NameEntry{{name='{}', initialResolutionHost='{}', reResolutionHost='{}'}}",
                        row.name, row.initial_host, row.re_resolution_host
                    );
                    counters.allocate_for_resolver(type_id::NAME_RESOLVER_TABLE_ENTRY, &key, &label)
                };
                let counted: Vec<_> = rows.iter().map(counter).collect();
                Self::Table(rows.iter().cloned().zip(counted).collect())
            }
            ResolverConfig::Gossip(config) => {
                let gossip = Gossip::new((**config).clone());
                let counters = GossipCounters::new(&gossip, counters);
                Self::Gossip(Box::new(gossip), counters)
            }
        }
    }

    /// The resolver's results for a channel's names.
    pub(super) fn leads(&self, uri: &ChannelUri) -> Vec<(String, Lead)> {
        names(uri).filter_map(|name| self.lead(name).map(|lead| (name.to_owned(), lead))).collect()
    }

    fn lead(&self, name: &str) -> Option<Lead> {
        match self {
            Self::System => None,
            Self::Table(rows) => {
                let (row, counter) = rows.iter().find(|(row, _)| row.name == name)?;
                Some(match counter.as_ref().map_or(0, |counter| counter.value.load_acquire()) {
                    0 => Lead::Host(row.initial_host.clone()),
                    RE_RESOLVED => Lead::Host(row.re_resolution_host.clone()),
                    DISABLED => Lead::Nowhere,
                    // As in the reference, the name then resolves as itself.
                    _ => return None,
                })
            }
            Self::Gossip(gossip, _) => gossip.resolve(name).map(Lead::Address),
        }
    }
}

impl GossipCounters {
    fn new(gossip: &Gossip, counters: &mut Counters) -> Self {
        let config = gossip.config();
        let bootstrap = gossip.bootstrap().enumerate().map(|(index, (one, _))| {
            let key = (index as i32).to_le_bytes();
            counters.allocate_for_resolver(type_id::BOOTSTRAP_NEIGHBOR, &key, &bootstrap_label(one))
        });
        let bootstrap = bootstrap.collect();
        let neighbors = format!("Resolver neighbors: bound {}", config.local);
        let names = format!("Resolver cache entries: name={}", config.name);
        Self {
            bootstrap,
            neighbors: counters.allocate_for_resolver(type_id::NAME_RESOLVER_NEIGHBORS, &[], &neighbors),
            names: counters.allocate_for_resolver(type_id::NAME_RESOLVER_CACHE_ENTRIES, &[], &names),
        }
    }

    fn show(&self, gossip: &Gossip) {
        let store = |counter: &Option<Counter>, value: i64| {
            if let Some(counter) = counter {
                counter.value.store_release(value);
            }
        };
        store(&self.neighbors, gossip.neighbors() as i64);
        store(&self.names, gossip.names() as i64);
        for (counter, (_, is_neighbor)) in self.bootstrap.iter().zip(gossip.bootstrap()) {
            store(counter, is_neighbor.into());
        }
    }
}

fn bootstrap_label(one: &Bootstrap) -> String {
    let resolved = one.address().map_or_else(String::new, |address| address.to_string());
    format!("Bootstrap neighbor: name={} resolved={resolved}", one.name())
}

impl Core {
    pub(super) fn on_resolver_datagram(&mut self, now: MonotonicNanos, from: SocketAddr, datagram: &[u8]) {
        let Resolution::Gossip(gossip, _) = &mut self.resolution else { return };
        if gossip.on_datagram(now, from, datagram) == Heard::Invalid {
            self.counters.on_invalid_datagram();
        }
    }

    pub(super) fn poll_resolver(
        &mut self,
        now: MonotonicNanos,
        endpoint: EndpointId,
        batch: &mut TransmitBatch,
    ) -> usize {
        let Resolution::Gossip(gossip, counters) = &mut self.resolution else { return 0 };
        gossip.do_work(now);
        counters.show(gossip);
        while let Some(Lookup { index, host }) = gossip.poll_lookup() {
            self.network.look_up(Request::ResolveHost(ResolveHost { index, host }));
        }
        let sent = gossip.poll_transmit(now, endpoint, batch);
        if let Some(trouble) = gossip.take_trouble(now) {
            self.report(&format!("(11) {trouble}"));
        }
        sent
    }

    /// Counts a lookup by the operating system.
    pub(super) fn on_lookup(&mut self, took_ns: i64) {
        self.lookups.on_time(took_ns);
    }

    /// Handles the resolved address of a bootstrap neighbor.
    pub(super) fn on_host_resolved(&mut self, index: usize, address: Option<IpAddr>) {
        let Resolution::Gossip(gossip, counters) = &mut self.resolution else { return };
        gossip.on_address(index, address);
        let Some((one, _)) = gossip.bootstrap().nth(index) else { return };
        let (name, label) = (one.name().to_owned(), bootstrap_label(one));
        if let Some(Some(counter)) = counters.bootstrap.get(index) {
            self.counters.set_label(counter, &label);
        }
        if address.is_none() {
            let code = ErrorCode::UnknownHost.get();
            self.report(&format!(
                "({code}) bootstrap neighbor {name}: its name does not resolve; it is looked up again"
            ));
        }
    }
}
