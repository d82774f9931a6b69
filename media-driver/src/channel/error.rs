//! Why a well-formed channel cannot be used, and the error code with which the driver responds.

use gannet::command::ErrorCode;

/// Why a channel cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The channel is not a UDP channel.
    #[error("{channel}: expected a UDP channel")]
    NotUdp {
        /// The channel.
        channel: String,
    },
    /// A name cannot be resolved.
    #[error("{channel}: cannot resolve {name}: no address is known for it")]
    UnknownHost {
        /// The channel.
        channel: String,
        /// The name.
        name: String,
    },
    /// A multicast address has an even last byte. Even addresses are for control.
    #[error(
        "{channel}: the last byte of a multicast endpoint must be odd, since the next address is for control; it is {found}"
    )]
    EvenMulticast {
        /// The channel.
        channel: String,
        /// The last byte.
        found: u8,
    },
    /// No active interface matches the channel's.
    #[error("{channel}: no interface that is up has an address like {wanted}; see `ip address`")]
    NoInterface {
        /// The channel.
        channel: String,
        /// The requested interface.
        wanted: String,
    },
    /// A parameter is not allowed for this use of a channel.
    #[error("{channel}: {usage} cannot have {parameter}")]
    NotAllowed {
        /// The channel.
        channel: String,
        /// The use.
        usage: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// Port 0 in an address to which datagrams are sent.
    #[error("{channel}: {parameter} has port 0, and {usage} sends there: state the port")]
    NoPort {
        /// The channel.
        channel: String,
        /// The use.
        usage: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// A publication has a control address but no address to send to.
    #[error("{channel}: a publication with control needs an endpoint, or control-mode=dynamic or manual")]
    NowhereToSend {
        /// The channel.
        channel: String,
    },
    /// The channel tag belongs to a channel that differs.
    #[error("{channel}: its tag is that of {existing}, which has another {difference}")]
    TagMismatch {
        /// The channel.
        channel: String,
        /// The channel with the tag.
        existing: String,
        /// The difference.
        difference: &'static str,
    },
}

impl ChannelError {
    /// The error code with which the driver responds.
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::UnknownHost { .. } => ErrorCode::UnknownHost,
            Self::NotUdp { .. } | Self::NotAllowed { .. } => ErrorCode::InvalidChannel,
            Self::EvenMulticast { .. }
            | Self::NoInterface { .. }
            | Self::NoPort { .. }
            | Self::NowhereToSend { .. }
            | Self::TagMismatch { .. } => ErrorCode::Generic,
        }
    }
}
