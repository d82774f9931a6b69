//! Sending and receiving allocate nothing after a warm-up: frames of a log and control frames, alone and in runs, on
//! either transport.

use gannet::logbuffer::{ExclusiveAppender, LogBuffers, LogKind, LogParameters, sendable};
use gannet::memory::CacheLines;
use gannet::time::{Clock, SystemClock};
use gannet::types::{Position, SessionId, StreamId, TermId, TermLength};
use gannet_driver::config::TransportName;
use gannet_driver::io::transport::{AnyTransport, SocketOptions, Transport, TransportKind, choose, open};
use gannet_driver::mailbox::{Content, EndpointId, EndpointSpec, InlineFrame, Transmit, TransmitBatch, TransmitTag};

use crate::counting::allocations;
use crate::raw_access::RAW;

/// The number of sockets tried one after another: none, and more than there are.
const FEW_AND_MANY: [usize; 2] = [0, 5];

/// A log of messages, and the ranges of it that are datagrams.
fn log() -> (LogBuffers, Vec<(Position, usize)>) {
    let ids = (SessionId::new(1), StreamId::new(2), TermId::new(3));
    let log = LogBuffers::heap(&LogParameters::ipc(LogKind::Exclusive, TermLength::MIN, ids.0, ids.1, ids.2), RAW);
    let limit = CacheLines::new(1).word(0, 0);
    limit.store_release(65_536);
    let mut appender = ExclusiveAppender::new(&log, limit).unwrap();
    while appender.offer(&[7; 288]).is_ok() {}
    let mut ranges = Vec::new();
    let mut at = 0;
    loop {
        let found = sendable(&log, Position::new(at), 1408);
        if found.advance == 0 {
            return (log, ranges);
        }
        ranges.push((Position::new(at), found.wire));
        at += found.advance as i64;
    }
}

fn send_and_receive(kind: TransportKind, tried_directly: usize) {
    let options = SocketOptions { tried_directly, ..SocketOptions::DEFAULT };
    let mut transport = AnyTransport::new(kind, options).unwrap();
    let mut opened = |number: u32| {
        let spec = EndpointSpec { receive_buffer: 4 << 20, ..EndpointSpec::unicast(([127, 0, 0, 1], 0).into()) };
        let sockets = open(&spec).unwrap();
        let local = sockets.opened().local;
        transport.adopt(EndpointId::new(number), sockets).unwrap();
        local
    };
    let (_, to) = (opened(1), opened(2));
    let (log, ranges) = log();
    let mut batch = TransmitBatch::new(64);
    let frame = InlineFrame::new(|bytes| {
        bytes[..36].fill(3);
        36
    });
    let (mut sent, mut received, mut bytes) = (0_usize, 0_usize, 0_usize);
    let mut round = |batch: &mut TransmitBatch| {
        let mut put = |content| {
            let transmit = Transmit { endpoint: EndpointId::new(1), to, content, tag: TransmitTag::Control };
            assert!(batch.push(transmit));
        };
        for &(position, length) in ranges.iter().take(40) {
            put(Content::Log { log: log.clone(), position, length });
        }
        (0..10).for_each(|_| put(Content::Frame(frame)));
        transport.send(batch, |done| sent += usize::from(done.is_sent()));
        let started = SystemClock.monotonic();
        while received < sent {
            received += transport.receive(64, |datagram| bytes += datagram.bytes.len());
            assert!(SystemClock.monotonic().since(started) < 180_000_000_000, "{received} of {sent}");
        }
    };
    (0..20).for_each(|_| round(&mut batch));
    let before = allocations();
    (0..200).for_each(|_| round(&mut batch));
    assert_eq!(allocations() - before, 0, "{kind:?}, {options:?}");
    assert!(sent >= 220 && bytes > sent * 36);
}

#[test]
fn sockets_allocate_nothing() {
    FEW_AND_MANY.iter().for_each(|&tried_directly| send_and_receive(TransportKind::Sockets, tried_directly));
}

#[test]
fn io_uring_allocates_nothing() {
    match choose(TransportName::IoUring) {
        Ok(_) => {
            FEW_AND_MANY.iter().for_each(|&tried_directly| send_and_receive(TransportKind::IoUring, tried_directly))
        }
        Err(reason) => crate::skip::report("io_uring_allocates_nothing", &reason.to_string()),
    }
}
