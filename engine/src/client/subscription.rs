//! A subscription: the images of one stream, polled in turn by the thread that owns the subscription. The conductor
//! adds and removes images through a list of changes. A poll reads one word to learn whether the list has any.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use super::bound::{Bound, ImageChange, SubscriptionShared};
use super::client_core::ClientCore;
use super::conductor::{DestinationChange, ResourceKey};
use super::endpoint;
use super::error::{AddError, Request};
use super::image::Image;
use super::image_info::ImageInfo;
use super::pending_destination::PendingDestination;
use crate::command::{Command, RejectImage, Text};
use crate::counters::ChannelStatus;
use crate::logbuffer::{Block, ControlledAction, Fragment};
use crate::sync::Ordering;
use crate::types::{CounterId, RegistrationId, SessionId, StreamId};

/// A subscription to a stream. It can be moved to another thread, and one thread polls it at a time.
///
/// Dropping it removes it from the driver. While its client is closed or has no driver, polls deliver nothing and
/// [`Self::is_closed`] is true. After a reconnection the same subscription delivers again, from new images.
///
/// ```
/// use std::time::Duration;
/// use gannet::{Client, Context, FragmentAssembler};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
///
/// let mut subscription = client.add_subscription("aeron:ipc", 1001)?;
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
/// let long = vec![7; 5000];
/// while publication.offer(&long).is_err() {}
///
/// let mut assembler = FragmentAssembler::new();
/// let mut messages = Vec::new();
/// while messages.is_empty() {
///     let keep = assembler.assemble(|message| messages.push(message.payload().to_vec()));
///     subscription.poll_wait(keep, 10, Duration::from_secs(1));
/// }
/// assert_eq!(messages, [long]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Subscription {
    core: Arc<ClientCore>,
    key: ResourceKey,
    shared: Arc<SubscriptionShared>,
    images: Vec<Image>,
    /// The image that the next poll starts with.
    turn: usize,
    /// How much of the conductor's changes are in `images`.
    seen: i32,
    /// Changes being applied; empty between polls.
    changes: Vec<ImageChange>,
}

impl Subscription {
    pub(super) fn from_bound(core: Arc<ClientCore>, key: ResourceKey, bound: Bound) -> Option<Self> {
        let Bound::Subscription(shared) = bound else { return None };
        let seen = shared.changes.version().wrapping_sub(1);
        Some(Self { core, key, shared, images: Vec::new(), turn: 0, seen, changes: Vec::new() })
    }

