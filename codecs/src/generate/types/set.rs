//! Generates a type for a set: its bits, wrapped, with a constant for each choice.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::generate::documentation::doc;
use crate::generate::names::{Scope, screaming};
use crate::generate::primitive::{number, rust};
use crate::schema::{Number, Set};

/// The code that declares a set as `name`.
pub(super) fn code(of: &Set, name: &Ident, serde: bool) -> TokenStream {
    let mut scope = Scope::with(&["NONE"]);
    let docs = doc(&of.notes, &format!("`{}`: any of its choices. Bits without a name are kept.", of.name), "");
    let primitive = rust(of.primitive);
    let (mut constants, mut debug, mut json, mut choices) = (vec![], vec![], vec![], vec![]);
    for choice in &of.choices {
        let (constant, schema_name) = (scope.take(screaming(&choice.name)), &choice.name);
        let note = doc(&choice.notes, &format!("`{schema_name}`."), "");
        // The top bit of a signed integer is its sign.
        let sign = of.primitive.is_signed() && u32::from(choice.bit) + 1 == of.primitive.size() * 8;
        let mask = if sign { -(1_i128 << choice.bit) } else { 1 << choice.bit };
        let mask = number(Number::Int(mask), of.primitive);
        constants.push(quote!(#note pub const #constant: Self = Self(#mask);));
        debug.push(quote!(if self.contains(Self::#constant) { list.entry(&#schema_name); }));
        json.push(quote!(object.field(#schema_name, &runtime::json::Bool(self.contains(Self::#constant)))?;));
        choices.push(quote!((#schema_name, Self::#constant.0 as i128)));
    }
    let serde = serde.then(|| {
        quote! {
            impl runtime::serde::Serialize for #name {
                fn serialize<S: runtime::serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    runtime::forms::serialize_set(to, &[#(#choices),*], self.0)
                }
            }

            impl<'de> runtime::serde::Deserialize<'de> for #name {
                fn deserialize<D: runtime::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    runtime::forms::deserialize_set(from, &[#(#choices),*]).map(Self)
                }
            }
        }
    });
    quote! {
        #docs
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct #name(#[doc = "The bits, the first choice being the least significant."] pub #primitive);

        impl #name {
            /// No choice at all.
            pub const NONE: Self = Self(0);
            #(#constants)*

            /// Whether all of `other` is in this set.
            #[inline]
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// This set with `other` in it.
            #[inline]
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// This set without `other`.
            #[inline]
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }

        impl core::ops::BitOr for #name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }

        impl core::fmt::Debug for #name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                #[allow(unused_mut)]
                let mut list = f.debug_set();
                #(#debug)*
                list.finish()
            }
        }

        impl runtime::json::Json for #name {
            fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                #[allow(unused_mut)]
                let mut object = runtime::json::Object::new(f)?;
                #(#json)*
                object.end()
            }
        }

        #serde
    }
}
