//! The kernel's message batches: arrays of headers, names and control data, which are made once and filled in for each
//! call. `SocketTransport` calls this; nothing here decides what is sent where.
#![allow(
    unsafe_code,
    reason = "UNSAFE FENCE: sendmmsg, recvmmsg and the options of segmentation, which take raw addresses"
)]

use std::io;
use std::marker::PhantomData;
use std::mem::{offset_of, size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use crate::io::transport::RECEIVE_BUFFER_LENGTH;
use crate::io::transport::run::MAX_SEGMENTS;

/// The maximum number of messages per send call.
pub(in crate::io::transport) const MAX_MESSAGES: usize = 64;
/// The maximum number of parts of all these messages.
pub(in crate::io::transport) const MAX_PARTS: usize = 256;
/// The maximum number of messages per receive call. Each has its own buffer.
pub(in crate::io::transport) const MAX_RECEIVED: usize = 16;

/// The flags of sends: do not block, and raise no signal.
const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// The space for control data: the segment length and a timestamp. Aligned like the kernel's headers.
pub(in crate::io::transport) type Control = [u64; 12];

/// The messages of one send call.
pub(in crate::io::transport) struct Outbox {
    headers: Box<[libc::mmsghdr]>,
    parts: Box<[libc::iovec]>,
    names: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control]>,
}

// SAFETY: the addresses within are set and used in one call of `Filling::send`, and mean nothing between calls.
unsafe impl Send for Outbox {}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

/// A call that is being prepared. It borrows the memory that it refers to until it was made.
pub(in crate::io::transport) struct Filling<'o, 'd> {
    outbox: &'o mut Outbox,
    messages: usize,
    parts: usize,
    _data: PhantomData<&'d [u8]>,
}

impl Outbox {
    pub(in crate::io::transport) fn new() -> Self {
        // SAFETY: all of these are plain C structures, of which zero bytes are a value.
        let (header, part, name): (libc::mmsghdr, libc::iovec, libc::sockaddr_storage) =
            unsafe { (zeroed(), zeroed(), zeroed()) };
        Self {
            headers: vec![header; MAX_MESSAGES].into(),
            parts: vec![part; MAX_PARTS].into(),
            names: vec![name; MAX_MESSAGES].into(),
            controls: vec![[0; 12]; MAX_MESSAGES].into(),
        }
    }

    /// Sends a message of one part by itself, to `to` or to the address to which the socket is connected. This is the
    /// cheapest call for the kernel. Returns whether the kernel accepted it.
    #[inline]
    pub(in crate::io::transport) fn send_one(
        &mut self,
        socket: BorrowedFd<'_>,
        to: Option<SocketAddr>,
        bytes: &[u8],
    ) -> bool {
        let name = &mut self.names[0];
        let name_length = to.map_or(0, |to| put_name(name, to));
        let name = if to.is_some() { (&raw const *name).cast() } else { std::ptr::null() };
        let data = bytes.as_ptr().cast();
        // SAFETY: the bytes and the name are borrowed for the length of the call, and as long as is stated.
        let sent = unsafe { libc::sendto(socket.as_raw_fd(), data, bytes.len(), SEND_FLAGS, name, name_length) };
        sent >= 0
    }

    /// Starts preparing a call.
    pub(in crate::io::transport) fn fill<'d>(&mut self) -> Filling<'_, 'd> {
        Filling { outbox: self, messages: 0, parts: 0, _data: PhantomData }
    }
}

