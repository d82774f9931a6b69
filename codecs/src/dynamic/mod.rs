//! Decodes and encodes messages by a schema, without generated code: bytes to values, JSON or text, and values to
//! bytes. It serves tools, tests, and programs that learn a schema at run time. It trusts no byte: whatever a message
//! contains, the result is a value or an error.

mod decode;
mod encode;
mod official;
mod to_json;
mod to_text;
mod value;
mod visitor;

use crate::schema::{Composite, Message, Number, Schema};

pub use decode::{DecodeError, walk};
pub use encode::{EncodeError, encode};
pub use official::official_json;
pub use to_text::shown_name;
pub use value::{Value, to_value};
pub use visitor::{Kind, Leaf, Visitor};

/// The header in front of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The length in bytes of the block that the writer sent.
    pub block_length: u32,
    /// The id of the message.
    pub template_id: u32,
    /// The id of the schema.
    pub schema_id: u32,
    /// The version of the schema that the writer used.
    pub version: u32,
}

/// A message found in bytes: its definition in the schema, its header, and the bytes behind the header.
#[derive(Clone, Copy, Debug)]
pub struct Found<'s, 'b> {
    /// The schema.
    pub schema: &'s Schema,
    /// The message's definition.
    pub message: &'s Message,
    /// The message's header.
    pub header: Header,
    /// All bytes behind the header, including those after the message.
    pub body: &'b [u8],
}

impl Header {
    /// Reads the header at the start of `bytes`, by the schema's header composite.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Truncated`] when the bytes are too few.
    pub fn read(schema: &Schema, bytes: &[u8]) -> Result<Self, DecodeError> {
        let member = |name| {
            member_value(&schema.header, name, bytes, schema).ok_or_else(|| DecodeError::truncated("message header"))
        };
        Ok(Self {
            block_length: member("blockLength")?,
            template_id: member("templateId")?,
            schema_id: member("schemaId")?,
            version: member("version")?,
        })
    }
}

impl<'s, 'b> Found<'s, 'b> {
    /// Reads the header at the start of `bytes`, checks the schema's id and looks up the message.
    ///
    /// # Errors
    ///
    /// There are too few bytes, or the header names another schema, a template id that the schema does not have, or a
    /// version that did not have the message yet.
    pub fn new(schema: &'s Schema, bytes: &'b [u8]) -> Result<Self, DecodeError> {
        let header = Header::read(schema, bytes)?;
        if header.schema_id != schema.id {
            return Err(DecodeError::OtherSchema { found: header.schema_id, expected: schema.id });
        }
        let message = schema.message(header.template_id).ok_or(DecodeError::UnknownTemplate(header.template_id))?;
        let since = message.notes.since;
        if header.version < since {
            return Err(DecodeError::OlderVersion { what: message.name.clone(), found: header.version, since });
        }
        let body =
            bytes.get(schema.header.length as usize..).ok_or_else(|| DecodeError::truncated("message header"))?;
        Ok(Self { schema, message, header, body })
    }

    /// Shows the message to a visitor. Returns how many bytes of the body belong to the message.
    ///
    /// # Errors
    ///
    /// The bytes end before the message does.
    pub fn visit(&self, visitor: &mut impl Visitor) -> Result<usize, DecodeError> {
        walk(self.schema, self.message, &self.header, self.body, visitor)
    }

    /// The message's values, by name.
    ///
    /// # Errors
    ///
    /// The bytes end before the message does.
    pub fn to_value(&self) -> Result<Value, DecodeError> {
        to_value(self)
    }

    /// The message as one line of JSON. An unknown enum value is a number, an absent value is `null`, bytes that are
    /// not text are `{"$hex":"…"}`, and fields that the writer's version did not have are left out.
    ///
    /// ```
    /// use gannet_codecs::dynamic::Found;
    /// use gannet_codecs::schema::{Options, compile_text};
    ///
    /// let xml = r#"<messageSchema package="p" id="1"><types><composite name="messageHeader">
    ///   <type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/>
    ///   <type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/></composite></types>
    ///   <message name="Tick" id="7"><field name="price" id="1" type="int32"/></message></messageSchema>"#;
    /// let schema = compile_text("tick.xml", xml, &Options::default())?.schema;
    /// let bytes = [4, 0, 7, 0, 1, 0, 0, 0, 42, 0, 0, 0];
    /// assert_eq!(Found::new(&schema, &bytes)?.to_json()?, r#"{"price":42}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The bytes end before the message does.
    pub fn to_json(&self) -> Result<String, DecodeError> {
        let mut out = String::new();
        self.append_json(&mut out)?;
        Ok(out)
    }

    /// Appends what [`Self::to_json`] returns, and returns how many bytes of the body belong to the message.
    ///
    /// # Errors
    ///
    /// The bytes end before the message does. `out` then contains what was read until then.
    pub fn append_json(&self, out: &mut String) -> Result<usize, DecodeError> {
        to_json::append(self, out)
    }

    /// Appends the message as one line of text for people. Values have names, absent values are shown as "none", a set
    /// shows the choices that are taken, and fields that the writer's version did not have are left out. Returns how
    /// many bytes of the body belong to the message.
    ///
    /// # Errors
    ///
    /// The bytes end before the message does. `out` then contains what was read until then.
    pub fn append_text(&self, out: &mut String) -> Result<usize, DecodeError> {
        to_text::append(self, out)
    }

    /// The message as the printer of the official tool, version 1.35, shows it, including that printer's faults. For
    /// comparisons.
    ///
    /// # Errors
    ///
    /// The bytes end before the message does.
    pub fn to_official_json(&self) -> Result<String, DecodeError> {
        official_json(self)
    }
}

/// The value of a member of a header or of a group's dimensions. An invalid number, such as a negative one, becomes the
/// greatest number: no buffer has a block, count or data of that length, and no schema has that id.
fn member_value(composite: &Composite, name: &str, bytes: &[u8], schema: &Schema) -> Option<u32> {
    let (member, encoding) = composite.number(name)?;
    let number = match encoding.fixed() {
        Some(number) => number,
        None => encoding.primitive.read(bytes.get(member.offset as usize..)?, schema.byte_order)?,
    };
    match number {
        Number::Int(value) => Some(u32::try_from(value).unwrap_or(u32::MAX)),
        Number::Float(_) => None,
    }
}
