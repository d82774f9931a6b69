//! Converts tokens to a schema: the typed model that the rest of the crate works with. Tokens may come from any file,
//! so every rule that the rest relies on is checked here: lengths, offsets, names.

mod checks;
mod known;
mod messages;
mod types;

use std::collections::HashSet;
use std::sync::Arc;

use self::checks::{checked_spans, fits, framing, unsigned, wrong};
use self::known::{Key, Types};
use super::IrError;
use super::token::{Ir, Signal, Token};
use crate::schema::{ByteOrder, LONGEST_NAME, Place, Schema, Sources, Type};

impl Ir {
    /// Makes the schema that the tokens describe.
    ///
    /// # Errors
    ///
    /// The tokens do not describe a schema, or describe one that messages cannot be decoded with.
    pub fn to_schema(&self) -> Result<Schema, IrError> {
        let mut types = Types::default();
        for tokens in std::iter::once(&self.header).chain(&self.messages) {
            types.note_versions(tokens)?;
        }
        let first = self.header.iter().find(|token| token.signal == Signal::Encoding);
        let order = first.map_or(ByteOrder::LittleEndian, |token| token.byte_order);
        let mut reader = Reader::new(&self.header, &mut types)?;
        let header = match reader.ty(None, 0)? {
            Type::Composite(header) => header,
            _ => return Err(wrong(&self.header[0], "is in the place of the message header and is not a composite")),
        };
        types.declare(&Type::Composite(Arc::clone(&header)));
        let place = &self.header[0];
        for member in ["blockLength", "templateId", "schemaId", "version"] {
            let primitive = framing(place, &header, member)?;
            if member == "blockLength" && !primitive.is_unsigned() {
                return Err(wrong(place, "has a `blockLength` that is not unsigned"));
            }
        }
        let mut schema = Schema {
            package: self.package.clone(),
            id: unsigned(place, "the schema's id", self.id)?,
            version: unsigned(place, "the schema's version", self.version)?,
            semantic_version: self.semantic_version.clone(),
            description: None,
            byte_order: order,
            header,
            types: Vec::new(),
            messages: Vec::new(),
            sources: Sources::default(),
            place: Place::NOWHERE,
        };
        fits(place, &schema.header, "schemaId", schema.id)?;
        fits(place, &schema.header, "version", schema.version)?;
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        for tokens in &self.messages {
            let message = Reader::new(tokens, &mut types)?.message(&schema.header)?;
            if !ids.insert(message.id) || !names.insert(message.name.clone()) {
                return Err(wrong(&tokens[0], "has the id or the name of another message"));
            }
            schema.messages.push(message);
        }
        schema.types = types.global;
        Ok(schema)
    }
}

/// Reads one list of tokens.
struct Reader<'t, 's> {
    tokens: &'t [Token],
    spans: Vec<usize>,
    keys: Vec<Key>,
    at: usize,
    types: &'s mut Types,
}

impl<'t, 's> Reader<'t, 's> {
    fn new(tokens: &'t [Token], types: &'s mut Types) -> Result<Self, IrError> {
        if tokens.is_empty() {
            return Err(IrError::Malformed { token: String::new(), why: "is missing: a list is empty".to_owned() });
        }
        let keys = types.keys(tokens)?;
        Ok(Self { tokens, spans: checked_spans(tokens)?, keys, at: 0, types })
    }

    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<&'t Token, IrError> {
        let token = self.peek().ok_or_else(|| wrong(&self.tokens[0], "ends too early"))?;
        self.at += 1;
        if token.name.is_empty() {
            return Err(wrong(token, "has no name"));
        }
        if token.name.len() > LONGEST_NAME {
            return Err(wrong(token, &format!("has a name of more than {LONGEST_NAME} bytes")));
        }
        Ok(token)
    }

    fn expect(&mut self, signal: Signal, inside: &Token) -> Result<&'t Token, IrError> {
        let token = self.next()?;
        if token.signal == signal {
            return Ok(token);
        }
        Err(wrong(inside, &format!("has a {:?} `{}` where a {signal:?} belongs", token.signal, token.name)))
    }
}
