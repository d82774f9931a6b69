//! The metadata section of a log: the last 4096 bytes of its file. Publishers own the tails and the active term count;
//! the driver owns everything else.

use crate::memory::{AtomicBuffer, CACHE_LINE_LENGTH, Field, OwnedWord, Partition, Word};
use crate::types::{Position, RegistrationId, SessionId, StreamId, TermId, TermLength};

use super::frame::{DATA_UNFRAGMENTED, FRAME_HEADER_LENGTH};
use super::layout::PARTITION_COUNT;
use super::parameters::{LogKind, LogParameters};

/// The end-of-stream position while it is unknown.
const END_OF_STREAM_UNKNOWN: i64 = i64::MAX;

// Written by publishers.
const TAILS: Field<[i64; PARTITION_COUNT]> = Field::at(0);
const ACTIVE_TERM_COUNT: Field<i32> = Field::at(24);
// Written by the driver during the log's life.
const END_OF_STREAM_POSITION: Field<i64> = Field::at(128);
const IS_CONNECTED: Field<i32> = Field::at(136);
const ACTIVE_TRANSPORT_COUNT: Field<i32> = Field::at(140);
// Written once, except the revoked flag.
const REGISTRATION_ID: Field<i64> = Field::at(256);
const INITIAL_TERM_ID: Field<i32> = Field::at(264);
const DEFAULT_HEADER_LENGTH: Field<i32> = Field::at(268);
const MTU: Field<i32> = Field::at(272);
const TERM_LENGTH: Field<i32> = Field::at(276);
const PAGE_SIZE: Field<i32> = Field::at(280);
const PUBLICATION_WINDOW: Field<i32> = Field::at(284);
const RECEIVER_WINDOW: Field<i32> = Field::at(288);
const SOCKET_SEND_BUFFER: Field<i32> = Field::at(292);
const OS_DEFAULT_SEND_BUFFER: Field<i32> = Field::at(296);
const OS_MAX_SEND_BUFFER: Field<i32> = Field::at(300);
const SOCKET_RECEIVE_BUFFER: Field<i32> = Field::at(304);
const OS_DEFAULT_RECEIVE_BUFFER: Field<i32> = Field::at(308);
const OS_MAX_RECEIVE_BUFFER: Field<i32> = Field::at(312);
const MAX_RESEND: Field<i32> = Field::at(316);
/// The header from which padding frames are made. Only the first 32 of its 128 bytes are used.
const DEFAULT_HEADER: Field<[i32; 32]> = Field::at(320);
const ENTITY_TAG: Field<i64> = Field::at(448);
const RESPONSE_CORRELATION_ID: Field<i64> = Field::at(456);
const LINGER_TIMEOUT: Field<i64> = Field::at(464);
const UNTETHERED_WINDOW_LIMIT_TIMEOUT: Field<i64> = Field::at(472);
const UNTETHERED_RESTING_TIMEOUT: Field<i64> = Field::at(480);
/// One byte each: group, response, rejoin, reliable, sparse, signal end of stream, spies simulate connection, tether.
const FLAG_BYTES: Field<[i32; 2]> = Field::at(488);
/// Byte 0: revoked, byte 1: kind. The kind never changes, and only the driver sets the other, so one word serves both.
const REVOKED_AND_KIND: Field<i32> = Field::at(496);
/// A 64-bit field that is not aligned, so it is accessed as two words.
const UNTETHERED_LINGER_TIMEOUT: Field<[i32; 2]> = Field::at(500);

/// Specific to Gannet: see `doorbell`. Zero in logs that an Aeron peer created. Aeron never accesses it.
const WAITERS: Field<i32> = Field::at(512);
/// Specific to Gannet: see `doorbell`.
const ALL_RING: Field<i32> = Field::at(516);

const _: () = {
    assert!(WAITERS.start() >= UNTETHERED_LINGER_TIMEOUT.end() && WAITERS.start().is_multiple_of(CACHE_LINE_LENGTH));
    assert!(TAILS.end() == ACTIVE_TERM_COUNT.start());
    assert!(ACTIVE_TRANSPORT_COUNT.end() == 144);
    assert!(DEFAULT_HEADER.start() == MAX_RESEND.end() && DEFAULT_HEADER.end() == ENTITY_TAG.start());
    assert!(UNTETHERED_RESTING_TIMEOUT.end() == FLAG_BYTES.start() && FLAG_BYTES.end() == REVOKED_AND_KIND.start());
    assert!(UNTETHERED_LINGER_TIMEOUT.end() == 508);
};

