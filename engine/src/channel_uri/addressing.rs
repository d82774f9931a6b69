//! Checks that a UDP channel has an address: an endpoint, a control address, or the tag of a channel that has them.

use super::ignored::unknown;
use super::params::Winner;
use super::parse::Split;
use super::{ChannelUriError, Media};

/// Checks a channel. These errors take precedence over invalid values, because without an address the text is not a
/// channel at all.
pub(super) fn check(split: &Split<'_>) -> Result<(), ChannelUriError> {
    if split.media == Media::Ipc {
        return Ok(());
    }
    let value = |key| Winner::Last.of(key, &split.pairs);
    // What is missing is often misspelt.
    let unknown = || split.pairs.iter().find_map(|(key, value)| unknown(key, value)).map(|it| it.to_string());
    let control_mode = value("control-mode");
    if control_mode == Some("dynamic") && value("control").is_none() {
        return Err(ChannelUriError::DynamicWithoutControl { unknown: unknown() });
    }
    let has_channel_tag = value("tags").is_some_and(|tags| !tags.starts_with(','));
    let has_address = value("endpoint").is_some() || value("control").is_some() || has_channel_tag;
    if !has_address && !matches!(control_mode, Some("manual" | "response")) {
        return Err(ChannelUriError::NoAddress { unknown: unknown() });
    }
    Ok(())
}
