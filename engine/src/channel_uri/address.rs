//! Addresses in a channel, as text. Their form is checked; they are never resolved.

use core::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::form::Form;

/// The host part of an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, without its scope id.
    V6(Ipv6Addr),
    /// A name that must be resolved.
    Name(String),
}

/// An address of the form `host:port`, `1.2.3.4:port` or `[ipv6]:port`. Its text is kept, because two spellings of one
/// address are two channels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostAndPort {
    text: String,
    host: Host,
    port: u16,
}

impl HostAndPort {
    /// Parses an address with a port. `None` if the text has another form.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Some(Self { text: text.to_owned(), host: Host::parse(host)?, port: parse_port(port)? })
    }

    /// The original text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The host.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The port. 0 lets the operating system or the driver choose one.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let address = bracketed.strip_suffix(']')?;
            let address = address.split_once('%').map_or(address, |(address, _scope)| address);
            return address.parse().ok().map(Self::V6);
        }
        if let Ok(address) = text.parse() {
            return Some(Self::V4(address));
        }
        let is_name = !text.is_empty()
            && !text.contains(|c: char| matches!(c, '[' | ']' | '{' | '}' | ':' | '/' | '%') || c.is_whitespace());
        is_name.then(|| Self::Name(text.to_owned()))
    }
}

impl fmt::Display for HostAndPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How an interface is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InterfaceName {
    /// The interface with a matching address.
    Address(Host),
    /// The interface with this name in the operating system.
    Device(String),
}

/// A local interface: `address[:port][/prefix]` or `{device}[:port]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interface {
    text: String,
    name: InterfaceName,
    port: u16,
    prefix_length: Option<u8>,
}

impl Interface {
    /// Parses an interface. `None` if the text has another form.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('{') {
            let (device, rest) = rest.split_once('}')?;
            let port = if rest.is_empty() { 0 } else { parse_port(rest.strip_prefix(':')?)? };
            let is_device = !device.is_empty() && !device.contains(['{', '/']);
            let name = is_device.then(|| InterfaceName::Device(device.to_owned()))?;
            return Some(Self { text: text.to_owned(), name, port, prefix_length: None });
        }
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let (host, port) = match address.rsplit_once(':') {
            // A colon before the bracket is part of the address.
            Some((host, port)) if !port.ends_with(']') => (host, parse_port(port)?),
            _ => (address, 0),
        };
        let host = Host::parse(host)?;
        // A name may have an address of either family.
        let longest = if matches!(host, Host::V4(_)) { 32 } else { 128 };
        let prefix_length = match prefix {
            Some(prefix) => Some(parse_digits(prefix, longest)? as u8),
            None => None,
        };
        Some(Self { text: text.to_owned(), name: InterfaceName::Address(host), port, prefix_length })
    }

    /// The original text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The interface's name or address.
    pub const fn name(&self) -> &InterfaceName {
        &self.name
    }

    /// The local port. 0 lets the operating system choose one.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The number of leading bits of the address that must match. `None` for all of them.
    pub const fn prefix_length(&self) -> Option<u8> {
        self.prefix_length
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The format of `endpoint` and `control`.
pub(super) enum AddressForm {}

impl Form for AddressForm {
    type Value = HostAndPort;
    const EXPECTED: &'static str = "host:port, 1.2.3.4:port or [ipv6]:port, with a port from 0 to 65535";

    fn read(text: &str) -> Option<HostAndPort> {
        HostAndPort::parse(text)
    }
}

/// The format of `interface`.
pub(super) enum InterfaceForm {}

impl Form for InterfaceForm {
    type Value = Interface;
    const EXPECTED: &'static str = "address[:port][/prefix] or {device}[:port]";

    fn read(text: &str) -> Option<Interface> {
        Interface::parse(text)
    }
}

fn parse_port(text: &str) -> Option<u16> {
    parse_digits(text, u16::MAX)
}

fn parse_digits(text: &str, max: u16) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?.filter(|number| *number <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_ports() {
        let v4 = HostAndPort::parse("127.0.0.1:40123").unwrap();
        assert_eq!((v4.host(), v4.port()), (&Host::V4(Ipv4Addr::LOCALHOST), 40_123));
        let v6 = HostAndPort::parse("[::1]:0").unwrap();
        assert_eq!((v6.host(), v6.port()), (&Host::V6(Ipv6Addr::LOCALHOST), 0));
        let scoped = HostAndPort::parse("[fe80::1%eth0]:9").unwrap();
        assert_eq!(scoped.host(), &Host::V6("fe80::1".parse().unwrap()));
        assert_eq!(scoped.to_string(), "[fe80::1%eth0]:9");
        let name = HostAndPort::parse("market-data.example:65535").unwrap();
        assert_eq!((name.host(), name.port()), (&Host::Name("market-data.example".into()), 65_535));
        for text in [
            "",
            ":",
            "host",
            "host:",
            ":1",
            "host:65536",
            "host:+1",
            "host:-1",
            "host:a",
            "::1:9",
            "[::1]",
            "[::1:9",
            "::1]:9",
            "[host]:9",
            "[]:9",
            "a b:9",
            "[::1]9:1",
            "host:9/24",
        ] {
            assert_eq!(HostAndPort::parse(text), None, "{text}");
        }
    }

    #[test]
    fn interfaces() {
        for (text, port, prefix_length) in [
            ("192.168.1.0/24", 0, Some(24)),
            ("192.168.1.1:7/32", 7, Some(32)),
            ("localhost", 0, None),
            ("localhost:9", 9, None),
            ("localhost/128", 0, Some(128)),
            ("[fe80::]/64", 0, Some(64)),
            ("[fe80::]:5/128", 5, Some(128)),
            ("[fe80::1]", 0, None),
            ("0.0.0.0", 0, None),
        ] {
            let interface = Interface::parse(text).unwrap();
            assert_eq!((interface.port(), interface.prefix_length()), (port, prefix_length), "{text}");
            assert!(matches!(interface.name(), InterfaceName::Address(_)));
            assert_eq!(interface.to_string(), text);
        }
        for (text, port) in [("{eth0}", 0), ("{eth0}:12", 12)] {
            let interface = Interface::parse(text).unwrap();
            assert_eq!(interface.name(), &InterfaceName::Device("eth0".into()));
            assert_eq!(interface.port(), port);
        }
        for text in [
            "",
            "/24",
            "10.0.0.1/33",
            "10.0.0.1/",
            "10.0.0.1/a",
            "[::1]/129",
            "localhost/129",
            "10.0.0.1:",
            "10.0.0.1/24:9",
            "{}",
            "{eth0",
            "eth0}",
            "{eth0}9",
            "{eth0}:",
            "{eth0}/24",
            "{e{th0}",
        ] {
            assert_eq!(Interface::parse(text), None, "{text}");
        }
    }
}
