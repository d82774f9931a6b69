//! A schema as it was meant: types resolved, layouts computed, every item with the place it was declared at. Made by the
//! resolver or from a compiled schema; read by the generator, the dynamic codec, the gate and whoever wants to know a
//! layout. Holds no rules.

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
    /// What the schema says of itself.
    pub description: Option<String>,
    /// The byte order of every value, headers included.
    pub byte_order: ByteOrder,
    /// The composite in front of every message.
    pub header: Arc<Composite>,
    /// The global types, in the order of the document.
    pub types: Vec<Type>,
    /// The messages, in the order of the document.
    pub messages: Vec<Message>,
    /// The files that places refer to.
    pub sources: Sources,
    /// Where the schema element stands.
    pub place: Place,
}

/// A type that a field or a composite's member can have.
#[derive(Clone, Debug)]
pub enum Type {
    /// A number, a character, an array of them, or a constant.
    Encoding(Arc<Encoding>),
    /// Several values in fixed places.
    Composite(Arc<Composite>),
    /// One of a list of named values.
    Enum(Arc<Enum>),
    /// Any of a list of named bits.
    Set(Arc<Set>),
}

/// What a schema says of anything it declares, other than its layout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What it is for.
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
    /// Description, versions, semantic type.
    pub notes: Notes,
    /// The primitive of each element.
    pub primitive: Primitive,
    /// How many elements: 1 for a scalar, 0 for none at all.
    pub length: u32,
    /// The type's own presence; a field may have another.
    pub presence: Presence,
    /// The least value, if the schema names one.
    pub min: Option<Number>,
    /// The greatest value, if the schema names one.
    pub max: Option<Number>,
    /// The value that says "none", if the schema names one.
    pub null: Option<Number>,
    /// The value of a constant.
    pub constant: Option<Constant>,
    /// The character encoding of text.
    pub character_encoding: Option<String>,
    /// The package of the enclosing `types`, if it has one.
    pub package: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

/// A value that the schema fixes and no message carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// A number, or a single character.
    Number(Number),
    /// Characters, in the type's encoding, padded to its length.
    Text(Vec<u8>),
    /// A value of an enum, by the enum's name and the value's.
    Enum {
        /// The enum.
        name: String,
        /// The name of the value.
        value: String,
        /// The value.
        number: Number,
    },
}

/// Several values in fixed places.
#[derive(Clone, Debug)]
pub struct Composite {
    /// The type's name.
    pub name: String,
    /// Description, versions, semantic type.
    pub notes: Notes,
    /// The members, in order.
    pub members: Vec<Member>,
    /// Bytes from the start to the end of the last member. For the type of variable-length data, bytes of its length.
    pub length: u32,
    /// Whether `data` elements use it, so that its `varData` member has as many bytes as its length says.
    pub variable: bool,
    /// The package of the enclosing `types`, if it has one.
    pub package: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

/// One value of a composite.
#[derive(Clone, Debug)]
pub struct Member {
    /// The member's name: the type's own, or the one a `ref` gives it.
    pub name: String,
    /// Description and versions.
    pub notes: Notes,
    /// Bytes from the start of the composite.
    pub offset: u32,
    /// The member's type.
    pub ty: Type,
    /// Whether it is a `ref` to a global type.
    pub reference: bool,
    /// Where it is declared.
    pub place: Place,
}

/// One of a list of named values.
#[derive(Clone, Debug)]
pub struct Enum {
    /// The type's name.
    pub name: String,
    /// Description, versions, semantic type.
    pub notes: Notes,
    /// The primitive it is sent as.
    pub primitive: Primitive,
    /// Whether fields of it are constant unless they say otherwise, and so on.
    pub presence: Presence,
    /// The value that says "none".
    pub null: Number,
    /// The values, in the order of the document.
    pub values: Vec<EnumValue>,
    /// The package of the enclosing `types`, if it has one.
    pub package: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

/// A named value of an enum.
#[derive(Clone, Debug)]
pub struct EnumValue {
    /// Its name.
    pub name: String,
    /// Description and versions.
    pub notes: Notes,
    /// Its number; for a `char` enum the character's code.
    pub number: Number,
    /// Where it is declared.
    pub place: Place,
}

/// Any of a list of named bits.
#[derive(Clone, Debug)]
pub struct Set {
    /// The type's name.
    pub name: String,
    /// Description, versions, semantic type.
    pub notes: Notes,
    /// The primitive it is sent as.
    pub primitive: Primitive,
    /// The bits, in the order of the document.
    pub choices: Vec<Choice>,
    /// The package of the enclosing `types`, if it has one.
    pub package: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

/// A named bit of a set.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// Description and versions.
    pub notes: Notes,
    /// The bit, 0 being the least significant of the integer.
    pub bit: u8,
    /// Where it is declared.
    pub place: Place,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its name.
    pub name: String,
    /// The template id, which the header carries.
    pub id: u32,
    /// Description, versions, semantic type.
    pub notes: Notes,
    /// What is in it.
    pub body: Body,
    /// Where it is declared.
    pub place: Place,
}

/// What a message or an entry of a group holds, in this order.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// Bytes of the block that the fields are in.
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
    /// Its id, a FIX tag often.
    pub id: u32,
    /// Description, semantic type, and the versions that the field itself names: see [`Field::since`].
    pub notes: Notes,
    /// Bytes from the start of the block.
    pub offset: u32,
    /// Its presence: its own, or else its type's.
    pub presence: Presence,
    /// The value of a constant field.
    pub constant: Option<Constant>,
    /// `Enum.Value` as the schema spells it, if it does.
    pub value_ref: Option<String>,
    /// From when time is counted.
    pub epoch: Option<String>,
    /// In what time is counted.
    pub time_unit: Option<String>,
    /// The field's type.
    pub ty: Type,
    /// Where it is declared.
    pub place: Place,
}

/// A repeating group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// Description and versions.
    pub notes: Notes,
    /// The composite in front of the entries: block length and count.
    pub dimension: Arc<Composite>,
    /// What is in each entry.
    pub body: Body,
    /// Where it is declared.
    pub place: Place,
}

