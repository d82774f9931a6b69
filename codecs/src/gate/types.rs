//! Compares the types of fields, members and headers: what their bytes mean in either version. Called wherever both
//! schemas have a value in the same place.

use std::sync::Arc;

use super::Verdict::{Breaking, Compatible, WithCare};
use super::{Gate, by};
use crate::schema::{Choice, Composite, Constant, Encoding, Enum, Number, Place, Presence, Primitive, Set, Type};

impl Gate<'_> {
    pub(super) fn types(&mut self, what: &str, old: &Type, new: &Type, optional: bool, places: (Place, Place)) {
        match (old, new) {
            (Type::Encoding(old), Type::Encoding(new)) => self.encodings(what, old, new, optional, places),
            (Type::Enum(old), Type::Enum(new)) => self.enums(what, old, new, optional),
            (Type::Set(old), Type::Set(new)) => self.sets(what, old, new),
            (Type::Composite(old), Type::Composite(new)) => self.composites(what, old, new),
            _ => self.add(("type", Breaking), what, places, "it is of another kind of type"),
        }
    }

    fn encodings(&mut self, what: &str, old: &Encoding, new: &Encoding, optional: bool, places: (Place, Place)) {
        if !self.primitives(what, old.primitive, new.primitive, places) {
            return;
        }
        if old.length != new.length {
            let reason = format!("it had {} elements and has {}", old.length, new.length);
            self.add(("length", Breaking), what, places, reason);
        }
        if (old.presence == Presence::Constant) != (new.presence == Presence::Constant) {
            self.add(("presence", Breaking), what, places, "a constant is not sent, and anything else is");
        } else {
            self.constants(what, old.constant.as_ref(), new.constant.as_ref(), places);
        }
        if optional {
            let null = |of: &Encoding| of.null.unwrap_or(of.primitive.null());
            self.nulls(what, null(old), null(new), places);
        }
        if old.character_encoding != new.character_encoding {
            self.add(("character-encoding", WithCare), what, places, "the character encoding differs");
        }
        if old.applicable_min() != new.applicable_min() || old.applicable_max() != new.applicable_max() {
            let reason = format!(
                "the range was {} to {} and is {} to {}",
                old.applicable_min(),
                old.applicable_max(),
                new.applicable_min(),
                new.applicable_max()
            );
            self.add(("range", WithCare), what, places, reason);
        }
    }

    fn enums(&mut self, what: &str, old: &Arc<Enum>, new: &Arc<Enum>, optional: bool) {
        let places = (old.place, new.place);
        if !self.primitives(what, old.primitive, new.primitive, places) {
            return;
        }
        if optional {
            self.nulls(what, old.null, new.null, places);
        }
        let (old_by_number, old_by_name) =
            (by(&old.values, |value| value.number.as_int()), by(&old.values, |value| value.name.as_str()));
        let (new_by_number, new_by_name) =
            (by(&new.values, |value| value.number.as_int()), by(&new.values, |value| value.name.as_str()));
        for value in &old.values {
            let named = format!("{what}.{}", value.name);
            match (new_by_number.get(&value.number.as_int()), new_by_name.get(value.name.as_str())) {
                // One of several names of a number.
                (_, Some(found)) if found.number == value.number => {}
                (Some(found), _) => self.renamed(&named, &value.name, &found.name, (value.place, found.place)),
                (None, Some(found)) => {
                    let reason = format!("the value was {} and is {}", value.number, found.number);
                    self.add(("enum-value", Breaking), &named, (value.place, found.place), reason);
                }
                (None, None) => {
                    let reason = "the value is gone: new readers do not know it, and old writers may send it";
                    self.add(("enum-value-removed", Breaking), &named, (value.place, Place::NOWHERE), reason);
                }
            }
        }
        for value in &new.values {
            if !old_by_number.contains_key(&value.number.as_int()) && !old_by_name.contains_key(value.name.as_str()) {
                let reason = "old readers meet a value that they do not know";
                let named = format!("{what}.{}", value.name);
                self.add(("enum-value-added", WithCare), &named, (Place::NOWHERE, value.place), reason);
            }
        }
    }

    fn sets(&mut self, what: &str, old: &Arc<Set>, new: &Arc<Set>) {
        if !self.primitives(what, old.primitive, new.primitive, (old.place, new.place)) {
            return;
        }
        let (old_by_bit, old_by_name) =
            (by(&old.choices, |choice| choice.bit), by(&old.choices, |choice| choice.name.as_str()));
        let (new_by_bit, new_by_name) =
            (by(&new.choices, |choice| choice.bit), by(&new.choices, |choice| choice.name.as_str()));
        for choice in &old.choices {
            let named = format!("{what}.{}", choice.name);
            match (new_by_bit.get(&choice.bit), new_by_name.get(choice.name.as_str())) {
                // One of several names of a bit.
                (_, Some(found)) if found.bit == choice.bit => {}
                (_, Some(found)) => {
                    let reason = format!("the choice was bit {} and is bit {}", choice.bit, found.bit);
                    self.add(("choice", Breaking), &named, (choice.place, found.place), reason);
                }
                (Some(found), _) => self.renamed(&named, &choice.name, &found.name, (choice.place, found.place)),
                (None, _) => {
                    let reason = "the choice is gone: new readers ignore its bit";
                    self.add(("choice-removed", WithCare), &named, (choice.place, Place::NOWHERE), reason);
                }
            }
        }
        let known =
            |choice: &Choice| old_by_bit.contains_key(&choice.bit) || old_by_name.contains_key(choice.name.as_str());
        for choice in new.choices.iter().filter(|choice| !known(choice)) {
            let named = format!("{what}.{}", choice.name);
            self.add(
                ("choice-added", Compatible),
                &named,
                (Place::NOWHERE, choice.place),
                "old readers ignore its bit",
            );
        }
    }

    /// Composites carry no length of their own, so nothing about their layout may change.
    pub(super) fn composites(&mut self, what: &str, old: &Arc<Composite>, new: &Arc<Composite>) {
        let places = (old.place, new.place);
        if old.length != new.length {
            let reason = format!("composite `{}` had {} bytes and has {}", new.name, old.length, new.length);
            self.add(("composite", Breaking), what, places, reason);
        }
        let old_by_name = by(&old.members, |member| member.name.as_str());
        let new_by_name = by(&new.members, |member| member.name.as_str());
        for member in &old.members {
            let named = format!("{what}.{}", member.name);
            let Some(&found) = new_by_name.get(member.name.as_str()) else {
                let places = (member.place, new.place);
                self.add(("composite", Breaking), &named, places, "the member is gone, or has another name");
                continue;
            };
            let places = (member.place, found.place);
            if member.offset != found.offset {
                let reason = format!("the member was at offset {} and is at {}", member.offset, found.offset);
                self.add(("composite", Breaking), &named, places, reason);
            }
            let optional = member.ty.presence().or_optional(found.ty.presence());
            match (&member.ty, &found.ty) {
                // The bytes of variable-length data have a declared length too, which means nothing.
                (Type::Encoding(old_body), Type::Encoding(new_body))
                    if old.variable && new.variable && member.name == "varData" =>
                {
                    let new_body = Encoding { length: old_body.length, ..(**new_body).clone() };
                    self.encodings(&named, old_body, &new_body, optional, places);
                }
                (old, new) => self.types(&named, old, new, optional, places),
            }
        }
        for member in new.members.iter().filter(|member| !old_by_name.contains_key(member.name.as_str())) {
            let constant = member.ty.presence() == Presence::Constant;
            let (verdict, reason) = if constant {
                (WithCare, "a constant member was added, which is not sent")
            } else {
                (Breaking, "a member was added, and composites cannot grow")
            };
            let named = format!("{what}.{}", member.name);
            self.add(("composite", verdict), &named, (Place::NOWHERE, member.place), reason);
        }
    }

    fn primitives(&mut self, what: &str, old: Primitive, new: Primitive, places: (Place, Place)) -> bool {
        if old == new {
            return true;
        }
        let reason = format!("it was {old} and is {new}");
        self.add(("type", Breaking), what, places, reason);
        false
    }

    fn nulls(&mut self, what: &str, old: Number, new: Number, places: (Place, Place)) {
        if old != new {
            self.add(("null", Breaking), what, places, "another value says none: one side's none is the other's value");
        }
    }

    /// Compares the values of constants, however each schema states its own. A compiled schema has only the number.
    pub(super) fn constants(
        &mut self,
        what: &str,
        old: Option<&Constant>,
        new: Option<&Constant>,
        places: (Place, Place),
    ) {
        let same = match (old.and_then(Constant::number), new.and_then(Constant::number)) {
            (Some(old), Some(new)) => old == new,
            _ => old == new,
        };
        if !same {
            self.add(("constant", WithCare), what, places, "the constant has another value, and no message carries it");
        }
    }
}

impl Presence {
    /// Combines two presences: optional if either is.
    pub(super) fn or_optional(self, other: Self) -> bool {
        self == Self::Optional || other == Self::Optional
    }
}
