//! Opens a schema file in either form, XML or compiled. Used by tools and build scripts, which accept both.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::ir::{Ir, IrError};
use crate::schema::{Compiled, Options, Report, compile_file};

/// The greatest size of a compiled schema file, in bytes: larger than any real one by orders of magnitude.
const LARGEST_FILE: u64 = 64 << 20;

/// Why a schema could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The schema is refused.
    #[error("the schema {} is refused:\n{report}", path.display())]
    Refused {
        /// The path of the schema.
        path: PathBuf,
        /// The findings about it.
        report: Box<Report>,
    },
    /// The file is not a valid compiled schema.
    #[error("the compiled schema {} makes no sense", path.display())]
    Ir {
        /// The path of the file.
        path: PathBuf,
        /// The error in it.
        #[source]
        source: IrError,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: std::io::Error,
    },
}

/// Opens a schema: a compiled one if the file's name ends in `.sbeir`, else XML. A compiled schema has no places and
/// gives no warnings.
///
/// # Errors
///
/// The file cannot be read, or its content is refused.
pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Compiled, OpenError> {
    let path = path.as_ref();
    if !is_compiled(path) {
        return compile_file(path, options)
            .map_err(|report| OpenError::Refused { path: path.to_owned(), report: Box::new(report) });
    }
    let mut bytes = Vec::new();
    // One byte more than allowed, to detect a file that is too large.
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

/// Whether a file's name marks it as a compiled schema.
#[must_use]
pub fn is_compiled(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sbeir"))
}
