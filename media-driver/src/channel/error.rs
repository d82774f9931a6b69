//! Why a well-formed channel cannot be used, and the error code with which the driver responds.

use gannet::command::ErrorCode;

/// Why a channel cannot be used. The text does not name the channel: whoever reports it does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The channel is not a UDP channel.
    #[error("expected a UDP channel")]
    NotUdp,
    /// A name cannot be resolved.
    #[error("cannot resolve {name}: no address is known for it")]
    UnknownHost {
        /// The name.
        name: String,
    },
    /// The name in `interface` cannot be resolved. Often it is that of a device.
    #[error("cannot resolve {name}: no address is known for it; a device is named in braces: interface={{{name}}}")]
    UnknownInterface {
        /// The name.
        name: String,
    },
    /// A multicast address has an even last byte. Even addresses are for control.
    #[error("the last byte of a multicast endpoint must be odd, since the next address is for control; it is {found}")]
    EvenMulticast {
        /// The last byte.
        found: u8,
    },
    /// No active interface matches the channel's.
    #[error("no interface that is up has an address like {wanted}; see `ip address`")]
    NoInterface {
        /// The requested interface.
        wanted: String,
    },
    /// A parameter is not allowed for this use of a channel.
    #[error("{usage} cannot have {parameter}")]
    NotAllowed {
        /// The use.
        usage: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// Port 0 in an address to which datagrams are sent.
    #[error("{parameter} has port 0, and {usage} sends there: state the port")]
    NoPort {
        /// The use.
        usage: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// A publication has a control address but no address to send to.
    #[error("a publication with control needs an endpoint, or control-mode=dynamic or manual")]
    NowhereToSend,
    /// The channel tag belongs to a channel that differs.
    #[error("its tag is that of {existing}, which has another {difference}")]
    TagMismatch {
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
            Self::UnknownHost { .. } | Self::UnknownInterface { .. } => ErrorCode::UnknownHost,
            Self::NotUdp | Self::NotAllowed { .. } => ErrorCode::InvalidChannel,
            Self::EvenMulticast { .. }
            | Self::NoInterface { .. }
            | Self::NoPort { .. }
            | Self::NowhereToSend
            | Self::TagMismatch { .. } => ErrorCode::Generic,
        }
    }
}
