//! Receiving from sockets one after the other, whether they have something or not. While few are tried nothing brings a datagram sooner:
//! whoever watches sockets is told of each datagram by the one that sends it, or by the interrupt, and asks for it only then.

use std::os::fd::AsFd;

use super::Endpoint;
use super::messages::{Inbox, MAX_RECEIVED, Message};
use crate::io::transport::{Datagram, TransportCounts};
use crate::mailbox::EndpointId;

/// Buffers to receive into, and whose turn it is.
#[derive(Debug)]
pub(in crate::io::transport) struct Direct {
    inbox: Inbox,
    /// Which socket is tried first.
    turn: usize,
}

impl Direct {
    pub(in crate::io::transport) fn new() -> Self {
        Self { inbox: Inbox::new(), turn: 0 }
    }

    /// Receives from all of them, another one first each time; returns how many datagrams there were.
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

    /// Receives from one endpoint; returns how many datagrams there were.
    pub(in crate::io::transport) fn receive_from(
        &mut self,
        endpoint: &mut Endpoint,
        limit: usize,
        counts: &mut TransportCounts,
        handler: &mut impl FnMut(Datagram<'_>),
    ) -> usize {
        let mut received = 0;
        while received < limit {
            counts.receive_calls += 1;
            let asked = (limit - received).min(endpoint.expected);
            let socket = endpoint.sockets.receiving().as_fd();
            // Nothing there, interrupted, or an earlier datagram's refusal: nothing was received.
            let messages = if asked == 1 && endpoint.is_plain {
                self.inbox.receive_plain(socket)
            } else {
                self.inbox.receive(socket, asked)
            };
            let messages = messages.unwrap_or(0);
            for index in 0..messages {
                received += hand_over(endpoint.id, self.inbox.message(index), counts, handler);
            }
            if messages < asked {
                endpoint.expected = messages.max(1);
                break;
            }
            endpoint.expected = (2 * asked).min(MAX_RECEIVED);
            if asked == 1 {
                // Most likely the only one. If not, the next turn finds the others.
                break;
            }
        }
        received
    }
}

/// Hands over the datagrams of a message; returns how many they are.
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
    // One without bytes is a datagram as well.
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
