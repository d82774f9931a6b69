//! Receiving on a ring of its own: one operation per endpoint that goes on until it is cancelled, or the kernel ends it and it is started
//! again.
#![allow(
    unsafe_code,
    reason = "UNSAFE FENCE: starts operations that write to buffers which are the kernel's until then"
)]

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::types::{CancelBuilder, Timespec};
use io_uring::{IoUring, cqueue, opcode, types};

use super::Endpoints;
use super::buffers::{Buffers, GROUP};
use crate::io::transport::socket::direct::hand_over;
use crate::io::transport::{Datagram, TransportCounts};
use crate::mailbox::EndpointId;

/// How many answers may wait before the kernel keeps them back.
const ANSWERS: u32 = 1024;
/// How many operations one submission starts.
const STARTS: u32 = 64;
/// How often an operation that was cancelled is looked for before its buffers are given up.
const ATTEMPTS: usize = 1000;

pub(super) struct Receives {
    // Before the buffers: it must be closed first.
    ring: IoUring,
    buffers: Buffers,
    /// Read by the kernel when an operation starts.
    layout: Box<libc::msghdr>,
    /// Operations that the kernel has.
    live: usize,
    /// Those to be started.
    to_start: Vec<EndpointId>,
    /// The thread that started them.
    thread: ThreadMark,
}

/// Tells the calling thread from all others that live.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ThreadMark(usize);

impl ThreadMark {
    fn here() -> Self {
        thread_local!(static MARK: u8 = const { 0 });
        Self(MARK.with(|mark| std::ptr::from_ref(mark).addr()))
    }
}

// SAFETY: the layout has no addresses in it; the rest is `Send` by itself.
unsafe impl Send for Receives {}

impl std::fmt::Debug for Receives {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receives").field("live", &self.live).finish_non_exhaustive()
    }
}

impl Receives {
    pub(super) fn new() -> io::Result<Self> {
        let ring = IoUring::builder().setup_coop_taskrun().setup_taskrun_flag().setup_cqsize(ANSWERS).build(STARTS)?;
        let buffers = Buffers::new(&ring)?;
        // A kernel that cannot cancel would keep the sockets of endpoints that were closed. This one has nothing to cancel.
        match ring.submitter().register_sync_cancel(None, CancelBuilder::any()) {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
            _ => {}
        }
        Ok(Self {
            ring,
            buffers,
            layout: Box::new(Buffers::layout()),
            live: 0,
            to_start: Vec::new(),
            thread: ThreadMark::here(),
        })
    }

    /// Has receiving for an endpoint start with the next [`Receives::receive`].
    pub(super) fn arm(&mut self, endpoint: EndpointId) {
        // So that starting again never has to make room.
        self.to_start.reserve(self.live + 1);
        self.to_start.push(endpoint);
    }

    fn start(&mut self, endpoint: EndpointId, socket: RawFd) {
        let operation = opcode::RecvMsgMulti::new(types::Fd(socket), &raw const *self.layout, GROUP)
            .build()
            .user_data(endpoint.get().into());
        // SAFETY: the layout lives as long as the ring, and is boxed, so it stays where it is. The buffers are the ring's.
        while unsafe { self.ring.submission().push(&operation) }.is_err() {
            // The queue is full; submitting empties it.
            let _ = self.ring.submit();
        }
        self.live += 1;
    }

    /// Stops receiving for an endpoint, and has the kernel let go of its socket. What has arrived already is handed over when it is met,
    /// if the endpoint is known then. False when the kernel may still take the socket up: it does not take what waits for it now.
    pub(super) fn disarm(&mut self, endpoint: EndpointId) -> bool {
        self.to_start.retain(|waiting| *waiting != endpoint);
        let is_empty = self.ring.submission().is_empty();
        if !is_empty && self.ring.submit().is_err() {
            return false;
        }
        let soon = Timespec::new().sec(1);
        // Not found: it has ended by itself.
        let _ = self
            .ring
            .submitter()
            .register_sync_cancel(Some(soon), CancelBuilder::user_data(endpoint.get().into()).all());
        self.enter();
        true
    }

