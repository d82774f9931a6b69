//! ADD_COUNTER: a client asks for a counter that lives as long as the client.

use super::{HEADER_END, load_header, store_header};
use crate::command::Text;
use crate::command::layout::{Body, Found, I32, MalformedCommand, Prefixed};
use crate::types::{ClientId, CorrelationId};

const TYPE_ID: I32 = I32::at(HEADER_END, "counter type id");
const KEY: Prefixed = Prefixed::at(TYPE_ID.end(), "key");
const _: () = assert!(KEY.start() == 20 && KEY.end(0) == 24);

/// The body of ADD_COUNTER. Key and label may be longer than a counter holds; the driver truncates them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddCounter<'a> {
    /// Who asks.
    pub client_id: ClientId,
    /// What the answer repeats; the new registration id.
    pub correlation_id: CorrelationId,
    /// What kind of counter.
    pub type_id: i32,
    /// What tells it from others of its kind; any bytes.
    pub key: &'a [u8],
    /// What people are shown.
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
