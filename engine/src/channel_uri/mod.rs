//! Channel URIs: the text by which an application names the medium, address and options of a stream, such as
//! `aeron:ipc` or `aeron:udp?endpoint=224.20.30.39:40456|linger=10s`. Clients build them and the driver parses them.
//! Both keep the text verbatim, because labels show it and destinations are removed by it.
//!
//! This module only parses. It resolves no names, fills in no defaults, and does not know what else is open.

mod address;
mod addressing;
mod build;
mod error;
mod flow_control;
mod form;
mod ignored;
mod params;
mod parse;
mod values;

use core::fmt;
use core::str::FromStr;

pub use address::{Host, HostAndPort, Interface, InterfaceName};
pub use build::ChannelUriBuilder;
pub use error::ChannelUriError;
pub use flow_control::{FlowControl, FlowControlStrategy};
pub use ignored::Ignored;
pub use params::{ChannelParams, InitialPosition};
pub use values::{CongestionControl, ControlMode, Group, ResponseCorrelation, SessionSelector, Tags, TimestampOffset};

/// The maximum length of a URI in bytes, without the prefix of a spy.
pub const MAX_LENGTH: usize = 4095;

/// The medium of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Media {
    /// Shared memory between processes of one machine.
    Ipc,
    /// UDP datagrams.
    Udp,
}

/// A parsed and checked channel URI, with its text.
///
/// ```
/// # use gannet::channel_uri::{ChannelUri, Media};
/// let uri = ChannelUri::parse("aeron:ipc?term-length=64k|alias=ticks")?;
/// assert_eq!(uri.media(), Media::Ipc);
/// assert_eq!(uri.params().term_length.unwrap().get(), 65_536);
/// assert_eq!(uri.text(), "aeron:ipc?term-length=64k|alias=ticks");
///
/// let error = ChannelUri::parse("aeron:ipc?term-length=63k").unwrap_err();
/// assert_eq!(error.error_code().get(), 11);
/// # Ok::<(), gannet::channel_uri::ChannelUriError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelUri {
    text: Box<str>,
    spy: bool,
    media: Media,
    params: ChannelParams,
}

impl ChannelUri {
    /// Parses a URI and checks all its parameters.
    ///
    /// If a key occurs twice, the last occurrence is used for `endpoint`, `interface`, `control`, `control-mode`, `ttl`
    /// and `tags`, and the first one for all other keys. Unknown keys are ignored, and so is a key without `=` at the
    /// very end.
    ///
    /// # Errors
    ///
    /// [`ChannelUriError`]. Its [`error_code`](ChannelUriError::error_code) is the code with which a driver responds.
    pub fn parse(text: &str) -> Result<Self, ChannelUriError> {
        let split = parse::split(text)?;
        addressing::check(&split)?;
        let params = ChannelParams::read(&split.pairs)?;
        Ok(Self { text: text.into(), spy: split.spy, media: split.media, params })
    }

    /// As [`ChannelUri::parse`], for bytes that may not be valid text.
    ///
    /// # Errors
    ///
    /// As [`ChannelUri::parse`], and if the bytes are not UTF-8.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, ChannelUriError> {
        let text = core::str::from_utf8(bytes)
            .map_err(|error| ChannelUriError::NotUtf8 { valid_up_to: error.valid_up_to() })?;
        Self::parse(text)
    }

    /// The original text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The stream's medium.
    pub const fn media(&self) -> Media {
        self.media
    }

    /// Whether the URI has the prefix `aeron-spy:` and denotes the publications of the channel on this machine.
    pub const fn is_spy(&self) -> bool {
        self.spy
    }

    /// The parameters in the text.
    pub const fn params(&self) -> &ChannelParams {
        &self.params
    }

    /// The effective keys and values in the order of the text, unknown keys included.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        parse::effective_pairs(&self.text)
    }

    /// The parts without effect in the order of the text: unknown keys, an unknown control mode, and a key without a
    /// value at the very end.
    pub fn ignored(&self) -> impl Iterator<Item = Ignored<'_>> {
        ignored::ignored(&self.text)
    }
}

impl FromStr for ChannelUri {
    type Err = ChannelUriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for ChannelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
