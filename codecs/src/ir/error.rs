//! Why a schema has no intermediate representation, or why bytes are not one.

/// Why an intermediate representation could not be read or made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IrError {
    /// The bytes end inside something.
    #[error("the compiled schema is cut off at byte {at}, inside {what}")]
    Truncated {
        /// The offset at which the bytes end.
        at: usize,
        /// The part that is incomplete.
        what: &'static str,
    },
    /// The file names a version of the format that is not supported.
    #[error("the compiled schema is of version {0}, and only version 0 is known")]
    UnknownVersion(i32),
    /// A code has no meaning in the format.
    #[error("the compiled schema has {what} {code} at byte {at}, which means nothing")]
    UnknownCode {
        /// What the code is for.
        what: &'static str,
        /// The code.
        code: u8,
        /// Its offset in bytes.
        at: usize,
    },
    /// Bytes that should be text are not UTF-8.
    #[error("{what} at byte {at} of the compiled schema is not UTF-8")]
    NotText {
        /// What the text is for.
        what: &'static str,
        /// The offset at which it starts.
        at: usize,
    },
    /// The bytes match neither of the two forms that tokens have had.
    #[error(
        "this is no compiled schema of either form: read as 1.36 and later write it, {later}; read as 1.35 and earlier \
         write it, {earlier}"
    )]
    NeitherForm {
        /// The error of reading them as tokens with a package.
        later: Box<Self>,
        /// The error of reading them as tokens without a package.
        earlier: Box<Self>,
    },
    /// The tokens do not describe a schema.
    #[error("token `{token}` of the compiled schema {why}")]
    Malformed {
        /// The token's name.
        token: String,
        /// What is wrong with it.
        why: String,
    },
    /// A part of the schema is too large for the format.
    #[error("{what} of `{token}` is {found}, and a compiled schema holds at most {most}")]
    TooMuch {
        /// The name of the token that it belongs to.
        token: String,
        /// The part that is too large.
        what: &'static str,
        /// Its size or value.
        found: u64,
        /// The greatest that the format can hold.
        most: u64,
    },
}
