//! The effects of dead, stopped and hostile processes on a driver and on everything else: real processes, killed,
//! stopped and corrupted from outside. Every wait has a deadline, and no process, file or mount outlives its test.
//!
//! An unrelated stream runs beside most scenarios, and must stay intact byte for byte. Scenarios with random choices
//! use a seed: `FAULTS_SEED` gives another. Tests of a paused client and of a restarted driver are in `tests/clients`;
//! tests of who owns a directory, and of a second driver, are in `tests/system`.
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
