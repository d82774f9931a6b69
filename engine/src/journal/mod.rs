//! The journal: a persisted log of the same frames as the log buffers, in the files of an Aeron archive.
//!
//! | to | use |
//! | --- | --- |
//! | append messages | [`Journal`], and an [`Appender`] for each thread |
//! | read them, also while they are appended | [`Recording`] and its [`Tailer`]s |
//! | go on after a restart where one has stopped | a [`Cursor`], or [`consumer::Consumer`], which also tries again |
//! | keep a stream | [`Recorder`] |
//! | publish a recording again | [`Replayer`] |
//! | read a recording, and then the live stream | [`ReplayMerge`] |
//! | find damage and mend it, make room | [`Recording::verify`], [`repair()`], [`Retention`] and [`prune()`] |
//!
//! ```
//! use gannet::journal::{Journal, JournalOptions, Start};
//!
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! let options = JournalOptions::new().segment_length(1 << 20).term_length(1 << 20);
//! let journal = Journal::open_or_create(dir, &options)?;
//! journal.appender()?.append(b"hello")?;
//!
//! let mut tailer = journal.recording()?.tailer(Start::Begin)?;
//! assert_eq!(tailer.next()?.map(|record| record.payload().to_vec()), Some(b"hello".to_vec()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//!
//! ```text
//!  Appender ─ claim ─ frame ─ commit ──▶ segment files, mapped ──▶ Tailer
//!                │                            ▲        │
//!         control page: tail          made ahead by    └──▶ sidecars: index, checksums
//!                                     the helper thread      written behind by the helper thread
//! ```
//!
//! | Step | File |
//! | --- | --- |
//! | a journal opened for writing, and the state that its handles share | `journal`, `options`, `writer`, `keeper`, `pages` |
//! | append | `appender`, with `append`, `claim`, `tail` and `seat`; stamps by `clock`; `durable` for the sync policy |
//! | read | `recording` with `present`, `tailer` |
//! | begin a recording, and make its segments | `creation` with `unlisted`, `making` |
//! | the files | `catalog` with `descriptor` and `entry_copy`, `segment`, `control` with `page_guard`, `sidecar`; `preamble` and `checksum` for sidecars; `storage` for their place |
//! | processes and threads that share a journal | `locks`, `mark`, `idle` |
//! | what can be wrong | `fault`, `error` |
//! | after a crash | `recovery`; on request, and for damage in the middle, `repair`, with `catalog_repair` |
//! | rebuild sidecars from segments, and verify one against the other | `indexer`, `reindex`, `verify`, `sidecar_check` |
//! | positions of consumers | `cursor`; with retries and more, `consumer` |
//! | segments by time of day | `roll`, `roll_cycle` |
//! | retention | `retention`, `prune` with `pruned`, `age`; `first_entry` for where the rest begins |
//! | record a stream, replay a recording, continue with the live stream | `stream/` |
//!
//! `engine/docs/journal-format.md` describes the format. The content of every file is untrusted and is checked before
//! use.

mod age;
mod append;
mod appender;
mod catalog;
mod catalog_repair;
mod checksum;
mod claim;
mod clock;
pub mod consumer;
mod control;
mod creation;
mod cursor;
mod descriptor;
mod durable;
mod entry_copy;
mod error;
mod fault;
mod first_entry;
mod idle;
mod indexer;
#[allow(clippy::module_inception, reason = "the module is named for what it is about, and this is the thing itself")]
mod journal;
mod keeper;
mod locks;
mod making;
mod mark;
mod options;
mod page_guard;
mod pages;
mod preamble;
mod present;
mod prune;
mod pruned;
mod recording;
mod recovery;
mod reindex;
mod repair;
mod retention;
mod roll;
mod roll_cycle;
mod seat;
mod segment;
mod sidecar;
mod sidecar_check;
pub mod storage;
mod stream;
mod tail;
mod tailer;
mod unlisted;
mod verify;
mod writer;

pub use appender::{Appender, ExclusiveAppender};
pub use catalog::{CATALOG_NAME, CATALOG_VERSION, Catalog, CatalogEntry, Entries, RecordingState};
pub use catalog_repair::RepairedCatalog;
pub use claim::{JournalBatch, JournalClaim};
pub use control::{CONTROL_VERSION, MAX_APPENDERS};
pub use cursor::{CURSORS_VERSION, Cursor, CursorInfo, MAX_CURSOR_NAME, MAX_CURSORS, RewoundCursor};
pub use descriptor::RecordingDescriptor;
pub use entry_copy::ENTRY_COPY_VERSION;
pub use error::{AppendError, CatalogFault, Damage, Fault, JournalError};
pub use journal::Journal;
pub use options::{JournalOptions, Stamps, SyncPolicy};
pub use prune::{Prune, prune};
pub use pruned::{HeldBack, KeepReason, KeptSegment, PruneReason, Pruned, PrunedSegment};
pub use recording::{Recording, SegmentInfo};
pub use recovery::{Cut, LeftBy, RecoveryReport};
pub use reindex::{Reindexed, reindex};
pub use repair::{Quarantined, Repaired, repair};
pub use retention::{PruneTotals, RETENTION_VERSION, Retention};
pub use roll::CycleInfo;
pub use roll_cycle::RollCycle;
pub use segment::{
    SegmentKind, SegmentLayout, SegmentLength, SegmentLengthError, ahead_name, parse_segment_name, segment_name,
};
pub use sidecar::{INDEX_SPACING, SIDECAR_VERSION};
pub use stream::{
    MergeError, MergeState, RecordedStream, Recorder, RecorderOptions, RecorderStatus, ReplayEnd, ReplayError,
    ReplayMerge, ReplayOptions, ReplayState, Replayer, Speed, StopReason, TIMES_VERSION, Times,
};
pub use tailer::{Record, Start, Tailer};
pub use verify::Verified;
