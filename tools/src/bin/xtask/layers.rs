//! Checks that dependencies point one way: which modules of its own crate a module may name.

use std::path::Path;

use crate::sources::Source;

/// For each module of a crate, the modules that it may use. A module that is missing here is a finding.
struct Crate {
    folder: &'static str,
    modules: &'static [(&'static str, &'static [&'static str])],
}

const CRATES: [Crate; 2] = [
    Crate {
        folder: "engine/src/",
        modules: &[
            ("types", &[]),
            ("time", &[]),
            ("quantity", &[]),
            ("nearest", &[]),
            ("weaken", &[]),
            ("sync", &["weaken"]),
            ("memory", &["sync", "types", "weaken"]),
            ("logbuffer", &["memory", "sync", "time", "types"]),
            ("record", &["memory"]),
            ("ringbuffer", &["memory", "record", "sync", "time", "types"]),
            ("broadcast", &["memory", "record", "sync"]),
            ("counters", &["memory", "sync", "time", "types"]),
            ("reports", &["memory", "sync", "time", "types"]),
            ("cnc", &["broadcast", "counters", "memory", "reports", "ringbuffer", "time", "types"]),
            ("agent", &["quantity", "sync", "time"]),
            ("command", &["types"]),
            ("protocol", &["types"]),
            ("channel_uri", &["command", "nearest", "quantity", "types"]),
            (
                "client",
                &[
                    "agent",
                    "broadcast",
                    "channel_uri",
                    "cnc",
                    "command",
                    "counters",
                    "logbuffer",
                    "memory",
                    "quantity",
                    "ringbuffer",
                    "sync",
                    "time",
                    "types",
                ],
            ),
            (
                "journal",
                &["agent", "channel_uri", "client", "logbuffer", "memory", "quantity", "sync", "time", "types"],
            ),
        ],
    },
    Crate {
        folder: "media-driver/src/",
        modules: &[
            ("config", &[]),
            ("channel", &[]),
            ("mailbox", &["channel", "shared"]),
            ("shared", &[]),
            ("raw_access", &[]),
            ("ipc", &["shared"]),
            ("sender", &["mailbox", "shared"]),
            ("receiver", &["mailbox", "shared"]),
            ("resolver", &["mailbox"]),
            ("sim", &["channel", "conductor", "io", "mailbox", "raw_access", "receiver", "resolver", "sender"]),
            ("conductor", &["channel", "ipc", "mailbox", "raw_access", "resolver", "shared"]),
            ("io", &["channel", "config", "mailbox", "raw_access"]),
            (
                "runtime",
                &[
                    "channel",
                    "conductor",
                    "config",
                    "io",
                    "mailbox",
                    "raw_access",
                    "receiver",
                    "resolver",
                    "sender",
                    "shared",
                ],
            ),
            ("cli", &["config", "io", "runtime"]),
            ("signals", &[]),
        ],
    },
];

/// Findings: a module that names one it may not use, or that has no entry.
pub(crate) fn check(_root: &Path, sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for krate in &CRATES {
        for source in sources {
            let Some(module) = source.path.strip_prefix(krate.folder).and_then(module_of) else { continue };
            let Some((_, allowed)) = krate.modules.iter().find(|(name, _)| *name == module) else {
                findings.push(format!("{}: the module {module} has no place among the layers", source.path));
                continue;
            };
            for (line, text) in source.code_lines() {
                for used in text.split("crate::").skip(1).map(leading_name) {
                    let is_module = krate.modules.iter().any(|(name, _)| *name == used);
                    if is_module && used != module && !allowed.contains(&used) {
                        findings.push(format!("{}:{line}: {module} may not use {used}", source.path));
                    }
                }
            }
        }
    }
    findings
}

/// The top-level module of a path within `src/`. `None` for the crate's root files.
fn module_of(path: &str) -> Option<&str> {
    let first = path.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main" | "bin")).then_some(name)
}

fn leading_name(text: &str) -> &str {
    let end = text.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn what_points_down_is_fine_and_what_points_up_is_found() {
        let down = source("engine/src/logbuffer/read.rs", "use crate::memory::OwnedWord;\n// use crate::client;\n");
        assert_eq!(check(Path::new(""), &[down]), Vec::<String>::new());
        let up = source("engine/src/memory/field.rs", "fn f() {}\nuse crate::logbuffer::LogBuffers;\n");
        assert_eq!(check(Path::new(""), &[up]), ["engine/src/memory/field.rs:2: memory may not use logbuffer"]);
        let agent = source("media-driver/src/conductor/mod.rs", "let x = crate::io::now();");
        assert_eq!(check(Path::new(""), &[agent]), ["media-driver/src/conductor/mod.rs:1: conductor may not use io"]);
    }

    #[test]
    fn a_module_that_nobody_has_placed_is_found() {
        let found = check(Path::new(""), &[source("engine/src/misc.rs", "")]);
        assert_eq!(found, ["engine/src/misc.rs: the module misc has no place among the layers"]);
    }
}
