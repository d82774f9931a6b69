//! A schema from a file of whichever form: XML, or compiled. For tools and build scripts, which take either.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::ir::{Ir, IrError};
use crate::schema::{Compiled, Options, Report, compile_file};

/// More than any compiled schema has by orders of magnitude.
const LARGEST_FILE: u64 = 64 << 20;

/// Why a file gave no schema.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The schema is refused.
    #[error("the schema {} is refused:\n{report}", path.display())]
    Refused {
        /// The schema's file.
        path: PathBuf,
        /// What is wrong with it.
        report: Box<Report>,
    },
    /// The file is no compiled schema.
    #[error("the compiled schema {} makes no sense", path.display())]
    Ir {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: IrError,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Reads a schema: compiled if the file's name ends in `.sbeir`, else XML. A compiled one has no places and draws no
/// warnings.
///
/// # Errors
///
/// The file cannot be read, or what is in it is refused.
pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Compiled, OpenError> {
    let path = path.as_ref();
    if !is_compiled(path) {
        return compile_file(path, options)
            .map_err(|report| OpenError::Refused { path: path.to_owned(), report: Box::new(report) });
    }
    let mut bytes = Vec::new();
    // One byte more than is allowed, to see whether it is there.
    let read = File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    let read = read.and_then(|_| match bytes.len() as u64 {
        length if length > LARGEST_FILE => Err(std::io::Error::other("it is larger than 64 MiB")),
        _ => Ok(()),
    });
    read.map_err(|source| OpenError::Read { path: path.to_owned(), source })?;
    let schema = Ir::read(&bytes).and_then(|ir| ir.to_schema());
    let schema = schema.map_err(|source| OpenError::Ir { path: path.to_owned(), source })?;
    Ok(Compiled { schema, report: Report::default() })
}

/// Whether a file's name says that it holds a compiled schema.
#[must_use]
pub fn is_compiled(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sbeir"))
}
