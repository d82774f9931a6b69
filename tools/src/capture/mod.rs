//! Network captures as a source of messages: each complete UDP payload is one message. Used by `gannet pub --capture`
//! and `gannet sbe decode --capture`.
//!
//! A capture is external input. Whatever its bytes, reading it gives messages, a count of the skipped packets, or an
//! error that names the file. It never panics, and never holds more than one packet in memory.

mod packet;
mod passed_over;
mod source;

pub(crate) use passed_over::PassedOver;
pub(crate) use source::Capture;
