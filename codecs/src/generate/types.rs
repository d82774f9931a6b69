//! Composites, enums and sets of a schema as Rust types: values that are copied, which messages read and write whole.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::names::{Scope, camel, screaming, snake};
use super::owned::{derives, field_attribute, form};
use super::{Options, doc};
use crate::schema::{
    Body, ByteOrder, Composite, Constant, Encoding, Enum, Member, Number, Presence, Primitive, Schema, Set, Type,
};

/// Names that the module of types has from elsewhere: a type of that name would hide what generated code means by it.
const TAKEN: &[&str] =
    &["Box", "Default", "Err", "None", "Ok", "Option", "Order", "Result", "Some", "String", "ToString", "Vec"];

const ENUM_TAKEN: &[&str] = &["NULL"];

/// The Rust names of a schema's types, and the code that declares them.
pub(super) struct Types {
    scope: Scope,
    /// By address: a type that several places refer to is declared once, and two that only share a name are not mixed up.
    names: HashMap<usize, Ident>,
    pub(super) code: Vec<TokenStream>,
    order: ByteOrder,
    options: Options,
    /// The constants of enums that constant fields refer to, by the enum's address.
    values: HashMap<usize, HashMap<String, Ident>>,
}

/// The code that reads a value: given the block, the offset in it, and its length.
type Read = Box<dyn Fn(&TokenStream, u32, u32) -> TokenStream>;
/// The code that writes a value: given the same, and the value.
type Write = Box<dyn Fn(&TokenStream, u32, u32, &TokenStream) -> TokenStream>;
/// Code around a value.
type Wrap = Box<dyn Fn(&TokenStream) -> TokenStream>;

/// A value of fixed length as generated code sees it, whatever holds it.
pub(super) struct Slot {
    /// The Rust type of the value, without any `Option`; `'a` where it borrows.
    pub(super) ty: TokenStream,
    /// Bytes on the wire.
    pub(super) length: u32,
    /// Reads it: from `block`, at an offset, in a block of a length.
    pub(super) read: Read,
    /// Writes `value` there.
    pub(super) write: Write,
    /// Wraps a value for JSON.
    pub(super) json: Wrap,
    /// The value that says "none", with the test for it, of an optional one.
    pub(super) null: Option<(TokenStream, Wrap)>,
    /// The value that a fresh composite has.
    pub(super) zero: TokenStream,
    /// The length in bytes, for text of fixed length.
    pub(super) text: Option<u32>,
    /// Whether it is an array of numbers.
    pub(super) is_array: bool,
}

impl Types {
    pub(super) fn new(schema: &Schema, options: &Options) -> Self {
        let mut types = Self {
            scope: Scope::with(TAKEN),
            names: HashMap::new(),
            code: Vec::new(),
            order: schema.byte_order,
            options: options.clone(),
            values: HashMap::new(),
        };
        for ty in &schema.types {
            types.declare(ty, "");
        }
        types
    }

    /// Declares a type unless it is, and returns its name in the module of types.
    fn declare(&mut self, ty: &Type, owner: &str) -> Option<Ident> {
        let address = match ty {
            Type::Encoding(_) => return None,
            Type::Composite(of) => Arc::as_ptr(of) as usize,
            Type::Enum(of) => Arc::as_ptr(of) as usize,
            Type::Set(of) => Arc::as_ptr(of) as usize,
        };
        if let Some(name) = self.names.get(&address) {
            return Some(name.clone());
        }
        let owner = owner.trim_end_matches('_');
        let name = self.scope.take(format!("{owner}{}", camel(ty.name())));
        self.names.insert(address, name.clone());
        let code = match ty {
            Type::Encoding(_) => return None,
            Type::Composite(of) => self.composite(of, &name),
            Type::Enum(of) => enumeration(of, &name, self.options.serde),
            Type::Set(of) => set(of, &name, self.options.serde),
        };
        self.code.push(code);
        Some(name)
    }

