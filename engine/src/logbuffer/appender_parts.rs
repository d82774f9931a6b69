//! The parts of both kinds of appenders, and what both ask of them: the position limit, why a message has to wait, and
//! the number of bytes that it occupies.

use crate::memory::{OwnedWord, Terms};
use crate::types::{Position, TermId};

use super::batch;
use super::error::OfferError;
use super::frame::{Origin, occupied};
use super::layout::PARTITION_COUNT;
use super::log_buffers::{Hold, LogBuffers};
use super::message;

/// Everything that an append needs, checked beforehand and close together in memory.
#[derive(Debug)]
pub(super) struct AppenderParts {
    limit: OwnedWord<i64>,
    pub(super) tails: [OwnedWord<i64>; PARTITION_COUNT],
    pub(super) active_term_count: OwnedWord<i32>,
    pub(super) terms: Terms,
    pub(super) origin: Origin,
    pub(super) initial_term_id: TermId,
    /// The maximum payload of a frame in bytes.
    pub(super) max_payload: usize,
    /// The length in bytes of the longest message that is sent as one frame.
    pub(super) max_whole: usize,
    pub(super) max_message: usize,
    hold: Hold,
}

impl AppenderParts {
    pub(super) fn new(hold: Hold, limit: OwnedWord<i64>) -> Self {
        let log = hold.log();
        let (max_payload, max_message) = (log.max_payload_length(), log.max_message_length());
        Self {
            limit,
            tails: log.metadata().own_raw_tails(),
            active_term_count: log.metadata().own_active_term_count(),
            terms: log.terms().clone(),
            origin: log.origin(),
            initial_term_id: log.initial_term_id(),
            max_payload,
            max_whole: log.max_whole_length(),
            max_message,
            hold,
        }
    }

    #[inline]
    pub(super) fn log(&self) -> &LogBuffers {
        self.hold.log()
    }

    #[inline]
    pub(super) fn limit(&self) -> i64 {
        // ORDERING(pos.publisher-limit): Acquire. Pairs with the conductor's Release store; the range below the limit
        // is zero, and no reader accesses it any more.
        self.limit.load_acquire()
    }

    /// The number of bytes from `position` to the limit, or to the end of the stream.
    #[inline]
    pub(super) fn window(&self, position: Position) -> i64 {
        let end = self.terms.length().max_position().get();
        self.limit().min(end).saturating_sub(position.get()).max(0)
    }

    /// Why a message that would occupy `required` bytes from `position` has to wait.
    #[cold]
    pub(super) fn back_pressure(&self, position: i64, required: usize) -> OfferError {
        if position + required as i64 >= self.log().term_length().max_position().get() {
            OfferError::MaxPositionExceeded
        } else if self.log().metadata().is_connected() {
            OfferError::BackPressured
        } else {
            OfferError::NotConnected
        }
    }

    /// The number of bytes that the fragments of a message occupy.
    ///
    /// # Errors
    ///
    /// [`OfferError::MessageTooLong`].
    pub(super) fn fragmented(&self, length: usize) -> Result<usize, OfferError> {
        if length > self.max_message {
            return Err(OfferError::MessageTooLong { length, max: self.max_message });
        }
        Ok(message::fragmented_length(length, self.max_payload))
    }

    /// The number of bytes that a claim of this length occupies.
    ///
    /// # Errors
    ///
    /// [`OfferError::MessageTooLong`].
    #[inline]
    pub(super) fn claimable(&self, length: usize) -> Result<usize, OfferError> {
        if length > self.max_whole {
            return Err(OfferError::MessageTooLong { length, max: self.max_whole });
        }
        Ok(occupied(length))
    }

    /// The number of bytes that a batch occupies. It is limited like a message, because a batch may also begin just
    /// below the position limit.
    ///
    /// # Errors
    ///
    /// [`OfferError::MessageTooLong`].
    pub(super) fn batchable(&self, lengths: &[usize]) -> Result<usize, OfferError> {
        if lengths.is_empty() {
            return Err(OfferError::EmptyBatch);
        }
        lengths.iter().try_for_each(|&length| self.claimable(length).map(|_| ()))?;
        let length = batch::framed_length(lengths);
        if length > self.max_message {
            return Err(OfferError::MessageTooLong { length, max: self.max_message });
        }
        Ok(length)
    }
}
