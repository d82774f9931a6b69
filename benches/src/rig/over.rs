//! Tells the other thread that a round has ended, be it with a result, an error or a panic. Used by the loops with two
//! threads, each of which runs until it is told to stop.

use std::sync::atomic::{AtomicBool, Ordering};

/// Marks the round as over when it is dropped.
pub(super) struct Over<'a>(pub(super) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A system that accepts every message, and panics when it is polled.
#[cfg(test)]
pub(super) struct Broken;

#[cfg(test)]
impl super::transceiver::Transceiver for Broken {
    fn try_send(&mut self, _message: &[u8]) -> bool {
        true
    }

    fn poll(&mut self, _limit: usize, _on_message: impl FnMut(&[u8])) -> usize {
        panic!("broken on purpose");
    }
}
