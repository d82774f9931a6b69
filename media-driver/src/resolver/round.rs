//! A round: datagrams that all go to the same drivers. A round may be long, so it is handed out as far as there is
//! room, and continues in the next turn.

use std::net::SocketAddr;

use crate::mailbox::{Content, EndpointId, Transmit, TransmitBatch, TransmitTag};

/// The datagrams that are still to be sent, each to each address.
#[derive(Debug, Default)]
pub(super) struct Round {
    datagrams: Vec<Box<[u8]>>,
    to: Vec<SocketAddr>,
    sent: usize,
}

impl Round {
    pub(super) fn new(datagrams: Vec<Box<[u8]>>, to: Vec<SocketAddr>) -> Self {
        Self { datagrams, to, sent: 0 }
    }

    /// Whether everything was sent.
    pub(super) fn is_done(&self) -> bool {
        self.sent == self.datagrams.len() * self.to.len()
    }

    /// Adds as many datagrams to the batch as there is space for. Returns how many.
    pub(super) fn poll(&mut self, endpoint: EndpointId, batch: &mut TransmitBatch) -> usize {
        let before = self.sent;
        while !self.is_done() && batch.room() > 0 {
            let (datagram, to) = (self.sent / self.to.len(), self.sent % self.to.len());
            let content = Content::Long(self.datagrams[datagram].clone());
            batch.push(Transmit { endpoint, to: self.to[to], content, tag: TransmitTag::Control });
            self.sent += 1;
        }
        self.sent - before
    }
}
