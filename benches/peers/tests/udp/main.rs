//! Our driver and Aeron's C driver over UDP on the loopback interface, each as sender and as receiver. A combination of
//! Aeron's own parts validates the scenario; the others then test ours.

mod clients;
mod deaths;
mod features;
mod frames;
mod groups;
mod hosts;
mod loss;
mod names;
mod pacing;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../../engine/tests/support/ports.rs"]
mod ports;
mod receivers;
mod relay;
mod streams;
