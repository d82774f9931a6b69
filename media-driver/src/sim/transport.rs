//! The transport of a simulation: its sockets are entries of the network's table. It fulfils the same contract as the
//! transports on real sockets, and passes the same test suite.

use std::io;
use std::net::SocketAddr;

use super::network::{SimNetwork, SocketKey};
use crate::io::transport::{Datagram, Fault, OpenError, SendFault, Transport, TransportCounts, bytes_of, length_of};
use crate::mailbox::{Completion, EndpointId, EndpointSpec, OpenedEndpoint, Outcome, TransmitBatch};

/// The maximum payload of UDP over IPv4 in bytes.
const LONGEST: usize = 65_507;

/// The sockets of an endpoint. Dropping them closes them.
#[derive(Debug)]
pub struct SimSockets {
    network: SimNetwork,
    key: SocketKey,
    opened: OpenedEndpoint,
}

impl SimSockets {
    /// Opens the sockets of an endpoint.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the port is in use.
    pub fn open(network: &SimNetwork, spec: &EndpointSpec) -> Result<Self, OpenError> {
        let (key, opened) = network.open(spec).map_err(|kind| OpenError {
            attempt: "bind to",
            address: spec.bind,
            source: io::Error::from(kind),
        })?;
        Ok(Self { network: network.clone(), key, opened })
    }

    /// The properties of the sockets.
    pub const fn opened(&self) -> OpenedEndpoint {
        self.opened
    }
}

impl Drop for SimSockets {
    fn drop(&mut self) {
        self.network.close(self.key);
    }
}

/// A transport over a simulated network.
#[derive(Debug)]
pub struct SimTransport {
    network: SimNetwork,
    endpoints: Vec<(EndpointId, SimSockets)>,
    counts: TransportCounts,
    fault: Option<Fault>,
}

impl SimTransport {
    /// A transport without endpoints.
    pub fn new(network: &SimNetwork) -> Self {
        let counts = TransportCounts::default();
        Self { network: network.clone(), endpoints: Vec::new(), counts, fault: None }
    }

    /// The number of endpoints.
    pub fn endpoints(&self) -> usize {
        self.endpoints.len()
    }
}

impl Transport for SimTransport {
    type Sockets = SimSockets;

    fn adopt(&mut self, endpoint: EndpointId, sockets: SimSockets) -> io::Result<()> {
        self.close(endpoint);
        self.endpoints.push((endpoint, sockets));
        Ok(())
    }

    fn reconnect(&mut self, endpoint: EndpointId, to: SocketAddr) -> bool {
        let found = self.endpoints.iter().find(|(id, _)| *id == endpoint);
        found.map(|(_, sockets)| self.network.reconnect(sockets.key, to)).is_some()
    }

    fn close(&mut self, endpoint: EndpointId) {
        self.endpoints.retain(|(id, _)| *id != endpoint);
    }

    fn send(&mut self, batch: &mut TransmitBatch, mut done: impl FnMut(Completion)) -> usize {
        let mut answered = 0;
        for transmit in batch.drain() {
            let sockets = self.endpoints.iter().find(|(id, _)| *id == transmit.endpoint);
            let outcome = match (sockets, bytes_of(&transmit)) {
                (Some((_, sockets)), Some(bytes)) if bytes.len() <= LONGEST => {
                    if self.network.send(sockets.key, transmit.to, bytes) { Outcome::Sent } else { Outcome::NoRoom }
                }
                (Some(_), _) => {
                    let (endpoint, to, length) = (transmit.endpoint, transmit.to, length_of(&transmit));
                    let errno = if length > LONGEST { libc::EMSGSIZE } else { libc::EFAULT };
                    self.fault = Some(Fault::Send(SendFault { endpoint, to, length, errno }));
                    Outcome::Refused
                }
                (None, _) => Outcome::Refused,
            };
            *(if outcome == Outcome::Sent { &mut self.counts.sent } else { &mut self.counts.not_sent }) += 1;
            self.counts.send_calls += 1;
            done(Completion { tag: transmit.tag, outcome });
            answered += 1;
        }
        answered
    }

    fn receive(&mut self, limit: usize, mut handler: impl FnMut(Datagram<'_>)) -> usize {
        self.network.deliver();
        let mut received = 0;
        for (endpoint, sockets) in &self.endpoints {
            while received < limit
                && let Some((from, mut bytes, received_ns)) = self.network.receive(sockets.key)
            {
                received += 1;
                handler(Datagram { endpoint: *endpoint, from, bytes: &mut bytes, received_ns });
            }
        }
        self.counts.received += received as u64;
        received
    }

    fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    fn counts(&self) -> TransportCounts {
        self.counts
    }
}
