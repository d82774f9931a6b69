//! ADD_DESTINATION, REMOVE_DESTINATION, ADD_RCV_DESTINATION and REMOVE_RCV_DESTINATION: a client changes the addresses
//! to which a publication with manual control sends, or from which a subscription with manual control receives.

use super::{HEADER_END, load_header, store_header};
use crate::command::Text;
use crate::command::layout::{Body, Found, I64, MalformedCommand, Prefixed};
use crate::types::{ClientId, CorrelationId, RegistrationId};

const REGISTRATION_ID: I64 = I64::at(HEADER_END, "registration id");
/// Trap 20: the length field is at 24, not aligned to 8, so the text starts at 28.
const CHANNEL: Prefixed = Prefixed::at(REGISTRATION_ID.end(), "channel");
const _: () = assert!(CHANNEL.end(0) == 28);

/// The body of the four commands that contain a destination's channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'a> {
    /// The client that sends the command.
    pub client_id: ClientId,
    /// The command's correlation id, which becomes the registration id of a new destination.
    pub correlation_id: CorrelationId,
    /// The registration id of the publication or subscription.
    pub registration_id: RegistrationId,
    /// The destination's channel, verbatim.
    pub channel: Text<'a>,
}

impl<'a> Body<'a> for Destination<'a> {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let (client_id, correlation_id) = load_header(found)?;
        let registration_id = RegistrationId::new(REGISTRATION_ID.load(found)?);
        let channel = Text::new(CHANNEL.load(found)?);
        Ok(Self { client_id, correlation_id, registration_id, channel })
    }

    fn encoded_length(&self) -> usize {
        CHANNEL.end(self.channel.as_bytes().len())
    }

    fn store(&self, bytes: &mut [u8]) {
        store_header(bytes, self.client_id, self.correlation_id);
        REGISTRATION_ID.store(bytes, self.registration_id.get());
        CHANNEL.store(bytes, self.channel.as_bytes());
    }
}
