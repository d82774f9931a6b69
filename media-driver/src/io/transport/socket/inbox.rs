//! Incoming messages: arrays of headers, addresses, control data and buffers, which are made once and set up for each
//! call.
#![allow(unsafe_code, reason = "UNSAFE FENCE: recvfrom, recvmsg and recvmmsg, which take raw addresses")]

use std::mem::{size_of, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::header::{Control, get_name, set_control_length, set_part_count};
use crate::io::transport::RECEIVE_BUFFER_LENGTH;

/// The maximum number of messages per receive call. Each has its own buffer.
pub(in crate::io::transport) const MAX_RECEIVED: usize = 16;

/// The messages of one receive call.
pub(in crate::io::transport) struct Inbox {
    headers: Box<[libc::mmsghdr]>,
    parts: Box<[libc::iovec]>,
    names: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control]>,
    buffers: Box<[u8]>,
}

// SAFETY: the addresses within are set anew for each call, and mean nothing between calls.
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
        // SAFETY: all of these are plain C structures, of which zero bytes are a value.
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
