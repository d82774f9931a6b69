//! Generates the header in front of every message, which all decoders and encoders of a schema read, check and write.
//! Called once for each schema.

use proc_macro2::TokenStream;
use quote::quote;

use super::framing::{blank, framing_read, framing_writes};
use super::options::Options;
use super::primitive::literal;
use super::serde_attributes::derives;
use crate::schema::{Presence, Schema};

/// The code of the header's struct.
pub(super) fn header(schema: &Schema, options: &Options) -> TokenStream {
    let derives = derives(options);
    let length = literal(schema.header.length);
    let bytes = quote!(bytes);
    // A member that is constant is neither read nor written.
    let sent = |name| schema.header.number(name).is_some_and(|(_, encoding)| encoding.presence != Presence::Constant);
    let any_sent = ["blockLength", "templateId", "schemaId", "version"].into_iter().any(sent);
    let unless = |used: bool, name: TokenStream| if used { name } else { quote!(_) };
    let read_from = unless(any_sent, quote!(bytes));
    let written_to = unless(schema.header.length > 0, quote!(bytes));
    let given_block_length = unless(sent("blockLength"), quote!(block_length));
    let given_template_id = unless(sent("templateId"), quote!(template_id));
    let read = |member| framing_read(&schema.header, member, &bytes);
    let (block_length, template_id, schema_id, version) =
        (read("blockLength"), read("templateId"), read("schemaId"), read("version"));
    let writes = framing_writes(
        &schema.header,
        &bytes,
        &[
            ("blockLength", quote!(runtime::Primitive::from_length(block_length))),
            ("templateId", quote!(runtime::Primitive::from_length(template_id))),
            ("schemaId", quote!(runtime::Primitive::from_length(SCHEMA_ID as usize))),
            ("version", quote!(runtime::Primitive::from_length(SCHEMA_VERSION as usize))),
        ],
    );
    let blank = blank(&schema.header, &bytes, &["blockLength", "templateId", "schemaId", "version"]);
    quote! {
        /// What stands in front of every message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #derives
        pub struct Header {
            /// Bytes of the block, as the writer laid it out.
            pub block_length: usize,
            /// Which message follows.
            pub template_id: u32,
            /// Which schema it is of.
            pub schema_id: u32,
            /// The version of the schema that the writer used.
            pub version: u32,
        }

        impl Header {
            /// Bytes of a header.
            pub const LENGTH: usize = #length;

            /// Reads the header at the start of `bytes`, and gives what is behind it.
            ///
            /// # Errors
            ///
            /// The bytes are too few.
            #[inline]
            pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), runtime::DecodeError> {
                let mut reader = runtime::Reader::new(bytes);
                let #read_from = reader.take_array::<#length>("message header")?;
                let header = Self {
                    block_length: #block_length,
                    template_id: runtime::id(#template_id),
                    schema_id: runtime::id(#schema_id),
                    version: runtime::id(#version),
                };
                Ok((header, reader.rest()))
            }

            /// As `read`, of a message of this schema.
            #[inline]
            fn read_ours(bytes: &[u8]) -> Result<(Self, &[u8]), runtime::DecodeError> {
                let (header, body) = Self::read(bytes)?;
                if header.schema_id != SCHEMA_ID {
                    return Err(runtime::DecodeError::OtherSchema { found: header.schema_id, expected: SCHEMA_ID });
                }
                Ok((header, body))
            }

            /// As `read_ours`, of one kind of message, which the schema has `since` some version.
            #[inline]
            fn read_of(bytes: &[u8], expected: u32, since: u32) -> Result<(Self, &[u8]), runtime::DecodeError> {
                let (header, body) = Self::read_ours(bytes)?;
                if header.template_id != expected {
                    return Err(runtime::DecodeError::OtherTemplate { found: header.template_id, expected });
                }
                header.not_before(since)?;
                Ok((header, body))
            }

            /// Refuses a version of the schema that did not have the message yet.
            #[inline]
            fn not_before(&self, since: u32) -> Result<(), runtime::DecodeError> {
                if self.version < since {
                    return Err(runtime::DecodeError::OlderVersion { found: self.version, since });
                }
                Ok(())
            }

            #[inline]
            fn write(
                writer: &mut runtime::Writer<'_>,
                #given_block_length: usize,
                #given_template_id: usize,
            ) -> Result<(), runtime::EncodeError> {
                let #written_to = writer.take::<#length>("message header")?;
                #blank
                #writes
                Ok(())
            }
        }
    }
}
