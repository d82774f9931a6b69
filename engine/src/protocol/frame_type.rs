//! The types of frames.

/// The type of a frame, with its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum FrameType {
    /// Space in a term that holds no message.
    Padding = 0x00,
    /// A message, a fragment of one, or a heartbeat.
    Data = 0x01,
    /// A receiver reports a gap.
    Nak = 0x02,
    /// A receiver reports its position, or asks for a setup.
    StatusMessage = 0x03,
    /// A receiver rejects a stream.
    Error = 0x04,
    /// A sender describes its publication.
    Setup = 0x05,
    /// A request or a response for measuring the round-trip time.
    RttMeasurement = 0x06,
    /// The names and addresses of drivers.
    Resolution = 0x07,
    /// The session that responds to a request.
    ResponseSetup = 0x0B,
}

impl FrameType {
    /// The type with this code. `None` if the code is reserved or unknown.
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

    /// The minimum length of a datagram that starts with such a frame, in bytes.
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
