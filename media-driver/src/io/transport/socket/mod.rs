//! The transport on plain sockets, for every Linux: `sendmmsg` and `recvmmsg` on non-blocking sockets, with many
//! datagrams per system call and, where the kernel can, many datagrams per message. The threads of the sender and of
//! the receiver own one each.

pub(super) mod direct;
pub(super) mod messages;

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::time::Timespec;

use self::direct::Direct;
use self::messages::Outbox;
use super::run::{bytes_of, length_of, same_endpoint, segments};
use super::{Datagram, Fault, SendFault, Sockets, Transport, TransportCounts};
use crate::mailbox::{Completion, EndpointId, Outcome, Transmit, TransmitBatch};

/// How many sockets one question to the kernel finds.
const MAX_READY: usize = 64;

/// What a socket transport makes use of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Hand runs of equal datagrams to the kernel as one message, which it cuts up.
    pub segmentation: bool,
    /// Have the kernel put runs of equal datagrams together that arrive.
    pub coalescing: bool,
    /// Up to this many sockets are tried one after the other: what has come is there sooner so than by way of whoever watches many. Of
    /// more the kernel says which have something.
    pub tried_directly: usize,
}

impl SocketOptions {
    /// What a driver makes use of unless told otherwise.
    pub const DEFAULT: Self = Self { segmentation: true, coalescing: true, tried_directly: 5 };
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Datagrams by `sendmmsg` and `recvmmsg`.
pub struct SocketTransport {
    options: SocketOptions,
    /// By rising id.
    endpoints: Vec<Endpoint>,
    outbox: Outbox,
    direct: Direct,
    epoll: OwnedFd,
    /// Whether the kernel watches the sockets. With few it does not: it would have to, for every datagram that arrives.
    is_watched: bool,
    counts: TransportCounts,
    fault: Option<Fault>,
}

/// An endpoint that was adopted.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) id: EndpointId,
    pub(super) sockets: Sockets,
    pub(super) can_segment: bool,
    /// Whether what comes is a datagram and no more: the kernel puts none together, and says no times.
    is_plain: bool,
    /// How many messages it is asked for at once: the kernel looks once more than it finds, so few where few come.
    expected: usize,
}

impl Endpoint {
    /// Asks of its sockets what the options and the endpoint want of them. Where the kernel cannot, datagrams come and go one by one.
    pub(super) fn new(id: EndpointId, sockets: Sockets, options: SocketOptions) -> Self {
        let receiving = sockets.receiving();
        let _ = options.coalescing && messages::coalesce(receiving);
        if sockets.timestamps {
            let _ = messages::tell_time(receiving);
        }
        let can_segment = options.segmentation && messages::can_segment(&sockets.sender);
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
    /// The system's, when it gives no epoll instance.
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

    /// Has the kernel watch all sockets, if they are too many to be tried one after the other.
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
            // From an attempt to watch all that another one ended.
            Err(rustix::io::Errno::EXIST) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Receives from those sockets of which the kernel says that they have something; returns how many datagrams there were.
    #[inline(never)]
    fn receive_from_ready(&mut self, limit: usize, handler: &mut impl FnMut(Datagram<'_>)) -> usize {
        let mut received = 0;
        self.counts.receive_calls += 1;
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Not kept in the transport: what the kernel answers with could not be moved to another thread.
        let mut answers = [MaybeUninit::uninit(); MAX_READY];
        let Ok((ready, _)) = epoll::wait(&self.epoll, &mut answers, Some(&now)) else { return 0 };
        // Those that are not reached, because the limit was, come up again: the kernel moves on to others first.
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

/// Where it is written down what became of datagrams.
pub(super) struct Account<'a, F> {
    pub(super) counts: &'a mut TransportCounts,
    pub(super) fault: &'a mut Option<Fault>,
    pub(super) done: &'a mut F,
}

impl<F: FnMut(Completion)> Account<'_, F> {
    /// Answers for these.
    pub(super) fn answer(&mut self, transmits: &[Transmit], outcome: Outcome) {
        let is_sent = outcome == Outcome::Sent;
        *(if is_sent { &mut self.counts.sent } else { &mut self.counts.not_sent }) += transmits.len() as u64;
        transmits.iter().for_each(|transmit| (self.done)(Completion { tag: transmit.tag, outcome }));
    }
}

/// Sends transmits of one endpoint, oldest first, and answers for each.
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

/// Sends a transmit that is the only one, and answers for it. False if it is not, or was not sent: that is looked into elsewhere.
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

/// Sends transmits of one endpoint, many at a time, and makes sense of what the kernel refuses.
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
        // How many datagrams each message has.
        let mut sizes = [0_u8; messages::MAX_MESSAGES];
        let Some(outcome) = send_many(outbox, sockets, *can_segment, rest, &mut sizes) else {
            // A mistake of the sender's, which is told and goes on.
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
                // Of an earlier datagram, and forgotten once it was told.
                Some(libc::ECONNREFUSED) if !was_refused => was_refused = true,
                // There is no room. What follows would overtake what waits, so all of it waits.
                Some(libc::EAGAIN | libc::ENOBUFS) => {
                    account.answer(rest, Outcome::NoRoom);
                    rest = &[];
                }
                // The interface cannot cut it up, or takes no datagrams of that length whole: those the system cuts up one by one.
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

/// Has the kernel send as many transmits of one endpoint as one call takes, and returns how many it took; fills in how many datagrams
/// each message had. None, and nothing is done, when the first one's log does not have what it is said to have.
fn send_many(
    outbox: &mut Outbox,
    sockets: &Sockets,
    can_segment: bool,
    rest: &[Transmit],
    sizes: &mut [u8; messages::MAX_MESSAGES],
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
        // A log that does not have what it is said to have ends the message, and the call.
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

/// Where a transmit is sent to, if its socket is not connected to that.
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
            // Closing takes it out of the epoll instance, too.
            self.endpoints.remove(index);
            if self.is_watched && self.endpoints.len() <= self.options.tried_directly {
                for endpoint in &self.endpoints {
                    // It is there, and if the kernel does not think so, all the better.
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
