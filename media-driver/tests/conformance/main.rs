//! What every transport does, whatever it is made of: one suite, run for each of them over the loopback interface.

mod host;
mod suite;

use gannet_driver::io::transport::socket::SocketOptions;

use host::SocketHost;

suite::conformance!(sockets, SocketHost(SocketOptions::default()));
suite::conformance!(sockets_without_offload, SocketHost(SocketOptions { segmentation: false, coalescing: false }));
