//! Variable-length data of a level: how a checked decoder reads it, and how an encoder writes it. `in_order` has how it
//! is read in order.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::decoder::Front;
use super::{Level, Parts, has_block};
use crate::generate::documentation::{doc, words};
use crate::generate::names::{Scope, snake, with_suffix};
use crate::generate::primitive::{bound, charset, literal, rust};
use crate::schema::Data;

impl Level<'_> {
    /// Adds the code of the data fields to the parts of their level.
    pub(super) fn data(&self, scope: &mut Scope, front: &Front, parts: &mut Parts) {
        let own = &self.encoder;
        let own_block = if has_block(self.body) { quote!(block: self.block,) } else { TokenStream::new() };
        for (at, data) in self.body.data.iter().enumerate() {
            let stage = self.body.groups.len() + at;
            let (here, next) = (Literal::usize_unsuffixed(stage), Literal::usize_unsuffixed(stage + 1));
            let method = scope.take_all(snake(&data.name), &["_str"]);
            let (name, newer) = (&data.name, data.notes.since > 0);
            let note = doc(&data.notes, &format!("Data `{name}`."), &format!("Data id {}.", data.id));
            let Some((length, most)) = data_length(data) else { continue };
            let encoding = data.body_type().and_then(|body| body.character_encoding.as_deref());
            let charset = charset(encoding);
            let read = quote!(reader.take_data::<#length, Order>(#name)?);
            let (ty, read) = if newer {
                parts.uses_version = true;
                let since = literal(data.notes.since);
                (quote!(Option<&'a [u8]>), quote!(if version >= #since { Some(#read) } else { None }))
            } else {
                (quote!(&'a [u8]), read)
            };
            parts.steps.push(self.data_step(stage, &method, &note, &ty, newer, &read, &front.carried));
            parts.held.push((method.clone(), ty.clone(), read));
            parts.checked_getters.push(quote! {
                #note
                #[inline]
                #[must_use]
                pub fn #method(&self) -> #ty { self.rest.#method }
            });
            if encoding.is_some() {
                let str_method = with_suffix(&method, "_str");
                let (ty, get) = if newer {
                    (
                        quote!(Option<Result<&'a str, core::str::Utf8Error>>),
                        quote!(self.rest.#method.map(core::str::from_utf8)),
                    )
                } else {
                    (quote!(Result<&'a str, core::str::Utf8Error>), quote!(core::str::from_utf8(self.rest.#method)))
                };
                let str_note = format!(" {}", words(&format!("`{name}` as text.")));
                parts.checked_getters.push(quote! {
                    #[doc = #str_note]
                    ///
                    /// # Errors
                    ///
                    /// The bytes are not UTF-8.
                    pub fn #str_method(&self) -> #ty { #get }
                });
            }
            parts.json.push(if newer {
                quote!(object.present(#name, self.rest.#method.map(|bytes| runtime::json::Data(bytes, #charset)))?;)
            } else {
                quote!(object.field(#name, &runtime::json::Data(self.rest.#method, #charset))?;)
            });
            parts.owned.data(self.options, &note, data, &method, newer);
            let value = if newer { quote!(self.#method().unwrap_or_default()) } else { quote!(self.#method()) };
            parts.rewrites.push(quote!(let encoder = encoder.#method(#value)?;));
            parts.stages.push(quote! {
                impl<'a> #own<'a, #here> {
                    #note
                    ///
                    /// # Errors
                    ///
                    /// The data is longer than its length can say, or than the buffer.
                    #[inline]
                    pub fn #method(self, value: impl AsRef<[u8]>) -> Result<#own<'a, #next>, runtime::EncodeError> {
                        let mut writer = self.writer;
                        writer.put_data::<#length, Order>(#name, value.as_ref(), #most)?;
                        Ok(#own { #own_block writer })
                    }
                }
            });
        }
    }
}

/// The type of a data field's length, and the maximum length.
fn data_length(data: &Data) -> Option<(TokenStream, TokenStream)> {
    let length = data.length_type()?;
    let most = length.applicable_max().as_int().and_then(|most| u64::try_from(most).ok()).unwrap_or(0);
    Some((rust(length.primitive), bound(most)))
}
