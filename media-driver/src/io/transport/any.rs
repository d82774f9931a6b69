//! The transport that was chosen when the driver started. It is an enum, because the trait has generic methods.

use std::io;
use std::net::SocketAddr;

use super::{
    Datagram, Fault, SocketOptions, SocketTransport, Sockets, Transport, TransportCounts, TransportKind, UringTransport,
};
use crate::mailbox::{Completion, EndpointId, TransmitBatch};

/// A transport of either kind.
#[derive(Debug)]
pub enum AnyTransport {
    /// A transport on io_uring.
    IoUring(Box<UringTransport>),
    /// A transport on plain sockets.
    Sockets(Box<SocketTransport>),
}

/// Calls a method of the actual transport.
macro_rules! whichever {
    ($any:expr, $transport:ident => $call:expr) => {
        match $any {
            AnyTransport::IoUring($transport) => $call,
            AnyTransport::Sockets($transport) => $call,
        }
    };
}

impl AnyTransport {
    /// A transport of this kind, without endpoints.
    ///
    /// # Errors
    ///
    /// An error of the operating system.
    pub fn new(kind: TransportKind, options: SocketOptions) -> io::Result<Self> {
        Ok(match kind {
            TransportKind::IoUring => Self::IoUring(Box::new(UringTransport::new(options)?)),
            TransportKind::Sockets => Self::Sockets(Box::new(SocketTransport::new(options)?)),
        })
    }
}

impl Transport for AnyTransport {
    type Sockets = Sockets;

    fn adopt(&mut self, endpoint: EndpointId, sockets: Sockets) -> io::Result<()> {
        whichever!(self, transport => transport.adopt(endpoint, sockets))
    }

    fn reconnect(&mut self, endpoint: EndpointId, to: SocketAddr) -> bool {
        whichever!(self, transport => transport.reconnect(endpoint, to))
    }

    fn close(&mut self, endpoint: EndpointId) {
        whichever!(self, transport => transport.close(endpoint));
    }

    #[inline]
    fn send(&mut self, batch: &mut TransmitBatch, done: impl FnMut(Completion)) -> usize {
        whichever!(self, transport => transport.send(batch, done))
    }

    #[inline]
    fn receive(&mut self, limit: usize, handler: impl FnMut(Datagram<'_>)) -> usize {
        whichever!(self, transport => transport.receive(limit, handler))
    }

    #[inline]
    fn take_fault(&mut self) -> Option<Fault> {
        whichever!(self, transport => transport.take_fault())
    }

    fn counts(&self) -> TransportCounts {
        whichever!(self, transport => transport.counts())
    }
}
