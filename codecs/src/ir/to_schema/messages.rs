//! Reads messages, fields, groups and data from tokens. Called for each list of tokens after the header's.

use std::collections::HashSet;
use std::sync::Arc;

use super::Reader;
use super::checks::{fits, length, length_of, notes, sent_length, unsigned, wrong};
use crate::ir::IrError;
use crate::ir::token::{Signal, Token};
use crate::schema::{Body, Composite, Constant, DEEPEST, Data, Field, Group, Message, Place, Presence, Type};

impl Reader<'_, '_> {
    /// Reads one message. `header` is the composite of the message header.
    pub(super) fn message(&mut self, header: &Composite) -> Result<Message, IrError> {
        let first = &self.tokens[0];
        let begin = self.expect(Signal::BeginMessage, first)?;
        let body = self.body(begin, 0)?;
        self.expect(Signal::EndMessage, begin)?;
        let id = unsigned(begin, "the id", begin.id)?;
        fits(begin, header, "templateId", id)?;
        fits(begin, header, "blockLength", body.block_length)?;
        Ok(Message { name: begin.name.clone(), id, notes: notes(begin)?, body, place: Place::NOWHERE })
    }

    fn body(&mut self, begin: &Token, depth: usize) -> Result<Body, IrError> {
        if depth > DEEPEST {
            return Err(wrong(begin, &format!("is in groups nested more than {DEEPEST} deep")));
        }
        let mut body = Body { block_length: length(begin, "the block length")?, ..Body::default() };
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        let mut end = 0;
        while let Some(token) = self.peek() {
            match token.signal {
                Signal::BeginField if body.groups.is_empty() && body.data.is_empty() => {
                    body.fields.push(self.field(&mut end)?);
                }
                Signal::BeginGroup if body.data.is_empty() => body.groups.push(self.group(depth)?),
                Signal::BeginVarData => body.data.push(self.data()?),
                Signal::BeginField | Signal::BeginGroup => {
                    return Err(wrong(token, "stands behind a group or data that it must precede"));
                }
                _ => break,
            }
            if !ids.insert(token.id) || !names.insert(token.name.as_str()) {
                return Err(wrong(token, "has the id or the name of another at its level"));
            }
        }
        if end > body.block_length {
            return Err(wrong(begin, &format!("has a block of {} bytes, and fields to {end}", body.block_length)));
        }
        Ok(body)
    }

    fn field(&mut self, end: &mut u32) -> Result<Field, IrError> {
        let begin = self.next()?;
        let ty = self.ty(begin.semantic_type.as_deref(), 0)?;
        self.expect(Signal::EndField, begin)?;
        self.types.declare(&ty);
        let constant = field_constant(begin, &ty)?;
        let value_ref = constant.as_ref().and_then(|_| std::str::from_utf8(&begin.constant).ok());
        let field = Field {
            name: begin.name.clone(),
            id: unsigned(begin, "the id", begin.id)?,
            notes: notes(begin)?,
            offset: length_of(begin, "the offset", begin.offset)?,
            presence: begin.presence,
            value_ref: value_ref.filter(|text| !text.is_empty()).map(str::to_owned),
            constant,
            epoch: begin.epoch.clone(),
            time_unit: begin.time_unit.clone(),
            ty,
            place: Place::NOWHERE,
        };
        if field.offset < *end {
            let why = format!("is at offset {}, over what is before it, which ends at {end}", field.offset);
            return Err(wrong(begin, &why));
        }
        // Both are bounded, so the sum cannot overflow. The caller checks the block's own limit.
        *end = field.offset + field.encoded_length();
        Ok(field)
    }

    fn group(&mut self, depth: usize) -> Result<Group, IrError> {
        let begin = self.next()?;
        let dimension = match self.ty(None, 0)? {
            Type::Composite(dimension) => dimension,
            _ => return Err(wrong(begin, "has a dimension that is not a composite")),
        };
        self.types.declare(&Type::Composite(Arc::clone(&dimension)));
        if !sent_length(begin, &dimension, "blockLength")?.is_unsigned() {
            return Err(wrong(begin, "has a dimension whose `blockLength` is not unsigned"));
        }
        sent_length(begin, &dimension, "numInGroup")?;
        let body = self.body(begin, depth + 1)?;
        fits(begin, &dimension, "blockLength", body.block_length)?;
        self.expect(Signal::EndGroup, begin)?;
        Ok(Group {
            name: begin.name.clone(),
            id: unsigned(begin, "the id", begin.id)?,
            notes: notes(begin)?,
            dimension,
            body,
            place: Place::NOWHERE,
        })
    }

    fn data(&mut self) -> Result<Data, IrError> {
        let begin = self.next()?;
        let ty = match self.ty(begin.semantic_type.as_deref(), 0)? {
            Type::Composite(ty) => ty,
            _ => return Err(wrong(begin, "has a type that is not a composite")),
        };
        self.expect(Signal::EndVarData, begin)?;
        self.types.declare(&Type::Composite(Arc::clone(&ty)));
        let length = sent_length(begin, &ty, "length")?;
        let sound = ty.variable
            && ty.number("length").is_some_and(|(member, _)| member.offset == 0)
            && ty.number("varData").is_some_and(|(member, of)| {
                member.offset == length.size() && of.primitive.size() == 1 && of.presence != Presence::Constant
            })
            && ty.length == length.size();
        if !sound || !length.is_unsigned() {
            return Err(wrong(begin, "has a type that is not an unsigned `length` with `varData` right behind it"));
        }
        Ok(Data {
            name: begin.name.clone(),
            id: unsigned(begin, "the id", begin.id)?,
            notes: notes(begin)?,
            ty,
            epoch: begin.epoch.clone(),
            time_unit: begin.time_unit.clone(),
            place: Place::NOWHERE,
        })
    }
}

/// The value of a constant field: the value in the field's own token, or else its type's.
fn field_constant(begin: &Token, ty: &Type) -> Result<Option<Constant>, IrError> {
    let of_type = match ty {
        Type::Encoding(of) => {
            if (of.presence == Presence::Constant) != (begin.presence == Presence::Constant) {
                return Err(wrong(begin, "is constant and its type is not, or the reverse"));
            }
            of.constant.clone()
        }
        _ => None,
    };
    if begin.presence != Presence::Constant {
        return Ok(None);
    }
    if begin.constant.is_empty() {
        return of_type.map(Some).ok_or_else(|| wrong(begin, "is constant and has no value"));
    }
    let named = std::str::from_utf8(&begin.constant).ok().and_then(|text| text.split_once('.'));
    let (name, value) = named.ok_or_else(|| wrong(begin, "has a value that is not `Enum.Value`"))?;
    let number = match (ty, of_type) {
        (Type::Enum(of), _) => of.value_named(value).filter(|_| of.name == name).map(|value| value.number),
        (_, Some(Constant::Number(number))) => Some(number),
        _ => None,
    };
    let number = number.ok_or_else(|| wrong(begin, &format!("is `{name}.{value}`, which its type does not have")))?;
    Ok(Some(Constant::Enum { name: name.to_owned(), value: value.to_owned(), number }))
}
