//! ON_PUBLICATION_READY and ON_EXCLUSIVE_PUBLICATION_READY: a publication is ready. The event names its log.

use crate::command::Text;
use crate::command::layout::{Body, Found, I32, I64, MalformedCommand, Prefixed};
use crate::types::{CorrelationId, CounterId, RegistrationId, SessionId, StreamId};

const CORRELATION_ID: I64 = I64::at(0, "correlation id");
const REGISTRATION_ID: I64 = I64::at(CORRELATION_ID.end(), "registration id");
const SESSION_ID: I32 = I32::at(REGISTRATION_ID.end(), "session id");
const STREAM_ID: I32 = I32::at(SESSION_ID.end(), "stream id");
const LIMIT_ID: I32 = I32::at(STREAM_ID.end(), "publication limit counter id");
const STATUS_ID: I32 = I32::at(LIMIT_ID.end(), "channel status counter id");
const LOG_FILE: Prefixed = Prefixed::at(STATUS_ID.end(), "log file");
const _: () = assert!(LOG_FILE.start() == 32 && LOG_FILE.end(0) == 36);

/// The body of ON_PUBLICATION_READY and ON_EXCLUSIVE_PUBLICATION_READY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnPublicationReady<'a> {
    /// The command's correlation id. It is the registration id of this client's handle.
    pub correlation_id: CorrelationId,
    /// The original registration id: that of the first client that added the publication. Equal to the correlation id
    /// if exclusive.
    pub registration_id: RegistrationId,
    /// The publication's session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The id of the position limit counter.
    pub limit_id: CounterId,
    /// The id of the channel status counter. [`CounterId::NONE`] for IPC.
    pub channel_status_id: CounterId,
    /// The path of the log file.
    pub log_file: Text<'a>,
}

impl<'a> Body<'a> for OnPublicationReady<'a> {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        Ok(Self {
            correlation_id: CorrelationId::new(CORRELATION_ID.load(found)?),
            registration_id: RegistrationId::new(REGISTRATION_ID.load(found)?),
            session_id: SessionId::new(SESSION_ID.load(found)?),
            stream_id: StreamId::new(STREAM_ID.load(found)?),
            limit_id: CounterId::new(LIMIT_ID.load(found)?),
            channel_status_id: CounterId::new(STATUS_ID.load(found)?),
            log_file: Text::new(LOG_FILE.load(found)?),
        })
    }

    fn encoded_length(&self) -> usize {
        LOG_FILE.end(self.log_file.as_bytes().len())
    }

    fn store(&self, bytes: &mut [u8]) {
        CORRELATION_ID.store(bytes, self.correlation_id.get());
        REGISTRATION_ID.store(bytes, self.registration_id.get());
        SESSION_ID.store(bytes, self.session_id.get());
        STREAM_ID.store(bytes, self.stream_id.get());
        LIMIT_ID.store(bytes, self.limit_id.get());
        STATUS_ID.store(bytes, self.channel_status_id.get());
        LOG_FILE.store(bytes, self.log_file.as_bytes());
    }
}
