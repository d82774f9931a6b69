//! Groups of a level: the levels of their entries, how a checked decoder reads each, and how an encoder writes it.
//! `in_order` has how they are read in order.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use super::decoder::Front;
use super::fresh_block::fresh_block;
use super::{Level, Parts, has_block, is_flat};
use crate::generate::documentation::doc;
use crate::generate::framing::{blank, framing_read, framing_writes};
use crate::generate::names::{Scope, camel, snake};
use crate::generate::primitive::literal;
use crate::generate::types::Types;
use crate::schema::{Group, Number};

impl Level<'_> {
    /// Adds the groups' code to the parts of their level, including the levels of their entries.
    pub(super) fn groups(&self, types: &mut Types, scope: &mut Scope, front: &Front, parts: &mut Parts) {
        let mut inner_types = Scope::default();
        let mut inner_modules = Scope::with(&["runtime", "types", "core"]);
        let module = &self.module;
        // A module of its parent's name would be one more than readers can tell apart.
        inner_modules.reserve(&[module.to_string().trim_start_matches("r#")]);
        for (stage, group) in self.body.groups.iter().enumerate() {
            let method = scope.take(snake(&group.name));
            let base = inner_types.take_all(camel(&group.name), &["Entry", "Encoder", "Owned", "Rest"]);
            let level = self.of_group(group, &base, inner_modules.take(snake(&group.name)));
            let (entry, encoder) = (&level.decoder, &level.encoder);
            let (entry, encoder) = (quote!(#module::#entry), quote!(#module::#encoder));
            parts.uses_version = true;
            let since = (group.notes.since > self.base).then(|| literal(group.notes.since));
            let name = &group.name;
            let note = doc(&group.notes, &format!("Group `{name}`."), &format!("Group id {}.", group.id));
            let ty = quote!(runtime::Entries<'a, #entry<'a>>);
            let dimension = dimension_read(group);
            let read = quote! {
                #dimension
                runtime::Entries::read(reader, count, block_length, version)?
            };
            if let Some(since) = &since {
                let read = quote!(if version >= #since { Some({ #read }) } else { None });
                parts.held.push((method.clone(), quote!(Option<#ty>), read));
                parts.checked_getters.push(quote! {
                    #note
                    #[inline]
                    #[must_use]
                    pub fn #method(&self) -> #ty { self.rest.#method.unwrap_or_else(runtime::Entries::none) }
                });
                parts.json.push(quote!(object.present(#name, self.rest.#method)?;));
            } else {
                parts.held.push((method.clone(), ty.clone(), quote!({ #read })));
                parts.checked_getters.push(quote! {
                    #note
                    #[inline]
                    #[must_use]
                    pub fn #method(&self) -> #ty { self.rest.#method }
                });
                parts.json.push(quote!(object.field(#name, &self.rest.#method)?;));
            }
            let flat = is_flat(&group.body);
            parts.steps.push(self.group_step(
                stage,
                &method,
                &note,
                &entry,
                since.as_ref(),
                &dimension,
                flat,
                &front.carried,
            ));
            parts.rewrites.push(quote! {
                let encoder = encoder.#method(self.#method(), |encoder, entry| entry.rewrite(encoder))?;
            });
            let owned = &level.owned;
            parts.owned.group(self.options, &note, group, &method, &quote!(#module::#owned), flat);
            parts.stages.push(self.group_stage(group, stage, &method, &encoder, &note));
            parts.nested.push(level.code(types));
        }
    }

    /// The encoder's stage that writes a group. The entry's `encoder` writes each item.
    fn group_stage(
        &self,
        group: &Group,
        stage: usize,
        method: &Ident,
        encoder: &TokenStream,
        note: &TokenStream,
    ) -> TokenStream {
        let own = &self.encoder;
        let (here, next) = (Literal::usize_unsuffixed(stage), Literal::usize_unsuffixed(stage + 1));
        let (name, length) = (&group.name, literal(group.dimension.length));
        let count = group.dimension.number("numInGroup").map(|(_, encoding)| encoding);
        let allowed = |number: Option<Number>| {
            let number = number.and_then(Number::as_int).unwrap_or(0);
            u32::try_from(number.max(0)).unwrap_or(u32::MAX)
        };
        let fewest = allowed(count.and_then(|count| count.min));
        let (least, most) = (literal(fewest), literal(allowed(count.map(|count| count.applicable_max()))));
        let block_length = literal(group.body.block_length);
        let writes = framing_writes(
            &group.dimension,
            &quote!(dimension),
            &[("blockLength", quote!(#block_length)), ("numInGroup", quote!(runtime::Primitive::from_length(count)))],
        );
        let entry_has_block = has_block(&group.body);
        let has_nulls = fresh_block(&group.body, self.schema.byte_order).iter().any(|&byte| byte != 0);
        let own_block = if has_block(self.body) { quote!(block: self.block,) } else { TokenStream::new() };
        let check_least = (fewest > 0).then(|| {
            quote! {
                if count < #least {
                    return Err(runtime::EncodeError::EntryCount { what: #name, least: #least, most: #most });
                }
            }
        });
        // A block with nulls in it is filled beside the buffer and copied there once it is done: so it is made in registers, and
        // nothing is written twice. Where all is zero the compiler sees that by itself.
        // Otherwise the writer goes into the entry and comes back out of it.
        let entry = if entry_has_block && has_nulls {
            quote! {
                let mut block = #encoder::<'_, 0>::EMPTY;
                let done = each(#encoder { block: &mut block, writer: writer.reborrow() }, item)?;
                let written = done.written();
                *place = block;
                writer.skip(written);
            }
        } else {
            let start = (group.body.block_length > 0).then(|| quote!(*place = #encoder::<'_, 0>::EMPTY;));
            let block = entry_has_block.then(|| quote!(block: place,));
            quote! {
                #start
                writer = each(#encoder { #block writer }, item)?.into_writer();
            }
        };
        let blank = blank(&group.dimension, &quote!(dimension), &["blockLength", "numInGroup"]);
        let unused = group.body.block_length == 0 && !entry_has_block;
        let place = if unused { quote!(_place) } else { quote!(place) };
        quote! {
            impl<'a> #own<'a, #here> {
                #note
                ///
                /// Each item becomes an entry, which `each` fills.
                ///
                /// # Errors
                ///
                /// The buffer is too short, there are too few or too many items, or `each` fails.
                pub fn #method<I: IntoIterator>(
                    self,
                    items: I,
                    mut each: impl FnMut(#encoder<'_>, I::Item) -> Result<runtime::Done<'_>, runtime::EncodeError>,
                ) -> Result<#own<'a, #next>, runtime::EncodeError> {
                    let mut writer = self.writer;
                    let dimension = writer.take::<#length>(#name)?;
                    #blank
                    let mut count = 0_usize;
                    for item in items {
                        if count == #most {
                            return Err(runtime::EncodeError::EntryCount { what: #name, least: #least, most: #most });
                        }
                        let #place = writer.take::<#block_length>(#name)?;
                        #entry
                        count += 1;
                    }
                    #check_least
                    #writes
                    Ok(#own { #own_block writer })
                }
            }
        }
    }
}

/// The code that reads the dimensions of a group: its `block_length` and `count`.
fn dimension_read(group: &Group) -> TokenStream {
    let (name, length) = (&group.name, literal(group.dimension.length));
    let block_length = framing_read(&group.dimension, "blockLength", &quote!(dimension));
    let count = framing_read(&group.dimension, "numInGroup", &quote!(dimension));
    quote! {
        let dimension = reader.take_array::<#length>(#name)?;
        let (block_length, count) = (#block_length, #count);
    }
}
