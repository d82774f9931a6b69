//! CLIENT_CLOSE: a client closes and releases all its resources. The driver does not respond.

use super::{HEADER_END, load_header, store_header};
use crate::command::layout::{Body, Found, MalformedCommand};
use crate::types::{ClientId, CorrelationId};

/// The body of CLIENT_CLOSE.
///
/// A client stops storing its heartbeat before it sends this, because a later store would undo the close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientClose {
    /// The client that closes.
    pub client_id: ClientId,
    /// -1, because there is no response.
    pub correlation_id: CorrelationId,
}

impl ClientClose {
    /// The command with the correlation id -1.
    pub const fn new(client_id: ClientId) -> Self {
        Self { client_id, correlation_id: CorrelationId::new(-1) }
    }
}

impl<'a> Body<'a> for ClientClose {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let (client_id, correlation_id) = load_header(found)?;
        Ok(Self { client_id, correlation_id })
    }

    fn encoded_length(&self) -> usize {
        HEADER_END
    }

    fn store(&self, bytes: &mut [u8]) {
        store_header(bytes, self.client_id, self.correlation_id);
    }
}
