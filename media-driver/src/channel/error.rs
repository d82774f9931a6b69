//! Why a well-formed channel cannot be used, and the error code with which a client is answered.

use gannet::command::ErrorCode;

/// Why a channel cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// It is not UDP.
    #[error("{channel}: expected a UDP channel")]
    NotUdp {
        /// The channel.
        channel: String,
    },
    /// A name that leads nowhere.
    #[error("{channel}: cannot resolve {name}: no address is known for it")]
    UnknownHost {
        /// The channel.
        channel: String,
        /// The name.
        name: String,
    },
    /// A multicast address whose last byte is even: those are for control.
    #[error(
        "{channel}: the last byte of a multicast endpoint must be odd, since the next address is for control; it is {found}"
    )]
    EvenMulticast {
        /// The channel.
        channel: String,
        /// The last byte.
        found: u8,
    },
    /// No interface that is up is like the one that the channel states.
    #[error("{channel}: no interface that is up has an address like {wanted}; see `ip address`")]
    NoInterface {
        /// The channel.
        channel: String,
        /// What was looked for.
        wanted: String,
    },
    /// A parameter that this use of a channel cannot have.
    #[error("{channel}: {usage} cannot have {parameter}")]
    NotAllowed {
        /// The channel.
        channel: String,
        /// What it was to be.
        usage: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// A port of 0 where datagrams are to be sent to.
    #[error("{channel}: {parameter} has port 0, and {usage} sends there: state the port")]
    NoPort {
        /// The channel.
        channel: String,
        /// What it was to be.
        usage: &'static str,
        /// The parameter.
        parameter: &'static str,
    },
    /// A publication with a control address and nowhere to send to.
    #[error("{channel}: a publication with control needs an endpoint, or control-mode=dynamic or manual")]
    NowhereToSend {
        /// The channel.
        channel: String,
    },
    /// A channel tag that is used by a channel which differs.
    #[error("{channel}: its tag is that of {existing}, which has another {difference}")]
    TagMismatch {
        /// The channel.
        channel: String,
        /// The channel that has the tag.
        existing: String,
        /// What differs.
        difference: &'static str,
    },
}

impl ChannelError {
    /// The code that a driver answers with.
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
