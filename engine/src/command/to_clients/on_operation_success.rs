//! ON_OPERATION_SUCCESS: a command that creates nothing, such as a removal, succeeded.

use crate::command::layout::{Body, Found, I64, MalformedCommand};
use crate::types::CorrelationId;

const CORRELATION_ID: I64 = I64::at(0, "correlation id");
const _: () = assert!(CORRELATION_ID.end() == 8);

/// The body of ON_OPERATION_SUCCESS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnOperationSuccess {
    /// The command's correlation id.
    pub correlation_id: CorrelationId,
}

impl<'a> Body<'a> for OnOperationSuccess {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        Ok(Self { correlation_id: CorrelationId::new(CORRELATION_ID.load(found)?) })
    }

    fn encoded_length(&self) -> usize {
        CORRELATION_ID.end()
    }

    fn store(&self, bytes: &mut [u8]) {
        CORRELATION_ID.store(bytes, self.correlation_id.get());
    }
}
