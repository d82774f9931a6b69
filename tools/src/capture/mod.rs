//! Network captures as a source of messages: each whole UDP payload is one. Called by `gannet pub --capture`
//! and `gannet sbe decode --capture`.
//!
//! A capture is input from outside: whatever its bytes, reading it ends in messages, in a count of what was passed over,
//! or in an error that names the file. It never panics, and it never holds more than one packet in memory.

mod packet;
mod passed_over;
mod source;

pub(crate) use passed_over::PassedOver;
pub(crate) use source::Capture;
