//! The transport that every Linux has: `sendmmsg` and `recvmmsg` on sockets that never block, many datagrams per system call, and where
//! the kernel can, many datagrams per message. The threads of the sender and of the receiver own one each.

pub(super) mod messages;

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::time::Timespec;

use self::messages::{Inbox, MAX_RECEIVED, Message, Outbox};
use super::run::{bytes_of, length_of, same_endpoint, segments};
use super::{Datagram, SendFault, Sockets, Transport, TransportCounts};
use crate::mailbox::{Completion, EndpointId, Transmit, TransmitBatch};

/// Up to this many sockets are tried one after the other; of more, the kernel is asked which have something.
const TRIED_DIRECTLY: usize = 5;
/// How many sockets one question to the kernel finds.
const MAX_READY: usize = 64;

/// What a socket transport makes use of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Hand runs of equal datagrams to the kernel as one message, which it cuts up.
    pub segmentation: bool,
    /// Have the kernel put runs of equal datagrams together that arrive.
    pub coalescing: bool,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { segmentation: true, coalescing: true }
    }
}

/// Datagrams by `sendmmsg` and `recvmmsg`.
pub struct SocketTransport {
    options: SocketOptions,
    /// By rising id.
    endpoints: Vec<Endpoint>,
    outbox: Outbox,
    inbox: Inbox,
    epoll: OwnedFd,
    /// Whether the kernel watches the sockets. With few it does not: it would have to, for every datagram that arrives.
    is_watched: bool,
    /// Which socket is tried first.
    turn: usize,
    counts: TransportCounts,
    fault: Option<SendFault>,
}

/// An endpoint that was adopted.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) id: EndpointId,
    pub(super) sockets: Sockets,
    pub(super) can_segment: bool,
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
        Self { id, sockets, can_segment, expected: 1 }
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
            inbox: Inbox::new(),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            is_watched: false,
            turn: 0,
            counts: TransportCounts::default(),
            fault: None,
        })
    }

    fn find(&self, endpoint: EndpointId) -> Option<usize> {
        self.endpoints.binary_search_by_key(&endpoint, |known| known.id).ok()
    }

    /// Has the kernel watch all sockets, if they are too many to be tried one after the other.
    fn watch_if_many(&mut self) -> io::Result<()> {
        if self.endpoints.len() <= TRIED_DIRECTLY {
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

    /// Sends transmits of one endpoint, oldest first.
    fn send_run(&mut self, run: &[Transmit], done: &mut impl FnMut(Completion)) {
        let index = self.find(run[0].endpoint);
        let mut account = Account { counts: &mut self.counts, fault: &mut self.fault, done };
        match index {
            None => account.answer(run, false),
            Some(index) => {
                let endpoint = &mut self.endpoints[index];
                send_plainly(&mut self.outbox, &endpoint.sockets, &mut endpoint.can_segment, run, &mut account);
            }
        }
    }

    /// Receives from one endpoint; returns how many datagrams there were.
    fn receive_from(&mut self, index: usize, limit: usize, handler: &mut impl FnMut(Datagram<'_>)) -> usize {
        let endpoint = &mut self.endpoints[index];
        let mut received = 0;
        while received < limit {
            self.counts.receive_calls += 1;
            let asked = (limit - received).min(endpoint.expected);
            // Nothing there, interrupted, or an earlier datagram's refusal: nothing was received.
            let messages = self.inbox.receive(endpoint.sockets.receiving().as_fd(), asked).unwrap_or(0);
            for index in 0..messages {
                received += hand_over(endpoint.id, self.inbox.message(index), &mut self.counts, handler);
            }
            if messages < asked {
                endpoint.expected = messages.max(1);
                break;
            }
            endpoint.expected = (2 * asked).min(MAX_RECEIVED);
            if asked == 1 {
                // Most likely the only one. If not, the next turn finds the others.
                break;
            }
        }
        received
    }
}

/// Where it is written down what became of datagrams.
pub(super) struct Account<'a, F> {
    pub(super) counts: &'a mut TransportCounts,
    pub(super) fault: &'a mut Option<SendFault>,
    pub(super) done: &'a mut F,
}

impl<F: FnMut(Completion)> Account<'_, F> {
    /// Answers for these.
    pub(super) fn answer(&mut self, transmits: &[Transmit], sent: bool) {
        *(if sent { &mut self.counts.sent } else { &mut self.counts.not_sent }) += transmits.len() as u64;
        transmits.iter().for_each(|transmit| (self.done)(Completion { tag: transmit.tag, sent }));
    }
}

