//! Options of code generation.

/// How code is generated.
#[derive(Clone, Debug)]
pub struct Options {
    /// The path by which generated code finds the runtime crate.
    pub runtime: String,
    /// Whether to generate owned forms of messages too: structs that outlive the bytes they were read from. They need
    /// the runtime crate's feature `alloc`.
    pub owned: bool,
    /// Whether owned forms and the types of fields implement serde's traits. They need the runtime crate's feature
    /// `serde`.
    pub serde: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { runtime: "::gannet_codecs_runtime".to_owned(), owned: false, serde: false }
    }
}
