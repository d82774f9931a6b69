//! What the commands that know a schema share: reading one, and taking payloads apart into its messages. Called by
//! `gannet sbe` and `gannet sub`.

mod decoder;
mod schema;

pub(crate) use decoder::{Decoded, Decoder, Form, Frames};
pub(crate) use schema::SchemaFlags;
