//! Converts a schema to tokens. Every token is filled as the official tool fills it, oddities included: the files made
//! from the tokens are the same byte for byte, except for the order of messages.

use super::IrError;
use super::token::{Ir, Signal, Token};
use crate::schema::{
    Body, ByteOrder, Composite, Constant, Data, Encoding, Enum, Field, Group, Message, Notes, Number, Presence,
    Primitive, Schema, Set, Type,
};

/// Stands for a length or an offset that the schema does not determine.
const UNKNOWN: i32 = -1;

impl Ir {
    /// Makes the tokens of a schema. Its messages keep the order of the document.
    ///
    /// # Errors
    ///
    /// An id or a version is above 2^31 - 1, which the format cannot hold.
    pub fn of(schema: &Schema) -> Result<Self, IrError> {
        let mut builder = Builder { order: schema.byte_order, tokens: Vec::new() };
        builder.composite(&schema.header, &Use { name: &schema.header.name, ..Use::default() })?;
        let header = std::mem::take(&mut builder.tokens);
        let mut messages = Vec::new();
        for message in &schema.messages {
            builder.message(message)?;
            messages.push(std::mem::take(&mut builder.tokens));
        }
        Ok(Self {
            id: int(&schema.package, "the schema's id", schema.id)?,
            version: int(&schema.package, "the schema's version", schema.version)?,
            package: schema.package.clone(),
            namespace: None,
            semantic_version: schema.semantic_version.clone(),
            header,
            messages,
        })
    }
}

/// Where a type is used, and under which name.
#[derive(Clone, Copy, Default)]
struct Use<'s> {
    /// The name given by the place of use.
    name: &'s str,
    /// Whether the type is used through a `ref`.
    reference: bool,
    offset: i32,
    /// For a member, the version that the member itself names; otherwise the type's own version counts.
    since: Option<u32>,
    /// The field, group or data that uses the type; `None` in the message header.
    user: Option<User<'s>>,
}

/// The attributes that a field, group or data passes to the tokens of its type.
#[derive(Clone, Copy)]
struct User<'s> {
    since: u32,
    semantic_type: Option<&'s String>,
}

impl<'s> User<'s> {
    fn of(notes: &'s Notes) -> Self {
        Self { since: notes.since, semantic_type: notes.semantic_type.as_ref() }
    }
}

impl Use<'_> {
    fn version(&self, own: u32) -> u32 {
        self.since.unwrap_or(own).max(self.user.map_or(0, |user| user.since))
    }
}

struct Builder {
    order: ByteOrder,
    tokens: Vec<Token>,
}

