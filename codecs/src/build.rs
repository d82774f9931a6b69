//! Schemas to files of Rust, for build scripts. Reads and writes files; everything else of this crate works on what it is
//! given.

use std::fs;
use std::path::{Path, PathBuf};

use crate::generate::{self, GenerateError, generate};
use crate::{OpenError, open, schema};

/// Why a build script has no code to offer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The schema cannot be read, or is refused.
    #[error(transparent)]
    Schema(#[from] OpenError),
    /// No code came of it.
    #[error("no code came of {}", path.display())]
    Generate {
        /// The schema's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: GenerateError,
    },
    /// The code could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file of code.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no place to write to.
    #[error("`OUT_DIR` is not set: call this from a build script, or use `to`")]
    NoOutDir,
}

/// One schema to be compiled by a build script.
///
/// ```no_run
/// // build.rs
/// gannet_codecs::build::Schema::new("schemas/market.xml").generate().unwrap();
/// // and in the crate: mod market { include!(concat!(env!("OUT_DIR"), "/market.rs")); }
/// ```
#[derive(Clone, Debug)]
pub struct Schema {
    path: PathBuf,
    to: Option<PathBuf>,
    schema: schema::Options,
    code: generate::Options,
}

impl Schema {
    /// The schema in that file, relative to the crate that is built: XML, or compiled if its name ends in `.sbeir`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), to: None, schema: schema::Options::default(), code: generate::Options::default() }
    }

    /// The file to write; by default one in `OUT_DIR` with the schema's name and the ending `.rs`.
    #[must_use]
    pub fn to(mut self, path: impl Into<PathBuf>) -> Self {
        self.to = Some(path.into());
        self
    }

    /// How the schema is read.
    #[must_use]
    pub fn schema_options(mut self, options: schema::Options) -> Self {
        self.schema = options;
        self
    }

    /// Generates owned forms too, and with them serde's traits if `serde` says so. The crate that is built asks the runtime crate
    /// for its feature `alloc`, or `serde`.
    #[must_use]
    pub fn owned(mut self, serde: bool) -> Self {
        self.code.owned = true;
        self.code.serde = serde;
        self
    }

    /// How the code is generated.
    #[must_use]
    pub fn code_options(mut self, options: generate::Options) -> Self {
        self.code = options;
        self
    }

    /// Compiles the schema, writes the code, and tells cargo of every file that was read and of every warning. Returns the
    /// file that was written; it is left alone where it has the same content.
    ///
    /// # Errors
    ///
    /// The schema is refused, or the code cannot be written.
    pub fn generate(self) -> Result<PathBuf, BuildError> {
        let Self { path, to, schema, code } = self;
        // Also when the schema is refused: the next build must look again.
        println!("cargo::rerun-if-changed={}", path.display());
        let compiled = open(&path, &schema)?;
        for included in compiled.schema.sources.names().skip(1) {
            println!("cargo::rerun-if-changed={included}");
        }
        for warning in compiled.report.warnings() {
            let position = compiled.report.sources().position(warning.place);
            let position = position.map_or_else(String::new, |position| format!("{position}: "));
            println!("cargo::warning={position}{} ({})", warning.message, warning.code);
        }
        let text =
            generate(&compiled.schema, &code).map_err(|source| BuildError::Generate { path: path.clone(), source })?;
        let to = match to {
            Some(to) => to,
            None => {
                let folder = std::env::var_os("OUT_DIR").ok_or(BuildError::NoOutDir)?;
                Path::new(&folder).join(path.file_stem().unwrap_or_default()).with_extension("rs")
            }
        };
        if fs::read_to_string(&to).is_ok_and(|old| old == text) {
            return Ok(to);
        }
        fs::write(&to, text).map_err(|source| BuildError::Write { path: to.clone(), source })?;
        Ok(to)
    }
}
