//! Compares a schema with an older one: what changed, and whether writers and readers of both versions still understand
//! each other. Called by the command line, and by tests of projects that own a schema. It judges layouts, not
//! intentions.

mod bodies;
mod comparison;
mod messages;
mod types;

use std::collections::HashMap;
use std::hash::Hash;

use Verdict::{Breaking, Compatible, WithCare};
pub use comparison::{Change, Comparison, Verdict};

use crate::schema::{Place, Schema};

/// Compares `new` with the version before it, `old`.
#[must_use]
pub fn compare(old: &Schema, new: &Schema) -> Comparison {
    let mut gate = Gate { old, new, changes: Vec::new() };
    gate.schemas();
    Comparison { changes: merged(gate.changes), old: old.sources.clone(), new: new.sources.clone() }
}

/// Maps each item's key to the item. If several items share a key, the first counts.
fn by<'a, T, K: Eq + Hash>(items: &'a [T], key: impl Fn(&'a T) -> K) -> HashMap<K, &'a T> {
    items.iter().rev().map(|item| (key(item), item)).collect()
}

struct Gate<'s> {
    old: &'s Schema,
    new: &'s Schema,
    changes: Vec<Change>,
}

impl Gate<'_> {
    fn add(
        &mut self,
        (rule, verdict): (&'static str, Verdict),
        what: &str,
        (old, new): (Place, Place),
        reason: impl Into<String>,
    ) {
        let (what, reason) = (what.to_owned(), reason.into());
        self.changes.push(Change { rule, verdict, what, reason, old, new, also: Vec::new(), allowed: false });
    }

    fn renamed(&mut self, what: &str, old: &str, new: &str, places: (Place, Place)) {
        if old != new {
            let reason = format!("was `{old}` and is `{new}`: bytes are the same, code and JSON are not");
            self.add(("renamed", WithCare), what, places, reason);
        }
    }

    fn deprecation(&mut self, what: &str, (old, new): (u32, u32), places: (Place, Place)) {
        if new > 0 && old == 0 {
            let reason = format!("deprecated since version {new}: bytes are the same");
            self.add(("deprecated", Compatible), what, places, reason);
        } else if new < old {
            let reason = format!("`deprecated` fell from {old} to {new}");
            self.add(("deprecated-fell", WithCare), what, places, reason);
        }
    }

    fn since(&mut self, what: &str, old: u32, new: u32, places: (Place, Place)) {
        if old != new {
            let reason = format!("its version was {old} and is {new}: readers disagree on who sends it");
            self.add(("since-changed", Breaking), what, places, reason);
        }
    }
}

/// Reports each change once, where it first occurs. A change of a type occurs in every field that has the type.
fn merged(changes: Vec<Change>) -> Vec<Change> {
    let mut first: HashMap<(&'static str, Verdict, String, Place, Place), usize> = HashMap::new();
    let mut list: Vec<Change> = Vec::new();
    for change in changes {
        // Without a place nothing tells one type from another: all that was compiled beforehand is nowhere.
        if (change.old, change.new) == (Place::NOWHERE, Place::NOWHERE) {
            list.push(change);
            continue;
        }
        let key = (change.rule, change.verdict, change.reason.clone(), change.old, change.new);
        match first.get(&key) {
            Some(&at) => list[at].also.push(change.what),
            None => {
                first.insert(key, list.len());
                list.push(change);
            }
        }
    }
    list
}
