//! The model of a schema: types resolved, layouts computed, every item with the place of its declaration. Made by the
//! resolver or from a compiled schema; read by the generator, the dynamic codec and the gate, and by applications that
//! need a layout. This file checks no rules.

use std::sync::Arc;

use super::primitive::{ByteOrder, Number, Presence, Primitive};
use super::source::{Place, Sources};

/// A whole schema.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The package: any text, such as `uk.co.example`.
    pub package: String,
    /// The schema's id, which every message header carries.
    pub id: u32,
    /// The schema's version, which every message header carries.
    pub version: u32,
    /// The version of the application layer, free text.
    pub semantic_version: Option<String>,
    /// The schema's description of itself.
    pub description: Option<String>,
    /// The byte order of every value, headers included.
    pub byte_order: ByteOrder,
    /// The composite of the message header.
    pub header: Arc<Composite>,
    /// The global types, in the order of the document.
    pub types: Vec<Type>,
    /// The messages, in the order of the document.
    pub messages: Vec<Message>,
    /// The files that places refer to.
    pub sources: Sources,
    /// The place of the schema element.
    pub place: Place,
}

/// The type of a field or of a composite's member.
#[derive(Clone, Debug)]
pub enum Type {
    /// A number, a character, an array of them, or a constant.
    Encoding(Arc<Encoding>),
    /// Several values at fixed offsets.
    Composite(Arc<Composite>),
    /// One value of a list of named ones.
    Enum(Arc<Enum>),
    /// Any number of named bits.
    Set(Arc<Set>),
}

/// The attributes of any declaration other than its layout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The description.
    pub description: Option<String>,
    /// The schema version that introduced it.
    pub since: u32,
    /// The schema version that deprecated it; 0 for not deprecated.
    pub deprecated: u32,
    /// The FIX data type or meaning.
    pub semantic_type: Option<String>,
}

/// A `type` element, or one of the built-in types.
#[derive(Clone, Debug)]
pub struct Encoding {
    /// The type's name.
    pub name: String,
    /// The description, versions and semantic type.
    pub notes: Notes,
    /// The primitive of each element.
    pub primitive: Primitive,
    /// The number of elements: 1 for a scalar, 0 for none.
    pub length: u32,
    /// The type's own presence. A field may have a different one.
    pub presence: Presence,
    /// The least value, if the schema gives one.
    pub min: Option<Number>,
    /// The greatest value, if the schema gives one.
    pub max: Option<Number>,
    /// The value that means "none", if the schema gives one.
    pub null: Option<Number>,
    /// The value of a constant.
    pub constant: Option<Constant>,
    /// The character encoding of text.
    pub character_encoding: Option<String>,
    /// The package of the enclosing `types`, if it has one.
    pub package: Option<String>,
    /// The place of its declaration.
    pub place: Place,
}

/// A value that the schema fixes and that messages do not carry.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// A number, or a single character.
    Number(Number),
    /// Text in the type's character encoding, padded to its length.
    Text(Vec<u8>),
    /// A value of an enum.
    Enum {
        /// The enum's name.
        name: String,
        /// The value's name.
        value: String,
        /// The value's number.
        number: Number,
    },
}

/// Several values at fixed offsets.
#[derive(Clone, Debug)]
pub struct Composite {
    /// The type's name.
    pub name: String,
    /// The description, versions and semantic type.
    pub notes: Notes,
    /// The members, in order.
    pub members: Vec<Member>,
    /// Bytes from the start to the end of the last member. For the type of variable-length data, the bytes of its
    /// length field.
    pub length: u32,
    /// Whether `data` elements use it. The size of its `varData` member is then given by its `length` in each message.
    pub variable: bool,
    /// The package of the enclosing `types`, if it has one.
    pub package: Option<String>,
    /// The place of its declaration.
    pub place: Place,
}

/// A member of a composite.
#[derive(Clone, Debug)]
pub struct Member {
    /// The member's name: the type's own, or the one a `ref` gives it.
    pub name: String,
    /// The description and versions.
    pub notes: Notes,
    /// Offset in bytes from the start of the composite.
    pub offset: u32,
    /// The member's type.
    pub ty: Type,
    /// Whether it is a `ref` to a global type.
    pub reference: bool,
    /// The place of its declaration.
    pub place: Place,
}

