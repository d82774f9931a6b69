//! A log: its three terms and its metadata, checked when it is opened, and shared by all its appenders and readers.

use std::sync::Arc;

#[cfg(not(engine_loom))]
use std::path::{Path, PathBuf};

use crate::memory::{AtomicBuffer, Terms};
#[cfg(not(engine_loom))]
use crate::memory::{FileAccess, MapError, MappedFile, RawAccess, Reserve};
use crate::sync::{AtomicI32, Ordering};
use crate::types::{Position, SessionId, StreamId, TermId, TermLength};

use super::error::AppenderError;
use super::frame::{FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, Origin};
#[cfg(not(engine_loom))]
use super::layout::LogLayout;
use super::layout::PARTITION_COUNT;
use super::metadata::LogMetadata;
#[cfg(not(engine_loom))]
use super::parameters::MAX_MTU;
use super::parameters::{LogKind, LogParameters};

/// A log in shared memory. Clones share the mapping, which exists until all of them, and all objects created from them,
/// are dropped. A log can be appended to, read and cleaned by its holders: see [`RawAccess`](crate::memory::RawAccess).
#[derive(Clone, Debug)]
pub struct LogBuffers {
    log: Arc<Log>,
}

/// The constant fields were loaded and checked once, when the log was created or opened. They are not loaded from the
/// file again.
#[derive(Debug)]
struct Log {
    terms: Terms,
    partitions: [AtomicBuffer; PARTITION_COUNT],
    metadata: LogMetadata,
    initial_term_id: TermId,
    mtu: usize,
    kind: LogKind,
    origin: Origin,
    /// The number of concurrent appenders of this process for the log, or -1 for an exclusive one.
    appenders: AtomicI32,
}

/// Why a log file could not be opened.
#[cfg(not(engine_loom))]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogOpenError {
    /// The file could not be mapped.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The metadata is inconsistent with the file or with itself.
    #[error("{} is no log: its {field} is {found}, expected {expected}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The metadata field.
        field: &'static str,
        /// The field's value.
        found: i64,
        /// The valid values.
        expected: String,
    },
}

impl LogBuffers {
    /// Creates a log file and fills in its metadata. The file must not exist. `mode` is its permission bits.
    ///
    /// # Errors
    ///
    /// As [`MappedFile::create`].
    ///
    /// # Panics
    ///
    /// If the parameters are inconsistent. They are the driver's, which has checked them.
    #[cfg(not(engine_loom))]
    pub fn create(
        path: &Path,
        parameters: &LogParameters,
        mode: u32,
        reserve: Reserve,
        raw: RawAccess,
    ) -> Result<Self, MapError> {
        let file = MappedFile::create(path, parameters.layout().file_length() as u64, mode, reserve)?;
        Ok(Self::initialise(&file.into_view(raw), parameters))
    }

    /// Maps an existing log file.
    ///
    /// # Errors
    ///
    /// [`LogOpenError::Map`] if the file cannot be mapped. [`LogOpenError::Malformed`] if its metadata is invalid.
    #[cfg(not(engine_loom))]
    pub fn open(path: &Path, access: FileAccess, raw: RawAccess) -> Result<Self, LogOpenError> {
        let least = PARTITION_COUNT * TermLength::MIN.get() as usize + super::LOG_METADATA_LENGTH;
        let file = MappedFile::open(path, least as u64, access)?;
        Self::check(&file.into_view(raw)).map_err(|Contradiction { field, found, expected }| LogOpenError::Malformed {
            path: path.to_owned(),
            field,
            found,
            expected,
        })
    }

    /// A log in the memory of this process, for tests and benchmarks.
    ///
    /// # Panics
    ///
    /// If the parameters are inconsistent.
    #[cfg(not(engine_loom))]
    pub fn heap(parameters: &LogParameters, raw: RawAccess) -> Self {
        Self::initialise(&AtomicBuffer::zeroed(parameters.layout().file_length(), raw), parameters)
    }

