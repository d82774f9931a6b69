//! ON_CLIENT_TIMEOUT: a client's heartbeat was too old, and the driver releases all its resources.

use crate::command::layout::{Body, Found, I64, MalformedCommand};
use crate::types::ClientId;

const CLIENT_ID: I64 = I64::at(0, "client id");
const _: () = assert!(CLIENT_ID.end() == 8);

/// The body of ON_CLIENT_TIMEOUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnClientTimeout {
    /// The client that was timed out.
    pub client_id: ClientId,
}

impl<'a> Body<'a> for OnClientTimeout {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        Ok(Self { client_id: ClientId::new(CLIENT_ID.load(found)?) })
    }

    fn encoded_length(&self) -> usize {
        CLIENT_ID.end()
    }

    fn store(&self, bytes: &mut [u8]) {
        CLIENT_ID.store(bytes, self.client_id.get());
    }
}
