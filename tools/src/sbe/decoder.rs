//! Decodes payloads to messages by schema. A payload may come from anyone: whatever it contains, the result is a
//! message or the reason why there is none.

use std::fmt;

use gannet_codecs::dynamic::{Found, shown_name};
use gannet_codecs::schema::Schema;

use crate::cli::{Outcome, counted, json_text};

/// Where in a payload its messages are.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Frames {
    /// Bytes before the first message of a payload, such as an exchange's packet header
    #[arg(long, value_name = "BYTES", default_value_t = 0, requires = "schema")]
    skip: usize,
    /// How the messages of a payload are divided
    #[arg(long, value_enum, default_value_t = Framing::None, requires = "schema")]
    framing: Framing,
}

/// What tells one message of a payload from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Framing {
    /// A payload is one message
    None,
    /// Each message follows its size (16 bits, little-endian), which includes these two bytes
    Cme,
    /// Each message starts where the one before ends
    BackToBack,
}

/// What a message is turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// One line per message, for people
    Text,
    /// One JSON object per message
    Json,
    /// As the printer of the official tool, version 1.35, shows it, including its faults
    Official,
}

/// A decoded message.
#[derive(Debug)]
pub(crate) struct Decoded<'d> {
    /// Its number in the payload, from 0.
    pub(crate) index: usize,
    pub(crate) schema: u32,
    /// The version of the schema that its writer used.
    pub(crate) version: u32,
    /// Whether that differs from the schema's own version.
    pub(crate) other_version: bool,
    pub(crate) template: u32,
    pub(crate) name: &'d str,
    /// The values, in the requested form.
    pub(crate) content: &'d str,
    /// Bytes of the frame after the message, which a newer writer may have added.
    pub(crate) left_over: usize,
    /// The message itself.
    pub(crate) found: Found<'d, 'd>,
}

impl Decoded<'_> {
    /// The members of the JSON object that every command prints for a message, without the braces.
    pub(crate) fn json_members(&self) -> serde_json::Result<String> {
        let name = json_text(&self.name)?;
        let left_over = if self.left_over > 0 { format!(",\"left_over\":{}", self.left_over) } else { String::new() };
        Ok(format!(
            "\"schema\":{},\"version\":{},\"template\":{},\"name\":{name},\"fields\":{}{left_over}",
            self.schema, self.version, self.template, self.content
        ))
    }

    /// The line that every command prints for a message.
    pub(crate) fn text(&self) -> String {
        let version = if self.other_version { format!(" (version {})", self.version) } else { String::new() };
        let left_over = match self.left_over {
            0 => String::new(),
            bytes => format!(" ({} left over)", counted(bytes, "byte")),
        };
        format!("{}{version} {}{left_over}", shown_name(self.name), self.content)
    }
}

/// A part of a payload that is not a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The number that the message would have.
    pub(crate) index: usize,
    why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} of the payload: {}", self.index, self.why)
    }
}

/// Decodes payloads.
pub(crate) struct Decoder {
    schema: Schema,
    frames: Frames,
    form: Form,
    content: String,
    /// The number of messages decoded.
    pub(crate) decoded: u64,
    /// The number of messages that could not be decoded.
    pub(crate) failed: u64,
}

impl Decoder {
    pub(crate) fn new(schema: Schema, frames: Frames, form: Form) -> Self {
        Self { schema, frames, form, content: String::new(), decoded: 0, failed: 0 }
    }

