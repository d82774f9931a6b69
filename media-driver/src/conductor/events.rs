//! The conductor's events to its clients: one at a time, encoded into a buffer of its own and passed to the broadcast.

use gannet::broadcast::Transmitter;
use gannet::command::{ErrorCode, Event, OnError, Text};
use gannet::types::CorrelationId;

/// The maximum length of error texts in bytes: enough for a channel, and far less than a broadcast record can hold
/// (trap 19).
pub(super) const MAX_ERROR_TEXT: usize = 4096;

/// The length of the longest common event in bytes.
const USUAL_EVENT: usize = 8192;

/// Encodes and sends events to clients.
#[derive(Debug)]
pub(super) struct Events {
    transmitter: Transmitter,
    scratch: Vec<u8>,
}

impl Events {
    pub(super) fn new(transmitter: Transmitter) -> Self {
        Self { transmitter, scratch: vec![0; USUAL_EVENT] }
    }

    /// Sends an event to all clients.
    pub(super) fn send(&mut self, event: &Event<'_>) {
        let needed = event.encoded_length();
        if needed > self.scratch.len() {
            self.scratch.resize(needed, 0);
        }
        let length = event.encode(&mut self.scratch).expect("the scratch was made long enough");
        self.transmitter
            .transmit(event.type_id(), &self.scratch[..length])
            .expect("paths, channels and error texts are bounded to a small part of what a record holds");
    }

    /// Sends an error event for a failed command.
    pub(super) fn send_error(&mut self, correlation_id: CorrelationId, error_code: ErrorCode, message: &str) {
        self.send(&Event::Error(OnError {
            offending_correlation_id: correlation_id,
            error_code,
            message: Text::from(clip(message, MAX_ERROR_TEXT)),
        }));
    }
}

/// The first `most` bytes of the text, or a little less to end at a character boundary.
pub(super) fn clip(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clip("abc", 5), "abc");
        assert_eq!(clip("abc", 2), "ab");
        assert_eq!(clip("aé", 2), "a");
        assert_eq!(clip("é", 1), "");
    }
}
