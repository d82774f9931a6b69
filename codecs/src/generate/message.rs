//! Messages and entries of groups: a decoder that is checked once and then only reads, the same decoder reading in order, and
//! an encoder; the types of the latter two say what comes next.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use super::names::{Scope, camel, screaming, snake, with_suffix};
use super::owned::{Described, Owned};
use super::types::{Slot, Types, charset, constant_value, literal, rust};
use super::{Options, doc, words};
use crate::schema::{Body, Composite, Constant, Data, Field, Group, Message, Notes, Number, Presence, Schema, Type};

/// Names that no field's, group's or data's method can have.
const TAKEN: &[&str] = &[
    "decode",
    "wrap",
    "in_order",
    "wrap_in_order",
    "in_order_usual",
    "in_order_any",
    "encoded_length",
    "rewrite",
    "fmt",
    "json",
    "read",
    "finish",
    "end",
    "clone",
    "clone_from",
    "new",
    "to_string",
    "into",
    "borrow",
    "type_id",
    "to_owned",
];
/// Names that groups and data cannot have either, as their values are bound to them beside these.
const TAKEN_VARIABLES: &[&str] = &[
    "block",
    "full",
    "version",
    "length",
    "reader",
    "block_length",
    "body",
    "all",
    "dimension",
    "count",
    "bytes",
    "core",
];
const TAKEN_CONSTANTS: &[&str] = &["TEMPLATE_ID", "BLOCK_LENGTH", "NAME", "OLDEST", "BLOCK", "FLAT", "EMPTY", "HEADER"];

/// One block with what follows it: a message or an entry of a group.
struct Level<'s> {
    options: &'s Options,
    schema: &'s Schema,
    name: &'s str,
    notes: &'s Notes,
    body: &'s Body,
    /// The schema version from which the level has existed.
    base: u32,
    /// The message, unless it is an entry.
    message: Option<&'s Message>,
    decoder: Ident,
    encoder: Ident,
    owned: Ident,
    /// What a checked decoder knows of the groups and data.
    rest: Ident,
    /// The module of the groups inside.
    module: Ident,
    /// How deep in modules the level's own types are.
    depth: usize,
    owner: String,
}

/// A field as generated code has it.
struct Member<'s> {
    field: &'s Field,
    method: Ident,
    slot: Slot,
    /// Whether only newer writers send it.
    newer: bool,
}

/// The code of one step of a decoder that reads in order, given the values that it carries on.
type Step = Box<dyn Fn(&TokenStream) -> TokenStream>;

/// What a decoder has at every stage.
struct Front {
    /// Its fields.
    fields: TokenStream,
    /// Their values where they have just been read.
    values: TokenStream,
    /// Their values from the stage before.
    carried: TokenStream,
    /// The code that takes the block.
    take: TokenStream,
    /// Whether there are fields that every version sends.
    has_old: bool,
    /// Whether there are fields that only newer writers send.
    has_new: bool,
}

/// What the parts of a level come to.
#[derive(Default)]
struct Parts {
    constants: Vec<TokenStream>,
    /// Of the fields.
    getters: Vec<TokenStream>,
    /// Of groups and data, once they are checked.
    checked_getters: Vec<TokenStream>,
    /// The ways from one group or data to the next.
    steps: Vec<Step>,
    setters: Vec<TokenStream>,
    json: Vec<TokenStream>,
    /// Fields of the decoder, their types, and how each is read.
    held: Vec<(Ident, TokenStream, TokenStream)>,
    rewrites: Vec<TokenStream>,
    stages: Vec<TokenStream>,
    nested: Vec<TokenStream>,
    owned: Owned,
    uses_version: bool,
}

/// A message's code; the names of its decoder and of its owned form come back for the enums of all messages.
pub(super) fn message(
    options: &Options,
    schema: &Schema,
    types: &mut Types,
    message: &Message,
    type_scope: &mut Scope,
    module_scope: &mut Scope,
) -> (TokenStream, Ident, Ident) {
    let base = type_scope.take_all(camel(&message.name), &["Decoder", "Encoder", "Owned", "Rest"]);
    let level = Level {
        options,
        schema,
        name: &message.name,
        notes: &message.notes,
        body: &message.body,
        base: message.notes.since,
        message: Some(message),
        decoder: with_suffix(&base, "Decoder"),
        encoder: with_suffix(&base, "Encoder"),
        owned: with_suffix(&base, "Owned"),
        rest: with_suffix(&base, "Rest"),
        module: module_scope.take(snake(&message.name)),
        depth: 0,
        owner: camel(&message.name),
    };
    let (decoder, owned) = (level.decoder.clone(), level.owned.clone());
    let (code, marker) = (level.code(types), marker(message, &base, &level));
    (quote!(#marker #code), decoder, owned)
}

/// The type that names a message where code serves any of them.
fn marker(message: &Message, base: &Ident, level: &Level<'_>) -> TokenStream {
    let note =
        doc(&message.notes, &format!("`{}`.", message.name), "The message's name, for code that serves any message.");
    let (decoder, encoder) = (&level.decoder, &level.encoder);
    let since = literal(message.notes.since);
    quote! {
        #note
        #[derive(Clone, Copy, Debug)]
        pub enum #base {}

        impl runtime::Message for #base {
            type Decoder<'a> = #decoder<'a>;
            type InOrder<'a> = #decoder<'a, runtime::InOrder<'a>>;
            type Encoder<'a> = #encoder<'a>;

            const NAME: &'static str = #decoder::NAME;
            const SCHEMA_ID: u32 = SCHEMA_ID;
            const SCHEMA_VERSION: u32 = SCHEMA_VERSION;
            const TEMPLATE_ID: u32 = #decoder::TEMPLATE_ID;
            const SINCE: u32 = #since;

            #[inline]
            fn decode(bytes: &[u8]) -> Result<#decoder<'_>, runtime::DecodeError> {
                #decoder::decode(bytes)
            }

            #[inline]
            fn in_order(bytes: &[u8]) -> Result<Self::InOrder<'_>, runtime::DecodeError> {
                #decoder::in_order(bytes)
            }

            #[inline]
            fn encode(buffer: &mut [u8]) -> Result<#encoder<'_>, runtime::EncodeError> {
                #encoder::wrap(buffer)
            }
        }
    }
}

