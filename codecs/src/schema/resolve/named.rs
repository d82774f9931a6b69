//! The values of an enum and the choices of a set: each has a name and a number, and should share neither. Called for each of them.

use std::collections::HashMap;
use std::hash::Hash;

use crate::schema::findings::Findings;
use crate::schema::source::Place;
use crate::schema::xml::{Attribute, Element};

/// Named items in the order of the document.
pub(super) struct Named<K, T> {
    /// What an item is called in findings, and their code.
    what: &'static str,
    code: &'static str,
    items: Vec<T>,
    /// Where each item's element stands.
    places: Vec<Place>,
    by_name: HashMap<String, usize>,
    by_number: HashMap<K, Place>,
}

impl<K: Eq + Hash, T> Named<K, T> {
    pub(super) fn new(what: &'static str, code: &'static str) -> Self {
        Self { what, code, items: Vec::new(), places: Vec::new(), by_name: HashMap::new(), by_number: HashMap::new() }
    }

    /// Adds what an element declares. Warns if another has its number, as `same` says, or its name: the later one counts then.
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

    /// The items, and the place of each among them by name.
    pub(super) fn into_parts(self) -> (Vec<T>, HashMap<String, usize>) {
        (self.items, self.by_name)
    }
}
