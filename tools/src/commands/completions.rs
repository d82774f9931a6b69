//! `gannet completions`: shell completions for the command.

use clap::Command;
use clap_complete::{Shell, generate};

use crate::cli::{Outcome, Output};

/// Print completions for a shell
///
/// Put one of these into the file that the shell reads when it starts: `source <(gannet completions bash)`, or `gannet
/// completions fish | source`. For zsh, write the output to a file `_gannet` in a folder of its `fpath`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Runs the command. `gannet` is the definition of the whole command line.
pub(crate) fn run(args: &Args, mut gannet: Command, out: &mut Output) -> Outcome {
    let mut script = Vec::new();
    let name = gannet.get_name().to_owned();
    generate(args.shell, &mut gannet, name, &mut script);
    out.bytes(&script)
}
