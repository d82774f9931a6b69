//! What every transport does, whatever it is made of: one suite, run for each of them over the loopback interface, and for
//! the simulated one.

mod host;
#[path = "../support/raw_access.rs"]
mod raw_access;
#[expect(unreachable_pub, clippy::disallowed_methods, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/skip.rs"]
mod skip;
mod suite;

use gannet_driver::io::transport::socket::SocketOptions;

use host::{LossyHost, SimHost, SocketHost, UringHost};

suite::conformance!(sockets, SocketHost(SocketOptions::default()));
suite::conformance!(io_uring, UringHost(SocketOptions::default()));
suite::conformance!(io_uring_without_offload, UringHost(SocketOptions { segmentation: false, coalescing: false }));
suite::conformance!(sockets_without_offload, SocketHost(SocketOptions { segmentation: false, coalescing: false }));
suite::conformance!(a_plan_of_no_loss, LossyHost(SocketHost(SocketOptions::default())));
suite::conformance!(simulation, SimHost::new());
