//! The transport on plain sockets, for every Linux: `sendmmsg` and `recvmmsg` on non-blocking sockets, with many
//! datagrams per system call and, where the kernel can, many datagrams per message. The threads of the sender and of
//! the receiver own one each.

pub(super) mod direct;
mod features;
pub(super) mod header;
pub(super) mod inbox;
pub(super) mod outbox;

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::time::Timespec;

use self::direct::Direct;
use self::outbox::{MAX_MESSAGES, Outbox};
use super::run::{bytes_of, length_of, same_endpoint, segments};
use super::{Datagram, Fault, SendFault, Sockets, Transport, TransportCounts};
use crate::mailbox::{Completion, EndpointId, Outcome, Transmit, TransmitBatch};

/// The maximum number of ready sockets per epoll call.
const MAX_READY: usize = 64;

/// The settings of a socket transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Whether runs of equal datagrams are passed to the kernel as one message, which it splits.
    pub segmentation: bool,
    /// Whether the kernel combines runs of equal datagrams that arrive.
    pub coalescing: bool,
    /// The maximum number of sockets that are polled one after the other, which finds a datagram sooner than a watched
    /// socket does. If there are more, epoll reports which have data.
    pub tried_directly: usize,
}

impl SocketOptions {
    /// The driver's default settings.
    pub const DEFAULT: Self = Self { segmentation: true, coalescing: true, tried_directly: 5 };
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A transport with `sendmmsg` and `recvmmsg`.
pub struct SocketTransport {
    options: SocketOptions,
    /// Sorted by id.
    endpoints: Vec<Endpoint>,
    outbox: Outbox,
    direct: Direct,
    epoll: OwnedFd,
    /// Whether epoll watches the sockets. Not with few sockets, because watching costs the kernel time for every
    /// datagram that arrives.
    is_watched: bool,
    counts: TransportCounts,
    fault: Option<Fault>,
}

/// An endpoint of the transport.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) id: EndpointId,
    pub(super) sockets: Sockets,
    pub(super) can_segment: bool,
    /// Whether messages are single datagrams without control data: no coalescing, no timestamps.
    is_plain: bool,
    /// How many messages to request at once. The kernel makes one more attempt than it finds, so few if few arrive.
    expected: usize,
}

impl Endpoint {
    /// Sets the socket options according to the settings and the endpoint. If the kernel does not support them,
    /// datagrams are sent and received one by one.
    pub(super) fn new(id: EndpointId, sockets: Sockets, options: SocketOptions) -> Self {
        let receiving = sockets.receiving();
        let _ = options.coalescing && features::coalesce(receiving);
        if sockets.timestamps {
            let _ = features::tell_time(receiving);
        }
        let can_segment = options.segmentation && features::can_segment(&sockets.sender);
        let is_plain = !options.coalescing && !sockets.timestamps;
        Self { id, sockets, can_segment, is_plain, expected: 1 }
    }
}

