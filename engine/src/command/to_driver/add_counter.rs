//! ADD_COUNTER: a client asks for a counter that lives as long as the client.

use super::{HEADER_END, load_header, store_header};
use crate::command::Text;
use crate::command::layout::{Body, Found, I32, MalformedCommand, Prefixed};
use crate::types::{ClientId, CorrelationId};

const TYPE_ID: I32 = I32::at(HEADER_END, "counter type id");
const KEY: Prefixed = Prefixed::at(TYPE_ID.end(), "key");
const _: () = assert!(KEY.start() == 20 && KEY.end(0) == 24);

/// The body of ADD_COUNTER. The driver truncates a key or label that is too long for a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddCounter<'a> {
    /// The client that sends the command.
    pub client_id: ClientId,
    /// The command's correlation id, which becomes the counter's registration id.
    pub correlation_id: CorrelationId,
    /// The counter's type id.
    pub type_id: i32,
    /// The key, which identifies the counter among those of its type. Any bytes.
    pub key: &'a [u8],
    /// The label.
    pub label: Text<'a>,
}

impl<'a> Body<'a> for AddCounter<'a> {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let (client_id, correlation_id) = load_header(found)?;
        let type_id = TYPE_ID.load(found)?;
        let key = KEY.load(found)?;
        let label = Text::new(KEY.after(key.len(), "label").load(found)?);
        Ok(Self { client_id, correlation_id, type_id, key, label })
    }

    fn encoded_length(&self) -> usize {
        KEY.after(self.key.len(), "label").end(self.label.as_bytes().len())
    }

    fn store(&self, bytes: &mut [u8]) {
        store_header(bytes, self.client_id, self.correlation_id);
        TYPE_ID.store(bytes, self.type_id);
        KEY.store(bytes, self.key);
        KEY.after(self.key.len(), "label").store(bytes, self.label.as_bytes());
    }
}
