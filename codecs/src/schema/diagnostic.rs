//! What is wrong with a schema, or suspicious in it, with the place and a way out. Made by every stage of the compiler;
//! shown by the command line and by build scripts. Never decides whether to go on: whoever asked for the schema does.

use std::fmt::{self, Write as _};

use super::source::{Place, Sources};
use crate::json;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The schema is refused.
    Error,
    /// The schema is accepted, and something in it is probably not meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// A stable name for this kind of finding, such as `duplicate-message-id`; `docs/diagnostics.md` lists them.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, with the values found.
    pub message: String,
    /// Where.
    pub place: Place,
    /// Other places that belong to it, such as the first of two duplicates, each with a word on why.
    pub related: Vec<(Place, String)>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether so many were found before it that no work should go into a suggestion.
    pub(crate) late: bool,
}

/// What the compiler found in one schema, in the order it was found, with the files it refers to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) sources: Sources,
}

impl Report {
    /// Every finding, in the order of the files.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The findings for which the schema is refused.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|found| found.severity == Severity::Error)
    }

    /// The findings with which it is accepted.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|found| found.severity == Severity::Warning)
    }

    /// The files that places refer to.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// One JSON object per finding, one per line.
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        let mut out = String::new();
        for found in &self.diagnostics {
            let _ =
                write!(out, "{{\"severity\":\"{}\",\"code\":\"{}\",\"message\":", found.severity.name(), found.code);
            json::string(&mut out, &found.message);
            self.place_to_json(&mut out, found.place);
            if let Some(hint) = &found.hint {
                out.push_str(",\"hint\":");
                json::string(&mut out, hint);
            }
            out.push_str(",\"related\":[");
            for (index, (place, why)) in found.related.iter().enumerate() {
                out.push_str(if index == 0 { "{\"message\":" } else { ",{\"message\":" });
                json::string(&mut out, why);
                self.place_to_json(&mut out, *place);
                out.push('}');
            }
            out.push_str("]}\n");
        }
        out
    }

    fn place_to_json(&self, out: &mut String, place: Place) {
        if let Some(position) = self.sources.position(place) {
            out.push_str(",\"file\":");
            json::string(out, &position.file);
            let _ = write!(out, ",\"line\":{},\"column\":{},\"text\":", position.line, position.column);
            json::string(out, &position.text);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for found in &self.diagnostics {
            writeln!(f, "{}[{}]: {}", found.severity.name(), found.code, found.message)?;
            if let Some(position) = self.sources.position(found.place) {
                let number = position.line.to_string();
                let margin = " ".repeat(number.len());
                // Tabs are shown as one blank, so that the marks stand under the text.
                let line: String = position.source_line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
                let before = " ".repeat(position.marker as usize);
                let marks = "^".repeat(position.text.chars().count().clamp(1, 120));
                writeln!(f, "{margin}--> {position}\n{margin} |\n{number} | {line}\n{margin} | {before}{marks}")?;
            }
            for (place, why) in &found.related {
                match self.sources.position(*place) {
                    Some(position) => writeln!(f, "  note: {why}: {position}")?,
                    None => writeln!(f, "  note: {why}")?,
                }
            }
            if let Some(hint) = &found.hint {
                writeln!(f, "  help: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// Collects findings while a schema is read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    dropped: usize,
}

/// After so many findings the rest is only counted: nobody reads further, and a hostile file could hold millions.
const MOST_FINDINGS: usize = 1000;
/// After so many findings names are no longer compared with all that might have been meant.
const MOST_SUGGESTIONS: usize = 200;

impl Findings {
    pub(crate) fn error(&mut self, code: &'static str, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.push(code, Severity::Error, place, message.into())
    }

    pub(crate) fn warning(&mut self, code: &'static str, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.push(code, Severity::Warning, place, message.into())
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.list.iter().any(|found| found.severity == Severity::Error)
    }

    fn push(&mut self, code: &'static str, severity: Severity, place: Place, message: String) -> &mut Diagnostic {
        let found = Diagnostic {
            code,
            severity,
            message,
            place,
            related: Vec::new(),
            hint: None,
            late: self.list.len() >= MOST_SUGGESTIONS,
        };
        if self.list.len() > MOST_FINDINGS {
            // The last entry is a scratch that `finish` takes away, unless it is what refuses the schema.
            self.dropped += 1;
            let last = &mut self.list[MOST_FINDINGS];
            last.related.clear();
            if last.severity == Severity::Warning {
                *last = found;
            }
            return last;
        }
        self.list.push(found);
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    pub(crate) fn finish(mut self, sources: Sources) -> Report {
        self.list.sort_by_key(|found| (found.place.file, found.place.start, found.severity));
        for found in &mut self.list {
            found.hint = found.hint.take().or_else(|| usual_hint(found.code).map(str::to_owned));
        }
        if self.dropped > 0 {
            self.list.push(Diagnostic {
                code: "too-many-findings",
                severity: Severity::Warning,
                message: format!("and {} more", self.dropped),
                place: Place::NOWHERE,
                related: Vec::new(),
                hint: None,
                late: true,
            });
        }
        Report { diagnostics: self.list, sources }
    }
}

/// The way out of findings that were given none of their own.
fn usual_hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "constant-without-value" => "write the value between the tags, or name an enum's value in `valueRef`",
        "data" => "data has a composite of `length`, unsigned and first, and of `varData`, bytes, right behind it",
        "dimension" => "a dimension is a composite of `blockLength` and `numInGroup`, both unsigned",
        "does-not-fit" => "use a smaller number, or a wider type in the composite that carries it",
        "duplicate-choice" | "duplicate-value" => "rename or renumber one of them",
        "duplicate-id" | "duplicate-message-id" => "give one of them another id",
        "duplicate-member" | "duplicate-message-name" | "duplicate-name" => "rename one of them",
        "empty-attribute" => "give it a value",
        "empty-range" => "swap them",
        "encoding-type" => "use an integer type of one element",
        "enum-value-range" => "change the value, or the range of the type",
        "header" => "a header is a composite of `blockLength`, `templateId`, `schemaId` and `version`",
        "include" => "include whole XML files below the schema's folder, each by its path from the including file",
        "malformed-number" => "numbers are decimal digits",
        "malformed-value" => "write a value that the primitive type can hold",
        "malformed-xml" => "close what is open, and write `&lt;` and `&amp;` where text has those characters",
        "no-messages" => "is this a file to be included by a schema?",
        "not-a-schema" => "a schema's root is `messageSchema`, in any namespace",
        "optional-constant" => "leave `presence` out: the field is constant",
        "out-of-order" => "fields come first, then groups, then data",
        "required-constant" => "leave `presence` out",
        "semantic-type" => "make them the same, or leave the field's out",
        "too-deep" | "too-long" | "too-many-values" => {
            "no message needs as much: is there a mistake in what is referred to?"
        }
        "unknown-attribute" | "unknown-element" => "remove it, or put it under a prefix of its own",
        "unknown-charset" => "use US-ASCII, ISO-8859-1 or UTF-8",
        "unknown-type" => "declare it in `types`, or name a primitive type",
        "unreadable-file" => "a schema is a file of UTF-8 that can be read",
        "value-ref" => "write `Enum.Value`, with an enum of the same primitive type",
        _ => return None,
    })
}

impl Diagnostic {
    /// Adds a way out.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a place that belongs to the finding.
    pub(crate) fn related(&mut self, place: Place, why: impl Into<String>) -> &mut Self {
        self.related.push((place, why.into()));
        self
    }

    /// Adds "did you mean", when one of the candidates is close to what was written.
    pub(crate) fn suggest<'c>(&mut self, written: &str, candidates: impl Iterator<Item = &'c str>) -> &mut Self {
        if self.late {
            return self;
        }
        if let Some(best) = closest(written, candidates) {
            self.hint = Some(format!("did you mean `{best}`?"));
        }
        self
    }
}

/// The candidate that differs least from `written`, if one is close enough to be meant.
fn closest<'c>(written: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    // Bounded, as both come from the file: long names and long lists are not worth the search.
    if written.len() > 64 {
        return None;
    }
    let lower = written.to_lowercase();
    let near = |candidate: &str| 1 + written.len().min(candidate.len()) / 4;
    candidates
        .take(2000)
        .filter(|candidate| candidate.len().abs_diff(written.len()) <= near(candidate))
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, candidate)| distance <= near(candidate))
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let cost = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_suggested_and_distant_ones_are_not() {
        assert_eq!(closest("mesageHeader", ["groupSize", "messageHeader"].into_iter()), Some("messageHeader"));
        assert_eq!(closest("uint23", ["uint32", "int8"].into_iter()), Some("uint32"));
        assert_eq!(closest("price", ["messageHeader", "qty"].into_iter()), None);
    }

    #[test]
    fn a_flood_of_findings_is_cut_and_counted() {
        let mut findings = Findings::default();
        for _ in 0..5000 {
            findings.warning("x", Place::NOWHERE, "again");
        }
        findings.error("y", Place::NOWHERE, "the one that refuses");
        assert!(findings.has_errors());
        let report = findings.finish(Sources::default());
        assert!(report.diagnostics().len() < 1100);
        assert_eq!(report.errors().count(), 1);
    }
}
