//! The standard message header of FIX Simple Binary Encoding 1.0: it names the message that follows and gives the
//! length of its root block.

/// The header in front of an SBE message: four unsigned 16-bit integers, little-endian.
///
/// ```
/// use gannet_codecs_runtime::MessageHeader;
///
/// let header = MessageHeader { block_length: 11, template_id: 46, schema_id: 1, version: 9 };
/// let mut bytes = [0; MessageHeader::LENGTH];
/// header.encode(&mut bytes)?;
/// assert_eq!(bytes, [11, 0, 46, 0, 1, 0, 9, 0]);
/// assert_eq!(MessageHeader::decode(&bytes)?, header);
/// # Ok::<(), gannet_codecs_runtime::HeaderError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageHeader {
    /// The length of the root block in bytes, without this header, groups and variable-length data. A decoder advances
    /// by this number and not by the length in its own schema, so that newer writers can add fields.
    pub block_length: u16,
    /// The template id: which message of the schema follows.
    pub template_id: u16,
    /// The schema's id.
    pub schema_id: u16,
    /// The version of the schema that the writer used.
    pub version: u16,
}

/// The buffer is too short for a message header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderError {
    /// The buffer's length in bytes.
    pub found: usize,
}

impl core::fmt::Display for HeaderError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "a message header takes {} bytes, and the buffer has {}", MessageHeader::LENGTH, self.found)
    }
}

impl core::error::Error for HeaderError {}

impl MessageHeader {
    /// The header's length in bytes.
    pub const LENGTH: usize = 8;

    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] when `bytes` has fewer than [`Self::LENGTH`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some((header, _)) = bytes.split_first_chunk::<{ Self::LENGTH }>() else {
            return Err(HeaderError { found: bytes.len() });
        };
        let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        Ok(Self { block_length: word(0), template_id: word(2), schema_id: word(4), version: word(6) })
    }

    /// Writes the header to the start of `bytes`.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] when `bytes` has fewer than [`Self::LENGTH`] bytes. Nothing is written then.
    pub fn encode(&self, bytes: &mut [u8]) -> Result<(), HeaderError> {
        let found = bytes.len();
        let Some(header) = bytes.first_chunk_mut::<{ Self::LENGTH }>() else {
            return Err(HeaderError { found });
        };
        let words = [self.block_length, self.template_id, self.schema_id, self.version];
        for (to, word) in header.chunks_exact_mut(2).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_buffer_is_refused_and_left_alone() {
        let header = MessageHeader { block_length: 1, template_id: 2, schema_id: 3, version: 4 };
        let mut bytes = [0xAA; 7];
        assert_eq!(header.encode(&mut bytes), Err(HeaderError { found: 7 }));
        assert_eq!(bytes, [0xAA; 7]);
        assert_eq!(MessageHeader::decode(&bytes), Err(HeaderError { found: 7 }));
    }

    #[test]
    fn what_follows_the_header_is_not_read() {
        let bytes = [1, 0, 2, 0, 3, 0, 0xFF, 0xFF, 9, 9];
        let header = MessageHeader { block_length: 1, template_id: 2, schema_id: 3, version: u16::MAX };
        assert_eq!(MessageHeader::decode(&bytes), Ok(header));
    }
}
