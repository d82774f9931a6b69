//! ON_UNAVAILABLE_IMAGE: a subscription has lost an image. Not sent when the subscription itself is removed (trap 25).

use crate::command::Text;
use crate::command::layout::{Body, Found, I32, I64, MalformedCommand, Prefixed};
use crate::types::{CorrelationId, RegistrationId, StreamId};

const IMAGE_CORRELATION_ID: I64 = I64::at(0, "image correlation id");
const SUBSCRIPTION_ID: I64 = I64::at(IMAGE_CORRELATION_ID.end(), "subscription registration id");
const STREAM_ID: I32 = I32::at(SUBSCRIPTION_ID.end(), "stream id");
const CHANNEL: Prefixed = Prefixed::at(STREAM_ID.end(), "channel");
const _: () = assert!(CHANNEL.start() == 20 && CHANNEL.end(0) == 24);

/// The body of ON_UNAVAILABLE_IMAGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnUnavailableImage<'a> {
    /// The image's id, as it was announced.
    pub image_correlation_id: CorrelationId,
    /// The registration id of the subscription.
    pub subscription_registration_id: RegistrationId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The channel.
    pub channel: Text<'a>,
}

impl<'a> Body<'a> for OnUnavailableImage<'a> {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        Ok(Self {
            image_correlation_id: CorrelationId::new(IMAGE_CORRELATION_ID.load(found)?),
            subscription_registration_id: RegistrationId::new(SUBSCRIPTION_ID.load(found)?),
            stream_id: StreamId::new(STREAM_ID.load(found)?),
            channel: Text::new(CHANNEL.load(found)?),
        })
    }

    fn encoded_length(&self) -> usize {
        CHANNEL.end(self.channel.as_bytes().len())
    }

    fn store(&self, bytes: &mut [u8]) {
        IMAGE_CORRELATION_ID.store(bytes, self.image_correlation_id.get());
        SUBSCRIPTION_ID.store(bytes, self.subscription_registration_id.get());
        STREAM_ID.store(bytes, self.stream_id.get());
        CHANNEL.store(bytes, self.channel.as_bytes());
    }
}
