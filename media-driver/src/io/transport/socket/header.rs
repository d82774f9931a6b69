//! Message headers as the kernel has them: lengths, addresses, and the space for control data.
#![allow(unsafe_code, reason = "UNSAFE FENCE: addresses in the kernel's format, which have a type per family")]

use std::mem::{offset_of, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// The space for control data: the segment length and a timestamp. Aligned like the kernel's headers.
pub(in crate::io::transport) type Control = [u64; 12];

// C libraries have different types for the lengths in these headers. The kernel uses 64 bits for each. So does glibc.
// musl uses 32 bits and padding that stays zero, which is the same number in little-endian order.
const _: () = assert!(size_of::<libc::msghdr>() == 56 && size_of::<libc::mmsghdr>() == 64, "as the kernel has them");
const _: () = assert!(offset_of!(libc::msghdr, msg_iovlen) == 24 && offset_of!(libc::msghdr, msg_controllen) == 40);
const _: () = assert!(size_of::<libc::cmsghdr>() == 16, "as the kernel has it");

/// Sets the number of parts of a message.
#[inline]
pub(super) fn set_part_count(header: &mut libc::msghdr, count: usize) {
    header.msg_iovlen = count as _;
}

/// Sets the length of a message's control data or of the space for it.
#[inline]
pub(in crate::io::transport) fn set_control_length(header: &mut libc::msghdr, length: usize) {
    header.msg_controllen = length as _;
}

/// Writes an address in the kernel's format. Returns its length.
#[inline]
pub(super) fn put_name(name: &mut libc::sockaddr_storage, address: SocketAddr) -> u32 {
    let name: *mut libc::sockaddr_storage = name;
    match address {
        SocketAddr::V4(address) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                sin_zero: [0; 8],
            };
            // SAFETY: the storage is longer than any address, and aligned for all of them.
            unsafe { name.cast::<libc::sockaddr_in>().write(raw) };
            size_of::<libc::sockaddr_in>() as u32
        }
        SocketAddr::V6(address) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as u16,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            };
            // SAFETY: as above.
            unsafe { name.cast::<libc::sockaddr_in6>().write(raw) };
            size_of::<libc::sockaddr_in6>() as u32
        }
    }
}

/// Reads an address in the kernel's format. `None` if it is not an internet address.
#[inline]
pub(in crate::io::transport) fn get_name(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let address: *const libc::sockaddr_storage = name;
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the storage is longer than any address, and its family says that this is one of that kind.
            let raw = unsafe { address.cast::<libc::sockaddr_in>().read() };
            let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let raw = unsafe { address.cast::<libc::sockaddr_in6>().read() };
            let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
            let port = u16::from_be(raw.sin6_port);
            Some(SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::mem::zeroed;

    use super::*;

    #[test]
    fn addresses_are_written_and_read_back() {
        // SAFETY: zero bytes are a value of a plain C structure.
        let mut name: libc::sockaddr_storage = unsafe { zeroed() };
        assert_eq!(get_name(&name), None);
        for address in ["127.0.0.1:40123", "[fe80::1%3]:9", "[::1]:65535", "0.0.0.0:0"] {
            let address: SocketAddr = address.parse().unwrap();
            let length = put_name(&mut name, address);
            assert_eq!(length, if address.is_ipv4() { 16 } else { 28 });
            assert_eq!(get_name(&name), Some(address));
        }
    }
}
