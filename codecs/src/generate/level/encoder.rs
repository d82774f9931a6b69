//! Generates a level's encoder: fields in any order, then groups and data, each once, as the encoder's type demands.
//! `field`, `group` and `var_data` make the code that writes each part.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::fresh_block::fresh_block;
use super::{Level, Parts, has_block, is_flat};
use crate::generate::documentation::doc;
use crate::generate::names::{Scope, snake};
use crate::generate::primitive::literal;

impl Level<'_> {
    /// The encoder: its struct, how it starts, its fields and stages, and how it ends.
    pub(super) fn encoder_code(&self, parts: &Parts) -> TokenStream {
        let (encoder, name) = (&self.encoder, self.name);
        let note = doc(
            self.notes,
            &format!("`{name}`, to be written: fields first and in any order, then what `STAGE` counts, each once."),
            "",
        );
        let length = literal(self.body.block_length);
        let last = Literal::usize_unsuffixed(self.body.groups.len() + self.body.data.len());
        let has_block = has_block(self.body);
        let visibility = if self.message.is_some() { TokenStream::new() } else { quote!(pub(super)) };
        let field = if has_block { quote!(#visibility block: &'a mut [u8; #length],) } else { TokenStream::new() };
        let block = if has_block { quote!(block,) } else { TokenStream::new() };
        let block_name = if has_block { quote!(block) } else { quote!(_block) };
        let Parts { setters, stages, .. } = parts;
        let setters = has_block.then(|| {
            quote! {
                impl<const STAGE: usize> #encoder<'_, STAGE> { #(#setters)* }
            }
        });
        let fill = if self.body.block_length == 0 { TokenStream::new() } else { quote!(*#block_name = Self::EMPTY;) };
        let empty = self.empty();
        let constant = (self.body.block_length > 0).then(|| quote!(#visibility const EMPTY: [u8; #length] = #empty;));
        let front = if let Some(message) = self.message {
            let exact = self.exact_length();
            let template = literal(message.id);
            quote! {
                impl<'a> #encoder<'a> {
                    #constant
                    #exact

                    /// Starts a message at the start of `buffer`, header included. Optional fields are none and others zero until they
                    /// are written.
                    ///
                    /// # Errors
                    ///
                    /// The buffer cannot hold the header and the block.
                    #[inline]
                    pub fn wrap(buffer: &'a mut [u8]) -> Result<Self, runtime::EncodeError> {
                        let mut writer = runtime::Writer::new(buffer);
                        Header::write(&mut writer, #length, #template)?;
                        let #block_name = writer.take::<#length>(#name)?;
                        #fill
                        Ok(Self { #block writer })
                    }
                }
            }
        } else {
            constant.map_or_else(TokenStream::new, |constant| quote!(impl #encoder<'_> { #constant }))
        };
        let end = if self.message.is_some() {
            quote! {
                impl #encoder<'_, #last> {
                    /// Bytes of the whole message, header included.
                    #[inline]
                    #[must_use]
                    pub fn finish(self) -> usize {
                        self.writer.written()
                    }
                }
            }
        } else {
            quote! {
                impl<'a> #encoder<'a, #last> {
                    /// Ends the entry: all of it is written.
                    ///
                    /// # Errors
                    ///
                    /// None; it is a `Result` so that it can stand last in a closure.
                    #[inline]
                    pub fn end(self) -> Result<runtime::Done<'a>, runtime::EncodeError> {
                        Ok(self.writer.done())
                    }
                }
            }
        };
        quote! {
            #note
            #[derive(Debug)]
            pub struct #encoder<'a, const STAGE: usize = 0> {
                #field
                #visibility writer: runtime::Writer<'a>,
            }

            #front
            #setters
            #(#stages)*
            #end
        }
    }

    /// The bytes of a fresh block: zeros, and nulls where fields are optional.
    fn empty(&self) -> TokenStream {
        let bytes = fresh_block(self.body, self.schema.byte_order);
        if bytes.iter().all(|&byte| byte == 0) {
            let length = literal(self.body.block_length);
            return quote!([0; #length]);
        }
        let literal = Literal::byte_string(&bytes);
        quote!(*#literal)
    }

    /// The function that computes the exact length of a message, if its groups contain nothing of variable length.
    fn exact_length(&self) -> Option<TokenStream> {
        if !self.body.groups.iter().all(|group| is_flat(&group.body)) {
            return None;
        }
        let mut scope = Scope::default();
        let (mut arguments, mut terms) = (Vec::new(), Vec::new());
        for group in &self.body.groups {
            let argument = scope.take(snake(&group.name));
            let (dimension, block) = (literal(group.dimension.length), literal(group.body.block_length));
            arguments.push(quote!(#argument: usize));
            terms.push(quote!(+ #dimension));
            match group.body.block_length {
                // Such entries take no bytes, however many they are.
                0 => arguments.pop().map_or((), |_| arguments.push(quote!(_: usize))),
                1 => terms.push(quote!(+ #argument)),
                _ => terms.push(quote!(+ #argument * #block)),
            }
        }
        for data in &self.body.data {
            let argument = scope.take(snake(&data.name));
            let length = literal(data.ty.length);
            arguments.push(quote!(#argument: usize));
            terms.push(quote!(+ #length + #argument));
        }
        if self.body.block_length > 0 {
            let block = literal(self.body.block_length);
            terms.insert(0, quote!(+ #block));
        }
        Some(quote! {
            /// Bytes of a whole message, header included, with so many entries in each group and so many bytes in each data.
            #[must_use]
            pub const fn encoded_length(#(#arguments),*) -> usize {
                Header::LENGTH #(#terms)*
            }
        })
    }
}
