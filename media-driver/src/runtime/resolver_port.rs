//! The socket of name resolution. It is opened when the driver starts, and the conductor's runner polls it, a hundred
//! times a second at most. The conductor has the names and addresses themselves.

use std::io;
use std::net::SocketAddr;

use gannet::channel_uri::{Host, InterfaceName};
use gannet::time::MonotonicNanos;

use super::conductor_config::ns;
use super::network_agents::Faults;
use crate::channel::EndpointSpec;
use crate::conductor::Conductor;
use crate::config::{DriverConfig, NameResolverName};
use crate::io::resolver;
use crate::io::transport::{self, OpenError, SocketOptions, SocketTransport, Sockets, Transport};
use crate::mailbox::{EndpointId, TransmitBatch};
use crate::resolver::{GossipConfig, ResolverConfig, TableRow, WORK_INTERVAL_NS};

/// The only endpoint of its transport.
const ENDPOINT: EndpointId = EndpointId::new(0);
/// The maximum number of datagrams that are received and sent per turn. The rest waits for the next turn, and the
/// operating system drops what exceeds its buffers.
const DATAGRAMS_PER_TURN: usize = 64;

/// Why a driver cannot take part in name resolution.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolverError {
    /// The name of its interface cannot be resolved.
    #[error(
        "aeron.driver.resolver.interface={interface}: no address is known for it; state an address of this machine"
    )]
    NoAddress {
        /// The setting's value.
        interface: String,
    },
    /// Its socket could not be opened.
    #[error("aeron.driver.resolver.interface={interface}: {source}")]
    Socket {
        /// The setting's value.
        interface: String,
        /// The error.
        source: OpenError,
    },
    /// Its socket could not be used.
    #[error("cannot receive the names of other drivers: {0}")]
    Transport(#[source] io::Error),
}

/// The resolver's socket.
#[derive(Debug)]
pub(super) struct ResolverPort {
    transport: SocketTransport,
    batch: TransmitBatch,
    due: MonotonicNanos,
    faults: Faults,
}

impl ResolverPort {
    fn new(sockets: Sockets) -> io::Result<Self> {
        let mut transport =
            SocketTransport::new(SocketOptions { segmentation: false, coalescing: false, ..SocketOptions::default() })?;
        transport.adopt(ENDPOINT, sockets)?;
        Ok(Self {
            transport,
            batch: TransmitBatch::new(DATAGRAMS_PER_TURN),
            due: MonotonicNanos::new(i64::MIN),
            faults: Faults::default(),
        })
    }

    /// Handles received datagrams and sends due ones, if it is time. Returns how many.
    pub(super) fn turn(&mut self, now: MonotonicNanos, conductor: &mut Conductor) -> usize {
        if now < self.due {
            return 0;
        }
        self.due = now.saturating_add_ns(WORK_INTERVAL_NS);
        let received = self.transport.receive(DATAGRAMS_PER_TURN, |datagram| {
            conductor.on_resolver_datagram(now, datagram.from, datagram.bytes);
        });
        let sent = conductor.poll_resolver(now, ENDPOINT, &mut self.batch);
        // A datagram that is not sent is sent again in time.
        self.transport.send(&mut self.batch, |_| {});
        if let Some(reason) = self.faults.take(now, &mut self.transport) {
            conductor.on_fault(&reason);
        }
        received + sent
    }
}

/// The conductor's name resolution settings, and the socket if they need one.
pub(super) fn open(config: &DriverConfig) -> Result<(ResolverConfig, Option<ResolverPort>), ResolverError> {
    let DriverConfig { resolver, network, terms, capacity, .. } = config;
    match resolver.supplier {
        NameResolverName::Default => Ok((ResolverConfig::System, None)),
        NameResolverName::CsvTable => {
            // None of these lists is malformed in a validated configuration.
            let rows = resolver.table().unwrap_or_default().into_iter().map(|row| TableRow {
                name: row.name,
                initial_host: row.initial_host,
                re_resolution_host: row.re_resolution_host,
            });
            Ok((ResolverConfig::Table(rows.collect()), None))
        }
        NameResolverName::Driver => {
            let bytes = |length: Option<crate::config::ByteLength>| length.map_or(0, |length| length.as_usize());
            let spec = EndpointSpec {
                send_buffer: bytes(network.so_sndbuf),
                receive_buffer: bytes(network.so_rcvbuf),
                ..EndpointSpec::unicast(local_address(config)?)
            };
            let interface = || resolver.interface.clone();
            let sockets =
                transport::open(&spec).map_err(|source| ResolverError::Socket { interface: interface(), source })?;
            let gossip = GossipConfig {
                name: resolver.name.clone(),
                // With the port that the operating system has chosen, if it was 0.
                local: sockets.opened().local,
                bootstrap: resolver.bootstrap_neighbors().unwrap_or_default(),
                mtu: terms.mtu.get() as usize,
                neighbor_timeout_ns: ns(resolver.neighbor_timeout),
                self_interval_ns: ns(resolver.self_resolution_interval),
                neighbor_interval_ns: ns(resolver.neighbor_resolution_interval),
                bootstrap_interval_ns: ns(resolver.bootstrap_neighbor_resolution_interval),
                max_names: capacity.resolver_names as usize,
                max_neighbors: capacity.resolver_neighbors as usize,
            };
            let port = ResolverPort::new(sockets).map_err(ResolverError::Transport)?;
            Ok((ResolverConfig::Gossip(Box::new(gossip)), Some(port)))
        }
    }
}

fn local_address(config: &DriverConfig) -> Result<SocketAddr, ResolverError> {
    let interface = &config.resolver.interface;
    let no_address = || ResolverError::NoAddress { interface: interface.clone() };
    let stated = config.resolver.local().map_err(|_| no_address())?;
    let address = match stated.name() {
        InterfaceName::Address(Host::V4(address)) => (*address).into(),
        InterfaceName::Address(Host::V6(address)) => (*address).into(),
        InterfaceName::Address(Host::Name(name)) => resolver::resolve(name).ok().flatten().ok_or_else(no_address)?,
        InterfaceName::Device(_) => return Err(no_address()),
    };
    Ok(SocketAddr::new(address, stated.port()))
}
