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
#[cfg(test)]
#[expect(unreachable_pub, clippy::disallowed_types, reason = "shared with tests of other crates")]
#[path = "../../../../engine/tests/support/ports.rs"]
mod ports;
mod run;
#[cfg(test)]
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../../engine/tests/support/skip.rs"]
mod skip;
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

/// The maximum length of a received datagram in bytes, as limited by UDP.
pub const RECEIVE_BUFFER_LENGTH: usize = 65_536;

/// A received datagram. Only valid during the call.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// The endpoint that received it.
    pub endpoint: EndpointId,
    /// The sender's address.
    pub from: SocketAddr,
    /// The payload. The handler may write to it, for example to add timestamps.
    pub bytes: &'a mut [u8],
    /// When the operating system received it, in nanoseconds since 1970, if the endpoint asked for that.
    pub received_ns: Option<i64>,
}

/// The counts of a transport since its creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransportCounts {
    /// The number of datagrams that the operating system accepted.
    pub sent: u64,
    /// The number of system calls for sending them.
    pub send_calls: u64,
    /// The number of datagrams that the operating system did not accept.
    pub not_sent: u64,
    /// The number of received datagrams.
    pub received: u64,
    /// The number of system calls for receiving them.
    pub receive_calls: u64,
    /// The number of datagrams that were dropped because they exceeded the maximum length.
    pub truncated: u64,
    /// The number of receive operations that the operating system refused to start or continue, for a reason other than
    /// the network's.
    pub receive_refusals: u64,
}

/// Sends and receives the datagrams of several endpoints. One thread owns it and calls it once or twice per duty cycle.
///
/// After the endpoints were adopted, nothing here allocates. If the operating system has more than fits into the
/// buffers, the next call continues.
pub trait Transport {
    /// The open sockets of an endpoint. They are opened elsewhere, because opening takes long and may fail.
    type Sockets: Send;

    /// Takes over an endpoint.
    ///
    /// # Errors
    ///
    /// An error of the operating system, if it cannot watch the sockets. They are closed then.
    fn adopt(&mut self, endpoint: EndpointId, sockets: Self::Sockets) -> std::io::Result<()>;

    /// Connects an endpoint to another address, because its name has a new address. Returns false if there is no such
    /// endpoint, or if the operating system refuses.
    fn reconnect(&mut self, endpoint: EndpointId, to: SocketAddr) -> bool;

    /// Closes an endpoint. Its unsent datagrams are completed in the next call of [`Transport::send`].
    fn close(&mut self, endpoint: EndpointId);

    /// Takes all datagrams out of the batch and sends them, oldest first. With an empty batch it only collects
    /// completions. Calls `done` once for each datagram it was ever given, in this call or a later one. The completions
    /// of an endpoint are in the order of sending.
    ///
    /// Returns the number of completions.
    fn send(&mut self, batch: &mut TransmitBatch, done: impl FnMut(Completion)) -> usize;

    /// Passes arrived datagrams to `handler`, at most about `limit`. Datagrams that arrived as one message are
    /// delivered together. Returns how many.
    fn receive(&mut self, limit: usize, handler: impl FnMut(Datagram<'_>)) -> usize;

    /// The last failure to send or receive since the previous call.
    fn take_fault(&mut self) -> Option<Fault>;

    /// The counts so far.
    fn counts(&self) -> TransportCounts;
}
