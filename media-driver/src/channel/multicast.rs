//! The control address of a multicast group.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The control group of a data group: the same address and port, with the last byte incremented. The last byte as an
/// error if it is even, because even addresses are control groups.
pub(super) fn control_group(data: SocketAddr) -> Result<SocketAddr, u8> {
    let next = |last: u8| if last.is_multiple_of(2) { Err(last) } else { Ok(last.wrapping_add(1)) };
    let ip = match data.ip() {
        IpAddr::V4(address) => {
            let [a, b, c, last] = address.octets();
            IpAddr::from(Ipv4Addr::from([a, b, c, next(last)?]))
        }
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[15] = next(octets[15])?;
            Ipv6Addr::from(octets).into()
        }
    };
    Ok(SocketAddr::new(ip, data.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_is_data_and_one_more_is_control() {
        for (data, control) in [
            ("224.20.30.39:21300", Ok("224.20.30.40:21300")),
            ("239.255.0.1:1", Ok("239.255.0.2:1")),
            // Without a carry.
            ("224.0.1.255:9", Ok("224.0.1.0:9")),
            ("224.0.1.0:9", Err(0)),
            ("224.20.30.40:21300", Err(40)),
            ("[ff02::1]:40123", Ok("[ff02::2]:40123")),
            ("[ff02::2]:40123", Err(2)),
        ] {
            let found = control_group(data.parse().unwrap());
            assert_eq!(found, control.map(|control| control.parse().unwrap()), "{data}");
        }
    }
}
