//! Warnings about parts of channels that have no effect. Each channel is reported once in the error log, and never
//! refused. Aeron's drivers accept such channels silently, and applications put keys of their own in them.

use std::collections::HashSet;

use gannet::channel_uri::ChannelUri;
use gannet::command::{ErrorCode, Text};

use super::Core;
use super::error::CommandError;
use super::events::clip;
use super::reporting::MAX_REPORTED_CHANNEL;

/// The maximum number of channels with warnings. Applications may generate channels without end, and their warnings
/// must not take space in the error log from errors.
const MAX_CHANNELS: usize = 64;
/// The maximum number of reported parts per channel.
const MAX_PARTS: usize = 4;

/// The channels that were reported.
#[derive(Debug, Default)]
pub(super) struct ChannelWarnings {
    channels: HashSet<Box<str>>,
}

impl ChannelWarnings {
    /// The warnings for a channel that was not reported yet.
    fn of(&mut self, uri: &ChannelUri) -> Vec<String> {
        let mut ignored = uri.ignored().take(MAX_PARTS).peekable();
        if ignored.peek().is_none() || self.channels.len() >= MAX_CHANNELS || !self.channels.insert(uri.text().into()) {
            return Vec::new();
        }
        let (code, channel) = (ErrorCode::InvalidChannel.get(), clip(uri.text(), MAX_REPORTED_CHANNEL));
        let warning = |part: String| format!("({code}) warning: {channel}: {}", clip(&part, MAX_REPORTED_CHANNEL));
        ignored.map(|part| warning(part.to_string())).collect()
    }
}

impl Core {
    /// Parses a command's channel, and reports its parts without effect.
    pub(super) fn read_channel(&mut self, channel: Text<'_>) -> Result<ChannelUri, CommandError> {
        let uri = ChannelUri::parse_bytes(channel.as_bytes())?;
        for warning in self.channel_warnings.of(&uri) {
            self.report(&warning);
        }
        Ok(uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(warned: &mut ChannelWarnings, channel: &str) -> Vec<String> {
        warned.of(&ChannelUri::parse(channel).unwrap())
    }

    #[test]
    fn warnings_are_bounded_in_number_and_length() {
        let mut warned = ChannelWarnings::default();
        let long = format!("aeron:ipc?{}=1", "x".repeat(4000));
        let warning = &warnings(&mut warned, &long)[0];
        assert!(warning.len() < 2 * MAX_REPORTED_CHANNEL + 32, "{} bytes", warning.len());
        let many: Vec<_> = (0..500).map(|key| format!("{key}=1")).collect();
        assert_eq!(warnings(&mut warned, &format!("aeron:ipc?{}", many.join("|"))).len(), MAX_PARTS);
        for number in 0..MAX_CHANNELS - 2 {
            assert_eq!(warnings(&mut warned, &format!("aeron:ipc?session-id={number}|venue=x")).len(), 1);
        }
        assert_eq!(warnings(&mut warned, "aeron:ipc?venue=y"), [""; 0], "as many channels as are warned about");
    }
}
