//! The layout of the CnC file: its header and the places of its regions. Only computes; does not access files.

use core::ops::Range;
use core::time::Duration;

use crate::broadcast::BROADCAST_TRAILER_LENGTH;
use crate::counters::{COUNTER_METADATA_LENGTH, COUNTER_VALUE_LENGTH};
use crate::memory::Field;
use crate::ringbuffer::RING_TRAILER_LENGTH;
use crate::time::EpochMillis;
use crate::types::SemanticVersion;

/// The header's length in bytes. The first region follows it.
pub const CNC_HEADER_LENGTH: usize = 128;
/// The version of the layout. Files of another major version are not supported.
pub const CNC_VERSION: SemanticVersion = SemanticVersion::new(0, 2, 0);

pub(super) const VERSION: Field<i32> = Field::at(0);
pub(super) const TO_DRIVER_LENGTH: Field<i32> = Field::at(4);
pub(super) const TO_CLIENTS_LENGTH: Field<i32> = Field::at(8);
pub(super) const COUNTER_METADATA_BYTES: Field<i32> = Field::at(12);
pub(super) const COUNTER_VALUES_BYTES: Field<i32> = Field::at(16);
pub(super) const ERROR_LOG_LENGTH: Field<i32> = Field::at(20);
pub(super) const CLIENT_LIVENESS_TIMEOUT_NS: Field<i64> = Field::at(24);
pub(super) const START_TIMESTAMP: Field<i64> = Field::at(32);
pub(super) const PID: Field<i64> = Field::at(40);
pub(super) const PAGE_SIZE: Field<i32> = Field::at(48);
const _: () = assert!(ERROR_LOG_LENGTH.end() == CLIENT_LIVENESS_TIMEOUT_NS.start() && PID.end() == PAGE_SIZE.start());
const _: () = assert!(PAGE_SIZE.end() == 52 && PAGE_SIZE.end() <= CNC_HEADER_LENGTH);

/// The page size in files of drivers that leave the field at 0.
const DEFAULT_PAGE_SIZE: i32 = 4096;
const GREATEST_PAGE_SIZE: i32 = 1 << 30;
const GREATEST_FILE: usize = i32::MAX as usize;

/// The fields of the header. Lengths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CncParameters {
    /// The length of the command ring, trailer included: a power of two plus 768.
    pub to_driver_length: usize,
    /// The length of the event broadcast buffer, trailer included: a power of two plus 128.
    pub to_clients_length: usize,
    /// The length of the counter values, 128 bytes each. The counter metadata takes 4 times as much.
    pub counter_values_length: usize,
    /// The length of the error log.
    pub error_log_length: usize,
    /// The client liveness timeout: how long the driver waits for a client without a heartbeat. Clients derive their
    /// own timeouts from it.
    pub client_liveness_timeout: Duration,
    /// When the driver started.
    pub start_timestamp: EpochMillis,
    /// The driver's process id.
    pub pid: i64,
    /// The page size of the file system: a power of two. The file's length is rounded up to a multiple of it.
    pub page_size: usize,
}

/// The places of the regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CncLayout {
    /// The command ring.
    pub to_driver: Range<usize>,
    /// The event broadcast buffer.
    pub to_clients: Range<usize>,
    /// The counter metadata.
    pub counter_metadata: Range<usize>,
    /// The counter values.
    pub counter_values: Range<usize>,
    /// The error log.
    pub error_log: Range<usize>,
    /// The length of the whole file, a multiple of the page size.
    pub file_length: usize,
}

/// A number that is invalid in a CnC file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} cannot be {found}: {rule}")]
pub struct CncLayoutError {
    /// The name of the number.
    pub field: &'static str,
    /// Its value.
    pub found: i64,
    /// The rule that it violates.
    pub rule: &'static str,
}

/// The numbers in the header, as loaded from a file. Untrusted.
#[derive(Clone, Copy)]
pub(super) struct RawHeader {
    pub(super) to_driver: i32,
    pub(super) to_clients: i32,
    pub(super) counter_metadata: i32,
    pub(super) counter_values: i32,
    pub(super) error_log: i32,
    pub(super) page_size: i32,
}

