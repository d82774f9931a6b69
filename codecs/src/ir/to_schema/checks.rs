//! Checks of tokens: that begins and ends match, that numbers are valid lengths, ids or versions, and that framing
//! composites can carry the values they need. Called wherever a token is read.

use crate::ir::IrError;
use crate::ir::token::{Token, spans};
use crate::schema::{self, ByteOrder, Composite, Notes, Number, Presence, Primitive};

/// The greatest length of a type or block in bytes, the same as for schemas in XML.
pub(super) const LONGEST: u32 = schema::LONGEST as u32;

/// As [`spans`], with an error that names the token.
pub(super) fn checked_spans(tokens: &[Token]) -> Result<Vec<usize>, IrError> {
    spans(tokens).map_err(|at| wrong(&tokens[at], "has no matching begin or end"))
}

/// Checks a member of a composite that frames messages, groups or data: a single integer, sent or constant. Returns its
/// primitive.
pub(super) fn framing(token: &Token, composite: &Composite, name: &str) -> Result<Primitive, IrError> {
    match composite.number(name) {
        Some((_, of)) if of.length == 1 && !of.primitive.is_float() => Ok(of.primitive),
        _ => {
            Err(wrong(token, &format!("needs a composite with a single integer `{name}`, unlike `{}`", composite.name)))
        }
    }
}

/// As [`framing`], for a member whose value differs between messages: a length or a count.
pub(super) fn sent_length(token: &Token, composite: &Composite, name: &str) -> Result<Primitive, IrError> {
    let primitive = framing(token, composite, name)?;
    let sent = composite.number(name).is_some_and(|(_, of)| of.presence != Presence::Constant);
    if !sent || primitive == Primitive::Char {
        let why = format!("needs a length or a count in `{name}` of `{}`, which is constant or a char", composite.name);
        return Err(wrong(token, &why));
    }
    Ok(primitive)
}

/// Refuses a value that a framing member cannot carry.
pub(super) fn fits(token: &Token, composite: &Composite, member: &str, value: u32) -> Result<(), IrError> {
    let Some((_, of)) = composite.number(member) else { return Ok(()) };
    match of.fixed().and_then(Number::as_int) {
        Some(fixed) if fixed != i128::from(value) => {
            Err(wrong(token, &format!("needs {value} in `{member}`, which is always {fixed}")))
        }
        None if i128::from(value) > of.primitive.range().1 => {
            Err(wrong(token, &format!("needs {value} in `{member}`, which is {}", of.primitive)))
        }
        _ => Ok(()),
    }
}

/// Reads a value. `None` for no bytes.
pub(super) fn number(token: &Token, bytes: &[u8], primitive: Primitive) -> Result<Option<Number>, IrError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let whole = bytes.len() == primitive.size() as usize;
    let number = primitive.read(bytes, ByteOrder::LittleEndian).filter(|_| whole);
    number.map(Some).ok_or_else(|| wrong(token, &format!("has a value of {} bytes for {primitive}", bytes.len())))
}

/// The description and the versions of a token.
pub(super) fn notes(token: &Token) -> Result<Notes, IrError> {
    Ok(Notes {
        description: token.description.clone(),
        since: unsigned(token, "the version", token.version)?,
        deprecated: unsigned(token, "the deprecation", token.deprecated)?,
        semantic_type: token.semantic_type.clone(),
    })
}

/// The encoded length of a token that must have one.
pub(super) fn length(token: &Token, what: &'static str) -> Result<u32, IrError> {
    length_of(token, what, token.encoded_length)
}

/// Converts a number to a length or an offset.
pub(super) fn length_of(token: &Token, what: &str, value: i32) -> Result<u32, IrError> {
    match u32::try_from(value) {
        Ok(value) if value <= LONGEST => Ok(value),
        _ => Err(wrong(token, &format!("says that {what} is {value}, which is not from 0 to {LONGEST}"))),
    }
}

/// Converts a number to an id or a version.
pub(super) fn unsigned(token: &Token, what: &str, value: i32) -> Result<u32, IrError> {
    u32::try_from(value).map_err(|_| wrong(token, &format!("says that {what} is {value}, which is negative")))
}

/// The error for a token that is wrong. `why` completes a sentence about it.
pub(super) fn wrong(token: &Token, why: &str) -> IrError {
    IrError::Malformed { token: token.name.chars().take(64).collect(), why: why.to_owned() }
}
