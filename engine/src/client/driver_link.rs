//! One connection to one driver: the regions of its CnC file as this client uses them, and the client id. The client's
//! conductor owns it and replaces it as a whole when the client reconnects. It never waits.

use core::time::Duration;

use super::error::{AddError, Request};
use crate::broadcast::Receiver;
use crate::command::Command;
use crate::counters::{CountersReader, SystemCounter, type_id};
use crate::memory::{AtomicBuffer, OwnedWord, RawAccess};
use crate::ringbuffer::{ManyToOneRingBuffer, RingWriteError};
use crate::time::EpochMillis;
use crate::types::{ClientId, CorrelationId, CounterId, RegistrationId};

/// The parts of a connection that the conductor needs.
pub(super) struct DriverLink {
    client_id: ClientId,
    to_driver: ManyToOneRingBuffer,
    pub(super) events: Receiver,
    pub(super) counters: CountersReader,
    /// The header of the CnC file, which holds the bells.
    pub(super) bells: AtomicBuffer,
    identity: DriverIdentity,
    liveness_timeout_ns: i64,
    /// A buffer for the command that is being sent.
    scratch: Vec<u8>,
}

/// Distinguishes the runs of drivers in the same directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DriverIdentity {
    /// The driver's process id, as it stated it.
    pub(super) pid: i64,
    /// When the driver started, in epoch milliseconds.
    pub(super) start_timestamp_ms: i64,
}

/// The parts of a connection.
pub(super) struct LinkParts {
    pub(super) to_driver: ManyToOneRingBuffer,
    pub(super) events: Receiver,
    pub(super) counters: CountersReader,
    /// The header of the CnC file.
    pub(super) bells: AtomicBuffer,
    pub(super) identity: DriverIdentity,
    /// The driver's client liveness timeout.
    pub(super) liveness_timeout: Duration,
}

impl DriverLink {
    /// Creates the connection, with a new client id.
    pub(super) fn new(parts: LinkParts) -> Self {
        let LinkParts { to_driver, events, counters, bells, identity, liveness_timeout } = parts;
        let liveness_timeout_ns = i64::try_from(liveness_timeout.as_nanos()).unwrap_or(i64::MAX);
        let client_id = ClientId::new(to_driver.next_correlation_id().get());
        let scratch = Vec::with_capacity(512);
        Self { client_id, to_driver, events, counters, bells, identity, liveness_timeout_ns, scratch }
    }

    pub(super) fn client_id(&self) -> ClientId {
        self.client_id
    }

    pub(super) fn identity(&self) -> DriverIdentity {
        self.identity
    }

    pub(super) fn liveness_timeout_ns(&self) -> i64 {
        self.liveness_timeout_ns
    }

    /// The id of the next command.
    pub(super) fn next_correlation_id(&self) -> CorrelationId {
        self.to_driver.next_correlation_id()
    }

    /// The driver's last heartbeat, by the wall clock.
    pub(super) fn heartbeat(&self) -> EpochMillis {
        self.to_driver.consumer_heartbeat()
    }

    /// Whether the driver supports the command that asks for a session id. System counter 43 has its protocol version
    /// (trap 38).
    pub(super) fn answers_for_session_ids(&self) -> bool {
        const FIRST_THAT_KNOWS: i64 = 1 << 16;
        let id = RegistrationId::new(SystemCounter::ControlProtocolVersion.id().get().into());
        let version = self.counters.find(type_id::SYSTEM, id).and_then(|id| self.counters.value(id));
        version.is_some_and(|version| version >= FIRST_THAT_KNOWS)
    }

    /// The client's heartbeat counter, if the driver has allocated it.
    pub(super) fn find_own_heartbeat(&self) -> Option<(CounterId, OwnedWord<i64>)> {
        let id = self.counters.find(type_id::CLIENT_HEARTBEAT, RegistrationId::new(self.client_id.get()))?;
        self.is_own_heartbeat(id).then_some((id, self.counters.own_value(id, RawAccess::ENGINE)?))
    }

    /// Whether the counter is still this client's heartbeat. The client id is its key and its registration id (trap
    /// 32).
    pub(super) fn is_own_heartbeat(&self, id: CounterId) -> bool {
        self.counters.get(id).is_some_and(|record| {
            record.type_id == type_id::CLIENT_HEARTBEAT && record.key.get_i64(0) == Some(self.client_id.get())
        })
    }

    /// Puts a command into the ring.
    pub(super) fn send(&mut self, command: &Command<'_>) -> Result<(), SendError> {
        let length = command.encoded_length();
        let most = self.to_driver.max_message_length();
        if length > most {
            return Err(SendError::TooLong { length, most });
        }
        self.scratch.clear();
        self.scratch.resize(length, 0);
        let written = command.encode(&mut self.scratch).map_err(|_| SendError::TooLong { length, most })?;
        match self.to_driver.write(command.type_id(), &self.scratch[..written]) {
            Ok(()) => Ok(()),
            Err(RingWriteError::Full) => Err(SendError::Full),
            Err(RingWriteError::TooLong { length, max }) => Err(SendError::TooLong { length, most: max }),
            Err(error) => Err(SendError::Ring(error)),
        }
    }
}

/// Why a command could not be put into the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SendError {
    /// The ring has no space at the moment.
    Full,
    /// The command is too long for the ring.
    TooLong { length: usize, most: usize },
    /// The ring is damaged.
    Ring(RingWriteError),
}

impl SendError {
    /// The error of the request whose command was not sent.
    pub(super) fn for_request(self, request: Request) -> AddError {
        match self {
            Self::Full => AddError::RingFull { request },
            Self::TooLong { length, most } => AddError::TooLong { request, length, most },
            Self::Ring(source) => AddError::Ring { request, source },
        }
    }
}

impl core::fmt::Display for SendError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Full => f.write_str("the ring to the driver is full"),
            Self::TooLong { length, most } => {
                write!(f, "{length} bytes are more than the {most} that the ring carries")
            }
            Self::Ring(error) => error.fmt(f),
        }
    }
}
