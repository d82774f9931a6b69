//! Files as Aeron's C driver writes them, taken from a running driver, to compare layouts with.
//!
//! [`Snapshot`] reads values at byte offsets, and is written down in a compact text form: a line `length N`, then for
//! each run of 16 bytes at a multiple of 16 that are not all zero a line `OFFSET BYTES`, both in hexadecimal. What
//! no line names is zero.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

/// The contents of one file at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    bytes: Vec<u8>,
}

/// The five regions of a CnC file, as its metadata states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CncRegions {
    /// Where each region starts: ring to the driver, broadcast to clients, counter metadata, counter values, error log.
    pub offsets: [usize; 5],
    /// The length of each, in the same order, trailers included.
    pub lengths: [usize; 5],
}

/// How many bytes one line of the text form describes.
const ROW: usize = 16;
/// What comes before the first region of a CnC file, in bytes.
const CNC_METADATA_LENGTH: usize = 128;
/// The last part of a log buffer's file, in bytes.
const LOG_METADATA_LENGTH: usize = 4096;
const RING_TRAILER_LENGTH: usize = 768;
const BROADCAST_TRAILER_LENGTH: usize = 128;

impl Snapshot {
    /// Reads the file at `path`, which its driver may be writing at the same time.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { bytes: fs::read(path)? })
    }

    /// The log buffer of a publication in a driver's directory.
    pub fn of_publication(dir: &Path, registration_id: i64) -> io::Result<Self> {
        Self::of(&dir.join(format!("publications/{registration_id}.logbuffer")))
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `length` bytes at `offset`.
    pub fn slice(&self, offset: usize, length: usize) -> &[u8] {
        &self.bytes[offset..offset + length]
    }

    /// One byte.
    pub fn u8(&self, offset: usize) -> u8 {
        self.bytes[offset]
    }

    /// A little-endian word of 32 bits.
    pub fn i32(&self, offset: usize) -> i32 {
        i32::from_le_bytes(self.slice(offset, 4).try_into().expect("4 bytes"))
    }

    /// A little-endian word of 64 bits.
    pub fn i64(&self, offset: usize) -> i64 {
        i64::from_le_bytes(self.slice(offset, 8).try_into().expect("8 bytes"))
    }

    /// Text with its length as a word before it.
    pub fn text(&self, offset: usize) -> String {
        let length = usize::try_from(self.i32(offset)).expect("a length");
        String::from_utf8_lossy(self.slice(offset + 4, length)).into_owned()
    }

    /// Whether all of a range is zero.
    pub fn is_zero(&self, offset: usize, length: usize) -> bool {
        self.slice(offset, length).iter().all(|&byte| byte == 0)
    }

    /// For a log buffer: where its metadata starts.
    pub fn log_metadata_offset(&self) -> usize {
        self.bytes.len() - LOG_METADATA_LENGTH
    }

    /// For a CnC file: its regions.
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

    /// The compact text form.
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

    /// Reads the compact text form; `None` if it is not that.
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
    /// Where the ring's trailer is.
    pub fn ring_trailer(&self) -> usize {
        self.offsets[0] + self.lengths[0] - RING_TRAILER_LENGTH
    }

    /// Where the ring's correlation counter is.
    pub fn correlation_counter(&self) -> usize {
        self.ring_trailer() + 512
    }

    /// Where the driver's heartbeat is.
    pub fn consumer_heartbeat(&self) -> usize {
        self.ring_trailer() + 640
    }

    /// Where the broadcast's trailer is.
    pub fn broadcast_trailer(&self) -> usize {
        self.offsets[1] + self.lengths[1] - BROADCAST_TRAILER_LENGTH
    }

    /// Where the metadata record of a counter is.
    pub fn counter_metadata(&self, id: usize) -> usize {
        self.offsets[2] + id * 512
    }

    /// Where the value record of a counter is.
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
