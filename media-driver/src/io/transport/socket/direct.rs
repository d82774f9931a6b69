//! Receives from sockets one after the other, whether they have data or not. For few sockets this finds a datagram
//! soonest. With a watched socket, the sender's call or the interrupt must first report each datagram to the watcher,
//! which reads it only then.

use std::os::fd::AsFd;

use super::Endpoint;
use super::inbox::{Inbox, MAX_RECEIVED, Message};
use crate::io::transport::{Datagram, TransportCounts};
use crate::mailbox::EndpointId;

/// The buffers for receiving, and the next socket to try.
#[derive(Debug)]
pub(in crate::io::transport) struct Direct {
    inbox: Inbox,
    /// The index of the socket that is tried first.
    turn: usize,
}

impl Direct {
    pub(in crate::io::transport) fn new() -> Self {
        Self { inbox: Inbox::new(), turn: 0 }
    }

    /// Receives from all of them, starting with another one each time. Returns the number of datagrams.
    pub(in crate::io::transport) fn receive(
        &mut self,
        endpoints: &mut [Endpoint],
        limit: usize,
        counts: &mut TransportCounts,
        handler: &mut impl FnMut(Datagram<'_>),
    ) -> usize {
        self.turn = if self.turn + 1 < endpoints.len() { self.turn + 1 } else { 0 };
        let (later, first) = endpoints.split_at_mut(self.turn.min(endpoints.len()));
        let mut received = 0;
        for endpoint in first.iter_mut().chain(later) {
            if received >= limit {
                break;
            }
            received += self.receive_from(endpoint, limit - received, counts, handler);
        }
        received
    }

    /// Receives from one endpoint. Returns the number of datagrams.
    #[inline]
    pub(in crate::io::transport) fn receive_from(
        &mut self,
        endpoint: &mut Endpoint,
        limit: usize,
        counts: &mut TransportCounts,
        handler: &mut impl FnMut(Datagram<'_>),
    ) -> usize {
        let asked = limit.min(endpoint.expected);
        let messages = self.ask(endpoint, asked, counts);
        if messages == 0 {
            endpoint.expected = 1;
            return 0;
        }
        self.receive_more(endpoint, limit, (asked, messages), counts, handler)
    }

    /// Asks the kernel for this many messages. Returns how many there were.
    #[inline]
    fn ask(&mut self, endpoint: &Endpoint, asked: usize, counts: &mut TransportCounts) -> usize {
        counts.receive_calls += 1;
        let socket = endpoint.sockets.receiving().as_fd();
        if asked > 1 {
            self.inbox.receive(socket, asked)
        } else if endpoint.is_plain {
            self.inbox.receive_plain(socket)
        } else {
            self.inbox.receive_one(socket)
        }
    }

    /// Delivers the messages that were received, and continues as long as the kernel has as many as requested.
    fn receive_more(
        &mut self,
        endpoint: &mut Endpoint,
        limit: usize,
        (mut asked, mut messages): (usize, usize),
        counts: &mut TransportCounts,
        handler: &mut impl FnMut(Datagram<'_>),
    ) -> usize {
        let mut received = 0;
        loop {
            for index in 0..messages {
                received += hand_over(endpoint.id, self.inbox.message(index), counts, handler);
            }
            if messages < asked {
                endpoint.expected = messages.max(1);
                break;
            }
            endpoint.expected = (2 * asked).min(MAX_RECEIVED);
            // A message that was requested alone is most likely the only one. If not, the next duty cycle finds the
            // others.
            if asked == 1 || received >= limit {
                break;
            }
            asked = (limit - received).min(endpoint.expected);
            messages = self.ask(endpoint, asked, counts);
        }
        received
    }
}

/// Delivers the datagrams of a message. Returns how many.
pub(in crate::io::transport) fn hand_over(
    endpoint: EndpointId,
    message: Message<'_>,
    counts: &mut TransportCounts,
    handler: &mut impl FnMut(Datagram<'_>),
) -> usize {
    let Some(from) = message.from else { return 0 };
    if message.is_truncated {
        counts.truncated += 1;
        return 0;
    }
    let received_ns = message.received_ns;
    let segment = message.segment.unwrap_or(message.bytes.len());
    let (mut rest, mut datagrams) = (message.bytes, 0);
    // An empty datagram is a datagram, too.
    loop {
        let (bytes, others) = rest.split_at_mut(segment.min(rest.len()));
        handler(Datagram { endpoint, from, bytes, received_ns });
        datagrams += 1;
        rest = others;
        if rest.is_empty() {
            break;
        }
    }
    counts.received += datagrams as u64;
    datagrams
}
