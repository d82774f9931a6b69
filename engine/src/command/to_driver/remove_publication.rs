//! REMOVE_PUBLICATION: a client releases a publication, or revokes it.

use super::{HEADER_END, load_header, store_header};
use crate::command::layout::{Body, Found, I64, MalformedCommand, U64};
use crate::types::{ClientId, CorrelationId, RegistrationId};

const REGISTRATION_ID: I64 = I64::at(HEADER_END, "registration id");
const FLAGS: U64 = U64::at(REGISTRATION_ID.end(), "flags");
const _: () = assert!(FLAGS.end() == 32);

/// The publication is to be revoked: it ends at once, without draining.
const FLAG_REVOKE: u64 = 1;

/// The length of the command before it had flags.
const LENGTH_WITHOUT_FLAGS: usize = REGISTRATION_ID.end();
const _: () = assert!(LENGTH_WITHOUT_FLAGS == 24);

/// The body of REMOVE_PUBLICATION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovePublication {
    /// The client that sends the command.
    pub client_id: ClientId,
    /// The command's correlation id.
    pub correlation_id: CorrelationId,
    /// The publication's registration id.
    pub registration_id: RegistrationId,
    /// Whether to revoke the publication, so that subscribers lose it at once.
    pub revoke: bool,
}

impl<'a> Body<'a> for RemovePublication {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let (client_id, correlation_id) = load_header(found)?;
        let registration_id = RegistrationId::new(REGISTRATION_ID.load(found)?);
        let flags = if found.len() == LENGTH_WITHOUT_FLAGS { 0 } else { FLAGS.load(found)? };
        Ok(Self { client_id, correlation_id, registration_id, revoke: flags & FLAG_REVOKE != 0 })
    }

    fn encoded_length(&self) -> usize {
        FLAGS.end()
    }

    fn store(&self, bytes: &mut [u8]) {
        store_header(bytes, self.client_id, self.correlation_id);
        REGISTRATION_ID.store(bytes, self.registration_id.get());
        FLAGS.store(bytes, if self.revoke { FLAG_REVOKE } else { 0 });
    }
}
