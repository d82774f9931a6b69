//! Constants of fields and of composites: values that no message carries. Constants of enums are in [`super::types`].

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use super::primitive::{charset, number, rust};
use crate::schema::{Constant, Encoding, Primitive};

/// Type, value and JSON form of a constant that is not a value of an enum.
pub(super) fn constant_value(
    constant: &Constant,
    encoding: &Encoding,
    name: &Ident,
) -> Option<(TokenStream, TokenStream, TokenStream)> {
    let primitive = encoding.primitive;
    match constant {
        Constant::Number(value) | Constant::Enum { number: value, .. } => {
            let (ty, value) = (rust(primitive), number(*value, primitive));
            let shown = if primitive == Primitive::Char {
                quote!(runtime::json::Char(Self::#name))
            } else {
                quote!(Self::#name)
            };
            Some((ty, value, shown))
        }
        Constant::Text(bytes) => {
            let literal = Literal::byte_string(bytes);
            let charset = charset(encoding.character_encoding.as_deref());
            let shown = quote!(runtime::json::Text(Self::#name, #charset));
            Some((quote!(&'static [u8]), quote!(#literal), shown))
        }
    }
}