/// A view of a log's metadata. Its content is untrusted, because any process that maps the file can write it.
#[derive(Clone, Debug)]
pub struct LogMetadata {
    buffer: AtomicBuffer,
}

impl LogMetadata {
    /// The number of bytes that are used. The rest is zero.
    pub(super) const USED_LENGTH: usize = 520;

    /// The metadata section in `buffer`.
    ///
    /// # Panics
    ///
    /// If the buffer is shorter than the used part of the section.
    pub fn new(buffer: AtomicBuffer) -> Self {
        assert!(buffer.len() >= Self::USED_LENGTH, "a metadata section");
        Self { buffer }
    }

    /// Initialises a new, zeroed section. No other process maps the log yet.
    pub(super) fn initialise(&self, parameters: &LogParameters) {
        let set = |field, value| self.buffer.word::<i32>(field).store_relaxed(value);
        let set_long = |field, value| self.buffer.word::<i64>(field).store_relaxed(value);
        let initial = parameters.initial_term_id;
        set_long(REGISTRATION_ID, parameters.registration_id.get());
        set(INITIAL_TERM_ID, initial.get());
        set(DEFAULT_HEADER_LENGTH, FRAME_HEADER_LENGTH as i32);
        set(MTU, parameters.mtu);
        set(TERM_LENGTH, parameters.term_length.get());
        set(PAGE_SIZE, parameters.page_size);
        set(PUBLICATION_WINDOW, parameters.publication_window);
        set(RECEIVER_WINDOW, parameters.receiver_window);
        set(SOCKET_SEND_BUFFER, parameters.socket_send_buffer);
        set(OS_DEFAULT_SEND_BUFFER, parameters.os_default_send_buffer);
        set(OS_MAX_SEND_BUFFER, parameters.os_max_send_buffer);
        set(SOCKET_RECEIVE_BUFFER, parameters.socket_receive_buffer);
        set(OS_DEFAULT_RECEIVE_BUFFER, parameters.os_default_receive_buffer);
        set(OS_MAX_RECEIVE_BUFFER, parameters.os_max_receive_buffer);
        set(MAX_RESEND, parameters.max_resend);
        set(DEFAULT_HEADER.element(1), DATA_UNFRAGMENTED);
        set(DEFAULT_HEADER.element(3), parameters.session_id.get());
        set(DEFAULT_HEADER.element(4), parameters.stream_id.get());
        set(DEFAULT_HEADER.element(5), initial.get());
        set_long(ENTITY_TAG, parameters.entity_tag);
        set_long(RESPONSE_CORRELATION_ID, parameters.response_correlation_id);
        set_long(LINGER_TIMEOUT, parameters.linger_timeout_ns);
        set_long(UNTETHERED_WINDOW_LIMIT_TIMEOUT, parameters.untethered_window_limit_timeout_ns);
        set_long(UNTETHERED_RESTING_TIMEOUT, parameters.untethered_resting_timeout_ns);
        let linger = parameters.untethered_linger_timeout_ns;
        set(UNTETHERED_LINGER_TIMEOUT.element(0), linger as i32);
        set(UNTETHERED_LINGER_TIMEOUT.element(1), (linger >> 32) as i32);
        let bytes = |flags: [bool; 4]| i32::from_le_bytes(flags.map(u8::from));
        let p = parameters;
        set(FLAG_BYTES.element(0), bytes([p.group, p.is_response, p.rejoin, p.reliable]));
        set(FLAG_BYTES.element(1), bytes([p.sparse, p.signal_eos, p.spies_simulate_connection, p.tether]));
        let kind = match parameters.kind {
            LogKind::Concurrent => 0,
            LogKind::Exclusive => 1,
            LogKind::Image => 2,
        };
        set(REVOKED_AND_KIND, kind << 8);
        set_long(END_OF_STREAM_POSITION, END_OF_STREAM_UNKNOWN);
        if parameters.kind != LogKind::Image {
            self.initialise_tails(parameters);
        }
    }

