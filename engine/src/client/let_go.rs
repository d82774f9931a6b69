//! Frees memory mappings. The kernel takes milliseconds to free the pages of a large log, and the thread that runs the
//! conductor may belong to the application. So large mappings are freed on a thread of their own, which then ends. If
//! the system grants no thread, they are freed at once.

use std::sync::mpsc::{SendError, channel};
use std::thread;

use crate::logbuffer::LogBuffers;
use crate::memory::AtomicBuffer;

/// What the kernel is quick with, in bytes.
const SMALL: usize = 8 << 20;

/// Something that is not used any more.
pub(super) enum Unused {
    /// A log, unmapped with the last handle to it.
    Log(LogBuffers),
    /// A log of an epoch that is over: what it holds is free, while its addresses stay good.
    PastLog(LogBuffers),
    /// A part of a CnC file, for which the same holds.
    PastCnc(AtomicBuffer),
}

/// What a thread is to do.
pub(super) type Work = Box<dyn FnOnce() + Send>;

impl Unused {
    /// How long it is, in bytes, as far as that matters.
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

/// Lets go of these: at once, or, where they are large, with a thread if `start` gets one.
pub(super) fn let_go(unused: Vec<Unused>, start: impl FnOnce(Work) -> bool) {
    let at_once = |unused: Vec<Unused>| unused.into_iter().for_each(Unused::let_go);
    if unused.iter().map(Unused::len).sum::<usize>() <= SMALL {
        return at_once(unused);
    }
    // Handed over when there is somebody to take it.
    let (give, take) = channel();
    let has_started = start(Box::new(move || take.into_iter().for_each(at_once)));
    if !has_started {
        at_once(unused);
    } else if let Err(SendError(unused)) = give.send(unused) {
        at_once(unused);
    }
}

/// Has work done by a thread of its own. False when the system grants none.
pub(super) fn on_a_thread(work: Work) -> bool {
    thread::Builder::new().name("gannet-unmap".to_owned()).spawn(work).is_ok()
}
