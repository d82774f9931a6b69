//! An exclusive publication. One thread at a time publishes, and no other publication uses the log, so a claim is a
//! plain addition. The handle owns its appender. When the conductor has rebound the publication, the owner's next call
//! takes the new binding. A call costs one load to check for that, then the appender's work. It never waits, locks or
//! allocates.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;

use super::bound::{Bound, CLOSED, ExclusiveBinding, ExclusiveShared};
use super::claim::{BatchClaim, Claim};
use super::client_core::ClientCore;
use super::conductor::{DestinationChange, ResourceKey};
use super::error::AddError;
use super::pending_destination::PendingDestination;
use crate::counters::ChannelStatus;
use crate::logbuffer::{ExclusiveAppender, LogBuffers, OfferError};
use crate::types::{CounterId, Position, RegistrationId, SessionId, StreamId, TermId};

/// A publication that one publisher owns. May be sent to another thread; used by one at a time.
///
/// Dropping it gives it back to the driver. When its client or the driver is gone, offers answer
/// [`OfferError::Closed`]; after a reconnection the same publication works again, with another session, from the start of a
/// new log. What had not been delivered is lost.
///
/// ```
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
///
/// let mut publication = client.add_exclusive_publication("aeron:ipc?term-length=64k", 1001)?;
/// let mut subscription = client.add_subscription("aeron:ipc", 1001)?;
/// while !publication.is_connected() {
///     std::thread::yield_now();
/// }
/// # while publication.available_window() == Some(0) {}
/// publication.offer(b"copied into the log")?;
///
/// let mut claim = publication.try_claim(8)?;
/// claim.copy_from_slice(&42_u64.to_le_bytes());
/// let position = claim.commit()?;
/// assert_eq!(Some(position), publication.position());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ExclusivePublication {
    binding: ExclusiveBinding,
    /// The generation of the binding.
    generation: i32,
    shared: Arc<ExclusiveShared>,
    core: Arc<ClientCore>,
    key: ResourceKey,
    channel: String,
    stream_id: StreamId,
}

impl ExclusivePublication {
    pub(super) fn from_bound(core: Arc<ClientCore>, key: ResourceKey, bound: Bound) -> Option<Self> {
        let Bound::Exclusive(shared) = bound else { return None };
        let (generation, binding) = shared.take()?;
        let (channel, stream_id) = core.channel_of(key)?;
        Some(Self { binding, generation, shared, core, key, channel, stream_id })
    }