/// Sends transmits of one endpoint, oldest first, and answers for each.
pub(super) fn send_plainly(
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
        let mut filling = outbox.fill();
        let mut at = 0;
        for size in &mut sizes {
            let count = if *can_segment { segments(&rest[at..]) } else { usize::from(at < rest.len()) };
            if count == 0 || !filling.has_room(count) {
                break;
            }
            let group = &rest[at..at + count];
            let to = group[0].to;
            let to = (sockets.connected != Some(to)).then_some(to);
            let segment = (count > 1).then(|| length_of(&group[0]) as u16);
            // A log that does not have what it is said to have ends the message, and the call.
            let whole = filling.push(to, segment, group.iter().map_while(bytes_of));
            *size = whole as u8;
            at += whole;
            if whole < count {
                break;
            }
        }
        if filling.is_empty() {
            // A mistake of the sender's, which is told and goes on.
            *account.fault = Some(fault(&rest[0], libc::EFAULT));
            account.answer(&rest[..1], false);
            rest = &rest[1..];
            continue;
        }
        account.counts.send_calls += 1;
        let first = usize::from(sizes[0]);
        match filling.send(sockets.sender.as_fd()) {
            Ok(messages) => {
                let taken = sizes[..messages].iter().map(|&size| usize::from(size)).sum();
                account.answer(&rest[..taken], true);
                rest = &rest[taken..];
                was_refused = false;
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => {}
                // Of an earlier datagram, and forgotten once it was told.
                Some(libc::ECONNREFUSED) if !was_refused => was_refused = true,
                // There is no room. What follows would overtake what waits, so all of it waits.
                Some(libc::EAGAIN | libc::ENOBUFS) => {
                    account.answer(rest, false);
                    rest = &[];
                }
                // The interface cannot cut it up, or takes no datagrams of that length whole: those the system cuts up one by one.
                Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE) if first > 1 => *can_segment = false,
                errno => {
                    *account.fault = Some(fault(&rest[0], errno.unwrap_or(libc::EIO)));
                    account.answer(&rest[..first], false);
                    rest = &rest[first..];
                    was_refused = false;
                }
            },
        }
    }
}

pub(super) fn fault(transmit: &Transmit, errno: i32) -> SendFault {
    SendFault { endpoint: transmit.endpoint, to: transmit.to, length: length_of(transmit), errno }
}

/// Hands over the datagrams of a message; returns how many they are.
pub(super) fn hand_over(
    endpoint: EndpointId,
    message: Message<'_>,
    counts: &mut TransportCounts,
    handler: &mut impl FnMut(Datagram<'_>),
) -> usize {
    let Some(from) = message.from else { return 0 };
    if message.is_truncated {
        counts.truncated += 1;
        return 0;
    }
    let received_ns = message.received_ns;
    let mut datagrams = 0;
    if message.bytes.is_empty() {
        handler(Datagram { endpoint, from, bytes: message.bytes, received_ns });
        datagrams = 1;
    } else {
        let segment = message.segment.unwrap_or(message.bytes.len());
        for bytes in message.bytes.chunks_mut(segment) {
            handler(Datagram { endpoint, from, bytes, received_ns });
            datagrams += 1;
        }
    }
    counts.received += datagrams as u64;
    datagrams
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
            if self.is_watched && self.endpoints.len() <= TRIED_DIRECTLY {
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
        while !rest.is_empty() {
            let (run, others) = rest.split_at(same_endpoint(rest));
            self.send_run(run, &mut done);
            rest = others;
        }
        batch.drain().for_each(drop);
        answered
    }

    fn receive(&mut self, limit: usize, mut handler: impl FnMut(Datagram<'_>)) -> usize {
        let mut received = 0;
        let count = self.endpoints.len();
        if !self.is_watched {
            self.turn = self.turn.wrapping_add(1);
            for index in 0..count {
                if received >= limit {
                    break;
                }
                received += self.receive_from((self.turn + index) % count, limit - received, &mut handler);
            }
            return received;
        }
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
                received += self.receive_from(index, fair, &mut handler);
            }
        }
        received
    }

    fn take_fault(&mut self) -> Option<SendFault> {
        self.fault.take()
    }

    fn counts(&self) -> TransportCounts {
        self.counts
    }
}
