//! The end of a round, told to the other thread however it comes: by a result, an error or a panic. Used by the loops with two
//! threads, each of which goes on until it is told.

use std::sync::atomic::{AtomicBool, Ordering};

/// Says that the round is over when it is dropped.
pub(super) struct Over<'a>(pub(super) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A system that takes whatever it is given, and panics when it is to hand something over.
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
