//! Reserved frame types: transport security, on whose codes Aeron's two drivers do not agree, and extensions. No driver
//! sends or accepts them; a datagram that starts with one is invalid.

use core::fmt;

/// A frame type that the protocol reserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReservedType {
    /// Secured data.
    SecuredData,
    /// A frame of transport security with this code: a setup or a status message.
    Secured(u16),
    /// An extension.
    Extension,
}

impl ReservedType {
    /// The reserved type with this code. `None` if the code is not reserved.
    pub const fn of_code(code: u16) -> Option<Self> {
        match code {
            0x08 => Some(Self::SecuredData),
            0x09 | 0x0A => Some(Self::Secured(code)),
            0xFFFF => Some(Self::Extension),
            _ => None,
        }
    }
}

impl fmt::Display for ReservedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecuredData => f.write_str("secured data (0x0008)"),
            Self::Secured(code) => write!(f, "a frame of transport security ({code:#06x})"),
            Self::Extension => f.write_str("an extension (0xffff)"),
        }
    }
}
