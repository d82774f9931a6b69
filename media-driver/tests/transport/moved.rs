//! A transport that another thread takes over. The kernel completes operations in the thread that started them, so
//! without care the previous thread would be woken for each datagram, and the new one would wait for it.

use std::sync::mpsc::channel;

use gannet::time::{Clock, SystemClock};
use gannet_driver::config::TransportName;
use gannet_driver::io::transport::{AnyTransport, SocketOptions, Transport, TransportKind, choose, open};
use gannet_driver::mailbox::{Content, EndpointId, EndpointSpec, InlineFrame, Transmit, TransmitBatch, TransmitTag};

const DATAGRAMS: u64 = 200;

struct Pair {
    transport: AnyTransport,
    to: std::net::SocketAddr,
    batch: TransmitBatch,
}

impl Pair {
    fn open(kind: TransportKind) -> Self {
        // Pending operations, for which a thread could be woken.
        let options = SocketOptions { tried_directly: 0, ..SocketOptions::DEFAULT };
        let mut transport = AnyTransport::new(kind, options).unwrap();
        let mut opened = |number: u32| {
            let sockets = open(&EndpointSpec::unicast(([127, 0, 0, 1], 0).into())).unwrap();
            let local = sockets.opened().local;
            transport.adopt(EndpointId::new(number), sockets).unwrap();
            local
        };
        let (_, to) = (opened(1), opened(2));
        Self { transport, to, batch: TransmitBatch::new(1) }
    }

    /// Sends a datagram from one endpoint, and receives it on the other.
    fn cross(&mut self) {
        let frame = InlineFrame::new(|bytes| {
            bytes[..36].fill(3);
            36
        });
        let (endpoint, content, tag) = (EndpointId::new(1), Content::Frame(frame), TransmitTag::Control);
        assert!(self.batch.push(Transmit { endpoint, to: self.to, content, tag }));
        self.transport.send(&mut self.batch, |done| assert!(done.is_sent()));
        let started = SystemClock.monotonic();
        while self.transport.receive(1, |_| {}) == 0 {
            assert!(SystemClock.monotonic().since(started) < 180_000_000_000, "it does not arrive");
            std::thread::yield_now();
        }
    }
}

/// How often a thread of this process has gone to sleep.
#[expect(clippy::disallowed_methods, reason = "what a thread did is in a file")]
fn sleeps(thread: &std::path::Path) -> u64 {
    let status = std::fs::read_to_string(std::path::Path::new("/proc").join(thread).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

fn nobody_is_woken(kind: TransportKind) {
    let (give, taken) = channel();
    let (finish, finished) = channel::<()>();
    let first = std::thread::spawn(move || {
        let mut pair = Pair::open(kind);
        pair.cross();
        give.send((pair, std::fs::read_link("/proc/thread-self").unwrap())).unwrap();
        // Sleeps until the other thread is done.
        assert!(finished.recv().is_err());
    });
    let (mut pair, thread) = taken.recv().unwrap();
    pair.cross();
    let before = sleeps(&thread);
    (0..DATAGRAMS).for_each(|_| pair.cross());
    let woken = sleeps(&thread) - before;
    drop(finish);
    first.join().unwrap();
    assert!(woken < DATAGRAMS / 10, "{kind:?}: {woken} times for {DATAGRAMS} datagrams");
}

#[test]
fn a_transport_leaves_the_thread_alone_that_had_it_before() {
    nobody_is_woken(TransportKind::Sockets);
    match choose(TransportName::IoUring) {
        Ok(_) => nobody_is_woken(TransportKind::IoUring),
        Err(reason) => {
            crate::skip::report("a_transport_leaves_the_thread_alone_that_had_it_before", &reason.to_string())
        }
    }
}
