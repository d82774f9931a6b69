//! Resolves sets: named bits of an integer. Called for each `set` element.

use super::Resolver;
use super::named::Named;
use crate::schema::model::{Choice, Set};
use crate::schema::primitive::Primitive;
use crate::schema::xml::ElementId;

impl Resolver<'_> {
    /// Resolves the type that a `set` element declares.
    pub(super) fn set(&mut self, id: ElementId) -> Option<Set> {
        use Primitive::{UInt8, UInt16, UInt32, UInt64};
        let name = self.reader.required(id, "name").map(|name| name.value.clone());
        let notes = self.reader.notes(id);
        self.reader.presence(id);
        let primitive = self.encoding_type(id, &[UInt8, UInt16, UInt32, UInt64])?.primitive;
        if !primitive.is_unsigned() {
            let place = self.reader.place_of(id, "encodingType");
            if primitive.is_float() {
                self.reader.findings.error("encoding-type", place, format!("{primitive} cannot encode a set"));
                return None;
            }
            let message = format!("a set over {primitive}, which is not unsigned");
            self.reader.findings.warning("signed-set", place, message).hint("use an unsigned type of the same width");
        }
        let bits = primitive.size() * 8;
        let mut choices = Named::new("choice", "duplicate-choice");
        let tree = self.reader.tree;
        for child in tree.children(id) {
            let element = self.reader.element(child);
            if element.name != "choice" {
                self.unknown_element(child, "a set", &["choice"]);
                continue;
            }
            let Some(choice_name) = self.reader.required(child, "name") else { continue };
            let choice_notes = self.reader.notes(child);
            let bit = match element.text.trim().parse::<u32>() {
                Ok(bit) if bit < bits => bit as u8,
                _ => {
                    let message = format!(
                        "choice `{}` is `{}`, not a bit from 0 to {}",
                        choice_name.value,
                        element.text.trim(),
                        bits - 1
                    );
                    self.reader
                        .findings
                        .error("choice-bit", element.text_place, message)
                        .hint("a choice is the number of a bit, not its mask");
                    continue;
                }
            };
            let choice = Choice { name: choice_name.value.clone(), notes: choice_notes, bit, place: element.place };
            let same = format!("is the same bit as another: {bit}");
            choices.add(self.reader.findings, element, choice_name, bit, choice, &same);
        }
        let (choices, _) = choices.into_parts();
        self.values.insert(id, 1);
        let (package, place) = (self.package(id), self.reader.element(id).place);
        Some(Set { name: name?, notes, primitive, choices, package, place })
    }
}
