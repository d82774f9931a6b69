//! Errors and warnings about a schema, each with its place and a hint. Made by every stage of the compiler, and shown
//! by the command line and by build scripts. Whether to go on is decided by the caller of the compiler.

use std::fmt::{self, Write as _};

use super::source::{Place, Sources};
use crate::json;

/// How severe a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The schema is refused.
    Error,
    /// The schema is accepted, but something in it is probably a mistake.
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

/// The codes of all findings that there are, in the order of `docs/diagnostics.md`.
///
/// ```
/// assert!(gannet_codecs::schema::codes().any(|code| code == "duplicate-message-id"));
/// ```
pub fn codes() -> impl Iterator<Item = &'static str> {
    // The page is the list; a test compares it with the findings that the compiler makes.
    let page = include_str!("../../docs/diagnostics.md");
    page.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0))
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// A stable name for this kind of finding, such as `duplicate-message-id`; `docs/diagnostics.md` lists them.
    pub code: &'static str,
    /// How severe it is.
    pub severity: Severity,
    /// What is wrong, with the values found.
    pub message: String,
    /// The place in the schema.
    pub place: Place,
    /// Related places, such as the first of two duplicates, each with a short reason.
    pub related: Vec<(Place, String)>,
    /// How to fix it.
    pub hint: Option<String>,
    /// Whether so many findings came before that no suggestion is computed.
    pub(crate) late: bool,
}

/// What the compiler found in one schema, with the files that the findings refer to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) sources: Sources,
}

impl Report {
    /// All findings, in the order of the files.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The errors, for which the schema is refused.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|found| found.severity == Severity::Error)
    }

    /// The warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|found| found.severity == Severity::Warning)
    }

    /// The files that the places refer to.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The findings as JSON, one object per line.
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
                // One character is shown for each, so that the marks line up with the text. A file can come from anyone: what a
                // terminal would act on does not reach it.
                let shown = |c: char| match c {
                    '\t' => ' ',
                    c if c.is_control() => char::REPLACEMENT_CHARACTER,
                    c => c,
                };
                let line: String = position.source_line.chars().map(shown).collect();
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

impl Diagnostic {
    /// Adds a hint on how to fix the finding.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a related place.
    pub(crate) fn related(&mut self, place: Place, why: impl Into<String>) -> &mut Self {
        self.related.push((place, why.into()));
        self
    }

    /// Adds a "did you mean" hint if one of the candidates is close to what was written.
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

/// The candidate that differs least from `written`, if it is close enough.
fn closest<'c>(written: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    // Both lists come from the file, so the work is bounded: long names and long lists are not searched.
    if written.len() > 64 {
        return None;
    }
    let lower = written.to_lowercase();
    let near = |candidate: &str| 1 + written.len().min(candidate.len()) / 4;
    candidates
        .take(2000)
        .filter(|candidate| candidate.len().abs_diff(written.len()) <= near(candidate))
        .map(|candidate| (strsim::levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, candidate)| distance <= near(candidate))
        .map(|(_, candidate)| candidate)
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
}
