//! Events: the messages that the driver sends to all its clients through the to-clients broadcast. Each client picks
//! those that concern it. Each file has one body; events with the same body share its file.

mod on_available_image;
mod on_client_timeout;
mod on_counter;
mod on_error;
mod on_next_available_session_id;
mod on_operation_success;
mod on_publication_error;
mod on_publication_ready;
mod on_static_counter;
mod on_subscription_ready;
mod on_unavailable_image;

pub use on_available_image::OnAvailableImage;
pub use on_client_timeout::OnClientTimeout;
pub use on_counter::OnCounter;
pub use on_error::OnError;
pub use on_next_available_session_id::OnNextAvailableSessionId;
pub use on_operation_success::OnOperationSuccess;
pub use on_publication_error::OnPublicationError;
pub use on_publication_ready::OnPublicationReady;
pub use on_static_counter::OnStaticCounter;
pub use on_subscription_ready::OnSubscriptionReady;
pub use on_unavailable_image::OnUnavailableImage;

use super::layout::{Body, EncodeError, Found, MalformedCommand, encode};
use super::messages::messages;

messages! {
    /// An event in a record of the to-clients broadcast buffer.
    "event" Event {
        /// A command failed.
        Error(OnError<'a>) = 0x0F01, "ON_ERROR";
        /// A subscription has a new image.
        AvailableImage(OnAvailableImage<'a>) = 0x0F02, "ON_AVAILABLE_IMAGE";
        /// A shared publication is ready.
        PublicationReady(OnPublicationReady<'a>) = 0x0F03, "ON_PUBLICATION_READY";
        /// A command that creates nothing succeeded.
        OperationSuccess(OnOperationSuccess) = 0x0F04, "ON_OPERATION_SUCCESS";
        /// A subscription has lost an image.
        UnavailableImage(OnUnavailableImage<'a>) = 0x0F05, "ON_UNAVAILABLE_IMAGE";
        /// An exclusive publication is ready.
        ExclusivePublicationReady(OnPublicationReady<'a>) = 0x0F06, "ON_EXCLUSIVE_PUBLICATION_READY";
        /// A subscription is ready.
        SubscriptionReady(OnSubscriptionReady) = 0x0F07, "ON_SUBSCRIPTION_READY";
        /// A counter of any owner is ready. Passed to the counter handlers of all clients.
        CounterReady(OnCounter) = 0x0F08, "ON_COUNTER_READY";
        /// A counter of any owner is about to be freed. Passed to the counter handlers of all clients.
        UnavailableCounter(OnCounter) = 0x0F09, "ON_UNAVAILABLE_COUNTER";
        /// The driver has timed out a client.
        ClientTimeout(OnClientTimeout) = 0x0F0A, "ON_CLIENT_TIMEOUT";
        /// A static counter was found or created.
        StaticCounter(OnStaticCounter) = 0x0F0B, "ON_STATIC_COUNTER";
        /// A subscriber of a publication reported an error.
        PublicationError(OnPublicationError<'a>) = 0x0F0C, "ON_PUBLICATION_ERROR";
        /// A session id that no publication of the stream uses.
        NextAvailableSessionId(OnNextAvailableSessionId) = 0x0F0D, "ON_NEXT_AVAILABLE_SESSION_ID";
    }
}
