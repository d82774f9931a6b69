//! The elements of a schema with their places. Included elements take the place of the includes. Made by the XML
//! reader, read by every later stage.

use crate::schema::source::Place;

/// Index of an element in its [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ElementId(pub(super) usize);

#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) value: String,
    /// The place of the value.
    pub(crate) place: Place,
    pub(crate) name_place: Place,
}

#[derive(Debug)]
pub(crate) struct Element {
    /// The name without its prefix. Prefixes differ between schemas and have no meaning here.
    pub(crate) name: String,
    /// Attributes without a prefix. Prefixed ones are extensions of exchanges and are left out.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) children: Vec<ElementId>,
    /// The text directly inside the element, without comments.
    pub(crate) text: String,
    pub(crate) text_place: Place,
    /// The place of the name in the opening tag.
    pub(crate) place: Place,
    /// Whether the element is of a namespace other than SBE's. Such elements are skipped.
    pub(crate) foreign: bool,
}

/// The elements of a schema and its includes, as if they were one file.
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