impl<'d> Filling<'_, 'd> {
    /// Whether a message of this many parts still fits.
    pub(in crate::io::transport) fn has_room(&self, parts: usize) -> bool {
        self.messages < MAX_MESSAGES && self.parts + parts <= MAX_PARTS
    }

    /// Adds a message if it has parts, and returns how many. The parts are sent one after the other, to `to` or to the
    /// address to which the socket is connected. With `segment`, the kernel splits them into segments of that length.
    ///
    /// # Panics
    ///
    /// If it does not fit.
    pub(in crate::io::transport) fn push(
        &mut self,
        to: Option<SocketAddr>,
        segment: Option<u16>,
        parts: impl Iterator<Item = &'d [u8]>,
    ) -> usize {
        let index = self.messages;
        let first = self.parts;
        for part in parts {
            self.outbox.parts[self.parts] =
                libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
            self.parts += 1;
        }
        if self.parts == first {
            return 0;
        }
        let header = &mut self.outbox.headers[index].msg_hdr;
        header.msg_iov = &raw mut self.outbox.parts[first];
        set_part_count(header, self.parts - first);
        address(header, &mut self.outbox.names[index], to);
        cut(header, &mut self.outbox.controls[index], segment);
        self.messages += 1;
        self.parts - first
    }

    /// Whether there are no messages.
    pub(in crate::io::transport) const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Makes the call. Returns the number of messages that the kernel accepted, from the first on; at least one.
    pub(in crate::io::transport) fn send(self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        if self.messages == 1 {
            let header = &raw const self.outbox.headers[0].msg_hdr;
            // SAFETY: as below.
            let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), header, SEND_FLAGS) };
            return if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(1) };
        }
        // Not with the C library, because musl makes one call per message.
        // SAFETY: the headers are as many, and name memory that is borrowed until `self` is gone: parts by the lifetime of the data,
        // names and control data by that of the outbox. They are laid out as the kernel's, see `set_part_count`.
        let taken = unsafe {
            libc::syscall(
                libc::SYS_sendmmsg,
                socket.as_raw_fd(),
                self.outbox.headers.as_mut_ptr(),
                self.messages as u32,
                SEND_FLAGS,
            )
        };
        if taken < 0 { Err(io::Error::last_os_error()) } else { Ok(taken as usize) }
    }
}

// C libraries have different types for the lengths in these headers. The kernel uses 64 bits for each. So does glibc.
// musl uses 32 bits and padding that stays zero, which is the same number in little-endian order.
const _: () = assert!(size_of::<libc::msghdr>() == 56 && size_of::<libc::mmsghdr>() == 64, "as the kernel has them");
const _: () = assert!(offset_of!(libc::msghdr, msg_iovlen) == 24 && offset_of!(libc::msghdr, msg_controllen) == 40);
const _: () = assert!(size_of::<libc::cmsghdr>() == 16, "as the kernel has it");

/// Sets the number of parts of a message.
fn set_part_count(header: &mut libc::msghdr, count: usize) {
    header.msg_iovlen = count as _;
}

/// Sets the length of a message's control data or of the space for it.
pub(in crate::io::transport) fn set_control_length(header: &mut libc::msghdr, length: usize) {
    header.msg_controllen = length as _;
}

/// Sets the destination of a message. `None` for the address to which the socket is connected. The name must stay in
/// place until the message was sent.
fn address(header: &mut libc::msghdr, name: &mut libc::sockaddr_storage, to: Option<SocketAddr>) {
    header.msg_namelen = to.map_or(0, |to| put_name(name, to));
    header.msg_name = if to.is_some() { (name as *mut libc::sockaddr_storage).cast() } else { std::ptr::null_mut() };
}

/// Sets the segment length of a message, if there is one. The control data must stay in place until the message was
/// sent.
fn cut(header: &mut libc::msghdr, control: &mut Control, segment: Option<u16>) {
    header.msg_control = std::ptr::null_mut();
    header.msg_controllen = 0;
    let Some(segment) = segment else { return };
    header.msg_control = control.as_mut_ptr().cast();
    // SAFETY: arithmetic on constants.
    let (space, length) =
        unsafe { (libc::CMSG_SPACE(size_of::<u16>() as u32), libc::CMSG_LEN(size_of::<u16>() as u32)) };
    set_control_length(header, space as usize);
    // SAFETY: the header names a control buffer that is longer than that, and aligned, so the first control header and its two bytes of
    // data lie within it.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(header);
        (*first).cmsg_level = libc::SOL_UDP;
        (*first).cmsg_type = libc::UDP_SEGMENT;
        (*first).cmsg_len = length as _;
        libc::CMSG_DATA(first).cast::<u16>().write_unaligned(segment);
    }
}

/// A message that is passed to the kernel and stays in place until the kernel has completed it.
pub(in crate::io::transport) struct Envelope {
    header: libc::msghdr,
    parts: [libc::iovec; MAX_SEGMENTS],
    name: libc::sockaddr_storage,
    control: Control,
}

impl Envelope {
    pub(in crate::io::transport) fn new() -> Self {
        // SAFETY: all of these are plain C structures, of which zero bytes are a value.
        unsafe { zeroed() }
    }

