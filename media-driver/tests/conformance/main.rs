//! One suite for every transport, run over the loopback interface and for the simulated transport.

mod host;
#[expect(unreachable_pub, clippy::disallowed_types, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/ports.rs"]
mod ports;
#[path = "../support/raw_access.rs"]
mod raw_access;
#[expect(unreachable_pub, clippy::disallowed_methods, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/skip.rs"]
mod skip;
mod suite;

use gannet_driver::io::transport::socket::SocketOptions;

use host::{LossyHost, SimHost, SocketHost, UringHost};

const DEFAULT: SocketOptions = SocketOptions::DEFAULT;
const WITHOUT_OFFLOAD: SocketOptions = SocketOptions { segmentation: false, coalescing: false, ..DEFAULT };
/// Asks the kernel which sockets have data even if there are few: with epoll, and with receive operations of io_uring.
const WATCHED: SocketOptions = SocketOptions { tried_directly: 0, ..DEFAULT };
/// As above, except for the smallest cases: they start and end with few sockets, and have many in between.
const WATCHED_IF_SEVERAL: SocketOptions = SocketOptions { tried_directly: 2, ..DEFAULT };

suite::conformance!(sockets, SocketHost(DEFAULT));
suite::conformance!(sockets_without_offload, SocketHost(WITHOUT_OFFLOAD));
suite::conformance!(sockets_watched, SocketHost(WATCHED));
suite::conformance!(io_uring, UringHost(DEFAULT));
suite::conformance!(io_uring_without_offload, UringHost(WITHOUT_OFFLOAD));
suite::conformance!(io_uring_watched, UringHost(WATCHED));
suite::conformance!(
    io_uring_watched_without_offload,
    UringHost(SocketOptions { tried_directly: 0, ..WITHOUT_OFFLOAD })
);
suite::conformance!(io_uring_watched_if_several, UringHost(WATCHED_IF_SEVERAL));
suite::conformance!(a_plan_of_no_loss, LossyHost(SocketHost(DEFAULT)));
suite::conformance!(simulation, SimHost::new());
