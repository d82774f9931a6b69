//! A driver seen from outside, through the files it shares: read-only, and without contacting the driver. Used by the
//! commands that show something. Must not become a client, which the driver would count and serve.

mod claim;
mod counter;
mod driver;
mod driver_line;
mod stream;

pub(crate) use counter::CounterLine;
pub(crate) use driver::Driver;
#[cfg(test)]
pub(crate) use stream::HeldBy;
#[cfg(test)]
pub(crate) use stream::tests as stream_tests;
pub(crate) use stream::{Image, Publication, Streams, Subscriber};
