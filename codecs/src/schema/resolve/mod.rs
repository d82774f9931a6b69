//! Resolves names and elements of a schema to types. Called for every type that a document declares or names. Each kind
//! of type has a file of its own. Errors are reported, and resolving goes on where it can.

mod composite;
mod encoding;
mod enumeration;
mod named;
mod set;
mod value_ref;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::attributes::Reader;
use super::findings::Findings;
use super::model::{Encoding, Type};
use super::primitive::Primitive;
use super::xml::{Element, ElementId, Tree};

/// The greatest depth of composites in composites, and of groups in groups. Real schemas have four levels.
pub(crate) const DEEPEST: usize = 16;
/// The greatest length of one type or block in bytes. The longest real ones have a few hundred.
pub(crate) const LONGEST: u64 = 1 << 24;
/// The greatest number of values in a type, counted through its composites: each `ref` may multiply them.
const MOST_VALUES: u64 = 1 << 16;
/// The greatest number of names that are searched for a suggestion.
const MOST_NAMES: usize = 5000;

/// The types of one document, each resolved once.
pub(super) struct Resolver<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) globals: HashMap<&'a str, ElementId>,
    /// The names in `globals`, in the order of the document.
    pub(super) names: Vec<&'a str>,
    /// For each enum, the index of each value by name.
    enum_values: HashMap<ElementId, HashMap<String, usize>>,
    /// Composites that `data` elements name: the size of their `varData` comes with each message.
    pub(super) data_types: HashSet<&'a str>,
    packages: HashMap<ElementId, String>,
    resolved: HashMap<ElementId, Option<Type>>,
    values: HashMap<ElementId, u64>,
    /// For each composite, the depth of composites inside it.
    depths: HashMap<ElementId, usize>,
    open: Vec<ElementId>,
}

/// Whether two elements declare the same, apart from their descriptions and places.
fn same_declaration(tree: &Tree, first: ElementId, second: ElementId) -> bool {
    let mut pairs = vec![(first, second)];
    while let Some((first, second)) = pairs.pop() {
        let (a, b) = (tree.get(first), tree.get(second));
        if a.name != b.name || a.text.trim() != b.text.trim() || said(a) != said(b) {
            return false;
        }
        let children: [Vec<_>; 2] = [tree.children(first).collect(), tree.children(second).collect()];
        if children[0].len() != children[1].len() {
            return false;
        }
        pairs.extend(children[0].iter().copied().zip(children[1].iter().copied()));
    }
    true
}

/// The attributes of an element without its description, sorted by name.
fn said(element: &Element) -> BTreeMap<&str, &str> {
    let attributes = element.attributes.iter().filter(|attribute| attribute.name != "description");
    attributes.map(|attribute| (attribute.name.as_str(), attribute.value.as_str())).collect()
}

impl<'a> Resolver<'a> {
    pub(super) fn new(tree: &'a Tree, findings: &'a mut Findings) -> Self {
        Self {
            reader: Reader { tree, findings },
            globals: HashMap::new(),
            names: Vec::new(),
            enum_values: HashMap::new(),
            data_types: HashSet::new(),
            packages: HashMap::new(),
            resolved: HashMap::new(),
            values: HashMap::new(),
            depths: HashMap::new(),
            open: Vec::new(),
        }
    }

    /// Adds a global type under its name. Two equal declarations count as one. Two different ones are an error, because
    /// it would be unclear which is meant: the official tool uses one of them to lay out fields, and the other for what
    /// a `ref`, a `valueRef` or an `encodingType` names.
    pub(super) fn declare(&mut self, id: ElementId, package: Option<&str>) {
        if let Some(package) = package {
            self.packages.insert(id, package.to_owned());
        }
        let element = self.reader.element(id);
        let Some(name) = element.attribute("name").filter(|name| !name.value.is_empty()) else {
            return;
        };
        if let Some(&first) = self.globals.get(name.value.as_str()) {
            let place = self.reader.place_of(first, "name");
            let findings = &mut *self.reader.findings;
            if same_declaration(self.reader.tree, first, id) {
                findings
                    .warning("repeated-type", name.place, format!("type `{}` is declared again, alike", name.value))
                    .related(place, "the first")
                    .hint("remove one of them");
            } else {
                findings
                    .error("duplicate-type", name.place, format!("there is already another type `{}`", name.value))
                    .related(place, "the first")
                    .hint("rename or remove one of them");
            }
            return;
        }
        self.globals.insert(&name.value, id);
        self.names.push(&name.value);
    }

    /// The type called `name`: a global one, or else a built-in one.
    pub(super) fn named(&mut self, name: &str) -> Option<Type> {
        if let Some(&id) = self.globals.get(name) {
            return self.resolve(id);
        }
        Primitive::from_name(name).map(|primitive| Type::Encoding(Arc::new(Encoding::built_in(primitive))))
    }

    /// Whether there is a type called `name`, valid or not.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.globals.contains_key(name) || Primitive::from_name(name).is_some()
    }

    /// Resolves the type that an element declares. `None` if it was refused.
    pub(super) fn resolve(&mut self, id: ElementId) -> Option<Type> {
        if let Some(known) = self.resolved.get(&id) {
            return known.clone();
        }
        let element = self.reader.element(id);
        if self.open.contains(&id) {
            let mut why = String::from("this type contains itself");
            if let Some(name) = element.attribute("name") {
                why = format!("type `{}` contains itself", name.value);
            }
            self.reader.findings.error("cyclic-type", element.place, why).hint("break the cycle of `ref`s");
            return None;
        }
        // A type that contains no others may be inside the innermost composite.
        if element.name == "composite" && self.open.len() >= DEEPEST {
            let message = format!("types are nested more than {DEEPEST} deep");
            self.reader.findings.error("too-deep", element.place, message);
            return None;
        }
        self.open.push(id);
        let ty = match element.name.as_str() {
            "type" => self.encoding(id).map(|ty| Type::Encoding(Arc::new(ty))),
            "composite" => self.composite(id).map(|ty| Type::Composite(Arc::new(ty))),
            "enum" => self.enumeration(id).map(|ty| Type::Enum(Arc::new(ty))),
            "set" => self.set(id).map(|ty| Type::Set(Arc::new(ty))),
            _ => None,
        };
        self.open.pop();
        self.resolved.insert(id, ty.clone());
        ty
    }

    /// Warns of an element that has no meaning inside its parent.
    pub(super) fn unknown_element(&mut self, id: ElementId, parent: &str, known: &[&str]) {
        let element = self.reader.element(id);
        let message = format!("a `{}` means nothing in {parent} and is ignored", element.name);
        self.reader
            .findings
            .warning("unknown-element", element.place, message)
            .suggest(&element.name, known.iter().copied());
    }

    fn package(&self, id: ElementId) -> Option<String> {
        self.packages.get(&id).cloned()
    }
}
