//! Documentation of generated items: the schema's descriptions, made safe for a comment. Called for every item that a
//! schema can describe.

use proc_macro2::TokenStream;
use quote::quote;

use crate::schema::{Field, Notes, Presence, Type};

/// Documentation from the schema's description, or `fallback` if there is none, followed by `facts`.
pub(super) fn doc(notes: &Notes, fallback: &str, facts: &str) -> TokenStream {
    let described = notes.description.as_deref().map(words).filter(|text| !text.is_empty());
    let text = match described {
        Some(text) => format!(" {text}"),
        None => format!(" {}", words(fallback)),
    };
    if facts.is_empty() {
        return quote!(#[doc = #text]);
    }
    let facts = format!(" {facts}");
    quote!(#[doc = #text] #[doc = ""] #[doc = #facts])
}

/// The properties of a field in the schema, as one line of documentation.
pub(super) fn facts(field: &Field) -> String {
    let mut facts = format!("Field id {}", field.id);
    if field.since() > 0 {
        facts.push_str(&format!(", since version {}", field.since()));
    }
    if field.notes.deprecated > 0 {
        facts.push_str(&format!(", deprecated since version {}", field.notes.deprecated));
    }
    if let Type::Encoding(encoding) = &field.ty
        && encoding.length == 1
        && field.presence != Presence::Constant
        && (encoding.min.is_some() || encoding.max.is_some())
    {
        facts.push_str(&format!(", from {} to {}", encoding.applicable_min(), encoding.applicable_max()));
    }
    if let Some(unit) = &field.time_unit {
        facts.push_str(&format!(", in {}", words(unit)));
    }
    facts.push('.');
    facts
}

/// Text of a schema on one line, without anything that rustdoc would take for markup. Characters that change the
/// direction of text, and invisible characters, are removed, so that the code reads as it compiles.
pub(super) fn words(text: &str) -> String {
    let code = text.matches('`').count().is_multiple_of(2) && !text.contains("``");
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            {
                continue;
            }
            if matches!(c, '[' | ']' | '<' | '>' | '*' | '#' | '|' | '\\' | '~') || (c == '`' && !code) {
                line.push('\\');
            }
            line.push(c);
        }
    }
    line
}
