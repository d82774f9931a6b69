//! Generates one level: the block of a message or of a group's entry, with the groups and data that follow it. A level
//! has a decoder, an encoder, and an owned form if requested. Each part adds its code, and this module puts the code
//! together. Called for each message.

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

/// Names that the methods of fields, groups and data cannot have.
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
/// Names that groups and data cannot have either: generated code binds values to these names next to the groups' and
/// data's own.
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
/// Names that constants cannot have.
const TAKEN_CONSTANTS: &[&str] = &["TEMPLATE_ID", "BLOCK_LENGTH", "NAME", "OLDEST", "BLOCK", "FLAT", "EMPTY", "HEADER"];

/// One block with its groups and data: a message or an entry of a group.
pub(super) struct Level<'s> {
    options: &'s Options,
    schema: &'s Schema,
    name: &'s str,
    notes: &'s Notes,
    body: &'s Body,
    /// The schema version that introduced the level.
    base: u32,
    /// The message, or `None` for an entry of a group.
    message: Option<&'s Message>,
    pub(super) decoder: Ident,
    pub(super) encoder: Ident,
    pub(super) owned: Ident,
    /// The name of the struct with what a checked decoder knows about groups and data.
    rest: Ident,
    /// The module of the groups inside.
    module: Ident,
    /// How many modules deep the level's own types are.
    depth: usize,
    /// The name from which types declared inside take theirs.
    owner: String,
}

/// The code that the parts of a level add up to.
#[derive(Default)]
struct Parts {
    constants: Vec<TokenStream>,
    /// The getters of fields.
    getters: Vec<TokenStream>,
    /// The getters of groups and data after the check.
    checked_getters: Vec<TokenStream>,
    /// The methods from one group or data field to the next, of a decoder that reads in order.
    steps: Vec<TokenStream>,
    setters: Vec<TokenStream>,
    /// One statement for each field, constant, group and data.
    json: Vec<TokenStream>,
    /// The decoder's fields: name, type, and how each is read.
    held: Vec<(Ident, TokenStream, TokenStream)>,
    rewrites: Vec<TokenStream>,
    /// The methods from one group or data field to the next, of an encoder.
    stages: Vec<TokenStream>,
    /// The levels of the groups.
    nested: Vec<TokenStream>,
    owned: Owned,
    /// Whether the reading code depends on the writer's version.
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

    /// The level of the entries of one of this level's groups.
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

    /// All code of the level and of the groups inside.
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
