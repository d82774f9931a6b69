//! Messages that show by themselves whether they are intact and in order: a sender, a number, and bytes that follow
//! from both.

use std::collections::HashMap;

/// The offset of the pattern.
const HEADER: usize = 8;

/// The message with this number from this sender. Lengths vary, so that frames end at all offsets.
pub(crate) fn message(sender: u32, number: u32) -> Vec<u8> {
    let length = HEADER + (number.wrapping_mul(7) % 300) as usize;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&sender.to_le_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend((HEADER..length).map(|index| (sender.wrapping_mul(31) ^ number).wrapping_add(index as u32) as u8));
    bytes
}

/// The messages that a subscriber has received.
#[derive(Default)]
pub(crate) struct Received {
    next: HashMap<u32, u32>,
    total: u32,
}

impl Received {
    /// Receives a message.
    ///
    /// # Panics
    ///
    /// When it is not exactly the next message of its sender, from number 0 on.
    pub(crate) fn take(&mut self, payload: &[u8]) {
        let word = |at: usize| {
            let bytes = payload.get(at..at + 4).unwrap_or_else(|| panic!("a message of {} bytes", payload.len()));
            u32::from_le_bytes(bytes.try_into().unwrap())
        };
        let (sender, number) = (word(0), word(4));
        let next = self.next.entry(sender).or_insert(0);
        assert_eq!(number, *next, "the next message of sender {sender}");
        assert_eq!(payload, message(sender, number), "message {number} of sender {sender}");
        *next += 1;
        self.total += 1;
    }

    /// The number of messages from this sender.
    pub(crate) fn of(&self, sender: u32) -> u32 {
        self.next.get(&sender).copied().unwrap_or(0)
    }

    /// The number of messages from all senders.
    pub(crate) fn total(&self) -> u32 {
        self.total
    }
}
