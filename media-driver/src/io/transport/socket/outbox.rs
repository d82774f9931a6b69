//! Outgoing messages: arrays of headers, addresses and control data, which are made once and filled in for each call.
//! Nothing here decides what is sent where.
#![allow(unsafe_code, reason = "UNSAFE FENCE: sendto, sendmsg and sendmmsg, which take raw addresses")]

use std::io;
use std::marker::PhantomData;
use std::mem::{size_of, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::header::{Control, put_name, set_control_length, set_part_count};
use crate::io::transport::run::MAX_SEGMENTS;

/// The maximum number of messages per send call.
pub(in crate::io::transport) const MAX_MESSAGES: usize = 64;
/// The maximum number of parts of all these messages.
pub(in crate::io::transport) const MAX_PARTS: usize = 256;

/// The flags of sends: do not block, and raise no signal.
const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

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
