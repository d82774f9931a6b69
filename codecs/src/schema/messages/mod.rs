//! Resolves the messages of a document, lays out their blocks and checks their framing. Called for the document as a
//! whole. Each kind of part has a file of its own.

mod body;
mod data;
mod field;
mod framing;
mod group;

use std::collections::{HashMap, HashSet};

use self::framing::greatest;
use super::findings::Findings;
use super::model::{Composite, Message};
use super::resolve::Resolver;
use super::xml::{ElementId, Tree};

/// Resolves the messages of one document.
pub(super) struct Builder<'a> {
    pub(super) resolver: Resolver<'a>,
    /// The dimension and data composites that were checked, so that each is reported once.
    checked: HashSet<(&'static str, String)>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(tree: &'a Tree, findings: &'a mut Findings) -> Self {
        Self { resolver: Resolver::new(tree, findings), checked: HashSet::new() }
    }

    pub(super) fn findings(&mut self) -> &mut Findings {
        self.resolver.reader.findings
    }

    /// Resolves the messages. Returns those without errors; the errors of the others are among the findings.
    pub(super) fn messages(&mut self, list: &[ElementId], header: Option<&Composite>) -> Vec<Message> {
        let greatest_block = header.and_then(|header| greatest(header, "blockLength"));
        let mut messages = Vec::new();
        let (mut ids, mut names) = (HashMap::new(), HashMap::new());
        for &id in list {
            let place = self.resolver.reader.element(id).place;
            let name = self.resolver.reader.required(id, "name").map(|name| name.value.clone());
            let template = self.resolver.reader.required_number(id, "id");
            let notes = self.resolver.reader.notes(id);
            if let Some(template) = template {
                let at = self.resolver.reader.place_of(id, "id");
                if let Some(&first) = ids.get(&template) {
                    let message = format!("there is already a message with id {template}");
                    self.findings().error("duplicate-message-id", at, message).related(first, "the first");
                }
                ids.entry(template).or_insert(at);
                if let Some(header) = header {
                    self.fits(header, "templateId", template, "the message's id", at);
                }
            }
            if let Some(name) = &name {
                let at = self.resolver.reader.place_of(id, "name");
                if let Some(&first) = names.get(name) {
                    let message = format!("there is already a message `{name}`");
                    self.findings().error("duplicate-message-name", at, message).related(first, "the first");
                }
                names.entry(name.clone()).or_insert(at);
            }
            let body = self.body(id, greatest_block, 0);
            if let (Some(header), Some(body)) = (header, &body) {
                let at = self.resolver.reader.place_of(id, "blockLength");
                self.fits(header, "blockLength", body.block_length, "the length of the block", at);
            }
            if let (Some(name), Some(template), Some(body)) = (name, template, body) {
                messages.push(Message { name, id: template, notes, body, place });
            }
        }
        messages
    }
}
