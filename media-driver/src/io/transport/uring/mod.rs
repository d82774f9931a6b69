//! The transport on io_uring: one system call submits what a duty cycle sends from many endpoints, and receiving from many costs none
//! while nothing comes: every endpoint has one receive operation that goes on for ever, into buffers that the kernel picks from a ring.
//! The threads of the sender and of the receiver own one each.
//!
//! With few endpoints, and for a message that is alone, the plain way is the shorter one, and is taken: an operation that waits is
//! woken by whoever delivers a datagram, and carried on when its thread comes by, which takes longer than to look.
//!
//! ```text
//! send:     batch ─▶ slots (own transmits, headers) ─▶ submission ─▶ completions ─▶ answers
//! receive:  endpoint ─▶ multishot operation ─▶ completions, each with a buffer ─▶ handler ─▶ buffer back to the ring
//!           few endpoints: one look after the other, as on plain sockets
//! ```
//!
//! Sends never wait in the kernel: a full socket buffer is an answer, as with plain sockets, and so the memory that a send names is the
//! kernel's for the length of the call. The table of slots owns it until the answer is there all the same. What the kernel refuses is
//! tried once more the plain way, which knows what to make of each refusal.

mod buffers;
mod receives;
mod sends;

use std::io;
use std::net::SocketAddr;

use self::receives::Receives;
use self::sends::Sends;
use super::socket::direct::Direct;
use super::socket::messages::Outbox;
use super::socket::{Account, Endpoint, send_plainly};
use super::{Datagram, SendFault, SocketOptions, Sockets, Transport, TransportCounts};
use crate::mailbox::{Completion, EndpointId, Transmit, TransmitBatch};

/// Datagrams by io_uring.
#[derive(Debug)]
pub struct UringTransport {
    // Before the endpoints: it lets go of their sockets when it is dropped.
    receives: Receives,
    /// Whether every endpoint has a receive operation. With few none has.
    is_armed: bool,
    direct: Direct,
    sends: Sends,
    endpoints: Endpoints,
    /// Endpoints that were closed though an operation on their sockets is in the queue.
    stranded: Vec<Endpoint>,
    options: SocketOptions,
    counts: TransportCounts,
    fault: Option<SendFault>,
}

/// The endpoints, and the plain way of sending.
#[derive(Debug)]
struct Endpoints {
    /// By rising id.
    all: Vec<Endpoint>,
    outbox: Outbox,
}

impl Endpoints {
    fn find(&self, id: EndpointId) -> Option<usize> {
        self.all.binary_search_by_key(&id, |known| known.id).ok()
    }

    /// Sends transmits that are one message the plain way; false, and nothing is done, if they are none or several.
    fn send_if_one(&mut self, transmits: &[Transmit], account: &mut Account<'_, impl FnMut(Completion)>) -> bool {
        let Some(index) = transmits.first().and_then(|first| self.find(first.endpoint)) else { return false };
        let endpoint = &mut self.all[index];
        let is_one = sends::plan(transmits, endpoint.can_segment) == transmits.len();
        if is_one {
            send_plainly(&mut self.outbox, &endpoint.sockets, &mut endpoint.can_segment, transmits, account);
        }
        is_one
    }

    /// Makes sense of an answer of the kernel to transmits of one endpoint, and passes it on.
    fn answer(&mut self, transmits: &[Transmit], result: i32, account: &mut Account<'_, impl FnMut(Completion)>) {
        let index = transmits.first().and_then(|first| self.find(first.endpoint));
        match (result, index) {
            (0.., _) => account.answer(transmits, true),
            // No room; or nobody is there to try again.
            (_, None) => account.answer(transmits, false),
            (error, Some(_)) if error == -libc::EAGAIN || error == -libc::ENOBUFS => account.answer(transmits, false),
            (_, Some(index)) => {
                let endpoint = &mut self.all[index];
                send_plainly(&mut self.outbox, &endpoint.sockets, &mut endpoint.can_segment, transmits, account);
            }
        }
    }
}

