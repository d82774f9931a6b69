//! Elements of a schema with their places, and with what it includes in the places of the includes. Made by the XML reader, read by
//! every stage behind it.

use crate::schema::source::Place;

/// Index of an element in its [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ElementId(pub(super) usize);

#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Where the value stands.
    pub(crate) place: Place,
    pub(crate) name_place: Place,
}

#[derive(Debug)]
pub(crate) struct Element {
    /// The name without its prefix: prefixes differ from schema to schema and mean nothing.
    pub(crate) name: String,
    /// Attributes without a prefix. Exchanges add their own, prefixed.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) children: Vec<ElementId>,
    /// The text directly inside, comments left out.
    pub(crate) text: String,
    pub(crate) text_place: Place,
    /// Where the opening tag's name stands.
    pub(crate) place: Place,
    /// Whether a namespace other than SBE's own claims the element; such are skipped.
    pub(crate) foreign: bool,
}

/// Elements of the schema and of what it includes, as if it were one file.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(super) elements: Vec<Element>,
}

impl Tree {
    pub(crate) fn get(&self, id: ElementId) -> &Element {
        &self.elements[id.0]
    }

    pub(crate) fn root(&self) -> Option<ElementId> {
        (!self.elements.is_empty()).then_some(ElementId(0))
    }

    pub(crate) fn children(&self, id: ElementId) -> impl Iterator<Item = ElementId> + '_ {
        self.get(id).children.iter().copied().filter(|&child| !self.get(child).foreign)
    }
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}
