//! Receiving on a ring of its own. Each endpoint has one operation, which stays active until it is cancelled or the
//! kernel ends it; then it is started again. If the kernel refuses it, that is reported, and it is started again only
//! after a while.
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
use crate::io::transport::{Datagram, Fault, ReceiveFault, TransportCounts};
use crate::mailbox::EndpointId;

/// The number of completions before the kernel holds back further ones.
const ANSWERS: u32 = 1024;
/// The number of operations that one submission starts.
const STARTS: u32 = 64;
/// The number of attempts to find the end of a cancelled operation before its buffers are given up.
const ATTEMPTS: usize = 1000;
/// The number of calls after which a refused operation is started again. A count, because a transport has no clock.
pub(super) const REST: u32 = 4096;

pub(super) struct Receives {
    // Declared before the buffers, because it must be closed first.
    ring: IoUring,
    buffers: Buffers,
    /// Read by the kernel when an operation starts.
    layout: Box<libc::msghdr>,
    /// The number of operations that the kernel has.
    live: usize,
    /// The endpoints whose operations are to be started.
    to_start: Vec<EndpointId>,
    /// The endpoints whose operations were refused, and the remaining calls until they are started again.
    refused: Vec<(EndpointId, u32)>,
    /// The thread that started them.
    thread: ThreadMark,
}