/// Variable-length data.
#[derive(Clone, Debug)]
pub struct Data {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: u32,
    /// Description and versions.
    pub notes: Notes,
    /// The composite of length and bytes.
    pub ty: Arc<Composite>,
    /// From when time is counted.
    pub epoch: Option<String>,
    /// In what time is counted.
    pub time_unit: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

impl Schema {
    /// The message of that template id.
    #[must_use]
    pub fn message(&self, id: u32) -> Option<&Message> {
        self.messages.iter().find(|message| message.id == id)
    }

    /// The message of that name.
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

    /// Description, versions, semantic type.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        match self {
            Self::Encoding(ty) => &ty.notes,
            Self::Composite(ty) => &ty.notes,
            Self::Enum(ty) => &ty.notes,
            Self::Set(ty) => &ty.notes,
        }
    }

    /// Where it is declared.
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

    /// Bytes on the wire, when it is not a constant field.
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
    /// The value, unless it is text.
    pub(crate) fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) | Self::Enum { number, .. } => Some(*number),
            Self::Text(_) => None,
        }
    }
}

impl Encoding {
    /// A primitive used as a type, without a declaration.
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

    /// The number that every message has here, unless messages carry it.
    pub(crate) fn fixed(&self) -> Option<Number> {
        self.constant.as_ref().filter(|_| self.presence == Presence::Constant)?.number()
    }

    /// Bytes on the wire: none for a constant.
    #[must_use]
    pub fn encoded_length(&self) -> u32 {
        if self.presence == Presence::Constant { 0 } else { self.primitive.size() * self.length }
    }

    /// The value that says "none" for a field of that presence. A field that is required over an optional type loses the
    /// type's own null.
    #[must_use]
    pub fn null_for(&self, presence: Presence) -> Number {
        if presence == Presence::Optional { self.null.unwrap_or(self.primitive.null()) } else { self.primitive.null() }
    }

    /// The least value: the schema's, else the primitive's.
    #[must_use]
    pub fn applicable_min(&self) -> Number {
        self.min.unwrap_or(self.primitive.min())
    }

    /// The greatest value: the schema's, else the primitive's.
    #[must_use]
    pub fn applicable_max(&self) -> Number {
        self.max.unwrap_or(self.primitive.max())
    }
}

impl Composite {
    /// The member of that name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The member of that name, if it is a plain number, with its type.
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
    /// The value with that number: the first, where several have it.
    #[must_use]
    pub fn value(&self, number: Number) -> Option<&EnumValue> {
        self.values.iter().find(|value| value.number == number)
    }

    /// The value of that name.
    #[must_use]
    pub fn value_named(&self, name: &str) -> Option<&EnumValue> {
        self.values.iter().find(|value| value.name == name)
    }
}

impl Field {
    /// The schema version from which messages carry the field: the later of the field's and its type's.
    #[must_use]
    pub fn since(&self) -> u32 {
        self.notes.since.max(self.ty.notes().since)
    }

    /// Bytes on the wire: none for a constant.
    #[must_use]
    pub fn encoded_length(&self) -> u32 {
        if self.presence == Presence::Constant { 0 } else { self.ty.length() }
    }
}

impl Data {
    /// The type of the length, with its offset 0 in the composite.
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
