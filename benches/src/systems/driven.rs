//! An end whose thread also runs its driver, and when driver and client get their turns. Every system of this kind uses
//! it, so that no difference comes from how the drivers are run.

use crate::rig::transceiver::Transceiver;

/// Turns of the driver per turn of the client, which needs a few turns per second.
const TURNS_PER_CLIENT_TURN: u32 = 256;
/// Turns that an end gets while other systems are measured.
const KEEP_ALIVE_TURNS: u32 = 200;

/// The parts of such an end.
pub trait DrivenEnd {
    /// Offers a message to the stream to the other end. Returns false when the stream cannot accept it at the moment.
    fn offer(&mut self, message: &[u8]) -> bool;

    /// Passes whole messages of the other end to `on_message`, about `limit` at most.
    fn take(&mut self, limit: usize, on_message: impl FnMut(&[u8])) -> Taken;

    /// Gives the driver a turn.
    fn drive(&mut self);

    /// Gives the client a turn.
    fn serve_client(&mut self);
}

/// What was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The number of whole messages.
    pub messages: usize,
    /// Bytes read for that, including those of incomplete messages.
    pub bytes: usize,
}

/// An end with the state of its turns.
#[derive(Debug)]
pub struct Driven<E> {
    /// The end itself.
    pub end: E,
    /// Whether the driver gets a turn after each message, or only after `bytes_per_turn` bytes.
    pub sends_at_once: bool,
    bytes_per_turn: usize,
    bytes_since_turn: usize,
    turns: u32,
}

impl<E: DrivenEnd> Driven<E> {
    /// Creates an end whose driver gets a turn after at most `bytes_per_turn` bytes.
    pub const fn new(end: E, bytes_per_turn: usize) -> Self {
        Self { end, sends_at_once: false, bytes_per_turn, bytes_since_turn: 0, turns: 0 }
    }

    /// Whether there was a turn since the last message.
    pub const fn is_fresh(&self) -> bool {
        self.bytes_since_turn == 0
    }

    /// Gives the driver a turn, and the client now and then.
    #[inline]
    pub fn turn(&mut self) {
        self.bytes_since_turn = 0;
        self.end.drive();
        self.turns = self.turns.wrapping_add(1);
        if self.turns.is_multiple_of(TURNS_PER_CLIENT_TURN) {
            self.end.serve_client();
        }
    }

    /// Gives enough turns that neither driver nor client times out while other systems are measured.
    pub fn keep_alive(&mut self) {
        (0..KEEP_ALIVE_TURNS).for_each(|_| self.turn());
        self.end.serve_client();
    }

    #[inline]
    fn take(&mut self, limit: usize, on_message: impl FnMut(&[u8])) -> usize {
        let Taken { messages, bytes } = self.end.take(limit, on_message);
        self.bytes_since_turn += bytes;
        messages
    }
}

impl<E: DrivenEnd> Transceiver for Driven<E> {
    #[inline]
    fn try_send(&mut self, message: &[u8]) -> bool {
        if !self.end.offer(message) {
            return false;
        }
        self.bytes_since_turn += message.len();
        if self.sends_at_once || self.bytes_since_turn >= self.bytes_per_turn {
            self.turn();
        }
        true
    }

    #[inline]
    fn poll(&mut self, limit: usize, mut on_message: impl FnMut(&[u8])) -> usize {
        if self.bytes_since_turn >= self.bytes_per_turn {
            self.turn();
        }
        let mut received = self.take(limit, &mut on_message);
        if received == 0 {
            self.turn();
            received = self.take(limit, &mut on_message);
        }
        received
    }

    fn between_messages(&mut self) {
        self.turn();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything, and hands over what was offered to it, once its driver has had a turn.
    #[derive(Default)]
    struct Echo {
        offered: usize,
        there: usize,
        turns: usize,
        client_turns: usize,
    }

    impl DrivenEnd for Echo {
        fn offer(&mut self, _: &[u8]) -> bool {
            self.offered += 1;
            true
        }

        fn take(&mut self, limit: usize, mut on_message: impl FnMut(&[u8])) -> Taken {
            let messages = self.there.min(limit);
            self.there -= messages;
            (0..messages).for_each(|_| on_message(&[0; 10]));
            Taken { messages, bytes: 10 * messages }
        }

        fn drive(&mut self) {
            self.there += std::mem::take(&mut self.offered);
            self.turns += 1;
        }

        fn serve_client(&mut self) {
            self.client_turns += 1;
        }
    }

    #[test]
    fn a_driver_has_a_turn_after_enough_bytes_or_after_each_message() {
        let mut driven = Driven::new(Echo::default(), 30);
        assert!(driven.try_send(&[0; 10]) && driven.try_send(&[0; 10]) && !driven.is_fresh());
        assert_eq!(driven.end.turns, 0);
        assert!(driven.try_send(&[0; 10]) && driven.is_fresh());
        assert_eq!((driven.end.turns, driven.end.there), (1, 3));
        // What is taken counts as well.
        assert_eq!([driven.poll(2, |_| {}), driven.poll(2, |_| {})], [2, 1]);
        assert_eq!(driven.end.turns, 1);
        assert_eq!((driven.poll(2, |_| {}), driven.end.turns), (0, 3));
        driven.sends_at_once = true;
        assert!(driven.try_send(&[0; 1]));
        assert_eq!(driven.end.turns, 4);
    }

    #[test]
    fn a_client_has_its_turns_too() {
        let mut driven = Driven::new(Echo::default(), 30);
        (0..TURNS_PER_CLIENT_TURN).for_each(|_| driven.turn());
        assert_eq!(driven.end.client_turns, 1);
        driven.keep_alive();
        assert_eq!(driven.end.client_turns, 2);
    }
}
