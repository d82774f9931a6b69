//! Fields and constants of a block: how a decoder reads each, how an encoder writes it, and how both show it. Called
//! for the level that has the block.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::{Level, Parts};
use crate::generate::constant::constant_value;
use crate::generate::documentation::{doc, facts, words};
use crate::generate::names::{Scope, screaming, snake, with_suffix};
use crate::generate::primitive::literal;
use crate::generate::types::{Slot, Types, mapped};
use crate::schema::{Constant, Field, Presence, Type};

/// A field as generated code has it.
pub(super) struct Member<'s> {
    pub(super) field: &'s Field,
    pub(super) method: Ident,
    pub(super) slot: Slot,
    /// Whether only newer writers send the field.
    pub(super) newer: bool,
}

impl Level<'_> {
    /// The fields that are sent. Constant fields become Rust constants, each with its JSON.
    pub(super) fn members(
        &self,
        types: &mut Types,
        scope: &mut Scope,
        constants: &mut Scope,
        parts: &mut Parts,
    ) -> Vec<Member<'_>> {
        let path = self.types_path();
        let mut members = Vec::new();
        for field in &self.body.fields {
            if field.presence == Presence::Constant {
                let name = constants.take(screaming(&field.name));
                let note = doc(&field.notes, &format!("`{}`, which is constant.", field.name), &facts(field));
                let slot = types.slot(&field.ty, Presence::Required, &path, &self.owner);
                let code = match (&field.ty, &field.constant) {
                    (Type::Enum(of), Some(Constant::Enum { value, .. })) => {
                        let ty = &slot.ty;
                        let value = types.enum_constant(of, value);
                        value.map(|value| (ty.clone(), quote!(#ty::#value), quote!(Self::#name)))
                    }
                    (Type::Encoding(encoding), Some(constant)) => constant_value(constant, encoding, &name),
                    _ => None,
                };
                if let Some((ty, value, shown)) = code {
                    let schema_name = &field.name;
                    parts.constants.push(quote!(#note pub const #name: #ty = #value;));
                    parts.json.push(quote!(object.field(#schema_name, &#shown)?;));
                } else {
                    parts.json.push(TokenStream::new());
                }
                continue;
            }
            let slot = types.slot(&field.ty, field.presence, &path, &self.owner);
            let suffixes: &[&str] = if slot.text.is_some() { &["_str", "_if_sent"] } else { &["_if_sent"] };
            let method = scope.take_all(snake(&field.name), suffixes);
            members.push(Member { field, method, slot, newer: field.since() > self.base });
        }
        members
    }

    /// The JSON of fields, and of the constants between them, in the order of the schema.
    pub(super) fn ordered_json(&self, members: &[Member<'_>], constants: Vec<TokenStream>) -> Vec<TokenStream> {
        let (mut members, mut constants) = (members.iter(), constants.into_iter());
        let mut ordered = Vec::new();
        for field in &self.body.fields {
            if field.presence == Presence::Constant {
                ordered.extend(constants.next());
                continue;
            }
            let Some(member) = members.next() else { continue };
            let (name, method) = (&field.name, &member.method);
            let shown = (member.slot.json)(&quote!(value));
            ordered.push(match (member.newer, member.slot.null.is_some()) {
                (false, false) => {
                    let shown = (member.slot.json)(&quote!(self.#method()));
                    quote!(object.field(#name, &#shown)?;)
                }
                (false, true) => {
                    let shown = mapped(&quote!(self.#method()), &shown);
                    quote!(object.field(#name, &#shown)?;)
                }
                (true, false) => {
                    let shown = mapped(&quote!(self.#method()), &shown);
                    quote!(object.present(#name, #shown)?;)
                }
                (true, true) => {
                    let sent = with_suffix(method, "_if_sent");
                    if shown.to_string() == "value" {
                        quote!(object.present(#name, self.#sent())?;)
                    } else {
                        let shown = mapped(&quote!(sent), &shown);
                        quote!(object.present(#name, self.#sent().map(|sent| #shown))?;)
                    }
                }
            });
        }
        ordered
    }

    /// Adds a field's code to the parts of its level. Every version sends the first `oldest` bytes of the block.
    pub(super) fn field(&self, member: &Member<'_>, oldest: u32, parts: &mut Parts) {
        let Member { field, method, slot, newer } = member;
        let (ty, length) = (&slot.ty, literal(slot.length));
        let note = doc(&field.notes, &format!("`{}`.", field.name), &facts(field));
        let (offset, since) = (literal(field.offset), literal(field.since()));
        let read = if *newer {
            parts.uses_version = true;
            (slot.read)(&quote!(part), 0, slot.length)
        } else {
            (slot.read)(&quote!(self.block), field.offset, oldest)
        };
        let part = quote!(let part = runtime::part::<#length>(self.full, #offset, self.version >= #since)?;);
        parts.getters.push(match (newer, &slot.null) {
            (false, None) => quote! {
                #note
                #[inline]
                #[must_use]
                pub fn #method(&self) -> #ty { #read }
            },
            (false, Some((_, is_null))) => {
                let test = is_null(&quote!(value));
                quote! {
                    #note
                    #[inline]
                    #[must_use]
                    pub fn #method(&self) -> Option<#ty> {
                        let value = #read;
                        if #test { None } else { Some(value) }
                    }
                }
            }
            (true, None) => quote! {
                #note
                #[inline]
                #[must_use]
                pub fn #method(&self) -> Option<#ty> { #part Some(#read) }
            },
            (true, Some((_, is_null))) => {
                let test = is_null(&quote!(value));
                let sent = with_suffix(method, "_if_sent");
                let sent_note = format!("As `{}`, telling none from not sent: the outer `None` is for writers whose version does not have it.", method);
                quote! {
                    #note
                    #[inline]
                    #[must_use]
                    pub fn #method(&self) -> Option<#ty> { self.#sent().flatten() }

                    #[doc = #sent_note]
                    #[inline]
                    #[must_use]
                    pub fn #sent(&self) -> Option<Option<#ty>> {
                        #part
                        let value = #read;
                        Some(if #test { None } else { Some(value) })
                    }
                }
            }
        });
        self.setter(member, &note, parts);
        parts.owned.field(self.options, &note, &field.name, method, slot, *newer);
    }

    /// How an encoder writes a field, from a value or from the field of a decoder.
    fn setter(&self, member: &Member<'_>, note: &TokenStream, parts: &mut Parts) {
        let Member { field, method, slot, newer } = member;
        let (ty, block_length) = (&slot.ty, self.body.block_length);
        let write = (slot.write)(&quote!(self.block), field.offset, block_length, &quote!(value));
        if let Some(text) = slot.text {
            let (at, n, text) = (literal(field.offset), literal(block_length), literal(text));
            let (str_method, name) = (with_suffix(method, "_str"), &field.name);
            let getter_ty = if *newer {
                quote!(Option<Result<&'a str, core::str::Utf8Error>>)
            } else {
                quote!(Result<&'a str, core::str::Utf8Error>)
            };
            let get = if *newer {
                quote!(self.#method().map(|text| runtime::fixed_text(text)))
            } else {
                quote!(runtime::fixed_text(self.#method()))
            };
            let str_note = format!(" {}", words(&format!("`{name}` as text: what is before the first NUL.")));
            parts.getters.push(quote! {
                #[doc = #str_note]
                ///
                /// # Errors
                ///
                /// That is not UTF-8.
                pub fn #str_method(&self) -> #getter_ty { #get }
            });
            let str_note = format!(" {}", words(&format!("Writes `{name}` as text, with NULs behind it.")));
            parts.setters.push(quote! {
                #note
                #[inline]
                pub fn #method(&mut self, value: &[u8; #text]) -> &mut Self { #write; self }

                #[doc = #str_note]
                ///
                /// # Errors
                ///
                /// The text is longer than the field.
                #[inline]
                pub fn #str_method(&mut self, value: &str) -> Result<&mut Self, runtime::EncodeError> {
                    runtime::put_text(runtime::bytes_mut::<#text, #at, #n>(self.block), #name, value.as_bytes())?;
                    Ok(self)
                }
            });
        } else if let Some((null, _)) = &slot.null {
            parts.setters.push(quote! {
                #note
                #[inline]
                pub fn #method(&mut self, value: impl Into<Option<#ty>>) -> &mut Self {
                    let value = value.into().unwrap_or(#null);
                    #write;
                    self
                }
            });
        } else {
            parts.setters.push(quote! {
                #note
                #[inline]
                pub fn #method(&mut self, value: #ty) -> &mut Self { #write; self }
            });
        }
        parts.rewrites.push(if *newer && slot.null.is_none() {
            quote!(if let Some(value) = self.#method() { encoder.#method(value); })
        } else {
            quote!(encoder.#method(self.#method());)
        });
    }
}
