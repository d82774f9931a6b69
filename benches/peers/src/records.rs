//! The form in which `peer-sub` prints messages and `peer-pub` reads them, so that a test can compare streams byte for
//! byte.
//!
//! - Lines: one message per line, in lower-case hexadecimal; an empty line is a message of 0 bytes.
//! - Lengths: the length of each message as a little-endian `u32`, then its bytes.

use std::io::{self, BufRead, Read, Write};

/// The length of the longest message that Aeron supports, in bytes. A longer record is refused.
pub const MAX_MESSAGE_LENGTH: usize = 16 * 1024 * 1024;

/// The form of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// In hexadecimal, one message per line.
    HexLines,
    /// Each message behind its length.
    LengthPrefixed,
}

impl Format {
    /// Parses the name of a form as on the command line: `hex` or `raw`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "hex" => Some(Self::HexLines),
            "raw" => Some(Self::LengthPrefixed),
            _ => None,
        }
    }

    /// Writes one message.
    pub fn write(self, out: &mut impl Write, message: &[u8]) -> io::Result<()> {
        match self {
            Self::HexLines => {
                let mut line = Vec::with_capacity(message.len() * 2 + 1);
                for byte in message {
                    line.extend_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
                }
                line.push(b'\n');
                out.write_all(&line)
            }
            Self::LengthPrefixed => {
                let length = u32::try_from(message.len()).map_err(io::Error::other)?;
                out.write_all(&length.to_le_bytes())?;
                out.write_all(message)
            }
        }
    }

    /// Reads the next message. `None` at the end of the input. Refuses a torn or overlong record.
    pub fn read(self, input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::HexLines => {
                let mut line = String::new();
                let longest = 2 * MAX_MESSAGE_LENGTH as u64 + 1;
                if input.by_ref().take(longest).read_line(&mut line)? == 0 {
                    return Ok(None);
                }
                let digits = line.strip_suffix('\n').ok_or_else(|| invalid("a line without its end"))?;
                if digits.len() % 2 != 0 {
                    return Err(invalid("an odd number of hexadecimal digits"));
                }
                digits
                    .as_bytes()
                    .chunks_exact(2)
                    .map(|pair| Ok(value(pair[0])? << 4 | value(pair[1])?))
                    .collect::<io::Result<_>>()
                    .map(Some)
            }
            Self::LengthPrefixed => {
                if input.fill_buf()?.is_empty() {
                    return Ok(None);
                }
                let mut length = [0; 4];
                input.read_exact(&mut length)?;
                let length = u32::from_le_bytes(length) as usize;
                if length > MAX_MESSAGE_LENGTH {
                    return Err(invalid("a message longer than 16 MiB"));
                }
                let mut message = vec![0; length];
                input.read_exact(&mut message)?;
                Ok(Some(message))
            }
        }
    }
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

fn value(digit: u8) -> io::Result<u8> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(invalid("a character that is no lower-case hexadecimal digit")),
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_back_what_was_written() {
        let messages: [&[u8]; 4] = [b"", b"\x00", b"hello", &[0xff; 300]];
        for format in [Format::HexLines, Format::LengthPrefixed] {
            let mut written = Vec::new();
            for message in messages {
                format.write(&mut written, message).unwrap();
            }
            let mut input = written.as_slice();
            for message in messages {
                assert_eq!(format.read(&mut input).unwrap().as_deref(), Some(message), "{format:?}");
            }
            assert_eq!(format.read(&mut input).unwrap(), None, "{format:?}");
        }
    }

    #[test]
    fn torn_and_foreign_records_are_refused() {
        assert!(Format::HexLines.read(&mut b"00".as_slice()).is_err());
        assert!(Format::HexLines.read(&mut b"0\n".as_slice()).is_err());
        assert!(Format::HexLines.read(&mut b"0g\n".as_slice()).is_err());
        assert!(Format::LengthPrefixed.read(&mut b"\x02\0\0\0x".as_slice()).is_err());
        assert!(Format::LengthPrefixed.read(&mut b"\xff\xff\xff\xff".as_slice()).is_err());
    }
}
