//! Why a schema has no intermediate representation, or bytes are none.

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IrError {
    /// The bytes end inside something.
    #[error("the compiled schema is cut off at byte {at}, inside {what}")]
    Truncated {
        /// Where the bytes end.
        at: usize,
        /// What is not whole.
        what: &'static str,
    },
    /// The file says that it is of a kind made by no tool known here.
    #[error("the compiled schema is of version {0}, and only version 0 is known")]
    UnknownVersion(i32),
    /// A code stands for nothing.
    #[error("the compiled schema has {what} {code} at byte {at}, which means nothing")]
    UnknownCode {
        /// What the code is of.
        what: &'static str,
        /// The code.
        code: u8,
        /// Where it is.
        at: usize,
    },
    /// Bytes that should be text are not.
    #[error("{what} at byte {at} of the compiled schema is not UTF-8")]
    NotText {
        /// What should be text.
        what: &'static str,
        /// Where it starts.
        at: usize,
    },
    /// The bytes are of neither form that tokens have had.
    #[error(
        "this is no compiled schema of either form: read as 1.36 and later write it, {later}; read as 1.35 and earlier \
         write it, {earlier}"
    )]
    NeitherForm {
        /// What is wrong with it as tokens with a package.
        later: Box<Self>,
        /// What is wrong with it as tokens without.
        earlier: Box<Self>,
    },
    /// The tokens are no schema.
    #[error("token `{token}` of the compiled schema {why}")]
    Malformed {
        /// The name that the token has.
        token: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something of the schema is too much for the format.
    #[error("{what} of `{token}` is {found}, and a compiled schema holds at most {most}")]
    TooMuch {
        /// Whose it is.
        token: String,
        /// What it is.
        what: &'static str,
        /// How much it is.
        found: u64,
        /// The most there may be.
        most: u64,
    },
}
