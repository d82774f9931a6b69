//! The ways from an image's sender to it: one for each socket of its endpoint that has received the stream. The image
//! owns them, and sends its frames back on each that is alive.

use std::net::SocketAddr;

use gannet::time::MonotonicNanos;

use super::report::{Report, ReportOutlet};
use crate::mailbox::{EndpointId, MAX_RECEIVE_TRANSPORTS};

/// No frames are sent to a connection that has been silent for longer than this, in nanoseconds.
pub(super) const CONNECTION_TIMEOUT_NS: i64 = 5_000_000_000;

/// An image's connections, at most one for each socket.
#[derive(Debug)]
pub(super) struct Connections(Vec<Connection>);

#[derive(Clone, Copy, Debug)]
struct Connection {
    transport: EndpointId,
    control: Option<SocketAddr>,
    last_activity: MonotonicNanos,
    /// The end-of-stream position that its sender has reported.
    end: Option<i64>,
}

impl Connections {
    /// No connections.
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(MAX_RECEIVE_TRANSPORTS))
    }

    /// Records a datagram from that socket. `control` is the address for control frames, if it has none yet.
    #[inline]
    pub(super) fn on_datagram(&mut self, now: MonotonicNanos, transport: EndpointId, control: SocketAddr) {
        if let Some(known) = self.0.iter_mut().find(|connection| connection.transport == transport) {
            known.last_activity = now;
            known.control.get_or_insert(control);
        } else if self.0.len() < MAX_RECEIVE_TRANSPORTS {
            self.0.push(Connection { transport, control: Some(control), last_activity: now, end: None });
        }
    }

    /// Records that the stream ends at this position, according to a datagram from that socket. Returns whether all
    /// connections have reported an end.
    pub(super) fn on_end_of_stream(&mut self, from: EndpointId, position: i64) -> bool {
        if let Some(connection) = self.0.iter_mut().find(|connection| connection.transport == from) {
            connection.end = Some(position);
        }
        self.0.iter().all(|connection| connection.end.is_some())
    }

    /// The highest end-of-stream position that was reported.
    pub(super) fn end(&self) -> Option<i64> {
        self.0.iter().filter_map(|connection| connection.end).max()
    }

    /// Changes the control address of a socket.
    pub(super) fn move_control(&mut self, transport: EndpointId, control: SocketAddr) {
        for connection in self.0.iter_mut().filter(|connection| connection.transport == transport) {
            connection.control = Some(control);
        }
    }

    /// Forgets a socket.
    pub(super) fn remove(&mut self, transport: EndpointId) {
        self.0.retain(|connection| connection.transport != transport);
    }

    /// The number of connections from which a datagram came less than this long ago.
    pub(super) fn active(&self, now: MonotonicNanos, timeout_ns: i64) -> usize {
        self.0.iter().filter(|connection| now.since(connection.last_activity) < timeout_ns).count()
    }

    /// Sends a frame to all connections that are alive. Returns how many.
    pub(super) fn send(&self, now: MonotonicNanos, report: &Report<'_>, out: &mut impl ReportOutlet) -> usize {
        let is_alive =
            |connection: &&Connection| now < connection.last_activity.saturating_add_ns(CONNECTION_TIMEOUT_NS);
        put_all(self.0.iter().filter(is_alive), report, out)
    }

    /// Sends a frame to all connections, alive or not. Returns how many.
    pub(super) fn send_to_all(&self, report: &Report<'_>, out: &mut impl ReportOutlet) -> usize {
        put_all(self.0.iter(), report, out)
    }
}

fn put_all<'a>(
    connections: impl Iterator<Item = &'a Connection>,
    report: &Report<'_>,
    out: &mut impl ReportOutlet,
) -> usize {
    let mut sent = 0;
    for connection in connections {
        if let Some(control) = connection.control {
            out.put(connection.transport, control, report);
            sent += 1;
        }
    }
    sent
}
