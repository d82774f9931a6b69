//! Encodes values to bytes by a schema: the reverse of the walk. The bytes equal those that the official encoders write
//! into zeroed memory: gaps, padding and unused members are zero.

use crate::schema::{
    Body, ByteOrder, Composite, Data, Encoding, Enum, Field, Group, Message, Number, Presence, Primitive, Schema, Set,
    Type, encode_text,
};

use super::value::Value;

/// Why values cannot be encoded as a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A field that is not optional has no value.
    #[error("{0} is required and has no value")]
    Missing(String),
    /// The value's kind does not fit the field.
    #[error("{what} is {expected}, and the value is {found}")]
    Kind {
        /// The field.
        what: String,
        /// The kind that the field takes.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// The field's type cannot hold the value.
    #[error("{what} cannot hold {value}")]
    Range {
        /// The field.
        what: String,
        /// The value.
        value: String,
    },
    /// The enum or set has no such name.
    #[error("{what} has no value `{name}`")]
    UnknownName {
        /// The field.
        what: String,
        /// The name.
        name: String,
    },
    /// A text, an array, data or a group is longer than the schema allows.
    #[error("{what} holds at most {most}, and got {found}")]
    TooLong {
        /// The field.
        what: String,
        /// The maximum length.
        most: usize,
        /// What was given.
        found: usize,
    },
    /// A group has fewer entries than the schema requires.
    #[error("{what} has at least {least} entries, and got {found}")]
    TooFew {
        /// The group.
        what: String,
        /// The minimum number of entries.
        least: usize,
        /// What was given.
        found: usize,
    },
    /// A record has a value that the schema does not define.
    #[error("there is no {0} in the schema")]
    UnknownField(String),
}

/// Appends the message with its header to `out`, and returns the number of bytes appended.
///
/// # Errors
///
/// A value is missing, of the wrong kind or out of range. `out` is then unchanged.
pub fn encode(schema: &Schema, message: &Message, value: &Value, out: &mut Vec<u8>) -> Result<usize, EncodeError> {
    let start = out.len();
    let mut encoder = Encoder { order: schema.byte_order, out };
    let result = encoder.message(schema, message, value);
    if result.is_err() {
        out.truncate(start);
    }
    result.map(|()| out.len() - start)
}

struct Encoder<'o> {
    order: ByteOrder,
    out: &'o mut Vec<u8>,
}

