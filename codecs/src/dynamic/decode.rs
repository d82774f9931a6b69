//! Walks over the bytes of a message. Everything dynamic reads messages this way. The walk advances by the writer's
//! block lengths, finds fields by the offsets of our schema, and shows each value to a visitor.

use crate::schema::{Body, ByteOrder, Composite, Constant, Data, Field, Group, Message, Presence, Schema, Type};

use super::visitor::{Kind, Leaf, Visitor};
use super::{Header, member_value};

/// Why bytes are not a message of the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end inside `what`.
    #[error("the message is cut off inside {what}")]
    Truncated {
        /// The header, block, group or data that is incomplete.
        what: String,
    },
    /// The header names another schema.
    #[error("the message is of schema {found}, and this is schema {expected}")]
    OtherSchema {
        /// The id in the header.
        found: u32,
        /// The schema's id.
        expected: u32,
    },
    /// The schema has no message with that id.
    #[error("the schema has no message with template id {0}")]
    UnknownTemplate(u32),
    /// The header names a version of the schema that did not have the message yet.
    #[error("the message claims version {found} of its schema, which has {what} only since version {since}")]
    OlderVersion {
        /// The message.
        what: String,
        /// The version in the header.
        found: u32,
        /// The first version that has the message.
        since: u32,
    },
    /// The writer's block is shorter than it is in any version of the schema.
    #[error("the block of {what} has {found} bytes, and its oldest fields take {needed}")]
    ShortBlock {
        /// The message or group.
        what: String,
        /// Bytes in the block.
        found: u32,
        /// The bytes that every version sends.
        needed: u32,
    },
    /// A group claims more entries than the remaining bytes can hold.
    #[error("group {what} claims {count} entries, more than the message has bytes")]
    TooManyEntries {
        /// The group.
        what: String,
        /// The number of entries that the group claims.
        count: u32,
    },
}

impl DecodeError {
    pub(super) fn truncated(what: &str) -> Self {
        Self::Truncated { what: what.to_owned() }
    }
}

/// Shows every value of a message to `visitor`, and returns where in `body` the message ends.
///
/// # Errors
///
/// The bytes end before the message does, or they are inconsistent. The visitor has then seen the values before the
/// fault.
pub fn walk(
    schema: &Schema,
    message: &Message,
    header: &Header,
    body: &[u8],
    visitor: &mut impl Visitor,
) -> Result<usize, DecodeError> {
    let mut walker =
        Walker { schema, order: schema.byte_order, version: header.version, rest: body, empty: MOST_EMPTY };
    walker.body(&message.name, &message.body, header.block_length, message.notes.since, visitor)?;
    Ok(body.len() - walker.rest.len())
}

/// The maximum number of entries without bytes in one message: as many as a 16-bit count can state. Such a claim costs
/// the writer no bytes, but costs the reader time.
const MOST_EMPTY: u32 = u16::MAX as u32;

struct Walker<'s, 'b> {
    schema: &'s Schema,
    order: ByteOrder,
    version: u32,
    rest: &'b [u8],
    /// How many more entries may have no bytes.
    empty: u32,
}

