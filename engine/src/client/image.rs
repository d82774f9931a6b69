//! An image: one publisher's stream as one subscription sees it. The subscription's owner polls it, and the conductor
//! makes and closes it. Any thread may inspect it through an [`ImageInfo`]. Polling never waits, locks or allocates.

use std::sync::Arc;

use super::image_info::{ImageIdentity, ImageInfo, ImageShared};
use super::logs::Lending;
use crate::logbuffer::{Block, ControlledAction, MalformedFrame};
use crate::logbuffer::{Doorbell, Fragment, ImageReader, LogBuffers, Tenure};
use crate::memory::{AtomicBuffer, OwnedWord};
use crate::types::{CorrelationId, CounterId, Position, SessionId};

/// One publisher's stream, as one subscription reads it. The image is part of its
/// [`Subscription`](super::Subscription), which polls all its images in turn. An application can also poll an image by
/// itself, see [`Subscription::images_mut`](super::Subscription::images_mut).
///
/// ```
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
///
/// let mut subscription = client.add_subscription("aeron:ipc", 1001)?;
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
/// while publication.offer(b"to the first who asks").is_err() {}
///
/// let image = loop {
///     if let Some(image) = subscription.image_mut(publication.session_id()) {
///         break image;
///     }
/// };
/// assert_eq!(image.poll(|fragment| assert_eq!(fragment.payload(), b"to the first who asks"), 1), 1);
/// assert_eq!(image.position().get(), 64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Image {
    shared: Arc<ImageShared>,
    reader: ImageReader,
    /// The registration id in the position counter's record: in the same cache line as the position.
    owner: OwnedWord<i64>,
    doorbell: Doorbell,
    _lending: Lending,
}

/// What the conductor makes an image of.
pub(super) struct ImageParts<'a> {
    pub(super) identity: ImageIdentity,
    pub(super) log: LogBuffers,
    /// Keeps the log's bytes in place while handlers look at them.
    pub(super) lending: Lending,
    /// The subscriber's position counter.
    pub(super) position: OwnedWord<i64>,
    /// The registration id of that counter's record.
    pub(super) owner: OwnedWord<i64>,
    /// The header of the driver's CnC file.
    pub(super) bells: &'a AtomicBuffer,
}

impl Image {
    pub(super) fn new(parts: ImageParts<'_>) -> Self {
        // The driver stored the join position before it told us of the counter.
        let join_position = Position::new(parts.position.load_acquire());
        let shared = Arc::new(ImageShared::new(parts.identity, &parts.log, join_position));
        let doorbell = Doorbell::of_log(&parts.log, parts.bells);
        let reader = ImageReader::new(parts.log, parts.position);
        Self { shared, reader, owner: parts.owner, doorbell, _lending: parts.lending }
    }

    /// The image's properties, which the application may keep.
    pub fn info(&self) -> ImageInfo {
        ImageInfo::of(&self.shared)
    }

