//! Reads a schema as the command line specifies. Returns its errors; the caller decides what is printed.

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
    /// The options for the schema compiler.
    pub(crate) fn options(&self) -> Options {
        Options { include_root: self.include_root.clone(), ..Options::default() }
    }

    /// Opens a schema in XML or compiled form.
    pub(crate) fn open(&self, path: &Path) -> Result<Compiled, OpenError> {
        open(path, &self.options())
    }
}
