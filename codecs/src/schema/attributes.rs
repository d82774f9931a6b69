//! Reads attributes of an element as values, and reports errors at their place. Used wherever an element is resolved.

use super::findings::Findings;
use super::model::Notes;
use super::primitive::{Presence, Primitive};
use super::source::Place;
use super::xml::{Attribute, Element, ElementId, Tree};

/// The attributes of the schema language. Any other one without a prefix is likely misspelt, and would be ignored
/// silently.
const KNOWN: [&str; 31] = [
    "alignment",
    "blockLength",
    "byteOrder",
    "characterEncoding",
    "deprecated",
    "description",
    "dimensionType",
    "encodingType",
    "epoch",
    "headerType",
    "id",
    "jsonValue",
    "length",
    "maxValue",
    "minValue",
    "name",
    "nullValue",
    "offset",
    "package",
    "presence",
    "primitiveType",
    "schemaLocation",
    "semanticType",
    "semanticVersion",
    "sinceVersion",
    "timeUnit",
    "type",
    "valueRef",
    "variableLength",
    "version",
    "base",
];

/// The greatest id, version, offset or length: the official tool supports no more.
const GREATEST: u64 = i32::MAX as u64;

/// The greatest length of a name in bytes. The standard's XSD allows 64; compilers take minutes over names of many
/// thousands.
pub(crate) const LONGEST_NAME: usize = 1000;

/// Reads elements, with the findings that the reader adds to.
pub(super) struct Reader<'a> {
    pub(super) tree: &'a Tree,
    pub(super) findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    pub(super) fn element(&self, id: ElementId) -> &'a Element {
        self.tree.get(id)
    }

    pub(super) fn required(&mut self, id: ElementId, name: &str) -> Option<&'a Attribute> {
        let element = self.element(id);
        match element.attribute(name) {
            Some(attribute) if attribute.value.is_empty() => {
                let message = format!("`{name}` of this {} is empty", element.name);
                self.findings.error("empty-attribute", attribute.name_place, message);
                None
            }
            Some(attribute) if attribute.value.len() > LONGEST_NAME => {
                let length = attribute.value.len();
                let message = format!("`{name}` of this {} is {length} bytes long", element.name);
                self.findings
                    .error("too-long", attribute.place, message)
                    .hint(format!("{LONGEST_NAME} bytes are the most; names have 64 at most in the standard"));
                None
            }
            Some(attribute) => Some(attribute),
            None => {
                let message = format!("this {} has no `{name}`", element.name);
                self.findings
                    .error("missing-attribute", element.place, message)
                    .hint(format!("add `{name}=\"…\"`"))
                    .suggest(name, element.attributes.iter().map(|attribute| attribute.name.as_str()));
                None
            }
        }
    }

    pub(super) fn text(&self, id: ElementId, name: &str) -> Option<String> {
        self.element(id).attribute(name).map(|attribute| attribute.value.clone())
    }

    /// A number of at least 0, or `None` when it is absent or wrong.
    pub(super) fn number(&mut self, id: ElementId, name: &str) -> Option<u32> {
        let attribute = self.element(id).attribute(name)?;
        self.parse(attribute)
    }

    pub(super) fn required_number(&mut self, id: ElementId, name: &str) -> Option<u32> {
        let attribute = self.required(id, name)?;
        self.parse(attribute)
    }

    fn parse(&mut self, attribute: &Attribute) -> Option<u32> {
        let text = attribute.value.trim();
        match text.parse::<u64>() {
            Ok(value) if value <= GREATEST => Some(value as u32),
            _ => {
                let message = format!("`{}` is not a number from 0 to {GREATEST}: `{text}`", attribute.name);
                let found = self.findings.error("malformed-number", attribute.place, message);
                if text.starts_with("0x") {
                    found.hint("numbers are decimal");
                }
                None
            }
        }
    }

    pub(super) fn presence(&mut self, id: ElementId) -> Option<Presence> {
        let attribute = self.element(id).attribute("presence")?;
        match attribute.value.as_str() {
            "required" => Some(Presence::Required),
            "optional" => Some(Presence::Optional),
            "constant" => Some(Presence::Constant),
            other => {
                self.findings
                    .error("unknown-presence", attribute.place, format!("`{other}` is not a presence"))
                    .hint("it is `required`, `optional` or `constant`")
                    .suggest(other, ["required", "optional", "constant"].into_iter());
                None
            }
        }
    }

    /// Reads an attribute as a value of a primitive type.
    pub(super) fn value(&mut self, id: ElementId, name: &str, primitive: Primitive) -> Option<super::Number> {
        let attribute = self.element(id).attribute(name)?;
        match primitive.parse(&attribute.value) {
            Ok(value) => Some(value),
            Err(why) => {
                self.findings.error("malformed-value", attribute.place, format!("`{name}`: {why}"));
                None
            }
        }
    }

    pub(super) fn notes(&mut self, id: ElementId) -> Notes {
        let element = self.element(id);
        for attribute in &element.attributes {
            if !KNOWN.contains(&attribute.name.as_str()) {
                let message = format!("`{}` means nothing in a schema and is ignored", attribute.name);
                self.findings
                    .warning("unknown-attribute", attribute.name_place, message)
                    .suggest(&attribute.name, KNOWN.into_iter());
            }
        }
        if let Some(attribute) = element.attribute("alignment") {
            self.findings
                .error("unsupported", attribute.name_place, "`alignment` belongs to SBE 2.0 and is not supported")
                .hint("give each field its `offset`");
        }
        Notes {
            description: self.text(id, "description"),
            since: self.number(id, "sinceVersion").unwrap_or(0),
            deprecated: self.number(id, "deprecated").unwrap_or(0),
            semantic_type: self.text(id, "semanticType"),
        }
    }

    /// The place of an attribute's value, or of the element if the attribute is absent.
    pub(super) fn place_of(&self, id: ElementId, name: &str) -> Place {
        let element = self.element(id);
        element.attribute(name).map_or(element.place, |attribute| attribute.place)
    }
}
