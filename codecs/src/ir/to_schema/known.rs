//! The types that tokens declare: the same tokens in two places are one type, as they were in the schema. The reader
//! looks a type up here before it reads the tokens again.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

use super::checks::{checked_spans, wrong};
use crate::ir::IrError;
use crate::ir::token::{Signal, Token};
use crate::schema::DEEPEST;
use crate::schema::{Primitive, Type};

/// The types that tokens declare: the same tokens in two places are one type, as they were in the schema.
#[derive(Default)]
pub(super) struct Types {
    /// The types by their key, which leaves out the attributes that the place of use adds.
    pub(super) known: HashMap<Key, Type>,
    /// The earliest version of each type in any place. Later versions come from the fields that use it.
    pub(super) versions: HashMap<Key, i32>,
    seeds: [RandomState; 2],
    pub(super) global: Vec<Type>,
    global_names: HashSet<String>,
}

/// A hash of the tokens of a type. It is long and seeded anew for each schema, so that two types do not share one.
pub(super) type Key = [u64; 2];

impl Types {
    /// Records the earliest version of each type.
    pub(super) fn note_versions(&mut self, tokens: &[Token]) -> Result<(), IrError> {
        let keys = self.keys(tokens)?;
        for (token, key) in tokens.iter().zip(&keys) {
            if matches!(token.signal, Signal::BeginComposite | Signal::BeginEnum | Signal::BeginSet | Signal::Encoding)
            {
                let least = self.versions.entry(*key).or_insert(token.version);
                *least = token.version.min(*least);
            }
        }
        Ok(())
    }

    /// For each token, the key of the type that starts there, or zero if none does. Each token is looked at once: the
    /// tokens of a type inside another are not hashed again for the outer one.
    pub(super) fn keys(&self, tokens: &[Token]) -> Result<Vec<Key>, IrError> {
        checked_spans(tokens)?;
        let mut keys = vec![Key::default(); tokens.len()];
        let mut open: Vec<(usize, [DefaultHasher; 2])> = Vec::new();
        let mut lent: Vec<Option<&str>> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            // The allowed depth plus one: groups with a field in the innermost, or composites with an enum in the
            // innermost.
            if lent.len() > DEEPEST + 1 || open.len() > DEEPEST + 1 {
                return Err(wrong(token, "is nested too deep"));
            }
            match token.signal {
                Signal::BeginMessage | Signal::EndMessage => {}
                Signal::BeginField | Signal::BeginVarData | Signal::BeginGroup => {
                    lent.push(token.semantic_type.as_deref());
                }
                Signal::EndField | Signal::EndVarData | Signal::EndGroup => {
                    lent.pop();
                }
                Signal::BeginComposite | Signal::BeginEnum | Signal::BeginSet => {
                    open.push((at, self.hashed(token, lent.last().copied().flatten())));
                }
                Signal::ValidValue | Signal::Choice => {
                    let hashers = open.last_mut().map(|(_, hashers)| hashers);
                    hashers.into_iter().flatten().for_each(|hasher| token.hash(hasher));
                }
                Signal::Encoding | Signal::EndComposite | Signal::EndEnum | Signal::EndSet => {
                    let (start, hashers) = match token.signal {
                        Signal::Encoding => (at, self.hashed(token, lent.last().copied().flatten())),
                        // The spans have been checked, so every end has a begin.
                        _ => open.pop().ok_or_else(|| wrong(token, "has no matching begin or end"))?,
                    };
                    keys[start] = hashers.map(|hasher| hasher.finish());
                    // The outer type's hash takes the key of the inner type, its offset and its names.
                    let outer = open.last_mut().map(|(_, hashers)| hashers);
                    let member = (&token.name, &token.referenced_name, token.offset, keys[start]);
                    outer.into_iter().flatten().for_each(|hasher| member.hash(hasher));
                }
            }
        }
        Ok(keys)
    }

    /// Starts the hashes of a type with its first token, without the attributes that the place of use adds.
    fn hashed(&self, token: &Token, lent: Option<&str>) -> [DefaultHasher; 2] {
        let mut token = token.clone();
        token.name = token.type_name().to_owned();
        token.referenced_name = None;
        token.offset = 0;
        token.version = 0;
        token.epoch = None;
        token.time_unit = None;
        if token.semantic_type.as_deref() == lent {
            token.semantic_type = None;
        }
        [0, 1].map(|seed| {
            let mut hasher = self.seeds[seed].build_hasher();
            token.hash(&mut hasher);
            hasher
        })
    }

    /// Adds a type to the list of global types, as the schema must have declared it, because other declarations name
    /// it.
    pub(super) fn declare(&mut self, ty: &Type) {
        let built_in = matches!(ty, Type::Encoding(of) if Primitive::from_name(&of.name) == Some(of.primitive));
        if !built_in && self.global_names.insert(ty.name().to_owned()) {
            self.global.push(ty.clone());
        }
    }
}