    /// Passes at most `limit` fragments to `handler`. Returns how many. The memory of a fragment may be overwritten as
    /// soon as the poll returns, so the handler must copy what it keeps.
    #[inline]
    pub fn poll(&mut self, handler: impl FnMut(Fragment<'_>), limit: usize) -> usize {
        if !self.may_read() {
            return 0;
        }
        let Self { shared, reader, owner, .. } = self;
        reader.poll_within(CounterTenure { shared, owner }, handler, i64::MAX, limit)
    }

    /// As [`Self::poll`], but stops before the first fragment that starts at position `bound` or later.
    #[inline]
    pub fn bounded_poll(&mut self, handler: impl FnMut(Fragment<'_>), bound: Position, limit: usize) -> usize {
        if !self.may_read() {
            return 0;
        }
        let Self { shared, reader, owner, .. } = self;
        reader.poll_within(CounterTenure { shared, owner }, handler, bound.get(), limit)
    }

    /// As [`Self::poll`], but the handler's return value says how to continue after each fragment. See
    /// [`ControlledAction`].
    #[inline]
    pub fn controlled_poll(&mut self, handler: impl FnMut(Fragment<'_>) -> ControlledAction, limit: usize) -> usize {
        if !self.may_read() {
            return 0;
        }
        let Self { shared, reader, owner, .. } = self;
        reader.controlled_poll_within(CounterTenure { shared, owner }, handler, i64::MAX, limit)
    }

    /// Combines [`Self::bounded_poll`] and [`Self::controlled_poll`].
    #[inline]
    pub fn bounded_controlled_poll(
        &mut self,
        handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        bound: Position,
        limit: usize,
    ) -> usize {
        if !self.may_read() {
            return 0;
        }
        let Self { shared, reader, owner, .. } = self;
        reader.controlled_poll_within(CounterTenure { shared, owner }, handler, bound.get(), limit)
    }

    /// Passes one run of whole frames, headers included, to `handler`. The run has at most `limit` bytes. Returns its
    /// length in bytes, or 0 if there is no frame or if the first is longer than the limit. A run ends before padding.
    /// Padding that comes first is a run of its own, however long it is.
    pub fn block_poll(&mut self, handler: impl FnOnce(Block<'_>), limit: usize) -> usize {
        if !self.may_read() {
            return 0;
        }
        let Self { shared, reader, owner, .. } = self;
        reader.block_poll_within(CounterTenure { shared, owner }, handler, limit)
    }

    /// Passes fragments from position `from` up to `bound` to `handler` without consuming them. Returns the position at
    /// which the next call may start. [`ControlledAction::Commit`] has the same effect as `Continue` here.
    ///
    /// Only fragments at or after the image's position, and at most a term ahead, can be peeked. `from` must be that
    /// position, or one to which committed frames lead from there: one that an earlier call has returned, or the end of
    /// a fragment that it has passed. From anywhere else, nothing is passed.
    pub fn peek(
        &mut self,
        from: Position,
        handler: impl FnMut(Fragment<'_>) -> ControlledAction,
        bound: Position,
    ) -> Position {
        if self.may_read() { self.reader.peek(from, handler, bound) } else { from }
    }

    /// Checks whether the next frame is malformed. If it is, the image can never be read further. Call this when an
    /// image unexpectedly delivers nothing.
    ///
    /// # Errors
    ///
    /// [`MalformedFrame`] gives the frame's position and what was found there.
    pub fn check(&self) -> Result<(), MalformedFrame> {
        if self.is_closed() { Ok(()) } else { self.reader.check() }
    }

    /// See [`ImageInfo::correlation_id`].
    pub fn correlation_id(&self) -> CorrelationId {
        self.shared.identity.correlation_id
    }

    /// See [`ImageInfo::session_id`].
    pub fn session_id(&self) -> SessionId {
        self.shared.identity.session_id
    }

    /// See [`ImageInfo::source_identity`].
    pub fn source_identity(&self) -> &str {
        &self.shared.identity.source_identity
    }

    /// See [`ImageInfo::join_position`].
    pub fn join_position(&self) -> Position {
        self.shared.join_position
    }

    /// See [`ImageInfo::subscriber_position_id`].
    pub fn subscriber_position_id(&self) -> CounterId {
        self.shared.identity.position_id
    }

    /// See [`ImageInfo::position`].
    pub fn position(&self) -> Position {
        self.shared.position()
    }

    /// See [`ImageInfo::is_end_of_stream`].
    pub fn is_end_of_stream(&self) -> bool {
        let metadata = self.reader.log().metadata();
        let end = if self.is_closed() { self.shared.final_end() } else { metadata.end_of_stream_position().get() };
        self.position().get() >= end
    }

    /// See [`ImageInfo::is_revoked`].
    pub fn is_revoked(&self) -> bool {
        if self.is_closed() { self.shared.final_revoked() } else { self.reader.log().metadata().is_revoked() }
    }

    /// See [`ImageInfo::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Whether it is a description of this very image, and of none that had its id before.
    #[cfg(feature = "journal")]
    pub(crate) fn is_described_by(&self, info: &ImageInfo) -> bool {
        info.describes(&self.shared)
    }

    /// Where its publishers look for sleeping subscribers.
    pub(super) fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    /// Whether a poll would find something.
    pub(super) fn is_ready(&self) -> bool {
        !self.is_closed() && self.reader.is_ready()
    }

    /// Whether the position counter is this image's to read from and to store to. If not, the image is closed from here on.
    #[inline]
    fn may_read(&self) -> bool {
        let holds = CounterTenure { shared: &self.shared, owner: &self.owner }.holds();
        if !holds {
            self.shared.close();
        }
        holds
    }
}

/// An image's hold on its position counter. The driver may have freed that long ago: this client was stopped for a while and its
/// conductor has not yet noticed, or a handler took so long that the image has gone meanwhile. Another subscriber may have the
/// counter by now, or another image of this one. The registration id in the counter's record tells of the former, at the price
/// of a load from a line that the poll needs anyway, and that the image is closed of the latter.
struct CounterTenure<'a> {
    shared: &'a ImageShared,
    owner: &'a OwnedWord<i64>,
}

impl Tenure for CounterTenure<'_> {
    #[inline]
    fn holds(&self) -> bool {
        !self.shared.is_closed() && self.owner.load_relaxed() == self.shared.identity.subscription_registration_id.get()
    }

    #[inline]
    fn has_read_to(&self, position: i64) {
        self.shared.has_read_to(position);
    }
}
