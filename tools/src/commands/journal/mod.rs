//! `gannet journal`: journals and recordings of archives, inspected from outside. One file per subcommand; this file
//! has what they share. Only `append`, `cursors`, `reindex`, `prune` and `repair` write anything. Each of those is safe
//! on a journal in use, or refuses to run.

mod append;
mod cat;
mod cursors;
mod cycle;
mod describe;
mod export;
mod field;
mod find;
mod ls;
mod messages;
mod prune;
mod reading;
mod reindex;
mod repair;
mod tail;
mod verify;

use std::path::PathBuf;

use anyhow::Context as _;
use gannet::journal::Recording;
use gannet::types::RecordingId;

use crate::cli::{Outcome, Output, recording_id};

/// Read, search, check, append to and tidy up journals and recordings of archives
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Ls(ls::Args),
    Describe(describe::Args),
    Cat(cat::Args),
    Tail(tail::Args),
    Find(find::Args),
    Export(export::Args),
    Append(append::Args),
    Cursors(cursors::Args),
    Verify(verify::Args),
    Repair(repair::Args),
    Prune(prune::Args),
    Reindex(reindex::Args),
}

/// Runs the command.
pub(crate) fn run(args: &Args, out: &mut Output) -> Outcome {
    match &args.command {
        Command::Ls(args) => ls::run(args, out),
        Command::Describe(args) => describe::run(args, out),
        Command::Cat(args) => cat::run(args, out),
        Command::Tail(args) => tail::run(args, out),
        Command::Find(args) => find::run(args, out),
        Command::Export(args) => export::run(args, out),
        Command::Append(args) => append::run(args, out),
        Command::Cursors(args) => cursors::run(args, out),
        Command::Verify(args) => verify::run(args, out),
        Command::Repair(args) => repair::run(args, out),
        Command::Prune(args) => prune::run(args, out),
        Command::Reindex(args) => reindex::run(args, out),
    }
}

/// Which recording to look at.
#[derive(Debug, Clone, clap::Args)]
struct Source {
    /// The journal's directory, or an archive's
    #[arg(long, visible_alias = "journal", value_name = "DIR")]
    dir: PathBuf,
    /// The recording [default: the last one]
    #[arg(long, value_name = "ID", value_parser = recording_id)]
    recording: Option<i64>,
}

impl Source {
    fn id(&self) -> Option<RecordingId> {
        self.recording.map(RecordingId::new)
    }

    fn open(&self) -> anyhow::Result<Recording> {
        super::recorded::open(&self.dir, self.recording)
    }
}

/// The disk space that the files of a recording take, in bytes.
fn disk_usage(source: &Source, id: RecordingId) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    let entries = std::fs::read_dir(&source.dir).with_context(|| format!("cannot list {}", source.dir.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(&format!("{id}-")) || name.starts_with(&format!("{id}.")) {
            // A file that was removed meanwhile takes no space.
            bytes += entry.metadata().map_or(0, |metadata| metadata.blocks() * 512);
        }
    }
    Ok(bytes)
}
