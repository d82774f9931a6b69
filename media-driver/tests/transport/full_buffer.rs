//! A socket whose buffer is full: the kernel refuses what does not fit, and the transport says that there was no room.
//! Within a machine datagrams leave the sender's buffer as soon as they are sent, so the test's thread has a network of
//! its own, whose loopback interface lets next to nothing pass.
//!
//! Needs `ip` and `tc` (the Debian package `iproute2`) and permission to create a network namespace.
#![allow(unsafe_code, reason = "gives this thread a network of its own")]
#![expect(clippy::disallowed_methods, reason = "runs programs, and waits with a deadline")]

use std::io;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use gannet::counters::SystemCounter;
use gannet_driver::config::TransportName;
use gannet_driver::io::transport::socket::{SocketOptions, SocketTransport};
use gannet_driver::io::transport::{Sockets, Transport, UringTransport, choose, open};
use gannet_driver::mailbox::{
    Completion, Content, EndpointId, EndpointSpec, Outcome, Transmit, TransmitBatch, TransmitTag,
};
use gannet_driver::sender::Sender;
use gannet_driver::shared::NetworkCounters;

use crate::skip;

const SENDING: EndpointId = EndpointId::new(1);
const RECEIVING: EndpointId = EndpointId::new(2);
/// Several times what the buffer takes.
const DATAGRAMS: usize = 200;
const LENGTH: usize = 1408;
const WITHOUT_OFFLOAD: SocketOptions =
    SocketOptions { segmentation: false, coalescing: false, ..SocketOptions::DEFAULT };

/// Runs `test` in a thread with a loopback interface that passes one datagram and then a kilobit per second.
fn on_a_clogged_network(name: &str, test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        // SAFETY: it takes a number and changes which network this thread has.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(format!("this thread cannot have a network of its own: {}", io::Error::last_os_error()));
        }
        // Programs that this thread starts have its network.
        run("ip", "link set lo up")?;
        run("tc", "qdisc add dev lo root tbf rate 1kbit burst 1600 limit 1mb")?;
        test();
        Ok(())
    });
    if let Err(reason) = thread.join().expect("the thread's own assertions") {
        skip::report(&format!("full_buffer::{name}"), &reason);
    }
}

fn run(program: &str, words: &str) -> Result<(), String> {
    let output = Command::new(program).args(words.split(' ')).output();
    let output = output.map_err(|error| format!("there is no {program}: {error}: install the package iproute2"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{program} {words}: {said}")) }
}

fn transmit(to: std::net::SocketAddr, length: usize) -> Transmit {
    Transmit { endpoint: SENDING, to, content: Content::Long(vec![7; length].into()), tag: TransmitTag::Control }
}

/// Whatever does not fit is answered with "no room", counted as short sends, and no fault. When there is room, the
/// socket sends again.
fn a_full_buffer_is_told(mut transport: impl Transport<Sockets = Sockets>) {
    let spec = EndpointSpec { send_buffer: 4096, ..EndpointSpec::unicast((Ipv4Addr::LOCALHOST, 0).into()) };
    let [_, to] = [SENDING, RECEIVING].map(|id| {
        let sockets = open(&spec).unwrap();
        let local = sockets.opened().local;
        transport.adopt(id, sockets).unwrap();
        local
    });
    let mut batch = TransmitBatch::new(DATAGRAMS);
    (0..DATAGRAMS).for_each(|_| assert!(batch.push(transmit(to, LENGTH))));
    let mut answers: Vec<Completion> = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(180);
    while answers.len() < DATAGRAMS {
        assert!(Instant::now() < deadline, "{} of {DATAGRAMS} answered", answers.len());
        transport.send(&mut batch, |done| answers.push(done));
    }
    let with = |outcome| answers.iter().filter(|done| done.outcome == outcome).count();
    let (sent, without_room) = (with(Outcome::Sent), with(Outcome::NoRoom));
    assert!(sent > 0 && without_room > 0, "{sent} sent, {without_room} without room");
    assert_eq!(sent + without_room, DATAGRAMS, "nothing is refused for good");
    assert_eq!(transport.take_fault(), None, "a full buffer is no fault");
    let counts = transport.counts();
    assert_eq!((counts.sent, counts.not_sent), (sent as u64, without_room as u64));
    let counters = NetworkCounters::heap();
    let mut sender = Sender::new(counters.clone());
    answers.drain(..).for_each(|done| sender.on_completion(done));
    assert_eq!(counters.get(SystemCounter::ShortSends), without_room as i64);

    // What the interface still holds is dropped with its queue.
    run("tc", "qdisc delete dev lo root").unwrap();
    assert!(batch.push(transmit(to, 32)));
    transport.send(&mut batch, |done| answers.push(done));
    let mut has_arrived = false;
    while !has_arrived || answers.is_empty() {
        assert!(Instant::now() < deadline, "what is sent when there is room does not arrive");
        transport.receive(64, |datagram| has_arrived |= datagram.bytes == [7; 32]);
        transport.send(&mut batch, |done| answers.push(done));
    }
    assert_eq!(answers[0].outcome, Outcome::Sent);
}

#[test]
fn a_full_buffer_is_told_over_sockets() {
    on_a_clogged_network("a_full_buffer_is_told_over_sockets", || {
        a_full_buffer_is_told(SocketTransport::new(WITHOUT_OFFLOAD).unwrap());
    });
    on_a_clogged_network("a_full_buffer_is_told_over_sockets, with offload", || {
        a_full_buffer_is_told(SocketTransport::new(SocketOptions::DEFAULT).unwrap());
    });
}

#[test]
fn a_full_buffer_is_told_over_io_uring() {
    if let Err(reason) = choose(TransportName::IoUring) {
        return skip::report("full_buffer::a_full_buffer_is_told_over_io_uring", &reason.to_string());
    }
    on_a_clogged_network("a_full_buffer_is_told_over_io_uring", || {
        a_full_buffer_is_told(UringTransport::new(WITHOUT_OFFLOAD).unwrap());
    });
    on_a_clogged_network("a_full_buffer_is_told_over_io_uring, with offload", || {
        a_full_buffer_is_told(UringTransport::new(SocketOptions::DEFAULT).unwrap());
    });
}
