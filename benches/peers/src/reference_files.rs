//! Files as Aeron's C driver writes them, read from a running driver, for comparing layouts.
//!
//! [`Snapshot`] reads values at byte offsets, and has a compact text form: a line `length N`, then a line
//! `OFFSET BYTES` in hexadecimal for each 16 bytes at a multiple of 16 that are not all zero. All other bytes are zero.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

/// The content of a file at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    bytes: Vec<u8>,
}

/// The five regions of a CnC file, as its metadata states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CncRegions {
    /// The offset of each region: ring to the driver, broadcast to clients, counter metadata, counter values, error
    /// log.
    pub offsets: [usize; 5],
    /// The length of each region in the same order, trailers included.
    pub lengths: [usize; 5],
}

/// Bytes per line of the text form.
const ROW: usize = 16;
/// Length in bytes of the part before the first region of a CnC file.
const CNC_METADATA_LENGTH: usize = 128;
/// Length in bytes of the last part of a log buffer's file.
const LOG_METADATA_LENGTH: usize = 4096;
const RING_TRAILER_LENGTH: usize = 768;
const BROADCAST_TRAILER_LENGTH: usize = 128;

impl Snapshot {
    /// Reads the file at `path`, which its driver may write at the same time.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { bytes: fs::read(path)? })
    }

    /// Reads the log buffer of a publication in a driver's directory.
    pub fn of_publication(dir: &Path, registration_id: i64) -> io::Result<Self> {
        Self::of(&dir.join(format!("publications/{registration_id}.logbuffer")))
    }

    /// The whole content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The `length` bytes at `offset`.
    pub fn slice(&self, offset: usize, length: usize) -> &[u8] {
        &self.bytes[offset..offset + length]
    }

    /// The byte at `offset`.
    pub fn u8(&self, offset: usize) -> u8 {
        self.bytes[offset]
    }

    /// The little-endian 32-bit word at `offset`.
    pub fn i32(&self, offset: usize) -> i32 {
        i32::from_le_bytes(self.slice(offset, 4).try_into().expect("4 bytes"))
    }

    /// The little-endian 64-bit word at `offset`.
    pub fn i64(&self, offset: usize) -> i64 {
        i64::from_le_bytes(self.slice(offset, 8).try_into().expect("8 bytes"))
    }

    /// The text at `offset`, which begins with its length as a word.
    pub fn text(&self, offset: usize) -> String {
        let length = usize::try_from(self.i32(offset)).expect("a length");
        String::from_utf8_lossy(self.slice(offset + 4, length)).into_owned()
    }

    /// Whether all bytes of a range are zero.
    pub fn is_zero(&self, offset: usize, length: usize) -> bool {
        self.slice(offset, length).iter().all(|&byte| byte == 0)
    }

    /// The offset of the metadata of a log buffer.
    pub fn log_metadata_offset(&self) -> usize {
        self.bytes.len() - LOG_METADATA_LENGTH
    }

    /// The regions of a CnC file.
    pub fn cnc_regions(&self) -> CncRegions {
        let lengths = [4, 8, 12, 16, 20].map(|offset| usize::try_from(self.i32(offset)).expect("a length"));
        let mut next = CNC_METADATA_LENGTH;
        let offsets = lengths.map(|length| {
            let offset = next;
            next += length;
            offset
        });
        CncRegions { offsets, lengths }
    }

    /// Converts the snapshot to the compact text form.
    pub fn to_text(&self) -> String {
        let mut text = format!("length {}\n", self.bytes.len());
        for (row, bytes) in self.bytes.chunks(ROW).enumerate() {
            if bytes.iter().any(|&byte| byte != 0) {
                write!(text, "{:08x} ", row * ROW).expect("writing to a string");
                for byte in bytes {
                    write!(text, "{byte:02x}").expect("writing to a string");
                }
                text.push('\n');
            }
        }
        text
    }

    /// Parses the compact text form. `None` for other text.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let length = lines.next()?.strip_prefix("length ")?.parse().ok()?;
        let mut bytes = vec![0; length];
        for line in lines {
            let (offset, digits) = line.split_once(' ')?;
            let offset = usize::from_str_radix(offset, 16).ok()?;
            for (index, pair) in digits.as_bytes().chunks(2).enumerate() {
                let pair = std::str::from_utf8(pair).ok()?;
                *bytes.get_mut(offset + index)? = u8::from_str_radix(pair, 16).ok()?;
            }
        }
        Some(Self { bytes })
    }
}

impl CncRegions {
    /// The offset of the ring's trailer.
    pub fn ring_trailer(&self) -> usize {
        self.offsets[0] + self.lengths[0] - RING_TRAILER_LENGTH
    }

    /// The offset of the ring's correlation counter.
    pub fn correlation_counter(&self) -> usize {
        self.ring_trailer() + 512
    }

    /// The offset of the driver's heartbeat.
    pub fn consumer_heartbeat(&self) -> usize {
        self.ring_trailer() + 640
    }

    /// The offset of the broadcast's trailer.
    pub fn broadcast_trailer(&self) -> usize {
        self.offsets[1] + self.lengths[1] - BROADCAST_TRAILER_LENGTH
    }

    /// The offset of a counter's metadata record.
    pub fn counter_metadata(&self, id: usize) -> usize {
        self.offsets[2] + id * 512
    }

    /// The offset of a counter's value record.
    pub fn counter_value(&self, id: usize) -> usize {
        self.offsets[3] + id * 128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_holds_everything() {
        let mut bytes = vec![0; 100];
        bytes[17] = 1;
        bytes[99] = 0xfe;
        let snapshot = Snapshot { bytes };
        let text = snapshot.to_text();
        assert_eq!(text, "length 100\n00000010 00010000000000000000000000000000\n00000060 000000fe\n");
        assert_eq!(Snapshot::from_text(&text), Some(snapshot));
        assert_eq!(Snapshot::from_text("length 4\n00000000 0102030405\n"), None);
    }
}
