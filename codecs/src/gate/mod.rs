//! One schema against an older one: what changed, and whether writers and readers of both still understand each other.
//! Called by the command line and by tests of whoever owns a schema. Judges layouts, never intentions.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use Verdict::{Breaking, Compatible, WithCare};

use crate::json;
use crate::schema::{
    Body, Composite, Constant, Data, Encoding, Enum, Field, Group, Message, Place, Presence, Primitive, Schema, Set,
    Sources, Type,
};

/// What a change means for those who are not recompiled with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Old readers and new writers understand each other, and the reverse.
    Compatible,
    /// They do when both sides heed what the reason says.
    WithCare,
    /// They do not.
    Breaking,
}

impl Verdict {
    /// `compatible`, `with care` or `breaking`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::WithCare => "with care",
            Self::Breaking => "breaking",
        }
    }
}

/// One difference between two schemas.
#[derive(Clone, Debug)]
pub struct Change {
    /// A stable name for this kind of change, such as `field-added`.
    pub rule: &'static str,
    /// What it means.
    pub verdict: Verdict,
    /// What changed: message, group and field, with dots between.
    pub what: String,
    /// What is different, and why it matters.
    pub reason: String,
    /// Where it is in the older schema, if it is there.
    pub old: Place,
    /// Where it is in the newer schema, if it is there.
    pub new: Place,
    /// Everything else that the very same difference shows in, as a type does in each field that has it.
    pub also: Vec<String>,
    /// Whether [`Comparison::allow`] has taken it out of the verdict.
    pub allowed: bool,
}

/// All differences between two schemas.
#[derive(Clone, Debug)]
pub struct Comparison {
    changes: Vec<Change>,
    old: Sources,
    new: Sources,
}

impl Comparison {
    /// The changes, in the order of the schemas.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The worst of the verdicts, those of changes that were allowed left out.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let counted = self.changes.iter().filter(|change| !change.allowed);
        counted.map(|change| change.verdict).max().unwrap_or(Verdict::Compatible)
    }

    /// Accepts a known change, so that it no longer counts for the verdict: every change of `rule`, or only the one that
    /// shows in `what`. Returns how many changes that were; none says that there is nothing left to be allowed.
    pub fn allow(&mut self, rule: &str, what: Option<&str>) -> usize {
        let mut allowed = 0;
        for change in &mut self.changes {
            let meant = what.is_none_or(|what| change.what == what || change.also.iter().any(|other| other == what));
            if change.rule == rule && meant {
                change.allowed = true;
                allowed += 1;
            }
        }
        allowed
    }

    /// One JSON object per change, one per line.
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        let mut out = String::new();
        for change in &self.changes {
            let _ = write!(out, "{{\"verdict\":\"{}\",\"rule\":\"{}\",\"what\":", change.verdict.name(), change.rule);
            json::string(&mut out, &change.what);
            out.push_str(",\"reason\":");
            json::string(&mut out, &change.reason);
            for (key, sources, place) in [("old", &self.old, change.old), ("new", &self.new, change.new)] {
                if let Some(position) = sources.position(place) {
                    let _ = write!(out, ",\"{key}\":{{\"file\":");
                    json::string(&mut out, &position.file);
                    let _ = write!(out, ",\"line\":{},\"column\":{}}}", position.line, position.column);
                }
            }
            if !change.also.is_empty() {
                out.push_str(",\"also\":");
                for (index, what) in change.also.iter().enumerate() {
                    out.push(if index == 0 { '[' } else { ',' });
                    json::string(&mut out, what);
                }
                out.push(']');
            }
            if change.allowed {
                out.push_str(",\"allowed\":true");
            }
            out.push_str("}\n");
        }
        out
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            let allowed = if change.allowed { ", allowed" } else { "" };
            writeln!(f, "{}{allowed}[{}]: {}: {}", change.verdict.name(), change.rule, change.what, change.reason)?;
            if let Some(first) = change.also.first() {
                let more = change.also.len() - 1;
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                writeln!(f, "  also in: {first}{more}")?;
            }
            for (word, sources, place) in [("old", &self.old, change.old), ("new", &self.new, change.new)] {
                if let Some(position) = sources.position(place) {
                    writeln!(f, "  {word}: {position}")?;
                }
            }
        }
        let (all, allowed) = (self.changes.len(), self.changes.iter().filter(|change| change.allowed).count());
        let changes = if all == 1 { "change" } else { "changes" };
        match allowed {
            0 => writeln!(f, "{}: {all} {changes}", self.verdict().name()),
            _ => writeln!(f, "{}: {all} {changes}, {allowed} of them allowed", self.verdict().name()),
        }
    }
}

