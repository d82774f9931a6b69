//! The uses of a channel, and the parameters that each use does not allow.

use gannet::channel_uri::{ChannelUri, ControlMode, Media};

use super::ChannelError;

/// The use of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// A publication sends to it.
    Publication,
    /// A subscription listens on it.
    Subscription,
    /// A destination of a publication.
    SendDestination,
    /// A destination of a subscription.
    ReceiveDestination,
}

impl Usage {
    /// The name of the use, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publication => "a publication",
            Self::Subscription => "a subscription",
            Self::SendDestination => "a send destination",
            Self::ReceiveDestination => "a receive destination",
        }
    }

    /// Whether it is a destination of a publication or subscription that has its own channel.
    pub const fn is_destination(self) -> bool {
        matches!(self, Self::SendDestination | Self::ReceiveDestination)
    }

    pub(super) fn check(self, uri: &ChannelUri) -> Result<(), ChannelError> {
        if uri.media() != Media::Udp {
            return Err(ChannelError::NotUdp);
        }
        if self.is_destination() {
            self.check_destination(uri)?;
        }
        self.check_ports(uri)
    }

    fn check_destination(self, uri: &ChannelUri) -> Result<(), ChannelError> {
        let params = uri.params();
        let refused = [
            ("aeron-spy", uri.is_spy() && self == Self::SendDestination),
            ("mtu", params.mtu.is_some()),
            ("rcv-wnd", params.rcv_wnd.is_some()),
            ("so-rcvbuf", params.so_rcvbuf.is_some()),
            ("so-sndbuf", params.so_sndbuf.is_some()),
            // The publication's or subscription's is that of all destinations.
            ("so-tos", params.so_tos.is_some()),
            ("response-correlation-id", params.response_correlation_id.is_some()),
            ("control-mode=response", params.control_mode == Some(ControlMode::Response)),
        ];
        match refused.into_iter().find(|(_, is_stated)| *is_stated) {
            Some((parameter, _)) => Err(ChannelError::NotAllowed { usage: self.name(), parameter }),
            None => Ok(()),
        }
    }

    /// Checks that an address to which datagrams are sent has a port.
    fn check_ports(self, uri: &ChannelUri) -> Result<(), ChannelError> {
        let params = uri.params();
        let no_port = |parameter| ChannelError::NoPort { usage: self.name(), parameter };
        let has_port_0 = |address: &Option<gannet::channel_uri::HostAndPort>| {
            address.as_ref().is_some_and(|address| address.port() == 0)
        };
        let mode = params.control_mode.as_ref();
        let is_sent_to_others =
            matches!(mode, Some(ControlMode::Manual | ControlMode::Dynamic | ControlMode::Response));
        match self {
            Self::Publication => {
                if params.endpoint.is_none() && params.control.is_some() && !is_sent_to_others {
                    return Err(ChannelError::NowhereToSend);
                }
                if has_port_0(&params.endpoint) && !is_sent_to_others && !uri.is_spy() {
                    return Err(no_port("endpoint"));
                }
            }
            Self::SendDestination if has_port_0(&params.endpoint) => return Err(no_port("endpoint")),
            Self::Subscription | Self::ReceiveDestination if has_port_0(&params.control) => {
                return Err(no_port("control"));
            }
            Self::SendDestination | Self::Subscription | Self::ReceiveDestination => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gannet::command::ErrorCode;

    use super::*;

    fn check(usage: Usage, text: &str) -> Result<(), ChannelError> {
        usage.check(&ChannelUri::parse(text).unwrap())
    }

    #[test]
    fn ports_are_stated_where_something_is_sent_to() {
        use Usage::{Publication, ReceiveDestination, SendDestination, Subscription};
        for (usage, text, is_fine) in [
            (Publication, "aeron:udp?endpoint=localhost:0", false),
            (Publication, "aeron:udp?endpoint=localhost:1", true),
            (Publication, "aeron:udp?endpoint=localhost:0|control=localhost:1|control-mode=dynamic", true),
            (Publication, "aeron:udp?control=localhost:0|control-mode=dynamic", true),
            (Publication, "aeron:udp?control-mode=manual", true),
            (Publication, "aeron:udp?control=localhost:9", false),
            (Publication, "aeron:udp?control=localhost:9|control-mode=none-such", false),
            (Publication, "aeron:udp?control=localhost:9|control-mode=response|response-correlation-id=1", true),
            (Publication, "aeron-spy:aeron:udp?endpoint=localhost:0", true),
            (Subscription, "aeron:udp?endpoint=localhost:0", true),
            (Subscription, "aeron:udp?endpoint=localhost:0|control=localhost:9", true),
            (Subscription, "aeron:udp?endpoint=localhost:0|control=localhost:0", false),
            (Subscription, "aeron:udp?control=localhost:9|control-mode=response", true),
            (SendDestination, "aeron:udp?endpoint=localhost:0", false),
            (SendDestination, "aeron:udp?endpoint=localhost:1", true),
            (ReceiveDestination, "aeron:udp?endpoint=localhost:0", true),
            (ReceiveDestination, "aeron:udp?endpoint=localhost:0|control=localhost:0", false),
        ] {
            assert_eq!(check(usage, text).is_ok(), is_fine, "{usage:?} {text}");
        }
    }

    #[test]
    fn destinations_have_no_parameters_of_their_owners() {
        for parameter in [
            "mtu=1408",
            "rcv-wnd=64k",
            "so-rcvbuf=64k",
            "so-sndbuf=64k",
            "so-tos=184",
            "response-correlation-id=5",
            "control-mode=response",
        ] {
            let text = format!("aeron:udp?endpoint=localhost:9|{parameter}");
            for usage in [Usage::SendDestination, Usage::ReceiveDestination] {
                let error = check(usage, &text).unwrap_err();
                assert_eq!(error.error_code(), ErrorCode::InvalidChannel);
                assert!(error.to_string().contains(parameter.split('=').next().unwrap()), "{error}");
            }
            assert!(check(Usage::Publication, &text).is_ok(), "{text}");
        }
        let spy = "aeron-spy:aeron:udp?endpoint=localhost:9";
        assert!(check(Usage::SendDestination, spy).is_err());
        assert!(check(Usage::ReceiveDestination, spy).is_ok());
        let ipc = check(Usage::Publication, "aeron:ipc").unwrap_err();
        assert_eq!(ipc.error_code(), ErrorCode::InvalidChannel);
    }
}
