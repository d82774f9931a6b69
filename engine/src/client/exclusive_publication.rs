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
use crate::logbuffer::{ExclusiveAppender, OfferError};
use crate::types::{CounterId, Position, RegistrationId, SessionId, StreamId, TermId};

/// A publication that belongs to a single publisher. It can be moved to another thread, and one thread uses it at a
/// time.
///
/// Dropping it removes it from the driver. While its client is closed or has no driver, offers return
/// [`OfferError::Closed`]. After a reconnection the same publication works again, with another session, from the start
/// of a new log. Messages that subscribers had not received by then are lost.
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

    /// Publishes a message. Returns the position after it, in bytes. A message longer than [`Self::max_payload_length`]
    /// is sent as several fragments. The longest message has [`Self::max_message_length`] bytes.
    ///
    /// # Errors
    ///
    /// [`OfferError`]; nothing was published. After [`OfferError::BackPressured`] or [`OfferError::AdminAction`], try
    /// again.
    #[inline]
    pub fn offer(&mut self, message: &[u8]) -> Result<Position, OfferError> {
        self.append(|appender| appender.offer(message))
    }

    /// Publishes a message with a reserved value: eight bytes in the frame's header for the application's use.
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

    /// Claims space for a message of `length` bytes, at most [`Self::max_payload_length`]. Write the message there,
    /// then commit the claim.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    #[inline]
    pub fn try_claim(&mut self, length: usize) -> Result<Claim<'_>, OfferError> {
        let binding = self.binding()?;
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
    pub fn claim_batch<'a>(&'a mut self, lengths: &'a [usize]) -> Result<BatchClaim<'a>, OfferError> {
        let binding = self.binding()?;
        Ok(BatchClaim::new(binding.appender.claim_batch(lengths)?, &binding.doorbell))
    }

    /// Publishes padding that takes as much space as a message of `length` bytes. Subscribers skip it.
    ///
    /// # Errors
    ///
    /// As [`Self::offer`].
    pub fn append_padding(&mut self, length: usize) -> Result<Position, OfferError> {
        self.append(|appender| appender.append_padding(length))
    }

    /// Publishes a block of formatted frames at once. Returns the position after it. The block must consist of whole,
    /// aligned frames and fit into the rest of the term. Its first frame must be the one that this publication would
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

    /// Whether the publication has not changed since its owner last used it: it was neither closed, nor added again
    /// after a reconnection.
    #[cfg(feature = "journal")]
    pub(crate) fn is_bound(&self) -> bool {
        self.shared.is_bound(self.generation)
    }

    /// The position after the last message; `None` when closed.
    pub fn position(&self) -> Option<Position> {
        self.look(|appender| appender.position())
    }

    /// The position limit: messages can be published up to here at the moment. `None` when closed.
    pub fn position_limit(&self) -> Option<Position> {
        self.look(|appender| appender.position_limit())
    }

    /// The number of bytes that can be published at the moment, frame headers included. `None` when closed.
    pub fn available_window(&self) -> Option<i64> {
        self.look(|appender| appender.available_window())
    }

    /// Whether the publication has a subscriber.
    pub fn is_connected(&self) -> bool {
        self.look(|appender| appender.log().metadata().is_connected()).unwrap_or(false)
    }

    /// Whether offers fail because the client is closed or has no driver at the moment.
    pub fn is_closed(&self) -> bool {
        self.shared.is_bound(CLOSED)
    }

    /// The channel as passed to the client.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The stream id.
    pub fn stream_id(&self) -> StreamId {
        self.stream_id
    }

    /// The session id. It changes with each reconnection.
    pub fn session_id(&self) -> SessionId {
        self.newest(|binding| binding.ids.session_id)
    }

    /// The driver's id for the publication. It changes with each reconnection.
    pub fn registration_id(&self) -> RegistrationId {
        self.newest(|binding| binding.ids.registration_id)
    }

    /// The session epoch of the publication: the number of reconnections before it was last added.
    pub fn epoch(&self) -> u32 {
        self.newest(|binding| binding.ids.epoch)
    }

    /// The id of the stream's first term.
    pub fn initial_term_id(&self) -> TermId {
        self.newest(|binding| binding.appender.log().initial_term_id())
    }

    /// The length of a term in bytes.
    pub fn term_buffer_length(&self) -> i32 {
        self.newest(|binding| binding.appender.log().term_length().get())
    }

    /// The length of the longest message in bytes.
    pub fn max_message_length(&self) -> usize {
        self.newest(|binding| binding.appender.log().max_message_length())
    }

    /// The length in bytes of the longest message that fits into one frame. Also the longest claim.
    pub fn max_payload_length(&self) -> usize {
        self.newest(|binding| binding.appender.log().max_whole_length())
    }

    /// The id of the counter that holds [`Self::position_limit`]. It changes with each reconnection.
    pub fn position_limit_id(&self) -> CounterId {
        self.newest(|binding| binding.ids.limit_id)
    }

    /// The id of the counter with the status of the channel's endpoint. [`CounterId::NONE`] for IPC.
    pub fn channel_status_id(&self) -> CounterId {
        self.newest(|binding| binding.ids.channel_status_id)
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

    /// Ends the publication and the stream. Subscribers lose their images at once, without reading the remaining
    /// messages, and [`ImageInfo::is_revoked`](super::ImageInfo::is_revoked) is true.
    pub fn revoke(self) {
        self.core.release(self.key, true);
    }

    /// Calls `look` with the current appender: the owner's, or the one that its next offer uses. `None` when closed.
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

    /// Calls `look` with the newest binding, open or closed: after a reconnection the one that the owner has not picked
    /// up yet.
    fn newest<T>(&self, look: impl FnOnce(&ExclusiveBinding) -> T) -> T {
        if self.shared.is_bound(self.generation) {
            look(&self.binding)
        } else {
            self.shared.newest(&self.binding, look)
        }
    }
}

impl Drop for ExclusivePublication {
    fn drop(&mut self) {
        self.core.release(self.key, false);
    }
}