    /// Prepares the message. Returns the header for the kernel, and the number of parts. The header is valid as long as
    /// this value stays in place and is not prepared again, and the memory of the parts exists.
    ///
    /// # Panics
    ///
    /// If there are more parts than the maximum number of segments.
    pub(in crate::io::transport) fn set<'d>(
        &mut self,
        to: Option<SocketAddr>,
        segment: Option<u16>,
        parts: impl Iterator<Item = &'d [u8]>,
    ) -> (*const libc::msghdr, usize) {
        let mut count = 0;
        for part in parts {
            self.parts[count] = libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
            count += 1;
        }
        self.header.msg_iov = self.parts.as_mut_ptr();
        set_part_count(&mut self.header, count);
        address(&mut self.header, &mut self.name, to);
        cut(&mut self.header, &mut self.control, segment);
        (&raw const self.header, count)
    }
}

/// The messages of one receive call.
pub(in crate::io::transport) struct Inbox {
    headers: Box<[libc::mmsghdr]>,
    parts: Box<[libc::iovec]>,
    names: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control]>,
    buffers: Box<[u8]>,
}

// SAFETY: as for the outbox: the addresses within are set anew for each call.
unsafe impl Send for Inbox {}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// A received message.
pub(in crate::io::transport) struct Message<'a> {
    /// The sender's address. `None` if it is not an internet address.
    pub(in crate::io::transport) from: Option<SocketAddr>,
    /// The payload: one datagram, or several of `segment` bytes each, of which the last may be shorter.
    pub(in crate::io::transport) bytes: &'a mut [u8],
    pub(in crate::io::transport) segment: Option<usize>,
    /// When the kernel received it, in nanoseconds since 1970.
    pub(in crate::io::transport) received_ns: Option<i64>,
    /// Whether it exceeded the buffer.
    pub(in crate::io::transport) is_truncated: bool,
}

impl Inbox {
    pub(in crate::io::transport) fn new() -> Self {
        // SAFETY: as for the outbox.
        let (header, part, name): (libc::mmsghdr, libc::iovec, libc::sockaddr_storage) =
            unsafe { (zeroed(), zeroed(), zeroed()) };
        Self {
            headers: vec![header; MAX_RECEIVED].into(),
            parts: vec![part; MAX_RECEIVED].into(),
            names: vec![name; MAX_RECEIVED].into(),
            controls: vec![[0; 12]; MAX_RECEIVED].into(),
            buffers: vec![0; MAX_RECEIVED * RECEIVE_BUFFER_LENGTH].into(),
        }
    }

    /// Receives at most `most` available messages. Returns how many. An interrupted call, and one that reports the
    /// refusal of an earlier datagram, count as none.
    pub(in crate::io::transport) fn receive(&mut self, socket: BorrowedFd<'_>, most: usize) -> usize {
        let most = most.min(MAX_RECEIVED);
        let buffers = self.buffers.chunks_exact_mut(RECEIVE_BUFFER_LENGTH);
        let beside = self.parts.iter_mut().zip(self.names.iter_mut()).zip(self.controls.iter_mut());
        for ((header, buffer), ((part, name), control)) in self.headers[..most].iter_mut().zip(buffers).zip(beside) {
            header.msg_len = 0;
            make_room(&mut header.msg_hdr, part, buffer, name, control);
        }
        // SAFETY: `most` headers were just set up, and name memory of this value, which nobody else uses during the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                most as u32,
                // With musl, this is an unsigned number.
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        usize::try_from(received).unwrap_or(0)
    }

