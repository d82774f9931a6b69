//! Compiles schemas to Rust files in build scripts. This is the only module of the crate that writes files.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::generate::{self, GenerateError, generate};
use crate::{OpenError, open, schema};

/// Why a build script could not generate code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The schema cannot be read or is refused.
    #[error(transparent)]
    Schema(#[from] OpenError),
    /// The schema is accepted, but no code could be generated from it.
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
        /// The generated file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `OUT_DIR` is not set, so there is no folder to write to.
    #[error("`OUT_DIR` is not set: call this from a build script, or use `to`")]
    NoOutDir,
}

/// One schema that a build script compiles.
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
    /// Reads the schema from this file. A relative path starts at the crate that is built. A file whose name ends in
    /// `.sbeir` is a compiled schema; any other is XML.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), to: None, schema: schema::Options::default(), code: generate::Options::default() }
    }

    /// Sets the file to write. The default is a file in `OUT_DIR` with the schema's name and the ending `.rs`.
    #[must_use]
    pub fn to(mut self, path: impl Into<PathBuf>) -> Self {
        self.to = Some(path.into());
        self
    }

    /// Sets how the schema is read.
    #[must_use]
    pub fn schema_options(mut self, options: schema::Options) -> Self {
        self.schema = options;
        self
    }

    /// Also generates owned forms, with serde's traits if `serde` is true. The crate that is built must then enable the
    /// runtime crate's feature `alloc`, or `serde`.
    #[must_use]
    pub fn owned(mut self, serde: bool) -> Self {
        self.code.owned = true;
        self.code.serde = serde;
        self
    }

    /// Sets how the code is generated.
    #[must_use]
    pub fn code_options(mut self, options: generate::Options) -> Self {
        self.code = options;
        self
    }

    /// Compiles the schema, writes the code, and tells cargo about each file that was read and about each warning.
    /// Returns the path of the written file. A file that already has the same content is not written again.
    ///
    /// # Errors
    ///
    /// The schema cannot be read or is refused, or the code cannot be generated or written.
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
            println!("{}", told(&format!("{position}{} ({})", warning.message, warning.code)));
        }
        let text =
            generate(&compiled.schema, &code).map_err(|source| BuildError::Generate { path: path.clone(), source })?;
        let to = match to {
            Some(to) => to,
            None => {
                let folder = std::env::var_os("OUT_DIR").ok_or(BuildError::NoOutDir)?;
                Path::new(&folder).join(code_file(&path))
            }
        };
        if fs::read_to_string(&to).is_ok_and(|old| old == text) {
            return Ok(to);
        }
        fs::write(&to, text).map_err(|source| BuildError::Write { path: to.clone(), source })?;
        Ok(to)
    }
}

/// The name of the file for the code of a schema: its own name, of which only the last ending is another.
fn code_file(schema: &Path) -> OsString {
    let mut name = schema.file_stem().unwrap_or_default().to_owned();
    name.push(".rs");
    name
}

/// The line that tells cargo of a warning. A name in a schema can have line breaks, and what stands behind them would be
/// an order to cargo.
fn told(warning: &str) -> String {
    let mut line = String::from("cargo::warning=");
    for c in warning.chars() {
        if c.is_control() {
            line.extend(c.escape_unicode());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_gives_cargo_no_orders() {
        assert_eq!(told("`a\ncargo::rustc-cfg=b` is bad"), "cargo::warning=`a\\u{a}cargo::rustc-cfg=b` is bad");
    }

    #[test]
    fn versions_in_names_of_schemas_stay() {
        let names = ["schemas/orders.v1.xml", "orders.v2.sbeir", "market.xml"].map(|path| code_file(Path::new(path)));
        assert_eq!(names, ["orders.v1.rs", "orders.v2.rs", "market.rs"]);
    }
}
