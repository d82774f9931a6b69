//! Describes a value of fixed length to the generator: how it is read from a block, written, shown, and recognised as
//! absent. Made for every field of a block and every member of a composite.

use proc_macro2::TokenStream;
use quote::quote;

use crate::generate::primitive::{charset, literal, number, rust};
use crate::schema::{Encoding, Number, Presence, Primitive};

/// Makes the code that reads a value, given the block, the offset in the block, and the block's length.
type Read = Box<dyn Fn(&TokenStream, u32, u32) -> TokenStream>;
/// Makes the code that writes a value, given the same and the value.
type Write = Box<dyn Fn(&TokenStream, u32, u32, &TokenStream) -> TokenStream>;
/// Makes code around a value.
type Wrap = Box<dyn Fn(&TokenStream) -> TokenStream>;

/// A value of fixed length, in a block or in a composite, as the generator sees it.
pub(crate) struct Slot {
    /// The Rust type of the value, without `Option`. A type that borrows has the lifetime `'a`.
    pub(crate) ty: TokenStream,
    /// Bytes on the wire.
    pub(crate) length: u32,
    /// Makes the code that reads the value.
    pub(crate) read: Read,
    /// Makes the code that writes the value.
    pub(crate) write: Write,
    /// Wraps the value for JSON.
    pub(crate) json: Wrap,
    /// The null value of an optional value, with the test for it.
    pub(crate) null: Option<(TokenStream, Wrap)>,
    /// The value in a fresh composite.
    pub(crate) zero: TokenStream,
    /// The length in bytes, for text of fixed length.
    pub(crate) text: Option<u32>,
    /// Whether the value is an array of numbers.
    pub(crate) is_array: bool,
    /// Whether the value is a float, or an array of them.
    pub(crate) is_float: bool,
}

/// The slot of an enum or a set: `ty` wraps its primitive. `null` is the null value, if the value is optional.
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
        is_float: false,
    }
}

/// The slot of a composite, whose Rust type is `ty`.
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
        is_float: false,
    }
}

/// The slot of a primitive type: one number, text, or an array of numbers.
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
            is_float: encoding.primitive.is_float(),
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
            is_float: false,
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
        is_float: encoding.primitive.is_float(),
    }
}

/// An optional value, mapped to its JSON form if that differs from the value.
pub(crate) fn mapped(value: &TokenStream, shown: &TokenStream) -> TokenStream {
    match shown.to_string().as_str() {
        "value" => value.clone(),
        "runtime :: json :: Char (value)" => quote!(#value.map(runtime::json::Char)),
        _ => quote!(#value.map(|value| #shown)),
    }
}