    /// Receives one message, if there is one. Returns how many. For a single message the kernel has less to copy this
    /// way.
    #[inline]
    pub(in crate::io::transport) fn receive_one(&mut self, socket: BorrowedFd<'_>) -> usize {
        let buffer = &mut self.buffers[..RECEIVE_BUFFER_LENGTH];
        let first = &mut self.headers[0];
        make_room(&mut first.msg_hdr, &mut self.parts[0], buffer, &mut self.names[0], &mut self.controls[0]);
        // SAFETY: the header was just set up, and names memory of this value, which nobody else uses during the call.
        let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut first.msg_hdr, libc::MSG_DONTWAIT) };
        if length < 0 {
            return 0;
        }
        first.msg_len = length as u32;
        1
    }

    /// Receives one datagram, if there is one, with only its source address. This is the cheapest call for the kernel.
    /// Returns how many.
    pub(in crate::io::transport) fn receive_plain(&mut self, socket: BorrowedFd<'_>) -> usize {
        let first = &mut self.headers[0];
        let name = (&raw mut self.names[0]).cast();
        let mut name_length = size_of::<libc::sockaddr_storage>() as u32;
        let buffer = &mut self.buffers[..RECEIVE_BUFFER_LENGTH];
        // With this flag the kernel returns the full length of a datagram that exceeds the buffer.
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: the buffer and the name are of this value, which nobody else uses during the call, and as long as is stated.
        let length = unsafe {
            let (buffer, room) = (buffer.as_mut_ptr().cast(), buffer.len());
            libc::recvfrom(socket.as_raw_fd(), buffer, room, flags, name, &raw mut name_length)
        };
        if length < 0 {
            return 0;
        }
        let is_truncated = length as usize > RECEIVE_BUFFER_LENGTH;
        first.msg_len = length as u32;
        first.msg_hdr.msg_controllen = 0;
        first.msg_hdr.msg_flags = if is_truncated { libc::MSG_TRUNC } else { 0 };
        1
    }

    /// A message of the last call.
    ///
    /// # Panics
    ///
    /// If a call cannot receive that many.
    pub(in crate::io::transport) fn message(&mut self, index: usize) -> Message<'_> {
        let header = &self.headers[index];
        let mut message = Message {
            from: get_name(&self.names[index]),
            bytes: &mut [],
            segment: None,
            received_ns: None,
            is_truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        };
        read_control(&header.msg_hdr, &mut message);
        let length = (header.msg_len as usize).min(RECEIVE_BUFFER_LENGTH);
        message.bytes = &mut self.buffers[index * RECEIVE_BUFFER_LENGTH..][..length];
        message
    }
}

/// Sets the buffers of a header for receiving. They must stay in place until the message was received.
#[inline]
fn make_room(
    header: &mut libc::msghdr,
    part: &mut libc::iovec,
    buffer: &mut [u8],
    name: &mut libc::sockaddr_storage,
    control: &mut Control,
) {
    *part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    header.msg_name = (&raw mut *name).cast();
    header.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
    header.msg_iov = &raw mut *part;
    set_part_count(header, 1);
    header.msg_control = control.as_mut_ptr().cast();
    set_control_length(header, size_of::<Control>());
    header.msg_flags = 0;
}

/// Reads the control data of a message.
pub(in crate::io::transport) fn read_control(header: &libc::msghdr, message: &mut Message<'_>) {
    // SAFETY: the kernel filled in the control data that the header names, and its length; the macros keep within that, and each kind
    // of data is as long as its type says.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = control.as_ref() {
            let data = libc::CMSG_DATA(control);
            match (found.cmsg_level, found.cmsg_type) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let segment = data.cast::<i32>().read_unaligned();
                    message.segment = usize::try_from(segment).ok().filter(|&segment| segment > 0);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time = data.cast::<libc::timespec>().read_unaligned();
                    message.received_ns = Some(time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec));
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
}

/// Writes an address in the kernel's format. Returns its length.
fn put_name(name: &mut libc::sockaddr_storage, address: SocketAddr) -> u32 {
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

/// Whether the kernel supports segmentation offload for this socket.
pub(in crate::io::transport) fn can_segment(socket: impl AsFd) -> bool {
    let (mut value, mut length) = (0_i32, size_of::<i32>() as u32);
    // SAFETY: both addresses are of locals of the length that is stated.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    result == 0
}

/// Enables receive coalescing of equal datagrams. Returns false if the kernel does not support it.
pub(in crate::io::transport) fn coalesce(socket: impl AsFd) -> bool {
    set(socket.as_fd(), libc::SOL_UDP, libc::UDP_GRO)
}

/// Enables receive timestamps. Returns false if the kernel does not support them.
pub(in crate::io::transport) fn tell_time(socket: impl AsFd) -> bool {
    set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)
}

fn set(socket: BorrowedFd<'_>, level: i32, option: i32) -> bool {
    let on = 1_i32;
    // SAFETY: the address is of a local of the length that is stated.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), size_of::<i32>() as u32) };
    result == 0
}

#[cfg(test)]
mod tests {
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
