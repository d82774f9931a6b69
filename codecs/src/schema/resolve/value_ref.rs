//! Resolves the `valueRef` of a type or a field, which uses a value of an enum as a constant. Called for each element
//! that has one.

use std::sync::Arc;

use super::{MOST_NAMES, Resolver};
use crate::schema::model::{Constant, Encoding, Enum, Type};
use crate::schema::primitive::{Presence, Primitive};
use crate::schema::xml::ElementId;

impl Resolver<'_> {
    /// The constant that the `valueRef` of a type names.
    pub(super) fn type_value_ref(&mut self, id: ElementId, encoding: &Encoding) -> Option<Constant> {
        if encoding.presence != Presence::Constant {
            let place = self.reader.place_of(id, "valueRef");
            let message = format!("type `{}` has a `valueRef` and is not constant", encoding.name);
            self.reader.findings.error("value-ref", place, message).hint("add `presence=\"constant\"`");
            return None;
        }
        let (of, constant) = self.value_ref(id)?;
        self.same_primitive(id, encoding.primitive, &of);
        Some(constant)
    }

    /// The value that the `valueRef` of a type or a field names, with its enum.
    pub(in crate::schema) fn value_ref(&mut self, id: ElementId) -> Option<(Arc<Enum>, Constant)> {
        let attribute = self.reader.element(id).attribute("valueRef")?;
        let Some((name, value)) = attribute.value.split_once('.') else {
            let message = format!("`{}` does not name a value of an enum", attribute.value);
            self.reader.findings.error("value-ref", attribute.place, message).hint("write `Enum.Value`");
            return None;
        };
        let Some(&target) = self.globals.get(name) else {
            let (tree, globals) = (self.reader.tree, &self.globals);
            let is_enum = |name: &&str| globals.get(name).is_some_and(|&id| tree.get(id).name == "enum");
            self.reader
                .findings
                .error("value-ref", attribute.place, format!("there is no enum `{name}`"))
                .suggest(name, self.names.iter().copied().take(MOST_NAMES).filter(is_enum));
            return None;
        };
        if self.reader.element(target).name != "enum" {
            let place = self.reader.place_of(target, "name");
            self.reader
                .findings
                .error("value-ref", attribute.place, format!("`{name}` is not an enum"))
                .related(place, "it is declared here");
            return None;
        }
        let Some(Type::Enum(of)) = self.resolve(target) else {
            return None;
        };
        let found = self.enum_values.get(&target).and_then(|values| of.values.get(*values.get(value)?));
        let Some(found) = found else {
            self.reader
                .findings
                .error("value-ref", attribute.place, format!("enum `{name}` has no value `{value}`"))
                .related(of.place, "the enum")
                .suggest(value, of.values.iter().map(|value| value.name.as_str()));
            return None;
        };
        let constant = Constant::Enum { name: name.to_owned(), value: value.to_owned(), number: found.number };
        Some((of, constant))
    }

    /// Reports a value whose enum has a different primitive.
    pub(in crate::schema) fn same_primitive(&mut self, id: ElementId, primitive: Primitive, of: &Enum) {
        if primitive != of.primitive {
            let place = self.reader.place_of(id, "valueRef");
            let message = format!("the type is {primitive}, and enum `{}` is {}", of.name, of.primitive);
            self.reader.findings.error("value-ref", place, message).related(of.place, "the enum");
        }
    }
}
