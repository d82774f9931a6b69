//! Generates the enums of all messages of a schema, for code that handles any message: one of decoders, and one of
//! owned forms if those are requested. Called once for each schema.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::documentation::words;
use super::names::{Scope, camel};
use super::options::Options;
use super::primitive::literal;
use super::serde_attributes::derives;
use crate::schema::Message;

/// The enum of all messages, with a variant for unknown template ids.
pub(super) fn any(decoders: &[(Ident, Ident, &Message)], options: &Options) -> TokenStream {
    let mut scope = Scope::with(&["Unknown"]);
    let (mut variants, mut reads, mut shows, mut rewrites) = (vec![], vec![], vec![], vec![]);
    let mut owned_forms = Vec::new();
    for (decoder, owned, message) in decoders {
        let variant = scope.take(camel(&message.name));
        let note = format!("`{}`.", words(&message.name));
        owned_forms.push((variant.clone(), decoder.clone(), owned.clone()));
        variants.push(quote!(#[doc = #note] #variant(#decoder<'a>)));
        let read = quote!(Self::#variant(#decoder::wrap(body, header.block_length, header.version)?));
        reads.push(if message.notes.since > 0 {
            let since = literal(message.notes.since);
            quote!(#decoder::TEMPLATE_ID => { header.not_before(#since)?; #read })
        } else {
            quote!(#decoder::TEMPLATE_ID => #read)
        });
        shows.push(quote!(Self::#variant(message) => core::fmt::Display::fmt(message, f)));
        rewrites.push(quote!(Self::#variant(message) => message.rewrite(buffer).map(Some)));
    }
    let owned = options.owned.then(|| any_owned(options, &owned_forms));
    quote! {
        /// Any message of the schema.
        #[derive(Clone, Copy, Debug)]
        #[allow(clippy::large_enum_variant)]
        pub enum AnyMessage<'a> {
            #(#variants,)*
            /// A message that this version of the schema does not have.
            Unknown {
                /// Its header.
                header: Header,
                /// What is behind the header.
                body: &'a [u8],
            },
        }

        impl<'a> AnyMessage<'a> {
            /// Reads whatever message `bytes` start with, header included.
            ///
            /// # Errors
            ///
            /// The message is of another schema, or of a version that did not have it yet; or the bytes end before it does.
            pub fn decode(bytes: &'a [u8]) -> Result<Self, runtime::DecodeError> {
                let (header, body) = Header::read_ours(bytes)?;
                Ok(match header.template_id {
                    #(#reads,)*
                    _ => Self::Unknown { header, body },
                })
            }

            /// Writes the message again, header included, as this version of the schema has it; `None` for one that it
            /// does not have.
            ///
            /// # Errors
            ///
            /// The buffer is too short, or the message has more than its schema allows.
            pub fn rewrite(&self, buffer: &mut [u8]) -> Result<Option<usize>, runtime::EncodeError> {
                match self {
                    #(#rewrites,)*
                    Self::Unknown { .. } => Ok(None),
                }
            }
        }

        impl core::fmt::Display for AnyMessage<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self {
                    #(#shows,)*
                    Self::Unknown { .. } => f.write_str("null"),
                }
            }
        }

        #owned
    }
}

/// The enum of all messages in their owned forms. `messages` has the variant, the decoder and the owned form of each.
fn any_owned(options: &Options, messages: &[(Ident, Ident, Ident)]) -> TokenStream {
    let derives = derives(options);
    let variants: Vec<_> = messages.iter().map(|(variant, ..)| variant).collect();
    let decoders: Vec<_> = messages.iter().map(|(_, decoder, _)| decoder).collect();
    let owned: Vec<_> = messages.iter().map(|(.., owned)| owned).collect();
    let notes = variants.iter().map(|variant| format!("As `AnyMessage::{variant}`."));
    quote! {
        /// Any message of the schema, in its owned form.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant)]
        #derives
        pub enum AnyMessageOwned {
            #(#[doc = #notes] #variants(#owned),)*
            /// A message that this version of the schema does not have.
            Unknown {
                /// Its header.
                header: Header,
                /// What is behind the header.
                body: runtime::Vec<u8>,
            },
        }

        impl AnyMessageOwned {
            /// Reads whatever message `bytes` start with, header included.
            ///
            /// # Errors
            ///
            /// The message is of another schema, or of a version that did not have it yet; or the bytes end before it does.
            pub fn decode(bytes: &[u8]) -> Result<Self, runtime::DecodeError> {
                let (header, body) = Header::read_ours(bytes)?;
                Ok(match header.template_id {
                    #(#decoders::TEMPLATE_ID => Self::#variants(#owned::decode(bytes)?),)*
                    _ => Self::Unknown { header, body: body.to_vec() },
                })
            }

            /// Bytes that the message takes when it is written; none for one that this version of the schema does not have.
            #[must_use]
            pub fn encoded_length(&self) -> usize {
                match self {
                    #(Self::#variants(message) => message.encoded_length(),)*
                    Self::Unknown { .. } => 0,
                }
            }

            /// Writes the message to the start of `buffer`, header included, and returns its length; `None` for one that this
            /// version of the schema does not have.
            ///
            /// # Errors
            ///
            /// The buffer is too short, or the message has more than its schema allows.
            pub fn encode(&self, buffer: &mut [u8]) -> Result<Option<usize>, runtime::EncodeError> {
                match self {
                    #(Self::#variants(message) => message.encode(buffer).map(Some),)*
                    Self::Unknown { .. } => Ok(None),
                }
            }
        }

        impl From<AnyMessage<'_>> for AnyMessageOwned {
            fn from(from: AnyMessage<'_>) -> Self {
                match from {
                    #(AnyMessage::#variants(message) => Self::#variants(message.into()),)*
                    AnyMessage::Unknown { header, body } => Self::Unknown { header, body: body.to_vec() },
                }
            }
        }
    }
}
