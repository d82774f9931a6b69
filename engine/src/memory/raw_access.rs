//! The promise to follow the protocols of shared memory. Callers outside this crate need it to get a view of bytes, a
//! log, or the writing end of anything shared. It costs nothing at run time.
#![allow(
    unsafe_code,
    reason = "UNSAFE FENCE: the promise that everything without a client, a journal or a reader between rests on"
)]

/// Proof of a promise to follow the protocols of shared memory.
///
/// Messages are copied with plain accesses and lent as slices. The types of views and logs do not prevent two threads
/// of a process from accessing the same bytes at the same time. The protocol does: claims, limits, positions, and a
/// single consumer. The client, the journal and the readers of reports and counters follow it, and are safe to use in
/// any way. Code that is built from the parts below them, such as a driver, makes the promise here, once.
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
/// It cannot be obtained without `unsafe`:
///
/// ```compile_fail,E0133
/// let raw = gannet::memory::RawAccess::promised();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RawAccess(());

impl RawAccess {
    /// For this crate, whose parts follow their protocols or pass the requirements on to their callers.
    #[cfg(not(engine_loom))]
    pub(crate) const ENGINE: Self = Self(());

    /// Makes the promise.
    ///
    /// # Safety
    ///
    /// For everything in this process that is created with this value or a copy of it, by any code:
    ///
    /// - Two threads must not access the same bytes of a view at the same time if one of them writes, unless both
    ///   access them as words of the same width.
    /// - A ring has one consumer. A broadcast buffer, a set of counters and a report have one writer each.
    /// - A log has either one exclusive appender or any number of concurrent ones. The limit must keep appenders away
    ///   from the bytes that a reader, a sender or a scan may still access: their distance to the limit must be at most
    ///   the cleaned length. Code that cleans, unblocks, rebuilds or fills a log must do so only where nothing else
    ///   reads or writes bytes.
    ///
    /// Other processes, and other mappings of the same file, need not be considered.
    pub const unsafe fn promised() -> Self {
        Self(())
    }
}