impl Encoder<'_> {
    fn message(&mut self, schema: &Schema, message: &Message, value: &Value) -> Result<(), EncodeError> {
        let start = self.extend(schema.header.length);
        let members = [
            ("blockLength", message.body.block_length as usize),
            ("templateId", message.id as usize),
            ("schemaId", schema.id as usize),
            ("version", schema.version as usize),
        ];
        self.framing(&schema.header, start, &members);
        self.body(&message.name, &message.body, value)
    }

    fn extend(&mut self, length: u32) -> usize {
        let start = self.out.len();
        self.out.resize(start + length as usize, 0);
        start
    }

    /// Fills the members of a header that are sent. Other members stay zero, such as `numGroups`, because the official
    /// encoders do not know them. The compiler has checked that the numbers fit.
    fn framing(&mut self, composite: &Composite, start: usize, members: &[(&str, usize)]) {
        for &(name, value) in members {
            if let Some((member, encoding)) = composite.number(name)
                && encoding.presence != Presence::Constant
            {
                let at = start + member.offset as usize;
                let _ = encoding.primitive.write(Number::Int(value as i128), &mut self.out[at..], self.order);
            }
        }
    }

    fn body(&mut self, name: &str, body: &Body, value: &Value) -> Result<(), EncodeError> {
        let Value::Record(given) = value else {
            return Err(kind(name, "a record", value));
        };
        let known = |name: &str| {
            body.fields.iter().any(|field| field.name == name)
                || body.groups.iter().any(|group| group.name == name)
                || body.data.iter().any(|data| data.name == name)
        };
        if let Some((stranger, _)) = given.iter().find(|(name, _)| !known(name)) {
            return Err(EncodeError::UnknownField(format!("{name}.{stranger}")));
        }
        let start = self.extend(body.block_length);
        for field in &body.fields {
            self.field(field, start, value.get(&field.name))?;
        }
        for group in &body.groups {
            self.group(group, value.get(&group.name))?;
        }
        for data in &body.data {
            self.data(data, value.get(&data.name))?;
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, block: usize, value: Option<&Value>) -> Result<(), EncodeError> {
        if field.presence == Presence::Constant {
            return Ok(());
        }
        self.value(&field.name, &field.ty, field.presence, block + field.offset as usize, value)
    }

    fn value(
        &mut self,
        name: &str,
        ty: &Type,
        presence: Presence,
        at: usize,
        value: Option<&Value>,
    ) -> Result<(), EncodeError> {
        match ty {
            Type::Encoding(encoding) => self.encoding(name, encoding, presence, at, value),
            Type::Enum(of) => self.enumeration(name, of, presence, at, value),
            Type::Set(of) => self.set(name, of, at, value),
            Type::Composite(of) => {
                match value {
                    None | Some(Value::Null) => {}
                    Some(Value::Record(given)) => {
                        let known = |part: &str| of.members.iter().any(|member| member.name == part);
                        if let Some((stranger, _)) = given.iter().find(|(part, _)| !known(part)) {
                            return Err(EncodeError::UnknownField(format!("{name}.{stranger}")));
                        }
                    }
                    Some(value) => return Err(kind(name, "a record", value)),
                }
                for member in &of.members {
                    if member.ty.presence() == Presence::Constant || (of.variable && member.name == "varData") {
                        continue;
                    }
                    let part = value.and_then(|value| value.get(&member.name));
                    self.value(&member.name, &member.ty, member.ty.presence(), at + member.offset as usize, part)?;
                }
                Ok(())
            }
        }
    }

    fn put(&mut self, name: &str, primitive: Primitive, number: Number, at: usize) -> Result<(), EncodeError> {
        primitive
            .write(number, &mut self.out[at..], self.order)
            .map_err(|_| EncodeError::Range { what: name.to_owned(), value: number.to_string() })
    }

    fn encoding(
        &mut self,
        name: &str,
        encoding: &Encoding,
        presence: Presence,
        at: usize,
        value: Option<&Value>,
    ) -> Result<(), EncodeError> {
        let (primitive, length) = (encoding.primitive, encoding.length as usize);
        let missing = matches!(value, None | Some(Value::Null));
        if length == 1 {
            let number = match value {
                _ if missing && presence == Presence::Optional => encoding.null_for(presence),
                _ if missing && primitive.is_float() && value.is_some() => Number::Float(f64::NAN),
                Some(value) if !missing => scalar(name, primitive, value)?,
                _ => return Err(EncodeError::Missing(name.to_owned())),
            };
            return self.put(name, primitive, number, at);
        }
        match value {
            None | Some(Value::Null) if presence == Presence::Optional => {
                for index in 0..length {
                    self.put(name, primitive, encoding.null_for(presence), at + index * primitive.size() as usize)?;
                }
                Ok(())
            }
            None if length == 0 => Ok(()),
            Some(Value::List(list)) => {
                if list.len() != length {
                    return Err(EncodeError::TooLong { what: name.to_owned(), most: length, found: list.len() });
                }
                for (index, element) in list.iter().enumerate() {
                    let number = match element {
                        Value::Null if primitive.is_float() => Number::Float(f64::NAN),
                        element => scalar(name, primitive, element)?,
                    };
                    self.put(name, primitive, number, at + index * primitive.size() as usize)?;
                }
                Ok(())
            }
            Some(value) if primitive.size() == 1 => {
                let bytes = text(name, encoding.character_encoding.as_deref(), value)?;
                if bytes.len() > length {
                    return Err(EncodeError::TooLong { what: name.to_owned(), most: length, found: bytes.len() });
                }
                self.out[at..at + bytes.len()].copy_from_slice(&bytes);
                Ok(())
            }
            Some(value) => Err(kind(name, "a list", value)),
            None => Err(EncodeError::Missing(name.to_owned())),
        }
    }

    fn enumeration(
        &mut self,
        name: &str,
        of: &Enum,
        presence: Presence,
        at: usize,
        value: Option<&Value>,
    ) -> Result<(), EncodeError> {
        let number = match value {
            None | Some(Value::Null) if presence == Presence::Optional => of.null,
            None | Some(Value::Null) => return Err(EncodeError::Missing(name.to_owned())),
            Some(Value::Text(word)) => match of.value_named(word) {
                Some(value) => value.number,
                None => return Err(EncodeError::UnknownName { what: name.to_owned(), name: word.clone() }),
            },
            Some(value) => scalar(name, of.primitive, value)?,
        };
        self.put(name, of.primitive, number, at)
    }

    fn set(&mut self, name: &str, of: &Set, at: usize, value: Option<&Value>) -> Result<(), EncodeError> {
        let bits = match value {
            None | Some(Value::Null) => 0,
            Some(Value::Bits(bits)) => i128::from(*bits),
            Some(Value::Int(bits)) => *bits,
            Some(Value::Record(choices)) => {
                let mut bits = 0;
                for (word, taken) in choices {
                    let choice = of.choices.iter().find(|choice| choice.name == *word);
                    let Some(choice) = choice else {
                        return Err(EncodeError::UnknownName { what: name.to_owned(), name: word.clone() });
                    };
                    let Value::Bool(taken) = taken else {
                        return Err(kind(&format!("{name}.{word}"), "true or false", taken));
                    };
                    bits |= i128::from(*taken) << choice.bit;
                }
                bits
            }
            Some(value) => return Err(kind(name, "a set", value)),
        };
        // A set over a signed type reaches its top bit through a negative number.
        let size = of.primitive.size() as usize;
        if bits >> (size * 8) != 0 && bits >> (size * 8 - 1) != -1 {
            return Err(EncodeError::Range { what: name.to_owned(), value: bits.to_string() });
        }
        let mut raw = bits.to_le_bytes();
        if self.order == ByteOrder::BigEndian {
            raw[..size].reverse();
        }
        self.out[at..at + size].copy_from_slice(&raw[..size]);
        Ok(())
    }

    fn group(&mut self, group: &Group, value: Option<&Value>) -> Result<(), EncodeError> {
        let entries: &[Value] = match value {
            None | Some(Value::Null) => &[],
            Some(Value::List(entries)) => entries,
            Some(value) => return Err(kind(&group.name, "a list", value)),
        };
        let count = group.dimension.number("numInGroup").map(|(_, encoding)| encoding);
        let most = match count.map(Encoding::applicable_max) {
            Some(Number::Int(most)) => usize::try_from(most).unwrap_or(0),
            _ => usize::MAX,
        };
        let least = count.and_then(|count| count.min).and_then(Number::as_int);
        if let Some(least) = least.and_then(|least| usize::try_from(least).ok()).filter(|&least| entries.len() < least)
        {
            return Err(EncodeError::TooFew { what: group.name.clone(), least, found: entries.len() });
        }
        if entries.len() > most {
            return Err(EncodeError::TooLong { what: group.name.clone(), most, found: entries.len() });
        }
        let start = self.extend(group.dimension.length);
        let members = [("blockLength", group.body.block_length as usize), ("numInGroup", entries.len())];
        self.framing(&group.dimension, start, &members);
        for entry in entries {
            self.body(&group.name, &group.body, entry)?;
        }
        Ok(())
    }

    fn data(&mut self, data: &Data, value: Option<&Value>) -> Result<(), EncodeError> {
        let charset = data.body_type().and_then(|body| body.character_encoding.as_deref());
        let bytes = match value {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => text(&data.name, charset, value)?,
        };
        let Some((member, length)) = data.ty.number("length") else {
            return Err(EncodeError::Missing(data.name.clone()));
        };
        let most =
            length.applicable_max().as_int().map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        if bytes.len() > most {
            return Err(EncodeError::TooLong { what: data.name.clone(), most, found: bytes.len() });
        }
        let start = self.extend(data.ty.length);
        self.put(&data.name, length.primitive, Number::Int(bytes.len() as i128), start + member.offset as usize)?;
        self.out.extend_from_slice(&bytes);
        Ok(())
    }
}