impl Builder {
    /// Adds a begin token, whatever `inside` adds, and the matching end token.
    fn pair(&mut self, begin: Token, inside: impl FnOnce(&mut Self) -> Result<(), IrError>) -> Result<(), IrError> {
        let end = Token { signal: begin.signal.end().unwrap_or(begin.signal), ..begin.clone() };
        self.tokens.push(begin);
        inside(self)?;
        self.tokens.push(end);
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<(), IrError> {
        let begin = Token {
            id: int(&message.name, "the id", message.id)?,
            encoded_length: int(&message.name, "the block length", message.body.block_length)?,
            ..noted(Signal::BeginMessage, &message.name, &message.notes, message.notes.since)?
        };
        let begin = Token { semantic_type: message.notes.semantic_type.clone(), ..begin };
        self.pair(begin, |builder| builder.body(&message.body, message.body.block_length))
    }

    /// Adds the tokens of a block and of what follows it. `end` is the offset that the official tool gives to the first
    /// group or data; it gives none to the others.
    fn body(&mut self, body: &Body, end: u32) -> Result<(), IrError> {
        for field in &body.fields {
            self.field(field)?;
        }
        let mut offset = int("block", "the block length", end)?;
        for group in &body.groups {
            self.group(group, std::mem::replace(&mut offset, UNKNOWN))?;
        }
        for data in &body.data {
            self.data(data, std::mem::replace(&mut offset, UNKNOWN))?;
        }
        Ok(())
    }

    fn field(&mut self, field: &Field) -> Result<(), IrError> {
        let offset = int(&field.name, "the offset", field.offset)?;
        let mut begin = Token {
            id: int(&field.name, "the id", field.id)?,
            encoded_length: int(&field.name, "the length", field.encoded_length())?,
            offset,
            presence: field.presence,
            epoch: field.epoch.clone(),
            time_unit: field.time_unit.clone(),
            semantic_type: field.notes.semantic_type.clone(),
            ..noted(Signal::BeginField, &field.name, &field.notes, field.since())?
        };
        if let Some(value_ref) = field.value_ref.as_ref().filter(|_| field.presence == Presence::Constant) {
            begin.primitive = Some(Primitive::Char);
            begin.constant = value_ref.clone().into_bytes();
        }
        let usage = Use { name: field.ty.name(), offset, user: Some(User::of(&field.notes)), ..Use::default() };
        self.pair(begin, |builder| match &field.ty {
            Type::Encoding(encoding) => {
                let mut token = builder.encoding(encoding, &usage, field.presence, field.constant.as_ref())?;
                token.epoch.clone_from(&field.epoch);
                token.time_unit.clone_from(&field.time_unit);
                token.semantic_type = semantic_type(&encoding.notes, &usage);
                builder.tokens.push(token);
                Ok(())
            }
            ty => builder.ty(ty, &usage),
        })
    }

    fn group(&mut self, group: &Group, offset: i32) -> Result<(), IrError> {
        let begin = Token {
            id: int(&group.name, "the id", group.id)?,
            encoded_length: int(&group.name, "the block length", group.body.block_length)?,
            offset,
            ..noted(Signal::BeginGroup, &group.name, &group.notes, group.notes.since)?
        };
        // Unlike in a message, the first group inside a group does not get the schema's block length as its offset.
        let end = group.body.fields.last().map_or(0, |field| field.offset + field.encoded_length());
        self.pair(begin, |builder| {
            let user = User { since: group.notes.since, semantic_type: None };
            let usage = Use { name: &group.dimension.name, user: Some(user), ..Use::default() };
            builder.composite(&group.dimension, &usage)?;
            builder.body(&group.body, end)
        })
    }

    fn data(&mut self, data: &Data, offset: i32) -> Result<(), IrError> {
        let begin = Token {
            id: int(&data.name, "the id", data.id)?,
            offset,
            epoch: data.epoch.clone(),
            time_unit: data.time_unit.clone(),
            semantic_type: data.notes.semantic_type.clone(),
            ..noted(Signal::BeginVarData, &data.name, &data.notes, data.notes.since)?
        };
        let usage = Use { name: &data.ty.name, offset, user: Some(User::of(&data.notes)), ..Use::default() };
        self.pair(begin, |builder| builder.composite(&data.ty, &usage))
    }

    fn ty(&mut self, ty: &Type, usage: &Use<'_>) -> Result<(), IrError> {
        match ty {
            Type::Encoding(encoding) => {
                let token = self.encoding(encoding, usage, encoding.presence, encoding.constant.as_ref())?;
                self.tokens.push(token);
                Ok(())
            }
            Type::Composite(of) => self.composite(of, usage),
            Type::Enum(of) => self.enumeration(of, usage),
            Type::Set(of) => self.set(of, usage),
        }
    }

    fn composite(&mut self, of: &Composite, usage: &Use<'_>) -> Result<(), IrError> {
        let length = if of.variable { UNKNOWN } else { int(&of.name, "the length", of.length)? };
        let begin = Token { encoded_length: length, ..declared(Signal::BeginComposite, &of.name, &of.notes, usage)? };
        let begin = Token { package: of.package.clone(), ..begin };
        let version = usage.version(of.notes.since);
        self.pair(begin, |builder| {
            for member in &of.members {
                let mut inner = Use {
                    name: &member.name,
                    reference: member.reference,
                    offset: int(&member.name, "the offset", member.offset)?,
                    since: Some(member.notes.since),
                    user: usage.user,
                };
                // A plain member that is used by a field gets the version of the composite around it, not its own.
                if usage.user.is_some() && matches!(member.ty, Type::Encoding(_)) {
                    inner.since = Some(version);
                }
                builder.ty(&member.ty, &inner)?;
                if of.variable
                    && member.name == "varData"
                    && let Some(token) = builder.tokens.last_mut()
                {
                    token.encoded_length = UNKNOWN;
                }
            }
            Ok(())
        })
    }

    fn enumeration(&mut self, of: &Enum, usage: &Use<'_>) -> Result<(), IrError> {
        let begin = Token {
            encoded_length: of.primitive.size() as i32,
            package: of.package.clone(),
            primitive: Some(of.primitive),
            byte_order: self.order,
            null: value(of.null, of.primitive),
            ..declared(Signal::BeginEnum, &of.name, &of.notes, usage)?
        };
        let order = self.order;
        self.pair(begin, |builder| {
            for valid in &of.values {
                builder.tokens.push(Token {
                    primitive: Some(of.primitive),
                    byte_order: order,
                    constant: value(valid.number, of.primitive),
                    ..noted(Signal::ValidValue, &valid.name, &valid.notes, valid.notes.since)?
                });
            }
            Ok(())
        })
    }

    fn set(&mut self, of: &Set, usage: &Use<'_>) -> Result<(), IrError> {
        // The byte order stays little-endian here whatever the schema's is, since readers take the byte order from the
        // choices.
        let begin = Token {
            encoded_length: of.primitive.size() as i32,
            package: of.package.clone(),
            primitive: Some(of.primitive),
            ..declared(Signal::BeginSet, &of.name, &of.notes, usage)?
        };
        let order = self.order;
        self.pair(begin, |builder| {
            for choice in &of.choices {
                builder.tokens.push(Token {
                    primitive: Some(of.primitive),
                    byte_order: order,
                    constant: value(Number::Int(choice.bit.into()), of.primitive),
                    ..noted(Signal::Choice, &choice.name, &choice.notes, choice.notes.since)?
                });
            }
            Ok(())
        })
    }

    fn encoding(
        &self,
        of: &Encoding,
        usage: &Use<'_>,
        presence: Presence,
        constant: Option<&Constant>,
    ) -> Result<Token, IrError> {
        let is_constant = presence == Presence::Constant;
        let number = |number: Option<Number>| number.map_or_else(Vec::new, |number| value(number, of.primitive));
        let length = of.primitive.size() * of.length;
        Ok(Token {
            encoded_length: if is_constant { 0 } else { int(&of.name, "the length", length)? },
            package: of.package.clone(),
            presence,
            primitive: Some(of.primitive),
            byte_order: self.order,
            constant: match constant.filter(|_| is_constant) {
                Some(Constant::Number(found) | Constant::Enum { number: found, .. }) => value(*found, of.primitive),
                Some(Constant::Text(bytes)) => bytes.clone(),
                None => Vec::new(),
            },
            min: if is_constant { Vec::new() } else { number(of.min) },
            max: if is_constant { Vec::new() } else { number(of.max) },
            null: if presence == Presence::Optional { number(of.null) } else { Vec::new() },
            character_encoding: of.character_encoding.clone(),
            semantic_type: None,
            ..declared(Signal::Encoding, &of.name, &of.notes, usage)?
        })
    }
}

/// A token with the attributes that every type has.
fn declared(signal: Signal, name: &str, notes: &Notes, usage: &Use<'_>) -> Result<Token, IrError> {
    Ok(Token {
        referenced_name: usage.reference.then(|| name.to_owned()),
        offset: usage.offset,
        semantic_type: semantic_type(notes, usage),
        ..noted(signal, usage.name, notes, usage.version(notes.since))?
    })
}

/// A token with a description and versions.
fn noted(signal: Signal, name: &str, notes: &Notes, version: u32) -> Result<Token, IrError> {
    Ok(Token {
        description: notes.description.clone(),
        version: int(name, "the version", version)?,
        deprecated: int(name, "the deprecation", notes.deprecated)?,
        ..Token::new(signal, name)
    })
}

/// The semantic type of the type itself, or else that of its user.
fn semantic_type(notes: &Notes, usage: &Use<'_>) -> Option<String> {
    notes.semantic_type.as_ref().or(usage.user.and_then(|user| user.semantic_type)).cloned()
}

fn int(token: &str, what: &'static str, value: u32) -> Result<i32, IrError> {
    i32::try_from(value).map_err(|_| IrError::TooMuch {
        token: token.to_owned(),
        what,
        found: value.into(),
        most: i32::MAX as u64,
    })
}

/// A value as little-endian bytes, whatever the schema's byte order.
fn value(number: Number, primitive: Primitive) -> Vec<u8> {
    let mut bytes = vec![0; primitive.size() as usize];
    // The schema compiler checked that the value fits the primitive.
    match primitive.write(number, &mut bytes, ByteOrder::LittleEndian) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}
