//! Sending on a ring of its own: transmits move into slots, which own them until the kernel has answered.
#![allow(unsafe_code, reason = "UNSAFE FENCE: hands the addresses of messages to the kernel until it has answered")]

use std::io;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, cqueue, opcode, types};

use super::Endpoints;
use crate::io::transport::run::{MAX_SEGMENTS, bytes_of, length_of, segments};
use crate::io::transport::socket::outbox::Envelope;
use crate::io::transport::socket::{Account, fault};
use crate::mailbox::{Completion, Outcome, Transmit, TransmitBatch};

/// The maximum number of messages that the kernel has at a time.
const SLOTS: usize = 128;

pub(super) struct Sends {
    ring: IoUring,
    /// Never moved, because the kernel has addresses of its content.
    slots: Box<[Slot]>,
    /// The unused slots.
    free: Vec<u16>,
}

/// A message that the kernel has, and everything that it refers to.
struct Slot {
    /// They keep the logs of the message's bytes mapped. Inline frames are in the boxed array of these.
    transmits: Vec<Transmit>,
    envelope: Envelope,
}

// SAFETY: the addresses in a slot lead into the slot itself, which never moves, and into logs that it keeps; whoever
// owns the slots owns all that they lead to.
unsafe impl Send for Sends {}

impl std::fmt::Debug for Sends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sends").field("in_flight", &(SLOTS - self.free.len())).finish_non_exhaustive()
    }
}

impl Sends {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self::on(IoUring::builder().setup_coop_taskrun().setup_taskrun_flag().build(SLOTS as u32)?))
    }

    fn on(ring: IoUring) -> Self {
        let slot = |_| Slot { transmits: Vec::with_capacity(MAX_SEGMENTS), envelope: Envelope::new() };
        Self { ring, slots: (0..SLOTS).map(slot).collect(), free: (0..SLOTS as u16).rev().collect() }
    }

    /// Whether the kernel has taken every message. A message that it has not taken refers to its socket by number,
    /// which must not become another socket's meanwhile.
    pub(super) fn is_queue_empty(&mut self) -> bool {
        self.ring.submission().is_empty()
    }

    /// Whether the kernel has completed everything.
    pub(super) fn is_idle(&self) -> bool {
        self.free.len() == SLOTS
    }

    /// Submits all of the batch, and handles the kernel's completions.
    pub(super) fn send(
        &mut self,
        batch: &mut TransmitBatch,
        endpoints: &mut Endpoints,
        account: &mut Account<'_, impl FnMut(Completion)>,
    ) {
        let mut lengths = [0_u8; SLOTS];
        while !batch.is_empty() {
            // As many messages as there are slots. They are planned while the batch is whole.
            let mut planned = 0;
            let mut rest = batch.as_slice();
            while planned < SLOTS && !rest.is_empty() {
                let endpoint = endpoints.find(rest[0].endpoint).map(|index| &endpoints.all[index]);
                let count = plan(rest, endpoint.is_some_and(|endpoint| endpoint.can_segment));
                lengths[planned] = count as u8;
                planned += 1;
                rest = &rest[count..];
            }
            let total = lengths[..planned].iter().map(|&length| usize::from(length)).sum();
            let mut transmits = batch.drain_front(total);
            for &length in &lengths[..planned] {
                self.put(transmits.by_ref().take(length.into()), endpoints, account);
            }
            drop(transmits);
            self.flush(endpoints, account);
        }
        if !self.is_idle() {
            self.flush(endpoints, account);
        }
    }

    /// Moves transmits into a slot and queues its message.
    fn put(
        &mut self,
        transmits: impl Iterator<Item = Transmit>,
        endpoints: &mut Endpoints,
        account: &mut Account<'_, impl FnMut(Completion)>,
    ) {
        if self.free.is_empty() {
            self.flush(endpoints, account);
        }
        let Some(number) = self.free.pop() else {
            // The kernel has all slots.
            transmits.for_each(|transmit| account.answer(&[transmit], Outcome::NoRoom));
            return;
        };
        let Slot { transmits: owned, envelope } = &mut self.slots[usize::from(number)];
        owned.extend(transmits);
        let endpoint =
            owned.first().and_then(|first| endpoints.find(first.endpoint)).map(|index| &endpoints.all[index]);
        let message = endpoint.and_then(|endpoint| {
            let to = owned[0].to;
            let to = (endpoint.sockets.connected != Some(to)).then_some(to);
            let segment = (owned.len() > 1).then(|| length_of(&owned[0]) as u16);
            let (header, parts) = envelope.set(to, segment, owned.iter().map_while(bytes_of));
            (parts == owned.len()).then(|| (endpoint.sockets.sender.as_raw_fd(), header))
        });
        let Some((socket, header)) = message else {
            // There is no such endpoint, or the log does not have the bytes. Messages that were queued before are
            // submitted first.
            self.flush(endpoints, account);
            endpoints.answer(&self.slots[usize::from(number)].transmits, -libc::EFAULT, account);
            self.slots[usize::from(number)].transmits.clear();
            self.free.push(number);
            return;
        };
        let operation = opcode::SendMsg::new(types::Fd(socket), header)
            .flags((libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as u32)
            .build()
            .user_data(number.into());
        // SAFETY: what the header leads to is in the slot, which is not used again before the kernel has answered, or in logs that the
        // slot's transmits keep. There are as many places in the queue as slots.
        unsafe { self.ring.submission().push(&operation) }.expect("a place for every slot");
    }

    fn next(&mut self) -> Option<cqueue::Entry> {
        self.ring.completion().next()
    }

    /// Submits what is queued, and handles the completions.
    fn flush(&mut self, endpoints: &mut Endpoints, account: &mut Account<'_, impl FnMut(Completion)>) {
        account.counts.send_calls += 1;
        // Queued messages stay queued, and the next call submits them, whether this one was interrupted, short of
        // memory, or forbidden.
        if let Err(error) = self.ring.submit()
            && let Some(first) = self.slots.iter().find_map(|slot| slot.transmits.first())
        {
            *account.fault = Some(fault(first, error.raw_os_error().unwrap_or(libc::EIO)));
        }
        while let Some(answer) = self.next() {
            let number = answer.user_data() as u16;
            let Some(slot) = self.slots.get_mut(usize::from(number)) else { continue };
            endpoints.answer(&slot.transmits, answer.result(), account);
            slot.transmits.clear();
            self.free.push(number);
        }
    }
}

/// The number of transmits, from the first on, that form one message of an endpoint, if their logs have the bytes. At
/// least one.
pub(super) fn plan(transmits: &[Transmit], can_segment: bool) -> usize {
    if !can_segment {
        return 1;
    }
    let same =
        transmits.iter().take(MAX_SEGMENTS).take_while(|transmit| transmit.endpoint == transmits[0].endpoint).count();
    segments(&transmits[..same])
}

impl Drop for Sends {
    fn drop(&mut self) {
        if !self.is_idle() {
            // The kernel may still read what these refer to. There is no reliable way to stop it.
            std::mem::forget(std::mem::take(&mut self.slots));
        }
    }
}

#[cfg(test)]
impl Sends {
    /// With a ring that accepts nothing until [`Sends::begin_to_take`].
    pub(super) fn taking_nothing() -> io::Result<Self> {
        Ok(Self::on(IoUring::builder().setup_r_disabled().build(SLOTS as u32)?))
    }

    pub(super) fn begin_to_take(&self) {
        self.ring.submitter().register_enable_rings().unwrap();
    }
}
