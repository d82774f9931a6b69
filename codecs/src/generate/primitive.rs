//! Primitive types, numbers and character encodings of a schema, as Rust code. Called wherever generated code reads,
//! writes or declares a value.

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

/// A number literal without a type suffix.
pub(super) fn literal(value: u32) -> Literal {
    integer(value.into())
}

/// A number literal of any width. Long numbers have underscores between groups of three digits.
pub(super) fn integer(value: u128) -> Literal {
    let digits = value.to_string();
    if digits.len() < 6 {
        return Literal::u128_unsuffixed(value);
    }
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text.parse().unwrap_or(Literal::u128_unsuffixed(value))
}

/// A limit as a `usize` expression that also compiles where `usize` has 32 bits.
pub(super) fn bound(value: u64) -> TokenStream {
    let literal = integer(value.into());
    if u32::try_from(value).is_ok() {
        quote!(#literal)
    } else {
        quote!(<u64 as runtime::Primitive>::to_length(#literal))
    }
}

/// A number of a primitive type, as an expression.
pub(super) fn number(value: Number, primitive: Primitive) -> TokenStream {
    let ty = rust(primitive);
    match value {
        Number::Int(value) if value < 0 => {
            let literal = integer(value.unsigned_abs());
            quote!(-#literal)
        }
        Number::Int(value) => {
            let literal = integer(value.unsigned_abs());
            quote!(#literal)
        }
        Number::Float(value) if value.is_nan() => quote!(#ty::NAN),
        Number::Float(value) if value.is_infinite() && value > 0.0 => quote!(#ty::INFINITY),
        Number::Float(value) if value.is_infinite() => quote!(#ty::NEG_INFINITY),
        Number::Float(value) => {
            // Very large and very small ones with an exponent instead of hundreds of digits.
            let text = if primitive == Primitive::Float {
                format!("{:?}", (value as f32).abs())
            } else {
                format!("{:?}", value.abs())
            };
            let literal = text.parse().unwrap_or(Literal::f64_unsuffixed(value.abs()));
            if value.is_sign_negative() { quote!(-#literal) } else { quote!(#literal) }
        }
    }
}

/// The runtime's `Charset` for a character encoding.
pub(super) fn charset(name: Option<&str>) -> TokenStream {
    match name.map(Charset::of) {
        None => quote!(runtime::json::Charset::None),
        Some(Charset::Utf8) => quote!(runtime::json::Charset::Utf8),
        Some(Charset::Latin1) => quote!(runtime::json::Charset::Latin1),
        Some(Charset::Ascii) => quote!(runtime::json::Charset::Ascii),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_readable() {
        for (value, expected) in
            [(0, "0"), (65_535, "65535"), (123_456, "123_456"), (u128::from(u64::MAX), "18_446_744_073_709_551_615")]
        {
            assert_eq!(integer(value).to_string(), expected);
        }
        let float = |value, primitive| number(Number::Float(value), primitive).to_string();
        assert_eq!(float(1e308, Primitive::Double), "1e308");
        assert_eq!(float(-0.5, Primitive::Float), "- 0.5");
        assert_eq!(float(f64::from(1e-45_f32), Primitive::Float), "1e-45");
    }

    #[test]
    fn no_bound_is_a_literal_that_32_bits_do_not_hold() {
        assert_eq!(bound(u64::from(u32::MAX)).to_string(), "4_294_967_295");
        assert!(bound(u64::from(u32::MAX) + 1).to_string().contains("to_length"));
    }
}
