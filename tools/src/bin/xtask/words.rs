//! Checks that atomic types and unsafe code stay in the files meant for them.

use std::path::Path;

use crate::sources::Source;

/// Where the engine and the driver's agents may name atomic types. All other code uses views and these re-exports.
const ATOMICS: [&str; 2] = ["engine/src/sync.rs", "engine/src/memory/"];
/// The folders that this rule applies to. The edges of the driver, the tools and the rig use the standard library
/// directly.
const WITHOUT_ATOMICS: [&str; 5] = [
    "engine/src/",
    "media-driver/src/conductor/",
    "media-driver/src/ipc/",
    "media-driver/src/mailbox/",
    "media-driver/src/shared/",
];
/// The fences: the files where unsafe code is allowed, each with a reason at its top. The peers' package binds C, tests
/// count allocations and forbid system calls, and the driver's edges pass addresses to the kernel. The `raw_access`
/// files and the storages of journals make promises that their crates keep.
const FENCES: [&str; 14] = [
    "engine/src/journal/storage/mod.rs",
    "engine/src/memory/",
    "engine/tests/journal/watched.rs",
    "engine/tests/support/counting.rs",
    "engine/tests/support/raw_access.rs",
    "media-driver/src/io/interfaces.rs",
    "media-driver/src/io/transport/socket/",
    "media-driver/src/io/transport/uring/",
    "media-driver/src/raw_access.rs",
    "media-driver/tests/support/raw_access.rs",
    "media-driver/tests/transport/",
    "benches/peers/",
    "benches/src/raw_access.rs",
    "benches/src/systems/udp_floor/",
];

/// Written in two halves, so that this file does not find itself.
const LIFTS_THE_LINT: &str = concat!("allow(", "unsafe_code");

/// Findings: an atomic type or unsafe code outside its place.
pub(crate) fn check(_root: &Path, sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let path = source.path.as_str();
        let within = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
        for (line, text) in source.code_lines() {
            if text.contains("sync::atomic") && within(&WITHOUT_ATOMICS) && !within(&ATOMICS) {
                findings.push(format!("{path}:{line}: names atomic types; use crate::sync or a view"));
            }
            if text.contains(LIFTS_THE_LINT) && !within(&FENCES) {
                findings.push(format!("{path}:{line}: allows unsafe code outside the fences"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_place_is_found() {
        let source = |path: &str| Source {
            path: path.into(),
            text: "#![allow(unsafe_code, reason = \"\")]\nuse std::sync::atomic::AtomicBool;\n".into(),
        };
        assert_eq!(check(Path::new(""), &[source("engine/src/memory/field.rs")]), Vec::<String>::new());
        assert_eq!(
            check(Path::new(""), &[source("engine/src/client/image.rs")]),
            [
                "engine/src/client/image.rs:1: allows unsafe code outside the fences",
                "engine/src/client/image.rs:2: names atomic types; use crate::sync or a view",
            ]
        );
        assert_eq!(check(Path::new(""), &[source("tools/src/main.rs")]).len(), 1);
    }
}
