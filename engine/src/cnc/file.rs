//! Creating and opening the CnC file. The driver creates it once per start. Clients and tools try to open it until it
//! exists. This file never waits: a state that may pass is an error that says so, and the caller decides how long to
//! retry.

use core::ops::Range;
use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};

use super::driver_state::DriverState;
use super::layout::{
    CLIENT_LIVENESS_TIMEOUT_NS, CNC_HEADER_LENGTH, CNC_VERSION, COUNTER_METADATA_BYTES, COUNTER_VALUES_BYTES,
    CncLayout, CncLayoutError, CncParameters, ERROR_LOG_LENGTH, PAGE_SIZE, PID, RawHeader, START_TIMESTAMP,
    TO_CLIENTS_LENGTH, TO_DRIVER_LENGTH, VERSION,
};
use crate::broadcast::Receiver;
use crate::counters::CountersReader;
use crate::memory::{AtomicBuffer, Field, FileAccess, MapError, MappedFile, RawAccess, Reserve};
use crate::reports::ErrorLogReader;
use crate::ringbuffer::ManyToOneRingBuffer;
use crate::time::EpochMillis;
use crate::types::SemanticVersion;

/// The file's name within the driver's directory.
pub const CNC_FILE_NAME: &str = "cnc.dat";

/// A mapped CnC file whose layout has been checked.
#[derive(Clone, Debug)]
pub struct CncFile {
    path: PathBuf,
    file: AtomicBuffer,
    layout: CncLayout,
    client_liveness_timeout: Duration,
    start_timestamp: EpochMillis,
    pid: i64,
}

/// Why a driver could not create its CnC file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CncCreateError {
    /// The configured lengths are invalid.
    #[error("cannot lay out {}: {source}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// The invalid length, and the reason.
        source: CncLayoutError,
    },
    /// The file could not be created or mapped.
    #[error(transparent)]
    Map(#[from] MapError),
}

/// Why a CnC file could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CncOpenError {
    /// There is no file.
    #[error("there is no {}", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// The file is shorter than its header says, or has no header yet: its driver is creating it.
    #[error("{} is incomplete: it is {found} bytes long and {expected} are needed; is its driver still starting?", path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
        /// The file's length in bytes.
        found: u64,
        /// The required length in bytes.
        expected: u64,
    },
    /// The driver has not finished the setup of the file.
    #[error("{} has no version yet: its driver is still starting, or died while it did", path.display())]
    NotReady {
        /// The file.
        path: PathBuf,
    },
    /// The file's driver uses another version of the layout.
    #[error("{} is of version {found}, and this software understands {CNC_VERSION}: use the version that its driver has", path.display())]
    Incompatible {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: SemanticVersion,
    },
    /// The file has invalid content.
    #[error("{} is damaged: {source}; remove it if its driver no longer runs", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The invalid number, and the reason.
        source: CncLayoutError,
    },
    /// The operating system reported an error.
    #[error(transparent)]
    Map(#[from] MapError),
}

impl CncOpenError {
    /// Whether a later attempt may succeed, because a driver may be starting.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Absent { .. } | Self::TooShort { .. } | Self::NotReady { .. })
    }
}

