//! The values of a channel status counter, for clients and tools that read one.

use core::fmt;

use super::channel_status;

/// The status of a channel's endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelStatus {
    /// The endpoint is being set up.
    Initialising,
    /// The endpoint is active.
    Active,
    /// The endpoint failed.
    Errored,
    /// The endpoint is being closed.
    Closing,
    /// The driver has no such counter, or not any more: the endpoint is gone.
    NoCounter,
    /// The counter has an unknown value.
    Unknown(i64),
}

impl ChannelStatus {
    /// The status for a value of a status counter (types 6, 7 and 14).
    pub const fn from_value(value: i64) -> Self {
        match value {
            channel_status::INITIALISING => Self::Initialising,
            channel_status::ACTIVE => Self::Active,
            channel_status::ERRORED => Self::Errored,
            channel_status::CLOSING => Self::Closing,
            _ => Self::Unknown(value),
        }
    }
}

impl fmt::Display for ChannelStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initialising => f.pad("initialising"),
            Self::Active => f.pad("active"),
            Self::Errored => f.pad("errored"),
            Self::Closing => f.pad("closing"),
            Self::NoCounter => f.pad("no counter"),
            Self::Unknown(value) => write!(f, "unknown ({value})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_field() {
        for (value, status, text) in [
            (-1, ChannelStatus::Errored, "errored"),
            (0, ChannelStatus::Initialising, "initialising"),
            (1, ChannelStatus::Active, "active"),
            (2, ChannelStatus::Closing, "closing"),
            (3, ChannelStatus::Unknown(3), "unknown (3)"),
            (i64::MIN, ChannelStatus::Unknown(i64::MIN), "unknown (-9223372036854775808)"),
        ] {
            assert_eq!(ChannelStatus::from_value(value), status);
            assert_eq!(status.to_string(), text);
        }
    }
}
