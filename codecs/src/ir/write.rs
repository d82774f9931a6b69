//! Writes tokens as bytes: a frame, then each token as a block of fixed length with its texts and values behind it.

use super::token::{Ir, Token, spans};
use super::{Form, IrError};
use crate::schema::{ByteOrder, Presence, Primitive};

/// The greatest length of a text or a value: the greatest number that its length can hold, less the one that means
/// "none".
const LONGEST_DATA: usize = 65_534;

impl Ir {
    /// Makes the content of an `.sbeir` file.
    ///
    /// # Errors
    ///
    /// A text is longer than 65,534 bytes, or begin and end tokens do not match.
    pub fn to_bytes(&self, form: Form) -> Result<Vec<u8>, IrError> {
        let mut out = Vec::new();
        for number in [self.id, 0, self.version] {
            out.extend(number.to_le_bytes());
        }
        data(&mut out, &self.package, "the package", self.package.as_bytes())?;
        data(&mut out, &self.package, "the namespace", text(self.namespace.as_ref()))?;
        data(&mut out, &self.package, "the semantic version", text(self.semantic_version.as_ref()))?;
        for tokens in std::iter::once(&self.header).chain(&self.messages) {
            let spans = spans(tokens).map_err(|at| IrError::Malformed {
                token: tokens[at].name.clone(),
                why: "has no matching begin or end".to_owned(),
            })?;
            for (token, span) in tokens.iter().zip(spans) {
                write(&mut out, token, span, form)?;
            }
        }
        Ok(out)
    }
}

fn write(out: &mut Vec<u8>, token: &Token, span: usize, form: Form) -> Result<(), IrError> {
    for number in [token.offset, token.encoded_length, token.id, token.version] {
        out.extend(number.to_le_bytes());
    }
    // The cast loses nothing: a list with more tokens than fit would not fit in memory.
    out.extend((span as i32).to_le_bytes());
    out.push(token.signal as u8 + 1);
    out.push(token.primitive.map_or(0, primitive_code));
    out.push(u8::from(token.byte_order == ByteOrder::BigEndian));
    out.push(match token.presence {
        Presence::Required => 0,
        Presence::Optional => 1,
        Presence::Constant => 2,
    });
    out.extend(token.deprecated.to_le_bytes());
    let items: [(&'static str, &[u8]); 12] = [
        ("the name", token.name.as_bytes()),
        ("the constant", &token.constant),
        ("the least value", &token.min),
        ("the greatest value", &token.max),
        ("the null value", &token.null),
        ("the character encoding", text(token.character_encoding.as_ref())),
        ("the epoch", text(token.epoch.as_ref())),
        ("the time unit", text(token.time_unit.as_ref())),
        ("the semantic type", text(token.semantic_type.as_ref())),
        ("the description", text(token.description.as_ref())),
        ("the referenced name", text(token.referenced_name.as_ref())),
        ("the package", text(token.package.as_ref())),
    ];
    let count = match form {
        Form::Until1_35 => 11,
        Form::From1_36 => 12,
    };
    for (what, bytes) in &items[..count] {
        data(out, &token.name, what, bytes)?;
    }
    Ok(())
}

pub(super) fn primitive_code(primitive: Primitive) -> u8 {
    // Codes follow the order of declaration. 0 stands for no primitive.
    primitive as u8 + 1
}

fn text(text: Option<&String>) -> &[u8] {
    text.map_or(&[], |text| text.as_bytes())
}

fn data(out: &mut Vec<u8>, token: &str, what: &'static str, bytes: &[u8]) -> Result<(), IrError> {
    if bytes.len() > LONGEST_DATA {
        return Err(IrError::TooMuch {
            token: token.chars().take(64).collect(),
            what,
            found: bytes.len() as u64,
            most: LONGEST_DATA as u64,
        });
    }
    out.extend((bytes.len() as u16).to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}
