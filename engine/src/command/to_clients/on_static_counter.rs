//! ON_STATIC_COUNTER: a static counter was found or created.

use crate::command::layout::{Body, Found, I32, I64, MalformedCommand};
use crate::types::{CorrelationId, CounterId};

const CORRELATION_ID: I64 = I64::at(0, "correlation id");
const COUNTER_ID: I32 = I32::at(CORRELATION_ID.end(), "counter id");
const _: () = assert!(COUNTER_ID.end() == 12);

/// The body of ON_STATIC_COUNTER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnStaticCounter {
    /// The command's correlation id. The counter has the registration id in the command.
    pub correlation_id: CorrelationId,
    /// The counter's id.
    pub counter_id: CounterId,
}

impl<'a> Body<'a> for OnStaticCounter {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        Ok(Self {
            correlation_id: CorrelationId::new(CORRELATION_ID.load(found)?),
            counter_id: CounterId::new(COUNTER_ID.load(found)?),
        })
    }

    fn encoded_length(&self) -> usize {
        COUNTER_ID.end()
    }

    fn store(&self, bytes: &mut [u8]) {
        CORRELATION_ID.store(bytes, self.correlation_id.get());
        COUNTER_ID.store(bytes, self.counter_id.get());
    }
}
