//! The grammar of channel URIs: splits a text into its prefix, its medium and its pairs of key and value. Values are
//! taken literally, without escapes; `params` interprets them.
//!
//! ```text
//! uri    = [ "aeron-spy:" ] "aeron:" media [ "?" params ]
//! media  = "udp" | "ipc"
//! params = key "=" value *( "|" key "=" value )
//! ```

use super::params::Winner;
use super::{ChannelUriError, MAX_LENGTH, Media};

/// The prefix of a spy channel.
pub(super) const SPY_PREFIX: &str = "aeron-spy:";
/// The start of every channel.
pub(super) const SCHEME: &str = "aeron:";

/// How much of an invalid text an error repeats, in bytes.
const REPEATED_IN_ERRORS: usize = 64;

/// The parts of a URI.
pub(super) struct Split<'a> {
    pub(super) spy: bool,
    pub(super) media: Media,
    /// Keys and values in the order of the text, duplicates included.
    pub(super) pairs: Vec<(&'a str, &'a str)>,
}

/// Splits a text. All errors are of an invalid channel.
pub(super) fn split(text: &str) -> Result<Split<'_>, ChannelUriError> {
    let (spy, rest) = match text.strip_prefix(SPY_PREFIX) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.len() > MAX_LENGTH {
        return Err(ChannelUriError::TooLong { found: rest.len() });
    }
    if let Some(offset) = text.find('\0') {
        return Err(ChannelUriError::Nul { offset });
    }
    let (media, params) = split_media(rest)
        .ok_or_else(|| ChannelUriError::UnknownScheme { found: text.chars().take(REPEATED_IN_ERRORS).collect() })?;
    let pairs = split_params(params)?;
    if spy && media == Media::Ipc {
        return Err(ChannelUriError::SpyOnIpc);
    }
    Ok(Split { spy, media, pairs })
}

/// The pairs of a text that [`split`] has accepted, without those that a duplicate overrides.
pub(super) fn effective_pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs: Vec<_> = params(text).split('|').filter_map(|param| param.split_once('=')).collect();
    let kept: Vec<_> = (0..pairs.len()).filter(|&index| Winner::at(pairs[index].0).is_won_by(index, &pairs)).collect();
    kept.into_iter().map(move |index| pairs[index])
}

/// The text after the question mark, of a text that [`split`] has accepted.
pub(super) fn params(text: &str) -> &str {
    text.split_once('?').map_or("", |(_, params)| params)
}

/// The medium, and the text after the question mark.
fn split_media(text: &str) -> Option<(Media, &str)> {
    let text = text.strip_prefix(SCHEME)?;
    let (media, rest) = match text.strip_prefix("udp") {
        Some(rest) => (Media::Udp, rest),
        None => (Media::Ipc, text.strip_prefix("ipc")?),
    };
    // A UDP channel without parameters has no address, and is refused for that reason.
    let params = if rest.is_empty() { rest } else { rest.strip_prefix('?')? };
    Some((media, params))
}

fn split_params(params: &str) -> Result<Vec<(&str, &str)>, ChannelUriError> {
    let mut pairs = Vec::new();
    let mut parts = params.split('|').peekable();
    while let Some(part) = parts.next() {
        match part.split_once('=') {
            Some(("", value)) => return Err(ChannelUriError::EmptyKey { value: value.to_owned() }),
            Some((key, "")) => return Err(ChannelUriError::EmptyValue { key: key.to_owned() }),
            Some(pair) => pairs.push(pair),
            None if parts.peek().is_some() => return Err(ChannelUriError::NoValue { key: part.to_owned() }),
            // An incomplete key at the very end is ignored, as in the reference's C driver.
            None => {}
        }
    }
    Ok(pairs)
}
