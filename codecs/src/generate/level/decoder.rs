//! Generates a level's checked decoder. Making the decoder walks all of the message or entry; afterwards no call can
//! fail. `in_order` generates the same type reading in order.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::field::Member;
use super::{Level, Parts, is_flat};
use crate::generate::documentation::{doc, words};
use crate::generate::primitive::literal;
use crate::schema::Message;

/// The code that a decoder has at every stage.
pub(super) struct Front {
    /// Its fields.
    pub(super) fields: TokenStream,
    /// The fields' values when they have just been read.
    pub(super) values: TokenStream,
    /// The fields' values when they come from the previous stage.
    pub(super) carried: TokenStream,
    /// The code that takes the block.
    pub(super) take: TokenStream,
    /// Whether some fields are sent by every version.
    pub(super) has_old: bool,
    /// Whether some fields are sent only by newer writers.
    pub(super) has_new: bool,
}

impl Level<'_> {
    /// The decoder: its struct, its methods once it is checked, and the fields that it has at every stage.
    pub(super) fn decoder_code(&self, front: &Front, oldest: u32, parts: &Parts) -> TokenStream {
        let decoder = &self.decoder;
        let (structs, generic) = if self.is_staged() {
            (self.staged_structs(front, parts), quote!(<'a, R>))
        } else {
            let (note, fields) = (self.decoder_note(), &front.fields);
            let structs = quote! {
                #note
                #[derive(Clone, Copy)]
                pub struct #decoder<'a> { #fields }
            };
            (structs, quote!(<'a>))
        };
        let Parts { constants, getters, checked_getters, json, .. } = parts;
        let message = self.message.map(|message| self.message_decoder(message, oldest, front, parts));
        let rewrite = self.rewrite(parts);
        let fields_code = (!getters.is_empty()).then(|| {
            quote! {
                impl #generic #decoder #generic { #(#getters)* }
            }
        });
        let entry = self.message.is_none().then(|| self.entry_decoder(oldest, front, parts));
        let shown_name = format!("{} ", self.name);
        quote! {
            #structs

            impl<'a> #decoder<'a> {
                #(#constants)*
                #message
                #(#checked_getters)*
                #rewrite
            }

            #fields_code

            #entry

            impl runtime::json::Json for #decoder<'_> {
                fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    #[allow(unused_mut)]
                    let mut object = runtime::json::Object::new(f)?;
                    #(#json)*
                    object.end()
                }
            }

            impl core::fmt::Display for #decoder<'_> {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    runtime::json::Json::json(self, f)
                }
            }

            impl core::fmt::Debug for #decoder<'_> {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    f.write_str(#shown_name)?;
                    core::fmt::Display::fmt(self, f)
                }
            }
        }
    }

    fn decoder_note(&self) -> TokenStream {
        doc(self.notes, &format!("`{}`, to be read.", self.name), "")
    }

    /// The structs of a decoder with groups or data behind its block. `R` says what is known about those.
    fn staged_structs(&self, front: &Front, parts: &Parts) -> TokenStream {
        let (decoder, rest, fields) = (&self.decoder, &self.rest, &front.fields);
        let note = self.decoder_note();
        let held = parts.held.iter().map(|(held, ty, _)| quote!(#held: #ty,));
        let length = self.message.map(|_| quote!(length: usize,));
        let lifetime = if parts.held.is_empty() { TokenStream::new() } else { quote!(<'a>) };
        let rest_note = format!(" {}", words(&format!("What is behind the block of `{}`, checked.", self.name)));
        let stages = self.stages(&parts.steps);
        quote! {
            #note
            #[derive(Clone, Copy)]
            pub struct #decoder<'a, R = #rest #lifetime> { #fields rest: R }

            #[doc = #rest_note]
            #[derive(Clone, Copy)]
            pub struct #rest #lifetime { #(#held)* #length }

            #stages
        }
    }

    /// The methods that only a message's decoder has: how it starts, with and without a header.
    fn message_decoder(&self, message: &Message, oldest: u32, front: &Front, parts: &Parts) -> TokenStream {
        let (rest, name) = (&self.rest, self.name);
        let (template, block_length) = (literal(message.id), literal(self.body.block_length));
        let since = literal(message.notes.since);
        let Front { values, take, .. } = front;
        let (reads, held, version) = (reads(parts), held(parts), version(parts));
        let in_order = self.in_order_code(message, oldest, front);
        quote! {
            /// The id in the header of such messages.
            pub const TEMPLATE_ID: u32 = #template;
            /// The message's name in the schema.
            pub const NAME: &'static str = #name;
            /// Bytes of the block that this version of the schema writes.
            pub const BLOCK_LENGTH: usize = #block_length;

            /// Reads a message behind its header, and checks that all of it is there: what is asked of it then cannot fail,
            /// in any order and as often as one likes.
            ///
            /// # Errors
            ///
            /// The header is of another schema or message, or of a version that did not have it yet; or the bytes end before
            /// the message does.
            #[inline]
            pub fn decode(bytes: &'a [u8]) -> Result<Self, runtime::DecodeError> {
                let (header, body) = Header::read_of(bytes, #template, #since)?;
                Self::wrap(body, header.block_length, header.version)
            }

            /// Reads a message without a header, of which the writer's block length and version are known.
            ///
            /// # Errors
            ///
            /// The bytes end before the message does.
            #[inline]
            pub fn wrap(body: &'a [u8], block_length: usize, #version: u32) -> Result<Self, runtime::DecodeError> {
                let mut all = runtime::Reader::new(body);
                let reader = &mut all;
                #take
                #reads
                let length = body.len() - all.rest().len();
                Ok(Self { #values rest: #rest { #(#held,)* length } })
            }

            #in_order

            /// Bytes that the message takes behind its header.
            #[inline]
            #[must_use]
            pub fn encoded_length(&self) -> usize {
                self.rest.length
            }
        }
    }

    /// How an entry is read: checked, and also in order if it has groups or data.
    fn entry_decoder(&self, oldest: u32, front: &Front, parts: &Parts) -> TokenStream {
        let (decoder, rest, name) = (&self.decoder, &self.rest, self.name);
        let (flat, oldest, block_length) = (is_flat(self.body), literal(oldest), literal(self.body.block_length));
        let Front { values, take, .. } = front;
        let (reads, held, version) = (reads(parts), held(parts), version(parts));
        let whole = if flat { quote!(Self { #values }) } else { quote!(Self { #values rest: #rest { #(#held),* } }) };
        let nested = (!flat).then(|| self.nested_entry(front));
        quote! {
            impl<'a> runtime::Entry<'a> for #decoder<'a> {
                const NAME: &'static str = #name;
                const OLDEST: usize = #oldest;
                const BLOCK: usize = #block_length;
                const FLAT: bool = #flat;

                #[inline]
                fn read(
                    reader: &mut runtime::Reader<'a>,
                    block_length: usize,
                    #version: u32,
                ) -> Result<Self, runtime::DecodeError> {
                    #take
                    #reads
                    Ok(#whole)
                }
            }

            #nested
        }
    }

    /// The code that a decoder has at every stage: its fields, and their values carried from one stage to the next.
    pub(super) fn front(&self, members: &[Member<'_>], oldest: u32) -> Front {
        let has_old = members.iter().any(|member| !member.newer);
        let has_new = members.iter().any(|member| member.newer);
        let (mut fields, mut values, mut carried) = (TokenStream::new(), TokenStream::new(), TokenStream::new());
        if has_old {
            let oldest = literal(oldest);
            fields.extend(quote!(block: &'a [u8; #oldest],));
            values.extend(quote!(block,));
            carried.extend(quote!(block: self.block,));
        }
        if has_new {
            fields.extend(quote!(full: &'a [u8], version: u32,));
            values.extend(quote!(full, version,));
            carried.extend(quote!(full: self.full, version: self.version,));
        }
        // A level that holds nothing of its bytes has a lifetime all the same, as its siblings do.
        if !has_old && !has_new {
            fields.extend(quote!(bytes: core::marker::PhantomData<&'a [u8]>,));
            values.extend(quote!(bytes: core::marker::PhantomData,));
            carried.extend(quote!(bytes: self.bytes,));
        }
        let (block, full) =
            (if has_old { quote!(block) } else { quote!(_block) }, if has_new { quote!(full) } else { quote!(_full) });
        let (oldest, name) = (literal(oldest), self.name);
        let take = quote!(reader.take_block::<#oldest>(block_length, #name)?);
        let take = quote!(let (#block, #full) = #take;);
        Front { fields, values, carried, take, has_old, has_new }
    }
}

/// The code that reads the groups and data behind the block, from front to back.
fn reads(parts: &Parts) -> TokenStream {
    let reads = parts.held.iter().map(|(held, _, read)| quote!(let #held = #read;));
    quote!(#(#reads)*)
}

/// The names of what was read behind the block.
fn held(parts: &Parts) -> Vec<&Ident> {
    parts.held.iter().map(|(held, ..)| held).collect()
}

/// The name of the parameter for the writer's version. It starts with an underscore if nothing uses it.
fn version(parts: &Parts) -> TokenStream {
    if parts.uses_version { quote!(version) } else { quote!(_version) }
}
