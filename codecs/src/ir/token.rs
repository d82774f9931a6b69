//! The tokens of the intermediate representation: one schema as flat lists, nested by pairs of signals. Made from a
//! schema or read from a file. This file checks no rules.

use crate::schema::{ByteOrder, Presence, Primitive};

/// A schema as the official tool passes it between its parts: one list of tokens for the header, and one for each
/// message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ir {
    /// The schema's id.
    pub id: i32,
    /// The schema's version.
    pub version: i32,
    /// The schema's package.
    pub package: String,
    /// The package for generated code, if it differs from the schema's.
    pub namespace: Option<String>,
    /// The version of the application layer.
    pub semantic_version: Option<String>,
    /// The composite in front of every message.
    pub header: Vec<Token>,
    /// The messages, each from its begin token to its end token.
    pub messages: Vec<Vec<Token>>,
}

/// One token. An end token repeats the attributes of its begin token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// What the token is.
    pub signal: Signal,
    /// The name in the schema. For a type used through a `ref`, the name of the reference.
    pub name: String,
    /// The name of the type that the `ref` refers to.
    pub referenced_name: Option<String>,
    /// The package of the enclosing `types`.
    pub package: Option<String>,
    /// The description in the schema.
    pub description: Option<String>,
    /// The id of a message, field, group or data; -1 for anything else.
    pub id: i32,
    /// The schema version that introduced it.
    pub version: i32,
    /// The schema version that deprecated it; 0 for not deprecated.
    pub deprecated: i32,
    /// Length on the wire in bytes; -1 for a length that varies by message.
    pub encoded_length: i32,
    /// Offset in bytes from the start of the block or composite; -1 for what has no fixed offset.
    pub offset: i32,
    /// Whether the value is required, optional or constant.
    pub presence: Presence,
    /// The primitive type of the value.
    pub primitive: Option<Primitive>,
    /// The byte order of the value.
    pub byte_order: ByteOrder,
    /// The value of a constant, of an enum's value or of a choice (its bit), or `Enum.Value` for a field. Little-endian
    /// whatever the schema's byte order; empty for none.
    pub constant: Vec<u8>,
    /// The least value, in the same form.
    pub min: Vec<u8>,
    /// The greatest value, in the same form.
    pub max: Vec<u8>,
    /// The value that means "none", in the same form.
    pub null: Vec<u8>,
    /// The character encoding of text.
    pub character_encoding: Option<String>,
    /// The epoch from which a time is counted.
    pub epoch: Option<String>,
    /// The unit of a time.
    pub time_unit: Option<String>,
    /// The FIX data type or meaning.
    pub semantic_type: Option<String>,
}

impl Token {
    /// Creates a token with only a signal and a name.
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

    /// The name of the type that the token declares, without regard to a `ref`.
    pub(super) fn type_name(&self) -> &str {
        self.referenced_name.as_deref().unwrap_or(&self.name)
    }
}

/// What a token begins, ends or declares.
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
    /// All signals, each at the index of its code less one.
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

    /// The signal that ends what this one begins. `None` if it begins nothing.
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

    /// Whether this signal ends something.
    pub(super) fn is_end(self) -> bool {
        Self::ALL.iter().any(|signal| signal.end() == Some(self))
    }
}

/// For each token, how many tokens there are to the end of what it begins, the token itself and the end included. An
/// end has the number of its begin, and any other token has 1. Returns the index of the token that shows the error if
/// an end is missing or belongs to another begin.
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
