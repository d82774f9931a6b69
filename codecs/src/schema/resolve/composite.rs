//! Resolves composites: members of any type, laid out one after another. Called for each `composite` element.

use std::collections::HashMap;

use super::{DEEPEST, LONGEST, MOST_VALUES, Resolver};
use crate::schema::model::{Composite, Member, Notes, Type};
use crate::schema::primitive::{Presence, Primitive};
use crate::schema::source::Place;
use crate::schema::xml::ElementId;

/// A composite whose members are being laid out.
struct Laid {
    /// Whether data uses the composite, so that the size of its `varData` comes with each message.
    variable: bool,
    members: Vec<Member>,
    names: HashMap<String, Place>,
    /// The offset of the next member, unless the member gives its own.
    end: u64,
    values: u64,
    depth: usize,
    /// Whether no member was refused.
    sound: bool,
}

impl Resolver<'_> {
    /// Resolves the type that a `composite` element declares.
    pub(super) fn composite(&mut self, id: ElementId) -> Option<Composite> {
        let name = self.reader.required(id, "name").map(|name| name.value.clone());
        let notes = self.reader.notes(id);
        let tree = self.reader.tree;
        let global = name.as_deref().is_some_and(|name| self.globals.get(name) == Some(&id));
        let variable = global && name.as_deref().is_some_and(|name| self.data_types.contains(name));
        let (members, names) = (Vec::new(), HashMap::new());
        let mut laid = Laid { variable, members, names, end: 0, values: 0, depth: 1, sound: true };
        for child in tree.children(id) {
            match self.reader.element(child).name.as_str() {
                "type" | "enum" | "set" | "composite" | "ref" => {
                    let placed = self.member(child, &mut laid).is_some();
                    laid.sound &= placed;
                }
                kind @ ("data" | "group" | "field") => {
                    let message = format!("a composite cannot hold a {kind}");
                    self.reader
                        .findings
                        .error("composite-member", self.reader.element(child).place, message)
                        .hint("a composite holds `type`, `enum`, `set`, `composite` and `ref`");
                    laid.sound = false;
                }
                _ => self.unknown_element(child, "a composite", &["type", "enum", "set", "composite", "ref"]),
            }
        }
        let place = self.reader.element(id).place;
        self.within_limits(place, &laid)?;
        self.depths.insert(id, laid.depth);
        self.values.insert(id, laid.values.max(1));
        if !laid.sound {
            return None;
        }
        let (members, length) = (laid.members, laid.end as u32);
        Some(Composite { name: name?, notes, members, length, variable, package: self.package(id), place })
    }

    /// Lays out one member after the others. Returns `None` if the member is refused.
    fn member(&mut self, id: ElementId, laid: &mut Laid) -> Option<()> {
        let element = self.reader.element(id);
        let name = self.reader.required(id, "name")?;
        if let Some(&first) = laid.names.get(&name.value) {
            let message = format!("the composite already has a member `{}`", name.value);
            self.reader.findings.error("duplicate-member", name.place, message).related(first, "the first");
            return None;
        }
        laid.names.insert(name.value.clone(), name.place);
        let (ty, notes, target) = self.member_type(id)?;
        self.member_offset(id, &name.value, laid);
        if let Type::Enum(of) = &ty
            && of.presence == Presence::Constant
        {
            let message = format!("enum `{}` is constant, and a composite cannot say which value it has", of.name);
            self.reader.findings.error("constant-without-value", element.place, message);
            laid.sound = false;
        }
        let offset = laid.end.min(LONGEST) as u32;
        let on_the_wire = laid.variable && name.value == "varData";
        laid.end += if on_the_wire { 0 } else { u64::from(ty.length()) };
        laid.values = laid.values.saturating_add(self.values.get(&target).copied().unwrap_or(1));
        laid.depth = laid.depth.max(1 + self.depths.get(&target).copied().unwrap_or(0));
        let (name, reference, place) = (name.value.clone(), element.name == "ref", element.place);
        laid.members.push(Member { name, notes, offset, ty, reference, place });
        Some(())
    }

    /// Moves the end of the laid out members to the offset that the next member gives, if it gives one.
    fn member_offset(&mut self, id: ElementId, name: &str, laid: &mut Laid) {
        // Here 0 is a valid offset, unlike in a field.
        let Some(offset) = self.reader.number(id, "offset") else { return };
        let end = laid.end;
        if u64::from(offset) >= end {
            laid.end = offset.into();
            return;
        }
        let place = self.reader.place_of(id, "offset");
        let message = format!("member `{name}` at offset {offset} overlaps what is before it, which ends at {end}");
        self.reader.findings.error("member-offset", place, message).hint(format!("use {end} or more"));
        laid.sound = false;
    }

    /// Reports a composite beyond the limits, which exceed what any message needs.
    fn within_limits(&mut self, place: Place, laid: &Laid) -> Option<()> {
        let (code, message) = if laid.end > LONGEST {
            ("too-long", format!("the composite has more than {LONGEST} bytes"))
        } else if laid.values > MOST_VALUES {
            ("too-many-values", format!("the composite holds more than {MOST_VALUES} values"))
        } else if laid.depth > DEEPEST {
            // Types that were resolved before are no longer open, but add to the depth.
            ("too-deep", format!("types are nested more than {DEEPEST} deep"))
        } else {
            return Some(());
        };
        self.reader.findings.error(code, place, message);
        None
    }

    /// The type of a member, the notes given at the member, and the element that declares it.
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
