//! Resolution frames, by which drivers exchange their names and addresses. The name resolver writes and parses them.
//!
//! ```text
//!  0      1       2      4     8         12 or 24      14 or 26
//! | type | flags | port | age | address | name length | name, up to a multiple of 8     one entry; entries follow the header
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::header::{FrameHeader, HEADER_LENGTH, i32_at, put_i32};
use super::{FrameError, FrameType};

/// The maximum length of a name in an entry, in bytes.
pub const MAX_RESOLUTION_NAME_LENGTH: usize = 512;

/// The alignment of entries in bytes.
const ALIGNMENT: usize = 8;
const NAME_TO_IPV4: u8 = 1;
const NAME_TO_IPV6: u8 = 2;
const SELF: u8 = 0x80;

/// A datagram of entries. Each is checked when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution<'a> {
    entries: &'a [u8],
}

/// A driver's name and address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolutionEntry<'a> {
    /// Whether the entry describes the driver that sent it.
    pub is_self: bool,
    /// The driver's address.
    pub address: IpAddr,
    /// The port of the driver's resolver.
    pub port: u16,
    /// How long ago the driver was last heard of, in milliseconds.
    pub age_ms: i32,
    /// The name: 1 to 512 bytes. ASCII, unless a faulty peer sent something else.
    pub name: &'a [u8],
}

/// The entries of a datagram, in order. Ends after the first malformed one.
#[derive(Clone, Debug)]
pub struct ResolutionEntries<'a> {
    rest: &'a [u8],
}

/// Writes a datagram of entries.
#[derive(Debug)]
pub struct ResolutionWriter<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Resolution<'a> {
    /// Parses a datagram's header.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        FrameHeader::parse_as(datagram, FrameType::Resolution)?;
        Ok(Self { entries: &datagram[HEADER_LENGTH..] })
    }

    /// The entries.
    pub const fn entries(&self) -> ResolutionEntries<'a> {
        ResolutionEntries { rest: self.entries }
    }
}

impl<'a> Iterator for ResolutionEntries<'a> {
    type Item = Result<ResolutionEntry<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = ResolutionEntry::parse(self.rest);
        self.rest = match entry {
            // The last entry of a datagram need not be padded.
            Ok((_, length)) => self.rest.get(length..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(entry.map(|(entry, _)| entry))
    }
}

impl<'a> ResolutionEntry<'a> {
    /// The length of the entry in bytes: a multiple of 8.
    pub const fn length(&self) -> usize {
        let address = if self.address.is_ipv4() { 4 } else { 16 };
        (8 + address + 2 + self.name.len()).next_multiple_of(ALIGNMENT)
    }

    /// Parses the entry at the start of the bytes, which are the rest of the datagram. Also returns its aligned length.
    fn parse(bytes: &'a [u8]) -> Result<(Self, usize), FrameError> {
        let short = |least| FrameError::TooShort { found: bytes.len(), least };
        let (head, rest) = bytes.split_first_chunk::<8>().ok_or(short(8))?;
        let (address, rest): (IpAddr, _) = match head[0] {
            NAME_TO_IPV4 => {
                let (octets, rest) = rest.split_first_chunk::<4>().ok_or(short(12))?;
                (Ipv4Addr::from(*octets).into(), rest)
            }
            NAME_TO_IPV6 => {
                let (octets, rest) = rest.split_first_chunk::<16>().ok_or(short(24))?;
                (Ipv6Addr::from(*octets).into(), rest)
            }
            found => return Err(FrameError::OutOfRange { field: "resolution type", found: found.into() }),
        };
        let (name_length, rest) = rest.split_first_chunk::<2>().ok_or(short(bytes.len() - rest.len() + 2))?;
        let name_length = i16::from_le_bytes(*name_length);
        let name = usize::try_from(name_length)
            .ok()
            .filter(|length| (1..=MAX_RESOLUTION_NAME_LENGTH).contains(length))
            .and_then(|length| rest.get(..length))
            .ok_or(FrameError::OutOfRange { field: "name's length", found: name_length.into() })?;
        let entry = Self {
            is_self: head[1] & SELF != 0,
            address,
            port: u16::from_le_bytes([head[2], head[3]]),
            age_ms: i32_at(head, 4),
            name,
        };
        Ok((entry, entry.length()))
    }
}

impl<'a> ResolutionWriter<'a> {
    /// Starts a datagram with at most the length of the buffer.
    ///
    /// # Panics
    ///
    /// If the buffer is too short for a header.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        assert!(buffer.len() >= HEADER_LENGTH, "room for a header");
        Self { buffer, length: HEADER_LENGTH }
    }

    /// Adds an entry. Returns false, and adds nothing, if it does not fit, or if its name is empty or too long.
    pub fn add(&mut self, entry: &ResolutionEntry<'_>) -> bool {
        let is_name = (1..=MAX_RESOLUTION_NAME_LENGTH).contains(&entry.name.len());
        let Some(buffer) = self.buffer.get_mut(self.length..self.length + entry.length()).filter(|_| is_name) else {
            return false;
        };
        buffer.fill(0);
        buffer[0] = if entry.address.is_ipv4() { NAME_TO_IPV4 } else { NAME_TO_IPV6 };
        buffer[1] = if entry.is_self { SELF } else { 0 };
        buffer[2..4].copy_from_slice(&entry.port.to_le_bytes());
        put_i32(buffer, 4, entry.age_ms);
        let name_at = match entry.address {
            IpAddr::V4(address) => {
                buffer[8..12].copy_from_slice(&address.octets());
                14
            }
            IpAddr::V6(address) => {
                buffer[8..24].copy_from_slice(&address.octets());
                26
            }
        };
        buffer[name_at - 2..name_at].copy_from_slice(&(entry.name.len() as i16).to_le_bytes());
        buffer[name_at..name_at + entry.name.len()].copy_from_slice(entry.name);
        self.length += entry.length();
        true
    }

    /// Whether there are no entries.
    pub const fn is_empty(&self) -> bool {
        self.length == HEADER_LENGTH
    }

    /// Writes the header. Returns the datagram's length.
    pub fn finish(self) -> usize {
        let header = FrameHeader { frame_length: self.length as i32, flags: 0, frame_type: FrameType::Resolution };
        header.put(&mut self.buffer[..HEADER_LENGTH]);
        self.length
    }
}
