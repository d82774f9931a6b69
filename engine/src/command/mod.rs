//! The control messages between clients and driver: commands through the to-driver ring, events through the to-clients
//! broadcast. These are codecs over private bytes: the caller has copied a record out of shared memory, or will copy
//! one into it. Nothing here touches shared memory, allocates, or panics on its input.

mod error_code;
mod layout;
mod messages;
mod text;
mod to_clients;
mod to_driver;

pub use error_code::ErrorCode;
pub use layout::{EncodeError, MalformedCommand};
pub use text::Text;
pub use to_clients::{
    Event, OnAvailableImage, OnClientTimeout, OnCounter, OnError, OnNextAvailableSessionId, OnOperationSuccess,
    OnPublicationError, OnPublicationReady, OnStaticCounter, OnSubscriptionReady, OnUnavailableImage,
};
pub use to_driver::{
    AddCounter, AddPublication, AddStaticCounter, AddSubscription, ClientClose, ClientKeepalive, Command, Destination,
    GetNextAvailableSessionId, RejectImage, RemoveCounter, RemoveDestinationById, RemovePublication,
    RemoveSubscription, TerminateDriver,
};

#[cfg(test)]
mod tests;
