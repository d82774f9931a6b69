//! `gannet sbe check`: reports what is wrong with a schema, and what a new version of it breaks.

use std::path::{Path, PathBuf};

use gannet::nearest::nearest;
use gannet_codecs::OpenError;
use gannet_codecs::gate::{Verdict, compare};
use gannet_codecs::schema::{Compiled, Options, Report, codes};

use crate::cli::{Outcome, Output, Unsuccessful, Usage, counted};
use crate::sbe::SchemaFlags;

/// Check a schema, alone or against an older version
///
/// Alone: lists every error and every warning, each with its place. Against an older version: lists every change as
/// compatible, with care or breaking, with the reason and the lines in both files. Fails if the schema is refused, or
/// if a change that was not allowed breaks readers or writers of the other version.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The schema: XML, or compiled if the name ends in .sbeir
    #[arg(value_name = "SCHEMA")]
    schema: PathBuf,
    /// The older version
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    /// Print one JSON object per finding or change
    #[arg(long)]
    json: bool,
    /// Accept a warning, by its code; or a change, by its rule, or by its rule and what it is about
    ///
    /// Examples: --allow unusual-width, --allow enum-value-added, --allow field-removed:Order.account. May be given
    /// more than once.
    #[arg(long, value_name = "RULE[:WHAT]")]
    allow: Vec<String>,
    /// Refuse the schema for warnings with this code; may be given more than once
    #[arg(long, value_name = "CODE", conflicts_with = "against")]
    deny: Vec<String>,
    /// Refuse the schema for any warning that is not allowed
    #[arg(long, conflicts_with = "against")]
    deny_warnings: bool,
    #[command(flatten)]
    flags: SchemaFlags,
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    match &args.against {
        None => lint(args, out),
        Some(old) => gate(args, old, out),
    }
}

fn lint(args: &Args, out: &mut Output) -> Outcome {
    // A code with a misspelt name would allow or deny nothing, and nobody would notice.
    for (flag, code) in args.allow.iter().map(|code| ("allow", code)).chain(args.deny.iter().map(|code| ("deny", code)))
    {
        if !codes().any(|known| known == code) {
            let nearest = nearest(code, codes()).map_or(String::new(), |(known, _)| format!("; did you mean {known}?"));
            return Err(Usage(format!("--{flag} {code}: there is no finding with this code{nearest}")).into());
        }
    }
    let options = Options {
        allow: args.allow.clone(),
        deny: args.deny.clone(),
        deny_warnings: args.deny_warnings,
        ..args.flags.options()
    };
    let compiled = read(args, &args.schema, &options, out)?;
    show(args, &compiled.report, out)?;
    if !args.json {
        let schema = &compiled.schema;
        let (messages, warnings) = (schema.messages.len(), compiled.report.warnings().count());
        out.line(format_args!(
            "{}: accepted: schema {} version {}, {}, {}",
            args.schema.display(),
            schema.id,
            schema.version,
            counted(messages, "message"),
            counted(warnings, "warning"),
        ))?;
    }
    Ok(())
}

fn gate(args: &Args, old: &Path, out: &mut Output) -> Outcome {
    let options = args.flags.options();
    let old = read(args, old, &options, out)?.schema;
    let new = read(args, &args.schema, &options, out)?.schema;
    let mut comparison = compare(&old, &new);
    for allowed in &args.allow {
        let (rule, what) = match allowed.split_once(':') {
            Some((rule, what)) => (rule, Some(what)),
            None => (allowed.as_str(), None),
        };
        if comparison.allow(rule, what) == 0 {
            crate::cli::tell(format_args!("warning: --allow {allowed} allows nothing: there is no such change"));
        }
    }
    if args.json {
        out.bytes(comparison.to_json_lines().as_bytes())?;
    } else {
        out.foreign_lines(&comparison.to_string())?;
    }
    match comparison.verdict() {
        Verdict::Breaking => Err(Unsuccessful.into()),
        Verdict::Compatible | Verdict::WithCare => Ok(()),
    }
}

/// Reads a schema. Its errors are the result of this command, so they go to the output.
fn read(args: &Args, path: &Path, options: &Options, out: &mut Output) -> anyhow::Result<Compiled> {
    match gannet_codecs::open(path, options) {
        Ok(compiled) => Ok(compiled),
        Err(OpenError::Refused { report, .. }) => {
            show(args, &report, out)?;
            if !args.json {
                out.line(format_args!("{}: refused", path.display()))?;
            }
            Err(Unsuccessful.into())
        }
        Err(error) => Err(error.into()),
    }
}

fn show(args: &Args, report: &Report, out: &mut Output) -> Outcome {
    if args.json { out.bytes(report.to_json_lines().as_bytes()) } else { out.foreign_lines(&report.to_string()) }
}
