//! Resolves one block with the groups and data behind it: its parts, their order, and the length of the block. Called
//! for each message and for each group.

use std::collections::HashMap;

use super::Builder;
use crate::schema::model::Body;
use crate::schema::primitive::Presence;
use crate::schema::resolve::{DEEPEST, LONGEST};
use crate::schema::source::Place;
use crate::schema::xml::ElementId;

impl Builder<'_> {
    /// Resolves the body inside an element. `greatest_block` is the greatest block length that the header in front of
    /// the block can carry.
    pub(super) fn body(&mut self, id: ElementId, greatest_block: Option<i128>, depth: usize) -> Option<Body> {
        let tree = self.resolver.reader.tree;
        let what = tree.get(id).name.clone();
        if depth > DEEPEST {
            let message = format!("groups are nested more than {DEEPEST} deep");
            self.findings().error("too-deep", tree.get(id).place, message);
            return None;
        }
        let mut body = Body::default();
        let (mut ids, mut names) = (HashMap::new(), HashMap::new());
        let (mut end, mut sound) = (0_u64, true);
        let (mut first_group, mut first_data): (Option<Place>, Option<Place>) = (None, None);
        // The version that introduced the level, and the latest version of its parts so far.
        let base = self.since(id);
        let (mut latest_field, mut latest) = (base, base);
        for child in tree.children(id) {
            let element = tree.get(child);
            let kind = element.name.as_str();
            if !matches!(kind, "field" | "group" | "data") {
                self.resolver.unknown_element(child, &format!("a {what}"), &["field", "group", "data"]);
                continue;
            }
            if let Some(before) = first_data.or(first_group).filter(|_| kind == "field") {
                let message = "a field must stand before every group and data";
                self.findings().error("out-of-order", element.place, message).related(before, "the first of those");
            } else if let Some(before) = first_data.filter(|_| kind == "group") {
                let message = "a group must stand before every data";
                self.findings().error("out-of-order", element.place, message).related(before, "the first of those");
            }
            let name = self.resolver.reader.required(child, "name").map(|name| name.value.clone());
            let number = self.resolver.reader.required_number(child, "id");
            self.unique(child, "name", name.as_deref(), &mut names);
            self.unique(child, "id", number.map(|id| id.to_string()).as_deref(), &mut ids);
            let (Some(name), Some(number)) = (name, number) else {
                sound = false;
                continue;
            };
            // Blocks can grow, so the order of versions is checked apart for fields and for what follows the block.
            if kind != "field" {
                latest = self.check_order(child, &name, base, latest);
            }
            match kind {
                "field" => match self.field(child, name, number, &mut end) {
                    Some(field) => {
                        // A constant is not sent, so it may stand anywhere.
                        if field.presence != Presence::Constant {
                            latest_field = self.check_order(child, &field.name, base, latest_field);
                        }
                        self.check_use(&field);
                        body.fields.push(field);
                    }
                    None => sound = false,
                },
                "group" => {
                    first_group.get_or_insert(element.place);
                    match self.group(child, name, number, depth) {
                        Some(group) => body.groups.push(group),
                        None => sound = false,
                    }
                }
                _ => {
                    first_data.get_or_insert(element.place);
                    match self.data(child, name, number) {
                        Some(data) => body.data.push(data),
                        None => sound = false,
                    }
                }
            }
        }
        let explicit = self.resolver.reader.number(id, "blockLength").filter(|&length| length != 0);
        let place = self.resolver.reader.place_of(id, "blockLength");
        if let Some(explicit) = explicit.filter(|&explicit| u64::from(explicit) < end) {
            let message = format!("block length {explicit} is too small: the fields end at {end}");
            self.findings().error("block-length", place, message).hint(format!("use {end} or more, or leave it out"));
            return None;
        }
        let length = explicit.map_or(end, u64::from);
        if length > LONGEST || greatest_block.is_some_and(|greatest| i128::from(length) > greatest) {
            let greatest = greatest_block.unwrap_or(LONGEST.into()).min(LONGEST.into());
            let message =
                format!("the block is {length} bytes long, and {greatest} is the most that its header can say");
            self.findings().error("does-not-fit", place, message);
            return None;
        }
        body.block_length = length as u32;
        sound.then_some(body)
    }

    /// The version in which an element was introduced, as its `sinceVersion` says.
    fn since(&self, id: ElementId) -> u32 {
        let attribute = self.resolver.reader.element(id).attribute("sinceVersion");
        attribute.and_then(|attribute| attribute.value.trim().parse().ok()).unwrap_or(0)
    }

    /// Warns if a part is placed before parts of an earlier version. Returns the latest version so far.
    fn check_order(&mut self, id: ElementId, name: &str, base: u32, latest: u32) -> u32 {
        let since = self.since(id);
        let place = self.resolver.reader.place_of(id, "sinceVersion");
        if since != 0 && since < base {
            let message = format!("`{name}` is there since version {since}, and what it is in since {base}");
            self.findings().warning("since-order", place, message).hint("leave `sinceVersion` out");
        } else if since.max(base) < latest {
            let message = format!("`{name}` is behind what came later, with version {latest}");
            self.findings()
                .warning("since-order", place, message)
                .hint("older readers and writers expect it where it was: put what is new behind it");
        }
        latest.max(since)
    }

    /// Reports a name or an id that another part of the same level has.
    fn unique(&mut self, id: ElementId, attribute: &str, value: Option<&str>, seen: &mut HashMap<String, Place>) {
        let Some(value) = value else { return };
        let place = self.resolver.reader.place_of(id, attribute);
        if let Some(&first) = seen.get(value) {
            let code = if attribute == "id" { "duplicate-id" } else { "duplicate-name" };
            let message = format!("{attribute} `{value}` is taken by another at this level");
            self.findings().error(code, place, message).related(first, "the first");
        }
        seen.entry(value.to_owned()).or_insert(place);
    }
}
