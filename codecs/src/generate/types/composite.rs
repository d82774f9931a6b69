//! Generates a struct for a composite. The struct is read from its bytes and written to them as a whole.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::Types;
use super::slot::{Slot, mapped};
use crate::generate::constant::constant_value;
use crate::generate::documentation::doc;
use crate::generate::names::{Scope, screaming, snake};
use crate::generate::options::Options;
use crate::generate::primitive::literal;
use crate::generate::serde_attributes::{derives, field_attribute, form};
use crate::schema::{Composite, Member, Presence, Type};

/// The code that the members of a composite add up to.
#[derive(Default)]
struct Parts {
    fields: Vec<TokenStream>,
    constants: Vec<TokenStream>,
    reads: Vec<TokenStream>,
    writes: Vec<TokenStream>,
    /// The value of each field of a fresh struct.
    zeros: Vec<TokenStream>,
    json: Vec<TokenStream>,
}

impl Types {
    /// The code that declares a composite as `name`.
    pub(super) fn composite(&mut self, of: &Composite, name: &Ident) -> TokenStream {
        let mut scope = Scope::with(&["from_bytes", "to_bytes", "LENGTH"]);
        let mut parts = Parts::default();
        for member in &of.members {
            if of.variable && member.name == "varData" {
                continue;
            }
            if member.ty.presence() == Presence::Constant {
                parts.constant(member, &scope.take(screaming(&member.name)));
            } else {
                let field = scope.take(snake(&member.name));
                let slot = self.slot(&member.ty, member.ty.presence(), &TokenStream::new(), &name.to_string());
                parts.field(&self.options, member, &field, &slot, of.length);
            }
        }
        let docs = doc(&of.notes, &format!("`{}`.", of.name), "");
        let (derived, default) = parts.default_of(of, name);
        let methods = parts.methods(name, of.length);
        let (fields, json) = (&parts.fields, &parts.json);
        let serde = derives(&self.options);
        quote! {
            #docs
            #[derive(Clone, Copy, Debug, PartialEq #derived)]
            #serde
            pub struct #name { #(#fields),* }

            #methods

            #default

            impl runtime::json::Json for #name {
                fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    #[allow(unused_mut)]
                    let mut object = runtime::json::Object::new(f)?;
                    #(#json)*
                    object.end()
                }
            }

            impl core::fmt::Display for #name {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    runtime::json::Json::json(self, f)
                }
            }
        }
    }
}

impl Parts {
    /// Adds a constant member, which has no bytes.
    fn constant(&mut self, member: &Member, name: &Ident) {
        let schema_name = &member.name;
        let note = doc(&member.notes, &format!("`{schema_name}`."), "");
        let Some((ty, value, shown)) = constant(member, name) else { return };
        self.constants.push(quote!(#note pub const #name: #ty = #value;));
        self.json.push(quote!(object.field(#schema_name, &#shown)?;));
    }

    /// Adds a member that has bytes, in a composite of `length` bytes.
    fn field(&mut self, options: &Options, member: &Member, field: &Ident, slot: &Slot, length: u32) {
        let schema_name = &member.name;
        let note = doc(&member.notes, &format!("`{schema_name}`."), "");
        let block = quote!(bytes);
        let read = (slot.read)(&block, member.offset, length);
        // Text is held by value here, and borrowed from a message elsewhere.
        let (ty, read) = if let Some(length) = slot.text {
            let length = literal(length);
            (quote!([u8; #length]), quote!(*#read))
        } else {
            (slot.ty.clone(), read)
        };
        let optional = slot.null.is_some();
        let attribute = field_attribute(options, schema_name, form(slot, optional), optional);
        let shown = if let Some((null, is_null)) = &slot.null {
            let test = is_null(&quote!(value));
            self.fields.push(quote!(#note #attribute pub #field: Option<#ty>));
            self.reads.push(quote!(#field: { let value = #read; if #test { None } else { Some(value) } }));
            self.writes.push((slot.write)(&block, member.offset, length, &quote!(self.#field.unwrap_or(#null))));
            self.zeros.push(quote!(#field: None));
            mapped(&quote!(self.#field), &(slot.json)(&quote!(value)))
        } else {
            let (zero, reference) = (&slot.zero, slot.text.is_some().then(|| quote!(&)));
            self.fields.push(quote!(#note #attribute pub #field: #ty));
            self.reads.push(quote!(#field: #read));
            self.writes.push((slot.write)(&block, member.offset, length, &quote!(#reference self.#field)));
            self.zeros.push(quote!(#field: #zero));
            (slot.json)(&quote!(self.#field))
        };
        self.json.push(quote!(object.field(#schema_name, &#shown)?;));
    }

    /// How a fresh value is made: by the derived `Default`, or by an implementation of it.
    fn default_of(&self, of: &Composite, name: &Ident) -> (TokenStream, Option<TokenStream>) {
        // The standard library has a default for arrays of up to 32 elements.
        let long = |member: &Member| matches!(&member.ty, Type::Encoding(encoding) if encoding.length > 32);
        if !of.members.iter().any(long) {
            return (quote!(, Default), None);
        }
        let zeros = &self.zeros;
        let default = quote! {
            impl Default for #name {
                fn default() -> Self {
                    Self { #(#zeros),* }
                }
            }
        };
        (TokenStream::new(), Some(default))
    }

    /// The constants, and the conversions from and to bytes.
    fn methods(&self, name: &Ident, length: u32) -> TokenStream {
        let Self { fields, constants, reads, writes, .. } = self;
        let length = literal(length);
        // A composite of constants alone has nothing to read or write.
        let bytes = if fields.is_empty() { quote!(_bytes) } else { quote!(bytes) };
        quote! {
            impl #name {
                /// Bytes on the wire.
                pub const LENGTH: usize = #length;
                #(#constants)*

                /// Reads the value from its bytes.
                #[inline]
                #[must_use]
                pub fn from_bytes(#bytes: &[u8; #length]) -> Self {
                    Self { #(#reads),* }
                }

                /// Writes the value; bytes between its members are left alone.
                #[inline]
                pub fn to_bytes(self, #bytes: &mut [u8; #length]) {
                    #(#writes;)*
                }
            }
        }
    }
}

/// Type, value and JSON form of a constant member.
fn constant(member: &Member, name: &Ident) -> Option<(TokenStream, TokenStream, TokenStream)> {
    match &member.ty {
        Type::Encoding(encoding) => constant_value(encoding.constant.as_ref()?, encoding, name),
        _ => None,
    }
}