impl<'b> Walker<'_, 'b> {
    fn take(&mut self, length: usize, what: &str) -> Result<&'b [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| DecodeError::truncated(what))?;
        self.rest = rest;
        Ok(taken)
    }

    /// `base` is the version that introduced this body. Fields that are as old are in every block.
    fn body(
        &mut self,
        name: &str,
        body: &Body,
        block_length: u32,
        base: u32,
        visitor: &mut impl Visitor,
    ) -> Result<(), DecodeError> {
        let block = self.take(block_length as usize, name)?;
        for field in &body.fields {
            self.field(name, field, block, base, visitor)?;
        }
        for group in &body.groups {
            self.group(group, base, visitor)?;
        }
        for data in &body.data {
            self.data(data, visitor)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        name: &str,
        field: &Field,
        block: &[u8],
        base: u32,
        visitor: &mut impl Visitor,
    ) -> Result<(), DecodeError> {
        let (since, length) = (field.since(), field.encoded_length());
        let end = field.offset + length;
        if field.presence != Presence::Constant && since > base && since > self.version {
            visitor.absent(field);
            return Ok(());
        }
        let bytes = match block.get(field.offset as usize..end as usize) {
            Some(bytes) => bytes,
            None if length == 0 => &[],
            // A writer that claims a version and sends less than it.
            None if since > base => {
                visitor.absent(field);
                return Ok(());
            }
            None => {
                let found = block.len() as u32;
                return Err(DecodeError::ShortBlock { what: name.to_owned(), found, needed: end });
            }
        };
        self.value(&field.name, &field.ty, field.presence, field.constant.as_ref(), bytes, visitor);
        Ok(())
    }

    fn value(
        &self,
        name: &str,
        ty: &Type,
        presence: Presence,
        constant: Option<&Constant>,
        bytes: &[u8],
        visitor: &mut impl Visitor,
    ) {
        let order = self.order;
        let leaf = |kind| Leaf { name, kind, presence, constant, bytes, order };
        match ty {
            Type::Encoding(encoding) => visitor.leaf(leaf(Kind::Encoding(encoding))),
            Type::Enum(of) => visitor.leaf(leaf(Kind::Enum(of))),
            Type::Set(of) => visitor.leaf(leaf(Kind::Set(of))),
            Type::Composite(of) => self.composite(name, of, bytes, visitor),
        }
    }

    fn composite(&self, name: &str, composite: &Composite, bytes: &[u8], visitor: &mut impl Visitor) {
        visitor.begin_composite(name);
        for member in &composite.members {
            // The body of variable-length data is not in the block.
            if composite.variable && member.name == "varData" {
                continue;
            }
            let length = member.ty.length();
            let part = bytes.get(member.offset as usize..(member.offset + length) as usize).unwrap_or_default();
            let constant = match &member.ty {
                Type::Encoding(encoding) => encoding.constant.as_ref(),
                _ => None,
            };
            self.value(&member.name, &member.ty, member.ty.presence(), constant, part, visitor);
        }
        visitor.end_composite();
    }

    fn group(&mut self, group: &Group, base: u32, visitor: &mut impl Visitor) -> Result<(), DecodeError> {
        if group.notes.since > base && group.notes.since > self.version {
            visitor.begin_group(&group.name, 0, false);
            visitor.end_group();
            return Ok(());
        }
        let dimension = self.take(group.dimension.length as usize, &group.name)?;
        let member = |name| {
            member_value(&group.dimension, name, dimension, self.schema)
                .ok_or_else(|| DecodeError::truncated(&group.name))
        };
        let (block_length, count) = (member("blockLength")?, member("numInGroup")?);
        if count as usize > self.rest.len().saturating_add(self.empty as usize) {
            return Err(DecodeError::TooManyEntries { what: group.name.clone(), count });
        }
        visitor.begin_group(&group.name, count as usize, true);
        for _ in 0..count {
            let before = self.rest.len();
            visitor.begin_entry();
            self.body(&group.name, &group.body, block_length, base.max(group.notes.since), visitor)?;
            visitor.end_entry();
            if self.rest.len() == before {
                let left = self.empty.checked_sub(1);
                self.empty = left.ok_or_else(|| DecodeError::TooManyEntries { what: group.name.clone(), count })?;
            }
        }
        visitor.end_group();
        Ok(())
    }

    fn data(&mut self, data: &Data, visitor: &mut impl Visitor) -> Result<(), DecodeError> {
        if data.notes.since > self.version {
            visitor.data(data, None);
            return Ok(());
        }
        let length = member_value(&data.ty, "length", self.rest, self.schema);
        self.take(data.ty.length as usize, &data.name)?;
        let length = length.ok_or_else(|| DecodeError::truncated(&data.name))?;
        let bytes = self.take(length as usize, &data.name)?;
        visitor.data(data, Some(bytes));
        Ok(())
    }
}
