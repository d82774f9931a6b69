//! Sending and receiving datagrams: one trait, and an implementation for each kind of system. The threads of the sender
//! and of the receiver each own a transport. Agents know none of them: they yield
//! [`Transmit`](crate::mailbox::Transmit)s and are handed datagrams. `docs/decisions/transport.md` has the reasons.
//!
//! | file | contents |
//! | --- | --- |
//! | `open` | opens the sockets of an endpoint, off the data plane |
//! | `socket/` | `sendmmsg` and `recvmmsg`, with segmentation offload |
//! | `uring/` | io_uring: one submission for a whole batch, multishot receive into registered buffers |
//! | `choice`, `any` | the choice of a transport at the driver's start; the chosen one |
//! | `lossy` | intentional loss, in front of any of them |
//! | `run` | transmits that can be sent as one segmented message |

mod any;
mod choice;
mod error;
mod lossy;
mod open;
mod run;
pub mod socket;
pub mod uring;

use std::net::SocketAddr;

pub use any::AnyTransport;
pub use choice::{Chosen, TransportKind, TransportUnavailable, choose};
pub use error::{Fault, OpenError, ReceiveFault, SendFault};
pub use lossy::{LossCounts, LossPlan, LossyTransport};
pub use open::{Sockets, open};
pub use socket::{SocketOptions, SocketTransport};
pub use uring::UringTransport;

#[cfg(feature = "sim")]
pub(crate) use run::{bytes_of, length_of};

use crate::mailbox::{Completion, EndpointId, TransmitBatch};

/// The longest datagram that is received, in bytes: as long as UDP allows.
pub const RECEIVE_BUFFER_LENGTH: usize = 65_536;

/// A datagram that was received, lent for the length of a call.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// The endpoint that received it.
    pub endpoint: EndpointId,
    /// Who sent it.
    pub from: SocketAddr,
    /// What it is. Whoever is handed it may write to it, as a receiver does that stamps frames.
    pub bytes: &'a mut [u8],
    /// When the operating system received it, in nanoseconds since 1970, where the endpoint asked for that.
    pub received_ns: Option<i64>,
}

/// What a transport has done so far, each count from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransportCounts {
    /// Datagrams that the operating system took.
    pub sent: u64,
    /// System calls made to have it take them.
    pub send_calls: u64,
    /// Datagrams that it did not take.
    pub not_sent: u64,
    /// Datagrams that arrived.
    pub received: u64,
    /// System calls made to get them.
    pub receive_calls: u64,
    /// Datagrams that were longer than any can be, and were dropped.
    pub truncated: u64,
    /// Receive operations that the operating system refused to begin or to go on with, for a reason that is none of the network's.
    pub receive_refusals: u64,
}

/// Sends and receives the datagrams of many endpoints. Owned by one thread, which calls it once or twice per duty cycle.
///
/// Once it has adopted its endpoints nothing here allocates, but where the kernel is asked for more than fits the buffers that
/// were made at the start it goes on in the next call.
pub trait Transport {
    /// What endpoints are made of, opened elsewhere: opening takes long, and may fail.
    type Sockets: Send;

    /// Takes over an endpoint.
    ///
    /// # Errors
    ///
    /// The system's, when it cannot be watched as well; the sockets are closed then.
    fn adopt(&mut self, endpoint: EndpointId, sockets: Self::Sockets) -> std::io::Result<()>;

    /// Has an endpoint send to, and hear, another address, since its name now leads there. False when there is no such endpoint, or
    /// the system refuses.
    fn reconnect(&mut self, endpoint: EndpointId, to: SocketAddr) -> bool;

    /// Closes an endpoint. What it was given to send and has not yet sent is answered for in the next call of [`Transport::send`].
    fn close(&mut self, endpoint: EndpointId);

    /// Takes every datagram out of the batch and has it sent, oldest first; an empty batch makes it look for answers alone. For each
    /// datagram it was ever given, `done` is called once: in this call, or in a later one. Those of one endpoint are answered for in
    /// the order of their sending.
    ///
    /// Returns for how many it answered.
    fn send(&mut self, batch: &mut TransmitBatch, done: impl FnMut(Completion)) -> usize;

    /// Hands over what has arrived, at most about `limit` datagrams; one that came as part of many brings the others with it. Returns
    /// how many there were.
    fn receive(&mut self, limit: usize, handler: impl FnMut(Datagram<'_>)) -> usize;

    /// What could not be sent or received last, and why, since this was last asked.
    fn take_fault(&mut self) -> Option<Fault>;

    /// What it has done.
    fn counts(&self) -> TransportCounts;
}
