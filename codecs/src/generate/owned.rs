//! Owned forms: a struct for each message and entry that holds everything its decoder can read, outlives the bytes, and is
//! encoded again. Made only on demand, as they allocate.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::Options;
use super::types::{Slot, literal};
use crate::schema::{Data, Group};

/// The fields of one owned form, and how each is read and written.
#[derive(Default)]
pub(super) struct Owned {
    fields: Vec<TokenStream>,
    reads: Vec<TokenStream>,
    writes: Vec<TokenStream>,
    /// Terms of the encoded length beyond the block.
    lengths: Vec<TokenStream>,
    /// Whether anything but the block is written, so that the encoder changes hands.
    has_fields: bool,
}

/// The form that serde gives a value of fixed length, where it is not the one of the value's type.
pub(super) fn form(slot: &Slot, optional: bool) -> Option<&'static str> {
    match (slot.text.is_some(), slot.is_array, optional) {
        (true, _, false) => Some("runtime::forms::text"),
        (true, _, true) => Some("runtime::forms::optional_text"),
        (_, true, false) => Some("runtime::forms::array"),
        (_, true, true) => Some("runtime::forms::optional_array"),
        _ => None,
    }
}

/// What a struct with serde implementations says of itself and of one of its fields.
pub(super) fn derives(options: &Options) -> TokenStream {
    if options.serde {
        quote! {
            #[derive(runtime::serde::Serialize, runtime::serde::Deserialize)]
            #[serde(crate = "runtime::serde")]
        }
    } else {
        TokenStream::new()
    }
}

/// What a field of such a struct says: its name in the schema, its form, and whether it may be left out.
pub(super) fn field_attribute(options: &Options, name: &str, form: Option<&str>, may_lack: bool) -> TokenStream {
    if !options.serde {
        return TokenStream::new();
    }
    let form = form.map(|form| quote!(, with = #form));
    let default = may_lack.then(|| quote!(, default));
    quote!(#[serde(rename = #name #form #default)])
}

impl Owned {
    /// A field of the block.
    pub(super) fn field(
        &mut self,
        options: &Options,
        note: &TokenStream,
        name: &str,
        method: &Ident,
        slot: &Slot,
        newer: bool,
    ) {
        self.has_fields = true;
        let optional = newer || slot.null.is_some();
        let ty = if let Some(length) = slot.text {
            let length = literal(length);
            quote!([u8; #length])
        } else {
            slot.ty.clone()
        };
        let ty = if optional { quote!(Option<#ty>) } else { ty };
        let attribute = field_attribute(options, name, form(slot, optional), optional);
        self.fields.push(quote!(#note #attribute pub #method: #ty));
        self.reads.push(match (slot.text.is_some(), newer) {
            (false, _) => quote!(#method: from.#method()),
            (true, false) => quote!(#method: *from.#method()),
            (true, true) => quote!(#method: from.#method().copied()),
        });
        let reference = slot.text.is_some().then(|| quote!(&));
        self.writes.push(if newer && slot.null.is_none() {
            quote!(if let Some(value) = #reference self.#method { encoder.#method(value); })
        } else {
            quote!(encoder.#method(#reference self.#method);)
        });
    }

    /// A group, whose entries' owned form is `entry`.
    pub(super) fn group(
        &mut self,
        options: &Options,
        note: &TokenStream,
        group: &Group,
        method: &Ident,
        entry: &TokenStream,
    ) {
        let attribute = field_attribute(options, &group.name, None, true);
        let dimension = literal(group.dimension.length);
        self.fields.push(quote!(#note #attribute pub #method: runtime::Vec<#entry>));
        self.reads.push(quote!(#method: from.#method().iter().map(#entry::from).collect()));
        self.writes.push(quote! {
            let encoder = encoder.#method(&self.#method, |encoder, entry| entry.encode(encoder))?;
        });
        self.lengths.push(quote!(#dimension + self.#method.iter().map(#entry::encoded_length).sum::<usize>()));
    }

    /// Data, which older writers do not send when it is newer.
    pub(super) fn data(&mut self, options: &Options, note: &TokenStream, data: &Data, method: &Ident, newer: bool) {
        let is_text = data.body_type().is_some_and(|body| body.character_encoding.is_some());
        let attribute = field_attribute(options, &data.name, is_text.then_some("runtime::forms::data"), true);
        let length = literal(data.ty.length);
        self.fields.push(quote!(#note #attribute pub #method: runtime::Vec<u8>));
        let sent = newer.then(|| quote!(.unwrap_or_default()));
        self.reads.push(quote!(#method: from.#method() #sent .to_vec()));
        self.writes.push(quote!(let encoder = encoder.#method(&self.#method)?;));
        self.lengths.push(quote!(#length + self.#method.len()));
    }

    /// The struct and what it can do.
    pub(super) fn code(&self, options: &Options, level: &Described<'_>) -> TokenStream {
        let Described { note, owned, decoder, encoder, block_length, is_message } = level;
        let Self { fields, reads, writes, lengths, .. } = self;
        let derives = derives(options);
        let from = if reads.is_empty() { quote!(_) } else { quote!(from) };
        let mutable = self.has_fields.then(|| quote!(mut));
        let mut terms = Vec::new();
        if *is_message {
            terms.push(quote!(Header::LENGTH));
        }
        if *block_length > 0 {
            let block = literal(*block_length);
            terms.push(quote!(#block));
        }
        terms.extend(lengths.iter().cloned());
        if terms.is_empty() {
            terms.push(quote!(0));
        }
        let methods = if *is_message {
            quote! {
                /// Writes the message to the start of `buffer`, header included, and returns its length.
                ///
                /// # Errors
                ///
                /// The buffer is too short, or the message has more than its schema allows.
                pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, runtime::EncodeError> {
                    let #mutable encoder = #encoder::wrap(buffer)?;
                    #(#writes)*
                    Ok(encoder.finish())
                }
            }
        } else {
            quote! {
                /// Writes the entry.
                ///
                /// # Errors
                ///
                /// The buffer is too short, or the entry has more than its schema allows.
                pub fn encode<'a>(&self, #mutable encoder: #encoder<'a>) -> Result<runtime::Done<'a>, runtime::EncodeError> {
                    #(#writes)*
                    encoder.end()
                }
            }
        };
        quote! {
            #note
            #[derive(Clone, Debug, PartialEq)]
            #derives
            pub struct #owned { #(#fields),* }

            impl #owned {
                /// Bytes that it takes when it is written.
                #[must_use]
                pub fn encoded_length(&self) -> usize {
                    #(#terms)+*
                }

                #methods
            }

            impl From<#decoder<'_>> for #owned {
                fn from(#from: #decoder<'_>) -> Self {
                    Self { #(#reads),* }
                }
            }
        }
    }
}

/// The names of a level's types, and what there is to say of it.
pub(super) struct Described<'l> {
    pub(super) note: TokenStream,
    pub(super) owned: &'l Ident,
    pub(super) decoder: &'l Ident,
    pub(super) encoder: &'l Ident,
    pub(super) block_length: u32,
    pub(super) is_message: bool,
}
