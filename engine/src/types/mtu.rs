//! The MTU of a stream.

use core::fmt;

/// The maximum transmission unit: the length in bytes of the longest frame that a publication sends in one piece, its
/// 32-byte header included. A multiple of 32, more than a header, and at most what a UDP datagram can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Mtu(i32);

/// A number that is not a valid MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("MTU {found} is not a multiple of 32 from {} to {}", Mtu::MIN, Mtu::MAX)]
pub struct MtuError {
    /// The number found.
    pub found: i64,
}

impl Mtu {
    /// The minimum: a header and the smallest payload, 64 bytes.
    pub const MIN: Self = Self(64);
    /// The maximum: the largest UDP payload that is a multiple of 32, 65 504 bytes.
    pub const MAX: Self = Self(65_504);
    /// The default of the reference's drivers: 1 408 bytes, which fits into an Ethernet frame.
    pub const DEFAULT: Self = Self(1_408);

    /// The length of a data frame's header.
    const HEADER_LENGTH: i32 = 32;

    /// Checks a length in bytes.
    ///
    /// # Errors
    ///
    /// [`MtuError`] unless it is a multiple of 32 from 64 to 65 504.
    pub const fn new(bytes: i64) -> Result<Self, MtuError> {
        if bytes < Self::MIN.0 as i64 || bytes > Self::MAX.0 as i64 || bytes % 32 != 0 {
            return Err(MtuError { found: bytes });
        }
        Ok(Self(bytes as i32))
    }

    /// The length in bytes.
    #[inline]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The maximum payload of one fragment: the MTU without the frame header. A multiple of 32.
    #[inline]
    pub const fn max_payload_length(self) -> usize {
        (self.0 - Self::HEADER_LENGTH) as usize
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_multiples_of_the_frame_alignment_in_range_only() {
        for bytes in [i64::MIN, -32, 0, 32, 33, 63, 65, 1500, 65_505, 65_536, i64::MAX] {
            assert_eq!(Mtu::new(bytes), Err(MtuError { found: bytes }));
        }
        for mtu in [Mtu::MIN, Mtu::DEFAULT, Mtu::MAX] {
            assert_eq!(Mtu::new(mtu.get().into()), Ok(mtu));
        }
    }

    /// Trap 55: the MTU includes the header, so a fragment's payload is 32 bytes less.
    #[test]
    fn trap_55_the_mtu_includes_the_header() {
        assert_eq!(Mtu::DEFAULT.max_payload_length(), 1_376);
    }
}
