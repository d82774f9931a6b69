//! Sender and receiver, driven by hand: what each sends and takes, and how the two get a stream across a network that loses,
//! repeats and reorders. No conductor, no sockets, no clock.

mod bad_input;
mod channels;
mod many;
mod pair;
#[path = "../support/raw_access.rs"]
mod raw_access;
mod receiving;
mod sending;
mod support;
mod wire;
