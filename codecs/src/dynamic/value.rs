//! The values of a message as a tree, and the visitor that builds the tree. JSON is parsed into the same tree.

use crate::schema::{Constant, Data, Field, Number, Primitive};

use super::Found;
use super::decode::DecodeError;
use super::visitor::{Kind, Leaf, Visitor};

/// A value, a record of values, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An optional field without a value.
    Null,
    /// Whether a choice of a set is taken. Only JSON produces it.
    Bool(bool),
    /// An integer of any type, a character's code, or an enum's value that the schema does not name.
    Int(i128),
    /// A `float`.
    Float(f32),
    /// A `double`.
    Double(f64),
    /// An enum's value by name, or text.
    Text(String),
    /// The bits of a set, including bits without a name.
    Bits(u64),
    /// All bytes of text or data.
    Bytes(Vec<u8>),
    /// An array's elements or a group's entries.
    List(Vec<Self>),
    /// The values of a message, an entry or a composite, by name and in order.
    Record(Vec<(String, Self)>),
}

impl Value {
    /// The value with this name, if this is a record that has one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Record(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Parses a value from JSON, as [`Found::to_json`] writes it or as a person would write it: enums by name or
    /// number, sets as objects of booleans or as numbers, bytes as text or as `{"$hex":"…"}`.
    ///
    /// # Errors
    ///
    /// The text is not JSON.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self::from_json_value)
    }

    fn from_json_value(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(value), ..) => Self::Int(value.into()),
                (_, Some(value), _) => Self::Int(value.into()),
                (.., value) => Self::Double(value.unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(list) => Self::List(list.into_iter().map(Self::from_json_value).collect()),
            serde_json::Value::Object(fields) => {
                if let (1, Some(bytes)) = (fields.len(), fields.get("$hex").and_then(|hex| from_hex(hex.as_str()?))) {
                    return Self::Bytes(bytes);
                }
                Self::Record(fields.into_iter().map(|(name, value)| (name, Self::from_json_value(value))).collect())
            }
        }
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// The values of a message.
///
/// # Errors
///
/// The bytes end before the message does.
pub fn to_value(found: &Found<'_, '_>) -> Result<Value, DecodeError> {
    let mut builder = Builder { open: vec![Open::Record(String::new(), Vec::new())] };
    found.visit(&mut builder)?;
    match builder.open.pop() {
        Some(Open::Record(_, fields)) => Ok(Value::Record(fields)),
        _ => Ok(Value::Null),
    }
}

enum Open {
    Record(String, Vec<(String, Value)>),
    List(String, Vec<Value>),
}

struct Builder {
    open: Vec<Open>,
}

impl Builder {
    fn push(&mut self, name: &str, value: Value) {
        match self.open.last_mut() {
            Some(Open::Record(_, fields)) => fields.push((name.to_owned(), value)),
            Some(Open::List(_, list)) => list.push(value),
            None => {}
        }
    }

    fn close(&mut self) {
        match self.open.pop() {
            Some(Open::Record(name, fields)) => self.push(&name, Value::Record(fields)),
            Some(Open::List(name, list)) => self.push(&name, Value::List(list)),
            None => {}
        }
    }
}

fn number(number: Number, primitive: Primitive) -> Value {
    match number {
        Number::Int(value) => Value::Int(value),
        Number::Float(value) if primitive == Primitive::Float => Value::Float(value as f32),
        Number::Float(value) => Value::Double(value),
    }
}

/// The value of a leaf, by itself.
fn value(leaf: &Leaf<'_>) -> Value {
    match leaf.constant {
        Some(Constant::Text(bytes)) => return Value::Bytes(bytes.clone()),
        Some(Constant::Enum { value, .. }) if matches!(leaf.kind, Kind::Enum(_)) => return Value::Text(value.clone()),
        _ => {}
    }
    if leaf.is_null() {
        return Value::Null;
    }
    match (leaf.kind, leaf.number()) {
        (Kind::Enum(of), Some(found)) => match of.value(found) {
            Some(value) => Value::Text(value.name.clone()),
            None => number(found, of.primitive),
        },
        // A set over a signed type may read as a negative number: its bits are those of its width.
        (Kind::Set(of), Some(Number::Int(bits))) => {
            Value::Bits(bits as u64 & (u64::MAX >> (64 - of.primitive.size() * 8)))
        }
        (Kind::Encoding(encoding), Some(found)) => number(found, encoding.primitive),
        (Kind::Encoding(encoding), None) if encoding.primitive == Primitive::Char => Value::Bytes(leaf.bytes.to_vec()),
        _ => Value::List(leaf.elements().map(|element| number(element, leaf.primitive())).collect()),
    }
}

impl Visitor for Builder {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.push(leaf.name, value(&leaf));
    }

    fn absent(&mut self, _: &Field) {}

    fn begin_composite(&mut self, name: &str) {
        self.open.push(Open::Record(name.to_owned(), Vec::new()));
    }

    fn end_composite(&mut self) {
        self.close();
    }

    fn begin_group(&mut self, name: &str, _: usize, present: bool) {
        // An absent group is left out like an absent field; the list that `end_group` closes is then nameless.
        let name = if present { name } else { "" };
        self.open.push(Open::List(name.to_owned(), Vec::new()));
    }

    fn begin_entry(&mut self) {
        self.open.push(Open::Record(String::new(), Vec::new()));
    }

    fn end_entry(&mut self) {
        self.close();
    }

    fn end_group(&mut self) {
        if matches!(self.open.last(), Some(Open::List(name, list)) if name.is_empty() && list.is_empty()) {
            self.open.pop();
        } else {
            self.close();
        }
    }

    fn data(&mut self, data: &Data, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            self.push(&data.name, Value::Bytes(bytes.to_vec()));
        }
    }
}
