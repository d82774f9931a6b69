//! The transport on io_uring. One system call submits everything that a duty cycle sends from many endpoints. With many
//! endpoints, each has one receive operation that stays active, into buffers that the kernel takes from a ring, so
//! receiving costs no system call while nothing arrives. The threads of the sender and of the receiver own one each.
//!
//! With few endpoints, and for a single message, plain calls are faster and are used. A waiting operation is woken by
//! the core that delivers a datagram, and continues when its own thread runs; that takes longer than a poll.
//!
//! ```text
//! send:     batch ─▶ slots (own transmits, headers) ─▶ submission ─▶ completions ─▶ answers
//! receive:  endpoint ─▶ multishot operation ─▶ completions, each with a buffer ─▶ handler ─▶ buffer back to the ring
//!           few endpoints: polled one after the other, as on plain sockets
//! ```
//!
//! Sends never wait in the kernel: a full socket buffer is answered at once, as with plain sockets. So the kernel uses
//! the memory of a send only during the call. The table of slots still owns that memory until the answer has arrived. A
//! send that the kernel refuses is tried once more by a plain call, whose path knows how to treat each refusal. An
//! endpoint whose receive operation the kernel refuses is read by plain calls, until the operation is tried again after
//! a while. Each refusal is reported.

mod buffers;
mod receives;
mod sends;

use std::io;
use std::net::SocketAddr;

use self::receives::Receives;
use self::sends::Sends;
use super::socket::direct::Direct;
use super::socket::outbox::Outbox;
use super::socket::{Account, Endpoint, send_plainly};
use super::{Datagram, Fault, SocketOptions, Sockets, Transport, TransportCounts};
use crate::mailbox::{Completion, EndpointId, Outcome, Transmit, TransmitBatch};

/// A transport on io_uring.
#[derive(Debug)]
pub struct UringTransport {
    // Declared before the endpoints, because dropping it releases their sockets.
    receives: Receives,
    /// Whether all endpoints have a receive operation. With few endpoints, none has.
    is_armed: bool,
    direct: Direct,
    sends: Sends,
    endpoints: Endpoints,
    /// Closed endpoints whose sockets may still be in a queue.
    stranded: Vec<Endpoint>,
    options: SocketOptions,
    counts: TransportCounts,
    fault: Option<Fault>,
}

/// The endpoints, and the fallback to plain sockets.
#[derive(Debug)]
struct Endpoints {
    /// Sorted by id.
    all: Vec<Endpoint>,
    outbox: Outbox,
}

impl Endpoints {
    fn find(&self, id: EndpointId) -> Option<usize> {
        self.all.binary_search_by_key(&id, |known| known.id).ok()
    }

    /// Sends transmits with a plain call if they form one message. Otherwise returns false and does nothing.
    fn send_if_one(&mut self, transmits: &[Transmit], account: &mut Account<'_, impl FnMut(Completion)>) -> bool {
        let Some(index) = transmits.first().and_then(|first| self.find(first.endpoint)) else { return false };
        let endpoint = &mut self.all[index];
        let is_one = sends::plan(transmits, endpoint.can_segment) == transmits.len();
        if is_one {
            send_plainly(&mut self.outbox, &endpoint.sockets, &mut endpoint.can_segment, transmits, account);
        }
        is_one
    }

