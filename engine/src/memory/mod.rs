//! Shared memory, and the only unsafe code beneath the log buffers, rings and counters.
//!
//! ```text
//! Region         owns bytes: a mapped file, or memory of this process; shared by reference count
//!   └ AtomicBuffer   a view of a range of a region; every access is checked against the view
//!       └ Word           one 32- or 64-bit word of a view, checked once, then read and written without further checks
//! ```
//!
//! Other processes write to the same bytes at any time. So no reference to them is formed outside this fence, except to
//! a payload that its protocol has handed over: a committed fragment while it is polled, and a claim until it is
//! committed. Words are atomics whose width never changes ("one word, one width"). Bulk bytes are copied, ordered by
//! the words around them.
//!
//! Bulk bytes belong either to the reader or to the writer at any time. The protocol ensures that, not the types. So no
//! code outside this crate gets a view or a log without [`RawAccess`], the promise to keep to the protocol.
//!
//! In model builds, the same types use loom's cells (`model.rs`), so the algorithms above run unchanged.

mod cache_line;
#[cfg(all(feature = "journal", not(engine_loom)))]
mod fault_guard;
mod field;
#[cfg(not(engine_loom))]
mod mapped_file;
#[cfg(engine_loom)]
mod model;
#[cfg(not(engine_loom))]
mod raw_access;
#[cfg(not(engine_loom))]
mod region;
#[cfg(not(engine_loom))]
mod sleep;
mod term;
#[cfg(not(engine_loom))]
mod view;

#[cfg(engine_loom)]
use model as backing;
#[cfg(not(engine_loom))]
use view as backing;

pub(crate) use backing::Lent;
pub use backing::{AtomicBuffer, OwnedWord, SharedWord, Word};
pub use cache_line::{CACHE_LINE_LENGTH, align_up};
#[cfg(all(feature = "journal", not(engine_loom)))]
pub(crate) use fault_guard::faults;
pub use field::Field;
#[cfg(all(feature = "journal", not(engine_loom)))]
pub(crate) use mapped_file::extend_file;
#[cfg(not(engine_loom))]
pub use mapped_file::{FileAccess, MapError, MappedFile, Reserve};
#[cfg(all(feature = "journal", engine_loom))]
pub(crate) use model::faults;
#[cfg(not(engine_loom))]
pub use raw_access::RawAccess;
#[cfg(not(engine_loom))]
pub(crate) use region::Region;
#[cfg(not(engine_loom))]
pub(crate) use sleep::{allow_light_barriers, heavy_barrier, light_barrier};
pub(crate) use term::{CommittedFrame, FrameCursor, FrameSpace, Partition, TermRest, Terms};
#[cfg(feature = "journal")]
pub(crate) use term::{FittedSpace, Frames};
#[cfg(not(engine_loom))]
pub use view::CacheLines;
