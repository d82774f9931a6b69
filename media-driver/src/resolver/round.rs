//! A round: datagrams that all go to the same drivers. A round may be long, so it is handed out as far as there is
//! room, and continues in the next turn. What is said in a datagram is decided when it is handed out.

use std::net::SocketAddr;

use crate::mailbox::{Content, EndpointId, Transmit, TransmitBatch, TransmitTag};

/// The parts that are still to be sent, a datagram each, to each address.
#[derive(Debug)]
pub(super) struct Round<T> {
    parts: Vec<T>,
    to: Vec<SocketAddr>,
    sent: usize,
}

impl<T> Default for Round<T> {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

impl<T> Round<T> {
    pub(super) fn new(parts: Vec<T>, to: Vec<SocketAddr>) -> Self {
        Self { parts, to, sent: 0 }
    }

    /// Whether everything was sent.
    pub(super) fn is_done(&self) -> bool {
        self.sent == self.parts.len() * self.to.len()
    }

    /// Adds as many datagrams to the batch as there is space for. `datagram` returns that of a part, if there is still
    /// something to say. Returns how many.
    pub(super) fn poll(
        &mut self,
        endpoint: EndpointId,
        batch: &mut TransmitBatch,
        mut datagram: impl FnMut(&T) -> Option<Box<[u8]>>,
    ) -> usize {
        let mut added = 0;
        let mut current = None;
        // A part without a datagram counts, too, so that a turn is not long either way.
        for _ in 0..batch.room() {
            if self.is_done() {
                break;
            }
            let (part, to) = (self.sent / self.to.len(), self.sent % self.to.len());
            let said = match current.take() {
                Some((of, said)) if of == part => said,
                _ => datagram(&self.parts[part]),
            };
            if let Some(datagram) = &said {
                let content = Content::Long(datagram.clone());
                batch.push(Transmit { endpoint, to: self.to[to], content, tag: TransmitTag::Control });
                added += 1;
            }
            current = Some((part, said));
            self.sent += 1;
        }
        added
    }
}
