//! Reads bytes as tokens, in either of the two forms. Every length, code and text is checked. Whether the tokens
//! describe a schema is checked by `to_schema`.

use super::token::{Ir, Signal, Token, spans};
use super::{Form, IrError};
use crate::schema::{ByteOrder, Presence, Primitive};

impl Ir {
    /// Reads the content of an `.sbeir` file in either form.
    ///
    /// # Errors
    ///
    /// The bytes match neither form.
    pub fn read(bytes: &[u8]) -> Result<Self, IrError> {
        Self::read_as(bytes, Form::From1_36).or_else(|later| match Self::read_as(bytes, Form::Until1_35) {
            Ok(ir) => Ok(ir),
            // An error in the frame is the same in either form.
            Err(earlier) if earlier == later => Err(earlier),
            Err(earlier) => Err(IrError::NeitherForm { later: Box::new(later), earlier: Box::new(earlier) }),
        })
    }

    /// Reads the content of an `.sbeir` file in one form.
    ///
    /// # Errors
    ///
    /// The bytes do not match that form.
    pub fn read_as(bytes: &[u8], form: Form) -> Result<Self, IrError> {
        let mut reader = Reader { bytes, at: 0 };
        let id = reader.number("the frame")?;
        let kind = reader.number("the frame")?;
        let version = reader.number("the frame")?;
        if kind != 0 {
            return Err(IrError::UnknownVersion(kind));
        }
        let package = reader.text("the package")?.unwrap_or_default();
        let namespace = reader.text("the namespace")?;
        let semantic_version = reader.text("the semantic version")?;
        let mut lists = Vec::new();
        while reader.at < bytes.len() {
            lists.push(reader.list(form)?);
        }
        let mut lists = lists.into_iter();
        let header = lists.next().ok_or(IrError::Truncated { at: bytes.len(), what: "the message header" })?;
        Ok(Self { id, version, package, namespace, semantic_version, header, messages: lists.collect() })
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize, what: &'static str) -> Result<&'b [u8], IrError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or(IrError::Truncated { at: self.bytes.len(), what })?;
        self.at += length;
        Ok(taken)
    }

    fn number(&mut self, what: &'static str) -> Result<i32, IrError> {
        let bytes = self.take(4, what)?;
        Ok(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn data(&mut self, what: &'static str) -> Result<&'b [u8], IrError> {
        let length = self.take(2, what)?;
        self.take(usize::from(u16::from_le_bytes([length[0], length[1]])), what)
    }

    /// Reads a text. `None` for an empty one: the format has no other way to express that there is none.
    fn text(&mut self, what: &'static str) -> Result<Option<String>, IrError> {
        let start = self.at + 2;
        let bytes = self.data(what)?;
        let text = std::str::from_utf8(bytes).map_err(|_| IrError::NotText { what, at: start })?;
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    /// Reads the tokens of the header or of one message, from the begin token to its end.
    fn list(&mut self, form: Form) -> Result<Vec<Token>, IrError> {
        let mut tokens: Vec<Token> = Vec::new();
        let mut open = 0_usize;
        loop {
            let token = self.token(form)?;
            if token.signal.end().is_some() {
                open += 1;
            } else if token.signal.is_end() {
                open = open.saturating_sub(1);
            }
            tokens.push(token);
            if open == 0 {
                break;
            }
        }
        match spans(&tokens) {
            Ok(_) => Ok(tokens),
            Err(at) => Err(IrError::Malformed {
                token: tokens[at].name.clone(),
                why: "has no matching begin or end".to_owned(),
            }),
        }
    }

    fn token(&mut self, form: Form) -> Result<Token, IrError> {
        const WHAT: &str = "a token";
        let [offset, encoded_length, id, version] =
            [self.number(WHAT)?, self.number(WHAT)?, self.number(WHAT)?, self.number(WHAT)?];
        // The number of tokens that belong to this one is computed instead, since early writers wrote 1 for every
        // token.
        self.number(WHAT)?;
        let at = self.at;
        let codes = self.take(4, WHAT)?;
        let unknown = |what, index: usize| IrError::UnknownCode { what, code: codes[index], at: at + index };
        let signal = usize::from(codes[0]).checked_sub(1).and_then(|index| Signal::ALL.get(index));
        let signal = *signal.ok_or_else(|| unknown("signal", 0))?;
        let primitive = match codes[1] {
            0 => None,
            code => Some(primitive(code).ok_or_else(|| unknown("primitive type", 1))?),
        };
        let byte_order = match codes[2] {
            0 => ByteOrder::LittleEndian,
            1 => ByteOrder::BigEndian,
            _ => return Err(unknown("byte order", 2)),
        };
        let presence = match codes[3] {
            0 => Presence::Required,
            1 => Presence::Optional,
            2 => Presence::Constant,
            _ => return Err(unknown("presence", 3)),
        };
        let deprecated = self.number(WHAT)?;
        Ok(Token {
            signal,
            offset,
            encoded_length,
            id,
            version,
            deprecated,
            primitive,
            byte_order,
            presence,
            name: self.text("a token's name")?.unwrap_or_default(),
            constant: self.data("a constant")?.to_vec(),
            min: self.data("a least value")?.to_vec(),
            max: self.data("a greatest value")?.to_vec(),
            null: self.data("a null value")?.to_vec(),
            character_encoding: self.text("a character encoding")?,
            epoch: self.text("an epoch")?,
            time_unit: self.text("a time unit")?,
            semantic_type: self.text("a semantic type")?,
            description: self.text("a description")?,
            referenced_name: self.text("a referenced name")?,
            package: match form {
                Form::Until1_35 => None,
                Form::From1_36 => self.text("a package")?,
            },
        })
    }
}

fn primitive(code: u8) -> Option<Primitive> {
    Primitive::ALL.into_iter().find(|&primitive| super::write::primitive_code(primitive) == code)
}
