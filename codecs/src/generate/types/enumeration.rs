//! Generates a type for an enum: its primitive, wrapped, with a constant for each value. It is not a Rust enum, because
//! a message can carry any number.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::generate::documentation::doc;
use crate::generate::names::{Scope, screaming};
use crate::generate::primitive::{number, rust};
use crate::schema::Enum;

/// The constants of the values, in their order.
pub(super) fn constants(of: &Enum) -> Vec<Ident> {
    let mut scope = Scope::with(&["NULL"]);
    of.values.iter().map(|value| scope.take(screaming(&value.name))).collect()
}

/// The code that declares an enum as `name`.
pub(super) fn code(of: &Enum, name: &Ident, serde: bool) -> TokenStream {
    let docs =
        doc(&of.notes, &format!("`{}`: one of its values, or one that this version does not name.", of.name), "");
    let primitive = rust(of.primitive);
    let null = number(of.null, of.primitive);
    let (mut declared, mut names, mut parses, mut seen) = (vec![], vec![], vec![], HashSet::new());
    for (value, constant) in of.values.iter().zip(constants(of)) {
        let schema_name = &value.name;
        let note = doc(&value.notes, &format!("`{schema_name}`."), "");
        let literal = number(value.number, of.primitive);
        declared.push(quote!(#note pub const #constant: Self = Self(#literal);));
        parses.push(quote!(#schema_name => Some(Self::#constant)));
        if seen.insert(value.number.as_int()) {
            names.push(quote!(#literal => Some(#schema_name)));
        }
    }
    let serde = serde.then(|| {
        quote! {
            impl runtime::serde::Serialize for #name {
                fn serialize<S: runtime::serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    runtime::forms::serialize_enum(to, self.name(), self.0)
                }
            }

            impl<'de> runtime::serde::Deserialize<'de> for #name {
                fn deserialize<D: runtime::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    runtime::forms::deserialize_enum(from, |name| Self::from_name(name).map(|value| value.0)).map(Self)
                }
            }
        }
    });
    let (find, word, parse) = if of.values.is_empty() {
        (quote!(None), quote!(_), quote!(None))
    } else {
        let find = quote!(match self.0 { #(#names,)* _ => None });
        (find, quote!(name), quote!(match name { #(#parses,)* _ => None }))
    };
    quote! {
        #docs
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct #name(#[doc = "The value on the wire."] pub #primitive);

        impl #name {
            #(#declared)*
            /// The value that says "none".
            pub const NULL: Self = Self(#null);

            /// The value's name in the schema, if it has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                #find
            }

            /// The value of that name in the schema.
            #[must_use]
            pub fn from_name(#word: &str) -> Option<Self> {
                #parse
            }
        }

        impl core::fmt::Debug for #name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }

        impl core::fmt::Display for #name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(self, f)
            }
        }

        impl runtime::json::Json for #name {
            fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => runtime::json::Json::json(&runtime::json::Name(name), f),
                    None => runtime::json::Json::json(&self.0, f),
                }
            }
        }

        #serde
    }
}
