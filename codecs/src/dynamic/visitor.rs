//! What the walk shows of a message: its values in the order of the schema, each with its type. Code that needs
//! something from a message implements [`Visitor`], and the walk calls it.

use crate::schema::{ByteOrder, Constant, Data, Encoding, Enum, Field, Number, Presence, Primitive, Set};

/// Receives a message's values in the order of the schema.
pub trait Visitor {
    /// A single value, an array or a constant.
    fn leaf(&mut self, leaf: Leaf<'_>);
    /// A field that the writer's version did not have.
    fn absent(&mut self, field: &Field);
    /// The values of a composite follow.
    fn begin_composite(&mut self, name: &str);
    /// The composite ends.
    fn end_composite(&mut self);
    /// The entries of a group follow. `present` is false if the writer's version did not have the group.
    fn begin_group(&mut self, name: &str, count: usize, present: bool);
    /// The values of an entry follow.
    fn begin_entry(&mut self);
    /// The entry ends.
    fn end_entry(&mut self);
    /// The group ends.
    fn end_group(&mut self);
    /// Variable-length data. `bytes` is `None` if the writer's version did not have it.
    fn data(&mut self, data: &Data, bytes: Option<&[u8]>);
}

/// A value without named parts.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// The field's or the member's name.
    pub name: &'a str,
    /// Its type.
    pub kind: Kind<'a>,
    /// Whether the value is required, optional or constant.
    pub presence: Presence,
    /// The value of a constant.
    pub constant: Option<&'a Constant>,
    /// The bytes of a value that is not constant: exactly as many as the type takes.
    pub bytes: &'a [u8],
    /// The byte order.
    pub order: ByteOrder,
}

/// The type of a leaf.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names are the types'")]
pub enum Kind<'a> {
    Encoding(&'a Encoding),
    Enum(&'a Enum),
    Set(&'a Set),
}

impl<'a> Leaf<'a> {
    /// The value's number, for an enum, a set, or a type of one element.
    #[must_use]
    pub fn number(&self) -> Option<Number> {
        match self.constant {
            Some(constant) => constant.number(),
            None => match self.kind {
                Kind::Encoding(encoding) if encoding.length != 1 => None,
                _ => self.primitive().read(self.bytes, self.order),
            },
        }
    }

    /// The elements of an array.
    pub fn elements(&self) -> impl Iterator<Item = Number> + use<'a> {
        let (primitive, order) = (self.primitive(), self.order);
        self.bytes.chunks_exact(primitive.size() as usize).filter_map(move |bytes| primitive.read(bytes, order))
    }

    /// The primitive type of the value.
    #[must_use]
    pub fn primitive(&self) -> Primitive {
        match self.kind {
            Kind::Encoding(encoding) => encoding.primitive,
            Kind::Enum(of) => of.primitive,
            Kind::Set(of) => of.primitive,
        }
    }

    /// The character encoding that the value's type declares.
    #[must_use]
    pub fn character_encoding(&self) -> Option<&'a str> {
        match self.kind {
            Kind::Encoding(encoding) => encoding.character_encoding.as_deref(),
            Kind::Enum(_) | Kind::Set(_) => None,
        }
    }

    /// Whether the value is optional and absent.
    #[must_use]
    pub fn is_null(&self) -> bool {
        if self.presence != Presence::Optional {
            return false;
        }
        let null = match self.kind {
            Kind::Encoding(encoding) => encoding.null_for(self.presence),
            Kind::Enum(of) => of.null,
            Kind::Set(_) => return false,
        };
        self.number() == Some(null)
    }
}
