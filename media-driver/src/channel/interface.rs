//! Finds the interface of the machine that a channel names.

use std::net::IpAddr;

/// An address of one of the machine's interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkInterface {
    /// The interface's name in the operating system.
    pub name: String,
    /// The interface's index.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// The number of leading bits of the address that denote its network.
    pub prefix_length: u8,
    /// Whether the interface is up.
    pub is_up: bool,
    /// Whether this is a loopback interface.
    pub is_loopback: bool,
    /// Whether the interface supports multicast.
    pub is_multicast: bool,
}

/// The interface whose address shares the first `prefix_length` bits with `wanted`. If there are several, the one with
/// the longest prefix that supports multicast, otherwise the first loopback interface. Interfaces that are down are
/// ignored.
pub(super) fn select_interface(
    interfaces: &[NetworkInterface],
    wanted: IpAddr,
    prefix_length: u8,
) -> Option<&NetworkInterface> {
    let mut chosen = None;
    let mut longest = 0;
    for interface in interfaces.iter().filter(|one| one.is_up && is_within(one.address, wanted, prefix_length)) {
        if interface.is_loopback {
            chosen = chosen.or(Some(interface));
        } else if interface.is_multicast && interface.prefix_length > longest {
            longest = interface.prefix_length;
            chosen = Some(interface);
        }
    }
    chosen
}

/// Whether two addresses are of the same family and share their first `prefix_length` bits.
fn is_within(address: IpAddr, wanted: IpAddr, prefix_length: u8) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((one, family), (other, wanted_family)) = (bits(address), bits(wanted));
    let prefix_length = u32::from(prefix_length).min(family);
    family == wanted_family && (prefix_length == 0 || (one ^ other) >> (128 - prefix_length) == 0)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn interface(name: &str, address: &str, prefix_length: u8) -> NetworkInterface {
        let address: IpAddr = address.parse().unwrap();
        NetworkInterface {
            name: name.into(),
            index: 1 + u32::from(prefix_length),
            address,
            prefix_length,
            is_up: true,
            is_loopback: address.is_loopback(),
            is_multicast: !address.is_loopback(),
        }
    }

    pub(crate) fn machine() -> Vec<NetworkInterface> {
        vec![
            interface("lo", "127.0.0.1", 8),
            interface("lo", "::1", 128),
            interface("eth0", "10.0.0.5", 16),
            interface("eth1", "10.0.1.5", 24),
            interface("eth1", "fe80::5", 64),
        ]
    }

    fn chosen(interfaces: &[NetworkInterface], wanted: &str, prefix_length: u8) -> Option<String> {
        select_interface(interfaces, wanted.parse().unwrap(), prefix_length).map(|one| one.address.to_string())
    }

    #[test]
    fn the_prefix_decides_and_then_the_smallest_network() {
        let machine = machine();
        for (wanted, prefix_length, expected) in [
            ("10.0.0.5", 32, Some("10.0.0.5")),
            ("10.0.0.6", 32, None),
            ("10.0.1.0", 24, Some("10.0.1.5")),
            ("10.0.0.0", 16, Some("10.0.1.5")),
            ("10.0.0.0", 8, Some("10.0.1.5")),
            ("127.0.0.1", 32, Some("127.0.0.1")),
            ("127.0.0.9", 8, Some("127.0.0.1")),
            // Multicast without an interface: every one matches.
            ("0.0.0.0", 0, Some("10.0.1.5")),
            ("::", 0, Some("fe80::5")),
            ("::1", 128, Some("::1")),
            ("fe80::", 10, Some("fe80::5")),
            ("2001:db8::", 32, None),
        ] {
            assert_eq!(chosen(&machine, wanted, prefix_length).as_deref(), expected, "{wanted}/{prefix_length}");
        }
    }

    #[test]
    fn what_is_down_or_takes_no_multicast_is_passed_over() {
        let mut machine = machine();
        machine[3].is_up = false;
        assert_eq!(chosen(&machine, "0.0.0.0", 0).as_deref(), Some("10.0.0.5"));
        machine[2].is_multicast = false;
        assert_eq!(chosen(&machine, "0.0.0.0", 0).as_deref(), Some("127.0.0.1"));
        assert_eq!(chosen(&[], "0.0.0.0", 0), None);
    }
}
