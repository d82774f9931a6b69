//! Compiles schema XML to a typed, validated model. Start with [`compile_file`]. The dynamic codec, the generator, the
//! gate and the command line work with the model that it returns.

mod attributes;
mod charset;
mod diagnostic;
mod document;
mod findings;
mod messages;
mod model;
mod names;
mod primitive;
mod resolve;
mod source;
mod xml;

use std::path::{Path, PathBuf};

pub use diagnostic::{Diagnostic, Report, Severity, codes};
pub use model::{
    Body, Choice, Composite, Constant, Data, Encoding, Enum, EnumValue, Field, Group, Member, Message, Notes, Schema,
    Set, Type,
};
pub use primitive::{ByteOrder, Number, Presence, Primitive, WriteError};
pub use source::{Place, Position, Sources};

pub(crate) use attributes::LONGEST_NAME;
pub(crate) use charset::{Charset, decode_text, encode_text};
use findings::Findings;
pub(crate) use resolve::{DEEPEST, LONGEST};

/// Options for compiling a schema.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder that included files must be inside of. `None` stands for the schema's own folder.
    pub include_root: Option<PathBuf>,
    /// Codes of the warnings that are not reported.
    pub allow: Vec<String>,
    /// Codes of the warnings that refuse the schema.
    pub deny: Vec<String>,
    /// Whether every warning that is not allowed refuses the schema.
    pub deny_warnings: bool,
}

/// An accepted schema and its warnings.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The schema.
    pub schema: Schema,
    /// The warnings.
    pub report: Report,
}

/// Compiles a schema file and the files that it includes.
///
/// # Errors
///
/// All errors of the schema, with places.
pub fn compile_file(path: impl AsRef<Path>, options: &Options) -> Result<Compiled, Report> {
    let (mut sources, mut findings) = (Sources::default(), Findings::default());
    let root = options.include_root.as_deref();
    let tree = xml::read_file(path.as_ref(), root, &mut sources, &mut findings);
    finish(&tree, sources, findings, options)
}

/// Compiles a schema that is in memory and includes nothing. `name` is the name shown in findings.
///
/// ```
/// use gannet_codecs::schema::{Options, compile_text};
///
/// let refused = compile_text("empty.xml", "<messageSchema package='x' id='1'/>", &Options::default()).unwrap_err();
/// assert!(refused.to_string().contains("there is no message header `messageHeader`"));
/// ```
///
/// # Errors
///
/// All errors of the schema, with places.
pub fn compile_text(name: &str, text: &str, options: &Options) -> Result<Compiled, Report> {
    let (mut sources, mut findings) = (Sources::default(), Findings::default());
    let tree = xml::read_text(name, text.to_owned(), &mut sources, &mut findings);
    finish(&tree, sources, findings, options)
}

fn finish(tree: &xml::Tree, sources: Sources, mut findings: Findings, options: &Options) -> Result<Compiled, Report> {
    let schema = document::resolve(tree, &mut findings);
    let mut report = findings.finish(sources);
    report
        .diagnostics
        .retain(|found| found.severity == Severity::Error || !options.allow.iter().any(|code| code == found.code));
    for found in &mut report.diagnostics {
        if options.deny_warnings || options.deny.iter().any(|code| code == found.code) {
            found.severity = Severity::Error;
        }
    }
    match schema {
        Some(mut schema) if report.errors().next().is_none() => {
            schema.sources = report.sources.clone();
            Ok(Compiled { schema, report })
        }
        _ => Err(report),
    }
}
