//! One block with what follows it, a message or an entry of a group: its decoder, its encoder, and its owned form where those are
//! asked for. Each part adds what it comes to in code, and the whole is put together here. Called for each message.

mod decoder;
mod encoder;
mod field;
mod fresh_block;
mod group;
mod in_order;
mod owned;
mod rewrite;
mod var_data;

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use self::owned::Owned;
use super::documentation::words;
use super::names::{Scope, camel, with_suffix};
use super::options::Options;
use super::types::Types;
use crate::schema::{Body, Group, Message, Notes, Presence, Schema};

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
    "try_into",
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
/// Names that no constant can have.
const TAKEN_CONSTANTS: &[&str] = &["TEMPLATE_ID", "BLOCK_LENGTH", "NAME", "OLDEST", "BLOCK", "FLAT", "EMPTY", "HEADER"];

/// One block with what follows it: a message or an entry of a group.
pub(super) struct Level<'s> {
    options: &'s Options,
    schema: &'s Schema,
    name: &'s str,
    notes: &'s Notes,
    body: &'s Body,
    /// The schema version from which the level has existed.
    base: u32,
    /// The message, unless it is an entry.
    message: Option<&'s Message>,
    pub(super) decoder: Ident,
    pub(super) encoder: Ident,
    pub(super) owned: Ident,
    /// What a checked decoder knows of the groups and data.
    rest: Ident,
    /// The module of the groups inside.
    module: Ident,
    /// How deep in modules the level's own types are.
    depth: usize,
    /// What types that are declared inside are named after.
    owner: String,
}

/// What the parts of a level come to.
#[derive(Default)]
struct Parts {
    constants: Vec<TokenStream>,
    /// Of the fields.
    getters: Vec<TokenStream>,
    /// Of groups and data, once they are checked.
    checked_getters: Vec<TokenStream>,
    /// The ways from one group or data to the next, of a decoder that reads in order.
    steps: Vec<TokenStream>,
    setters: Vec<TokenStream>,
    /// One statement for each field, constant, group and data.
    json: Vec<TokenStream>,
    /// Fields of the decoder, their types, and how each is read.
    held: Vec<(Ident, TokenStream, TokenStream)>,
    rewrites: Vec<TokenStream>,
    /// The ways from one group or data to the next, of an encoder.
    stages: Vec<TokenStream>,
    /// The levels of the groups.
    nested: Vec<TokenStream>,
    owned: Owned,
    /// Whether what is read depends on the writer's version.
    uses_version: bool,
}

impl<'s> Level<'s> {
    /// The level of a message, whose types start with `base` and whose groups are in `module`.
    pub(super) fn of_message(
        options: &'s Options,
        schema: &'s Schema,
        message: &'s Message,
        base: &Ident,
        module: Ident,
    ) -> Self {
        Self {
            options,
            schema,
            name: &message.name,
            notes: &message.notes,
            body: &message.body,
            base: message.notes.since,
            message: Some(message),
            decoder: with_suffix(base, "Decoder"),
            encoder: with_suffix(base, "Encoder"),
            owned: with_suffix(base, "Owned"),
            rest: with_suffix(base, "Rest"),
            module,
            depth: 0,
            owner: camel(&message.name),
        }
    }

    /// The level of the entries of one of its groups.
    fn of_group(&self, group: &'s Group, base: &Ident, module: Ident) -> Self {
        Self {
            options: self.options,
            schema: self.schema,
            name: &group.name,
            notes: &group.notes,
            body: &group.body,
            base: self.base.max(group.notes.since),
            message: None,
            decoder: with_suffix(base, "Entry"),
            encoder: with_suffix(base, "Encoder"),
            owned: with_suffix(base, "Owned"),
            rest: with_suffix(base, "Rest"),
            module,
            depth: self.depth + 1,
            owner: format!("{}{}", self.owner, camel(&group.name)),
        }
    }

    /// All of its code: that of the level, and of the groups inside.
    pub(super) fn code(&self, types: &mut Types) -> TokenStream {
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
        let front = self.front(&members, oldest);
        self.groups(types, &mut scope, &front, &mut parts);
        self.data(&mut scope, &front, &mut parts);
        let decoder = self.decoder_code(&front, oldest, &parts);
        let encoder = self.encoder_code(&parts);
        let owned = self.options.owned.then(|| parts.owned.code(self));
        let nested = self.nested(&parts.nested);
        quote!(#decoder #encoder #owned #nested)
    }

    /// The module of the groups inside, if there are any.
    fn nested(&self, groups: &[TokenStream]) -> Option<TokenStream> {
        let module = &self.module;
        let note = format!(" {}", words(&format!("The groups of `{}`.", self.name)));
        (!groups.is_empty()).then(|| {
            quote! {
                #[doc = #note]
                pub mod #module {
                    #[allow(unused_imports)]
                    use super::{Order, runtime};
                    #(#groups)*
                }
            }
        })
    }

    /// The path from this level to the module of types.
    fn types_path(&self) -> TokenStream {
        let up = std::iter::repeat_n(quote!(super::), self.depth);
        quote!(#(#up)* types::)
    }
}

/// Whether entries are nothing but a block.
fn is_flat(body: &Body) -> bool {
    body.groups.is_empty() && body.data.is_empty()
}

/// Whether an encoder holds its block: it does when there is a field to write.
fn has_block(body: &Body) -> bool {
    body.fields.iter().any(|field| field.presence != Presence::Constant)
}
