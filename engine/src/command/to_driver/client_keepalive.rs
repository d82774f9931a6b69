//! CLIENT_KEEPALIVE: a client reports that it is alive. Clients of this version do not send it, but a driver accepts
//! it.

use super::{HEADER_END, load_header, store_header};
use crate::command::layout::{Body, Found, MalformedCommand};
use crate::types::{ClientId, CorrelationId};

/// The body of CLIENT_KEEPALIVE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientKeepalive {
    /// The client that is alive.
    pub client_id: ClientId,
    /// Unused, because there is no response.
    pub correlation_id: CorrelationId,
}

impl<'a> Body<'a> for ClientKeepalive {
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
