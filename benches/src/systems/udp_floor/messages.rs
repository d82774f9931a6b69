//! Several datagrams per system call on a bare socket: `sendmmsg` and `recvmmsg` with arrays that are allocated once.
//! Used by the floor. The driver's transport has code of its own, since a floor must not change with what is compared
//! with it.
#![allow(unsafe_code, reason = "UNSAFE FENCE: sendmmsg and recvmmsg, which take raw addresses")]

use std::io;
use std::mem::zeroed;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// Slots of equal size for datagrams in one piece of memory, with the kernel's headers for them.
pub(super) struct Datagrams {
    stride: usize,
    memory: Box<[u8]>,
    lengths: Box<[usize]>,
    headers: Box<[libc::mmsghdr]>,
    parts: Box<[libc::iovec]>,
}

// SAFETY: the addresses within are set and used in one call, and mean nothing between calls.
unsafe impl Send for Datagrams {}

impl Datagrams {
    /// Creates slots for `count` datagrams of at most `stride` bytes.
    pub(super) fn new(count: usize, stride: usize) -> Self {
        // SAFETY: both are plain C structures, of which zero bytes are a value.
        let (header, part): (libc::mmsghdr, libc::iovec) = unsafe { (zeroed(), zeroed()) };
        Self {
            stride,
            memory: vec![0; count * stride].into(),
            lengths: vec![0; count].into(),
            headers: vec![header; count].into(),
            parts: vec![part; count].into(),
        }
    }

    /// The slot of a datagram.
    pub(super) fn room(&mut self, index: usize) -> &mut [u8] {
        &mut self.memory[index * self.stride..][..self.stride]
    }

    /// Sets the length of a datagram to send.
    pub(super) fn set_length(&mut self, index: usize, length: usize) {
        self.lengths[index] = length.min(self.stride);
    }

    /// A datagram that was received.
    pub(super) fn bytes(&self, index: usize) -> &[u8] {
        &self.memory[index * self.stride..][..self.lengths[index]]
    }

    /// Sends the datagrams in `range`, and returns how many the kernel accepted.
    pub(super) fn send(&mut self, socket: &UdpSocket, range: std::ops::Range<usize>) -> io::Result<usize> {
        let count = range.len();
        self.name(range.start, |this, index| this.lengths[index], count);
        // Not by the C library: musl's makes a call for each datagram.
        // SAFETY: so many headers were just set up, and name memory of this value, which nobody else uses during the call. Where they
        // differ from the kernel's they were made as zeros, and with the least byte first that is the same.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_sendmmsg,
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count as u32,
                libc::MSG_DONTWAIT,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
    }

    /// Receives available datagrams, at most one per slot, and returns how many.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let count = self.lengths.len();
        self.name(0, |this, _| this.stride, count);
        // SAFETY: as above.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count as u32,
                // An unsigned number with musl.
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        if received < 0 {
            return Err(io::Error::last_os_error());
        }
        for (length, header) in self.lengths.iter_mut().zip(&self.headers).take(received as usize) {
            *length = (header.msg_len as usize).min(self.stride);
        }
        Ok(received as usize)
    }

    /// Points the first `count` headers at the datagrams from `first` on.
    fn name(&mut self, first: usize, length: impl Fn(&Self, usize) -> usize, count: usize) {
        for index in 0..count {
            let length = length(self, first + index);
            let base = self.room(first + index).as_mut_ptr();
            self.parts[index] = libc::iovec { iov_base: base.cast(), iov_len: length };
            let header = &mut self.headers[index].msg_hdr;
            header.msg_iov = &raw mut self.parts[index];
            header.msg_iovlen = 1;
        }
    }
}
