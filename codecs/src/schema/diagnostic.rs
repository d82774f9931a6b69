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
