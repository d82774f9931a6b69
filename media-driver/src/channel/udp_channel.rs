//! A UDP channel with all its addresses.
//!
//! | case, the first that holds | data goes to | control goes to | local address |
//! | --- | --- | --- | --- |
//! | `endpoint` is multicast | it | the next address | the interface |
//! | `control` is stated | `endpoint` | `endpoint` | `control` |
//! | otherwise | `endpoint` | `endpoint` | the interface |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use gannet::channel_uri::{ChannelParams, ChannelUri, ControlMode, Host, HostAndPort, InterfaceName};

use super::interface::{NetworkInterface, select_interface};
use super::multicast::control_group;
use super::sockets::LocalInterface;
use super::{ChannelError, Usage};

/// The information that is needed besides the channel's text.
pub struct Surroundings<'a> {
    /// The machine's interfaces.
    pub interfaces: &'a [NetworkInterface],
    /// Resolves a name, if possible. IPv4 addresses are preferred.
    pub resolve: &'a dyn Fn(&str) -> Option<IpAddr>,
    /// A number that no other channel has had, for a channel that does not share its endpoint.
    pub unique: u64,
}

/// A UDP channel with its addresses.
#[derive(Clone, Debug)]
pub struct UdpChannel {
    uri: ChannelUri,
    usage: Usage,
    canonical: String,
    pub(super) remote_data: SocketAddr,
    pub(super) remote_control: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) interface: LocalInterface,
    pub(super) is_multicast: bool,
}

/// The names in a channel that must be resolved before it can be used. May contain duplicates.
pub fn names(uri: &ChannelUri) -> impl Iterator<Item = &str> {
    let params = uri.params();
    let addresses = [&params.endpoint, &params.control].into_iter().flatten().map(HostAndPort::host);
    let interface = params.interface.iter().filter_map(|interface| match interface.name() {
        InterfaceName::Address(host) => Some(host),
        InterfaceName::Device(_) => None,
    });
    addresses.chain(interface).filter_map(|host| match host {
        Host::Name(name) => Some(name.as_str()),
        Host::V4(_) | Host::V6(_) => None,
    })
}

impl UdpChannel {
    /// Determines a channel's addresses.
    ///
    /// # Errors
    ///
    /// [`ChannelError`], with the error code for the client.
    pub fn new(uri: &ChannelUri, usage: Usage, surroundings: &Surroundings<'_>) -> Result<Self, ChannelError> {
        usage.check(uri)?;
        let params = uri.params();
        let control = params.control.as_ref().map(|address| resolve(address, surroundings)).transpose()?;
        let endpoint = params.endpoint.as_ref().map(|address| resolve(address, surroundings)).transpose()?;
        let is_v4 = endpoint.or(control).is_none_or(|address| address.is_ipv4());
        let remote = endpoint.unwrap_or(SocketAddr::new(unspecified(is_v4), 0));
        let is_multicast = remote.ip().is_multicast();
        let (interface, port) = local_interface(uri, is_v4, is_multicast, surroundings)?;
        let remote_control = if is_multicast {
            control_group(remote).map_err(|found| ChannelError::EvenMulticast { found })?
        } else {
            remote
        };
        let local = match control {
            Some(control) if !is_multicast => control,
            _ => SocketAddr::new(interface.address, port),
        };
        let mut channel = Self {
            uri: uri.clone(),
            usage,
            canonical: String::new(),
            remote_data: remote,
            remote_control,
            local,
            interface,
            is_multicast,
        };
        channel.canonical = channel.canonical_form(surroundings.unique);
        Ok(channel)
    }

    /// The original channel.
    pub const fn uri(&self) -> &ChannelUri {
        &self.uri
    }

    /// The channel's parameters.
    pub const fn params(&self) -> &ChannelParams {
        self.uri.params()
    }

    /// The use of the channel.
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// The canonical form of the channel. Channels with the same form share an endpoint. See
    /// [`UdpChannel::shares_endpoint_with`].
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The address for data: a publication sends to it, and a subscription listens on it.
    pub const fn remote_data(&self) -> SocketAddr {
        self.remote_data
    }

    /// The address for control: for a multicast subscription the control group, otherwise the address for data.
    pub const fn remote_control(&self) -> SocketAddr {
        self.remote_control
    }

    /// The local address. A publication receives control frames there. The port may be 0.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether the address for data is a multicast group.
    pub const fn is_multicast(&self) -> bool {
        self.is_multicast
    }

    /// Whether the channel states a control address: a publication's own address, or the one at which a subscription
    /// registers. For multicast it does not affect addresses.
    pub const fn has_explicit_control(&self) -> bool {
        self.params().control.is_some()
    }

