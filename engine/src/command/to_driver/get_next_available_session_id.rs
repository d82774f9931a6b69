//! GET_NEXT_AVAILABLE_SESSION_ID: a client asks for a session id that no publication of the stream uses.

use super::{HEADER_END, load_header, store_header};
use crate::command::layout::{Body, Found, I32, MalformedCommand};
use crate::types::{ClientId, CorrelationId, StreamId};

const STREAM_ID: I32 = I32::at(HEADER_END, "stream id");
const _: () = assert!(STREAM_ID.end() == 20);

/// The body of GET_NEXT_AVAILABLE_SESSION_ID. Requires a driver with control protocol 1.0.0 or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetNextAvailableSessionId {
    /// The client that sends the command.
    pub client_id: ClientId,
    /// The command's correlation id.
    pub correlation_id: CorrelationId,
    /// The stream id.
    pub stream_id: StreamId,
}

impl<'a> Body<'a> for GetNextAvailableSessionId {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let (client_id, correlation_id) = load_header(found)?;
        let stream_id = StreamId::new(STREAM_ID.load(found)?);
        Ok(Self { client_id, correlation_id, stream_id })
    }

    fn encoded_length(&self) -> usize {
        STREAM_ID.end()
    }

    fn store(&self, bytes: &mut [u8]) {
        store_header(bytes, self.client_id, self.correlation_id);
        STREAM_ID.store(bytes, self.stream_id.get());
    }
}
