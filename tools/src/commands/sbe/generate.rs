//! `gannet sbe generate`: generates Rust files from schemas, to be checked in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use gannet_codecs::generate::{Options, generate};

use crate::cli::{Outcome, Output, Unsuccessful, Usage, in_one_line, tell};
use crate::sbe::SchemaFlags;

/// Generate Rust from schemas: one file for each, which is a module to put anywhere
///
/// The code needs only the crate gannet-codecs-runtime. The same schema always gives the same text, so the file can be
/// checked in; --check then tells whether it still matches the schema.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Schemas: XML, or compiled if the name ends in .sbeir
    #[arg(value_name = "SCHEMA", required = true)]
    schemas: Vec<PathBuf>,
    /// Write the files into this folder, which is made if it does not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Name the file NAME.rs, if there is one schema [default: the schema's own name, in snake case]
    #[arg(long, value_name = "NAME", value_parser = module_name)]
    module: Option<String>,
    /// The path by which the code finds the runtime crate
    #[arg(long, value_name = "PATH", default_value_t = Options::default().runtime)]
    runtime: String,
    /// Also generate owned forms of messages, which outlive the bytes that they were read from; the code then needs
    /// feature alloc of the runtime crate
    #[arg(long)]
    owned: bool,
    /// Also implement serde's traits for owned forms; the code then needs feature serde of the runtime crate
    #[arg(long, requires = "owned")]
    serde: bool,
    /// Write nothing, and fail if a file is not what would be written
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    flags: SchemaFlags,
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    if args.module.is_some() && args.schemas.len() > 1 {
        return Err(Usage("--module names one file, and there are several schemas".to_owned()).into());
    }
    let path = |schema: &Path| args.out.join(format!("{}.rs", args.module.clone().unwrap_or_else(|| module(schema))));
    let paths: Vec<PathBuf> = args.schemas.iter().map(|schema| path(schema)).collect();
    if let Some(twice) = (1..paths.len()).find(|&at| paths[..at].contains(&paths[at])) {
        let file = paths[twice].display();
        return Err(Usage(format!("two schemas would be written to {file}: use one folder for each")).into());
    }
    let mut differs = false;
    for (schema, path) in args.schemas.iter().zip(&paths) {
        let text = code(args, schema)?;
        if args.check {
            differs |= !check(path, &text, out)?;
        } else {
            write(path, &text, out)?;
        }
    }
    if differs { Err(Unsuccessful.into()) } else { Ok(()) }
}

fn code(args: &Args, schema: &Path) -> anyhow::Result<String> {
    let compiled = args.flags.open(schema)?;
    if !compiled.report.diagnostics().is_empty() {
        tell(compiled.report.to_string().trim_end());
    }
    let options = Options { runtime: args.runtime.clone(), owned: args.owned, serde: args.serde };
    let code = generate(&compiled.schema, &options)
        .with_context(|| format!("no code can be generated from {}", schema.display()))?;
    // Only the file's name without its path: the generated text must be the same on every machine.
    let name = schema.file_name().unwrap_or_default().to_string_lossy();
    // What follows the end of a line would be code.
    let name = in_one_line(&name);
    Ok(format!("// @generated from {name} by `gannet sbe generate`: change the schema and generate again.\n\n{code}"))
}

fn write(path: &Path, text: &str, out: &mut Output) -> Outcome {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return out.line(format_args!("{} is up to date", path.display()));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    out.line(format_args!("wrote {}", path.display()))
}

/// Whether the file has the text that would be written. Prints a line if it differs.
fn check(path: &Path, text: &str, out: &mut Output) -> anyhow::Result<bool> {
    match fs::read_to_string(path) {
        Ok(old) if old == text => Ok(true),
        Ok(old) => {
            let line = old.lines().zip(text.lines()).take_while(|(old, new)| old == new).count() + 1;
            out.line(format_args!("{} differs from line {line} on: generate it again", path.display()))?;
            Ok(false)
        }
        Err(error) => {
            out.line(format_args!("{} cannot be read: {error}", path.display()))?;
            Ok(false)
        }
    }
}

/// Parses a module's name, which is the name of a file as well.
fn module_name(text: &str) -> Result<String, String> {
    let is_name = text.starts_with(|c: char| !c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| "expected letters, digits and underscores, as in orders_v2".to_owned())
}

/// The name of the module for a schema's file: `Cme-MDP3.v9.xml` gives `cme_mdp3_v9`.
fn module(schema: &Path) -> String {
    let stem = schema.file_stem().unwrap_or_default().to_string_lossy();
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_modules_are() {
        let names = ["a/Cme-MDP3.v9.xml", "car.sbeir", "2024.xml"].map(|path| module(Path::new(path)));
        assert_eq!(names, ["cme_mdp3_v9", "car", "_2024"]);
        assert!(names.iter().all(|name| module_name(name).as_ref() == Ok(name)));
        for text in ["", "../orders", "a b", "2024", "orders.rs", "größe"] {
            assert!(module_name(text).is_err(), "{text}");
        }
    }
}
