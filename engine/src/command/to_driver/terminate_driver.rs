//! TERMINATE_DRIVER: a client asks the driver to stop. Never answered; the driver's validator decides.

use super::{HEADER_END, load_header, store_header};
use crate::command::layout::{Body, Found, MalformedCommand, Prefixed};
use crate::types::{ClientId, CorrelationId};

const TOKEN: Prefixed = Prefixed::at(HEADER_END, "token");
const _: () = assert!(TOKEN.end(0) == 20);

/// The body of TERMINATE_DRIVER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminateDriver<'a> {
    /// Who asks.
    pub client_id: ClientId,
    /// Of no meaning: nothing is answered.
    pub correlation_id: CorrelationId,
    /// What the driver's validator judges; any bytes.
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
