//! Gannet's measuring rig: schedules, histograms, floors and the systems under test.
//!
//! ```text
//! scenarios   which systems, which sizes, how long; rounds alternate between the systems
//!   └ systems     one file per system: how to open its two ends, and what its driver needs between rounds
//!       └ rig         the loops that send, reflect and count; the clock, the histogram, the record of the machine
//! ```
//!
//! One run measures the physical floor, Gannet, and any peers that the caller adds, in alternation on the same two
//! cores: a claim is a ratio within one run. The caller is `gannet bench`; the package in `benches/peers` adds Aeron's
//! C client.

#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../engine/tests/support/ports.rs"]
mod ports;
mod raw_access;
pub mod rig;
pub mod scenarios;
pub mod systems;
