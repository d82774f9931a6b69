//! Writes a message as one line of valid JSON during the walk, without building a tree.

use std::fmt::Write as _;

use crate::json;
use crate::schema::{Constant, Data, Field, Number, Presence, Primitive, decode_text};

use super::Found;
use super::decode::DecodeError;
use super::visitor::{Kind, Leaf, Visitor};

pub(super) fn append(found: &Found<'_, '_>, out: &mut String) -> Result<usize, DecodeError> {
    out.push('{');
    let mut writer = Writer { out, first: true, absent: false };
    let length = found.visit(&mut writer)?;
    out.push('}');
    Ok(length)
}

struct Writer<'o> {
    out: &'o mut String,
    /// Whether the next thing is the first in its object or list.
    first: bool,
    /// Whether the current group did not exist in the writer's version.
    absent: bool,
}

impl Writer<'_> {
    fn separate(&mut self) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
    }

    fn key(&mut self, name: &str) {
        self.separate();
        json::string(self.out, name);
        self.out.push(':');
    }

    fn number(&mut self, number: Number, primitive: Primitive) {
        let out = &mut *self.out;
        let _ = match number {
            Number::Int(value) => match i64::try_from(value) {
                Ok(value) => write!(out, "{value}"),
                Err(_) => write!(out, "{value}"),
            },
            // A float has no word for what is not a number; as SBE has it, that means none.
            Number::Float(value) if value.is_nan() => write!(out, "null"),
            Number::Float(value) if value.is_infinite() => {
                write!(out, "{}", if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" })
            }
            Number::Float(value) if primitive == Primitive::Float => write!(out, "{}", value as f32),
            Number::Float(value) => write!(out, "{value}"),
        };
    }

    fn bytes(&mut self, bytes: &[u8], charset: Option<&str>) {
        match charset.and_then(|charset| decode_text(bytes, charset)) {
            Some(text) => json::string(self.out, &text),
            None => {
                self.out.push_str("{\"$hex\":\"");
                for byte in bytes {
                    let _ = write!(self.out, "{byte:02x}");
                }
                self.out.push_str("\"}");
            }
        }
    }

    /// Appends text of fixed length, which ends at its first NUL. If any byte after that is not a NUL, the text would
    /// lose it, so all bytes are shown.
    fn fixed_text(&mut self, bytes: &[u8], charset: Option<&str>) {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        if bytes[end..].iter().all(|&byte| byte == 0) {
            let before = self.out.len();
            self.bytes(&bytes[..end], charset);
            if self.out[before..].starts_with('"') {
                return;
            }
            self.out.truncate(before);
        }
        self.bytes(bytes, None);
    }

    fn value(&mut self, leaf: &Leaf<'_>) {
        match leaf.constant {
            Some(Constant::Text(bytes)) => return self.fixed_text(bytes, leaf.character_encoding()),
            Some(Constant::Enum { value, .. }) if matches!(leaf.kind, Kind::Enum(_)) => {
                return json::string(self.out, value);
            }
            _ => {}
        }
        if leaf.is_null() {
            self.out.push_str("null");
            return;
        }
        let primitive = leaf.primitive();
        match (leaf.kind, leaf.number()) {
            (Kind::Enum(of), Some(number)) => match of.value(number) {
                Some(value) => json::string(self.out, &value.name),
                None => self.number(number, primitive),
            },
            (Kind::Set(of), Some(Number::Int(bits))) => {
                self.out.push('{');
                for (index, choice) in of.choices.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    json::string(self.out, &choice.name);
                    self.out.push_str(if bits >> choice.bit & 1 == 1 { ":true" } else { ":false" });
                }
                self.out.push('}');
            }
            (Kind::Encoding(_), Some(Number::Int(code))) if primitive == Primitive::Char => {
                let c = char::from(code as u8);
                json::string(self.out, c.encode_utf8(&mut [0; 4]));
            }
            (_, Some(number)) => self.number(number, primitive),
            (Kind::Encoding(_), None) if primitive == Primitive::Char => {
                self.fixed_text(leaf.bytes, leaf.character_encoding());
            }
            _ => {
                self.out.push('[');
                for (index, element) in leaf.elements().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.number(element, primitive);
                }
                self.out.push(']');
            }
        }
    }
}

impl Visitor for Writer<'_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.key(leaf.name);
        self.value(&leaf);
    }

    fn absent(&mut self, field: &Field) {
        debug_assert_ne!(field.presence, Presence::Constant, "constants are always there");
    }

    fn begin_composite(&mut self, name: &str) {
        self.key(name);
        self.out.push('{');
        self.first = true;
    }

    fn end_composite(&mut self) {
        self.out.push('}');
        self.first = false;
    }

    fn begin_group(&mut self, name: &str, _: usize, present: bool) {
        self.absent = !present;
        if present {
            self.key(name);
            self.out.push('[');
            self.first = true;
        }
    }

    fn begin_entry(&mut self) {
        self.separate();
        self.out.push('{');
        self.first = true;
    }

    fn end_entry(&mut self) {
        self.out.push('}');
        self.first = false;
    }

    fn end_group(&mut self) {
        if !std::mem::take(&mut self.absent) {
            self.out.push(']');
            self.first = false;
        }
    }

    fn data(&mut self, data: &Data, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            self.key(&data.name);
            self.bytes(bytes, data.body_type().and_then(|body| body.character_encoding.as_deref()));
        }
    }
}
