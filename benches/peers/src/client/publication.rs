//! UNSAFE FENCE: the C client's publications, concurrent and exclusive.
#![allow(unsafe_code, reason = "calls of the C client")]

use super::{ANSWER_TIMEOUT, Claim, Client, ClientCore, c_text, check, refused, text};
use crate::error::PeerError;
use rusteron_client::bindings as c;
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// Why an offer or a claim failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// There is no subscriber.
    #[error("not connected")]
    NotConnected,
    /// The publication limit is reached; try again.
    #[error("back-pressured")]
    BackPressured,
    /// A term rotation is in progress; try again.
    #[error("rotation in progress")]
    AdminAction,
    /// The publication or client is closed, or the driver is gone.
    #[error("closed")]
    Closed,
    /// The stream has reached its last position.
    #[error("maximum position exceeded")]
    MaxPositionExceeded,
    /// The C client refused the arguments.
    #[error("{0}")]
    Refused(PeerError),
}

/// The identity of a publication, and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationFacts {
    /// The channel, as it was given.
    pub channel: String,
    /// The registration id of this handle.
    pub registration_id: i64,
    /// The registration id of the first handle on the same log.
    pub original_registration_id: i64,
    /// The session id.
    pub session_id: i32,
    /// The stream id.
    pub stream_id: i32,
    /// The stream's first term id.
    pub initial_term_id: i32,
    /// The length of a term in bytes.
    pub term_length: usize,
    /// The greatest length of a message in bytes.
    pub max_message_length: usize,
    /// The greatest payload of one frame in bytes.
    pub max_payload_length: usize,
    /// The greatest position of the stream.
    pub max_possible_position: i64,
    /// The id of the counter with the publication limit.
    pub limit_counter_id: i32,
    /// The id of the counter with the channel's status; -1 for IPC.
    pub channel_status_id: i32,
}

/// A concurrent publication, which threads and processes may share.
#[derive(Debug)]
pub struct Publication {
    pub(super) raw: NonNull<c::aeron_publication_t>,
    pub(super) core: Arc<ClientCore>,
}

// SAFETY: the C client documents concurrent publications as usable by any number of threads at once.
unsafe impl Send for Publication {}
// SAFETY: as for Send.
unsafe impl Sync for Publication {}

/// An exclusive publication, which has its log to itself. For one thread at a time.
#[derive(Debug)]
pub struct ExclusivePublication {
    pub(super) raw: NonNull<c::aeron_exclusive_publication_t>,
    pub(super) core: Arc<ClientCore>,
    /// One thread at a time: the C object keeps its own tail.
    not_sync: PhantomData<Cell<()>>,
}

// SAFETY: the C object is bound to no thread; that two use it at once is ruled out by its not being Sync.
unsafe impl Send for ExclusivePublication {}

impl Client {
    /// Adds a concurrent publication and waits for the driver's answer.
    pub fn add_publication(&self, channel: &str, stream_id: i32) -> Result<Publication, PeerError> {
        let attempted = || format!("adding a publication on {channel} stream {stream_id}");
        let uri = c_text(channel, attempted)?;
        let client = self.core.client.as_ptr();
        let (mut pending, mut raw) = (ptr::null_mut(), ptr::null_mut());
        let guard = self.core.lock();
        // SAFETY: the client is open, the text is copied by the call, and `pending` takes the pointer that it stores.
        check(unsafe { c::aeron_async_add_publication(&mut pending, client, uri.as_ptr(), stream_id) }, attempted)?;
        drop(guard);
        // SAFETY: `pending` came from the call above and is polled until it is answered, no longer.
        self.core.await_answer(attempted, ANSWER_TIMEOUT, || unsafe {
            c::aeron_async_add_publication_poll(&mut raw, pending)
        })?;
        Ok(Publication { raw: NonNull::new(raw).expect("an answered request"), core: Arc::clone(&self.core) })
    }

