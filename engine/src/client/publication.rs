//! A concurrent publication. Any number of threads publish through one handle, beside other handles and processes. A
//! call costs one load to find the binding, then the appender's work. It never waits, locks or allocates.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;

use super::bound::{Bound, PublicationBinding, PublicationIds, PublicationShared};
use super::claim::{BatchClaim, Claim};
use super::client_core::ClientCore;
use super::conductor::{DestinationChange, ResourceKey};
use super::error::AddError;
use super::pending_destination::PendingDestination;
use crate::counters::ChannelStatus;
use crate::logbuffer::{ConcurrentAppender, LogBuffers, OfferError};
use crate::types::{CounterId, Position, RegistrationId, SessionId, StreamId, TermId};

/// A publication that several publishers can share. Threads share it by reference. Other handles and other processes
/// share it when they add the same channel and stream.
///
/// Dropping it removes it from the driver. While its client is closed or has no driver, offers return
/// [`OfferError::Closed`]. After a reconnection the same publication works again, with another session, from the
/// current position of its new log. Messages that subscribers had not received by then are lost.
///
/// ```
/// use std::time::Duration;
/// use gannet::{Client, Context, OfferError, Publication};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
///
/// fn publish(publication: &Publication, message: &[u8]) -> Result<(), OfferError> {
///     loop {
///         match publication.offer(message) {
///             Ok(_) => return Ok(()),
///             Err(OfferError::AdminAction) => {}
///             Err(OfferError::NotConnected | OfferError::BackPressured) => std::thread::yield_now(),
///             Err(error) => return Err(error),
///         }
///     }
/// }
///
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
/// let mut subscription = client.add_subscription("aeron:ipc", 1001)?;
/// std::thread::scope(|threads| {
///     for name in [b"one", b"two"] {
///         let publication = &publication;
///         threads.spawn(move || publish(publication, name));
///     }
///     let mut heard = 0;
///     while heard < 2 {
///         heard += subscription.poll_wait(|_| {}, 10, Duration::from_secs(1));
///     }
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Publication {
    shared: Arc<PublicationShared>,
    core: Arc<ClientCore>,
    key: ResourceKey,
}

impl Publication {
    pub(super) fn from_bound(core: Arc<ClientCore>, key: ResourceKey, bound: Bound) -> Option<Self> {
        let Bound::Publication(shared) = bound else { return None };
        Some(Self { shared, core, key })
    }

