//! REMOVE_SUBSCRIPTION: a client releases a subscription, with all its images.

use super::{HEADER_END, load_header, store_header};
use crate::command::layout::{Body, Found, I64, MalformedCommand};
use crate::types::{ClientId, CorrelationId, RegistrationId};

const REGISTRATION_ID: I64 = I64::at(HEADER_END, "registration id");
const _: () = assert!(REGISTRATION_ID.end() == 24);

/// The body of REMOVE_SUBSCRIPTION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveSubscription {
    /// The client that sends the command.
    pub client_id: ClientId,
    /// The command's correlation id.
    pub correlation_id: CorrelationId,
    /// The subscription's registration id.
    pub registration_id: RegistrationId,
}

impl<'a> Body<'a> for RemoveSubscription {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let (client_id, correlation_id) = load_header(found)?;
        let registration_id = RegistrationId::new(REGISTRATION_ID.load(found)?);
        Ok(Self { client_id, correlation_id, registration_id })
    }

    fn encoded_length(&self) -> usize {
        REGISTRATION_ID.end()
    }

    fn store(&self, bytes: &mut [u8]) {
        store_header(bytes, self.client_id, self.correlation_id);
        REGISTRATION_ID.store(bytes, self.registration_id.get());
    }
}