    /// A value of that type; `path` leads to the module of types, `owner` names whatever contains an inline type.
    pub(super) fn slot(&mut self, ty: &Type, presence: Presence, path: &TokenStream, owner: &str) -> Slot {
        let name = self.declare(ty, owner);
        let path = path.clone();
        match (ty, name) {
            (Type::Encoding(encoding), _) => encoding_slot(encoding, presence),
            (Type::Enum(of), Some(name)) => {
                let ty = quote!(#path #name);
                let null = (presence == Presence::Optional).then(|| quote!(#ty::NULL));
                wrapped_slot(&ty, of.primitive, null)
            }
            (Type::Set(of), Some(name)) => wrapped_slot(&quote!(#path #name), of.primitive, None),
            (Type::Composite(of), Some(name)) => {
                let ty = quote!(#path #name);
                let (read_ty, length) = (ty.clone(), of.length);
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
                    zero: quote!(#ty::default()),
                    text: None,
                    is_array: false,
                }
            }
            // Only an encoding has no declaration.
            (_, None) => encoding_slot(&Encoding::built_in(Primitive::UInt8), presence),
        }
    }

    fn composite(&mut self, of: &Composite, name: &Ident) -> TokenStream {
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
                let shown = super::message::mapped(&quote!(self.#field), &shown);
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
        // A composite of constants alone has nothing to read or write.
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

    /// The bytes of a fresh block: zeros, and nulls where fields are optional.
    pub(super) fn fresh_block(&self, body: &Body) -> Vec<u8> {
        let mut bytes = vec![0; body.block_length as usize];
        for field in body.fields.iter().filter(|field| field.presence != Presence::Constant) {
            self.fill(&field.ty, field.presence, &mut bytes[field.offset as usize..]);
        }
        bytes
    }

    /// The name under which a constant enum field finds its value.
    pub(super) fn enum_constant(&mut self, of: &Arc<Enum>, value: &str) -> Option<Ident> {
        let constants = self.values.entry(Arc::as_ptr(of) as usize).or_insert_with(|| {
            let mut scope = Scope::with(ENUM_TAKEN);
            of.values.iter().map(|value| (value.name.clone(), scope.take(screaming(&value.name)))).collect()
        });
        constants.get(value).cloned()
    }

    /// The bytes that a fresh composite has on the wire: nulls where members are optional.
    fn fill(&self, ty: &Type, presence: Presence, bytes: &mut [u8]) {
        match ty {
            Type::Encoding(encoding) if presence == Presence::Optional => {
                for at in 0..encoding.length {
                    let at = (at * encoding.primitive.size()) as usize;
                    // The block was made to hold it, and the schema's null fits its type.
                    let _ = encoding.primitive.write(encoding.null_for(presence), &mut bytes[at..], self.order);
                }
            }
            Type::Enum(of) if presence == Presence::Optional => {
                let _ = of.primitive.write(of.null, bytes, self.order);
            }
            Type::Composite(of) => {
                for member in &of.members {
                    if member.ty.presence() != Presence::Constant && !(of.variable && member.name == "varData") {
                        self.fill(&member.ty, member.ty.presence(), &mut bytes[member.offset as usize..]);
                    }
                }
            }
            _ => {}
        }
    }
}

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
    match name.map(str::to_ascii_uppercase).as_deref() {
        None => quote!(runtime::json::Charset::None),
        Some("UTF-8" | "UTF8") => quote!(runtime::json::Charset::Utf8),
        Some("ISO-8859-1" | "LATIN1") => quote!(runtime::json::Charset::Latin1),
        Some(_) => quote!(runtime::json::Charset::Ascii),
    }
}

/// A value of an enum or a set: `ty` around its primitive. `null` is what says "none", if it may.
fn wrapped_slot(ty: &TokenStream, primitive: Primitive, null: Option<TokenStream>) -> Slot {
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

fn encoding_slot(encoding: &Encoding, presence: Presence) -> Slot {
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

fn constant(member: &Member, name: &Ident) -> Option<(TokenStream, TokenStream, TokenStream)> {
    match &member.ty {
        Type::Encoding(encoding) => constant_value(encoding.constant.as_ref()?, encoding, name),
        _ => None,
    }
}

/// Type, value and JSON form of a constant that is not an enum's.
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

fn enumeration(of: &Enum, name: &Ident, serde: bool) -> TokenStream {
    let mut scope = Scope::with(ENUM_TAKEN);
    let docs =
        doc(&of.notes, &format!("`{}`: one of its values, or one that this version does not name.", of.name), "");
    let primitive = rust(of.primitive);
    let null = number(of.null, of.primitive);
    let (mut constants, mut names, mut parses, mut seen) = (vec![], vec![], vec![], HashSet::new());
    for value in &of.values {
        let (constant, schema_name) = (scope.take(screaming(&value.name)), &value.name);
        let note = doc(&value.notes, &format!("`{schema_name}`."), "");
        let literal = number(value.number, of.primitive);
        constants.push(quote!(#note pub const #constant: Self = Self(#literal);));
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
            #(#constants)*
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

fn set(of: &Set, name: &Ident, serde: bool) -> TokenStream {
    let mut scope = Scope::with(&["NONE"]);
    let docs = doc(&of.notes, &format!("`{}`: any of its choices. Bits without a name are kept.", of.name), "");
    let primitive = rust(of.primitive);
    let (mut constants, mut debug, mut json, mut choices) = (vec![], vec![], vec![], vec![]);
    for choice in &of.choices {
        let (constant, schema_name) = (scope.take(screaming(&choice.name)), &choice.name);
        let note = doc(&choice.notes, &format!("`{schema_name}`."), "");
        // The top bit of a signed integer is its sign.
        let sign = !of.primitive.is_unsigned() && u32::from(choice.bit) + 1 == of.primitive.size() * 8;
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
