//! Reads types from tokens: primitives, composites, enums and sets, each once. Called for the header, and for each
//! field, group and data.

use std::collections::HashSet;
use std::sync::Arc;

use super::Reader;
use super::checks::{LONGEST, length, length_of, notes, number, unsigned, wrong};
use crate::ir::IrError;
use crate::ir::token::{Signal, Token};
use crate::schema::{
    Choice, Composite, Constant, DEEPEST, Encoding, Enum, EnumValue, Member, Notes, Number, Place, Presence, Primitive,
    Set, Type,
};

impl Reader<'_, '_> {
    /// Reads the type that starts at the next token. `lent` is the semantic type of the field, group or data that uses
    /// it.
    pub(super) fn ty(&mut self, lent: Option<&str>, depth: usize) -> Result<Type, IrError> {
        let start = self.at;
        let begin = self.next()?;
        if begin.signal == Signal::BeginComposite && depth >= DEEPEST {
            return Err(wrong(begin, &format!("is in types nested more than {DEEPEST} deep")));
        }
        let key = self.keys[start];
        if let Some(known) = self.types.known.get(&key) {
            self.at = start + self.spans[start];
            return Ok(known.clone());
        }
        let mut notes = notes(begin)?;
        notes.since = unsigned(begin, "the version", *self.types.versions.get(&key).unwrap_or(&begin.version))?;
        if notes.semantic_type.as_deref() == lent {
            notes.semantic_type = None;
        }
        let ty = match begin.signal {
            Signal::Encoding => Type::Encoding(Arc::new(encoding(begin, notes)?)),
            Signal::BeginComposite => Type::Composite(Arc::new(self.composite(begin, notes, lent, depth)?)),
            Signal::BeginEnum => Type::Enum(Arc::new(self.enumeration(begin, notes)?)),
            Signal::BeginSet => Type::Set(Arc::new(self.set(begin, notes)?)),
            _ => return Err(wrong(begin, "is where a type belongs")),
        };
        self.types.known.insert(key, ty.clone());
        Ok(ty)
    }

    fn composite(
        &mut self,
        begin: &Token,
        notes: Notes,
        lent: Option<&str>,
        depth: usize,
    ) -> Result<Composite, IrError> {
        let mut members: Vec<Member> = Vec::new();
        let mut names = HashSet::new();
        let (mut end, mut variable) = (0, false);
        while self.peek().is_some_and(|token| token.signal != Signal::EndComposite) {
            let token = self.tokens[self.at].clone();
            let ty = self.ty(lent, depth + 1)?;
            if token.referenced_name.is_some() {
                self.types.declare(&ty);
            }
            if !names.insert(token.name.clone()) {
                return Err(wrong(&token, "has the name of another member of its composite"));
            }
            let offset = length_of(&token, "the offset", token.offset)?;
            if offset < end {
                return Err(wrong(
                    &token,
                    &format!("is at offset {offset}, over what is before it, which ends at {end}"),
                ));
            }
            let on_the_wire = token.name == "varData" && token.encoded_length == -1;
            variable |= on_the_wire;
            end = offset + if on_the_wire { 0 } else { ty.length() };
            if end > LONGEST {
                return Err(wrong(&token, &format!("ends more than {LONGEST} bytes into its composite")));
            }
            let notes = ty.notes().clone();
            let reference = token.referenced_name.is_some();
            members.push(Member { name: token.name, notes, offset, ty, reference, place: Place::NOWHERE });
        }
        self.expect(Signal::EndComposite, begin)?;
        let length = if begin.encoded_length == -1 { end } else { length(begin, "the length")? };
        if length < end {
            return Err(wrong(begin, &format!("has {length} bytes, and members to {end}")));
        }
        Ok(Composite {
            name: begin.type_name().to_owned(),
            notes,
            members,
            length,
            variable,
            package: begin.package.clone(),
            place: Place::NOWHERE,
        })
    }

