//! Generates a level's decoder that reads in order. A method of one stage checks each group and each data field when it
//! is reached, and returns the decoder for what follows. This adds to what a checked decoder has.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use super::decoder::Front;
use super::{Level, is_flat};
use crate::generate::primitive::literal;
use crate::schema::{Message, Number, Presence};

impl Level<'_> {
    /// Whether decoders of the level have stages: they do if groups or data follow the block, or if the level must say
    /// where reading continues.
    pub(super) fn is_staged(&self) -> bool {
        self.message.is_some() || !is_flat(self.body)
    }

    /// The lifetimes of a decoder that reads in order, and its type at a stage.
    pub(super) fn in_order(&self, stage: usize) -> (TokenStream, TokenStream) {
        let (decoder, stage) = (&self.decoder, Literal::usize_unsuffixed(stage));
        if self.message.is_some() {
            (quote!(<'a>), quote!(#decoder<'a, runtime::InOrder<'a, #stage>>))
        } else {
            (quote!(<'a, 'g>), quote!(#decoder<'a, runtime::InEntry<'a, 'g, #stage>>))
        }
    }

    /// The methods that lead from each stage to the next, and those of the last stage.
    pub(super) fn stages(&self, steps: &[TokenStream]) -> TokenStream {
        let (decoder, name) = (&self.decoder, self.name);
        let last = self.body.groups.len() + self.body.data.len();
        let (end_generics, end) = self.in_order(last);
        let stages = if self.message.is_some() {
            quote!(#decoder<'_, runtime::InOrder<'_, STAGE>>)
        } else {
            quote!(#decoder<'_, runtime::InEntry<'_, '_, STAGE>>)
        };
        let finish = if self.message.is_some() {
            quote! {
                /// The bytes behind the message.
                #[inline]
                #[must_use]
                pub fn finish(self) -> &'a [u8] {
                    self.rest.rest()
                }
            }
        } else {
            quote! {
                /// Ends the entry. One that does not end here is stepped over by the group, which takes longer.
                #[inline]
                pub fn end(self) {
                    self.rest.end();
                }
            }
        };
        quote! {
            #(#steps)*

            impl #end_generics #end {
                #finish
            }

            impl<const STAGE: usize> core::fmt::Debug for #stages {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    f.debug_struct(#name).field("stage", &STAGE).finish_non_exhaustive()
                }
            }

            impl<'a, R: runtime::Front<'a>> runtime::Front<'a> for #decoder<'a, R> {
                #[inline]
                fn reader(&mut self) -> &mut runtime::Reader<'a> {
                    self.rest.reader()
                }
            }
        }
    }

    /// The method that reads one data field. It returns the data and the next stage, which keeps the values in
    /// `carried`.
    #[expect(clippy::too_many_arguments, reason = "the names of one data, each used once")]
    pub(super) fn data_step(
        &self,
        stage: usize,
        method: &Ident,
        note: &TokenStream,
        ty: &TokenStream,
        uses_version: bool,
        value: &TokenStream,
        carried: &TokenStream,
    ) -> TokenStream {
        let version = uses_version.then(|| quote!(let version = self.rest.version();));
        let ((generics, here), (_, next)) = (self.in_order(stage), self.in_order(stage + 1));
        let decoder = &self.decoder;
        quote! {
            impl #generics #here {
                #note
                ///
                /// With it comes the decoder that reads on behind it.
                ///
                /// # Errors
                ///
                /// The bytes end before it does.
                #[inline(always)]
                pub fn #method(mut self) -> Result<(#ty, #next), runtime::DecodeError> {
                    #version
                    let reader = runtime::Front::reader(&mut self.rest);
                    let value = #value;
                    Ok((value, #decoder { #carried rest: self.rest.at() }))
                }
            }
        }
    }

    /// The method that enters a group, whose entries are plain blocks or contain groups or data.
    #[expect(clippy::too_many_arguments, reason = "the names of one group, each used once")]
    pub(super) fn group_step(
        &self,
        stage: usize,
        method: &Ident,
        note: &TokenStream,
        entry: &TokenStream,
        since: Option<&Literal>,
        dimension: &TokenStream,
        flat: bool,
        carried: &TokenStream,
    ) -> TokenStream {
        let ((generics, here), (_, next)) = (self.in_order(stage), self.in_order(stage + 1));
        let sizes = quote!({ #dimension (block_length, count) });
        let sizes = match since {
            Some(since) => quote!(if version >= #since #sizes else { (0, 0) }),
            None => sizes,
        };
        let decoder = &self.decoder;
        let (entries, errors, made) = if flat {
            (
                quote!(runtime::BlocksInOrder<'a, #entry<'a>, #next>),
                "The bytes end before its entries begin.",
                quote!(Ok(runtime::BlocksInOrder::new(after, count, block_length, version))),
            )
        } else {
            (
                quote!(runtime::EntriesInOrder<'a, #entry<'a>, #next>),
                "The bytes end before its entries begin, or their blocks are too short.",
                quote!(runtime::EntriesInOrder::new(after, count, block_length, version)),
            )
        };
        let errors = format!(" {errors}");
        quote! {
            impl #generics #here {
                #note
                ///
                /// Its `end` gives the decoder that reads on behind it.
                ///
                /// # Errors
                ///
                #[doc = #errors]
                #[inline(always)]
                pub fn #method(mut self) -> Result<#entries, runtime::DecodeError> {
                    let version = self.rest.version();
                    let reader = runtime::Front::reader(&mut self.rest);
                    let (block_length, count) = #sizes;
                    let after = #decoder { #carried rest: self.rest.at() };
                    #made
                }
            }
        }
    }

    /// The start of a message that is read in order. One comparison recognises a message with the usual header; other
    /// messages take the general path.
    pub(super) fn in_order_code(&self, message: &Message, oldest: u32, front: &Front) -> TokenStream {
        let (decoder, template, since) = (&self.decoder, literal(message.id), literal(message.notes.since));
        let ty = quote!(#decoder<'a, runtime::InOrder<'a>>);
        let Front { values, take, has_old, has_new, .. } = front;
        let usual = if let Some(header) = self.own_header(message) {
            let length = self.schema.header.length;
            let (oldest, whole) = (literal(oldest), literal(length + self.body.block_length));
            let message = if *has_old || *has_new { quote!(message) } else { quote!(_) };
            let length = literal(length);
            let block = has_old.then(|| quote!(let block = runtime::bytes::<#oldest, #length, #whole>(message);));
            let full = has_new.then(|| quote!(let (full, version) = (&message[#length..], SCHEMA_VERSION);));
            quote! {
                /// What stands in front of such messages of this version of the schema.
                const HEADER: [u8; #length] = [#(#header),*];

                /// As `in_order`, of a message whose header is that.
                #[inline(always)]
                fn in_order_usual(bytes: &'a [u8]) -> Option<#ty> {
                    let (#message, reader) = runtime::Reader::behind::<#whole, #length>(bytes, &Self::HEADER)?;
                    #block
                    #full
                    Some(#decoder { #values rest: runtime::InOrder::new(reader, SCHEMA_VERSION) })
                }
            }
        } else {
            quote! {
                /// None: the header cannot say all that it is to say.
                fn in_order_usual(_: &'a [u8]) -> Option<#ty> {
                    None
                }
            }
        };
        quote! {
            #usual

            /// Reads a message behind its header, from front to back: each group and data is checked when it is reached, and
            /// gives the decoder that reads on behind it. It is the fastest way to read all of a message once.
            ///
            /// # Errors
            ///
            /// The header is of another schema or message, or of a version that did not have it yet; or the bytes end inside
            /// the block.
            #[inline]
            pub fn in_order(bytes: &'a [u8]) -> Result<#ty, runtime::DecodeError> {
                match Self::in_order_usual(bytes) {
                    Some(decoder) => Ok(decoder),
                    None => Self::in_order_any(bytes),
                }
            }

            /// As `in_order`, of a message of any version. In line: for a call, registers would be saved on the usual way, too.
            #[cold]
            #[inline(always)]
            fn in_order_any(bytes: &'a [u8]) -> Result<#ty, runtime::DecodeError> {
                let (header, body) = Header::read_of(bytes, #template, #since)?;
                Self::wrap_in_order(body, header.block_length, header.version)
            }

            /// As `in_order`, without a header.
            ///
            /// # Errors
            ///
            /// The bytes end inside the block.
            #[inline]
            pub fn wrap_in_order(
                body: &'a [u8],
                block_length: usize,
                version: u32,
            ) -> Result<#decoder<'a, runtime::InOrder<'a>>, runtime::DecodeError> {
                let mut reader = runtime::Reader::new(body);
                #take
                Ok(#decoder { #values rest: runtime::InOrder::new(reader, version) })
            }
        }
    }

    /// The start of an entry that contains groups or data.
    pub(super) fn nested_entry(&self, front: &Front) -> TokenStream {
        let decoder = &self.decoder;
        let Front { values, take, has_new, .. } = front;
        let version = if *has_new { quote!(version) } else { quote!(_version) };
        quote! {
            impl<'a> runtime::Nested<'a> for #decoder<'a> {
                type At<R> = #decoder<'a, R>;

                #[inline]
                fn start<R: runtime::Front<'a>>(
                    mut rest: R,
                    block_length: usize,
                    #version: u32,
                ) -> Result<#decoder<'a, R>, runtime::DecodeError> {
                    let reader = rest.reader();
                    #take
                    Ok(#decoder { #values rest })
                }
            }
        }
    }

    /// The header of these messages in this version of the schema, if its members can hold the values.
    fn own_header(&self, message: &Message) -> Option<Vec<Literal>> {
        let mut bytes = vec![0; self.schema.header.length as usize];
        let members = [
            ("blockLength", self.body.block_length),
            ("templateId", message.id),
            ("schemaId", self.schema.id),
            ("version", self.schema.version),
        ];
        for (name, value) in members {
            let (member, encoding) = self.schema.header.number(name)?;
            let value = Number::Int(value.into());
            if encoding.presence == Presence::Constant {
                (encoding.fixed() == Some(value)).then_some(())?;
            } else {
                let place = bytes.get_mut(member.offset as usize..)?;
                encoding.primitive.write(value, place, self.schema.byte_order).ok()?;
            }
        }
        Some(bytes.into_iter().map(Literal::u8_unsuffixed).collect())
    }
}
