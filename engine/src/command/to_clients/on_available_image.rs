//! ON_AVAILABLE_IMAGE: a subscription has a new image. The event names the image's log.

use crate::command::Text;
use crate::command::layout::{Body, Found, I32, I64, MalformedCommand, Prefixed};
use crate::types::{CorrelationId, CounterId, RegistrationId, SessionId, StreamId};

const IMAGE_CORRELATION_ID: I64 = I64::at(0, "image correlation id");
const SESSION_ID: I32 = I32::at(IMAGE_CORRELATION_ID.end(), "session id");
const STREAM_ID: I32 = I32::at(SESSION_ID.end(), "stream id");
const SUBSCRIPTION_ID: I64 = I64::at(STREAM_ID.end(), "subscription registration id");
const SUBSCRIBER_POSITION_ID: I32 = I32::at(SUBSCRIPTION_ID.end(), "subscriber position counter id");
const LOG_FILE: Prefixed = Prefixed::at(SUBSCRIBER_POSITION_ID.end(), "log file");
const _: () = assert!(LOG_FILE.start() == 28 && LOG_FILE.end(0) == 32);

/// The body of ON_AVAILABLE_IMAGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnAvailableImage<'a> {
    /// The image's id. For IPC and spies, the publication's original registration id.
    pub image_correlation_id: CorrelationId,
    /// The publisher's session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The registration id of the subscription.
    pub subscription_registration_id: RegistrationId,
    /// The id of the subscriber position counter. Its value is the join position.
    pub subscriber_position_id: CounterId,
    /// The path of the log file.
    pub log_file: Text<'a>,
    /// The source of the stream: `aeron:ipc`, or the sender's address.
    pub source_identity: Text<'a>,
}

impl<'a> Body<'a> for OnAvailableImage<'a> {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let log_file = LOG_FILE.load(found)?;
        let source_identity = LOG_FILE.after(log_file.len(), "source identity").load(found)?;
        Ok(Self {
            image_correlation_id: CorrelationId::new(IMAGE_CORRELATION_ID.load(found)?),
            session_id: SessionId::new(SESSION_ID.load(found)?),
            stream_id: StreamId::new(STREAM_ID.load(found)?),
            subscription_registration_id: RegistrationId::new(SUBSCRIPTION_ID.load(found)?),
            subscriber_position_id: CounterId::new(SUBSCRIBER_POSITION_ID.load(found)?),
            log_file: Text::new(log_file),
            source_identity: Text::new(source_identity),
        })
    }

    fn encoded_length(&self) -> usize {
        let source_identity = LOG_FILE.after(self.log_file.as_bytes().len(), "source identity");
        source_identity.end(self.source_identity.as_bytes().len())
    }

    fn store(&self, bytes: &mut [u8]) {
        let source_identity = LOG_FILE.after(self.log_file.as_bytes().len(), "source identity");
        IMAGE_CORRELATION_ID.store(bytes, self.image_correlation_id.get());
        SESSION_ID.store(bytes, self.session_id.get());
        STREAM_ID.store(bytes, self.stream_id.get());
        SUBSCRIPTION_ID.store(bytes, self.subscription_registration_id.get());
        SUBSCRIBER_POSITION_ID.store(bytes, self.subscriber_position_id.get());
        LOG_FILE.store(bytes, self.log_file.as_bytes());
        source_identity.store(bytes, self.source_identity.as_bytes());
    }
}