    /// Handles the kernel's completion of transmits of one endpoint.
    fn answer(&mut self, transmits: &[Transmit], result: i32, account: &mut Account<'_, impl FnMut(Completion)>) {
        let index = transmits.first().and_then(|first| self.find(first.endpoint));
        match (result, index) {
            (0.., _) => account.answer(transmits, Outcome::Sent),
            // The endpoint is gone, so nobody can try again.
            (_, None) => account.answer(transmits, Outcome::Refused),
            (error, Some(_)) if error == -libc::EAGAIN || error == -libc::ENOBUFS => {
                account.answer(transmits, Outcome::NoRoom);
            }
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
    /// An error of the operating system, if it has no io_uring, forbids it, or its io_uring is too old.
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

    /// Starts receive operations for all endpoints if there are many, and stops them if there are few.
    fn arm_if_many(&mut self) {
        let are_many = self.endpoints.all.len() > self.options.tried_directly;
        if self.is_armed && !are_many {
            for endpoint in &self.endpoints.all {
                // While an operation cannot be cancelled, its endpoint receives both ways.
                let _ = self.receives.disarm(endpoint.id);
            }
            self.is_armed = false;
        } else if are_many && !self.is_armed && !self.receives.is_live() {
            self.endpoints.all.iter().for_each(|endpoint| self.receives.arm(endpoint.id));
            self.is_armed = true;
        }
    }

    /// Closes stranded endpoints whose operations are no longer in a queue.
    #[cold]
    fn let_go(&mut self) {
        let Self { stranded, receives, sends, endpoints, .. } = self;
        // An endpoint with the id of a closed one continues to receive.
        stranded.retain(|closed| {
            endpoints.find(closed.id).is_some() || !receives.disarm(closed.id) || !sends.is_queue_empty()
        });
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
            // An operation keeps the socket, and so its port, until it is cancelled. One that is still in a queue must
            // not find another socket under the same number.
            if !self.receives.disarm(endpoint) || !self.sends.is_queue_empty() {
                self.stranded.push(closed);
            }
        }
    }

    fn send(&mut self, batch: &mut TransmitBatch, mut done: impl FnMut(Completion)) -> usize {
        if !self.stranded.is_empty() {
            self.let_go();
        }
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
        if !self.stranded.is_empty() {
            self.let_go();
        }
        self.arm_if_many();
        let Self { receives, direct, endpoints, counts, fault, .. } = self;
        let mut received = 0;
        if self.is_armed || receives.is_live() {
            received += receives.receive(endpoints, self.is_armed, limit, (counts, fault), &mut handler);
            for endpoint in receives.refused() {
                let Some(index) = endpoints.find(endpoint).filter(|_| received < limit) else { continue };
                let left = limit - received;
                received += direct.receive_from(&mut endpoints.all[index], left, counts, &mut handler);
            }
        }
        if !self.is_armed {
            received += direct.receive(&mut endpoints.all, limit.saturating_sub(received), counts, &mut handler);
        }
        received
    }

    #[inline]
    fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    fn counts(&self) -> TransportCounts {
        self.counts
    }
}

impl Drop for UringTransport {
    fn drop(&mut self) {
        // Operations that are not cancelled here are cancelled when the ring is closed.
        while let Some(endpoint) = self.endpoints.all.pop().filter(|_| self.receives.is_live()) {
            self.receives.disarm(endpoint.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::mem::MaybeUninit;
    use std::net::Ipv4Addr;
    use std::os::fd::OwnedFd;

    use super::receives::REST;
    use super::*;
    use crate::config::TransportName;
    use crate::io::transport::{choose, open, skip};
    use crate::mailbox::{Content, EndpointSpec, InlineFrame, TransmitTag};

    const DEAF: EndpointId = EndpointId::new(1);
    const HEALTHY: EndpointId = EndpointId::new(2);

    /// A transport with a receive operation for each of two endpoints, one of which receives on what is no socket.
    fn with_a_deaf_endpoint() -> UringTransport {
        let mut transport = UringTransport::new(SocketOptions { tried_directly: 0, ..SocketOptions::DEFAULT }).unwrap();
        for id in [DEAF, HEALTHY] {
            transport.adopt(id, open(&EndpointSpec::unicast((Ipv4Addr::LOCALHOST, 0).into())).unwrap()).unwrap();
        }
        transport.endpoints.all[0].sockets.receiver = Some(OwnedFd::from(File::open("/dev/null").unwrap()).into());
        transport
    }

    /// Sends a datagram to an endpoint; returns after how many looks it has come.
    fn looks_for_one(transport: &mut UringTransport, to: EndpointId) -> usize {
        let local = transport.endpoints.all[transport.endpoints.find(to).unwrap()].sockets.opened().local;
        let content = Content::Frame(InlineFrame::new(|bytes| {
            bytes[..32].fill(7);
            32
        }));
        let mut batch = TransmitBatch::new(1);
        assert!(batch.push(Transmit { endpoint: HEALTHY, to: local, content, tag: TransmitTag::Control }));
        transport.send(&mut batch, |done| assert!(done.is_sent()));
        // The network within this machine delivers it while it is sent.
        (1..=100)
            .find(|_| {
                let mut is_there = false;
                transport.receive(64, |datagram| is_there |= datagram.endpoint == to && datagram.bytes == [7; 32]);
                is_there
            })
            .expect("a datagram")
    }

    #[test]
    fn an_endpoint_that_the_kernel_refuses_is_told_and_heard_the_plain_way() {
        if let Err(reason) = choose(TransportName::IoUring) {
            return skip::report(
                "an_endpoint_that_the_kernel_refuses_is_told_and_heard_the_plain_way",
                &reason.to_string(),
            );
        }
        let mut transport = with_a_deaf_endpoint();
        transport.receive(64, |_| panic!("nothing was sent"));
        let Some(Fault::Receive(fault)) = transport.take_fault() else { panic!("no fault of receiving") };
        let local = transport.endpoints.all[0].sockets.opened().local;
        assert_eq!((fault.on, fault.errno), (Some((DEAF, local)), libc::ENOTSOCK));
        let text = fault.to_string();
        assert!(text.contains(&local.to_string()) && text.contains("gannet.transport=sockets"), "{text}");
        // It is not begun again with every look.
        let mut looks = 1;
        while looks < REST as usize / 2 {
            looks += looks_for_one(&mut transport, HEALTHY);
        }
        assert_eq!((transport.take_fault(), transport.counts().receive_refusals), (None, 1));
        // When the socket can be received from, what comes is there before the operation is.
        transport.endpoints.all[0].sockets.receiver = None;
        looks += looks_for_one(&mut transport, DEAF);
        assert!(looks < REST as usize && transport.receives.refused().eq([DEAF]));
        (looks..=REST as usize).for_each(|_| _ = transport.receive(64, |_| {}));
        assert_eq!(transport.receives.refused().count(), 0);
        looks_for_one(&mut transport, DEAF);
        assert_eq!((transport.take_fault(), transport.counts().receive_refusals), (None, 1));
    }

    #[test]
    fn what_is_queued_when_its_endpoint_is_closed_goes_out_through_no_other_socket() {
        if let Err(reason) = choose(TransportName::IoUring) {
            return skip::report(
                "what_is_queued_when_its_endpoint_is_closed_goes_out_through_no_other_socket",
                &reason.to_string(),
            );
        }
        let mut transport = UringTransport::new(SocketOptions::DEFAULT).unwrap();
        transport.sends = sends::Sends::taking_nothing().unwrap();
        let bound = || open(&EndpointSpec::unicast((Ipv4Addr::LOCALHOST, 0).into())).unwrap();
        let sockets = bound();
        let local = sockets.opened().local;
        transport.adopt(HEALTHY, sockets).unwrap();
        let peers = [bound(), bound()];
        let mut batch = TransmitBatch::new(2);
        for peer in &peers {
            let content = Content::Frame(InlineFrame::new(|bytes| {
                bytes[..32].fill(7);
                32
            }));
            let to = peer.opened().local;
            assert!(batch.push(Transmit { endpoint: HEALTHY, to, content, tag: TransmitTag::Control }));
        }
        assert_eq!(transport.send(&mut batch, |_| panic!("the kernel takes nothing")), 0);
        transport.close(HEALTHY);
        // Whatever is opened now may have the number of a socket that was closed.
        let other = bound();
        assert_eq!(transport.send(&mut batch, |_| panic!("the kernel takes nothing")), 0);
        transport.sends.begin_to_take();
        assert_eq!(transport.send(&mut batch, |done| assert!(done.is_sent())), 2);
        for peer in &peers {
            let (length, from) = peer.sender.recv_from(&mut [MaybeUninit::uninit(); 64]).unwrap();
            assert_eq!((length, from.as_socket()), (32, Some(local)));
        }
        drop(other);
        transport.send(&mut batch, |_| panic!("everything was answered"));
        assert!(transport.stranded.is_empty());
    }

    #[test]
    fn an_endpoint_that_was_refused_is_forgotten_when_it_is_closed() {
        if let Err(reason) = choose(TransportName::IoUring) {
            return skip::report("an_endpoint_that_was_refused_is_forgotten_when_it_is_closed", &reason.to_string());
        }
        let mut transport = with_a_deaf_endpoint();
        transport.close(HEALTHY);
        transport.receive(64, |_| panic!("nothing was sent"));
        assert!(transport.receives.refused().eq([DEAF]) && !transport.receives.is_live());
        transport.close(DEAF);
        assert_eq!(transport.receives.refused().count(), 0);
    }
}
