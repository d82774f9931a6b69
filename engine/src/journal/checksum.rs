//! The checksum of a journal: CRC-32C (Castagnoli), as in iSCSI. Used for sidecars, by the indexer, and for the copies
//! of catalog entries.

use crc_fast::{CrcAlgorithm, Digest, checksum};

const ALGORITHM: CrcAlgorithm = CrcAlgorithm::Crc32Iscsi;

/// The checksum of `bytes`.
#[inline]
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    checksum(ALGORITHM, bytes) as u32
}

/// The checksum of bytes that arrive in pieces.
pub(crate) struct Crc32c(Digest);

impl Crc32c {
    /// Starts with no bytes.
    pub(crate) fn new() -> Self {
        Self(Digest::new(ALGORITHM))
    }

    /// Adds the next piece.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all pieces.
    pub(crate) fn finish(self) -> u32 {
        self.0.finalize() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, from the polynomial.
    fn bitwise(bytes: &[u8]) -> u32 {
        let mut checksum = u32::MAX;
        for byte in bytes {
            checksum ^= u32::from(*byte);
            for _ in 0..8 {
                checksum = (checksum >> 1) ^ (0x82F6_3B78 & (checksum & 1).wrapping_neg());
            }
        }
        !checksum
    }

    /// Files that were written with one implementation are read with another: each length takes its own way through it.
    #[test]
    fn every_length_has_the_checksum_of_the_polynomial() {
        let bytes: Vec<u8> = (0..2500_u32).map(|index| ((index * index) >> 3) as u8).collect();
        assert_eq!(crc32c(b"123456789"), 0xE306_9283, "the check value of RFC 3720's polynomial");
        for length in (0..600).chain((600..bytes.len()).step_by(37)) {
            let from = length % 5;
            let piece = &bytes[from..from.max(length)];
            let mut pieces = Crc32c::new();
            piece.chunks(length / 3 + 1).for_each(|chunk| pieces.append(chunk));
            assert_eq!((crc32c(piece), pieces.finish()), (bitwise(piece), bitwise(piece)), "{length} bytes");
        }
    }
}
