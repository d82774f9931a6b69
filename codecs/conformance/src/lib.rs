//! Codecs generated when this crate is built, from every real schema beside the repository. The tests of this crate compare
//! them with golden messages and with the dynamic codec, and show with the crate of market data messages what generated code is
//! like to use.

/// Market data with owned forms, which have serde's traits.
pub mod market {
    include!(concat!(env!("OUT_DIR"), "/market.rs"));
}

/// What generated code makes of bytes: the message's JSON, and the bytes of it written again.
pub type Read = fn(&[u8]) -> Result<(String, Option<Vec<u8>>), String>;

/// One schema's codecs, whatever their types.
#[derive(Debug)]
pub struct Generated {
    /// The schema, relative to the folder of real input.
    pub schema: &'static str,
    /// Reads one message and writes it again.
    pub read: Read,
}

macro_rules! read {
    ($module:ident) => {
        |bytes| {
            let message = $module::AnyMessage::decode(bytes).map_err(|error| error.to_string())?;
            let mut buffer = vec![0xAA; bytes.len() + 4096];
            let written = message.rewrite(&mut buffer).map_err(|error| error.to_string())?;
            let rewritten = written.map(|length| {
                buffer.truncate(length);
                buffer
            });
            Ok((message.to_string(), rewritten))
        }
    };
}

/// The real schemas, where they are beside the repository.
pub mod real {
    use super::Generated;

    include!(concat!(env!("OUT_DIR"), "/all.rs"));
}

pub use real::ALL;
