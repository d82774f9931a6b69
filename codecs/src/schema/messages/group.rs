//! Resolves groups, each with its dimensions: the block length and the number of entries. Called for each group of a
//! block.

use super::Builder;
use super::framing::greatest;
use crate::schema::model::{Composite, Group, Type};
use crate::schema::primitive::{Number, Presence, Primitive};
use crate::schema::xml::ElementId;

impl Builder<'_> {
    /// Resolves a group at nesting level `depth`.
    pub(super) fn group(&mut self, id: ElementId, name: String, number: u32, depth: usize) -> Option<Group> {
        let notes = self.resolver.reader.notes(id);
        let place = self.resolver.reader.element(id).place;
        let dimension_name =
            self.resolver.reader.text(id, "dimensionType").unwrap_or_else(|| "groupSizeEncoding".to_owned());
        let at = self.resolver.reader.place_of(id, "dimensionType");
        let dimension = match self.resolver.named(&dimension_name) {
            Some(Type::Composite(dimension)) => Some(dimension),
            Some(other) => {
                let message = format!("dimension type `{dimension_name}` is not a composite");
                self.findings().error("dimension", at, message).related(other.place(), "it is declared here");
                None
            }
            None => {
                if !self.resolver.is_known(&dimension_name) {
                    let message = format!("there is no dimension type `{dimension_name}`");
                    self.resolver
                        .reader
                        .findings
                        .error("dimension", at, message)
                        .hint("declare a composite of `blockLength` and `numInGroup`")
                        .suggest(&dimension_name, self.resolver.names.iter().copied());
                }
                None
            }
        };
        let sound = dimension.as_deref().is_some_and(|dimension| self.dimension(dimension));
        let greatest = dimension.as_deref().and_then(|dimension| greatest(dimension, "blockLength"));
        let body = self.body(id, greatest, depth + 1)?;
        Some(Group { name, id: number, notes, dimension: dimension.filter(|_| sound)?, body, place })
    }

    /// Checks whether a composite can be the dimensions of a group.
    fn dimension(&mut self, composite: &Composite) -> bool {
        let (block, count) = (
            composite.number("blockLength").map(|(_, encoding)| encoding.clone()),
            composite.number("numInGroup").map(|(_, encoding)| encoding.clone()),
        );
        if !self.checked.insert(("dimension", composite.name.clone())) {
            // Already reported, so only the result is needed here.
            return block.is_some() && count.is_some();
        }
        let block = self.framing_member(composite, "blockLength", "dimension").and(block);
        let count = self.framing_member(composite, "numInGroup", "dimension").and(count);
        let (Some(block), Some(count)) = (block, count) else { return false };
        for (name, member) in [("blockLength", &block), ("numInGroup", &count)] {
            if member.presence == Presence::Constant {
                let message = format!("`{name}` of `{}` is constant, and groups differ in it", composite.name);
                self.findings().error("dimension", member.place, message);
            }
        }
        self.unsigned_length(&block, "blockLength", &composite.name, "dimension");
        if count.primitive.is_unsigned() {
            self.unsigned_length(&count, "numInGroup", &composite.name, "dimension");
        } else if count.primitive == Primitive::Char {
            let message = format!("`numInGroup` of `{}` is a char", composite.name);
            self.findings().error("dimension", count.place, message).hint("use uint8 or uint16");
        } else {
            let message = format!("`numInGroup` of `{}` is {}, which is signed", composite.name, count.primitive);
            self.findings().warning("unusual-width", count.place, message).hint("use uint8 or uint16");
            match count.min {
                None => {
                    let message = format!("signed `numInGroup` of `{}` has no `minValue`", composite.name);
                    self.findings().error("dimension", count.place, message).hint("add `minValue=\"0\"`");
                }
                Some(Number::Int(min)) if min < 0 => {
                    let message = format!("`minValue` {min} of `numInGroup` is negative");
                    self.findings().error("dimension", count.place, message);
                }
                Some(_) => {}
            }
        }
        if let (Some(Number::Int(min)), Number::Int(max)) = (count.min, count.applicable_max())
            && min > max
        {
            let message = format!("`numInGroup` has `minValue` {min} above `maxValue` {max}");
            self.findings().error("dimension", count.place, message);
        }
        true
    }
}
