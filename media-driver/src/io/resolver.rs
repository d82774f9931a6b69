//! Resolves names by the operating system. The helper calls this, because it may wait for a name server for a long
//! time.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};

use gannet::time::{Clock, SystemClock};

/// The address of a name: its first IPv4 address, or if it has none its first IPv6 address. None if it has neither.
///
/// # Errors
///
/// The system's, such as a name that nobody knows.
pub fn resolve(name: &str) -> io::Result<Option<IpAddr>> {
    let addresses: Vec<IpAddr> = (name, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    Ok(addresses.iter().find(|address| address.is_ipv4()).or(addresses.first()).copied())
}

/// The same, with how long that took in nanoseconds. A name that nobody knows has no address.
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