fn kind(name: &str, expected: &'static str, found: &Value) -> EncodeError {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Record(_) => "a record".to_owned(),
        value => format!("{value:?}"),
    };
    EncodeError::Kind { what: name.to_owned(), expected, found }
}

/// The number, or the code of a single character, that a value stands for in a primitive type.
fn scalar(name: &str, primitive: Primitive, value: &Value) -> Result<Number, EncodeError> {
    match value {
        Value::Int(value) if primitive.is_float() => Ok(Number::Float(*value as f64)),
        Value::Int(value) => Ok(Number::Int(*value)),
        Value::Float(value) if primitive.is_float() => Ok(Number::Float((*value).into())),
        Value::Double(value) if primitive.is_float() => Ok(Number::Float(*value)),
        Value::Text(text) if primitive.is_float() => match text.as_str() {
            "Infinity" => Ok(Number::Float(f64::INFINITY)),
            "-Infinity" => Ok(Number::Float(f64::NEG_INFINITY)),
            _ => Err(kind(name, "a number", value)),
        },
        Value::Text(text) if primitive == Primitive::Char => {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(c), None) if u32::from(c) < 256 => Ok(Number::Int(u32::from(c).into())),
                _ => Err(EncodeError::Range { what: name.to_owned(), value: text.clone() }),
            }
        }
        value => Err(kind(name, "a number", value)),
    }
}

