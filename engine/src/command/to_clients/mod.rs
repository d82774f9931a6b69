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

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($body:ty) = $type_id:literal, $text:literal;)+) => {
        /// An event, as it lies in a record of the to-clients broadcast.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event<'a> {
            $($(#[$doc])* $name($body),)+
        }

        impl<'a> Event<'a> {
            /// Reads the payload of a record with the type id `type_id`. Bytes after the event are ignored.
            ///
            /// # Errors
            ///
            /// [`MalformedCommand`] when there is no such event, when the record is too short for it, or when a length
            /// within it is negative or runs past the record.
            pub fn decode(type_id: i32, bytes: &'a [u8]) -> Result<Self, MalformedCommand> {
                match type_id {
                    $($type_id => Body::load(&Found::new($text, bytes)).map(Self::$name),)+
                    type_id => Err(MalformedCommand::UnknownType { type_id }),
                }
            }

            /// The type id of the record.
            pub const fn type_id(&self) -> i32 {
                match self {
                    $(Self::$name(_) => $type_id,)+
                }
            }

            /// The reference's name for the event.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $text,)+
                }
            }

            /// How many bytes [`Event::encode`] writes.
            pub fn encoded_length(&self) -> usize {
                match self {
                    $(Self::$name(body) => body.encoded_length(),)+
                }
            }

            /// Writes the payload of the record to the front of `buffer` and returns its length.
            ///
            /// # Errors
            ///
            /// [`EncodeError`] when the buffer is too short or a text is too long for an `i32` length.
            pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
                match self {
                    $(Self::$name(body) => encode($text, body, buffer),)+
                }
            }
        }
    };
}

events! {
    /// A command failed.
    Error(OnError<'a>) = 0x0F01, "ON_ERROR";
    /// A subscription has an image more.
    AvailableImage(OnAvailableImage<'a>) = 0x0F02, "ON_AVAILABLE_IMAGE";
    /// A publication that its publishers share is there.
    PublicationReady(OnPublicationReady<'a>) = 0x0F03, "ON_PUBLICATION_READY";
    /// A command that creates nothing succeeded.
    OperationSuccess(OnOperationSuccess) = 0x0F04, "ON_OPERATION_SUCCESS";
    /// A subscription has an image less.
    UnavailableImage(OnUnavailableImage<'a>) = 0x0F05, "ON_UNAVAILABLE_IMAGE";
    /// A publication that one publisher owns is there.
    ExclusivePublicationReady(OnPublicationReady<'a>) = 0x0F06, "ON_EXCLUSIVE_PUBLICATION_READY";
    /// A subscription is there.
    SubscriptionReady(OnSubscriptionReady) = 0x0F07, "ON_SUBSCRIPTION_READY";
    /// A counter is there. For every client's counter handlers, whoever owns it.
    CounterReady(OnCounter) = 0x0F08, "ON_COUNTER_READY";
    /// A counter is about to be freed. For every client's counter handlers, whoever owned it.
    UnavailableCounter(OnCounter) = 0x0F09, "ON_UNAVAILABLE_COUNTER";
    /// The driver has given a client up.
    ClientTimeout(OnClientTimeout) = 0x0F0A, "ON_CLIENT_TIMEOUT";
    /// A static counter was found or made.
    StaticCounter(OnStaticCounter) = 0x0F0B, "ON_STATIC_COUNTER";
    /// A subscriber of a publication reports an error.
    PublicationError(OnPublicationError<'a>) = 0x0F0C, "ON_PUBLICATION_ERROR";
    /// A session id that the stream does not use.
    NextAvailableSessionId(OnNextAvailableSessionId) = 0x0F0D, "ON_NEXT_AVAILABLE_SESSION_ID";
}