    /// Has the kernel carry out what it has put off until the thread comes by.
    fn enter(&self) {
        const GETEVENTS: u32 = 1;
        // SAFETY: submits nothing and waits for nothing; no address is passed.
        let _ = unsafe { self.ring.submitter().enter::<libc::sigset_t>(0, 0, GETEVENTS, None) };
    }

    /// Whether the kernel has an operation, or has ended one that was not met yet.
    pub(super) fn is_live(&self) -> bool {
        self.live > 0
    }

    /// Hands over what has arrived; returns how many datagrams. Operations that have ended by themselves are started again if all
    /// endpoints are to have one.
    pub(super) fn receive(
        &mut self,
        endpoints: &Endpoints,
        are_armed: bool,
        limit: usize,
        counts: &mut TransportCounts,
        handler: &mut impl FnMut(Datagram<'_>),
    ) -> usize {
        if self.thread != ThreadMark::here() {
            self.move_here();
        }
        if !self.to_start.is_empty() {
            while let Some(endpoint) = self.to_start.pop() {
                if let Some(index) = endpoints.find(endpoint) {
                    self.start(endpoint, endpoints.all[index].sockets.receiving().as_raw_fd());
                }
            }
            counts.receive_calls += 1;
            let _ = self.ring.submit();
        } else if self.has_put_off() {
            counts.receive_calls += 1;
            let _ = self.ring.submit();
        }
        let mut received = 0;
        while received < limit
            && let Some(answer) = self.next()
        {
            received += self.take(&answer, endpoints, are_armed, counts, handler);
        }
        received
    }

    /// Has the calling thread take over from the one that came before. The kernel carries an operation on in the thread
    /// that started it, and only when that thread comes by: a driver that is invoked by another thread than yesterday's
    /// would have to wait, for each datagram, until the old one is woken. So all operations end, and
    /// [`Receives::receive`] starts them again here. What arrives meanwhile waits in the sockets.
    fn move_here(&mut self) {
        self.thread = ThreadMark::here();
        if self.live > 0 {
            let soon = Timespec::new().sec(1);
            // Not found: they have ended by themselves. Too late: they end when the other thread comes by.
            let _ = self.ring.submitter().register_sync_cancel(Some(soon), CancelBuilder::any());
            self.enter();
        }
    }

    /// Whether the kernel has something to do that waits for the thread to come by. Looked up in shared memory.
    fn has_put_off(&mut self) -> bool {
        let queue = self.ring.submission();
        queue.taskrun() || queue.cq_overflow() || !queue.is_empty()
    }

    fn next(&mut self) -> Option<cqueue::Entry> {
        self.ring.completion().next()
    }

    /// Takes one answer over, and gives its buffer back.
    fn take(
        &mut self,
        answer: &cqueue::Entry,
        endpoints: &Endpoints,
        are_armed: bool,
        counts: &mut TransportCounts,
        handler: &mut impl FnMut(Datagram<'_>),
    ) -> usize {
        let endpoint = EndpointId::new(answer.user_data() as u32);
        let is_known = endpoints.find(endpoint).is_some();
        let mut received = 0;
        if let Some(number) = cqueue::buffer_select(answer.flags()) {
            let length = usize::try_from(answer.result()).unwrap_or(0);
            if let Some(message) = self.buffers.message(number, length).filter(|_| is_known) {
                received = hand_over(endpoint, message, counts, handler);
            }
            self.buffers.give(number);
            self.buffers.publish();
        }
        if !cqueue::more(answer.flags()) {
            // No buffer was left, the answers ran over, or the network said something of an earlier datagram: it goes on. Or it was
            // cancelled, and nobody knows it any more.
            self.live -= 1;
            if is_known && are_armed {
                self.to_start.push(endpoint);
            }
        }
        received
    }
}

impl Drop for Receives {
    fn drop(&mut self) {
        for _ in 0..ATTEMPTS {
            while let Some(answer) = self.next() {
                self.live -= usize::from(!cqueue::more(answer.flags()));
            }
            if self.live == 0 {
                break;
            }
            let soon = Timespec::new().nsec(1_000_000);
            let _ = self.ring.submitter().register_sync_cancel(Some(soon), CancelBuilder::any());
            self.enter();
        }
        // A buffer that the kernel may write to is never freed.
        self.buffers.are_held = self.live > 0;
    }
}
