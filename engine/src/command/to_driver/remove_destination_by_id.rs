//! REMOVE_DESTINATION_BY_ID: a client removes a destination of a publication by the id under which it was added.

use super::{HEADER_END, load_header, store_header};
use crate::command::layout::{Body, Found, I64, MalformedCommand};
use crate::types::{ClientId, CorrelationId, RegistrationId};

const REGISTRATION_ID: I64 = I64::at(HEADER_END, "resource registration id");
const DESTINATION_REGISTRATION_ID: I64 = I64::at(REGISTRATION_ID.end(), "destination registration id");
const _: () = assert!(DESTINATION_REGISTRATION_ID.end() == 32);

/// The body of REMOVE_DESTINATION_BY_ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveDestinationById {
    /// The client that sends the command.
    pub client_id: ClientId,
    /// The command's correlation id.
    pub correlation_id: CorrelationId,
    /// The publication's registration id.
    pub registration_id: RegistrationId,
    /// The destination's registration id: the correlation id of the command that added it.
    pub destination_registration_id: RegistrationId,
}

impl<'a> Body<'a> for RemoveDestinationById {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let (client_id, correlation_id) = load_header(found)?;
        let registration_id = RegistrationId::new(REGISTRATION_ID.load(found)?);
        let destination_registration_id = RegistrationId::new(DESTINATION_REGISTRATION_ID.load(found)?);
        Ok(Self { client_id, correlation_id, registration_id, destination_registration_id })
    }

    fn encoded_length(&self) -> usize {
        DESTINATION_REGISTRATION_ID.end()
    }

    fn store(&self, bytes: &mut [u8]) {
        store_header(bytes, self.client_id, self.correlation_id);
        REGISTRATION_ID.store(bytes, self.registration_id.get());
        DESTINATION_REGISTRATION_ID.store(bytes, self.destination_registration_id.get());
    }
}
