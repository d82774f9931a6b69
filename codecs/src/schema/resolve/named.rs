//! The values of an enum or the choices of a set. Each has a name and a number, and both should be unique.

use std::collections::HashMap;
use std::hash::Hash;

use crate::schema::findings::Findings;
use crate::schema::source::Place;
use crate::schema::xml::{Attribute, Element};

/// Named items in the order of the document.
pub(super) struct Named<K, T> {
    /// What an item is called in findings, and the code of the findings.
    what: &'static str,
    code: &'static str,
    items: Vec<T>,
    /// The place of each item's element.
    places: Vec<Place>,
    by_name: HashMap<String, usize>,
    by_number: HashMap<K, Place>,
}

impl<K: Eq + Hash, T> Named<K, T> {
    pub(super) fn new(what: &'static str, code: &'static str) -> Self {
        Self { what, code, items: Vec::new(), places: Vec::new(), by_name: HashMap::new(), by_number: HashMap::new() }
    }

    /// Adds an item. Warns if another has the same number, in the words of `same`, or the same name: the later item
    /// counts then.
    pub(super) fn add(
        &mut self,
        findings: &mut Findings,
        element: &Element,
        name: &Attribute,
        number: K,
        item: T,
        same: &str,
    ) {
        if let Some(&first) = self.by_number.get(&number) {
            let message = format!("`{}` {same}", name.value);
            findings.warning(self.code, element.text_place, message).related(first, "the first");
        }
        self.by_number.entry(number).or_insert(element.text_place);
        if let Some(&at) = self.by_name.get(&name.value) {
            let message = format!("there is already a {} `{}`; the later one counts", self.what, name.value);
            findings.warning(self.code, name.place, message).related(self.places[at], "the first");
            (self.items[at], self.places[at]) = (item, element.place);
        } else {
            self.by_name.insert(name.value.clone(), self.items.len());
            self.items.push(item);
            self.places.push(element.place);
        }
    }

    /// Returns the items, and the index of each by name.
    pub(super) fn into_parts(self) -> (Vec<T>, HashMap<String, usize>) {
        (self.items, self.by_name)
    }
}
