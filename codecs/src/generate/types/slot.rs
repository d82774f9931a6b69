//! A value of fixed length as generated code sees it: how it is read from a block, written there, shown, and told from none.
//! Made for every field of a block and every member of a composite.

use proc_macro2::TokenStream;
use quote::quote;

use crate::generate::primitive::{charset, literal, number, rust};
use crate::schema::{Encoding, Number, Presence, Primitive};

/// The code that reads a value: given the block, the offset in it, and its length.
type Read = Box<dyn Fn(&TokenStream, u32, u32) -> TokenStream>;
/// The code that writes a value: given the same, and the value.
type Write = Box<dyn Fn(&TokenStream, u32, u32, &TokenStream) -> TokenStream>;
/// Code around a value.
type Wrap = Box<dyn Fn(&TokenStream) -> TokenStream>;

/// A value of fixed length as generated code sees it, whatever holds it.
pub(crate) struct Slot {
    /// The Rust type of the value, without any `Option`; `'a` where it borrows.
    pub(crate) ty: TokenStream,
    /// Bytes on the wire.
    pub(crate) length: u32,
    /// Reads it: from `block`, at an offset, in a block of a length.
    pub(crate) read: Read,
    /// Writes `value` there.
    pub(crate) write: Write,
    /// Wraps a value for JSON.
    pub(crate) json: Wrap,
    /// The value that says "none", with the test for it, of an optional one.
    pub(crate) null: Option<(TokenStream, Wrap)>,
    /// The value that a fresh composite has.
    pub(crate) zero: TokenStream,
    /// The length in bytes, for text of fixed length.
    pub(crate) text: Option<u32>,
    /// Whether it is an array of numbers.
    pub(crate) is_array: bool,
}

/// A value of an enum or a set: `ty` around its primitive. `null` is what says "none", if it may.
pub(super) fn wrapped_slot(ty: &TokenStream, primitive: Primitive, null: Option<TokenStream>) -> Slot {
    let (read_ty, rust) = (ty.clone(), rust(primitive));
    let read_primitive = rust.clone();
    Slot {
        ty: ty.clone(),
        length: primitive.size(),
        read: Box::new(move |block, at, n| {
            let (at, n) = (literal(at), literal(n));
            quote!(#read_ty(runtime::get::<#read_primitive, Order, #at, #n>(#block)))
        }),
        write: Box::new(move |block, at, n, value| {
            let (at, n) = (literal(at), literal(n));
            quote!(runtime::put::<#rust, Order, #at, #n>(#block, #value.0))
        }),
        json: Box::new(|value| value.clone()),
        null: null.map(|null| {
            let expected = null.clone();
            (null, Box::new(move |value: &TokenStream| quote!(#value == #expected)) as Wrap)
        }),
        zero: quote!(#ty(0)),
        text: None,
        is_array: false,
    }
}

/// A value of a composite, whose Rust type is `ty`.
pub(super) fn composite_slot(ty: &TokenStream, length: u32) -> Slot {
    let (read_ty, zero) = (ty.clone(), quote!(#ty::default()));
    Slot {
        ty: ty.clone(),
        length,
        read: Box::new(move |block, at, n| {
            let (at, n, length) = (literal(at), literal(n), literal(length));
            quote!(#read_ty::from_bytes(runtime::bytes::<#length, #at, #n>(#block)))
        }),
        write: Box::new(move |block, at, n, value| {
            let (at, n, length) = (literal(at), literal(n), literal(length));
            quote!(#value.to_bytes(runtime::bytes_mut::<#length, #at, #n>(#block)))
        }),
        json: Box::new(|value| value.clone()),
        null: None,
        zero,
        text: None,
        is_array: false,
    }
}

/// A value of a primitive type: one number, text, or an array of numbers.
pub(super) fn encoding_slot(encoding: &Encoding, presence: Presence) -> Slot {
    let (primitive, length) = (rust(encoding.primitive), encoding.length);
    let is_char = encoding.primitive == Primitive::Char;
    let (read_primitive, size) = (primitive.clone(), encoding.primitive.size());
    if length == 1 {
        let null = encoding.null_for(presence);
        let value = number(null, encoding.primitive);
        let is_nan = matches!(null, Number::Float(null) if null.is_nan());
        let expected = value.clone();
        let test =
            move |value: &TokenStream| if is_nan { quote!(#value.is_nan()) } else { quote!(#value == #expected) };
        return Slot {
            ty: primitive.clone(),
            length: size,
            read: Box::new(move |block, at, n| {
                let (at, n) = (literal(at), literal(n));
                quote!(runtime::get::<#read_primitive, Order, #at, #n>(#block))
            }),
            write: Box::new(move |block, at, n, value| {
                let (at, n) = (literal(at), literal(n));
                quote!(runtime::put::<#primitive, Order, #at, #n>(#block, #value))
            }),
            json: Box::new(move |value| if is_char { quote!(runtime::json::Char(#value)) } else { value.clone() }),
            null: (presence == Presence::Optional).then(|| (value, Box::new(test) as Wrap)),
            zero: if encoding.primitive.is_float() { quote!(0.0) } else { quote!(0) },
            text: None,
            is_array: false,
        };
    }
    let count = literal(length);
    if is_char {
        let charset = charset(encoding.character_encoding.as_deref());
        return Slot {
            ty: quote!(&'a [u8; #count]),
            length,
            read: Box::new(move |block, at, n| {
                let (at, n, count) = (literal(at), literal(n), literal(length));
                quote!(runtime::bytes::<#count, #at, #n>(#block))
            }),
            write: Box::new(move |block, at, n, value| {
                let (at, n, count) = (literal(at), literal(n), literal(length));
                quote!(runtime::bytes_mut::<#count, #at, #n>(#block).copy_from_slice(#value))
            }),
            json: Box::new(move |value| quote!(runtime::json::Text(&#value[..], #charset))),
            null: None,
            zero: quote!([0; #count]),
            text: Some(length),
            is_array: false,
        };
    }
    let zero = if encoding.primitive.is_float() { quote!([0.0; #count]) } else { quote!([0; #count]) };
    Slot {
        ty: quote!([#primitive; #count]),
        length: length * size,
        read: Box::new(move |block, at, n| {
            let (at, n, count) = (literal(at), literal(n), literal(length));
            quote!(runtime::get_array::<#read_primitive, Order, #count, #at, #n>(#block))
        }),
        write: Box::new(move |block, at, n, value| {
            let (at, n, count) = (literal(at), literal(n), literal(length));
            quote!(runtime::put_array::<#primitive, Order, #count, #at, #n>(#block, #value))
        }),
        json: Box::new(|value| value.clone()),
        null: None,
        zero,
        text: None,
        is_array: true,
    }
}

/// An optional value with its JSON form inside, where that is another than the value.
pub(crate) fn mapped(value: &TokenStream, shown: &TokenStream) -> TokenStream {
    match shown.to_string().as_str() {
        "value" => value.clone(),
        "runtime :: json :: Char (value)" => quote!(#value.map(runtime::json::Char)),
        _ => quote!(#value.map(|value| #shown)),
    }
}