impl std::fmt::Debug for SocketTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketTransport")
            .field("options", &self.options)
            .field("endpoints", &self.endpoints)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl SocketTransport {
    /// A transport without endpoints.
    ///
    /// # Errors
    ///
    /// An error of the operating system, if it cannot create an epoll instance.
    pub fn new(options: SocketOptions) -> io::Result<Self> {
        Ok(Self {
            options,
            endpoints: Vec::new(),
            outbox: Outbox::new(),
            direct: Direct::new(),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            is_watched: false,
            counts: TransportCounts::default(),
            fault: None,
        })
    }

    fn find(&self, endpoint: EndpointId) -> Option<usize> {
        self.endpoints.binary_search_by_key(&endpoint, |known| known.id).ok()
    }

    /// Adds all sockets to the epoll instance, if they are too many to be polled.
    fn watch_if_many(&mut self) -> io::Result<()> {
        if self.endpoints.len() <= self.options.tried_directly {
            return Ok(());
        }
        let watched = (0..self.endpoints.len()).try_for_each(|index| self.watch(index));
        self.is_watched = watched.is_ok();
        watched
    }

    fn watch(&self, index: usize) -> io::Result<()> {
        let endpoint = &self.endpoints[index];
        let data = epoll::EventData::new_u64(endpoint.id.get().into());
        match epoll::add(&self.epoll, endpoint.sockets.receiving(), data, epoll::EventFlags::IN) {
            // Left from a previous attempt that another socket ended.
            Err(rustix::io::Errno::EXIST) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Receives from the sockets that epoll reports as ready. Returns the number of datagrams.
    #[inline(never)]
    fn receive_from_ready(&mut self, limit: usize, handler: &mut impl FnMut(Datagram<'_>)) -> usize {
        let mut received = 0;
        self.counts.receive_calls += 1;
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Not kept in the transport, because the kernel's answers cannot be moved to another thread.
        let mut answers = [MaybeUninit::uninit(); MAX_READY];
        let Ok((ready, _)) = epoll::wait(&self.epoll, &mut answers, Some(&now)) else { return 0 };
        // Sockets that are not reached because of the limit are reported again, after others.
        let fair = (limit / ready.len().max(1)).max(1);
        for event in ready {
            if received >= limit {
                break;
            }
            let id = EndpointId::new(event.data.u64() as u32);
            if let Some(index) = self.find(id) {
                received += self.direct.receive_from(&mut self.endpoints[index], fair, &mut self.counts, handler);
            }
        }
        received
    }

    /// Sends transmits of one endpoint, oldest first.
    fn send_run(&mut self, run: &[Transmit], done: &mut impl FnMut(Completion)) {
        let index = self.find(run[0].endpoint);
        let mut account = Account { counts: &mut self.counts, fault: &mut self.fault, done };
        match index {
            None => account.answer(run, Outcome::Refused),
            Some(index) => {
                let endpoint = &mut self.endpoints[index];
                send_plainly(&mut self.outbox, &endpoint.sockets, &mut endpoint.can_segment, run, &mut account);
            }
        }
    }
}

/// Collects the results of transmits.
pub(super) struct Account<'a, F> {
    pub(super) counts: &'a mut TransportCounts,
    pub(super) fault: &'a mut Option<Fault>,
    pub(super) done: &'a mut F,
}

impl<F: FnMut(Completion)> Account<'_, F> {
    /// Completes these transmits.
    pub(super) fn answer(&mut self, transmits: &[Transmit], outcome: Outcome) {
        let is_sent = outcome == Outcome::Sent;
        *(if is_sent { &mut self.counts.sent } else { &mut self.counts.not_sent }) += transmits.len() as u64;
        transmits.iter().for_each(|transmit| (self.done)(Completion { tag: transmit.tag, outcome }));
    }
}

/// Sends transmits of one endpoint, oldest first, and completes all of them.
#[inline]
pub(super) fn send_plainly(
    outbox: &mut Outbox,
    sockets: &Sockets,
    can_segment: &mut bool,
    run: &[Transmit],
    account: &mut Account<'_, impl FnMut(Completion)>,
) {
    if !send_alone(outbox, sockets, run, account) {
        send_run(outbox, sockets, can_segment, run, account);
    }
}

/// Sends a transmit that is the only one, and completes it. Returns false if it is not the only one, or was not sent.
fn send_alone(
    outbox: &mut Outbox,
    sockets: &Sockets,
    run: &[Transmit],
    account: &mut Account<'_, impl FnMut(Completion)>,
) -> bool {
    let [only] = run else { return false };
    let Some(bytes) = bytes_of(only) else { return false };
    account.counts.send_calls += 1;
    let is_sent = outbox.send_one(sockets.sender.as_fd(), address(sockets, only), bytes);
    if is_sent {
        account.answer(run, Outcome::Sent);
    }
    is_sent
}

/// Sends transmits of one endpoint, many at a time, and handles the kernel's refusals.
fn send_run(
    outbox: &mut Outbox,
    sockets: &Sockets,
    can_segment: &mut bool,
    run: &[Transmit],
    account: &mut Account<'_, impl FnMut(Completion)>,
) {
    let mut rest = run;
    let mut was_refused = false;
    while !rest.is_empty() {
        // The number of datagrams in each message.
        let mut sizes = [0_u8; MAX_MESSAGES];
        let Some(outcome) = send_many(outbox, sockets, *can_segment, rest, &mut sizes) else {
            // A bug of the sender. It is reported, and the rest continues.
            *account.fault = Some(fault(&rest[0], libc::EFAULT));
            account.answer(&rest[..1], Outcome::Refused);
            rest = &rest[1..];
            continue;
        };
        account.counts.send_calls += 1;
        let first = usize::from(sizes[0]);
        match outcome {
            Ok(taken) => {
                account.answer(&rest[..taken], Outcome::Sent);
                rest = &rest[taken..];
                was_refused = false;
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => {}
                // It concerns an earlier datagram, and is only reported once.
                Some(libc::ECONNREFUSED) if !was_refused => was_refused = true,
                // The socket buffer is full. Later datagrams would overtake this one, so all of them wait.
                Some(libc::EAGAIN | libc::ENOBUFS) => {
                    account.answer(rest, Outcome::NoRoom);
                    rest = &[];
                }
                // The interface cannot split the message, or does not accept datagrams of that length. They are sent
                // one by one.
                Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE) if first > 1 => *can_segment = false,
                errno => {
                    *account.fault = Some(fault(&rest[0], errno.unwrap_or(libc::EIO)));
                    account.answer(&rest[..first], Outcome::Refused);
                    rest = &rest[first..];
                    was_refused = false;
                }
            },
        }
    }
}