    /// Calls `show` with each message of a payload, and with each part that is not one. Ends early only when `show`
    /// fails.
    pub(crate) fn decode(
        &mut self,
        payload: &[u8],
        mut show: impl FnMut(Result<Decoded<'_>, Failure>) -> Outcome,
    ) -> Outcome {
        let Some(mut rest) = payload.get(self.frames.skip..) else {
            self.failed += 1;
            let why = format!("the payload has {}, and {} to skip", counted(payload.len(), "byte"), self.frames.skip);
            return show(Err(Failure { index: 0, why }));
        };
        let mut index = 0;
        // An empty payload is reported if it should be one message; with framing, a payload may have no messages.
        while !rest.is_empty() || (index == 0 && self.frames.framing == Framing::None) {
            let (bytes, after) = match self.frames.framing.first(rest) {
                Ok(parts) => parts,
                Err(why) => {
                    self.failed += 1;
                    return show(Err(Failure { index, why }));
                }
            };
            rest = after;
            match message(&self.schema, self.form, &mut self.content, bytes) {
                Ok((found, length)) => {
                    self.decoded += 1;
                    let left = bytes.len() - length;
                    // Without other framing, the next message starts where this one ends. One without a byte, of a schema
                    // whose header is constant, would be found there for ever.
                    let next = self.frames.framing == Framing::BackToBack && length > 0;
                    if next {
                        rest = &bytes[length..];
                    }
                    show(Ok(Decoded {
                        index,
                        schema: found.header.schema_id,
                        version: found.header.version,
                        other_version: found.header.version != self.schema.version,
                        template: found.header.template_id,
                        name: &found.message.name,
                        content: &self.content,
                        left_over: if next { 0 } else { left },
                        found,
                    }))?;
                }
                Err(why) => {
                    self.failed += 1;
                    show(Err(Failure { index, why }))?;
                    if self.frames.framing == Framing::BackToBack {
                        // The start of the next message is unknown.
                        return Ok(());
                    }
                }
            }
            index += 1;
        }
        Ok(())
    }
}

/// Decodes the message at the start of `bytes` into `content`. Returns its length, header included.
fn message<'s, 'b>(
    schema: &'s Schema,
    form: Form,
    content: &mut String,
    bytes: &'b [u8],
) -> Result<(Found<'s, 'b>, usize), String> {
    content.clear();
    let found = Found::new(schema, bytes).map_err(|error| error.to_string())?;
    let length = match form {
        Form::Text => found.append_text(content),
        Form::Json => found.append_json(content),
        Form::Official => found.to_official_json().and_then(|text| {
            content.push_str(&text);
            // The official form does not give the length of the message.
            found.append_json(&mut String::new())
        }),
    };
    let length = length.map_err(|error| format!("{}: {error}", shown_name(&found.message.name)))?;
    Ok((found, bytes.len() - found.body.len() + length))
}

impl Framing {
    /// The bytes of the first message, and what follows its frame.
    fn first(self, rest: &[u8]) -> Result<(&[u8], &[u8]), String> {
        if self != Self::Cme {
            return Ok((rest, &[]));
        }
        let size = rest.first_chunk().map(|&size| usize::from(u16::from_le_bytes(size)));
        let frame = size.filter(|&size| size >= 2).and_then(|size| rest.split_at_checked(size));
        let (frame, after) = frame.ok_or_else(|| match size {
            Some(size) => format!("its size is given as {size}, with {} left", counted(rest.len(), "byte")),
            None => "one byte is left, and a size has two".to_owned(),
        })?;
        Ok((&frame[2..], after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gannet_codecs::schema::{Options, compile_text};

    const TICK: &str = r#"<messageSchema package="p" id="1" version="3"><types><composite name="messageHeader">
        <type name="blockLength" primitiveType="uint16"/><type name="templateId" primitiveType="uint16"/>
        <type name="schemaId" primitiveType="uint16"/><type name="version" primitiveType="uint16"/></composite></types>
        <message name="Tick" id="7"><field name="price" id="1" type="int16"/></message></messageSchema>"#;
    const MESSAGE: [u8; 10] = [2, 0, 7, 0, 1, 0, 3, 0, 42, 0];

    fn decode(skip: usize, framing: Framing, payload: &[u8]) -> Vec<String> {
        decode_by(TICK, skip, framing, payload)
    }

    fn decode_by(xml: &str, skip: usize, framing: Framing, payload: &[u8]) -> Vec<String> {
        let schema = compile_text("tick.xml", xml, &Options::default()).expect("it is accepted").schema;
        let mut decoder = Decoder::new(schema, Frames { skip, framing }, Form::Json);
        let mut lines = Vec::new();
        let shown = decoder.decode(payload, |message| {
            lines.push(match message {
                Ok(message) => message.json_members().expect("plain data"),
                Err(failure) => failure.to_string(),
            });
            Ok(())
        });
        assert!(shown.is_ok());
        assert_eq!(decoder.decoded + decoder.failed, lines.len() as u64);
        lines
    }

    #[test]
    fn messages_are_found_in_every_framing() {
        const LINE: &str = r#""schema":1,"version":3,"template":7,"name":"Tick","fields":{"price":42}"#;
        assert_eq!(decode(0, Framing::None, &MESSAGE), [LINE]);
        assert_eq!(decode(3, Framing::None, &[&[9; 3], &MESSAGE[..]].concat()), [LINE]);
        let framed = [&[12, 0], &MESSAGE[..], &[12, 0], &MESSAGE].concat();
        assert_eq!(decode(0, Framing::Cme, &framed), [LINE, LINE]);
        assert_eq!(decode(0, Framing::BackToBack, &MESSAGE.repeat(3)), [LINE, LINE, LINE]);
        assert_eq!(decode(0, Framing::Cme, &[]), [""; 0]);
        let longer = [&MESSAGE[..], &[1, 2, 3]].concat();
        assert_eq!(decode(0, Framing::None, &longer), [format!("{LINE},\"left_over\":3")]);
    }

    #[test]
    fn a_message_s_name_does_not_act_on_the_terminal() {
        let xml = TICK.replace("Tick", "T\u{9b}2J");
        let lines = decode_by(&xml, 0, Framing::None, &MESSAGE);
        assert!(lines[0].contains("\"name\":\"T\\u009b2J\","), "{lines:?}");
    }

    /// The header is constant, so the first of them would be found again and again.
    #[test]
    fn messages_without_a_byte_come_to_an_end() {
        let constant =
            |name, value| format!("<type name='{name}' primitiveType='uint16' presence='constant'>{value}</type>");
        let header = [("blockLength", 0), ("templateId", 7), ("schemaId", 1), ("version", 0)];
        let members: String = header.map(|(name, value)| constant(name, value)).concat();
        let xml = format!(
            "<messageSchema package='p' id='1'><types><composite name='messageHeader'>{members}</composite></types>\
             <message name='Nothing' id='7'/></messageSchema>"
        );
        let schema = compile_text("nothing.xml", &xml, &Options::default()).expect("it is accepted").schema;
        let mut decoder = Decoder::new(schema, Frames { skip: 0, framing: Framing::BackToBack }, Form::Json);
        let mut left_over = Vec::new();
        let shown = decoder.decode(&[9; 3], |message| {
            assert!(left_over.is_empty(), "it is found again");
            left_over.push(message.expect("a message").left_over);
            Ok(())
        });
        assert!(shown.is_ok());
        assert_eq!(left_over, [3]);
    }

    #[test]
    fn what_is_no_message_has_a_reason_and_the_rest_goes_on() {
        let mut other = MESSAGE;
        other[2] = 8;
        let framed = [&[12, 0], &other[..], &[12, 0], &MESSAGE, &[99, 0, 1]].concat();
        let lines = decode(0, Framing::Cme, &framed);
        assert_eq!(lines[0], "message 0 of the payload: the schema has no message with template id 8");
        assert!(lines[1].contains("\"price\":42"));
        assert_eq!(lines[2], "message 2 of the payload: its size is given as 99, with 3 bytes left");
        assert!(decode(0, Framing::None, &[])[0].contains("cut off inside message header"));
        assert!(decode(0, Framing::None, &MESSAGE[..9])[0].contains("cut off inside Tick"));
        assert!(decode(0, Framing::Cme, &[1])[0].contains("one byte is left"));
        assert!(decode(0, Framing::Cme, &[0, 0, 0])[0].contains("given as 0, "));
        assert!(decode(20, Framing::None, &MESSAGE)[0].contains("20 to skip"));
        assert_eq!(decode(0, Framing::BackToBack, &framed[2..]).len(), 1);
    }
}
