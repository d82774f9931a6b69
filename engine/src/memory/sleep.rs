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
    /// Sleeps while the word is `value`, for `longest` at most; wakes too often rather than too rarely. Works between
    /// processes that map the same file.
    pub fn sleep_while(&self, value: i32, longest: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: longest.subsec_nanos().into(),
        };
        // Not private: others may wake it. Every outcome, an error included, only means to look again.
        let _ = wait(self.as_futex(), Flags::empty(), value.cast_unsigned(), Some(&timeout));
    }

    /// Wakes everybody who sleeps on the word, in every process.
    pub fn wake_all(&self) {
        const ALL: u32 = i32::MAX.cast_unsigned();
        // It fails only for an address that is not mapped, and a word keeps its memory.
        let _ = wake(self.as_futex(), Flags::empty(), ALL);
    }

    fn as_futex(&self) -> &AtomicU32 {
        // SAFETY: the word is an aligned 32-bit atomic in memory that `self` keeps alive, and the kernel's view of it has the
        // same width and layout.
        unsafe { self.address().cast::<AtomicU32>().as_ref() }
    }
}

/// Lets [`heavy_barrier`] reach this process's threads, once. False where the system does not offer that: then whoever
/// calls [`light_barrier`] must ask for a full one.
pub(crate) fn allow_light_barriers() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok())
}

/// The cheap half of a pair of barriers: what comes before it in the program and what comes after are not seen in the other
/// order by a thread that calls [`heavy_barrier`] in between. Costs nothing where light barriers are allowed; `full` is what
/// [`allow_light_barriers`] denied.
#[inline(always)]
pub(crate) fn light_barrier(full: bool) {
    if full {
        fence(Ordering::SeqCst);
    } else {
        compiler_fence(Ordering::SeqCst);
    }
}

/// The dear half: a full barrier here, and one in every running thread of every process that allows light barriers. False
/// if only the first could be had.
pub(crate) fn heavy_barrier() -> bool {
    fence(Ordering::SeqCst);
    membarrier(MembarrierCommand::GlobalExpedited).is_ok()
}
