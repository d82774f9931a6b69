//! The buffers into which the kernel receives: a ring from which it takes the next one for each message.
#![allow(
    unsafe_code,
    reason = "UNSAFE FENCE: memory that the kernel writes to, and the ring by which it is handed back and forth"
)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::mem::{align_of, size_of};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use crate::io::transport::RECEIVE_BUFFER_LENGTH;
use crate::io::transport::socket::header::{Control, get_name, set_control_length};
use crate::io::transport::socket::inbox::{Message, read_control};

/// The number of buffers: a power of two.
const BUFFERS: u16 = 64;
/// The only buffer group on the ring.
pub(super) const GROUP: u16 = 0;

/// The length of the header that the kernel writes before name, control data and payload: four words with their lengths
/// and flags.
const HEAD_LENGTH: usize = 16;
const NAME_LENGTH: usize = size_of::<libc::sockaddr_storage>();
const CONTROL_LENGTH: usize = size_of::<Control>();
const NAME_AT: usize = HEAD_LENGTH;
const CONTROL_AT: usize = NAME_AT + NAME_LENGTH;
const PAYLOAD_AT: usize = CONTROL_AT + CONTROL_LENGTH;
/// The distance between two buffers.
const STRIDE: usize = (PAYLOAD_AT + RECEIVE_BUFFER_LENGTH).next_multiple_of(64);
const _: () =
    assert!(CONTROL_AT.is_multiple_of(align_of::<libc::cmsghdr>()), "control data is aligned in every buffer");

const ENTRIES: Layout = match Layout::from_size_align(BUFFERS as usize * size_of::<BufRingEntry>(), 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout"),
};
const MEMORY: Layout = match Layout::from_size_align(BUFFERS as usize * STRIDE, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout"),
};

/// The ring of buffers.
#[derive(Debug)]
pub(super) struct Buffers {
    entries: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    /// The number of buffers that were ever passed to the kernel, wrapping.
    tail: u16,
    /// Whether the kernel may still write to them when this value is dropped.
    pub(super) are_held: bool,
}

// SAFETY: whoever owns the value owns the memory, but for what the kernel was given, which knows no threads.
unsafe impl Send for Buffers {}

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: neither layout is empty.
    NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

impl Buffers {
    /// Creates the buffers and passes all of them to the ring.
    pub(super) fn new(ring: &IoUring) -> io::Result<Self> {
        let mut buffers =
            Self { entries: allocate(ENTRIES).cast(), memory: allocate(MEMORY), tail: 0, are_held: false };
        // SAFETY: the entries are as many, aligned to a page, and live until the ring has been closed: the ring is dropped first.
        unsafe { ring.submitter().register_buf_ring_with_flags(buffers.entries.as_ptr() as u64, BUFFERS, GROUP, 0)? };
        (0..BUFFERS).for_each(|number| buffers.give(number));
        buffers.publish();
        Ok(buffers)
    }

    /// The layout for receive operations, of which the kernel only reads the lengths.
    pub(super) fn layout() -> libc::msghdr {
        // SAFETY: zero bytes are a value of a plain C structure.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_namelen = NAME_LENGTH as u32;
        set_control_length(&mut header, CONTROL_LENGTH);
        header
    }

    /// The message in a buffer that the kernel has filled with `length` bytes. `None` if it is invalid.
    pub(super) fn message(&mut self, number: u16, length: usize) -> Option<Message<'_>> {
        if number >= BUFFERS || !(PAYLOAD_AT..=PAYLOAD_AT + RECEIVE_BUFFER_LENGTH).contains(&length) {
            return None;
        }
        // SAFETY: the buffer is within the memory, and the kernel has handed it over: nobody writes to it until it is given back, which
        // takes this value, borrowed until then.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(
                self.memory.as_ptr().add(usize::from(number) * STRIDE),
                PAYLOAD_AT + RECEIVE_BUFFER_LENGTH,
            )
        };
        let (head, rest) = bytes.split_at_mut(NAME_AT);
        let (name, rest) = rest.split_at_mut(NAME_LENGTH);
        let (control, payload) = rest.split_at_mut(CONTROL_LENGTH);
        let word = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let [_name_length, control_length, _payload_length, flags] = [0, 4, 8, 12].map(word);
        // SAFETY: the bytes are as many as the structure has, which is made of integers alone.
        let name = unsafe { name.as_ptr().cast::<libc::sockaddr_storage>().read_unaligned() };
        let mut message = Message {
            from: get_name(&name),
            bytes: &mut [],
            segment: None,
            received_ns: None,
            is_truncated: flags & libc::MSG_TRUNC as u32 != 0,
        };
        let mut header = Self::layout();
        header.msg_control = control.as_mut_ptr().cast();
        set_control_length(&mut header, (control_length as usize).min(CONTROL_LENGTH));
        read_control(&header, &mut message);
        message.bytes = &mut payload[..length - PAYLOAD_AT];
        Some(message)
    }

    /// Returns a buffer to the kernel with the next publish.
    pub(super) fn give(&mut self, number: u16) {
        if number >= BUFFERS {
            return;
        }
        let place = usize::from(self.tail & (BUFFERS - 1));
        // SAFETY: the place is one of the ring's, and the kernel does not read it before the tail has passed it; the buffer is within the
        // memory.
        unsafe {
            let entry = self.entries.add(place).as_mut();
            entry.set_addr(self.memory.as_ptr().add(usize::from(number) * STRIDE) as u64);
            entry.set_len((PAYLOAD_AT + RECEIVE_BUFFER_LENGTH) as u32);
            entry.set_bid(number);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Publishes all returned buffers to the kernel. Release: pairs with the kernel's acquire load of the tail, so the
    /// entries below are in place.
    pub(super) fn publish(&mut self) {
        // SAFETY: the first entry of the ring, which is initialised and has the tail in it; only this value stores to it.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries.as_ptr()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        if self.are_held {
            return;
        }
        // SAFETY: allocated with these layouts; the ring is closed, and no operation was left that may write to them.
        unsafe {
            dealloc(self.entries.as_ptr().cast(), ENTRIES);
            dealloc(self.memory.as_ptr(), MEMORY);
        }
    }
}
