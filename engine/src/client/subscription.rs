//! A subscription: the images of one stream, polled in turn by the thread that owns the subscription. Images come and go
//! through a list of changes that the conductor fills; a poll looks at one word to learn that there is something in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client_core::ClientCore;
use super::conductor::{Bound, ResourceKey};
use super::error::{AddError, Request};
use super::hand_over::HandOver;
use super::image::{Image, ImageInfo};
use crate::command::{Command, RejectImage, Text};
use crate::logbuffer::{ControlledAction, Fragment};
use crate::types::{CounterId, RegistrationId, SessionId, StreamId};

/// A subscription to a stream. May be sent to another thread; polled by one at a time.
///
/// Dropping it gives it back to the driver. When its client or the driver is gone, polls deliver nothing and
/// [`Self::is_closed`] says so; after a reconnection the same subscription delivers again, from new images.
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

/// The half of a subscription that the conductor holds too.
#[derive(Debug)]
pub(super) struct SubscriptionShared {
    channel: String,
    stream_id: StreamId,
    changes: HandOver<ImageChange>,
    state: Mutex<SubscriptionState>,
}

#[derive(Debug)]
struct SubscriptionState {
    registration_id: RegistrationId,
    channel_status_id: CounterId,
    open: bool,
    /// What the conductor has announced and not withdrawn.
    images: Vec<ImageInfo>,
}

/// What the conductor did to the images.
#[derive(Debug)]
pub(super) enum ImageChange {
    Add(Image),
    Remove(i64),
    RemoveAll,
}

impl SubscriptionShared {
    pub(super) fn new(
        channel: String,
        stream_id: StreamId,
        registration_id: RegistrationId,
        channel_status_id: CounterId,
    ) -> Self {
        let state = SubscriptionState { registration_id, channel_status_id, open: true, images: Vec::new() };
        Self { channel, stream_id, changes: HandOver::new(), state: Mutex::new(state) }
    }

    /// Begins another session epoch.
    pub(super) fn renew(&self, registration_id: RegistrationId, channel_status_id: CounterId) {
        let mut state = self.lock();
        state.registration_id = registration_id;
        state.channel_status_id = channel_status_id;
        state.open = true;
    }

    pub(super) fn has_image(&self, id: i64) -> bool {
        self.lock().images.iter().any(|image| image.correlation_id().get() == id)
    }

    /// The ids of the images, which are the keys of their logs.
    pub(super) fn image_ids(&self) -> Vec<i64> {
        self.lock().images.iter().map(|image| image.correlation_id().get()).collect()
    }

    pub(super) fn add_image(&self, image: Image) {
        self.lock().images.push(image.info());
        self.changes.edit(|changes| changes.push(ImageChange::Add(image)));
    }

    /// Closes an image and takes it away.
    pub(super) fn remove_image(&self, id: i64) -> Option<ImageInfo> {
        let mut state = self.lock();
        let at = state.images.iter().position(|image| image.correlation_id().get() == id)?;
        let image = state.images.remove(at);
        drop(state);
        image.close();
        self.changes.edit(|changes| {
            // One that the owner never saw need not pass through its hands: the list stays as short as there are images.
            let unseen =
                |change: &ImageChange| matches!(change, ImageChange::Add(added) if added.correlation_id().get() == id);
            match changes.iter().position(unseen) {
                Some(at) => drop(changes.remove(at)),
                None => changes.push(ImageChange::Remove(id)),
            }
        });
        Some(image)
    }

    /// Ends what the subscription can do for now, and returns the images that this closed.
    pub(super) fn close(&self) -> Vec<ImageInfo> {
        let mut state = self.lock();
        state.open = false;
        let images = std::mem::take(&mut state.images);
        drop(state);
        images.iter().for_each(ImageInfo::close);
        self.changes.edit(|changes| {
            changes.clear();
            changes.push(ImageChange::RemoveAll);
        });
        images
    }

