//! Frees memory mappings. The kernel takes milliseconds to free the pages of a large log, and the thread that runs the
//! conductor may belong to the application. So large mappings are freed on a thread of their own, which then ends. If
//! the system grants no thread, they are freed at once.

use std::sync::mpsc::{SendError, channel};
use std::thread;

use crate::logbuffer::LogBuffers;
use crate::memory::AtomicBuffer;

/// The length in bytes up to which the kernel unmaps quickly.
const SMALL: usize = 8 << 20;

/// A mapping that is not used any more.
pub(super) enum Unused {
    /// A log. Unmapped with its last handle.
    Log(LogBuffers),
    /// A log of a past epoch. Its memory is freed, but its addresses stay valid.
    PastLog(LogBuffers),
    /// A part of a past CnC file. Treated like a past log.
    PastCnc(AtomicBuffer),
}

/// The work of a thread.
pub(super) type Work = Box<dyn FnOnce() + Send>;

impl Unused {
    /// The length in bytes, as far as it matters here.
    fn len(&self) -> usize {
        match self {
            Self::Log(log) | Self::PastLog(log) => 3 * log.term_length().get() as usize,
            Self::PastCnc(part) => part.len(),
        }
    }

    fn let_go(self) {
        match self {
            Self::Log(log) => drop(log),
            Self::PastLog(log) => log.vacate(),
            Self::PastCnc(part) => part.vacate(),
        }
    }
}

/// Frees these mappings: at once, or on a thread that `start` starts if they are large.
pub(super) fn let_go(unused: Vec<Unused>, start: impl FnOnce(Work) -> bool) {
    let at_once = |unused: Vec<Unused>| unused.into_iter().for_each(Unused::let_go);
    if unused.iter().map(Unused::len).sum::<usize>() <= SMALL {
        return at_once(unused);
    }
    // Passed to the thread once it exists.
    let (give, take) = channel();
    let has_started = start(Box::new(move || take.into_iter().for_each(at_once)));
    if !has_started {
        at_once(unused);
    } else if let Err(SendError(unused)) = give.send(unused) {
        at_once(unused);
    }
}

/// Runs `work` on a new thread. Returns false if the thread cannot be started.
pub(super) fn on_a_thread(work: Work) -> bool {
    thread::Builder::new().name("gannet-unmap".to_owned()).spawn(work).is_ok()
}