impl UringTransport {
    /// A transport without endpoints.
    ///
    /// # Errors
    ///
    /// The system's, when it has no io_uring, forbids it, or its io_uring is too old for this.
    pub fn new(options: SocketOptions) -> io::Result<Self> {
        Ok(Self {
            receives: Receives::new()?,
            is_armed: false,
            direct: Direct::new(),
            sends: Sends::new()?,
            endpoints: Endpoints { all: Vec::new(), outbox: Outbox::new() },
            stranded: Vec::new(),
            options,
            counts: TransportCounts::default(),
            fault: None,
        })
    }

    /// Has every endpoint have a receive operation if they are many, and none if they are few.
    fn arm_if_many(&mut self) {
        let are_many = self.endpoints.all.len() > self.options.tried_directly;
        if self.is_armed && !are_many {
            for endpoint in &self.endpoints.all {
                // One whose operation cannot be cancelled is heard both ways until that ends.
                let _ = self.receives.disarm(endpoint.id);
            }
            self.is_armed = false;
        } else if are_many && !self.is_armed && !self.receives.is_live() {
            self.endpoints.all.iter().for_each(|endpoint| self.receives.arm(endpoint.id));
            self.is_armed = true;
        }
    }
}

impl Transport for UringTransport {
    type Sockets = Sockets;

    fn adopt(&mut self, endpoint: EndpointId, sockets: Sockets) -> io::Result<()> {
        let adopted = Endpoint::new(endpoint, sockets, self.options);
        self.close(endpoint);
        if self.is_armed {
            self.receives.arm(endpoint);
        }
        let index = self.endpoints.all.partition_point(|known| known.id < endpoint);
        self.endpoints.all.insert(index, adopted);
        Ok(())
    }

    fn reconnect(&mut self, endpoint: EndpointId, to: SocketAddr) -> bool {
        let Some(index) = self.endpoints.find(endpoint) else { return false };
        self.endpoints.all[index].sockets.reconnect(to)
    }

    fn close(&mut self, endpoint: EndpointId) {
        if let Some(index) = self.endpoints.find(endpoint) {
            let closed = self.endpoints.all.remove(index);
            // An operation holds on to the socket, and so to its port, until it is cancelled. One that is in the queue still must not meet
            // another endpoint's socket under this one's number.
            if self.receives.is_live() && !self.receives.disarm(endpoint) {
                self.stranded.push(closed);
            }
        }
    }

    fn send(&mut self, batch: &mut TransmitBatch, mut done: impl FnMut(Completion)) -> usize {
        if batch.is_empty() && self.sends.is_idle() {
            return 0;
        }
        let before = self.counts.sent + self.counts.not_sent;
        let mut account = Account { counts: &mut self.counts, fault: &mut self.fault, done: &mut done };
        if self.sends.is_idle() && self.endpoints.send_if_one(batch.as_slice(), &mut account) {
            batch.clear();
        } else {
            self.sends.send(batch, &mut self.endpoints, &mut account);
        }
        (self.counts.sent + self.counts.not_sent - before) as usize
    }

    #[inline(never)]
    fn receive(&mut self, limit: usize, mut handler: impl FnMut(Datagram<'_>)) -> usize {
        self.arm_if_many();
        let Self { receives, direct, endpoints, counts, .. } = self;
        let mut received = 0;
        if self.is_armed || receives.is_live() {
            received += receives.receive(endpoints, self.is_armed, limit, counts, &mut handler);
        }
        if !self.is_armed {
            received += direct.receive(&mut endpoints.all, limit.saturating_sub(received), counts, &mut handler);
        }
        received
    }

    #[inline]
    fn take_fault(&mut self) -> Option<SendFault> {
        self.fault.take()
    }

    fn counts(&self) -> TransportCounts {
        self.counts
    }
}

impl Drop for UringTransport {
    fn drop(&mut self) {
        // Those whose operations are not cancelled here are when the ring is closed.
        while let Some(endpoint) = self.endpoints.all.pop().filter(|_| self.receives.is_live()) {
            self.receives.disarm(endpoint.id);
        }
    }
}
