//! The tokens of the intermediate representation: one schema as flat lists, nested by pairs of signals. Made from a schema
//! or read from a file; holds no rules.

use crate::schema::{ByteOrder, Presence, Primitive};

/// A schema as the official tool passes it between its parts: a list of tokens for the header, and one for each message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ir {
    /// The schema's id.
    pub id: i32,
    /// The schema's version.
    pub version: i32,
    /// The schema's package.
    pub package: String,
    /// The package that generated code was wanted in instead, if another.
    pub namespace: Option<String>,
    /// The version of the application layer.
    pub semantic_version: Option<String>,
    /// The composite in front of every message.
    pub header: Vec<Token>,
    /// The messages, each from its begin to its end.
    pub messages: Vec<Vec<Token>>,
}

/// One token. An end token repeats what its begin token says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// What the token is.
    pub signal: Signal,
    /// The name in the schema; for a type reached by a `ref`, the reference's.
    pub name: String,
    /// The name of the type that a `ref` reaches.
    pub referenced_name: Option<String>,
    /// The package of the enclosing `types`.
    pub package: Option<String>,
    /// What the schema says of it.
    pub description: Option<String>,
    /// The id of a message, field, group or data; -1 for anything else.
    pub id: i32,
    /// The schema version that introduced it.
    pub version: i32,
    /// The schema version that deprecated it; 0 for not deprecated.
    pub deprecated: i32,
    /// Bytes on the wire; -1 for as many as a message says.
    pub encoded_length: i32,
    /// Bytes from the start of the block or the composite; -1 for what has no fixed place.
    pub offset: i32,
    /// Whether there may be none, or always the same.
    pub presence: Presence,
    /// What it is made of.
    pub primitive: Option<Primitive>,
    /// The order of its bytes.
    pub byte_order: ByteOrder,
    /// The value of a constant, of an enum's value, of a choice (the bit), or `Enum.Value` of a field: little-endian
    /// whatever the schema's order; empty for none.
    pub constant: Vec<u8>,
    /// The least value, likewise.
    pub min: Vec<u8>,
    /// The greatest value, likewise.
    pub max: Vec<u8>,
    /// The value that says "none", likewise.
    pub null: Vec<u8>,
    /// The character encoding of text.
    pub character_encoding: Option<String>,
    /// From when time is counted.
    pub epoch: Option<String>,
    /// In what time is counted.
    pub time_unit: Option<String>,
    /// The FIX data type or meaning.
    pub semantic_type: Option<String>,
}

impl Token {
    /// A token with nothing but a signal and a name.
    pub(super) fn new(signal: Signal, name: &str) -> Self {
        Self {
            signal,
            name: name.to_owned(),
            referenced_name: None,
            package: None,
            description: None,
            id: -1,
            version: 0,
            deprecated: 0,
            encoded_length: 0,
            offset: 0,
            presence: Presence::Required,
            primitive: None,
            byte_order: ByteOrder::LittleEndian,
            constant: Vec::new(),
            min: Vec::new(),
            max: Vec::new(),
            null: Vec::new(),
            character_encoding: None,
            epoch: None,
            time_unit: None,
            semantic_type: None,
        }
    }

    /// The name of the type that the token declares, whatever a `ref` calls it.
    pub(super) fn type_name(&self) -> &str {
        self.referenced_name.as_deref().unwrap_or(&self.name)
    }
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are SBE's")]
pub enum Signal {
    BeginMessage,
    EndMessage,
    BeginComposite,
    EndComposite,
    BeginField,
    EndField,
    BeginGroup,
    EndGroup,
    BeginEnum,
    ValidValue,
    EndEnum,
    BeginSet,
    Choice,
    EndSet,
    BeginVarData,
    EndVarData,
    Encoding,
}

impl Signal {
    /// All of them, each at its code less one.
    pub(super) const ALL: [Self; 17] = [
        Self::BeginMessage,
        Self::EndMessage,
        Self::BeginComposite,
        Self::EndComposite,
        Self::BeginField,
        Self::EndField,
        Self::BeginGroup,
        Self::EndGroup,
        Self::BeginEnum,
        Self::ValidValue,
        Self::EndEnum,
        Self::BeginSet,
        Self::Choice,
        Self::EndSet,
        Self::BeginVarData,
        Self::EndVarData,
        Self::Encoding,
    ];

    /// The signal that ends what this one begins.
    pub(super) fn end(self) -> Option<Self> {
        Some(match self {
            Self::BeginMessage => Self::EndMessage,
            Self::BeginComposite => Self::EndComposite,
            Self::BeginField => Self::EndField,
            Self::BeginGroup => Self::EndGroup,
            Self::BeginEnum => Self::EndEnum,
            Self::BeginSet => Self::EndSet,
            Self::BeginVarData => Self::EndVarData,
            _ => return None,
        })
    }

    /// Whether it ends something.
    pub(super) fn is_end(self) -> bool {
        Self::ALL.iter().any(|signal| signal.end() == Some(self))
    }
}

/// How many tokens from each token to the end of what it begins, itself and the end included; an end has its begin's
/// number, and any other token has 1. Where an end is missing or is another's, the index of the token that shows it.
pub(super) fn spans(tokens: &[Token]) -> Result<Vec<usize>, usize> {
    let mut spans = vec![1; tokens.len()];
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.signal.end().is_some() {
            open.push(at);
        } else if token.signal.is_end() {
            let begin =
                open.pop().filter(|&begin: &usize| tokens[begin].signal.end() == Some(token.signal)).ok_or(at)?;
            spans[begin] = at - begin + 1;
            spans[at] = at - begin + 1;
        }
    }
    match open.pop() {
        Some(begin) => Err(begin),
        None => Ok(spans),
    }
}