/// The bytes of a value that is text or data.
fn text(name: &str, charset: Option<&str>, value: &Value) -> Result<Vec<u8>, EncodeError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.clone()),
        Value::Text(text) => encode_text(text, charset.unwrap_or("UTF-8"))
            .ok_or_else(|| EncodeError::Range { what: name.to_owned(), value: text.clone() }),
        value => Err(kind(name, "text", value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Options, compile_text};

    /// Encodes a message with an optional composite's part and a set, given as JSON.
    fn encoded(json: &str) -> Result<Vec<u8>, EncodeError> {
        let xml = r#"<messageSchema package="p" id="1"><types><composite name="messageHeader">
            <type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/>
            <type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/></composite>
            <composite name="Price"><type name="mantissa" primitiveType="uint8" presence="optional"/></composite>
            <set name="Flags" encodingType="uint8"><choice name="hot">0</choice><choice name="new">3</choice></set></types>
            <message name="Tick" id="7"><field name="price" id="1" type="Price"/><field name="flags" id="2" type="Flags"/>
            </message></messageSchema>"#;
        let schema = compile_text("tick.xml", xml, &Options::default()).unwrap().schema;
        let mut out = Vec::new();
        encode(&schema, &schema.messages[0], &Value::from_json(json).unwrap(), &mut out)?;
        Ok(out.split_off(8))
    }

    #[test]
    fn a_composite_takes_a_record_of_its_members_and_nothing_else() {
        assert_eq!(encoded(r#"{"price":{"mantissa":5}}"#), Ok(vec![5, 0]));
        assert_eq!(encoded(r#"{"price":{}}"#), Ok(vec![255, 0]));
        assert_eq!(encoded("{}"), Ok(vec![255, 0]));
        let stranger = EncodeError::UnknownField("price.mantisa".to_owned());
        assert_eq!(encoded(r#"{"price":{"mantisa":5}}"#), Err(stranger));
        assert!(matches!(encoded(r#"{"price":5}"#), Err(EncodeError::Kind { what, .. }) if what == "price"));
    }

    #[test]
    fn a_set_takes_choices_that_are_true_or_false() {
        assert_eq!(encoded(r#"{"flags":{"hot":false,"new":true}}"#), Ok(vec![255, 8]));
        assert!(
            matches!(encoded(r#"{"flags":{"new":1}}"#), Err(EncodeError::Kind { what, .. }) if what == "flags.new")
        );
    }
}
