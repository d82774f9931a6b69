//! Tests of the journal's public interface: what is appended is read, in every way to read, by every permitted reader,
//! after every kind of event.

mod appending;
mod archive;
mod beginning;
mod consuming;
mod crashes;
mod cut_short;
mod flipped_page;
mod flipping;
mod hostile;
mod keeping;
mod killed;
mod making;
mod model;
#[expect(unreachable_pub, clippy::disallowed_types, reason = "shared with tests of other crates")]
#[path = "../support/ports.rs"]
mod ports;
mod properties;
mod pruning;
#[path = "../support/raw_access.rs"]
mod raw_access;
mod reading;
mod regressions;
mod reindexing;
mod repairing;
mod replaced;
mod rolling;
mod room;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../support/skip.rs"]
mod skip;
mod streams;
mod support;
mod typed;
mod watched;
