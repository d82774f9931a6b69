//! Sleeping on a shared word, and the one-sided barriers that make falling asleep safe. This is the only code that
//! blocks a thread on shared memory. Waiting subscribers call it, and the threads that wake them; a conductor's duty
//! cycle never does.
#![allow(unsafe_code, reason = "UNSAFE FENCE: hands the address of a shared word to the kernel")]

use core::sync::atomic::AtomicU32;
use core::time::Duration;
use std::sync::OnceLock;

use rustix::thread::futex::{Flags, Timespec, wait, wake};
use rustix::thread::{MembarrierCommand, membarrier};

use super::OwnedWord;
use crate::sync::{Ordering, compiler_fence, fence};

impl OwnedWord<i32> {
    /// Sleeps while the word is `value`, at most for `longest`. Spurious wake-ups are possible, lost ones are not.
    /// Works between processes that map the same file.
    pub fn sleep_while(&self, value: i32, longest: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: longest.subsec_nanos().into(),
        };
        // Not a private futex, because other processes may wake it. Any outcome, even an error, only means to check
        // again.
        let _ = wait(self.as_futex(), Flags::empty(), value.cast_unsigned(), Some(&timeout));
    }

    /// Wakes all threads that sleep on the word, in all processes.
    pub fn wake_all(&self) {
        const ALL: u32 = i32::MAX.cast_unsigned();
        // It only fails for an address that is not mapped, but a word keeps its memory mapped.
        let _ = wake(self.as_futex(), Flags::empty(), ALL);
    }

    fn as_futex(&self) -> &AtomicU32 {
        // SAFETY: the word is an aligned 32-bit atomic in memory that `self` keeps alive, and the kernel's view of it has the
        // same width and layout.
        unsafe { self.address().cast::<AtomicU32>().as_ref() }
    }
}

/// Registers this process for [`heavy_barrier`], once. Returns false if the operating system does not support that;
/// then callers of [`light_barrier`] must request a full one.
pub(crate) fn allow_light_barriers() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok())
}

/// The cheap half of a pair of barriers. A thread that calls [`heavy_barrier`] sees the accesses before and after it in
/// program order. Costs nothing if light barriers are allowed. `full` must be set if [`allow_light_barriers`] returned
/// false.
#[inline(always)]
pub(crate) fn light_barrier(full: bool) {
    if full {
        fence(Ordering::SeqCst);
    } else {
        compiler_fence(Ordering::SeqCst);
    }
}

/// The expensive half: a full barrier here and in every running thread of every process that allows light barriers.
/// Returns false if only the barrier here was executed.
pub(crate) fn heavy_barrier() -> bool {
    fence(Ordering::SeqCst);
    membarrier(MembarrierCommand::GlobalExpedited).is_ok()
}
