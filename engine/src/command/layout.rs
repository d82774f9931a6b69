//! The layout of a control message in its record: fields at fixed offsets, little-endian, packed to 4 bytes; a text is
//! an `i32` length followed by as many bytes. The message files declare their fields with these types, and this file
//! knows none of the messages. The bytes come from another process, so every read is checked and none may panic.

/// A control message, command or event, is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedCommand {
    /// There is no message with this type id.
    #[error("no control message has type id {type_id:#x}")]
    UnknownType {
        /// The type id found in the record.
        type_id: i32,
    },
    /// The record is too short for a field of the message.
    #[error("{message} is too short: {field} needs {needed} bytes, the record has {found}")]
    TooShort {
        /// The message's name.
        message: &'static str,
        /// The first field that is not complete.
        field: &'static str,
        /// The number of bytes that the record needs for the field.
        needed: usize,
        /// The number of bytes in the record.
        found: usize,
    },
    /// The length of a text is negative or exceeds the record.
    #[error("{message} states {length} bytes of {field}, and {available} follow")]
    BadLength {
        /// The message's name.
        message: &'static str,
        /// The text with the invalid length.
        field: &'static str,
        /// The length found.
        length: i32,
        /// The number of bytes in the record after the length.
        available: usize,
    },
}

impl MalformedCommand {
    /// The error code with which a driver responds to such a message.
    pub const fn error_code(&self) -> super::ErrorCode {
        match self {
            Self::UnknownType { .. } => super::ErrorCode::UnknownCommandTypeId,
            Self::TooShort { .. } | Self::BadLength { .. } => super::ErrorCode::MalformedCommand,
        }
    }
}

/// Why a control message could not be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The buffer is shorter than the message.
    #[error("{message} takes {needed} bytes, the buffer has {available}")]
    NoRoom {
        /// The message's name.
        message: &'static str,
        /// The length of the message in bytes.
        needed: usize,
        /// The length of the buffer in bytes.
        available: usize,
    },
    /// The texts are too long for the length fields.
    #[error("{message} would take {needed} bytes, more than a record can state")]
    TooLong {
        /// The message's name.
        message: &'static str,
        /// The length of the message in bytes.
        needed: usize,
    },
}

/// The body of a control message. It does not contain the type id, because several messages share a body.
pub(super) trait Body<'a>: Sized {
    /// Decodes and checks all fields.
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand>;

    /// The number of bytes that [`Body::store`] writes.
    fn encoded_length(&self) -> usize;

    /// Encodes the fields into `bytes`, which is zeroed and [`Body::encoded_length`] long.
    fn store(&self, bytes: &mut [u8]);
}

/// Encodes `body` at the start of `buffer`. Returns its length. Gaps between fields are zeroed, so that no bytes of an
/// earlier message leave the process.
pub(super) fn encode<'a>(message: &'static str, body: &impl Body<'a>, buffer: &mut [u8]) -> Result<usize, EncodeError> {
    let needed = body.encoded_length();
    if i32::try_from(needed).is_err() {
        return Err(EncodeError::TooLong { message, needed });
    }
    let available = buffer.len();
    let bytes = buffer.get_mut(..needed).ok_or(EncodeError::NoRoom { message, needed, available })?;
    bytes.fill(0);
    body.store(bytes);
    Ok(needed)
}

/// A message in a record.
pub(super) struct Found<'a> {
    message: &'static str,
    bytes: &'a [u8],
}

impl<'a> Found<'a> {
    pub(super) const fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { message, bytes }
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    fn array<const N: usize>(&self, offset: usize, field: &'static str) -> Result<[u8; N], MalformedCommand> {
        self.bytes.get(offset..).and_then(<[u8]>::first_chunk).copied().ok_or(MalformedCommand::TooShort {
            message: self.message,
            field,
            needed: offset + N,
            found: self.bytes.len(),
        })
    }
}

macro_rules! number_field {
    ($(#[$doc:meta])* $name:ident($repr:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name {
            offset: usize,
            name: &'static str,
        }

        impl $name {
            pub(super) const fn at(offset: usize, name: &'static str) -> Self {
                Self { offset, name }
            }

            pub(super) const fn end(self) -> usize {
                self.offset + size_of::<$repr>()
            }

            pub(super) fn load(self, found: &Found<'_>) -> Result<$repr, MalformedCommand> {
                found.array(self.offset, self.name).map(<$repr>::from_le_bytes)
            }

            pub(super) fn store(self, bytes: &mut [u8], value: $repr) {
                bytes[self.offset..self.end()].copy_from_slice(&value.to_le_bytes());
            }
        }
    };
}

number_field!(
    /// An `i64` at a fixed offset, which need not be a multiple of 8.
    I64(i64)
);
number_field!(
    /// A `u64` at a fixed offset.
    U64(u64)
);
number_field!(
    /// An `i32` at a fixed offset.
    I32(i32)
);
number_field!(
    /// An `i16` at a fixed offset.
    I16(i16)
);
number_field!(
    /// A `u16` at a fixed offset.
    U16(u16)
);

/// A byte array at a fixed offset.
#[derive(Clone, Copy)]
pub(super) struct Array<const N: usize> {
    offset: usize,
    name: &'static str,
}

impl<const N: usize> Array<N> {
    pub(super) const fn at(offset: usize, name: &'static str) -> Self {
        Self { offset, name }
    }

    pub(super) const fn end(self) -> usize {
        self.offset + N
    }

    pub(super) fn load(self, found: &Found<'_>) -> Result<[u8; N], MalformedCommand> {
        found.array(self.offset, self.name)
    }

    pub(super) fn store(self, bytes: &mut [u8], value: [u8; N]) {
        bytes[self.offset..self.end()].copy_from_slice(&value);
    }
}

/// An `i32` length at a fixed offset and the bytes that follow it: a text, a key or a token.
#[derive(Clone, Copy)]
pub(super) struct Prefixed {
    length: I32,
}

impl Prefixed {
    pub(super) const fn at(offset: usize, name: &'static str) -> Self {
        Self { length: I32::at(offset, name) }
    }

    /// The second text of a message. Its length field is at the 4-aligned end of the first text, counted from the start
    /// of the message.
    pub(super) const fn after(self, first_length: usize, name: &'static str) -> Self {
        Self::at(self.end(first_length).next_multiple_of(size_of::<i32>()), name)
    }

    /// The offset of the length field.
    pub(super) const fn start(self) -> usize {
        self.length.offset
    }

    /// The offset after a content of `content_length` bytes.
    pub(super) const fn end(self, content_length: usize) -> usize {
        self.length.end() + content_length
    }

    pub(super) fn load<'a>(self, found: &Found<'a>) -> Result<&'a [u8], MalformedCommand> {
        let length = self.length.load(found)?;
        let rest = &found.bytes[self.length.end()..];
        // Trap 71: a negative length fails the conversion instead of becoming a huge unsigned one.
        usize::try_from(length).ok().and_then(|length| rest.get(..length)).ok_or(MalformedCommand::BadLength {
            message: found.message,
            field: self.length.name,
            length,
            available: rest.len(),
        })
    }

    pub(super) fn store(self, bytes: &mut [u8], content: &[u8]) {
        // `encode` has checked that the length of the whole message fits into an i32, so the length of each part does.
        self.length.store(bytes, content.len() as i32);
        bytes[self.length.end()..self.end(content.len())].copy_from_slice(content);
    }
}
