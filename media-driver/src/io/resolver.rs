//! Resolves names with the operating system. The helper calls this, because it may wait for a name server for a long
//! time.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};

use gannet::time::{Clock, SystemClock};

/// The address of a name: its first IPv4 address, otherwise its first IPv6 address. `None` if it has neither.
///
/// # Errors
///
/// An error of the operating system, for example that the name is unknown.
pub fn resolve(name: &str) -> io::Result<Option<IpAddr>> {
    let addresses: Vec<IpAddr> = (name, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    Ok(addresses.iter().find(|address| address.is_ipv4()).or(addresses.first()).copied())
}

/// As [`resolve`], with the duration in nanoseconds. An unknown name has no address.
pub fn timed(name: &str) -> (Option<IpAddr>, i64) {
    let begun = SystemClock.monotonic();
    let address = resolve(name).ok().flatten();
    (address, SystemClock.monotonic().since(begun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        assert!(resolve("localhost").unwrap().expect("an address").is_loopback());
        assert_eq!(resolve("10.1.2.3").unwrap(), Some([10, 1, 2, 3].into()));
        assert!(resolve("a name with spaces").is_err());
    }
}
