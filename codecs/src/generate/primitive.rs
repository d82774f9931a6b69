//! Primitive types, numbers and character encodings of a schema, as they stand in code. Called wherever code reads, writes or
//! declares a value.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use crate::schema::{Charset, Number, Primitive};

/// The Rust type of a primitive.
pub(super) fn rust(primitive: Primitive) -> TokenStream {
    let name = match primitive {
        Primitive::Char | Primitive::UInt8 => "u8",
        Primitive::Int8 => "i8",
        Primitive::Int16 => "i16",
        Primitive::Int32 => "i32",
        Primitive::Int64 => "i64",
        Primitive::UInt16 => "u16",
        Primitive::UInt32 => "u32",
        Primitive::UInt64 => "u64",
        Primitive::Float => "f32",
        Primitive::Double => "f64",
    };
    let name = format_ident!("{name}");
    quote!(#name)
}

/// A number without a type's name behind it.
pub(super) fn literal(value: u32) -> Literal {
    Literal::u32_unsuffixed(value)
}

/// A number of a primitive type, as an expression.
pub(super) fn number(value: Number, primitive: Primitive) -> TokenStream {
    let ty = rust(primitive);
    match value {
        Number::Int(value) if value < 0 => {
            let literal = Literal::u128_unsuffixed(value.unsigned_abs());
            quote!(-#literal)
        }
        Number::Int(value) => {
            let literal = Literal::u128_unsuffixed(value.unsigned_abs());
            quote!(#literal)
        }
        Number::Float(value) if value.is_nan() => quote!(#ty::NAN),
        Number::Float(value) if value.is_infinite() && value > 0.0 => quote!(#ty::INFINITY),
        Number::Float(value) if value.is_infinite() => quote!(#ty::NEG_INFINITY),
        Number::Float(value) => {
            let literal = if primitive == Primitive::Float {
                Literal::f32_unsuffixed((value as f32).abs())
            } else {
                Literal::f64_unsuffixed(value.abs())
            };
            if value.is_sign_negative() { quote!(-#literal) } else { quote!(#literal) }
        }
    }
}

/// How the runtime turns bytes into text.
pub(super) fn charset(name: Option<&str>) -> TokenStream {
    match name.map(Charset::of) {
        None => quote!(runtime::json::Charset::None),
        Some(Charset::Utf8) => quote!(runtime::json::Charset::Utf8),
        Some(Charset::Latin1) => quote!(runtime::json::Charset::Latin1),
        Some(Charset::Ascii) => quote!(runtime::json::Charset::Ascii),
    }
}
