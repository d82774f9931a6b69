//! The types of frames.

/// What a frame is for. The numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum FrameType {
    /// Space in a term that holds no message.
    Padding = 0x00,
    /// A message, a fragment of one, or a heartbeat.
    Data = 0x01,
    /// A receiver misses part of a term.
    Nak = 0x02,
    /// A receiver says how far it is, or asks for a setup.
    StatusMessage = 0x03,
    /// A receiver refuses a stream.
    Error = 0x04,
    /// A publication presents itself.
    Setup = 0x05,
    /// A question or an answer that measures a round trip.
    RttMeasurement = 0x06,
    /// Names of drivers and their addresses.
    Resolution = 0x07,
    /// Which session answers a request.
    ResponseSetup = 0x0B,
}

impl FrameType {
    /// The type of a code; none of one that the protocol reserves or does not know.
    #[inline]
    pub const fn of_code(code: u16) -> Option<Self> {
        Some(match code {
            0x00 => Self::Padding,
            0x01 => Self::Data,
            0x02 => Self::Nak,
            0x03 => Self::StatusMessage,
            0x04 => Self::Error,
            0x05 => Self::Setup,
            0x06 => Self::RttMeasurement,
            0x07 => Self::Resolution,
            0x0B => Self::ResponseSetup,
            _ => return None,
        })
    }

    /// The code on the wire.
    #[inline]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The least length of a datagram that starts with such a frame, in bytes.
    #[inline]
    pub const fn least_length(self) -> usize {
        match self {
            Self::Padding | Self::Data => 32,
            Self::Nak => 28,
            Self::StatusMessage => 36,
            Self::Error | Self::Setup | Self::RttMeasurement => 40,
            Self::Resolution => 22,
            Self::ResponseSetup => 20,
        }
    }
}