impl CncFile {
    /// Creates the file in `directory`, where it must not exist, with permission bits `mode`, whatever the umask. Sets up
    /// everything except the version: clients wait until [`Self::make_ready`].
    ///
    /// # Errors
    ///
    /// [`CncCreateError`]. The file is removed again.
    pub fn create(
        directory: &Path,
        parameters: &CncParameters,
        mode: u32,
        reserve: Reserve,
    ) -> Result<Self, CncCreateError> {
        let path = directory.join(CNC_FILE_NAME);
        let layout =
            CncLayout::new(parameters).map_err(|source| CncCreateError::Layout { path: path.clone(), source })?;
        let map = MappedFile::create(&path, layout.file_length as u64, mode, reserve)?;
        let file = map.into_view(RawAccess::ENGINE);
        let &CncParameters { client_liveness_timeout, start_timestamp, pid, page_size, .. } = parameters;
        let length = |field: Field<i32>, range: &Range<usize>| file.word(field).store_relaxed(range.len() as i32);
        length(TO_DRIVER_LENGTH, &layout.to_driver);
        length(TO_CLIENTS_LENGTH, &layout.to_clients);
        length(COUNTER_METADATA_BYTES, &layout.counter_metadata);
        length(COUNTER_VALUES_BYTES, &layout.counter_values);
        length(ERROR_LOG_LENGTH, &layout.error_log);
        let timeout_ns = i64::try_from(client_liveness_timeout.as_nanos()).unwrap_or(i64::MAX);
        file.word(CLIENT_LIVENESS_TIMEOUT_NS).store_relaxed(timeout_ns);
        file.word(START_TIMESTAMP).store_relaxed(start_timestamp.get());
        file.word(PID).store_relaxed(pid);
        file.word(PAGE_SIZE).store_relaxed(page_size as i32);
        Ok(Self { path, file, layout, client_liveness_timeout, start_timestamp, pid })
    }

    /// Allows clients to use the file. The driver calls this last, after it has set up the counters and stored its
    /// heartbeat.
    pub fn make_ready(&self) {
        // ORDERING(cnc.ready): Release. Pairs with the Acquire load in `open`; publishes the whole file.
        self.file.word(VERSION).store_release(CNC_VERSION.bits());
    }

    /// Opens the file in `directory`.
    ///
    /// # Errors
    ///
    /// [`CncOpenError`]. [`CncOpenError::may_pass`] tells whether to try again.
    pub fn open(directory: &Path, access: FileAccess) -> Result<Self, CncOpenError> {
        let path = directory.join(CNC_FILE_NAME);
        let map = match MappedFile::open(&path, CNC_HEADER_LENGTH as u64 + 1, access) {
            Ok(map) => map,
            Err(MapError::TooShort { path, found, expected }) => {
                return Err(CncOpenError::TooShort { path, found, expected });
            }
            Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => {
                return Err(CncOpenError::Absent { path });
            }
            Err(error) => return Err(error.into()),
        };
        let file = map.into_view(RawAccess::ENGINE);
        // ORDERING(cnc.ready): Acquire. Pairs with the Release store in `make_ready`; nothing else is loaded before it.
        let version = SemanticVersion::from_bits(file.word(VERSION).load_acquire());
        if version.bits() == 0 {
            return Err(CncOpenError::NotReady { path });
        }
        if version.major() != CNC_VERSION.major() {
            return Err(CncOpenError::Incompatible { path, found: version });
        }
        Self::over(path, file)
    }