    /// A log in model memory. Must be called within a model.
    ///
    /// # Panics
    ///
    /// If the parameters are inconsistent.
    #[cfg(engine_loom)]
    pub fn model(parameters: &LogParameters) -> Self {
        let terms_length = PARTITION_COUNT * parameters.term_length.get() as usize;
        // All of a frame header except its first eight bytes consists of 64-bit words, and a header can be at any
        // multiple of 32.
        let wide: Vec<usize> = (0..terms_length).step_by(8).filter(|at| at % FRAME_ALIGNMENT != 0).collect();
        let terms = AtomicBuffer::model(terms_length, &wide);
        let wide = [0, 8, 16, 128, 256, 448, 456, 464, 472, 480];
        let metadata = LogMetadata::new(AtomicBuffer::model(LogMetadata::USED_LENGTH, &wide));
        metadata.initialise(parameters);
        Self::assemble(&terms, metadata, parameters.term_length, parameters.mtu, parameters.kind)
    }

    #[cfg(not(engine_loom))]
    fn initialise(buffer: &AtomicBuffer, parameters: &LogParameters) -> Self {
        let layout = parameters.layout();
        assert!(is_mtu(parameters.mtu), "a checked MTU");
        assert!(is_page_size(parameters.page_size), "a checked page size");
        let start = parameters.start_position.get();
        assert!(start % FRAME_ALIGNMENT as i64 == 0, "a start position where frames can start");
        assert!((0..parameters.term_length.max_position().get()).contains(&start), "a start position of the stream");
        let metadata = LogMetadata::new(buffer.slice(layout.metadata_offset(), super::LOG_METADATA_LENGTH));
        metadata.initialise(parameters);
        Self::assemble(buffer, metadata, parameters.term_length, parameters.mtu, parameters.kind)
    }

    #[cfg(not(engine_loom))]
    fn check(buffer: &AtomicBuffer) -> Result<Self, Contradiction> {
        let metadata =
            LogMetadata::new(buffer.slice(buffer.len() - super::LOG_METADATA_LENGTH, super::LOG_METADATA_LENGTH));
        let found = i64::from(metadata.term_length());
        let term_length = TermLength::new(found).map_err(|_| Contradiction {
            field: "term length",
            found,
            expected: format!("a power of two from {} to {}", TermLength::MIN, TermLength::MAX),
        })?;
        let page_size = metadata.page_size();
        if !is_page_size(page_size) {
            let expected = "a power of two from 4096 to 1073741824".to_owned();
            return Err(Contradiction { field: "page size", found: page_size.into(), expected });
        }
        let expected = LogLayout { term_length, page_size }.file_length();
        if buffer.len() != expected {
            let expected = format!("{expected} for terms of {term_length} and pages of {page_size} bytes");
            return Err(Contradiction { field: "length", found: buffer.len() as i64, expected });
        }
        let mtu = metadata.mtu();
        if !is_mtu(mtu) {
            let expected = format!("a multiple of 32, above 32 and up to {MAX_MTU}");
            return Err(Contradiction { field: "MTU", found: mtu.into(), expected });
        }
        let header = metadata.default_header_length();
        if header != FRAME_HEADER_LENGTH as i32 {
            let expected = FRAME_HEADER_LENGTH.to_string();
            return Err(Contradiction { field: "default header's length", found: header.into(), expected });
        }
        let kind = metadata.kind().ok_or_else(|| Contradiction {
            field: "kind",
            found: -1,
            expected: "0 (concurrent), 1 (exclusive) or 2 (image)".to_owned(),
        })?;
        Ok(Self::assemble(buffer, metadata, term_length, mtu, kind))
    }

    fn assemble(terms: &AtomicBuffer, metadata: LogMetadata, term_length: TermLength, mtu: i32, kind: LogKind) -> Self {
        let length = term_length.get() as usize;
        let partitions = core::array::from_fn(|index| terms.slice(index * length, length));
        let origin = Origin { session_id: metadata.session_id(), stream_id: metadata.stream_id() };
        Self {
            log: Arc::new(Log {
                terms: Terms::new(terms, term_length),
                partitions,
                initial_term_id: metadata.initial_term_id(),
                mtu: mtu as usize,
                kind,
                origin,
                metadata,
                appenders: AtomicI32::new(0),
            }),
        }
    }

    /// Fetches all pages of the log's file: see [`AtomicBuffer::populate`].
    #[cfg(all(feature = "client", not(engine_loom)))]
    pub(crate) fn populate(&self) -> bool {
        self.log.partitions[0].populate()
    }

    /// Releases the log's file: see [`AtomicBuffer::vacate`]. Later appends have no effect.
    #[cfg(all(feature = "client", not(engine_loom)))]
    pub(crate) fn vacate(&self) {
        self.log.partitions[0].vacate();
    }

