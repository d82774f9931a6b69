//! The conductor's half of a subscription, through which it hands images to the owner's half.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client::hand_over::HandOver;
use crate::client::image::Image;
use crate::client::image_info::ImageInfo;
use crate::counters::CountersReader;
use crate::logbuffer::Bell;
use crate::sync::{AtomicI32, Ordering, fence};
use crate::types::{CounterId, RegistrationId, StreamId};

/// The half of a subscription that the handle shares with the conductor.
#[derive(Debug)]
pub(crate) struct SubscriptionShared {
    pub(crate) channel: String,
    pub(crate) stream_id: StreamId,
    pub(crate) changes: HandOver<ImageChange>,
    pub(crate) state: Mutex<SubscriptionState>,
    /// 1 while the owner sleeps or is about to sleep.
    pub(crate) drowsy: AtomicI32,
}

#[derive(Debug)]
pub(crate) struct SubscriptionState {
    pub(crate) registration_id: RegistrationId,
    pub(crate) channel_status_id: CounterId,
    pub(crate) open: bool,
    /// The images that the conductor has announced and not removed.
    pub(crate) images: Vec<ImageInfo>,
    /// The bell on which the owner sleeps.
    pub(crate) bell: Bell,
}

/// A change of the images by the conductor.
#[derive(Debug)]
pub(crate) enum ImageChange {
    Add(Image),
    Remove(i64),
    RemoveAll,
}

impl SubscriptionShared {
    pub(crate) fn new(
        channel: String,
        stream_id: StreamId,
        registration_id: RegistrationId,
        channel_status_id: CounterId,
        bell: Bell,
    ) -> Self {
        let state = SubscriptionState { registration_id, channel_status_id, open: true, images: Vec::new(), bell };
        let (changes, state, drowsy) = (HandOver::new(), Mutex::new(state), AtomicI32::new(0));
        Self { channel, stream_id, changes, state, drowsy }
    }

    /// Begins a new session epoch.
    pub(crate) fn renew(&self, registration_id: RegistrationId, channel_status_id: CounterId, bell: Bell) {
        let mut state = self.lock();
        // The owner may be sleeping on the old bell.
        std::mem::replace(&mut state.bell, bell).ring();
        state.registration_id = registration_id;
        state.channel_status_id = channel_status_id;
        state.open = true;
    }

    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    pub(crate) fn has_image(&self, id: i64) -> bool {
        self.lock().images.iter().any(|image| image.correlation_id().get() == id)
    }

    /// The ids of the images, which are also the keys of their logs.
    pub(crate) fn image_ids(&self) -> Vec<i64> {
        self.lock().images.iter().map(|image| image.correlation_id().get()).collect()
    }

    /// The ids of the images for which the driver no longer has a position counter.
    pub(crate) fn images_unknown_to(&self, counters: &CountersReader) -> Vec<i64> {
        let state = self.lock();
        let unknown = state.images.iter().filter(|image| !image.is_known_to(counters));
        unknown.map(|image| image.correlation_id().get()).collect()
    }

    pub(crate) fn add_image(&self, image: Image) {
        self.lock().images.push(image.info());
        self.change(|changes| changes.push(ImageChange::Add(image)));
    }

    /// Closes and removes an image.
    pub(crate) fn remove_image(&self, id: i64) -> Option<ImageInfo> {
        let mut state = self.lock();
        let at = state.images.iter().position(|image| image.correlation_id().get() == id)?;
        let image = state.images.remove(at);
        drop(state);
        image.close();
        self.change(|changes| {
            // An image that the owner has not seen yet is removed from the list of changes, so the list never grows
            // beyond the number of images.
            let unseen =
                |change: &ImageChange| matches!(change, ImageChange::Add(added) if added.correlation_id().get() == id);
            match changes.iter().position(unseen) {
                Some(at) => drop(changes.remove(at)),
                None => changes.push(ImageChange::Remove(id)),
            }
        });
        Some(image)
    }

    /// Closes the subscription for now. Returns the images that this closed.
    pub(crate) fn close(&self) -> Vec<ImageInfo> {
        let mut state = self.lock();
        state.open = false;
        let images = std::mem::take(&mut state.images);
        drop(state);
        images.iter().for_each(ImageInfo::close);
        self.change(|changes| {
            changes.clear();
            changes.push(ImageChange::RemoveAll);
        });
        images
    }

    /// Changes the images, and wakes the owner if it sleeps.
    fn change(&self, edit: impl FnOnce(&mut Vec<ImageChange>)) {
        self.changes.edit(edit);
        // ORDERING(client.drowsy): SeqCst fence. Pairs with the heavy barrier in `Bell::doze`, behind the store in
        // `Subscription::sleep`: either this load sees that the owner dozes, or the owner sees the new version.
        fence(Ordering::SeqCst);
        if self.drowsy.load(Ordering::Relaxed) != 0 {
            self.lock().bell.ring();
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, SubscriptionState> {
        // The values are plain, and each is set as a whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