    fn over(path: PathBuf, file: AtomicBuffer) -> Result<Self, CncOpenError> {
        let header = RawHeader {
            to_driver: file.word(TO_DRIVER_LENGTH).load_relaxed(),
            to_clients: file.word(TO_CLIENTS_LENGTH).load_relaxed(),
            counter_metadata: file.word(COUNTER_METADATA_BYTES).load_relaxed(),
            counter_values: file.word(COUNTER_VALUES_BYTES).load_relaxed(),
            error_log: file.word(ERROR_LOG_LENGTH).load_relaxed(),
            page_size: file.word(PAGE_SIZE).load_relaxed(),
        };
        let timeout_ns = file.word(CLIENT_LIVENESS_TIMEOUT_NS).load_relaxed();
        let layout = match CncLayout::checked(&header) {
            Ok(layout) => layout,
            Err(source) => return Err(CncOpenError::Damaged { path, source }),
        };
        // Other drivers do not always round the file's length up to whole pages.
        if layout.error_log.end > file.len() {
            let (found, expected) = (file.len() as u64, layout.error_log.end as u64);
            return Err(CncOpenError::TooShort { path, found, expected });
        }
        let Some(timeout_ns) = u64::try_from(timeout_ns).ok().filter(|&timeout| timeout > 0) else {
            let source = CncLayoutError {
                field: "the client liveness timeout in nanoseconds",
                found: timeout_ns,
                rule: "it must be positive",
            };
            return Err(CncOpenError::Damaged { path, source });
        };
        let start_timestamp = EpochMillis::new(file.word(START_TIMESTAMP).load_relaxed());
        let pid = file.word(PID).load_relaxed();
        Ok(Self { path, client_liveness_timeout: Duration::from_nanos(timeout_ns), start_timestamp, pid, file, layout })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes.
    pub fn length(&self) -> usize {
        self.file.len()
    }

    /// The client liveness timeout: how long the driver waits for a client without a heartbeat.
    pub fn client_liveness_timeout(&self) -> Duration {
        self.client_liveness_timeout
    }

    /// When the driver started.
    pub fn start_timestamp(&self) -> EpochMillis {
        self.start_timestamp
    }

    /// The driver's process id. Does not show whether the driver is alive; see [`Self::driver_state`].
    pub fn pid(&self) -> i64 {
        self.pid
    }

    /// The current version of the file. 0.0.0 until it is ready.
    pub fn version(&self) -> SemanticVersion {
        SemanticVersion::from_bits(self.file.word(VERSION).load_acquire())
    }

    /// Whether the file's driver is alive, as far as one look can tell.
    pub fn driver_state(&self, now: EpochMillis, driver_timeout: Duration) -> DriverState {
        DriverState::judge(self.heartbeat(), now, driver_timeout)
    }

    /// The driver's last heartbeat.
    pub fn heartbeat(&self) -> EpochMillis {
        self.commands().consumer_heartbeat()
    }

    /// The command ring, for clients.
    pub fn commands(&self) -> ManyToOneRingBuffer {
        ManyToOneRingBuffer::new(&self.to_driver(RawAccess::ENGINE))
            .expect("its length was checked when the file was opened")
    }

    /// A new receiver for the driver's events.
    pub fn events(&self) -> Receiver {
        Receiver::new(&self.to_clients(RawAccess::ENGINE)).expect("its length was checked when the file was opened")
    }

    /// A reader of the counters.
    pub fn counters(&self) -> CountersReader {
        CountersReader::new(self.counter_metadata(RawAccess::ENGINE), self.counter_values(RawAccess::ENGINE))
            .expect("their lengths were checked when the file was opened")
    }

    /// A reader of the error log.
    pub fn errors(&self) -> ErrorLogReader {
        ErrorLogReader::new(self.error_log(RawAccess::ENGINE))
    }

    /// The header, 128 bytes.
    pub fn header(&self, _: RawAccess) -> AtomicBuffer {
        self.file.slice(0, CNC_HEADER_LENGTH)
    }

    /// The region of the command ring.
    pub fn to_driver(&self, _: RawAccess) -> AtomicBuffer {
        self.region(&self.layout.to_driver)
    }

    /// The region of the event broadcast buffer.
    pub fn to_clients(&self, _: RawAccess) -> AtomicBuffer {
        self.region(&self.layout.to_clients)
    }

    /// The region of the counters' metadata.
    pub fn counter_metadata(&self, _: RawAccess) -> AtomicBuffer {
        self.region(&self.layout.counter_metadata)
    }

    /// The region of the counters' values.
    pub fn counter_values(&self, _: RawAccess) -> AtomicBuffer {
        self.region(&self.layout.counter_values)
    }

    /// The region of the error log.
    pub fn error_log(&self, _: RawAccess) -> AtomicBuffer {
        self.region(&self.layout.error_log)
    }

    fn region(&self, range: &Range<usize>) -> AtomicBuffer {
        self.file.slice(range.start, range.len())
    }
}
