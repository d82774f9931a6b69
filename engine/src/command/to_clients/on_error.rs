//! ON_ERROR: a command failed.

use crate::command::layout::{Body, Found, I32, I64, MalformedCommand, Prefixed};
use crate::command::{ErrorCode, Text};
use crate::types::CorrelationId;

const CORRELATION_ID: I64 = I64::at(0, "offending command correlation id");
const ERROR_CODE: I32 = I32::at(CORRELATION_ID.end(), "error code");
const MESSAGE: Prefixed = Prefixed::at(ERROR_CODE.end(), "error message");
const _: () = assert!(MESSAGE.start() == 12 && MESSAGE.end(0) == 16);

/// The body of ON_ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnError<'a> {
    /// The correlation id of the command that failed. For [`ErrorCode::ChannelEndpointError`], the id of a channel
    /// status counter.
    pub offending_correlation_id: CorrelationId,
    /// The error code.
    pub error_code: ErrorCode,
    /// The error message.
    pub message: Text<'a>,
}

impl<'a> Body<'a> for OnError<'a> {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let offending_correlation_id = CorrelationId::new(CORRELATION_ID.load(found)?);
        let error_code = ErrorCode::new(ERROR_CODE.load(found)?);
        let message = Text::new(MESSAGE.load(found)?);
        Ok(Self { offending_correlation_id, error_code, message })
    }

    fn encoded_length(&self) -> usize {
        MESSAGE.end(self.message.as_bytes().len())
    }

    fn store(&self, bytes: &mut [u8]) {
        CORRELATION_ID.store(bytes, self.offending_correlation_id.get());
        ERROR_CODE.store(bytes, self.error_code.get());
        MESSAGE.store(bytes, self.message.as_bytes());
    }
}