    /// Publishes a message. Returns the position after it, in bytes. A message longer than [`Self::max_payload_length`]
    /// is sent as several fragments. The longest message has [`Self::max_message_length`] bytes.
    ///
    /// # Errors
    ///
    /// [`OfferError`]; nothing was published. After [`OfferError::BackPressured`] or [`OfferError::AdminAction`], try
    /// again.
    #[inline]
    pub fn offer(&self, message: &[u8]) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer(message))
    }

    /// Publishes a message with a reserved value: eight bytes in the frame's header for the application's use.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn offer_with(&self, message: &[u8], reserved_value: i64) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer_with(message, reserved_value))
    }

    /// Publishes a message that is gathered from several slices.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn offer_vectored(&self, parts: &[IoSlice<'_>]) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer_vectored(parts, 0))
    }

    /// Publishes a message that is gathered from several slices, with a reserved value.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn offer_vectored_with(&self, parts: &[IoSlice<'_>], reserved_value: i64) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer_vectored(parts, reserved_value))
    }

    /// Claims space for a message of `length` bytes, at most [`Self::max_payload_length`]. Write the message there,
    /// then commit the claim.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn try_claim(&self, length: usize) -> Result<Claim<'_>, OfferError> {
        let binding = self.binding()?;
        binding.lend()?;
        Ok(Claim::new(binding.appender.try_claim(length)?, &binding.doorbell))
    }

    /// Claims space for messages of the given lengths with a single reservation. Write the messages there, then commit
    /// them together. A message has at most [`Self::max_payload_length`] bytes. All messages together, with their
    /// headers, have at most [`Self::max_message_length`] bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn claim_batch<'a>(&'a self, lengths: &'a [usize]) -> Result<BatchClaim<'a>, OfferError> {
        let binding = self.binding()?;
        binding.lend()?;
        Ok(BatchClaim::new(binding.appender.claim_batch(lengths)?, &binding.doorbell))
    }

    /// The position after the last message in the log, by any publisher. `None` when closed.
    pub fn position(&self) -> Option<Position> {
        Some(self.appender().ok()?.position())
    }

    /// The position limit: messages can be published up to here at the moment. `None` when closed.
    pub fn position_limit(&self) -> Option<Position> {
        Some(self.appender().ok()?.position_limit())
    }

    /// The number of bytes that can be published at the moment, frame headers included. `None` when closed.
    pub fn available_window(&self) -> Option<i64> {
        Some(self.appender().ok()?.available_window())
    }

    /// Whether the publication has a subscriber.
    pub fn is_connected(&self) -> bool {
        self.appender().is_ok_and(|appender| appender.log().metadata().is_connected())
    }

    /// Whether offers fail because the client is closed or has no driver at the moment.
    pub fn is_closed(&self) -> bool {
        self.appender().is_err()
    }

    /// The channel as passed to the client.
    pub fn channel(&self) -> &str {
        &self.shared.channel
    }

    /// The stream id.
    pub fn stream_id(&self) -> StreamId {
        self.shared.stream_id
    }

    /// The session id. It changes with each reconnection.
    pub fn session_id(&self) -> SessionId {
        self.ids().session_id
    }

    /// The driver's id for this handle. It changes with each reconnection.
    pub fn registration_id(&self) -> RegistrationId {
        self.ids().registration_id
    }

    /// The driver's id for the shared publication: the id of its first handle. It changes with each reconnection.
    pub fn original_registration_id(&self) -> RegistrationId {
        self.ids().original_registration_id
    }

    /// The session epoch of the publication: the number of reconnections before it was last added.
    pub fn epoch(&self) -> u32 {
        self.ids().epoch
    }

    /// The id of the stream's first term.
    pub fn initial_term_id(&self) -> TermId {
        self.log().initial_term_id()
    }

    /// The length of a term in bytes.
    pub fn term_buffer_length(&self) -> i32 {
        self.log().term_length().get()
    }

    /// The length of the longest message in bytes.
    pub fn max_message_length(&self) -> usize {
        self.log().max_message_length()
    }

    /// The length in bytes of the longest message that fits into one frame. Also the longest claim.
    pub fn max_payload_length(&self) -> usize {
        self.log().max_whole_length()
    }

    /// The id of the counter that holds [`Self::position_limit`]. It changes with each reconnection.
    pub fn position_limit_id(&self) -> CounterId {
        self.ids().limit_id
    }

    /// The id of the counter with the status of the channel's endpoint. [`CounterId::NONE`] for IPC.
    pub fn channel_status_id(&self) -> CounterId {
        self.ids().channel_status_id
    }

    /// The status of the channel's endpoint. Always [`ChannelStatus::Active`] for IPC, which has no endpoint.
    pub fn channel_status(&self) -> ChannelStatus {
        self.core.channel_status(self.channel_status_id())
    }

    /// The addresses to which the driver has bound the sockets of the channel's endpoint. The publication sends from
    /// there. With `control`, receivers register there. A port given as 0 appears as the port that was bound. Empty for
    /// IPC, and until the endpoint is active.
    pub fn local_socket_addresses(&self) -> Vec<SocketAddr> {
        self.core.local_socket_addresses(self.channel_status_id())
    }

    /// Adds a destination to a publication with `control-mode=manual`, and waits for the driver's answer. Returns the
    /// destination's id, for [`Self::remove_destination_by_id`] and
    /// [`PublicationErrorFrame`](super::PublicationErrorFrame). When the client reconnects, it adds the destination
    /// again, and the id stays the same.
    ///
    /// # Errors
    ///
    /// [`AddError`]: the driver refused, or could not be asked.
    pub fn add_destination(&self, channel: &str) -> Result<RegistrationId, AddError> {
        self.core.change_destination(self.key, DestinationChange::Add(channel.to_owned()))
    }

    /// As [`Self::add_destination`], without waiting.
    ///
    /// # Errors
    ///
    /// [`AddError`] when the driver could not be asked.
    pub fn async_add_destination(&self, channel: &str) -> Result<PendingDestination, AddError> {
        PendingDestination::begin(&self.core, self.key, DestinationChange::Add(channel.to_owned()))
    }

    /// Removes a destination that was added with this channel, and waits for the driver's answer.
    ///
    /// # Errors
    ///
    /// As [`Self::add_destination`].
    pub fn remove_destination(&self, channel: &str) -> Result<(), AddError> {
        self.core.change_destination(self.key, DestinationChange::Remove(channel.to_owned())).map(|_| ())
    }

    /// As [`Self::remove_destination`], without waiting.
    ///
    /// # Errors
    ///
    /// [`AddError`] when the driver could not be asked.
    pub fn async_remove_destination(&self, channel: &str) -> Result<PendingDestination, AddError> {
        PendingDestination::begin(&self.core, self.key, DestinationChange::Remove(channel.to_owned()))
    }

    /// Removes the destination with this id, and waits for the driver's answer.
    ///
    /// # Errors
    ///
    /// As [`Self::add_destination`].
    pub fn remove_destination_by_id(&self, id: RegistrationId) -> Result<(), AddError> {
        self.core.change_destination(self.key, DestinationChange::RemoveById(id)).map(|_| ())
    }

    /// Closes this handle and ends the stream. Subscribers lose their images at once, without reading the remaining
    /// messages, and [`ImageInfo::is_revoked`](super::ImageInfo::is_revoked) is true.
    pub fn revoke(self) {
        self.core.release(self.key, true);
    }

    #[inline(always)]
    fn binding(&self) -> Result<&PublicationBinding, OfferError> {
        self.shared.bindings.current().ok_or(OfferError::Closed)
    }

    #[inline(always)]
    fn append(
        &self,
        append: impl FnOnce(&ConcurrentAppender) -> Result<Position, OfferError>,
    ) -> Result<Position, OfferError> {
        let binding = self.binding()?;
        let position = append(&binding.appender)?;
        binding.doorbell.after_commit();
        Ok(position)
    }

    fn appender(&self) -> Result<&ConcurrentAppender, OfferError> {
        Ok(&self.binding()?.appender)
    }

    fn ids(&self) -> &PublicationIds {
        &self.shared.bindings.newest().ids
    }

    fn log(&self) -> &LogBuffers {
        self.shared.bindings.newest().appender.log()
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.core.release(self.key, false);
    }
}
