//! Resolves enums: named values of an integer or a character. Called for each `enum` element.

use super::Resolver;
use super::named::Named;
use crate::schema::model::{Encoding, Enum, EnumValue};
use crate::schema::primitive::{Number, Primitive};
use crate::schema::source::Place;
use crate::schema::xml::ElementId;

impl Resolver<'_> {
    /// Resolves the type that an `enum` element declares.
    pub(super) fn enumeration(&mut self, id: ElementId) -> Option<Enum> {
        use Primitive::{Char, Int8, Int16, Int32, UInt8, UInt16};
        let name = self.reader.required(id, "name").map(|name| name.value.clone());
        let notes = self.reader.notes(id);
        let presence = self.reader.presence(id).unwrap_or_default();
        let encoding = self.encoding_type(id, &[Char, UInt8, Int8, UInt16, Int16, Int32])?;
        let primitive = encoding.primitive;
        if primitive.is_float() {
            let place = self.reader.place_of(id, "encodingType");
            self.reader.findings.error("encoding-type", place, format!("{primitive} cannot encode an enum"));
            return None;
        }
        let own_null = self.reader.value(id, "nullValue", primitive);
        let null = own_null.or(encoding.null).unwrap_or(primitive.null());
        let mut values = Named::new("value", "duplicate-value");
        let tree = self.reader.tree;
        for child in tree.children(id) {
            let element = self.reader.element(child);
            if element.name != "validValue" {
                self.unknown_element(child, "an enum", &["validValue"]);
                continue;
            }
            let Some(value_name) = self.reader.required(child, "name") else { continue };
            let value_notes = self.reader.notes(child);
            let number = match primitive.parse(&element.text) {
                Ok(Number::Int(number)) => number,
                Ok(Number::Float(_)) => continue,
                Err(why) => {
                    let message = format!("value `{}`: {why}", value_name.value);
                    self.reader.findings.error("malformed-value", element.text_place, message);
                    continue;
                }
            };
            if primitive != Char {
                self.check_enum_number(element.text_place, &value_name.value, number, null, &encoding);
            }
            let value = EnumValue {
                name: value_name.value.clone(),
                notes: value_notes,
                number: Number::Int(number),
                place: element.place,
            };
            let same = format!("has the same value as another: {}", element.text.trim());
            values.add(self.reader.findings, element, value_name, number, value, &same);
        }
        let (values, by_name) = values.into_parts();
        self.values.insert(id, 1);
        self.enum_values.insert(id, by_name);
        let (package, place) = (self.package(id), self.reader.element(id).place);
        Some(Enum { name: name?, notes, primitive, presence, null, values, package, place })
    }

    fn check_enum_number(&mut self, place: Place, name: &str, number: i128, null: Number, encoding: &Encoding) {
        if Number::Int(number) == null {
            self.reader
                .findings
                .error("enum-value-is-null", place, format!("value `{name}` is {number}, which means null"))
                .hint("choose another value, or another `nullValue`");
            return;
        }
        // For a 64-bit unsigned type the primitive's own range is used, though the official tool cannot handle it.
        if let (Number::Int(least), Number::Int(greatest)) = (encoding.applicable_min(), encoding.applicable_max())
            && (number < least || number > greatest)
        {
            let message = format!("value `{name}` is {number}, outside {least} to {greatest}");
            self.reader.findings.error("enum-value-range", place, message);
        }
    }
}
