//! ON_NEXT_AVAILABLE_SESSION_ID: a session id that no publication of the stream uses.

use crate::command::layout::{Body, Found, I32, I64, MalformedCommand};
use crate::types::{CorrelationId, SessionId};

const CORRELATION_ID: I64 = I64::at(0, "correlation id");
const SESSION_ID: I32 = I32::at(CORRELATION_ID.end(), "session id");
const _: () = assert!(SESSION_ID.end() == 12);

/// The body of ON_NEXT_AVAILABLE_SESSION_ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnNextAvailableSessionId {
    /// The command's correlation id.
    pub correlation_id: CorrelationId,
    /// The session id.
    pub session_id: SessionId,
}

impl<'a> Body<'a> for OnNextAvailableSessionId {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        Ok(Self {
            correlation_id: CorrelationId::new(CORRELATION_ID.load(found)?),
            session_id: SessionId::new(SESSION_ID.load(found)?),
        })
    }

    fn encoded_length(&self) -> usize {
        SESSION_ID.end()
    }

    fn store(&self, bytes: &mut [u8]) {
        CORRELATION_ID.store(bytes, self.correlation_id.get());
        SESSION_ID.store(bytes, self.session_id.get());
    }
}
