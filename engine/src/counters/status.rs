//! The values of a channel status counter, for clients and tools that read one.

use core::fmt;

use super::channel_status;

/// How the endpoint of a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelStatus {
    /// It is being set up.
    Initialising,
    /// It works.
    Active,
    /// It cannot work.
    Errored,
    /// It is being closed.
    Closing,
    /// The driver has no such counter, or none any more: the endpoint is gone.
    NoCounter,
    /// The counter has a value that means nothing here.
    Unknown(i64),
}

impl ChannelStatus {
    /// What this value of a status counter (types 6, 7 and 14) means.
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
