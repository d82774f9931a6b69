//! A schema to Rust: readable code without `unsafe`, without allocation and with no dependency but the runtime crate.
//! Called by build scripts and by the command line. Writes no file itself: see [`crate::build`].

mod message;
mod names;
mod owned;
mod types;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::schema::{ByteOrder, Message, Notes, Schema};
use message::{blank, framing_read, framing_writes};
use names::Scope;
use types::{Types, literal};

/// How code is generated.
#[derive(Clone, Debug)]
pub struct Options {
    /// The path by which generated code finds the runtime crate.
    pub runtime: String,
    /// Whether there are owned forms of messages too: structs that outlive the bytes they were read from. They need the runtime
    /// crate's feature `alloc`.
    pub owned: bool,
    /// Whether owned forms, and the types that fields have, implement serde's traits. They need the runtime crate's feature
    /// `serde`.
    pub serde: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { runtime: "::gannet_codecs_runtime".to_owned(), owned: false, serde: false }
    }
}

/// Why no code came of a schema.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// [`Options::runtime`] is not a path.
    #[error("`{0}` is not a path to the runtime crate")]
    Runtime(String),
    /// What was generated is not Rust: a fault of the generator.
    #[error("the generated code is not Rust, which is a fault of the generator: {0}")]
    NotRust(#[source] syn::Error),
}

/// The code for a whole schema: the content of one module, to be put anywhere.
///
/// # Errors
///
/// The path to the runtime crate is none.
pub fn generate(schema: &Schema, options: &Options) -> Result<String, GenerateError> {
    let runtime: syn::Path =
        syn::parse_str(&options.runtime).map_err(|_| GenerateError::Runtime(options.runtime.clone()))?;
    let mut types = Types::new(schema, options);
    let mut type_scope = Scope::with(&["AnyMessage", "AnyMessageOwned", "Header", "Order"]);
    let mut module_scope = Scope::with(&["runtime", "types", "core"]);
    let (mut messages, mut decoders) = (Vec::new(), Vec::new());
    for message in &schema.messages {
        let (code, decoder, owned) =
            message::message(options, schema, &mut types, message, &mut type_scope, &mut module_scope);
        messages.push(code);
        decoders.push((decoder, owned, message));
    }
    let order = match schema.byte_order {
        ByteOrder::LittleEndian => quote!(runtime::LittleEndian),
        ByteOrder::BigEndian => quote!(runtime::BigEndian),
    };
    let (id, version, package) = (literal(schema.id), literal(schema.version), &schema.package);
    let header = header(schema, options);
    let any = any(&decoders, options);
    let declared = &types.code;
    let file = quote! {
        use #runtime as runtime;

        /// The byte order of every value.
        pub type Order = #order;

        /// The schema's package.
        pub const PACKAGE: &str = #package;
        /// The schema's id, which every header carries.
        pub const SCHEMA_ID: u32 = #id;
        /// The version of the schema that encoders write.
        pub const SCHEMA_VERSION: u32 = #version;

        #header
        #any
        #(#messages)*

        /// The types that fields have.
        pub mod types {
            #[allow(unused_imports)]
            use super::{Order, runtime};
            #(#declared)*
        }
    };
    let file = syn::parse2(file).map_err(GenerateError::NotRust)?;
    let mut code =
        format!("// SBE codecs of package `{}`, schema {}, version {}. ", words(package), schema.id, schema.version);
    code.push_str("Generated from the schema: change that, not this.\n\n");
    code.push_str(&prettyplease::unparse(&file));
    Ok(code)
}

fn header(schema: &Schema, options: &Options) -> TokenStream {
    let derives = owned::derives(options);
    let length = literal(schema.header.length);
    let bytes = quote!(bytes);
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
                let bytes = reader.take_array::<#length>("message header")?;
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
                if header.version < since {
                    return Err(runtime::DecodeError::OlderVersion { found: header.version, since });
                }
                Ok((header, body))
            }

            #[inline]
            fn write(
                writer: &mut runtime::Writer<'_>,
                block_length: usize,
                template_id: usize,
            ) -> Result<(), runtime::EncodeError> {
                let bytes = writer.take::<#length>("message header")?;
                #blank
                #writes
                Ok(())
            }
        }
    }
}

/// The enum of all messages, with what to do when the template id is none of theirs.
fn any(decoders: &[(Ident, Ident, &Message)], options: &Options) -> TokenStream {
    let mut scope = Scope::with(&["Unknown"]);
    let (mut variants, mut reads, mut shows, mut rewrites) = (vec![], vec![], vec![], vec![]);
    let mut owned_forms = Vec::new();
    for (decoder, owned, message) in decoders {
        let variant = scope.take(names::camel(&message.name));
        let note = format!("`{}`.", words(&message.name));
        owned_forms.push((variant.clone(), decoder.clone(), owned.clone()));
        variants.push(quote!(#[doc = #note] #variant(#decoder<'a>)));
        reads.push(quote! {
            #decoder::TEMPLATE_ID => Self::#variant(#decoder::wrap(body, header.block_length, header.version)?)
        });
        shows.push(quote!(Self::#variant(message) => core::fmt::Display::fmt(message, f)));
        rewrites.push(quote!(Self::#variant(message) => message.rewrite(buffer).map(Some)));
    }
    let owned = options.owned.then(|| owned::any(options, &owned_forms));
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
            /// The message is of another schema, or the bytes end before it does.
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

/// Documentation from what the schema says, or else `fallback`, with `facts` below it.
fn doc(notes: &Notes, fallback: &str, facts: &str) -> TokenStream {
    let described = notes.description.as_deref().map(words).filter(|text| !text.is_empty());
    let text = match described {
        Some(text) => format!(" {text}"),
        None => format!(" {}", words(fallback)),
    };
    if facts.is_empty() {
        return quote!(#[doc = #text]);
    }
    let facts = format!(" {facts}");
    quote!(#[doc = #text] #[doc = ""] #[doc = #facts])
}

/// Text of a schema on one line, with nothing in it that documentation would take for markup or a compiler for a trick:
/// characters that turn the direction of what follows are left out, as is whatever cannot be seen.
fn words(text: &str) -> String {
    let code = text.matches('`').count().is_multiple_of(2) && !text.contains("``");
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            {
                continue;
            }
            if matches!(c, '[' | ']' | '<' | '>' | '*' | '#' | '|' | '\\' | '~') || (c == '`' && !code) {
                line.push('\\');
            }
            line.push(c);
        }
    }
    line
}
