//! Gannet's measuring rig: schedules, histograms, floors and the systems under test.
//!
//! ```text
//! scenarios   which systems, which sizes, how long; rounds alternate between the systems
//!   └ systems     one file per system: how to open its two ends, and what its driver needs meanwhile
//!       └ rig         the loops that send, reflect and count; the clock, the histogram, the record of the machine
//! ```
//!
//! One run holds the physical floor, Gannet, and whatever peers the caller adds, taken in turn on the same two cores: a
//! claim is a ratio within one run. `gannet bench` is the caller; the package in `benches/peers` adds Aeron's C client.

mod raw_access;
pub mod rig;
pub mod scenarios;
pub mod systems;