    fn enumeration(&mut self, begin: &Token, enum_notes: Notes) -> Result<Enum, IrError> {
        let primitive = integer(begin)?;
        let mut values: Vec<EnumValue> = Vec::new();
        let mut names = HashSet::new();
        while self.peek().is_some_and(|token| token.signal == Signal::ValidValue) {
            let token = self.next()?;
            let number = number(token, &token.constant, primitive)?.ok_or_else(|| wrong(token, "has no value"))?;
            if !names.insert(token.name.as_str()) {
                return Err(wrong(token, "has the name of another value of its enum"));
            }
            values.push(EnumValue { name: token.name.clone(), notes: notes(token)?, number, place: Place::NOWHERE });
        }
        self.expect(Signal::EndEnum, begin)?;
        Ok(Enum {
            name: begin.type_name().to_owned(),
            notes: enum_notes,
            primitive,
            presence: begin.presence,
            null: number(begin, &begin.null, primitive)?.unwrap_or(primitive.null()),
            values,
            package: begin.package.clone(),
            place: Place::NOWHERE,
        })
    }

    fn set(&mut self, begin: &Token, set_notes: Notes) -> Result<Set, IrError> {
        let primitive = integer(begin)?;
        let mut choices: Vec<Choice> = Vec::new();
        let mut names = HashSet::new();
        while self.peek().is_some_and(|token| token.signal == Signal::Choice) {
            let token = self.next()?;
            let bit = number(token, &token.constant, primitive)?.and_then(Number::as_int);
            let bit = bit.and_then(|bit| u8::try_from(bit).ok()).filter(|&bit| u32::from(bit) < primitive.size() * 8);
            let bit = bit.ok_or_else(|| wrong(token, &format!("is no bit of a {primitive}")))?;
            if !names.insert(token.name.as_str()) {
                return Err(wrong(token, "has the name of another choice of its set"));
            }
            choices.push(Choice { name: token.name.clone(), notes: notes(token)?, bit, place: Place::NOWHERE });
        }
        self.expect(Signal::EndSet, begin)?;
        Ok(Set {
            name: begin.type_name().to_owned(),
            notes: set_notes,
            primitive,
            choices,
            package: begin.package.clone(),
            place: Place::NOWHERE,
        })
    }
}

fn encoding(token: &Token, notes: Notes) -> Result<Encoding, IrError> {
    let primitive = token.primitive.ok_or_else(|| wrong(token, "has no primitive type"))?;
    let mut constant = None;
    let length = match (token.presence, token.encoded_length) {
        (Presence::Constant, _) if primitive == Primitive::Char && token.constant.len() != 1 => {
            if token.constant.is_empty() {
                return Err(wrong(token, "is constant and has no value"));
            }
            constant = Some(Constant::Text(token.constant.clone()));
            // The length in the file is of 16 bits, so the cast loses nothing.
            token.constant.len() as u32
        }
        (Presence::Constant, _) => {
            let value = number(token, &token.constant, primitive)?;
            constant = Some(Constant::Number(value.ok_or_else(|| wrong(token, "is constant and has no value"))?));
            1
        }
        // The bytes of variable-length data: their length comes with each message, in the composite's `length`.
        (_, -1) if token.name == "varData" => 0,
        (..) => {
            let bytes = length(token, "the length")?;
            if bytes % primitive.size() != 0 {
                return Err(wrong(token, &format!("has {bytes} bytes, which no number of {primitive} takes")));
            }
            bytes / primitive.size()
        }
    };
    Ok(Encoding {
        name: token.type_name().to_owned(),
        notes,
        primitive,
        length,
        presence: token.presence,
        min: number(token, &token.min, primitive)?,
        max: number(token, &token.max, primitive)?,
        null: number(token, &token.null, primitive)?,
        constant,
        character_encoding: token.character_encoding.clone(),
        package: token.package.clone(),
        place: Place::NOWHERE,
    })
}

fn integer(token: &Token) -> Result<Primitive, IrError> {
    let primitive = token.primitive.filter(|primitive| !primitive.is_float());
    primitive.ok_or_else(|| wrong(token, "is not made of an integer"))
}
