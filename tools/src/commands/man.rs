//! `gannet man`: manual pages, generated from the texts of the help.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Command;
use clap_mangen::{Man, generate_to};

use crate::cli::{Outcome, Output};

/// Print a manual page, or write those of all commands into a directory
///
/// Without a directory, prints the page of `gannet` itself. With one, writes a page for each command into it; man
/// looks, for example, in ~/.local/share/man/man1. `gannet-driver --man` prints the page of the driver.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to write the pages; made if it does not exist
    dir: Option<PathBuf>,
}

/// Runs the command. `gannet` is the definition of the whole command line.
pub(crate) fn run(args: &Args, gannet: Command, out: &mut Output) -> Outcome {
    // The `help` subcommand has no page.
    let gannet = gannet.disable_help_subcommand(true);
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(gannet).render(&mut page)?;
        return out.bytes(&page);
    };
    let write = || {
        std::fs::create_dir_all(dir)?;
        generate_to(gannet, dir)
    };
    write().with_context(|| format!("cannot write manual pages into {}", dir.display()))
}
