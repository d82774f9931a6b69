//! The frames in UDP datagrams, one file per type. The driver's sender, receiver and name resolver call this; tools and
//! fuzzers may.
//!
//! ```text
//! datagram = frame                      setup, status message, NAK, RTT measurement, error, response setup, resolution
//!          | data or padding frames     whole, contiguous, of one term; a heartbeat is a data header alone
//! ```
//!
//! A frame is parsed from bytes that anyone may have sent into a plain value, and written from such a value. Parsing
//! checks everything that can be checked without knowing the stream. Checks that need the stream's term length are
//! methods of the value: [`StatusMessage::check`], [`Nak::check`], and [`extent`] for data. Nothing here allocates, and
//! nothing here knows a socket, a clock or a log.
//!
//! All integers are little-endian, except the address in a resolution entry, which is in network order.

mod data;
mod error_frame;
mod extension;
mod frame_error;
mod frame_type;
mod header;
mod heartbeat;
mod nak;
mod padding;
mod resolution;
mod response_setup;
mod rtt_measurement;
mod setup;
mod status_message;
#[cfg(test)]
mod tests;

pub use data::{DATA_HEADER_LENGTH, DataFlags, DataHeader, Extent, extent};
pub use error_frame::{ErrorFrame, MAX_ERROR_TEXT_LENGTH};
pub use extension::ReservedType;
pub use frame_error::FrameError;
pub use frame_type::FrameType;
pub use header::{FrameHeader, HEADER_LENGTH, MAX_DATAGRAM_LENGTH};
pub use heartbeat::Heartbeat;
pub use nak::Nak;
pub use padding::Padding;
pub use resolution::{MAX_RESOLUTION_NAME_LENGTH, Resolution, ResolutionEntries, ResolutionEntry, ResolutionWriter};
pub use response_setup::ResponseSetup;
pub use rtt_measurement::RttMeasurement;
pub use setup::Setup;
pub use status_message::{GroupTag, StatusMessage};

/// A datagram, according to the type of its first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A data frame, possibly followed by further frames, or a heartbeat.
    Data(DataHeader),
    /// A padding frame, possibly followed by further frames.
    Padding(DataHeader),
    /// A receiver reports a gap.
    Nak(Nak),
    /// A receiver reports its position, or asks for a setup.
    StatusMessage(StatusMessage),
    /// A receiver rejects a stream.
    Error(ErrorFrame<'a>),
    /// A sender describes its publication.
    Setup(Setup),
    /// A request or a response for measuring the round-trip time.
    RttMeasurement(RttMeasurement),
    /// The names and addresses of drivers.
    Resolution(Resolution<'a>),
    /// The session that responds to a request.
    ResponseSetup(ResponseSetup),
}

impl<'a> Frame<'a> {
    /// Parses the first frame of a datagram.
    ///
    /// A frame of a type that an endpoint does not use is valid. The endpoint ignores it without counting an error.
    ///
    /// # Errors
    ///
    /// [`FrameError`]: count the datagram as invalid and drop it. [`FrameError::UnknownType`] and
    /// [`FrameError::ReservedType`] for a type that no driver supports.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        match FrameHeader::parse(datagram)?.frame_type {
            FrameType::Data => DataHeader::parse(datagram).map(Self::Data),
            FrameType::Padding => DataHeader::parse(datagram).map(Self::Padding),
            FrameType::Nak => Nak::parse(datagram).map(Self::Nak),
            FrameType::StatusMessage => StatusMessage::parse(datagram).map(Self::StatusMessage),
            FrameType::Error => ErrorFrame::parse(datagram).map(Self::Error),
            FrameType::Setup => Setup::parse(datagram).map(Self::Setup),
            FrameType::RttMeasurement => RttMeasurement::parse(datagram).map(Self::RttMeasurement),
            FrameType::Resolution => Resolution::parse(datagram).map(Self::Resolution),
            FrameType::ResponseSetup => ResponseSetup::parse(datagram).map(Self::ResponseSetup),
        }
    }

    /// The frame type.
    pub const fn frame_type(&self) -> FrameType {
        match self {
            Self::Data(_) => FrameType::Data,
            Self::Padding(_) => FrameType::Padding,
            Self::Nak(_) => FrameType::Nak,
            Self::StatusMessage(_) => FrameType::StatusMessage,
            Self::Error(_) => FrameType::Error,
            Self::Setup(_) => FrameType::Setup,
            Self::RttMeasurement(_) => FrameType::RttMeasurement,
            Self::Resolution(_) => FrameType::Resolution,
            Self::ResponseSetup(_) => FrameType::ResponseSetup,
        }
    }
}
