//! Shared by the tests of this crate: the folder of real schemas and messages, and the report when it is absent.

#![allow(unreachable_pub, reason = "each test that includes this is a crate of its own")]

#[path = "../../../engine/tests/support/skip.rs"]
mod skip;

use std::path::{Path, PathBuf};

/// The folder of real input beside the repository. `None`, which is reported, if it is absent.
pub fn data(test: &str) -> Option<PathBuf> {
    // The workspace's lock file marks the repository's root, whichever of its crates includes this file.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    let folder = root.unwrap_or(Path::new(".")).join("../shared/data");
    if folder.join("schemas").is_dir() {
        return Some(folder);
    }
    skip::report(test, "../shared/data, the folder of real schemas and messages, is not beside the repository");
    None
}
