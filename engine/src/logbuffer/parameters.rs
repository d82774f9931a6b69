//! The parameters of a new log: its layout and the contents of its metadata.

use crate::types::{Position, RegistrationId, SessionId, StreamId, TermId, TermLength};

use super::layout::LogLayout;

/// The maximum MTU: the longest datagram, rounded down to whole frames.
pub const MAX_MTU: i32 = 65_504;

/// The kind of a log, by its writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// Any number of publishers in any number of processes.
    Concurrent,
    /// One publisher.
    Exclusive,
    /// The driver, which receives the stream from the network.
    Image,
}

/// The content of a new log's metadata. Lengths are in bytes. `-1` stands for "none" where documented.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "they are the file's fields")]
pub struct LogParameters {
    /// The kind of the log.
    pub kind: LogKind,
    /// The registration id (correlation id) of the publication or image.
    pub registration_id: RegistrationId,
    /// The session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The length of each term.
    pub term_length: TermLength,
    /// The page size: a power of two, at least 4096. The file's length is a multiple of it.
    pub page_size: i32,
    /// The length of the longest frame, header included.
    pub mtu: i32,
    /// The id of the stream's first term.
    pub initial_term_id: TermId,
    /// The start position: zero unless the channel has an initial position. A multiple of 32.
    pub start_position: Position,
    /// The publication window.
    pub publication_window: i32,
    /// The receiver window of an image.
    pub receiver_window: i32,
    /// The channel's socket send buffer. 0 for the operating system's default.
    pub socket_send_buffer: i32,
    /// The operating system's default send buffer.
    pub os_default_send_buffer: i32,
    /// The operating system's maximum send buffer.
    pub os_max_send_buffer: i32,
    /// The channel's socket receive buffer. 0 for the operating system's default.
    pub socket_receive_buffer: i32,
    /// The operating system's default receive buffer.
    pub os_default_receive_buffer: i32,
    /// The operating system's maximum receive buffer.
    pub os_max_receive_buffer: i32,
    /// The maximum number of pending retransmits.
    pub max_resend: i32,
    /// The entity tag of the channel. -1 for none. 0 in images.
    pub entity_tag: i64,
    /// The correlation id of the response channel. -1 for none. 0 in images.
    pub response_correlation_id: i64,
    /// How long the log lingers, in nanoseconds.
    pub linger_timeout_ns: i64,
    /// How long an untethered subscriber may exert back pressure before it is released, in nanoseconds.
    pub untethered_window_limit_timeout_ns: i64,
    /// How long an untethered subscriber lingers, in nanoseconds.
    pub untethered_linger_timeout_ns: i64,
    /// How long an untethered subscriber rests, in nanoseconds.
    pub untethered_resting_timeout_ns: i64,
    /// Whether the channel has group semantics.
    pub group: bool,
    /// Whether this is a response channel.
    pub is_response: bool,
    /// Whether images may rejoin.
    pub rejoin: bool,
    /// Whether lost data is retransmitted.
    pub reliable: bool,
    /// Whether the file is sparse.
    pub sparse: bool,
    /// Whether the end of the stream is signalled.
    pub signal_eos: bool,
    /// Whether spies count as subscribers.
    pub spies_simulate_connection: bool,
    /// Whether slow subscribers exert back pressure on the publisher.
    pub tether: bool,
}

impl LogParameters {
    /// The parameters of the log of an IPC publication without options, as created by the reference's driver: an MTU of
    /// 1408 bytes, a window of half a term, 5 s of linger.
    pub fn ipc(
        kind: LogKind,
        term_length: TermLength,
        session_id: SessionId,
        stream_id: StreamId,
        initial_term_id: TermId,
    ) -> Self {
        Self {
            kind,
            registration_id: RegistrationId::new(0),
            session_id,
            stream_id,
            term_length,
            page_size: 4096,
            mtu: 1408,
            initial_term_id,
            start_position: Position::new(0),
            publication_window: term_length.get() / 2,
            receiver_window: 0,
            socket_send_buffer: 0,
            os_default_send_buffer: 0,
            os_max_send_buffer: 0,
            socket_receive_buffer: 0,
            os_default_receive_buffer: 0,
            os_max_receive_buffer: 0,
            max_resend: 0,
            entity_tag: -1,
            response_correlation_id: -1,
            linger_timeout_ns: 5_000_000_000,
            untethered_window_limit_timeout_ns: 5_000_000_000,
            untethered_linger_timeout_ns: 5_000_000_000,
            untethered_resting_timeout_ns: 10_000_000_000,
            group: false,
            is_response: false,
            rejoin: false,
            reliable: false,
            sparse: false,
            signal_eos: true,
            spies_simulate_connection: false,
            tether: false,
        }
    }

    /// The file's layout.
    pub const fn layout(&self) -> LogLayout {
        LogLayout { term_length: self.term_length, page_size: self.page_size }
    }
}