    /// The tail of the starting term is the start position. Each other partition has the term id of three terms before
    /// its next use, which a rotation expects to replace.
    fn initialise_tails(&self, parameters: &LogParameters) {
        let count = parameters.term_length.term_count(parameters.start_position);
        let term_id = parameters.initial_term_id.wrapping_add(count);
        let active = Partition::of_term_count(count);
        let set = |partition, term_id, offset| self.raw_tail(partition).store_relaxed(pack_tail(term_id, offset));
        set(active, term_id, parameters.term_length.offset(parameters.start_position));
        set(active.next(), term_id.wrapping_add(-2), 0);
        set(active.next().next(), term_id.wrapping_add(-1), 0);
        self.active_term_count().store_relaxed(count);
    }

    /// The tail of a partition: the term id in the high half, the offset in the low half. The offset may exceed the
    /// term length.
    #[inline]
    pub(crate) fn raw_tail(&self, partition: Partition) -> Word<'_, i64> {
        self.buffer.word(TAILS.element(partition.index()))
    }

    /// The tails, as words that an appender keeps.
    pub(super) fn own_raw_tails(&self) -> [OwnedWord<i64>; PARTITION_COUNT] {
        core::array::from_fn(|index| self.buffer.own(TAILS.element(index)))
    }

    /// The active term count, as a word that an appender keeps.
    pub(super) fn own_active_term_count(&self) -> OwnedWord<i32> {
        self.buffer.own(ACTIVE_TERM_COUNT)
    }

    /// The tails of the three partitions as stored in the file: the term id in the high half, the offset in the low
    /// half.
    pub fn raw_tails(&self) -> [i64; PARTITION_COUNT] {
        core::array::from_fn(|index| self.buffer.word(TAILS.element(index)).load_acquire())
    }

    /// The number of the active term, counted from the initial term.
    #[inline]
    pub(crate) fn active_term_count(&self) -> Word<'_, i32> {
        self.buffer.word(ACTIVE_TERM_COUNT)
    }

    /// The position at which the stream ends. `i64::MAX` while it is unknown.
    pub fn end_of_stream_position(&self) -> Position {
        // ORDERING(log.driver-state): Acquire. Pairs with the Release in `set_end_of_stream_position`; whoever sees the
        // end sees what the driver stored before it.
        Position::new(self.buffer.word(END_OF_STREAM_POSITION).load_acquire())
    }

    /// Sets the end-of-stream position. For the driver.
    pub fn set_end_of_stream_position(&self, position: Position) {
        // ORDERING(log.driver-state): Release. Pairs with the Acquire in `end_of_stream_position`.
        self.buffer.word(END_OF_STREAM_POSITION).store_release(position.get());
    }

    /// Whether the publication has subscribers.
    #[inline]
    pub fn is_connected(&self) -> bool {
        // ORDERING(log.driver-state): Acquire. Pairs with the Release in `set_connected`.
        self.buffer.word(IS_CONNECTED).load_acquire() == 1
    }

    /// Sets whether the publication has subscribers. For the driver.
    pub fn set_connected(&self, connected: bool) {
        // ORDERING(log.driver-state): Release. Pairs with the Acquire in `is_connected`.
        self.buffer.word(IS_CONNECTED).store_release(i32::from(connected));
    }

    /// The number of transports of the image.
    pub fn active_transport_count(&self) -> i32 {
        // ORDERING(log.driver-state): Acquire. Pairs with the Release in `set_active_transport_count`.
        self.buffer.word(ACTIVE_TRANSPORT_COUNT).load_acquire()
    }

    /// Sets the number of transports of the image. For the driver.
    pub fn set_active_transport_count(&self, count: i32) {
        // ORDERING(log.driver-state): Release. Pairs with the Acquire in `active_transport_count`.
        self.buffer.word(ACTIVE_TRANSPORT_COUNT).store_release(count);
    }

    /// Whether the publication was revoked, which ends it without waiting for its subscribers.
    pub fn is_revoked(&self) -> bool {
        // ORDERING(log.driver-state): Acquire. Pairs with the Release in `revoke`; whoever sees the flag sees the
        // end-of-stream position.
        self.revoked_and_kind().load_acquire() & 0xFF != 0
    }

    /// Marks the publication as revoked. For the driver, after it has set the end-of-stream position.
    pub fn revoke(&self) {
        let word = self.revoked_and_kind();
        // ORDERING(log.driver-state): Release. Pairs with the Acquire in `is_revoked`; publishes the end-of-stream
        // position.
        word.store_release(word.load_relaxed() & !0xFF | 1);
    }

    /// The kind of the log. `None` if the file has an unknown kind.
    pub fn kind(&self) -> Option<LogKind> {
        match self.revoked_and_kind().load_relaxed() >> 8 & 0xFF {
            0 => Some(LogKind::Concurrent),
            1 => Some(LogKind::Exclusive),
            2 => Some(LogKind::Image),
            _ => None,
        }
    }

    /// The words of the log's doorbell: the waiters, and whether all writers ring.
    pub(super) fn doorbell(&self) -> (OwnedWord<i32>, OwnedWord<i32>) {
        (self.buffer.own(WAITERS), self.buffer.own(ALL_RING))
    }

    /// The registration id of the log's publication or image.
    pub fn registration_id(&self) -> RegistrationId {
        RegistrationId::new(self.buffer.word(REGISTRATION_ID).load_relaxed())
    }

    /// The id of the stream's first term.
    pub fn initial_term_id(&self) -> TermId {
        TermId::new(self.get(INITIAL_TERM_ID))
    }

    /// The length of the longest frame in bytes, header included.
    pub fn mtu(&self) -> i32 {
        self.get(MTU)
    }

    /// The term length in bytes, as stored in the file. Not checked.
    pub fn term_length(&self) -> i32 {
        self.get(TERM_LENGTH)
    }

    /// The page size in bytes, as stored in the file. Not checked.
    pub fn page_size(&self) -> i32 {
        self.get(PAGE_SIZE)
    }

    /// The publication window in bytes.
    pub fn publication_window(&self) -> i32 {
        self.get(PUBLICATION_WINDOW)
    }

    /// The receiver window of an image in bytes.
    pub fn receiver_window(&self) -> i32 {
        self.get(RECEIVER_WINDOW)
    }

    /// The session id.
    pub fn session_id(&self) -> SessionId {
        SessionId::new(self.get(DEFAULT_HEADER.element(3)))
    }

    /// The stream id.
    pub fn stream_id(&self) -> StreamId {
        StreamId::new(self.get(DEFAULT_HEADER.element(4)))
    }

    /// The length of the default frame header, as stored in the file.
    #[cfg(not(engine_loom))]
    pub(super) fn default_header_length(&self) -> i32 {
        self.get(DEFAULT_HEADER_LENGTH)
    }

    /// Whether the file is sparse.
    pub fn is_sparse(&self) -> bool {
        self.get(FLAG_BYTES.element(1)) & 0xFF != 0
    }

    /// How long an untethered subscriber lingers, in nanoseconds.
    pub fn untethered_linger_timeout_ns(&self) -> i64 {
        let [low, high] = [0, 1].map(|half| self.get(UNTETHERED_LINGER_TIMEOUT.element(half)));
        i64::from(high) << 32 | i64::from(low as u32)
    }

    /// The publishers' position: the tail of the active term, which no publisher moves back.
    pub fn producer_position(&self, term_length: TermLength, initial_term_id: TermId) -> Position {
        // ORDERING(log.active-term): Acquire. Pairs with the compare-and-exchange of `rotate`; the tail of that term is set.
        let count = self.active_term_count().load_acquire();
        // ORDERING(log.tail): Acquire. Pairs with the publishers' stores and adds; the range below has been claimed.
        let raw = self.raw_tail(Partition::of_term_count(count)).load_acquire();
        let count = tail_term_id(raw).wrapping_count_since(initial_term_id);
        term_length.position(count, tail_offset(raw, term_length))
    }

    fn get(&self, field: Field<i32>) -> i32 {
        self.buffer.word(field).load_relaxed()
    }

    fn revoked_and_kind(&self) -> Word<'_, i32> {
        self.buffer.word(REVOKED_AND_KIND)
    }
}

/// A tail as stored in the metadata.
#[inline]
pub(super) const fn pack_tail(term_id: TermId, offset: i32) -> i64 {
    ((term_id.get() as i64) << 32) | offset as u32 as i64
}

/// The term id of a tail.
#[inline]
pub(super) const fn tail_term_id(raw: i64) -> TermId {
    TermId::new((raw >> 32) as i32)
}

/// The offset of a tail, limited to the term length. Publishers that find the term full still add to the tail.
#[inline]
pub(super) const fn tail_offset(raw: i64, term_length: TermLength) -> i32 {
    let offset = raw as u32;
    if offset > term_length.get() as u32 { term_length.get() } else { offset as i32 }
}
