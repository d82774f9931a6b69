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

/// How many answers may wait before the kernel keeps them back.
const ANSWERS: u32 = 1024;
/// How many operations one submission starts.
const STARTS: u32 = 64;
/// How often an operation that was cancelled is looked for before its buffers are given up.
const ATTEMPTS: usize = 1000;
/// After how many calls an operation that was refused is started again. A count, since a transport knows no time.
pub(super) const REST: u32 = 4096;

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
    /// Those that the kernel refused, and how many calls they rest still.
    refused: Vec<(EndpointId, u32)>,
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
            refused: Vec::new(),
            thread: ThreadMark::here(),
        })
    }

    /// Has receiving for an endpoint start with the next [`Receives::receive`].
    pub(super) fn arm(&mut self, endpoint: EndpointId) {
        // So that starting again never has to make room.
        let all = self.live + self.refused.len() + 1;
        self.to_start.reserve(all);
        self.refused.reserve(all);
        self.to_start.push(endpoint);
    }

    /// Endpoints whose operations the kernel has refused: they are heard by plain calls until it takes them again.
    pub(super) fn refused(&self) -> impl Iterator<Item = EndpointId> {
        self.refused.iter().map(|&(endpoint, _)| endpoint)
    }

    /// Puts the start of an operation into the queue.
    fn start(&mut self, endpoint: EndpointId, socket: RawFd) -> io::Result<()> {
        let operation = opcode::RecvMsgMulti::new(types::Fd(socket), &raw const *self.layout, GROUP)
            .build()
            .user_data(endpoint.get().into());
        // SAFETY: the layout lives as long as the ring, and is boxed, so it stays where it is. The buffers are the ring's.
        while unsafe { self.ring.submission().push(&operation) }.is_err() {
            // The queue is full; submitting empties it.
            if self.ring.submit()? == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        self.live += 1;
        Ok(())
    }

    /// Starts all that are to be started. Those for which the queue has no room wait for the next call.
    fn start_all(&mut self, endpoints: &Endpoints) -> io::Result<()> {
        while let Some(&endpoint) = self.to_start.last() {
            if let Some(index) = endpoints.find(endpoint) {
                self.start(endpoint, endpoints.all[index].sockets.receiving().as_raw_fd())?;
            }
            self.to_start.pop();
        }
        self.ring.submit().map(drop)
    }

    /// One call more has come: operations that have rested long enough are to be started.
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

    /// Stops receiving for an endpoint, and has the kernel let go of its socket. What has arrived already is handed over when it is met,
    /// if the endpoint is known then. False when the kernel may still take the socket up: it does not take what waits for it now.
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
    /// endpoints are to have one; those that were refused, after a while.
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
            // What is queued stays queued, and is submitted by the next call.
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

    fn next(&mut self) -> Option<Answer> {
        self.ring.completion().next().map(|entry| Answer {
            endpoint: EndpointId::new(entry.user_data() as u32),
            result: entry.result(),
            flags: entry.flags(),
        })
    }

    /// Takes over what an answer brings, and gives its buffer back; returns how many datagrams that are.
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

    /// The kernel has ended an operation: it is started again if all endpoints are to have one, at once or after a while.
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
        // One that is unknown was cancelled.
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

/// What the kernel says of an operation.
#[derive(Clone, Copy, Debug)]
struct Answer {
    endpoint: EndpointId,
    /// How many bytes there are, or why there are none.
    result: i32,
    flags: u32,
}

impl Answer {
    /// Whether the operation goes on.
    fn goes_on(&self) -> bool {
        cqueue::more(self.flags)
    }
}

/// Whether an operation that ended with this would end so again if it were started at once.
const fn is_refusal(result: i32) -> bool {
    match -result {
        // A datagram; there was no room for more answers.
        ..=0 => false,
        // There was no buffer, or it was cancelled or interrupted.
        libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN => false,
        // What the network said of a datagram that was sent. It is said once.
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
        // A buffer that the kernel may write to is never freed.
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