    /// The memory of one of the three terms.
    ///
    /// # Panics
    ///
    /// If `index` is not below 3.
    pub fn term(&self, index: usize) -> &AtomicBuffer {
        &self.log.partitions[index]
    }

    /// The metadata.
    #[inline]
    pub fn metadata(&self) -> &LogMetadata {
        &self.log.metadata
    }

    /// The length of each term.
    #[inline]
    pub fn term_length(&self) -> TermLength {
        self.log.terms.length()
    }

    /// The id of the stream's first term.
    #[inline]
    pub fn initial_term_id(&self) -> TermId {
        self.log.initial_term_id
    }

    /// The length of the longest frame in bytes, header included.
    #[inline]
    pub fn mtu(&self) -> usize {
        self.log.mtu
    }

    /// The kind of the log: its publisher or publishers.
    pub fn kind(&self) -> LogKind {
        self.log.kind
    }

    /// The session id in the log's frames.
    pub fn session_id(&self) -> SessionId {
        self.log.origin.session_id
    }

    /// The stream id in the log's frames.
    pub fn stream_id(&self) -> StreamId {
        self.log.origin.stream_id
    }

    /// The maximum payload of one frame in bytes.
    pub fn max_payload_length(&self) -> usize {
        self.mtu() - FRAME_HEADER_LENGTH
    }

    /// The maximum length of a message in bytes.
    pub fn max_message_length(&self) -> usize {
        self.term_length().max_message_length()
    }

    /// The length in bytes of the longest message that is sent as one frame. A large MTU leaves room for more than the
    /// longest message.
    pub fn max_whole_length(&self) -> usize {
        self.max_payload_length().min(self.max_message_length())
    }

    /// The number of the active term, counted from the initial term.
    pub fn active_term_count(&self) -> i32 {
        // ORDERING(log.active-term): Acquire. Pairs with the compare-and-exchange of `rotate`; the tail of that term is set.
        self.metadata().active_term_count().load_acquire()
    }

    /// The publishers' position: the tail of the active term.
    pub fn producer_position(&self) -> Position {
        self.metadata().producer_position(self.term_length(), self.initial_term_id())
    }

    #[inline]
    pub(super) fn terms(&self) -> &Terms {
        &self.log.terms
    }

    #[inline]
    pub(super) fn origin(&self) -> Origin {
        self.log.origin
    }
}

/// Registers an appender of a log. Two appenders of this process that both considered the log their own would lend the
/// same memory for writing twice. Other processes are trusted to follow the protocol.
#[derive(Debug)]
pub(super) struct Hold {
    log: LogBuffers,
    exclusive: bool,
}

impl Hold {
    /// Registers one of several concurrent appenders.
    pub(super) fn shared(log: &LogBuffers) -> Result<Self, AppenderError> {
        Self::refuse_image(log)?;
        let appenders = &log.log.appenders;
        let mut held = appenders.load(Ordering::Relaxed);
        loop {
            if held < 0 {
                return Err(AppenderError::Exclusive);
            }
            match appenders.compare_exchange(held, held + 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(Self { log: log.clone(), exclusive: false }),
                Err(found) => held = found,
            }
        }
    }

    /// Registers an exclusive appender.
    pub(super) fn exclusive(log: &LogBuffers) -> Result<Self, AppenderError> {
        Self::refuse_image(log)?;
        match log.log.appenders.compare_exchange(0, -1, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Ok(Self { log: log.clone(), exclusive: true }),
            Err(held) => Err(if held < 0 { AppenderError::Exclusive } else { AppenderError::InUse }),
        }
    }

    /// The log.
    #[inline]
    pub(super) fn log(&self) -> &LogBuffers {
        &self.log
    }

    fn refuse_image(log: &LogBuffers) -> Result<(), AppenderError> {
        if log.kind() == LogKind::Image { Err(AppenderError::Image) } else { Ok(()) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Release: the stores of this appender happen before those of the next one.
        self.log.log.appenders.fetch_add(if self.exclusive { 1 } else { -1 }, Ordering::AcqRel);
    }
}

#[cfg(not(engine_loom))]
struct Contradiction {
    field: &'static str,
    found: i64,
    expected: String,
}

#[cfg(not(engine_loom))]
fn is_page_size(bytes: i32) -> bool {
    (4096..=1 << 30).contains(&bytes) && bytes.count_ones() == 1
}

#[cfg(not(engine_loom))]
fn is_mtu(bytes: i32) -> bool {
    bytes > FRAME_HEADER_LENGTH as i32 && bytes <= MAX_MTU && bytes % FRAME_ALIGNMENT as i32 == 0
}

#[cfg(all(test, not(engine_loom)))]
mod tests {
    use super::*;
    use crate::logbuffer::testing::{TERM_LENGTH, parameters};
    use crate::logbuffer::{LOG_METADATA_LENGTH, metadata};
    use crate::types::RegistrationId;