    /// Passes at most `limit` fragments to `handler`, one image after the other. Returns how many. Each poll starts
    /// with another image. The memory of a fragment may be overwritten as soon as the poll returns.
    ///
    /// A message longer than a frame arrives as several fragments. A
    /// [`FragmentAssembler`](crate::logbuffer::FragmentAssembler) joins them. If the handler panics, the fragment that it
    /// was given counts as read, in this and every other poll.
    #[inline]
    pub fn poll(&mut self, mut handler: impl FnMut(Fragment<'_>), limit: usize) -> usize {
        self.poll_images(limit, |image, limit| image.poll(&mut handler, limit))
    }

    /// As [`Self::poll`], but the handler's return value says how to continue after each fragment. It applies to the
    /// fragment's image only; the other images are still polled.
    #[inline]
    pub fn controlled_poll(
        &mut self,
        mut handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        limit: usize,
    ) -> usize {
        self.poll_images(limit, |image, limit| image.controlled_poll(&mut handler, limit))
    }

    /// Passes one run of whole frames, headers included, from each image that has any to `handler`. A run has at most
    /// `limit` bytes, unless it is padding. Returns the total number of bytes. See [`Image::block_poll`].
    pub fn block_poll(&mut self, mut handler: impl FnMut(Block<'_>), limit: usize) -> usize {
        self.refresh();
        self.images.iter_mut().map(|image| image.block_poll(&mut handler, limit)).sum()
    }

    #[inline(always)]
    fn poll_images(&mut self, limit: usize, mut poll: impl FnMut(&mut Image, usize) -> usize) -> usize {
        if self.shared.changes.version() != self.seen {
            self.take_changes();
        }
        let count = self.images.len();
        if count == 0 {
            return 0;
        }
        if self.turn >= count {
            self.turn = 0;
        }
        let start = self.turn;
        self.turn += 1;
        let (before, from) = self.images.split_at_mut(start);
        let mut fragments = 0;
        for image in from.iter_mut().chain(before) {
            if fragments >= limit {
                break;
            }
            fragments += poll(image, limit - fragments);
        }
        fragments
    }

    /// As [`Self::poll`], but sleeps for at most `timeout` while there is nothing to read. Returns 0 after the timeout,
    /// or at once when the client is closed.
    ///
    /// A publisher of this engine wakes the sleeping subscriber right after publishing. This costs publishers nothing
    /// while no subscriber sleeps. Other publishers do not wake subscribers. Their messages are found within a
    /// millisecond.
    pub fn poll_wait(&mut self, mut handler: impl FnMut(Fragment<'_>), limit: usize, timeout: Duration) -> usize {
        self.wait(timeout, |this| Some(this.poll(&mut handler, limit)).filter(|&fragments| fragments > 0))
    }

    /// As [`Self::controlled_poll`], but waits as [`Self::poll_wait`] does. A handler that aborts also ends the wait,
    /// so that the caller decides when to poll again.
    pub fn controlled_poll_wait(
        &mut self,
        mut handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        limit: usize,
        timeout: Duration,
    ) -> usize {
        self.wait(timeout, |this| {
            let mut is_aborted = false;
            let ask = |fragment: Fragment<'_>| {
                let action = handler(fragment);
                is_aborted |= action == ControlledAction::Abort;
                action
            };
            let fragments = this.controlled_poll(ask, limit);
            (fragments > 0 || is_aborted).then_some(fragments)
        })
    }

    /// Waits until a poll has something to return.
    fn wait(&mut self, timeout: Duration, mut poll: impl FnMut(&mut Self) -> Option<usize>) -> usize {
        /// A message is often just behind the last one, and going to sleep takes longer than this many looks.
        const LOOKS: usize = 32;
        for _ in 0..LOOKS {
            match poll(self) {
                Some(fragments) => return fragments,
                None if timeout.is_zero() => return 0,
                None => std::hint::spin_loop(),
            }
        }
        let timeout_ns = i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX);
        let deadline = self.core.now().saturating_add_ns(timeout_ns);
        let mut turn = 0;
        loop {
            let left_ns = deadline.since(self.core.now());
            if left_ns <= 0 || self.core.is_closed() {
                return poll(self).unwrap_or(0);
            }
            self.sleep(turn, Duration::from_nanos(left_ns.unsigned_abs()));
            turn += 1;
            // A client without a thread has nobody else to run its conductor meanwhile.
            self.core.service_if_invoked();
            if let Some(fragments) = poll(self) {
                return fragments;
            }
        }
    }

    /// Sleeps once, unless there is something to do.
    fn sleep(&mut self, turn: u32, longest: Duration) {
        let bell = self.shared.lock().bell.clone();
        self.shared.drowsy.store(1, Ordering::Relaxed);
        let drowsy = bell.doze(self.images.iter().map(Image::doorbell));
        // ORDERING(client.drowsy): behind the heavy barrier in `doze`; see `SubscriptionShared::change`.
        if self.shared.changes.version() == self.seen && !self.images.iter().any(Image::is_ready) {
            bell.sleep(drowsy, turn, longest.min(self.core.longest_sleep()));
        }
        self.shared.drowsy.store(0, Ordering::Relaxed);
    }

    /// The images. This call updates them first.
    pub fn images(&mut self) -> &[Image] {
        self.refresh();
        &self.images
    }

    /// The images, for polling them one by one.
    pub fn images_mut(&mut self) -> &mut [Image] {
        self.refresh();
        &mut self.images
    }

    /// The image of a session, if there is one.
    pub fn image_mut(&mut self, session_id: SessionId) -> Option<&mut Image> {
        self.refresh();
        self.images.iter_mut().find(|image| image.session_id() == session_id)
    }

    /// The number of images.
    pub fn image_count(&self) -> usize {
        self.shared.lock().images.len()
    }

    /// Whether the subscription has an image that can be read.
    pub fn is_connected(&self) -> bool {
        self.shared.lock().images.iter().any(|image| !image.is_closed())
    }

    /// Whether polls deliver nothing because the client is closed or has no driver at the moment.
    pub fn is_closed(&self) -> bool {
        !self.shared.lock().open
    }

    /// The channel as passed to the client.
    pub fn channel(&self) -> &str {
        &self.shared.channel
    }

    /// The stream id.
    pub fn stream_id(&self) -> StreamId {
        self.shared.stream_id
    }

    /// The driver's id for the subscription. It changes with each reconnection.
    pub fn registration_id(&self) -> RegistrationId {
        self.shared.lock().registration_id
    }

    /// The id of the counter with the status of the channel's endpoint. [`CounterId::NONE`] for IPC and spies.
    pub fn channel_status_id(&self) -> CounterId {
        self.shared.lock().channel_status_id
    }

    /// The status of the channel's endpoint. Always [`ChannelStatus::Active`] for IPC and spies, which have no
    /// endpoint.
    pub fn channel_status(&self) -> ChannelStatus {
        self.core.channel_status(self.channel_status_id())
    }

    /// The addresses to which the driver has bound the sockets of the channel's endpoint: one address, or with
    /// `control-mode=manual` one for each UDP destination. Empty for IPC and spies, and until the endpoint is active.
    pub fn local_socket_addresses(&self) -> Vec<SocketAddr> {
        self.core.local_socket_addresses(self.channel_status_id())
    }

    /// The channel for publishers of a subscription whose endpoint has port 0: the same channel with the port that the
    /// driver has bound. The channel is returned unchanged if its endpoint has another port, if it has no endpoint, or
    /// if the number of bound addresses is not one. `None` until the endpoint is active.
    ///
    /// ```
    /// # use gannet::{Client, Context};
    /// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
    /// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
    /// # let client = Client::connect(Context::new().dir(driver.dir()))?;
    /// let subscription = client.add_subscription("aeron:udp?endpoint=127.0.0.1:0", 1001)?;
    /// let port = subscription.local_socket_addresses()[0].port();
    /// let channel = subscription.try_resolve_channel_endpoint_port().expect("its endpoint is active");
    /// assert_eq!(channel, format!("aeron:udp?endpoint=127.0.0.1:{port}"));
    /// let publication = client.add_publication(&channel, 1001)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_resolve_channel_endpoint_port(&self) -> Option<String> {
        let status = self.channel_status_id();
        if self.core.channel_status(status) != ChannelStatus::Active {
            return None;
        }
        let channel = self.channel();
        Some(match self.core.local_socket_addresses(status)[..] {
            [bound] => endpoint::with_endpoint_port(channel, bound),
            _ => channel.to_owned(),
        })
    }

