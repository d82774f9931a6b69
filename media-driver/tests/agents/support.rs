//! Logs, counters and frames of a stream, as a conductor would give them to sender and receiver.

use std::net::SocketAddr;

use gannet::logbuffer::{LogBuffers, LogKind, LogParameters};
use gannet::memory::{CacheLines, OwnedWord};
use gannet::protocol::{GroupTag, Setup, StatusMessage};
use gannet::time::MonotonicNanos;
use gannet::types::{Position, RegistrationId, SessionId, StreamId, TermId, TermLength};
use gannet_driver::mailbox::{
    CongestionRules, Content, EndpointId, FlowControlRules, ImageCounters, LossRules, NewImage, NewNetworkPublication,
    PublicationCounters, RetransmitRules, Transmit, TransmitBatch,
};
use gannet_driver::shared::{ImageWords, PublicationWords};

use crate::raw_access::RAW;

pub(crate) const TERM: TermLength = TermLength::MIN;
pub(crate) const LENGTH: i64 = TERM.get() as i64;
pub(crate) const SESSION: SessionId = SessionId::new(0x0102_0304);
pub(crate) const STREAM: StreamId = StreamId::new(1001);
pub(crate) const INITIAL: TermId = TermId::new(7);
pub(crate) const RECEIVER: i64 = 0x1122_3344_5566_7788;
pub(crate) const PUBLICATION: RegistrationId = RegistrationId::new(40);
pub(crate) const IMAGE: RegistrationId = RegistrationId::new(50);
pub(crate) const SENDING: EndpointId = EndpointId::new(1);
pub(crate) const RECEIVING: EndpointId = EndpointId::new(2);
pub(crate) const MS: i64 = 1_000_000;

pub(crate) fn at(ns: i64) -> MonotonicNanos {
    MonotonicNanos::new(ns)
}

pub(crate) fn sender_address() -> SocketAddr {
    ([10, 0, 0, 1], 20_000).into()
}

pub(crate) fn receiver_address() -> SocketAddr {
    ([10, 0, 0, 2], 40_123).into()
}

/// A counter in this process's memory.
pub(crate) fn word(value: i64) -> OwnedWord<i64> {
    let word = CacheLines::new(1).word(0, 0);
    word.store_release(value);
    word
}

pub(crate) fn log(kind: LogKind, initial_term_id: TermId, start: i64) -> LogBuffers {
    LogBuffers::heap(
        &LogParameters {
            start_position: Position::new(start),
            ..LogParameters::ipc(kind, TERM, SESSION, STREAM, initial_term_id)
        },
        RAW,
    )
}

pub(crate) fn publication(log: &LogBuffers, start: i64) -> NewNetworkPublication {
    NewNetworkPublication {
        registration_id: PUBLICATION,
        session_id: SESSION,
        stream_id: STREAM,
        log: log.clone(),
        start_position: Position::new(start),
        flow_control: FlowControlRules::Unicast,
        retransmit: RetransmitRules { delay_ns: 0, linger_ns: 10 * MS, group_slots: None },
        retransmit_windows: 16,
        initial_window: 128 << 10,
        connection_timeout_ns: 5_000 * MS,
        max_datagrams_per_cycle: 4,
        group: false,
        ttl: 0,
        signal_eos: true,
        spies_simulate_connection: false,
        asks_for_response: false,
        answers: false,
        words: PublicationWords::new(start),
        counters: PublicationCounters {
            position: word(start),
            limit: word(start),
            back_pressure: word(0),
            naks_received: word(0),
            receivers: None,
        },
    }
}

pub(crate) fn image(log: &LogBuffers, join: i64) -> NewImage {
    NewImage {
        registration_id: IMAGE,
        session_id: SESSION,
        stream_id: STREAM,
        log: log.clone(),
        join_position: Position::new(join),
        congestion_control: CongestionRules::Static(128 << 10),
        loss: LossRules::Unicast { delay_ns: 1_000, retry_ratio: 100 },
        transport: RECEIVING,
        control_address: sender_address(),
        receiver_id: RECEIVER,
        group_tag: None,
        liveness_timeout_ns: 10_000 * MS,
        status_message_timeout_ns: 200 * MS,
        words: ImageWords::new(join),
        counters: ImageCounters { highest: word(join), position: word(join), naks_sent: word(0), cubic: None },
    }
}

/// The status message of a receiver that has read up to `position`.
pub(crate) fn status(position: i64, window: i32) -> StatusMessage {
    let at = Position::new(position);
    StatusMessage {
        session_id: SESSION,
        stream_id: STREAM,
        consumption_term_id: TERM.term_id(at, INITIAL),
        consumption_term_offset: TERM.offset(at),
        receiver_window: window,
        receiver_id: RECEIVER,
        group_tag: GroupTag::None,
        asks_for_setup: false,
        end_of_stream: false,
    }
}

/// The bytes of a datagram.
pub(crate) fn bytes(transmit: &Transmit) -> Vec<u8> {
    match &transmit.content {
        Content::Frame(frame) => frame.as_bytes().to_vec(),
        Content::Long(bytes) => bytes.to_vec(),
        Content::Log { log, position, length } => {
            let term_length = log.term_length();
            let mut bytes = vec![0; *length];
            let term = log.term(term_length.term_count(*position) as usize % 3);
            term.get_bytes(term_length.offset(*position) as usize, &mut bytes);
            bytes
        }
    }
}

/// All datagrams in a batch.
pub(crate) fn drain(batch: &mut TransmitBatch) -> Vec<Vec<u8>> {
    batch.drain().map(|transmit| bytes(&transmit)).collect()
}

/// The setup of a stream at its beginning.
pub(crate) fn setup(session_id: SessionId) -> Setup {
    Setup {
        term_offset: 0,
        session_id,
        stream_id: STREAM,
        initial_term_id: INITIAL,
        active_term_id: INITIAL,
        term_length: TERM,
        mtu: 1408,
        ttl: 0,
        asks_for_response: false,
        group: false,
    }
}