/// Compares `new` with the schema that it follows.
#[must_use]
pub fn compare(old: &Schema, new: &Schema) -> Comparison {
    let mut gate = Gate { old, new, changes: Vec::new() };
    gate.schemas();
    Comparison { changes: merged(gate.changes), old: old.sources.clone(), new: new.sources.clone() }
}

/// The changes with each told once, where the first of them was. A type's change is met in every field that has it.
fn merged(changes: Vec<Change>) -> Vec<Change> {
    let mut first: HashMap<(&'static str, Verdict, String, Place, Place), usize> = HashMap::new();
    let mut list: Vec<Change> = Vec::new();
    for change in changes {
        // Without a place nothing tells one type from another: all that was compiled beforehand is nowhere.
        if (change.old, change.new) == (Place::NOWHERE, Place::NOWHERE) {
            list.push(change);
            continue;
        }
        let key = (change.rule, change.verdict, change.reason.clone(), change.old, change.new);
        match first.get(&key) {
            Some(&at) => list[at].also.push(change.what),
            None => {
                first.insert(key, list.len());
                list.push(change);
            }
        }
    }
    list
}

struct Gate<'s> {
    old: &'s Schema,
    new: &'s Schema,
    changes: Vec<Change>,
}

impl Gate<'_> {
    fn add(
        &mut self,
        (rule, verdict): (&'static str, Verdict),
        what: &str,
        (old, new): (Place, Place),
        reason: impl Into<String>,
    ) {
        let (what, reason) = (what.to_owned(), reason.into());
        self.changes.push(Change { rule, verdict, what, reason, old, new, also: Vec::new(), allowed: false });
    }

    fn schemas(&mut self) {
        let (old, new) = (self.old, self.new);
        let places = (old.place, new.place);
        if old.id != new.id {
            let reason = format!("the id was {} and is {}: readers refuse the other's messages", old.id, new.id);
            self.add(("schema-id", Breaking), "schema", places, reason);
        }
        if old.byte_order != new.byte_order {
            self.add(
                ("byte-order", Breaking),
                "schema",
                places,
                "the byte order differs, and no message says which it has",
            );
        }
        if new.version < old.version {
            let reason = format!("the version fell from {} to {}", old.version, new.version);
            self.add(("version-fell", Breaking), "schema", places, reason);
        }
        if old.package != new.package {
            let reason = format!("the package was `{}` and is `{}`: generated code moves", old.package, new.package);
            self.add(("package", WithCare), "schema", places, reason);
        }
        self.composites("message header", &old.header, &new.header);
        for message in &old.messages {
            match new.message(message.id) {
                Some(found) => self.messages(message, found),
                None => {
                    let moved = new.message_named(&message.name).map_or(Place::NOWHERE, |found| found.place);
                    let reason =
                        "the message is gone, or has another id: new readers skip it, old readers no longer get it";
                    self.add(("message-removed", Breaking), &message.name, (message.place, moved), reason);
                }
            }
        }
        for message in &new.messages {
            if old.message(message.id).is_none() {
                let places = (Place::NOWHERE, message.place);
                self.add(("message-added", Compatible), &message.name, places, "old readers skip the unknown message");
                if message.notes.since <= old.version {
                    let reason = format!("added with `sinceVersion` {}, which the old schema had", message.notes.since);
                    self.add(("since-missing", WithCare), &message.name, places, reason);
                }
            }
        }
        if new.version == old.version && !self.changes.is_empty() {
            let reason =
                format!("the content changed and the version is still {}: nobody can tell them apart", new.version);
            let additions = self.changes.iter().any(|change| change.rule.ends_with("-added"));
            let verdict = if additions { Breaking } else { WithCare };
            self.add(("version-kept", verdict), "schema", places, reason);
        }
    }

    fn renamed(&mut self, what: &str, old: &str, new: &str, places: (Place, Place)) {
        if old != new {
            let reason = format!("was `{old}` and is `{new}`: bytes are the same, code and JSON are not");
            self.add(("renamed", WithCare), what, places, reason);
        }
    }

    fn messages(&mut self, old: &Message, new: &Message) {
        self.renamed(&old.name, &old.name, &new.name, (old.place, new.place));
        self.deprecation(&old.name, (old.notes.deprecated, new.notes.deprecated), (old.place, new.place));
        self.bodies(&new.name, &old.body, &new.body, (old.place, new.place), false);
    }

    fn deprecation(&mut self, what: &str, (old, new): (u32, u32), places: (Place, Place)) {
        if new > 0 && old == 0 {
            let reason = format!("deprecated since version {new}: bytes are the same");
            self.add(("deprecated", Compatible), what, places, reason);
        } else if new < old {
            let reason = format!("`deprecated` fell from {old} to {new}");
            self.add(("deprecated-fell", WithCare), what, places, reason);
        }
    }

    fn bodies(&mut self, path: &str, old: &Body, new: &Body, places: (Place, Place), entry: bool) {
        if new.block_length < old.block_length {
            let reason = format!("the block shrank from {} to {} bytes", old.block_length, new.block_length);
            self.add(("block-shrank", Breaking), path, places, reason);
        } else if new.block_length > old.block_length {
            let reason = format!(
                "the block grew from {} to {} bytes, which readers step over",
                old.block_length, new.block_length
            );
            self.add(("block-grew", Compatible), path, places, reason);
        }
        self.fields(path, old, new);
        let old_groups: Vec<_> = old.groups.iter().map(|group| (group.id, &*group.name, group.place)).collect();
        let new_groups: Vec<_> =
            new.groups.iter().map(|group| (group.id, &*group.name, group.place, group.notes.since)).collect();
        for (was, is) in self.sequence(path, "group", &old_groups, &new_groups, entry) {
            self.groups(path, &old.groups[was], &new.groups[is]);
        }
        if new.groups.len() > old.groups.len() && !old.data.is_empty() {
            let reason =
                "a group was added in front of data that the old version has: old readers take its bytes for the data";
            self.add(("group-before-data", Breaking), path, places, reason);
        }
        let old_data: Vec<_> = old.data.iter().map(|data| (data.id, &*data.name, data.place)).collect();
        let new_data: Vec<_> =
            new.data.iter().map(|data| (data.id, &*data.name, data.place, data.notes.since)).collect();
        for (was, is) in self.sequence(path, "data", &old_data, &new_data, entry) {
            self.data(path, &old.data[was], &new.data[is]);
        }
    }

    fn fields(&mut self, path: &str, old: &Body, new: &Body) {
        for field in &old.fields {
            let what = format!("{path}.{}", field.name);
            match new.fields.iter().find(|other| other.id == field.id) {
                Some(found) => self.field(&what, field, found),
                None => {
                    let reason = "the field is gone: writers no longer fill its place, which old readers still read";
                    self.add(("field-removed", Breaking), &what, (field.place, Place::NOWHERE), reason);
                }
            }
        }
        for field in new.fields.iter().filter(|field| !old.fields.iter().any(|other| other.id == field.id)) {
            let (what, places) = (format!("{path}.{}", field.name), (Place::NOWHERE, field.place));
            if field.presence == Presence::Constant {
                self.add(("field-added", Compatible), &what, places, "a constant is not sent");
            } else if field.offset < old.block_length {
                let reason = format!(
                    "added at offset {} of a block that had {} bytes: what an older writer has there is not this",
                    field.offset, old.block_length
                );
                // In what was padding, the version tells; over an old field, nothing does.
                let end = field.offset + field.encoded_length();
                let covers = old
                    .fields
                    .iter()
                    .any(|other| other.offset < end && field.offset < other.offset + other.encoded_length());
                let verdict = if covers { Breaking } else { WithCare };
                self.add(("field-added", verdict), &what, places, reason);
            } else if field.presence == Presence::Optional {
                self.add(("field-added", Compatible), &what, places, "at the end of its block, and optional");
            } else {
                let reason = "at the end of its block, and required: older writers cannot send it";
                self.add(("field-added", WithCare), &what, places, reason);
            }
            if field.presence != Presence::Constant && field.since() <= self.old.version {
                let reason = format!(
                    "added with version {}, which the old schema had: readers look for it in messages that lack it",
                    field.since()
                );
                self.add(("since-missing", Breaking), &what, places, reason);
            }
        }
    }

    /// Compares groups or data of one level by id, as their order is their place. Returns the pairs that are the same.
    fn sequence(
        &mut self,
        path: &str,
        kind: &str,
        old: &[(u32, &str, Place)],
        new: &[(u32, &str, Place, u32)],
        entry: bool,
    ) -> Vec<(usize, usize)> {
        let (removed, added, moved) = match kind {
            "group" => ("group-removed", "group-added", "group-moved"),
            _ => ("data-removed", "data-added", "data-moved"),
        };
        let mut pairs = Vec::new();
        for (was, &(id, name, place)) in old.iter().enumerate() {
            let what = format!("{path}.{name}");
            match new.iter().position(|other| other.0 == id) {
                None => {
                    let reason = format!("the {kind} is gone: old readers take what follows for it");
                    self.add((removed, Breaking), &what, (place, Place::NOWHERE), reason);
                }
                Some(is) => {
                    if was != is {
                        let reason = format!("the {kind} was number {} of its level and is number {}", was + 1, is + 1);
                        self.add((moved, Breaking), &what, (place, new[is].2), reason);
                    }
                    pairs.push((was, is));
                }
            }
        }
        for (at, &(_, name, place, since)) in
            new.iter().enumerate().filter(|(_, item)| !old.iter().any(|other| other.0 == item.0))
        {
            let (what, places) = (format!("{path}.{name}"), (Place::NOWHERE, place));
            if entry {
                let reason = "added inside a group's entry: old readers cannot step over it to the next entry";
                self.add((added, Breaking), &what, places, reason);
            } else if at < old.len() {
                let reason = format!("added in front of another {kind}: old readers take its bytes for that");
                self.add((added, Breaking), &what, places, reason);
            } else {
                self.add((added, Compatible), &what, places, "at the end, where old readers have stopped");
            }
            if since <= self.old.version {
                let reason = format!(
                    "added with `sinceVersion` {since}, which the old schema had: new readers look for it in vain"
                );
                self.add(("since-missing", Breaking), &what, places, reason);
            }
        }
        pairs
    }

    fn field(&mut self, what: &str, old: &Field, new: &Field) {
        let places = (old.place, new.place);
        self.renamed(what, &old.name, &new.name, places);
        self.deprecation(what, (old.notes.deprecated, new.notes.deprecated), places);
        if old.since() != new.since() {
            let reason =
                format!("its version was {} and is {}: readers disagree on who sends it", old.since(), new.since());
            self.add(("since-changed", Breaking), what, places, reason);
        }
        let constant = |field: &Field| field.presence == Presence::Constant;
        if constant(old) != constant(new) {
            self.add(("presence", Breaking), what, places, "a constant is not sent, and any other field is");
            return;
        }
        if constant(old) {
            if !same_constant(old.constant.as_ref(), new.constant.as_ref()) {
                self.add(
                    ("constant", WithCare),
                    what,
                    places,
                    "the constant has another value, and no message carries it",
                );
            }
            return;
        }
        if old.offset != new.offset {
            let reason = format!("it was at offset {} and is at {}", old.offset, new.offset);
            self.add(("offset", Breaking), what, places, reason);
        }
        if old.presence != new.presence {
            let reason = match new.presence {
                Presence::Optional => "it was required and is optional: old readers take none for a value",
                _ => "it was optional and is required: old writers may still send none",
            };
            self.add(("presence", WithCare), what, places, reason);
        }
        if old.time_unit != new.time_unit || old.epoch != new.epoch {
            self.add(
                ("time", WithCare),
                what,
                places,
                "its time unit or epoch differs: the same bytes mean another time",
            );
        }
        if old.notes.semantic_type != new.notes.semantic_type {
            self.add(
                ("semantic-type", WithCare),
                what,
                places,
                "its semantic type differs: the same bytes, another meaning",
            );
        }
        self.types(what, &old.ty, &new.ty, old.presence.or_optional(new.presence), places);
    }

    fn types(&mut self, what: &str, old: &Type, new: &Type, optional: bool, places: (Place, Place)) {
        match (old, new) {
            (Type::Encoding(old), Type::Encoding(new)) => self.encodings(what, old, new, optional, places),
            (Type::Enum(old), Type::Enum(new)) => self.enums(what, old, new, optional),
            (Type::Set(old), Type::Set(new)) => self.sets(what, old, new),
            (Type::Composite(old), Type::Composite(new)) => self.composites(what, old, new),
            _ => self.add(("type", Breaking), what, places, "it is of another kind of type"),
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
        } else if !same_constant(old.constant.as_ref(), new.constant.as_ref()) {
            self.add(("constant", WithCare), what, places, "the constant has another value, and no message carries it");
        }
        if optional && old.null.unwrap_or(old.primitive.null()) != new.null.unwrap_or(new.primitive.null()) {
            self.add(("null", Breaking), what, places, "another value says none: one side's none is the other's value");
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
        if optional && old.null != new.null {
            self.add(("null", Breaking), what, places, "another value says none: one side's none is the other's value");
        }
        for value in &old.values {
            let named = format!("{what}.{}", value.name);
            match (new.value(value.number), new.value_named(&value.name)) {
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
            if old.value(value.number).is_none() && old.value_named(&value.name).is_none() {
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
        for choice in &old.choices {
            let named = format!("{what}.{}", choice.name);
            let by_bit = new.choices.iter().find(|other| other.bit == choice.bit);
            match (by_bit, new.choices.iter().find(|other| other.name == choice.name)) {
                (_, Some(found)) if found.bit != choice.bit => {
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
        for choice in new
            .choices
            .iter()
            .filter(|choice| !old.choices.iter().any(|other| other.bit == choice.bit || other.name == choice.name))
        {
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
    fn composites(&mut self, what: &str, old: &Arc<Composite>, new: &Arc<Composite>) {
        let places = (old.place, new.place);
        if old.length != new.length {
            let reason = format!("composite `{}` had {} bytes and has {}", new.name, old.length, new.length);
            self.add(("composite", Breaking), what, places, reason);
        }
        for member in &old.members {
            let named = format!("{what}.{}", member.name);
            let Some(found) = new.member(&member.name) else {
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
        for member in new.members.iter().filter(|member| old.member(&member.name).is_none()) {
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

    fn groups(&mut self, path: &str, old: &Group, new: &Group) {
        let what = format!("{path}.{}", new.name);
        let places = (old.place, new.place);
        self.renamed(&what, &old.name, &new.name, places);
        self.since(&what, old.notes.since, new.notes.since, places);
        self.composites(&format!("{what} dimensions"), &old.dimension, &new.dimension);
        self.bodies(&what, &old.body, &new.body, places, true);
    }

    fn data(&mut self, path: &str, old: &Data, new: &Data) {
        let what = format!("{path}.{}", new.name);
        self.renamed(&what, &old.name, &new.name, (old.place, new.place));
        self.since(&what, old.notes.since, new.notes.since, (old.place, new.place));
        self.composites(&what, &old.ty, &new.ty);
    }

    fn since(&mut self, what: &str, old: u32, new: u32, places: (Place, Place)) {
        if old != new {
            let reason = format!("its version was {old} and is {new}: readers disagree on who sends it");
            self.add(("since-changed", Breaking), what, places, reason);
        }
    }
}

/// Whether two constants have the same value, however each schema came to it: a compiled one has only the number.
fn same_constant(old: Option<&Constant>, new: Option<&Constant>) -> bool {
    match (old, new) {
        (
            Some(Constant::Number(old) | Constant::Enum { number: old, .. }),
            Some(Constant::Number(new) | Constant::Enum { number: new, .. }),
        ) => old == new,
        (old, new) => old == new,
    }
}

impl Presence {
    /// Whether either of two presences lets a value be none.
    fn or_optional(self, other: Self) -> bool {
        self == Self::Optional || other == Self::Optional
    }
}
