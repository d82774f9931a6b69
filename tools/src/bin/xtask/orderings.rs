//! Checks the labels of handshakes between threads: each has `ORDERING(label)` in a comment at both of its ends, and a
//! row in the table.

use std::collections::BTreeMap;
use std::path::Path;

use crate::sources::Source;

/// The file with the table. Each row begins with the label in backquotes.
const TABLE: &str = "engine/docs/orderings.md";

/// The text in a row in place of an end that is in no file of ours: only stock peers have that end, or the operation
/// needs no partner.
const NO_PARTNER: &str = "no partner:";

/// Findings: a label without a row, a row without a label, or a label at one end only.
pub(crate) fn check(root: &Path, sources: &[Source]) -> Vec<String> {
    match std::fs::read_to_string(root.join(TABLE)) {
        Ok(table) => compare(&table, sources),
        Err(error) => vec![format!("{TABLE}: {error}")],
    }
}

fn compare(table: &str, sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| is_shipped(&source.path)) {
        for (line, text) in source.lines() {
            for label in labels(text) {
                places.entry(label).or_default().push(format!("{}:{line}", source.path));
            }
        }
    }
    let rows: BTreeMap<&str, &str> = table
        .lines()
        .filter_map(|line| {
            let label = line.strip_prefix("| `")?.split('`').next()?;
            Some((label, line))
        })
        .collect();
    for (label, at) in &places {
        match rows.get(label) {
            None => findings.push(format!("{}: {label} has no row in {TABLE}", at[0])),
            Some(row) if at.len() < 2 && !row.contains(NO_PARTNER) => {
                findings.push(format!("{}: {label} is at one end only, and its row does not say why", at[0]));
            }
            Some(_) => {}
        }
    }
    for label in rows.keys().filter(|label| !places.contains_key(*label)) {
        findings.push(format!("{TABLE}: {label} is nowhere in the code"));
    }
    findings
}

/// Whether a file is part of what is shipped. Tests and models may mention labels too.
fn is_shipped(path: &str) -> bool {
    (path.starts_with("engine/src/") || path.starts_with("media-driver/src/")) && !path.ends_with("weaken.rs")
}

fn labels(line: &str) -> impl Iterator<Item = &str> {
    let comment = line.find("//").map_or("", |at| &line[at..]);
    comment.split("ORDERING(").skip(1).filter_map(|rest| rest.split(')').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { path: "engine/src/queue.rs".into(), text: text.into() }
    }

    #[test]
    fn both_ends_and_a_row_are_enough() {
        let code = source("// ORDERING(a.b): Release.\n// ORDERING(a.b): Acquire.\nlet text = \"ORDERING(x)\";\n");
        assert_eq!(compare("| `a.b` | store | load |\n", &[code]), Vec::<String>::new());
    }

    #[test]
    fn a_missing_row_end_or_label_is_found() {
        let code = source("// ORDERING(a.b): Release.\n// ORDERING(c.d): Release.\n// ORDERING(e.f): alone\n");
        let table = "| `a.b` | store | load |\n| `e.f` | no partner: it counts |\n| `g.h` | store | load |\n";
        assert_eq!(
            compare(table, &[code]),
            [
                "engine/src/queue.rs:1: a.b is at one end only, and its row does not say why",
                "engine/src/queue.rs:2: c.d has no row in engine/docs/orderings.md",
                "engine/docs/orderings.md: g.h is nowhere in the code",
            ]
        );
    }
}