    /// Adds an exclusive publication and waits for the driver's answer.
    pub fn add_exclusive_publication(&self, channel: &str, stream_id: i32) -> Result<ExclusivePublication, PeerError> {
        let attempted = || format!("adding an exclusive publication on {channel} stream {stream_id}");
        let uri = c_text(channel, attempted)?;
        let client = self.core.client.as_ptr();
        let (mut pending, mut raw) = (ptr::null_mut(), ptr::null_mut());
        let guard = self.core.lock();
        // SAFETY: the client is open, the text is copied by the call, and `pending` takes the pointer that it stores.
        let returned =
            unsafe { c::aeron_async_add_exclusive_publication(&mut pending, client, uri.as_ptr(), stream_id) };
        check(returned, attempted)?;
        drop(guard);
        // SAFETY: `pending` came from the call above and is polled until it is answered, no longer.
        self.core.await_answer(attempted, ANSWER_TIMEOUT, || unsafe {
            c::aeron_async_add_exclusive_publication_poll(&mut raw, pending)
        })?;
        let raw = NonNull::new(raw).expect("an answered request");
        Ok(ExclusivePublication { raw, core: Arc::clone(&self.core), not_sync: PhantomData })
    }
}

/// The methods of both kinds of publication. Its arguments are the C functions that they call.
macro_rules! publication_methods {
    (
        offer: $offer:ident, offerv: $offerv:ident, try_claim: $try_claim:ident, position: $position:ident,
        position_limit: $position_limit:ident, is_connected: $is_connected:ident, is_closed: $is_closed:ident,
        channel_status: $channel_status:ident, constants: $constants:ident
    ) => {
        /// Offers one message. Returns the position after it.
        #[inline]
        pub fn offer(&self, message: &[u8]) -> Result<i64, OfferError> {
            // SAFETY: the C object is alive as long as `self`; the bytes are read during the call only.
            position_of(unsafe { c::$offer(self.raw.as_ptr(), message.as_ptr(), message.len(), None, ptr::null_mut()) })
        }

        /// Offers one message with `reserved_value` in the headers of its frames.
        pub fn offer_with_reserved_value(&self, message: &[u8], reserved_value: i64) -> Result<i64, OfferError> {
            let mut value = reserved_value;
            let supplier = Some(supply_reserved_value as unsafe extern "C" fn(_, _, _) -> _);
            // SAFETY: as for `offer`; the supplier runs during the call only and reads `value` alone.
            position_of(unsafe {
                c::$offer(self.raw.as_ptr(), message.as_ptr(), message.len(), supplier, (&raw mut value).cast())
            })
        }

        /// Offers one message made of several parts.
        pub fn offer_vectored(&self, parts: &[&[u8]]) -> Result<i64, OfferError> {
            let mut vector: Vec<_> = parts
                .iter()
                .map(|part| c::aeron_iovec_t { iov_base: part.as_ptr().cast_mut(), iov_len: part.len() })
                .collect();
            // SAFETY: as for `offer`; the C client only reads through the vector.
            position_of(unsafe {
                c::$offerv(self.raw.as_ptr(), vector.as_mut_ptr(), vector.len(), None, ptr::null_mut())
            })
        }

        /// Claims space for a message of `length` bytes, at most the payload of one frame.
        #[inline]
        pub fn try_claim(&self, length: usize) -> Result<Claim<'_>, OfferError> {
            let mut raw = c::aeron_buffer_claim_t { frame_header: ptr::null_mut(), data: ptr::null_mut(), length: 0 };
            // SAFETY: the C object is alive as long as `self`, and `raw` is a place for what the call stores.
            let position = position_of(unsafe { c::$try_claim(self.raw.as_ptr(), length, &mut raw) })?;
            // SAFETY: the claim succeeded, and the log stays mapped while `self` is borrowed.
            Ok(unsafe { Claim::new(raw, position) })
        }

        /// The position after the last message.
        pub fn position(&self) -> Result<i64, OfferError> {
            // SAFETY: the C object is alive as long as `self`.
            position_of(unsafe { c::$position(self.raw.as_ptr()) })
        }

        /// The position up to which the driver allows this publication to write.
        pub fn position_limit(&self) -> Result<i64, OfferError> {
            // SAFETY: as for `position`.
            position_of(unsafe { c::$position_limit(self.raw.as_ptr()) })
        }

        /// Whether the stream has a subscriber.
        pub fn is_connected(&self) -> bool {
            // SAFETY: as for `position`.
            unsafe { c::$is_connected(self.raw.as_ptr()) }
        }

        /// Whether the publication was closed, by the application or by the client.
        pub fn is_closed(&self) -> bool {
            // SAFETY: as for `position`.
            unsafe { c::$is_closed(self.raw.as_ptr()) }
        }

        /// The channel's status, -1 for a channel without one.
        pub fn channel_status(&self) -> i64 {
            // SAFETY: as for `position`.
            unsafe { c::$channel_status(self.raw.as_ptr()) }
        }

        /// The identity of the publication, and its limits.
        pub fn facts(&self) -> PublicationFacts {
            // SAFETY: the struct is plain data for which zero is a value, and the call fills it in.
            let constants = unsafe {
                let mut constants: c::aeron_publication_constants_t = std::mem::zeroed();
                c::$constants(self.raw.as_ptr(), &mut constants);
                constants
            };
            PublicationFacts {
                // SAFETY: the channel's text belongs to the C object, which is alive as long as `self`.
                channel: unsafe { text(constants.channel) },
                registration_id: constants.registration_id,
                original_registration_id: constants.original_registration_id,
                session_id: constants.session_id,
                stream_id: constants.stream_id,
                initial_term_id: constants.initial_term_id,
                term_length: constants.term_buffer_length,
                max_message_length: constants.max_message_length,
                max_payload_length: constants.max_payload_length,
                max_possible_position: constants.max_possible_position,
                limit_counter_id: constants.publication_limit_counter_id,
                channel_status_id: constants.channel_status_indicator_id,
            }
        }
    };
}

