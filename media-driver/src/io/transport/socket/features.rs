//! What the kernel can do for a socket: split messages into datagrams, combine datagrams, tell when they arrived.
#![allow(unsafe_code, reason = "UNSAFE FENCE: the options of segmentation, which take raw addresses")]

use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

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
