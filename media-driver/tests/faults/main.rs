//! What the dead, the stopped and the hostile do to a driver and to everybody else: real processes, killed, stopped and
//! corrupted from outside. Every wait has a deadline, and no process, file or mount outlives its test.
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
mod raw;
mod roles;
mod round_trip;
#[expect(unreachable_pub, reason = "shared with tests of other crates")]
#[path = "../../../engine/tests/support/skip.rs"]
mod skip;
mod soak;
