//! REJECT_IMAGE: a subscriber rejects an image, and its publisher is told why.

use super::{HEADER_END, load_header, store_header};
use crate::command::Text;
use crate::command::layout::{Body, Found, I64, MalformedCommand, Prefixed};
use crate::types::{ClientId, CorrelationId, Position};

const IMAGE_CORRELATION_ID: I64 = I64::at(HEADER_END, "image correlation id");
const POSITION: I64 = I64::at(IMAGE_CORRELATION_ID.end(), "position");
const REASON: Prefixed = Prefixed::at(POSITION.end(), "reason");
const _: () = assert!(REASON.start() == 32 && REASON.end(0) == 36);

/// The minimum length that the reference's C driver accepts: its structure with one byte of text, padded to 4.
const MIN_ENCODED_LENGTH: usize = 40;

/// The body of REJECT_IMAGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectImage<'a> {
    /// The client that sends the command. The reference's C client leaves it 0.
    pub client_id: ClientId,
    /// The command's correlation id. The reference's C client leaves it 0.
    pub correlation_id: CorrelationId,
    /// The image's id.
    pub image_correlation_id: CorrelationId,
    /// The subscriber's position.
    pub position: Position,
    /// The reason for the publisher. A driver refuses more than 1023 bytes.
    pub reason: Text<'a>,
}

impl<'a> Body<'a> for RejectImage<'a> {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let (client_id, correlation_id) = load_header(found)?;
        let image_correlation_id = CorrelationId::new(IMAGE_CORRELATION_ID.load(found)?);
        let position = Position::new(POSITION.load(found)?);
        let reason = Text::new(REASON.load(found)?);
        Ok(Self { client_id, correlation_id, image_correlation_id, position, reason })
    }

    fn encoded_length(&self) -> usize {
        REASON.end(self.reason.as_bytes().len()).max(MIN_ENCODED_LENGTH)
    }

    fn store(&self, bytes: &mut [u8]) {
        store_header(bytes, self.client_id, self.correlation_id);
        IMAGE_CORRELATION_ID.store(bytes, self.image_correlation_id.get());
        POSITION.store(bytes, self.position.get());
        REASON.store(bytes, self.reason.as_bytes());
    }
}
