//! One end of a system under test, as the loops of the rig see it. Implemented once per system, in `systems`.

/// Sends messages to the other end, and hands over those that the other end sent.
///
/// The loops are generic over it, so that nothing stands between them and the system but what the system itself does.
pub trait Transceiver {
    /// Sends a message; false when the system cannot take it at this moment.
    fn try_send(&mut self, message: &[u8]) -> bool;

    /// Hands over what has arrived, at most `limit` messages, and returns how many.
    fn poll(&mut self, limit: usize, on_message: impl FnMut(&[u8])) -> usize;

    /// What the system needs from the thread when no message is under way: a turn for a driver or a client that this
    /// thread hosts. Called between messages, never between a send and its answer.
    fn between_messages(&mut self) {}
}
