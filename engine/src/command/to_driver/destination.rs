//! ADD_DESTINATION, REMOVE_DESTINATION, ADD_RCV_DESTINATION and REMOVE_RCV_DESTINATION: a client changes the addresses
//! to which a publication with manual control sends, or from which a subscription with manual control receives.

use super::{HEADER_END, load_header, store_header};
use crate::command::Text;
use crate::command::layout::{Body, Found, I64, MalformedCommand, Prefixed};
use crate::types::{ClientId, CorrelationId, RegistrationId};

const REGISTRATION_ID: I64 = I64::at(HEADER_END, "registration id");
/// Trap 20: at 24 and not realigned, so the text starts at 28.
const CHANNEL: Prefixed = Prefixed::at(REGISTRATION_ID.end(), "channel");
const _: () = assert!(CHANNEL.end(0) == 28);

/// The body of the four commands that name a destination by its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'a> {
    /// Who asks.
    pub client_id: ClientId,
    /// What the answer repeats; the new destination's registration id.
    pub correlation_id: CorrelationId,
    /// The publication or subscription.
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