    /// The address at which a subscription registers, if the channel states one.
    pub fn explicit_control(&self) -> Option<SocketAddr> {
        (self.has_explicit_control() && !self.is_multicast).then_some(self.local)
    }

    /// The address to which the socket is bound: the one from which a publication sends, or on which a subscription
    /// listens. The port may be 0.
    pub const fn bind_address(&self) -> SocketAddr {
        match self.usage {
            Usage::Publication | Usage::SendDestination => self.local,
            Usage::Subscription | Usage::ReceiveDestination => self.remote_data,
        }
    }

    /// The address to which a subscription sends its control frames, if it is not the source of the data: the control
    /// group, or the address at which it registers.
    pub fn answer_address(&self) -> Option<SocketAddr> {
        if self.is_multicast { Some(self.remote_control) } else { self.explicit_control() }
    }

    /// The control mode. A word that is none has no effect.
    pub fn control_mode(&self) -> Option<&ControlMode> {
        self.params().control_mode.as_ref().filter(|mode| !matches!(mode, ControlMode::Other(_)))
    }

    /// Whether a publication has several destinations, or a subscription listens on several addresses.
    pub const fn is_multi_destination(&self) -> bool {
        matches!(self.params().control_mode, Some(ControlMode::Manual | ControlMode::Dynamic))
    }

    /// Whether the publication responds to requests, or the subscription receives responses.
    pub const fn is_response(&self) -> bool {
        matches!(self.params().control_mode, Some(ControlMode::Response))
    }

    /// Whether a publication has, or may have, several receivers.
    pub const fn has_group_semantics(&self) -> bool {
        self.is_multicast || self.is_multi_destination()
    }

    /// The channel tag.
    pub fn tag(&self) -> Option<i64> {
        self.params().tags.and_then(|tags| tags.channel)
    }

    /// This channel with the addresses that its names have by now. `now` is the same channel, resolved again.
    #[must_use]
    pub fn resolved_again(&self, now: &Self) -> Self {
        let Self { remote_data, remote_control, local, interface, .. } = *now;
        Self { remote_data, remote_control, local, interface, ..self.clone() }
    }

    /// Whether the channel has no addresses, or an open port.
    fn is_wildcard(&self) -> bool {
        let addresses = [&self.params().endpoint, &self.params().control];
        addresses.iter().all(|address| address.is_none())
            || addresses.into_iter().flatten().any(|address| address.port() == 0)
    }

    /// `UDP-local-remote`, with a suffix if a port is open.
    fn canonical_form(&self, unique: u64) -> String {
        let text = |stated: &Option<HostAndPort>, resolved: SocketAddr| match stated {
            Some(address) if !self.is_multicast => address.text().to_owned(),
            _ => resolved.to_string(),
        };
        let local = text(&self.params().control, self.local);
        let remote = text(&self.params().endpoint, self.remote_data);
        let suffix = match self.tag() {
            _ if !self.is_wildcard() || self.usage.is_destination() => String::new(),
            Some(tag) => format!("#{tag}"),
            None => format!("-{unique}"),
        };
        format!("UDP-{local}-{remote}{suffix}")
    }
}

