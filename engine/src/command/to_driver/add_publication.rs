//! ADD_PUBLICATION and ADD_EXCLUSIVE_PUBLICATION: a client asks for a publication. The driver answers with its log.

use super::{HEADER_END, load_header, store_header};
use crate::command::Text;
use crate::command::layout::{Body, Found, I32, MalformedCommand, Prefixed};
use crate::types::{ClientId, CorrelationId, StreamId};

const STREAM_ID: I32 = I32::at(HEADER_END, "stream id");
const CHANNEL: Prefixed = Prefixed::at(STREAM_ID.end(), "channel");
const _: () = assert!(CHANNEL.end(0) == 24);

/// The body of ADD_PUBLICATION and ADD_EXCLUSIVE_PUBLICATION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddPublication<'a> {
    /// The client that sends the command.
    pub client_id: ClientId,
    /// The command's correlation id, which becomes the registration id.
    pub correlation_id: CorrelationId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The channel, verbatim.
    pub channel: Text<'a>,
}

impl<'a> Body<'a> for AddPublication<'a> {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let (client_id, correlation_id) = load_header(found)?;
        let stream_id = StreamId::new(STREAM_ID.load(found)?);
        let channel = Text::new(CHANNEL.load(found)?);
        Ok(Self { client_id, correlation_id, stream_id, channel })
    }

    fn encoded_length(&self) -> usize {
        CHANNEL.end(self.channel.as_bytes().len())
    }

    fn store(&self, bytes: &mut [u8]) {
        store_header(bytes, self.client_id, self.correlation_id);
        STREAM_ID.store(bytes, self.stream_id.get());
        CHANNEL.store(bytes, self.channel.as_bytes());
    }
}
