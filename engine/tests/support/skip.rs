//! Reports that a test could not run here: in its output, and in the file named by `GANNET_SKIP_LOG`, which the gate
//! counts. Included by path from the tests of other crates too.

use std::io::Write as _;

/// Reports that `test` was skipped, and why.
pub fn report(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    if let Some(path) = std::env::var_os("GANNET_SKIP_LOG") {
        let mut log = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("the skip log opens");
        writeln!(log, "{test}: {reason}").expect("the skip log takes a line");
    }
}
