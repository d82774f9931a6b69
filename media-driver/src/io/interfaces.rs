//! The machine's network interfaces, as data. The helper lists them when a channel is opened, because interfaces come
//! and go.
#![allow(unsafe_code, reason = "UNSAFE FENCE: walks the list that getifaddrs makes")]

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr::NonNull;

use crate::channel::NetworkInterface;

/// All addresses of all interfaces, in the operating system's order.
///
/// # Errors
///
/// An error of the operating system.
pub fn network_interfaces() -> io::Result<Vec<NetworkInterface>> {
    let list = List::new()?;
    let mut found = Vec::new();
    let mut next = list.0;
    while let Some(entry) = next {
        // SAFETY: an entry of the list, which lives until `list` is dropped; nobody changes it.
        let entry = unsafe { entry.as_ref() };
        found.extend(read(entry));
        next = NonNull::new(entry.ifa_next);
    }
    Ok(found)
}

/// The list, freed when it is dropped.
struct List(Option<NonNull<libc::ifaddrs>>);

impl List {
    fn new() -> io::Result<Self> {
        let mut head = std::ptr::null_mut();
        // SAFETY: the address is of a local that takes the list's head.
        if unsafe { libc::getifaddrs(&raw mut head) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(NonNull::new(head)))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if let Some(head) = self.0 {
            // SAFETY: it came from `getifaddrs`, and nothing refers to it any more.
            unsafe { libc::freeifaddrs(head.as_ptr()) };
        }
    }
}

/// The address in an entry. `None` if it is not an internet address.
fn read(entry: &libc::ifaddrs) -> Option<NetworkInterface> {
    let address = read_address(entry.ifa_addr)?;
    let prefix_length = match read_address(entry.ifa_netmask) {
        Some(IpAddr::V4(mask)) => mask.to_bits().leading_ones() as u8,
        Some(IpAddr::V6(mask)) => mask.to_bits().leading_ones() as u8,
        None => 0,
    };
    // SAFETY: the system gives every entry a name that ends in a zero byte.
    let name = unsafe { CStr::from_ptr(entry.ifa_name) };
    // SAFETY: as above; the call reads the name alone.
    let index = unsafe { libc::if_nametoindex(entry.ifa_name) };
    let has = |flag: i32| entry.ifa_flags & flag as u32 != 0;
    Some(NetworkInterface {
        name: name.to_string_lossy().into_owned(),
        index,
        address,
        prefix_length,
        is_up: has(libc::IFF_UP),
        is_loopback: has(libc::IFF_LOOPBACK),
        is_multicast: has(libc::IFF_MULTICAST),
    })
}

fn read_address(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: null, or an address of the list, which says its family first.
    let family = unsafe { address.as_ref() }?.sa_family;
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is one of these; it may not be aligned as one.
            let raw = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes()).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let raw = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(raw.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_there() {
        let interfaces = network_interfaces().unwrap();
        let loopback = interfaces.iter().find(|one| one.address == Ipv4Addr::LOCALHOST).expect("127.0.0.1");
        assert!(loopback.is_up && loopback.is_loopback && loopback.index > 0);
        assert_eq!(loopback.prefix_length, 8);
        assert!(interfaces.iter().all(|one| !one.name.is_empty()));
    }
}
