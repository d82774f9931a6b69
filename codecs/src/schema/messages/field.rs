//! Resolves fields: the type of each, its offset in the block, and its value if it is constant. Called for each field
//! of a block.

use super::Builder;
use crate::schema::model::{Constant, Field, Type};
use crate::schema::primitive::{Presence, Primitive};
use crate::schema::resolve::LONGEST;
use crate::schema::xml::ElementId;

impl<'a> Builder<'a> {
    /// Resolves a field. `end` is where the fields before it end; it is moved to the end of this one.
    pub(super) fn field(&mut self, id: ElementId, name: String, number: u32, end: &mut u64) -> Option<Field> {
        let notes = self.resolver.reader.notes(id);
        let own_presence = self.resolver.reader.presence(id);
        let ty = self.named(id)?;
        let place = self.resolver.reader.element(id).place;
        if let (Some(field), Some(of_type)) = (&notes.semantic_type, &ty.notes().semantic_type)
            && field != of_type
        {
            let at = self.resolver.reader.place_of(id, "semanticType");
            let message = format!("`semanticType` is `{field}`, and type `{}` has `{of_type}`", ty.name());
            self.findings().error("semantic-type", at, message).related(ty.place(), "the type");
        }
        let (presence, constant) = self.field_constant(id, &name, own_presence, &ty)?;
        if let Some(offset) = self.resolver.reader.number(id, "offset").filter(|&offset| offset != 0) {
            if u64::from(offset) < *end {
                let at = self.resolver.reader.place_of(id, "offset");
                let message =
                    format!("field `{name}` at offset {offset} overlaps what is before it, which ends at {end}");
                self.findings().error("field-offset", at, message).hint(format!("use {end} or more, or leave it out"));
                return None;
            }
            *end = offset.into();
        }
        let field = Field {
            name,
            id: number,
            notes,
            offset: (*end).min(LONGEST) as u32,
            presence,
            constant,
            value_ref: self.resolver.reader.text(id, "valueRef"),
            epoch: self.resolver.reader.text(id, "epoch"),
            time_unit: self.resolver.reader.text(id, "timeUnit"),
            ty,
            place,
        };
        *end = end.saturating_add(field.encoded_length().into());
        Some(field)
    }

    /// The type that a field or data names.
    pub(super) fn named(&mut self, id: ElementId) -> Option<Type> {
        let attribute = self.resolver.reader.required(id, "type")?;
        let ty = self.resolver.named(&attribute.value);
        if ty.is_none() && !self.resolver.is_known(&attribute.value) {
            let primitives = Primitive::ALL.into_iter().map(|primitive| -> &'a str { primitive.name() });
            let message = format!("there is no type `{}`", attribute.value);
            self.resolver
                .reader
                .findings
                .error("unknown-type", attribute.place, message)
                .hint("declare it in `types`, or name a primitive type")
                .suggest(&attribute.value, primitives.chain(self.resolver.names.iter().copied()));
        }
        ty
    }

    /// Whether a field is constant, and the value if so: the field's own or its type's.
    fn field_constant(
        &mut self,
        id: ElementId,
        name: &str,
        own: Option<Presence>,
        ty: &Type,
    ) -> Option<(Presence, Option<Constant>)> {
        let has_value_ref = self.resolver.reader.element(id).attribute("valueRef").is_some();
        let referred = if has_value_ref { Some(self.resolver.value_ref(id)?) } else { None };
        let presence = own.unwrap_or(ty.presence());
        let place = self.resolver.reader.place_of(id, "presence");
        if presence != Presence::Constant {
            let Type::Encoding(encoding) = ty else {
                return Some((presence, None));
            };
            if encoding.presence != Presence::Constant {
                return Some((presence, None));
            }
            if presence == Presence::Optional {
                let message = format!("field `{name}` is optional, and its type `{}` is constant", encoding.name);
                self.findings().error("optional-constant", place, message).related(encoding.place, "the type");
                return None;
            }
            let message =
                format!("field `{name}` is required, and its type `{}` is constant: it is constant", encoding.name);
            self.findings().warning("required-constant", place, message);
            return Some((Presence::Constant, encoding.constant.clone()));
        }
        match (ty, referred) {
            (Type::Enum(of), Some((referred, constant))) => {
                if of.name != referred.name {
                    let at = self.resolver.reader.place_of(id, "valueRef");
                    let message =
                        format!("field `{name}` is of enum `{}`, and the value of `{}`", of.name, referred.name);
                    self.findings().error("value-ref", at, message);
                    return None;
                }
                Some((presence, Some(constant)))
            }
            (Type::Enum(of), None) => {
                let message = format!("constant field `{name}` does not say which value of `{}` it has", of.name);
                self.findings()
                    .error("constant-without-value", place, message)
                    .hint(format!("add `valueRef=\"{}.…\"`", of.name));
                None
            }
            (Type::Encoding(encoding), Some((of, constant))) => {
                self.resolver.same_primitive(id, encoding.primitive, &of);
                Some((presence, Some(constant)))
            }
            (Type::Encoding(encoding), None) if encoding.constant.is_some() => {
                Some((presence, encoding.constant.clone()))
            }
            _ => {
                let message = format!("field `{name}` is constant, and its type `{}` has no value", ty.name());
                self.findings()
                    .error("constant-without-value", place, message)
                    .related(ty.place(), "the type")
                    .hint("use a constant type, or name an enum's value in `valueRef`");
                None
            }
        }
    }

    /// Warns of fields that serve no purpose.
    pub(super) fn check_use(&mut self, field: &Field) {
        if let Type::Composite(of) = &field.ty
            && of.variable
        {
            let message =
                format!("field `{}` is of `{}`, a type of data: only its header is a field", field.name, of.name);
            self.findings()
                .warning("data-as-field", field.place, message)
                .hint("use a `data` element, or a composite of its own");
        } else if let Type::Encoding(of) = &field.ty
            && of.length == 0
            && field.presence != Presence::Constant
        {
            let message = format!("field `{}` has no bytes: `length` of `{}` is 0", field.name, of.name);
            self.findings().warning("empty-field", field.place, message).hint("give the type a `length`");
        }
    }
}
