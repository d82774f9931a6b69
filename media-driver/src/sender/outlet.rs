//! What a publication sends, and its way into the transport's batch: one datagram for each destination of its endpoint.
//! Writes timestamps into them, if the endpoint's channel asks for those.

use gannet::channel_uri::TimestampOffset;
use gannet::counters::SystemCounter;
use gannet::logbuffer::LogBuffers;
use gannet::protocol::{DATA_HEADER_LENGTH, DataHeader, Heartbeat, RttMeasurement, Setup};
use gannet::types::{Position, RegistrationId};

use super::destinations::Destinations;
use crate::mailbox::{Content, EndpointId, InlineFrame, Transmit, TransmitBatch, TransmitTag};
use crate::shared::NetworkCounters;

/// The offset of the reserved value in a frame's header, in bytes.
const RESERVED_VALUE: usize = 24;

/// A frame or range that a publication sends to its destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// New data: this many bytes from this position.
    Data(Position, usize),
    /// A retransmit.
    Resend(Position, usize),
    /// A setup.
    Setup(Setup),
    /// A heartbeat.
    Heartbeat(Heartbeat),
    /// A response to a round-trip request.
    Rtt(RttMeasurement),
}

/// The way of a publication's datagrams. `BatchOutlet` is the sender's.
pub trait Outlet {
    /// The number of datagrams per range or frame: one per destination.
    fn destinations(&self) -> usize;

    /// Whether there is space for one more to all destinations.
    fn has_room(&self) -> bool;

    /// Takes a range or frame of the publication with this log. Only called if there is space.
    fn put(&mut self, log: &LogBuffers, what: Outgoing);
}

/// The way of a publication's datagrams to all destinations of its endpoint.
pub(super) struct BatchOutlet<'a> {
    pub(super) out: &'a mut TransmitBatch,
    pub(super) counters: &'a NetworkCounters,
    /// The place of timestamps, and the present time.
    pub(super) stamp: Option<(TimestampOffset, i64)>,
    pub(super) endpoint: EndpointId,
    pub(super) destinations: &'a mut Destinations,
    pub(super) slot: u32,
    pub(super) registration_id: RegistrationId,
}

impl Outlet for BatchOutlet<'_> {
    fn destinations(&self) -> usize {
        self.destinations.len()
    }

    fn has_room(&self) -> bool {
        self.out.room() >= self.destinations.len()
    }

    #[inline]
    fn put(&mut self, log: &LogBuffers, what: Outgoing) {
        let (slot, registration_id) = (self.slot, self.registration_id);
        match what {
            Outgoing::Data(position, length) => {
                let tag = TransmitTag::Data { slot, registration_id, position: position.get() };
                self.put_range(log, position, length, tag);
            }
            Outgoing::Resend(position, length) => self.put_range(log, position, length, TransmitTag::Control),
            Outgoing::Setup(setup) => self.put_frame(InlineFrame::new(|bytes| setup.write(bytes))),
            Outgoing::Heartbeat(heartbeat) => self.put_frame(InlineFrame::new(|bytes| heartbeat.write(bytes))),
            Outgoing::Rtt(answer) => self.put_frame(InlineFrame::new(|bytes| answer.write(bytes))),
        }
    }
}

impl BatchOutlet<'_> {
    fn put_range(&mut self, log: &LogBuffers, position: Position, length: usize, tag: TransmitTag) {
        self.counters.add(SystemCounter::BytesSent, (length * self.destinations.len()) as i64);
        if let Some((offset, time_ns)) = self.stamp {
            stamp(log, position, length, offset, time_ns);
        }
        let endpoint = self.endpoint;
        for to in self.destinations.next_round() {
            let content = Content::Log { log: log.clone(), position, length };
            self.out.push(Transmit { endpoint, to, content, tag });
        }
    }

    fn put_frame(&mut self, frame: InlineFrame) {
        let endpoint = self.endpoint;
        for to in self.destinations.next_round() {
            let (content, tag) = (Content::Frame(frame), TransmitTag::Control);
            self.out.push(Transmit { endpoint, to, content, tag });
        }
    }
}

/// Writes the time into the first frame of a datagram that is about to be sent, if it is a message with space for it.
/// As in the reference, into the log itself.
fn stamp(log: &LogBuffers, position: Position, datagram: usize, offset: TimestampOffset, time_ns: i64) {
    let term_length = log.term_length();
    let term = log.term(term_length.term_count(position) as u32 as usize % 3);
    let begin = term_length.offset(position) as usize;
    let mut bytes = [0; DATA_HEADER_LENGTH];
    term.get_bytes(begin, &mut bytes);
    let Ok(header) = DataHeader::parse(&bytes) else { return };
    let Ok(length) = usize::try_from(header.frame_length) else { return };
    if header.is_padding || length > datagram {
        return;
    }
    let place = match offset {
        TimestampOffset::Reserved => RESERVED_VALUE,
        TimestampOffset::Payload(offset) => match usize::try_from(offset) {
            Ok(offset) => DATA_HEADER_LENGTH.saturating_add(offset),
            Err(_) => return,
        },
    };
    if place.saturating_add(size_of::<i64>()) <= length {
        term.put_bytes(begin + place, &time_ns.to_le_bytes());
    }
}