/// Passes as many transmits of one endpoint to the kernel as one call takes. Returns how many it accepted, and stores
/// the number of datagrams of each message. `None`, without an effect, if the first one's log does not have its bytes.
fn send_many(
    outbox: &mut Outbox,
    sockets: &Sockets,
    can_segment: bool,
    rest: &[Transmit],
    sizes: &mut [u8; MAX_MESSAGES],
) -> Option<io::Result<usize>> {
    let mut filling = outbox.fill();
    let mut at = 0;
    for size in sizes.iter_mut() {
        let count = if can_segment { segments(&rest[at..]) } else { usize::from(at < rest.len()) };
        if count == 0 || !filling.has_room(count) {
            break;
        }
        let group = &rest[at..at + count];
        let segment = (count > 1).then(|| length_of(&group[0]) as u16);
        // If a log does not have the bytes, the message and the call end before them.
        let whole = filling.push(address(sockets, &group[0]), segment, group.iter().map_while(bytes_of));
        *size = whole as u8;
        at += whole;
        if whole < count {
            break;
        }
    }
    if filling.is_empty() {
        return None;
    }
    let taken = |messages| sizes[..messages].iter().map(|&size| usize::from(size)).sum();
    Some(filling.send(sockets.sender.as_fd()).map(taken))
}

/// The destination of a transmit, if its socket is not connected to it.
fn address(sockets: &Sockets, transmit: &Transmit) -> Option<SocketAddr> {
    (sockets.connected != Some(transmit.to)).then_some(transmit.to)
}

pub(super) fn fault(transmit: &Transmit, errno: i32) -> Fault {
    Fault::Send(SendFault { endpoint: transmit.endpoint, to: transmit.to, length: length_of(transmit), errno })
}

impl Transport for SocketTransport {
    type Sockets = Sockets;

    fn adopt(&mut self, endpoint: EndpointId, sockets: Sockets) -> io::Result<()> {
        let adopted = Endpoint::new(endpoint, sockets, self.options);
        self.close(endpoint);
        let index = self.endpoints.partition_point(|known| known.id < endpoint);
        self.endpoints.insert(index, adopted);
        let watched = if self.is_watched { self.watch(index) } else { self.watch_if_many() };
        if watched.is_err() {
            self.endpoints.remove(index);
        }
        watched
    }

    fn reconnect(&mut self, endpoint: EndpointId, to: SocketAddr) -> bool {
        let Some(index) = self.find(endpoint) else { return false };
        self.endpoints[index].sockets.reconnect(to)
    }

    fn close(&mut self, endpoint: EndpointId) {
        if let Some(index) = self.find(endpoint) {
            // Closing also removes it from the epoll instance.
            self.endpoints.remove(index);
            if self.is_watched && self.endpoints.len() <= self.options.tried_directly {
                for endpoint in &self.endpoints {
                    // It is in the epoll instance. If the kernel disagrees, that does not matter.
                    let _ = epoll::delete(&self.epoll, endpoint.sockets.receiving());
                }
                self.is_watched = false;
            }
        }
    }

    fn send(&mut self, batch: &mut TransmitBatch, mut done: impl FnMut(Completion)) -> usize {
        let mut rest = batch.as_slice();
        let answered = rest.len();
        if answered == 0 {
            return 0;
        }
        while !rest.is_empty() {
            let (run, others) = rest.split_at(same_endpoint(rest));
            self.send_run(run, &mut done);
            rest = others;
        }
        batch.clear();
        answered
    }

    fn receive(&mut self, limit: usize, mut handler: impl FnMut(Datagram<'_>)) -> usize {
        if self.is_watched {
            self.receive_from_ready(limit, &mut handler)
        } else {
            self.direct.receive(&mut self.endpoints, limit, &mut self.counts, &mut handler)
        }
    }

    #[inline]
    fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    fn counts(&self) -> TransportCounts {
        self.counts
    }
}
