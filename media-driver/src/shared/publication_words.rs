//! Words that the conductor and the sender share about one network publication, in the driver's own memory, where no
//! client can store. Each word has one writer, and a cache line of its own.

use gannet::memory::{CacheLines, OwnedWord};

/// Any receiver was heard of lately.
const ALIVE: i64 = 1;
/// There are as many receivers as flow control requires.
const ENOUGH: i64 = 2;
/// The only receiver of a unicast channel has left.
const LEFT: i64 = 4;
/// There is no spy.
const NO_SPY: i64 = -1;

/// The words of a network publication. Clones share the words.
#[derive(Clone, Debug)]
pub struct PublicationWords {
    sender_position: OwnedWord<i64>,
    receivers: OwnedWord<i64>,
    spy_position: OwnedWord<i64>,
}

/// The sender's knowledge of a publication's receivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receivers {
    /// Whether any receiver was heard of lately.
    pub alive: bool,
    /// Whether there are as many receivers as flow control requires.
    pub enough: bool,
    /// Whether the only receiver of a unicast channel has left.
    pub left: bool,
}

impl PublicationWords {
    /// The words of a publication that starts at this position.
    pub fn new(start: i64) -> Self {
        let lines = CacheLines::new(2);
        let this =
            Self { sender_position: lines.word(0, 0), receivers: lines.word(0, 1), spy_position: lines.word(1, 0) };
        this.sender_position.store_release(start);
        this.spy_position.store_release(NO_SPY);
        this
    }

    /// Sets the sender position, below which everything was sent. For the sender.
    pub fn set_sender_position(&self, position: i64) {
        // ORDERING(pos.sender): Release. Pairs with the Acquire load in `sender_position`; bytes below are done with.
        self.sender_position.store_release(position);
    }

    /// The sender position. For the conductor.
    pub fn sender_position(&self) -> i64 {
        // ORDERING(pos.sender): Acquire. Pairs with the Release store in `set_sender_position`.
        self.sender_position.load_acquire()
    }

    /// Sets the state of the receivers. For the sender.
    pub fn set_receivers(&self, receivers: Receivers) {
        let bit = |condition: bool, bit| if condition { bit } else { 0 };
        let word = bit(receivers.alive, ALIVE) | bit(receivers.enough, ENOUGH) | bit(receivers.left, LEFT);
        if word != self.receivers.load_relaxed() {
            self.receivers.store_release(word);
        }
    }

    /// The state of the receivers. For the conductor.
    pub fn receivers(&self) -> Receivers {
        let word = self.receivers.load_acquire();
        Receivers { alive: word & ALIVE != 0, enough: word & ENOUGH != 0, left: word & LEFT != 0 }
    }

    /// Sets the highest position of the spies, if there are any. For the conductor.
    pub fn set_spy_position(&self, position: Option<i64>) {
        self.spy_position.store_release(position.unwrap_or(NO_SPY));
    }

    /// The highest position of the spies, if there are any. For the sender.
    pub fn spy_position(&self) -> Option<i64> {
        Some(self.spy_position.load_acquire()).filter(|&position| position != NO_SPY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_what_the_other_stores() {
        let words = PublicationWords::new(64);
        let other = words.clone();
        assert_eq!(
            (other.sender_position(), other.receivers(), other.spy_position()),
            (64, Receivers::default(), None)
        );
        let receivers = Receivers { alive: true, enough: false, left: true };
        words.set_sender_position(128);
        words.set_receivers(receivers);
        words.set_spy_position(Some(0));
        assert_eq!((other.sender_position(), other.receivers(), other.spy_position()), (128, receivers, Some(0)));
        words.set_spy_position(None);
        assert_eq!(other.spy_position(), None);
    }
}
