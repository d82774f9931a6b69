//! A composite as a struct: made from its bytes and written to them whole.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::Types;
use super::slot::mapped;
use crate::generate::constant::constant_value;
use crate::generate::documentation::doc;
use crate::generate::names::{Scope, screaming, snake};
use crate::generate::primitive::literal;
use crate::generate::serde_attributes::{derives, field_attribute, form};
use crate::schema::{Composite, Member, Presence, Type};

impl Types {
    /// The code that declares a composite as `name`.
    pub(super) fn composite(&mut self, of: &Composite, name: &Ident) -> TokenStream {
        let mut scope = Scope::with(&["from_bytes", "to_bytes", "LENGTH"]);
        let docs = doc(&of.notes, &format!("`{}`.", of.name), "");
        let (mut fields, mut constants, mut reads, mut writes, mut zeros, mut json) =
            (vec![], vec![], vec![], vec![], vec![], vec![]);
        let owner = name.to_string();
        let length = literal(of.length);
        for member in &of.members {
            let schema_name = &member.name;
            let note = doc(&member.notes, &format!("`{schema_name}`."), "");
            if of.variable && schema_name == "varData" {
                continue;
            }
            if member.ty.presence() == Presence::Constant {
                let constant_name = scope.take(screaming(schema_name));
                let Some((ty, value, shown)) = constant(member, &constant_name) else { continue };
                constants.push(quote!(#note pub const #constant_name: #ty = #value;));
                json.push(quote!(object.field(#schema_name, &#shown)?;));
                continue;
            }
            let field = scope.take(snake(schema_name));
            let slot = self.slot(&member.ty, member.ty.presence(), &TokenStream::new(), &owner);
            let (block, offset) = (quote!(bytes), member.offset);
            let (read, zero) = ((slot.read)(&block, offset, of.length), &slot.zero);
            let ty = if slot.text.is_some() {
                let length = literal(slot.length);
                quote!([u8; #length])
            } else {
                slot.ty.clone()
            };
            let read = if slot.text.is_some() { quote!(*#read) } else { read };
            let optional = slot.null.is_some();
            let attribute = field_attribute(&self.options, schema_name, form(&slot, optional), optional);
            if let Some((null, is_null)) = &slot.null {
                let (test, shown) = (is_null(&quote!(value)), (slot.json)(&quote!(value)));
                fields.push(quote!(#note #attribute pub #field: Option<#ty>));
                reads.push(quote!(#field: { let value = #read; if #test { None } else { Some(value) } }));
                writes.push((slot.write)(&block, offset, of.length, &quote!(self.#field.unwrap_or(#null))));
                zeros.push(quote!(#field: None));
                let shown = mapped(&quote!(self.#field), &shown);
                json.push(quote!(object.field(#schema_name, &#shown)?;));
            } else {
                let shown = (slot.json)(&quote!(self.#field));
                fields.push(quote!(#note #attribute pub #field: #ty));
                reads.push(quote!(#field: #read));
                let value = if slot.text.is_some() { quote!(&self.#field) } else { quote!(self.#field) };
                writes.push((slot.write)(&block, offset, of.length, &value));
                zeros.push(quote!(#field: #zero));
                json.push(quote!(object.field(#schema_name, &#shown)?;));
            }
        }
        // The standard library has a default for arrays of up to 32 elements.
        let long = |member: &Member| matches!(&member.ty, Type::Encoding(encoding) if encoding.length > 32);
        let by_hand = of.members.iter().any(long);
        let derived = if by_hand { TokenStream::new() } else { quote!(, Default) };
        let default = by_hand.then(|| {
            quote! {
                impl Default for #name {
                    fn default() -> Self {
                        Self { #(#zeros),* }
                    }
                }
            }
        });
        // A composite of constants alone has nothing to read or write.
        let bytes = if fields.is_empty() { quote!(_bytes) } else { quote!(bytes) };
        let serde = derives(&self.options);
        quote! {
            #docs
            #[derive(Clone, Copy, Debug, PartialEq #derived)]
            #serde
            pub struct #name { #(#fields),* }

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

/// Type, value and JSON form of a constant member.
fn constant(member: &Member, name: &Ident) -> Option<(TokenStream, TokenStream, TokenStream)> {
    match &member.ty {
        Type::Encoding(encoding) => constant_value(encoding.constant.as_ref()?, encoding, name),
        _ => None,
    }
}