/// An enum: a list of named values.
#[derive(Clone, Debug)]
pub struct Enum {
    /// The type's name.
    pub name: String,
    /// The description, versions and semantic type.
    pub notes: Notes,
    /// The primitive that it is encoded as.
    pub primitive: Primitive,
    /// The presence of fields of this type that do not give their own.
    pub presence: Presence,
    /// The value that means "none".
    pub null: Number,
    /// The values, in the order of the document.
    pub values: Vec<EnumValue>,
    /// The package of the enclosing `types`, if it has one.
    pub package: Option<String>,
    /// The place of its declaration.
    pub place: Place,
}

/// A named value of an enum.
#[derive(Clone, Debug)]
pub struct EnumValue {
    /// Its name.
    pub name: String,
    /// The description and versions.
    pub notes: Notes,
    /// Its number; for a `char` enum the character's code.
    pub number: Number,
    /// The place of its declaration.
    pub place: Place,
}

/// A set: a list of named bits.
#[derive(Clone, Debug)]
pub struct Set {
    /// The type's name.
    pub name: String,
    /// The description, versions and semantic type.
    pub notes: Notes,
    /// The primitive that it is encoded as.
    pub primitive: Primitive,
    /// The bits, in the order of the document.
    pub choices: Vec<Choice>,
    /// The package of the enclosing `types`, if it has one.
    pub package: Option<String>,
    /// The place of its declaration.
    pub place: Place,
}

/// A named bit of a set.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// The description and versions.
    pub notes: Notes,
    /// The bit, 0 being the least significant of the integer.
    pub bit: u8,
    /// The place of its declaration.
    pub place: Place,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its name.
    pub name: String,
    /// The template id, which the header carries.
    pub id: u32,
    /// The description, versions and semantic type.
    pub notes: Notes,
    /// Its fields, groups and data.
    pub body: Body,
    /// The place of its declaration.
    pub place: Place,
}

/// The content of a message or of a group's entry: fields, then groups, then data.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The length in bytes of the block that holds the fields.
    pub block_length: u32,
    /// The fields.
    pub fields: Vec<Field>,
    /// The repeating groups.
    pub groups: Vec<Group>,
    /// The variable-length data.
    pub data: Vec<Data>,
}

/// A field of a block.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its id, often a FIX tag.
    pub id: u32,
    /// The description, the semantic type, and the versions that the field itself names: see [`Field::since`].
    pub notes: Notes,
    /// Offset in bytes from the start of the block.
    pub offset: u32,
    /// Its presence: the field's own, or else its type's.
    pub presence: Presence,
    /// The value of a constant field.
    pub constant: Option<Constant>,
    /// The field's `valueRef`, `Enum.Value` as the schema spells it, if it has one.
    pub value_ref: Option<String>,
    /// The epoch from which a time is counted.
    pub epoch: Option<String>,
    /// The unit of a time.
    pub time_unit: Option<String>,
    /// The field's type.
    pub ty: Type,
    /// The place of its declaration.
    pub place: Place,
}

/// A repeating group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// The description and versions.
    pub notes: Notes,
    /// The composite in front of the entries, with block length and count.
    pub dimension: Arc<Composite>,
    /// The content of each entry.
    pub body: Body,
    /// The place of its declaration.
    pub place: Place,
}

/// Variable-length data.
#[derive(Clone, Debug)]
pub struct Data {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// The description and versions.
    pub notes: Notes,
    /// The composite of its length and bytes.
    pub ty: Arc<Composite>,
    /// The epoch from which a time is counted.
    pub epoch: Option<String>,
    /// The unit of a time.
    pub time_unit: Option<String>,
    /// The place of its declaration.
    pub place: Place,
}

impl Schema {
    /// The message with the template id `id`.
    #[must_use]
    pub fn message(&self, id: u32) -> Option<&Message> {
        self.messages.iter().find(|message| message.id == id)
    }

    /// The message called `name`.
    #[must_use]
    pub fn message_named(&self, name: &str) -> Option<&Message> {
        self.messages.iter().find(|message| message.name == name)
    }
}

