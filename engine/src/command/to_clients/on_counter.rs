//! ON_COUNTER_READY and ON_UNAVAILABLE_COUNTER: a counter is ready, or is about to be freed.

use crate::command::layout::{Body, Found, I32, I64, MalformedCommand};
use crate::types::{CounterId, RegistrationId};

const REGISTRATION_ID: I64 = I64::at(0, "registration id");
const COUNTER_ID: I32 = I32::at(REGISTRATION_ID.end(), "counter id");
const _: () = assert!(COUNTER_ID.end() == 12);

/// The body of ON_COUNTER_READY and ON_UNAVAILABLE_COUNTER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnCounter {
    /// The counter's registration id: the correlation id of the command that added it. For a client's heartbeat, the
    /// client id.
    pub registration_id: RegistrationId,
    /// The counter's id.
    pub counter_id: CounterId,
}

impl<'a> Body<'a> for OnCounter {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        Ok(Self {
            registration_id: RegistrationId::new(REGISTRATION_ID.load(found)?),
            counter_id: CounterId::new(COUNTER_ID.load(found)?),
        })
    }

    fn encoded_length(&self) -> usize {
        COUNTER_ID.end()
    }

    fn store(&self, bytes: &mut [u8]) {
        REGISTRATION_ID.store(bytes, self.registration_id.get());
        COUNTER_ID.store(bytes, self.counter_id.get());
    }
}
