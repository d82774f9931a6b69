//! Generates owned forms: a struct for each message and entry that holds everything its decoder can read, outlives the
//! bytes, and can be encoded again. They are generated only on demand, because they allocate.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::Level;
use crate::generate::documentation::doc;
use crate::generate::options::Options;
use crate::generate::primitive::literal;
use crate::generate::serde_attributes::{derives, field_attribute, form};
use crate::generate::types::Slot;
use crate::schema::{Data, Group};

/// The fields of one owned form, and how each is read and written.
#[derive(Default)]
pub(super) struct Owned {
    fields: Vec<TokenStream>,
    reads: Vec<TokenStream>,
    /// The start values when the fields are read in order: the block's fields are read, groups and data have their
    /// initial value.
    starts: Vec<TokenStream>,
    steps: Vec<Step>,
    writes: Vec<TokenStream>,
    /// Terms of the encoded length beyond the block.
    lengths: Vec<TokenStream>,
    /// Whether anything but the block is written. The encoder then passes from stage to stage.
    has_fields: bool,
}

/// How a group or data is read in order.
enum Step {
    /// Data: `read` converts `found` to the field's value.
    Data { method: Ident, read: TokenStream },
    /// A group whose entries are nothing but blocks.
    Blocks { method: Ident, entry: TokenStream },
    /// A group with groups or data inside.
    Nested { method: Ident, entry: TokenStream },
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
        let read = match (slot.text.is_some(), newer) {
            (false, _) => quote!(#method: from.#method()),
            (true, false) => quote!(#method: *from.#method()),
            (true, true) => quote!(#method: from.#method().copied()),
        };
        self.starts.push(read.clone());
        self.reads.push(read);
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
        flat: bool,
    ) {
        let attribute = field_attribute(options, &group.name, None, true);
        let dimension = literal(group.dimension.length);
        self.fields.push(quote!(#note #attribute pub #method: runtime::Vec<#entry>));
        self.reads.push(quote!(#method: from.#method().iter().map(#entry::from).collect()));
        self.starts.push(quote!(#method: runtime::Vec::new()));
        self.steps.push(if flat {
            Step::Blocks { method: method.clone(), entry: entry.clone() }
        } else {
            Step::Nested { method: method.clone(), entry: entry.clone() }
        });
        self.writes.push(quote! {
            let encoder = encoder.#method(&self.#method, |encoder, entry| entry.encode(encoder))?;
        });
        self.lengths.push(quote!(#dimension + self.#method.iter().map(#entry::encoded_length).sum::<usize>()));
    }

    /// Data. If it is newer than the level, older writers do not send it.
    pub(super) fn data(&mut self, options: &Options, note: &TokenStream, data: &Data, method: &Ident, newer: bool) {
        let is_text = data.body_type().is_some_and(|body| body.character_encoding.is_some());
        let attribute = field_attribute(options, &data.name, is_text.then_some("runtime::forms::data"), true);
        let length = literal(data.ty.length);
        self.fields.push(quote!(#note #attribute pub #method: runtime::Vec<u8>));
        let sent = newer.then(|| quote!(.unwrap_or_default()));
        self.reads.push(quote!(#method: from.#method() #sent .to_vec()));
        self.starts.push(quote!(#method: runtime::Vec::new()));
        self.steps.push(Step::Data { method: method.clone(), read: quote!(found #sent .to_vec()) });
        self.writes.push(quote!(let encoder = encoder.#method(&self.#method)?;));
        self.lengths.push(quote!(#length + self.#method.len()));
    }

    /// The code that reads everything from `from`, a decoder that reads in order.
    fn in_order(&self, is_message: bool) -> TokenStream {
        let starts = &self.starts;
        if self.steps.is_empty() {
            let from = starts.is_empty().then(|| quote!(let _ = from;));
            return quote!(#from Ok(Self { #(#starts),* }));
        }
        let steps = self.steps.iter().enumerate().map(|(at, step)| {
            let goes_on = !is_message || at + 1 < self.steps.len();
            let from = if goes_on { quote!(from) } else { quote!(_) };
            match step {
                Step::Data { method, read } => quote! {
                    let (found, #from) = from.#method()?;
                    owned.#method = #read;
                },
                Step::Blocks { method, entry } => {
                    let after = goes_on.then(|| quote!(let from =));
                    quote!(#after from.#method()?.for_each(|entry| owned.#method.push(#entry::from(entry)))?;)
                }
                Step::Nested { method, entry } => {
                    let after = goes_on.then(|| quote!(let from =));
                    quote! {
                        let mut entries = from.#method()?;
                        while let Some(entry) = entries.next_entry()? {
                            owned.#method.push(#entry::read(entry)?);
                        }
                        #after entries.end()?;
                    }
                }
            }
        });
        let end = (!is_message).then(|| quote!(from.end();));
        quote! {
            let mut owned = Self { #(#starts),* };
            #(#steps)*
            #end
            Ok(owned)
        }
    }

    /// The struct and its methods.
    pub(super) fn code(&self, level: &Level<'_>) -> TokenStream {
        let Level { options, name, owned, decoder, encoder, .. } = level;
        let note = doc(level.notes, &format!("`{name}`."), "An owned form, which outlives the bytes it was read from.");
        let (block_length, is_message) = (level.body.block_length, level.message.is_some());
        let Self { fields, reads, writes, lengths, .. } = self;
        let derives = derives(options);
        let from = if reads.is_empty() { quote!(_) } else { quote!(from) };
        let mutable = self.has_fields.then(|| quote!(mut));
        let mut terms = Vec::new();
        if is_message {
            terms.push(quote!(Header::LENGTH));
        }
        if block_length > 0 {
            let block = literal(block_length);
            terms.push(quote!(#block));
        }
        terms.extend(lengths.iter().cloned());
        if terms.is_empty() {
            terms.push(quote!(0));
        }
        let in_order = self.in_order(is_message);
        let methods = if is_message {
            quote! {
                /// Reads a message behind its header.
                ///
                /// # Errors
                ///
                /// The header is of another schema or message, or of a version that did not have it yet; or the bytes end before
                /// the message does.
                pub fn decode(bytes: &[u8]) -> Result<Self, runtime::DecodeError> {
                    Self::read(#decoder::in_order(bytes)?)
                }

                fn read(from: #decoder<'_, runtime::InOrder<'_>>) -> Result<Self, runtime::DecodeError> {
                    #in_order
                }

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
            let read = (!self.steps.is_empty()).then(|| {
                quote! {
                    pub(super) fn read<'a>(from: #decoder<'a, runtime::InEntry<'a, '_>>) -> Result<Self, runtime::DecodeError> {
                        #in_order
                    }
                }
            });
            quote! {
                #read

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
