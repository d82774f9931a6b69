//! Reads and writes the lengths in message headers and group dimensions. Called for the message header and for the
//! dimensions of each group.

use proc_macro2::TokenStream;
use quote::quote;

use super::primitive::{integer, literal, rust};
use crate::schema::{Composite, Number, Presence};

/// The code that reads a member of a header or of a group's dimensions as a length.
pub(super) fn framing_read(composite: &Composite, member: &str, bytes: &TokenStream) -> TokenStream {
    let Some((member, encoding)) = composite.number(member) else {
        return quote!(0);
    };
    if let Some(Number::Int(value)) = encoding.fixed() {
        let literal = integer(value.unsigned_abs());
        return quote!(#literal);
    }
    let (primitive, at, length) = (rust(encoding.primitive), literal(member.offset), literal(composite.length));
    quote!(runtime::Primitive::to_length(runtime::get::<#primitive, Order, #at, #length>(#bytes)))
}

/// The code that writes the members of a header or of dimensions that are sent.
pub(super) fn framing_writes(
    composite: &Composite,
    bytes: &TokenStream,
    members: &[(&str, TokenStream)],
) -> TokenStream {
    let length = literal(composite.length);
    let writes = members.iter().filter_map(|(name, value)| {
        let (member, encoding) = composite.number(name)?;
        if encoding.presence == Presence::Constant {
            return None;
        }
        let (primitive, at) = (rust(encoding.primitive), literal(member.offset));
        Some(quote!(runtime::put::<#primitive, Order, #at, #length>(#bytes, #value);))
    });
    quote!(#(#writes)*)
}

/// The code that fills a header or dimensions with zeros, unless the `written` members fill them.
pub(super) fn blank(composite: &Composite, bytes: &TokenStream, written: &[&str]) -> Option<TokenStream> {
    let sent = written.iter().filter_map(|name| composite.number(name)).map(|(_, encoding)| match encoding.presence {
        Presence::Constant => 0,
        _ => encoding.primitive.size(),
    });
    let length = literal(composite.length);
    (sent.sum::<u32>() != composite.length).then(|| quote!(*#bytes = [0; #length];))
}
