//! What the dead, the stopped and the hostile do to a driver and to everybody else: real processes, killed, stopped and
//! corrupted from outside. Every wait has a deadline, and no process, file or mount outlives its test.
//!
//! A stream that has nothing to do with the fault runs beside most scenarios, and must stay whole, byte for byte. Scenarios that
//! draw at random do so from a seed: `FAULTS_SEED` gives another. What a client is told of its own pause, and of a driver that
//! is started again, is in `tests/clients`; whose a directory is, and what a second driver is told, in `tests/system`.
#![expect(clippy::disallowed_methods, reason = "waits for processes, with deadlines, and looks at their files")]

mod abandoned;
mod dead_publisher;
#[expect(dead_code, reason = "shared with the tests of the process itself")]
#[path = "../system/driver_process.rs"]
mod driver_process;
mod garbage_commands;
mod garbage_counters;
mod garbage_logs;
mod healthy;
mod helper;
mod killed_driver;
mod messages;
mod no_room;
mod random;
mod raw;
#[path = "../support/raw_access.rs"]
mod raw_access;
mod roles;
mod round_trip;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/skip.rs"]
mod skip;
mod soak;
