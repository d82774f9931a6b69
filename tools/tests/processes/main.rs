//! The commands as users run them: real processes, with a real driver beside them.

mod captures;
mod command_line;
mod journal;
mod network;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/ports.rs"]
mod ports;
mod recording;
mod sbe;
mod seeing;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/skip.rs"]
mod skip;
mod stopping;
mod streams;
mod support;
mod terminating;
