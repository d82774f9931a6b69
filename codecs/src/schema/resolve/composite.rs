//! Composites: members of any type laid out one behind the other. Called for each `composite` element.

use std::collections::HashMap;

use super::{DEEPEST, LONGEST, MOST_VALUES, Resolver};
use crate::schema::model::{Composite, Member, Notes, Type};
use crate::schema::primitive::{Presence, Primitive};
use crate::schema::source::Place;
use crate::schema::xml::ElementId;

impl Resolver<'_> {
    /// The type that a `composite` element declares.
    pub(super) fn composite(&mut self, id: ElementId) -> Option<Composite> {
        let name = self.reader.required(id, "name").map(|name| name.value.clone());
        let notes = self.reader.notes(id);
        let tree = self.reader.tree;
        let global = name.as_deref().is_some_and(|name| self.globals.get(name) == Some(&id));
        let variable = global && name.as_deref().is_some_and(|name| self.data_types.contains(name));
        let mut members: Vec<Member> = Vec::new();
        let mut names: HashMap<String, Place> = HashMap::new();
        let (mut end, mut values, mut depth, mut sound) = (0_u64, 0_u64, 1, true);
        for child in tree.children(id) {
            let element = self.reader.element(child);
            let kind = element.name.as_str();
            match kind {
                "type" | "enum" | "set" | "composite" | "ref" => {}
                "data" | "group" | "field" => {
                    let message = format!("a composite cannot hold a {kind}");
                    self.reader
                        .findings
                        .error("composite-member", element.place, message)
                        .hint("a composite holds `type`, `enum`, `set`, `composite` and `ref`");
                    sound = false;
                    continue;
                }
                _ => {
                    self.unknown_element(child, "a composite", &["type", "enum", "set", "composite", "ref"]);
                    continue;
                }
            }
            let Some(member_name) = self.reader.required(child, "name") else {
                sound = false;
                continue;
            };
            if let Some(&first) = names.get(&member_name.value) {
                let message = format!("the composite already has a member `{}`", member_name.value);
                self.reader.findings.error("duplicate-member", member_name.place, message).related(first, "the first");
                sound = false;
                continue;
            }
            names.insert(member_name.value.clone(), member_name.place);
            let Some((ty, member_notes, target)) = self.member_type(child) else {
                sound = false;
                continue;
            };
            if let Some(offset) = self.reader.number(child, "offset") {
                // Here 0 is an offset, unlike a field's.
                if u64::from(offset) < end {
                    let place = self.reader.place_of(child, "offset");
                    let message = format!(
                        "member `{}` at offset {offset} overlaps what is before it, which ends at {end}",
                        member_name.value
                    );
                    self.reader.findings.error("member-offset", place, message).hint(format!("use {end} or more"));
                    sound = false;
                } else {
                    end = offset.into();
                }
            }
            if let Type::Enum(of) = &ty
                && of.presence == Presence::Constant
            {
                let message = format!("enum `{}` is constant, and a composite cannot say which value it has", of.name);
                self.reader.findings.error("constant-without-value", element.place, message);
                sound = false;
            }
            let offset = end.min(LONGEST) as u32;
            let on_the_wire = variable && member_name.value == "varData";
            end += if on_the_wire { 0 } else { u64::from(ty.length()) };
            values = values.saturating_add(self.values.get(&target).copied().unwrap_or(1));
            depth = depth.max(1 + self.depths.get(&target).copied().unwrap_or(0));
            members.push(Member {
                name: member_name.value.clone(),
                notes: member_notes,
                offset,
                ty,
                reference: kind == "ref",
                place: element.place,
            });
        }
        let place = self.reader.element(id).place;
        if end > LONGEST {
            self.reader.findings.error("too-long", place, format!("the composite has more than {LONGEST} bytes"));
            return None;
        }
        if values > MOST_VALUES {
            let message = format!("the composite holds more than {MOST_VALUES} values");
            self.reader.findings.error("too-many-values", place, message);
            return None;
        }
        // Those that were resolved before are not open, and deep all the same.
        if depth > DEEPEST {
            self.reader.findings.error("too-deep", place, format!("types are nested more than {DEEPEST} deep"));
            return None;
        }
        self.depths.insert(id, depth);
        self.values.insert(id, values.max(1));
        if !sound {
            return None;
        }
        Some(Composite { name: name?, notes, members, length: end as u32, variable, package: self.package(id), place })
    }

    /// The type of a member, what is said of it there, and the element that declares it.
    fn member_type(&mut self, id: ElementId) -> Option<(Type, Notes, ElementId)> {
        if self.reader.element(id).name != "ref" {
            let ty = self.resolve(id)?;
            let notes = ty.notes().clone();
            return Some((ty, notes, id));
        }
        let target_name = self.reader.required(id, "type")?;
        let own = self.reader.notes(id);
        let Some(&target) = self.globals.get(target_name.value.as_str()) else {
            let message = format!("there is no type `{}` to refer to", target_name.value);
            let found = self.reader.findings.error("unknown-type", target_name.place, message);
            if Primitive::from_name(&target_name.value).is_some() {
                found.hint(format!(
                    "a `ref` reaches only declared types: use `<type primitiveType=\"{}\">`",
                    target_name.value
                ));
            } else {
                found.suggest(&target_name.value, self.names.iter().copied());
            }
            return None;
        };
        let ty = self.resolve(target)?;
        let mut notes = ty.notes().clone();
        if self.reader.element(id).attribute("sinceVersion").is_some() {
            notes.since = own.since;
        }
        notes.deprecated = notes.deprecated.max(own.deprecated);
        notes.description = own.description.or(notes.description);
        Some((ty, notes, target))
    }
}
