//! A trait that generated code implements for each message of a schema, for code that handles any of them, such as
//! clients that send and receive messages.

use core::fmt::{Debug, Display};

use crate::error::{DecodeError, EncodeError};

/// A message of a schema. Generated code has a type for each message that is only a name and ties the message's codecs
/// together:
///
/// ```
/// use gannet_codecs_runtime::{DecodeError, Message};
///
/// fn show<M: Message>(bytes: &[u8]) -> Result<String, DecodeError> {
///     Ok(format!("{} {}", M::NAME, M::decode(bytes)?))
/// }
/// ```
pub trait Message {
    /// Reads the message's fields, groups and data in any order.
    type Decoder<'a>: Copy + Debug + Display;
    /// Reads the message from front to back, each part once. It is faster where groups are nested.
    type InOrder<'a>: Copy + Debug;
    /// Writes the message.
    type Encoder<'a>;

    /// The message's name in the schema.
    const NAME: &'static str;
    /// The schema's id, which every header carries.
    const SCHEMA_ID: u32;
    /// The version of the schema that encoders write.
    const SCHEMA_VERSION: u32;
    /// The template id in the header of such messages.
    const TEMPLATE_ID: u32;
    /// The first version of the schema that had the message.
    const SINCE: u32;

    /// Reads a message with its header, and checks that all of it is there.
    ///
    /// # Errors
    ///
    /// The header names another schema or message, or a version that did not have the message yet; or the bytes end
    /// before the message does.
    fn decode(bytes: &[u8]) -> Result<Self::Decoder<'_>, DecodeError>;

    /// Reads a message with its header. Groups and data are checked when they are reached.
    ///
    /// # Errors
    ///
    /// The header names another schema or message, or a version that did not have the message yet; or the bytes end
    /// inside the block.
    fn in_order(bytes: &[u8]) -> Result<Self::InOrder<'_>, DecodeError>;

    /// Starts a message at the start of `buffer`, header included.
    ///
    /// # Errors
    ///
    /// The buffer cannot hold the header and the block.
    fn encode(buffer: &mut [u8]) -> Result<Self::Encoder<'_>, EncodeError>;
}
