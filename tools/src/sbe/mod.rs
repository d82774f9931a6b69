//! Shared by the commands that take a schema: reads schemas, and splits payloads into their messages. Used by
//! `gannet sbe` and `gannet sub`.

mod decoder;
mod schema;

pub(crate) use decoder::{Decoded, Decoder, Form, Frames};
pub(crate) use schema::SchemaFlags;
