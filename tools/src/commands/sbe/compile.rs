//! `gannet sbe ir`: converts schemas to compiled schemas, in the official tool's format.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use gannet_codecs::ir;

use crate::cli::{Outcome, Output, counted};
use crate::sbe::SchemaFlags;

/// Write the intermediate representation of a schema: an .sbeir file, as the official tool (SbeTool) writes it
///
/// Every command that takes a schema also takes such a file, of either form.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The schema: XML, or compiled if the name ends in .sbeir
    #[arg(value_name = "SCHEMA")]
    schema: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE.sbeir")]
    out: PathBuf,
    /// The form to write it in
    #[arg(long, value_enum, default_value_t = Form::From1_36)]
    form: Form,
    /// Write the messages in the order of the official tool's hash table, instead of the order in the schema
    #[arg(long)]
    official_order: bool,
    #[command(flatten)]
    flags: SchemaFlags,
}

/// The forms that such files have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// As the official tool has written it from 1.36 on
    #[value(name = "1.36")]
    From1_36,
    /// As it wrote it until 1.35
    #[value(name = "1.35")]
    Until1_35,
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    let schema = args.flags.open(&args.schema)?.schema;
    let cannot = || format!("{} cannot be written as {}", args.schema.display(), args.out.display());
    let mut tokens = ir::Ir::of(&schema).with_context(cannot)?;
    if args.official_order {
        tokens.sort_as_official();
    }
    let form = match args.form {
        Form::From1_36 => ir::Form::From1_36,
        Form::Until1_35 => ir::Form::Until1_35,
    };
    let bytes = tokens.to_bytes(form).with_context(cannot)?;
    fs::write(&args.out, &bytes).with_context(|| format!("cannot write {}", args.out.display()))?;
    out.line(format_args!(
        "wrote {}: {}, {}",
        args.out.display(),
        counted(tokens.messages.len(), "message"),
        counted(bytes.len(), "byte")
    ))
}