    fn file() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1.logbuffer");
        (dir, path)
    }

    #[test]
    fn a_log_that_is_created_opens() {
        let (_dir, path) = file();
        let mut parameters = parameters(LogKind::Exclusive);
        parameters.registration_id = RegistrationId::new(77);
        parameters.untethered_linger_timeout_ns = 0x0123_4567_89AB_CDEF;
        let created = LogBuffers::create(&path, &parameters, 0o600, Reserve::Space, RawAccess::ENGINE).unwrap();
        let opened = LogBuffers::open(&path, FileAccess::ReadWrite, RawAccess::ENGINE).unwrap();
        assert_eq!(opened.kind(), LogKind::Exclusive);
        assert_eq!((opened.mtu(), opened.term_length()), (1408, TERM_LENGTH));
        assert_eq!((opened.session_id(), opened.stream_id()), (parameters.session_id, parameters.stream_id));
        assert_eq!(opened.initial_term_id(), parameters.initial_term_id);
        let metadata = opened.metadata();
        assert_eq!(metadata.registration_id(), parameters.registration_id);
        assert_eq!(metadata.end_of_stream_position().get(), i64::MAX);
        assert!(!metadata.is_connected() && !metadata.is_revoked());
        created.metadata().revoke();
        created.metadata().set_connected(true);
        assert!(metadata.is_connected() && metadata.is_revoked());
        assert_eq!(metadata.kind(), Some(LogKind::Exclusive), "the flag leaves its neighbour alone");
    }

