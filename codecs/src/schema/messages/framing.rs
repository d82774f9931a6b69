//! Checks the composites that frame messages: the message header, and the integers of headers, dimensions and data.
//! Called for everything that such a composite precedes.

use std::sync::Arc;

use super::Builder;
use crate::schema::model::{Composite, Encoding, Type};
use crate::schema::primitive::{Number, Primitive};
use crate::schema::source::Place;
use crate::schema::xml::ElementId;

impl Builder<'_> {
    /// The composite of the message header.
    pub(in crate::schema) fn header(&mut self, root: ElementId) -> Option<Arc<Composite>> {
        let name = self.resolver.reader.text(root, "headerType").unwrap_or_else(|| "messageHeader".to_owned());
        let place = self.resolver.reader.place_of(root, "headerType");
        let header = match self.resolver.named(&name) {
            Some(Type::Composite(header)) => header,
            Some(_) => {
                self.findings().error("header", place, format!("message header `{name}` is not a composite"));
                return None;
            }
            None => {
                if !self.resolver.is_known(&name) {
                    let message = format!("there is no message header `{name}`");
                    self.resolver
                        .reader
                        .findings
                        .error("header", place, message)
                        .hint(format!("declare a composite `{name}`, or name another in `headerType`"))
                        .suggest(&name, self.resolver.names.iter().copied());
                }
                return None;
            }
        };
        let mut sound = true;
        for member in ["blockLength", "templateId", "schemaId", "version"] {
            let Some(primitive) = self.framing_member(&header, member, "header") else {
                sound = false;
                continue;
            };
            if member == "blockLength" && !primitive.is_unsigned() {
                let message = format!("`blockLength` of the message header is {primitive}, which is not unsigned");
                self.findings().error("header", header.place, message).hint("use uint16");
                sound = false;
            } else if primitive != Primitive::UInt16 {
                let message = format!("`{member}` of the message header is {primitive}");
                self.findings().warning("unusual-width", header.place, message).hint("use uint16, as everyone does");
            }
        }
        sound.then_some(header)
    }

    /// Checks a member that frames messages or groups: a single integer.
    pub(super) fn framing_member(
        &mut self,
        composite: &Composite,
        name: &str,
        code: &'static str,
    ) -> Option<Primitive> {
        let Some(member) = composite.member(name) else {
            let message = format!("composite `{}` has no `{name}`", composite.name);
            self.findings()
                .error(code, composite.place, message)
                .hint(format!("add `<type name=\"{name}\" primitiveType=\"uint16\"/>`"))
                .suggest(name, composite.members.iter().map(|member| member.name.as_str()));
            return None;
        };
        match &member.ty {
            Type::Encoding(encoding) if encoding.length == 1 && !encoding.primitive.is_float() => {
                Some(encoding.primitive)
            }
            _ => {
                let message = format!("`{name}` of composite `{}` is not a single integer", composite.name);
                self.findings().error(code, member.place, message);
                None
            }
        }
    }

    /// Reports a number that a member of a framing composite cannot carry.
    pub(in crate::schema) fn fits(
        &mut self,
        composite: &Composite,
        member: &str,
        value: u32,
        what: &str,
        place: Place,
    ) {
        if let Some((_, encoding)) = composite.number(member) {
            let (least, greatest) = encoding.primitive.range();
            let message = match encoding.fixed().and_then(Number::as_int) {
                Some(fixed) if fixed != i128::from(value) => {
                    format!("{what} is {value}, and `{member}` of `{}` is always {fixed}", composite.name)
                }
                None if !(least..=greatest).contains(&i128::from(value)) => {
                    format!("{what} is {value}, and `{member}` of `{}` is {}", composite.name, encoding.primitive)
                }
                _ => return,
            };
            self.findings().error("does-not-fit", place, message).related(composite.place, "the composite");
        }
    }

    /// Checks the rules that lengths and counts share: unsigned, and a wide one only with a maximum that fits 31 bits.
    pub(super) fn unsigned_length(&mut self, encoding: &Encoding, name: &str, composite: &str, code: &'static str) {
        let primitive = encoding.primitive;
        if !primitive.is_unsigned() {
            let message = format!("`{name}` of `{composite}` is {primitive}, which is not unsigned");
            self.findings().error(code, encoding.place, message).hint("use uint8 or uint16");
            return;
        }
        let narrow = matches!(primitive, Primitive::UInt8 | Primitive::UInt16);
        // A 32-bit length of data is common; a 32-bit count or block length is not.
        if !narrow && (code == "dimension" || primitive == Primitive::UInt64) {
            let message = format!("`{name}` of `{composite}` is {primitive}");
            self.findings().warning("unusual-width", encoding.place, message).hint("use uint8 or uint16");
        }
        if primitive == Primitive::UInt32 {
            match encoding.max {
                Some(Number::Int(max)) if max <= i128::from(i32::MAX) => {}
                Some(max) => {
                    let message = format!("`maxValue` {max} of `{name}` is above {}", i32::MAX);
                    self.findings().error(code, encoding.place, message);
                }
                None => {
                    let message = format!("`{name}` of `{composite}` is uint32 and has no `maxValue`");
                    let hint = format!("add `maxValue=\"{}\"` or less", i32::MAX);
                    self.findings().error(code, encoding.place, message).hint(hint);
                }
            }
        }
    }
}

/// The greatest number that a member of a header or a dimension can carry.
pub(super) fn greatest(composite: &Composite, member: &str) -> Option<i128> {
    let (_, encoding) = composite.number(member)?;
    Some(encoding.fixed().and_then(Number::as_int).unwrap_or(encoding.primitive.range().1))
}
