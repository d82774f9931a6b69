//! Error codes: the numbers on which the driver, its clients and other drivers agree.

use core::fmt;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        /// The code of an error event, of an error frame, or of an error that a client raises itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)+
            /// A number that no error has in this version; -1 is what a client uses for "unknown".
            Unknown(i32),
        }

        impl ErrorCode {
            /// The number as it stands in an event or a frame.
            pub const fn get(self) -> i32 {
                match self {
                    $(Self::$name => $code,)+
                    Self::Unknown(code) => code,
                }
            }

            /// The error with this number.
            pub const fn new(code: i32) -> Self {
                match code {
                    $($code => Self::$name,)+
                    code => Self::Unknown(code),
                }
            }

            /// The reference's name for it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Unknown(_) => "UNKNOWN_CODE_VALUE",
                }
            }
        }
    };
}

error_codes! {
    /// No error.
    Unused = 0, "UNUSED";
    /// A text that is no usable channel, or a channel that may not be used so.
    InvalidChannel = 1, "INVALID_CHANNEL";
    /// A remove or destination command names no subscription.
    UnknownSubscription = 2, "UNKNOWN_SUBSCRIPTION";
    /// A remove or destination command names no publication.
    UnknownPublication = 3, "UNKNOWN_PUBLICATION";
    /// A channel endpoint failed. Sent by the Java driver only; the "correlation id" is then the channel status counter's.
    ChannelEndpointError = 4, "CHANNEL_ENDPOINT_ERROR";
    /// A remove command names no counter of this client.
    UnknownCounter = 5, "UNKNOWN_COUNTER";
    /// A command of a type that the driver does not know.
    UnknownCommandTypeId = 6, "UNKNOWN_COMMAND_TYPE_ID";
    /// A command that is too short, or whose lengths do not fit it.
    MalformedCommand = 7, "MALFORMED_COMMAND";
    /// A command or an option that this driver does not offer.
    NotSupported = 8, "NOT_SUPPORTED";
    /// A host name that does not resolve.
    UnknownHost = 9, "UNKNOWN_HOST";
    /// An endpoint that is still closing: try again.
    ResourceTemporarilyUnavailable = 10, "RESOURCE_TEMPORARILY_UNAVAILABLE";
    /// Everything else, such as a bad value in a well-formed channel.
    Generic = 11, "GENERIC_ERROR";
    /// Too little room on the file system.
    StorageSpace = 12, "STORAGE_SPACE";
    /// A subscriber rejected the image.
    ImageRejected = 13, "IMAGE_REJECTED";
    /// The publication was revoked.
    PublicationRevoked = 14, "PUBLICATION_REVOKED";
    /// Client side: the driver has not been alive for the driver timeout.
    DriverTimeout = 1000, "DRIVER_TIMEOUT";
    /// Client side: the driver has given the client up.
    ClientTimeout = 1001, "CLIENT_TIMEOUT";
    /// Client side: the conductor was not serviced for too long.
    ConductorServiceTimeout = 1002, "CONDUCTOR_SERVICE_TIMEOUT";
    /// Client side: an internal queue is full.
    BufferFull = 1003, "BUFFER_FULL";
    /// Client side: the ring to the driver is full.
    DriverRingFull = 1004, "DRIVER_RING_FULL";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_one_code() {
        for code in -2..=1010 {
            assert_eq!(ErrorCode::new(code).get(), code);
        }
        assert_eq!(ErrorCode::new(11), ErrorCode::Generic);
        assert_eq!(ErrorCode::new(-1), ErrorCode::Unknown(-1));
        assert_eq!(ErrorCode::ImageRejected.to_string(), "IMAGE_REJECTED (13)");
    }
}
