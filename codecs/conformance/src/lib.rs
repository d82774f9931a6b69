//! Codecs generated when this crate is built: from small schemas of ours, from generated schemas, and from every real
//! schema beside the repository. The tests of this crate compare them with golden messages and with the dynamic codec.
//! They also show how generated code is used, with the crate of market data messages.

/// Market data with owned forms, which implement serde's traits.
pub mod market {
    include!(concat!(env!("OUT_DIR"), "/market.rs"));
}

/// What generated code reads from a message and writes for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The message as JSON.
    pub json: String,
    /// The bytes of the message written again, or why writing failed; `None` for a message that the schema does not
    /// have.
    pub rewritten: Result<Option<Vec<u8>>, String>,
}

/// Reads a message, renders it as JSON and writes it again.
pub type Read = fn(&[u8]) -> Result<Shown, String>;

/// The codecs of one schema, behind one type for all schemas.
#[derive(Debug)]
pub struct Generated {
    /// The schema, relative to the folder of real input.
    pub schema: &'static str,
    /// Reads one message and writes it again.
    pub read: Read,
}

macro_rules! read {
    // Owned forms are read in order, with each part checked when it is reached. The result must be the same.
    ($module:ident, owned) => {
        |bytes| {
            let read: $crate::Read = read!($module);
            let (shown, owned) = (read(bytes), $module::AnyMessageOwned::decode(bytes));
            match ($module::AnyMessage::decode(bytes), &owned) {
                (Ok(message), Ok(owned)) => {
                    let checked = $module::AnyMessageOwned::from(message);
                    // Compared as text, since a NaN is not equal to itself.
                    assert_eq!(format!("{owned:?}"), format!("{checked:?}"));
                    let mut buffer = vec![0x55; owned.encoded_length()];
                    let written = owned.encode(&mut buffer).map(|written| written.map(|_| buffer));
                    let rewritten = shown.as_ref().map(|shown| shown.rewritten.clone());
                    assert_eq!(Ok(written.map_err(|error| error.to_string())), rewritten);
                }
                (Err(_), Err(_)) => {}
                (checked, in_order) => panic!("{checked:?}\n{in_order:?}\n{bytes:02x?}"),
            }
            shown
        }
    };
    ($module:ident) => {
        |bytes| {
            let message = $module::AnyMessage::decode(bytes).map_err(|error| error.to_string())?;
            // Optional parts of a later version may make the written message longer than the one that was read.
            let mut buffer = vec![0xAA; 2 * bytes.len() + 4096];
            let rewritten = message.rewrite(&mut buffer).map_err(|error| error.to_string()).map(|written| {
                written.map(|length| {
                    buffer.truncate(length);
                    buffer
                })
            });
            assert!(!format!("{message:?}").is_empty());
            Ok(Shown { json: message.to_string(), rewritten })
        }
    };
}

/// The real schemas, if they are present beside the repository.
pub mod real {
    use super::{Generated, Shown};

    include!(concat!(env!("OUT_DIR"), "/all.rs"));
}

pub use real::ALL;
