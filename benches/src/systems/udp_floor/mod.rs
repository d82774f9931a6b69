//! The floor of UDP: bare sockets on the loopback interface. For round trips, it sends one datagram there and one back.
//! For throughput, its datagrams have the systems' default length, with as many messages in each as the framing of the
//! systems leaves room for, and 64 of them per system call.
//!
//! Its two ends share a word of memory that says how much has arrived. So nothing is lost, and flow control needs no
//! datagrams: the floor may be faster than a real system could be.

mod messages;

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::SockRef;

use self::messages::Datagrams;
use super::{FLOOR, System};
use crate::rig::RigError;
use crate::rig::echo::{self, EchoOutcome, EchoPlan};
use crate::rig::throughput::{self, ThroughputOutcome, ThroughputPlan};
use crate::rig::transceiver::Transceiver;

/// The default length of the longest datagram of the systems, and the length of their framing.
const MTU: usize = 1408;
const HEADER: usize = 32;
/// Datagrams per system call.
const BATCH: usize = 64;
/// How many datagrams may be in flight, and a socket buffer with room for them. The kernel doubles the requested size,
/// counts 2,304 bytes per datagram, and still counts up to a quarter of the buffer for datagrams that were received
/// already.
const IN_FLIGHT: u64 = 80;
const SOCKET_BUFFER: usize = 160 << 10;

/// The floor as a system.
#[derive(Debug, Default)]
pub struct UdpFloor;

impl UdpFloor {
    /// Creates a floor. Each round has sockets of its own.
    pub const fn new() -> Self {
        Self
    }
}

impl System for UdpFloor {
    fn name(&self) -> &str {
        FLOOR
    }

    fn describe(&self) -> String {
        format!(
            "bare sockets: one datagram each way; throughput in datagrams of up to {MTU} bytes, {BATCH} per sendmmsg and recvmmsg, \
             without segmentation offload"
        )
    }

    fn echo(&mut self, plan: &EchoPlan) -> Result<EchoOutcome, RigError> {
        let (near, far) = pair().map_err(failed)?;
        let end = |socket| PingPong { socket, buffer: vec![0; plan.size.max(MTU)] };
        echo::run(FLOOR, &mut end(near), &mut end(far), plan)
    }

    fn throughput(&mut self, plan: &ThroughputPlan) -> Result<ThroughputOutcome, RigError> {
        let (near, far) = pair().map_err(failed)?;
        let layout = Layout::of(plan.size);
        let arrived = Arc::new(AtomicU64::new(0));
        let end = |socket| Stream {
            socket,
            layout,
            datagrams: Datagrams::new(BATCH, layout.length),
            filled: 0,
            flushed: 0,
            messages: 0,
            sent: 0,
            arrived: Arc::clone(&arrived),
            waiting: 0..0,
            message: Vec::with_capacity(plan.size),
        };
        throughput::run(FLOOR, &mut end(near), &mut end(far), plan)
    }
}

fn failed(error: io::Error) -> RigError {
    RigError::system(FLOOR, "opening a pair of sockets", error)
}

/// Two sockets that are connected to each other.
fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    one.connect(other.local_addr()?)?;
    other.connect(one.local_addr()?)?;
    for socket in [&one, &other] {
        socket.set_nonblocking(true)?;
        SockRef::from(socket).set_recv_buffer_size(SOCKET_BUFFER)?;
    }
    Ok((one, other))
}

/// An end of the ping-pong.
struct PingPong {
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl Transceiver for PingPong {
    #[inline]
    fn try_send(&mut self, message: &[u8]) -> bool {
        self.socket.send(message).is_ok()
    }

    #[inline]
    fn poll(&mut self, _limit: usize, mut on_message: impl FnMut(&[u8])) -> usize {
        let Ok(length) = self.socket.recv(&mut self.buffer) else { return 0 };
        on_message(&self.buffer[..length]);
        1
    }
}

/// The layout of messages of one size in datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    size: usize,
    /// Bytes of a datagram.
    length: usize,
    /// Messages per datagram; 1 when a message takes several.
    per_datagram: usize,
    /// Distance in bytes between messages of a datagram.
    stride: usize,
    /// Datagrams per message; 1 when a datagram has several.
    per_message: usize,
}

impl Layout {
    fn of(size: usize) -> Self {
        let stride = (size + HEADER).next_multiple_of(HEADER);
        if stride <= MTU {
            let per_datagram = MTU / stride;
            Self { size, length: per_datagram * stride, per_datagram, stride, per_message: 1 }
        } else {
            let per_message = size.div_ceil(MTU - HEADER);
            Self { size, length: MTU, per_datagram: 1, stride: MTU, per_message }
        }
    }
}

/// An end of a stream of messages.
struct Stream {
    socket: UdpSocket,
    layout: Layout,
    datagrams: Datagrams,
    /// The number of complete datagrams, of those that were sent, and of messages in the datagram being filled.
    filled: usize,
    flushed: usize,
    messages: usize,
    sent: u64,
    /// The number of datagrams that the other end has received.
    arrived: Arc<AtomicU64>,
    /// Datagrams that were received but not consumed yet.
    waiting: std::ops::Range<usize>,
    message: Vec<u8>,
}