fn unspecified(is_v4: bool) -> IpAddr {
    if is_v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

fn resolve(address: &HostAndPort, around: &Surroundings<'_>) -> Result<SocketAddr, ChannelError> {
    Ok(SocketAddr::new(resolve_host(address.host(), around)?, address.port()))
}

fn resolve_host(host: &Host, around: &Surroundings<'_>) -> Result<IpAddr, ChannelError> {
    match host {
        Host::V4(address) => Ok((*address).into()),
        Host::V6(address) => Ok((*address).into()),
        Host::Name(name) => (around.resolve)(name).ok_or_else(|| ChannelError::UnknownHost { name: name.clone() }),
    }
}

/// The local interface and port, of the channel's address family.
fn local_interface(
    uri: &ChannelUri,
    is_v4: bool,
    is_multicast: bool,
    around: &Surroundings<'_>,
) -> Result<(LocalInterface, u16), ChannelError> {
    let any = unspecified(is_v4);
    let missing = |wanted: String| ChannelError::NoInterface { wanted };
    let local = |one: &NetworkInterface| LocalInterface { address: one.address, index: one.index };
    let Some(stated) = &uri.params().interface else {
        if !is_multicast {
            return Ok((LocalInterface { address: any, index: 0 }, 0));
        }
        let every =
            select_interface(around.interfaces, any, 0).ok_or_else(|| missing("any that takes multicast".into()))?;
        return Ok((local(every), 0));
    };
    let found = match stated.name() {
        InterfaceName::Device(device) => {
            around.interfaces.iter().find(|one| one.is_up && one.name == *device && one.address.is_ipv4() == is_v4)
        }
        InterfaceName::Address(host) => {
            let wanted = resolve_host(host, around).map_err(|error| match error {
                ChannelError::UnknownHost { name } => ChannelError::UnknownInterface { name },
                error => error,
            })?;
            if wanted.is_unspecified() && !is_multicast {
                return Ok((LocalInterface { address: wanted, index: 0 }, stated.port()));
            }
            let all = if wanted.is_ipv4() { 32 } else { 128 };
            let prefix_length = stated.prefix_length().unwrap_or(all);
            select_interface(around.interfaces, wanted, prefix_length)
                .filter(|one| one.address.is_ipv4() == is_v4 && prefix_length <= all)
        }
    };
    found.map(|one| (local(one), stated.port())).ok_or_else(|| missing(stated.text().to_owned()))
}

#[cfg(test)]
pub(super) mod tests {
    use gannet::command::ErrorCode;

    use super::*;
    use crate::channel::interface::tests::machine;

    pub(crate) fn channel(usage: Usage, text: &str) -> Result<UdpChannel, ChannelError> {
        let names = |name: &str| match name {
            "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
            "six" => Some(Ipv6Addr::LOCALHOST.into()),
            "eth" => Some([10, 0, 0, 5].into()),
            _ => None,
        };
        let around = Surroundings { interfaces: &machine(), resolve: &names, unique: 42 };
        UdpChannel::new(&ChannelUri::parse(text).unwrap(), usage, &around)
    }

    pub(crate) fn publication(text: &str) -> UdpChannel {
        channel(Usage::Publication, text).unwrap()
    }

    /// Data, control and local address.
    fn addresses(usage: Usage, text: &str) -> [String; 3] {
        let channel = channel(usage, text).unwrap();
        [channel.remote_data(), channel.remote_control(), channel.local()].map(|address| address.to_string())
    }

    #[test]
    fn each_case_has_its_addresses() {
        use Usage::{Publication, Subscription};
        for (usage, text, expected) in [
            (Publication, "aeron:udp?endpoint=localhost:9", ["127.0.0.1:9", "127.0.0.1:9", "0.0.0.0:0"]),
            (Publication, "aeron:udp?endpoint=[::1]:9", ["[::1]:9", "[::1]:9", "[::]:0"]),
            (Publication, "aeron:udp?endpoint=six:9", ["[::1]:9", "[::1]:9", "[::]:0"]),
            (
                Publication,
                "aeron:udp?endpoint=224.20.30.39:21300",
                ["224.20.30.39:21300", "224.20.30.40:21300", "10.0.1.5:0"],
            ),
            (
                Publication,
                "aeron:udp?endpoint=224.20.30.39:21300|interface=127.0.0.1:7|control=localhost:8",
                ["224.20.30.39:21300", "224.20.30.40:21300", "127.0.0.1:7"],
            ),
            (Publication, "aeron:udp?endpoint=[ff02::1]:9", ["[ff02::1]:9", "[ff02::2]:9", "[fe80::5]:0"]),
            (
                Publication,
                "aeron:udp?endpoint=localhost:9|control=localhost:8",
                ["127.0.0.1:9", "127.0.0.1:9", "127.0.0.1:8"],
            ),
            (
                Publication,
                "aeron:udp?control=localhost:8|control-mode=dynamic",
                ["0.0.0.0:0", "0.0.0.0:0", "127.0.0.1:8"],
            ),
            (Publication, "aeron:udp?control=[::1]:8|control-mode=dynamic", ["[::]:0", "[::]:0", "[::1]:8"]),
            (Publication, "aeron:udp?control-mode=manual", ["0.0.0.0:0", "0.0.0.0:0", "0.0.0.0:0"]),
            (
                Subscription,
                "aeron:udp?endpoint=localhost:0|control=localhost:8",
                ["127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:8"],
            ),
            (
                Publication,
                "aeron:udp?endpoint=localhost:9|interface=10.0.0.0:5/16",
                ["127.0.0.1:9", "127.0.0.1:9", "10.0.1.5:5"],
            ),
            (
                Publication,
                "aeron:udp?endpoint=localhost:9|interface=0.0.0.0:5",
                ["127.0.0.1:9", "127.0.0.1:9", "0.0.0.0:5"],
            ),
            (Publication, "aeron:udp?endpoint=localhost:9|interface=eth", ["127.0.0.1:9", "127.0.0.1:9", "10.0.0.5:0"]),
            (Publication, "aeron:udp?endpoint=six:9|interface=six/64", ["[::1]:9", "[::1]:9", "[::1]:0"]),
            (
                Publication,
                "aeron:udp?endpoint=localhost:9|interface={eth0}",
                ["127.0.0.1:9", "127.0.0.1:9", "10.0.0.5:0"],
            ),
            (Publication, "aeron:udp?endpoint=six:9|interface={eth1}:3", ["[::1]:9", "[::1]:9", "[fe80::5]:3"]),
        ] {
            assert_eq!(addresses(usage, text), expected, "{text}");
        }
    }

    /// Two spellings of one address are two channels.
    #[test]
    fn canonical_forms() {
        for (text, expected) in [
            ("aeron:udp?endpoint=localhost:9090", "UDP-0.0.0.0:0-localhost:9090"),
            ("aeron:udp?endpoint=127.0.0.1:9090", "UDP-0.0.0.0:0-127.0.0.1:9090"),
            ("aeron:udp?endpoint=localhost:9090|tags=5", "UDP-0.0.0.0:0-localhost:9090"),
            ("aeron:udp?endpoint=localhost:9|control=localhost:8", "UDP-localhost:8-localhost:9"),
            ("aeron:udp?control=localhost:8|control-mode=dynamic", "UDP-localhost:8-0.0.0.0:0"),
            ("aeron:udp?endpoint=224.20.30.39:21300", "UDP-10.0.1.5:0-224.20.30.39:21300"),
            ("aeron:udp?endpoint=224.20.30.39:21300|interface=localhost", "UDP-127.0.0.1:0-224.20.30.39:21300"),
            ("aeron:udp?control=localhost:0|control-mode=dynamic", "UDP-localhost:0-0.0.0.0:0-42"),
            ("aeron:udp?control=localhost:0|control-mode=dynamic|tags=7,8", "UDP-localhost:0-0.0.0.0:0#7"),
            ("aeron:udp?control-mode=manual", "UDP-0.0.0.0:0-0.0.0.0:0-42"),
            ("aeron:udp?tags=9", "UDP-0.0.0.0:0-0.0.0.0:0#9"),
        ] {
            assert_eq!(publication(text).canonical(), expected, "{text}");
        }
        let destination = channel(Usage::ReceiveDestination, "aeron:udp?endpoint=localhost:0").unwrap();
        assert_eq!(destination.canonical(), "UDP-0.0.0.0:0-localhost:0");
    }

    #[test]
    fn what_cannot_be_found_is_named() {
        let error = |text: &str| channel(Usage::Publication, text).unwrap_err();
        let found = error("aeron:udp?endpoint=nowhere.example:9");
        assert_eq!(found.error_code(), ErrorCode::UnknownHost);
        assert!(found.to_string().contains("nowhere.example"));
        let device = error("aeron:udp?endpoint=localhost:9|interface=eth7");
        assert_eq!(device.error_code(), ErrorCode::UnknownHost);
        assert!(device.to_string().ends_with("in braces: interface={eth7}"), "{device}");
        for (text, named) in [
            ("aeron:udp?endpoint=224.20.30.40:9", "40"),
            ("aeron:udp?endpoint=localhost:9|interface=192.168.7.0/24", "192.168.7.0/24"),
            ("aeron:udp?endpoint=localhost:9|interface={eth7}", "{eth7}"),
            ("aeron:udp?endpoint=six:9|interface={eth0}", "{eth0}"),
            ("aeron:udp?endpoint=six:9|interface=10.0.0.5", "10.0.0.5"),
            ("aeron:udp?endpoint=localhost:9|interface=eth/33", "eth/33"),
        ] {
            let found = error(text);
            assert_eq!(found.error_code(), ErrorCode::Generic, "{text}");
            assert!(found.to_string().contains(named), "{found}");
        }
    }

    #[test]
    fn semantics_of_groups() {
        for (text, group, multi) in [
            ("aeron:udp?endpoint=localhost:9", false, false),
            ("aeron:udp?endpoint=224.20.30.39:9", true, false),
            ("aeron:udp?control=localhost:9|control-mode=dynamic", true, true),
            ("aeron:udp?control-mode=manual", true, true),
            ("aeron:udp?endpoint=localhost:9|control-mode=another", false, false),
        ] {
            let channel = publication(text);
            assert_eq!((channel.has_group_semantics(), channel.is_multi_destination()), (group, multi), "{text}");
        }
    }

    #[test]
    fn names_are_those_that_are_no_addresses() {
        let text = "aeron:udp?endpoint=a.example:1|control=10.0.0.1:2|interface=b.example/24";
        let uri = ChannelUri::parse(text).unwrap();
        assert_eq!(names(&uri).collect::<Vec<_>>(), ["a.example", "b.example"]);
        let none = ChannelUri::parse("aeron:udp?endpoint=[::1]:1|interface={eth0}").unwrap();
        assert_eq!(names(&none).count(), 0);
    }
}
