//! The common part of commands and events: each kind is an enum of bodies, which its type ids distinguish.

/// Declares the enum of all messages of a kind, with their type ids and the reference's names, and their codec.
macro_rules! messages {
    (
        $(#[$kind_doc:meta])*
        $noun:literal $kind:ident {
            $($(#[$doc:meta])* $name:ident($body:ty) = $type_id:literal, $text:literal;)+
        }
    ) => {
        $(#[$kind_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $kind<'a> {
            $($(#[$doc])* $name($body),)+
        }

        impl<'a> $kind<'a> {
            #[doc = concat!("Reads the payload of a record with the type id `type_id`. Bytes after the ", $noun, " are ignored.")]
            ///
            /// # Errors
            ///
            #[doc = concat!("[`MalformedCommand`] if no ", $noun, " has this type id, if the record is too short for it, or if a")]
            /// length within it is negative or runs past the record.
            pub fn decode(type_id: i32, bytes: &'a [u8]) -> Result<Self, MalformedCommand> {
                match type_id {
                    $($type_id => Body::load(&Found::new($text, bytes)).map(Self::$name),)+
                    type_id => Err(MalformedCommand::UnknownType { type_id }),
                }
            }

            /// The type id of the record.
            pub const fn type_id(&self) -> i32 {
                match self {
                    $(Self::$name(_) => $type_id,)+
                }
            }

            #[doc = concat!("The reference's name for the ", $noun, ".")]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $text,)+
                }
            }

            /// The number of bytes that [`Self::encode`] writes.
            pub fn encoded_length(&self) -> usize {
                match self {
                    $(Self::$name(body) => body.encoded_length(),)+
                }
            }

            /// Encodes the message at the start of `buffer`. Returns its length.
            ///
            /// # Errors
            ///
            /// [`EncodeError`] if the buffer is too short, or a text is too long for an `i32` length.
            pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
                match self {
                    $(Self::$name(body) => encode($text, body, buffer),)+
                }
            }
        }
    };
}

pub(super) use messages;