impl Stream {
    /// Sends the complete datagrams. Returns false when some are left because too many are in flight.
    fn flush(&mut self) -> bool {
        while self.flushed < self.filled {
            // Acquire: pairs with the release in `poll`; nothing else is published by it.
            let room = IN_FLIGHT.saturating_sub(self.sent - self.arrived.load(Ordering::Acquire));
            let end = self.filled.min(self.flushed + room as usize);
            if end == self.flushed {
                return false;
            }
            let taken = self.datagrams.send(&self.socket, self.flushed..end).unwrap_or(0);
            self.sent += taken as u64;
            self.flushed += taken;
        }
        (self.filled, self.flushed) = (0, 0);
        true
    }

    fn is_full(&self) -> bool {
        self.filled + self.layout.per_message > BATCH
    }
}

impl Transceiver for Stream {
    #[inline]
    fn try_send(&mut self, message: &[u8]) -> bool {
        if self.is_full() && !self.flush() {
            return false;
        }
        let layout = self.layout;
        if layout.per_message > 1 {
            for part in message.chunks(MTU - HEADER) {
                self.datagrams.room(self.filled)[HEADER..HEADER + part.len()].copy_from_slice(part);
                self.datagrams.set_length(self.filled, HEADER + part.len());
                self.filled += 1;
            }
            return true;
        }
        let at = self.messages * layout.stride + HEADER;
        self.datagrams.room(self.filled)[at..at + message.len()].copy_from_slice(message);
        self.messages += 1;
        if self.messages == layout.per_datagram {
            self.datagrams.set_length(self.filled, layout.length);
            (self.filled, self.messages) = (self.filled + 1, 0);
        }
        true
    }

    fn poll(&mut self, _limit: usize, mut on_message: impl FnMut(&[u8])) -> usize {
        if self.waiting.is_empty() {
            let Ok(received) = self.datagrams.receive(&self.socket) else { return 0 };
            self.waiting = 0..received;
            // Release: pairs with the acquire in `flush`.
            self.arrived.fetch_add(received as u64, Ordering::Release);
        }
        let mut messages = 0;
        for index in std::mem::take(&mut self.waiting) {
            let bytes = self.datagrams.bytes(index);
            if self.layout.per_message > 1 {
                self.message.extend_from_slice(&bytes[HEADER..]);
                if self.message.len() >= self.layout.size {
                    on_message(&self.message);
                    self.message.clear();
                    messages += 1;
                }
                continue;
            }
            for frame in bytes.chunks_exact(self.layout.stride) {
                on_message(&frame[HEADER..HEADER + self.layout.size]);
                messages += 1;
            }
        }
        messages
    }

    fn between_messages(&mut self) {
        // The producer calls this at the end, so a datagram that is not full is sent as well.
        if self.messages > 0 {
            self.datagrams.set_length(self.filled, self.messages * self.layout.stride);
            (self.filled, self.messages) = (self.filled + 1, 0);
        }
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::cores::Cores;

    const UNPINNED: Cores = Cores { near: None, far: None };

    #[test]
    fn every_message_comes_back() {
        let plan = EchoPlan { size: 32, rate_per_s: 10_000, warm_up: 10, messages: 100, cores: UNPINNED };
        let outcome = UdpFloor::new().echo(&plan).expect("loopback sockets");
        assert_eq!((outcome.latencies.samples(), outcome.lost), (100, 0));
    }

    #[test]
    fn messages_of_all_sizes_arrive() {
        for size in [8, 32, 288, 1344, 1376, 1377, 65_536] {
            let plan = ThroughputPlan { size, duration_ms: 3, streams: 1, cores: UNPINNED };
            let outcome = UdpFloor::new().throughput(&plan).expect("nothing is lost");
            assert!(outcome.received > 0, "{size}");
        }
    }

    #[test]
    fn as_many_datagrams_as_may_be_under_way_fit_a_socket() {
        let (near, far) = pair().expect("loopback sockets");
        for number in 0..2 * IN_FLIGHT {
            near.send(&[number as u8; MTU]).expect("loopback takes it");
            if number >= IN_FLIGHT {
                // One was taken out for each that is sent from here on.
                assert_eq!(far.recv(&mut [0; MTU]).ok(), Some(MTU), "{number}");
            }
        }
        let waiting = std::iter::from_fn(|| far.recv(&mut [0; MTU]).ok());
        assert_eq!(waiting.count() as u64, IN_FLIGHT);
    }

    #[test]
    fn messages_lie_in_datagrams_as_frames_do() {
        let all = [32, 288, 1344, 65_536].map(Layout::of).map(|layout| (layout.per_datagram, layout.per_message));
        assert_eq!(all, [(22, 1), (4, 1), (1, 1), (1, 48)]);
    }
}
