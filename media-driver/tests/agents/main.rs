//! Sender and receiver, driven by hand: what each sends and accepts, and how they transmit a stream over a network that
//! loses, repeats and reorders datagrams. There is no conductor, no socket and no clock.

mod bad_input;
mod channels;
mod many;
mod pair;
#[path = "../support/raw_access.rs"]
mod raw_access;
mod receiving;
mod sending;
mod support;
mod towards_sender;
mod wire;
