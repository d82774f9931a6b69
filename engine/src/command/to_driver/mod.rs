//! Commands: the requests that a client sends to the driver through the to-driver ring. Each file has one body;
//! commands with the same body share its file.

mod add_counter;
mod add_publication;
mod add_static_counter;
mod add_subscription;
mod client_close;
mod client_keepalive;
mod destination;
mod get_next_available_session_id;
mod reject_image;
mod remove_counter;
mod remove_destination_by_id;
mod remove_publication;
mod remove_subscription;
mod terminate_driver;

pub use add_counter::AddCounter;
pub use add_publication::AddPublication;
pub use add_static_counter::AddStaticCounter;
pub use add_subscription::AddSubscription;
pub use client_close::ClientClose;
pub use client_keepalive::ClientKeepalive;
pub use destination::Destination;
pub use get_next_available_session_id::GetNextAvailableSessionId;
pub use reject_image::RejectImage;
pub use remove_counter::RemoveCounter;
pub use remove_destination_by_id::RemoveDestinationById;
pub use remove_publication::RemovePublication;
pub use remove_subscription::RemoveSubscription;
pub use terminate_driver::TerminateDriver;

use super::layout::{Body, EncodeError, Found, I64, MalformedCommand, encode};
use super::messages::messages;
use crate::types::{ClientId, CorrelationId};

/// The client that sends the command. All commands start with it.
const CLIENT_ID: I64 = I64::at(0, "client id");
/// The command's correlation id, which the response repeats.
const CORRELATION_ID: I64 = I64::at(CLIENT_ID.end(), "correlation id");
/// The offset of the command's other fields.
const HEADER_END: usize = CORRELATION_ID.end();
const _: () = assert!(HEADER_END == 16);

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident($body:ty) = $type_id:literal, $text:literal;)+) => {
        messages! {
            /// A command in a record of the to-driver ring.
            "command" Command {
                $($(#[$doc])* $name($body) = $type_id, $text;)+
            }
        }

        impl Command<'_> {
            /// The client that sent the command.
            pub const fn client_id(&self) -> ClientId {
                match self {
                    $(Self::$name(body) => body.client_id,)+
                }
            }

            /// The correlation id, which the response must repeat.
            pub const fn correlation_id(&self) -> CorrelationId {
                match self {
                    $(Self::$name(body) => body.correlation_id,)+
                }
            }
        }
    };
}

commands! {
    /// Adds a shared publication.
    AddPublication(AddPublication<'a>) = 0x01, "ADD_PUBLICATION";
    /// Removes a publication.
    RemovePublication(RemovePublication) = 0x02, "REMOVE_PUBLICATION";
    /// Adds an exclusive publication.
    AddExclusivePublication(AddPublication<'a>) = 0x03, "ADD_EXCLUSIVE_PUBLICATION";
    /// Adds a subscription.
    AddSubscription(AddSubscription<'a>) = 0x04, "ADD_SUBSCRIPTION";
    /// Removes a subscription.
    RemoveSubscription(RemoveSubscription) = 0x05, "REMOVE_SUBSCRIPTION";
    /// Signals that the client is alive. Clients of this version store to their heartbeat counter instead.
    ClientKeepalive(ClientKeepalive) = 0x06, "CLIENT_KEEPALIVE";
    /// Adds a destination to a publication with manual control.
    AddDestination(Destination<'a>) = 0x07, "ADD_DESTINATION";
    /// Removes a destination of a publication, given its channel.
    RemoveDestination(Destination<'a>) = 0x08, "REMOVE_DESTINATION";
    /// Allocates a counter that is freed with its client.
    AddCounter(AddCounter<'a>) = 0x09, "ADD_COUNTER";
    /// Frees a counter.
    RemoveCounter(RemoveCounter) = 0x0A, "REMOVE_COUNTER";
    /// Closes the client.
    ClientClose(ClientClose) = 0x0B, "CLIENT_CLOSE";
    /// Adds a destination to a subscription with manual control.
    AddReceiveDestination(Destination<'a>) = 0x0C, "ADD_RCV_DESTINATION";
    /// Removes a destination of a subscription, given its channel.
    RemoveReceiveDestination(Destination<'a>) = 0x0D, "REMOVE_RCV_DESTINATION";
    /// Stops the driver, if its validator accepts the token.
    TerminateDriver(TerminateDriver<'a>) = 0x0E, "TERMINATE_DRIVER";
    /// Finds or allocates a counter that outlives the client.
    AddStaticCounter(AddStaticCounter<'a>) = 0x0F, "ADD_STATIC_COUNTER";
    /// Rejects an image. Its publisher gets the reason.
    RejectImage(RejectImage<'a>) = 0x10, "REJECT_IMAGE";
    /// Removes a destination of a publication, given the id of the command that added it.
    RemoveDestinationById(RemoveDestinationById) = 0x11, "REMOVE_DESTINATION_BY_ID";
    /// Asks for a session id that no publication of the stream uses.
    GetNextAvailableSessionId(GetNextAvailableSessionId) = 0x12, "GET_NEXT_AVAILABLE_SESSION_ID";
}

impl Command<'_> {
    /// The correlation id of a command that [`Command::decode`] refused, for the error response. `None` if the record
    /// is too short to have one.
    pub fn correlation_id_of(bytes: &[u8]) -> Option<CorrelationId> {
        CORRELATION_ID.load(&Found::new("command", bytes)).ok().map(CorrelationId::new)
    }
}

/// Decodes the fields at the start of every command.
fn load_header(found: &Found<'_>) -> Result<(ClientId, CorrelationId), MalformedCommand> {
    Ok((ClientId::new(CLIENT_ID.load(found)?), CorrelationId::new(CORRELATION_ID.load(found)?)))
}

/// Encodes the fields at the start of every command.
fn store_header(bytes: &mut [u8], client_id: ClientId, correlation_id: CorrelationId) {
    CLIENT_ID.store(bytes, client_id.get());
    CORRELATION_ID.store(bytes, correlation_id.get());
}
