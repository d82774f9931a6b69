//! Generates a message: its level, and the marker type that generic code uses. Called for each message of a schema.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::documentation::doc;
use super::level::Level;
use super::names::{Scope, camel, snake};
use super::options::Options;
use super::primitive::literal;
use super::types::Types;
use crate::schema::{Message, Schema};

/// Adds a message's code, and returns the names of its decoder and of its owned form for the enums of all messages.
pub(super) fn message(
    options: &Options,
    schema: &Schema,
    types: &mut Types,
    message: &Message,
    type_scope: &mut Scope,
    module_scope: &mut Scope,
) -> (TokenStream, Ident, Ident) {
    let base = type_scope.take_all(camel(&message.name), &["Decoder", "Encoder", "Owned", "Rest"]);
    let level = Level::of_message(options, schema, message, &base, module_scope.take(snake(&message.name)));
    let (decoder, owned) = (level.decoder.clone(), level.owned.clone());
    let (code, marker) = (level.code(types), marker(message, &base, &level));
    (quote!(#marker #code), decoder, owned)
}

/// The marker type that stands for a message in generic code.
fn marker(message: &Message, base: &Ident, level: &Level<'_>) -> TokenStream {
    let note =
        doc(&message.notes, &format!("`{}`.", message.name), "The message's name, for code that serves any message.");
    let (decoder, encoder) = (&level.decoder, &level.encoder);
    let since = literal(message.notes.since);
    quote! {
        #note
        #[derive(Clone, Copy, Debug)]
        pub enum #base {}

        impl runtime::Message for #base {
            type Decoder<'a> = #decoder<'a>;
            type InOrder<'a> = #decoder<'a, runtime::InOrder<'a>>;
            type Encoder<'a> = #encoder<'a>;

            const NAME: &'static str = #decoder::NAME;
            const SCHEMA_ID: u32 = SCHEMA_ID;
            const SCHEMA_VERSION: u32 = SCHEMA_VERSION;
            const TEMPLATE_ID: u32 = #decoder::TEMPLATE_ID;
            const SINCE: u32 = #since;

            #[inline]
            fn decode(bytes: &[u8]) -> Result<#decoder<'_>, runtime::DecodeError> {
                #decoder::decode(bytes)
            }

            #[inline]
            fn in_order(bytes: &[u8]) -> Result<Self::InOrder<'_>, runtime::DecodeError> {
                #decoder::in_order(bytes)
            }

            #[inline]
            fn encode(buffer: &mut [u8]) -> Result<#encoder<'_>, runtime::EncodeError> {
                #encoder::wrap(buffer)
            }
        }
    }
}