/// Identifies the calling thread among all living ones.
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
        let receives = Self {
            ring,
            buffers,
            layout: Box::new(Buffers::layout()),
            live: 0,
            to_start: Vec::new(),
            refused: Vec::new(),
            thread: ThreadMark::here(),
        };
        // A kernel that cannot cancel would keep the sockets of closed endpoints. There is nothing to cancel here. Only asked
        // now, so that on an error as well the ring is closed before its buffers are freed.
        match receives.ring.submitter().register_sync_cancel(None, CancelBuilder::any()) {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
            _ => Ok(receives),
        }
    }

    /// Starts receiving for an endpoint with the next [`Receives::receive`].
    pub(super) fn arm(&mut self, endpoint: EndpointId) {
        // So that restarting never allocates.
        let all = self.live + self.refused.len() + 1;
        self.to_start.reserve(all);
        self.refused.reserve(all);
        self.to_start.push(endpoint);
    }

    /// The endpoints whose operations the kernel has refused. Their datagrams are received with plain calls until it
    /// accepts them again.
    pub(super) fn refused(&self) -> impl Iterator<Item = EndpointId> {
        self.refused.iter().map(|&(endpoint, _)| endpoint)
    }

    /// Queues the start of an operation.
    fn start(&mut self, endpoint: EndpointId, socket: RawFd) -> io::Result<()> {
        let operation = opcode::RecvMsgMulti::new(types::Fd(socket), &raw const *self.layout, GROUP)
            .build()
            .user_data(endpoint.get().into());
        // SAFETY: the layout lives as long as the ring, and is boxed, so it stays where it is. The buffers are the ring's.
        while unsafe { self.ring.submission().push(&operation) }.is_err() {
            // The queue is full. Submitting empties it.
            if self.ring.submit()? == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        self.live += 1;
        Ok(())
    }

    /// Starts the pending operations. Those that do not fit into the queue wait for the next call.
    fn start_all(&mut self, endpoints: &Endpoints) -> io::Result<()> {
        while let Some(&endpoint) = self.to_start.last() {
            if let Some(index) = endpoints.find(endpoint) {
                self.start(endpoint, endpoints.all[index].sockets.receiving().as_raw_fd())?;
            }
            self.to_start.pop();
        }
        self.ring.submit().map(drop)
    }

    /// Counts a call, and makes refused operations pending after enough calls.
    fn rest(&mut self) {
        let Self { refused, to_start, .. } = self;
        refused.retain_mut(|(endpoint, rest)| {
            *rest -= 1;
            if *rest == 0 {
                to_start.push(*endpoint);
            }
            *rest > 0
        });
    }

    /// Stops receiving for an endpoint, and releases its socket. Datagrams that have arrived are delivered when they
    /// are found, if the endpoint still exists then. Returns false if the kernel may still use the socket, because it
    /// does not process pending work now.
    pub(super) fn disarm(&mut self, endpoint: EndpointId) -> bool {
        self.to_start.retain(|waiting| *waiting != endpoint);
        self.refused.retain(|(refused, _)| *refused != endpoint);
        if self.live == 0 {
            return true;
        }
        let is_empty = self.ring.submission().is_empty();
        if !is_empty && self.ring.submit().is_err() {
            return false;
        }
        let soon = Timespec::new().sec(1);
        // Not found if the operation has ended by itself.
        let _ = self
            .ring
            .submitter()
            .register_sync_cancel(Some(soon), CancelBuilder::user_data(endpoint.get().into()).all());
        self.enter();
        true
    }

    /// Makes the kernel execute work that it has deferred until the thread enters it.
    fn enter(&self) {
        const GETEVENTS: u32 = 1;
        // SAFETY: submits nothing and waits for nothing; no address is passed.
        let _ = unsafe { self.ring.submitter().enter::<libc::sigset_t>(0, 0, GETEVENTS, None) };
    }

    /// Whether the kernel has an operation, or has ended one whose completion was not seen yet.
    pub(super) fn is_live(&self) -> bool {
        self.live > 0
    }

    /// Delivers what has arrived. Returns the number of datagrams. Restarts operations that ended by themselves if all
    /// endpoints are to have one, and refused ones after a while.
    pub(super) fn receive(
        &mut self,
        endpoints: &Endpoints,
        are_armed: bool,
        limit: usize,
        (counts, fault): (&mut TransportCounts, &mut Option<Fault>),
        handler: &mut impl FnMut(Datagram<'_>),
    ) -> usize {
        if self.thread != ThreadMark::here() {
            self.move_here();
        }
        if !self.refused.is_empty() {
            self.rest();
        }
        if !self.to_start.is_empty() || self.has_put_off() {
            counts.receive_calls += 1;
            // Queued operations stay queued, and the next call submits them.
            if let Err(error) = self.start_all(endpoints)
                && let Some(errno) = error.raw_os_error().filter(|&errno| is_refusal(-errno) && errno != libc::EBUSY)
            {
                counts.receive_refusals += 1;
                *fault = Some(Fault::Receive(ReceiveFault { on: None, errno }));
            }
        }
        let mut received = 0;
        while received < limit
            && let Some(answer) = self.next()
        {
            received += self.take(&answer, endpoints, counts, handler);
            if !answer.goes_on() {
                self.on_end(&answer, endpoints, are_armed, (counts, fault));
            }
        }
        received
    }

    /// Moves the operations to the calling thread. The kernel continues an operation in the thread that started it,
    /// when that thread enters the kernel. A driver that is invoked by another thread than before would have to wait
    /// for the old one with each datagram. So all operations end, and [`Receives::receive`] starts them again here.
    /// Datagrams that arrive meanwhile wait in the sockets.
    fn move_here(&mut self) {
        self.thread = ThreadMark::here();
        if self.live > 0 {
            let soon = Timespec::new().sec(1);
            // Not found if they have ended by themselves. If it takes too long, they end when the other thread enters
            // the kernel.
            let _ = self.ring.submitter().register_sync_cancel(Some(soon), CancelBuilder::any());
            self.enter();
        }
    }

    /// Whether the kernel has deferred work until the thread enters it. Read from shared memory.
    fn has_put_off(&mut self) -> bool {
        let queue = self.ring.submission();
        queue.taskrun() || queue.cq_overflow() || !queue.is_empty()
    }

    fn next(&mut self) -> Option<Answer> {
        self.ring.completion().next().map(|entry| Answer {
            endpoint: EndpointId::new(entry.user_data() as u32),
            result: entry.result(),
            flags: entry.flags(),
        })
    }

    /// Handles a completion, and returns its buffer. Returns the number of datagrams.
    fn take(
        &mut self,
        answer: &Answer,
        endpoints: &Endpoints,
        counts: &mut TransportCounts,
        handler: &mut impl FnMut(Datagram<'_>),
    ) -> usize {
        let Some(number) = cqueue::buffer_select(answer.flags) else { return 0 };
        let mut received = 0;
        let length = usize::try_from(answer.result).unwrap_or(0);
        let is_known = endpoints.find(answer.endpoint).is_some();
        if let Some(message) = self.buffers.message(number, length).filter(|_| is_known) {
            received = hand_over(answer.endpoint, message, counts, handler);
        }
        self.buffers.give(number);
        self.buffers.publish();
        received
    }

    /// Handles the end of an operation. It is restarted if all endpoints are to have one, at once or after a while.
    #[cold]
    fn on_end(
        &mut self,
        answer: &Answer,
        endpoints: &Endpoints,
        are_armed: bool,
        (counts, fault): (&mut TransportCounts, &mut Option<Fault>),
    ) {
        self.live -= 1;
        let endpoint = answer.endpoint;
        // An operation of an unknown endpoint was cancelled.
        let Some(index) = endpoints.find(endpoint) else { return };
        let is_refused = is_refusal(answer.result);
        if is_refused {
            counts.receive_refusals += 1;
            let local = endpoints.all[index].sockets.opened().local;
            *fault = Some(Fault::Receive(ReceiveFault { on: Some((endpoint, local)), errno: -answer.result }));
        }
        match (are_armed, is_refused) {
            (false, _) => {}
            (true, false) => self.to_start.push(endpoint),
            (true, true) => self.refused.push((endpoint, REST)),
        }
    }
}

/// A completion of an operation.
#[derive(Clone, Copy, Debug)]
struct Answer {
    endpoint: EndpointId,
    /// The number of bytes, or a negated error number.
    result: i32,
    flags: u32,
}

impl Answer {
    /// Whether the operation continues.
    fn goes_on(&self) -> bool {
        cqueue::more(self.flags)
    }
}

/// Whether the operation would end with the same result if it were restarted at once.
const fn is_refusal(result: i32) -> bool {
    match -result {
        // A datagram. The operation ended because the completion queue was full.
        ..=0 => false,
        // There was no buffer, or the operation was cancelled or interrupted.
        libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN => false,
        // The network's error for a datagram that was sent. It is reported once.
        libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EHOSTDOWN | libc::ENETDOWN => false,
        libc::ENONET | libc::ENOPROTOOPT | libc::EPROTO | libc::EMSGSIZE => false,
        _ => true,
    }
}

impl Drop for Receives {
    fn drop(&mut self) {
        for _ in 0..ATTEMPTS {
            while let Some(answer) = self.next() {
                self.live -= usize::from(!answer.goes_on());
            }
            if self.live == 0 {
                break;
            }
            let soon = Timespec::new().nsec(1_000_000);
            let _ = self.ring.submitter().register_sync_cancel(Some(soon), CancelBuilder::any());
            self.enter();
        }
        // A buffer to which the kernel may write is never freed.
        self.buffers.are_held = self.live > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_no_refusal() {
        let passes = [libc::ENOBUFS, libc::ECANCELED, libc::EINTR, libc::ECONNREFUSED, libc::EHOSTUNREACH];
        assert!(passes.iter().all(|errno| !is_refusal(-errno)) && !is_refusal(0) && !is_refusal(64));
        let stays = [libc::EINVAL, libc::EOPNOTSUPP, libc::EACCES, libc::EPERM, libc::ENOTSOCK, libc::ENOMEM];
        assert!(stays.iter().all(|errno| is_refusal(-errno)));
    }
}
