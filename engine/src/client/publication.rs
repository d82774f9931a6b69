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

/// A publication that its publishers share: threads by reference, other handles and processes by asking for the same
/// channel and stream.
///
/// Dropping it gives it back to the driver. When its client or the driver is gone, offers answer
/// [`OfferError::Closed`]; after a reconnection the same publication works again, with another session, from the position
/// that its log then has. What had not been delivered is lost.
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

    /// Publishes a message and returns the position after it, in bytes. A message longer than
    /// [`Self::max_payload_length`] is sent as several fragments; the limit is [`Self::max_message_length`].
    ///
    /// # Errors
    ///
    /// [`OfferError`]; nothing was published then. After [`OfferError::BackPressured`] and [`OfferError::AdminAction`]
    /// simply try again.
    #[inline]
    pub fn offer(&self, message: &[u8]) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer(message))
    }

    /// Publishes a message with a reserved value: eight bytes in its header that belong to the application.
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

    /// Claims room for a message of `length` bytes, at most [`Self::max_payload_length`], to be written in place and
    /// committed.
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

    /// Claims room for several messages of these lengths at once, to be written in place and committed together: one
    /// reservation for many small messages. None may be longer than [`Self::max_payload_length`], nor all of them with their
    /// headers longer than [`Self::max_message_length`].
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

    /// The position after the last message that anybody published to the log; `None` when closed.
    pub fn position(&self) -> Option<Position> {
        Some(self.appender().ok()?.position())
    }

    /// The position up to which messages may be published now; `None` when closed.
    pub fn position_limit(&self) -> Option<Position> {
        Some(self.appender().ok()?.position_limit())
    }

    /// How many bytes may be published now, frame headers included; `None` when closed.
    pub fn available_window(&self) -> Option<i64> {
        Some(self.appender().ok()?.available_window())
    }

    /// Whether there is a subscriber.
    pub fn is_connected(&self) -> bool {
        self.appender().is_ok_and(|appender| appender.log().metadata().is_connected())
    }

    /// Whether offers are refused because the client is closed, or has no driver at the moment.
    pub fn is_closed(&self) -> bool {
        self.appender().is_err()
    }

    /// The channel, as it was given to the client.
    pub fn channel(&self) -> &str {
        &self.shared.channel
    }

    /// The stream.
    pub fn stream_id(&self) -> StreamId {
        self.shared.stream_id
    }

    /// The session. Another one after each reconnection.
    pub fn session_id(&self) -> SessionId {
        self.ids().session_id
    }

    /// The driver's id for this handle's part in the publication. Another one after each reconnection.
    pub fn registration_id(&self) -> RegistrationId {
        self.ids().registration_id
    }

    /// The driver's id for the publication itself: that of its first publisher. Another one after each reconnection.
    pub fn original_registration_id(&self) -> RegistrationId {
        self.ids().original_registration_id
    }

    /// The session epoch that the publication is in: how often its client had reconnected when it was last added.
    pub fn epoch(&self) -> u32 {
        self.ids().epoch
    }

    /// The id of the log's first term.
    pub fn initial_term_id(&self) -> TermId {
        self.log().initial_term_id()
    }

    /// The length of a term in bytes.
    pub fn term_buffer_length(&self) -> i32 {
        self.log().term_length().get()
    }

    /// The longest message in bytes.
    pub fn max_message_length(&self) -> usize {
        self.log().max_message_length()
    }

    /// The longest message in bytes that goes out as one frame, and that may be claimed.
    pub fn max_payload_length(&self) -> usize {
        self.log().max_payload_length()
    }

    /// The counter that holds [`Self::position_limit`]. Another one after each reconnection.
    pub fn position_limit_id(&self) -> CounterId {
        self.ids().limit_id
    }

    /// The counter that says how the channel's endpoint is; [`CounterId::NONE`] for IPC.
    pub fn channel_status_id(&self) -> CounterId {
        self.ids().channel_status_id
    }

    /// How the channel's endpoint is. Always [`ChannelStatus::Active`] for IPC, which has no endpoint.
    pub fn channel_status(&self) -> ChannelStatus {
        self.core.channel_status(self.channel_status_id())
    }

    /// The addresses that the sockets of the channel's endpoint are bound to, as the driver says: where it sends from, and with
    /// `control` where receivers register, also if that was left to the driver to choose by port 0. Empty for IPC, and as
    /// long as the endpoint is not active.
    pub fn local_socket_addresses(&self) -> Vec<SocketAddr> {
        self.core.local_socket_addresses(self.channel_status_id())
    }

    /// Adds a destination to a publication with `control-mode=manual`, and waits until the driver has it. Returns
    /// the destination's id, by which [`Self::remove_destination_by_id`] removes it and
    /// [`PublicationErrorFrame`](super::PublicationErrorFrame) names it. The id stays the same when the client reconnects, and adds
    /// the destination again.
    ///
    /// # Errors
    ///
    /// [`AddError`]: the driver's refusal, or why it could not be asked.
    pub fn add_destination(&self, channel: &str) -> Result<RegistrationId, AddError> {
        self.core.change_destination(self.key, DestinationChange::Add(channel.to_owned()))
    }

    /// [`Self::add_destination`] without waiting.
    ///
    /// # Errors
    ///
    /// [`AddError`] when the driver could not be asked.
    pub fn async_add_destination(&self, channel: &str) -> Result<PendingDestination, AddError> {
        PendingDestination::begin(&self.core, self.key, DestinationChange::Add(channel.to_owned()))
    }

    /// Removes a destination that was added with this channel, and waits until the driver has done so.
    ///
    /// # Errors
    ///
    /// As [`Self::add_destination`].
    pub fn remove_destination(&self, channel: &str) -> Result<(), AddError> {
        self.core.change_destination(self.key, DestinationChange::Remove(channel.to_owned())).map(|_| ())
    }

    /// [`Self::remove_destination`] without waiting.
    ///
    /// # Errors
    ///
    /// [`AddError`] when the driver could not be asked.
    pub fn async_remove_destination(&self, channel: &str) -> Result<PendingDestination, AddError> {
        PendingDestination::begin(&self.core, self.key, DestinationChange::Remove(channel.to_owned()))
    }

    /// Removes the destination that was added under this id, and waits until the driver has done so.
    ///
    /// # Errors
    ///
    /// As [`Self::add_destination`].
    pub fn remove_destination_by_id(&self, id: RegistrationId) -> Result<(), AddError> {
        self.core.change_destination(self.key, DestinationChange::RemoveById(id)).map(|_| ())
    }

    /// Ends this handle's part in the publication *and* the stream: subscribers lose their images at once, without reading
    /// what is left, and find [`ImageInfo::is_revoked`](super::ImageInfo::is_revoked) set.
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
