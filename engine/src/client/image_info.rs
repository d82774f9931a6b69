//! The description of an image, which any thread may keep and read, even when the image is closed. The image advances
//! its position, and the conductor closes it.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::counters::CountersReader;
use crate::logbuffer::LogBuffers;
use crate::sync::{AtomicI32, AtomicI64, Ordering};
use crate::types::{CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId, TermId};

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

/// Which image it is. The driver said so when it announced the image.
pub(super) struct ImageIdentity {
    pub(super) correlation_id: CorrelationId,
    pub(super) session_id: SessionId,
    pub(super) stream_id: StreamId,
    pub(super) subscription_registration_id: RegistrationId,
    pub(super) source_identity: String,
    /// The subscriber's position counter.
    pub(super) position_id: CounterId,
}

/// What an image and its descriptions share.
pub(super) struct ImageShared {
    pub(super) identity: ImageIdentity,
    pub(super) join_position: Position,
    initial_term_id: TermId,
    term_length: i32,
    mtu: usize,
    /// Until the image is closed, so that who keeps a description does not keep the log's memory.
    log: Mutex<Option<LogBuffers>>,
    /// How far the image has been read. Its position counter says the same, as long as that is the image's.
    position: AtomicI64,
    /// 0 while the image may be read.
    closed: AtomicI32,
    /// Valid once closed.
    final_end_of_stream: AtomicI64,
    /// Valid once closed: whether the stream was revoked.
    final_revoked: AtomicI32,
}

impl ImageInfo {
    /// The description of an image.
    pub(super) fn of(shared: &Arc<ImageShared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    /// The image's id. For IPC it is the publication's registration id, otherwise a number that the driver chose.
    pub fn correlation_id(&self) -> CorrelationId {
        self.shared.identity.correlation_id
    }

    /// The publisher's session id.
    pub fn session_id(&self) -> SessionId {
        self.shared.identity.session_id
    }

    /// The stream id.
    pub fn stream_id(&self) -> StreamId {
        self.shared.identity.stream_id
    }

    /// The registration id that the subscription had when it got the image.
    pub fn subscription_registration_id(&self) -> RegistrationId {
        self.shared.identity.subscription_registration_id
    }

    /// The source of the stream: `aeron:ipc`, or the sender's address.
    pub fn source_identity(&self) -> &str {
        &self.shared.identity.source_identity
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
        self.shared.identity.position_id
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
        counters.get(self.shared.identity.position_id).is_some_and(|record| {
            record.registration_id == self.shared.identity.subscription_registration_id
                && record.reference_id == self.shared.identity.correlation_id.get()
        })
    }

    /// Whether it is a description of the image that has this.
    #[cfg(feature = "journal")]
    pub(super) fn describes(&self, shared: &Arc<ImageShared>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
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
            .field("correlation_id", &self.identity.correlation_id)
            .field("session_id", &self.identity.session_id)
            .field("stream_id", &self.identity.stream_id)
            .field("source_identity", &self.identity.source_identity)
            .field("join_position", &self.join_position)
            .field("position", &self.position())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl ImageShared {
    /// An image that is open and read up to where it was joined.
    pub(super) fn new(identity: ImageIdentity, log: &LogBuffers, join_position: Position) -> Self {
        Self {
            identity,
            join_position,
            initial_term_id: log.initial_term_id(),
            term_length: log.term_length().get(),
            mtu: log.mtu(),
            log: Mutex::new(Some(log.clone())),
            position: AtomicI64::new(join_position.get()),
            closed: AtomicI32::new(0),
            final_end_of_stream: AtomicI64::new(i64::MAX),
            final_revoked: AtomicI32::new(0),
        }
    }

    /// Records that the subscription has read up to there.
    #[inline]
    pub(super) fn has_read_to(&self, position: i64) {
        // ORDERING(client.image-position): Release. Pairs with the Acquire load in `position`; what handlers did with the bytes
        // below is done.
        self.position.store(position, Ordering::Release);
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        // ORDERING(client.image-closed): Acquire. Pairs with the Release store in `close`; the final words are set.
        self.closed.load(Ordering::Acquire) != 0
    }

    /// Remembers how the stream ended, closes the image, and lets go of the log. Only the first call counts.
    pub(super) fn close(&self) {
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
    pub(super) fn final_end(&self) -> i64 {
        self.final_end_of_stream.load(Ordering::Relaxed)
    }

    /// Whether the stream had been revoked when the image was closed.
    pub(super) fn final_revoked(&self) -> bool {
        self.final_revoked.load(Ordering::Relaxed) != 0
    }

    pub(super) fn position(&self) -> Position {
        // ORDERING(client.image-position): Acquire. Pairs with the Release store in `has_read_to`.
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
