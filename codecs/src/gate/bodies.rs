//! Compares blocks with their groups and data: fields by id and by offset, groups and data by their order. Called for
//! each message and each group that both schemas have.

use std::collections::HashMap;

use super::Verdict::{Breaking, Compatible, WithCare};
use super::{Gate, by};
use crate::schema::{Body, Data, Field, Group, Place, Presence};

impl Gate<'_> {
    pub(super) fn bodies(&mut self, path: &str, old: &Body, new: &Body, places: (Place, Place), entry: bool) {
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
        let (old_by_id, new_by_id) = (by(&old.fields, |field| field.id), by(&new.fields, |field| field.id));
        for field in &old.fields {
            let what = format!("{path}.{}", field.name);
            match new_by_id.get(&field.id) {
                Some(found) => self.field(&what, field, found),
                None => {
                    let reason = "the field is gone: writers no longer fill its place, which old readers still read";
                    self.add(("field-removed", Breaking), &what, (field.place, Place::NOWHERE), reason);
                }
            }
        }
        for field in new.fields.iter().filter(|field| !old_by_id.contains_key(&field.id)) {
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
                // Fields stand in the order of their offsets, none over another: only the first that does not end before it can.
                let before = old.fields.partition_point(|other| other.offset + other.encoded_length() <= field.offset);
                let covers = old.fields.get(before).is_some_and(|other| other.offset < end);
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

    fn field(&mut self, what: &str, old: &Field, new: &Field) {
        let places = (old.place, new.place);
        self.renamed(what, &old.name, &new.name, places);
        self.deprecation(what, (old.notes.deprecated, new.notes.deprecated), places);
        self.since(what, old.since(), new.since(), places);
        let constant = |field: &Field| field.presence == Presence::Constant;
        if constant(old) != constant(new) {
            self.add(("presence", Breaking), what, places, "a constant is not sent, and any other field is");
            return;
        }
        if constant(old) {
            self.constants(what, old.constant.as_ref(), new.constant.as_ref(), places);
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

    /// Compares the groups or the data of one level by id. Their order matters, because it determines where their bytes
    /// are. Returns the pairs with equal ids.
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
        let (old_ids, new_ids) = (indexes(old, |item| item.0), indexes(new, |item| item.0));
        let mut pairs = Vec::new();
        for (was, &(id, name, place)) in old.iter().enumerate() {
            let what = format!("{path}.{name}");
            match new_ids.get(&id).copied() {
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
        for (at, &(_, name, place, since)) in new.iter().enumerate().filter(|(_, item)| !old_ids.contains_key(&item.0))
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
}

/// The index of each id in its level.
fn indexes<T>(items: &[T], id: impl Fn(&T) -> u32) -> HashMap<u32, usize> {
    items.iter().enumerate().map(|(at, item)| (id(item), at)).collect()
}