impl CncLayout {
    /// The layout of a new file.
    ///
    /// # Errors
    ///
    /// [`CncLayoutError`] if a length is invalid, or if the whole file would be longer than 2^31 - 1 bytes.
    pub fn new(parameters: &CncParameters) -> Result<Self, CncLayoutError> {
        let field = |field, bytes: usize| {
            i32::try_from(bytes).map_err(|_| CncLayoutError {
                field,
                found: i64::try_from(bytes).unwrap_or(i64::MAX),
                rule: "it must be below 2 GiB",
            })
        };
        Self::checked(&RawHeader {
            to_driver: field("the length of the to-driver buffer", parameters.to_driver_length)?,
            to_clients: field("the length of the to-clients buffer", parameters.to_clients_length)?,
            counter_metadata: field("the length of the counters", parameters.counter_values_length.saturating_mul(4))?,
            counter_values: field("the length of the counters", parameters.counter_values_length)?,
            error_log: field("the length of the error log", parameters.error_log_length)?,
            page_size: field("the page size", parameters.page_size)?,
        })
    }

    /// The layout that a header describes.
    pub(super) fn checked(header: &RawHeader) -> Result<Self, CncLayoutError> {
        let error = |field, found: i32, rule| CncLayoutError { field, found: found.into(), rule };
        let ring_like = |field, found: i32, trailer: usize| {
            usize::try_from(found)
                .ok()
                .filter(|length| {
                    length.checked_sub(trailer).is_some_and(|capacity| capacity >= 64 && capacity.is_power_of_two())
                })
                .ok_or_else(|| error(field, found, "less its trailer it must be a power of two, at least 64"))
        };
        let to_driver = ring_like("the length of the to-driver buffer", header.to_driver, RING_TRAILER_LENGTH)?;
        let to_clients = ring_like("the length of the to-clients buffer", header.to_clients, BROADCAST_TRAILER_LENGTH)?;
        let values = usize::try_from(header.counter_values)
            .ok()
            .filter(|length| *length >= COUNTER_VALUE_LENGTH && length.is_multiple_of(8))
            .ok_or_else(|| {
                error("the length of the counter values", header.counter_values, "it must hold at least one counter")
            })?;
        let metadata = usize::try_from(header.counter_metadata)
            .ok()
            .filter(|length| length.is_multiple_of(8))
            .filter(|length| length / COUNTER_METADATA_LENGTH >= values / COUNTER_VALUE_LENGTH)
            .ok_or_else(|| {
                let rule = "it must be 4 times the length of the counter values";
                error("the length of the counter metadata", header.counter_metadata, rule)
            })?;
        let error_log = usize::try_from(header.error_log)
            .map_err(|_| error("the length of the error log", header.error_log, "it must not be negative"))?;
        let page_size = match header.page_size {
            0 => DEFAULT_PAGE_SIZE,
            size => size,
        };
        if !(DEFAULT_PAGE_SIZE..=GREATEST_PAGE_SIZE).contains(&page_size) || page_size.count_ones() != 1 {
            return Err(error("the page size", page_size, "it must be a power of two from 4 KiB to 1 GiB"));
        }

        let mut end = CNC_HEADER_LENGTH;
        let mut region = |length: usize| {
            let start = end;
            end += length;
            start..end
        };
        let (to_driver, to_clients) = (region(to_driver), region(to_clients));
        let (counter_metadata, counter_values) = (region(metadata), region(values));
        let error_log = region(error_log);
        let file_length = error_log.end.next_multiple_of(page_size as usize);
        if file_length > GREATEST_FILE {
            let found = i64::try_from(file_length).unwrap_or(i64::MAX);
            return Err(CncLayoutError { field: "the length of the file", found, rule: "it must be below 2 GiB" });
        }
        Ok(Self { to_driver, to_clients, counter_metadata, counter_values, error_log, file_length })
    }
}
