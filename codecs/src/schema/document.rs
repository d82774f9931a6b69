//! Resolves a document as a whole: declares and resolves its types, then its messages, and checks its versions. Called
//! by the compiler's entry functions once the tree is read.

use super::findings::Findings;
use super::messages::Builder;
use super::model::{Schema, Type};
use super::names;
use super::primitive::ByteOrder;
use super::source::Sources;
use super::xml::{ElementId, Tree};

/// Resolves the whole tree. Returns a schema only when nothing was refused.
pub(super) fn resolve(tree: &Tree, findings: &mut Findings) -> Option<Schema> {
    let root = tree.root()?;
    let element = tree.get(root);
    if element.name != "messageSchema" {
        let message = format!("the root is `{}`, and a schema's is `messageSchema`", element.name);
        let found = findings.error("not-a-schema", element.place, message);
        if element.name == "types" {
            found.hint("this looks like a file to be included by a schema");
        }
        return None;
    }
    let mut builder = Builder::new(tree, findings);
    let schema = builder.schema(root);
    names::check(tree, root, findings);
    schema.filter(|_| !findings.has_errors())
}

impl Builder<'_> {
    fn schema(&mut self, root: ElementId) -> Option<Schema> {
        let tree = self.resolver.reader.tree;
        let notes = self.resolver.reader.notes(root);
        let package = self.resolver.reader.required(root, "package").map(|package| package.value.clone());
        let id = self.resolver.reader.required_number(root, "id");
        let version = self.resolver.reader.number(root, "version").unwrap_or(0);
        let byte_order = self.byte_order(root);
        let mut types = Vec::new();
        let mut messages = Vec::new();
        for child in tree.children(root) {
            match tree.get(child).name.as_str() {
                "types" => self.declare_types(child, &mut types),
                "message" => messages.push(child),
                "messages" => messages.extend(tree.children(child).filter(|&id| tree.get(id).name == "message")),
                _ => self.resolver.unknown_element(child, "a schema", &["types", "message"]),
            }
        }
        self.find_data_types(&messages);
        let global_types: Vec<Type> = types.into_iter().filter_map(|id| self.resolver.resolve(id)).collect();
        let header = self.header(root);
        if messages.is_empty() {
            let place = tree.get(root).place;
            self.findings().warning("no-messages", place, "the schema has no messages");
        }
        if let (Some(id), Some(header)) = (id, header.as_deref()) {
            self.fits(header, "schemaId", id, "the schema's id", self.resolver.reader.place_of(root, "id"));
            self.fits(
                header,
                "version",
                version,
                "the schema's version",
                self.resolver.reader.place_of(root, "version"),
            );
        }
        let messages = self.messages(&messages, header.as_deref());
        self.check_versions(root, version);
        Some(Schema {
            package: package?,
            id: id?,
            version,
            semantic_version: self.resolver.reader.text(root, "semanticVersion"),
            description: notes.description,
            byte_order: byte_order?,
            header: header?,
            types: global_types,
            messages,
            sources: Sources::default(),
            place: tree.get(root).place,
        })
    }

    fn byte_order(&mut self, root: ElementId) -> Option<ByteOrder> {
        let Some(attribute) = self.resolver.reader.element(root).attribute("byteOrder") else {
            return Some(ByteOrder::LittleEndian);
        };
        match attribute.value.as_str() {
            "littleEndian" => Some(ByteOrder::LittleEndian),
            "bigEndian" => Some(ByteOrder::BigEndian),
            other => {
                let message = format!("`{other}` is not a byte order");
                self.findings()
                    .error("unknown-byte-order", attribute.place, message)
                    .hint(
                        "it is `littleEndian` or `bigEndian`; the official tool takes any other word for little-endian",
                    )
                    .suggest(other, ["littleEndian", "bigEndian"].into_iter());
                None
            }
        }
    }

    fn declare_types(&mut self, types: ElementId, list: &mut Vec<ElementId>) {
        let tree = self.resolver.reader.tree;
        let package = tree.get(types).attribute("package").map(|package| package.value.as_str());
        for child in tree.children(types) {
            match tree.get(child).name.as_str() {
                "type" | "composite" | "enum" | "set" => {
                    self.resolver.declare(child, package);
                    list.push(child);
                }
                _ => self.resolver.unknown_element(child, "`types`", &["type", "composite", "enum", "set"]),
            }
        }
    }

    /// Finds the composites that `data` elements name anywhere in the document. Their layout depends on it.
    fn find_data_types(&mut self, messages: &[ElementId]) {
        let tree = self.resolver.reader.tree;
        let mut stack = messages.to_vec();
        while let Some(id) = stack.pop() {
            for child in tree.children(id) {
                let element = tree.get(child);
                match element.name.as_str() {
                    "group" => stack.push(child),
                    "data" => {
                        self.resolver.data_types.extend(element.attribute("type").map(|ty| ty.value.as_str()));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Reports everything whose version is later than the schema's own.
    fn check_versions(&mut self, root: ElementId, version: u32) {
        let tree = self.resolver.reader.tree;
        let mut stack = vec![root];
        while let Some(id) = stack.pop() {
            stack.extend(tree.children(id));
            let Some(attribute) = tree.get(id).attribute("sinceVersion") else { continue };
            if let Some(since) = attribute.value.trim().parse::<u32>().ok().filter(|&since| since > version) {
                let message = format!("`sinceVersion` {since} is above the schema's version, {version}");
                self.findings()
                    .error("since-version", attribute.place, message)
                    .hint("raise the schema's `version` with each change");
            }
        }
    }
}