    /// Adds a destination to a subscription with `control-mode=manual`, and waits for the driver's answer. Returns the
    /// destination's id. When the client reconnects, it adds the destination again.
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

    /// Rejects an image, and waits for the driver's answer. The publisher is told the reason. The driver removes the
    /// image, at least for a while.
    ///
    /// # Errors
    ///
    /// As [`Self::add_destination`]. [`AddError::ImageClosed`] if the image is closed. A driver refuses a reason of more
    /// than 1023 bytes.
    pub fn reject_image(&self, image: &ImageInfo, reason: &str) -> Result<(), AddError> {
        let image_correlation_id = image.correlation_id();
        let request = Request::Rejection { image: image_correlation_id };
        if image.is_closed() {
            return Err(AddError::ImageClosed { request });
        }
        let (position, reason) = (image.position(), Text::from(reason));
        self.core.ask(request, |client_id, correlation_id| {
            Command::RejectImage(RejectImage { client_id, correlation_id, image_correlation_id, position, reason })
        })?;
        Ok(())
    }

    fn refresh(&mut self) {
        if self.shared.changes.version() != self.seen {
            self.take_changes();
        }
    }

    /// Brings `images` up to date.
    #[cold]
    fn take_changes(&mut self) {
        self.seen = self.shared.changes.take(&mut self.changes);
        for change in self.changes.drain(..) {
            match change {
                ImageChange::Add(image) => self.images.push(image),
                ImageChange::Remove(id) => self.images.retain(|image| image.correlation_id().get() != id),
                ImageChange::RemoveAll => self.images.clear(),
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.core.release(self.key, false);
    }
}