impl Type {
    /// The type's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Encoding(ty) => &ty.name,
            Self::Composite(ty) => &ty.name,
            Self::Enum(ty) => &ty.name,
            Self::Set(ty) => &ty.name,
        }
    }

    /// The type's description, versions and semantic type.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        match self {
            Self::Encoding(ty) => &ty.notes,
            Self::Composite(ty) => &ty.notes,
            Self::Enum(ty) => &ty.notes,
            Self::Set(ty) => &ty.notes,
        }
    }

    /// The place of the type's declaration.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Encoding(ty) => ty.place,
            Self::Composite(ty) => ty.place,
            Self::Enum(ty) => ty.place,
            Self::Set(ty) => ty.place,
        }
    }

    /// The type's own presence.
    #[must_use]
    pub fn presence(&self) -> Presence {
        match self {
            Self::Encoding(ty) => ty.presence,
            Self::Enum(ty) => ty.presence,
            Self::Composite(_) | Self::Set(_) => Presence::Required,
        }
    }

    /// The length on the wire in bytes, for a field that is not constant.
    #[must_use]
    pub fn length(&self) -> u32 {
        match self {
            Self::Encoding(ty) => ty.encoded_length(),
            Self::Composite(ty) => ty.length,
            Self::Enum(ty) => ty.primitive.size(),
            Self::Set(ty) => ty.primitive.size(),
        }
    }
}

impl Constant {
    /// The value as a number. `None` if it is text.
    pub(crate) fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) | Self::Enum { number, .. } => Some(*number),
            Self::Text(_) => None,
        }
    }
}

impl Encoding {
    /// A built-in type: a primitive without a declaration.
    pub(crate) fn built_in(primitive: Primitive) -> Self {
        Self {
            name: primitive.name().to_owned(),
            notes: Notes::default(),
            primitive,
            length: 1,
            presence: Presence::Required,
            min: None,
            max: None,
            null: None,
            constant: None,
            character_encoding: None,
            package: None,
            place: Place::NOWHERE,
        }
    }

    /// The value, if it is the same in every message because the schema makes it constant.
    pub(crate) fn fixed(&self) -> Option<Number> {
        self.constant.as_ref().filter(|_| self.presence == Presence::Constant)?.number()
    }

    /// The length on the wire in bytes: 0 for a constant.
    #[must_use]
    pub fn encoded_length(&self) -> u32 {
        if self.presence == Presence::Constant { 0 } else { self.primitive.size() * self.length }
    }

    /// The value that means "none" for a field of that presence. A required field of an optional type does not take the
    /// type's own null value.
    #[must_use]
    pub fn null_for(&self, presence: Presence) -> Number {
        if presence == Presence::Optional { self.null.unwrap_or(self.primitive.null()) } else { self.primitive.null() }
    }

    /// The least value: the schema's, or else the primitive's.
    #[must_use]
    pub fn applicable_min(&self) -> Number {
        self.min.unwrap_or(self.primitive.min())
    }

    /// The greatest value: the schema's, or else the primitive's.
    #[must_use]
    pub fn applicable_max(&self) -> Number {
        self.max.unwrap_or(self.primitive.max())
    }
}

impl Composite {
    /// The member called `name`.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The member called `name` with its type, if it is a plain number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<(&Member, &Encoding)> {
        let member = self.member(name)?;
        match &member.ty {
            Type::Encoding(encoding) => Some((member, encoding)),
            _ => None,
        }
    }
}

impl Enum {
    /// The value with that number; the first if several have it.
    #[must_use]
    pub fn value(&self, number: Number) -> Option<&EnumValue> {
        self.values.iter().find(|value| value.number == number)
    }

    /// The value called `name`.
    #[must_use]
    pub fn value_named(&self, name: &str) -> Option<&EnumValue> {
        self.values.iter().find(|value| value.name == name)
    }
}

impl Field {
    /// The schema version from which messages carry the field: the later of the field's and its type's versions.
    #[must_use]
    pub fn since(&self) -> u32 {
        self.notes.since.max(self.ty.notes().since)
    }

    /// The length on the wire in bytes: 0 for a constant.
    #[must_use]
    pub fn encoded_length(&self) -> u32 {
        if self.presence == Presence::Constant { 0 } else { self.ty.length() }
    }
}

impl Data {
    /// The type of the length, which is at offset 0 of the composite.
    #[must_use]
    pub fn length_type(&self) -> Option<&Encoding> {
        self.ty.number("length").map(|(_, encoding)| encoding)
    }

    /// The type of the bytes.
    #[must_use]
    pub fn body_type(&self) -> Option<&Encoding> {
        self.ty.number("varData").map(|(_, encoding)| encoding)
    }
}
