//! Writes a message as one line of text for people, during the walk. The text is shorter than JSON and is not meant to
//! be parsed.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::json;
use crate::schema::{Constant, Data, Field, Number, Primitive, decode_text};

use super::Found;
use super::decode::DecodeError;
use super::visitor::{Kind, Leaf, Visitor};

pub(super) fn append(found: &Found<'_, '_>, out: &mut String) -> Result<usize, DecodeError> {
    let mut writer = Writer { out, first: true, absent: false };
    found.visit(&mut writer)
}

/// A name from a schema as it is shown in a line of text. A word is shown as it is. Anything else is quoted and
/// escaped, because a schema can come from anyone, and its names can contain line breaks or terminal control
/// characters.
#[must_use]
pub fn shown_name(name: &str) -> Cow<'_, str> {
    if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$')) {
        return Cow::Borrowed(name);
    }
    let mut quoted = String::new();
    json::string(&mut quoted, name);
    Cow::Owned(quoted)
}

struct Writer<'o> {
    out: &'o mut String,
    /// Whether the next thing is the first of its message, composite, entry or group.
    first: bool,
    /// Whether the current group did not exist in the writer's version.
    absent: bool,
}

impl Writer<'_> {
    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(' ');
        }
    }

    fn key(&mut self, name: &str) {
        self.separate();
        self.name(name);
        self.out.push('=');
    }

    fn name(&mut self, name: &str) {
        self.out.push_str(&shown_name(name));
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.first = true;
    }

    fn close(&mut self, bracket: char) {
        self.out.push(bracket);
        self.first = false;
    }

    fn number(&mut self, number: Number, primitive: Primitive) {
        let _ = match number {
            Number::Float(value) if primitive == Primitive::Float => write!(self.out, "{}", value as f32),
            number => write!(self.out, "{number}"),
        };
    }

    fn bytes(&mut self, bytes: &[u8], charset: Option<&str>) {
        match charset.and_then(|charset| decode_text(bytes, charset)) {
            Some(text) => json::string(self.out, &text),
            None => {
                self.out.push_str("0x");
                for byte in bytes {
                    let _ = write!(self.out, "{byte:02x}");
                }
            }
        }
    }

    /// Appends text up to its first NUL.
    fn fixed_text(&mut self, bytes: &[u8], charset: Option<&str>) {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        self.bytes(&bytes[..end], charset);
    }

    fn value(&mut self, leaf: &Leaf<'_>) {
        match leaf.constant {
            Some(Constant::Text(bytes)) => return self.fixed_text(bytes, leaf.character_encoding()),
            Some(Constant::Enum { value, .. }) if matches!(leaf.kind, Kind::Enum(_)) => {
                return self.name(value);
            }
            _ => {}
        }
        if leaf.is_null() {
            self.out.push_str("none");
            return;
        }
        let primitive = leaf.primitive();
        match (leaf.kind, leaf.number()) {
            (Kind::Enum(of), Some(number)) => match of.value(number) {
                Some(value) => self.name(&value.name),
                None => self.number(number, primitive),
            },
            (Kind::Set(of), Some(Number::Int(bits))) => {
                self.open('{');
                for choice in of.choices.iter().filter(|choice| bits >> choice.bit & 1 == 1) {
                    self.separate();
                    self.name(&choice.name);
                }
                self.close('}');
            }
            (Kind::Encoding(_), Some(Number::Int(code))) if primitive == Primitive::Char => {
                json::string(self.out, char::from(code as u8).encode_utf8(&mut [0; 4]));
            }
            (_, Some(number)) => self.number(number, primitive),
            (_, None) if primitive == Primitive::Char => self.fixed_text(leaf.bytes, leaf.character_encoding()),
            _ => {
                self.open('[');
                for element in leaf.elements() {
                    self.separate();
                    self.number(element, primitive);
                }
                self.close(']');
            }
        }
    }
}

impl Visitor for Writer<'_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.key(leaf.name);
        self.value(&leaf);
    }

    fn absent(&mut self, _: &Field) {}

    fn begin_composite(&mut self, name: &str) {
        self.key(name);
        self.open('(');
    }

    fn end_composite(&mut self) {
        self.close(')');
    }

    fn begin_group(&mut self, name: &str, _: usize, present: bool) {
        self.absent = !present;
        if present {
            self.key(name);
            self.open('[');
        }
    }

    fn begin_entry(&mut self) {
        self.separate();
        self.open('(');
    }

    fn end_entry(&mut self) {
        self.close(')');
    }

    fn end_group(&mut self) {
        if !std::mem::take(&mut self.absent) {
            self.close(']');
        }
    }

    fn data(&mut self, data: &Data, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            self.key(&data.name);
            self.bytes(bytes, data.body_type().and_then(|body| body.character_encoding.as_deref()));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dynamic::Found;
    use crate::schema::{Options, compile_text};

    /// Names of fields, groups, values and choices come from the schema. They must not break the line or reach a
    /// terminal unescaped.
    #[test]
    fn names_that_are_no_words_are_quoted() {
        let xml = r#"<messageSchema package="p" id="1"><types><composite name="messageHeader">
            <type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/>
            <type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/></composite>
            <enum name="E" encodingType="uint8"><validValue name="o&#10;n">1</validValue></enum>
            <set name="S" encodingType="uint8"><choice name="x=1 y">0</choice></set></types>
            <message name="Tick" id="7"><field name="a&#10;b" id="1" type="uint8"/><field name="&#x9b;2J" id="2" type="E"/>
            <field name="größe" id="3" type="S"/></message></messageSchema>"#;
        let schema = compile_text("tick.xml", xml, &Options::default()).unwrap().schema;
        let bytes = [3, 0, 7, 0, 1, 0, 0, 0, 42, 1, 1];
        let mut text = String::new();
        Found::new(&schema, &bytes).unwrap().append_text(&mut text).unwrap();
        assert_eq!(text, r#""a\nb"=42 "\u009b2J"="o\nn" größe={"x=1 y"}"#);
    }
}
