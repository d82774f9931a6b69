//! ON_SUBSCRIPTION_READY: a subscription is ready. Its images are announced after this (trap 24).

use crate::command::layout::{Body, Found, I32, I64, MalformedCommand};
use crate::types::{CorrelationId, CounterId};

const CORRELATION_ID: I64 = I64::at(0, "correlation id");
const CHANNEL_STATUS_ID: I32 = I32::at(CORRELATION_ID.end(), "channel status counter id");
const _: () = assert!(CHANNEL_STATUS_ID.end() == 12);

/// The body of ON_SUBSCRIPTION_READY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnSubscriptionReady {
    /// The command's correlation id, which is the subscription's registration id.
    pub correlation_id: CorrelationId,
    /// The id of the channel status counter. [`CounterId::NONE`] for IPC and spies.
    pub channel_status_id: CounterId,
}

impl<'a> Body<'a> for OnSubscriptionReady {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        Ok(Self {
            correlation_id: CorrelationId::new(CORRELATION_ID.load(found)?),
            channel_status_id: CounterId::new(CHANNEL_STATUS_ID.load(found)?),
        })
    }

    fn encoded_length(&self) -> usize {
        CHANNEL_STATUS_ID.end()
    }

    fn store(&self, bytes: &mut [u8]) {
        CORRELATION_ID.store(bytes, self.correlation_id.get());
        CHANNEL_STATUS_ID.store(bytes, self.channel_status_id.get());
    }
}
