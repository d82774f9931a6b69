//! ON_PUBLICATION_ERROR: a subscriber of a publication reports an error, such as having rejected its image.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::command::layout::{Array, Body, Found, I16, I32, I64, MalformedCommand, Prefixed, U16};
use crate::command::{ErrorCode, Text};
use crate::types::{RegistrationId, SessionId, StreamId};

const REGISTRATION_ID: I64 = I64::at(0, "publication registration id");
const DESTINATION_ID: I64 = I64::at(REGISTRATION_ID.end(), "destination registration id");
const SESSION_ID: I32 = I32::at(DESTINATION_ID.end(), "session id");
const STREAM_ID: I32 = I32::at(SESSION_ID.end(), "stream id");
const RECEIVER_ID: I64 = I64::at(STREAM_ID.end(), "receiver id");
const GROUP_TAG: I64 = I64::at(RECEIVER_ID.end(), "group tag");
const ADDRESS_TYPE: I16 = I16::at(GROUP_TAG.end(), "address type");
/// In host byte order, unlike the address.
const SOURCE_PORT: U16 = U16::at(ADDRESS_TYPE.end(), "source port");
/// In network byte order. An IPv4 address uses the first four bytes.
const SOURCE_ADDRESS: Array<16> = Array::at(SOURCE_PORT.end(), "source address");
const ERROR_CODE: I32 = I32::at(SOURCE_ADDRESS.end(), "error code");
const MESSAGE: Prefixed = Prefixed::at(ERROR_CODE.end(), "error message");
const _: () = assert!(ADDRESS_TYPE.end() == 42 && ERROR_CODE.end() == 64 && MESSAGE.end(0) == 68);

const ADDRESS_UNKNOWN: i16 = 0;
const ADDRESS_IPV4: i16 = 1;
const ADDRESS_IPV6: i16 = 2;

/// The minimum length that the reference's C client accepts: its structure with one byte of text, padded to 4 (trap
/// 21).
const MIN_ENCODED_LENGTH: usize = 72;

/// The body of ON_PUBLICATION_ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnPublicationError<'a> {
    /// The publication's original registration id.
    pub registration_id: RegistrationId,
    /// The registration id of the destination that reported the error. -1 if unknown.
    pub destination_registration_id: RegistrationId,
    /// The publication's session id.
    pub session_id: SessionId,
    /// The stream id.
    pub stream_id: StreamId,
    /// The id of the receiver that reported the error.
    pub receiver_id: i64,
    /// The receiver's group tag. -1 if it has none.
    pub group_tag: i64,
    /// The address from which the error was reported.
    pub source: Option<SocketAddr>,
    /// The error code.
    pub error_code: ErrorCode,
    /// The error message.
    pub message: Text<'a>,
}

impl<'a> Body<'a> for OnPublicationError<'a> {
    fn load(found: &Found<'a>) -> Result<Self, MalformedCommand> {
        let address = SOURCE_ADDRESS.load(found)?;
        let address = match ADDRESS_TYPE.load(found)? {
            ADDRESS_IPV4 => Some(IpAddr::V4(Ipv4Addr::new(address[0], address[1], address[2], address[3]))),
            ADDRESS_IPV6 => Some(IpAddr::V6(Ipv6Addr::from(address))),
            _ => None,
        };
        let port = SOURCE_PORT.load(found)?;
        Ok(Self {
            registration_id: RegistrationId::new(REGISTRATION_ID.load(found)?),
            destination_registration_id: RegistrationId::new(DESTINATION_ID.load(found)?),
            session_id: SessionId::new(SESSION_ID.load(found)?),
            stream_id: StreamId::new(STREAM_ID.load(found)?),
            receiver_id: RECEIVER_ID.load(found)?,
            group_tag: GROUP_TAG.load(found)?,
            source: address.map(|address| SocketAddr::new(address, port)),
            error_code: ErrorCode::new(ERROR_CODE.load(found)?),
            message: Text::new(MESSAGE.load(found)?),
        })
    }

    fn encoded_length(&self) -> usize {
        MESSAGE.end(self.message.as_bytes().len()).max(MIN_ENCODED_LENGTH)
    }

    fn store(&self, bytes: &mut [u8]) {
        let mut address = [0; 16];
        let (address_type, port) = match self.source {
            None => (ADDRESS_UNKNOWN, 0),
            Some(SocketAddr::V4(source)) => {
                address[..4].copy_from_slice(&source.ip().octets());
                (ADDRESS_IPV4, source.port())
            }
            Some(SocketAddr::V6(source)) => {
                address = source.ip().octets();
                (ADDRESS_IPV6, source.port())
            }
        };
        REGISTRATION_ID.store(bytes, self.registration_id.get());
        DESTINATION_ID.store(bytes, self.destination_registration_id.get());
        SESSION_ID.store(bytes, self.session_id.get());
        STREAM_ID.store(bytes, self.stream_id.get());
        RECEIVER_ID.store(bytes, self.receiver_id);
        GROUP_TAG.store(bytes, self.group_tag);
        ADDRESS_TYPE.store(bytes, address_type);
        SOURCE_PORT.store(bytes, port);
        SOURCE_ADDRESS.store(bytes, address);
        ERROR_CODE.store(bytes, self.error_code.get());
        MESSAGE.store(bytes, self.message.as_bytes());
    }
}