    /// Publishes a message and returns the position after it, in bytes. A message longer than
    /// [`Self::max_payload_length`] is sent as several fragments; the limit is [`Self::max_message_length`].
    ///
    /// # Errors
    ///
    /// [`OfferError`]; nothing was published then. After [`OfferError::BackPressured`] and [`OfferError::AdminAction`]
    /// simply try again.
    #[inline]
    pub fn offer(&mut self, message: &[u8]) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer(message))
    }

    /// Publishes a message with a reserved value: eight bytes in its header that belong to the application.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn offer_with(&mut self, message: &[u8], reserved_value: i64) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer_with(message, reserved_value))
    }

    /// Publishes a message that is gathered from several slices.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn offer_vectored(&mut self, parts: &[IoSlice<'_>]) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer_vectored(parts, 0))
    }

    /// Publishes a message that is gathered from several slices, with a reserved value.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn offer_vectored_with(&mut self, parts: &[IoSlice<'_>], reserved_value: i64) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer_vectored(parts, reserved_value))
    }

    /// Claims room for a message of `length` bytes, at most [`Self::max_payload_length`], to be written in place and
    /// committed.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn try_claim(&mut self, length: usize) -> Result<Claim<'_>, OfferError> {
        let binding = self.binding()?;
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
    pub fn claim_batch<'a>(&'a mut self, lengths: &'a [usize]) -> Result<BatchClaim<'a>, OfferError> {
        let binding = self.binding()?;
        Ok(BatchClaim::new(binding.appender.claim_batch(lengths)?, &binding.doorbell))
    }

    /// Publishes padding that takes up the room of a message of `length` bytes: subscribers skip it.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    pub fn append_padding(&mut self, length: usize) -> Result<Position, OfferError> {
        self.append(|appender| appender.append_padding(length))
    }

    /// Publishes frames that are formatted already, all at once, and returns the position after them. The block is a run of
    /// whole, aligned frames that fits into the rest of the term; its first frame must be the one that this publication would
    /// write next.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`], and [`OfferError::MisplacedBlock`].
    pub fn offer_block(&mut self, block: &[u8]) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer_block(block))
    }

    /// Publishes frames of a recording: see [`ExclusiveAppender::replay`].
    #[cfg(feature = "journal")]
    pub(crate) fn replay(&mut self, frames: &[u8], length: usize) -> Result<Position, OfferError> {
        self.append(|appender| appender.replay(frames, length))
    }

    /// The position after the last message; `None` when closed.
    pub fn position(&self) -> Option<Position> {
        self.look(|appender| appender.position())
    }

    /// The position up to which messages may be published now; `None` when closed.
    pub fn position_limit(&self) -> Option<Position> {
        self.look(|appender| appender.position_limit())
    }

    /// How many bytes may be published now, frame headers included; `None` when closed.
    pub fn available_window(&self) -> Option<i64> {
        self.look(|appender| appender.available_window())
    }

    /// Whether there is a subscriber.
    pub fn is_connected(&self) -> bool {
        self.look(|appender| appender.log().metadata().is_connected()).unwrap_or(false)
    }

    /// Whether offers are refused because the client is closed, or has no driver at the moment.
    pub fn is_closed(&self) -> bool {
        self.shared.is_bound(CLOSED)
    }

    /// The channel, as it was given to the client.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The stream.
    pub fn stream_id(&self) -> StreamId {
        self.stream_id
    }

    /// The session. Another one after each reconnection.
    pub fn session_id(&self) -> SessionId {
        self.binding.ids.session_id
    }

    /// The driver's id for the publication. Another one after each reconnection.
    pub fn registration_id(&self) -> RegistrationId {
        self.binding.ids.registration_id
    }

    /// The session epoch that the publication is in: how often its client had reconnected when it was last added.
    pub fn epoch(&self) -> u32 {
        self.binding.ids.epoch
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
        self.binding.ids.limit_id
    }

    /// The counter that says how the channel's endpoint is; [`CounterId::NONE`] for IPC.
    pub fn channel_status_id(&self) -> CounterId {
        self.binding.ids.channel_status_id
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

    /// Ends the publication *and* the stream: subscribers lose their images at once, without reading what is left, and find
    /// [`ImageInfo::is_revoked`](super::ImageInfo::is_revoked) set.
    pub fn revoke(self) {
        self.core.release(self.key, true);
    }

    /// Looks at the appender in force, be it the owner's or the one that its next offer picks up; `None` when closed.
    fn look<T>(&self, look: impl FnOnce(&ExclusiveAppender) -> T) -> Option<T> {
        if self.shared.is_bound(self.generation) {
            return Some(look(&self.binding.appender));
        }
        self.shared.look_at_next(look)
    }

    #[inline(always)]
    fn binding(&mut self) -> Result<&mut ExclusiveBinding, OfferError> {
        if !self.shared.is_bound(self.generation) {
            self.rebind()?;
        }
        Ok(&mut self.binding)
    }

    #[inline(always)]
    fn append(
        &mut self,
        append: impl FnOnce(&mut ExclusiveAppender) -> Result<Position, OfferError>,
    ) -> Result<Position, OfferError> {
        let binding = self.binding()?;
        let position = append(&mut binding.appender)?;
        binding.doorbell.after_commit();
        Ok(position)
    }

    #[cold]
    fn rebind(&mut self) -> Result<(), OfferError> {
        if self.shared.is_bound(CLOSED) {
            return Err(OfferError::Closed);
        }
        let (generation, binding) = self.shared.take().ok_or(OfferError::Closed)?;
        self.generation = generation;
        self.binding = binding;
        // It may have been closed meanwhile.
        if self.shared.is_bound(generation) { Ok(()) } else { Err(OfferError::Closed) }
    }

    fn log(&self) -> &LogBuffers {
        self.binding.appender.log()
    }
}

impl Drop for ExclusivePublication {
    fn drop(&mut self) {
        self.core.release(self.key, false);
    }
}