    fn lock(&self) -> MutexGuard<'_, SubscriptionState> {
        // Plain values, each set whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    pub(super) fn from_bound(core: Arc<ClientCore>, key: ResourceKey, bound: Bound) -> Option<Self> {
        let Bound::Subscription(shared) = bound else { return None };
        let seen = shared.changes.version().wrapping_sub(1);
        Some(Self { core, key, shared, images: Vec::new(), turn: 0, seen, changes: Vec::new() })
    }

    /// Hands at most `limit` fragments to `handler`, image after image, starting with another image each time, and returns
    /// how many. The memory that a fragment borrows may be overwritten as soon as the poll has returned.
    ///
    /// A message longer than a frame comes as several fragments; a
    /// [`FragmentAssembler`](crate::logbuffer::FragmentAssembler) joins them.
    #[inline]
    pub fn poll(&mut self, mut handler: impl FnMut(Fragment<'_>), limit: usize) -> usize {
        self.poll_images(limit, |image, limit| image.poll(&mut handler, limit))
    }

    /// As [`Self::poll`], but the handler says how to go on after each fragment. What it says concerns the image that the
    /// fragment came from; the others are polled all the same.
    #[inline]
    pub fn controlled_poll(
        &mut self,
        mut handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        limit: usize,
    ) -> usize {
        self.poll_images(limit, |image, limit| image.controlled_poll(&mut handler, limit))
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

    /// The images, as the last poll or this call found them.
    pub fn images(&mut self) -> &[Image] {
        self.refresh();
        &self.images
    }

    /// The images, to be polled one by one.
    pub fn images_mut(&mut self) -> &mut [Image] {
        self.refresh();
        &mut self.images
    }

    /// The image of a session.
    pub fn image_mut(&mut self, session_id: SessionId) -> Option<&mut Image> {
        self.refresh();
        self.images.iter_mut().find(|image| image.session_id() == session_id)
    }

    /// How many images there are.
    pub fn image_count(&self) -> usize {
        self.shared.lock().images.len()
    }

    /// Whether there is an image that can be read.
    pub fn is_connected(&self) -> bool {
        self.shared.lock().images.iter().any(|image| !image.is_closed())
    }

    /// Whether polls deliver nothing because the client is closed, or has no driver at the moment.
    pub fn is_closed(&self) -> bool {
        !self.shared.lock().open
    }

    /// The channel as it was asked for.
    pub fn channel(&self) -> &str {
        &self.shared.channel
    }

    /// The stream.
    pub fn stream_id(&self) -> StreamId {
        self.shared.stream_id
    }

    /// The driver's id for the subscription. Another one after each reconnection.
    pub fn registration_id(&self) -> RegistrationId {
        self.shared.lock().registration_id
    }

    /// The counter that says how the channel's endpoint is; [`CounterId::NONE`] for IPC and spies.
    pub fn channel_status_id(&self) -> CounterId {
        self.shared.lock().channel_status_id
    }

    /// The status of the channel's endpoint: -1 errored, 0 initialising, 1 active, 2 closing. Always 1 for IPC and spies,
    /// which have no endpoint.
    pub fn channel_status(&self) -> i64 {
        self.core.channel_status(self.channel_status_id())
    }

    /// Adds a destination to a subscription with `control-mode=manual`, and waits until the driver has it.
    ///
    /// # Errors
    ///
    /// [`AddError`]: the driver's refusal, or why it could not be asked.
    pub fn add_destination(&self, channel: &str) -> Result<(), AddError> {
        self.core.destination(self.registration_id(), channel, Command::AddReceiveDestination)
    }

    /// Removes a destination that was added with this channel, and waits until the driver has done so.
    ///
    /// # Errors
    ///
    /// As [`Self::add_destination`].
    pub fn remove_destination(&self, channel: &str) -> Result<(), AddError> {
        self.core.destination(self.registration_id(), channel, Command::RemoveReceiveDestination)
    }

    /// Rejects an image: its publisher is told why, and the image goes, at least for a while. Waits until the driver has
    /// done so. At most 1023 bytes of reason.
    ///
    /// # Errors
    ///
    /// As [`Self::add_destination`].
    pub fn reject_image(&self, image: &ImageInfo, reason: &str) -> Result<(), AddError> {
        let image_correlation_id = image.correlation_id();
        let request = Request::Rejection { image: image_correlation_id };
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
