//! Resolves types of one primitive: a number, text, an array or a constant. Called for each `type` element, and for the
//! encoding of an enum or a set.

use super::{LONGEST, Resolver};
use crate::schema::charset::{encode_text, is_known};
use crate::schema::model::{Constant, Encoding, Type};
use crate::schema::primitive::{Number, Presence, Primitive};
use crate::schema::xml::ElementId;

impl Resolver<'_> {
    /// Resolves the type that a `type` element declares.
    pub(super) fn encoding(&mut self, id: ElementId) -> Option<Encoding> {
        let name = self.reader.required(id, "name").map(|name| name.value.clone());
        let notes = self.reader.notes(id);
        let presence = self.reader.presence(id).unwrap_or_default();
        let primitive = self.reader.required(id, "primitiveType").and_then(|attribute| {
            let primitive = Primitive::from_name(&attribute.value);
            if primitive.is_none() {
                let message = format!("`{}` is not a primitive type", attribute.value);
                self.reader
                    .findings
                    .error("unknown-primitive", attribute.place, message)
                    .hint("they are char, int8 to int64, uint8 to uint64, float and double")
                    .suggest(&attribute.value, Primitive::ALL.into_iter().map(Primitive::name));
            }
            primitive
        });
        let length = self.reader.number(id, "length");
        let (name, primitive) = (name?, primitive?);
        let character_encoding = match self.reader.element(id).attribute("characterEncoding") {
            Some(attribute) => {
                let charset = attribute.value.trim().to_owned();
                if !is_known(&charset) {
                    let message =
                        format!("`{charset}` is not a character encoding known here; text in it is shown as bytes");
                    self.reader.findings.warning("unknown-charset", attribute.place, message);
                }
                Some(charset)
            }
            None => (primitive == Primitive::Char).then(|| "US-ASCII".to_owned()),
        };
        let null = self.reader.value(id, "nullValue", primitive);
        if null.is_some() && presence != Presence::Optional {
            let place = self.reader.place_of(id, "nullValue");
            self.reader
                .findings
                .warning("null-of-required", place, format!("`{name}` has a `nullValue` and is not optional"))
                .hint("add `presence=\"optional\"`, unless fields of the type say so");
        }
        let (min, max) = (self.reader.value(id, "minValue", primitive), self.reader.value(id, "maxValue", primitive));
        if let (Some(min), Some(max)) = (min, max)
            && above(min, max)
        {
            let place = self.reader.place_of(id, "minValue");
            let message = format!("`minValue` {min} is above `maxValue` {max}");
            self.reader.findings.warning("empty-range", place, message);
        } else if let Some(null) = null
            && min.is_some() | max.is_some()
            && !above(min.unwrap_or(primitive.min()), null)
            && !above(null, max.unwrap_or(primitive.max()))
        {
            let place = self.reader.place_of(id, "nullValue");
            let message = format!("`nullValue` {null} of `{name}` is inside the range of its values");
            self.reader.findings.warning("null-in-range", place, message);
        }
        let mut encoding = Encoding {
            name,
            notes,
            primitive,
            length: length.unwrap_or(1),
            presence,
            min,
            max,
            null,
            constant: None,
            character_encoding,
            package: self.package(id),
            place: self.reader.element(id).place,
        };
        if self.reader.element(id).attribute("valueRef").is_some() {
            encoding.constant = self.type_value_ref(id, &encoding);
            encoding.length = 1;
        } else if presence == Presence::Constant {
            self.constant(id, &mut encoding, length)?;
        }
        if u64::from(encoding.length) * u64::from(primitive.size()) > LONGEST {
            let place = self.reader.place_of(id, "length");
            let message = format!("`{}` has {} elements: more than {LONGEST} bytes", encoding.name, encoding.length);
            self.reader.findings.error("too-long", place, message);
            return None;
        }
        self.values.insert(id, 1);
        Some(encoding)
    }

    /// Parses the value of a constant type. For text it also sets the length.
    fn constant(&mut self, id: ElementId, encoding: &mut Encoding, length: Option<u32>) -> Option<()> {
        let element = self.reader.element(id);
        let place = element.text_place;
        if element.text.is_empty() {
            self.reader
                .findings
                .error("constant-without-value", place, format!("constant type `{}` has no value", encoding.name))
                .hint("write the value between the tags, or name an enum's value in `valueRef`");
            return None;
        }
        if encoding.primitive != Primitive::Char {
            match encoding.primitive.parse(&element.text) {
                Ok(number) => encoding.constant = Some(Constant::Number(number)),
                Err(why) => {
                    self.reader.findings.error(
                        "malformed-value",
                        place,
                        format!("constant `{}`: {why}", encoding.name),
                    );
                    return None;
                }
            }
            return Some(());
        }
        let charset = encoding.character_encoding.as_deref().unwrap_or("US-ASCII");
        let Some(mut bytes) = encode_text(&element.text, charset) else {
            let message = format!("constant `{}` has characters that {charset} cannot hold", encoding.name);
            self.reader.findings.error("malformed-value", place, message);
            return None;
        };
        let characters = element.text.chars().count();
        let declared = length.map_or(characters, |length| length as usize);
        if characters > declared {
            let message = format!("`{}` is {characters} characters long, and `length` is {declared}", element.text);
            self.reader.findings.error("constant-too-long", place, message).hint("make `length` as long as the text");
            return None;
        }
        if declared as u64 > LONGEST {
            self.reader.findings.error("too-long", place, format!("{declared} characters are too many"));
            return None;
        }
        encoding.length = declared as u32;
        encoding.constant = Some(if declared == 1 {
            Constant::Number(Number::Int(i128::from(bytes[0])))
        } else {
            bytes.resize(declared.max(bytes.len()), 0);
            encoding.length = bytes.len() as u32;
            Constant::Text(bytes)
        });
        Some(())
    }

    /// The encoding of an enum or a set: a primitive, or a named type of one element, whose range and null value then
    /// apply.
    pub(super) fn encoding_type(&mut self, id: ElementId, direct: &[Primitive]) -> Option<Encoding> {
        let attribute = self.reader.required(id, "encodingType")?;
        if let Some(&target) = self.globals.get(attribute.value.as_str()) {
            return match self.resolve(target)? {
                Type::Encoding(encoding) if encoding.length == 1 => Some((*encoding).clone()),
                other => {
                    let message = format!("`{}` is not a type of one element", attribute.value);
                    self.reader
                        .findings
                        .error("encoding-type", attribute.place, message)
                        .related(other.place(), "it is declared here");
                    None
                }
            };
        }
        match Primitive::from_name(&attribute.value) {
            Some(primitive) if direct.contains(&primitive) => Some(Encoding::built_in(primitive)),
            found => {
                let names: Vec<&str> = direct.iter().map(|primitive| primitive.name()).collect();
                let message = match found {
                    Some(primitive) => format!("{primitive} cannot encode a {}", self.reader.element(id).name),
                    None => format!("there is no type `{}`", attribute.value),
                };
                self.reader
                    .findings
                    .error("encoding-type", attribute.place, message)
                    .hint(format!("use {}, or declare a `type` and name it", names.join(", ")))
                    .suggest(&attribute.value, names.into_iter());
                None
            }
        }
    }
}

/// Whether one number is greater than another, or the two cannot be compared.
fn above(one: Number, other: Number) -> bool {
    match (one, other) {
        (Number::Int(one), Number::Int(other)) => one > other,
        (Number::Float(one), Number::Float(other)) => one > other || one.is_nan() || other.is_nan(),
        _ => false,
    }
}
