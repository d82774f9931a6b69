//! An image: one publisher's stream as one subscription sees it. The subscription's owner polls it, and the conductor
//! makes and closes it. Any thread may inspect it through an [`ImageInfo`]. Polling never waits, locks or allocates.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::logs::Lending;
use crate::counters::CountersReader;
use crate::logbuffer::{Block, ControlledAction, MalformedFrame};
use crate::logbuffer::{Doorbell, Fragment, ImageReader, LogBuffers, Tenure};
use crate::memory::{AtomicBuffer, OwnedWord};
use crate::sync::{AtomicI32, AtomicI64, Ordering};
use crate::types::{CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId, TermId};

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

/// The properties of an image, for handlers and for applications that keep them. They stay readable after the image is
/// closed.
///
/// ```
/// use gannet::{Client, Context};
/// # use gannet_driver::{MediaDriver, config::{DriverConfig, Profile}};
/// # let driver = MediaDriver::launch_embedded(DriverConfig::for_profile(Profile::Frugal))?;
/// # let client = Client::connect(Context::new().dir(driver.dir()))?;
///
/// let mut subscription = client.add_subscription("aeron:ipc", 1001)?;
/// let publication = client.add_publication("aeron:ipc?term-length=64k", 1001)?;
/// while subscription.images().is_empty() {}
///
/// let info = subscription.images()[0].info();
/// assert_eq!((info.session_id(), info.source_identity()), (publication.session_id(), "aeron:ipc"));
/// drop(publication);
/// while !info.is_closed() {
///     std::thread::yield_now();
/// }
/// assert_eq!(info.position(), info.join_position());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ImageInfo {
    shared: Arc<ImageShared>,
}

/// What the conductor makes an image of.
pub(super) struct ImageParts<'a> {
    pub(super) correlation_id: CorrelationId,
    pub(super) session_id: SessionId,
    pub(super) stream_id: StreamId,
    pub(super) subscription_registration_id: RegistrationId,
    pub(super) source_identity: String,
    pub(super) log: LogBuffers,
    /// Keeps the log's bytes in place while handlers look at them.
    pub(super) lending: Lending,
    /// The subscriber's position counter.
    pub(super) position: OwnedWord<i64>,
    /// The registration id of that counter's record.
    pub(super) owner: OwnedWord<i64>,
    pub(super) position_id: CounterId,
    /// The header of the driver's CnC file.
    pub(super) bells: &'a AtomicBuffer,
}

struct ImageShared {
    correlation_id: CorrelationId,
    session_id: SessionId,
    stream_id: StreamId,
    subscription_registration_id: RegistrationId,
    source_identity: String,
    join_position: Position,
    initial_term_id: TermId,
    term_length: i32,
    mtu: usize,
    /// Until the image is closed, so that who keeps a description does not keep the log's memory.
    log: Mutex<Option<LogBuffers>>,
    /// How far the image has been read. Its position counter says the same, as long as that is the image's.
    position: AtomicI64,
    position_id: CounterId,
    /// 0 while the image may be read.
    closed: AtomicI32,
    /// Valid once closed.
    final_end_of_stream: AtomicI64,
    /// Valid once closed: whether the stream was revoked.
    final_revoked: AtomicI32,
}

impl Image {
    pub(super) fn new(parts: ImageParts<'_>) -> Self {
        // The driver stored the join position before it told us of the counter.
        let join_position = Position::new(parts.position.load_acquire());
        let shared = Arc::new(ImageShared {
            correlation_id: parts.correlation_id,
            session_id: parts.session_id,
            stream_id: parts.stream_id,
            subscription_registration_id: parts.subscription_registration_id,
            source_identity: parts.source_identity,
            join_position,
            initial_term_id: parts.log.initial_term_id(),
            term_length: parts.log.term_length().get(),
            mtu: parts.log.mtu(),
            log: Mutex::new(Some(parts.log.clone())),
            position: AtomicI64::new(join_position.get()),
            position_id: parts.position_id,
            closed: AtomicI32::new(0),
            final_end_of_stream: AtomicI64::new(i64::MAX),
            final_revoked: AtomicI32::new(0),
        });
        let doorbell = Doorbell::of_log(&parts.log, parts.bells);
        let reader = ImageReader::new(parts.log, parts.position);
        Self { shared, reader, owner: parts.owner, doorbell, _lending: parts.lending }
    }

    /// The image's properties, which the application may keep.
    pub fn info(&self) -> ImageInfo {
        ImageInfo { shared: Arc::clone(&self.shared) }
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
    /// Only fragments at or after the image's position, and at most a term ahead, can be peeked.
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
        self.shared.correlation_id
    }

    /// See [`ImageInfo::session_id`].
    pub fn session_id(&self) -> SessionId {
        self.shared.session_id
    }

    /// See [`ImageInfo::source_identity`].
    pub fn source_identity(&self) -> &str {
        &self.shared.source_identity
    }

    /// See [`ImageInfo::join_position`].
    pub fn join_position(&self) -> Position {
        self.shared.join_position
    }

    /// See [`ImageInfo::subscriber_position_id`].
    pub fn subscriber_position_id(&self) -> CounterId {
        self.shared.position_id
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
        !self.shared.is_closed() && self.owner.load_relaxed() == self.shared.subscription_registration_id.get()
    }

    #[inline]
    fn has_read_to(&self, position: i64) {
        // ORDERING(client.image-position): Release. Pairs with the Acquire load in `ImageShared::position`; what handlers did with
        // the bytes below is done.
        self.shared.position.store(position, Ordering::Release);
    }
}

