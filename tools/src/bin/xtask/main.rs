//! Checks the repository's own rules, which no compiler checks: `cargo run --bin xtask -- tidy`.

mod layers;
mod links;
mod markers;
mod orderings;
mod sources;
mod words;

use std::path::Path;
use std::process::ExitCode;

use sources::Source;

/// A rule, and the check for it. The check returns one line per finding, with its place.
type Rule = (&'static str, fn(&Path, &[Source]) -> Vec<String>);

const RULES: [Rule; 5] = [
    ("dependencies point one way", layers::check),
    ("every handshake has both ends and a row", orderings::check),
    ("atomics and unsafe code stay where they belong", words::check),
    ("nothing is left unfinished", markers::check),
    ("links lead somewhere", links::check),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments != ["tidy"] {
        eprintln!("usage: xtask tidy");
        return ExitCode::from(2);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the repository's root");
    let sources = match sources::read(root) {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("cannot read the sources below {}: {error}", root.display());
            return ExitCode::FAILURE;
        }
    };
    let mut broken = 0;
    for (rule, check) in RULES {
        for finding in check(root, &sources) {
            eprintln!("{finding} [{rule}]");
            broken += 1;
        }
    }
    if broken > 0 {
        eprintln!("{broken} findings in {} files", sources.len());
        return ExitCode::FAILURE;
    }
    println!("{} rules hold in {} files", RULES.len(), sources.len());
    ExitCode::SUCCESS
}
