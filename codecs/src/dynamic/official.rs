//! Shows a message as the JSON printer of the official tool, version 1.35, does, byte for byte and including its
//! faults. Its output is not always valid JSON. This is for comparisons with that tool, in tests and in the field.

use std::fmt::Write as _;

use crate::schema::{Constant, Data, Field, Number, Presence, Primitive, Type, decode_text};

use super::Found;
use super::decode::DecodeError;
use super::visitor::{Kind, Leaf, Visitor};

/// The message as the official printer of version 1.35 shows it.
///
/// # Errors
///
/// The bytes end before the message does.
pub fn official_json(found: &Found<'_, '_>) -> Result<String, DecodeError> {
    let mut printer = Printer { out: String::from("{\n"), level: 1, first: true };
    found.visit(&mut printer)?;
    printer.out.push_str("\n}");
    Ok(printer.out)
}

struct Printer {
    out: String,
    level: usize,
    first: bool,
}

impl Printer {
    fn indent(&mut self) {
        for _ in 0..self.level {
            self.out.push_str("    ");
        }
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push_str(",\n");
        }
        self.indent();
    }

    fn key(&mut self, name: &str) {
        self.separate();
        let _ = write!(self.out, "\"{name}\": ");
    }

    fn number(&mut self, number: Number, primitive: Primitive) {
        let out = &mut self.out;
        let _ = match (number, primitive) {
            (Number::Int(code), Primitive::Char) => write!(out, "'{}'", char::from(code as u8)),
            (Number::Int(value), Primitive::UInt64) => write!(out, "{}", value as u64 as i64),
            (Number::Int(value), _) => write!(out, "{value}"),
            (Number::Float(value), _) if value.is_nan() => write!(out, "0/0"),
            (Number::Float(value), _) if value.is_infinite() => {
                write!(out, "{}", if value > 0.0 { "1/0" } else { "-1/0" })
            }
            (Number::Float(value), Primitive::Float) => write!(out, "{}", java_float(&format!("{:e}", value as f32))),
            (Number::Float(value), _) => write!(out, "{}", java_float(&format!("{value:e}"))),
        };
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            if matches!(c, '"' | '\\' | '\u{8}' | '\u{c}' | '\n' | '\r' | '\t') {
                self.out.push('\\');
            }
            self.out.push(c);
        }
        self.out.push('"');
    }

    /// Appends text up to the first byte that is not positive as a signed number. A NUL or a byte outside ASCII ends
    /// the text.
    fn fixed_text(&mut self, bytes: &[u8]) {
        let text: String =
            bytes.iter().take_while(|&&byte| (1..128).contains(&byte)).copied().map(char::from).collect();
        self.text(&text);
    }

    fn value(&mut self, leaf: &Leaf<'_>) {
        let primitive = leaf.primitive();
        match leaf.constant {
            Some(Constant::Text(bytes)) => return self.fixed_text(bytes),
            Some(Constant::Enum { value, .. }) if matches!(leaf.kind, Kind::Enum(_)) => return self.text(value),
            // A constant character is quoted as text is, unlike one that is sent.
            Some(Constant::Number(Number::Int(code)) | Constant::Enum { number: Number::Int(code), .. })
                if primitive == Primitive::Char =>
            {
                return self.fixed_text(&[*code as u8]);
            }
            // A constant is a double whatever its type.
            Some(Constant::Number(number @ Number::Float(_))) => return self.number(*number, Primitive::Double),
            _ => {}
        }
        match (leaf.kind, leaf.number()) {
            (Kind::Enum(of), Some(number)) => match of.value(number) {
                Some(value) => self.text(&value.name),
                None => self.out.push_str("\"null\""),
            },
            (Kind::Set(of), Some(Number::Int(bits))) => {
                self.out.push_str("{ ");
                for (index, choice) in of.choices.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    let _ = write!(self.out, "{comma}\"{}\": {}", choice.name, bits >> choice.bit & 1 == 1);
                }
                self.out.push_str(" }");
            }
            (_, Some(number)) => self.number(number, primitive),
            (_, None) if primitive == Primitive::Char => self.fixed_text(leaf.bytes),
            _ => {
                self.out.push('[');
                for (index, element) in leaf.elements().enumerate() {
                    if index > 0 {
                        self.out.push_str(", ");
                    }
                    self.number(element, primitive);
                }
                self.out.push(']');
            }
        }
    }
}

/// Converts a float from Rust's scientific notation (`1.25e7`) to Java's: plain digits from 0.001 to ten million,
/// `1.25E7` otherwise.
fn java_float(scientific: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let zero = digits.bytes().all(|digit| digit == b'0');
    if zero {
        return format!("{sign}0.0");
    }
    match exponent {
        0..=6 => {
            let whole = exponent as usize + 1;
            let digits = format!("{digits:0<whole$}");
            let (before, after) = digits.split_at(whole);
            format!("{sign}{before}.{}", if after.is_empty() { "0" } else { after })
        }
        -3..=-1 => format!("{sign}0.{}{digits}", "0".repeat(-exponent as usize - 1)),
        _ => {
            let (before, after) = digits.split_at(1);
            format!("{sign}{before}.{}E{exponent}", if after.is_empty() { "0" } else { after })
        }
    }
}

impl Visitor for Printer {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.key(leaf.name);
        self.value(&leaf);
    }

    fn absent(&mut self, field: &Field) {
        self.key(&field.name);
        match &field.ty {
            Type::Encoding(encoding) if encoding.length != 1 => self.out.push_str("\"\""),
            Type::Encoding(encoding) => self.number(encoding.null_for(Presence::Optional), encoding.primitive),
            _ => self.out.push_str("\"null\""),
        }
    }

    fn begin_composite(&mut self, name: &str) {
        self.key(name);
        self.out.push('\n');
        self.indent();
        self.out.push_str("{\n");
        self.level += 1;
        self.first = true;
    }

    fn end_composite(&mut self) {
        self.level -= 1;
        self.out.push('\n');
        self.indent();
        self.out.push('}');
        self.first = false;
    }

    fn begin_group(&mut self, name: &str, count: usize, _: bool) {
        self.key(name);
        self.out.push('[');
        if count > 0 {
            self.out.push('\n');
        }
        self.first = true;
    }

    fn begin_entry(&mut self) {
        self.separate();
        self.out.push_str("{\n");
        self.level += 1;
        self.first = true;
    }

    fn end_entry(&mut self) {
        self.end_composite();
    }

    fn end_group(&mut self) {
        self.out.push(']');
        self.first = false;
    }

    fn data(&mut self, data: &Data, bytes: Option<&[u8]>) {
        self.key(&data.name);
        let bytes = bytes.unwrap_or_default();
        match data.body_type().and_then(|body| body.character_encoding.as_deref()) {
            Some(charset) => {
                let text = decode_text(bytes, charset).unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned());
                self.text(&text);
            }
            None => {
                self.out.push('"');
                for byte in bytes {
                    let _ = write!(self.out, "{byte:02x}");
                }
                self.out.push('"');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn floats_are_spelled_as_java_does() {
        for (value, expected) in
            [(100.0, "100.0"), (0.001, "0.001"), (1e10, "1.0E10"), (1e-5, "1.0E-5"), (-107.25, "-107.25"), (0.0, "0.0")]
        {
            assert_eq!(super::java_float(&format!("{value:e}")), expected);
        }
    }
}
