//! Log buffers: the memory through which every message of a stream passes.
//!
//! ```text
//! 0                 T                2T               3T                      L-4096        L
//! | term partition 0 | term partition 1 | term partition 2 | zero fill to page | metadata 4096 |
//! ```
//!
//! A stream is a sequence of terms of `T` bytes, kept in three partitions in turn. Publishers claim a range of the
//! current term from its tail, write a frame into it, and commit the frame by storing its length. Subscribers read
//! committed frames and publish their positions. The driver cleans what all subscribers have consumed, and only then
//! lets publishers reuse it.
//!
//! | Step | File |
//! | --- | --- |
//! | the file, its metadata and their checks | `log_buffers`, `layout`, `metadata`, `parameters` |
//! | claim and write, many publishers or one | `append`, `exclusive`, with `appender_parts`, `claim`, `batch`, `frame`, `message`, `rotate` |
//! | read | `read`, with `scan`, `fragment`, `assemble` |
//! | the driver's part | `clean`, `unblock` |
//! | to the network and from it | `sendable`, `rebuild`, `gap_scan`, `gap_fill` |
//! | waking a subscriber that sleeps over an empty log | `doorbell` |
//!
//! Publications and images are built from the appenders and readers here. Code that builds one from a log must keep to
//! the protocol: positions and limits are the driver's counters for this log, and each has one writer.

mod append;
mod appender_parts;
mod assemble;
mod batch;
mod claim;
mod clean;
mod doorbell;
mod error;
mod exclusive;
mod fragment;
pub(crate) mod frame;
mod gap_fill;
mod gap_scan;
mod layout;
mod log_buffers;
pub(crate) mod message;
mod metadata;
mod parameters;
mod read;
mod rebuild;
mod rotate;
mod scan;
mod sendable;
#[cfg(all(test, not(engine_loom)))]
mod testing;
mod unblock;

pub use append::ConcurrentAppender;
pub use assemble::{ControlledFragmentAssembler, FragmentAssembler};
pub use batch::BatchClaim;
#[cfg(all(feature = "journal", not(engine_loom)))]
pub(crate) use batch::framed_length;
pub use claim::{Claim, ClaimLost};
pub use clean::clean_to;
pub use doorbell::{Bell, Doorbell, Drowsy};
pub use error::{AppenderError, OfferError};
pub use exclusive::ExclusiveAppender;
pub use fragment::Fragment;
pub use frame::{FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, flags, frame_type};
pub use gap_fill::gap_fill;
pub use gap_scan::{GapScan, gap_scan};
pub use layout::{LOG_METADATA_LENGTH, LogLayout, PARTITION_COUNT};
pub use log_buffers::LogBuffers;
#[cfg(not(engine_loom))]
pub use log_buffers::LogOpenError;
pub use metadata::LogMetadata;
pub use parameters::{LogKind, LogParameters, MAX_MTU};
pub use read::{Block, ControlledAction, ImageReader, MalformedFrame};
pub use rebuild::rebuild;
#[cfg(all(feature = "client", not(engine_loom)))]
pub(crate) use scan::Tenure;
pub use sendable::{NextFrame, Sendable, committed, sendable};
pub use unblock::{unblock, unblock_abandoned};