impl Publication {
    publication_methods! {
        offer: aeron_publication_offer, offerv: aeron_publication_offerv, try_claim: aeron_publication_try_claim,
        position: aeron_publication_position, position_limit: aeron_publication_position_limit,
        is_connected: aeron_publication_is_connected, is_closed: aeron_publication_is_closed,
        channel_status: aeron_publication_channel_status, constants: aeron_publication_constants
    }
}

impl ExclusivePublication {
    publication_methods! {
        offer: aeron_exclusive_publication_offer, offerv: aeron_exclusive_publication_offerv,
        try_claim: aeron_exclusive_publication_try_claim, position: aeron_exclusive_publication_position,
        position_limit: aeron_exclusive_publication_position_limit,
        is_connected: aeron_exclusive_publication_is_connected, is_closed: aeron_exclusive_publication_is_closed,
        channel_status: aeron_exclusive_publication_channel_status, constants: aeron_exclusive_publication_constants
    }

    /// Appends padding for `length` bytes of payload.
    pub fn append_padding(&self, length: usize) -> Result<i64, OfferError> {
        // SAFETY: the C object is alive as long as `self`.
        position_of(unsafe { c::aeron_exclusive_publication_append_padding(self.raw.as_ptr(), length) })
    }

    /// Offers whole frames, headers included.
    pub fn offer_block(&self, frames: &[u8]) -> Result<i64, OfferError> {
        // SAFETY: the C object is alive as long as `self`; the bytes are read during the call only.
        position_of(unsafe {
            c::aeron_exclusive_publication_offer_block(self.raw.as_ptr(), frames.as_ptr(), frames.len())
        })
    }

    /// Ends the stream at once. Subscribers lose what they have not read.
    pub fn revoke(self) {
        // SAFETY: the C object is alive as long as `self`, whose drop closes it and thereby carries this out.
        unsafe { c::aeron_exclusive_publication_revoke_on_close(self.raw.as_ptr()) };
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        let _guard = self.core.lock();
        // SAFETY: the C object belongs to this handle; the C client frees it once its conductor has closed it.
        unsafe { c::aeron_publication_close(self.raw.as_ptr(), None, ptr::null_mut()) };
    }
}

impl Drop for ExclusivePublication {
    fn drop(&mut self) {
        let _guard = self.core.lock();
        // SAFETY: the C object belongs to this handle; the C client frees it once its conductor has closed it.
        unsafe { c::aeron_exclusive_publication_close(self.raw.as_ptr(), None, ptr::null_mut()) };
    }
}

unsafe extern "C" fn supply_reserved_value(value: *mut std::ffi::c_void, _frame: *mut u8, _frame_length: usize) -> i64 {
    // SAFETY: `offer_with_reserved_value` passes a pointer to its own i64.
    unsafe { *value.cast::<i64>() }
}

#[inline]
fn position_of(returned: i64) -> Result<i64, OfferError> {
    if returned >= 0 { Ok(returned) } else { Err(offer_error(returned)) }
}

#[cold]
fn offer_error(returned: i64) -> OfferError {
    match returned {
        -1 => OfferError::NotConnected,
        -2 => OfferError::BackPressured,
        -3 => OfferError::AdminAction,
        -4 => OfferError::Closed,
        -5 => OfferError::MaxPositionExceeded,
        _ => OfferError::Refused(refused(-6, "offering a message".into())),
    }
}
