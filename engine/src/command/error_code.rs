//! Error codes: the numbers on which the driver, its clients and other drivers agree.

use core::fmt;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        /// The code in an error event, in an error frame, or of an error that the client itself raises.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)+
            /// A number without a meaning in this version. Clients use -1 for "unknown".
            Unknown(i32),
        }

        impl ErrorCode {
            /// The number in an event or a frame.
            pub const fn get(self) -> i32 {
                match self {
                    $(Self::$name => $code,)+
                    Self::Unknown(code) => code,
                }
            }

            /// The error code with this number.
            pub const fn new(code: i32) -> Self {
                match code {
                    $($code => Self::$name,)+
                    code => Self::Unknown(code),
                }
            }

            /// The reference's name of the code.
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
    /// The channel is invalid, or may not be used in this way.
    InvalidChannel = 1, "INVALID_CHANNEL";
    /// A remove command or destination command refers to an unknown subscription.
    UnknownSubscription = 2, "UNKNOWN_SUBSCRIPTION";
    /// A remove command or destination command refers to an unknown publication.
    UnknownPublication = 3, "UNKNOWN_PUBLICATION";
    /// A channel endpoint failed. Only the Java driver sends it. The "correlation id" is then the id of the channel
    /// status counter.
    ChannelEndpointError = 4, "CHANNEL_ENDPOINT_ERROR";
    /// A remove command refers to a counter that this client does not have.
    UnknownCounter = 5, "UNKNOWN_COUNTER";
    /// The driver does not know the type of the command.
    UnknownCommandTypeId = 6, "UNKNOWN_COMMAND_TYPE_ID";
    /// The command is too short, or its lengths are inconsistent.
    MalformedCommand = 7, "MALFORMED_COMMAND";
    /// The driver does not support the command or the option.
    NotSupported = 8, "NOT_SUPPORTED";
    /// A host name cannot be resolved.
    UnknownHost = 9, "UNKNOWN_HOST";
    /// The endpoint is still closing. Try again.
    ResourceTemporarilyUnavailable = 10, "RESOURCE_TEMPORARILY_UNAVAILABLE";
    /// Any other error, such as an invalid value in a well-formed channel.
    Generic = 11, "GENERIC_ERROR";
    /// The file system has too little space.
    StorageSpace = 12, "STORAGE_SPACE";
    /// A subscriber rejected the image.
    ImageRejected = 13, "IMAGE_REJECTED";
    /// The publication was revoked.
    PublicationRevoked = 14, "PUBLICATION_REVOKED";
    /// Client side: the driver's heartbeat is older than the driver timeout.
    DriverTimeout = 1000, "DRIVER_TIMEOUT";
    /// Client side: the driver has timed out the client.
    ClientTimeout = 1001, "CLIENT_TIMEOUT";
    /// Client side: the conductor was not run for too long.
    ConductorServiceTimeout = 1002, "CONDUCTOR_SERVICE_TIMEOUT";
    /// Client side: an internal queue is full.
    BufferFull = 1003, "BUFFER_FULL";
    /// Client side: the command ring is full.
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