    /// Trap 3: the metadata is at the end of the file, not behind the last term. Sizes from shared-memory.md, section 14, item 17.
    #[test]
    fn trap_03_metadata_is_at_the_end_of_the_file() {
        for (page_size, file_length, metadata_offset) in [(4096, 200_704, 196_608), (65_536, 262_144, 258_048)] {
            let (_dir, path) = file();
            let mut parameters = parameters(LogKind::Concurrent);
            parameters.page_size = page_size;
            assert_eq!(parameters.layout().file_length(), file_length);
            assert_eq!(parameters.layout().metadata_offset(), metadata_offset);
            drop(LogBuffers::create(&path, &parameters, 0o600, Reserve::Space, RawAccess::ENGINE).unwrap());
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes[metadata_offset + 280..][..4], page_size.to_le_bytes());
            assert_eq!(
                LogBuffers::open(&path, FileAccess::ReadOnly, RawAccess::ENGINE).unwrap().metadata().page_size(),
                page_size
            );
        }
    }

    /// Trap 44: the tails of the idle partitions hold the two term ids before the first, so that rotations find what they
    /// expect. Values from shared-memory.md, section 14, items 14 and 16.
    #[test]
    fn trap_44_initial_tails() {
        let mut parameters = parameters(LogKind::Concurrent);
        let start = i64::from(parameters.initial_term_id.get());
        let fresh = LogBuffers::heap(&parameters, RawAccess::ENGINE);
        let before = |terms: i64| ((start - terms) as i32 as i64) << 32;
        assert_eq!(fresh.metadata().raw_tails(), [start << 32, before(2), before(1)]);

        parameters.initial_term_id = TermId::new(7);
        parameters.term_length = TermLength::new(128 << 10).unwrap();
        parameters.start_position = parameters.term_length.position(2, 128);
        assert_eq!(parameters.layout().file_length(), 397_312);
        let later = LogBuffers::heap(&parameters, RawAccess::ENGINE);
        assert_eq!(later.metadata().raw_tails(), [7 << 32, 8 << 32, 9 << 32 | 128]);
        assert_eq!(later.producer_position().get(), 262_272);
    }

    /// Trap 60: the untethered linger timeout is a 64-bit field on a 4-byte boundary.
    #[test]
    fn trap_60_unaligned_timeout() {
        let mut parameters = parameters(LogKind::Concurrent);
        parameters.untethered_linger_timeout_ns = -0x0123_4567_89AB_CDEF;
        let log = LogBuffers::heap(&parameters, RawAccess::ENGINE);
        assert_eq!(log.metadata().untethered_linger_timeout_ns(), parameters.untethered_linger_timeout_ns);
        let (_dir, path) = file();
        drop(LogBuffers::create(&path, &parameters, 0o600, Reserve::Space, RawAccess::ENGINE).unwrap());
        let bytes = std::fs::read(&path).unwrap();
        let metadata = &bytes[bytes.len() - LOG_METADATA_LENGTH..];
        assert_eq!(metadata[500..508], parameters.untethered_linger_timeout_ns.to_le_bytes());
    }

    /// Every field of the metadata gets every kind of wrong value: opening refuses it or gives a log that can be used.
    #[test]
    fn hostile_metadata_is_refused_or_harmless() {
        let (_dir, path) = file();
        drop(
            LogBuffers::create(&path, &parameters(LogKind::Concurrent), 0o600, Reserve::Space, RawAccess::ENGINE)
                .unwrap(),
        );
        let good = std::fs::read(&path).unwrap();
        let start = good.len() - LOG_METADATA_LENGTH;
        for offset in (0..508).step_by(4) {
            for value in [0, 1, -1, 31, 32, 33, 4095, 65_536, 65_537, 1 << 30, i32::MAX, i32::MIN] {
                let mut bytes = good.clone();
                bytes[start + offset..][..4].copy_from_slice(&value.to_le_bytes());
                std::fs::write(&path, &bytes).unwrap();
                let Ok(log) = LogBuffers::open(&path, FileAccess::ReadWrite, RawAccess::ENGINE) else { continue };
                let counters = AtomicBuffer::heap(64);
                let words = [0, 8].map(|at| counters.own(crate::memory::Field::<i64>::at(at)));
                words[0].store_relaxed(i64::MAX);
                if let Ok(appender) = crate::logbuffer::ConcurrentAppender::new(&log, words[0].clone()) {
                    (0..3).for_each(|_| _ = appender.offer(&[1; 100]));
                    (0..3).for_each(|_| _ = appender.offer(&[1; 5000]));
                    let _ = appender.try_claim(10);
                }
                if let Ok(mut appender) = crate::logbuffer::ExclusiveAppender::new(&log, words[0].clone()) {
                    (0..3).for_each(|_| _ = appender.offer(&[1; 100]));
                }
                for position in [0, -1, 1, 32, log.producer_position().get(), i64::MAX, i64::MIN] {
                    words[1].store_relaxed(position);
                    let mut reader = crate::logbuffer::ImageReader::new(log.clone(), words[1].clone());
                    reader.poll(|fragment| assert!(fragment.payload().len() < TERM_LENGTH.get() as usize), 10);
                }
            }
        }
    }

    #[test]
    fn a_file_that_is_no_log_is_refused_with_the_reason() {
        let (_dir, path) = file();
        drop(
            LogBuffers::create(&path, &parameters(LogKind::Concurrent), 0o600, Reserve::Space, RawAccess::ENGINE)
                .unwrap(),
        );
        let good = std::fs::read(&path).unwrap();
        let start = good.len() - LOG_METADATA_LENGTH;
        for (offset, value, field) in [
            (268, 24, "default header's length"),
            (272, 0, "MTU"),
            (272, 32, "MTU"),
            (272, 65_536, "MTU"),
            (276, 65_535, "term length"),
            (276, 1 << 20, "length"),
            (280, 0, "page size"),
            (280, 6000, "page size"),
            (496, 3 << 8, "kind"),
        ] {
            let mut bytes = good.clone();
            bytes[start + offset..][..4].copy_from_slice(&i32::to_le_bytes(value));
            std::fs::write(&path, &bytes).unwrap();
            let error = LogBuffers::open(&path, FileAccess::ReadOnly, RawAccess::ENGINE).unwrap_err();
            assert!(matches!(&error, LogOpenError::Malformed { field: found, .. } if *found == field), "{error}");
        }
        std::fs::write(&path, &good[..1000]).unwrap();
        assert!(matches!(LogBuffers::open(&path, FileAccess::ReadOnly, RawAccess::ENGINE), Err(LogOpenError::Map(_))));
        assert_eq!(metadata::tail_offset(-1, TERM_LENGTH), TERM_LENGTH.get());
    }
}