impl Level<'_> {
    /// The path from this level to the module of types.
    fn types_path(&self) -> TokenStream {
        let up = std::iter::repeat_n(quote!(super::), self.depth);
        quote!(#(#up)* types::)
    }

    fn code(&self, types: &mut Types) -> TokenStream {
        let mut scope = Scope::with(TAKEN);
        let mut constants = Scope::with(TAKEN_CONSTANTS);
        let mut parts = Parts::default();
        let members = self.members(types, &mut scope, &mut constants, &mut parts);
        let oldest = members.iter().filter(|member| !member.newer);
        let oldest = oldest.map(|member| member.field.offset + member.slot.length).max().unwrap_or(0);
        for member in &members {
            self.field(member, oldest, &mut parts);
        }
        // JSON has fields and constants in the schema's order; constants were pushed while the members were made.
        parts.json = self.ordered_json(&members, std::mem::take(&mut parts.json));
        scope.reserve(TAKEN_VARIABLES);
        self.groups(types, &mut scope, &mut parts);
        self.data(&mut scope, &mut parts);
        let empty = self.empty(types);
        let decoder = self.decoder_code(&members, oldest, &parts);
        let encoder = self.encoder_code(&members, &empty, &parts);
        let module = &self.module;
        let nested = &parts.nested;
        let nested = if nested.is_empty() {
            TokenStream::new()
        } else {
            let note = format!(" {}", words(&format!("The groups of `{}`.", self.name)));
            quote! {
                #[doc = #note]
                pub mod #module {
                    #[allow(unused_imports)]
                    use super::{Order, runtime};
                    #(#nested)*
                }
            }
        };
        let owned = self.options.owned.then(|| {
            let name = self.name;
            let described = Described {
                note: doc(
                    self.notes,
                    &format!("`{name}`."),
                    "An owned form, which outlives the bytes it was read from.",
                ),
                owned: &self.owned,
                decoder: &self.decoder,
                encoder: &self.encoder,
                block_length: self.body.block_length,
                is_message: self.message.is_some(),
            };
            parts.owned.code(self.options, &described)
        });
        quote!(#decoder #encoder #owned #nested)
    }

    fn members(
        &self,
        types: &mut Types,
        scope: &mut Scope,
        constants: &mut Scope,
        parts: &mut Parts,
    ) -> Vec<Member<'_>> {
        let path = self.types_path();
        let mut members = Vec::new();
        for field in &self.body.fields {
            if field.presence == Presence::Constant {
                let name = constants.take(screaming(&field.name));
                let note = doc(&field.notes, &format!("`{}`, which is constant.", field.name), &facts(field));
                let slot = types.slot(&field.ty, Presence::Required, &path, &self.owner);
                let code = match (&field.ty, &field.constant) {
                    (Type::Enum(of), Some(Constant::Enum { value, .. })) => {
                        let ty = &slot.ty;
                        let value = types.enum_constant(of, value);
                        value.map(|value| (ty.clone(), quote!(#ty::#value), quote!(Self::#name)))
                    }
                    (Type::Encoding(encoding), Some(constant)) => constant_value(constant, encoding, &name),
                    _ => None,
                };
                if let Some((ty, value, shown)) = code {
                    let schema_name = &field.name;
                    parts.constants.push(quote!(#note pub const #name: #ty = #value;));
                    parts.json.push(quote!(object.field(#schema_name, &#shown)?;));
                } else {
                    parts.json.push(TokenStream::new());
                }
                continue;
            }
            let slot = types.slot(&field.ty, field.presence, &path, &self.owner);
            let suffixes: &[&str] = if slot.text.is_some() { &["_str", "_if_sent"] } else { &["_if_sent"] };
            let method = scope.take_all(snake(&field.name), suffixes);
            members.push(Member { field, method, slot, newer: field.since() > self.base });
        }
        members
    }

    fn ordered_json(&self, members: &[Member<'_>], constants: Vec<TokenStream>) -> Vec<TokenStream> {
        let (mut members, mut constants) = (members.iter(), constants.into_iter());
        let mut ordered = Vec::new();
        for field in &self.body.fields {
            if field.presence == Presence::Constant {
                ordered.extend(constants.next());
                continue;
            }
            let Some(member) = members.next() else { continue };
            let (name, method) = (&field.name, &member.method);
            let shown = (member.slot.json)(&quote!(value));
            ordered.push(match (member.newer, member.slot.null.is_some()) {
                (false, false) => {
                    let shown = (member.slot.json)(&quote!(self.#method()));
                    quote!(object.field(#name, &#shown)?;)
                }
                (false, true) => {
                    let shown = mapped(&quote!(self.#method()), &shown);
                    quote!(object.field(#name, &#shown)?;)
                }
                (true, false) => {
                    let shown = mapped(&quote!(self.#method()), &shown);
                    quote!(object.present(#name, #shown)?;)
                }
                (true, true) => {
                    let sent = with_suffix(method, "_if_sent");
                    if shown.to_string() == "value" {
                        quote!(object.present(#name, self.#sent())?;)
                    } else {
                        let shown = mapped(&quote!(sent), &shown);
                        quote!(object.present(#name, self.#sent().map(|sent| #shown))?;)
                    }
                }
            });
        }
        ordered
    }

    fn field(&self, member: &Member<'_>, oldest: u32, parts: &mut Parts) {
        let Member { field, method, slot, newer } = member;
        let (ty, length) = (&slot.ty, literal(slot.length));
        let note = doc(&field.notes, &format!("`{}`.", field.name), &facts(field));
        let (offset, since) = (literal(field.offset), literal(field.since()));
        let read = if *newer {
            parts.uses_version = true;
            (slot.read)(&quote!(part), 0, slot.length)
        } else {
            (slot.read)(&quote!(self.block), field.offset, oldest)
        };
        let part = quote!(let part = runtime::part::<#length>(self.full, #offset, self.version >= #since)?;);
        parts.getters.push(match (newer, &slot.null) {
            (false, None) => quote! {
                #note
                #[inline]
                #[must_use]
                pub fn #method(&self) -> #ty { #read }
            },
            (false, Some((_, is_null))) => {
                let test = is_null(&quote!(value));
                quote! {
                    #note
                    #[inline]
                    #[must_use]
                    pub fn #method(&self) -> Option<#ty> {
                        let value = #read;
                        if #test { None } else { Some(value) }
                    }
                }
            }
            (true, None) => quote! {
                #note
                #[inline]
                #[must_use]
                pub fn #method(&self) -> Option<#ty> { #part Some(#read) }
            },
            (true, Some((_, is_null))) => {
                let test = is_null(&quote!(value));
                let sent = with_suffix(method, "_if_sent");
                let sent_note = format!("As `{}`, telling none from not sent: the outer `None` is for writers whose version does not have it.", method);
                quote! {
                    #note
                    #[inline]
                    #[must_use]
                    pub fn #method(&self) -> Option<#ty> { self.#sent().flatten() }

                    #[doc = #sent_note]
                    #[inline]
                    #[must_use]
                    pub fn #sent(&self) -> Option<Option<#ty>> {
                        #part
                        let value = #read;
                        Some(if #test { None } else { Some(value) })
                    }
                }
            }
        });
        self.setter(member, &note, parts);
        parts.owned.field(self.options, &note, &field.name, method, slot, *newer);
    }

    fn setter(&self, member: &Member<'_>, note: &TokenStream, parts: &mut Parts) {
        let Member { field, method, slot, newer } = member;
        let (ty, block_length) = (&slot.ty, self.body.block_length);
        let block = quote!(self.block);
        if let Some(text) = slot.text {
            let (at, n, text) = (literal(field.offset), literal(block_length), literal(text));
            let (str_method, name) = (with_suffix(method, "_str"), &field.name);
            let getter_ty = if *newer {
                quote!(Option<Result<&'a str, core::str::Utf8Error>>)
            } else {
                quote!(Result<&'a str, core::str::Utf8Error>)
            };
            let get = if *newer {
                quote!(self.#method().map(|text| runtime::fixed_text(text)))
            } else {
                quote!(runtime::fixed_text(self.#method()))
            };
            let str_note = format!(" {}", words(&format!("`{name}` as text: what is before the first NUL.")));
            parts.getters.push(quote! {
                #[doc = #str_note]
                ///
                /// # Errors
                ///
                /// That is not UTF-8.
                pub fn #str_method(&self) -> #getter_ty { #get }
            });
            let write = (slot.write)(&block, field.offset, block_length, &quote!(value));
            let str_note = format!(" {}", words(&format!("Writes `{name}` as text, with NULs behind it.")));
            parts.setters.push(quote! {
                #note
                #[inline]
                pub fn #method(&mut self, value: &[u8; #text]) -> &mut Self { #write; self }

                #[doc = #str_note]
                ///
                /// # Errors
                ///
                /// The text is longer than the field.
                #[inline]
                pub fn #str_method(&mut self, value: &str) -> Result<&mut Self, runtime::EncodeError> {
                    runtime::put_text(runtime::bytes_mut::<#text, #at, #n>(self.block), #name, value.as_bytes())?;
                    Ok(self)
                }
            });
        } else if let Some((null, _)) = &slot.null {
            let write = (slot.write)(&block, field.offset, block_length, &quote!(value));
            parts.setters.push(quote! {
                #note
                #[inline]
                pub fn #method(&mut self, value: impl Into<Option<#ty>>) -> &mut Self {
                    let value = value.into().unwrap_or(#null);
                    #write;
                    self
                }
            });
        } else {
            let write = (slot.write)(&block, field.offset, block_length, &quote!(value));
            parts.setters.push(quote! {
                #note
                #[inline]
                pub fn #method(&mut self, value: #ty) -> &mut Self { #write; self }
            });
        }
        parts.rewrites.push(if *newer && slot.null.is_none() {
            quote!(if let Some(value) = self.#method() { encoder.#method(value); })
        } else {
            quote!(encoder.#method(self.#method());)
        });
    }

    fn groups(&self, types: &mut Types, scope: &mut Scope, parts: &mut Parts) {
        let mut inner_types = Scope::default();
        let mut inner_modules = Scope::with(&["runtime", "types", "core"]);
        let module = &self.module;
        // A module of its parent's name would be one more than readers can tell apart.
        inner_modules.reserve(&[module.to_string().trim_start_matches("r#")]);
        for (stage, group) in self.body.groups.iter().enumerate() {
            let method = scope.take(snake(&group.name));
            let base = inner_types.take_all(camel(&group.name), &["Entry", "Encoder", "Owned", "Rest"]);
            let level = Level {
                options: self.options,
                schema: self.schema,
                name: &group.name,
                notes: &group.notes,
                body: &group.body,
                base: self.base.max(group.notes.since),
                message: None,
                decoder: with_suffix(&base, "Entry"),
                encoder: with_suffix(&base, "Encoder"),
                owned: with_suffix(&base, "Owned"),
                rest: with_suffix(&base, "Rest"),
                module: inner_modules.take(snake(&group.name)),
                depth: self.depth + 1,
                owner: format!("{}{}", self.owner, camel(&group.name)),
            };
            let (entry, encoder) = (&level.decoder, &level.encoder);
            let (entry, encoder) = (quote!(#module::#entry), quote!(#module::#encoder));
            parts.uses_version = true;
            let since = (group.notes.since > self.base).then(|| literal(group.notes.since));
            let (note, name) = (
                doc(&group.notes, &format!("Group `{}`.", group.name), &format!("Group id {}.", group.id)),
                &group.name,
            );
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
            parts.steps.push(self.group_step(stage, &method, &note, &entry, since.as_ref(), &dimension, flat));
            parts.rewrites.push(quote! {
                let encoder = encoder.#method(self.#method(), |encoder, entry| entry.rewrite(encoder))?;
            });
            let owned = &level.owned;
            parts.owned.group(self.options, &note, group, &method, &quote!(#module::#owned), flat);
            let has_nulls = types.fresh_block(&group.body).iter().any(|&byte| byte != 0);
            self.group_stage(group, stage, &method, &encoder, &level, parts, &note, has_nulls);
            parts.nested.push(level.code(types));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the names of one group, each used once")]
    fn group_stage(
        &self,
        group: &Group,
        stage: usize,
        method: &Ident,
        encoder: &TokenStream,
        level: &Level<'_>,
        parts: &mut Parts,
        note: &TokenStream,
        has_nulls: bool,
    ) {
        let own = &self.encoder;
        let (here, next) = (Literal::usize_unsuffixed(stage), Literal::usize_unsuffixed(stage + 1));
        let (name, length) = (&group.name, literal(group.dimension.length));
        let count = group.dimension.number("numInGroup").map(|(_, encoding)| encoding);
        let bound =
            |number: Option<Number>| number.and_then(Number::as_int).and_then(|bound| u64::try_from(bound).ok());
        let least = Literal::u64_unsuffixed(bound(count.and_then(|count| count.min)).unwrap_or(0));
        let most = bound(count.map(|count| count.applicable_max())).unwrap_or(0).min(u64::from(u32::MAX));
        let most = Literal::u64_unsuffixed(most);
        let block_length = literal(group.body.block_length);
        let writes = framing_writes(
            &group.dimension,
            &quote!(dimension),
            &[("blockLength", quote!(#block_length)), ("numInGroup", quote!(runtime::Primitive::from_length(count)))],
        );
        let has_block = has_block(group.body.fields.iter());
        let own_block = if has_block_of(self.body) { quote!(block: self.block,) } else { TokenStream::new() };
        let check_least = (bound(count.and_then(|count| count.min)).unwrap_or(0) > 0).then(|| {
            quote! {
                if count < #least {
                    return Err(runtime::EncodeError::EntryCount { what: #name, least: #least, most: #most });
                }
            }
        });
        // A block with nulls in it is filled beside the buffer and copied there once it is done: so it is made in registers, and
        // nothing is written twice. Where all is zero the compiler sees that by itself.
        // Otherwise the writer goes into the entry and comes back out of it.
        let entry = if has_block && has_nulls {
            quote! {
                let mut block = #encoder::<'_, 0>::EMPTY;
                let done = each(#encoder { block: &mut block, writer: writer.reborrow() }, item)?;
                let written = done.written();
                *place = block;
                writer.skip(written);
            }
        } else {
            let start = (level.body.block_length > 0).then(|| quote!(*place = #encoder::<'_, 0>::EMPTY;));
            let block = has_block.then(|| quote!(block: place,));
            quote! {
                #start
                writer = each(#encoder { #block writer }, item)?.into_writer();
            }
        };
        let blank = blank(&group.dimension, &quote!(dimension), &["blockLength", "numInGroup"]);
        let unused = level.body.block_length == 0 && !has_block_of(level.body);
        let place = if unused { quote!(_place) } else { quote!(place) };
        parts.stages.push(quote! {
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
        });
    }

    fn data(&self, scope: &mut Scope, parts: &mut Parts) {
        let own = &self.encoder;
        let own_block = if has_block_of(self.body) { quote!(block: self.block,) } else { TokenStream::new() };
        for (at, data) in self.body.data.iter().enumerate() {
            let stage = self.body.groups.len() + at;
            let (here, next) = (Literal::usize_unsuffixed(stage), Literal::usize_unsuffixed(stage + 1));
            let method = scope.take_all(snake(&data.name), &["_str"]);
            let (name, newer) = (&data.name, data.notes.since > 0);
            let note = doc(&data.notes, &format!("Data `{name}`."), &format!("Data id {}.", data.id));
            let Some((length, most)) = data_length(data) else { continue };
            let encoding = data.body_type().and_then(|body| body.character_encoding.as_deref());
            let charset = charset(encoding);
            let read = quote!(reader.take_data::<#length, Order>(#name)?);
            let (ty, read) = if newer {
                parts.uses_version = true;
                let since = literal(data.notes.since);
                (quote!(Option<&'a [u8]>), quote!(if version >= #since { Some(#read) } else { None }))
            } else {
                (quote!(&'a [u8]), read)
            };
            parts.steps.push(self.data_step(stage, &method, &note, &ty, newer, &read));
            parts.held.push((method.clone(), ty.clone(), read));
            parts.checked_getters.push(quote! {
                #note
                #[inline]
                #[must_use]
                pub fn #method(&self) -> #ty { self.rest.#method }
            });
            if encoding.is_some() {
                let str_method = with_suffix(&method, "_str");
                let (ty, get) = if newer {
                    (
                        quote!(Option<Result<&'a str, core::str::Utf8Error>>),
                        quote!(self.rest.#method.map(core::str::from_utf8)),
                    )
                } else {
                    (quote!(Result<&'a str, core::str::Utf8Error>), quote!(core::str::from_utf8(self.rest.#method)))
                };
                let str_note = format!(" {}", words(&format!("`{name}` as text.")));
                parts.checked_getters.push(quote! {
                    #[doc = #str_note]
                    ///
                    /// # Errors
                    ///
                    /// The bytes are not UTF-8.
                    pub fn #str_method(&self) -> #ty { #get }
                });
            }
            parts.json.push(if newer {
                quote!(object.present(#name, self.rest.#method.map(|bytes| runtime::json::Data(bytes, #charset)))?;)
            } else {
                quote!(object.field(#name, &runtime::json::Data(self.rest.#method, #charset))?;)
            });
            parts.owned.data(self.options, &note, data, &method, newer);
            let value = if newer { quote!(self.#method().unwrap_or_default()) } else { quote!(self.#method()) };
            parts.rewrites.push(quote!(let encoder = encoder.#method(#value)?;));
            parts.stages.push(quote! {
                impl<'a> #own<'a, #here> {
                    #note
                    ///
                    /// # Errors
                    ///
                    /// The data is longer than its length can say, or than the buffer.
                    #[inline]
                    pub fn #method(self, value: impl AsRef<[u8]>) -> Result<#own<'a, #next>, runtime::EncodeError> {
                        let mut writer = self.writer;
                        writer.put_data::<#length, Order>(#name, value.as_ref(), #most)?;
                        Ok(#own { #own_block writer })
                    }
                }
            });
        }
    }

    /// The bytes of a fresh block: zeros, and nulls where fields are optional.
    fn empty(&self, types: &Types) -> TokenStream {
        let bytes = types.fresh_block(self.body);
        if bytes.iter().all(|&byte| byte == 0) {
            let length = literal(self.body.block_length);
            return quote!([0; #length]);
        }
        let literal = Literal::byte_string(&bytes);
        quote!(*#literal)
    }

    /// What a decoder has at every stage: its fields, and their values carried from one stage to the next.
    fn front(&self, members: &[Member<'_>], oldest: u32) -> Front {
        let has_old = members.iter().any(|member| !member.newer);
        let has_new = members.iter().any(|member| member.newer);
        let (mut fields, mut values, mut carried) = (TokenStream::new(), TokenStream::new(), TokenStream::new());
        if has_old {
            let oldest = literal(oldest);
            fields.extend(quote!(block: &'a [u8; #oldest],));
            values.extend(quote!(block,));
            carried.extend(quote!(block: self.block,));
        }
        if has_new {
            fields.extend(quote!(full: &'a [u8], version: u32,));
            values.extend(quote!(full, version,));
            carried.extend(quote!(full: self.full, version: self.version,));
        }
        // A level that holds nothing of its bytes has a lifetime all the same, as its siblings do.
        if !has_old && !has_new {
            fields.extend(quote!(bytes: core::marker::PhantomData<&'a [u8]>,));
            values.extend(quote!(bytes: core::marker::PhantomData,));
            carried.extend(quote!(bytes: self.bytes,));
        }
        let (block, full) =
            (if has_old { quote!(block) } else { quote!(_block) }, if has_new { quote!(full) } else { quote!(_full) });
        let (oldest, name) = (literal(oldest), self.name);
        let take = quote!(reader.take_block::<#oldest>(block_length, #name)?);
        let take = quote!(let (#block, #full) = #take;);
        Front { fields, values, carried, take, has_old, has_new }
    }

    /// Whether decoders of the level have something behind their block, or where to go on when there is nothing.
    fn is_staged(&self) -> bool {
        self.message.is_some() || !is_flat(self.body)
    }

    /// The lifetimes of a decoder that reads in order, and its type at a stage.
    fn in_order(&self, stage: usize) -> (TokenStream, TokenStream) {
        let (decoder, stage) = (&self.decoder, Literal::usize_unsuffixed(stage));
        if self.message.is_some() {
            (quote!(<'a>), quote!(#decoder<'a, runtime::InOrder<'a, #stage>>))
        } else {
            (quote!(<'a, 'g>), quote!(#decoder<'a, runtime::InEntry<'a, 'g, #stage>>))
        }
    }

    /// The step over one data: what it is, and the next stage.
    fn data_step(
        &self,
        stage: usize,
        method: &Ident,
        note: &TokenStream,
        ty: &TokenStream,
        uses_version: bool,
        value: &TokenStream,
    ) -> Step {
        let version = uses_version.then(|| quote!(let version = self.rest.version();));
        let ((generics, here), (_, next)) = (self.in_order(stage), self.in_order(stage + 1));
        let (note, method, ty, value, decoder) =
            (note.clone(), method.clone(), ty.clone(), value.clone(), &self.decoder);
        let decoder = decoder.clone();
        Box::new(move |carried| {
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
        })
    }

    /// The step into a group: to entries that are nothing but blocks, or to those with groups or data inside.
    #[expect(clippy::too_many_arguments, reason = "the names of one group, each used once")]
    fn group_step(
        &self,
        stage: usize,
        method: &Ident,
        note: &TokenStream,
        entry: &TokenStream,
        since: Option<&Literal>,
        dimension: &TokenStream,
        flat: bool,
    ) -> Step {
        let ((generics, here), (_, next)) = (self.in_order(stage), self.in_order(stage + 1));
        let sizes = quote!({ #dimension (block_length, count) });
        let sizes = match since {
            Some(since) => quote!(if version >= #since #sizes else { (0, 0) }),
            None => sizes,
        };
        let (note, method, decoder) = (note.clone(), method.clone(), self.decoder.clone());
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
        Box::new(move |carried| {
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
        })
    }

    fn decoder_code(&self, members: &[Member<'_>], oldest: u32, parts: &Parts) -> TokenStream {
        let (decoder, rest, name) = (&self.decoder, &self.rest, self.name);
        let front = self.front(members, oldest);
        let Front { fields, values, carried, take, .. } = &front;
        let has_new = front.has_new;
        let in_order = self.message.map(|message| self.in_order_code(message, oldest, &front));
        let oldest = literal(oldest);
        let reads = parts.held.iter().map(|(held, _, read)| quote!(let #held = #read;));
        let reads = quote!(#(#reads)*);
        let held_values: Vec<_> = parts.held.iter().map(|(held, ..)| held).collect();
        let note = doc(self.notes, &format!("`{name}`, to be read."), "");
        let shown_name = format!("{name} ");
        let Parts { constants, getters, checked_getters, json, .. } = parts;
        let version = if parts.uses_version { quote!(version) } else { quote!(_version) };
        let block_version = if has_new { quote!(version) } else { quote!(_version) };
        let rewrite = self.rewrite(members, parts);
        let staged = self.is_staged();
        let whole =
            if staged { quote!(Self { #values rest: #rest { #(#held_values),* } }) } else { quote!(Self { #values }) };
        let last = self.body.groups.len() + self.body.data.len();
        let steps = parts.steps.iter().map(|step| step(carried));
        let front = if let Some(message) = self.message {
            let (template, block_length) = (literal(message.id), literal(self.body.block_length));
            let since = literal(message.notes.since);
            let whole = quote!(Self { #values rest: #rest { #(#held_values,)* length } });
            quote! {
                /// The id in the header of such messages.
                pub const TEMPLATE_ID: u32 = #template;
                /// The message's name in the schema.
                pub const NAME: &'static str = #name;
                /// Bytes of the block that this version of the schema writes.
                pub const BLOCK_LENGTH: usize = #block_length;

                /// Reads a message behind its header, and checks that all of it is there: what is asked of it then cannot fail,
                /// in any order and as often as one likes.
                ///
                /// # Errors
                ///
                /// The header is of another schema or message, or of a version that did not have it yet; or the bytes end before
                /// the message does.
                #[inline]
                pub fn decode(bytes: &'a [u8]) -> Result<Self, runtime::DecodeError> {
                    let (header, body) = Header::read_of(bytes, #template, #since)?;
                    Self::wrap(body, header.block_length, header.version)
                }

                /// Reads a message without a header, of which the writer's block length and version are known.
                ///
                /// # Errors
                ///
                /// The bytes end before the message does.
                #[inline]
                pub fn wrap(body: &'a [u8], block_length: usize, #version: u32) -> Result<Self, runtime::DecodeError> {
                    let mut all = runtime::Reader::new(body);
                    let reader = &mut all;
                    #take
                    #reads
                    let length = body.len() - all.rest().len();
                    Ok(#whole)
                }

                #in_order

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

                /// Bytes that the message takes behind its header.
                #[inline]
                #[must_use]
                pub fn encoded_length(&self) -> usize {
                    self.rest.length
                }
            }
        } else {
            TokenStream::new()
        };
        let entry = self.message.is_none().then(|| {
            let (flat, block_length) = (is_flat(self.body), literal(self.body.block_length));
            let nested = (!flat).then(|| {
                quote! {
                    impl<'a> runtime::Nested<'a> for #decoder<'a> {
                        type At<R> = #decoder<'a, R>;

                        #[inline]
                        fn start<R: runtime::Front<'a>>(
                            mut rest: R,
                            block_length: usize,
                            #block_version: u32,
                        ) -> Result<#decoder<'a, R>, runtime::DecodeError> {
                            let reader = rest.reader();
                            #take
                            Ok(#decoder { #values rest })
                        }
                    }
                }
            });
            quote! {
                impl<'a> runtime::Entry<'a> for #decoder<'a> {
                    const NAME: &'static str = #name;
                    const OLDEST: usize = #oldest;
                    const BLOCK: usize = #block_length;
                    const FLAT: bool = #flat;

                    #[inline]
                    fn read(
                        reader: &mut runtime::Reader<'a>,
                        block_length: usize,
                        #version: u32,
                    ) -> Result<Self, runtime::DecodeError> {
                        #take
                        #reads
                        Ok(#whole)
                    }
                }

                #nested
            }
        });
        let (structs, generic) = if staged {
            let held = parts.held.iter().map(|(held, ty, _)| quote!(#held: #ty,));
            let length = self.message.map(|_| quote!(length: usize,));
            let lifetime = if parts.held.is_empty() { TokenStream::new() } else { quote!(<'a>) };
            let rest_note = format!(" {}", words(&format!("What is behind the block of `{name}`, checked.")));
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
            let structs = quote! {
                #note
                #[derive(Clone, Copy)]
                pub struct #decoder<'a, R = #rest #lifetime> { #fields rest: R }

                #[doc = #rest_note]
                #[derive(Clone, Copy)]
                pub struct #rest #lifetime { #(#held)* #length }

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
            };
            (structs, quote!(<'a, R>))
        } else {
            let structs = quote! {
                #note
                #[derive(Clone, Copy)]
                pub struct #decoder<'a> { #fields }
            };
            (structs, quote!(<'a>))
        };
        let fields_code = (!getters.is_empty()).then(|| {
            quote! {
                impl #generic #decoder #generic { #(#getters)* }
            }
        });
        quote! {
            #structs

            impl<'a> #decoder<'a> {
                #(#constants)*
                #front
                #(#checked_getters)*
                #rewrite
            }

            #fields_code

            #entry

            impl runtime::json::Json for #decoder<'_> {
                fn json(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    #[allow(unused_mut)]
                    let mut object = runtime::json::Object::new(f)?;
                    #(#json)*
                    object.end()
                }
            }

            impl core::fmt::Display for #decoder<'_> {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    runtime::json::Json::json(self, f)
                }
            }

            impl core::fmt::Debug for #decoder<'_> {
                fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    f.write_str(#shown_name)?;
                    core::fmt::Display::fmt(self, f)
                }
            }
        }
    }

    /// The start of a message that is read in order: of one that has the usual header, which one comparison tells, and of any.
    fn in_order_code(&self, message: &Message, oldest: u32, front: &Front) -> TokenStream {
        let (decoder, template, since) = (&self.decoder, literal(message.id), literal(message.notes.since));
        let ty = quote!(#decoder<'a, runtime::InOrder<'a>>);
        let usual = if let Some(header) = self.own_header(message) {
            let length = self.schema.header.length;
            let Front { values, has_old, has_new, .. } = front;
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
        }
    }

    /// The header in front of such messages of this version of the schema, if it can say what it is to say.
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
            match (encoding.presence, &encoding.constant) {
                (Presence::Constant, Some(Constant::Number(sent) | Constant::Enum { number: sent, .. })) => {
                    (*sent == value).then_some(())?;
                }
                (Presence::Constant, _) => return None,
                _ => {
                    let place = bytes.get_mut(member.offset as usize..)?;
                    encoding.primitive.write(value, place, self.schema.byte_order).ok()?;
                }
            }
        }
        Some(bytes.into_iter().map(Literal::u8_unsuffixed).collect())
    }

    fn rewrite(&self, members: &[Member<'_>], parts: &Parts) -> TokenStream {
        let (encoder, rewrites) = (&self.encoder, &parts.rewrites);
        let mutable = if members.is_empty() { TokenStream::new() } else { quote!(mut) };
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

    fn encoder_code(&self, members: &[Member<'_>], empty: &TokenStream, parts: &Parts) -> TokenStream {
        let (encoder, name) = (&self.encoder, self.name);
        let note = doc(
            self.notes,
            &format!("`{name}`, to be written: fields first and in any order, then what `STAGE` counts, each once."),
            "",
        );
        let length = literal(self.body.block_length);
        let last = Literal::usize_unsuffixed(self.body.groups.len() + self.body.data.len());
        let has_block = !members.is_empty();
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

    /// The exact length of a message whose groups hold nothing of variable length.
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

/// Whether entries are nothing but a block.
fn is_flat(body: &Body) -> bool {
    body.groups.is_empty() && body.data.is_empty()
}

/// Whether an encoder holds its block: it does when there is a field to write.
fn has_block<'f>(mut fields: impl Iterator<Item = &'f Field>) -> bool {
    fields.any(|field| field.presence != Presence::Constant)
}

fn has_block_of(body: &Body) -> bool {
    has_block(body.fields.iter())
}

/// An optional value with its JSON form inside, where that is another than the value.
pub(super) fn mapped(value: &TokenStream, shown: &TokenStream) -> TokenStream {
    match shown.to_string().as_str() {
        "value" => value.clone(),
        "runtime :: json :: Char (value)" => quote!(#value.map(runtime::json::Char)),
        _ => quote!(#value.map(|value| #shown)),
    }
}

/// What the schema says of a field, in a line for its documentation.
fn facts(field: &Field) -> String {
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

/// Reads the dimensions of a group: its `block_length` and `count`.
fn dimension_read(group: &Group) -> TokenStream {
    let (name, length) = (&group.name, literal(group.dimension.length));
    let block_length = framing_read(&group.dimension, "blockLength", &quote!(dimension));
    let count = framing_read(&group.dimension, "numInGroup", &quote!(dimension));
    quote! {
        let dimension = reader.take_array::<#length>(#name)?;
        let (block_length, count) = (#block_length, #count);
    }
}

/// A member of a header or of a group's dimensions, as a length.
pub(super) fn framing_read(composite: &Composite, member: &str, bytes: &TokenStream) -> TokenStream {
    let Some((member, encoding)) = composite.number(member) else {
        return quote!(0);
    };
    if let (
        Presence::Constant,
        Some(Constant::Number(Number::Int(value)) | Constant::Enum { number: Number::Int(value), .. }),
    ) = (encoding.presence, &encoding.constant)
    {
        let literal = Literal::u128_unsuffixed(value.unsigned_abs());
        return quote!(#literal);
    }
    let (primitive, at, length) = (rust(encoding.primitive), literal(member.offset), literal(composite.length));
    quote!(runtime::Primitive::to_length(runtime::get::<#primitive, Order, #at, #length>(#bytes)))
}

/// Writes those members of a header or of dimensions that are sent.
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

/// Fills a header or dimensions with zeros, unless the members that are `written` fill them.
pub(super) fn blank(composite: &Composite, bytes: &TokenStream, written: &[&str]) -> Option<TokenStream> {
    let sent = written.iter().filter_map(|name| composite.number(name)).map(|(_, encoding)| match encoding.presence {
        Presence::Constant => 0,
        _ => encoding.primitive.size(),
    });
    let length = literal(composite.length);
    (sent.sum::<u32>() != composite.length).then(|| quote!(*#bytes = [0; #length];))
}

/// The type of a data's length, and the most that it may say.
fn data_length(data: &Data) -> Option<(TokenStream, Literal)> {
    let length = data.length_type()?;
    let most = length.applicable_max().as_int().and_then(|most| u64::try_from(most).ok()).unwrap_or(0);
    Some((rust(length.primitive), Literal::u64_unsuffixed(most)))
}
