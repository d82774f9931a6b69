//! Collects findings, up to a limit, while a schema is read. Every stage of the compiler adds to them, and the entry
//! functions make the report from them.

use super::diagnostic::{Diagnostic, Report, Severity};
use super::source::{Place, Sources};

/// Collects findings while a schema is read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    dropped: usize,
}

/// Findings beyond this number are only counted: nobody reads further, and a hostile file could hold millions.
const MOST_FINDINGS: usize = 1000;
/// Beyond this number of findings no "did you mean" suggestions are computed.
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
            // The last entry is a placeholder that `finish` removes, unless it is the error that refuses the schema.
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

/// The hint for findings that have none of their own.
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

#[cfg(test)]
mod tests {
    use super::*;

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
