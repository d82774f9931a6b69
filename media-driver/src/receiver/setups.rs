//! The setups that the receiver waits for, and how it asks for them: at the address that data of an unknown session came
//! from, and at control addresses, where it registers.

use std::net::SocketAddr;

use gannet::counters::SystemCounter;
use gannet::protocol::StatusMessage;
use gannet::time::MonotonicNanos;
use gannet::types::{SessionId, StreamId};

use super::Receiver;
use super::endpoints::Endpoint;
use super::report::{Report, ReportOutlet};
use crate::mailbox::{EndpointId, MAX_RECEIVE_TRANSPORTS, NewReceiveTransport};

/// How long to wait for a setup before it is requested again, and the interval of registrations with control addresses,
/// in nanoseconds.
pub(super) const SETUP_TIMEOUT_NS: i64 = 1_000_000_000;

impl Receiver {
    /// Drops setups that did not arrive, and registers with control addresses.
    #[inline(never)]
    pub(super) fn check_setups(&mut self, now: MonotonicNanos) -> usize {
        let mut work = 0;
        let mut due = MonotonicNanos::NEVER;
        for place in 0..self.endpoints.places() {
            let Some(endpoint) = self.endpoints.get_mut(place) else { continue };
            let Endpoint { dispatcher, pending, transports, .. } = endpoint;
            pending.retain(|pending| {
                let waits = now <= pending.since.saturating_add_ns(SETUP_TIMEOUT_NS);
                if waits {
                    due = due.min(pending.since.saturating_add_ns(SETUP_TIMEOUT_NS + 1));
                } else {
                    dispatcher.end_pending_setup(pending.stream_id, pending.session_id);
                    work += 1;
                }
                waits
            });
            if !dispatcher.has_interest() {
                continue;
            }
            for index in 0..transports.len() {
                let Some(endpoint) = self.endpoints.get_mut(place) else { continue };
                let transport = &mut endpoint.transports[index];
                if !transport.made_of.registers {
                    continue;
                }
                let is_due = now >= transport.registration_due;
                if is_due {
                    transport.registration_due = now.saturating_add_ns(SETUP_TIMEOUT_NS + 1);
                }
                due = due.min(transport.registration_due);
                if is_due {
                    let made_of = transport.made_of;
                    self.register(place, made_of, StreamId::new(0), SessionId::new(0));
                    work += 1;
                }
            }
        }
        self.setups_due = due;
        work
    }

    /// Asks the publications at the control addresses of an endpoint's sockets for a setup.
    pub(super) fn register_all(&mut self, id: EndpointId, stream_id: StreamId, session_id: SessionId) {
        let Some((place, endpoint)) = self.endpoints.of(id) else { return };
        let mut all = [None; MAX_RECEIVE_TRANSPORTS];
        for (slot, transport) in all.iter_mut().zip(&endpoint.transports) {
            *slot = Some(transport.made_of);
        }
        for made_of in all.into_iter().flatten() {
            self.register(place, made_of, stream_id, session_id);
        }
    }

    /// Asks the publication at a socket's control address for a setup, if there is such an address.
    pub(super) fn register(
        &mut self,
        place: usize,
        made_of: NewReceiveTransport,
        stream_id: StreamId,
        session_id: SessionId,
    ) {
        if let Some(control) = made_of.control.filter(|_| made_of.registers) {
            self.ask_for_setup(place, made_of.id, control, stream_id, session_id);
        }
    }

    pub(super) fn ask_for_setup(
        &mut self,
        place: usize,
        transport: EndpointId,
        to: SocketAddr,
        stream_id: StreamId,
        session_id: SessionId,
    ) {
        let Some(Endpoint { made_of, .. }) = self.endpoints.get(place) else { return };
        let request = StatusMessage::setup_request(session_id, stream_id, made_of.receiver_id, made_of.group_tag);
        self.replies.put(transport, to, &Report::Status(request));
        self.counters.count(SystemCounter::StatusMessagesSent);
    }
}
