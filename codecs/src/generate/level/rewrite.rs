//! Generates `rewrite`, which encodes a decoded message again: each part as it was read, and parts that the writer's
//! version did not have as absent.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Level, Parts, has_block};

impl Level<'_> {
    /// The decoder's method `rewrite`.
    pub(super) fn rewrite(&self, parts: &Parts) -> TokenStream {
        let (encoder, rewrites) = (&self.encoder, &parts.rewrites);
        let mutable = has_block(self.body).then(|| quote!(mut));
        if self.message.is_some() {
            quote! {
                /// Writes the message again, header included, as this version of the schema has it.
                ///
                /// # Errors
                ///
                /// The buffer is too short, or the message has more than its schema allows.
                pub fn rewrite(&self, buffer: &mut [u8]) -> Result<usize, runtime::EncodeError> {
                    let #mutable encoder = #encoder::wrap(buffer)?;
                    #(#rewrites)*
                    Ok(encoder.finish())
                }
            }
        } else {
            quote! {
                /// Writes the entry again, as this version of the schema has it.
                ///
                /// # Errors
                ///
                /// The buffer is too short, or the entry has more than its schema allows.
                pub fn rewrite<'b>(&self, #mutable encoder: #encoder<'b>) -> Result<runtime::Done<'b>, runtime::EncodeError> {
                    #(#rewrites)*
                    encoder.end()
                }
            }
        }
    }
}
