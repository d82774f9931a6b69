//! The result of a comparison: changes, each with a verdict, printed for people and for scripts. The caller decides
//! which changes to allow; this module allows none by itself.

use std::fmt::{self, Write as _};

use crate::json;
use crate::schema::{Place, Sources};

/// What a change means for programs that were compiled with the other version of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Old readers and new writers understand each other, and the reverse.
    Compatible,
    /// They understand each other if both sides take the stated reason into account.
    WithCare,
    /// They do not understand each other.
    Breaking,
}

impl Verdict {
    /// `compatible`, `with care` or `breaking`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::WithCare => "with care",
            Self::Breaking => "breaking",
        }
    }
}

/// One difference between two schemas.
#[derive(Clone, Debug)]
pub struct Change {
    /// A stable name for this kind of change, such as `field-added`.
    pub rule: &'static str,
    /// The verdict on the change.
    pub verdict: Verdict,
    /// What changed: message, group and field, with dots between.
    pub what: String,
    /// What is different, and why it matters.
    pub reason: String,
    /// The place in the older schema, if the item is there.
    pub old: Place,
    /// The place in the newer schema, if the item is there.
    pub new: Place,
    /// Other items with the same difference. A change of a type appears in each field that has the type.
    pub also: Vec<String>,
    /// Whether [`Comparison::allow`] has excluded the change from the verdict.
    pub allowed: bool,
}

/// All differences between two schemas.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub(super) changes: Vec<Change>,
    pub(super) old: Sources,
    pub(super) new: Sources,
}

impl Comparison {
    /// The changes, in the order of the schemas.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The worst verdict among the changes that were not allowed.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let counted = self.changes.iter().filter(|change| !change.allowed);
        counted.map(|change| change.verdict).max().unwrap_or(Verdict::Compatible)
    }

    /// Accepts a known change, so that it no longer counts for the verdict: every change of `rule`, or only the one
    /// that affects `what`. Returns the number of accepted changes; 0 means that the permission is no longer needed.
    pub fn allow(&mut self, rule: &str, what: Option<&str>) -> usize {
        let mut allowed = 0;
        for change in &mut self.changes {
            let meant = what.is_none_or(|what| change.what == what || change.also.iter().any(|other| other == what));
            if change.rule == rule && meant {
                change.allowed = true;
                allowed += 1;
            }
        }
        allowed
    }

    /// One JSON object per change, one per line.
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        let mut out = String::new();
        for change in &self.changes {
            let _ = write!(out, "{{\"verdict\":\"{}\",\"rule\":\"{}\",\"what\":", change.verdict.name(), change.rule);
            json::string(&mut out, &change.what);
            out.push_str(",\"reason\":");
            json::string(&mut out, &change.reason);
            for (key, sources, place) in [("old", &self.old, change.old), ("new", &self.new, change.new)] {
                if let Some(position) = sources.position(place) {
                    let _ = write!(out, ",\"{key}\":{{\"file\":");
                    json::string(&mut out, &position.file);
                    let _ = write!(out, ",\"line\":{},\"column\":{}}}", position.line, position.column);
                }
            }
            if !change.also.is_empty() {
                out.push_str(",\"also\":");
                for (index, what) in change.also.iter().enumerate() {
                    out.push(if index == 0 { '[' } else { ',' });
                    json::string(&mut out, what);
                }
                out.push(']');
            }
            if change.allowed {
                out.push_str(",\"allowed\":true");
            }
            out.push_str("}\n");
        }
        out
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            let allowed = if change.allowed { ", allowed" } else { "" };
            writeln!(f, "{}{allowed}[{}]: {}: {}", change.verdict.name(), change.rule, change.what, change.reason)?;
            if let Some(first) = change.also.first() {
                let more = change.also.len() - 1;
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                writeln!(f, "  also in: {first}{more}")?;
            }
            for (word, sources, place) in [("old", &self.old, change.old), ("new", &self.new, change.new)] {
                if let Some(position) = sources.position(place) {
                    writeln!(f, "  {word}: {position}")?;
                }
            }
        }
        let (all, allowed) = (self.changes.len(), self.changes.iter().filter(|change| change.allowed).count());
        let changes = if all == 1 { "change" } else { "changes" };
        match allowed {
            0 => writeln!(f, "{}: {all} {changes}", self.verdict().name()),
            _ => writeln!(f, "{}: {all} {changes}, {allowed} of them allowed", self.verdict().name()),
        }
    }
}
