//! One end of a system under test, as the loops of the rig use it. Each system in `systems` implements it.

/// Sends messages to the other end, and receives those that the other end sent.
///
/// The loops are generic over it, so that they add no call between them and the system.
pub trait Transceiver {
    /// Sends a message. Returns false when the system cannot accept it at the moment.
    fn try_send(&mut self, message: &[u8]) -> bool;

    /// Passes at most `limit` received messages to `on_message`, and returns how many.
    fn poll(&mut self, limit: usize, on_message: impl FnMut(&[u8])) -> usize;

    /// Gives a turn to a driver or client that this thread hosts. Called between messages, never between a send and its
    /// answer.
    fn between_messages(&mut self) {}
}