impl ImageInfo {
    /// The image's id. For IPC it is the publication's registration id, otherwise a number that the driver chose.
    pub fn correlation_id(&self) -> CorrelationId {
        self.shared.correlation_id
    }

    /// The publisher's session id.
    pub fn session_id(&self) -> SessionId {
        self.shared.session_id
    }

    /// The stream id.
    pub fn stream_id(&self) -> StreamId {
        self.shared.stream_id
    }

    /// The registration id that the subscription had when it got the image.
    pub fn subscription_registration_id(&self) -> RegistrationId {
        self.shared.subscription_registration_id
    }

    /// The source of the stream: `aeron:ipc`, or the sender's address.
    pub fn source_identity(&self) -> &str {
        &self.shared.source_identity
    }

    /// The position at which the subscription joined the stream.
    pub fn join_position(&self) -> Position {
        self.shared.join_position
    }

    /// The position up to which the subscription has read. It advances at the end of each poll, and stays readable when
    /// the image is closed.
    pub fn position(&self) -> Position {
        self.shared.position()
    }

    /// The id of the counter with the subscription's position in this image, which the driver reads. The counter
    /// belongs to this image until the image is closed.
    pub fn subscriber_position_id(&self) -> CounterId {
        self.shared.position_id
    }

    /// The id of the stream's first term.
    pub fn initial_term_id(&self) -> TermId {
        self.shared.initial_term_id
    }

    /// The length of a term in bytes.
    pub fn term_buffer_length(&self) -> i32 {
        self.shared.term_length
    }

    /// The longest frame in bytes, header included.
    pub fn mtu_length(&self) -> usize {
        self.shared.mtu
    }

    /// The position at which the stream ends, if it is known yet.
    pub fn end_of_stream_position(&self) -> Option<Position> {
        let position = self.shared.end_of_stream_position();
        (position != i64::MAX).then_some(Position::new(position))
    }

    /// Whether the stream has ended and everything in it has been read.
    pub fn is_end_of_stream(&self) -> bool {
        self.shared.is_end_of_stream()
    }

    /// The number of transports that the image receives from. 0 for IPC, and when the image is closed.
    pub fn active_transport_count(&self) -> i32 {
        self.shared.lock_log().as_ref().map_or(0, |log| log.metadata().active_transport_count())
    }

    /// Whether the publisher revoked the stream, which ends the stream without waiting for subscribers.
    pub fn is_revoked(&self) -> bool {
        self.shared.is_revoked()
    }

    /// Whether the image is closed. A closed image delivers nothing.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Whether the driver still has the image: its position counter is allocated, for this subscription and this image.
    pub(super) fn is_known_to(&self, counters: &CountersReader) -> bool {
        counters.get(self.shared.position_id).is_some_and(|record| {
            record.registration_id == self.shared.subscription_registration_id
                && record.reference_id == self.shared.correlation_id.get()
        })
    }

    /// Whether it is a description of this very image, and of none that had its id before.
    #[cfg(feature = "journal")]
    pub(crate) fn describes(&self, image: &Image) -> bool {
        Arc::ptr_eq(&self.shared, &image.shared)
    }

    /// Ends what the image can do. Called by the conductor.
    pub(super) fn close(&self) {
        self.shared.close();
    }
}

impl fmt::Debug for ImageInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl fmt::Debug for ImageShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("correlation_id", &self.correlation_id)
            .field("session_id", &self.session_id)
            .field("stream_id", &self.stream_id)
            .field("source_identity", &self.source_identity)
            .field("join_position", &self.join_position)
            .field("position", &self.position())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl ImageShared {
    #[inline]
    fn is_closed(&self) -> bool {
        // ORDERING(client.image-closed): Acquire. Pairs with the Release store in `close`; the final words are set.
        self.closed.load(Ordering::Acquire) != 0
    }

    /// Remembers how the stream ended, closes the image, and lets go of the log. Only the first call counts.
    fn close(&self) {
        if self.is_closed() {
            return;
        }
        let mut held = self.lock_log();
        let Some(log) = held.take() else { return };
        self.final_end_of_stream.store(log.metadata().end_of_stream_position().get(), Ordering::Relaxed);
        self.final_revoked.store(log.metadata().is_revoked().into(), Ordering::Relaxed);
        // ORDERING(client.image-closed): Release. Pairs with the Acquire load in `is_closed`; publishes the final words.
        self.closed.store(1, Ordering::Release);
    }

    /// The log, until the image is closed.
    fn lock_log(&self) -> MutexGuard<'_, Option<LogBuffers>> {
        // A panic cannot leave it half set.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position at which the stream ends, as it was known when the image was closed.
    fn final_end(&self) -> i64 {
        self.final_end_of_stream.load(Ordering::Relaxed)
    }

    /// Whether the stream had been revoked when the image was closed.
    fn final_revoked(&self) -> bool {
        self.final_revoked.load(Ordering::Relaxed) != 0
    }

    fn position(&self) -> Position {
        // ORDERING(client.image-position): Acquire. Pairs with the Release store in `CounterTenure::has_read_to`.
        Position::new(self.position.load(Ordering::Acquire))
    }

    fn end_of_stream_position(&self) -> i64 {
        // The final words are stored before the log is let go of, under the same lock.
        let log = self.lock_log();
        log.as_ref().map_or_else(|| self.final_end(), |log| log.metadata().end_of_stream_position().get())
    }

    fn is_revoked(&self) -> bool {
        let log = self.lock_log();
        log.as_ref().map_or_else(|| self.final_revoked(), |log| log.metadata().is_revoked())
    }

    fn is_end_of_stream(&self) -> bool {
        self.position().get() >= self.end_of_stream_position()
    }
}
