//! A message as one line of text for people: shorter than JSON, and not meant to be read back. Written as the walk goes.

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

struct Writer<'o> {
    out: &'o mut String,
    /// Whether the next thing is the first of its message, composite, entry or group.
    first: bool,
    /// Whether the group that is open is one that the writer's version did not have.
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
        self.out.push_str(name);
        self.out.push('=');
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

    /// Text up to its first NUL.
    fn fixed_text(&mut self, bytes: &[u8], charset: Option<&str>) {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        self.bytes(&bytes[..end], charset);
    }

    fn value(&mut self, leaf: &Leaf<'_>) {
        match leaf.constant {
            Some(Constant::Text(bytes)) => return self.fixed_text(bytes, leaf.character_encoding()),
            Some(Constant::Enum { value, .. }) if matches!(leaf.kind, Kind::Enum(_)) => {
                return self.out.push_str(value);
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
                Some(value) => self.out.push_str(&value.name),
                None => self.number(number, primitive),
            },
            (Kind::Set(of), Some(Number::Int(bits))) => {
                self.open('{');
                for choice in of.choices.iter().filter(|choice| bits >> choice.bit & 1 == 1) {
                    self.separate();
                    self.out.push_str(&choice.name);
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
