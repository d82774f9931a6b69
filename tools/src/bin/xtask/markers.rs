//! Checks that nothing is left unfinished: no marker of open work, and no test that is switched off without a reason
//! beside it.

use std::path::Path;

use crate::sources::Source;

/// Each is written in two halves, so that this file does not find itself.
const MARKERS: [(&str, &str); 6] =
    [("TO", "DO"), ("FIX", "ME"), ("X", "XX"), ("to", "do!("), ("unimple", "mented!("), ("#[ig", "nore]")];

/// Findings: a marker.
pub(crate) fn check(_root: &Path, sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for (line, text) in source.lines() {
            for (half, other) in MARKERS {
                let marker = format!("{half}{other}");
                if text.contains(&marker) {
                    findings.push(format!("{}:{line}: {marker}", source.path));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_and_its_halves_are_not() {
        let (half, other) = MARKERS[0];
        let source = |text: String| Source { path: "a.rs".into(), text };
        assert_eq!(check(Path::new(""), &[source(format!("// {half} {other}"))]), Vec::<String>::new());
        let marker = format!("{half}{other}");
        assert_eq!(check(Path::new(""), &[source(format!("\n// {marker}: later"))]), [format!("a.rs:2: {marker}")]);
    }
}
