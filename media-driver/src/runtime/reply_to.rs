//! Where replies to the conductor go: of the helper, of the threads that it starts, and of the transports.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use super::queue::{Inlet, Outlet, bounded};
use crate::mailbox::{IN_FLIGHT_LIMIT, Reply};

/// The receiver of replies from any thread, and the thread to wake. Shared, because the other end detects when all
/// copies are dropped.
#[derive(Debug)]
pub(super) struct ReplyTo {
    done: Inlet<SyncSender<Reply>>,
    conductor: Arc<OnceLock<Thread>>,
}

impl ReplyTo {
    /// The two ends of a driver's reply queue.
    pub(super) fn new() -> (Self, Outlet<Reply>) {
        // The number of pending requests is limited to this, so the queue is never full.
        let (done, replies) = bounded(IN_FLIGHT_LIMIT);
        (Self { done, conductor: Arc::default() }, replies)
    }

    /// The thread to wake, once it is set.
    pub(super) fn conductor(&self) -> Arc<OnceLock<Thread>> {
        Arc::clone(&self.conductor)
    }

    /// Sends a reply.
    pub(super) fn give(&self, reply: Reply) {
        // If nobody waits for the reply any more, it is dropped with its content. The files are removed with their
        // directory.
        let _ = self.done.try_give(reply);
        if let Some(conductor) = self.conductor.get() {
            conductor.unpark();
        }
    }
}
