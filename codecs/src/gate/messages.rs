//! Compares schemas and their messages: ids, byte order, versions, and what was added or removed. Every comparison
//! starts here.

use super::Verdict::{Breaking, Compatible, WithCare};
use super::{Gate, by};
use crate::schema::{Message, Place};

impl Gate<'_> {
    pub(super) fn schemas(&mut self) {
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
        let (old_by_id, new_by_id) = (by(&old.messages, |message| message.id), by(&new.messages, |message| message.id));
        let new_by_name = by(&new.messages, |message| message.name.as_str());
        for message in &old.messages {
            match new_by_id.get(&message.id) {
                Some(found) => self.messages(message, found),
                None => {
                    let moved = new_by_name.get(message.name.as_str()).map_or(Place::NOWHERE, |found| found.place);
                    let reason =
                        "the message is gone, or has another id: new readers skip it, old readers no longer get it";
                    self.add(("message-removed", Breaking), &message.name, (message.place, moved), reason);
                }
            }
        }
        for message in &new.messages {
            if !old_by_id.contains_key(&message.id) {
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

    fn messages(&mut self, old: &Message, new: &Message) {
        self.renamed(&old.name, &old.name, &new.name, (old.place, new.place));
        self.deprecation(&old.name, (old.notes.deprecated, new.notes.deprecated), (old.place, new.place));
        self.since(&new.name, old.notes.since, new.notes.since, (old.place, new.place));
        self.bodies(&new.name, &old.body, &new.body, (old.place, new.place), false);
    }
}
