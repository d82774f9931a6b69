//! The promise to keep to the protocols of shared memory. Callers outside this crate need it to get a view of bytes, a
//! log, or the writing end of anything shared. It costs nothing at run time.
#![allow(
    unsafe_code,
    reason = "UNSAFE FENCE: the promise that everything without a client, a journal or a reader between rests on"
)]

/// Proof that somebody has promised to keep to the protocols of shared memory.
///
/// Messages are copied plainly and lent as slices. What keeps two threads of a process from doing so to the same bytes at once is
/// not the type of a view or a log but where its users stand: claims, limits, positions, who consumes. The client, the journal
/// and the readers of reports and counters see to that themselves, and are safe to use in any way. Whoever builds from the parts
/// beneath them, as a driver does, promises it here, once.
///
/// ```
/// use gannet::memory::{AtomicBuffer, RawAccess};
///
/// // SAFETY: one thread alone uses what is made with it.
/// let raw = unsafe { RawAccess::promised() };
/// let buffer = AtomicBuffer::zeroed(64, raw);
/// buffer.put_bytes(3, b"plain");
/// ```
///
/// Nobody comes by it unawares:
///
/// ```compile_fail,E0133
/// let raw = gannet::memory::RawAccess::promised();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RawAccess(());

impl RawAccess {
    /// For the parts of this crate, each of which keeps to its own protocol or hands on what it asks of its callers.
    #[cfg(not(engine_loom))]
    pub(crate) const ENGINE: Self = Self(());

    /// Makes the promise.
    ///
    /// # Safety
    ///
    /// Of all that is made with the value or a copy of it, by whomever, in this process:
    ///
    /// - No two threads reach the same bytes of a view at once when one of them writes, unless both do so as words, and as words of
    ///   the same width.
    /// - A ring has one consumer; a broadcast, a set of counters and a report have one writer each.
    /// - A log has either one exclusive appender or any number of concurrent ones. Their limit lets nobody append where a reader,
    ///   a sender or a scan may still be: none of them is further behind it than the log is clean. What cleans, unblocks, rebuilds
    ///   or fills a log does so where nobody else reads or writes bytes.
    ///
    /// Other processes, and other mappings of the same file, need not be thought of.
    pub const unsafe fn promised() -> Self {
        Self(())
    }
}
