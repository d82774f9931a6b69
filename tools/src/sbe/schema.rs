//! Reading a schema as the command line asks for it. Says what is wrong with one; whoever asked decides what is printed.

use std::path::{Path, PathBuf};

use gannet_codecs::schema::{Compiled, Options};
use gannet_codecs::{OpenError, open};

/// How schemas are read.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SchemaFlags {
    /// The folder that the schema's includes must stay in [default: the folder of the schema]
    #[arg(long, value_name = "DIR")]
    include_root: Option<PathBuf>,
}

impl SchemaFlags {
    /// What the compiler is told.
    pub(crate) fn options(&self) -> Options {
        Options { include_root: self.include_root.clone(), ..Options::default() }
    }

    /// Reads a schema in XML or compiled.
    pub(crate) fn open(&self, path: &Path) -> Result<Compiled, OpenError> {
        open(path, &self.options())
    }
}
