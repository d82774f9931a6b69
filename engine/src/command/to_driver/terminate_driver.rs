//! TERMINATE_DRIVER: a client asks the driver to stop. The driver's validator decides. There is no response.

use super::{HEADER_END, load_header, store_header};
use crate::command::layout::{Body, Found, MalformedCommand, Prefixed};
use crate::types::{ClientId, CorrelationId};

const TOKEN: Prefixed = Prefixed::at(HEADER_END, "token");
const _: () = assert!(TOKEN.end(0) == 20);

/// The body of TERMINATE_DRIVER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminateDriver<'a> {
    /// The client that sends the command.
    pub client_id: ClientId,
    /// Unused, because there is no response.
    pub correlation_id: CorrelationId,
    /// The token that the driver's validator checks. Any bytes.
    pub token: &'a [u8],
}

impl<'a> Body<'a> for TerminateDriver<'a> {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let (client_id, correlation_id) = load_header(found)?;
        let token = TOKEN.load(found)?;
        Ok(Self { client_id, correlation_id, token })
    }

    fn encoded_length(&self) -> usize {
        TOKEN.end(self.token.len())
    }

    fn store(&self, bytes: &mut [u8]) {
        store_header(bytes, self.client_id, self.correlation_id);
        TOKEN.store(bytes, self.token);
    }
}
